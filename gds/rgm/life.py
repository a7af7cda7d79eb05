"""The life of a resource on this node: the words, and one table. Sun: semantics.md 8, 9, 10.1; design.md 2.

Rules
- `Life` is private: it says what the RGM is doing and why it waits. People see `ResourceState` (public).
- Every pair of life and event is in exactly one of TABLE, IGNORED and BY_MORE_THAN_LIFE; a test walks the cross
  product. An ignored event changes nothing, and the reason stands beside it.
- A Stop is always run before a Start that follows a life (CYCLING), also when the tree is already gone: Stop is
  idempotent and clears what a half-dead application left behind.
- A Start that failed is followed by Stop (ABANDONING), because an application half started may not be left running.
- STOP_FAILED is left only by a person: `clear`, or a stop that works. Nothing starts from it: better down than twice
  up.
- What a monitor says of a resource that is not up, nor being started, is old news.
- Where others have a say (DETOURS), the way to a life leads over a life that waits: AWAITING waits for what it needs,
  HELD for those that use it. Neither runs a method, and both are left by news of the others, or by a person.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.state import ResourceState
from gds.rgm.events import (
    ClearAsked,
    DelayOver,
    GiveoverAsked,
    LeftAlone,
    NeedGone,
    NeedRestarted,
    NeedsMet,
    PostnetFailed,
    PostnetSucceeded,
    PrenetFailed,
    PrenetSucceeded,
    RestartAsked,
    RestartJudged,
    StartAsked,
    StartFailed,
    StartRefused,
    StartSucceeded,
    StopAsked,
    StopFailed,
    StopSucceeded,
    UsersGone,
    UserStuck,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.value import Value
    from gds.rgm.resource import ResourceView


class Life(StrEnum):
    """What the RGM is doing with a resource."""

    OFFLINE = "OFFLINE"
    AWAITING = "AWAITING"
    WAITING = "WAITING"
    PREPARING = "PREPARING"
    STARTING = "STARTING"
    ONLINE = "ONLINE"
    HELD = "HELD"
    CYCLING = "CYCLING"
    STOPPING = "STOPPING"
    CLEARING = "CLEARING"
    ABANDONING = "ABANDONING"
    START_FAILED = "START_FAILED"
    STOP_FAILED = "STOP_FAILED"


LIFE_HELP = {
    Life.OFFLINE: "nothing of it runs, and nothing is asked",
    Life.AWAITING: "it is to run, and waits for what it needs",
    Life.WAITING: "it is to run again, and waits for its restart delay",
    Life.PREPARING: "Prenet_start runs",
    Life.STARTING: "Start runs",
    Life.ONLINE: "it is up",
    Life.HELD: "it is to stop, and waits for those that use it",
    Life.CYCLING: "Stop runs, Start follows",
    Life.STOPPING: "Stop runs",
    Life.CLEARING: "Postnet_stop runs",
    Life.ABANDONING: "Stop runs, because Start failed",
    Life.START_FAILED: "Start failed, and nothing is tried again",
    Life.STOP_FAILED: "something of it could not be stopped",
}
"""What each means, in few words."""
STAYS_DEAD = "nothing of it runs, so it stays FAULTED until somebody starts it"
"""What is said when the failures of what was left alone, and is dead, are forgotten."""


_L = Life
TABLE: dict[tuple[Life, type[Value]], Life] = {
    (_L.OFFLINE, StartAsked): _L.STARTING,
    (_L.OFFLINE, RestartAsked): _L.STARTING,
    (_L.OFFLINE, StartRefused): _L.START_FAILED,
    (_L.AWAITING, NeedsMet): _L.STARTING,
    (_L.AWAITING, StopAsked): _L.OFFLINE,
    (_L.WAITING, DelayOver): _L.STARTING,
    (_L.WAITING, StartAsked): _L.STARTING,
    (_L.WAITING, RestartAsked): _L.STARTING,
    (_L.WAITING, StopAsked): _L.STOPPING,
    (_L.PREPARING, PrenetSucceeded): _L.STARTING,
    (_L.PREPARING, PrenetFailed): _L.ABANDONING,
    (_L.PREPARING, StopAsked): _L.STOPPING,
    (_L.STARTING, StartSucceeded): _L.ONLINE,
    (_L.STARTING, StartFailed): _L.ABANDONING,
    (_L.STARTING, StopAsked): _L.STOPPING,
    (_L.STARTING, RestartAsked): _L.CYCLING,
    (_L.STARTING, RestartJudged): _L.CYCLING,
    (_L.STARTING, NeedGone): _L.CYCLING,
    (_L.STARTING, NeedRestarted): _L.CYCLING,
    (_L.ONLINE, StopAsked): _L.STOPPING,
    (_L.ONLINE, RestartAsked): _L.CYCLING,
    (_L.ONLINE, RestartJudged): _L.CYCLING,
    (_L.ONLINE, NeedGone): _L.CYCLING,
    (_L.ONLINE, NeedRestarted): _L.CYCLING,
    (_L.CYCLING, StopSucceeded): _L.STARTING,
    (_L.CYCLING, StopFailed): _L.STOP_FAILED,
    (_L.CYCLING, StopAsked): _L.STOPPING,
    (_L.STOPPING, StopSucceeded): _L.OFFLINE,
    (_L.STOPPING, StopFailed): _L.STOP_FAILED,
    (_L.STOPPING, StartAsked): _L.CYCLING,
    (_L.STOPPING, RestartAsked): _L.CYCLING,
    (_L.CLEARING, PostnetSucceeded): _L.OFFLINE,
    (_L.CLEARING, PostnetFailed): _L.STOP_FAILED,
    (_L.ABANDONING, StopSucceeded): _L.START_FAILED,
    (_L.ABANDONING, StopFailed): _L.STOP_FAILED,
    (_L.ABANDONING, StopAsked): _L.STOPPING,
    (_L.ABANDONING, StartAsked): _L.CYCLING,
    (_L.ABANDONING, RestartAsked): _L.CYCLING,
    (_L.START_FAILED, StartAsked): _L.CYCLING,
    (_L.START_FAILED, RestartAsked): _L.CYCLING,
    (_L.START_FAILED, StopAsked): _L.STOPPING,
    (_L.START_FAILED, StartRefused): _L.START_FAILED,
    (_L.STOP_FAILED, ClearAsked): _L.OFFLINE,
    (_L.STOP_FAILED, StopAsked): _L.STOPPING,
}

DETOURS: dict[Life, tuple[Life, ...]] = {
    _L.STARTING: (_L.AWAITING, _L.PREPARING),
    _L.CYCLING: (_L.HELD,),
    _L.STOPPING: (_L.HELD,),
    _L.OFFLINE: (_L.HELD, _L.CLEARING),
}
"""Where a way of TABLE may lead instead, when others have a say (resource.Around)."""

PERSON = (StartAsked, StopAsked, RestartAsked)
"""What people, the start of the runner and groups ask for."""

BY_MORE_THAN_LIFE: frozenset[tuple[Life, type[Value]]] = frozenset(
    [(life, kind) for kind in (GiveoverAsked, LeftAlone) for life in (_L.ONLINE, _L.STARTING)]
    + [(_L.HELD, kind) for kind in (*PERSON, UsersGone, UserStuck)]
    + [(_L.CLEARING, kind) for kind in PERSON]
)
"""The pairs `resource.step` decides by more than the table."""

_STALE = "news of a method that no longer matters"
_DONE = "it is so already"
_WAITS = "it waits to be started already"
_NOT_UP = "only what is up, or being started, can be judged"
_BLOCKED = "what could not be stopped may not be started"
_UNTOUCHED = "only what is up, or being started, has to follow what it needs"


def _all(kinds: tuple[type[Value], ...], why: str, *lives: Life) -> dict[tuple[Life, type[Value]], str]:
    """These events mean nothing outside of these lives."""
    return {(life, kind): why for kind in kinds for life in Life if life not in lives}


IGNORED: dict[tuple[Life, type[Value]], str] = {
    **_all((DelayOver,), _STALE, _L.WAITING),
    **_all((PrenetSucceeded, PrenetFailed), _STALE, _L.PREPARING),
    **_all((StartSucceeded, StartFailed), _STALE, _L.STARTING),
    **_all((StartRefused,), "it is not about to be started from nothing", _L.OFFLINE, _L.START_FAILED),
    **_all((StopSucceeded, StopFailed), _STALE, _L.CYCLING, _L.STOPPING, _L.ABANDONING),
    **_all((PostnetSucceeded, PostnetFailed), _STALE, _L.CLEARING),
    **_all((ClearAsked,), "there is no failed stop to clear", _L.STOP_FAILED),
    **_all((RestartJudged, GiveoverAsked, LeftAlone), _NOT_UP, _L.ONLINE, _L.STARTING),
    **_all((NeedGone, NeedRestarted), _UNTOUCHED, _L.ONLINE, _L.STARTING),
    **_all((NeedsMet,), "it does not wait for what it needs", _L.AWAITING),
    **_all((UsersGone, UserStuck), "it does not wait for those that use it", _L.HELD),
    (_L.OFFLINE, StopAsked): _DONE,
    (_L.STOPPING, StopAsked): _DONE,
    (_L.AWAITING, StartAsked): _WAITS,
    (_L.AWAITING, RestartAsked): _WAITS,
    (_L.PREPARING, StartAsked): _DONE,
    (_L.PREPARING, RestartAsked): _DONE,
    (_L.STARTING, StartAsked): _DONE,
    (_L.ONLINE, StartAsked): _DONE,
    (_L.CYCLING, StartAsked): _DONE,
    (_L.CYCLING, RestartAsked): _DONE,
    (_L.STOP_FAILED, StartAsked): _BLOCKED,
    (_L.STOP_FAILED, RestartAsked): _BLOCKED,
}


def public(view: ResourceView, monitored: bool, monitor_failed: bool) -> ResourceState:
    """What people are shown (Sun: semantics.md 10.1). One without any probe is ONLINE: its deaths are watched."""
    life = view.life
    if life is Life.ONLINE:
        if monitor_failed:
            return ResourceState.MONITOR_FAILED
        return ResourceState.ONLINE if monitored else ResourceState.ONLINE_NOT_MONITORED
    return _PUBLIC[life]


def well_again(view: ResourceView) -> ResourceView:
    """A monitor finds that all is well: what had been left alone is up for another reason than that it was not."""
    if view.life is not Life.ONLINE or not view.left_alone:
        return view
    return view.replace(left_alone=False, because=f"its monitor finds it well again; before: {view.because}")


_PUBLIC: dict[Life, ResourceState] = {
    Life.OFFLINE: ResourceState.OFFLINE,
    Life.AWAITING: ResourceState.OFFLINE,
    Life.WAITING: ResourceState.STARTING,
    Life.PREPARING: ResourceState.STARTING,
    Life.STARTING: ResourceState.STARTING,
    Life.HELD: ResourceState.STOPPING,
    Life.CYCLING: ResourceState.STOPPING,
    Life.STOPPING: ResourceState.STOPPING,
    Life.CLEARING: ResourceState.STOPPING,
    Life.ABANDONING: ResourceState.STOPPING,
    Life.START_FAILED: ResourceState.START_FAILED,
    Life.STOP_FAILED: ResourceState.STOP_FAILED,
}
