"""What this node masters, wants to master and gives up. Pure: a part of rgm/member.py, which owns the orders.

- Which node should have a group is placement's to say, and it says the same on every node; what we could take is
  claimed in one transaction (rgm/claiming.py), and the revision of that is the fencing token.
- What a slot says is ours though we never heard so (the answer was lost) is claimed anew before anything runs: what we
  read may be old, and a release of it under way. Only what the runner before us left running is taken up as it is.
- A group is given up in this order: everything of it down, then the slot. What cannot be stopped keeps its slot, and so
  nobody else takes it: better down than twice up.
- No renewal in time: everything goes down, the slots stay; if we renew before anybody has fenced us, it all comes up
  again here, with the same token.
- The runner ends: each group is given up as soon as nothing of it is left, whatever others take; nothing is taken.
- A giveover: rgm/giving.py.
"""

from __future__ import annotations

from gds.model.store import Committed, Compare, Conflict, Delete, Transaction
from gds.rgm import placement, records
from gds.rgm.claiming import Claiming
from gds.rgm.giving import Giving
from gds.rgm.hold import ASKING, DOWN, LEAVING, UP, Hold
from gds.rgm.hold import Local as Local
from gds.rgm.nodeorders import FOREVER, Offline, Online
from gds.rgm.reading import goal_value as goal_value
from gds.rgm.telling import Report
from gds.rgm.unread import why_lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gds.model.cluster import Cluster
    from gds.model.resource import Group
    from gds.model.store import Answer, Put
    from gds.rgm.member import Member
    from gds.rgm.placement import Decision
    from gds.rgm.records import Slot

MARKS = 100
"""So many marks at most are made in one transaction: a store takes only so many operations."""
ENDS = "the runner ends"
UNDECLARED = "its files do not declare it any more"


class Masteries:
    """See the module. `digests`: of what our files say of each group. `limits`: seconds that Monitor_check may take,
    for each group that has one."""

    def __init__(
        self, member: Member, groups: tuple[Group, ...], digests: Mapping[str, str], limits: Mapping[str, float]
    ) -> None:
        self._member = member
        member.masteries = self
        self.giving = Giving(member, self)
        self.claiming = Claiming(member, self)
        self.groups: tuple[Group, ...] = ()
        self.declared: dict[str, Group] = {}
        self.held: dict[str, Hold] = {}
        self.locals: dict[str, Local] = {}
        self._ordered_down: set[str] = set()
        self._resumed = False
        self._report = Report(member, self)
        self._was_down = False
        self.departing = False
        """The runner ends, and has asked everything to stop."""
        self.decisions: dict[str, Decision] = {}
        self.cluster: Cluster | None = None
        self.stale = True
        """The picture has changed since the last plan."""
        self.redeclare(groups, digests, limits)

    # -- facts --------------------------------------------------------------------------------------------------------

    def redeclare(self, groups: tuple[Group, ...], digests: Mapping[str, str], limits: Mapping[str, float]) -> None:
        """The files say something else now. Of a group that they name no more `local` is still to be told until it is
        down."""
        self.groups, self._report.digests, self.giving.limits = groups, dict(digests), dict(limits)
        self.declared = {group.name: group for group in groups}
        for group in groups:
            self.locals.setdefault(group.name, Local())
        for name, hold in self.held.items():
            if name not in self.declared and hold.phase != LEAVING:
                self.leave(name, UNDECLARED, {})
        self._drop_undeclared()
        self.claiming.forget()
        self.stale = self._report.is_old = True

    def local(self, group: str, how: Local) -> None:
        """How it is here."""
        before = self.locals.get(group)
        if how.down or (before is not None and before.stuck and not how.stuck):
            self._ordered_down.discard(group)
        self.locals[group] = how
        self._drop_undeclared()
        self._report.is_old |= how != before

    def _drop_undeclared(self) -> None:
        for group in [g for g, how in self.locals.items() if how.down and g not in self.declared]:
            if group not in self.held:
                del self.locals[group]

    def born(self, resumed: bool) -> None:
        """We are a member; `resumed`: with the life of the runner before us."""
        self._resumed = resumed
        self.stale = self._report.is_old = True

    def lost(self, because: str) -> None:
        """We were fenced: nothing is ours any more. Each group tells so, also one that is down already."""
        for group in self.held:
            self._member.tell(because, group, True)
            self._down(group, because)
        self.held.clear()
        self.claiming.forget()
        self.giving.forget()

    def ended(self, because: str) -> None:
        """What the runner before us left running may not go on: its life was ended."""
        for group, how in self.locals.items():
            if not how.down:
                self._member.tell(because, group, True)
                self._down(group, because)

    def killed(self, because: str) -> None:
        """The guard has ended everything here, though we may have renewed since."""
        for group, hold in self.held.items():
            if hold.phase in (UP, ASKING):
                hold.phase = DOWN
                self._down(group, because)

    def answered(self, tag: tuple[str, ...], answer: Answer) -> None:
        """Of a transaction of ours."""
        if tag[0] == "claim" and isinstance(answer, Committed):
            if tag[3] == str(self._member.birth):
                self._take(tag[1], int(tag[2]), answer.revision)
        elif tag[0] == "release" and isinstance(answer, Committed | Conflict):
            self._released(tag[1], int(tag[2]), int(tag[3]))
        elif tag[0] == "report" and not isinstance(answer, Committed):
            self._report.failed()

    def giveover(self, group: str, because: str, now: float, trial: bool = False) -> str:
        """It shall run elsewhere; asked for by its monitor, a method or a person. The answer: see Giving.begin."""
        return self.giving.begin(group, because, now, trial)

    def checked(self, group: str, request: str, because: str, now: float) -> None:
        """Our Monitor_check of a group has answered: "" or why not."""
        self.giving.checked(group, request, because, now)

    # -- questions ----------------------------------------------------------------------------------------------------

    def all_down(self, because: str) -> bool:
        """Nothing runs here; what does is ordered down."""
        for group, how in self.locals.items():
            if not how.down:
                self._down(group, because)
        return all(how.down for how in self.locals.values())

    def picture(self, now: float, told: bool = True) -> Cluster:
        """The cluster as we see it. `told`: see Board.cluster."""
        return self._member.board.cluster(self.groups, self._member.tenure, now, told)

    def somewhere(self, group: str, now: float) -> tuple[str, tuple[str, ...], str]:
        """Which group would be given over, another than this one when it hands its failovers on (+++); who could take
        it from us now; and, when nobody could, why."""
        found = placement.give_over(self.picture(now), group, self._member.me)
        why = found.because or "; ".join(f"{node}: {because}" for node, because in found.refused)
        able = () if found.because else found.candidates
        return found.group, able, why or "there is no other node to run it on"

    def token(self, group: str) -> int:
        """The fencing token of our mastery; 0: we are not its master."""
        hold = self.held.get(group)
        return hold.token if hold is not None else 0

    def is_leaving(self, group: str) -> bool:
        """It may soon be given up here, and how it is says little of what becomes of it."""
        hold = self.held.get(group)
        return hold is not None and hold.phase in (ASKING, LEAVING)

    def stays(self, hold: Hold) -> None:
        """Nobody takes it: what the others were told of it may be old."""
        hold.phase, hold.until = UP, FOREVER
        self._report.is_old = True

    def tokens(self) -> dict[str, int]:
        """The fencing token of each group that we have and are not giving up."""
        return {group: hold.token for group, hold in self.held.items() if hold.phase != LEAVING}

    # -- the step -----------------------------------------------------------------------------------------------------

    def step(self, now: float) -> None:
        """What is to be done, given everything that is known."""
        member = self._member
        if not member.birth or member.ending:
            return
        may_run = member.may_run(now)
        self._adopt(may_run, now)
        self._lose_what_is_gone()
        if self.departing:
            self._depart()
        if not may_run and self.held and not self._was_down:
            silent = now - member.tenure.sent_at
            member.tell(f"no renewal since {silent:.1f} s: everything of the cluster stops", bad=True)
        self._was_down = not may_run
        if may_run:
            self.claiming.plan(now)
        for group, hold in list(self.held.items()):
            self._hold(group, hold, may_run, now)
        for group, how in self.locals.items():
            if group not in self.held and not how.down:
                self._down(group, "this node is not its master")
        if may_run:
            for each in () if self.departing else self.groups:
                self.claiming.consider(each, now)
            self.giving.answer(now)
            self.claiming.end_switches(now)
            self.claiming.tidy(now)
        self._report.step(now)

    def due(self, now: float) -> float:
        """When to look again."""
        member = self._member
        times = [*self.claiming.times(), *[hold.until for hold in self.held.values() if hold.phase == ASKING]]
        if self.held and member.birth:
            times.append(member.tenure.stop_at)
        times += [at for at, _ in member.board.ends(self.groups)]
        return min([at for at in times if at > now], default=FOREVER)

    # -- what we hold -------------------------------------------------------------------------------------------------

    def _adopt(self, may_run: bool, now: float) -> None:
        """Slots that are ours by what the store said, and of which we do not know."""
        resumed, self._resumed = self._resumed, False
        member = self._member
        for slots in list(member.board.slots.values()):
            for slot in slots.values():
                if slot.node == member.me and slot.born == member.birth:
                    self._own(slot, resumed, may_run, now)

    def _own(self, slot: Slot, resumed: bool, may_run: bool, now: float) -> None:
        group = slot.group
        hold, how = self.held.get(group), self.locals.get(group, Local())
        if hold is not None:
            if hold.slot != slot.index:
                self._release(group, slot.index, slot.token, (), now)
        elif resumed and not how.down:
            # its release cannot be under way, for it is not down; what was being stopped is started again when it is
            stopping = how.stuck or how.state == "PENDING_OFFLINE"
            self.held[group] = Hold(slot.index, slot.token, DOWN if stopping else UP)
            if group not in self.declared:
                self.leave(group, UNDECLARED, {})
            elif stopping:
                self._down(group, "the runner before was stopping it")
        elif group not in self.declared:
            if how.down:
                self._release(group, slot.index, slot.token, (), now)
        elif how.down and may_run and not self.departing:
            key = records.slot_key(group, slot.index)
            self.claiming.bid(group, slot.index, slot.because, (Compare(key, slot.token),), (), now)

    def _depart(self) -> None:
        """Give up what we hold. It is being stopped already, with all that uses it first."""
        for group, hold in self.held.items():
            if hold.phase not in (ASKING, LEAVING):
                self._ordered_down.add(group)
                self.leave(group, ENDS, {})

    def _lose_what_is_gone(self) -> None:
        """What we thought was ours."""
        member = self._member
        for group, hold in list(self.held.items()):
            found = member.board.slots.get(group, {}).get(hold.slot)
            ours = found is not None and found.token == hold.token and found.node == member.me
            if hold.token > member.revision or ours:
                continue
            if hold.phase == LEAVING and self.locals[group].down:
                self._released(group, hold.slot, hold.token)  # the answer was lost
                continue
            del self.held[group]
            self._report.is_old = True
            why = why_lost(found)
            member.tell(why, group, True)
            self._down(group, why)

    def _take(self, group: str, index: int, token: int) -> None:
        if group in self.declared and group not in self.held:
            hold = self.held[group] = Hold(index, token, DOWN)
            hold.slow = self.claiming.slow.pop(group, {})
            self._report.is_old = True
            self._member.tell(f"taken: {self.claiming.reasons.get(group, '')}", group)

    def _hold(self, group: str, hold: Hold, may_run: bool, now: float) -> None:
        how = self.locals[group]
        if not may_run:
            if hold.phase in (UP, ASKING):
                hold.phase = DOWN
                self._down(group, f"contact with the cluster is lost: {self._member.lost()}")
            return
        decision = self.decisions.get(group)
        leave = dict(decision.leave).get(self._member.me) if decision is not None else None
        if decision is not None and leave is not None and hold.phase != LEAVING and not self._is_vain(hold, decision):
            self.leave(group, leave, {})
        if hold.phase == ASKING:
            self.giving.hear(group, hold, now)
        elif hold.phase == DOWN and how.down:
            hold.phase = UP
            self._member.orders.append(Online(group, hold.token, f"master with token {hold.token}"))
        elif hold.phase == LEAVING and how.down:
            self._release(group, hold.slot, hold.token, hold.marks(group, self._member.me), now)
        elif hold.phase in (LEAVING, DOWN):
            self._down(group, hold.because or "it may not run now")  # also what was started meanwhile
            if hold.phase == LEAVING and how.stuck and not hold.told:
                hold.told = True
                self._member.tell(f"{how.because}: it is not given up, and nobody else may start it", group, True)

    def _is_vain(self, hold: Hold, decision: Decision) -> bool:
        """It would fail back to nodes that lived when it was their turn, and did not take it: down once more, for
        nothing. They get it when they have joined anew, or by a switch."""
        nodes = self._member.board.nodes
        better = (*decision.take, *decision.next)
        slow = [name for name in better if name in nodes and hold.slow.get(name) == nodes[name].born]
        return len(slow) == len(better) and self._member.me in decision.failback[: len(better)]

    def _down(self, group: str, because: str) -> None:
        if group not in self._ordered_down and not self.locals[group].down:
            self._ordered_down.add(group)
            self._member.orders.append(Offline(group, because))

    def leave(self, group: str, because: str, avoid: Mapping[str, str]) -> None:
        """Give it up; `avoid`: who is not to take it for a while, and why."""
        hold = self.held[group]
        hold.phase, hold.because, hold.avoid = LEAVING, because, dict(list(avoid.items())[-MARKS:])
        self._member.tell(because, group)
        self._down(group, because)

    def _release(self, group: str, slot: int, token: int, marks: Iterable[Put], now: float) -> None:
        key = records.slot_key(group, slot)
        tag, as_we_took_it = ("release", group, str(slot), str(token)), Compare(key, modified=token)
        self._member.ask(tag, Transaction((as_we_took_it, *self._member.at_home()), (Delete(key), *marks)), now)

    def _released(self, group: str, slot: int, token: int) -> None:
        member = self._member
        found = member.board.slots.get(group, {}).get(slot)
        if found is not None and found.node == member.me:
            # another's is not what we gave up, though in a store that was wiped it may have its number
            member.board.vanish(records.slot_key(group, slot), token)
        self.stale = self._report.is_old = True
        hold = self.held.get(group)
        if hold is not None and hold.token == token:
            del self.held[group]
            member.tell("given up", group)
            self._drop_undeclared()
