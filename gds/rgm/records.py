"""The cluster's records: which keys there are, and what stands in them. What one node makes of them all: rgm/board.py.

Keys (engines.md 5.4; without the cluster's prefix). Every value is a JSON object with "schema".

    cluster            the store is that of this cluster; "settled": somebody has waited a lifetime since it was made
    nodes/N            node N lives; `created` is its birth. Written by N alone, every `renew` seconds
    report/N           what N says of each group it declares: state, digest of its files, reason
    drain/N            an operator's: N takes nothing more ("evacuate": it also gives up what it has)
    rg/G/slot/I        N, born then, is master of G; `modified` is the fencing token. Removed when it is given up
    rg/G/goal          an operator's: online, suspended, managed, where to
    rg/G/avoid/N       N may not take G for pingpong_interval, and why; "start_failed" false: see model.cluster.Bar
    rg/G/check/N       Monitor_check: asked by the master, answered by N
    rg/G/files/N       what the files of N, and what was set there, say of G; for `gds diff --cluster`
    rg/G/switches      enabled and monitored of each resource of G, where somebody has switched them
    rg/G/set           `gds set` for all nodes: what, and whether it is being checked, or to be carried out
    rg/G/set/N         what N says to that

What is foreign, garbage or of a newer schema is never touched by itself: it is kept in `strange` with the reason, and a
slot that cannot be read counts as taken, for better down than twice up (rgm/unread.py).

No time of another node is in any of this. How long something has stood unchanged is counted here, from when this node
first saw it, on this node's clock.
"""

from __future__ import annotations

from gds.model.value import Value
from gds.rgm.reading import SCHEMA as SCHEMA
from gds.rgm.reading import encode as encode

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
    """rg/G/avoid/N: written by `by`, seen by us since `seen` (seconds, our clock). `start_failed`: it failed to start
    there; so it is with one that does not say (an older gds wrote none)."""

    group: str
    node: str
    because: str
    by: str
    modified: int
    seen: float
    start_failed: bool = True


class Node(Value):
    """nodes/N: `born` is the revision at which this life of it began; unmoved since `seen` (seconds, our clock).
    `lifetime`: the L it counts with (seconds; infinite: we cannot read it)."""

    name: str
    born: int
    modified: int
    life: str
    identity: str
    version: str
    seen: float
    lifetime: float = 0.0
