"""The life of a resource on this node: one table. Sun: semantics.md 8, 9, 10.1; design.md 2.

Rules
- `Life` is private: it says what the RGM is doing and why it waits. People see `ResourceState` (`public`).
- Every pair of life and event is in exactly one of TABLE and IGNORED; a test walks the cross product. An ignored
  event changes nothing, and the reason stands beside it.
- A Stop is always run before a Start that follows a life (CYCLING), also when the tree is already gone: Stop is
  idempotent and clears what a half-dead application left behind.
- A Start that failed is followed by Stop (ABANDONING), because an application half started may not be left running.
- STOP_FAILED is left only by a person: `clear`, or a stop that works. Nothing starts from it: better down than twice
  up.
- What a monitor says of a resource that is not up, nor being started, is old news.

Theory of operation: `step` looks up the next life; what has to be done on the way (`_orders`) depends on that
edge alone. Five edges depend on more than the life: the end of a failed Start (failover_mode, and whether somebody
else can take it), a giveover (granted or refused), a life that is left alone, a failed Stop (HARD ends the node), and
whatever the judge says of the one more Start that a refused giveover allows: that Start has simply failed.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.state import FailoverMode, ResourceState, ResourceStatus
from gds.model.value import Value
from gds.rgm import commands, control
from gds.rgm.events import (
    ClearAsked,
    DelayOver,
    GiveoverAsked,
    LeftAlone,
    RestartAsked,
    RestartJudged,
    StartAsked,
    StartFailed,
    StartSucceeded,
    StopAsked,
    StopFailed,
    StopSucceeded,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

    from gds.rgm.commands import Order
    from gds.rgm.events import Event


class Life(StrEnum):
    """What the RGM is doing with a resource."""

    OFFLINE = "OFFLINE"
    WAITING = "WAITING"
    STARTING = "STARTING"
    ONLINE = "ONLINE"
    CYCLING = "CYCLING"
    STOPPING = "STOPPING"
    ABANDONING = "ABANDONING"
    START_FAILED = "START_FAILED"
    STOP_FAILED = "STOP_FAILED"


_L = Life
TABLE: dict[tuple[Life, type[Value]], Life] = {
    (_L.OFFLINE, StartAsked): _L.STARTING,
    (_L.OFFLINE, RestartAsked): _L.STARTING,
    (_L.WAITING, DelayOver): _L.STARTING,
    (_L.WAITING, StartAsked): _L.STARTING,
    (_L.WAITING, RestartAsked): _L.STARTING,
    (_L.WAITING, StopAsked): _L.STOPPING,
    (_L.STARTING, StartSucceeded): _L.ONLINE,
    (_L.STARTING, StartFailed): _L.ABANDONING,
    (_L.STARTING, StopAsked): _L.STOPPING,
    (_L.STARTING, RestartAsked): _L.CYCLING,
    (_L.STARTING, RestartJudged): _L.CYCLING,
    (_L.ONLINE, StopAsked): _L.STOPPING,
    (_L.ONLINE, RestartAsked): _L.CYCLING,
    (_L.ONLINE, RestartJudged): _L.CYCLING,
    (_L.CYCLING, StopSucceeded): _L.STARTING,
    (_L.CYCLING, StopFailed): _L.STOP_FAILED,
    (_L.CYCLING, StopAsked): _L.STOPPING,
    (_L.STOPPING, StopSucceeded): _L.OFFLINE,
    (_L.STOPPING, StopFailed): _L.STOP_FAILED,
    (_L.STOPPING, StartAsked): _L.CYCLING,
    (_L.STOPPING, RestartAsked): _L.CYCLING,
    (_L.ABANDONING, StopSucceeded): _L.START_FAILED,
    (_L.ABANDONING, StopFailed): _L.STOP_FAILED,
    (_L.ABANDONING, StopAsked): _L.STOPPING,
    (_L.ABANDONING, StartAsked): _L.CYCLING,
    (_L.ABANDONING, RestartAsked): _L.CYCLING,
    (_L.START_FAILED, StartAsked): _L.CYCLING,
    (_L.START_FAILED, RestartAsked): _L.CYCLING,
    (_L.START_FAILED, StopAsked): _L.STOPPING,
    (_L.STOP_FAILED, ClearAsked): _L.OFFLINE,
    (_L.STOP_FAILED, StopAsked): _L.STOPPING,
}

_STALE = "news of a method that no longer matters"
_DONE = "it is so already"
_NOT_UP = "only what is up, or being started, can be judged"
_BLOCKED = "what could not be stopped may not be started"
IGNORED: dict[tuple[Life, type[Value]], str] = {
    **{(life, DelayOver): _STALE for life in Life if life is not _L.WAITING},
    **{(life, StartSucceeded): _STALE for life in Life if life is not _L.STARTING},
    **{(life, StartFailed): _STALE for life in Life if life is not _L.STARTING},
    **{
        (life, kind): _STALE
        for kind in (StopSucceeded, StopFailed)
        for life in Life
        if life not in (_L.CYCLING, _L.STOPPING, _L.ABANDONING)
    },
    **{(life, ClearAsked): "there is no failed stop to clear" for life in Life if life is not _L.STOP_FAILED},
    **{
        (life, kind): _NOT_UP
        for kind in (RestartJudged, GiveoverAsked, LeftAlone)
        for life in Life
        if life not in (_L.ONLINE, _L.STARTING)
    },
    (_L.OFFLINE, StopAsked): _DONE,
    (_L.STOPPING, StopAsked): _DONE,
    (_L.STARTING, StartAsked): _DONE,
    (_L.ONLINE, StartAsked): _DONE,
    (_L.CYCLING, StartAsked): _DONE,
    (_L.CYCLING, RestartAsked): _DONE,
    (_L.STOP_FAILED, StartAsked): _BLOCKED,
    (_L.STOP_FAILED, RestartAsked): _BLOCKED,
}
BY_MORE_THAN_LIFE: frozenset[tuple[Life, type[Value]]] = frozenset(
    (life, kind) for kind in (GiveoverAsked, LeftAlone) for life in (_L.ONLINE, _L.STARTING)
)
"""The pairs `step` decides by more than the table."""


class ResourceView(Value):
    """What the RGM knows of a resource. `because` is the reason of its life, in one sentence; `at` since when
    (seconds, monotonic). `last_try`: the next Start is the one more that a refused giveover allows (design.md 2).
    `left_alone`: the judge forbids both to move it and to try again. `delay`: seconds to wait before the start that
    follows CYCLING. `restarting`: a restart is under way, so success forgets the scores.
    """

    name: str
    life: Life = Life.OFFLINE
    because: str = ""
    at: float = 0.0
    last_try: bool = False
    left_alone: bool = False
    status: ResourceStatus = ResourceStatus.OFFLINE
    status_msg: str = ""
    delay: float = 0.0
    restarting: bool = False


class Step(Value):
    """What `step` returns: the view from now on, what to do, and the reason; "" when nothing was decided anew, as at
    the end of a method that went well. `ignored`: why the event changed nothing."""

    view: ResourceView
    orders: tuple[Order, ...] = ()
    because: str = ""
    ignored: str = ""


def step(view: ResourceView, event: Event, mode: FailoverMode, on_giveover: str, now: float) -> Step:
    """The only door: one fact in, the new view and the orders out."""
    key = (view.life, type(event))
    if view.life is Life.STARTING and view.last_try and _by_judge(event):
        return step(view, StartFailed(getattr(event, "cause", "") or event.because), mode, on_giveover, now)
    if isinstance(event, GiveoverAsked) and key in BY_MORE_THAN_LIFE:
        return _giveover(view, event.because, on_giveover, now)
    if isinstance(event, LeftAlone) and key in BY_MORE_THAN_LIFE:
        return _left_alone(view, event.because, now)
    after = TABLE.get(key)
    if after is None:
        return Step(view, ignored=IGNORED[key])
    if view.life is Life.ABANDONING and after is Life.START_FAILED:
        return _start_failed(view, mode, on_giveover, now)
    if view.life is Life.CYCLING and after is Life.STARTING and view.delay > 0:
        waiting = view.replace(life=Life.WAITING, at=now, delay=0.0)
        return Step(waiting, (commands.ArmDelay(view.delay),))
    said = "cleared by a person" if isinstance(event, ClearAsked) else str(getattr(event, "because", ""))
    because = said or view.because  # the end of a method is no reason of its own: what asked for the method is
    moved = view.replace(
        life=after,
        because=because,
        at=now,
        delay=event.delay if isinstance(event, RestartJudged) else 0.0,
        restarting=_restarting(view, event, after),
        last_try=view.last_try and after not in (Life.ONLINE, Life.OFFLINE) and not _by_person(event),
        left_alone=False,
        **_status(after, because),
    )
    return Step(moved, _orders(view, moved, mode), said)


def _by_judge(event: Event) -> TypeGuard[RestartJudged | GiveoverAsked | LeftAlone]:
    return isinstance(event, RestartJudged | LeftAlone) or (isinstance(event, GiveoverAsked) and event.by_monitor)


def _by_person(event: Event) -> bool:
    return isinstance(event, StartAsked | StopAsked | RestartAsked)


def _restarting(view: ResourceView, event: Event, after: Life) -> bool:
    if after in (Life.OFFLINE, Life.ONLINE, Life.STOPPING, Life.STOP_FAILED):
        return False
    return view.restarting or isinstance(event, RestartAsked | RestartJudged)


def _status(after: Life, because: str) -> dict[str, object]:
    """What the RGM says in the resource's name when it brings it online or offline (Sun: semantics.md 10.3)."""
    if after is Life.ONLINE:
        return {"status": ResourceStatus.OK, "status_msg": ""}
    if after is Life.OFFLINE:
        return {"status": ResourceStatus.OFFLINE, "status_msg": ""}
    if after is Life.STARTING:
        return {"status": ResourceStatus.UNKNOWN, "status_msg": "Starting"}
    if after is Life.STOPPING:
        return {"status": ResourceStatus.UNKNOWN, "status_msg": "Stopping"}
    if after in (Life.STOP_FAILED, Life.START_FAILED, Life.ABANDONING):
        return {"status": ResourceStatus.FAULTED, "status_msg": because}
    return {"status": ResourceStatus.DEGRADED, "status_msg": because}


_ENDING = frozenset((Life.CYCLING, Life.STOPPING, Life.ABANDONING))
"""Lives in which Stop runs."""


def _orders(before: ResourceView, after: ResourceView, mode: FailoverMode) -> tuple[Order, ...]:
    orders: list[Order] = []
    if before.life is Life.ONLINE:
        orders.append(commands.StopMonitor())
    if before.life is Life.WAITING and after.life is not Life.WAITING:
        orders.append(commands.CancelDelay())
    if after.life is Life.STARTING:
        orders.append(commands.RunStart(after.because))
    elif after.life in _ENDING and before.life not in _ENDING:  # a Stop that is under way serves as well
        orders.append(commands.RunStop(after.because))
    elif after.life is Life.ONLINE:
        orders.append(commands.StartMonitor(before.restarting))
    elif after.life is Life.STOP_FAILED and mode is FailoverMode.HARD:
        orders.append(commands.AbortNode(after.because))
    return tuple(orders)


def _start_failed(view: ResourceView, mode: FailoverMode, on_giveover: str, now: float) -> Step:
    """The Start failed and nothing of it is left: relocate, one more try, or stay START_FAILED.

    Sun: semantics.md 8 (SOFT and HARD relocate, the others do not recover); design.md 2 ("Giveover with nowhere to
    go"): one more try, then START_FAILED until somebody asks.
    """
    failed = view.replace(
        life=Life.START_FAILED,
        at=now,
        last_try=False,
        left_alone=False,
        restarting=False,
        status=ResourceStatus.FAULTED,
        status_msg=view.because,
    )
    if view.left_alone:
        return Step(failed)
    if mode not in (FailoverMode.SOFT, FailoverMode.HARD):
        because = f"{view.because}; failover_mode {mode} does not recover"
        return Step(failed.replace(because=because), (), because)
    ruling = control.giveover(on_giveover)
    if isinstance(ruling, control.Granted):
        because = f"giveover: {view.because}"
        return Step(failed.replace(because=because), (commands.PurgeHistory(), commands.LeaveNode(because)), because)
    if view.last_try:
        because = f"{view.because}; {ruling.because}, and one more try failed: it stays down until somebody asks"
        return Step(failed.replace(because=because, status_msg=because), (commands.PurgeHistory(),), because)
    because = f"{view.because}; giveover refused, {ruling.because}: one more try"
    trying = view.replace(
        life=Life.STARTING,
        because=because,
        at=now,
        last_try=True,
        restarting=True,
        status=ResourceStatus.DEGRADED,
        status_msg=because,
    )
    return Step(trying, (commands.PurgeHistory(), commands.RunStart(because)), because)


def _giveover(view: ResourceView, because: str, on_giveover: str, now: float) -> Step:
    """A monitor wants it elsewhere. Sun: semantics.md 5.4 rule 4, 7.3; design.md 2."""
    ruling = control.giveover(on_giveover)
    if isinstance(ruling, control.Granted):
        leaving = view.replace(because=because, status=ResourceStatus.FAULTED, status_msg=because)
        return Step(leaving, (commands.PurgeHistory(), commands.LeaveNode(because)), because)
    if view.life is Life.STARTING:
        # deaths inside Start have used up the budget: the Start has failed, and its end decides
        return _abandon(view, because, now, left_alone=False)
    said = f"{because}; refused, {ruling.because}: history purged, one restart tried"
    cycling = view.replace(
        life=Life.CYCLING,
        because=said,
        at=now,
        restarting=True,
        delay=0.0,
        status=ResourceStatus.FAULTED,
        status_msg=said,
    )
    return Step(cycling, (commands.StopMonitor(), commands.PurgeHistory(), commands.RunStop(said)), said)


def _left_alone(view: ResourceView, because: str, now: float) -> Step:
    if view.life is Life.STARTING:
        # past its budget before it was ever up: neither restarted again nor moved (Sun: semantics.md 2.9)
        return _abandon(view, because, now, left_alone=True)
    return Step(view.replace(because=because, status=ResourceStatus.FAULTED, status_msg=because), (), because)


def _abandon(view: ResourceView, because: str, now: float, left_alone: bool) -> Step:
    """It failed while starting: what is there of it is stopped first; left_alone says that nothing follows then."""
    failed = view.replace(
        life=Life.ABANDONING,
        because=because,
        at=now,
        left_alone=left_alone,
        restarting=False,
        status=ResourceStatus.FAULTED,
        status_msg=because,
    )
    return Step(failed, (commands.RunStop(because),), because)


def public(view: ResourceView, monitored: bool, monitor_failed: bool) -> ResourceState:
    """What people are shown (Sun: semantics.md 10.1). One without any probe is ONLINE: its deaths are watched."""
    life = view.life
    if life is Life.ONLINE:
        if monitor_failed:
            return ResourceState.MONITOR_FAILED
        return ResourceState.ONLINE if monitored else ResourceState.ONLINE_NOT_MONITORED
    return _PUBLIC[life]


_PUBLIC: dict[Life, ResourceState] = {
    Life.OFFLINE: ResourceState.OFFLINE,
    Life.WAITING: ResourceState.STARTING,
    Life.STARTING: ResourceState.STARTING,
    Life.CYCLING: ResourceState.STOPPING,
    Life.STOPPING: ResourceState.STOPPING,
    Life.ABANDONING: ResourceState.STOPPING,
    Life.START_FAILED: ResourceState.START_FAILED,
    Life.STOP_FAILED: ResourceState.STOP_FAILED,
}
