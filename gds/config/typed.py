"""A table whose `type` names a registered resource type → a Declared like any other, and its faults.

The values are held against the type (typecheck.py). What comes out has the keys of the generic type where the two mean
the same: its methods are the commands, called with Sun's arguments. PMF watches nothing of it (pmf_managed is false):
its methods run what they run under pmfadm, and its own monitor asks for what is needed (scha_control).
"""

from __future__ import annotations

from gds.config.declared import Declared, Fault
from gds.config.refusal import did_you_mean, shown
from gds.config.registry import look_up
from gds.config.typecheck import ADMINISTRATIVE, KeyFault, settle
from gds.model.hostname import TYPES as ADDRESSES
from gds.model.methodcall import About, validate_call
from gds.model.resource import Command
from gds.model.restype import METHODS, Ambiguous, NoSuchType
from gds.model.state import FailoverMode
from gds.model.sunview import DEPENDENCIES
from gds.model.typed import Typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from gds.config.declared import Keys
    from gds.config.registry import Registered, Registry

    class Types(Protocol):
        """The registered types, and what was taken of them."""

        def registry(self) -> Registry: ...
        def used(self, found: Registered) -> None: ...


OURS = frozenset(("gds", "sunw.gds"))
NOTHING = Command(("/bin/true",))
"""What stands for Start or Stop of a type that has only Prenet_start or Postnet_stop."""
BROKEN = frozenset(("start_command",))
"""Of a table with a fault nothing is missing beside what was told."""
SHARED = ("retry_count", "retry_interval", "thorough_probe_interval")
"""Numbers that mean the same here and there."""


def is_typed(values: Mapping[str, Any]) -> bool:
    """Its `type` names a type that stands in an RTR file."""
    named = values.get("type")
    return isinstance(named, str) and named.strip().lower() not in {*OURS, *[each.lower() for each in ADDRESSES]}


def read_typed(
    keys: Keys,
    name: str,
    values: dict[str, Any],
    path: str,
    types: Types,
    read: Callable[[dict[str, Any]], tuple[dict[str, Any], list[Fault]]],
) -> tuple[Declared, list[Fault]]:
    """The table, and what is wrong with it. `read` reads what is ours of it: its group and switches, and
    the names in its dependencies."""
    asked = str(values["type"]).strip()
    registry = types.registry()
    found = look_up(registry, asked)
    if isinstance(found, NoSuchType | Ambiguous):
        known = [each.type.name for each in registry.types]
        hint = did_you_mean(asked, known, "; `gds rt register FILE` registers an RTR file")
        said = f"no type {asked} is registered{hint}" if isinstance(found, NoSuchType) else str(found)
        fault = Fault(path, (*keys, "type"), said)
        return Declared(name, path, keys, {}, False, BROKEN | set(values), frozenset(values)), [fault]
    if found.is_built_in:
        fault = Fault(path, (*keys, "type"), f"write type = {shown(found.type.resource_type)}, not {shown(asked)}")
        return Declared(name, path, keys, {}, False, BROKEN | set(values), frozenset(values)), [fault]
    types.used(found)
    kind = found.type
    settled = settle(kind, values)
    faults = [
        # what is expected is said of a value, everything else of the key
        Fault(path, (*keys, each.key, *_place(each)), each.message, not each.message.startswith("expected"))
        for each in settled.faults
    ]
    typed = Typed(kind, settled.settings)
    own = {key: value for key, value in values.items() if key in ADMINISTRATIVE and key != "type"}
    own |= {key: list(given) for key in DEPENDENCIES if isinstance(given := typed.value(key), tuple) and given}
    made, wrong = read(own)
    faults += wrong
    if not faults:
        made |= as_ours(typed, name, made.get("group") or name)
    broken = BROKEN | set(values) if faults else frozenset()
    return Declared(name, path, keys, made, False, broken, frozenset(values)), faults


def as_ours(typed: Typed, name: str, group: str) -> dict[str, Any]:
    """The keys of the generic type that mean the same."""
    kind = typed.kind
    made: dict[str, Any] = {
        "type": kind.name,
        "typed": typed,
        "pmf_managed": False,
        "network_aware": False,
        "start_command": NOTHING,
        "stop_command": NOTHING,
        "failover_mode": FailoverMode(str(typed.value("Failover_mode"))),
        "description": str(typed.value("R_description") or ""),
    }
    for method in METHODS:
        words = typed.call(method, name, group)
        if words and method not in ("Monitor_start", "Monitor_stop"):
            key = method.lower()
            made[f"{key}_command"] = Command(words)
            made[f"{key}_timeout"] = typed.timeout(method)
    validate = validate_call(kind, About(name, group), creating=True, settings=typed.settings)
    if validate:
        made["validate_command"] = Command(validate)
    for key in SHARED:
        if isinstance(number := typed.value(key), int):
            made[key] = number if key == "retry_count" else float(number)
    return made


def _place(fault: KeyFault) -> tuple[int, ...]:
    return (fault.element,) if fault.element >= 0 else ()
