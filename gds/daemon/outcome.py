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
            waits = decision.next and self._others_come(cluster, group)
            return None if waits else f"{group}{':' if decision.next else ''} {decision.because}"
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
        if decision.take or decision.next or decision.leave or decision.over:
            return None
        if goal.targets:
            # passed over, for other groups have to move before
            waits = "; ".join([f"{node} {because}" for node, because in decision.nowhere if node in targets])
            return None if self._others_come(cluster, group) else f"{waits}; it goes there as soon as that is so"
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
        """One of those that it has to wait for is moving, or may come up by itself."""
        needed = self._needed(group)
        made = placement.plan(cluster, needed)
        if any(decision.take or decision.next or decision.leave for name, decision in made.items() if name in needed):
            return True
        coming = ("", "OFFLINE", "PENDING_ONLINE", "PENDING_OFFLINE")
        return any(
            state in coming and any(app.enabled for app in self._groups.apps(name))
            for name in needed
            for state in states(cluster, name).values()
        )

    def _needed(self, group: str) -> set[str]:
        """Other groups for which it, or its resources, have to wait, directly or not."""
        found: set[str] = set()
        left = [group]
        while left:
            name = left.pop()
            for need in (*self._needs(name), *self._tied(name)):
                if need not in found and need != group:
                    found.add(need)
                    left.append(need)
        return found

    def _tied(self, group: str) -> Iterable[str]:
        """By rg_dependencies and rg_affinities; also those that have to keep away from it."""
        declared = self._groups.declared
        if group in declared:
            yield from declared[group].rg_dependencies
            yield from [entry.lstrip("+-") for entry in declared[group].rg_affinities]
        yield from [each.name for each in declared.values() if f"--{group}" in each.rg_affinities]

    def _needs(self, group: str) -> Iterable[str]:
        """By the dependencies of its resources."""
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
