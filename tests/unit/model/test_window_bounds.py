"""A window without a limit does not grow without one, and never forgets what a decision counts."""

from __future__ import annotations

from gds.fault.history import FRESH
from gds.fault.score import of_death
from gds.fault.verdict import Giveover, Restart, judge, restarted
from gds.model.resource import Command, Resource
from gds.model.window import MOST, Window


def test_the_youngest_marks_are_kept() -> None:
    window = Window()
    for at in range(3 * MOST):
        window = window.add(float(at))
    assert len(window.marks) == MOST
    assert window.marks[-1].at == 3 * MOST - 1
    assert window.marks[0].at == 2 * MOST


def test_a_budget_larger_than_the_bound_is_counted_to_its_end() -> None:
    resource = Resource("web", Command(("true",)), retry_count=MOST + 50, retry_interval=1e6)
    state = FRESH
    for number in range(1, MOST + 51):
        state, said = judge(state, of_death("x"), resource, float(number))
        assert isinstance(said, Restart)
        assert said.number == number
        state = restarted(state)
    state, said = judge(state, of_death("x"), resource, 1000.0)
    assert isinstance(said, Giveover)


def test_restarts_without_end_keep_a_bounded_memory() -> None:
    resource = Resource("web", Command(("true",)), retry_count=-1, retry_interval=1e6)
    state = FRESH
    for number in range(5 * MOST):
        state, said = judge(state, of_death("x"), resource, float(number))
        assert isinstance(said, Restart)
    assert len(state.restarts.marks) == MOST
    assert len(state.scores.marks) == MOST
