"""What tables say of each other: dependencies of resources, dependencies and affinities of groups. Pure.

Sun: semantics.md 11.2 (no circle over all four kinds together) and 13.2. What a group's rg_dependencies mean for the
order of its resources is part of the same graph: each resource of the group waits for every resource of the other; and
so is that a resource waits for the addresses of its group (implicit_network_dependencies). As
at Sun, the strong affinities, positive and negative, may not run in a circle either, also not together with
rg_dependencies; weak ones may, because services that keep apart of each other are declared so.
"""

from __future__ import annotations

from gds.config.declared import Declared, Fault
from gds.config.hints import did_you_mean
from gds.model.hostname import TYPES as ADDRESSES
from gds.model.resource import QUALIFIERS, Need
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gds.config.declared import Keys

    Node = tuple[str, str]
    Graph = dict[Node, dict[Node, "Entry | None"]]

NEEDS = (
    "resource_dependencies_offline_restart",
    "resource_dependencies_restart",
    "resource_dependencies",
    "resource_dependencies_weak",
)
"""The kinds of dependency, the one that asks for most first."""

TOGETHER, APART = ("++", "+++"), ("--",)
"""The signs of strong affinities."""

MOST_CIRCLES = 20
LONGEST_SHOWN = 50
"""Members of a circle that are named."""


class Entry(Value):
    """One entry of a list of names: where it stands, in which table, and whom it names."""

    table: Declared
    key: str
    place: int
    name: str
    sign: str = ""

    @property
    def keys(self) -> Keys:
        """The path to it."""
        return (*self.table.keys, self.key, self.place)


def relation_faults(declared: tuple[Declared, ...], complete: bool) -> list[Fault]:
    """What does not fit together; not `complete`: an unknown name may be declared in a file that could not be read."""
    resources: dict[str, Declared] = {}
    groups: dict[str, Declared] = {}
    members: dict[str, list[str]] = {}
    for each in declared:
        known = groups if each.group else resources
        if known.setdefault(each.name, each) is each and not each.group and "group" not in each.broken:
            members.setdefault(group_of(each), []).append(each.name)
    needs = [e for each in resources.values() for e in need_entries(each)]
    orders = [e for each in groups.values() for e in _entries(each, "rg_dependencies")]
    affinities = [e for each in groups.values() for e in affinity_entries(each)]
    living = [*members, *[name for name in groups if name not in members]]
    sure = complete and not any("group" in each.broken for each in resources.values())
    impossible = list(_contradictions(affinities))
    faults = [
        *_strays(needs, resources if complete else None, "resource"),
        *_strays(orders, dict.fromkeys(living) if sure else None, "group"),
        *_strays(affinities, dict.fromkeys(living) if sure else None, "group"),
        *impossible,
    ]
    graph: Graph = {("resource", name): {} for name in resources}
    for name, names in members.items():
        graph[("begin", name)] = {}
        graph[("group", name)] = {("begin", name): None}
        for member in names:
            graph[("resource", member)][("begin", name)] = None
            graph[("group", name)][("resource", member)] = None
        if name not in groups or _has_implicit(groups[name]):
            addresses = [member for member in names if resources[member].values.get("type") in ADDRESSES]
            for member in set(names).difference(addresses) if addresses else ():
                graph[("resource", member)].update({("resource", address): None for address in addresses})
    for name in groups:
        graph.setdefault(("begin", name), {})
        graph.setdefault(("group", name), {("begin", name): None})
    _draw(graph, needs, "resource", "resource")
    _draw(graph, orders, "begin", "group")
    faults.extend(_circles(graph))
    graph = {("group", name): {} for name in living}
    told = {(fault.path, fault.keys) for fault in impossible}
    strong = [e for e in affinities if e.sign in (*TOGETHER, *APART) and (e.table.path, e.keys) not in told]
    _draw(graph, strong, "group", "group")
    _draw(graph, orders, "group", "group")
    faults.extend(_circles(graph, "rg_affinities"))
    return faults


def _has_implicit(group: Declared) -> bool:
    scalable = group.values.get("rg_mode", "FAILOVER") == "SCALABLE" or group.values.get("maximum_primaries", 1) > 1
    return group.values.get("implicit_network_dependencies") is not False and not scalable


def group_of(declared: Declared) -> str:
    """The group a resource lives in."""
    name: str = declared.values.get("group", declared.name)
    return name


def need_entries(declared: Declared) -> Iterable[Entry]:
    """Every entry of the four lists of dependencies; `sign` is the node it is bound to, where it is."""
    for key in NEEDS:
        for place, need in enumerate(declared.values.get(key, ())):
            assert isinstance(need, Need)
            yield Entry(declared, key, place, need.on, "" if need.where in QUALIFIERS else need.where)


def affinity_entries(declared: Declared) -> Iterable[Entry]:
    """Every entry of rg_affinities."""
    for place, text in enumerate(declared.values.get("rg_affinities", ())):
        name = text.lstrip("+-")
        yield Entry(declared, "rg_affinities", place, name, text.removesuffix(name))


def _entries(declared: Declared, key: str) -> Iterable[Entry]:
    for place, name in enumerate(declared.values.get(key, ())):
        yield Entry(declared, key, place, name)


def _strays(entries: list[Entry], known: Mapping[str, object] | None, what: str) -> Iterable[Fault]:
    """Names that nobody has (where all are `known`), one's own, and those that stand twice."""
    seen: dict[tuple[Declared | str, ...], Entry] = {}
    for each in entries:
        here = (each.table.path, each.keys)
        if each.name == each.table.name:
            word = "have an affinity to" if each.key == "rg_affinities" else "depend on"
            yield Fault(*here, f"a {what} cannot {word} itself")
        elif known is not None and each.name not in known:
            hint = did_you_mean(each.name, known)
            yield Fault(*here, f"no {what} {each.name} is declared{hint}")
        bound = each.sign if what == "resource" else ""
        first = seen.setdefault((each.table.path, str(each.table.keys), each.key, each.name, bound), each)
        if first is each:
            continue
        signs = {first.sign, each.sign}
        if signs & set(TOGETHER) and signs & set(APART):
            text = f"{each.name} cannot be wanted here (++) and away (--) at once"
        else:
            text = f"{each.name} stands twice in this list"
        yield Fault(*here, text, other=(first.table.path, first.keys))


def _contradictions(affinities: list[Entry]) -> Iterable[Fault]:
    """A group that may only be where two others are which keep apart of each other, or of it."""
    with_: dict[str, list[str]] = {}
    for each in affinities:
        if each.sign in TOGETHER and each.name != each.table.name:
            with_.setdefault(each.table.name, []).append(each.name)
    apart = [e for e in affinities if e.sign in APART and e.name != e.table.name]
    if not apart:
        return
    told: set[tuple[str, str]] = set()
    for group in with_:
        around = _closure(group, with_)
        for each in apart:
            pair = (each.table.name, each.name)
            direct = each.name in with_.get(each.table.name, ())
            if pair[0] in around and pair[1] in around and not direct and pair not in told:
                told.add(pair)
                others = " and ".join([name for name in pair if name != group])
                text = f"{group} runs only where {others} {'run' if ' and ' in others else 'runs'} (++), so " + (
                    f"{pair[0]} cannot keep away from {pair[1]}"
                )
                yield Fault(each.table.path, each.keys, text)


def _closure(start: str, edges: dict[str, list[str]]) -> set[str]:
    found = {start}
    left = [start]
    while left:
        for name in edges.get(left.pop(), ()):
            if name not in found:
                found.add(name)
                left.append(name)
    return found


# -- circles


def _draw(graph: Graph, entries: list[Entry], of: str, to: str) -> None:
    for each in entries:
        start, end = (of, each.table.name), (to, each.name)
        if start in graph and end in graph and each.name != each.table.name:
            graph[start].setdefault(end, each)


def _circles(graph: Graph, only: str = "") -> Iterable[Fault]:
    """Circles that share no edge, each told once; `only`: those with an edge of that key."""
    told = seen = 0
    while seen < 5 * MOST_CIRCLES:
        knots = _knots(graph)
        if not knots:
            return
        for knot in knots:
            around = _around(graph, knot)
            edges = [(around[i], around[(i + 1) % len(around)]) for i in range(len(around))]
            entries = [e for start, end in edges if (e := graph[start][end]) is not None]
            for start, end in edges:
                if graph[start][end] is not None:
                    del graph[start][end]
            seen += 1
            if only and all(e.key != only for e in entries):
                continue
            told += 1
            if told > MOST_CIRCLES:
                return
            at = next((e for e in entries if e.key == only), entries[0])
            yield Fault(at.table.path, at.keys, f"circle: {_named(around, at)}")


def _named(around: list[Node], at: Entry) -> str:
    """The members in the order in which each needs the next, from the one that `at` belongs to."""
    shown = [node for node in around if node[0] != "begin"]
    mixed = len({kind for kind, _ in shown}) > 1
    own = [i for i, node in enumerate(shown) if node == ("group" if at.table.group else "resource", at.table.name)]
    first = own[0] if own else 0
    names = [f"group {name}" if mixed and kind == "group" else name for kind, name in [*shown[first:], *shown[:first]]]
    if len(names) > LONGEST_SHOWN:
        left = len(names) - LONGEST_SHOWN
        names[LONGEST_SHOWN:] = [f"({left} more)"]
    return " -> ".join([*names, names[0]])


def _knots(graph: Graph) -> list[set[Node]]:
    """Sets of nodes that all reach each other (Tarjan's, without recursion: a chain may have any length)."""
    number: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    found: list[set[Node]] = []
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for following in rest:
                if following not in number:
                    number[following] = low[following] = len(number)
                    stack.append(following)
                    on_stack.add(following)
                    work.append((following, iter(graph[following])))
                    break
                if following in on_stack:
                    low[node] = min(low[node], number[following])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    knot = set()
                    while node not in knot:
                        knot.add(stack.pop())
                    on_stack -= knot
                    if len(knot) > 1:
                        found.append(knot)
    return found


def _around(graph: Graph, knot: set[Node]) -> list[Node]:
    """The shortest way from the first member of a knot that names another one back to it."""
    start = next(n for n in graph if n in knot and any(to in knot and graph[n][to] is not None for to in graph[n]))
    before: dict[Node, Node] = {}
    left = [start]
    for node in left:
        for following in graph[node]:
            if following == start:
                way = [node]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if following in knot and following not in before:
                before[following] = node
                left.append(following)
    raise AssertionError("a knot has a way around")
