"""One fact about one resource: what its life becomes, and what has to be done. Sun: semantics.md 8 to 11; design.md 2.

Theory of operation: `step` looks up the next life in life.TABLE. What the others say (`Around`) may lead to a life
that waits, or over Prenet_start and Postnet_stop (`_enter`); what has to be done on the way (`_orders`) depends on
that edge alone. More than the table decides: the end of a failed Start (failover_mode, and whether somebody else can
take it), a giveover (granted or refused), a life that is left alone, a failed Stop (HARD ends the node), a person who
changes their mind while it waits, and whatever the judge says of the one more Start that a refused giveover allows:
that Start has simply failed.

It knows nothing of graphs: whether what a resource needs is there, and who uses it, is told in `Around` (order.py).
"""

from __future__ import annotations

from gds.model.state import FailoverMode, ResourceStatus
from gds.model.value import Value
from gds.rgm import commands, control
from gds.rgm.events import (
    GiveoverAsked,
    LeftAlone,
    NeedGone,
    PrenetSucceeded,
    RestartAsked,
    RestartJudged,
    StartAsked,
    StartFailed,
    StartRefused,
    StopAsked,
    UsersGone,
    UserStuck,
)
from gds.rgm.life import BY_MORE_THAN_LIFE as BY_MORE_THAN_LIFE
from gds.rgm.life import IGNORED as IGNORED
from gds.rgm.life import PERSON
from gds.rgm.life import TABLE as TABLE
from gds.rgm.life import Life as Life
from gds.rgm.life import public as public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

    from gds.rgm.commands import Order
    from gds.rgm.events import Event


class ResourceView(Value):
    """What the RGM knows of a resource. `because` is the reason of its life, in one sentence; `at` since when
    (seconds, monotonic). `last_try`: the next Start is the one more that a refused giveover allows (design.md 2).
    `left_alone`: the judge forbids both to move it and to try again. `delay`: seconds to wait before the start that
    follows CYCLING. `restarting`: a restart is under way, so success forgets the scores. `prepared`: Prenet_start is
    done, or was not needed, so Postnet_stop is due. `waits`: what AWAITING, WAITING and HELD wait for. `next`: where
    HELD leads to. `again`: it goes offline, and starts when it is there: its group is restarted, or it was asked for on
    the way.
    `told`: its status is what a method or monitor of its own said (scha_resource_setstatus) and is kept. `excused`:
    should the Start that runs fail, nothing is done about it (IGNORE_FAILED_START). `failed`: HELD because of a
    verdict: it has failed itself, and cannot stay up. `lacks`: what it went down for, after which it starts again.
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
    prepared: bool = False
    waits: str = ""
    next: Life = Life.OFFLINE
    again: bool = False
    told: bool = False
    excused: bool = False
    failed: bool = False
    lacks: str = ""

    @property
    def why(self) -> str:
        """The reason as people are told it: why it lives as it does, and what it waits for."""
        return "; ".join([each for each in (self.because, self.waits) if each])


class Around(Value):
    """What the others, and its own type, have to say; "" = nothing against it, else the reason in words.

    `unmet`: why it cannot be started yet. `unprepared`: why its Prenet_start cannot run yet. `in_use`: who has to be
    down before it. `undrained`: whose Stop has to be over before its Postnet_stop. `prenet`, `postnet`: it has these
    methods. `suspended`: why nothing may be recovered automatically (Suspend_automatic_recovery).
    """

    unmet: str = ""
    unprepared: str = ""
    in_use: str = ""
    undrained: str = ""
    prenet: bool = False
    postnet: bool = False
    suspended: str = ""


ALONE = Around()
"""Nobody has a say: no dependencies, no methods but Start and Stop."""


class Step(Value):
    """What `step` returns: the view from now on, what to do, and the reason; "" when nothing was decided anew, as at
    the end of a method that went well. `ignored`: why the event changed nothing."""

    view: ResourceView
    orders: tuple[Order, ...] = ()
    because: str = ""
    ignored: str = ""


def step(
    view: ResourceView, event: Event, mode: FailoverMode, on_giveover: str, now: float, around: Around = ALONE
) -> Step:
    """The only door: one fact in, the new view and the orders out."""
    key = (view.life, type(event))
    if view.life is Life.STARTING and view.last_try and _by_judge(event):
        failed = StartFailed(getattr(event, "cause", "") or event.because)
        return step(view, failed, mode, on_giveover, now, around)
    if key in BY_MORE_THAN_LIFE:
        return _by_more(view, event, mode, on_giveover, now, around)
    if view.again and view.life is Life.STOPPING and isinstance(event, PERSON):
        return _asked_on_the_way(view, event)
    if isinstance(event, StartRefused):
        view = view.replace(told=False)  # what it said of itself was said before it was declared like this
    after = TABLE.get(key)
    if after is None:
        return Step(view, ignored=IGNORED[key])
    if after is Life.CYCLING and _is_whole(event):
        after = Life.STOPPING
    if view.life is Life.ABANDONING and after is Life.START_FAILED:
        return _start_failed(view, mode, on_giveover, now, around)
    if view.life is Life.CYCLING and after is Life.STARTING and view.delay > 0:
        waits = f"waits {view.delay:.3g} s until it starts again (restart_delay)"
        waiting = view.replace(life=Life.WAITING, at=now, delay=0.0, waits=waits)
        return Step(waiting, (commands.ArmDelay(view.delay),), waiting.why)
    if view.again and after is Life.OFFLINE and (view.life is Life.CLEARING or not around.postnet):
        view, after = view.replace(prepared=False), Life.STARTING
    return _enter(view, event, after, str(getattr(event, "because", "")), mode, now, around)


def _enter(
    view: ResourceView, event: Event, after: Life, said: str, mode: FailoverMode, now: float, around: Around
) -> Step:
    """Go to that life, or to the one that has to come before it."""
    because = said or view.because  # the end of a method is no reason of its own: what asked for the method is
    prepared = view.prepared or view.life is Life.ONLINE or isinstance(event, PrenetSucceeded)
    waits, goal = "", Life.OFFLINE
    if after is Life.STARTING:
        if around.prenet and not prepared:
            after, waits = (Life.AWAITING, around.unprepared) if around.unprepared else (Life.PREPARING, "")
        elif around.unmet:
            after, waits = Life.AWAITING, around.unmet
    elif around.in_use and view.life is Life.ONLINE and after in (Life.STOPPING, Life.CYCLING):
        after, waits, goal = Life.HELD, around.in_use, after
    elif after is Life.OFFLINE and around.postnet and _is_postnet_due(view):
        after, waits, goal = (
            (Life.HELD, around.undrained, Life.CLEARING) if around.undrained else (Life.CLEARING, "", Life.OFFLINE)
        )
    if after is view.life is Life.AWAITING and waits == view.waits:
        return Step(view, ignored=waits)
    lacks = event.need if isinstance(event, NeedGone) else "" if said else view.lacks
    if lacks and after is Life.STARTING:
        because = said = f"{lacks}, which it needs, is up again"
    failed = after is Life.HELD and isinstance(event, RestartJudged)
    again = after in (Life.HELD, Life.STOPPING, Life.CLEARING) and (view.again or _is_whole(event))
    moved = view.replace(
        life=after,
        because=because,
        at=now if after is not view.life else view.at,
        delay=_delay(view, event),
        restarting=_restarting(view, event, Life.CYCLING if again else after),
        last_try=view.last_try and after not in (Life.ONLINE, Life.OFFLINE) and not isinstance(event, PERSON),
        left_alone=False,
        prepared=after is not Life.OFFLINE and (prepared or after is Life.STARTING),
        waits=waits,
        next=goal,
        again=again,
        excused=view.excused and after is Life.ABANDONING,
        failed=failed,
        lacks="" if after in (Life.STARTING, Life.ONLINE, Life.OFFLINE) else lacks,
        **_status(view, after, because, waits, failed),
    )
    return Step(moved, _orders(view, moved, mode), moved.why if waits else said)


def _is_postnet_due(view: ResourceView) -> bool:
    return view.life is Life.STOPPING or (view.life is Life.AWAITING and view.prepared)


def _by_more(
    view: ResourceView, event: Event, mode: FailoverMode, on_giveover: str, now: float, around: Around
) -> Step:
    if isinstance(event, GiveoverAsked):
        return _giveover(view, event, mode, on_giveover, now, around)
    if isinstance(event, LeftAlone):
        return _left_alone(view, event.because, now)
    if view.life is Life.CLEARING or view.next is Life.CLEARING:
        if isinstance(event, UsersGone):
            return _go_on(view, event, mode, now, around)
        if isinstance(event, UserStuck):
            return Step(view, ignored="what is down cannot be kept up")
        said = str(getattr(event, "because", ""))
        return Step(view.replace(again=not isinstance(event, StopAsked), because=said, lacks=""), (), said)
    if isinstance(event, UsersGone):
        return _go_on(view, event, mode, now, around)
    if isinstance(event, StopAsked):
        return Step(view.replace(next=Life.STOPPING, again=False, because=event.because, lacks=""), (), event.because)
    if isinstance(event, RestartAsked):
        again = view.again or event.whole
        goal = Life.STOPPING if again else Life.CYCLING
        return Step(view.replace(next=goal, again=again, because=event.because, lacks=""), (), event.because)
    if isinstance(event, StartAsked) and (view.again or view.next is Life.CYCLING):
        return Step(view, ignored="it is so already")
    if isinstance(event, UserStuck) and view.failed:
        # the restart does not harm those who use it any more than the failure did; others may go down first still
        if around.in_use:
            return Step(view, ignored=around.in_use)
        return _enter(view, event, view.next, "", mode, now, around)
    return _enter(view, event, Life.ONLINE, str(getattr(event, "because", "")), mode, now, around)


def _go_on(view: ResourceView, event: UsersGone, mode: FailoverMode, now: float, around: Around) -> Step:
    """Those it waited for are gone: do what it was held for."""
    still = around.undrained if view.next is Life.CLEARING else around.in_use
    if still:
        return Step(view, ignored=still)
    return _enter(view, event, view.next, "", mode, now, ALONE)


def _is_whole(event: Event) -> bool:
    """Its group goes offline, then online: with Postnet_stop and Prenet_start (Sun: semantics.md 7.2, RESTART)."""
    return isinstance(event, RestartAsked) and event.whole


def _asked_on_the_way(view: ResourceView, event: StartAsked | StopAsked | RestartAsked) -> Step:
    """It goes offline to start again, and somebody asks for it."""
    if not isinstance(event, StopAsked):
        return Step(view, ignored="it is so already")
    return Step(view.replace(again=False, restarting=False, because=event.because), (), event.because)


def _by_judge(event: Event) -> TypeGuard[RestartJudged | GiveoverAsked | LeftAlone]:
    return isinstance(event, RestartJudged | LeftAlone) or (isinstance(event, GiveoverAsked) and event.by_monitor)


def _delay(view: ResourceView, event: Event) -> float:
    if isinstance(event, RestartJudged):
        return event.delay
    return view.delay if isinstance(event, UsersGone | UserStuck) else 0.0


def _restarting(view: ResourceView, event: Event, after: Life) -> bool:
    if after in (Life.OFFLINE, Life.ONLINE, Life.STOPPING, Life.STOP_FAILED):
        return False
    return view.restarting or isinstance(event, RestartAsked | RestartJudged)


def _status(view: ResourceView, after: Life, because: str, waits: str, failed: bool) -> dict[str, Any]:
    """What the RGM says in the resource's name when it brings it online or offline, unless a method or a monitor has
    said something meanwhile (Sun: semantics.md 10.3)."""
    if view.told and (after in _KEEPING or (view.life, after) in _GOING_ON):
        return {}
    return {"told": False, **_own_status(view, after, because, waits, failed)}


def _own_status(view: ResourceView, after: Life, because: str, waits: str, failed: bool) -> dict[str, Any]:
    if after is Life.ONLINE:
        return {"status": ResourceStatus.OK, "status_msg": ""}
    if after is Life.OFFLINE:
        return {"status": ResourceStatus.OFFLINE, "status_msg": ""}
    if after is Life.AWAITING:
        return {"status": ResourceStatus.OFFLINE, "status_msg": waits}
    if after in (Life.STARTING, Life.PREPARING):
        return {"status": ResourceStatus.UNKNOWN, "status_msg": "Starting"}
    if after in (Life.STOPPING, Life.CLEARING):
        return {"status": ResourceStatus.UNKNOWN, "status_msg": "Stopping"}
    if after is Life.HELD:
        return {"status": ResourceStatus.DEGRADED if failed else view.status, "status_msg": waits}
    if after in (Life.STOP_FAILED, Life.START_FAILED, Life.ABANDONING):
        return {"status": ResourceStatus.FAULTED, "status_msg": because}
    return {"status": ResourceStatus.DEGRADED, "status_msg": because}


_KEEPING = frozenset((Life.ONLINE, Life.OFFLINE, Life.HELD, Life.ABANDONING, Life.START_FAILED, Life.STOP_FAILED))
"""Lives in which what was said on the way there still holds."""
_GOING_ON = ((Life.PREPARING, Life.STARTING), (Life.STOPPING, Life.CLEARING))
"""Steps within one way up or down."""
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
    elif after.life is Life.PREPARING:
        orders.append(commands.RunPrenet(after.because))
    elif after.life is Life.CLEARING:
        orders.append(commands.RunPostnet(after.because))
    elif after.life is Life.STOP_FAILED and mode is FailoverMode.HARD:
        orders.append(commands.AbortNode(after.because))
    return tuple(orders)


def _start_failed(view: ResourceView, mode: FailoverMode, on_giveover: str, now: float, around: Around) -> Step:
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
        excused=False,
        status=view.status if view.told else ResourceStatus.FAULTED,
        status_msg=view.status_msg if view.told else view.because,
    )
    if view.left_alone:
        return Step(failed)
    if view.excused:
        because = f"{view.because}; IGNORE_FAILED_START was asked for: nothing is recovered"
        return Step(failed.replace(because=because), (), because)
    if mode not in (FailoverMode.SOFT, FailoverMode.HARD):
        because = f"{view.because}; failover_mode {mode} does not recover"
        return Step(failed.replace(because=because), (), because)
    if around.suspended:
        because = f"{view.because}; {around.suspended}"
        return Step(failed.replace(because=because), (), because)
    ruling = control.giveover(on_giveover)
    if isinstance(ruling, control.Granted):
        because = f"giveover: {view.because}"
        return Step(failed.replace(because=because), (commands.PurgeHistory(), commands.LeaveNode(because)), because)
    if view.last_try:
        because = f"{view.because}; {ruling.because}, and one more try failed: it stays down until somebody asks"
        return Step(failed.replace(because=because, status_msg=because), (commands.PurgeHistory(),), because)
    because = f"{view.because}; giveover refused, {ruling.because}: one more try"
    tried = _enter(view, StartAsked(because), Life.STARTING, because, mode, now, around)
    trying = tried.view.replace(last_try=True, restarting=True)
    if trying.life is Life.STARTING:
        trying = trying.replace(status=ResourceStatus.DEGRADED, status_msg=because)
    return Step(trying, (commands.PurgeHistory(), *tried.orders), because)


def _giveover(
    view: ResourceView, event: GiveoverAsked, mode: FailoverMode, on_giveover: str, now: float, around: Around
) -> Step:
    """A monitor wants it elsewhere. Sun: semantics.md 5.4 rule 4, 7.3; design.md 2."""
    because = event.because
    ruling = control.giveover(on_giveover)
    if isinstance(ruling, control.Granted):
        leaving = view.replace(because=because, status=ResourceStatus.FAULTED, status_msg=because, told=False)
        return Step(leaving, (commands.PurgeHistory(), commands.LeaveNode(because, event.by_monitor)), because)
    if view.life is Life.STARTING:
        # deaths inside Start have used up the budget: the Start has failed, and its end decides
        return _abandon(view, because, now, left_alone=False)
    said = f"{because}; refused, {ruling.because}: history purged, one restart tried"
    made = _enter(view, RestartJudged(said), Life.CYCLING, said, mode, now, around)
    cycling = made.view.replace(status=ResourceStatus.FAULTED, status_msg=said)
    return Step(cycling, (made.orders[0], commands.PurgeHistory(), *made.orders[1:]), said)


def _left_alone(view: ResourceView, because: str, now: float) -> Step:
    if view.life is Life.STARTING:
        # past its budget before it was ever up: neither restarted again nor moved (Sun: semantics.md 2.9)
        return _abandon(view, because, now, left_alone=True)
    left = view.replace(because=because, left_alone=True, told=False)
    faulted = left.replace(status=ResourceStatus.FAULTED, status_msg=because)
    return Step(view, ignored="it is left alone already") if faulted == view else Step(faulted, (), because)


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
        told=False,
    )
    return Step(failed, (commands.RunStop(because),), because)
