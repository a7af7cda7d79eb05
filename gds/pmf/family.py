"""Which processes of a tree are watched, given child_mon_level. Sun: semantics.md 4.2 (-C), design.md 5.

Level 0 is the first process, its children are level 1, and so on; -1 watches all. The depth of a process comes from
the parent it was *observed* with; a process whose parent was never observed counts as watched, because a wrong
"dead" doubles an application and a wrong "alive" only delays a restart.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def observe(depths: Mapping[int, int], root: int, parents: Mapping[int, int]) -> dict[int, int]:
    """The depths known after a look at the tree: `parents` maps each live process to its parent then.

    What is no longer alive is forgotten, except the root; a process seen with a known parent gets one level more; one
    that lost its parent keeps the depth it was seen with.
    """
    known = {pid: depth for pid, depth in depths.items() if pid in parents}
    known[root] = 0
    waiting = [pid for pid in parents if pid not in known]
    while waiting:
        later = []
        for pid in waiting:
            parent = parents[pid]
            if parent in known:
                known[pid] = known[parent] + 1
            elif parent in depths:
                known[pid] = depths[parent] + 1
            else:
                later.append(pid)
        if len(later) == len(waiting):
            break
        waiting = later
    return known


def watched(depths: Mapping[int, int], alive: Iterable[int], level: int) -> list[int]:
    """Those of `alive` whose death PMF waits for."""
    if level < 0:
        return list(alive)
    return [pid for pid in alive if depths.get(pid, 0) <= level]
