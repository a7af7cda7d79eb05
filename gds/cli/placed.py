"""What Pacemaker is to know of groups, and how pcs and crm are told. Engines.md 3.4 has the mapping.

One Pacemaker resource for each group: it is what moves as a whole, and gds keeps the order inside it.

    nodelist                    locations with falling scores, and nowhere else
    failback                    resource-stickiness 0, else far above all locations
    pingpong_interval           failure-timeout, with migration-threshold=1: one failure moves it
    rg_dependencies             order; of single resources in another group: order, {LOCAL_NODE} also colocation
    rg_affinities               colocation: ++ and +++ INFINITY, + 100, - -100, -- -INFINITY
    maximum_primaries           a clone, when above 1
    desired_primaries = 0       target-role=Stopped
    failover_mode               HARD: a failed stop fences the node. SOFT: it blocks. NONE: a failed start blocks, too.
                                RESTART_ONLY: never moved for a failure. LOG_ONLY: failures are only shown
    failover_enabled = false    as LOG_ONLY: past its budget it is left alone
"""

from __future__ import annotations

import math
import shlex

from gds.model.state import FailoverMode
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.model.resource import Group, Plan, Resource

_OWN = 20.0
"""Seconds that the agent needs beside what the methods may take."""
_SHARE = 0.9
"""Of a timeout: what the agent gives to gds (gds/ocf/agent.py)."""
STAYS = "100000"
"""Not INFINITY, which `pcs resource move` could not outweigh."""
_SIGNS = {"+++": "INFINITY", "++": "INFINITY", "+": "100", "-": "-100", "--": "-INFINITY"}
_MODES = (FailoverMode.HARD, FailoverMode.SOFT, FailoverMode.NONE, FailoverMode.RESTART_ONLY, FailoverMode.LOG_ONLY)


class Operation(Value):
    """One operation: `options` as Pacemaker names them."""

    name: str
    options: tuple[tuple[str, str], ...]


class Primitive(Value):
    """One group. `copies` above 1: a clone. `remarks`: what a person should know."""

    name: str
    params: tuple[tuple[str, str], ...]
    operations: tuple[Operation, ...]
    meta: tuple[tuple[str, str], ...]
    nodes: tuple[str, ...] = ()
    copies: int = 1
    remarks: tuple[str, ...] = ()

    @property
    def placed_name(self) -> str:
        """What constraints name."""
        return f"{self.name}-clone" if self.copies > 1 else self.name


class Order(Value):
    """`first` starts before `then`, and stops after it; `kind` as Pacemaker names it."""

    first: str
    then: str
    kind: str = "Mandatory"


class Company(Value):
    """`name` is placed with regard to `other`, so much."""

    name: str
    other: str
    score: str


class Placed(Value):
    """All of one descriptor."""

    path: str
    primitives: tuple[Primitive, ...]
    orders: tuple[Order, ...]
    companies: tuple[Company, ...]


def placed_of(path: str, plan: Plan) -> Placed:
    """What Pacemaker is to know of a plan; `path`: absolute, where the descriptor is on each node."""
    members = {g.name: [r for r in plan.resources if r.group == g.name] for g in plan.groups}
    groups = [g for g in plan.groups if members[g.name]]
    params = (("config", path),)
    made = [
        _primitive(g, members[g.name], params if len(groups) == 1 else (*params, ("resource", g.name))) for g in groups
    ]
    names = {each.name: each.placed_name for each in made}
    orders = dict.fromkeys([*_orders_of_groups(groups), *_orders_of_resources(plan)])
    companies = dict.fromkeys([*_companies_of_groups(groups), *_companies_of_resources(plan)])
    return Placed(
        path,
        tuple(made),
        tuple([Order(names[o.first], names[o.then], o.kind) for o in orders if {o.first, o.then} <= set(names)]),
        tuple([Company(names[c.name], names[c.other], c.score) for c in companies if {c.name, c.other} <= set(names)]),
    )


def _primitive(group: Group, members: list[Resource], params: tuple[tuple[str, str], ...]) -> Primitive:
    modes = sorted({each.failover_mode for each in members}, key=_MODES.index)
    mode = modes[0]
    kept = all(not each.failover_enabled for each in members)
    start = [("timeout", _limit(members, "start_timeout", "prenet_start_timeout"))]
    stop = [("timeout", _limit(members, "stop_timeout", "postnet_stop_timeout"))]
    monitor = [("interval", "10s"), ("timeout", "40s")]
    stop.append(("on-fail", "fence" if mode is FailoverMode.HARD else "block"))
    if mode is FailoverMode.NONE:
        start.append(("on-fail", "block"))
    if mode is FailoverMode.LOG_ONLY or kept:
        monitor.append(("on-fail", "ignore"))
    meta = [
        ("migration-threshold", "INFINITY" if mode is FailoverMode.RESTART_ONLY else "1"),
        ("failure-timeout", f"{max(1, math.ceil(group.pingpong_interval))}s"),
        ("resource-stickiness", "0" if group.failback else STAYS),
    ]
    if not group.desired_primaries:
        meta.append(("target-role", "Stopped"))
    operations = [("start", start), ("stop", stop), ("monitor", monitor)]
    return Primitive(
        group.name,
        params,
        tuple([Operation(name, tuple(each)) for name, each in operations]),
        tuple(meta),
        group.nodelist,
        group.maximum_primaries,
        tuple(_remarks(group, modes)),
    )


def _remarks(group: Group, modes: list[FailoverMode]) -> Iterable[str]:
    if len(modes) > 1:
        words = ", ".join([mode.value for mode in modes])
        yield f"its resources have several failover modes ({words}): the first of them rules for the group"
    if FailoverMode.HARD in modes:
        yield "HARD needs fencing, or nothing ends a node on which it cannot be stopped"
    if any(each.startswith("+++") for each in group.rg_affinities):
        yield "+++: when it is given over, Pacemaker does not move the other group for its sake, as gds would"
    if not group.auto_start_on_new_cluster:
        yield "auto_start_on_new_cluster is false: after a boot of all nodes, Pacemaker starts it all the same"


def _limit(members: list[Resource], *timeouts: str) -> str:
    """The timeout of an operation: along the longest chain of what needs what, plus our own share."""
    own = {each.name: each for each in members}
    known: dict[str, float] = {}

    def longest(name: str) -> float:
        if name not in known:
            each = own[name]
            has = [getattr(each, timeouts[0])]
            has += [getattr(each, t) for t in timeouts[1:] if getattr(each, t.replace("_timeout", "_command"))]
            needs = [
                n.on
                for n in (
                    *each.resource_dependencies,
                    *each.resource_dependencies_weak,
                    *each.resource_dependencies_restart,
                    *each.resource_dependencies_offline_restart,
                )
            ]
            known[name] = sum(has) + max([longest(n) for n in needs if n in own], default=0.0)
        return known[name]

    return f"{math.ceil((max(map(longest, own)) + _OWN) / _SHARE)}s"


def _orders_of_groups(groups: list[Group]) -> Iterable[Order]:
    return [Order(first, group.name) for group in groups for first in group.rg_dependencies]


def _orders_of_resources(plan: Plan) -> Iterable[Order]:
    home = {each.name: each.group for each in plan.resources}
    for each in plan.resources:
        for kind, needs in (
            ("Mandatory", each.resource_dependencies),
            ("Mandatory", each.resource_dependencies_restart),
            ("Mandatory", each.resource_dependencies_offline_restart),
            ("Optional", each.resource_dependencies_weak),
        ):
            for need in needs:
                if home.get(need.on, each.group) != each.group:
                    yield Order(home[need.on], each.group, kind)


def _companies_of_groups(groups: list[Group]) -> Iterable[Company]:
    for group in groups:
        for entry in group.rg_affinities:
            other = entry.lstrip("+-")
            yield Company(group.name, other, _SIGNS[entry[: len(entry) - len(other)]])


def _companies_of_resources(plan: Plan) -> Iterable[Company]:
    home = {each.name: each.group for each in plan.resources}
    for each in plan.resources:
        for need in (
            *each.resource_dependencies,
            *each.resource_dependencies_restart,
            *each.resource_dependencies_offline_restart,
        ):
            if need.where == "LOCAL_NODE" and home.get(need.on, each.group) != each.group:
                yield Company(each.group, home[need.on], "INFINITY")


# -- how they are told ------------------------------------------------------------------------------------------------

_HEAD = (
    "# {paths}: for Pacemaker, as ocf:gds:app. Read, then run once on one node.",
    "# The descriptor has to be at the same path on every node, and gds with its agent be installed there.",
)
_FENCING = (
    "# Without fencing a node that hangs or is cut off may run the same application beside another one, and no",
    "# software on it can prevent that. Configure a fence device for every node, then",
)


def _head(found: list[Placed]) -> list[str]:
    return [line.format(paths=", ".join([each.path for each in found])) for line in _HEAD]


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join([f"{name}={shlex.quote(value)}" for name, value in pairs])


def _nowhere_else(nodes: Iterable[str]) -> str:
    return " and ".join([f"'#uname' ne {node}" for node in nodes])


def _preferred(nodes: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(node, 100 * (len(nodes) - rank)) for rank, node in enumerate(nodes)]


def as_pcs(found: list[Placed]) -> list[str]:
    """pcs commands, one a line (continued by a backslash)."""
    lines = _head(found)
    for placed in found:
        for each in placed.primitives:
            lines += ["", *[f"# {each.name}: {remark}" for remark in each.remarks]]
            operations = [f"{o.name} {_pairs(o.options)}" for o in each.operations]
            clone = [f"clone clone-max={each.copies} clone-node-max=1 interleave=true"] if each.copies > 1 else []
            words = [
                f"pcs resource create {each.name} ocf:gds:app {_pairs(each.params)}",
                f"op {' '.join(operations)}",
                f"meta {_pairs(each.meta)}",
                *clone,
            ]
            lines.append(" \\\n    ".join(words))
            if each.nodes:
                shown = " ".join([f"{node}={score}" for node, score in _preferred(each.nodes)])
                lines.append(f"pcs constraint location {each.placed_name} prefers {shown}")
                rule = _nowhere_else(each.nodes)
                lines.append(f"pcs constraint location {each.placed_name} rule score=-INFINITY {rule}")
    for placed in found:
        lines += [f"pcs constraint order start {o.first} then start {o.then} kind={o.kind}" for o in placed.orders]
        lines += [f"pcs constraint colocation add {c.name} with {c.other} score={c.score}" for c in placed.companies]
    return [*lines, "", *_FENCING, "pcs property set stonith-enabled=true"]


def as_crm(found: list[Placed]) -> list[str]:
    """The same for `crm configure load update -`."""
    lines = _head(found)
    for placed in found:
        for each in placed.primitives:
            lines += [*[f"# {each.name}: {remark}" for remark in each.remarks]]
            operations = [f"op {o.name} {_pairs(_with_interval(o))}" for o in each.operations]
            words = [
                f"primitive {each.name} ocf:gds:app",
                f"params {_pairs(each.params)}",
                *operations,
                f"meta {_pairs(each.meta)}",
            ]
            lines.append(" \\\n    ".join(words))
            if each.copies > 1:
                meta = f"meta clone-max={each.copies} clone-node-max=1 interleave=true"
                lines.append(f"clone {each.placed_name} {each.name} {meta}")
            for node, score in _preferred(each.nodes):
                lines.append(f"location {each.name}-on-{node} {each.placed_name} {score}: {node}")
            if each.nodes:
                rule = _nowhere_else(each.nodes).replace("'", "")
                lines.append(f"location {each.name}-nowhere-else {each.placed_name} rule -inf: {rule}")
    for placed in found:
        for number, o in enumerate(placed.orders, 1):
            lines.append(f"order {o.first}-then-{o.then}-{number} {o.kind}: {o.first} {o.then}")
        for number, c in enumerate(placed.companies, 1):
            weight = c.score.replace("INFINITY", "inf")
            lines.append(f"colocation {c.name}-by-{c.other}-{number} {weight}: {c.name} {c.other}")
    return [*lines, *_FENCING, "property stonith-enabled=true"]


def _with_interval(operation: Operation) -> tuple[tuple[str, str], ...]:
    """crm wants to know that it is not a recurring one."""
    known = dict(operation.options)
    return operation.options if "interval" in known else (("interval", "0"), *operation.options)
