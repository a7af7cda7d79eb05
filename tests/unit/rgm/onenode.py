"""One node by hand: its Member over a store in a dictionary. Nothing is answered or heard unless the test says so.

L = 10, R = 2, an attempt 1, M = 2, no grace: a renewal sent at T lets it run until T + 8; others wait 10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gds.engine.dictionary import Dictionary
from gds.model.resource import Group
from gds.model.store import Put, Transaction, Unknown
from gds.rgm import records
from gds.rgm.mastery import Local, Masteries
from gds.rgm.member import Commit, Member, Online, Told
from gds.rgm.tenure import Tenure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from gds.model.store import Answer, Change, Operation
    from gds.rgm.member import Order

    T = TypeVar("T", bound=Order)

LIFETIME = 10.0
WAIT = 10.1
"""What others wait for a node that says nothing."""
WEB = Group("web", nodelist=("n1", "n2", "n3"), pingpong_interval=30.0)
LOST = Unknown("lost")
UPS = Local("ONLINE", "", False)
STOPPING = Local("PENDING_OFFLINE", "", False)
STUCK = Local("ERROR_STOP_FAILED", "web: it is deaf", False, True)


class Store:
    """What all share, with its history."""

    def __init__(self) -> None:
        self.dictionary = Dictionary()
        self.history: list[tuple[int, tuple[Change, ...]]] = []

    def commit(self, transaction: Transaction) -> Answer:
        """Carry it out."""
        answer, changes = self.dictionary.commit(transaction)
        if changes:
            self.history.append((self.dictionary.revision, changes))
        return answer

    def put(self, *operations: Operation) -> int:
        """Somebody writes; the revision."""
        self.commit(Transaction((), operations))
        return self.dictionary.revision

    def lives(
        self, name: str, *, life: str = "x", identity: str = "there", lifetime: float = LIFETIME, seq: int = 1
    ) -> int:
        """Another node joins, or renews; the revision."""
        said = records.encode(life=life, identity=identity, version="1", lifetime=lifetime, seq=seq)
        return self.put(Put(records.node_key(name), said))

    def holds(self, name: str, group: str = "web", slot: int = 0) -> int:
        """Another node is master; the token."""
        born = self.dictionary.records[records.node_key(name)].created
        return self.put(
            Put(records.slot_key(group, slot), records.encode(node=name, born=born, because="it was first"))
        )

    def settled(self) -> Store:
        """It is a cluster's."""
        self.put(Put(records.CLUSTER, records.encode(settled=True)))
        return self

    def has(self, key: str) -> bool:
        """There is such a key."""
        return key in self.dictionary.records


class One:
    """A node."""

    def __init__(
        self,
        store: Store,
        *groups: Group,
        name: str = "n1",
        life: str = "",
        sent: float = 0.0,
        identity: str = "here",
        lifetime: float = LIFETIME,
        hook: bool = False,
        limits: Mapping[str, float] | None = None,
        now: float = 100.0,
    ) -> None:
        self.store = store
        self.now = now
        self._lives = 0
        tenure = Tenure(lifetime, 2.0, 0.0, 0.0)
        self.member = Member(name, tenure, 2.0, 1.0, identity, "1", self._new_life, life, sent, hook)
        declared = groups or (WEB,)
        self.masteries = Masteries(self.member, declared, {g.name: "same" for g in declared}, limits or {})
        self.open: list[Commit] = []
        self.orders: list[Order] = []
        self._heard = 0

    def _new_life(self) -> str:
        self._lives += 1
        return f"{self.member.me if hasattr(self, 'member') else 'first'}.{self._lives}"

    # -- time and messages --------------------------------------------------------------------------------------------

    def step(self, *, after: float = 0.0) -> list[Order]:
        """Look at everything, so many seconds later."""
        self.now += after
        made = self.member.step(self.now)
        self.open += [each for each in made if isinstance(each, Commit)]
        self.orders += [each for each in made if not isinstance(each, Commit)]
        return made

    def load(self) -> None:
        """Hear everything there is."""
        dictionary = self.store.dictionary
        self.member.loaded(dict(dictionary.records), dictionary.revision, self.now)
        self._heard = len(self.store.history)

    def hear(self) -> bool:
        """Hear what is new; whether any of it matters."""
        news, self._heard = self.store.history[self._heard :], len(self.store.history)
        told = [self.member.changed(changes, revision, self.now) for revision, changes in news]
        return any(told)

    def asked(self, what: str) -> list[Commit]:
        """What is under way of that kind."""
        return [each for each in self.open if each.tag[0] == what]

    def answer(self, what: str, answer: Answer | None = None, *, happens: bool = True) -> Answer:
        """The store gets it (unless it does not happen), and the answer comes: its own, or the one given."""
        commit = self.asked(what)[0]
        self.open.remove(commit)
        own = self.store.commit(commit.transaction) if answer is None or happens else None
        said = answer if answer is not None else own
        assert said is not None
        self.member.answered(commit.tag, said, self.now)
        return said

    def run(self, seconds: float = 0.0, *, deaf: bool = False, every: float = 0.5) -> One:
        """All goes well for so long: whatever is asked is answered, and news comes at once."""
        until = self.now + seconds
        while True:
            for _ in range(8):
                self.step()
                for commit in list(self.open):
                    self.answer(commit.tag[0])
                if not deaf:
                    self.hear()
            if self.now >= until:
                return self
            self.now = min(until, self.now + every)

    # -- what it did --------------------------------------------------------------------------------------------------

    def did(self, kind: type[T]) -> list[T]:
        """Orders of that kind since the last time."""
        found: list[T] = [each for each in self.orders if isinstance(each, kind)]
        self.orders = [each for each in self.orders if not isinstance(each, kind)]
        return found

    def told(self) -> str:
        """What it said for the log, since the last time."""
        return "\n".join(each.because for each in self.did(Told))

    def local(self, how: Local = Local(), group: str = "web") -> None:  # noqa: B008 (a frozen value)
        """How the group is here."""
        self.masteries.local(group, how)

    @property
    def phase(self) -> str:
        """Of what it holds of web; "" = nothing."""
        hold = self.masteries.held.get("web")
        return hold.phase if hold is not None else ""


def member(store: Store | None = None, *groups: Group, **how: object) -> One:
    """A node that has joined a cluster."""
    made = One(store or Store().settled(), *groups, **how)  # type: ignore[arg-type]  # those of One
    made.load()
    made.run()
    made.orders.clear()
    return made


def master(store: Store | None = None, *groups: Group, **how: object) -> One:
    """A node that is master of web, which is up."""
    made = One(store or Store().settled(), *groups, **how)  # type: ignore[arg-type]  # those of One
    made.load()
    made.run()
    assert [each.group for each in made.did(Online)] == [g.name for g in made.masteries.groups]
    for group in made.masteries.groups:
        made.local(UPS, group.name)
    made.run()
    made.orders.clear()
    return made
