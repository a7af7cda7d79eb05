"""The checker of several nodes must be known to fail: what is planted in a made-up log is found, and nothing else.

A log is made as the promise would have it (masteries with rising tokens, one after the other, restarts within them,
outages within their bounds), and then one thing in it is made wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.system.cluster import acts, checker, faults
from tests.system.cluster.checker import SECOND, Beat, Fault, Left, judge, parse

TICK = SECOND // 100
NODES = ("n1", "n2", "n3")


class Life(NamedTuple):
    """A stretch of beats to come: `pause`: ticks of silence before it; `restart`: the same mastery goes on."""

    node: str
    beats: int
    pause: int
    restart: bool
    processes: int


LIVES = st.lists(
    st.builds(
        Life,
        st.sampled_from(NODES),
        st.integers(30, 60),
        st.integers(1, 400),
        st.booleans(),
        st.sampled_from((1, 1, 2)),
    ),
    min_size=1,
    max_size=12,
)


def log_of(lives: list[Life], group: str = "web", begin: int = SECOND) -> tuple[list[Beat], list[Fault], int]:
    """A good log, the faults that explain it, and when it ended."""
    beats: list[Beat] = []
    faults: list[Fault] = []
    at, token, node = begin, 7, ""
    for number, life in enumerate(lives):
        if number:
            faults.append(Fault(number, "made up", "", at + 1, at + 2, bound=life.pause * TICK / SECOND + 0.02))
            at += life.pause * TICK
        if not (life.restart and number):
            node, token = life.node, token + 1 + number % 3
        for _ in range(life.beats):
            at += TICK
            beats += [Beat(group, node, number + 1, token, 100 + number * 2 + p, at + p) for p in range(life.processes)]
    return beats, faults, at


def rules(beats: list[Beat], faults: list[Fault], ended: int, left: list[Left] | None = None) -> set[str]:
    """Which rules are broken."""
    return {v.rule for v in judge(beats, faults, ended, left or [])}


@given(LIVES)
def test_a_good_log_passes(lives: list[Life]) -> None:
    beats, faults, ended = log_of(lives)
    here = beats[-1].node
    assert judge(beats, faults, ended, [Left("web", here, beats[-1].pid)]) == []


@given(LIVES, LIVES)
def test_two_groups_are_judged_apart(one: list[Life], other: list[Life]) -> None:
    first, _, _ = log_of(one, "web")
    second, _, _ = log_of(other, "db")
    ended = max(first[-1].at, second[-1].at)
    both = sorted([*first, *second], key=lambda b: b.at)
    assert not {"two masters", "older token", "token twice"} & rules(both, [], ended)


@given(LIVES, st.data())
def test_a_single_beat_of_another_instance_is_two_masters(lives: list[Life], data: st.DataObject) -> None:
    beats, faults, ended = log_of(lives)
    where = data.draw(st.integers(0, len(beats) - 2).filter(lambda i: beats[i][:4] == beats[i + 1][:4]))
    near = beats[where]
    other = data.draw(st.sampled_from([n for n in NODES if n != near.node]))
    beats.insert(where + 1, near._replace(node=other, token=near.token + 1, pid=9, at=near.at + 1))
    assert "two masters" in rules(beats, faults, ended)


@given(LIVES, st.integers(1, 3000))
def test_how_long_two_were_there_is_told(lives: list[Life], ticks: int) -> None:
    beats, faults, ended = log_of(lives)
    last = beats[-1]
    old = [last._replace(at=ended + i * TICK) for i in range(1, ticks + 1)]
    new = [Beat("web", "n9", 1, last.token + 1, 9, b.at + 5) for b in old]
    found = checker.overlaps(checker.instances(sorted([*beats, *old, *new], key=lambda b: b.at)))
    assert [round(ms) for _, _, _, ms in found if ms] == [(ticks - 1) * TICK // 1_000_000][: ticks - 1]
    assert "two masters" in rules([*beats, *old, *new], faults, old[-1].at) or ticks == 1


def test_what_a_frozen_process_writes_when_it_wakes_counts_though_its_stamp_is_old() -> None:
    beats, faults, ended = log_of([Life("n1", 50, 1, False, 1), Life("n2", 50, 300, False, 1)])
    late = beats.pop(49)
    beats.insert(70, late)
    assert rules(beats, faults, ended) == {"two masters", "older token"}


@given(LIVES)
def test_two_lives_on_one_node_at_once_are_two(lives: list[Life]) -> None:
    beats, faults, ended = log_of(lives)
    last = beats[-1]
    more = [last._replace(incarnation=last.incarnation + n % 2, at=ended + n * TICK) for n in range(1, 9)]
    assert "two masters" in rules([*beats, *more], faults, more[-1].at)


@given(LIVES, st.integers(0, 5))
def test_a_token_that_does_not_rise_is_found(lives: list[Life], less: int) -> None:
    beats, faults, ended = log_of(lives)
    last = beats[-1]
    new = [Beat("web", "n9", 1, max(last.token - less, 0), 9, ended + n * TICK) for n in range(1, 200)]
    assert rules([*beats, *new], faults, new[-1].at) >= {"token twice" if less == 0 else "older token"} - {
        # the token of an earlier mastery of another node is told as that
        "older token" if last.token - less in {b.token for b in beats} else ""
    }


def test_without_a_token_nothing_may_run() -> None:
    beats = [Beat("web", "n1", 1, 0, 9, SECOND + n * TICK) for n in range(50)]
    assert rules(beats, [], beats[-1].at) == {"no token"}


@given(LIVES, st.integers(1, 500))
def test_an_outage_longer_than_its_bound_is_found(lives: list[Life], more: int) -> None:
    beats, faults, ended = log_of(lives)
    bound = 0.5
    faults.append(Fault(99, "made up", "n1", ended + 1, ended + 2, bound))
    begin = ended + int(bound * SECOND) + more * TICK
    last = beats[-1]
    new = [last._replace(incarnation=last.incarnation + 1, at=begin + n * TICK) for n in range(1, 40)]
    found = [v for v in judge([*beats, *new], faults, new[-1].at) if v.rule == "outage"]
    assert len(found) == 1
    assert "99 made up n1" in found[0].because


@pytest.mark.parametrize(("away", "late"), [(9.5, False), (11.5, True)])
def test_a_bound_that_counts_from_the_healing(away: float, late: bool) -> None:
    beats, _, ended = log_of([Life("n1", 50, 1, False, 1)])
    fault = Fault(1, "no majority", "", ended + 1, ended + 8 * SECOND, bound=2.0, from_healing=True)
    begin = ended + int(away * SECOND)
    new = [beats[-1]._replace(incarnation=2, at=begin + n * TICK) for n in range(40)]
    assert rules([*beats, *new], [fault], new[-1].at) == ({"outage"} if late else set())


def test_an_outage_that_nothing_explains_is_found() -> None:
    beats, _, ended = log_of([Life("n1", 50, 1, False, 1)])
    new = [beats[-1]._replace(at=ended + 2 * SECOND + n * TICK) for n in range(40)]
    assert rules([*beats, *new], [], new[-1].at) == {"outage"}


@pytest.mark.parametrize(("hits", "broken"), [(("web",), set()), (("db",), {"outage", "moved"})])
def test_a_group_that_a_fault_does_not_concern_goes_on(hits: tuple[str, ...], broken: set[str]) -> None:
    beats, _, ended = log_of([Life("n1", 50, 1, False, 1)])
    fault = Fault(1, "node cut off", "n1", ended + 1, ended + SECOND, bound=4.0, hits=hits)
    new = [Beat("web", "n2", 1, 99, 5, ended + 3 * SECOND + n * TICK) for n in range(40)]
    assert rules([*beats, *new], [fault], new[-1].at) == broken


@pytest.mark.parametrize(
    ("keeps", "node", "token", "broken"),
    [
        ("instance", "n1", 8, {"moved"}),
        ("mastery", "n1", 8, set()),
        ("mastery", "n2", 9, {"moved"}),
        ("mastery", "n1", 9, {"moved"}),
        ("", "n2", 9, set()),
    ],
)
def test_what_a_fault_lets_go_on_is_held_to_it(keeps: str, node: str, token: int, broken: set[str]) -> None:
    beats, _, ended = log_of([Life("n1", 50, 1, False, 1)])
    fault = Fault(1, "runner killed", "n1", ended + 1, ended + 2, bound=1.0, keeps=keeps)
    new = [Beat("web", node, 2, token, 5, ended + SECOND // 10 + n * TICK) for n in range(40)]
    assert rules([*beats, *new], [fault], new[-1].at) == broken


@pytest.mark.parametrize(("ms", "broken"), [(60, set()), (200, {"two masters", "older token"})])
def test_a_trial_known_for_an_overlap_is_refused_beyond_it(ms: int, broken: set[str]) -> None:
    beats, _, ended = log_of([Life("n1", 50, 1, False, 1)])
    fault = Fault(1, "node frozen", "n1", ended + 1, ended + SECOND, bound=9.0, tolerates=100.0)
    old = [beats[-1]._replace(at=ended + SECOND + n * SECOND // 1000) for n in range(ms)]
    new = [Beat("web", "n2", 1, 99, 5, ended + SECOND // 2 + n * TICK) for n in range(200)]
    assert rules(sorted([*beats, *old, *new], key=lambda b: b.at), [fault], new[-1].at) == broken


@pytest.mark.parametrize("count", [0, 2])
def test_at_the_end_there_is_exactly_one(count: int) -> None:
    beats, faults, ended = log_of([Life("n1", 50, 1, False, 1)])
    if count == 0:
        assert rules(beats, faults, ended + 3 * SECOND) == {"outage", "at the end"}
    else:
        other = Beat("web", "n2", 1, 99, 5, ended - SECOND // 10)
        assert "at the end" in rules([*beats, other], faults, ended)


def test_a_process_left_on_a_node_that_is_not_master_is_found() -> None:
    beats, faults, ended = log_of([Life("n1", 50, 1, False, 1)])
    assert rules(beats, faults, ended, [Left("web", "n1", 4), Left("db", "n3", 5)]) == set()
    assert rules(beats, faults, ended, [Left("web", "n2", 4)]) == {"left over"}


@pytest.mark.parametrize(
    "line", ["", "web n1 1 2 3 4 beat", "web n1 1 2 3 beat\n", "web n1 1 2 3 4 beat x\n", "w n x 2 3 4 b\n"]
)
def test_a_torn_line_makes_the_log_worth_nothing(line: str) -> None:
    with pytest.raises(ValueError, match=r"cannot read line 2|invalid literal"):
        parse(["web n1 1 2 3 4 beat\n", line])


def test_lines_are_read_as_they_were_written() -> None:
    assert parse(["web n1 1 2 3 4 beat\n"]) == [Beat("web", "n1", 1, 2, 3, 4, "beat")]


@pytest.mark.parametrize("forgets", [True, False])
def test_tokens_of_a_store_that_was_emptied_are_not_judged(forgets: bool) -> None:
    beats, _, ended = log_of([Life("n1", 50, 1, False, 1)])
    fault = Fault(1, "emptied", "", ended + 1, ended + SECOND, bound=9.0, forgets=forgets)
    new = [Beat("web", "n2", 1, 3, 5, ended + SECOND + n * TICK) for n in range(50)]
    assert rules([*beats, *new], [fault], new[-1].at) == (set() if forgets else {"older token"})


# -- the schedule -----------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    assert faults.schedule(7, 200, 5.0) == faults.schedule(7, 200, 5.0)
    assert faults.schedule(7, 200, 5.0) != faults.schedule(8, 200, 5.0)


@given(st.integers(0, 10**6), st.sampled_from((4.0, 5.0, 10.0)))
def test_a_schedule_is_numbered_and_never_ends_runner_and_guard_of_a_node_together(seed: int, lifetime: float) -> None:
    steps = faults.schedule(seed, 60, lifetime)
    each = [s for step in steps for s in (step, step.beside) if s is not None]
    assert [s.number for s in each] == list(range(1, 61))
    assert {s.kind for s in each} <= set(faults.KINDS)
    assert not {s.kind for s in each} & set(faults.TRIALS)
    for step in steps:
        pair = {step.kind, step.beside.kind if step.beside else ""}
        assert not (any("runner" in k for k in pair) and any("guard" in k for k in pair))
        assert step.seconds <= 3 * lifetime


def test_every_kind_of_fault_comes_and_each_can_be_done() -> None:
    each = [s for step in faults.schedule(1, 2000, 5.0) for s in (step, step.beside) if s is not None]
    assert {s.kind for s in each} == set(faults.KINDS)
    assert faults.KINDS.keys() | faults.TRIALS.keys() == acts.KNOWN


def test_the_kinds_a_person_names_are_all_that_come() -> None:
    only = ("cut", "app-kill")
    each = [s for step in faults.schedule(1, 50, 5.0, only, longest=2.0) for s in (step, step.beside) if s is not None]
    assert {s.kind for s in each} == set(only)
    assert max(s.seconds for s in each) <= 2.0
