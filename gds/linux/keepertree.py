"""One tree of rung B and the runner's end of its keeper; see keeperforest."""

from __future__ import annotations

import os

from gds.linux import lineage, procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

    from gds.linux.keeperforest import KeeperForest
    from gds.linux.keeperrecord import Record
    from gds.linux.loop import Timer
    from gds.model.launch import Launch
    from gds.ports import TreeListener


class Keeper:
    """The runner's end of one keeper."""

    __slots__ = ("cleaned", "climbed", "dead", "pid", "pidfd", "record", "sock", "start", "tree")

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        self.pid = 0
        self.start = 0
        self.pidfd = -1
        self.record: Record | None = None
        """Of an earlier runner's keeper that was adopted."""
        self.dead = False
        self.cleaned = False
        """What its tree left is gone, or will be found among our own children (`climbed`)."""
        self.climbed = False
        self.tree: KeeperTree | None = None

    @property
    def adopted(self) -> bool:
        """An earlier runner had it made."""
        return self.record is not None

    def is_itself(self) -> bool:
        """The process with its number is still that keeper."""
        facts = procfs.stat(self.pid) if self.pid else None
        return facts is not None and facts[2] == self.start

    def signal(self, number: int) -> None:
        """Only ever to that very process."""
        if self.pid:
            lineage.send_to(self.pid, self.start, number)


class KeeperTree:
    """One start of one command; see ports.Tree."""

    __slots__ = (
        "_forest",
        "again",
        "incarnation",
        "keeper",
        "killing",
        "known",
        "lasting",
        "listener",
        "lost",
        "main_alive",
        "main_exit_told",
        "main_pid",
        "name",
        "over",
        "patience",
        "reminders",
        "started",
        "tries",
    )

    def __init__(self, forest: KeeperForest, name: str, incarnation: int, listener: TreeListener) -> None:
        self._forest = forest
        self.name = name
        self.incarnation = incarnation
        self.listener = listener
        self.again: Launch | None = None
        """How to start it once more, until its keeper has said hello; the descriptors in it are copies."""
        self.keeper: Keeper | None = None
        self.main_pid = 0
        self.main_alive = False
        self.main_exit_told = False
        self.started = False
        self.over = False
        self.lasting = False
        """It survives a crash of the runner: asked for, and its keeper could make itself findable."""
        self.lost = ""
        self.killing = False
        self.patience: Timer | None = None
        self.reminders = 0
        self.tries = 0
        self.known: dict[int, int] = {}
        """pid -> start time of members seen: what is left to go by when an adopted keeper is killed."""

    def members(self) -> list[int]:
        """The live processes, the first one first when it lives."""
        found = self.parents()
        pids = list(found)
        if self.main_pid in found and pids[0] != self.main_pid:
            pids.remove(self.main_pid)
            pids.insert(0, self.main_pid)
        return pids

    def parents(self) -> dict[int, int]:
        """pid -> parent pid of each live member."""
        if self.over:
            return {}
        found = self._forest.members_of(self)
        if self.keeper is not None and self.keeper.adopted:
            self._remember(found)
        return found

    def forget_again(self) -> None:
        """It will not be started once more."""
        if self.again is not None:
            os.close(self.again.stdout)
            os.close(self.again.stderr)
            self.again = None

    def _remember(self, pids: dict[int, int]) -> None:
        self.known = {pid: facts[2] for pid in pids if (facts := procfs.stat(pid)) is not None}

    def signal(self, number: int, pids: list[int] | None = None) -> list[int]:
        """See ports.Tree. SIGCONT follows but for SIGKILL and those that stop."""
        if self.over or self.lost:
            return []  # lost: they are being killed
        roots = self._forest.roots_of(self)
        wanted = self.members() if pids is None else pids
        return [pid for pid in wanted if pid not in roots and lineage.send(pid, number, roots)]

    def kill(self) -> None:
        """See ports.Tree."""
        if not self.over:
            self._forest.kill(self)

    def release(self) -> None:
        """See ports.Tree; the keeper was free when the tree was empty."""
        self.known.clear()
