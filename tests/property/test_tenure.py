"""Nobody fences a node on which something may still run: whatever the delays, and with clocks that drift.

True time is only the test's. Each node has a clock of its own: it began somewhere, and runs up to 0.4 % too fast or too
slow. The owner sends renewals; each is committed after any delay, or never, and answered after another, or never. The
candidate sees each commit after a delay of its own, or never, and may fence when what it saw last has stood long
enough and the store still has it: its transaction compares the revision.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from gds.rgm.tenure import KILL, Tenure, refusal

RATES = st.floats(0.996, 1.004)
BEGAN = st.floats(0.0, 1e6)
DELAYS = st.floats(0.0, 30.0)
NEVER = None


class Clock(NamedTuple):
    """One node's CLOCK_BOOTTIME."""

    began: float
    rate: float

    def at(self, true: float) -> float:
        """What it shows at a true instant."""
        return self.began + true * self.rate

    def when(self, shown: float) -> float:
        """The true instant at which it shows that."""
        return (shown - self.began) / self.rate


class Renewal(NamedTuple):
    """One of them: seconds after the one before, then delays until it is committed, answered and seen (or never)."""

    after: float
    commit: float | None
    answer: float | None
    watch: float | None


class Story(NamedTuple):
    """Everything that chance decides."""

    lifetime: float
    margin: float
    owner: Clock
    candidate: Clock
    renewals: list[Renewal]


OFTEN = DELAYS | st.just(NEVER)
CLOCKS = st.builds(Clock, BEGAN, RATES)
STORIES = st.builds(
    Story,
    st.floats(4.5, 60.0),
    st.just(KILL) | st.floats(KILL, 2.0),
    CLOCKS,
    CLOCKS,
    st.lists(st.builds(Renewal, st.floats(0.0, 10.0), OFTEN, OFTEN, OFTEN), min_size=1, max_size=6),
).filter(lambda s: not refusal(s.lifetime, 0.1, 0.1, s.margin, 0.0))


def counted_from_sending(sent: float, _answered: float) -> float:
    """The rule."""
    return sent


def counted_from_the_answer(_sent: float, answered: float) -> float:
    """Broken: the answer may have been on its way for long."""
    return answered


def by_the_rule(tenure: Tenure, seen_at: float) -> float:
    """The rule."""
    return tenure.fence_after(seen_at)


def without_drift(tenure: Tenure, seen_at: float) -> float:
    """Broken: as if both clocks ran alike."""
    return seen_at + tenure.lifetime


def run_over(
    story: Story, counted: Callable[[float, float], float], fence: Callable[[Tenure, float], float]
) -> list[float]:
    """For each instant at which the candidate may fence: true seconds from the last life of the owner to it."""
    true = 0.0
    commits: list[tuple[float, float]] = []  # when committed, when seen
    until: list[tuple[float, float]] = []  # when committed, true instant at which all is dead
    tenure = Tenure(story.lifetime, story.margin, 0.0, 0.0)
    for each in story.renewals:
        true += each.after
        if each.commit is NEVER:
            continue
        committed = true + each.commit
        commits.append((committed, committed + each.watch if each.watch is not NEVER else -1.0))
        if each.answer is not NEVER:
            heard = committed + each.answer
            from_ = counted(story.owner.at(true), story.owner.at(heard))
            dead = story.owner.when(tenure.replace(sent_at=from_).until + KILL)
            if heard <= dead:  # an answer after its own deadline allows nothing
                until.append((committed, dead))
    gaps = []
    for committed, seen in commits:
        if seen < 0:
            continue
        fenced = story.candidate.when(fence(tenure, story.candidate.at(seen)))
        if any(committed < other <= fenced for other, _ in commits):
            continue  # the record has moved: the transaction compares its revision and fails
        # and what would be committed after the fencing is not: the record is gone
        gaps.extend([fenced - dead for committed, dead in until if committed <= fenced])
    return gaps


# Two instants of 1e6 seconds are compared, each read off and put on a clock: a microsecond is rounding.
ROUNDING = 1e-6


def overlaps(story: Story, counted: Callable[[float, float], float], fence: Callable[[Tenure, float], float]) -> bool:
    """Something runs there when it is fenced."""
    return any(gap < -ROUNDING for gap in run_over(story, counted, fence))


@given(STORIES)
@settings(max_examples=500, deadline=None)
def test_who_is_fenced_runs_nothing(story: Story) -> None:
    assert not overlaps(story, counted_from_sending, by_the_rule)


BROKEN = [
    ("counted from the answer", counted_from_the_answer, by_the_rule),
    ("no allowance for drift", counted_from_sending, without_drift),
]


@pytest.mark.parametrize(("counted", "fence"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_broken_rule_is_found_out(
    counted: Callable[[float, float], float], fence: Callable[[Tenure, float], float]
) -> None:
    how = settings(max_examples=20_000, phases=[Phase.generate])
    story = find(STORIES, lambda story: overlaps(story, counted, fence), settings=how, random=Random(1))
    assert not overlaps(story, counted_from_sending, by_the_rule)
