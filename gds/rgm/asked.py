"""What people ask of where a group runs: what is wanted of it then, or why it cannot be. Pure; the same for a runner
and for `gds simulate --cluster`. Sun: clresourcegroup, semantics.md 13.

- switch: exactly these nodes become its masters, fewer than desired_primaries as well; more than maximum_primaries are
  refused, and so is a node that cannot take it. A mark of pingpong_interval does not stand in a person's way.
- online: desired_primaries of them, where placement says. Of a suspended group nothing moves by itself, but this is a
  person: it is as if they had named the nodes.
- offline: whatever was switched is forgotten.
- A goal that nobody can read is replaced by what is said now, and suspends the group no more. With a mastery that
  nobody can read there is room for one master less.
"""

from __future__ import annotations

from gds.model.cluster import Goal
from gds.rgm.eligible import NO_GOAL
from gds.rgm.placement import candidates, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.cluster import Cluster


def _said(goal: Goal) -> Goal:
    """What was said before."""
    return Goal() if goal.unread else goal


def suspend(goal: Goal, suspended: bool) -> Goal | None:
    """Automatic recovery stops, or goes on; None: it is so already."""
    return None if goal.suspended == suspended and not goal.unread else _said(goal).replace(suspended=suspended)


def offline(goal: Goal) -> Goal:
    """It is to be nowhere."""
    return _said(goal).replace(online=False, targets=(), count=0, since=0, because="")


def online(cluster: Cluster, group: str) -> tuple[Goal, str]:
    """What is wanted then; or why a suspended group, of which nothing can be waited for, cannot be brought online."""
    goal = _said(cluster.goals.get(group, NO_GOAL)).replace(online=True, targets=(), count=0, because="")
    unread, room = _room(cluster, group)
    if room < 1:
        return goal, unread
    if not goal.suspended:
        return goal, ""
    free = goal.replace(suspended=False)
    decision = decide(cluster.replace(goals={**cluster.goals, group: free}), group)
    return goal.replace(targets=decision.will), "" if decision.will else decision.because


def switch(cluster: Cluster, group: str, nodes: tuple[str, ...], since: int, request: str) -> tuple[Goal, str]:
    """What is wanted then; or why it cannot be switched to these nodes. `since`: the revision of the picture."""
    declared = next(each for each in cluster.groups if each.name == group)
    targets = tuple(dict.fromkeys(nodes))
    count = len(targets) if len(targets) != declared.desired_primaries else 0
    goal = _said(cluster.goals.get(group, NO_GOAL))
    wanted = goal.replace(online=True, targets=targets, request=request, since=since, count=count, because="")
    most = declared.maximum_primaries
    if len(targets) > most:
        return goal, f"these are {len(targets)} nodes, and its maximum_primaries is {most}"
    unread, room = _room(cluster, group)
    if len(targets) > room:
        return goal, f"{group} {unread}"
    bars = tuple([bar for bar in cluster.bars if not (bar.is_mark and bar.group == group and bar.node in targets)])
    trial = cluster.replace(goals={**cluster.goals, group: wanted}, bars=bars)
    able = {each.node: "" if each.waits else each.because_not for each in candidates(trial, group)}
    there = [mastery.node for mastery in cluster.masteries if mastery.group == group and mastery.live]
    why = {node: able[node] for node in targets if able[node] and node not in there}
    return (goal, "; ".join([f"{node} {because}" for node, because in why.items()])) if why else (wanted, "")


def _room(cluster: Cluster, group: str) -> tuple[str, int]:
    """What is wrong with a mastery of the group that nobody can read, if there is one; for how many there is room."""
    unread = [each.because for each in cluster.unread if each.group == group]
    most = next(each.maximum_primaries for each in cluster.groups if each.name == group)
    return (unread[0] if unread else ""), most - len(unread)
