"""A tree on rung A: one start of one command, in a cgroup of its own (see cgroupforest.py)."""

from __future__ import annotations

import os

from gds.linux import procfs
from gds.linux.cgrouproot import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from gds.linux.cgroupforest import CgroupForest
    from gds.ports import TreeListener
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory


def write(path: str, data: bytes) -> None:
    """Write to a kernel file in one unbuffered call (a buffered one loses the error: platform.md 4). Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


class CgroupTree:
    """One start of one command; see ports.Tree."""

    __slots__ = (
        "_doomed",
        "_forest",
        "_killing",
        "incarnation",
        "listener",
        "main_alive",
        "main_pid",
        "name",
        "over",
        "path",
        "resumed",
        "status",
        "watch_fd",
    )

    def __init__(self, forest: CgroupForest, name: str, incarnation: int, path: str, listener: TreeListener) -> None:
        self._forest = forest
        self.name = name
        self.incarnation = incarnation
        self.path = path
        self.listener = listener
        self.main_pid = 0
        self.main_alive = False
        self.over = False
        self.status: int | None = None
        self.watch_fd = -1
        self._killing = False
        self._doomed = False
        self.resumed = False
        """The runner was replaced while it ran: several of it may be found dead at once, and the last one counts."""

    @property
    def doomed(self) -> bool:
        """Somebody asked for its end before it had begun."""
        return self._doomed

    def pids(self) -> list[int]:
        """Of the whole subtree: an application may make cgroups of its own."""
        if self.over:
            return []
        self._forest.vacate(self.path)
        return [pid for pid in members(self.path) if pid != self._forest.pid]

    def members(self) -> list[int]:
        """The live processes, the first one first."""
        pids = self.pids()
        if self.main_pid in pids and pids[0] != self.main_pid:
            pids.remove(self.main_pid)
            pids.insert(0, self.main_pid)
        return pids

    def parents(self) -> dict[int, int]:
        found = {}
        for pid in self.pids():
            facts = procfs.stat(pid)
            if facts is not None:
                found[pid] = facts[1]
        return found

    def signal(self, number: int, pids: list[int] | None = None) -> list[int]:
        reached: list[int] = []
        if self.over:
            return reached
        self._forest.vacate(self.path)
        for pid in self.members() if pids is None else pids:
            if pid == self._forest.pid:
                continue
            try:
                if pid == self.main_pid and self.main_alive and self.watch_fd < 0:
                    # our own child, not reaped yet: its pid cannot be another's
                    os.kill(pid, number)
                    if number != signal.SIGSTOP:
                        os.kill(pid, signal.SIGCONT)
                else:
                    fd = os.pidfd_open(pid)
                    try:
                        if not self._forest.is_inside(pid, self.path):
                            continue
                        signal.pidfd_send_signal(fd, number)
                        if number != signal.SIGSTOP:
                            signal.pidfd_send_signal(fd, signal.SIGCONT)
                    finally:
                        os.close(fd)
                reached.append(pid)
            except (ProcessLookupError, PermissionError):
                continue  # gone in between, or not ours to signal: the stop schedule sees who is left
        return reached

    def kill(self) -> None:
        """cgroup.kill takes everybody at once, also children being born; without the file (before 5.14) by rounds."""
        if self.over:
            return
        self._doomed = True  # also when its launcher has yet to bring it here
        if not self._forest.vacate(self.path) or self.path == self._forest.home:
            self._kill_by_rounds()  # we live there ourselves, and cannot leave now
            return
        try:
            write(self.path + "/cgroup.kill", b"1")
        except OSError:
            self._kill_by_rounds()
        if not self.main_alive:
            self._forest.check_soon(self)

    def _kill_by_rounds(self) -> None:
        if self.over:
            return
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if not self._killing:
            self._killing = True
            self._forest.loop.after(0.01, self._next_round)

    def _next_round(self) -> None:
        self._killing = False
        if not self.over and self.pids():
            self._kill_by_rounds()

    def populated(self) -> bool:
        if not self._forest.vacate(self.path):
            self._forest.check_later(self)
            return True
        try:
            fd = os.open(self.path + "/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # no descriptor left: what cannot be seen is not gone, or a second copy would be started beside it
            self._forest.check_later(self)
            return True
        try:
            return b"populated 1" in os.read(fd, 256)
        except OSError:
            return False  # removed while we looked
        finally:
            os.close(fd)

    def release(self) -> None:
        self._forest.remove_when_idle(self.path)

    # -- what the forest tells ----------------------------------------------------------------------------------------

    def main_gone(self, status: int) -> None:
        """The reaper: our first process has ended."""
        self.main_alive = False
        self.status = status
        self.listener.main_exited(self, status)
        if self.resumed:
            self._forest.check_when_told(self)
        else:
            self.check()

    def orphan_gone(self, status: int) -> None:
        """The reaper: a descendant whose parents were gone has ended."""
        self.status = status
        self._forest.check_soon(self)

    def check(self) -> None:
        """Is the tree empty now?"""
        if self.over or self.main_alive or not self.main_pid or self.populated():
            return
        self.over = True
        self._forest.ended(self)
        self.listener.tree_emptied(self, self.status, "")
