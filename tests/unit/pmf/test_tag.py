"""The life of a nametag, rule by rule (Sun: semantics.md 4.1 and 4.2; surprises 1 and 2 of section 19)."""

from __future__ import annotations

import pytest

from gds.model.value import Value
from gds.pmf import tag
from gds.pmf.tag import (
    BUDGETED,
    EVENTS,
    FOR_EVER,
    IGNORED,
    TABLE,
    THROTTLE,
    UNLIMITED,
    UNSTARTABLE,
    ActionFailed,
    ActionSucceeded,
    CancelPause,
    Emptied,
    Life,
    Modified,
    Pause,
    PauseOver,
    Remove,
    RunAction,
    Start,
    Started,
    StartFailed,
    Step,
    StopAsked,
    TagView,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.pmf.tag import Event

PAIRS = [(life, kind) for life in Life for kind in EVENTS]
SAMPLES: dict[type[Value], Event] = {
    Started: Started(),
    StartFailed: StartFailed("cannot execute it"),
    Emptied: Emptied("exit status 0"),
    ActionSucceeded: ActionSucceeded(),
    ActionFailed: ActionFailed("exit status 1"),
    StopAsked: StopAsked("stop asked for"),
    Modified: Modified("changed", 7, 60.0),
    PauseOver: PauseOver(),
}


def running(retries: int = 0, period: float = FOR_EVER, action: bool = False) -> TagView:
    """A tag whose command runs."""
    return tag.step(tag.begin("t", retries, period, action, "asked for").view, Started(), 0.0).view


def after(view: TagView, *facts: tuple[float, Event]) -> Step:
    """The last step of several; a command that is started runs at once."""
    made = Step(view)
    for now, fact in facts:
        made = tag.step(made.view, fact, now)
        if any(isinstance(order, Start) for order in made.orders) and fact is not facts[-1][1]:
            made = tag.step(made.view, Started(), now)
    return made


def deaths(*instants: float) -> list[tuple[float, Event]]:
    return [(at, Emptied("exit status 0")) for at in instants]


def kinds(made: Step) -> list[type]:
    return [type(order) for order in made.orders]


# ---- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("life", "kind"), PAIRS, ids=[f"{life} {kind.__name__}" for life, kind in PAIRS])
def test_every_pair_of_life_and_event_is_in_exactly_one_place(life: Life, kind: type[Value]) -> None:
    assert [(life, kind) in place for place in (TABLE, BUDGETED, IGNORED)].count(True) == 1


def test_no_place_knows_a_pair_that_cannot_be() -> None:
    assert {*TABLE, *BUDGETED, *IGNORED} <= set(PAIRS)


@pytest.mark.parametrize(("life", "kind"), sorted(IGNORED, key=str), ids=str)
def test_an_ignored_event_changes_nothing_and_the_reason_is_said(life: Life, kind: type[Value]) -> None:
    view = running().replace(life=life)
    made = tag.step(view, SAMPLES[kind], 5.0)
    assert made == Step(view, ignored=IGNORED[life, kind])
    assert made.ignored


@pytest.mark.parametrize(("life", "kind"), sorted({*TABLE, *BUDGETED}, key=str), ids=str)
def test_every_other_event_is_decided_with_a_reason(life: Life, kind: type[Value]) -> None:
    made = tag.step(running(retries=1).replace(life=life), SAMPLES[kind], 5.0)
    assert made.because
    assert not made.ignored
    if (life, kind) in TABLE:
        assert made.view.life is TABLE[life, kind]


# ---- the beginning --------------------------------------------------------------------------------------------------


def test_a_new_tag_is_started_with_the_reason_it_was_asked_for() -> None:
    made = tag.begin("t", 3, 60.0, True, "asked for by uid 0")
    assert made.orders == (Start("asked for by uid 0"),)
    assert made.view == TagView("t", 3, 60.0, True, because="asked for by uid 0")
    assert made.view.life is Life.STARTING


def test_a_command_that_cannot_be_executed_at_first_makes_no_tag() -> None:
    begun = tag.begin("t", UNLIMITED, FOR_EVER, True, "asked for")
    made = tag.step(begun.view, StartFailed("cannot execute x"), 0.0)
    assert made.orders == (Remove("cannot execute x"),)
    assert made.view.life is Life.GONE


def test_a_command_that_cannot_be_executed_later_is_a_failure_as_any_other() -> None:
    view = after(running(retries=2), *deaths(1.0)).view
    made = tag.step(view, StartFailed("cannot execute x"), 1.0)
    assert made.orders == (Start("restart 2 of 2: cannot execute x"),)
    made = tag.step(made.view, StartFailed("cannot execute x"), 1.0)
    assert kinds(made) == [Remove]


def test_with_unlimited_retries_what_cannot_be_executed_is_tried_again_after_a_second() -> None:
    view = after(running(retries=UNLIMITED), *deaths(1.0)).view
    made = tag.step(view, StartFailed("cannot execute x"), 1.0)
    assert made.orders == (Pause(UNSTARTABLE),)
    assert made.view.life is Life.WAITING
    assert kinds(tag.step(made.view, PauseOver(), 2.0)) == [Start]


# ---- failures and retries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["exit status 0", "exit status 1", "killed by SIGKILL"])
def test_surprise_1_an_exit_with_status_0_is_a_failure_too(how: str) -> None:
    made = tag.step(running(), Emptied(how), 1.0)
    assert made.orders == (Remove(f"{how}; no retries: not restarted"),)


def test_rule_8_with_n_0_the_first_end_is_the_limit() -> None:
    assert kinds(after(running(retries=0), *deaths(1.0))) == [Remove]
    assert kinds(after(running(retries=0, action=True), *deaths(1.0))) == [RunAction]


def test_rule_9_with_n_2_the_command_is_started_three_times() -> None:
    assert after(running(retries=2), *deaths(1.0)).orders == (Start("restart 1 of 2: exit status 0"),)
    assert after(running(retries=2), *deaths(1.0, 2.0)).orders == (Start("restart 2 of 2: exit status 0"),)
    made = after(running(retries=2), *deaths(1.0, 2.0, 3.0))
    assert made.orders == (Remove("exit status 0; the budget of 2 restarts is spent: not restarted"),)


def test_rule_5_failures_older_than_the_period_do_not_count() -> None:
    made = after(running(retries=1, period=60.0), *deaths(0.0, 60.5))
    assert made.orders == (Start("restart 1 of 1 within 1 min: exit status 0"),)
    assert made.view.used(60.5) == 1
    assert made.view.used(200.0) == 0


def test_a_failure_exactly_as_old_as_the_period_counts() -> None:
    made = after(running(retries=1, period=60.0), *deaths(0.0, 60.0))
    assert made.orders == (Remove("exit status 0; the budget of 1 restart within 1 min is spent: not restarted"),)


def test_with_t_minus_1_failures_never_expire() -> None:
    assert kinds(after(running(retries=1), *deaths(0.0, 1e9))) == [Remove]


def test_with_n_minus_1_there_is_no_limit_and_no_history_that_grows() -> None:
    made = after(running(retries=UNLIMITED), *deaths(*[float(n) for n in range(1, 501)]))
    assert made.orders == (Start("restart 500 (no limit): exit status 0"),)
    assert made.view.failures.marks == ()
    assert made.view.used(500.0) == 0


# ---- the action program ---------------------------------------------------------------------------------------------


def test_rule_7_when_the_retries_are_used_up_the_action_program_runs() -> None:
    made = after(running(retries=1, action=True), *deaths(1.0, 2.0))
    assert made.orders == (RunAction("exit status 0; the budget of 1 restart is spent: action program"),)
    assert made.view.life is Life.ACTING


def test_rule_7_action_exit_0_starts_the_command_anew_with_an_empty_history() -> None:
    made = after(running(retries=1, action=True), *deaths(1.0, 2.0), (3.0, ActionSucceeded()))
    assert made.orders == (Start("the action program exited with status 0: started anew"),)
    assert made.view.used(3.0) == 0
    again = after(tag.step(made.view, Started(), 3.0).view, *deaths(4.0))
    assert again.orders == (Start("restart 1 of 1: exit status 0"),)


def test_rule_7_any_other_end_of_the_action_removes_the_tag_with_its_last_process() -> None:
    made = after(running(action=True), *deaths(1.0), (2.0, ActionFailed("exit status 1")))
    assert made.view.life is Life.LEAVING
    assert made.orders == ()
    assert made.because == "action program failed: exit status 1"
    made = tag.step(made.view, Emptied("exit status 1"), 2.0)
    assert kinds(made) == [Remove]


def test_rule_11_an_action_that_succeeds_again_within_a_minute_waits_for_its_end() -> None:
    view = after(running(action=True), *deaths(1.0), (2.0, ActionSucceeded())).view
    made = after(tag.step(view, Started(), 2.0).view, *deaths(10.0), (12.0, ActionSucceeded()))
    assert made.orders == (Pause(THROTTLE - 10.0),)
    assert made.view.life is Life.WAITING
    assert made.because.endswith("in 50 s because it restarts too often")
    started = tag.step(made.view, PauseOver(), 62.0)
    assert kinds(started) == [Start]
    # the next minute counts from that start
    made = after(tag.step(started.view, Started(), 62.0).view, *deaths(63.0), (64.0, ActionSucceeded()))
    assert made.orders == (Pause(THROTTLE - 2.0),)


def test_rule_11_an_action_that_succeeds_once_a_minute_does_not_wait() -> None:
    view = after(running(action=True), *deaths(1.0), (2.0, ActionSucceeded())).view
    made = after(tag.step(view, Started(), 2.0).view, *deaths(61.0), (62.0, ActionSucceeded()))
    assert kinds(made) == [Start]


# ---- -s and -m ------------------------------------------------------------------------------------------------------


def test_surprise_2_stop_takes_only_the_next_start_away_and_the_tag_lives_until_the_last_process_has_ended() -> None:
    made = tag.step(running(retries=5), StopAsked("stop asked for"), 1.0)
    assert made.orders == ()
    assert made.view.life is Life.LEAVING
    made = tag.step(made.view, Emptied("exit status 0"), 9.0)
    assert made.orders == (Remove("stop asked for; the last process ended (exit status 0)"),)


@pytest.mark.parametrize("fact", [ActionSucceeded(), ActionFailed("exit status 1")])
def test_stop_during_the_action_program_nothing_is_started_whatever_it_says(fact: Event) -> None:
    made = after(running(action=True), *deaths(1.0), (2.0, StopAsked("stop")), (3.0, fact))
    assert made.view.life is Life.LEAVING
    assert made.orders == ()
    assert kinds(tag.step(made.view, Emptied("exit status 0"), 4.0)) == [Remove]


def test_stop_while_a_start_is_on_its_way_lets_it_come_and_starts_nothing_after_it() -> None:
    view = tag.begin("t", 5, FOR_EVER, False, "asked for").view
    made = after(view, (1.0, StopAsked("stop")), (2.0, Started()))
    assert made.view.life is Life.LEAVING
    assert kinds(tag.step(made.view, Emptied("exit status 0"), 3.0)) == [Remove]
    failed = tag.step(made.view, StartFailed("cannot execute x"), 3.0)
    assert failed.orders == (Remove("stop; cannot execute x"),)


def test_stop_while_it_waits_removes_it_at_once() -> None:
    view = after(running(retries=UNLIMITED), *deaths(1.0)).view
    made = after(view, (1.0, StartFailed("cannot execute x")), (1.5, StopAsked("stop")))
    assert made.orders == (CancelPause(), Remove("stop"))


@pytest.mark.parametrize(
    ("change", "retries", "period"),
    [
        (Modified("changed", retries=3), 3, 60.0),
        (Modified("changed", period=30.0), 1, 30.0),
        (Modified("changed", retries=UNLIMITED, period=FOR_EVER), UNLIMITED, FOR_EVER),
        (Modified("changed"), 1, 60.0),
    ],
    ids=["-n", "-t", "both", "neither"],
)
def test_m_changes_what_it_names_and_clears_the_history(change: Modified, retries: int, period: float) -> None:
    view = after(running(retries=1, period=60.0), *deaths(1.0)).view
    assert view.used(2.0) == 1
    made = tag.step(view, change, 2.0)
    assert (made.view.retries, made.view.period, made.view.used(2.0)) == (retries, period, 0)
    assert made.view.life is view.life
    assert (made.orders, made.because) == ((), "changed")


@pytest.mark.parametrize("life", [life for life in Life if life is not Life.GONE])
def test_m_is_heard_in_every_life_and_moves_none(life: Life) -> None:
    made = tag.step(running().replace(life=life), Modified("changed", retries=9), 1.0)
    assert made.view.life is life
    assert made.view.retries == 9
