"""A hundred acts of the exerciser on each rung; `python -m tests.system.exercise` does as many as wanted."""

from __future__ import annotations

import pytest

from tests.system.exercise import exercise
from tests.system.running import RUNGS


@pytest.mark.parametrize("rung", RUNGS)
def test_a_hundred_random_acts_leave_nothing_doubled_and_nothing_forgotten(rung: str) -> None:
    exercise(rung, 20260131, 100)


@pytest.mark.parametrize("rung", RUNGS)
def test_three_that_need_each_other_follow_as_their_links_say(rung: str) -> None:
    exercise(rung, 20261122, 60, groups=True)
