"""What every engine promises (ports.ClusterEngine): the standalone one and the one in memory. For etcd the same is
checked by tests/system/test_etcd.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.engine import FACTORIES
from gds.linux.loop import Loop
from gds.linux.resolving import Names
from gds.model.settings import Settings
from gds.model.store import Committed, Delete, Put, Transaction, Unknown
from gds.testing.clock import FakeClock
from gds.testing.engine import LOST, Fate, MemoryEngine, MemoryStore
from tests.contract.engines import CHECKS, SHARED_CHECKS, Bench, Heard, SharedBench, Told, begun, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Operation
    from gds.ports import ClusterEngine

MOST = 600.0
"""Seconds of the fake clock that a fact may take."""


class Clocked:
    """A loop on a fake clock: what takes minutes takes none."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop(self.clock)

    def until(self, fact: Callable[[], object]) -> None:
        end = self.clock.monotonic() + MOST
        while not fact():
            assert self.clock.monotonic() < end, f"not within {MOST} s"
            self.clock.run(self.loop, 0.01)

    def rest(self) -> None:
        self.clock.run(self.loop, 5.0)


class Alone(Clocked):
    """The standalone engine."""

    def engine(self, node: str = "a") -> ClusterEngine:
        return FACTORIES["standalone"](Settings(), self.loop, node, Names(self.loop))


class Together(Clocked):
    """Engines on one store in memory, whose messages take time."""

    def __init__(self, delay: float = 0.0, lag: float = 0.0) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.engines: list[MemoryEngine] = []
        self._delay, self._lag = delay, lag

    def engine(self, node: str = "a") -> MemoryEngine:
        engine = MemoryEngine(self.store, self.loop, node)
        engine.delay, engine.lag = self._delay, self._lag
        self.engines.append(engine)
        return engine

    def silence(self) -> None:
        for engine in self.engines:
            engine.cut()

    def end_silence(self) -> None:
        for engine in self.engines:
            engine.heal()

    def restart(self) -> None:
        self.silence()
        self.end_silence()

    def behind_its_back(self, *operations: Operation) -> None:
        self.silence()
        self.store.commit(Transaction((), operations))
        self.store.compact()
        self.end_silence()

    def wipe(self) -> None:
        self.store.wipe()


def named(check: Callable[..., None]) -> str:
    """The check's name is the sentence."""
    return check.__name__


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_standalone(check: Callable[[Bench], None]) -> None:
    check(Alone())


@pytest.mark.parametrize(("delay", "lag"), [(0.0, 0.0), (0.004, 0.0), (0.02, 0.3)], ids=["at once", "quick", "lagging"])
@pytest.mark.parametrize("check", [*CHECKS, *SHARED_CHECKS], ids=named)
def test_memory(check: Callable[[SharedBench], None], delay: float, lag: float) -> None:
    check(Together(delay, lag))


# -- the faults that only the one in memory can be told to have ---------------------------------------------------


@pytest.fixture
def together() -> Together:
    return Together(delay=0.004)


def asked(bench: Together, engine: MemoryEngine, value: str, timeout: float = 1.0) -> Told:
    told = Told()
    engine.commit(Transaction((), (Put("k", value),)), timeout, told)
    return told


@pytest.mark.parametrize(
    ("fate", "answered", "stored"),
    [
        (Fate(LOST), False, False),
        (Fate(0.1, LOST), False, True),
        (Fate(3.0, 0.0), False, True),
        (Fate(0.5, 3.0), False, True),
        (Fate(0.5, 0.4), True, True),
    ],
    ids=["request lost", "answer lost", "request late", "answer late", "slow"],
)
def test_a_commit_meets_the_fate_that_the_test_chose(
    together: Together, fate: Fate, answered: bool, stored: bool
) -> None:
    a, heard = begun(together)
    assert isinstance(a, MemoryEngine)
    a.fate = lambda _transaction: fate
    began = together.clock.monotonic()

    told = asked(together, a, "1")
    together.until(lambda: told.answers)

    assert together.clock.monotonic() - began <= 1.011
    assert isinstance(told.answers[0], Committed if answered else Unknown)
    together.rest()
    assert heard.values == ({"k": "1"} if stored else {})


def test_what_was_sent_before_a_cut_arrives_and_its_answer_does_not(together: Together) -> None:
    a, heard = begun(together)
    assert isinstance(a, MemoryEngine)
    told = asked(together, a, "1")
    a.cut("the cable")
    together.until(lambda: told.answers)
    assert told.answers == [Unknown("the cable")]
    assert heard.words == ["loaded", "away"]
    assert together.store.records["k"].value == "1"
    a.heal()
    together.until(lambda: not heard.is_away)
    assert heard.words == ["loaded", "away", "changed", "back"]


def test_a_cut_of_answers_only_lets_requests_through(together: Together) -> None:
    a, _heard = begun(together)
    assert isinstance(a, MemoryEngine)
    a.cut(answers_only=True)
    told = asked(together, a, "1")
    together.until(lambda: told.answers)
    assert isinstance(told.answers[0], Unknown)
    assert together.store.records["k"].value == "1"


def test_a_cut_of_one_does_not_touch_the_others_and_news_to_it_waits(together: Together) -> None:
    a, heard_a = begun(together, "a")
    b, heard_b = begun(together, "b")
    assert isinstance(a, MemoryEngine)
    a.notices = 2.0
    a.cut()
    last = write(together, b, Put("k", "1"))
    together.until(lambda: heard_b.revision >= last)
    assert heard_a.words == ["loaded"]
    together.rest()
    assert heard_a.words == ["loaded", "away"]
    a.heal()
    together.rest()
    assert heard_a.words == ["loaded", "away", "changed", "back"]
    assert heard_a.records == heard_b.records


def test_begun_while_cut_off_it_loads_when_healed(together: Together) -> None:
    a, heard = together.engine(), Heard()
    a.cut("no cable yet")
    a.begin(heard)
    together.rest()
    assert heard.words == ["away"]
    assert a.describe()["away"] == "no cable yet"
    a.heal()
    together.rest()
    assert heard.words == ["away", "loaded", "back"]


def test_a_lost_thread_is_taken_up_by_telling_everything(together: Together) -> None:
    a, heard = begun(together)
    assert isinstance(a, MemoryEngine)
    write(together, a, Put("k", "1"))
    together.rest()
    a.lose_thread()
    together.rest()
    assert heard.words == ["loaded", "changed", "loaded"]


def test_a_full_store_rejects_what_writes_and_lets_delete(together: Together) -> None:
    a, heard = begun(together)
    write(together, a, Put("k", "1"))
    together.store.full = "the store is full"
    told = Told()
    a.commit(Transaction((), (Put("k", "2"),)), 1.0, told)
    together.until(lambda: told.answers)
    assert str(told.answers[0]) == "Rejected(because='the store is full')"
    write(together, a, Delete("k"))
    together.rest()
    assert heard.values == {}


def test_the_same_schedule_gives_the_same_story() -> None:
    stories = []
    for _ in range(2):
        bench = Together(delay=0.01, lag=0.05)
        a, heard = begun(bench, "a")
        b, _ = begun(bench, "b")
        assert isinstance(a, MemoryEngine)
        for number in range(10):
            asked(bench, a if number % 2 else b, str(number))  # type: ignore[arg-type]  # both are in memory
            if number == 3:
                a.cut()
            if number == 7:
                a.heal()
            bench.clock.run(bench.loop, 0.015)
        bench.rest()
        stories.append((heard.words, heard.changes, bench.store.records))
    assert stories[0] == stories[1]


STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 2), st.sampled_from(["x", "y", "z"])),
    st.tuples(st.just("cut"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("heal"), st.integers(0, 2), st.none()),
    st.tuples(st.just("lag"), st.integers(0, 2), st.floats(0.0, 0.5)),
    st.tuples(st.just("fate"), st.integers(0, 2), st.floats(-1.0, 2.0)),
    st.tuples(st.just("thread"), st.integers(0, 2), st.none()),
    st.tuples(st.sampled_from(["compact", "wait"]), st.none(), st.none()),
)


def act(bench: Together, step: tuple[str, int | None, object], tolds: list[Told]) -> None:
    what, who, detail = step
    if who is None:
        bench.store.compact() if what == "compact" else bench.clock.run(bench.loop, 0.3)
        return
    engine = bench.engines[who]
    if what == "write":
        tolds.append(Told())
        engine.commit(Transaction((), (Put(str(detail), str(len(tolds))),)), 1.0, tolds[-1])
    elif what == "cut":
        engine.cut(answers_only=bool(detail))
    elif what == "heal":
        engine.heal()
    elif what == "lag":
        engine.lag = float(str(detail))
    elif what == "fate":
        fate = Fate(LOST if (late := float(str(detail))) < 0 else late, late if late > 1 else 0.0)
        engine.fate = lambda _transaction: fate
    else:
        engine.lose_thread()


@given(st.lists(STEPS, max_size=40))
def test_after_any_schedule_of_faults_all_is_told_and_every_answer_was_given_once(
    steps: list[tuple[str, int | None, object]],
) -> None:
    """Heard holds each of them to the order of revisions all the while."""
    bench = Together(delay=0.01)
    heards = [begun(bench, name)[1] for name in "abc"]
    tolds: list[Told] = []
    for step in steps:
        act(bench, step, tolds)
        bench.clock.run(bench.loop, 0.02)
    bench.end_silence()
    bench.rest()
    assert all(len(told.answers) == 1 for told in tolds)
    assert all(heard.records == bench.store.records for heard in heards)
    assert not any(heard.is_away for heard in heards)
    committed = [told.answers[0].revision for told in tolds if isinstance(told.answers[0], Committed)]
    assert len(set(committed)) == len(committed)
