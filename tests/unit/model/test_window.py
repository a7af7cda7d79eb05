"""The sliding window."""

from __future__ import annotations

import pytest

from gds.model.window import EMPTY, Mark, Window

MARKS = Window((Mark(0.0, 10), Mark(5.0, 20), Mark(5.0, 1), Mark(10.0, 30)))


@pytest.mark.parametrize(
    ("span", "now", "total", "count"),
    [
        (10.0, 10.0, 61, 4),  # a mark exactly `span` old still counts
        (10.0, 10.25, 51, 3),
        (10.0, 15.0, 51, 3),
        (10.0, 15.25, 30, 1),
        (10.0, 20.25, 0, 0),
        (0.0, 10.0, 30, 1),
        (100.0, 10.0, 61, 4),
    ],
)
def test_marks_older_than_the_span_do_not_count(span: float, now: float, total: int, count: int) -> None:
    assert MARKS.total(span, now) == total
    assert MARKS.count(span, now) == count
    assert MARKS.within(span, now).total(1e9, now) == total
    assert len(MARKS.within(span, now).marks) == count


def test_nothing_is_copied_when_nothing_is_too_old() -> None:
    assert MARKS.within(10.0, 10.0) is MARKS
    assert EMPTY.within(10.0, 10.0) is EMPTY


def test_a_mark_is_added_at_the_end() -> None:
    assert EMPTY.add(3.0) == Window((Mark(3.0, 1),))
    assert MARKS.add(11.0, 7).marks == (*MARKS.marks, Mark(11.0, 7))


def test_a_clock_that_went_back_does_not_disturb_the_order() -> None:
    assert MARKS.add(2.0).marks[-1] == Mark(10.0, 1)


@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
def test_only_the_youngest_are_kept_where_there_is_no_limit(most: int) -> None:
    window = EMPTY
    for at in range(10):
        window = window.add(float(at), most=most)
    assert [m.at for m in window.marks] == [float(at) for at in range(10)][-most:]
