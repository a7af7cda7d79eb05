"""A world of nodes around one store, for tests: true time, clocks that drift, messages, runners, guards, applications.

True time belongs to the test alone; a node sees only its own clock. Each message of a transaction (request, answer)
may be lost or late, and what is late is carried out late, long after its sender was told Unknown. News comes in order,
late, now and then twice. A runner may be killed (its guard and its applications go on), frozen (no step, while news,
answers and time pile up) or cut off in one direction; a node may lose its power.

What counts as running: an application from the instant its start is ordered until the last of it is gone.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from gds.engine.dictionary import Dictionary
from gds.model.store import Transaction
from tests.property.clusterhost import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from gds.model.resource import Group
    from gds.model.store import Answer, Change, Operation


class World:
    """The store, the nodes, and what happens when."""

    def __init__(self, random: Random, groups: tuple[Group, ...], names: tuple[str, ...]) -> None:
        self.random = random
        self.groups = {group.name: group for group in groups}
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self.store = Dictionary()
        self.history: list[tuple[int, tuple[Change, ...]]] = []
        self.store_life = 1
        self.away = False
        self.calm = False
        """No more faults: messages are quick, starts and stops work."""
        self.log: list[str] = []
        self.tokens: dict[str, tuple[int, int, str]] = {}
        """Of each group the last under which it was started: which store, token, node."""
        self.claimed: dict[tuple[str, int], int] = {}
        """(key, revision) -> which store."""
        self.commits = 0
        self.starts = 0
        self.hosts = {name: Host(self, name) for name in names}

    # -- time ---------------------------------------------------------------------------------------------------------

    def at(self, when: float, what: Callable[[], object]) -> None:
        """Let it happen at a true instant."""
        self._count += 1
        heapq.heappush(self._agenda, (max(when, self.now), self._count, what))

    def after(self, seconds: float, what: Callable[[], object]) -> None:
        """Let it happen in so many true seconds."""
        self.at(self.now + seconds, what)

    def run(self, until: float) -> None:
        """Let time go on."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, what = heapq.heappop(self._agenda)
            what()
        self.now = until

    def note(self, what: str) -> None:
        """For whoever has to find out what went wrong."""
        self.log.append(f"{self.now:9.3f} {what}")

    def chance(self, probability: float) -> bool:
        """Whether a fault of that probability happens now."""
        return not self.calm and self.random.random() < probability

    # -- the store ----------------------------------------------------------------------------------------------------

    def commit(self, transaction: Transaction) -> Answer:
        """The store carries it out."""
        self.commits += 1
        answer, changes = self.store.commit(transaction)
        if changes:
            self.history.append((self.store.revision, changes))
            self.claimed.update({(each.key, each.revision): self.store_life for each in changes})
            for host in self.hosts.values():
                host.pump()
        return answer

    def ask(self, *operations: Operation) -> None:
        """An operator's act."""
        self.note(f"operator: {operations}")
        self.commit(Transaction((), operations))

    def wipe(self) -> None:
        """Another, empty store stands in its place."""
        self.note("WIPED")
        self.store, self.history = Dictionary(), []
        self.store_life += 1
        for host in self.hosts.values():
            host.pump()

    # -- what must never be -------------------------------------------------------------------------------------------

    def began(self, host: Host, group: str, token: int) -> None:
        """An application starts: alone, under a token that has risen, within a tenure."""
        self.starts += 1
        self.note(f"{host.name} STARTS {group} token {token}")
        others = [h.name for h in self.hosts.values() if h is not host and group in h.apps]
        most = self.groups[group].maximum_primaries
        assert len(others) < most, f"{group} runs on {others} when {host.name} starts it"
        assert host.member is not None
        assert host.member.may_run(host.clock.at(self.now)), f"{host.name} starts {group} without tenure"
        assert host.clock.at(self.now) < host.deadline, f"{host.name} starts {group} after its deadline"
        if most == 1:
            risen = self.claimed[f"rg/{group}/slot/0", token], token, host.name
            before = self.tokens.get(group, (0, 0, ""))
            assert risen[:2] > before[:2] or risen == before, f"{group} starts under {risen} after {before}"
            self.tokens[group] = risen
