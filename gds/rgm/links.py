"""Who is declared to need whom: all links of a plan, from both ends. Sun: semantics.md 11.2, 13.

What follows from them is told by order.py.
"""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.model.resource import Plan, Resource

STRONG, WEAK, RESTART, OFFLINE_RESTART = "strong", "weak", "restart", "offline-restart"


class Link(Value):
    """`user` needs `need`; `kind` is one of the four words above."""

    user: str
    need: str
    kind: str


class Graph(Value):
    """All links, from both ends, and `mates`: the others of a group in which somebody has Prenet_start or
    Postnet_stop. A resource that nobody is linked with stands nowhere."""

    needs: dict[str, tuple[Link, ...]]
    users: dict[str, tuple[Link, ...]]
    mates: dict[str, tuple[str, ...]]
    prenet: frozenset[str] = frozenset()
    postnet: frozenset[str] = frozenset()
    groups: dict[str, str] = {}  # noqa: RUF012  # never changed
    far: dict[str, tuple[str, str]] = {}  # noqa: RUF012  # never changed
    """Name of a need elsewhere -> (resource, node; "" = any)."""

    def knows(self, name: str) -> bool:
        """Others have a say about this one, or it about others."""
        return name in self.needs or name in self.users or name in self.mates or name in self.postnet

    def anywhere(self, need: str) -> str:
        """The resource of a need that any node may serve; "" of another need."""
        resource, node = self.far.get(need, ("", ""))
        return "" if node else resource


NOBODY = Graph({}, {}, {})


def graph_of(plan: Plan, here: str = "") -> Graph:
    """The graph of everything declared. `here`: groups may be on different nodes, of which this is the one."""
    links = [link for resource in plan.resources for link, _where in _declared(resource)]
    members: dict[str, list[Resource]] = {}
    for resource in plan.resources:
        members.setdefault(resource.group, []).append(resource)
    for group in plan.groups:
        own = members.get(group.name, [])
        if group.implicit_network_dependencies and group.rg_mode != "SCALABLE":
            for address in [r for r in own if r.is_address]:
                links += [Link(r.name, address.name, STRONG) for r in own if not r.is_address]
        for before in group.rg_dependencies:
            links += [Link(r.name, b.name, WEAK) for r in own for b in members.get(before, [])]
    prenet = frozenset([r.name for r in plan.resources if r.prenet_start_command is not None])
    postnet = frozenset([r.name for r in plan.resources if r.postnet_stop_command is not None])
    mates: dict[str, tuple[str, ...]] = {}
    for own in members.values():
        names = [r.name for r in own]
        if prenet.intersection(names) or postnet.intersection(names):
            mates.update({name: tuple([n for n in names if n != name]) for name in names})
    near = dict.fromkeys(links)
    groups = {r.name: r.group for r in plan.resources}
    far = _far(plan, near, groups, here) if here else {}
    needs = [Link(n.user, far[n][0], n.kind) if n in far else n for n in near]
    elsewhere = [Link(n.user, name, n.kind) for n, (name, _need, _node) in far.items()]
    return Graph(
        _by(needs, "user"),
        _by([*near, *elsewhere], "need"),
        mates,
        prenet,
        postnet,
        groups,
        {name: (need, node) for name, need, node in far.values()},
    )


def _far(plan: Plan, links: Iterable[Link], groups: dict[str, str], here: str) -> dict[Link, tuple[str, str, str]]:
    """Links to what may be on another node than `here` -> (its name in the graph, the resource, the node or "")."""
    where = {link: each for resource in plan.resources for link, each in _declared(resource)}
    near = {(g.name, a.lstrip("+")) for g in plan.groups for a in g.rg_affinities if a.startswith("+")}
    found = {}
    for link in links:
        own, other = groups[link.user], groups.get(link.need)
        said = where.get(link, "ANY_NODE")
        if said == "FROM_RG_AFFINITIES":
            said = "LOCAL_NODE" if (own, other) in near else "ANY_NODE"
        if own == other or said in ("LOCAL_NODE", here):
            continue
        node = "" if said == "ANY_NODE" else said
        found[link] = (f"{link.need} on {node or 'any node'}", link.need, node)
    return found


def _declared(resource: Resource) -> list[tuple[Link, str]]:
    """Each link, and where the need is looked for."""
    found = []
    for kind, needs in (
        (STRONG, resource.resource_dependencies),
        (WEAK, resource.resource_dependencies_weak),
        (RESTART, resource.resource_dependencies_restart),
        (OFFLINE_RESTART, resource.resource_dependencies_offline_restart),
    ):
        found += [(Link(resource.name, need.on, kind), need.where) for need in needs]
    return found


def _by(links: Iterable[Link], end: str) -> dict[str, tuple[Link, ...]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(getattr(link, end), []).append(link)
    return {name: tuple(each) for name, each in found.items()}
