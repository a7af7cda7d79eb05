"""The stop schedule: 80 / 15 / 5."""

from __future__ import annotations

import pytest

from gds.model.resource import Command, Resource
from gds.pmf.stopping import Step, after_command, at_once, by_signal, command_limit, is_down, left_over

WEB = Resource("web", Command(("web",)))


@pytest.mark.parametrize(("timeout", "kill", "fail"), [(300.0, 240.0, 285.0), (100.0, 80.0, 95.0), (1.0, 0.8, 0.95)])
def test_without_stop_command_the_signal_gets_80_percent_and_sigkill_15(
    timeout: float, kill: float, fail: float
) -> None:
    steps = by_signal(15, timeout)
    assert steps[0] == Step(0.0, "signal", 15)
    assert [s.act for s in steps[1:]] == ["kill", "fail"]
    assert [s.after for s in steps[1:]] == [pytest.approx(kill), pytest.approx(fail)]


def test_stop_command_gets_80_percent() -> None:
    assert command_limit(300.0) == 240.0


def test_after_stop_command_sigkill_comes_at_once_and_again_after_80_percent_of_the_15() -> None:
    steps = after_command(300.0)
    assert [s.act for s in steps] == ["kill", "kill", "fail"]
    assert [s.after for s in steps] == [0.0, pytest.approx(36.0), pytest.approx(42.75)]


@pytest.mark.parametrize("timeout", [1.0, 2.5, 300.0])
def test_a_stop_ends_within_its_timeout_on_every_schedule(timeout: float) -> None:
    for steps, began in ((by_signal(15, timeout), 0.0), (after_command(timeout), command_limit(timeout))):
        ends = [began + s.after for s in steps]
        assert ends == sorted(ends)
        assert ends[-1] <= timeout * 0.951  # the last 5 % is the machinery's own
        assert steps[-1].act == "fail"


def test_a_second_term_to_the_runner_asks_no_more() -> None:
    assert at_once() == (Step(0.0, "kill"), Step(5.0, "fail"))


@pytest.mark.parametrize(
    ("managed", "well", "down"), [(True, True, True), (True, False, True), (False, True, True), (False, False, False)]
)
def test_the_status_of_stop_command_counts_only_where_nothing_else_could_tell(
    managed: bool, well: bool, down: bool
) -> None:
    assert is_down(WEB.replace(pmf_managed=managed), well) is down


@pytest.mark.parametrize(
    ("pids", "named"),
    [
        ((7,), "process 7 still there"),
        ((7, 8), "processes 7, 8 still there"),
        (tuple(range(100, 130)), f"processes {', '.join(map(str, range(100, 120)))} and 10 more still there"),
    ],
)
def test_what_survived_is_named(pids: tuple[int, ...], named: str) -> None:
    assert left_over(pids, 10.0) == f"{named} after SIGKILL and 10 s (stop_timeout)"
