"""A method or probe on rung A, born in the runner's own cgroup: its tree is the children of its first process, and
whatever in that cgroup belongs to nobody else (see cgroupforest.py)."""

from __future__ import annotations

import os
import signal

from gds.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.linux.cgroupforest import CgroupForest
    from gds.ports import TreeListener

MOST_ROUNDS = 50


class MethodTree:
    """See ports.Tree."""

    __slots__ = ("_forest", "incarnation", "listener", "main_alive", "main_pid", "name", "over", "path", "status")

    def __init__(self, forest: CgroupForest, name: str, listener: TreeListener) -> None:
        self._forest = forest
        self.name = name
        self.incarnation = 0
        self.listener = listener
        self.main_pid = 0
        self.main_alive = False
        self.over = False
        self.path = ""
        self.status: int | None = None

    def members(self) -> list[int]:
        """The first process and all its descendants by parentage."""
        if not self.main_alive:
            return []
        found = [self.main_pid]
        for pid in found:
            found.extend(procfs.children(pid))
        return [pid for pid in found if procfs.alive(pid)]

    def parents(self) -> dict[int, int]:
        found = {}
        for pid in self.members():
            facts = procfs.stat(pid)
            if facts is not None:
                found[pid] = facts[1]
        return found

    def signal(self, number: int, pids: list[int] | None = None) -> list[int]:
        reached = []
        family = self.members()
        for pid in family if pids is None else [p for p in pids if p in family]:
            try:
                fd = os.pidfd_open(pid)
            except OSError:
                continue  # gone
            try:
                if self._forest.is_inside(pid, self.path):
                    signal.pidfd_send_signal(fd, number)
                    if number not in (signal.SIGSTOP, signal.SIGKILL):
                        signal.pidfd_send_signal(fd, signal.SIGCONT)
                    reached.append(pid)
            except (ProcessLookupError, PermissionError):
                pass  # gone in between, or not ours to signal
            finally:
                os.close(fd)
        return reached

    def kill(self) -> None:
        """From the leaves' point of view all at once: stop the family first, so that nobody forks out of a round."""
        for _ in range(MOST_ROUNDS):
            family = self.members()
            if not family:
                break
            self.signal(signal.SIGSTOP, family)
            if set(self.members()) <= set(family):
                self.signal(signal.SIGKILL, family)
                break
        else:
            self.signal(signal.SIGKILL)
        if not self.over and not self.main_alive:
            self._forest.settle(self.path)

    def release(self) -> None:
        """Nothing of it is kept."""

    def main_gone(self, status: int) -> None:
        """The reaper: the first process has ended."""
        self.main_alive = False
        self.status = status
        self.listener.main_exited(self, status)
        self._forest.settle(self.path)
