"""What came of what a person asked of a group: it is so, it may still come about, or why it never will.

Each question is answered "" (it is so), with the reason why it will not be, or with None (wait). Used by nodes.py, at
each turn of the cluster's driver.
"""

from __future__ import annotations

from gds.rgm import placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gds.daemon.groups import Groups
    from gds.daemon.tenant import Tenant
    from gds.model.cluster import Cluster

UP = ("ONLINE", "ONLINE_FAULTED")
BLOCKED = "PENDING_ONLINE_BLOCKED"
STUCK = "ERROR_STOP_FAILED"


def states(cluster: Cluster, group: str) -> dict[str, str]:
    """Node -> state, of its masters."""
    return {m.node: m.state for m in cluster.masteries if m.group == group}


def offline(cluster: Cluster, group: str) -> str | None:
    """It is nowhere."""
    found = states(cluster, group)
    return _stuck(group, found) or (None if found else "")


def _stuck(group: str, found: dict[str, str]) -> str:
    stuck = [node for node, state in found.items() if state == STUCK]
    return f"{group} could not be stopped on {', '.join(stuck)}" if stuck else ""


class Outcomes:
    """See the module."""

    def __init__(self, tenant: Tenant, groups: Groups) -> None:
        self._tenant = tenant
        self._groups = groups

    def online(self, cluster: Cluster, group: str) -> str | None:
        """It is up wherever it should be."""
        found = states(cluster, group)
        if stuck := _stuck(group, found):
            return stuck
        decision = placement.decide(cluster, group)
        if decision.take or decision.leave:
            return None
        if not found:
            # `next` waits for somebody; nobody knows for how long, unless others are on their way
            return None if decision.next else f"{group} {decision.because}"
        return self._is_up(cluster, group, found)

    def switched(self, cluster: Cluster, group: str, targets: Collection[str], request: str) -> str | None:
        """It is up on exactly these nodes; `request`: the switch's name."""
        found = states(cluster, group)
        if stuck := _stuck(group, found):
            return stuck
        goal = self._tenant.member.board.goals.get(group)
        if goal is None or goal.request != request:
            return "somebody asked for something else meanwhile"
        if set(found) == set(targets):
            return self._is_up(cluster, group, found)
        decision = placement.decide(cluster, group)
        if goal.targets or decision.take or decision.next or decision.leave:
            return None
        able = {each.node: each.because_not for each in placement.candidates(cluster, group)}
        why = [f"{node} {able.get(node, '')}" for node in targets if node not in found and able.get(node)]
        where = f"it is on {', '.join(sorted(found))} instead" if found else "it is on no node now"
        return f"{where}: {'; '.join(why)}" if why else where

    def _is_up(self, cluster: Cluster, group: str, found: dict[str, str]) -> str | None:
        """On each of these nodes."""
        if not any(app.enabled for app in self._groups.apps(group)):
            return ""  # nothing of it is to be up
        board = self._tenant.member.board
        for node, state in found.items():
            report = board.report_of(node, group)
            if report.get("leaving"):
                return None
            because = str(report.get("because", ""))
            if state == BLOCKED and not self._others_come(cluster, group):
                return f"{group} is {state} on {node}: {because}"
            if state == UP[1] and because:
                return f"{group} is {state} on {node}: {because}"
        return "" if all(state in UP for state in found.values()) else None

    def _others_come(self, cluster: Cluster, group: str) -> bool:
        """One of those that its resources need may come up by itself."""
        made = placement.plan(cluster, needed := self._needed(group))
        moving = [name for name in needed if name in made and (made[name].take or made[name].next)]
        coming = ("", "OFFLINE", "PENDING_ONLINE", "PENDING_OFFLINE")
        return bool(moving) or any(state in coming for name in needed for state in states(cluster, name).values())

    def _needed(self, group: str) -> set[str]:
        """Other groups whose resources those of this one need, directly or not."""
        found: set[str] = set()
        left = [group]
        while left:
            for need in self._needs(left.pop()):
                if need not in found and need != group:
                    found.add(need)
                    left.append(need)
        return found

    def _needs(self, group: str) -> Iterable[str]:
        homes = {name: each.name for each in self._groups.declared.values() for name in each.resources}
        for app in self._groups.apps(group):
            of = app.resource
            for need in (
                *of.resource_dependencies,
                *of.resource_dependencies_weak,
                *of.resource_dependencies_restart,
                *of.resource_dependencies_offline_restart,
            ):
                if need.on in homes:
                    yield homes[need.on]
