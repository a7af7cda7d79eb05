"""MemoryEngine: a cluster in a dictionary, with the faults of a network, on a clock that tests turn.

One `MemoryStore` is the store; each node has a `MemoryEngine` on it. Nothing here is random: every message takes
`delay` seconds unless the test says otherwise by `fate`, `cut` and `heal`, so a schedule of faults replays exactly. It
is held to the same promises as the real engines (tests/contract/test_engine.py).

A request and its answer are two messages. Either can be late or lost, and what is late is carried out late: after its
`timeout` the caller was told Unknown, and the store takes it all the same.
"""

from __future__ import annotations

from gds.engine.dictionary import Dictionary
from gds.model.store import EngineTraits, Put, Rejected, Unknown
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.model.store import Answer, Change, Record, Transaction
    from gds.ports import EngineListener, Scheduler, TimerHandle

LOST = -1.0
"""A message that never arrives."""


class Fate(Value):
    """What becomes of one commit: seconds until the store carries it out, and then until its answer is back."""

    request: float = 0.0
    answer: float = 0.0


class MemoryStore:
    """What all nodes share. `full` (a reason) rejects whatever writes; deleting goes on."""

    def __init__(self) -> None:
        self._dictionary = Dictionary()
        self.history: list[tuple[int, tuple[Change, ...]]] = []
        """Every change since the last compaction, by revision."""
        self.compacted = 0
        self.life = 1
        """Which store it is: `wipe` makes another."""
        self.full = ""
        self.commits = 0
        """Transactions asked of it, whatever became of them."""
        self._engines: list[MemoryEngine] = []

    @property
    def records(self) -> dict[str, Record]:
        """What is in it."""
        return self._dictionary.records

    @property
    def revision(self) -> int:
        """Of the last change."""
        return self._dictionary.revision

    def commit(self, transaction: Transaction) -> Answer:
        """Carry it out now."""
        self.commits += 1
        if self.full and any(isinstance(each, Put) for each in transaction.operations):
            return Rejected(self.full)
        answer, changes = self._dictionary.commit(transaction)
        if changes:
            self.history.append((self.revision, changes))
            for engine in tuple(self._engines):
                engine.news()
        return answer

    def compact(self) -> None:
        """Forget how it came to be what it is: who has not heard all must read all."""
        self.history.clear()
        self.compacted = self.revision

    def wipe(self) -> None:
        """Another, empty store stands at the same place from now on."""
        self._dictionary = Dictionary()
        self.history.clear()
        self.compacted = 0
        self.life += 1
        for engine in tuple(self._engines):
            engine.news()

    def after(self, revision: int) -> list[tuple[int, tuple[Change, ...]]] | None:
        """What changed since; None: that is not known any more."""
        if revision < self.compacted:
            return None
        first = len(self.history)
        while first and self.history[first - 1][0] > revision:
            first -= 1
        return self.history[first:]

    def join(self, engine: MemoryEngine) -> None:
        """It wants to hear of changes."""
        self._engines.append(engine)

    def leave(self, engine: MemoryEngine) -> None:
        """It does not any more."""
        if engine in self._engines:
            self._engines.remove(engine)


class _Asking:
    """One commit under way."""

    __slots__ = ("done", "timer")

    def __init__(self, done: Callable[[Answer], None]) -> None:
        self.done: Callable[[Answer], None] | None = done
        self.timer: TimerHandle | None = None

    def finish(self, answer: Answer) -> None:
        done = self.done
        self.cancel()
        if done is not None:
            done(answer)

    def cancel(self) -> None:
        self.done = None
        if self.timer is not None:
            self.timer.cancel()


class MemoryEngine:
    """See ports.ClusterEngine and the module."""

    traits = EngineTraits("memory", is_shared=True)

    def __init__(self, store: MemoryStore, scheduler: Scheduler, node: str = "") -> None:
        self.node = node
        self.delay = 0.0
        """Seconds that each message takes."""
        self.lag = 0.0
        """Seconds by which news is later than that."""
        self.notices = 0.0
        """Seconds after which a cut is noticed without being asked for anything."""
        self.fate: Callable[[Transaction], Fate | None] = lambda _transaction: None
        """What becomes of this commit; None: whatever becomes of all."""
        self._store = store
        self._scheduler = scheduler
        self._listener: EngineListener | None = None
        self._open: list[_Asking] = []
        self._is_closed = False
        self._cut = ""
        self._mute = False
        self._away = False
        self._life = 0
        self._seen = 0
        self._reading = False
        self._again = False
        self._generation = 0

    # -- ports.ClusterEngine ------------------------------------------------------------------------------------------

    def begin(self, listener: EngineListener) -> None:
        """See ports.ClusterEngine."""
        self._listener = listener
        self._store.join(self)
        self._life = 0
        if self._cut:
            self._scheduler.after(self.notices, self._notice)
        else:
            self.news()

    def commit(self, transaction: Transaction, timeout: float, done: Callable[[Answer], None]) -> None:
        """See ports.ClusterEngine."""
        asking = _Asking(done)
        self._open.append(asking)
        asking.timer = self._scheduler.after(timeout, lambda: self._late(asking, timeout))
        fate = self.fate(transaction)
        if fate is None:
            fate = Fate(LOST if self._cut and not self._mute else self.delay, LOST if self._cut else self.delay)
        if fate.request != LOST:
            answer_after = fate.answer
            self._scheduler.after(fate.request, lambda: self._arrive(transaction, asking, answer_after))

    def refusal(self) -> str:
        """See ports.ClusterEngine."""
        return ""

    def describe(self) -> dict[str, Any]:
        """See ports.ClusterEngine."""
        return {"engine": "memory", "node": self.node, "away": self._cut if self._away else "", "revision": self._seen}

    def close(self) -> None:
        """See ports.ClusterEngine. What was sent still arrives at the store."""
        self._is_closed = True
        self._listener = None
        self._store.leave(self)
        for asking in self._open:
            asking.cancel()
        self._open.clear()

    # -- the test's hands ---------------------------------------------------------------------------------------------

    def cut(self, because: str = "cut off", *, answers_only: bool = False) -> None:
        """Nothing reaches the store any more, or (`answers_only`) nothing comes back. News stops either way. What is
        on its way is on its way: a request still arrives, its answer does not."""
        self._cut, self._mute = because, answers_only
        self._generation += 1
        self._reading = False
        self._scheduler.after(self.notices, self._notice)

    def heal(self) -> None:
        """It is as before; what was missed is told, then that it is back."""
        self._cut = ""
        self.news()

    def lose_thread(self) -> None:
        """The next news is everything there is, as after a compaction."""
        self._life = 0
        self.news()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _arrive(self, transaction: Transaction, asking: _Asking, answer_after: float) -> None:
        answer = self._store.commit(transaction)
        if answer_after != LOST and not self._is_closed:
            self._scheduler.after(answer_after, lambda: self._answered(asking, answer))

    def _answered(self, asking: _Asking, answer: Answer) -> None:
        if self._cut or asking.done is None:
            return
        self._open.remove(asking)
        asking.finish(answer)

    def _late(self, asking: _Asking, timeout: float) -> None:
        if asking.done is None:
            return
        self._open.remove(asking)
        self._notice()
        asking.finish(Unknown(self._cut or f"no answer within {timeout:g} s"))

    def _notice(self) -> None:
        if self._cut and not self._away and self._listener is not None:
            self._away = True
            self._listener.engine_away(self._cut)

    def news(self) -> None:
        """The store has some. One message at a time is under way, so news stays in order however late it is."""
        if self._listener is None or self._cut:
            return
        if self._reading:
            self._again = True
            return
        self._reading = True
        self._again = False
        generation = self._generation
        life, store = self._store.life, self._store
        missed = store.after(self._seen) if life == self._life else None
        whole = (dict(store.records), store.revision) if missed is None else None
        self._scheduler.after(self.delay + self.lag, lambda: self._hear(generation, life, whole, missed or []))

    def _hear(
        self,
        generation: int,
        life: int,
        whole: tuple[dict[str, Record], int] | None,
        missed: list[tuple[int, tuple[Change, ...]]],
    ) -> None:
        if generation != self._generation or self._listener is None:
            return
        self._reading = False
        listener = self._listener
        if whole is not None:
            self._renewed(life, listener)
            self._seen = whole[1]
            listener.engine_loaded(*whole)
        for revision, changes in missed:
            if revision > self._seen and self._listener is not None:
                self._seen = revision
                listener.engine_changed(changes, revision)
        if self._away and not self._cut and self._listener is not None:
            self._away = False
            listener.engine_back()
        if self._again:
            self.news()

    def _renewed(self, life: int, listener: EngineListener) -> None:
        if self._life and life != self._life and not self._away:
            self._away = True
            listener.engine_away("another store answers: it is not the one that was there before")
        self._life = life
