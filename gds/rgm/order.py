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
- Of several nodes, a need in another group is looked for by its qualifier: {LOCAL_NODE} here, {ANY_NODE}
  wherever that group is, NAME@NODE there; {FROM_RG_AFFINITIES}, the default, here if the own group has a positive
  affinity for the other one, else anywhere. A need that may be elsewhere has a name of its own in the graph (`far`), by
  which the other nodes are asked; this node's own is looked at beside it (`need_of`). Who goes down is waited for on
  this node alone, and only who goes down for it: whose need is up elsewhere goes on.
- Every Prenet_start of a group runs before the first Start that follows, every Postnet_stop after the last Stop.

What it knows of the others is their `ResourceView`, asked for by name; None: nobody declares it.
"""

from __future__ import annotations

from gds.rgm.events import NeedGone, NeedRestarted, NeedsMet, UsersGone, UserStuck
from gds.rgm.life import Life
from gds.rgm.links import NOBODY as NOBODY
from gds.rgm.links import OFFLINE_RESTART as OFFLINE_RESTART
from gds.rgm.links import RESTART as RESTART
from gds.rgm.links import STRONG as STRONG
from gds.rgm.links import WEAK as WEAK
from gds.rgm.links import Graph as Graph
from gds.rgm.links import Link as Link
from gds.rgm.links import graph_of as graph_of
from gds.rgm.resource import ALONE, Around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from gds.rgm.events import Event
    from gds.rgm.resource import ResourceView

    Look: TypeAlias = Callable[[str], ResourceView | None]

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
        view = need_of(graph, link.need, look)
        if _is_up(view):
            continue
        if is_coming(graph, link.need, look, known):
            coming.append(link.need)
        elif link.kind != WEAK:
            hopeless.append(_lacking(link.need, view))
    if hopeless:
        return "; ".join(dict.fromkeys(hopeless))
    if coming:
        return f"waits for {_listed(coming)}"
    if going := _leaving(graph, name, look):
        return going
    preparing = [mate for mate in graph.mates.get(name, ()) if _will_prepare(graph, mate, look)]
    return f"waits for Prenet_start of {_listed(preparing)}" if preparing else ""


def is_coming(graph: Graph, name: str, look: Look, known: dict[str, bool] | None = None) -> bool:
    """It will be up, or have failed, by itself: a method or an appointment sees to it. `known`: answers so far."""
    view = need_of(graph, name, look)
    if view is None:
        return False
    if view.life is not Life.AWAITING:
        return view.life in _COMING or _comes_back(view)
    known = {} if known is None else known
    if view.name not in known:
        needs = [link.need for link in graph.needs.get(view.name, ()) if link.kind != WEAK]
        needs = [need for need in needs if not _is_up(need_of(graph, need, look))]
        known[view.name] = all(is_coming(graph, need, look, known) for need in needs)
    return known[view.name]


def need_of(graph: Graph, name: str, look: Look) -> ResourceView | None:
    """The need of that name: of what is here and what is elsewhere the one that serves best."""
    elsewhere = look(name)
    resource, node = graph.far.get(name, (name, name))
    here = None if node else look(resource)
    found = [view for view in (here, elsewhere) if view is not None and view.life is not Life.OFFLINE]
    return min(found, key=_usefulness) if found else elsewhere or here


def _usefulness(view: ResourceView) -> int:
    return 0 if view.life is Life.ONLINE else 1 if view.life in (*_COMING, Life.AWAITING) else 2


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
        if link.kind != WEAK and graph.groups.get(link.need) != own:
            view = need_of(graph, link.need, look)
            if not _is_up(view):
                return _lacking(link.need, view)
    return ""


def _leaving(graph: Graph, name: str, look: Look) -> str:
    """Who of its group still goes offline to come online again: all do before the first Prenet_start."""
    going = [mate for mate in graph.mates.get(name, ()) if (view := look(mate)) is not None and view.again]
    return f"waits until {_listed(going)} went down" if going else ""


def _unprepared(graph: Graph, name: str, look: Look) -> str:
    """Why its Prenet_start cannot run yet: those it needs go first; one of another group has to be up."""
    lacking = _lacks_another_group(graph, name, look)
    if lacking:
        return lacking
    if going := _leaving(graph, name, look):
        return going
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
        if goes or (view.life in (Life.ONLINE, Life.STARTING) and _follows(graph, link, look)):
            waits.append(link.user)
        elif link.kind != WEAK and view.life is Life.STOP_FAILED and not leaving:
            stuck.append(link.user)
    said = f"waits until {_listed(waits)} {'is' if len(set(waits)) == 1 else 'are'} down" if waits else ""
    need = "needs" if len(set(stuck)) == 1 else "need"
    return said, f"{_listed(stuck)} could not be stopped, and {need} it" if stuck else ""


def _follows(graph: Graph, link: Link, look: Look) -> bool:
    """The user, which is up, goes down before the need of this node does."""
    if link.kind != OFFLINE_RESTART:
        return False
    needs = [each.need for each in graph.needs[link.user] if each.kind == OFFLINE_RESTART]
    return any(n == link.need or (graph.anywhere(n) == link.need and not _is_up(look(n))) for n in needs)


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
    return f"waits until {_listed(first)} went down" if first else ""


def _listed(names: list[str]) -> str:
    names = list(dict.fromkeys(names))  # once, of however many kinds its links are
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def bound(graph: Graph, name: str) -> list[str]:
    """Who cannot be without it: all that need it, but for weak needs. It is not disabled while one of them is enabled
    (Sun: semantics.md 11.2)."""
    return list(dict.fromkeys([link.user for link in graph.users.get(name, ()) if link.kind != WEAK]))


def goes_on(graph: Graph, name: str, look: Look) -> list[str]:
    """Who needs it, is up, and goes on running when a person stops it: all but those that go offline with it."""
    kinds: dict[str, set[str]] = {}
    for link in graph.users.get(name, ()):
        if _is_up(look(link.user)):
            kinds.setdefault(link.user, set()).add(link.kind)
    return [user for user, of in kinds.items() if OFFLINE_RESTART not in of and of != {WEAK}]


def needing(names: list[str]) -> str:
    """Who, and that they do: "web needs" or "web, api need"."""
    return f"{', '.join(names)} {'needs' if len(names) == 1 else 'need'}"


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
    # a need that may be elsewhere may as well be here, and wait until we are down
    found += [graph.far.get(link.need, (link.need,))[0] for link in graph.needs.get(name, ())]
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
    links = [link for link in graph.needs.get(name, ()) if changed in (link.need, graph.anywhere(link.need))]
    for link in links:
        need = need_of(graph, link.need, look)
        if link.kind == OFFLINE_RESTART and need is not None and not _is_up(need):
            return NeedGone(f"{changed}, which it needs, goes down: {need.because or f'it is {need.life}'}", changed)
    kinds = [link.kind for link in links]
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
