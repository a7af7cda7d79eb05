"""Questions and requests to the RGM: properties, status, scha_control. Sun: semantics.md 7, 10.3, 11, 15."""

from __future__ import annotations

from math import inf

from gds.dsdl.effects import Ask, Pause
from gds.dsdl.values import Answer, Port, Properties, SchaError, Status
from gds.model.scha import Code
from gds.model.state import FailoverMode, ResourceState, ResourceStatus
from gds.rgm.control import Optag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.dsdl.effects import Steps
    from gds.dsdl.handle import Handle
    from gds.dsdl.values import PropertyValue

GENERIC = ("gds", "SUNW.gds")
"""The generic type: its Monitor_retry_interval is seconds, where an RTR file of Sun's counts minutes."""
TRIES = 4
"""failover_rg asks so often while the group is being reconfigured (Sun: semantics.md 17), waiting in between."""
FIRST_WAIT = 0.5
"""Seconds to the second try; doubled each time."""


def ask(handle: Handle, verb: str, patience: float | None = 30.0, **fields: Any) -> Steps[dict[str, Any]]:
    """One answer of the runner, whatever it says. Raises GdsError when there is none."""
    request = {"verb": f"scha.{verb}", "resource": handle.resource, "group": handle.group, **fields}
    answer: dict[str, Any] = yield Ask(request, patience)
    if not answer.get("scha"):
        raise SchaError(Code.INTERNAL, f"cannot ask the runner at {handle.socket}: {answer.get('message')}")
    return answer


def lines(handle: Handle, verb: str, optag: str, *args: str, **fields: Any) -> Steps[tuple[str, ...]]:
    """The lines of one value. Raises SchaError."""
    answer = yield from ask(handle, verb, optag=optag, args=list(args), **fields)
    if answer["code"]:
        about = fields.get("type") or (handle.group if "group" in verb else handle.resource)
        raise SchaError(_code(answer), f"cannot ask {optag} of {about}: {answer['message']}")
    return tuple(answer["lines"])


def _code(answer: dict[str, Any]) -> Code:
    try:
        return Code(answer["code"])
    except ValueError:
        return Code.INTERNAL


# -- properties -------------------------------------------------------------------------------------------------------


def of_resource(handle: Handle, optag: str, *args: str) -> Steps[tuple[str, ...]]:
    """scha_resource_get."""
    return (yield from lines(handle, "resource_get", optag, *args))


def of_group(handle: Handle, optag: str, *args: str) -> Steps[tuple[str, ...]]:
    """scha_resourcegroup_get."""
    return (yield from lines(handle, "resourcegroup_get", optag, *args))


def of_type(handle: Handle, optag: str) -> Steps[tuple[str, ...]]:
    """scha_resourcetype_get, of the resource's own type."""
    kind = yield from of_resource(handle, "TYPE")
    return (yield from lines(handle, "resourcetype_get", optag, type=kind[0]))


def extension(handle: Handle, name: str) -> Steps[PropertyValue]:
    """An extension property as its type says: str, bool, int or a tuple of str. Raises SchaError."""
    kind, *value = yield from of_resource(handle, "EXTENSION", name)
    if kind == "STRINGARRAY":
        return tuple(value)
    text = value[0] if value else ""
    if kind == "BOOLEAN":
        return text == "TRUE"
    return int(text) if kind == "INT" else text


def _declared(handle: Handle, name: str, extension: bool = False) -> Steps[tuple[str, ...] | None]:
    """Its lines; None: the type does not declare it."""
    try:
        if extension:
            found: tuple[str, ...] = (yield from of_resource(handle, "EXTENSION", name))[1:]
        else:
            found = yield from of_resource(handle, name)
    except SchaError as error:
        if error.code in (Code.PROP, Code.TAG):
            return None
        raise
    return found


def _number(handle: Handle, name: str, extension: bool = False) -> Steps[float | None]:
    found = yield from _declared(handle, name, extension)
    return float(found[0]) if found and found[0] else None


def _count(handle: Handle, name: str, extension: bool = False) -> Steps[int | None]:
    found = yield from _number(handle, name, extension)
    return None if found is None else int(found)


def _array(handle: Handle, name: str) -> Steps[tuple[str, ...]]:
    found = yield from _declared(handle, name)
    return found or ()


def properties(handle: Handle) -> Steps[Properties]:
    """All of `Properties`, read once and kept: a handle sees what was there when it was opened (Sun: semantics.md
    15.2); Update starts a monitor anew. Raises SchaError."""
    if handle.properties is None:
        handle.properties = yield from read_properties(handle)
    return handle.properties


def read_properties(handle: Handle) -> Steps[Properties]:
    """All of `Properties` as they are now. Raises SchaError."""
    kind = handle.type = (yield from of_resource(handle, "TYPE"))[0]
    mode = (yield from of_resource(handle, "FAILOVER_MODE"))[0]
    may_move = yield from _declared(handle, "Failover_enabled", extension=True)
    level = yield from _count(handle, "Child_mon_level", extension=True)
    span = yield from _number(handle, "Monitor_retry_interval", extension=True)
    if span is not None and span >= 0 and kind not in GENERIC:
        span *= 60.0
    return Properties(
        type=kind,
        failover_mode=FailoverMode(mode),
        failover_enabled=may_move != ("FALSE",),
        retry_count=(yield from _count(handle, "RETRY_COUNT")),
        retry_interval=(yield from _number(handle, "RETRY_INTERVAL")),
        thorough_probe_interval=(yield from _number(handle, "THOROUGH_PROBE_INTERVAL")),
        cheap_probe_interval=(yield from _number(handle, "CHEAP_PROBE_INTERVAL")),
        probe_timeout=(yield from _number(handle, "Probe_timeout", extension=True)),
        start_timeout=(yield from _number(handle, "START_TIMEOUT")),
        stop_timeout=(yield from _number(handle, "STOP_TIMEOUT")),
        monitor_stop_timeout=(yield from _number(handle, "MONITOR_STOP_TIMEOUT")),
        child_mon_level=-1 if level is None else level,
        monitor_retry_count=(yield from _count(handle, "Monitor_retry_count", extension=True)),
        monitor_retry_interval=span,
        port_list=tuple([_port(text) for text in (yield from _array(handle, "PORT_LIST"))]),
        network_resources_used=(yield from _array(handle, "NETWORK_RESOURCES_USED")),
        resource_dependencies=(yield from _array(handle, "RESOURCE_DEPENDENCIES")),
        resource_dependencies_weak=(yield from _array(handle, "RESOURCE_DEPENDENCIES_WEAK")),
        resource_dependencies_restart=(yield from _array(handle, "RESOURCE_DEPENDENCIES_RESTART")),
        resource_dependencies_offline_restart=(yield from _array(handle, "RESOURCE_DEPENDENCIES_OFFLINE_RESTART")),
    )


def _port(text: str) -> Port:
    number, _slash, protocol = text.partition("/")
    return Port(int(number), protocol or "tcp")


def failures(handle: Handle) -> Steps[tuple[int, float]]:
    """Restarts that count (NUM_RESOURCE_RESTARTS), and how many seconds ago all failures were forgotten: by a restart,
    whoever asked for it, a giveover, or `gds clear`. Raises SchaError."""
    try:
        restarts, ago = yield from lines(handle, "failures", "")
    except SchaError as error:
        if error.code is not Code.INVAL:
            raise
        # a runner of before: it knows nothing of failures that others add up
        return int((yield from of_resource(handle, "NUM_RESOURCE_RESTARTS"))[0]), inf
    return int(restarts), float(ago)


def state(handle: Handle) -> Steps[ResourceState]:
    """What the RGM says it is."""
    return ResourceState((yield from of_resource(handle, "RESOURCE_STATE"))[0])


# -- status -----------------------------------------------------------------------------------------------------------


def status(handle: Handle) -> Steps[Status]:
    """What was said of it last."""
    word, *message = yield from of_resource(handle, "STATUS")
    return Status(ResourceStatus(word), message[0] if message else "")


def set_status(handle: Handle, word: ResourceStatus, message: str) -> Steps[None]:
    """scha_resource_setstatus. Raises SchaError."""
    answer = yield from ask(handle, "setstatus", status=word.value, message=message)
    if answer["code"]:
        raise SchaError(_code(answer), f"cannot set the status of {handle.resource}: {answer['message']}")


def say_status(handle: Handle, word: ResourceStatus, message: str = "") -> Steps[None]:
    """As set_status, unless it is said already; an OK stays, whatever was said with it (Sun: semantics.md 5.2)."""
    now = yield from status(handle)
    wanted = Status(word, message.replace("\n", " "))
    if now != wanted and not (now.status is word is ResourceStatus.OK and not message):
        yield from set_status(handle, word, message)


# -- scha_control -----------------------------------------------------------------------------------------------------


def control(handle: Handle, optag: Optag, because: str = "") -> Steps[Answer]:
    """One request, and why in words; the answer comes when it has been carried out. However long that takes: it is the
    RGM's methods that have limits."""
    answer = yield from ask(handle, "control", None, optag=optag.value, because=because)
    return Answer(answer["code"] == Code.NOERR, _code(answer), str(answer["message"]))


def failover_rg(handle: Handle, because: str = "") -> Steps[Answer]:
    """scha_control GIVEOVER, asked again while the group is being reconfigured."""
    wait = FIRST_WAIT
    for _ in range(TRIES - 1):
        answer = yield from control(handle, Optag.GIVEOVER, because)
        if answer.code is not Code.RECONF:
            return answer
        yield Pause(wait)
        wait *= 2
    return (yield from control(handle, Optag.GIVEOVER, because))


def restart_rg(handle: Handle, because: str = "") -> Steps[Answer]:
    """scha_control RESTART: every resource of the group, stopped and started here."""
    return (yield from control(handle, Optag.RESTART, because))


def restart_resource(handle: Handle, because: str = "") -> Steps[Answer]:
    """scha_control RESOURCE_RESTART: Stop, then Start of this one resource; counts in Num_resource_restarts."""
    return (yield from control(handle, Optag.RESOURCE_RESTART, because))
