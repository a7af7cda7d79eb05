"""Rung A of the tracking ladder: a fresh cgroup v2 for each start.

Membership, "is it empty" and kill are exact, also for what daemonised twice; no further process is needed. Controllers
are never needed.

The runner *lives in the cgroup of the next start*. A child is born in its parent's cgroup, so an application is
started where we are, and then we move on into a new, empty cgroup. Why not move in for the spawn and out again: a
process that writes itself into a cgroup waits for a grace period of the kernel, 10 ms when nobody else has moved
lately (a respawn took 11 ms); like this the waiting comes after the start, when nobody waits for us. The name of the
application is an extended attribute of the cgroup, written before the fork.

Methods and probes are born where we are, too, and end there: no cgroup is made for them. What they leave behind is
found by exclusion: whatever lives in our own cgroup and is neither we nor a descendant of a method under way is a
stray, and is killed. While a method is under way, a start first moves on (the slow way).

Layout under our base: `n1`, `n2`, …: ours, or an application's (attribute `user.gds`); `zygote`; `NAME:METHOD` for
methods that need a launcher (another user), which joins it by itself.
"""

from __future__ import annotations

import os
import signal
from errno import ECANCELED

from gds.errors import EngineError
from gds.linux import procfs
from gds.linux.launch import settled, spawn
from gds.linux.methodtree import MethodTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.linux.loop import Loop
    from gds.linux.reaper import Reaper
    from gds.linux.zygote import Zygote
    from gds.ports import Launch, TreeListener

_MARK = "user.gds"
_HOT = 0.012
"""Seconds after a move within which the next one need not wait for the kernel's grace period again."""
_HEAD_START = 0.005
"""Seconds that what was just started gets to execute before we disturb it."""
_ESCAPES = str.maketrans({"/": "%2F", "%": "%25", "\n": "%0A"})


def write(path: str, data: bytes) -> None:
    """Write to a kernel file in one unbuffered call (a buffered one loses the error: platform.md 4). Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


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

    @property
    def doomed(self) -> bool:
        """Somebody asked for its end before it had begun."""
        return self._doomed

    def pids(self) -> list[int]:
        if self.over:
            return []
        self._forest.vacate(self.path)
        data = procfs.read(self.path + "/cgroup.procs", 1 << 20) or b""
        return [pid for pid in map(int, data.split()) if pid != self._forest.pid]

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


class CgroupForest:
    """See the module. Raises EngineError when this machine has no cgroup v2 we may write (then rung B)."""

    rung = "cgroup"

    def __init__(self, loop: Loop, reaper: Reaper, ident: str, zygote: Callable[[], Zygote]) -> None:
        self.loop = loop
        self._reaper = reaper
        self._zygote = zygote
        self._trees: dict[str, CgroupTree] = {}
        self._spare: set[str] = set()
        mount = mount_point()
        if not mount:
            raise EngineError("cannot use cgroups: no cgroup v2 hierarchy is mounted")
        own = procfs.cgroup(os.getpid())
        if not own or own.startswith("/.."):
            raise EngineError("cannot use cgroups: our own cgroup is outside of what is mounted here")
        parent = mount + own.rstrip("/")
        above, _, last = parent.rpartition("/")
        if _is_ours(last) and (_is_delegated(above) or above.endswith(f"/gds-{ident}")):
            # the same process in new clothes: it is still in a cgroup of ours
            parent = above.removesuffix(f"/gds-{ident}")
        delegated = _is_delegated(parent)
        self.root = parent if delegated else f"{parent}/gds-{ident}"
        self._prefix = self.root[len(mount) :]
        self._before = parent
        self._occupied = False
        self._moved_at = 0.0
        self._count = 0
        self._found: dict[tuple[str, int], str] = {}
        self._methods: dict[str, list[MethodTree]] = {}
        self.pid = os.getpid()
        try:
            os.makedirs(self.root, exist_ok=True)
            self._count = max([int(e[1:]) for e in os.listdir(self.root) if _is_ours(e)], default=0)
            self.home = self._fresh()
            # the trial of everything this rung stands on
            os.setxattr(self.home, _MARK, b"trial")
            os.removexattr(self.home, _MARK)
            write(self.home + "/cgroup.procs", b"0")
        except OSError as error:
            raise EngineError(f"cannot use cgroups: {error.strerror}: {error.filename or self.root}") from error
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        reaper.on_stranger = self._stranger
        reaper.on_helper = self._shelter

    # -- Forest -------------------------------------------------------------------------------------------------------

    def plant(
        self, name: str, incarnation: int, launch: Launch, listener: TreeListener, *, lasting: bool
    ) -> CgroupTree | MethodTree:
        """See ports.Forest."""
        launch = settled(launch)
        if not lasting and not launch.needs_launcher:
            return self._plant_method(name, launch, listener)
        path = "" if lasting else f"{self.root}/{name.translate(_ESCAPES)}"
        tree = CgroupTree(self, name, incarnation, path, listener)
        try:
            if not lasting:
                self._make_for_method(tree)
            elif launch.needs_launcher:
                tree.path = self._fresh()
                self._mark(tree)
            else:
                if self._occupied or self._methods.get(self.home):
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
            if path == self.home or not (_is_ours(entry) or ":" in entry or entry == "helpers"):
                continue  # systemd's own (.control), or an administrator's
            tree = CgroupTree(self, "", 0, path, None)  # type: ignore[arg-type]  # never started, only looked at
            whose = _whose(path)
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
        try:
            tree.watch_fd = os.open(path + "/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            self.loop.watch(tree.watch_fd, lambda _e: self._changed(tree), 0x2 | 0x8)
        except OSError:
            pass  # gone already: the check says so
        listener.tree_started(tree)
        self.check_soon(tree)
        return tree

    def close(self) -> None:
        """Remove our cgroups; what is not empty stays. A method nobody waits for any more ends."""
        for method in [m for methods in list(self._methods.values()) for m in methods if m.main_alive]:
            method.kill()
        try:
            write(self._before + "/cgroup.procs", b"0")
        except OSError:
            pass  # a delegated cgroup with controllers lets nobody back in; ours goes with the unit
        try:
            for entry in os.listdir(self.root):
                if _is_ours(entry) or ":" in entry or entry == "helpers":
                    self._rmdir(f"{self.root}/{entry}")
            if self.root != self._before:
                os.rmdir(self.root)
        except OSError:
            return  # somebody is still there

    # -- the rest -----------------------------------------------------------------------------------------------------

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
        if old not in self._trees and not self._methods.get(old):
            self._rmdir(old)

    def _mark(self, tree: CgroupTree) -> None:
        os.setxattr(tree.path, _MARK, f"{tree.incarnation} {tree.name}".encode())

    def remove_when_idle(self, path: str) -> None:
        """An empty cgroup goes, but not at the cost of a restart; that of a method is kept for its next call."""
        if ":" in path[len(self.root) :]:
            self._spare.add(path)
        elif path:
            self.loop.when_idle(lambda: None if path == self.home else self._rmdir(path))

    def _remove_when_empty(self, path: str) -> None:
        data = procfs.read(path + "/cgroup.events", 256)
        if data is None:
            return
        if b"populated 1" in data:
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

    # -- methods, born where we are -----------------------------------------------------------------------------------

    def _plant_method(self, name: str, launch: Launch, listener: TreeListener) -> MethodTree:
        tree = MethodTree(self, name, listener)
        try:
            if self._occupied:
                self._move_on()
            tree.path = self.home
            pid = spawn(launch, self._null)
        except OSError as error:
            tree.over = True
            listener.tree_failed(tree, error.errno or 0, error.strerror or str(error))
            return tree
        self._methods.setdefault(tree.path, []).append(tree)
        tree.main_pid = pid
        tree.main_alive = True
        self._reaper.expect(pid, tree.main_gone, of_tree=True)
        listener.tree_started(tree)
        return tree

    def settle(self, path: str) -> None:
        """A method under `path` has ended, or a stray of one: strays are killed; without any, it is over."""
        methods = self._methods.get(path)
        if not methods:
            return
        data = procfs.read(path + "/cgroup.procs", 1 << 20) or b""
        running = [m for m in methods if m.main_alive]
        expected = {m.main_pid for m in running}
        expected.add(self.pid)
        others = {int(word) for word in data.split()} - expected
        if others and running:
            for each in running:
                others.difference_update(each.members())
        if others:
            for pid in others:
                self.strike(pid, path)
            self.loop.after(0.005, lambda: self.settle(path))
            return
        left = [m for m in methods if m.main_alive]
        if left:
            self._methods[path] = left
        else:
            del self._methods[path]
            if path != self.home and path not in self._trees:
                self._rmdir(path)
        for each in methods:
            if not each.main_alive:
                each.over = True
                each.listener.tree_emptied(each, each.status, "")

    def strike(self, pid: int, path: str) -> None:
        """SIGKILL to a process of that cgroup, never to another that got its pid."""
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return  # gone
        try:
            if self.is_inside(pid, path):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # gone; or a set-user program that an unprivileged runner may not end
        finally:
            os.close(fd)

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
                os.removexattr(self.home, _MARK)
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
        elif path in self._methods:
            self.loop.soon(lambda: self.settle(path))

    def _changed(self, tree: CgroupTree) -> None:
        try:
            os.pread(tree.watch_fd, 256, 0)
        except OSError:
            pass  # removed under us: empty, the check says so
        tree.check()

    def _rmdir(self, path: str) -> None:
        self._spare.discard(path)
        try:
            os.rmdir(path)
        except OSError:
            # an application may have made cgroups of its own below; empty ones are ours to remove
            try:
                for entry in os.listdir(path):
                    if os.path.isdir(f"{path}/{entry}"):
                        self._rmdir(f"{path}/{entry}")
                os.rmdir(path)
            except OSError:
                return  # still somebody there: the next start of the runner looks again


def _is_ours(entry: str) -> bool:
    return entry[:1] == "n" and entry[1:].isdigit()


def _whose(path: str) -> tuple[str, int] | None:
    """(name, incarnation) of the application a cgroup was made for."""
    try:
        incarnation, _, name = os.getxattr(path, _MARK).decode().partition(" ")
        return name, int(incarnation)
    except (OSError, ValueError):
        return None


def _is_delegated(path: str) -> bool:
    """systemd marks what it leaves to us (platform.md 2)."""
    for mark in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(path, mark) == b"1":
                return True
        except OSError:
            continue
    return False
