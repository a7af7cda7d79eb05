"""The cluster's records: which keys there are, what stands in them, and the picture one node makes of them.

Keys (engines.md 5.4; without the cluster's prefix). Every value is a JSON object with "schema".

    cluster            the store is that of this cluster; "settled": somebody has waited a lifetime since it was made
    nodes/N            node N lives; `created` is its birth. Written by N alone, every `renew` seconds
    report/N           what N says of each group it declares: state, digest of its files, reason
    drain/N            an operator's: N takes nothing more ("evacuate": it also gives up what it has)
    rg/G/slot/I        N, born then, is master of G; `modified` is the fencing token. Removed when it is given up
    rg/G/goal          an operator's: online, suspended, managed, where to
    rg/G/avoid/N       N may not take G for pingpong_interval, and why
    rg/G/check/N       Monitor_check: asked by the master, answered by N
    rg/G/files/N       what the files of N, and what was set there, say of G; for `gds diff --cluster`
    rg/G/switches      enabled and monitored of each resource of G, where somebody has switched them
    rg/G/set           `gds set` for all nodes: what, and whether it is being checked, or to be carried out
    rg/G/set/N         what N says to that

What is foreign, garbage or of a newer schema is never touched: it is kept in `strange` with the reason, and a slot that
cannot be read counts as taken, for better down than twice up.

No time of another node is in any of this. How long something has stood unchanged is counted here, from when this node
first saw it, on this node's clock.
"""

from __future__ import annotations

import json

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer
from gds.model.value import Value
from gds.rgm.placement import first_goal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.model.resource import Group
    from gds.model.store import Change, Record
    from gds.rgm.tenure import Tenure

SCHEMA = 1
CLUSTER = "cluster"


def node_key(node: str) -> str:
    """Its life."""
    return f"nodes/{node}"


def report_key(node: str) -> str:
    """What it says of its groups."""
    return f"report/{node}"


def drain_key(node: str) -> str:
    """That it is to take nothing."""
    return f"drain/{node}"


def slot_key(group: str, slot: int) -> str:
    """Who masters it."""
    return f"rg/{group}/slot/{slot}"


def goal_key(group: str) -> str:
    """What people want of it."""
    return f"rg/{group}/goal"


def avoid_key(group: str, node: str) -> str:
    """That it may not go there for a while."""
    return f"rg/{group}/avoid/{node}"


def check_key(group: str, node: str) -> str:
    """May it go there?"""
    return f"rg/{group}/check/{node}"


def encode(**facts: object) -> str:
    """A value."""
    return json.dumps({"schema": SCHEMA, **facts}, sort_keys=True, separators=(",", ":"))


def files_key(group: str, node: str) -> str:
    """What its files say of it."""
    return f"rg/{group}/files/{node}"


def switches_key(group: str) -> str:
    """What was switched of its resources."""
    return f"rg/{group}/switches"


def set_key(group: str, node: str = "") -> str:
    """A change of its properties; with a node, what that node says to it."""
    return f"rg/{group}/set/{node}" if node else f"rg/{group}/set"


class Slot(Value):
    """Somebody holds a group. `node` "": whoever it is, we cannot read it."""

    group: str
    index: int
    node: str
    born: int
    token: int
    because: str = ""


class Mark(Value):
    """rg/G/avoid/N: written by `by`, seen by us since `seen` (seconds, our clock)."""

    group: str
    node: str
    because: str
    by: str
    modified: int
    seen: float


class Node(Value):
    """nodes/N: `born` is the revision at which this life of it began; unmoved since `seen` (seconds, our clock).
    `lifetime`: the L it counts with (seconds; 0: it does not say)."""

    name: str
    born: int
    modified: int
    life: str
    identity: str
    version: str
    seen: float
    lifetime: float = 0.0


class Board:
    """All records as they were told, read once; see the module."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.slots: dict[str, dict[int, Slot]] = {}
        self.goals: dict[str, Goal] = {}
        self.marks: dict[tuple[str, str], Mark] = {}
        self.drains: dict[str, tuple[str, bool]] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self.checks: dict[tuple[str, str], dict[str, Any]] = {}
        self.files: dict[tuple[str, str], dict[str, Any]] = {}
        self.switches: dict[str, dict[str, dict[str, bool]]] = {}
        self.sets: dict[tuple[str, str], dict[str, Any]] = {}
        """(group, node or "" for what is asked of all)."""
        self.strange: dict[str, str] = {}
        self.modified: dict[str, int] = {}
        """key -> the revision of its last change, for comparisons."""
        self.settled: bool | None = None
        """None: nobody has made the store a cluster's yet."""

    def load(self, records: Mapping[str, Record], now: float) -> None:
        """This is all there is. What is as it was keeps the time since when we have seen it so."""
        for key in [k for k in self.modified if k not in records]:
            self._forget(key)
        for key, record in records.items():
            if self.modified.get(key) != record.modified:
                self._take(record, now)

    def change(self, changes: Iterable[Change], now: float) -> bool:
        """News; True when anything but the pulse of known nodes is among it."""
        matters = False
        for each in changes:
            if each.record is None:
                self._forget(each.key)
                matters = True
            else:
                matters |= self._take(each.record, now)
        return matters

    # -- one record ---------------------------------------------------------------------------------------------------

    def _forget(self, key: str) -> None:
        self.modified.pop(key, None)
        self.strange.pop(key, None)
        if key == CLUSTER:
            self.settled = None
            return
        match key.split("/"):
            case ["nodes", node]:
                self.nodes.pop(node, None)
            case ["report", node]:
                self.reports.pop(node, None)
            case ["drain", node]:
                self.drains.pop(node, None)
            case ["rg", group, "goal"]:
                self.goals.pop(group, None)
            case ["rg", group, "slot", index] if index.isdigit():
                self.slots.get(group, {}).pop(int(index), None)
            case ["rg", group, "avoid", node]:
                self.marks.pop((group, node), None)
            case ["rg", group, "check", node]:
                self.checks.pop((group, node), None)
            case ["rg", group, "files", node]:
                self.files.pop((group, node), None)
            case ["rg", group, "switches"]:
                self.switches.pop(group, None)
            case ["rg", group, "set", *node]:
                self.sets.pop((group, "".join(node)), None)
            case _:
                pass  # it was strange

    def _take(self, record: Record, now: float) -> bool:
        key = record.key
        self.modified[key] = record.modified
        self.strange.pop(key, None)
        facts, fault = _decode(record.value)
        if fault:
            self.strange[key] = fault
        match key.split("/"):
            case ["cluster"]:
                self.settled = bool(facts.get("settled"))
            case ["nodes", node]:
                before = self.nodes.get(node)
                self.nodes[node] = Node(
                    node,
                    record.created,
                    record.modified,
                    _text(facts, "life"),
                    _text(facts, "identity"),
                    _text(facts, "version"),
                    now,
                    _seconds(facts, "lifetime"),
                )
                return before is None or before.born != record.created
            case ["report", node] if not fault:
                groups = facts.get("groups")
                self.reports[node] = facts if isinstance(groups, dict) else {**facts, "groups": {}}
            case ["drain", node]:
                self.drains[node] = (_text(facts, "because") or "drained", bool(facts.get("evacuate")))
            case ["rg", group, "goal"] if not fault:
                self.goals[group] = _goal(facts)
            case ["rg", group, "slot", index] if index.isdigit():
                node, born = _text(facts, "node"), facts.get("born")
                readable = node and isinstance(born, int)
                slot = Slot(group, int(index), "", 0, record.modified, fault or "it names no node")
                if readable:
                    slot = Slot(group, int(index), node, int(born), record.modified, _text(facts, "because"))  # type: ignore[arg-type]  # an int
                self.slots.setdefault(group, {})[int(index)] = slot
            case ["rg", group, "avoid", node]:
                because, by = _text(facts, "because") or "it is marked", _text(facts, "by")
                self.marks[group, node] = Mark(group, node, because, by, record.modified, now)
            case ["rg", group, "check", node] if not fault:
                self.checks[group, node] = facts
            case ["rg", group, "files", node] if not fault:
                self.files[group, node] = facts
            case ["rg", group, "switches"] if not fault:
                self.switches[group] = _switches(facts)
            case ["rg", group, "set"] if not fault:
                self.sets[group, ""] = facts
            case ["rg", group, "set", node] if not fault:
                self.sets[group, node] = facts
            case ["report" | "rg", *_]:
                if not fault:
                    self.strange[key] = "this version of gds has no such key"
            case _:
                self.strange[key] = fault or "this version of gds has no such key"
        return True

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

    def cluster(self, groups: tuple[Group, ...], tenure: Tenure, now: float) -> Cluster:
        """The picture. A node whose record has not moved for as long as `tenure` says counts as dead."""
        names = {name for group in groups for name in group.nodelist} | set(self.nodes)
        masteries = []
        bars = [Bar(m.group, m.node, m.because) for m in self.marks.values() if not self._is_over(m, groups, now)]
        goals = {}
        for group in groups:
            for slot in self.holders(group.name):
                state = str(self.report_of(slot.node, group.name).get("state", ""))
                masteries.append(Mastery(group.name, slot.node or "?", slot.token, True, state, slot.index))
            goals[group.name] = self.goals.get(group.name) or first_goal(group)
            bars.extend(self._differing(group))
        return Cluster(
            tuple(self._peer(name, tenure, now) for name in sorted(names)),
            groups,
            tuple(masteries),
            goals,
            tuple(bars),
        )

    def _peer(self, name: str, tenure: Tenure, now: float) -> Peer:
        node = self.nodes.get(name)
        drained, evacuated = self.drains.get(name, ("", False))
        if node is None:
            return Peer(name, False, drained, evacuated, "it is not in the cluster")
        if now >= tenure.fence_after(node.seen, node.lifetime):
            return Peer(name, False, drained, evacuated, f"it has not been heard of for {now - node.seen:.0f} s")
        return Peer(name, True, drained, evacuated)

    def _is_over(self, mark: Mark, groups: tuple[Group, ...], now: float) -> bool:
        interval = next((g.pingpong_interval for g in groups if g.name == mark.group), 0.0)
        return now - mark.seen >= interval

    def over(self, groups: tuple[Group, ...], now: float) -> list[Mark]:
        """Marks that no longer count."""
        return [mark for mark in self.marks.values() if self._is_over(mark, groups, now)]

    def _differing(self, group: Group) -> list[Bar]:
        """Nodes whose files say something else of the group than the master's, or than most do, are barred from it."""
        digests = {n: str(self.report_of(n, group.name).get("digest", "")) for n in sorted(self.nodes)}
        digests = {n: d for n, d in digests.items() if d}
        right, whose = self._right(group, digests)
        return [
            Bar(group.name, node, f"its files differ from those of {whose}; `gds diff --cluster` shows how")
            for node, digest in digests.items()
            if digest != right
        ]

    def _right(self, group: Group, digests: dict[str, str]) -> tuple[str, str]:
        for slot in sorted(self.holders(group.name), key=lambda s: s.index):
            if slot.node in digests:
                return digests[slot.node], f"{slot.node}, its master"
        ranked = [n for n in group.nodelist if n in digests] + [n for n in digests if n not in group.nodelist]
        if not ranked:
            return "", ""
        counts = {d: sum(1 for each in digests.values() if each == d) for d in digests.values()}
        most = max(counts.values())
        first = next(n for n in ranked if counts[digests[n]] == most)
        return digests[first], "most other nodes" if most > 1 else first


def _decode(value: str) -> tuple[dict[str, Any], str]:
    try:
        facts = json.loads(value)
    except ValueError:
        return {}, "it is no JSON"
    except RecursionError:
        return {}, "it is nested too deeply"
    if not isinstance(facts, dict):
        return {}, "it is no JSON object"
    schema = facts.get("schema")
    if not isinstance(schema, int):
        return {}, "it has no schema"
    if schema > SCHEMA:
        return {}, f"it is of schema {schema}, written by a newer gds"
    return facts, ""


def _text(facts: dict[str, Any], key: str) -> str:
    value = facts.get(key, "")
    return value if isinstance(value, str) else ""


def _seconds(facts: dict[str, Any], key: str) -> float:
    value = facts.get(key, 0.0)
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e6 else 0.0


def _switches(facts: dict[str, Any]) -> dict[str, dict[str, bool]]:
    """Resource -> enabled, monitored; what cannot be read was switched by nobody."""
    of = facts.get("of")
    found = of.items() if isinstance(of, dict) else ()
    return {
        name: {what: value for what, value in said.items() if isinstance(value, bool)}
        for name, said in found
        if isinstance(said, dict)
    }


def _goal(facts: dict[str, Any]) -> Goal:
    targets = facts.get("targets")
    return Goal(
        online=bool(facts.get("online", True)),
        suspended=bool(facts.get("suspended", False)),
        managed=bool(facts.get("managed", True)),
        targets=tuple(t for t in targets if isinstance(t, str)) if isinstance(targets, list) else (),
        request=_text(facts, "request"),
    )
