"""Whatever is marked and whenever it is asked, a Window holds what its docstring promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gds.model.window import EMPTY, Window

# Eighths of a second are exact in binary, so that "just as old as the span" means something.
INSTANTS = st.integers(0, 4000).map(lambda n: n / 8)
SPANS = st.integers(0, 1600).map(lambda n: n / 8)
ADDED = st.lists(st.tuples(INSTANTS, st.integers(1, 201)), max_size=40)


def made_of(added: list[tuple[float, int]]) -> Window:
    """Marks added in that order, also where the clock went back."""
    window = EMPTY
    for at, weight in added:
        window = window.add(at, weight)
    return window


@given(ADDED)
def test_instants_never_decrease(added: list[tuple[float, int]]) -> None:
    instants = [m.at for m in made_of(added).marks]
    assert instants == sorted(instants)
    assert len(instants) == len(added)


@given(ADDED, SPANS, INSTANTS)
def test_what_counts_is_what_is_not_older_than_the_span(
    added: list[tuple[float, int]], span: float, now: float
) -> None:
    window = made_of(added)
    counted = [m for m in window.marks if now - m.at <= span]
    assert window.count(span, now) == len(counted)
    assert window.total(span, now) == sum(m.weight for m in counted)


@given(ADDED, SPANS, INSTANTS, st.integers(0, 400).map(lambda n: n / 8))
def test_to_drop_what_is_too_old_changes_nothing_that_is_ever_asked_again(
    added: list[tuple[float, int]], span: float, now: float, later: float
) -> None:
    window = made_of(added)
    kept = window.within(span, now)
    assert kept.count(span, now + later) == window.count(span, now + later)
    assert kept.total(span, now + later) == window.total(span, now + later)
    assert kept.within(span, now) == kept


@given(ADDED, SPANS, INSTANTS)
def test_no_more_is_counted_as_time_passes(added: list[tuple[float, int]], span: float, now: float) -> None:
    window = made_of(added)
    assert window.count(span, now + 1) <= window.count(span, now)
