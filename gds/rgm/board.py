"""All records of the cluster as one node was told them, each read once; and the picture it makes of them. Pure.

- News may be late, and may come twice: of each key only what is newer than what is known counts.
- How long something has stood unchanged is counted from when this node first saw it so, on its own clock.
- A slot that cannot be read counts as taken, a goal as suspended, and a node as one that never dies.
"""

from __future__ import annotations

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer
from gds.rgm import reading, records, unread
from gds.rgm.files import Files
from gds.rgm.placement import first_goal
from gds.rgm.reading import text
from gds.rgm.records import Mark, Node, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.model.resource import Group
    from gds.model.store import Change, Record
    from gds.rgm.tenure import Tenure

THE_GROUP = ""
"""In rg/G/switches, in place of a resource's name: what is switched is the group."""
UNKNOWN_KEY = "this version of gds has no such key"


class Board:
    """See the module."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.slots: dict[str, dict[int, Slot]] = {}
        self.goals: dict[str, Goal] = {}
        self.wishes = 0
        """How often one of the goals has changed: who follows them need not walk them all."""
        self.marks: dict[tuple[str, str], Mark] = {}
        self.drains: dict[str, tuple[str, bool]] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self.checks: dict[tuple[str, str], dict[str, Any]] = {}
        self.files: dict[tuple[str, str], dict[str, Any]] = {}
        self.switches: dict[str, dict[str, dict[str, bool]]] = {}
        self.sets: dict[tuple[str, str], dict[str, Any]] = {}
        """(group, node or "" for what is asked of all)."""
        self.strange: dict[str, str] = {}
        self.stamp: dict[str, tuple[int, int, int]] = {}
        """key -> the revisions at which it came to be and was changed last, and a hash of its value: numbers alone may
        be the same in another store."""
        self.settled: bool | None = None
        """None: nobody has made the store a cluster's yet."""
        self.word = ""
        """What stands in the cluster's record: by the random name of the life that wrote it no other store has it."""
        self._silent: frozenset[str] = frozenset()
        self.declared = Files()
        """What the reports say of files."""

    def load(self, found: Mapping[str, Record], now: float) -> None:
        """This is all there is. What is as it was keeps the time since when we have seen it so."""
        for key in [k for k in self.stamp if k not in found]:
            self._forget(key)
        for key, record in found.items():
            if self.stamp.get(key) != _stamp(record):
                self._take(record, now)

    def change(self, changes: Iterable[Change], now: float) -> bool:
        """News; True when anything but the pulse of known nodes is among it."""
        matters = False
        for each in changes:
            if each.revision <= self.modified(each.key):
                continue
            if each.record is None:
                self._forget(each.key)
                matters = True
            else:
                matters |= self._take(each.record, now)
        return matters

    def vanish(self, key: str, modified: int) -> None:
        """What was changed last at that revision is gone by now, though we may have to wait for the news of it."""
        if self.modified(key) <= modified:
            self._forget(key)

    def modified(self, key: str) -> int:
        """The revision of its last change; 0: there is no such key."""
        return self.stamp.get(key, (0, 0, 0))[1]

    def created(self, key: str) -> int:
        """The revision at which it came to be; 0: there is no such key."""
        return self.stamp.get(key, (0, 0, 0))[0]

    def stands(self, key: str, value: str) -> bool:
        """That is what stands there, if we have heard of it at all."""
        return key not in self.stamp or self.stamp[key][2] == hash(value)

    # -- one record ---------------------------------------------------------------------------------------------------

    def _forget(self, key: str) -> None:
        self.stamp.pop(key, None)
        self.strange.pop(key, None)
        match key.split("/"):
            case ["cluster"]:
                self.settled, self.word = None, ""
            case ["nodes", node]:
                self.nodes.pop(node, None)
            case ["report", node]:
                self._reported(node, None)
            case ["drain", node]:
                self.drains.pop(node, None)
            case ["rg", group, *rest]:
                self._forget_of(group, rest)

    def _forget_of(self, group: str, rest: list[str]) -> None:
        match rest:
            case ["goal"]:
                self.goals.pop(group, None)
                self.wishes += 1
            case ["slot", index]:
                self.slots.get(group, {}).pop(reading.index(index), None)
            case ["avoid", node]:
                self.marks.pop((group, node), None)
            case ["check", node]:
                self.checks.pop((group, node), None)
            case ["files", node]:
                self.files.pop((group, node), None)
            case ["switches"]:
                self.switches.pop(group, None)
            case ["set", *node]:
                self.sets.pop((group, "".join(node)), None)

    def _take(self, record: Record, now: float) -> bool:
        key = record.key
        facts, fault = reading.decode(record.value)
        words = key.split("/")
        if words[0] == "nodes" and len(words) == 2:
            return self._take_node(words[1], record, facts, fault, now)
        self._forget(key)
        self.stamp[key] = _stamp(record)
        if fault:
            self.strange[key] = fault
        match words:
            case ["cluster"]:
                self.settled, self.word = facts.get("settled") is True, record.value
            case ["report", node]:
                self._reported(node, facts)
            case ["drain", node]:
                self.drains[node] = (text(facts, "because") or "drained", bool(facts.get("evacuate")))
            case ["rg", group, *rest] if self._take_of(group, rest, record, facts, fault, now):
                pass
            case _:
                self.strange[key] = fault or UNKNOWN_KEY
        return True

    def _take_node(self, name: str, record: Record, facts: dict[str, Any], fault: str, now: float) -> bool:
        key, before = record.key, self.nodes.get(name)
        self.stamp[key] = _stamp(record)
        self.strange.pop(key, None)
        lifetime = reading.lifetime(facts)
        if fault or lifetime == float("inf"):
            self.strange[key] = fault or "it does not say how long it lives"
        life, identity, version = text(facts, "life"), text(facts, "identity"), text(facts, "version")
        self.nodes[name] = Node(name, record.created, record.modified, life, identity, version, now, lifetime)
        known = before is not None and before.born == record.created and before.lifetime == lifetime
        return not known or name in self._silent

    def _take_of(
        self, group: str, rest: list[str], record: Record, facts: dict[str, Any], fault: str, now: float
    ) -> bool:
        match rest:
            case ["check" | "files" | "switches" | "set", *_] if fault:
                pass  # as if nobody had said anything
            case ["goal"]:
                self.wishes += 1
                self.goals[group] = unread.goal(group, fault) if fault else reading.goal(facts)
                if fault:
                    self.strange[record.key] = f"{fault}; {unread.UNTIL} `gds rg resume {group}`"
            case ["slot", word] if (index := reading.index(word)) >= 0:
                self.slots.setdefault(group, {})[index] = _slot(group, index, record, facts, fault)
            case ["avoid", node]:
                because, by = text(facts, "because") or "it is marked", text(facts, "by")
                failed = facts.get("start_failed") is not False
                self.marks[group, node] = Mark(group, node, because, by, record.modified, now, failed)
            case ["check", node]:
                self.checks[group, node] = facts
            case ["files", node]:
                self.files[group, node] = facts
            case ["switches"]:
                self.switches[group] = reading.switches(facts)
            case ["set"]:
                self.sets[group, ""] = facts
            case ["set", node]:
                self.sets[group, node] = facts
            case _:
                return False
        return True

    def _reported(self, node: str, facts: dict[str, Any] | None) -> None:
        """What it says of its groups."""
        groups = self.declared.say(node, self.reports.pop(node, {"groups": {}})["groups"], facts)
        if facts is not None:
            self.reports[node] = {**facts, "groups": groups}

    # -- questions ----------------------------------------------------------------------------------------------------

    def is_held(self, slot: Slot) -> bool:
        """By somebody who may still run it: its node's life is the one that took it, or we cannot tell."""
        node = self.nodes.get(slot.node)
        return not slot.node or (node is not None and node.born == slot.born)

    def holders(self, group: str) -> list[Slot]:
        """Who holds it."""
        return [slot for slot in self.slots.get(group, {}).values() if self.is_held(slot)]

    def report_of(self, node: str, group: str) -> dict[str, Any]:
        """What that node says of the group."""
        said = self.reports.get(node, {}).get("groups", {}).get(group)
        return said if isinstance(said, dict) else {}

    def cluster(self, groups: tuple[Group, ...], tenure: Tenure, now: float, told: bool = False) -> Cluster:
        """The picture. A node whose record has not moved for as long as `tenure` says counts as dead. `told`: it is for
        people, who want to know how long a mark counts; else it changes only when something does."""
        names = {name for group in groups for name in group.nodelist} | set(self.nodes)
        masteries, lost = [], []
        bars = []
        for at, mark in self.ends(groups):
            left = f"{at - now:.0f} s more" if told else f"{at - mark.seen:g} s"
            because = f"is kept away for {left} (pingpong_interval): {mark.because}"
            bars += [Bar(mark.group, mark.node, because, True, not mark.start_failed)] if now < at else []
        goals = {}
        for group in groups:
            for slot in self.holders(group.name):
                if not slot.node:
                    lost.append(unread.slot(slot))
                    continue
                state = str(self.report_of(slot.node, group.name).get("state", ""))
                masteries.append(Mastery(group.name, slot.node, slot.token, True, state, slot.index))
            goal = self.goals.get(group.name) or first_goal(group)
            is_managed = self.switches.get(group.name, {}).get(THE_GROUP, {}).get("managed", True)
            goals[group.name] = goal if is_managed else goal.replace(managed=False)
            bars += self.declared.bars(group, self.nodes, self.holders(group.name))
        peers = tuple([self._peer(name, tenure, now) for name in sorted(names)])
        return Cluster(peers, groups, tuple(masteries), goals, tuple(bars), tuple(lost))

    def watch(self, cluster: Cluster) -> None:
        """This picture was made use of: when a node that is dead in it moves, that is news."""
        self._silent = frozenset([peer.name for peer in cluster.nodes if not peer.alive])

    def _peer(self, name: str, tenure: Tenure, now: float) -> Peer:
        node = self.nodes.get(name)
        drained, evacuated = self.drains.get(name, ("", False))
        because = ""
        if node is None:
            because = "it is not in the cluster"
        elif records.node_key(name) in self.strange:
            because = f"its record cannot be read: {self.strange[records.node_key(name)]}"
        elif now >= tenure.fence_after(node.seen, node.lifetime):
            because = f"it has not been heard of for {now - node.seen:.0f} s"
        return Peer(name, not because, drained, evacuated, because, node.born if node is not None else 0)

    def ends(self, groups: tuple[Group, ...]) -> list[tuple[float, Mark]]:
        """When each mark is over; one of a group that is not declared counts no longer."""
        intervals = {group.name: group.pingpong_interval for group in groups} if self.marks else {}
        return [(mark.seen + intervals.get(mark.group, 0.0), mark) for mark in self.marks.values()]

    def over(self, groups: tuple[Group, ...], now: float) -> list[Mark]:
        """Marks that no longer count."""
        return [mark for at, mark in self.ends(groups) if now >= at]


def _stamp(record: Record) -> tuple[int, int, int]:
    return record.created, record.modified, hash(record.value)


def _slot(group: str, index: int, record: Record, facts: dict[str, Any], fault: str) -> Slot:
    node, born = text(facts, "node"), facts.get("born")
    if node and isinstance(born, int):
        return Slot(group, index, node, born, record.modified, text(facts, "because"))
    return Slot(group, index, "", 0, record.modified, fault or "it names no node")
