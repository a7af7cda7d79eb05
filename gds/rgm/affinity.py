"""What groups wish of each other, and in which order they are decided upon. Sun: semantics.md 13, 13.2.

An entry of rg_affinities is a sign and the target's name, as seen from the group that has it, the source:

    ++   only on nodes where the target is; off when the target leaves
    +++  the same, and a failover that the source asks for is the target's, which takes the source along
    +    rather where the target is or comes
    -    rather where it is not
    --   never where it is: the source is who yields

So whoever is named is decided upon before who names it. Strong affinities and rg_dependencies run in no circle
(config/relations.py); weak ones may: then the strong ones decide, and after them the names.
"""

from __future__ import annotations

from _heapq import heapify, heappop, heappush

from gds.model.resource import Group
from gds.model.value import Value


class Wish(Value):
    """A group and those it names: `together` (++ and +++), `delegates` (+++ alone), `apart` (--), `near` (+), `far`
    (-). `rank`: its place in the order of decisions."""

    group: Group
    rank: int = 0
    together: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    far: tuple[str, ...] = ()

    def sign(self, target: str) -> str:
        """Of a strong positive affinity, as it was written."""
        return "+++" if target in self.delegates else "++"

    @property
    def firm(self) -> tuple[str, ...]:
        """Whose place must be known before this one's."""
        return (*self.group.rg_dependencies, *self.together, *self.apart)

    @property
    def named(self) -> tuple[str, ...]:
        """Everybody it names."""
        return (*self.firm, *self.near, *self.far)


class Web(Value):
    """The wishes of all groups, in the order of decisions. `avoiders`: of a group, those that keep away from it (--);
    `followers`: those that go where it goes (++ and +++)."""

    wishes: dict[str, Wish]
    avoiders: dict[str, tuple[str, ...]]
    followers: dict[str, tuple[str, ...]]

    def upstream(self, name: str) -> list[str]:
        """All that have to be decided upon before `name`, and it, in order."""
        found = {name}
        left = [name]
        while left:
            wish = self.wishes[left.pop()]
            for target in wish.named:
                if target not in found and self.comes_before(target, wish):
                    found.add(target)
                    left.append(target)
        return sorted(found, key=lambda each: self.wishes[each].rank)

    def comes_before(self, target: str, wish: Wish) -> bool:
        """`target` is decided upon before the group of `wish`."""
        there = self.wishes.get(target)
        return there is not None and there.rank < wish.rank


_last: tuple[tuple[Group, ...], Web] | None = None
"""The answer to the question before: a cluster is looked at many times between two changes of what is declared."""


def web_of(groups: tuple[Group, ...]) -> Web:
    """The wishes of these groups. The order in which they are declared makes no difference."""
    global _last
    if _last is not None and _last[0] is groups:
        return _last[1]
    found = _web(groups)
    _last = (groups, found)
    return found


def _web(groups: tuple[Group, ...]) -> Web:
    signs = {group.name: _signs(group) for group in groups}
    known = {group.name: group for group in groups}
    wishes = {}
    for rank, name in enumerate(_order(known, signs)):
        own = signs[name]
        together = (*own["++"], *own["+++"])
        wishes[name] = Wish(
            known[name], rank, together, tuple(own["+++"]), tuple(own["--"]), tuple(own["+"]), tuple(own["-"])
        )
    avoiders: dict[str, list[str]] = {}
    followers: dict[str, list[str]] = {}
    for name, wish in wishes.items():
        for target in wish.apart:
            avoiders.setdefault(target, []).append(name)
        for target in wish.together:
            followers.setdefault(target, []).append(name)
    return Web(wishes, _tuples(avoiders), _tuples(followers))


def _tuples(lists: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(each) for name, each in lists.items()}


def _signs(group: Group) -> dict[str, list[str]]:
    signs: dict[str, list[str]] = {"++": [], "+++": [], "+": [], "-": [], "--": []}
    for text in group.rg_affinities:
        name = text.lstrip("+-")
        signs[text.removesuffix(name)].append(name)
    return signs


def _order(groups: dict[str, Group], signs: dict[str, dict[str, list[str]]]) -> list[str]:
    """Each after all it names, as far as that goes: in a circle those come first that only weak wishes hold back; in a
    circle of strong ones, which nobody should have declared, the names decide."""
    firm: dict[str, set[str]] = {}
    all_: dict[str, set[str]] = {}
    namers: dict[str, list[str]] = {}
    for name in sorted(groups):
        own = signs[name]
        strong = (*groups[name].rg_dependencies, *own["++"], *own["+++"], *own["--"])
        firm[name] = {target for target in strong if target in groups and target != name}
        all_[name] = firm[name] | {target for target in (*own["+"], *own["-"]) if target in groups and target != name}
        for target in all_[name]:
            namers.setdefault(target, []).append(name)
    heap = [(_held_back(firm[name], all_[name]), name) for name in firm]
    heapify(heap)
    done: dict[str, None] = {}
    while heap:
        name = heappop(heap)[1]
        if name in done:
            continue
        done[name] = None
        for source in namers.get(name, ()):
            firm[source].discard(name)
            all_[source].discard(name)
            heappush(heap, (_held_back(firm[source], all_[source]), source))
    return list(done)


def _held_back(firm: set[str], all_: set[str]) -> int:
    return 2 if firm else 1 if all_ else 0
