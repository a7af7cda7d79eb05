"""The life of a resource: each edge, what is ordered on the way, and the edges that depend on more than the life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gds.model.state import FailoverMode, ResourceState, ResourceStatus
from gds.model.value import Value
from gds.rgm import commands
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
from gds.rgm.resource import ALONE, IGNORED, TABLE, Around, Life, ResourceView, Step, public, step

if TYPE_CHECKING:
    from gds.rgm.events import Event

L = Life
NOW = 1000.0
NONE, SOFT, HARD, RESTART_ONLY, LOG_ONLY = FailoverMode
NOWHERE = "there is no other node to run it on"


def view(life: Life, **fields: object) -> ResourceView:
    """A resource in that life."""
    return ResourceView("web", life, "before").replace(**fields)


def go(
    before: ResourceView, event: Event, mode: FailoverMode = SOFT, on_giveover: str = "refuse"
) -> tuple[ResourceView, tuple[Value, ...], str]:
    """One step: the view, the orders, the reason."""
    made = step(before, event, mode, on_giveover, NOW)
    assert not made.ignored
    return made.view, made.orders, made.because


RunStart, RunStop = commands.RunStart("why"), commands.RunStop("why")
StopMonitor, CancelDelay = commands.StopMonitor(), commands.CancelDelay()

EDGES: list[tuple[Life, Event, Life, tuple[Value, ...]]] = [
    (L.OFFLINE, StartAsked("why"), L.STARTING, (RunStart,)),
    (L.OFFLINE, RestartAsked("why"), L.STARTING, (RunStart,)),
    (L.WAITING, DelayOver(), L.STARTING, (CancelDelay, commands.RunStart("before"))),
    (L.WAITING, StartAsked("why"), L.STARTING, (CancelDelay, RunStart)),
    (L.WAITING, RestartAsked("why"), L.STARTING, (CancelDelay, RunStart)),
    (L.WAITING, StopAsked("why"), L.STOPPING, (CancelDelay, RunStop)),
    (L.STARTING, StartSucceeded(), L.ONLINE, (commands.StartMonitor(False),)),
    (L.STARTING, StartFailed("why"), L.ABANDONING, (RunStop,)),
    (L.STARTING, StopAsked("why"), L.STOPPING, (RunStop,)),
    (L.STARTING, RestartAsked("why"), L.CYCLING, (RunStop,)),
    (L.STARTING, RestartJudged("why"), L.CYCLING, (RunStop,)),
    (L.ONLINE, StopAsked("why"), L.STOPPING, (StopMonitor, RunStop)),
    (L.ONLINE, RestartAsked("why"), L.CYCLING, (StopMonitor, RunStop)),
    (L.ONLINE, RestartJudged("why"), L.CYCLING, (StopMonitor, RunStop)),
    (L.CYCLING, StopSucceeded(), L.STARTING, (commands.RunStart("before"),)),
    (L.CYCLING, StopFailed("why"), L.STOP_FAILED, ()),
    (L.CYCLING, StopAsked("why"), L.STOPPING, ()),
    (L.STOPPING, StopSucceeded(), L.OFFLINE, ()),
    (L.STOPPING, StopFailed("why"), L.STOP_FAILED, ()),
    (L.STOPPING, StartAsked("why"), L.CYCLING, ()),
    (L.STOPPING, RestartAsked("why"), L.CYCLING, ()),
    (L.ABANDONING, StopFailed("why"), L.STOP_FAILED, ()),
    (L.ABANDONING, StopAsked("why"), L.STOPPING, ()),
    (L.ABANDONING, StartAsked("why"), L.CYCLING, ()),
    (L.ABANDONING, RestartAsked("why"), L.CYCLING, ()),
    (L.OFFLINE, StartRefused("why"), L.START_FAILED, ()),
    (L.START_FAILED, StartRefused("why"), L.START_FAILED, ()),
    (L.START_FAILED, StartAsked("why"), L.CYCLING, (RunStop,)),
    (L.START_FAILED, RestartAsked("why"), L.CYCLING, (RunStop,)),
    (L.START_FAILED, StopAsked("why"), L.STOPPING, (RunStop,)),
    (L.STOP_FAILED, ClearAsked(), L.OFFLINE, ()),
    (L.STOP_FAILED, StopAsked("why"), L.STOPPING, (RunStop,)),
    (L.AWAITING, NeedsMet(), L.STARTING, (commands.RunStart("before"),)),
    (L.AWAITING, StopAsked("why"), L.OFFLINE, ()),
    (L.PREPARING, PrenetSucceeded(), L.STARTING, (commands.RunStart("before"),)),
    (L.PREPARING, PrenetFailed("why"), L.ABANDONING, (RunStop,)),
    (L.PREPARING, StopAsked("why"), L.STOPPING, (RunStop,)),
    (L.STARTING, NeedGone("why"), L.CYCLING, (RunStop,)),
    (L.STARTING, NeedRestarted("why"), L.CYCLING, (RunStop,)),
    (L.ONLINE, NeedGone("why"), L.CYCLING, (commands.StopMonitor(), RunStop)),
    (L.ONLINE, NeedRestarted("why"), L.CYCLING, (commands.StopMonitor(), RunStop)),
    (L.CLEARING, PostnetSucceeded(), L.OFFLINE, ()),
    (L.CLEARING, PostnetFailed("why"), L.STOP_FAILED, ()),
]


@pytest.mark.parametrize(
    ("life", "event", "after", "orders"), EDGES, ids=[f"{b} {type(e).__name__}" for b, e, _, _ in EDGES]
)
def test_each_edge_and_what_is_ordered_on_the_way(
    life: Life, event: Event, after: Life, orders: tuple[Value, ...]
) -> None:
    made, ordered, _ = go(view(life), event)
    assert (made.life, ordered) == (after, orders)
    assert made.at == (NOW if after is not life else 0.0), "since when it lives so"


def test_the_edges_above_are_all_of_the_table_but_the_end_of_a_failed_start() -> None:
    walked = {(life, type(event)): after for life, event, after, _ in EDGES}
    assert walked == {k: v for k, v in TABLE.items() if k != (L.ABANDONING, StopSucceeded)}


IGNORED_PAIRS = sorted(IGNORED, key=lambda pair: (pair[0], pair[1].__name__))


def event_of(kind: type[Value]) -> Event:
    """Any event of that kind."""
    event: Event = kind(*["why"] * ("because" in kind.__fields__))  # type: ignore[assignment]  # a kind of event
    return event


@pytest.mark.parametrize(("life", "kind"), IGNORED_PAIRS, ids=[f"{b} {k.__name__}" for b, k in IGNORED_PAIRS])
def test_an_ignored_event_changes_nothing(life: Life, kind: type[Value]) -> None:
    before = view(life)
    made = step(before, event_of(kind), SOFT, "refuse", NOW)
    assert made == Step(before, ignored=IGNORED[life, kind])


# -- reasons and statuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "event", "because", "decided"),
    [
        (L.ONLINE, StopAsked("stop asked by root"), "stop asked by root", True),
        (L.ONLINE, RestartAsked("before"), "before", True),  # the same again is a decision again
        (L.CYCLING, StopSucceeded(), "before", False),
        (L.STARTING, StartSucceeded(), "before", False),
        (L.STARTING, StartSucceeded("it said READY=1"), "it said READY=1", True),
        (L.WAITING, DelayOver(), "before", False),
        (L.STOP_FAILED, ClearAsked(), "cleared by a person", True),
        (L.STOPPING, StopFailed("Stop failed: process 7"), "Stop failed: process 7", True),
    ],
)
def test_the_end_of_a_method_is_no_reason_of_its_own(life: Life, event: Event, because: str, decided: bool) -> None:
    made, _, said = go(view(life), event)
    assert (made.because, said) == (because, because if decided else "")


@pytest.mark.parametrize(
    ("life", "event", "status", "message"),
    [
        (L.OFFLINE, StartAsked("why"), ResourceStatus.UNKNOWN, "Starting"),
        (L.STARTING, StartSucceeded(), ResourceStatus.OK, ""),
        (L.ONLINE, StopAsked("why"), ResourceStatus.UNKNOWN, "Stopping"),
        (L.STOPPING, StopSucceeded(), ResourceStatus.OFFLINE, ""),
        (L.STOPPING, StopFailed("why"), ResourceStatus.FAULTED, "why"),
        (L.STARTING, StartFailed("why"), ResourceStatus.FAULTED, "why"),
        (L.ONLINE, RestartJudged("why"), ResourceStatus.DEGRADED, "why"),
    ],
)
def test_what_the_rgm_says_in_the_resources_name(
    life: Life, event: Event, status: ResourceStatus, message: str
) -> None:
    made, _, _ = go(view(life), event)
    assert (made.status, made.status_msg) == (status, message)


# -- the restart delay ------------------------------------------------------------------------------------------------


def test_a_judged_restart_stops_waits_and_starts() -> None:
    made, _, _ = go(view(L.ONLINE), RestartJudged("why", 2.5))
    assert (made.life, made.delay) == (L.CYCLING, 2.5)
    made, orders, _ = go(made, StopSucceeded())
    assert (made.life, made.delay, orders) == (L.WAITING, 0.0, (commands.ArmDelay(2.5),))
    made, orders, _ = go(made, DelayOver())
    assert (made.life, orders) == (L.STARTING, (CancelDelay, RunStart))
    made, orders, _ = go(made, StartSucceeded())
    assert (made.life, orders) == (L.ONLINE, (commands.StartMonitor(True),))


@pytest.mark.parametrize("asked", [StartAsked("now"), RestartAsked("now")])
def test_a_person_need_not_wait_for_the_delay(asked: Event) -> None:
    made, orders, _ = go(view(L.WAITING, restarting=True), asked)
    assert (made.life, orders) == (L.STARTING, (CancelDelay, commands.RunStart("now")))


def test_a_stop_forgets_the_delay() -> None:
    made, _, _ = go(view(L.CYCLING, delay=2.5), StopAsked("why"))
    made, _, _ = go(made, StartAsked("why"))
    made, orders, _ = go(made, StopSucceeded())
    assert (made.life, orders) == (L.STARTING, (RunStart,))


# -- which success forgets the scores ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "restarted"),
    [
        ((StartAsked("a"), StartSucceeded()), False),
        ((RestartJudged("a"), StopSucceeded(), StartSucceeded()), True),
        ((RestartAsked("a"), StopSucceeded(), StartSucceeded()), True),
        ((RestartJudged("a"), StopAsked("b"), StopSucceeded(), StartAsked("c"), StartSucceeded()), False),
        ((RestartJudged("a"), StopAsked("b"), StartAsked("c"), StopSucceeded(), StartSucceeded()), False),
    ],
    ids=["a start", "a judged restart", "a restart asked for", "stopped in between", "changed one's mind"],
)
def test_only_a_restart_forgets_the_scores(events: tuple[Event, ...], restarted: bool) -> None:
    made = view(L.ONLINE if isinstance(events[0], RestartJudged | RestartAsked) else L.OFFLINE)
    orders: tuple[Value, ...] = ()
    for event in events:
        made, orders, _ = go(made, event)
    assert orders == (commands.StartMonitor(restarted),)


# -- a Start that failed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [NONE, RESTART_ONLY, LOG_ONLY])
@pytest.mark.parametrize("on_giveover", ["exit", "refuse"])
def test_none_restart_only_and_log_only_do_not_recover(mode: FailoverMode, on_giveover: str) -> None:
    made, orders, said = go(view(L.ABANDONING), StopSucceeded(), mode, on_giveover)
    assert (made.life, orders) == (L.START_FAILED, ())
    assert made.because == said == f"before; failover_mode {mode} does not recover"
    assert made.status is ResourceStatus.FAULTED


@pytest.mark.parametrize("mode", [SOFT, HARD])
def test_soft_and_hard_relocate_where_somebody_else_can_take_it(mode: FailoverMode) -> None:
    made, orders, said = go(view(L.ABANDONING), StopSucceeded(), mode, "exit")
    assert made.life is L.START_FAILED
    assert orders == (commands.PurgeHistory(), commands.LeaveNode("giveover: before"))
    assert said == made.because == "giveover: before"


@pytest.mark.parametrize("mode", [SOFT, HARD])
def test_with_nowhere_to_go_one_more_try(mode: FailoverMode) -> None:
    made, orders, said = go(view(L.ABANDONING), StopSucceeded(), mode)
    assert (made.life, made.last_try, made.restarting) == (L.STARTING, True, True)
    assert said == f"before; giveover refused, {NOWHERE}: one more try"
    assert orders == (commands.PurgeHistory(), commands.RunStart(said))
    assert made.status is ResourceStatus.DEGRADED


def test_and_then_it_stays_down_until_somebody_asks() -> None:
    made, orders, said = go(view(L.ABANDONING, last_try=True), StopSucceeded())
    assert (made.life, made.last_try, made.restarting) == (L.START_FAILED, False, False)
    assert orders == (commands.PurgeHistory(),)
    assert said == f"before; {NOWHERE}, and one more try failed: it stays down until somebody asks"
    assert (made.status, made.status_msg) == (ResourceStatus.FAULTED, said)


@pytest.mark.parametrize(
    "event",
    [RestartJudged("restart 1 of 2", cause="it died"), GiveoverAsked("it died"), LeftAlone("it died")],
    ids=lambda e: type(e).__name__,
)
def test_whatever_the_judge_says_of_the_last_try_it_has_failed(event: Event) -> None:
    made, orders, said = go(view(L.STARTING, last_try=True), event)
    assert (made.life, made.last_try) == (L.ABANDONING, True)
    assert (orders, said) == ((commands.RunStop("it died"),), "it died")


def test_a_judged_restart_without_a_cause_of_its_own_fails_the_last_try_by_its_reason() -> None:
    assert go(view(L.STARTING, last_try=True), RestartJudged("restart 1 of 2"))[2] == "restart 1 of 2"


def test_a_person_who_asks_for_a_restart_in_the_last_try_begins_anew() -> None:
    made, _, _ = go(view(L.STARTING, last_try=True), RestartAsked("why"))
    assert (made.life, made.last_try) == (L.CYCLING, False)


def test_a_last_try_that_succeeded_is_over() -> None:
    made, _, _ = go(view(L.STARTING, last_try=True), StartSucceeded())
    assert (made.life, made.last_try) == (L.ONLINE, False)


# -- a giveover -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", [L.ONLINE, L.STARTING])
@pytest.mark.parametrize("by_monitor", [True, False])
def test_a_granted_giveover_leaves_the_node_and_forgets(life: Life, by_monitor: bool) -> None:
    made, orders, said = go(view(life), GiveoverAsked("why", by_monitor), SOFT, "exit")
    assert (made.life, made.status, made.status_msg) == (life, ResourceStatus.FAULTED, "why")
    assert (orders, said) == ((commands.PurgeHistory(), commands.LeaveNode("why", by_monitor)), "why")


def test_surprise_6_a_refused_giveover_leads_to_one_restart_and_an_empty_history() -> None:
    made, orders, said = go(view(L.ONLINE), GiveoverAsked("why"))
    assert (made.life, made.restarting, made.delay) == (L.CYCLING, True, 0.0)
    assert said == f"why; refused, {NOWHERE}: history purged, one restart tried"
    assert orders == (commands.StopMonitor(), commands.PurgeHistory(), commands.RunStop(said))
    assert (made.status, made.status_msg) == (ResourceStatus.FAULTED, said)


@pytest.mark.parametrize("on_giveover", ["exit", "refuse"])
def test_surprise_7_after_a_giveover_even_a_refused_one_the_counters_are_0(on_giveover: str) -> None:
    _, orders, _ = go(view(L.ONLINE), GiveoverAsked("why"), SOFT, on_giveover)
    assert commands.PurgeHistory() in orders


def test_a_giveover_refused_while_starting_means_that_the_start_has_failed() -> None:
    made, orders, said = go(view(L.STARTING, restarting=True), GiveoverAsked("why"))
    assert (made.life, made.restarting) == (L.ABANDONING, False)
    assert (orders, said) == ((commands.RunStop("why"),), "why")


# -- left alone -------------------------------------------------------------------------------------------------------


def test_left_alone_it_stays_online_and_is_faulted() -> None:
    made, orders, said = go(view(L.ONLINE), LeftAlone("why"))
    assert (made.life, orders, said) == (L.ONLINE, (), "why")
    assert (made.status, made.status_msg, made.because) == (ResourceStatus.FAULTED, "why", "why")


@pytest.mark.parametrize("on_giveover", ["exit", "refuse"])
@pytest.mark.parametrize("mode", [SOFT, RESTART_ONLY])
def test_left_alone_while_starting_it_is_neither_tried_again_nor_moved(mode: FailoverMode, on_giveover: str) -> None:
    made, orders, _ = go(view(L.STARTING), LeftAlone("why"), mode, on_giveover)
    assert (made.life, orders) == (L.ABANDONING, (commands.RunStop("why"),))
    made, orders, said = go(made, StopSucceeded(), mode, on_giveover)
    assert (made.life, made.left_alone, made.because, orders, said) == (L.START_FAILED, False, "why", (), "")
    assert made.status is ResourceStatus.FAULTED


def test_somebody_who_asks_ends_the_being_left_alone() -> None:
    made, _, _ = go(view(L.STARTING), LeftAlone("why"))
    made, _, _ = go(made, StartAsked("why"))
    assert (made.life, made.left_alone) == (L.CYCLING, False)


# -- a Stop that failed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", [L.CYCLING, L.STOPPING, L.ABANDONING])
@pytest.mark.parametrize("mode", list(FailoverMode))
def test_surprise_8_hard_differs_from_soft_only_when_a_stop_method_fails(life: Life, mode: FailoverMode) -> None:
    made, orders, _ = go(view(life), StopFailed("why"), mode)
    assert made.life is L.STOP_FAILED
    assert orders == ((commands.AbortNode("why"),) if mode is HARD else ())


ELSEWHERE = [(life, event) for life, event, after, _ in EDGES if after is not L.STOP_FAILED]


@pytest.mark.parametrize(
    ("life", "event"), [*ELSEWHERE, (L.ABANDONING, StopSucceeded()), (L.ONLINE, GiveoverAsked("why"))], ids=str
)
@pytest.mark.parametrize("on_giveover", ["exit", "refuse"])
def test_surprise_8_everywhere_else_hard_is_soft(life: Life, event: Event, on_giveover: str) -> None:
    assert go(view(life), event, HARD, on_giveover) == go(view(life), event, SOFT, on_giveover)


# -- what people see --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "state"),
    [
        (L.OFFLINE, ResourceState.OFFLINE),
        (L.WAITING, ResourceState.STARTING),
        (L.STARTING, ResourceState.STARTING),
        (L.ONLINE, ResourceState.ONLINE),
        (L.CYCLING, ResourceState.STOPPING),
        (L.STOPPING, ResourceState.STOPPING),
        (L.ABANDONING, ResourceState.STOPPING),
        (L.START_FAILED, ResourceState.START_FAILED),
        (L.STOP_FAILED, ResourceState.STOP_FAILED),
    ],
)
def test_each_life_has_a_public_state(life: Life, state: ResourceState) -> None:
    assert public(view(life), True, False) is state
    if life is not L.ONLINE:
        assert public(view(life), False, True) is state


def test_what_is_up_says_whether_it_is_monitored() -> None:
    assert public(view(L.ONLINE), False, False) is ResourceState.ONLINE_NOT_MONITORED
    assert public(view(L.ONLINE), True, True) is ResourceState.MONITOR_FAILED


def test_every_life_has_a_public_state() -> None:
    assert all(public(view(life), True, False) in ResourceState for life in Life)


# -- the others have a say --------------------------------------------------------------------------------------------

UNMET, IN_USE, UNDRAINED = (
    Around(unmet="waits for db"),
    Around(in_use="waits until a is down"),
    "waits until ip went down",
)
WHOLE = RestartAsked("why", whole=True)
PRENET, POSTNET = Around(prenet=True), Around(postnet=True)
StartMonitor = commands.StartMonitor(False)
RunPrenet, RunPostnet = commands.RunPrenet("why"), commands.RunPostnet("before")


def held(goal: Life, **more: object) -> ResourceView:
    """It is to stop, and waits."""
    return view(L.HELD, next=goal, waits="waits until a is down", **more)


@pytest.mark.parametrize(
    ("before", "event", "around", "after", "orders"),
    [
        (view(L.OFFLINE), StartAsked("why"), UNMET, {"life": L.AWAITING, "waits": "waits for db"}, ()),
        (view(L.CYCLING), StopSucceeded(), UNMET, {"life": L.AWAITING, "because": "before"}, ()),
        (view(L.WAITING), DelayOver(), UNMET, {"life": L.AWAITING}, (CancelDelay,)),
        (view(L.AWAITING), NeedsMet(), UNMET, {"life": L.AWAITING, "at": 0.0, "waits": "waits for db"}, ()),
        (view(L.AWAITING), NeedsMet(), ALONE, {"life": L.STARTING, "waits": ""}, (commands.RunStart("before"),)),
        (view(L.OFFLINE), StartAsked("why"), PRENET, {"life": L.PREPARING, "prepared": False}, (RunPrenet,)),
        (view(L.OFFLINE), StartAsked("why"), PRENET.replace(unprepared="waits"), {"life": L.AWAITING}, ()),
        (view(L.OFFLINE, prepared=True), StartAsked("why"), PRENET, {"life": L.STARTING}, (RunStart,)),
        (view(L.PREPARING), PrenetSucceeded(), UNMET, {"life": L.AWAITING, "prepared": True}, ()),
        (view(L.ONLINE), StopAsked("why"), IN_USE, {"life": L.HELD, "next": L.STOPPING}, (StopMonitor,)),
        (view(L.ONLINE), RestartAsked("why"), IN_USE, {"life": L.HELD, "next": L.CYCLING}, (StopMonitor,)),
        (view(L.ONLINE), NeedGone("why"), IN_USE, {"life": L.HELD, "next": L.CYCLING}, (StopMonitor,)),
        (view(L.ONLINE), RestartJudged("why", 3.0), IN_USE, {"life": L.HELD, "delay": 3.0}, (StopMonitor,)),
        (view(L.STARTING), StopAsked("why"), IN_USE, {"life": L.STOPPING}, (RunStop,)),
        (held(L.STOPPING), UsersGone(), ALONE, {"life": L.STOPPING, "waits": ""}, (commands.RunStop("before"),)),
        (
            held(L.CYCLING, delay=3.0),
            UsersGone(),
            ALONE,
            {"life": L.CYCLING, "delay": 3.0},
            (commands.RunStop("before"),),
        ),
        (held(L.CYCLING), StopAsked("why"), IN_USE, {"life": L.HELD, "next": L.STOPPING, "because": "why"}, ()),
        (held(L.STOPPING), RestartAsked("why"), IN_USE, {"life": L.HELD, "next": L.CYCLING, "because": "why"}, ()),
        (held(L.STOPPING), StartAsked("why"), IN_USE, {"life": L.ONLINE, "because": "why"}, (StartMonitor,)),
        (held(L.STOPPING), UserStuck("why"), ALONE, {"life": L.ONLINE, "because": "why"}, (StartMonitor,)),
        (
            held(L.CYCLING, failed=True),
            UserStuck("why"),
            ALONE,
            {"life": L.CYCLING, "because": "before"},
            (commands.RunStop("before"),),
        ),
        (view(L.ONLINE), WHOLE, IN_USE, {"life": L.HELD, "next": L.STOPPING, "again": True}, (StopMonitor,)),
        (held(L.STOPPING), WHOLE, IN_USE, {"life": L.HELD, "next": L.STOPPING, "again": True}, ()),
        (held(L.CYCLING), WHOLE, IN_USE, {"life": L.HELD, "next": L.STOPPING, "again": True}, ()),
        (held(L.STOPPING, again=True), RestartAsked("why"), IN_USE, {"next": L.STOPPING, "again": True}, ()),
        (held(L.STOPPING, again=True), StopAsked("why"), IN_USE, {"next": L.STOPPING, "again": False}, ()),
        (
            held(L.STOPPING, again=True),
            UsersGone(),
            ALONE,
            {"life": L.STOPPING, "again": True},
            (commands.RunStop("before"),),
        ),
        (held(L.STOPPING, again=True), UserStuck("why"), ALONE, {"life": L.ONLINE, "again": False}, (StartMonitor,)),
        (
            view(L.STOPPING, again=True),
            StopSucceeded(),
            POSTNET.replace(undrained=UNDRAINED),
            {"life": L.HELD, "next": L.CLEARING, "again": True},
            (),
        ),
        (view(L.STOPPING, again=True), StopSucceeded(), POSTNET, {"life": L.CLEARING, "again": True}, (RunPostnet,)),
        (
            view(L.STOPPING, again=True, prepared=True),
            StopSucceeded(),
            PRENET,
            {"life": L.PREPARING, "prepared": False, "again": False},
            (commands.RunPrenet("before"),),
        ),
        (view(L.STOPPING), StopSucceeded(), POSTNET, {"life": L.CLEARING}, (RunPostnet,)),
        (
            view(L.STOPPING),
            StopSucceeded(),
            POSTNET.replace(undrained=UNDRAINED),
            {"life": L.HELD, "next": L.CLEARING, "waits": UNDRAINED},
            (),
        ),
        (held(L.CLEARING), UsersGone(), POSTNET, {"life": L.CLEARING}, (RunPostnet,)),
        (held(L.CLEARING, again=True), UsersGone(), POSTNET, {"life": L.CLEARING, "again": True}, (RunPostnet,)),
        (held(L.CLEARING), StartAsked("why"), POSTNET, {"life": L.HELD, "again": True, "because": "why"}, ()),
        (view(L.CLEARING), RestartAsked("why"), POSTNET, {"life": L.CLEARING, "again": True}, ()),
        (view(L.CLEARING, again=True), StopAsked("why"), POSTNET, {"life": L.CLEARING, "again": False}, ()),
        (
            view(L.CLEARING, again=True, prepared=True),
            PostnetSucceeded(),
            PRENET.replace(postnet=True),
            {"life": L.PREPARING, "prepared": False},
            (commands.RunPrenet("before"),),
        ),
        (view(L.CLEARING, prepared=True), PostnetSucceeded(), POSTNET, {"life": L.OFFLINE, "prepared": False}, ()),
        (view(L.AWAITING), StopAsked("why"), POSTNET, {"life": L.OFFLINE}, ()),
        (
            view(L.AWAITING, prepared=True),
            StopAsked("why"),
            POSTNET,
            {"life": L.CLEARING},
            (commands.RunPostnet("why"),),
        ),
        (view(L.STOP_FAILED), ClearAsked(), POSTNET, {"life": L.OFFLINE}, ()),
    ],
)
def test_the_way_may_lead_over_a_life_that_waits(
    before: ResourceView, event: Event, around: Around, after: dict[str, object], orders: tuple[Value, ...]
) -> None:
    made = step(before, event, SOFT, "refuse", NOW, around)
    assert not made.ignored
    assert {name: getattr(made.view, name) for name in after} == after
    assert made.orders == orders


@pytest.mark.parametrize(
    ("before", "event", "around", "why"),
    [
        (held(L.STOPPING), UsersGone(), IN_USE, "waits until a is down"),
        (held(L.CYCLING, failed=True), UserStuck("why"), IN_USE, "waits until a is down"),
        (view(L.AWAITING, waits="waits for db"), NeedsMet(), UNMET, "waits for db"),
        (held(L.CLEARING), UsersGone(), POSTNET.replace(undrained=UNDRAINED), UNDRAINED),
        (held(L.CLEARING), UserStuck("why"), POSTNET, "what is down cannot be kept up"),
        (held(L.CYCLING), StartAsked("why"), IN_USE, "it is so already"),
        (held(L.STOPPING, again=True), StartAsked("why"), IN_USE, "it is so already"),
        (view(L.STOPPING, again=True), StartAsked("why"), ALONE, "it is so already"),
        (view(L.STOPPING, again=True), WHOLE, ALONE, "it is so already"),
    ],
)
def test_it_waits_on(before: ResourceView, event: Event, around: Around, why: str) -> None:
    assert step(before, event, SOFT, "refuse", NOW, around) == Step(before, ignored=why)


@pytest.mark.parametrize("life", [L.ONLINE, L.STARTING, L.ABANDONING, L.START_FAILED, L.STOPPING])
def test_with_its_group_it_goes_offline_and_then_online(life: Life) -> None:
    made, _, _ = go(view(life), WHOLE)
    assert (made.life, made.again, made.because) == (L.STOPPING, True, "why")
    made, orders, _ = go(made, StopSucceeded())
    assert (made.life, made.again, orders) == (L.STARTING, False, (commands.RunStart("why"),))
    _, orders, _ = go(made, StartSucceeded())
    assert orders == (commands.StartMonitor(True),), "it is a restart, and its success forgets the scores"


def test_who_goes_offline_with_its_group_may_be_asked_to_stay_so() -> None:
    made, _, _ = go(view(L.ONLINE), WHOLE)
    made, orders, because = go(made, StopAsked("stay"))
    assert (made.life, made.again, made.restarting, orders, because) == (L.STOPPING, False, False, (), "stay")
    made, _, _ = go(made, StopSucceeded())
    assert made.life is L.OFFLINE


def test_what_could_not_go_offline_with_its_group_is_not_started() -> None:
    made, _, _ = go(view(L.ONLINE), WHOLE)
    made, orders, _ = go(made, StopFailed("left"))
    assert (made.life, made.again, orders) == (L.STOP_FAILED, False, ())


def test_what_it_waits_for_stands_in_its_reason_and_status() -> None:
    made = step(view(L.OFFLINE), StartAsked("why"), SOFT, "refuse", NOW, UNMET)
    assert made.because == made.view.why == "why; waits for db"
    assert (made.view.status, made.view.status_msg) == (ResourceStatus.OFFLINE, "waits for db")
    assert public(made.view, True, False) is ResourceState.OFFLINE
    made = step(view(L.ONLINE, status=ResourceStatus.OK), StopAsked("why"), SOFT, "refuse", NOW, IN_USE)
    assert made.because == "why; waits until a is down"
    assert (made.view.status, made.view.status_msg) == (ResourceStatus.OK, "waits until a is down")
    assert public(made.view, True, False) is ResourceState.STOPPING


def test_what_it_went_down_for_is_why_it_is_up_again() -> None:
    def told(before: ResourceView, event: Event, around: Around = ALONE) -> Step:
        return step(before, event, FailoverMode.NONE, "refuse: nowhere", 10.0, around)

    gone = NeedGone("db, which it needs, goes down: asked", "db")
    waits = told(told(view(L.ONLINE), gone).view, StopSucceeded(), UNMET).view
    assert (waits.life, waits.lacks, waits.because) == (L.AWAITING, "db", gone.because)
    starts = told(waits, NeedsMet())
    assert (starts.view.life, starts.view.lacks) == (L.STARTING, "")
    assert starts.because == starts.view.because == "db, which it needs, is up again"
    assert starts.orders == (commands.RunStart("db, which it needs, is up again"),)
    at_once = told(told(view(L.ONLINE), gone).view, StopSucceeded())
    assert at_once.view.because == "db, which it needs, is up again", "who was restarted is back already"
    held = told(view(L.ONLINE), gone, IN_USE).view
    for event in (StopAsked("why"), RestartAsked("why")):
        changed = told(told(held, event, IN_USE).view, UsersGone()).view
        assert (changed.because, changed.lacks) == ("why", ""), "somebody asked in between"


def test_a_refused_giveover_waits_for_those_who_use_it_too() -> None:
    made = step(view(L.ONLINE), GiveoverAsked("why"), SOFT, "refuse", NOW, IN_USE)
    assert (made.view.life, made.view.next, made.view.status) == (L.HELD, L.CYCLING, ResourceStatus.FAULTED)
    assert made.orders == (StopMonitor, commands.PurgeHistory())


def test_one_more_try_waits_for_what_it_needs() -> None:
    made = step(view(L.ABANDONING), StopSucceeded(), SOFT, "refuse", NOW, UNMET)
    assert (made.view.life, made.view.last_try) == (L.AWAITING, True)
    assert made.orders == (commands.PurgeHistory(),)


def test_a_failed_start_is_not_tried_again_while_recovery_is_suspended() -> None:
    made = step(view(L.ABANDONING), StopSucceeded(), SOFT, "exit", NOW, Around(suspended="suspended by a person"))
    assert (made.view.life, made.orders) == (L.START_FAILED, ())
    assert made.because == "before; suspended by a person"
