"""Properties of resources of registered types that people set: read and checked by what their RTR file says of them.

A table of such a resource (typed.py) is made anew with some of its settings changed; whether they may be changed now
is not asked here (rgm/update.py), but for those that no live change may touch.
"""

from __future__ import annotations

from gds.config.declared import Declared, Fault
from gds.config.reading import read_table
from gds.config.typecheck import ALIASES, amend
from gds.config.typed import as_ours
from gds.config.writing import toml_text
from gds.model.sunview import DEPENDENCIES
from gds.model.sysprops import properties_of
from gds.model.tunable import Tunable
from gds.model.typed import Typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FIXED = (Tunable.AT_CREATION, Tunable.NONE)


def value_of(typed: Typed, key: str) -> Any:
    """The value of a key as plain data; None when there is no such property, or no value for that node."""
    name, _, node = key.rstrip("}").partition("{")
    value = typed.value(ALIASES.get(name, name), node)
    return list(value) if isinstance(value, tuple) else value


def text_of(typed: Typed, key: str) -> str:
    """The same as TOML."""
    return toml_text(value_of(typed, key))


def tunable_of(typed: Typed, key: str) -> Tunable:
    """When a key may be changed; NONE for a key that the type does not have."""
    name = key.partition("{")[0]
    known = {each.key: each.tunable for each in properties_of(typed.kind)}
    return known.get(ALIASES.get(name, name), Tunable.NONE)


def amended(table: Declared, given: Mapping[str, object], path: str, as_text: bool) -> tuple[Declared, list[Fault]]:
    """The table with these keys changed, or what is wrong with them, said to be in `path`. `as_text`: as typed by a
    person."""
    typed: Typed = table.values["typed"]
    settled = amend(typed.kind, typed.settings, given, enabled=False, as_text=as_text)
    faults = [
        Fault(path, (*table.keys, f.key, *([f.element] if f.element >= 0 else [])), f.message, f.element < 0)
        for f in settled.faults
    ]
    if faults:
        return table, faults
    after = Typed(typed.kind, settled.settings)
    own: dict[str, Any] = {"group": table.values["group"]} if "group" in table.values else {}
    own |= {key: list(names) for key in DEPENDENCIES if isinstance(names := after.value(key), tuple) and names}
    made, faults = read_table(table.keys, table.name, own, path, group=False)
    kept = {key: table.values[key] for key in ("enabled", "monitored") if key in table.values}
    group = table.values.get("group") or table.name
    return table.replace(values={**kept, **made.values, **as_ours(after, table.name, group)}), faults
