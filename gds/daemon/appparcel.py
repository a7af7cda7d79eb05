"""An App as plain values, for the runner after us in this same process (`gds upgrade`), and back.

Everything in an App is carried but what stands in LEFT, each with the reason. A slot that a later version adds is
carried without a word here, as long as it holds plain values or one of VALUES; a test says so when it does not.
"""

from __future__ import annotations

from gds.daemon.app import App
from gds.fault.history import MonitorState
from gds.model import codec
from gds.model.state import ResourceStatus
from gds.model.value import Value, fields_of
from gds.model.window import Mark, Window
from gds.rgm.life import Life
from gds.rgm.resource import ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEFT = {
    "name": "stands in the resource",
    "resource": "is packed as in the cache of plans (model/codec.py)",
    "tree": "is the forest's to hand over",
    "delay": "its instant is carried",
    "probe_timer": "its instant is carried",
    "probing": "a probe under way is ended with the old code, and asked anew at once: it has no effect but its answer",
    "start": "at rest there is none",
    "stop": "at rest there is none",
    "side": "at rest there is none",
    "asked": "who waits for a life at rest has been answered",
}
"""What is not carried, and why."""

VALUES: dict[str, type[Value]] = {c.__name__: c for c in (ResourceView, MonitorState, Window, Mark)}
_ENUMS: dict[str, type[Life] | type[ResourceStatus]] = {c.__name__: c for c in (Life, ResourceStatus)}


def pack(value: Any) -> Any:
    """`value` without any class of ours. Raises TypeError for what cannot be carried."""
    name = type(value).__name__
    if isinstance(value, Value) and name in VALUES:
        return {"": name, **{field: pack(getattr(value, field)) for field in fields_of(type(value))}}
    if name in _ENUMS:
        return {"": name, "v": value.value}
    if type(value) in (tuple, list):
        return tuple([pack(each) for each in value])
    if type(value) is dict and all(type(key) in (str, int) and key != "" for key in value):
        return {"": "", "items": tuple([(key, pack(each)) for key, each in value.items()])}
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    raise TypeError(f"cannot hand over a {name}")


def unpack(plain: Any) -> Any:
    """The reverse of `pack`. Raises KeyError, TypeError or ValueError for what this version does not know."""
    if type(plain) is tuple:
        return tuple([unpack(each) for each in plain])
    if type(plain) is not dict:
        return plain
    name = plain[""]
    if name == "":
        return {key: unpack(each) for key, each in plain["items"]}
    if name in _ENUMS:
        return _ENUMS[name](plain["v"])
    return VALUES[name](**{key: unpack(each) for key, each in plain.items() if key})


def of_app(app: App, now: float) -> dict[str, Any]:
    """All of it but its tree; instants are monotonic."""
    timer = app.probe_timer
    return {
        "resource": codec.pack(app.resource),
        "slots": {name: pack(getattr(app, name)) for name in App.__slots__ if name not in LEFT},
        "delay": getattr(app.delay, "when", now) if app.view.life is Life.WAITING else None,
        "probe": now if app.probing is not None else getattr(timer, "when", None),
    }


def app_of(plain: dict[str, Any]) -> App:
    """The reverse, without tree and timers. Raises KeyError, TypeError, ValueError or AttributeError for what this
    version does not know."""
    app = App(codec.unpack(plain["resource"]))
    for name, value in plain["slots"].items():
        if name in LEFT:
            raise KeyError(name)
        setattr(app, name, unpack(value))
    return app
