"""The order in which things start: waves, who waits for whom, the longest path; as text, data, dot and Mermaid.

The links are those the runner works with (`rgm/order.py`), so the picture cannot differ from what happens. An arrow
leads from the one that waits to the one it waits for. A wave holds what may start at the same time, and one is no
barrier: each resource starts as soon as everything it waits for is online, or for a weak link and for the order of
groups, as soon as that is not on its way any more. Pure.
"""

from __future__ import annotations

from gds.model.value import Value
from gds.rgm.order import OFFLINE_RESTART, RESTART, STRONG, WEAK, graph_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gds.model.resource import Group, Plan, Resource

ADDRESS, GROUP = "address", "group"
"""Kinds of edges that nobody declared one by one: implicit_network_dependencies, rg_dependencies."""

_RANK = (OFFLINE_RESTART, RESTART, STRONG, ADDRESS, WEAK, GROUP)
_WAITING = frozenset((OFFLINE_RESTART, RESTART, STRONG, ADDRESS))
"""Kinds for which the other must be online; the rest only says who goes first."""

WIDTH = 100


class Edge(Value):
    """`user` waits for `need`; of several kinds between two the one that asks for most. `where`: on which node, as it
    was declared; for the order of groups, the group that goes first."""

    user: str
    need: str
    kind: str
    where: str = ""


class Step(Value):
    """One resource in the order. `held`: why it does not start by itself, a sentence; empty: it does."""

    name: str
    group: str
    wave: int
    needs: tuple[Edge, ...] = ()
    users: tuple[Edge, ...] = ()
    held: str = ""


class Order(Value):
    """Steps in the order of the file within each wave, all groups, and the longest chain, first to start first."""

    steps: tuple[Step, ...]
    groups: tuple[Group, ...]
    longest: tuple[str, ...]

    @property
    def waves(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each wave, the first to start first."""
        made: dict[int, list[Step]] = {}
        for step in self.steps:
            made.setdefault(step.wave, []).append(step)
        return tuple([tuple(made[wave]) for wave in sorted(made)])


def order_of(plan: Plan) -> Order:
    """The order of a plan, which has no circle."""
    edges = _edges(plan)
    wave: dict[str, int] = {}
    users: dict[str, list[Edge]] = {r.name: [] for r in plan.resources}
    missing = {name: len(needs) for name, needs in edges.items()}
    for needs in edges.values():
        for edge in needs:
            users[edge.need].append(edge)
    ready = [name for name, count in missing.items() if not count]
    for name in ready:
        wave[name] = 1 + max([wave[e.need] for e in edges[name]], default=0)
        for edge in users[name]:
            missing[edge.user] -= 1
            if not missing[edge.user]:
                ready.append(edge.user)
    held = _held(plan, edges, ready)
    steps = [
        Step(r.name, r.group, wave[r.name], tuple(edges[r.name]), tuple(users[r.name]), held.get(r.name, ""))
        for r in plan.resources
    ]
    steps.sort(key=lambda step: step.wave)
    return Order(tuple(steps), plan.groups, _longest(wave, edges))


def _edges(plan: Plan) -> dict[str, list[Edge]]:
    """The edges of each resource that waits, each need once."""
    graph = graph_of(plan)
    home = {r.name: r.group for r in plan.resources}
    made: dict[str, list[Edge]] = {}
    for resource in plan.resources:
        declared = _declared(resource)
        best: dict[str, Edge] = {}
        for link in graph.needs.get(resource.name, ()):
            kind, where = link.kind, declared.get((link.need, link.kind), "")
            if not where:
                kind, where = (ADDRESS, "") if kind == STRONG else (GROUP, home[link.need])
            known = best.get(link.need)
            if known is None or _RANK.index(kind) < _RANK.index(known.kind):
                best[link.need] = Edge(resource.name, link.need, kind, where)
        made[resource.name] = sorted(best.values(), key=lambda edge: _RANK.index(edge.kind))
    return made


def _declared(resource: Resource) -> dict[tuple[str, str], str]:
    return {
        (need.on, kind): need.where
        for kind, needs in (
            (STRONG, resource.resource_dependencies),
            (WEAK, resource.resource_dependencies_weak),
            (RESTART, resource.resource_dependencies_restart),
            (OFFLINE_RESTART, resource.resource_dependencies_offline_restart),
        )
        for need in needs
    }


def _held(plan: Plan, edges: dict[str, list[Edge]], ordered: Iterable[str]) -> dict[str, str]:
    """Who does not start by itself, and why; `ordered`: needs before their users."""
    asleep = {g.name: g for g in plan.groups if not g.auto_start_on_new_cluster or not g.desired_primaries}
    resources = {r.name: r for r in plan.resources}
    made: dict[str, str] = {}
    for name in ordered:
        resource = resources[name]
        on = next((e.need for e in edges[name] if e.kind in _WAITING and e.need in made), "")
        if not resource.enabled:
            made[name] = "disabled"
        elif resource.group in asleep:
            made[name] = f"group {resource.group} starts only when somebody asks"
        elif on:
            made[name] = f"cannot start before {on}, which does not start by itself"
    return made


def _longest(wave: dict[str, int], edges: dict[str, list[Edge]]) -> tuple[str, ...]:
    if not wave:
        return ()
    name = max(wave, key=lambda n: wave[n])
    way = [name]
    while wave[name] > 1:
        before = [e for e in edges[name] if wave[e.need] == wave[name] - 1]
        name = min(before, key=lambda e: _RANK.index(e.kind)).need
        way.append(name)
    return tuple(way[::-1])


# -- for people


def as_text(order: Order) -> str:
    """For a terminal: what starts when, and who waits for whom."""
    if not order.steps:
        return "nothing is declared"
    waves = order.waves
    counts = f"{_count(len(order.steps), 'resource')} in {_count(len(order.groups), 'group')}"
    if len(waves) > 1:
        lines = [f"{counts}, {len(waves)} waves: what stands in one wave starts at the same time.", ""]
    else:
        lines = [f"{counts}: nothing waits for anything, so everything starts at the same time.", ""]
    home = {step.name: step.group for step in order.steps}
    columns = [
        min(max(map(len, texts)), 40)
        for texts in ([s.name for s in order.steps], [_shown_group(s) for s in order.steps])
    ]
    for number, steps in enumerate(waves, 1):
        if len(waves) > 1:
            lines.append(f"wave {number}")
        for step in steps:
            lines.extend(_told(step, columns, home))
    if len(waves) > 1:
        path = ", then ".join(order.longest)
        lines += ["", *_wrapped(f"Longest path, {len(order.longest)} starts one after another: {path}")]
        lines.append("A resource starts as soon as all it waits for is online. Stopping goes the other way round.")
    return "\n".join(lines)


def _shown_group(step: Step) -> str:
    return "" if step.group == step.name else f"[{step.group}]"


def _told(step: Step, columns: list[int], home: dict[str, str]) -> Iterable[str]:
    parts = []
    if step.held:
        parts.append(f"({step.held})")
    needs = [e.need + ("" if e.kind == STRONG else f" ({e.kind})") for e in step.needs if e.kind != GROUP]
    if not any(e.kind in _WAITING and home[e.need] == step.group for e in step.needs):
        # One that waits for another of its group need not be told that its group waits.
        needs += dict.fromkeys([f"group {e.where}" for e in step.needs if e.kind == GROUP])
    if needs:
        parts.append("waits for " + ", ".join(needs))
    users = [e.user for e in step.users if e.kind != GROUP]
    users += dict.fromkeys([f"group {home[e.user]}" for e in step.users if e.kind == GROUP])
    if users:
        parts.append("awaited by " + ", ".join(users))
    name, group = columns
    gap = "  " if group else ""
    head = f"  {step.name:<{name}}{gap}{_shown_group(step):<{group}}  "
    return _wrapped(head + "; ".join(parts), len(head))


def _wrapped(text: str, indent: int = 2) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- for programs


def as_document(order: Order) -> dict[str, Any]:
    """For JSON."""
    return {
        "schema": 1,
        "waves": [[step.name for step in steps] for steps in order.waves],
        "longest_path": list(order.longest),
        "resources": [
            {
                "name": step.name,
                "group": step.group,
                "wave": step.wave,
                "starts": not step.held,
                "because": step.held,
                "needs": [{"name": e.need, "kind": e.kind, "where": e.where} for e in step.needs],
                "needed_by": [{"name": e.user, "kind": e.kind} for e in step.users],
            }
            for step in order.steps
        ],
        "groups": [
            {"name": g.name, "resources": list(g.resources), "rg_dependencies": list(g.rg_dependencies)}
            for g in order.groups
        ],
    }


_DOT = {
    OFFLINE_RESTART: ' [label="offline-restart", penwidth=2]',
    RESTART: ' [label="restart"]',
    STRONG: "",
    ADDRESS: ' [label="address", color=gray]',
    WEAK: ' [label="weak", style=dashed]',
}
_MERMAID = {
    OFFLINE_RESTART: "==>|offline-restart|",
    RESTART: "-->|restart|",
    STRONG: "-->",
    ADDRESS: "-->|address|",
    WEAK: "-.->|weak|",
}


def as_dot(order: Order) -> str:
    """For Graphviz; the first to start stands on the left."""
    lines = ["digraph gds {", "  rankdir=RL;", "  compound=true;", '  node [shape=box, fontname="sans-serif"];']
    for group, steps in _clusters(order):
        inner = "  "
        if group is not None:
            lines += [f'  subgraph "cluster_{group.name}" {{', f'    label="{group.name}";', "    style=rounded;"]
            inner = "    "
        lines += [f'{inner}"{s.name}"{" [style=dashed]" if s.held else ""};' for s in steps]
        if group is not None:
            lines.append("  }")
    lines += [f'  "{e.user}" -> "{e.need}"{_DOT[e.kind]};' for s in order.steps for e in s.needs if e.kind in _DOT]
    first = {step.group: step.name for step in reversed(order.steps)}
    last = {step.group: step.name for step in order.steps}
    for group, before in _group_edges(order):
        # Between groups dot knows no edges: it is drawn from the first of one to the last of the other, and clipped.
        ends = f'ltail="cluster_{group.name}", lhead="cluster_{before.name}"'
        lines.append(f'  "{first[group.name]}" -> "{last[before.name]}" [{ends}, style=dotted, label="after"];')
    return "\n".join([*lines, "}"])


def as_mermaid(order: Order) -> str:
    """For Mermaid (Markdown of many places draws it); the first to start stands on the left."""
    lines = ["flowchart RL"]
    ids = {step.name: f"r{number}" for number, step in enumerate(order.steps)}
    groups = {group.name: f"g{number}" for number, group in enumerate(order.groups)}
    for group, steps in _clusters(order):
        if group is not None:
            lines.append(f'  subgraph {groups[group.name]}["{group.name}"]')
        lines += [f'  {"  " if group is not None else ""}{ids[s.name]}["{s.name}"]' for s in steps]
        if group is not None:
            lines.append("  end")
    lines += [
        f"  {ids[e.user]} {_MERMAID[e.kind]} {ids[e.need]}" for s in order.steps for e in s.needs if e.kind in _MERMAID
    ]
    lines += [f"  {groups[g.name]} -.->|after| {groups[before.name]}" for g, before in _group_edges(order)]
    held = [ids[step.name] for step in order.steps if step.held]
    if held:
        lines += ["  classDef held stroke-dasharray: 5 5", f"  class {','.join(held)} held"]
    return "\n".join(lines)


def _clusters(order: Order) -> Iterable[tuple[Group | None, list[Step]]]:
    """Each group with its steps; a resource alone in a group of its own name has no frame around it."""
    framed = {g.name for pair in _group_edges(order) for g in pair}
    steps: dict[str, list[Step]] = {}
    for step in order.steps:
        steps.setdefault(step.group, []).append(step)
    for group in order.groups:
        if group.name in steps:
            alone = group.resources == (group.name,) and group.name not in framed
            yield None if alone else group, steps[group.name]


def _group_edges(order: Order) -> Iterable[tuple[Group, Group]]:
    known = {group.name: group for group in order.groups}
    for group in order.groups:
        for name in group.rg_dependencies:
            if group.resources and known[name].resources:
                yield group, known[name]
