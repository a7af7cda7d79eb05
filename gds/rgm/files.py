"""Whose files say something else of a group than the others', or nothing at all. Pure: a part of rgm/board.py.

- Each node reports a digest of what its files say of each group that it declares. Right is what the master's files say;
  without one, what most say; of as many, what the first of the nodelist says.
- A node of the nodelist that has reported in this life of it, and says nothing of a group, has files without it. Before
  it has reported nobody knows.
- Neither takes the group: it would run something else, or nothing.
"""

from __future__ import annotations

from gds.model.cluster import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.model.resource import Group
    from gds.rgm.records import Node, Slot

SHOWS = "`gds diff --cluster` shows"


class Files:
    """See the module."""

    def __init__(self) -> None:
        self._digests: dict[str, dict[str, str]] = {}
        """Group -> node -> digest: beside each other, so that they are compared at one look."""
        self._lives: dict[str, int] = {}
        """In which life of theirs (its birth) nodes said which groups they declare."""

    def say(self, node: str, before: Iterable[str], facts: dict[str, Any] | None) -> dict[str, Any]:
        """The node's report, None when it is gone; `before`: the groups of the one before. The groups of this one."""
        groups, born = (facts or {}).get("groups"), (facts or {}).get("born")
        self._lives.pop(node, None)
        if isinstance(groups, dict) and isinstance(born, int):
            self._lives[node] = born
        groups = groups if isinstance(groups, dict) else {}
        for group in before:
            self._digests[group].pop(node, None)
        for group, said in groups.items():
            digest = str(said.get("digest", "")) if isinstance(said, dict) else ""
            self._digests.setdefault(group, {})[node] = digest
        return groups

    def without(self, group: str, nodelist: Iterable[str], nodes: Mapping[str, Node]) -> list[str]:
        """Nodes of the nodelist (an empty one: all) whose files do not declare the group, by name."""
        known = self._digests.get(group, {})
        silent = [node for node in (nodelist or self._lives) if node not in known]
        return sorted([n for n in silent if n in nodes and self._lives.get(n) == nodes[n].born])

    def bars(self, group: Group, nodes: Mapping[str, Node], holders: Iterable[Slot]) -> list[Bar]:
        """Nodes that may not take it for what their files say."""
        known = self._digests.get(group.name, {})
        found = []
        if len(set(known.values())) > 1:
            digests = {n: d for n, d in sorted(known.items()) if d and n in nodes}
            right, whose = _right(group, digests, holders)
            why = f"has files that differ from those of {whose}; {SHOWS} how"
            found = [Bar(group.name, node, why) for node, digest in digests.items() if digest != right]
        lacking = self.without(group.name, group.nodelist, nodes)
        return found + [Bar(group.name, node, f"has files that do not declare it; {SHOWS} it") for node in lacking]


def _right(group: Group, digests: dict[str, str], holders: Iterable[Slot]) -> tuple[str, str]:
    for slot in sorted(holders, key=lambda s: s.index):
        if slot.node in digests:
            return digests[slot.node], f"{slot.node}, its master"
    ranked = [n for n in group.nodelist if n in digests] + [n for n in digests if n not in group.nodelist]
    if not ranked:
        return "", ""
    said = list(digests.values())
    most = max([said.count(d) for d in said])
    first = next(n for n in ranked if said.count(digests[n]) == most)
    return digests[first], "most other nodes" if most > 1 else first
