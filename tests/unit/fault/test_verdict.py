"""The fault monitor's judgement. Sun: semantics.md 5.2 (scds_fm_action); its steps are named in the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gds.fault.history import FRESH, MonitorState
from gds.fault.score import Score, of_death
from gds.fault.verdict import (
    Giveover,
    Healthy,
    LeaveAlone,
    Restart,
    Watch,
    gave_over,
    judge,
    restart_delay,
    restarted,
)
from gds.model.resource import Command, Resource
from gds.model.state import FailoverMode
from gds.model.window import Mark, Window

WEB = Resource("web", Command(("web",)), retry_count=2, retry_interval=300.0)
NONE, SOFT, HARD, RESTART_ONLY, LOG_ONLY = FailoverMode


def seen(points: int) -> Score:
    """A probe's score."""
    return Score(points, f"probe said {points}")


def play(*facts: tuple[float, int], resource: Resource = WEB) -> list[str]:
    """Each (instant, points) judged in a row; every restart succeeds, every giveover is refused. Names of verdicts."""
    state, told = FRESH, []
    for at, points in facts:
        state, said = judge(state, seen(points), resource, at)
        told.append(type(said).__name__)
        if isinstance(said, Restart):
            state = restarted(state)
        elif isinstance(said, Giveover):
            state = gave_over()
    return told


def test_step_1_failures_older_than_retry_interval_are_dropped() -> None:
    assert play((0, 50), (300, 50)) == ["Watch", "Restart"]  # just so old: it counts
    assert play((0, 50), (301, 50)) == ["Watch", "Watch"]


def test_step_2_a_success_is_no_action_whatever_the_history_holds() -> None:
    assert play((0, 99), (1, 0), (2, 1)) == ["Watch", "Healthy", "Restart"]


def test_surprise_5_a_success_does_not_clear_earlier_partial_failures() -> None:
    assert play((0, 50), (10, 0), (20, 0), (30, 50)) == ["Watch", "Healthy", "Healthy", "Restart"]


def test_surprise_5_age_clears_them() -> None:
    assert play((0, 50), (10, 0), (310, 50)) == ["Watch", "Healthy", "Watch"]


def test_surprise_5_a_successful_restart_clears_them() -> None:
    assert play((0, 60), (10, 60), (20, 60), (30, 30)) == ["Watch", "Restart", "Watch", "Watch"]


def test_surprise_5_a_refused_failover_clears_them() -> None:
    assert play((0, 99), (10, 201), (20, 99)) == ["Watch", "Giveover", "Watch"]


def test_step_3_201_gives_over_at_once_without_a_restart_first() -> None:
    state, said = judge(FRESH, seen(201), WEB, 0.0)
    assert said == Giveover("giveover: probe said 201")
    assert state == FRESH


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"failover_enabled": False}, "failover_enabled is false"),
        ({"failover_mode": RESTART_ONLY}, "failover_mode is RESTART_ONLY"),
        ({"failover_mode": LOG_ONLY}, "failover_mode is LOG_ONLY"),
    ],
    ids=str,
)
def test_step_3_201_is_muted(changes: dict[str, object], why: str) -> None:
    _, said = judge(FRESH, seen(201), WEB.replace(**changes), 0.0)
    assert said == LeaveAlone(f"probe said 201: giveover asked for at once, but {why}")


def test_step_5_below_100_together_is_watched() -> None:
    state, said = judge(FRESH, seen(30), WEB, 0.0)
    assert said == Watch("30 of 100 within 300 s: probe said 30")
    _, said = judge(state, seen(69), WEB, 10.0)
    assert said == Watch("99 of 100 within 300 s: probe said 69")


def test_step_6_the_worked_example_of_the_guide() -> None:
    facts = ((0, 50), (10, 50), (20, 50), (30, 0), (40, 50), (50, 100))
    assert play(*facts) == ["Watch", "Restart", "Watch", "Healthy", "Restart", "Giveover"]


@pytest.mark.parametrize(
    ("count", "verdicts"),
    [
        (0, ["Giveover", "Giveover"]),
        (1, ["Restart", "Giveover", "Restart"]),
        (2, ["Restart", "Restart", "Giveover", "Restart", "Restart", "Giveover"]),
        (-1, ["Restart"] * 50),
    ],
)
def test_step_6_restarts_within_the_window_until_the_budget_is_spent(count: int, verdicts: list[str]) -> None:
    facts = [(float(n), 100) for n in range(len(verdicts))]
    assert play(*facts, resource=WEB.replace(retry_count=count)) == verdicts


def test_step_6_the_window_slides_restarts_older_than_the_interval_are_free_again() -> None:
    facts = [(0.0, 100), (200.0, 100), (301.0, 100), (400.0, 100)]
    assert play(*facts) == ["Restart", "Restart", "Restart", "Giveover"]


def test_a_restart_says_how_many_are_spent_and_why() -> None:
    state, said = judge(FRESH, of_death("killed by SIGKILL"), WEB, 0.0)
    cause = "the last process of the tree ended (killed by SIGKILL)"
    assert said == Restart(f"restart 1 of 2 within 300 s: {cause}", 1, 2, cause)
    assert state.restarts == Window((Mark(0.0),))


def test_an_unlimited_restart_names_no_limit() -> None:
    _, said = judge(FRESH, seen(100), WEB.replace(retry_count=-1), 0.0)
    assert said == Restart("restart 1 within 300 s: probe said 100", 1, -1, "probe said 100")


def test_failures_that_add_up_say_so() -> None:
    state, _ = judge(FRESH, seen(70), WEB, 0.0)
    _, said = judge(state, seen(40), WEB, 1.0)
    cause = "failures add up to 110: probe said 40"
    assert said == Restart(f"restart 1 of 2 within 300 s: {cause}", 1, 2, cause)


def spent(count: int) -> MonitorState:
    """A history with so many restarts."""
    return MonitorState(restarts=Window(tuple([Mark(float(n)) for n in range(count)])))


@pytest.mark.parametrize(("count", "words"), [(0, "0 restarts"), (1, "1 restart"), (2, "2 restarts")])
def test_step_7_a_spent_budget_gives_over(count: int, words: str) -> None:
    _, said = judge(spent(count), seen(100), WEB.replace(retry_count=count), 10.0)
    assert said == Giveover(f"giveover: {words} within 300 s: probe said 100")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"failover_enabled": False}, "failover_enabled is false"),
        ({"failover_mode": RESTART_ONLY}, "failover_mode is RESTART_ONLY"),
    ],
    ids=str,
)
def test_step_7_past_its_budget_and_forbidden_to_move_it_is_left_alone(changes: dict[str, object], why: str) -> None:
    resource = WEB.replace(**changes)
    _, said = judge(spent(1), seen(100), resource, 10.0)
    assert isinstance(said, Restart)
    _, said = judge(spent(2), seen(100), resource, 10.0)
    assert said == LeaveAlone(f"left alone after 2 restarts within 300 s, {why}: probe said 100")


def test_log_only_neither_restarts_nor_gives_over() -> None:
    _, said = judge(FRESH, seen(100), WEB.replace(failover_mode=LOG_ONLY), 0.0)
    assert said == LeaveAlone("left alone, failover_mode is LOG_ONLY: probe said 100")


@pytest.mark.parametrize("mode", [NONE, SOFT, HARD])
def test_surprise_8_failover_mode_none_does_not_stop_a_monitor_from_failing_over(mode: FailoverMode) -> None:
    _, said = judge(spent(2), seen(100), WEB.replace(failover_mode=mode), 10.0)
    assert isinstance(said, Giveover)


def test_surprise_6_a_giveover_wipes_the_whole_history() -> None:
    assert gave_over() == FRESH


def test_a_restart_that_succeeded_forgets_scores_and_timeouts_but_not_the_budget() -> None:
    state = MonitorState(Window((Mark(1.0, 50),)), Window((Mark(1.0),)), 1)
    assert restarted(state) == MonitorState(restarts=Window((Mark(1.0),)))


def test_timeouts_are_counted_in_a_row() -> None:
    slow, state = Score(50, "slow", timed_out=True), FRESH
    counts = []
    for got in (slow, seen(0), slow, slow, seen(1), slow):
        state, _ = judge(state, got, WEB.replace(retry_count=-1), 0.0)
        counts.append(state.timeouts)
    assert counts == [1, 0, 1, 2, 0, 1]


def test_what_is_remembered_can_be_asked() -> None:
    state = MonitorState(Window((Mark(0.0, 50), Mark(10.0, 20))), Window((Mark(0.0), Mark(10.0))))
    assert (state.total(5.0, 12.0), state.done(5.0, 12.0)) == (20, 1)
    assert (state.total(50.0, 12.0), state.done(50.0, 12.0)) == (70, 2)


def chance(value: float) -> Callable[[], float]:
    """A die that falls so."""
    return lambda: value


DELAYED = WEB.replace(restart_delay=1.0, restart_delay_max=5.0)


@pytest.mark.parametrize(
    ("number", "seconds"), [(0, 0.0), (1, 0.0), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0), (60, 5.0), (5000, 5.0)]
)
def test_the_first_restart_of_a_window_does_not_wait_the_nth_waits_twice_as_long(number: int, seconds: float) -> None:
    state = MonitorState(restarts=Window(tuple([Mark(0.0)] * number)))
    assert restart_delay(state, DELAYED, 0.0, chance(0.5)) == pytest.approx(seconds)


@pytest.mark.parametrize(("luck", "seconds"), [(0.0, 1.8), (0.5, 2.0), (1.0, 2.2)])
def test_ten_percent_more_or_less(luck: float, seconds: float) -> None:
    assert restart_delay(spent(3), DELAYED, 3.0, chance(luck)) == pytest.approx(seconds)


def test_never_more_than_restart_delay_max() -> None:
    assert restart_delay(spent(9), DELAYED, 9.0, chance(1.0)) == 5.0


def test_an_empty_window_starts_anew() -> None:
    assert restart_delay(spent(9), DELAYED, 1000.0, chance(1.0)) == 0.0


def test_without_restart_delay_nothing_ever_waits_and_no_die_is_thrown() -> None:
    def never() -> float:
        raise AssertionError("nobody asked for a die")

    assert restart_delay(spent(9), WEB, 9.0, never) == 0.0
    assert restart_delay(spent(1), DELAYED, 9.0, never) == 0.0


def test_healthy_says_nothing() -> None:
    _, said = judge(FRESH, seen(0), WEB, 0.0)
    assert said == Healthy()


@pytest.mark.parametrize("points", [100, 201])
def test_while_recovery_is_suspended_nothing_is_restarted_nor_counted(points: int) -> None:
    state, said = judge(FRESH, Score(points, "it died"), WEB, 0.0, "automatic recovery is suspended")
    assert isinstance(said, LeaveAlone)
    assert "automatic recovery is suspended" in said.because
    assert state.restarts.marks == ()
