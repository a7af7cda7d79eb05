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

from gds.model.store import Committed, Compare, Conflict, Delete, Put, Rejected, Transaction, Unknown
from gds.model.value import Value
from gds.rgm import records
from gds.rgm.records import Board
from gds.rgm.tenure import Tenure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from gds.model.store import Answer, Change, Operation, Record
    from gds.rgm.mastery import Masteries

FOREVER = float("inf")


class Commit(Value):
    """Ask the engine; tell `answered` with the same tag."""

    tag: tuple[str, ...]
    transaction: Transaction


class Arm(Value):
    """The guard kills everything at that instant, unless it is told a later one before."""

    until: float


class Online(Value):
    """We are master: bring the group up."""

    group: str
    token: int
    because: str


class Offline(Value):
    """Take the group down."""

    group: str
    because: str


class Check(Value):
    """May the group come here? Run its Monitor_check methods, and tell `checked`."""

    group: str
    request: str


class Cancelled(Value):
    """A giveover is not carried out: nobody takes it."""

    group: str
    because: str


class Fence(Value):
    """Run the fence hook against a node that is silent: end it, or cut it off; tell `hooked` how that went."""

    node: str


class Told(Value):
    """For the log and the history. `bad`: somebody should look."""

    because: str
    group: str = ""
    bad: bool = False


class Joined(Value):
    """A life has begun: to be remembered, so that a crash of the runner ends nothing."""

    life: str


class Refuse(Value):
    """We cannot be a node of this cluster."""

    because: str


class Left(Value):
    """We are no node of it any more; nothing of ours is waited for."""


if TYPE_CHECKING:
    Order: TypeAlias = Commit | Arm | Online | Offline | Check | Cancelled | Fence | Told | Joined | Refuse | Left


class Member:
    """See the module. `life` and `sent`: those of the runner before us whose directory we hold, which may still be
    valid; "" and 0.0: there was none. `identity` names this machine, this boot and this directory. `hook`: a silent
    node has to be fenced by a command first."""

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
        self._identity = identity
        self._version = version
        self._new_life = new_life
        self.life = life or new_life()
        self._resuming = bool(life)
        self._key = records.node_key(me)
        self.board = Board()
        self.revision = -1
        """That of the last news; -1: nothing was told yet."""
        self.birth = 0
        """0: we are no member."""
        self._seq = 0
        self._first_join = 0.0
        self._rival: tuple[int, float] | None = None
        self._hook = hook
        self._hooks: dict[tuple[str, int], bool | None] = {}
        """(node, its last revision) -> whether the hook has ended it; None: it runs."""
        self._asked: dict[tuple[str, ...], float] = {}
        self._not_before: dict[tuple[str, ...], float] = {}
        self._renew_at = 0.0
        self._unsettled_since: float | None = None
        self.waiting = "the engine has not answered yet"
        """Why we are no member yet; "" = we are."""
        self.ending = False
        self._end_at = FOREVER
        self.gone = False
        self.orders: list[Order] = []
        self.masteries: Masteries

    def may_go_on(self, now: float) -> bool:
        """What the runner before us ran may run on until we know more: its life's tenure has not ended."""
        return self._resuming and not self.tenure.must_stop(now)

    # -- facts --------------------------------------------------------------------------------------------------------

    def loaded(self, found: Mapping[str, Record], revision: int, now: float) -> None:
        """The engine told everything there is."""
        self.board.load(found, now)
        self.revision = revision
        if self._rival is not None and self._key not in found:
            self._rival = None

    def changed(self, changes: tuple[Change, ...], revision: int, now: float) -> bool:
        """The engine told news; True when it is more than the pulse of known nodes."""
        matters = self.board.change(changes, now)
        self.revision = max(self.revision, revision)
        return matters

    def answered(self, tag: tuple[str, ...], answer: Answer, now: float) -> None:
        """The answer to a Commit."""
        sent = self._asked.pop(tag, now)
        if isinstance(answer, Rejected):
            self._tell(f"the store refuses {tag[0]}: {answer.because}", bad=True)
        if not isinstance(answer, Committed | Conflict):
            self._not_before[tag] = now if isinstance(answer, Unknown) else now + self.attempt
        what = tag[0]
        if what == "join" and isinstance(answer, Committed):
            self._born(answer.revision, sent)
        elif what == "renew":
            self._renewed(answer, sent, now)
        elif what == "leave":
            self._left_or_again(answer, now)
        elif what not in ("join", "fence", "settle", "found"):
            self.masteries.answered(tag, answer, now)

    # -- what is due --------------------------------------------------------------------------------------------------

    def step(self, now: float) -> list[Order]:
        """Look at everything; what is to be done now. To be called after each fact, and at `due`."""
        if self.revision < 0:
            if self.tenure.must_stop(now):
                self.masteries.all_down("the store has not answered in time")
            if self.ending:
                self._depart()
        elif not self.gone:
            if not self.birth:
                self._join(now)
            if self.birth:
                self._pulse(now)
                self._settle(now)
            self._fence(now)
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
            return self.tenure.stop_at if self._resuming and self.tenure.stop_at > now else FOREVER
        times = [self.masteries.due(now)]
        times += [at for tag, at in self._not_before.items() if tag not in self._asked]
        if self.birth:
            times.append(self._renew_at)
        elif self._rival is not None:
            times.append(self._given_up(self.me, self._rival[1]))
        if self.board.settled is False and self._unsettled_since is not None:
            times.append(self.tenure.fence_after(self._unsettled_since))
        for node in self.board.nodes.values():
            if node.name != self.me:
                times.append(self._given_up(node.name, node.seen))
        if self.ending:
            times.append(self._end_at)
        return min([at for at in times if at > now], default=FOREVER)

    def may_run(self, now: float) -> bool:
        """Whether our tenure lets us run what we master."""
        return bool(self.birth) and not self.tenure.must_stop(now)

    # -- asking -------------------------------------------------------------------------------------------------------

    def ask(self, tag: tuple[str, ...], transaction: Transaction, now: float) -> bool:
        """Commit, unless the same is asked already or was refused a moment ago."""
        if tag in self._asked or now < self._not_before.get(tag, 0.0):
            return False
        self._not_before.pop(tag, None)
        self._asked[tag] = now
        self.orders.append(Commit(tag, transaction))
        return True

    def alive(self) -> Compare:
        """What every change of ours depends on: that we have not been fenced."""
        return Compare(self._key, created=self.birth)

    def same(self, key: str) -> Compare:
        """It is as we have seen it."""
        return Compare(key, modified=self.board.modified.get(key, 0))

    def _tell(self, because: str, group: str = "", bad: bool = False) -> None:
        self.orders.append(Told(because, group, bad))

    def _value(self) -> str:
        self._seq += 1
        return records.encode(
            life=self.life,
            identity=self._identity,
            version=self._version,
            lifetime=self.tenure.lifetime,
            seq=self._seq,
        )

    # -- joining ------------------------------------------------------------------------------------------------------

    def _join(self, now: float) -> None:
        there = self.board.nodes.get(self.me)
        if there is not None and there.life == self.life:
            # our own: of a join whose answer was lost, or of the runner before us
            self._born(there.born, self._first_join or self.tenure.sent_at)
            return
        if self._resuming:
            # that life was ended while nobody ran here
            self._resuming = False
            self.life = self._new_life()
        if self.ending:
            return
        if not self.masteries.all_down("we are not yet a node of the cluster"):
            self.waiting = "what runs here has to be down first"
            return
        if there is None:
            self._rival = None
            self.waiting = "it is joining"
            if not self._first_join:
                self._first_join = now
            self.ask(("join",), Transaction((Compare(self._key, modified=0),), (Put(self._key, self._value()),)), now)
            return
        if there.identity and there.identity == self._identity:
            self.waiting = "the life before is being ended"
            self._remove(self.me, now)
            return
        if self._rival is None:
            self._rival = (there.modified, now)
        if self._rival[0] != there.modified:
            self.orders.append(
                Refuse(
                    f"cannot be node {self.me}: another runner lives under that name in this cluster"
                    f" ({there.identity or 'it does not say where'}); give this one another name with --node"
                )
            )
            self.gone = True
            return
        self.waiting = f"a node {self.me} was here before; it is given {self.tenure.lifetime:g} s to show that it lives"
        if now >= self._given_up(self.me, self._rival[1]):
            self._remove(self.me, now)

    def _given_up(self, name: str, seen: float) -> float:
        """When a node whose record we saw move last at `seen` may be removed."""
        return self.tenure.fence_after(seen, self.board.nodes[name].lifetime)

    def _born(self, birth: int, sent: float) -> None:
        resumed, self._resuming = self._resuming, False
        self.birth = birth
        self._first_join = 0.0
        self._rival = None
        self.waiting = ""
        self.tenure = self.tenure.replace(sent_at=sent)
        self._renew_at = 0.0 if resumed else sent + self.renew
        self.orders.append(Joined(self.life))
        self.orders.append(Arm(self.tenure.until))
        self._tell("taken up again as the node it was" if resumed else f"joined the cluster as {self.me}")
        self.masteries.born()

    # -- renewing -----------------------------------------------------------------------------------------------------

    def _pulse(self, now: float) -> None:
        if now >= self._renew_at:
            renewal = Transaction((self.alive(),), (Put(self._key, self._value()),))
            if self.ask(("renew",), renewal, now):
                self._renew_at = now + self.renew

    def _renewed(self, answer: Answer, sent: float, now: float) -> None:
        if not self.birth:
            return
        if isinstance(answer, Committed):
            before, self.tenure = self.tenure, self.tenure.renewed(sent)
            if self.tenure is not before:
                self.orders.append(Arm(self.tenure.until))
        elif isinstance(answer, Conflict):
            self._fenced(now)
        else:
            self._renew_at = now

    def _fenced(self, now: float) -> None:
        because = "this node was fenced: the others had not heard of it for a lifetime, or its record was removed"
        self.birth = 0
        self.life = self._new_life()
        self.tenure = self.tenure.replace(sent_at=now - self.tenure.lifetime)
        self.orders.append(Arm(now))
        self._tell(because, bad=True)
        self.masteries.lost(because)

    # -- others -------------------------------------------------------------------------------------------------------

    def _fence(self, now: float) -> None:
        """Remove nodes that have been silent for a lifetime and hold something that we could take."""
        if not self.may_run(now):
            return
        for node in list(self.board.nodes.values()):
            silent = now >= self._given_up(node.name, node.seen)
            if node.name != self.me and silent and self.masteries.is_wanted_from(node.name) and self._is_hooked(node):
                self._remove(node.name, now)

    def _is_hooked(self, node: records.Node) -> bool:
        """The hook, where there is one, has ended it."""
        if not self._hook:
            return True
        key = (node.name, node.modified)
        if key not in self._hooks:
            self._hooks[key] = None
            self.orders.append(Fence(node.name))
        return bool(self._hooks[key])

    def hooked(self, name: str, well: bool) -> None:
        """The fence hook has ended; when it failed it is tried again, for its node may still run what we would take."""
        for key, state in list(self._hooks.items()):
            if key[0] == name and state is None:
                if well:
                    self._hooks[key] = True
                else:
                    del self._hooks[key]

    def _remove(self, name: str, now: float) -> None:
        node = self.board.nodes[name]
        key = records.node_key(name)
        gone = Transaction((Compare(key, modified=node.modified),), (Delete(key), Delete(records.report_key(name))))
        if self.ask(("fence", name, str(node.modified)), gone, now) and name != self.me:
            self._tell(f"{name} has not been heard of for {now - node.seen:.1f} s: it is fenced", bad=True)

    def _settle(self, now: float) -> None:
        """A new store becomes a cluster's after a lifetime."""
        board = self.board
        if board.settled:
            self._unsettled_since = None
            return
        if board.settled is None:
            self._unsettled_since = None
            founded = Put(records.CLUSTER, records.encode(settled=False))
            self.ask(("found",), Transaction((Compare(records.CLUSTER, modified=0),), (founded,)), now)
            return
        if self._unsettled_since is None:
            self._unsettled_since = now
            seconds = self.tenure.fence_after(now) - now
            self._tell(f"the store is new: nothing is taken for {seconds:.1f} s, until what ran before is surely dead")
        elif now >= self.tenure.fence_after(self._unsettled_since):
            settled = Put(records.CLUSTER, records.encode(settled=True))
            self.ask(("settle",), Transaction((self.same(records.CLUSTER),), (settled,)), now)

    # -- leaving ------------------------------------------------------------------------------------------------------

    def end(self, now: float) -> None:
        """The runner ends: when everything is down, all that we hold is given up."""
        self.ending = True
        self._end_at = now

    def hopeless(self) -> None:
        """Something could not be stopped: our record stays, and the guard ends what is left before others take it."""
        self._depart()

    def _leave(self, now: float) -> None:
        if not self.birth:
            self._depart()
            return
        if not self.masteries.all_down("the runner ends"):
            return
        held = self.masteries.release_all()
        gone: tuple[Operation, ...] = (Delete(self._key), Delete(records.report_key(self.me)))
        self.ask(("leave",), Transaction((self.alive(),), gone + held), now)

    def _left_or_again(self, answer: Answer, now: float) -> None:
        if isinstance(answer, Committed | Conflict) or now > self._end_at + 3 * self.attempt:
            self._depart()

    def _depart(self) -> None:
        if not self.gone:
            self.gone = True
            self.birth = 0
            self.orders.append(Left())
