"""The generic type as a resource type like any other: made from the one table of properties, when it is asked for.

`gds rt show gds --rtr` prints it as an RTR file. It is made anew each time and kept nowhere, so that it cannot be
stale: what is in the table is in it. A property has Sun's name, type and place (system-defined or extension) where Sun
has it. What RTR files have no words for is told in descriptions: a duration of ours may have a fraction and is a
STRING, and so is what is a table in TOML; Sun's own durations are whole seconds here, while a descriptor may say less.
The methods are parts of the runner: their paths lead to no program.
"""

from __future__ import annotations

from math import ceil

from gds import __version__
from gds.model.properties import KINDS, RESOURCE, Property, default_of
from gds.model.restype import METHODS, PropertyDeclaration, PropertyType, ResourceType
from gds.model.sysprops import SYSTEM, Presence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gds.model.restype import PropertyValue

NAME = "gds"
ALIAS = "SUNW.gds"
"""What Sun called it; understood too."""

BUILT_IN = "/built-in/gds"

COMMENT = (
    "The generic data service, as gds " + __version__ + " carries it out.",
    "Made from the table of properties by: gds rt show gds --rtr",
    "Its methods are parts of the runner: the paths below lead to no program.",
)

_ALWAYS = ("Start", "Stop", "Validate", "Monitor_start", "Monitor_stop")
"""Methods the generic type has by itself; the others it has when a descriptor may name a command for them."""

_TYPES = {
    "boolean": PropertyType.BOOLEAN,
    "integer": PropertyType.INT,
    "signal": PropertyType.INT,
    "word": PropertyType.ENUM,
    "names": PropertyType.STRINGARRAY,
    "ports": PropertyType.STRINGARRAY,
    "accounts": PropertyType.STRINGARRAY,
    "paths": PropertyType.STRINGARRAY,
    "variables": PropertyType.STRINGARRAY,
    "hosts": PropertyType.STRINGARRAY,
    "interfaces": PropertyType.STRINGARRAY,
    "prefix": PropertyType.STRINGARRAY,
}
"""What a kind of ours is in an RTR file; a duration is INT under a name of Sun's, everything else STRING."""
_EMPTY: dict[PropertyType, PropertyValue] = {
    PropertyType.STRING: "",
    PropertyType.STRINGARRAY: (),
    PropertyType.BOOLEAN: False,
}
_SIGNALS = (1, 64)


def generic_type() -> ResourceType:
    """The type that every resource without a `type` has."""
    known = {p.name for p in RESOURCE if p.supported and not p.of}
    methods = [m for m in METHODS if m in _ALWAYS or f"{m.lower()}_command" in known]
    return ResourceType(
        resource_type=NAME,
        rt_version=__version__,
        rt_description="Generic data service: any application declared in TOML",
        api_version=7,
        rt_basedir=BUILT_IN,
        methods=tuple([(method, method.lower()) for method in methods]),
        declared=declarations([each for each in RESOURCE if each.supported and not each.of]),
    )


def declarations(properties: Iterable[Property]) -> tuple[PropertyDeclaration, ...]:
    """What an RTR file says of these properties."""
    return tuple([made for each in properties if (made := _declaration(each)) is not None])


def _declaration(each: Property) -> PropertyDeclaration | None:
    """None for what an RTR file may not declare: the resource's own type, group and switches."""
    system = SYSTEM.get((each.sun or each.name).lower())
    if each.sun == "Resource_group" or (system is not None and system.presence is Presence.RGM):
        return None
    if system is not None:
        made = system.declaration.replace(tunable=each.tunable)
    else:
        kind = _TYPES.get(each.kind, PropertyType.STRING)
        if each.kind == "duration" and each.sun:
            kind = PropertyType.INT
        made = PropertyDeclaration(
            each.sun or each.name.capitalize(),
            kind,
            extension=True,
            tunable=each.tunable,
            description=_description(each, kind),
            enumlist=tuple([str(word) for word in each.words]) if kind is PropertyType.ENUM else (),
        )
    bounds: dict[str, Any] = {}
    if made.type is PropertyType.INT:
        low, high = _SIGNALS if each.kind == "signal" else (each.minimum, each.maximum)
        if low is not None:
            bounds["minimum"] = ceil(low)
        if high is not None:
            bounds["maximum"] = int(high)
    return made.replace(**bounds, default=_default(each, made.type))


def _default(each: Property, kind: PropertyType) -> PropertyValue | None:
    found = default_of(each)
    if each.name in ("start_command", "hostnamelist"):
        return None  # the one key that every resource of the type has to have
    if kind is PropertyType.INT:
        return int(found or 0)
    if kind is PropertyType.BOOLEAN:
        return bool(found)
    if kind is PropertyType.ENUM:
        return str(found)
    if kind is PropertyType.STRINGARRAY:
        return tuple([str(value) for value in found or ()])
    if each.kind == "duration":
        return f"{found:g}s"
    if each.kind == "output":
        return str(found.kind)
    return found if isinstance(found, str) else ""


def _description(each: Property, kind: PropertyType) -> str:
    """The help of the table in the characters an RTR file may have; and how the value is written, where STRING says
    too little."""
    text = each.help
    if kind is PropertyType.STRING and each.kind != "string":
        text += f" In a descriptor: {KINDS[each.kind]}."
    if each.kind == "duration" and kind is PropertyType.INT:
        text += " In seconds."
    return text.replace("…", "...").encode("ascii", "replace").decode()
