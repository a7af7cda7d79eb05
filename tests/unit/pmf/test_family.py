"""Which processes of a tree are watched, given child_mon_level."""

from __future__ import annotations

import pytest

from gds.pmf.family import observe, watched

RUNNER = 1


def test_depth_is_counted_from_the_first_process() -> None:
    assert observe({}, 10, {10: RUNNER, 11: 10, 12: 11, 13: 12}) == {10: 0, 11: 1, 12: 2, 13: 3}


def test_the_order_in_which_processes_are_listed_does_not_matter() -> None:
    assert observe({}, 10, {13: 12, 12: 11, 11: 10, 10: RUNNER}) == {10: 0, 11: 1, 12: 2, 13: 3}


def test_one_that_lost_its_parent_keeps_the_depth_it_was_seen_with() -> None:
    first = observe({}, 10, {10: RUNNER, 11: 10, 12: 11})
    assert observe(first, 10, {10: RUNNER, 12: RUNNER}) == {10: 0, 12: 2}


def test_a_daemon_whose_first_process_is_gone_keeps_its_depth() -> None:
    first = observe({}, 10, {10: RUNNER, 11: 10})
    assert observe(first, 10, {11: RUNNER, 12: 11}) == {10: 0, 11: 1, 12: 2}


def test_a_child_seen_after_its_parent_has_gone_is_one_deeper_than_the_parent_was() -> None:
    first = observe({}, 10, {10: RUNNER, 11: 10})
    assert observe(first, 10, {10: RUNNER, 12: 11}) == {10: 0, 12: 2}


def test_one_whose_parent_was_never_seen_has_no_depth() -> None:
    assert observe({}, 10, {10: RUNNER, 12: 11, 13: 12}) == {10: 0}


def test_what_is_gone_is_forgotten() -> None:
    assert observe({10: 0, 11: 1, 12: 2}, 10, {10: RUNNER}) == {10: 0}


@pytest.mark.parametrize(
    ("level", "left"),
    [(-1, [10, 11, 12, 99]), (0, [10, 99]), (1, [10, 11, 99]), (2, [10, 11, 12, 99])],
)
def test_one_whose_parent_was_never_observed_counts_as_watched(level: int, left: list[int]) -> None:
    assert watched({10: 0, 11: 1, 12: 2}, [10, 11, 12, 99], level) == left
