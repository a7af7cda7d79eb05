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

from _heapq import heappop, heappush

from gds.model.resource import Group
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


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


def web_of(groups: Iterable[Group]) -> Web:
    """The wishes of these groups. The order in which they are declared makes no difference."""
    loose = {group.name: _wish(group) for group in sorted(groups, key=lambda g: g.name)}
    wishes = {name: loose[name].replace(rank=rank) for rank, name in enumerate(_order(loose))}
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


def _wish(group: Group) -> Wish:
    signs: dict[str, list[str]] = {"++": [], "+++": [], "+": [], "-": [], "--": []}
    for text in group.rg_affinities:
        name = text.lstrip("+-")
        signs[text.removesuffix(name)].append(name)
    return Wish(
        group,
        together=(*signs["++"], *signs["+++"]),
        delegates=tuple(signs["+++"]),
        apart=tuple(signs["--"]),
        near=tuple(signs["+"]),
        far=tuple(signs["-"]),
    )


def _order(wishes: dict[str, Wish]) -> list[str]:
    """Each after all it names, as far as that goes: in a circle those come first that only weak wishes hold back; in a
    circle of strong ones, which nobody should have declared, the names decide."""
    firm = {name: {t for t in wish.firm if t in wishes and t != name} for name, wish in wishes.items()}
    all_ = {name: {t for t in wish.named if t in wishes and t != name} for name, wish in wishes.items()}
    namers: dict[str, list[str]] = {}
    for name, targets in all_.items():
        for target in targets:
            namers.setdefault(target, []).append(name)
    heap: list[tuple[int, str]] = []
    for name in wishes:
        heappush(heap, (_held_back(firm[name], all_[name]), name))
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
