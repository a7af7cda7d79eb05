"""Values to and from plain tuples, dicts, strings and numbers, which `marshal` and JSON can carry.

Only what differs from the default is carried, so that a Plan of a thousand resources is read back in milliseconds.
"""

from __future__ import annotations

from gds.model.resource import Command, ExitMap, Group, Need, Output, Plan, Port, Probe, Resource, Source, Warning_
from gds.model.state import FailoverMode
from gds.model.value import Value, defaults_of, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CLASSES: dict[str, type[Value]] = {
    c.__name__: c for c in (Plan, Resource, Group, Command, Port, Probe, ExitMap, Output, Need, Source, Warning_)
}


def pack(value: Any) -> Any:
    """`value` without any class of ours."""
    if isinstance(value, Value):
        cls = type(value)
        if cls.__name__ == "Typed":
            from gds.model.typecodec import pack_settings, pack_type

            typed: Any = value
            return {"": "Typed", "type": pack_type(typed.kind), "settings": pack_settings(typed.settings)}
        defaults = defaults_of(cls)
        return {
            "": cls.__name__,
            **{
                f: pack(v)
                for f in fields_of(cls)
                if (v := getattr(value, f)) is not defaults.get(f) and not (f in defaults and v == defaults[f])
            },
        }
    if isinstance(value, FailoverMode):
        return {"": "FailoverMode", "v": value.value}
    if isinstance(value, tuple):
        return tuple([pack(v) for v in value])
    return value


def unpack(plain: Any) -> Any:
    """The reverse of `pack`. Raises KeyError or TypeError for what `pack` never made."""
    kind = type(plain)
    if kind is dict:
        name = plain[""]
        if name == "FailoverMode":
            return FailoverMode(plain["v"])
        if name == "Typed":
            from gds.model.typecodec import unpack_settings, unpack_type
            from gds.model.typed import Typed

            return Typed(unpack_type(plain["type"]), unpack_settings(plain["settings"]))
        return _CLASSES[name](**{k: unpack(v) for k, v in plain.items() if k})
    if kind is tuple or kind is list:
        return tuple([unpack(v) for v in plain])
    return plain
