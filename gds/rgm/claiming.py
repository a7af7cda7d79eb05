"""What a node of a cluster could take: placement is asked, and slots are claimed. Pure: a part of rgm/mastery.py.

The first candidate claims at once, number k after k x 0.3 s, so that a favourite that lives but does not act blocks
nobody. A claim is one transaction: we live, the store is a cluster's and the same as before, the slot is as we saw it
(free, or of a life that is over), and so are the goal and the marks that speak against us.
"""

from __future__ import annotations

from gds.model.cluster import Cluster
from gds.model.store import Compare, Delete, Put, Transaction
from gds.rgm import placement, records
from gds.rgm.nodeorders import FOREVER
from gds.rgm.reading import goal_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Group
    from gds.model.store import Operation
    from gds.rgm.eligible import View
    from gds.rgm.mastery import Masteries
    from gds.rgm.member import Member
    from gds.rgm.placement import Decision

TURN = 0.3
"""Seconds that each candidate leaves to the one before it."""
MANY, REST = 100, 0.0001
"""With more groups than so many, placement is asked at most once in so many seconds for each of them: a thousand groups
that change one after the other cost a sixth of a core."""


class Claiming:
    """See the module."""

    def __init__(self, member: Member, masteries: Masteries) -> None:
        self._member = member
        self._masteries = masteries
        self.reasons: dict[str, str] = {}
        """Why each group was claimed last."""
        self.slow: dict[str, dict[str, int]] = {}
        """Whose turn it was before ours then: see Hold.slow."""
        self._open: dict[str, float] = {}
        """Since when we could claim it."""
        self._view: View = placement.view_of(Cluster())
        self._ranks: dict[str, int] = {}
        self._over: list[str] = []
        """Groups whose switch is over, and nobody has said so yet."""
        self._good_until = 0.0
        self._rests_until = 0.0

    def plan(self, now: float) -> None:
        """Placement is asked again when anything but pulses has come, when a node falls silent, a mark is over."""
        member, masteries = self._member, self._masteries
        if now < self._rests_until or not (masteries.stale or now >= self._good_until):
            return
        self._rests_until = now + (REST * len(masteries.groups) if len(masteries.groups) > MANY else 0.0)
        cluster = masteries.picture(now, told=False)
        times = [*member.fencing.silences(), *[at for at, _ in member.board.ends(masteries.groups)]]
        self._good_until = min([at for at in times if at > now], default=FOREVER)
        masteries.stale = False
        if cluster != masteries.cluster:
            masteries.cluster = cluster
            member.board.watch(cluster)
            self._view = placement.view_of(cluster)
            masteries.decisions = placement.plan(self._view)
            self._over = [name for name, decision in masteries.decisions.items() if decision.over]
            self._ranks.clear()

    def consider(self, group: Group, now: float) -> None:
        name = group.name
        decision = self._masteries.decisions.get(name)
        idle = name not in self._masteries.held and self._masteries.locals[name].down and self._member.board.settled
        if decision is None or not decision.take or not idle:
            self._open.pop(name, None)
            return
        since = self._open.setdefault(name, now)
        rank = self.rank(name)
        if rank < 0 or now < since + TURN * rank:
            return
        self.claim(group, decision, now)

    def rank(self, group: str) -> int:
        """How many have to be waited for; -1: we are no candidate."""
        if group not in self._ranks:
            self._ranks[group] = self._ranked(group)
        return self._ranks[group]

    def _ranked(self, group: str) -> int:
        take, me = self._masteries.decisions[group].take, self._member.me
        if me in take:
            return 0
        able = [c.node for c in placement.candidates(self._view, group) if not c.because_not]
        others = [node for node in able if node not in take]
        return others.index(me) + 1 if me in others else -1

    def claim(self, group: Group, decision: Decision, now: float) -> None:
        """Ask for a slot that nobody holds."""
        member = self._member
        board, name = member.board, group.name
        slots = board.slots.get(name, {})
        index = next((i for i in range(group.maximum_primaries) if i not in slots or not board.is_held(slots[i])), -1)
        if index < 0:
            return
        goal = records.goal_key(name)
        speaking = (records.drain_key(member.me), records.avoid_key(name, member.me), goal)
        compares = tuple([member.same(key) for key in (records.slot_key(name, index), *speaking)])
        # a switch is over when the last node that it names takes it, or when another does in its place
        last = decision.take == (member.me,) and not decision.next and not decision.leave
        switched = self._switch_over(name) if last or member.me not in decision.take else ()
        before = slots.get(index)
        because = decision.because
        self.slow[name] = {}
        if member.me not in decision.take:
            self.slow[name] = {node: board.nodes[node].born for node in decision.take if node in board.nodes}
            because = f"{because}, but did not act; {member.me} is next"
        over = f"; the life of {before.node}, which had it, is over" if before is not None else ""
        self.bid(name, index, because + over, compares, switched, now)

    def _switch_over(self, name: str) -> tuple[Operation, ...]:
        """The switch that was decided upon is over; one that came since is not."""
        wanted, cluster = self._member.board.goals.get(name), self._masteries.cluster
        seen = cluster.goals.get(name) if cluster is not None else None
        if wanted is None or seen is None or not wanted.targets:
            return ()
        if (wanted.targets, wanted.request) != (seen.targets, seen.request):
            return ()
        return (Put(records.goal_key(name), goal_value(wanted.replace(targets=()))),)

    def end_switches(self, now: float) -> None:
        """What a switch was decided to be over for without anybody's claim is said so by one node: the first of its
        masters, or the first that lives."""
        member, alive = self._member, self._view.alive()
        for name in self._over:
            stay = self._masteries.decisions[name].stay
            over = self._switch_over(name) if member.me in (stay or alive)[:1] else ()
            if over:
                same = member.same(records.goal_key(name))
                member.ask(("switched", name), Transaction((member.alive(), same), over), now)

    def bid(
        self,
        group: str,
        index: int,
        because: str,
        compares: tuple[Compare, ...],
        also: tuple[Operation, ...],
        now: float,
    ) -> None:
        """One transaction: it is ours, if we live, and if nobody has to wait for what ran before this store was."""
        member = self._member
        self.reasons[group] = because
        facts = records.encode(node=member.me, born=member.birth, because=because)
        taken = Put(records.slot_key(group, index), facts)
        bid = Transaction((member.alive(), member.same_cluster(), *compares), (taken, *also))
        member.ask(("claim", group, str(index), str(member.birth)), bid, now)

    def tidy(self, now: float) -> None:
        """Marks that count no longer are removed by who made them, or whom they bar."""
        member = self._member
        for mark in member.board.over(self._masteries.groups, now):
            key = records.avoid_key(mark.group, mark.node)
            if member.me in (mark.by, mark.node) and key not in member.board.strange:
                over = Transaction((Compare(key, modified=mark.modified),), (Delete(key),))
                member.ask(("tidy", key), over, now)

    def times(self) -> list[float]:
        """When it is our turn, or placement may be asked again."""
        rests = [self._rests_until] if self._masteries.stale else []
        return [*rests, *[at + TURN * self.rank(group) for group, at in self._open.items()]]

    def forget(self) -> None:
        """We were fenced, or the files say something else: whose turn it is begins anew."""
        self._open.clear()
