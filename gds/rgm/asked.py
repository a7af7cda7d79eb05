"""What people ask of where a group runs: what is wanted of it then, or why it cannot be. Pure; the same for a runner
and for `gds simulate --cluster`. Sun: clresourcegroup, semantics.md 13.

- switch: exactly these nodes become its masters, fewer than desired_primaries as well; more than maximum_primaries are
  refused, and so is a node that cannot take it. A mark of pingpong_interval does not stand in a person's way.
- online: desired_primaries of them, where placement says. Of a suspended group nothing moves by itself, but this is a
  person: it is as if they had named the nodes.
- offline: whatever was switched is forgotten.
"""

from __future__ import annotations

from gds.rgm.eligible import NO_GOAL
from gds.rgm.placement import candidates, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.cluster import Cluster, Goal


def offline(goal: Goal) -> Goal:
    """It is to be nowhere."""
    return goal.replace(online=False, targets=(), count=0, since=0, because="")


def online(cluster: Cluster, group: str) -> tuple[Goal, str]:
    """What is wanted then; or why a suspended group, of which nothing can be waited for, cannot be brought online."""
    goal = cluster.goals.get(group, NO_GOAL).replace(online=True, targets=(), count=0, because="")
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
    goal = cluster.goals.get(group, NO_GOAL)
    wanted = goal.replace(online=True, targets=targets, request=request, since=since, count=count, because="")
    most = declared.maximum_primaries
    if len(targets) > most:
        return goal, f"these are {len(targets)} nodes, and its maximum_primaries is {most}"
    bars = tuple([bar for bar in cluster.bars if not (bar.is_mark and bar.group == group and bar.node in targets)])
    trial = cluster.replace(goals={**cluster.goals, group: wanted}, bars=bars)
    able = {each.node: "" if each.waits else each.because_not for each in candidates(trial, group)}
    there = [mastery.node for mastery in cluster.masteries if mastery.group == group and mastery.live]
    why = {node: able[node] for node in targets if able[node] and node not in there}
    return (goal, "; ".join([f"{node} {because}" for node, because in why.items()])) if why else (wanted, "")
