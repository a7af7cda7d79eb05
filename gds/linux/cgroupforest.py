"""Rung A of the tracking ladder: a fresh cgroup v2 for each start.

Membership, "is it empty" and kill are exact, also for what daemonised twice; no further process is needed. Controllers
are never needed.

The runner *lives in the cgroup of the next start*. A child is born in its parent's cgroup, so an application is
started where we are, and then we move on into a new, empty cgroup. Why not move in for the spawn and out again: a
process that writes itself into a cgroup waits for a grace period of the kernel, 10 ms when nobody else has moved
lately (a respawn took 11 ms); like this the waiting comes after the start, when nobody waits for us. The name of the
application is an extended attribute of the cgroup, written before the fork.

Methods and probes are born where we are, too (see methodtree.py). While one is under way, a start first moves on (the
slow way).

Layout under our base: `n1`, `n2`, …: ours, or an application's (attribute `user.gds`); `zygote`; `NAME:METHOD` for
methods that need a launcher (another user), which joins it by itself.
"""

from __future__ import annotations

import os
from errno import ECANCELED

from gds.errors import EngineError
from gds.linux import procfs
from gds.linux.cgrouproot import MARK, find_root, is_ours, remove, remove_below, whose_is
from gds.linux.cgrouptree import CgroupTree, write
from gds.linux.launch import settled, spawn
from gds.linux.methodtree import Methods, MethodTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.linux.loop import Loop
    from gds.linux.reaper import Reaper
    from gds.linux.zygote import Zygote
    from gds.ports import Launch, Tree, TreeListener

_HOT = 0.012
"""Seconds after a move within which the next one need not wait for the kernel's grace period again."""
_HEAD_START = 0.005
"""Seconds that what was just started gets to execute before we disturb it."""
_ESCAPES = str.maketrans({"/": "%2F", "%": "%25", "\n": "%0A"})


def mount_point() -> str:
    """Where the cgroup v2 hierarchy is mounted; empty when it is not."""
    data = procfs.read("/proc/self/mountinfo", 1 << 20) or b""
    for line in data.split(b"\n"):
        left, _, right = line.partition(b" - ")
        if right.startswith(b"cgroup2 "):
            root, point = left.split()[3:5]
            # only a mount that shows our own place is of use
            if root == b"/" or not root.startswith(b"/.."):
                return os.fsdecode(point.replace(b"\\040", b" "))
    return ""


class CgroupForest:
    """See the module; `ident`, `again`: find_root. Raises EngineError where we may write no cgroup v2 (then rung B)."""

    rung = "cgroup"

    def __init__(
        self, loop: Loop, reaper: Reaper, ident: str, zygote: Callable[[], Zygote], again: bool = False
    ) -> None:
        self.loop = loop
        self._reaper = reaper
        self._zygote = zygote
        self._trees: dict[str, CgroupTree] = {}
        self._spare: set[str] = set()
        mount = mount_point()
        self._before, self.root = find_root(mount, ident, again)
        self._prefix = self.root[len(mount) :]
        self._occupied = False
        self._moved_at = 0.0
        self._count = 0
        self._found: dict[tuple[str, int], str] = {}
        self.pid = os.getpid()
        try:
            os.makedirs(self.root, exist_ok=True)
            self._count = max([int(e[1:]) for e in os.listdir(self.root) if is_ours(e)], default=0)
            self.home = self._fresh()
            # the trial of everything this rung stands on
            os.setxattr(self.home, MARK, b"trial")
            os.removexattr(self.home, MARK)
            write(self.home + "/cgroup.procs", b"0")
        except OSError as error:
            raise EngineError(f"cannot use cgroups: {error.strerror}: {error.filename or self.root}") from error
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._methods = Methods(self, reaper, self._null)
        reaper.on_stranger = self._stranger
        reaper.on_helper = self._shelter

    # -- Forest -------------------------------------------------------------------------------------------------------

    def plant(
        self, name: str, incarnation: int, launch: Launch, listener: TreeListener, *, lasting: bool
    ) -> CgroupTree | MethodTree:
        """See ports.Forest."""
        launch = settled(launch)
        if not lasting and not launch.needs_launcher:
            return self._methods.plant(name, launch, listener)
        path = "" if lasting else f"{self.root}/{name.translate(_ESCAPES)}"
        tree = CgroupTree(self, name, incarnation, path, listener)
        try:
            if not lasting:
                self._make_for_method(tree)
            elif launch.needs_launcher:
                tree.path = self._fresh()
                self._mark(tree)
            else:
                if self._occupied or self._methods.are_in(self.home):
                    self._move_on()
                tree.path = self.home
                self._mark(tree)
            self._trees[tree.path] = tree
            if launch.needs_launcher:
                self._zygote().launch(launch, tree.path + "/cgroup.procs", lambda *a: self._launched(tree, *a))
                return tree
            pid = spawn(launch, self._null)
            self._occupied = True
            self._vacate_later(tree.path)
        except OSError as error:
            self._failed(tree, error.errno or 0, error.strerror or str(error))
            return tree
        self._up(tree, pid)
        return tree

    def survivors(self) -> list[tuple[str, int]]:
        """See ports.Forest. Left-over cgroups without processes, and those of methods, are removed on the way."""
        found = []
        for entry in sorted(os.listdir(self.root), key=lambda e: (len(e), e)):
            path = f"{self.root}/{entry}"
            if path == self.home or path in self._trees or not (is_ours(entry) or ":" in entry or entry == "helpers"):
                continue  # ours already, systemd's own (.control), or an administrator's
            tree = CgroupTree(self, "", 0, path, None)  # type: ignore[arg-type]  # never started, only looked at
            whose = whose_is(path)
            if not tree.populated():
                self._rmdir(path)
            elif whose is not None:
                self._found[whose] = path
                found.append(whose)
            else:
                # methods and helpers of the runner before us: their answer has no one to hear it
                tree.kill()
                self._remove_when_empty(path)
        return found

    def adopt(self, name: str, incarnation: int, main_pid: int, listener: TreeListener) -> CgroupTree:
        """See ports.Forest. Its processes are not our children: the kernel's word that the cgroup is empty counts."""
        path = self._found.pop((name, incarnation), self.root + "/gone")
        tree = CgroupTree(self, name, incarnation, path, listener)
        pids = tree.pids()
        tree.main_pid = main_pid if main_pid in pids else (pids[0] if pids else main_pid or 1)
        tree.main_alive = False
        self._trees[path] = tree
        self._watch_events(tree)
        listener.tree_started(tree)
        self.check_soon(tree)
        return tree

    def under_way(self) -> list[str]:
        """See ports.LastingForest."""
        found = [m.name for methods in self._methods.all() for m in methods]
        return found + [t.name for t in self._trees.values() if ":" in t.name]

    def is_settled(self, tree: Tree) -> bool:
        """See ports.LastingForest."""
        return tree.main_pid > 0

    def hand_over(self, tree: Tree) -> tuple[dict[str, Any], tuple[int, ...]]:
        """See ports.LastingForest."""
        assert isinstance(tree, CgroupTree)
        facts = {
            "name": tree.name,
            "incarnation": tree.incarnation,
            "place": tree.path[len(self.root) + 1 :],
            "main_pid": tree.main_pid,
            "main_alive": tree.main_alive,
            "status": tree.status,
            "ours": tree.watch_fd < 0,
        }
        return facts, ()

    def resume(self, facts: dict[str, Any], listener: TreeListener) -> CgroupTree:
        """See ports.LastingForest. Its processes are our children still: the reaper hears of each and its status."""
        path = f"{self.root}/{facts['place']}"
        tree = CgroupTree(self, facts["name"], facts["incarnation"], path, listener)
        tree.main_pid = facts["main_pid"]
        tree.main_alive = facts["main_alive"]
        tree.status = facts["status"]
        tree.resumed = True
        self._trees[path] = tree
        if not facts["ours"]:
            self._watch_events(tree)
        elif tree.main_alive:
            self._reaper.expect(tree.main_pid, tree.main_gone, of_tree=True)
        self.check_when_told(tree)  # who died meanwhile is reaped before
        return tree

    def check_when_told(self, tree: CgroupTree) -> None:
        """Look whether it is empty a little later: the kernel counts a process out of its cgroup before anybody can
        wait for it, and the status of the last one is wanted."""
        self.loop.after(0.005, tree.check)

    def resumed(self) -> None:
        """See ports.LastingForest."""
        self.survivors()  # all that is left is nobody's: it is ended on the way

    def close(self) -> None:
        """Remove our cgroups; what is not empty stays. A method nobody waits for any more ends."""
        self._methods.kill()
        try:
            write(self._before + "/cgroup.procs", b"0")
        except OSError:
            pass  # a delegated cgroup with controllers lets nobody back in; ours goes with the unit
        try:
            for entry in os.listdir(self.root):
                if is_ours(entry) or ":" in entry or entry == "helpers":
                    self._rmdir(f"{self.root}/{entry}")
            if self.root != self._before:
                os.rmdir(self.root)
        except OSError:
            return  # somebody is still there

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _watch_events(self, tree: CgroupTree) -> None:
        try:
            tree.watch_fd = os.open(tree.path + "/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            self.loop.watch(tree.watch_fd, lambda _e: self._changed(tree), 0x2 | 0x8)
        except OSError:
            pass  # gone already: the check says so

    def is_inside(self, pid: int, path: str) -> bool:
        """The process belongs to that cgroup now."""
        place = procfs.cgroup(pid)
        inside = self._prefix + path[len(self.root) :]
        return place == inside or place.startswith(inside + "/")

    def check_soon(self, tree: CgroupTree) -> None:
        """Look whether it is empty, after what waits now."""
        self.loop.soon(tree.check)

    def check_later(self, tree: CgroupTree) -> None:
        """Look whether it is empty, when there may be means to look again."""
        self.loop.after(0.1, tree.check)

    def ended(self, tree: CgroupTree) -> None:
        """It is empty: no longer ours to watch."""
        if self._trees.get(tree.path) is tree:
            del self._trees[tree.path]
        if tree.watch_fd >= 0:
            self.loop.unwatch(tree.watch_fd)
            os.close(tree.watch_fd)
            tree.watch_fd = -1

    def vacate(self, path: str) -> bool:
        """We are in the cgroup of what we just started: move on, before anything is done to it.

        False when the machine does not let us now (no descriptor, no memory): it is tried again soon.
        """
        if path == self.home and self._occupied:
            try:
                self._move_on()
            except OSError:
                self.loop.after(0.05, lambda: self.vacate(path))
                return False
        return True

    def step_aside(self) -> str:
        """Where a method may be born: in our own cgroup, which must be nobody else's. Raises OSError."""
        if self._occupied:
            self._move_on()
        return self.home

    def give_up(self, path: str) -> None:
        """Remove the cgroup, if nobody is there who counts: neither we, nor an application, nor a method."""
        if path != self.home and path not in self._trees and not self._methods.are_in(path):
            self._rmdir(path)

    def _vacate_later(self, path: str) -> None:
        """Moving costs 0.1 ms within `_HOT` seconds of another move; else it waits for the kernel's grace period, and
        what was just started executes more slowly meanwhile (0.2 ms): it is let get away first."""
        if self.loop.now() - self._moved_at < _HOT:
            self.loop.when_idle(lambda: self.vacate(path))
        else:
            self.loop.after(_HEAD_START, lambda: self.vacate(path))

    def _shelter(self, pid: int) -> None:
        """A process of the runner's own, forked where we are: it may be in the way of nobody."""
        path = self.root + "/helpers"
        try:
            os.makedirs(path, exist_ok=True)
            write(path + "/cgroup.procs", str(pid).encode())
        except OSError:
            self._occupied = True  # gone already, or stuck: then it is we who move

    def _fresh(self) -> str:
        self._count += 1
        path = f"{self.root}/n{self._count}"
        os.mkdir(path, 0o755)
        return path

    def _move_on(self) -> None:
        fresh = self._fresh()
        try:
            write(fresh + "/cgroup.procs", b"0")
        except OSError:
            self._rmdir(fresh)
            raise
        old, self.home = self.home, fresh
        self._occupied = False
        self._moved_at = self.loop.now()
        self.give_up(old)

    def _mark(self, tree: CgroupTree) -> None:
        os.setxattr(tree.path, MARK, f"{tree.incarnation} {tree.name}".encode())

    def remove_when_idle(self, path: str) -> None:
        """An empty cgroup goes, but not at the cost of a restart; that of a method is kept for its next call."""
        if ":" in path[len(self.root) :]:
            remove_below(path)
            self._spare.add(path)
        elif path:
            self.loop.when_idle(lambda: None if path == self.home else self._rmdir(path))

    def _remove_when_empty(self, path: str) -> None:
        if b"populated 1" in (procfs.read(path + "/cgroup.events", 256) or b""):
            self.loop.after(0.05, lambda: self._remove_when_empty(path))
        else:
            self._rmdir(path)

    def _make_for_method(self, tree: CgroupTree) -> None:
        path = tree.path
        if path in self._spare:
            self._spare.discard(path)
            return
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if tree.populated():
                write(path + "/cgroup.kill", b"1")

    def _up(self, tree: CgroupTree, pid: int) -> None:
        tree.main_pid = pid
        tree.main_alive = True
        self._reaper.expect(pid, tree.main_gone, of_tree=True)
        tree.listener.tree_started(tree)
        if tree.doomed:
            tree.kill()

    def _launched(self, tree: CgroupTree, pid: int, errno: int, message: str) -> None:
        if pid:
            self._up(tree, pid)
        elif errno == ECANCELED and tree.populated():
            # the zygote was killed, and what it had begun lives: nothing is told before it is gone
            tree.kill()
            self.loop.after(0.01, lambda: self._launched(tree, pid, errno, message))
        else:
            self._failed(tree, errno, message)

    def _failed(self, tree: CgroupTree, errno: int, message: str) -> None:
        tree.over = True
        if self._trees.get(tree.path) is tree:
            del self._trees[tree.path]
        if tree.path and tree.path == self.home:
            # a method may be born here next, and must not be found under that name
            try:
                os.removexattr(self.home, MARK)
            except OSError:
                pass  # it had not come so far
        self.remove_when_idle(tree.path)
        tree.listener.tree_failed(tree, errno, message)

    def _stranger(self, pid: int, status: int) -> None:
        place = procfs.cgroup(pid)
        if not place.startswith(self._prefix + "/"):
            return
        path = f"{self.root}/{place[len(self._prefix) + 1 :].split('/', 1)[0]}"
        tree = self._trees.get(path)
        if tree is not None:
            tree.orphan_gone(status)
        elif self._methods.are_in(path):
            self.loop.soon(lambda: self._methods.settle(path))

    def _changed(self, tree: CgroupTree) -> None:
        try:
            os.pread(tree.watch_fd, 256, 0)
        except OSError:
            pass  # removed under us: empty, the check says so
        tree.check()

    def _rmdir(self, path: str) -> None:
        self._spare.discard(path)
        remove(path)
