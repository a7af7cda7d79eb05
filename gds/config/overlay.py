"""What people set (`gds set`) laid over what the files declare. Pure.

A value that was set is stronger than the file. It is checked as the file's own values are, and a fault that comes of
it is told under the name of where it is kept, not of a line in a descriptor. What is set for something that no file
declares waits there and does nothing.

The entries are the content of STATE/set.json, which one runner writes (`daemon/setting.py`).
"""

from __future__ import annotations

import json

from gds.config.declared import Declared, Fault
from gds.config.reading import read_table
from gds.config.typedset import amended, text_of
from gds.config.writing import TABLES, plain, toml_text
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gds.config.declared import Keys


class Entry(Value):
    """One key that was set: `kind` is resource or group, `value` plain data, `file` what the descriptors said of the
    key then, as TOML ("" = nothing); `by` and `at` say who and when."""

    kind: str
    name: str
    key: str
    value: Any
    file: str = ""
    by: str = ""
    at: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """What it is about."""
        return self.kind, self.name, self.key


def entries_of(content: bytes) -> tuple[Entry, ...]:
    """The entries that a set.json holds. Raises ValueError for what we never wrote."""
    if not content:
        return ()
    try:
        read = json.loads(content)
        return tuple([Entry(**{field: each[field] for field in Entry.__fields__}) for each in read["set"]])
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not what gds wrote: {error}") from error


class Laid(Value):
    """The tables with what was set laid over them; `marks`: the key paths in each file that are not the file's."""

    tables: tuple[Declared, ...]
    faults: tuple[Fault, ...] = ()
    marks: frozenset[tuple[str, Keys]] = frozenset()


def lay(declared: Sequence[Declared], entries: Iterable[Entry], path: str) -> Laid:
    """`path` is where faults of the entries are said to be."""
    wanted: dict[tuple[bool, str], dict[str, Any]] = {}
    for each in entries:
        wanted.setdefault((each.kind == "group", each.name), {})[each.key] = each.value
    faults: list[Fault] = []
    marks: set[tuple[str, Keys]] = set()
    made = []
    for table in declared:
        values = wanted.pop((table.group, table.name), None)
        if values is None:
            made.append(table)
            continue
        marks |= {(table.path, (*table.keys, key)) for key in values}
        if "typed" in table.values:
            over, found = amended(table, values, path, as_text=False)
            faults += found
            made.append(over)
            continue
        if table.given:
            made.append(table)  # of a registered type, and broken: what was set is nothing to that
            continue
        over, found = read_table(table.keys, table.name, values, path, group=table.group)
        faults += found
        made.append(table.replace(values={**table.values, **over.values}, broken=table.broken | over.broken))
    living = {t.values.get("group", t.name) for t in declared if not t.group}
    for (group, name), values in wanted.items():
        if group and name in living:  # a group without a table of its own
            over, found = read_table(("group", name), name, values, path, group=True)
            faults += found
            made.append(over)
    return Laid(tuple(made), tuple(faults), frozenset(marks))


def moved(fault: Fault, laid: Laid, path: str) -> Fault:
    """The fault, said to be where it comes from."""
    for end in range(1, len(fault.keys) + 1):
        if (fault.path, fault.keys[:end]) in laid.marks:
            return fault.replace(path=path)
    return fault


class Stand(Value):
    """How an entry stands to the files: `over` that it has nothing more to say, `line` what is said of it."""

    entry: Entry
    over: bool
    line: str


def stands(entries: Iterable[Entry], declared: Sequence[Declared], lines: dict[tuple[str, Keys], int]) -> list[Stand]:
    """What a reload has to say of the entries: those that the files have caught up with, those that they contradict
    anew, those whose table is gone. `lines`: where the keys stand."""
    tables = {(t.group, t.name): t for t in declared}
    living = {t.values.get("group", t.name) for t in declared if not t.group}
    found = []
    for each in entries:
        group = each.kind == "group"
        table = tables.get((group, each.name))
        set_ = f"{each.name}: {each.key} = {shown(each.key, each.value)}, set by {each.by} at {each.at},"
        if table is None and not (group and each.name in living):
            found.append(Stand(each, True, f"{set_} is forgotten: no descriptor names {each.name} any more"))
            continue
        now = text_in(table, each.key)
        if now == each.file:
            continue
        if now == toml_text(each.value):
            place = _place(table, each.key, lines)
            found.append(Stand(each, True, f"{set_} is what {place} says now: from here on the file rules it"))
            continue
        place = _place(table, each.key, lines)
        says = f"{place} says {shown(each.key, None, now)} now" if now else "no file gives it any more"
        then = f"said {shown(each.key, None, each.file)}" if each.file else "did not give it"
        found.append(
            Stand(
                each,
                False,
                f"{set_} stays, though {says} (the file {then} then); `gds set {each.name} --unset {each.key}` follows"
                " the file",
            )
        )
    return found


def text_in(table: Declared | None, key: str) -> str:
    """What a table says of a key, as TOML; "" = nothing."""
    if table is None:
        return ""
    if "typed" in table.values:
        return text_of(table.values["typed"], key)
    if key not in table.values:
        return ""
    return toml_text(plain(TABLES["group" if table.group else "resource"][key], table.values[key]))


def shown(key: str, value: Any, text: str = "") -> str:
    """A value in a line that everybody who may read the log sees."""
    if key == "environment":
        return "{...}"
    return text or toml_text(value)


def _place(table: Declared | None, key: str, lines: dict[tuple[str, Keys], int]) -> str:
    if table is None:
        return "the file"
    line = lines.get((table.path, (*table.keys, key)), 0)
    return f"{table.path}:{line}" if line else table.path
