"""Methods and probes on rung A, born in the runner's own cgroup and ended there: no cgroup is made for them.

The tree of one is the descendants of its first process. What they leave behind is found by exclusion: whatever lives in
that cgroup and is neither the runner nor a descendant of a method under way is a stray, and is killed (see
cgroupforest.py).
"""

from __future__ import annotations

import os

from gds.linux import procfs
from gds.linux.cgrouproot import members, remove_below
from gds.linux.launch import spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from gds.linux.cgroupforest import CgroupForest
    from gds.linux.reaper import Reaper
    from gds.ports import Launch, TreeListener
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory


MOST_ROUNDS = 50


class MethodTree:
    """See ports.Tree."""

    __slots__ = ("_methods", "incarnation", "listener", "main_alive", "main_pid", "name", "over", "path", "status")

    def __init__(self, methods: Methods, name: str, listener: TreeListener) -> None:
        self._methods = methods
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
                if self._methods.forest.is_inside(pid, self.path):
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
            self._methods.settle(self.path)

    def release(self) -> None:
        """Nothing of it is kept."""

    def main_gone(self, status: int) -> None:
        """The reaper: the first process has ended."""
        self.main_alive = False
        self.status = status
        self.listener.main_exited(self, status)
        self._methods.settle(self.path)


class Methods:
    """Those under way, by the cgroup they were born in."""

    def __init__(self, forest: CgroupForest, reaper: Reaper, null: int) -> None:
        self.forest = forest
        self._reaper = reaper
        self._null = null
        self._under: dict[str, list[MethodTree]] = {}

    def plant(self, name: str, launch: Launch, listener: TreeListener) -> MethodTree:
        """Start one; see ports.Forest."""
        tree = MethodTree(self, name, listener)
        try:
            tree.path = self.forest.step_aside()
            pid = spawn(launch, self._null)
        except OSError as error:
            tree.over = True
            listener.tree_failed(tree, error.errno or 0, error.strerror or str(error))
            return tree
        self._under.setdefault(tree.path, []).append(tree)
        tree.main_pid = pid
        tree.main_alive = True
        self._reaper.expect(pid, tree.main_gone, of_tree=True)
        listener.tree_started(tree)
        return tree

    def are_in(self, path: str) -> bool:
        """Some are under way in that cgroup."""
        return path in self._under

    def all(self) -> list[list[MethodTree]]:
        """All that are under way."""
        return list(self._under.values())

    def kill(self) -> None:
        """All: nobody waits for them any more."""
        for each in [m for methods in list(self._under.values()) for m in methods if m.main_alive]:
            each.kill()

    def settle(self, path: str) -> None:
        """A method under `path` has ended, or a stray of one: strays are killed; without any, it is over."""
        methods = self._under.get(path)
        if not methods:
            return
        running = [m for m in methods if m.main_alive]
        expected = {m.main_pid for m in running}
        expected.add(self.forest.pid)
        others = set(members(path)) - expected
        if others and running:
            for each in running:
                others.difference_update(each.members())
        if others:
            for pid in others:
                self._strike(pid, path)
            self.forest.loop.after(0.005, lambda: self.settle(path))
            return
        left = [m for m in methods if m.main_alive]
        if left:
            self._under[path] = left
        else:
            del self._under[path]
            remove_below(path)
            self.forest.give_up(path)
        for each in methods:
            if not each.main_alive:
                each.over = True
                each.listener.tree_emptied(each, each.status, "")

    def _strike(self, pid: int, path: str) -> None:
        """SIGKILL to a process of that cgroup, never to another that got its pid."""
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return  # gone
        try:
            if self.forest.is_inside(pid, path):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # gone; or a set-user program that an unprivileged runner may not end
        finally:
            os.close(fd)
