"""Which nodes can take a group, in which order, and why the others cannot. The rules are those of placement.py."""

from __future__ import annotations

from gds.model.cluster import Goal
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.cluster import Cluster, Mastery, Peer
    from gds.model.resource import Group
    from gds.rgm.affinity import Web, Wish

UP = ("ONLINE", "ONLINE_FAULTED")
UNSTEADY = ("PENDING_OFFLINE", "ERROR_STOP_FAILED")
"""States of a mastery on which no other group can build."""
NO_GOAL = Goal()


class Decision(Value):
    """What should become of a group. `take`: nodes that should become master now, the best first. `leave`: (node, why)
    of masters that should give it up. `stay`: masters that go on. `next`: who should take it when somebody has left.
    `nowhere`: (node, why) of those that were looked at and cannot take it. `failback`: who stands in `leave` only for
    there is a better node. `over`: its switch has been carried out, or cannot be: nothing is left to do for it."""

    take: tuple[str, ...] = ()
    leave: tuple[tuple[str, str], ...] = ()
    because: str = ""
    nowhere: tuple[tuple[str, str], ...] = ()
    stay: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    failback: tuple[str, ...] = ()
    over: bool = False

    @property
    def will(self) -> tuple[str, ...]:
        """Where it will be when all of this is done."""
        return (*self.stay, *self.take, *self.next)


class View:
    """A picture laid out for looking things up: made once, asked for many groups."""

    __slots__ = ("bars", "goals", "held", "mild", "names", "peers", "unread", "web")

    def __init__(self, cluster: Cluster, web: Web) -> None:
        self.web = web
        self.goals = cluster.goals
        self.peers: dict[str, Peer] = {peer.name: peer for peer in cluster.nodes}
        self.names = tuple(sorted(self.peers))
        self.held: dict[str, list[Mastery]] = {}
        self.bars: dict[tuple[str, str], str] = {}
        self.mild: dict[tuple[str, str], str] = {}
        """Those bars that count only as long as another node can take the group."""
        self.unread: dict[str, list[str]] = {}
        """Group -> what is said of each of its masteries that nobody can read."""
        for each in cluster.unread:
            self.unread.setdefault(each.group, []).append(each.because)
        for mastery in cluster.masteries:
            if mastery.live:
                self.held.setdefault(mastery.group, []).append(mastery)
        for bar in cluster.bars:
            (self.mild if bar.is_mild else self.bars).setdefault((bar.group, bar.node), bar.because)

    def alive(self) -> tuple[str, ...]:
        """The nodes that live, by name."""
        return tuple([name for name in self.names if self.peers[name].alive])

    def without(self, groups: list[str], node: str) -> View:
        """The same without these groups' masteries on that node."""
        made: View = object.__new__(View)
        made.web, made.goals, made.peers, made.names = self.web, self.goals, self.peers, self.names
        made.bars, made.mild, made.unread = self.bars, self.mild, self.unread
        made.held = dict(self.held)
        for name in groups:
            made.held[name] = [m for m in self.held.get(name, ()) if m.node != node]
        return made


def reasons(nowhere: tuple[tuple[str, str], ...]) -> str:
    """Each reason once, with the nodes it is of."""
    nodes: dict[str, list[str]] = {}
    for node, because in nowhere:
        nodes.setdefault(because, []).append(node)
    said = []
    for because, of in nodes.items():
        whose = f"{of[0]} " if len(of) == 1 else f"each of {listed(of)} "
        said.append(because if because.startswith("the group ") else f"{whose}{because}")
    return listed(said, "; ")


def listed(names: list[str], comma: str = ", ") -> str:
    """The first four of them."""
    shown = comma.join(names[:4])
    return f"{shown}{comma}and {len(names) - 4} more" if len(names) > 4 else shown


class Pass:
    """One pass over the groups: what has been decided so far, and what follows for the next."""

    __slots__ = ("made", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.made: dict[str, Decision] = {}

    # -- where the others are -----------------------------------------------------------------------------------------

    def will(self, name: str) -> tuple[str, ...]:
        """Where a group will be; of one that is not decided upon yet: where it is."""
        if name in self.made:
            return self.made[name].will
        return tuple([m.node for m in self.view.held.get(name, ()) if self.lives(m.node)])

    def lives(self, node: str) -> bool:
        """The node is known, and alive."""
        peer = self.view.peers.get(node)
        return peer is not None and peer.alive

    def holds(self, name: str, node: str) -> Mastery | None:
        """The group's mastery there."""
        for mastery in self.view.held.get(name, ()):
            if mastery.node == node:
                return mastery
        return None

    def is_firm(self, name: str, node: str) -> bool:
        """Another group can build on it there: it is master there, and stays."""
        mastery = self.holds(name, node)
        return mastery is not None and mastery.state not in UNSTEADY and node in self.will(name)

    def is_online(self, name: str) -> bool:
        """It is online on some node and stays there."""
        will = self.will(name)
        return any(m.state in UP and m.node in will for m in self.view.held.get(name, ()))

    # -- which node can take it ---------------------------------------------------------------------------------------

    def ordered(self, wish: Wish, stay: tuple[str, ...] = ()) -> list[str]:
        """All nodes that come into question, the best first; `stay`: its masters that need not leave."""
        group, goal = wish.group, self.view.goals.get(wish.group.name, NO_GOAL)
        base = group.nodelist or self.view.names
        extra = [node for node in goal.targets if node not in base]
        place = {node: n for n, node in enumerate(goal.targets)}
        last, back = len(place), group.failback and not goal.suspended
        if not (place or stay or wish.near or wish.far):
            return list(base)

        def key(node: str) -> tuple[int, bool, int]:
            yields = bool(stay) and node not in stay and not (back and self._has_joined(node, goal))
            return place.get(node, last), yields, -self._liking(wish, node)

        return sorted([*base, *extra], key=key)

    def _has_joined(self, node: str, goal: Goal) -> bool:
        """It has, since the group's last switch: what a person switched away from a node is not failed back to it
        before. Sun: Failback acts when a node joins, semantics.md 13."""
        peer = self.view.peers.get(node)
        return not goal.since or (peer is not None and peer.born > goal.since)

    def _liking(self, wish: Wish, node: str) -> int:
        """How many of its weak affinities the node satisfies, less those it offends."""
        before = self.view.web.comes_before
        near = [t for t in wish.near if not wish.group.failback or before(t, wish)]
        far = [t for t in wish.far if not wish.group.failback or before(t, wish)]
        return sum([node in self.will(t) for t in near]) - sum([node in self.will(t) for t in far])

    def why_not(self, wish: Wish, node: str, last: bool = False) -> str:
        """Why the node cannot take the group ("" = it can). `last`: no other node can."""
        group, goal = wish.group, self.view.goals.get(wish.group.name, NO_GOAL)
        if not goal.managed:
            return "the group is unmanaged"
        if not goal.online:
            return "the group is to be offline"
        if goal.suspended and node not in goal.targets:
            return goal.unread or "the group is suspended: it is moved only by a switch"
        mild = self.view.mild.get((group.name, node), "") if self.view.mild and not last else ""
        return self._unfit(group, node) or mild or self._offended(wish, node)

    def _unfit(self, group: Group, node: str) -> str:
        peer = self.view.peers.get(node)
        if peer is None:
            return "has not joined the cluster"
        if group.nodelist and node not in group.nodelist:
            return "is not in its nodelist"
        if not peer.alive:
            return f"is dead: {peer.because}" if peer.because else "is dead"
        if peer.evacuated or peer.drained:
            return f"takes no group: {peer.drained or peer.because or 'it is evacuated'}"
        return self.view.bars.get((group.name, node), "")

    def _offended(self, wish: Wish, node: str) -> str:
        """Which other group stands against it."""
        for target in wish.together:
            if node not in self.will(target):
                return f"must be where {target} is, which is not there ({wish.sign(target)})"
        for target in wish.apart:
            if node in self.will(target):
                return f"must not be where {target} is (--)"
            if self.holds(target, node) is not None:
                return f"must not be where {target} is, which has not left it yet (--)"
        for target in wish.group.rg_dependencies:
            if not self.will(target):
                return f"comes up after {target}, which is online on no node (rg_dependencies)"
        for source in self.view.web.avoiders.get(wish.group.name, ()):
            stuck = self._why_stuck(source, node)
            if stuck:
                return f"{source} must not be with it and cannot leave: {stuck} (--)"
        return ""

    def _why_stuck(self, source: str, node: str) -> str:
        """Why the group will not leave the node for another's sake."""
        mastery = self.holds(source, node)
        if mastery is None:
            return ""
        goal = self.view.goals.get(source, NO_GOAL)
        if mastery.state == "ERROR_STOP_FAILED":
            return "it could not be stopped"
        if goal.suspended and goal.online and goal.managed:
            return "it is suspended"
        return "" if goal.managed else "it is unmanaged"

    def waits_for(self, wish: Wish, node: str) -> str:
        """What has to come about before the node, which can take it, does."""
        for source in self.view.web.avoiders.get(wish.group.name, ()):
            if self.holds(source, node) is not None:
                return f"{source}, which must not be with it, has left {node}"
        return self.waits_on(wish, node)

    def waits_on(self, wish: Wish, node: str) -> str:
        """The part of it that other groups bring about that know nothing of this one."""
        for target in wish.together:
            if not self.is_firm(target, node):
                return f"{target} is up there"
        for target in wish.group.rg_dependencies:
            if not self.is_online(target) and not self.is_firm(target, node):
                return f"{target} is online"
        return ""
