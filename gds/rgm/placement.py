"""Which nodes should be master of a group, which should give it up, and why. Sun: semantics.md 7.3, 13, 13.1 to 13.3.

Rules, in this order:
- Nobody moves what is offline on purpose, unmanaged, or (by itself) suspended; masters of a suspended group stay.
- Who is master stays: unless its node is evacuated, a strong affinity is broken, a switch names another node, the group
  runs on more nodes than it should, or (failback) a better node can take it: after a switch, one that joined since.
- A switch names nodes until the group is on exactly these, or cannot be (`over`); every later failover is by nodelist.
  How many it named is how many there are to be, until somebody brings the group online: then it is desired_primaries.
- A node can take a group if it lives, is not drained, is not barred, and no strong affinity and no rg_dependency
  (the other is online on some node, or coming up on this one) stands against it. That it gave the group over, or its
  Monitor_check refused it, bars it only from giveovers, and as long as another node can take the group.
- Among those: what a switch names, then weak affinities, then the nodelist; an empty one is every node by name.
- Never more masters than maximum_primaries: what must leave has to be gone first, and a mastery that nobody can read
  is one. The target of a strong negative affinity waits until the source has left the node.
Groups are decided upon in the order of `affinity.web_of`; each sees where those before it will be (`will`). Of a weak
wish towards a later one counts where that one is now, and for a group with failback it does not count at all: else two
could chase each other for ever.
"""

from __future__ import annotations

from gds.model.cluster import Goal
from gds.model.value import Value
from gds.rgm.affinity import web_of
from gds.rgm.eligible import NO_GOAL, Pass, View, listed
from gds.rgm.eligible import Decision as Decision
from gds.rgm.placed import because_of, why_less

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.model.cluster import Cluster
    from gds.model.resource import Group
    from gds.rgm.affinity import Web, Wish


class Candidate(Value):
    """A node that may be master. `rank`: 0 is the best; `because_not`: why it cannot take the group now ("" = it can).
    `waits`: it will by itself, when others have done what is decided of them: no reason to refuse a switch to it."""

    node: str
    rank: int
    because_not: str = ""
    waits: bool = False


class GiveOver(Value):
    """What becomes of it when `node` gives a group up. `group`: the one that is given over, another than asked for when
    that one hands its failovers on (+++). `candidates`: who could take it, the best first: ask their Monitor_check.
    `refused`: (node, why) of the others. `along`: groups that go with it. `because`: why it cannot be given over,
    whoever could take it."""

    group: str
    candidates: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    along: tuple[str, ...] = ()
    because: str = ""


def view_of(cluster: Cluster | View, web: Web | None = None) -> View:
    """The picture laid out. `web`: the wishes of these very groups, when they are known already."""
    return cluster if isinstance(cluster, View) else View(cluster, web_of(cluster.groups) if web is None else web)


def first_goal(group: Group) -> Goal:
    """What is wanted of a group of which nobody has said anything yet. Sun: Auto_start_on_new_cluster, semantics.md 13.
    With desired_primaries 0 it starts only when somebody asks."""
    if not group.auto_start_on_new_cluster:
        return Goal(online=False, because="auto_start_on_new_cluster is false: it starts when somebody asks")
    if group.desired_primaries < 1:
        return Goal(online=False, because="desired_primaries is 0: it starts when somebody asks")
    return Goal()


def plan(cluster: Cluster | View, only: Iterable[str] | None = None) -> dict[str, Decision]:
    """What should become of every group; the decisions fit each other. `only`: of these, and of those they depend on;
    it says the same of them (a node needs no more than the groups that may come to it: 30 instead of 10,000)."""
    view = view_of(cluster)
    if only is None:
        return _decided(view, view.web.wishes).made
    names = {each for name in only if name in view.web.wishes for each in view.web.upstream(name)}
    return _decided(view, sorted(names, key=lambda name: view.web.wishes[name].rank)).made


def decide(cluster: Cluster | View, group_name: str) -> Decision:
    """What should become of this group; the same as `plan` says, without looking at those it has nothing to do with."""
    view = view_of(cluster)
    if group_name not in view.web.wishes:
        return Decision(because="no group of that name is declared here")
    return _decided(view, view.web.upstream(group_name)).made[group_name]


def candidates(cluster: Cluster | View, group_name: str) -> tuple[Candidate, ...]:
    """All nodes that may ever be its master, in the order in which they would take it."""
    view = view_of(cluster)
    wish = view.web.wishes.get(group_name)
    if wish is None:
        return ()
    known = _decided(view, view.web.upstream(group_name)[:-1])
    found = []
    for rank, node in enumerate(known.ordered(wish)):
        why = "is its master already" if known.holds(group_name, node) else known.why_not(wish, node)
        waits = "" if why else known.waits_for(wish, node)
        found.append(Candidate(node, rank, f"waits until {waits}" if waits else why, bool(waits)))
    return tuple(_last_resort(known, wish, found))


def _last_resort(known: Pass, wish: Wish, found: list[Candidate]) -> list[Candidate]:
    """With those that can take it because too few others can."""
    mild = {c.node for c in found if (wish.group.name, c.node) in known.view.mild}
    decision = _decide(known, wish) if mild else Decision()
    if mild.isdisjoint((*decision.take, *decision.next)):
        return found
    able = {n for n in mild if not (known.holds(wish.group.name, n) or known.why_not(wish, n, True))}
    return [Candidate(c.node, c.rank) if c.node in able and not known.waits_for(wish, c.node) else c for c in found]


def give_over(cluster: Cluster | View, group_name: str, node: str) -> GiveOver:
    """Who could take the group if `node` gave it up now. Sun: semantics.md 7.3; 13.2 for the delegation of +++."""
    view = view_of(cluster)
    wishes = view.web.wishes
    if group_name not in wishes or node not in [m.node for m in view.held.get(group_name, ())]:
        return GiveOver(group_name, because=f"{node} is not master of {group_name}")
    if view.goals.get(group_name, NO_GOAL).suspended:
        unread = view.goals[group_name].unread
        return GiveOver(group_name, because=unread or f"{group_name} is suspended")
    chain = _delegation(view, group_name, node)
    root = chain[-1]
    without = view.without(chain, node)
    known = _decided(without, without.web.upstream(root)[:-1])
    elsewhere = [m.node for m in without.held[root]]
    fit: list[str] = []
    refused: list[tuple[str, str]] = []
    for each in known.ordered(wishes[root]):
        if each == node or each in elsewhere:
            continue
        why = known.why_not(wishes[root], each) or _why_left_behind(without, chain, each)
        refused.append((each, why)) if why else fit.append(each)
    along = _dragged(view, root, node)
    return GiveOver(root, tuple(fit), tuple(refused), along)


def _decided(view: View, names: Iterable[str]) -> Pass:
    known = Pass(view)
    for name in names:
        known.made[name] = _decide(known, view.web.wishes[name])
    return known


def _decide(known: Pass, wish: Wish) -> Decision:
    view, group = known.view, wish.group
    goal = view.goals.get(group.name, NO_GOAL)
    held = view.held.get(group.name, ())
    if not goal.managed:
        return Decision(stay=tuple([m.node for m in held]), because="it is unmanaged")
    leave: list[tuple[str, str]] = []
    stay: list[str] = []
    for mastery in held:
        if known.lives(mastery.node):
            why = _must_leave(known, wish, goal, mastery.node)
            leave.append((mastery.node, why)) if why else stay.append(mastery.node)
    if not goal.online:
        return Decision(leave=tuple(leave), because=goal.because or "it is to be offline")
    unread = view.unread.get(group.name, [])
    most = max(len(stay), group.maximum_primaries - len(unread))
    if not most:
        return Decision(leave=tuple(leave), because=f"stays down: it {unread[0]}")
    wanted = min(most, _wanted(group, goal, stay))
    if len(stay) == wanted and not goal.targets and (goal.suspended or not group.failback):
        return Decision(leave=tuple(leave), stay=tuple(stay), because=f"runs on {listed(stay)}")
    chosen, nowhere = _choose(known, wish, tuple(stay), wanted)
    new = [node for node in chosen if node not in stay]
    less = tuple([node for node in stay if node not in chosen])
    leave += [(node, why_less(goal, chosen, new, wanted)) for node in less]
    room = max(0, group.maximum_primaries - len(held) - len(unread))
    free = [node for node in new if not known.waits_for(wish, node)][:room]
    later = [node for node in new if node not in free]
    stays = [node for node in chosen if node in stay]
    because = "; ".join(
        [because_of(known, wish, stays, free, later, nowhere, wanted), *[f"it {why}" for why in unread]]
    )
    failback = less if new and not goal.targets else ()
    # a target that is passed over, though it can take it, is one that has to wait for other groups
    waits = [node for node in goal.targets if node not in chosen and not known.why_not(wish, node)]
    over = bool(goal.targets) and not (leave or new or waits)
    return Decision(tuple(free), tuple(leave), because, nowhere, tuple(stays), tuple(later), failback, over)


def _wanted(group: Group, goal: Goal, stay: list[str]) -> int:
    """On how many nodes it should run."""
    asked = len(goal.targets) or goal.count or max(group.desired_primaries, len(stay) if goal.suspended else 0)
    return max(1, min(asked, group.maximum_primaries))


def _must_leave(known: Pass, wish: Wish, goal: Goal, node: str) -> str:
    """Why a master has to give it up, whether or not another can take it ("" = it need not)."""
    if not goal.online:
        return "it is to be offline"
    peer = known.view.peers[node]
    if peer.evacuated:
        return f"{node} was being evacuated{': ' + peer.drained if peer.drained else ''}"
    if goal.suspended:
        return ""
    if wish.group.nodelist and node not in wish.group.nodelist:
        return f"{node} is not in its nodelist"
    for target in wish.together:
        if node not in known.will(target):
            return f"{target} is not on {node}, and it must be where {target} is ({wish.sign(target)})"
    for target in wish.apart:
        there = known.holds(target, node)
        if node in known.will(target) or (there is not None and there.state == "ERROR_STOP_FAILED"):
            return f"{target} {'is on' if there else 'comes to'} {node}, and it must not be where {target} is (--)"
    return ""


def _choose(
    known: Pass, wish: Wish, stay: tuple[str, ...], wanted: int
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Its nodes, the best first, and why others are passed over."""
    chosen: list[str] = []
    nowhere: dict[str, str] = {}
    ordered = known.ordered(wish, stay)
    marked = known.view.mild
    mild = [node for node in ordered if (wish.group.name, node) in marked and node not in stay] if marked else []
    for place, node in enumerate([*ordered, *mild]):
        if len(chosen) >= wanted:
            break
        why = "" if node in stay else known.why_not(wish, node, last=place >= len(ordered))
        if stay and not why and node not in stay and (waits := known.waits_on(wish, node)):
            why = f"waits until {waits}"  # and it runs on where it is meanwhile
        if why:
            nowhere[node] = why
        else:
            nowhere.pop(node, None)
            chosen.append(node)
    return chosen, tuple(nowhere.items())


# -- giving over ------------------------------------------------------------------------------------------------------


def _delegation(view: View, name: str, node: str) -> list[str]:
    """The group, the one on the same node that its failovers are handed to (+++), and so on."""
    chain = [name]
    while True:
        targets = [t for t in view.web.wishes[chain[-1]].delegates if t in view.web.wishes and t not in chain]
        there = [t for t in targets if node in [m.node for m in view.held.get(t, ())]]
        if not there:
            return chain
        chain.append(there[0])


def _why_left_behind(view: View, chain: list[str], node: str) -> str:
    """Which of those that handed their failover on could not come along to that node."""
    known = Pass(view)
    known.made[chain[-1]] = Decision(take=(node,))
    for name in view.web.upstream(chain[0]):
        wish = view.web.wishes[name]
        if name in chain[:-1]:
            why = known.why_not(wish, node)
            if why:
                return f"cannot take {name}, which goes along: {why}"
            known.made[name] = Decision(take=(node,))
        elif name not in known.made:
            known.made[name] = _decide(known, wish)
    return ""


def _dragged(view: View, root: str, node: str) -> tuple[str, ...]:
    """All on that node that must be where it is, and so on."""
    found: dict[str, None] = {}
    left = [root]
    while left:
        for name in view.web.followers.get(left.pop(0), ()):
            if name not in found and node in [m.node for m in view.held.get(name, ())]:
                found[name] = None
                left.append(name)
    return tuple(found)
