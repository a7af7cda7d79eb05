"""Who needs whom: what may start, what may stop, and whom a change concerns. Sun: semantics.md 9.2, 11.2, 13.

A link says that `user` needs `need`. Rules:
- To start, the needs of a strong, restart or offline-restart link must be ONLINE; that of a weak one only must not be
  coming. All links are one graph without circles (config/compile.py refuses them).
- To stop, whoever uses it and goes down as well goes first, whatever the kind of the link; one that goes on running
  stops nobody, but for offline-restart, whose users are stopped first.
- A restart that travels along a link is asked for by no judge: it counts in nobody's budget.
- A user that cannot be stopped keeps what it needs up.
- An address of the own group is needed by all others of the group (implicit_network_dependencies); a group named in
  rg_dependencies is started before, and stopped after, when both move at once: weak links between their resources.
- Of several nodes (`spread`), a need in another group is looked for by its qualifier: {LOCAL_NODE} here, {ANY_NODE}
  wherever that group is, NAME@NODE there; {FROM_RG_AFFINITIES}, the default, here if the own group has a positive
  affinity for the other one, else anywhere. A need elsewhere has a name of its own in the graph (`far`). Who goes down
  is waited for on this node alone.
- Every Prenet_start of a group runs before the first Start that follows, every Postnet_stop after the last Stop.

What it knows of the others is their `ResourceView`, asked for by name; None: nobody declares it.
"""

from __future__ import annotations

from gds.model.value import Value
from gds.rgm.events import NeedGone, NeedRestarted, NeedsMet, UsersGone, UserStuck
from gds.rgm.life import Life
from gds.rgm.resource import ALONE, Around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from gds.model.resource import Plan, Resource
    from gds.rgm.events import Event
    from gds.rgm.resource import ResourceView

    Look: TypeAlias = Callable[[str], ResourceView | None]

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


NOBODY = Graph({}, {}, {})


def graph_of(plan: Plan, spread: bool = False) -> Graph:
    """The graph of everything declared. `spread`: groups may be on different nodes."""
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
    far = _far(plan, near, groups) if spread else {}
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


def _far(plan: Plan, links: Iterable[Link], groups: dict[str, str]) -> dict[Link, tuple[str, str, str]]:
    """Links to what may be on another node -> (its name in the graph, the resource, the node or "")."""
    where = {link: each for resource in plan.resources for link, each in _declared(resource)}
    near = {(g.name, a.lstrip("+")) for g in plan.groups for a in g.rg_affinities if a.startswith("+")}
    found = {}
    for link in links:
        own, other = groups[link.user], groups.get(link.need)
        said = where.get(link, "ANY_NODE")
        if said == "FROM_RG_AFFINITIES":
            said = "LOCAL_NODE" if (own, other) in near else "ANY_NODE"
        if own == other or said == "LOCAL_NODE":
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


# -- one resource among the others ------------------------------------------------------------------------------------


def around(graph: Graph, name: str, look: Look, leaving: bool = False) -> Around:
    """What the others have to say about it now. `leaving`: everything goes down, and who is stuck keeps nobody up."""
    if not graph.knows(name):
        return ALONE
    return Around(
        unmet(graph, name, look),
        _unprepared(graph, name, look),
        _in_use(graph, name, look, leaving)[0],
        _undrained(graph, name, look),
        name in graph.prenet,
        name in graph.postnet,
    )


def unmet(graph: Graph, name: str, look: Look) -> str:
    """Why it cannot be started yet; what will not come by itself first."""
    hopeless: list[str] = []
    coming: list[str] = []
    known: dict[str, bool] = {}
    for link in graph.needs.get(name, ()):
        view = look(link.need)
        if view is not None and view.life is Life.ONLINE:
            continue
        if view is not None and is_coming(graph, link.need, look, known):
            coming.append(link.need)
        elif link.kind != WEAK:
            hopeless.append(_lacking(link.need, view))
    if hopeless:
        return "; ".join(hopeless)
    if coming:
        return f"waits for {_listed(coming)}"
    preparing = [mate for mate in graph.mates.get(name, ()) if _will_prepare(graph, mate, look)]
    return f"waits for Prenet_start of {_listed(preparing)}" if preparing else ""


def is_coming(graph: Graph, name: str, look: Look, known: dict[str, bool] | None = None) -> bool:
    """It will be up, or have failed, by itself: a method or an appointment sees to it. `known`: answers so far."""
    view = look(name)
    if view is None:
        return False
    if view.life is not Life.AWAITING:
        return view.life in _COMING or _comes_back(view)
    known = {} if known is None else known
    if name not in known:
        needs = [link.need for link in graph.needs.get(name, ()) if link.kind != WEAK]
        known[name] = all(is_coming(graph, need, look, known) for need in needs if not _is_up(look(need)))
    return known[name]


def _comes_back(view: ResourceView) -> bool:
    """It goes down to be started again."""
    return view.life is Life.CYCLING or (view.life is Life.HELD and view.next is Life.CYCLING) or view.again


_COMING = (Life.STARTING, Life.PREPARING, Life.WAITING)


def _is_up(view: ResourceView | None) -> bool:
    return view is not None and view.life is Life.ONLINE


def _lacking(need: str, view: ResourceView | None) -> str:
    if view is None:
        return f"needs {need}, which nobody declares"
    if view.life in _GOING or view.life in (Life.HELD, Life.CLEARING):
        return f"needs {need}, which {'is restarted' if _comes_back(view) else 'goes down'}"
    if view.life is Life.AWAITING:
        return f"needs {need}, which {view.waits}"
    why = f" ({view.because})" if view.life is Life.OFFLINE and view.because else ""  # a failure tells its own story
    return f"needs {need}, which is {view.life.value}{why}"


def _is_unprepared(graph: Graph, name: str, look: Look) -> bool:
    view = look(name)
    return name in graph.prenet and view is not None and not view.prepared


def _will_prepare(graph: Graph, name: str, look: Look) -> bool:
    """Its Prenet_start runs, or waits for nothing but that of others: one that waits for another group is not waited
    for, because that one may wait for us."""
    view = look(name)
    if view is None or not _is_unprepared(graph, name, look):
        return False
    if view.life is Life.AWAITING:
        return not _lacks_another_group(graph, name, look)
    return view.life is Life.PREPARING


def _lacks_another_group(graph: Graph, name: str, look: Look) -> str:
    """What it needs of another group and is not up, in words."""
    own = graph.groups.get(name)
    for link in graph.needs.get(name, ()):
        if link.kind != WEAK and graph.groups.get(link.need) != own and not _is_up(look(link.need)):
            return _lacking(link.need, look(link.need))
    return ""


def _unprepared(graph: Graph, name: str, look: Look) -> str:
    """Why its Prenet_start cannot run yet: those it needs go first; one of another group has to be up."""
    lacking = _lacks_another_group(graph, name, look)
    if lacking:
        return lacking
    needs = [link.need for link in graph.needs.get(name, ())]
    own = graph.groups.get(name)
    first = [need for need in needs if graph.groups.get(need) == own and _will_prepare(graph, need, look)]
    return f"waits for Prenet_start of {_listed(first)}" if first else ""


_GOING = (Life.STOPPING, Life.CYCLING, Life.ABANDONING)


def _in_use(graph: Graph, name: str, look: Look, leaving: bool) -> tuple[str, str]:
    """(why it cannot be stopped yet, who will never let it): those that use it and go down too are down first."""
    waits: list[str] = []
    stuck: list[str] = []
    for link in graph.users.get(name, ()):
        view = look(link.user)
        if view is None:
            continue
        goes = view.life in _GOING or (view.life is Life.HELD and view.next is not Life.CLEARING)
        if goes or (link.kind == OFFLINE_RESTART and view.life in (Life.ONLINE, Life.STARTING)):
            waits.append(link.user)
        elif link.kind != WEAK and view.life is Life.STOP_FAILED and not leaving:
            stuck.append(link.user)
    said = f"waits until {_listed(waits)} {'is' if len(waits) == 1 else 'are'} down" if waits else ""
    return said, f"{_listed(stuck)} could not be stopped, and needs it" if stuck else ""


def _undrained(graph: Graph, name: str, look: Look) -> str:
    """Whose Stop has to be over before its Postnet_stop: all of the group that go down; of those that use it, also
    their Postnet_stop."""
    first = []
    for mate in graph.mates.get(name, ()):
        view = look(mate)
        if view is not None and (
            view.life in (Life.STOPPING, Life.ABANDONING) or (view.life is Life.HELD and view.next is Life.STOPPING)
        ):
            first.append(mate)
    for link in graph.users.get(name, ()):
        view = look(link.user)
        if view is not None and (view.life is Life.CLEARING or view.next is Life.CLEARING):
            first.append(link.user)
    return f"waits until {_listed(list(dict.fromkeys(first)))} went down" if first else ""


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


# -- what a change of one means for the others ------------------------------------------------------------------------


def is_news(before: ResourceView, after: ResourceView) -> bool:
    """Those it concerns have to look again: it lives otherwise, will live otherwise, or waits for something else."""
    return (
        after.life is not before.life
        or after.life is Life.AWAITING
        or after.next is not before.next
        or after.again != before.again
    )


def concerned(graph: Graph, name: str) -> list[str]:
    """Who has to look again when this one's life has changed; users first."""
    found = [link.user for link in graph.users.get(name, ())]
    found += [link.need for link in graph.needs.get(name, ())]
    found += graph.mates.get(name, ())
    return list(dict.fromkeys(found))


def news(
    graph: Graph, name: str, changed: str, before: Life, look: Look, leaving: bool = False, anew: bool = False
) -> Event | None:
    """What `name` is to be told, now that the life of `changed` is another than `before`; None: nothing. `anew`: it
    went down and came up while nobody looked, as may be on another node."""
    view, cause = look(name), look(changed)
    if view is None or cause is None:
        return None
    if view.life is Life.AWAITING:
        waits = _waits_on(graph, name, view.prepared, look)
        return NeedsMet() if waits != view.waits else None  # also when it waits for something else from now on
    if view.life is Life.HELD:
        if view.next is Life.CLEARING:
            return None if _undrained(graph, name, look) else UsersGone()
        waits, stuck = _in_use(graph, name, look, leaving)
        if stuck:
            return UserStuck(f"not stopped: {stuck}")
        return None if waits else UsersGone()
    if view.life not in (Life.ONLINE, Life.STARTING):
        return None
    kinds = [link.kind for link in graph.needs.get(name, ()) if link.need == changed]
    if OFFLINE_RESTART in kinds and not _is_up(cause):
        return NeedGone(f"{changed}, which it needs, goes down: {cause.because}")
    came_back = _is_up(cause) and (anew or before not in (Life.ONLINE, Life.HELD))
    if came_back and (RESTART in kinds or (anew and OFFLINE_RESTART in kinds)):
        return NeedRestarted(f"{changed}, which it needs, was started anew")
    return None


def _waits_on(graph: Graph, name: str, prepared: bool, look: Look) -> str:
    if name in graph.prenet and not prepared:
        return _unprepared(graph, name, look)
    return unmet(graph, name, look)


def is_at_rest(graph: Graph, name: str, look: Look) -> bool:
    """Nothing of its own accord changes its life soon: it is up or down for good, or waits for what will not come."""
    view = look(name)
    if view is None or view.life in (Life.OFFLINE, Life.ONLINE, Life.START_FAILED, Life.STOP_FAILED):
        return True
    return view.life is Life.AWAITING and not is_coming(graph, name, look)


def start_order(graph: Graph, names: Iterable[str]) -> list[str]:
    """These names in the order in which to ask them to start: each after all that it needs, otherwise as given; but
    first those that have Prenet_start, for the others have to see that it is due."""
    ordered = _by_needs(graph, list(names))
    return [n for n in ordered if n in graph.prenet] + [n for n in ordered if n not in graph.prenet]


def stop_order(graph: Graph, names: Iterable[str]) -> list[str]:
    """These names in the order in which to ask them to stop: each before all that it needs."""
    return _by_needs(graph, list(names))[::-1]


def _by_needs(graph: Graph, wanted: list[str]) -> list[str]:
    inside = set(wanted)
    done: dict[str, None] = {}
    for name in wanted:
        stack = [(name, False)]
        while stack:
            each, ready = stack.pop()
            if each in done:
                continue
            if ready:
                done[each] = None
                continue
            stack.append((each, True))
            stack += [(link.need, False) for link in graph.needs.get(each, ()) if link.need not in done]
    return [name for name in done if name in inside]
