"""A node's life in the cluster: join, renew, be fenced, fence, leave. Pure: facts and `now` in, orders out.

The safety of everything stands here (engines.md 5.2, 5.3); `now` is this node's CLOCK_BOOTTIME in seconds.

- A node lives as long as its record nodes/N is there; the revision at which it came to be is its birth. A renewal is a
  transaction on that birth. One that was *sent* at T and committed lets us run what we master until T + L - M - S; at
  T + L - M the guard kills whatever is left, whatever state we are in.
- Who has seen another node's record unmoved for 1.01 x L may remove it, in a transaction on exactly that revision. A
  renewal we had not seen makes that fail; after it, no renewal of that life can succeed. So when a slot of a dead life
  is taken, everything that life ran is dead.
- A renewal that *conflicts* says that we were fenced: everything is killed at once, and we join anew when all is down.
- In a store that is new (or was wiped) nobody takes anything before one node has waited 1.01 x L: whoever ran under the
  store before is dead by then.
- A name belongs to one node: a record of our name that moves, and is not ours, refuses us. One that a former life of
  ours left, on this machine since this boot, is removed at once, for we hold its directory; another is waited for.
"""

from __future__ import annotations

from gds.model.store import Committed, Compare, Conflict, Delete, Put, Rejected, Transaction
from gds.rgm import records
from gds.rgm.asking import Asking
from gds.rgm.board import Board
from gds.rgm.entering import Entering
from gds.rgm.fencing import Fencing
from gds.rgm.nodeorders import FOREVER as FOREVER
from gds.rgm.nodeorders import Arm as Arm
from gds.rgm.nodeorders import Cancelled as Cancelled
from gds.rgm.nodeorders import Check as Check
from gds.rgm.nodeorders import Commit as Commit
from gds.rgm.nodeorders import Fence as Fence
from gds.rgm.nodeorders import Joined as Joined
from gds.rgm.nodeorders import Left as Left
from gds.rgm.nodeorders import Offline as Offline
from gds.rgm.nodeorders import Online as Online
from gds.rgm.nodeorders import Possible as Possible
from gds.rgm.nodeorders import Refuse as Refuse
from gds.rgm.nodeorders import Told as Told
from gds.rgm.tenure import Tenure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gds.model.store import Answer, Change, Record
    from gds.rgm.mastery import Masteries
    from gds.rgm.nodeorders import Order as Order

LEAVE_ATTEMPTS = 3
"""A runner that ends waits for so many lost requests; then its record stays, and the others wait for a lifetime."""


class Member:
    """See the module. `life`: that of the runner before us whose directory we hold, which may still be valid; `sent`:
    so that `sent` + L - M is the deadline to which its guard is armed, whatever L and M it had; "" and 0.0: there was
    none. `identity` names this machine, this boot and this directory. `hook`: a silent node has to be fenced by a
    command first."""

    def __init__(
        self,
        me: str,
        tenure: Tenure,
        renew: float,
        attempt: float,
        identity: str,
        version: str,
        new_life: Callable[[], str],
        life: str = "",
        sent: float = 0.0,
        hook: bool = False,
    ) -> None:
        self.me = me
        self.tenure = tenure.replace(sent_at=sent) if life else tenure
        self.renew = renew
        self.attempt = attempt
        self.identity = identity
        self._version = version
        self.new_life = new_life
        self.life = life or new_life()
        self._key = records.node_key(me)
        self._entering = Entering(self, self._key, bool(life))
        self.board = Board()
        self.revision = -1
        """That of the last news; -1: nothing was told yet."""
        self.birth = 0
        """0: we are no member."""
        self._renewed_as = 0
        self._seq = 0
        self.asking = Asking(attempt)
        self._refused: dict[str, str] = {}
        self._renew_at = 0.0
        self.fencing = Fencing(self, hook)
        self.waiting = "the engine has not answered yet"
        """Why we are no member yet; "" = we are."""
        self.ending = False
        self._leave_by = FOREVER
        self.gone = False
        self.orders: list[Order] = []
        self.masteries: Masteries

    def may_go_on(self, now: float) -> bool:
        """What the runner before us ran may run on until we know more: its life's tenure has not ended."""
        return self._entering.is_resuming and not self.tenure.must_stop(now)

    def refused(self) -> str:
        """Why the store takes neither our record nor its renewals, though it answers; "" = it does."""
        return self._refused.get("renew" if self.birth else "join", "")

    def lost(self) -> str:
        """Why nothing may run here any more."""
        refused = self.refused()
        return f"the store refuses our renewals: {refused}" if refused else "no renewal in time"

    # -- facts --------------------------------------------------------------------------------------------------------

    def loaded(self, found: Mapping[str, Record], revision: int, now: float) -> None:
        """The engine told everything there is."""
        self.board.load(found, now)
        self.revision = revision
        self.masteries.stale = True

    def changed(self, changes: tuple[Change, ...], revision: int, now: float) -> bool:
        """The engine told news; True when it is more than the pulse of known nodes."""
        matters = self.board.change(changes, now)
        self.revision = max(self.revision, revision)
        self.masteries.stale |= matters
        return matters

    def answered(self, tag: tuple[str, ...], answer: Answer, now: float) -> None:
        """The answer to a Commit."""
        sent = self.asking.end(tag, answer, now)
        if sent is None or self.gone:
            return
        refused = answer.because if isinstance(answer, Rejected) else ""
        if refused and self._refused.get(tag[0]) != refused:
            self.tell(f"the store refuses {tag[0]}: {refused}", bad=True)
        self._refused[tag[0]] = refused
        what, happened = tag[0], isinstance(answer, Committed)
        if what == "renew":
            self._renewed(answer, sent, now)
        elif what == "leave":
            self._left_or_again(answer, now)
        elif what == "fence" and happened:
            self.fencing.removed(tag)
            self.masteries.stale = True
        elif what == "join" and isinstance(answer, Committed) and tag[1] == self.life and not self.birth:
            self.born(answer.revision, sent, False)
        elif what not in ("join", "fence", "settle", "found"):
            self.masteries.answered(tag, answer)

    def hooked(self, name: str, well: bool) -> None:
        """The fence hook has ended; when it failed it is tried again, for its node may still run what we would take."""
        self.fencing.hooked(name, well)

    # -- what is due --------------------------------------------------------------------------------------------------

    def step(self, now: float) -> list[Order]:
        """Look at everything; what is to be done now. To be called after each fact, and at `due`."""
        if self.revision < 0 and not self.gone:
            if not self.may_go_on(now):
                self.masteries.all_down("the store has not answered in time")
            if self.ending:
                self._depart()
        if not self.gone:
            if not self.birth and self.revision >= 0:
                self._entering.step(now)
            if self.birth:
                self._pulse(now)
                self.fencing.settle(now)
            self.fencing.step(now)
            self.masteries.step(now)
            if self.ending:
                self._leave(now)
        made, self.orders = self.orders, []
        return made

    def due(self, now: float) -> float:
        """When to call `step` again, if nothing happens before."""
        if self.gone:
            return FOREVER
        if self.revision < 0:
            return self.tenure.stop_at if self.may_go_on(now) else FOREVER
        times = [self.masteries.due(now), *self.asking.times(now), *self.fencing.times()]
        times += [self._renew_at] if self.birth else self._entering.times()
        return min([at for at in times if at > now], default=FOREVER)

    def may_run(self, now: float) -> bool:
        """Whether our tenure lets us run what we master."""
        return bool(self.birth) and not self.tenure.must_stop(now)

    # -- asking -------------------------------------------------------------------------------------------------------

    def ask(self, tag: tuple[str, ...], transaction: Transaction, now: float) -> bool:
        """Commit, unless the same is asked already or was answered a moment ago."""
        if not self.asking.begin(tag, transaction, now):
            return False
        self.orders.append(Commit(tag, transaction))
        return True

    def alive(self) -> Compare:
        """What every change of ours depends on: that we have not been fenced."""
        return Compare(self._key, created=self.birth)

    def same(self, key: str) -> Compare:
        """It is as we have seen it."""
        return Compare(key, modified=self.board.modified(key))

    def exactly(self, key: str) -> Compare:
        """It is as we have seen it, and in the store in which we have seen it, as well as numbers can tell."""
        return Compare(key, self.board.modified(key), self.board.created(key))

    def at_home(self) -> tuple[Compare, ...]:
        """What takes something away depends on this: we live, and in the store whose random word we know."""
        word = self.board.word
        return (self.alive(), Compare(records.CLUSTER, value=word)) if word else (self.alive(),)

    def same_cluster(self) -> Compare:
        """The store is the one that we know, and as far as we have seen it: numbers may be the same in another one that
        was made since by the same nodes, its random word is not."""
        return self.exactly(records.CLUSTER).replace(value=self.board.word)

    def tell(self, because: str, group: str = "", bad: bool = False) -> None:
        """For the log and the history."""
        self.orders.append(Told(because, group, bad))

    def value(self) -> str:
        """What is to stand in our record, never twice the same."""
        self._seq += 1
        return records.encode(
            life=self.life,
            identity=self.identity,
            version=self._version,
            lifetime=self.tenure.lifetime,
            seq=self._seq,
        )

    def born(self, birth: int, sent: float, resumed: bool) -> None:
        """Our life has begun at that revision; `sent`: when it was asked for."""
        self.birth = birth
        self._renewed_as = birth
        self._entering.done()
        self.waiting = ""
        self.tenure = self.tenure.replace(sent_at=sent)
        self._renew_at = 0.0 if resumed else sent + self.renew
        self.orders.append(Joined(self.life))
        self.orders.append(Arm(self.tenure.until))
        self.tell("taken up again as the node it was" if resumed else f"joined the cluster as {self.me}")
        self.masteries.born(resumed)

    # -- renewing -----------------------------------------------------------------------------------------------------

    def _pulse(self, now: float) -> None:
        if now >= self._renew_at:
            renewal = Transaction((self.alive(),), (Put(self._key, self.value()),))
            if self.ask(("renew",), renewal, now):
                self._renew_at = now + self.renew

    def _renewed(self, answer: Answer, sent: float, now: float) -> None:
        if isinstance(answer, Committed) and answer.revision > self._renewed_as:
            self._renewed_as = answer.revision
            self.tenure = self.tenure.renewed(sent)
            self.orders.append(Arm(self.tenure.until))
        elif isinstance(answer, Committed):
            self._fenced("the store is an older one than before: it was restored from a backup", now)
        elif isinstance(answer, Conflict):
            self._fenced("the others had not heard of it for a lifetime, or its record was removed", now)
        else:
            self._renew_at = now

    def _fenced(self, why: str, now: float) -> None:
        because = f"this node was fenced: {why}"
        self.birth = 0
        self.life = self.new_life()
        self.tenure = self.tenure.replace(sent_at=now - self.tenure.lifetime)
        self.orders.append(Arm(now))
        self.tell(because, bad=True)
        self.fencing.forget()
        self.masteries.lost(because)

    # -- leaving ------------------------------------------------------------------------------------------------------

    def end(self, now: float) -> None:
        """The runner ends: when everything is down, our life is."""
        self.ending = True

    def hopeless(self) -> None:
        """Something could not be stopped: our record stays, and the guard ends what is left before others take it."""
        self._depart()

    def _leave(self, now: float) -> None:
        """With our life end all our masteries, however many there are; their slots may stand, for nobody heeds them."""
        if not self.birth:
            if not self.asking.is_open("join"):
                self._depart()
            return
        if self.masteries.all_down("the runner ends"):
            gone = (Delete(self._key), Delete(records.report_key(self.me)))
            if self._leave_by == FOREVER:
                # it may take effect long after we are killed: a runner after us must not take this life up again
                self.orders.append(Joined(""))
            self._leave_by = min(self._leave_by, now + LEAVE_ATTEMPTS * self.attempt)
            self.ask(("leave",), Transaction((self.alive(),), gone), now)

    def _left_or_again(self, answer: Answer, now: float) -> None:
        if isinstance(answer, Committed | Conflict) or now > self._leave_by:
            self._depart()

    def _depart(self) -> None:
        if not self.gone:
            self.gone = True
            self.birth = 0
            self.orders.append(Left())
