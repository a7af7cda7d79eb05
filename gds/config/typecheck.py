"""The values a descriptor or a person gives a resource → its settings, held against its resource type.

Facts: semantics.md 11, 14.3, 18. Pure. Three doors, which never raise and tell every fault at once:

- `settle`: a resource is declared: every property of its type gets a value, from `given`, else its Default; one that
  has neither is required.
- `amend`: some properties of a resource change (`gds set`); the rest stay as they are.
- `not_tunable`: which of the differences between two sets of settings may not be made now (a reload).

Names have no letter case, nor have the words of an ENUM, TRUE and FALSE. `description` is Sun's R_description. A
property that is Per_node takes one value for all nodes, or a table of nodes and values; `"prop{node}"` is one of them.
System-defined properties that count seconds take "5m" too; an INT of the type's own has a unit that only its author
knows, and takes numbers only.
"""

from __future__ import annotations

import re

from gds.model.methodcall import Setting
from gds.model.propertyvalue import INTEGERS, LONGEST_WORD, character_fault, text_of, value_fault
from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType
from gds.model.sysprops import SYSTEM, Presence, properties_of
from gds.model.tunable import Tunable
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gds.model.restype import PropertyValue

ADMINISTRATIVE = frozenset(("type", "group", "enabled", "monitored"))
"""Keys of a resource that are nobody's properties: `settle` passes over them."""
ALIASES = {"description": "r_description"}
"""Keys of ours for properties that have another name at Sun."""


class KeyFault(Value):
    """A fault of one key as it was written; `element` is the place in an array, or -1."""

    key: str
    message: str
    element: int = -1


class Settled(Value):
    """All settings of a resource, in the order of its type, those of single nodes after the one for all; or faults."""

    settings: tuple[Setting, ...]
    faults: tuple[KeyFault, ...] = ()


def keys_of(kind: ResourceType) -> tuple[str, ...]:
    """Every key that a resource of the type may have in a descriptor."""
    return (*sorted(ADMINISTRATIVE), *sorted(ALIASES), *[each.key for each in properties_of(kind)])


def value_of(settings: Iterable[Setting], name: str, node: str = "") -> PropertyValue | None:
    """The value of a property, on a node; None when the resource has no such property."""
    found: PropertyValue | None = None
    for each in settings:
        if each.name.lower() == name.lower() and each.node in ("", node):
            found = each.value
            if each.node:
                return found
    return found


def settle(kind: ResourceType, given: Mapping[str, object], nodes: Iterable[str] = ()) -> Settled:
    """The settings of a resource that is declared with these keys. `nodes`: all there are; empty: not known."""
    reading = _Reading(kind, tuple(nodes), as_text=False)
    reading.take(given)
    for each in reading.declared.values():
        told = each.key in reading.given_keys
        if each.key in reading.values:
            value = reading.values[each.key]
            if each.tunable is Tunable.NONE and value != each.default:
                reading.fault(reading.given_keys[each.key], f"may not be given: {kind.name} fixes it (TUNABLE = NONE)")
        elif each.default is not None:
            reading.values[each.key] = each.default
        elif not told:
            reading.fault(each.key, f"required by type {kind.name}: {_what(each)}{_about(each)}")
    return reading.settled()


def amend(
    kind: ResourceType,
    before: Iterable[Setting],
    given: Mapping[str, object],
    *,
    enabled: bool,
    nodes: Iterable[str] = (),
    as_text: bool = False,
) -> Settled:
    """The settings as they would be after a change of some keys, or why it may not be made.

    `enabled`: the resource is. `as_text`: the values are words as typed (`TRUE`, `5`, `a,b`).
    """
    before = tuple(before)
    reading = _Reading(kind, tuple(nodes), as_text=as_text)
    reading.values.update({s.name.lower(): s.value for s in before if not s.node})
    reading.of_nodes.update({(s.name.lower(), s.node): s.value for s in before if s.node})
    reading.take(given)
    after = reading.settled()
    if after.faults:
        return after
    faults = not_tunable(kind, before, after.settings, enabled=enabled)
    faults = tuple([fault.replace(key=reading.given_keys.get(fault.key, fault.key)) for fault in faults])
    return Settled(() if faults else after.settings, faults)


def unknown(kind: ResourceType, key: str) -> str:
    """Why a resource of the type has no such property; "" = it has."""
    reading = _Reading(kind, (), as_text=False)
    name = key.partition("{")[0].lower()
    return "" if ALIASES.get(name, name) in reading.declared else reading.unknown(name)


def not_tunable(
    kind: ResourceType, before: Iterable[Setting], after: Iterable[Setting], *, enabled: bool
) -> tuple[KeyFault, ...]:
    """The differences that may not be made to a resource that is there (Sun: semantics.md 11)."""
    old = {(s.name.lower(), s.node): s.value for s in before}
    new = {(s.name.lower(), s.node): s.value for s in after}
    declared = {each.key: each for each in properties_of(kind)}
    differing = {key for key, node in {*old, *new} if old.get((key, node)) != new.get((key, node))}
    faults = []
    for key, each in declared.items():
        if key not in differing or each.tunable is Tunable.ANYTIME:
            continue
        if each.tunable is Tunable.WHEN_DISABLED:
            if enabled:
                text = "may be changed only while the resource is disabled (TUNABLE = WHEN_DISABLED)"
                faults.append(KeyFault(key, text))
        elif each.tunable is Tunable.AT_CREATION:
            text = "may not be changed: it is set when the resource is created (TUNABLE = AT_CREATION)"
            faults.append(KeyFault(key, text))
        else:
            faults.append(KeyFault(key, f"may not be changed: {kind.name} fixes it (TUNABLE = NONE)"))
    return tuple(faults)


def living_fault(kind: ResourceType, others: tuple[str, ...], rg_mode: str) -> str:
    """Why a resource of the type may not be declared beside `others` of the same type (Single_instance), or in a
    group of that mode (Failover; Sun: semantics.md 12.6, 14.1); empty: it may."""
    if kind.single_instance and others:
        return f"type {kind.name} allows one resource only (Single_instance), and {others[0]} has it already"
    if kind.failover and rg_mode == "SCALABLE":
        return f"type {kind.name} runs on one node at a time (Failover), and rg_mode of its group is SCALABLE"
    return ""


_KEY = re.compile(r"([^{}]+)(?:\{([^{}]*)\})?")
_DURATION = re.compile(r"([0-9]{1,12})\s*(s|m|h|d)?", re.ASCII)
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PORT = re.compile(r"([0-9]{1,5})(?:/([A-Za-z0-9]+))?", re.ASCII)
_WEIGHT = re.compile(r"[0-9]{1,9}@[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_POLICIES = ("LB_WEIGHTED", "LB_STICKY", "LB_STICKY_WILD")
_PROTOCOLS = ("tcp", "tcp6", "udp", "udp6")


class _Reading:
    """Takes keys and values one by one; what is sound stands in `values` and `of_nodes`."""

    def __init__(self, kind: ResourceType, nodes: tuple[str, ...], as_text: bool) -> None:
        self.kind = kind
        self.nodes = nodes
        self.as_text = as_text
        self.declared = {each.key: each for each in properties_of(kind)}
        self.values: dict[str, PropertyValue] = {}
        self.of_nodes: dict[tuple[str, str], PropertyValue] = {}
        self.given_keys: dict[str, str] = {}
        self.faults: list[KeyFault] = []
        self._seen: set[tuple[str, str]] = set()

    def fault(self, key: str, message: str, element: int = -1) -> None:
        self.faults.append(KeyFault(key, message, element))

    def take(self, given: Mapping[str, object]) -> None:
        for written, value in given.items():
            if written.lower() not in ADMINISTRATIVE:
                self._key(written, value)

    def settled(self) -> Settled:
        made = []
        for key, each in self.declared.items():
            if key in self.values:
                made.append(Setting(each.name, self.values[key]))
            pairs = [(node, value) for (name, node), value in self.of_nodes.items() if name == key]
            made += [Setting(each.name, value, node) for node, value in sorted(pairs, key=lambda pair: pair[0])]
        return Settled(() if self.faults else tuple(made), tuple(self.faults))

    def _key(self, written: str, value: object) -> None:
        match = _KEY.fullmatch(written)
        key = match[1].lower() if match else written.lower()
        key = ALIASES.get(key, key)
        each = self.declared.get(key)
        if each is None or match is None:
            self.fault(written, self.unknown(key))
            return
        if match[2] is not None:
            self._of_node(written, each, match[2], value)
            return
        if (key, "") in self._seen:
            self.fault(written, "given twice, in different spelling")
            return
        self._seen.add((key, ""))
        self.given_keys[key] = written
        if isinstance(value, dict) and not (each.per_node and value):
            self.fault(written, f"expected {_what(each)}, not a table")
            return
        if isinstance(value, dict):
            for node, inner in value.items():
                self._of_node(written, each, str(node), inner)
            return
        made = self._value(written, each, value)
        if made is not None:
            self.values[key] = made
            # A value for all nodes replaces what single nodes had before.
            for pair in [p for p in self.of_nodes if p[0] == key and p not in self._seen]:
                del self.of_nodes[pair]

    def _of_node(self, written: str, each: PropertyDeclaration, node: str, value: object) -> None:
        self.given_keys.setdefault(each.key, written)
        if not each.per_node:
            self.fault(written, f"expected {_what(each)}, not a value for one node: {each.name} is not Per_node")
        elif self.nodes and node not in self.nodes:
            listed = _near(node, self.nodes) or f"; known: {', '.join(self.nodes[:8])}"
            self.fault(written, f"no node is called {_shown(node)}{listed}")
        elif (each.key, node) in self._seen:
            self.fault(written, f"given twice for node {node}")
        else:
            self._seen.add((each.key, node))
            made = self._value(written, each, value)
            if made is not None:
                self.of_nodes[each.key, node] = made

    def unknown(self, key: str) -> str:
        system = SYSTEM.get(key)
        if key == "type_version":
            name = self.kind.unversioned
            return f'is a part of the type: write type = "{name}:VERSION" in the descriptor, then `gds reload`'
        if system is not None and system.presence is Presence.RGM:
            return f"{system.declaration.name} is the RGM's own and cannot be given"
        if system is not None and system.method:
            return f"type {self.kind.name} has no {system.method} method, and so no {system.declaration.name}"
        if system is not None:
            return f"type {self.kind.name} does not declare {system.declaration.name}"
        if key.endswith("_command"):
            return f"unknown key here: type {self.kind.name} brings programs of its own for its methods"
        known = [*[each.name for each in self.declared.values()], *ADMINISTRATIVE, *ALIASES]
        near = _near(key, known) or f"; `gds rt show {self.kind.name}` lists them"
        return f"type {self.kind.name} has no such property{near}"

    # -- values

    def _value(self, written: str, each: PropertyDeclaration, raw: object) -> PropertyValue | None:
        if each.type is PropertyType.STRINGARRAY and isinstance(raw, list):
            odd = next((place for place, element in enumerate(raw) if not isinstance(element, str)), -1)
            if odd >= 0:
                self.fault(written, f"expected a string, not {_shown(raw[odd])}", odd)
                return None
        made = self._as_typed(each, raw) if self.as_text and isinstance(raw, str) else self._as_given(each, raw)
        if made is None:
            self.fault(written, f"expected {_what(each)}, not {_shown(raw)}")
            return None
        if isinstance(made, tuple):
            for place, element in enumerate(made):
                if text := character_fault(element):
                    self.fault(written, text, place)
                    return None
        fault = (isinstance(made, str) and character_fault(made)) or value_fault(each, made)
        fault = fault or _own_fault(each, made) or _too_long(each, made)
        if fault:
            self.fault(written, fault)
            return None
        return made

    def _as_given(self, each: PropertyDeclaration, raw: object) -> PropertyValue | None:
        """A TOML value as one of the property's type, or None."""
        if each.type is PropertyType.BOOLEAN:
            return raw if isinstance(raw, bool) else None
        if isinstance(raw, bool):
            return None
        if each.type is PropertyType.INT:
            return _integer(each, raw)
        if each.type is PropertyType.STRINGARRAY:
            return tuple(raw) if isinstance(raw, list) else None
        if not isinstance(raw, str):
            return None
        return _word(each, raw) if each.type is PropertyType.ENUM else raw

    def _as_typed(self, each: PropertyDeclaration, raw: str) -> PropertyValue | None:
        """A word as typed as a value of the property's type, or None."""
        if each.type is PropertyType.BOOLEAN:
            return {"true": True, "false": False}.get(raw.lower())
        if each.type is PropertyType.STRINGARRAY:
            return tuple(raw.split(",")) if raw else ()
        if each.type is PropertyType.INT and re.fullmatch(r"[-+]?[0-9]{1,12}", raw, re.ASCII):
            return _integer(each, int(raw))
        return self._as_given(each, raw)


def _integer(each: PropertyDeclaration, raw: object) -> int | None:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    seconds = each.key in SYSTEM and SYSTEM[each.key].seconds
    if isinstance(raw, str) and seconds and (match := _DURATION.fullmatch(raw.strip())):
        raw = int(match[1]) * _SECONDS[match[2]]
    return raw if isinstance(raw, int) and INTEGERS[0] <= raw <= INTEGERS[1] else None


def _word(each: PropertyDeclaration, raw: str) -> str | None:
    return {word.lower(): word for word in each.enumlist}.get(raw.lower())


def _own_fault(each: PropertyDeclaration, made: PropertyValue) -> str:
    """What the RGM itself asks of a property that it defines (Sun: semantics.md 11, 12)."""
    if each.extension:
        return ""
    if each.key == "port_list" and isinstance(made, tuple):
        for port in made:
            match = _PORT.fullmatch(port)
            if match is None or int(match[1]) > 65535 or (match[2] or "tcp").lower() not in _PROTOCOLS:
                return f'expected a port such as "8080/tcp" ({", ".join(_PROTOCOLS)}), not {_shown(port)}'
    if each.key == "load_balancing_weights" and isinstance(made, tuple):
        for weight in made:
            if not _WEIGHT.fullmatch(weight):
                return f'expected a weight such as "3@n1", not {_shown(weight)}'
    if each.key == "load_balancing_policy" and str(made).upper() not in _POLICIES:
        return f"expected one of {', '.join(_POLICIES)}, not {_shown(made)}"
    return ""


def _too_long(each: PropertyDeclaration, made: PropertyValue) -> str:
    room = LONGEST_WORD - len(each.name) - 1
    return "" if len(text_of(made)) <= room else f"expected at most {room} bytes: no more can be handed to a method"


def _what(each: PropertyDeclaration) -> str:
    if each.type is PropertyType.ENUM:
        return f"one of {', '.join(each.enumlist)}"
    if each.type is PropertyType.INT:
        timed = each.key in SYSTEM and SYSTEM[each.key].seconds
        return 'a whole number of seconds, or a string such as "5m"' if timed else "a whole number"
    if each.type is PropertyType.BOOLEAN:
        return "true or false"
    return "an array of strings" if each.type is PropertyType.STRINGARRAY else "a string"


def _about(each: PropertyDeclaration) -> str:
    return f" ({each.description})" if each.description else ""


def _shown(value: object) -> str:
    """A given value as a person would recognise it, never long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return '"' + "".join([c if c.isprintable() else f"\\u{ord(c):04x}" for c in text]) + '"'
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a number of more than 38 digits"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    return repr(value) if isinstance(value, float) else "a date or time"


def _near(word: str, known: Iterable[str]) -> str:
    import difflib

    spelled = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word[:64].lower(), list(spelled), 1, 0.6)
    return f"; did you mean {spelled[close[0]]}?" if close else ""
