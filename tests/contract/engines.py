"""What every engine promises (ports.ClusterEngine), as functions, and a listener that holds it to its word.

Each check takes a `Bench`, which makes engines on one store under test and can wait for a fact. A fake that is easier
to live with than etcd would prove nothing, so all pass the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gds.model.store import Change, Committed, Compare, Conflict, Delete, Put, Record, Rejected, Transaction, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Answer, Operation
    from gds.ports import ClusterEngine

TIMEOUT = 5.0
"""Of a commit that should succeed: a loaded machine is slow."""


class Waiting(Protocol):
    """The world goes on while one waits."""

    def until(self, fact: Callable[[], object]) -> None:
        """Wait until it is so; raises AssertionError when it does not become so."""
        ...

    def rest(self) -> None:
        """Let a moment pass in which nothing should happen."""
        ...


class Bench(Waiting, Protocol):
    """What an engine needs to be checked."""

    def engine(self, node: str = "a") -> ClusterEngine:
        """One on the store, not begun."""
        ...


class SharedBench(Bench, Protocol):
    """And one that others share, over a network that breaks."""

    def silence(self) -> None:
        """The store answers nobody."""
        ...

    def end_silence(self) -> None:
        """It does again."""
        ...

    def behind_its_back(self, *operations: Operation) -> None:
        """Every connection is lost, then the store does this and forgets how it came to be what it is, all before any
        engine hears of any of it."""
        ...

    def wipe(self) -> None:
        """An empty store stands at its place."""
        ...

    def restart(self) -> None:
        """The store is killed and started again with what it had."""
        ...


class Heard:
    """A listener that keeps the picture and checks every promise of EngineListener while it does."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.revision = 0
        self.words: list[str] = []
        """loaded, changed, away, back, in the order they were told."""
        self.changes: list[Change] = []
        self.reasons: list[str] = []

    def engine_loaded(self, records: dict[str, Record], revision: int) -> None:
        self.words.append("loaded")
        assert all(key == record.key for key, record in records.items())
        assert all(0 < record.created <= record.modified <= revision for record in records.values())
        self.records = dict(records)
        self.revision = revision

    def engine_changed(self, changes: tuple[Change, ...], revision: int) -> None:
        self.words.append("changed")
        assert self.words[0] == "loaded"
        assert changes
        for change in changes:
            assert self.revision < change.revision <= revision, "each once, and in order"
            old = self.records.get(change.key)
            if change.record is None:
                assert old is not None, "only what is there is removed"
                del self.records[change.key]
            else:
                assert change.record.key == change.key
                assert change.record.modified == change.revision
                # a key that was garbage until now is new to us, and older than its first text
                assert change.record.created == old.created if old else change.record.created <= change.revision
                self.records[change.key] = change.record
        assert [each.revision for each in changes] == sorted(each.revision for each in changes)
        self.changes.extend(changes)
        self.revision = revision

    def engine_away(self, because: str) -> None:
        assert because
        if self.is_away:
            assert because != self.reasons[-1], "told once for each reason"
        else:
            self.words.append("away")
        self.reasons.append(because)

    def engine_back(self) -> None:
        assert self.is_away
        self.words.append("back")

    @property
    def is_away(self) -> bool:
        """Told away, and not yet back."""
        return [word for word in self.words if word in ("away", "back")][-1:] == ["away"]

    @property
    def values(self) -> dict[str, str]:
        """The picture without its revisions."""
        return {key: record.value for key, record in self.records.items()}


class Told:
    """The answers to one commit: there may be only one."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def __call__(self, answer: Answer) -> None:
        self.answers.append(answer)
        assert len(self.answers) == 1, "done is called exactly once"


def begun(bench: Bench, node: str = "a") -> tuple[ClusterEngine, Heard]:
    """An engine that has loaded, and what it tells."""
    engine, heard = bench.engine(node), Heard()
    engine.begin(heard)
    bench.until(lambda: "loaded" in heard.words)
    return engine, heard


def commit(bench: Waiting, engine: ClusterEngine, transaction: Transaction, timeout: float = TIMEOUT) -> Answer:
    """Ask, and wait for the answer."""
    told = Told()
    engine.commit(transaction, timeout, told)
    assert not told.answers, "the answer comes from the loop"
    bench.until(lambda: told.answers)
    return told.answers[0]


def write(bench: Waiting, engine: ClusterEngine, *operations: Operation, compares: tuple[Compare, ...] = ()) -> int:
    """Must succeed; its revision."""
    answer = commit(bench, engine, Transaction(compares, operations))
    assert isinstance(answer, Committed), answer
    return answer.revision


# -- one node -----------------------------------------------------------------------------------------------------


def revisions_rise_and_records_carry_them(bench: Bench) -> None:
    """Created stays while the key lives; a key that comes again is created anew."""
    engine, heard = begun(bench)
    assert heard.records == {}
    first = write(bench, engine, Put("nodes/a", "one"))
    second = write(bench, engine, Put("nodes/a", "two"), Put("rg/g/goal", "online"))
    third = write(bench, engine, Delete("nodes/a"))
    fourth = write(bench, engine, Put("nodes/a", "three"))
    assert first < second < third < fourth
    bench.until(lambda: heard.revision >= fourth)
    a, goal = "nodes/a", "rg/g/goal"
    assert heard.changes == [
        Change(a, Record(a, "one", first, first), first),
        Change(a, Record(a, "two", first, second), second),
        Change(goal, Record(goal, "online", second, second), second),
        Change(a, None, third),
        Change(a, Record(a, "three", fourth, fourth), fourth),
    ]


def every_comparison_is_honoured(bench: Bench) -> None:
    """Modified, created, both, absent, and not compared."""
    engine, heard = begun(bench)
    first = write(bench, engine, Put("k", "1"))
    second = write(bench, engine, Put("k", "2"))
    cases: list[tuple[Compare, bool]] = [
        (Compare("k", modified=second), True),
        (Compare("k", modified=first), False),
        (Compare("k", modified=0), False),
        (Compare("k", created=first), True),
        (Compare("k", created=second), False),
        (Compare("k", created=0), False),
        (Compare("k", modified=second, created=first), True),
        (Compare("k", modified=second, created=second), False),
        (Compare("k", modified=first, created=first), False),
        (Compare("k"), True),
        (Compare("k", value="2"), True),
        (Compare("k", value="1"), False),
        (Compare("k", modified=second, created=first, value="2"), True),
        (Compare("k", modified=second, created=first, value="1"), False),
        (Compare("none", value="2"), False),
        (Compare("none", modified=0), True),
        (Compare("none", created=0), True),
        (Compare("none", modified=0, created=0), True),
        (Compare("none", modified=second), False),
    ]
    for number, (compare, holds) in enumerate(cases):
        answer = commit(bench, engine, Transaction((compare,), (Put("mark", str(number)),)))
        assert isinstance(answer, Committed) if holds else answer == Conflict(), (compare, answer)
    last = write(bench, engine, Put("end", ""))
    bench.until(lambda: heard.revision >= last)
    written = [c.record.value for c in heard.changes if c.key == "mark" and c.record]
    assert written == [str(number) for number, (_, holds) in enumerate(cases) if holds]


def a_transaction_is_all_or_nothing(bench: Bench) -> None:
    """One comparison that fails undoes none of it, for none of it was done; what was done is told in one piece."""
    engine, heard = begun(bench)
    first = write(bench, engine, Put("a", "1"), Put("b", "1"))
    mixed = Transaction((Compare("a", first), Compare("b", modified=0)), (Put("a", "2"), Delete("b"), Put("c", "2")))
    assert commit(bench, engine, mixed) == Conflict()
    told: list[int] = []
    both = Transaction((Compare("a", first), Compare("b", first)), (Put("a", "3"), Delete("b"), Put("c", "3")))
    engine.commit(both, TIMEOUT, lambda answer: told.append(getattr(answer, "revision", 0)))
    bench.until(lambda: told and heard.revision >= told[0])
    assert heard.values == {"a": "3", "c": "3"}
    assert {c.revision for c in heard.changes[2:]} == {told[0]}
    assert len(heard.changes) == 5


def what_changes_nothing_has_no_revision(bench: Bench) -> None:
    """Comparing only, and deleting what is not there."""
    engine, heard = begun(bench)
    first = write(bench, engine, Put("k", ""))
    assert commit(bench, engine, Transaction((Compare("k", first),))) == Committed(first)
    assert commit(bench, engine, Transaction((Compare("k", 0),))) == Conflict()
    assert write(bench, engine, Delete("none")) == first
    bench.until(lambda: heard.revision >= first)
    bench.rest()
    assert heard.values == {"k": ""}
    assert heard.words == ["loaded", "changed"]


def a_key_named_twice_is_rejected(bench: Bench) -> None:
    """Nothing of it happens."""
    engine, heard = begun(bench)
    for second in (Put("k", "2"), Delete("k")):
        answer = commit(bench, engine, Transaction((), (Put("k", "1"), second)))
        assert isinstance(answer, Rejected), answer
        assert answer.because
    bench.rest()
    assert heard.records == {}


def any_text_is_a_value(bench: Bench) -> None:
    """Keys and values come back as they were."""
    engine, heard = begun(bench)
    texts = ["", " ", "\n", '{"a": "\\u0000"}', "\x00\x01", "grüße, 世界 \U0001f600", "x" * 100_000]
    for number, text in enumerate(texts):
        write(bench, engine, Put(f"k/{number}/ä b", text))
    bench.until(lambda: len(heard.records) == len(texts))
    assert [heard.values[f"k/{number}/ä b"] for number in range(len(texts))] == texts


def answers_come_once_however_many_are_asked(bench: Bench) -> None:
    """Two hundred at once; of those that compare the same, one wins."""
    engine, heard = begun(bench)
    tolds = [Told() for _ in range(200)]
    for number, told in enumerate(tolds):
        race = f"race/{number % 20}"
        engine.commit(Transaction((Compare(race, modified=0),), (Put(race, str(number)),)), 30.0, told)
    bench.until(lambda: all(told.answers for told in tolds))
    won = [n for n, told in enumerate(tolds) if isinstance(told.answers[0], Committed)]
    assert len(won) == 20
    assert all(isinstance(told.answers[0], Committed | Conflict) for told in tolds)
    bench.until(lambda: len(heard.records) == 20)
    assert sorted(int(value) for value in heard.values.values()) == won
    bench.rest()


def nothing_is_told_after_close(bench: Bench) -> None:
    """No answer, no news."""
    engine, heard = begun(bench)
    told = Told()
    engine.commit(Transaction((), (Put("k", "1"),)), TIMEOUT, told)
    before = list(heard.words)
    engine.close()
    bench.rest()
    assert told.answers == []
    assert heard.words == before


def it_describes_itself(bench: Bench) -> None:
    """In plain values, which JSON can carry."""
    engine, _heard = begun(bench)
    assert engine.describe()["engine"] == engine.traits.name


# -- several nodes ------------------------------------------------------------------------------------------------


def nodes_see_each_other(bench: Bench) -> None:
    """The same changes in the same order, from whichever of them; who comes later is told all there is."""
    a, heard_a = begun(bench, "a")
    b, heard_b = begun(bench, "b")
    assert a.traits.is_shared
    mine = write(bench, a, Put("nodes/a", "hello"))
    bench.until(lambda: heard_b.revision >= mine)
    theirs = write(bench, b, Put("nodes/b", heard_b.values["nodes/a"]), compares=(Compare("nodes/a", mine),))
    last = write(bench, a, Put("nodes/a", "again"), Delete("nodes/b"), compares=(Compare("nodes/b", theirs),))
    bench.until(lambda: heard_a.revision >= last and heard_b.revision >= last)
    assert heard_a.changes == heard_b.changes
    assert len(heard_a.changes) == 4
    _c, heard_c = begun(bench, "c")
    assert heard_c.records == heard_a.records == heard_b.records
    assert heard_c.changes == []


def one_of_many_wins(bench: Bench) -> None:
    """Of transactions that compare the same revision."""
    engines = [begun(bench, name)[0] for name in "abc"]
    for _ in range(5):
        start = write(bench, engines[0], Put("owner", ""))
        tolds = [Told() for _ in engines]
        for engine, told in zip(engines, tolds, strict=True):
            engine.commit(Transaction((Compare("owner", start),), (Put("owner", "x"),)), TIMEOUT, told)
        bench.until(lambda tolds=tolds: all(told.answers for told in tolds))  # type: ignore[misc]  # not inferred
        assert sorted(type(told.answers[0]).__name__ for told in tolds) == ["Committed", "Conflict", "Conflict"]


def silence_is_unknown_and_ends(bench: SharedBench) -> None:
    """Each commit is answered in its time, once; away is told once; then what was missed, then back."""
    a, heard = begun(bench)
    first = write(bench, a, Put("k", "before"))
    bench.until(lambda: heard.revision >= first)
    bench.silence()
    tolds = [Told() for _ in range(3)]
    for told in tolds:
        a.commit(Transaction((), (Put("k", "into the dark"),)), 0.5, told)
    bench.until(lambda: all(told.answers for told in tolds))
    assert all(isinstance(told.answers[0], Unknown) and told.answers[0].because for told in tolds)
    bench.until(lambda: heard.is_away)
    assert commit(bench, a, Transaction((), (Put("k", "still dark"),)), 0.5).__class__ is Unknown
    bench.end_silence()
    bench.until(lambda: not heard.is_away)
    assert heard.words.count("away") == 1
    last = write(bench, a, Put("k", "after"))
    bench.until(lambda: heard.revision >= last)
    assert heard.values == {"k": "after"}
    bench.rest()
    assert all(len(told.answers) == 1 for told in tolds)


def what_was_missed_is_told_before_back(bench: SharedBench) -> None:
    """Nothing of it is lost or told twice: Heard sees to that."""
    a, heard_a = begun(bench, "a")
    b, heard_b = begun(bench, "b")
    write(bench, a, Put("x", "0"))
    bench.restart()
    bench.rest()  # the old connections are noticed as broken; a write into one would be unknown
    for number in range(1, 6):
        write(bench, b, Put("x", str(number)))
    last = write(bench, b, Delete("x"), Put("y", "end"))
    bench.until(lambda: heard_a.revision >= last and heard_b.revision >= last)
    assert heard_a.values == heard_b.values == {"y": "end"}
    values = [change.record.value for change in heard_a.changes if change.record and change.key == "x"]
    assert values == [str(number) for number in range(6)]
    assert heard_a.words.count("loaded") == 1


def after_a_compaction_everything_is_told_anew(bench: SharedBench) -> None:
    """Skipping ahead would lose what was removed meanwhile. engines.md 2.3."""
    a, heard = begun(bench)
    first = write(bench, a, Put("gone", ""), Put("kept", ""))
    bench.until(lambda: heard.revision >= first)
    bench.behind_its_back(Delete("gone"), Put("new", "1"))
    bench.until(lambda: heard.words.count("loaded") == 2)
    assert heard.values == {"kept": "", "new": "1"}
    last = write(bench, a, Put("kept", "1"))
    bench.until(lambda: heard.revision >= last)
    assert heard.values == {"kept": "1", "new": "1"}


def another_store_at_the_same_place_is_noticed(bench: SharedBench) -> None:
    """It is told as what it is: the old one is away, the new one loaded, then back."""
    a, heard = begun(bench)
    for number in range(5):
        write(bench, a, Put("k", str(number)))
    last = write(bench, a, Put("old", ""))
    bench.until(lambda: heard.revision >= last)
    bench.wipe()
    bench.until(lambda: commit(bench, a, Transaction((), (Put("k", "new"),)), 1.0) and "back" in heard.words)
    assert heard.words.count("loaded") == 2
    assert any("another store answers" in text for text in (*heard.reasons, str(a.describe()))), heard.reasons
    last = write(bench, a, Put("k", "newer"))
    bench.until(lambda: heard.revision >= last)
    assert heard.values == {"k": "newer"}


CHECKS: tuple[Callable[[Bench], None], ...] = (
    revisions_rise_and_records_carry_them,
    every_comparison_is_honoured,
    a_transaction_is_all_or_nothing,
    what_changes_nothing_has_no_revision,
    a_key_named_twice_is_rejected,
    any_text_is_a_value,
    answers_come_once_however_many_are_asked,
    nothing_is_told_after_close,
    it_describes_itself,
)
"""What every engine promises."""

SHARED_CHECKS: tuple[Callable[[SharedBench], None], ...] = (
    nodes_see_each_other,
    one_of_many_wins,
    silence_is_unknown_and_ends,
    what_was_missed_is_told_before_back,
    after_a_compaction_everything_is_told_anew,
    another_store_at_the_same_place_is_noticed,
)
"""And what those promise whose store is shared."""
