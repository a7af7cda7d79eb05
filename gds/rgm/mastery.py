"""What this node masters, wants to master and gives up. Pure: a part of rgm/member.py, which owns the orders.

- Which node should have a group is placement's to say, and it says the same on every node. The first candidate claims
  at once, number k after k x 0.3 s, so that a favourite that lives but does not act blocks nobody.
- A claim is one transaction: we live, the slot is as we saw it (free, or of a life that is over), and so are the goal
  and the marks that speak against us. Its revision is the fencing token.
- What our slot says is ours though we never heard so (the answer was lost) is taken up, or given back.
- A group is given up in this order: everything of it down, then the slot. What cannot be stopped keeps its slot, and so
  nobody else takes it: better down than twice up.
- No renewal in time: everything goes down, the slots stay; if we renew before anybody has fenced us, it all comes up
  again here, with the same token.
- A giveover asks every candidate its Monitor_check first; the first yes lets it happen. If all refuse it is cancelled,
  with each reason. Those that refused, and we, are marked for pingpong_interval.
"""

from __future__ import annotations

from gds.model.cluster import Goal
from gds.model.store import Committed, Compare, Delete, Put, Transaction
from gds.model.value import Value
from gds.rgm import placement, records
from gds.rgm.member import FOREVER, Cancelled, Check, Offline, Online

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gds.model.cluster import Cluster
    from gds.model.resource import Group
    from gds.model.store import Answer, Operation
    from gds.rgm.member import Member
    from gds.rgm.placement import Decision

TURN = 0.3
"""Seconds that each candidate leaves to the one before it."""
UP, DOWN, ASKING, LEAVING = "up", "down", "asking", "leaving"
"""Phases of what we hold: it runs or comes up here; it may not run at present; a giveover is being asked for; it is
being given up."""


class Local(Value):
    """How a group is on this node. `down`: nothing of it is left. `stuck`: something could not be stopped."""

    state: str = "OFFLINE"
    because: str = ""
    down: bool = True
    stuck: bool = False
    resources: tuple[tuple[str, str, str], ...] = ()
    """(name, state, status) of each."""


class Hold:
    """A slot of ours."""

    def __init__(self, slot: int, token: int, phase: str) -> None:
        self.slot = slot
        self.token = token
        self.phase = phase
        self.because = ""
        self.avoid: dict[str, str] = {}
        """Nodes to be marked when it is given up, and why."""
        self.request = ""
        self.until = FOREVER
        self.asked: set[str] = set()
        self.told = False


class Masteries:
    """See the module. `digests`: of what our files say of each group. `limits`: seconds that Monitor_check may take,
    for each group that has one."""

    def __init__(
        self, member: Member, groups: tuple[Group, ...], digests: Mapping[str, str], limits: Mapping[str, float]
    ) -> None:
        self._member = member
        member.masteries = self
        self.groups = groups
        self._digests = dict(digests)
        self._limits = dict(limits)
        self.held: dict[str, Hold] = {}
        self.locals: dict[str, Local] = {group.name: Local() for group in groups}
        self._open: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._checked: dict[tuple[str, str], str] = {}
        self._ordered_down: set[str] = set()
        self._reported = ""
        self._was_down = False
        self.decisions: dict[str, Decision] = {}
        self.cluster: Cluster | None = None
        self._planned_at = -1.0
        self.stale = True
        """The picture has changed since the last plan."""

    # -- facts --------------------------------------------------------------------------------------------------------

    def redeclare(self, groups: tuple[Group, ...], digests: Mapping[str, str], limits: Mapping[str, float]) -> None:
        """The files say something else now."""
        self.groups, self._digests, self._limits = groups, dict(digests), dict(limits)
        for group in groups:
            self.locals.setdefault(group.name, Local())
        self.stale = True

    def local(self, group: str, how: Local) -> None:
        """How it is here."""
        self.locals[group] = how
        if how.down:
            self._ordered_down.discard(group)
        self.stale = True

    def born(self) -> None:
        """We are a member."""
        self.stale = True

    def lost(self, because: str) -> None:
        """We were fenced: nothing is ours any more."""
        for group in self.held:
            self._down(group, because)
        self.held.clear()
        self._checked.clear()
        self._reported = ""

    def killed(self, because: str) -> None:
        """The guard has ended everything here, though we may have renewed since."""
        for group, hold in self.held.items():
            if hold.phase in (UP, ASKING):
                hold.phase = DOWN
                self._down(group, because)

    def answered(self, tag: tuple[str, ...], answer: Answer, now: float) -> None:
        """Of a transaction of ours."""
        self.stale = True
        if tag[0] == "claim" and isinstance(answer, Committed):
            self._member._tell(f"taken: {self._reasons.get(tag[1], '')}", tag[1])
            self._take(tag[1], int(tag[2]), answer.revision)
        elif tag[0] == "release" and isinstance(answer, Committed):
            self._released(tag[1], int(tag[2]))
        elif tag[0] == "report" and not isinstance(answer, Committed):
            self._reported = ""

    def checked(self, group: str, request: str, because: str, now: float) -> None:
        """Our Monitor_check of a group has answered: "" or why not."""
        key = records.check_key(group, self._member.me)
        said = Put(key, records.encode(request=request, answer=because, answered=True))
        changes = (self._member.alive(), self._member.same(key))
        self._member.ask(("check", group, request), Transaction(changes, (said,)), now)

    # -- questions ----------------------------------------------------------------------------------------------------

    def all_down(self, because: str) -> bool:
        """Nothing runs here; what does is ordered down."""
        for group, how in self.locals.items():
            if not how.down:
                self._down(group, because)
        return all(how.down for how in self.locals.values())

    def is_wanted_from(self, node: str) -> bool:
        """It holds something that we could take."""
        declared = {group.name for group in self.groups}
        return any(s.node == node for g in declared for s in self._member.board.holders(g))

    def picture(self, now: float) -> Cluster:
        """The cluster as we see it."""
        return self._member.board.cluster(self.groups, self._member.tenure, now)

    def somewhere(self, group: str, now: float) -> tuple[tuple[str, ...], str]:
        """Who could take a group from us now; and, when nobody could, why."""
        able, unable = placement.may_give_over(self.picture(now), group, self._member.me)
        why = "; ".join(f"{bar.node}: {bar.because}" for bar in unable)
        return able, why or "there is no other node to run it on"

    def token(self, group: str) -> int:
        """The fencing token of our mastery; 0: we are not its master."""
        hold = self.held.get(group)
        return hold.token if hold is not None else 0

    # -- the step -----------------------------------------------------------------------------------------------------

    def step(self, now: float) -> None:
        """What is to be done, given everything that is known."""
        member = self._member
        if not member.birth or member.ending:
            return
        self._adopt(now)
        may_run = member.may_run(now)
        if not may_run and self.held and not self._was_down:
            member._tell(
                f"no renewal since {now - member.tenure.sent_at:.1f} s: everything of the cluster stops", "", True
            )
        self._was_down = not may_run
        for group, hold in list(self.held.items()):
            self._hold(group, hold, may_run, now)
        for group, how in self.locals.items():
            if group not in self.held and not how.down:
                self._down(group, "this node is not its master")
        if may_run:
            self._plan(now)
            for each in self.groups:
                self._consider(each, now)
            self._answer_checks(now)
            self._tidy(now)
        self._report(now)

    def due(self, now: float) -> float:
        """When to look again."""
        member = self._member
        times = [at + TURN * rank for at, rank in self._turns()] + [hold.until for hold in self.held.values()]
        if self.held and member.birth:
            times += [member.tenure.stop_at]
        intervals = {group.name: group.pingpong_interval for group in self.groups}
        times += [m.seen + intervals[m.group] for m in member.board.marks.values() if m.group in intervals]
        return min([at for at in times if at > now], default=FOREVER)

    def _turns(self) -> list[tuple[float, int]]:
        return [(at, self._rank(group)) for group, at in self._open.items()]

    def _plan(self, now: float) -> None:
        """Placement is asked again when anything but pulses has come, and when a node falls silent."""
        cluster = self.picture(now)
        if cluster != self.cluster or self.stale:
            self.stale = False
            self.cluster = cluster
            self.decisions = placement.plan(cluster)

    # -- what we hold -------------------------------------------------------------------------------------------------

    def _adopt(self, now: float) -> None:
        """Slots that are ours by the store, and what we thought was ours and is not."""
        member = self._member
        for group, slots in member.board.slots.items():
            for slot in slots.values():
                if slot.node != member.me or slot.born != member.birth:
                    continue
                hold = self.held.get(group)
                if hold is None and group in self.locals:
                    # what runs already was taken back from the runner before us, under this very mastery
                    running = not self.locals[group].down and group not in self._ordered_down
                    self.held[group] = Hold(slot.index, slot.token, UP if running else DOWN)
                elif hold is None or hold.slot != slot.index:
                    self._release(group, slot.index, slot.token, {}, now)
        for group, hold in list(self.held.items()):
            found = member.board.slots.get(group, {}).get(hold.slot)
            if hold.token <= member.revision and (found is None or found.token != hold.token):
                del self.held[group]
                member._tell("its slot was taken from us in the store, by no node of the cluster", group, True)
                self._down(group, "its slot was taken from us")

    def _take(self, group: str, index: int, token: int) -> None:
        if group in self.locals and group not in self.held:
            self.held[group] = Hold(index, token, DOWN)

    def _hold(self, group: str, hold: Hold, may_run: bool, now: float) -> None:
        how = self.locals[group]
        if not may_run:
            if hold.phase in (UP, ASKING):
                hold.phase = DOWN
                self._down(group, "contact with the cluster is lost: no renewal in time")
            return
        decision = self.decisions.get(group)
        leave = dict(decision.leave).get(self._member.me) if decision is not None else None
        if leave is not None and hold.phase != LEAVING:
            self.leave(group, leave, {})
        if hold.phase == ASKING:
            self._hear(group, hold, now)
        elif hold.phase == DOWN and how.down:
            hold.phase = UP
            self._member.orders.append(Online(group, hold.token, f"master with token {hold.token}"))
        elif hold.phase == LEAVING:
            if how.down:
                self._release(group, hold.slot, hold.token, hold.avoid, now)
            elif how.stuck and not hold.told:
                hold.told = True
                self._member._tell(f"{how.because}: it is not given up, and nobody else may start it", group, True)

    def _down(self, group: str, because: str) -> None:
        if group not in self._ordered_down and not self.locals[group].down:
            self._ordered_down.add(group)
            self._member.orders.append(Offline(group, because))

    def leave(self, group: str, because: str, avoid: Mapping[str, str]) -> None:
        """Give it up; `avoid`: who is not to take it for a while, and why."""
        hold = self.held[group]
        hold.phase, hold.because, hold.avoid, hold.until = LEAVING, because, dict(avoid), FOREVER
        self._member._tell(because, group)
        self._down(group, because)
        self.stale = True

    def _release(self, group: str, slot: int, token: int, avoid: Mapping[str, str], now: float) -> None:
        key = records.slot_key(group, slot)
        marks = [
            Put(records.avoid_key(group, node), records.encode(by=self._member.me, because=why))
            for node, why in avoid.items()
        ]
        # whoever we are by now: that slot, as we took it
        self._member.ask(
            ("release", group, str(slot)), Transaction((Compare(key, modified=token),), (Delete(key), *marks)), now
        )

    def release_all(self) -> tuple[Operation, ...]:
        """The runner ends: nothing is held any more."""
        return tuple(Delete(records.slot_key(group, hold.slot)) for group, hold in self.held.items())

    def _released(self, group: str, slot: int) -> None:
        hold = self.held.get(group)
        if hold is not None and hold.slot == slot:
            del self.held[group]
            self._member.board.slots.get(group, {}).pop(slot, None)
            self._member._tell("given up", group)

    # -- what we could take -------------------------------------------------------------------------------------------

    def _consider(self, group: Group, now: float) -> None:
        name = group.name
        decision = self.decisions.get(name)
        idle = name not in self.held and self.locals[name].down and self._member.board.settled
        if decision is None or not decision.take or not idle:
            self._open.pop(name, None)
            return
        since = self._open.setdefault(name, now)
        rank = self._rank(name)
        if rank < 0 or now < since + TURN * rank:
            return
        self._claim(group, decision, now)

    def _rank(self, group: str) -> int:
        """How many have to be waited for; -1: we are no candidate."""
        decision = self.decisions.get(group)
        if decision is None or self.cluster is None:
            return -1
        me = self._member.me
        if me in decision.take:
            return 0
        able = [c.node for c in placement.candidates(self.cluster, group) if not c.because_not]
        others = [node for node in able if node not in decision.take]
        return others.index(me) + 1 if me in others else -1

    def _claim(self, group: Group, decision: Decision, now: float) -> None:
        member = self._member
        board = member.board
        slots = board.slots.get(group.name, {})
        index = next((i for i in range(group.maximum_primaries) if i not in slots or not board.is_held(slots[i])), -1)
        if index < 0:
            return
        key, goal = records.slot_key(group.name, index), records.goal_key(group.name)
        compares = [
            member.alive(),
            member.same(key),
            member.same(goal),
            member.same(records.drain_key(member.me)),
            member.same(records.avoid_key(group.name, member.me)),
        ]
        operations: list[Operation] = [
            Put(key, records.encode(node=member.me, born=member.birth, because=decision.because))
        ]
        wanted = board.goals.get(group.name)
        if wanted is not None and wanted.targets:
            # the switch is over, whoever takes it
            operations.append(Put(goal, goal_value(wanted.replace(targets=()))))
        claim = Transaction(tuple(compares), tuple(operations))
        if member.ask(("claim", group.name, str(index)), claim, now):
            self._reasons[group.name] = decision.because

    # -- giveover -----------------------------------------------------------------------------------------------------

    def giveover(self, group: str, because: str, now: float) -> None:
        """It shall run elsewhere; asked for by its monitor, a method or a person."""
        member = self._member
        hold = self.held.get(group)
        if hold is None or hold.phase in (LEAVING, DOWN):
            return
        able, why = self.somewhere(group, now)
        if not able:
            member.orders.append(Cancelled(group, why))
            return
        if group not in self._limits:
            self.leave(group, because, {member.me: because})
            return
        hold.phase, hold.because = ASKING, because
        hold.request = f"{member.me}.{hold.token}.{now:.3f}"
        hold.until = now + self._limits[group] + 2 * member.attempt
        hold.asked = set(able)
        hold.avoid = {}
        for node in able:
            key = records.check_key(group, node)
            wanted = Put(key, records.encode(request=hold.request, answered=False))
            tag = ("ask", group, node, hold.request)
            member.ask(tag, Transaction((member.alive(),), (wanted,)), now)

    def _hear(self, group: str, hold: Hold, now: float) -> None:
        """What the candidates say."""
        board = self._member.board
        for node in sorted(hold.asked):
            said = board.checks.get((group, node), {})
            if said.get("request") != hold.request or not said.get("answered"):
                continue
            hold.asked.discard(node)
            refusal = str(said.get("answer", ""))
            if not refusal:
                barred = {**hold.avoid, self._member.me: hold.because}
                self.leave(group, f"{hold.because}; {node} can take it", barred)
                return
            hold.avoid[node] = f"its Monitor_check says: {refusal}"
        if hold.asked and now >= hold.until:
            hold.avoid.update(dict.fromkeys(hold.asked, "it did not answer in time"))
            hold.asked.clear()
        if not hold.asked:
            hold.phase, hold.until = UP, FOREVER
            reasons = "; ".join(f"{node}: {why}" for node, why in hold.avoid.items())
            self._member.orders.append(Cancelled(group, f"nobody can take it: {reasons}"))

    def _answer_checks(self, now: float) -> None:
        """Others want to know whether we could take something."""
        member = self._member
        for (group, node), said in member.board.checks.items():
            request = str(said.get("request", ""))
            if node != member.me or said.get("answered") or self._checked.get((group, node)) == request:
                continue
            self._checked[group, node] = request
            if group not in self.locals:
                self.checked(group, request, "its files do not declare it", now)
            elif group not in self._limits:
                self.checked(group, request, "", now)
            else:
                member.orders.append(Check(group, request))

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _tidy(self, now: float) -> None:
        """Marks that count no longer are removed by who made them, or whom they bar."""
        member = self._member
        for mark in member.board.over(self.groups, now):
            if member.me in (mark.by, mark.node):
                key = records.avoid_key(mark.group, mark.node)
                over = Transaction((Compare(key, modified=mark.modified),), (Delete(key),))
                member.ask(("tidy", key), over, now)

    def _report(self, now: float) -> None:
        """Tell the others how our groups are, when that has changed."""
        member = self._member
        said = records.encode(born=member.birth, groups={g.name: self._of(g.name) for g in self.groups})
        if said != self._reported:
            changes = Transaction((member.alive(),), (Put(records.report_key(member.me), said),))
            if member.ask(("report",), changes, now):
                self._reported = said

    def _of(self, group: str) -> dict[str, Any]:
        how = self.locals[group]
        return {
            "state": how.state,
            "because": how.because,
            "digest": self._digests.get(group, ""),
            "token": self.token(group),
            "resources": {name: [state, status] for name, state, status in how.resources},
        }


def goal_value(goal: Goal) -> str:
    """As it stands in the store."""
    return records.encode(
        online=goal.online,
        suspended=goal.suspended,
        managed=goal.managed,
        targets=list(goal.targets),
        request=goal.request,
    )
