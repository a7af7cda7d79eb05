"""A little runner inside of the test process, over any rung, and what it hears; and the machine seen from outside."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gds.errors import EngineError
from gds.linux import cgroupforest, prctl, procfs
from gds.linux.keeperforest import KeeperForest
from gds.linux.loop import Loop
from gds.linux.reaper import Reaper
from gds.linux.zygote import Zygote
from gds.model.launch import Launch
from gds.ports import Forest, Tree

STUBBORN = str(Path(__file__).with_name("stubborn.py"))
PATH = "/usr/local/bin:/usr/bin:/bin"
DEADLINE = 30.0
_PR_SET_CHILD_SUBREAPER = 36


class Heard:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, Any]] = []
        self.at: dict[str, float] = {}
        self.lost = ""

    def tree_started(self, tree: Tree) -> None:
        self._write("started", tree.main_pid)

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        self._write("failed", (errno, message))

    def main_exited(self, tree: Tree, status: int | None) -> None:
        self._write("main", status)

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        self.lost = lost
        self._write("emptied", status)

    def _write(self, what: str, detail: object) -> None:
        self.at[what] = time.monotonic()
        self.facts.append((what, detail))

    @property
    def words(self) -> list[str]:
        """What was told, without the details."""
        return [what for what, _detail in self.facts]

    def detail(self, what: str) -> Any:
        """The detail of that fact; KeyError when it was never told."""
        return dict(self.facts)[what]

    @property
    def over(self) -> bool:
        """Nothing follows."""
        return bool(self.facts) and self.facts[-1][0] in ("failed", "emptied")


class Planted:
    """A tree, what was heard of it and what it prints."""

    def __init__(self, world: World, tree: Tree, heard: Heard, output: int, mark: str) -> None:
        self.world = world
        self.tree = tree
        self.heard = heard
        self.mark = mark
        self._output = output
        self.text = b""

    def until_over(self) -> Planted:
        """Until nothing follows."""

        def over() -> bool:
            self.read()  # or it would wait for us, with more to say than the pipe holds
            return self.heard.over

        self.world.until(over, lambda: f"{self.tree.name}: only heard {self.heard.facts}")
        return self

    def until_started(self) -> Planted:
        """Until it runs (or failed)."""
        self.world.until(lambda: bool(self.heard.facts), lambda: f"{self.tree.name} does not start")
        return self

    def until_said(self, word: bytes) -> Planted:
        """Until it has printed that."""
        self.world.until(lambda: word in self.read(), lambda: f"{self.tree.name} only said {self.text!r}")
        return self

    def read(self) -> bytes:
        """What it has printed so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._output, 65536):
                self.text += data
        return self.text

    def close(self) -> None:
        """The reading end."""
        os.close(self._output)


class World:
    """Loop, reaper, zygote and forest, as the runner puts them together: a sub-reaper with nothing to inherit."""

    def __init__(self, rung: str, folder: Path) -> None:
        prctl.become_subreaper()
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):  # the one that lists them
                os.set_inheritable(int(fd), int(fd) < 3)
        self.loop = Loop()
        self.reaper = Reaper(self.loop)
        self._zygote: Zygote | None = None
        self.folder = folder
        self.faults: list[BaseException] = []
        self.loop.on_error = self.faults.append
        self._planted: list[Planted] = []
        self.forest: Forest = (
            KeeperForest(self.loop, self.reaper, self.zygote, str(folder))
            if rung == "keeper"
            else cgroupforest.CgroupForest(self.loop, self.reaper, f"test-{os.getpid()}", self.zygote)
        )

    def zygote(self) -> Zygote:
        """The zygote, made when it is first asked for."""
        if self._zygote is None:
            self._zygote = Zygote(self.loop, self.reaper)
        return self._zygote

    def plant(
        self,
        argv: list[str],
        *,
        name: str = "web",
        incarnation: int = 1,
        lasting: bool = True,
        env: dict[str, str] | None = None,
        **how: Any,
    ) -> Planted:
        """Start a command whose output can be read."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        heard = Heard()
        environment = {"PATH": PATH} if env is None else env
        launch = Launch(argv=tuple(argv), env=environment, stdout=writer, stderr=writer, **how)
        try:
            tree = self.forest.plant(name, incarnation, launch, heard, lasting=lasting)
        finally:
            os.close(writer)
        planted = Planted(self, tree, heard, reader, argv[-1])
        self._planted.append(planted)
        return planted

    def stubborn(self, what: str, *words: int, **how: Any) -> Planted:
        """Start one of the stubborn programs under a mark of its own."""
        mark = f"mark-{uuid.uuid4().hex}"
        argv = [sys.executable, "-I", "-S", STUBBORN, what, *map(str, words), mark]
        return self.plant(argv, **how)

    def forget(self, planted: Planted) -> None:
        """It was closed before the end."""
        self._planted.remove(planted)

    def until(self, fact: Callable[[], bool], complaint: Callable[[], str]) -> None:
        """Turn the loop until it is so."""
        end = time.monotonic() + DEADLINE
        while not fact():
            assert time.monotonic() < end, complaint()
            self.loop.turn(0.02)
            assert not self.faults, self.faults

    def turn_for(self, seconds: float) -> None:
        """Turn the loop for a while, in which nothing should happen."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.loop.turn(left)
        assert not self.faults, self.faults

    def close(self) -> None:
        """End in order; nothing of ours may be left."""
        for planted in self._planted:
            planted.tree.kill()
        for planted in self._planted:
            planted.until_over()
            planted.tree.release()
            planted.close()
        for _each in range(3):
            self.loop.turn(0.0)
        self.forest.close()
        if self._zygote is not None:
            self._zygote.close()
        self.until(lambda: not procfs.children(os.getpid()), lambda: f"left: {procfs.children(os.getpid())}")
        self._end_loop()

    def _end_loop(self) -> None:
        writer = signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (writer, self.loop._wake):
            os.close(fd)
        self.loop._epoll.close()
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextlib.contextmanager
def world(rung: str, folder: Path) -> Iterator[World]:
    """A runner for one test."""
    made = World(rung, folder)
    yield made
    made.close()


def rungs() -> list[str]:
    """The rungs of the ladder that can be had here; keepers can always."""
    found = ["keeper"]
    try:
        made = World("cgroup", Path("/nonexistent"))
    except EngineError:
        return found
    made.close()
    return [*found, "cgroup"]


def marked(mark: str) -> list[int]:
    """The live processes with that mark among their arguments, as seen from outside."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and mark.encode() in (procfs.read(f"/proc/{entry}/cmdline") or b""):
            pid = int(entry)
            if procfs.alive(pid):
                found.append(pid)
    return found
