"""The judge under any sequence of scores: the budget holds, and every verdict follows from what was seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gds.fault.history import FRESH, MonitorState
from gds.fault.score import Outcome, Score, of_death, of_probe
from gds.fault.verdict import Giveover, Healthy, LeaveAlone, Restart, Watch, gave_over, judge, restart_delay, restarted
from gds.model.resource import Command, ExitMap, Resource
from gds.model.state import FailoverMode

POINTS = st.sampled_from([0, 0, 1, 30, 50, 99, 100, 100, 201])
STEPS = st.integers(0, 800).map(lambda n: n / 8)
FACTS = st.lists(st.tuples(STEPS, POINTS, st.booleans(), st.booleans()), max_size=80)
"""Seconds since the fact before; points; the probe ran into its limit; the restart it may lead to succeeds."""

RESOURCES = st.builds(
    lambda count, interval, enabled, mode: Resource(
        "web",
        Command(("web",)),
        retry_count=count,
        retry_interval=interval,
        failover_enabled=enabled,
        failover_mode=mode,
    ),
    st.integers(-1, 4),
    st.integers(1, 4000).map(lambda n: n / 8),
    st.booleans(),
    st.sampled_from(list(FailoverMode)),
)


@given(RESOURCES, FACTS)
def test_never_more_than_retry_count_restarts_in_any_retry_interval(
    resource: Resource, facts: list[tuple[float, int, bool, bool]]
) -> None:
    state, now = FRESH, 0.0
    done: list[float] = []
    for pause, points, slow, well in facts:
        now += pause
        state, said = judge(state, Score(points, "seen", slow), resource, now)
        if isinstance(said, Restart):
            done.append(now)
            if well:
                state = restarted(state)
        elif isinstance(said, Giveover):
            # granted or refused, the count begins anew (surprise 7)
            state, done = gave_over(), []
        if resource.retry_count >= 0:
            for at in done:
                inside = [other for other in done if at - resource.retry_interval <= other <= at]
                assert len(inside) <= resource.retry_count


@given(RESOURCES, FACTS)
def test_every_verdict_follows_from_what_was_seen(
    resource: Resource, facts: list[tuple[float, int, bool, bool]]
) -> None:
    state, now = FRESH, 0.0
    scores: list[tuple[float, int]] = []
    restarts: list[float] = []
    span = resource.retry_interval
    forbidden = not resource.failover_enabled or resource.failover_mode in (
        FailoverMode.RESTART_ONLY,
        FailoverMode.LOG_ONLY,
    )
    for pause, points, slow, well in facts:
        now += pause
        state, said = judge(state, Score(points, "seen", slow), resource, now)
        if points not in (0, 201):
            scores.append((now, points))
        total = sum(p for at, p in scores if now - at <= span)
        spent = len([at for at in restarts if now - at <= span])
        if points == 0:
            assert said == Healthy()
        elif points == 201:
            assert isinstance(said, LeaveAlone if forbidden else Giveover)
        elif total < 100:
            assert isinstance(said, Watch)
        elif resource.failover_mode is FailoverMode.LOG_ONLY:
            assert isinstance(said, LeaveAlone)
        elif resource.retry_count < 0 or spent < resource.retry_count:
            assert isinstance(said, Restart)
            assert (said.number, said.limit) == (spent + 1, resource.retry_count)
        else:
            assert isinstance(said, LeaveAlone if forbidden else Giveover)
        if isinstance(said, Restart):
            restarts.append(now)
            if well:
                state, scores = restarted(state), []
        elif isinstance(said, Giveover):
            state, scores, restarts = gave_over(), [], []
        assert state.total(span, now) == sum(p for at, p in scores if now - at <= span)
        assert state.done(span, now) == len([at for at in restarts if now - at <= span])


@given(RESOURCES, FACTS)
def test_replayed_it_comes_to_the_same(resource: Resource, facts: list[tuple[float, int, bool, bool]]) -> None:
    def play() -> list[object]:
        state: MonitorState = FRESH
        now, told = 0.0, []
        for pause, points, slow, _ in facts:
            now += pause
            state, said = judge(state, Score(points, "seen", slow), resource, now)
            told.append((state, said))
        return list(told)

    assert play() == play()


@given(RESOURCES, FACTS)
def test_nothing_older_than_retry_interval_is_remembered(
    resource: Resource, facts: list[tuple[float, int, bool, bool]]
) -> None:
    state, now = FRESH, 0.0
    for pause, points, slow, _ in facts:
        now += pause
        state, _ = judge(state, Score(points, "seen", slow), resource, now)
        for mark in (*state.scores.marks, *state.restarts.marks):
            assert now - mark.at <= resource.retry_interval


@given(RESOURCES)
def test_the_judge_does_not_know_a_death_from_a_probe(resource: Resource) -> None:
    death, probe = of_death("exit status 0"), of_probe(Outcome("exit", 100), resource, 0)
    one, two = judge(FRESH, death, resource, 1.0), judge(FRESH, probe, resource, 1.0)
    assert one[0] == two[0]
    assert type(one[1]) is type(two[1])


KINDS = ("exit", "signal", "timeout", "cannot", "ok", "refused", "disconnect", "status", "error")


@given(st.sampled_from(KINDS), st.integers(0, 255), st.integers(0, 9), st.integers(1, 5), st.booleans())
def test_every_outcome_has_a_score(kind: str, code: int, before: int, allowed: int, mapped: bool) -> None:
    resource = Resource("web", Command(("web",)), num_probe_timeouts=allowed)
    if kind in ("exit", "signal", "cannot"):
        resource = resource.replace(probe_command=Command(("ask",)))
    if mapped:
        resource = resource.replace(exit_map=ExitMap(((0, 0), (7, 50)), 100))
    got = of_probe(Outcome(kind, code, "seen"), resource, before)
    assert got.points in range(101) or got.points == 201
    assert got.because
    assert got.timed_out is (kind == "timeout")


@given(
    st.integers(0, 60),
    st.integers(0, 80).map(lambda n: n / 8),
    st.integers(0, 800).map(lambda n: n / 8),
    st.floats(0, 1),
)
def test_a_restart_never_waits_longer_than_restart_delay_max(
    number: int, delay: float, most: float, luck: float
) -> None:
    resource = Resource("web", Command(("web",)), restart_delay=delay, restart_delay_max=most)
    state = FRESH
    for _ in range(number):
        state = state.replace(restarts=state.restarts.add(0.0))
    waits = restart_delay(state, resource, 0.0, lambda: luck)
    expected = delay * 2 ** (number - 2) if number >= 2 else 0.0
    assert min(expected * 0.8999, most) <= waits <= min(expected * 1.1001, most)
