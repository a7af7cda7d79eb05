"""A little runner with a forest and a guard, told line by line on stdin what to do; it answers in lines of JSON.

    python guarded_runner.py RUNTIME_DIR IDENT LINGER WATCHDOG

`plant NAME WORD...` and `method NAME WORD...` start something, `arm SECONDS` (from now), `until INSTANT`, `disarm`,
`addresses NAME...`, `busy SECONDS` (answers nobody), `describe`, `again` (exec), `close`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from gds.errors import EngineError
from gds.linux import prctl
from gds.linux.cgroupforest import CgroupForest
from gds.linux.clock import boottime
from gds.linux.guarding import Guard
from gds.linux.journal import Log
from gds.linux.loop import Loop
from gds.linux.reaper import Reaper
from gds.linux.zygote import Zygote
from gds.model.launch import Launch

if TYPE_CHECKING:
    from gds.ports import Tree


def say(**facts: object) -> None:
    """One line."""
    os.write(1, json.dumps(facts).encode() + b"\n")


class Listener:
    """Tells what becomes of a tree."""

    def tree_started(self, tree: Tree) -> None:
        """Its first process."""
        say(started=tree.name, pid=tree.main_pid)

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        """It did not start."""
        say(failed=tree.name, why=message)

    def main_exited(self, tree: Tree, status: int | None) -> None:
        """Only the end of all of it is told."""

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        """Nothing of it is left."""
        say(emptied=tree.name)
        tree.release()


class Runner:
    """See the module."""

    def __init__(self, runtime_dir: str, ident: str, linger: str, watchdog: str) -> None:
        prctl.become_subreaper()
        self.loop = Loop()
        self.reaper = Reaper(self.loop)
        again = os.environ.pop("AGAIN", "") == "yes"
        self.forest = CgroupForest(self.loop, self.reaper, ident, lambda: Zygote(self.loop, self.reaper), again)
        log = Log("text", 2)
        self.guard = Guard(
            self.loop, self.reaper, self.forest, runtime_dir, watchdog, log, margin=1.0, linger=float(linger)
        )
        self.guard.on_lost = lambda why: say(lost=why)
        self.count = 0
        self.rest = b""
        os.set_blocking(0, False)
        self.loop.watch(0, self.hear)
        say(
            ready=os.getpid(),
            guard=self.guard.pid,
            root=self.forest.root,
            until=self.guard.deadline(),
            left=self.forest.survivors(),
        )

    def hear(self, _events: int) -> None:
        """What is on stdin."""
        data = os.read(0, 65536)
        if not data:
            self.loop.stop()
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            verb, *words = json.loads(line)
            say(did=verb, said=getattr(self, verb)(*words), now=boottime())

    def plant(self, name: str, *argv: str) -> None:
        """An application."""
        self.count += 1
        self.forest.plant(name, self.count, launch(argv), Listener(), lasting=True)

    def method(self, name: str, *argv: str) -> None:
        """A method, born in our own cgroup."""
        self.forest.plant(name, 0, launch(argv), Listener(), lasting=False)

    def arm(self, seconds: float) -> float:
        """So long from now; the instant."""
        deadline = boottime() + seconds
        self.guard.arm(deadline)
        return deadline

    def disarm(self) -> None:
        """Nothing to guard."""
        self.guard.disarm()

    def addresses(self, *names: str) -> None:
        """Of these resources."""
        self.guard.addresses(names)

    def busy(self, seconds: float) -> None:
        """Hear nothing meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    def describe(self) -> dict[str, Any]:
        """The guard's words about itself."""
        return self.guard.describe()

    def again(self) -> None:
        """The same process in new clothes, as `gds upgrade` leaves it."""
        os.environ["AGAIN"] = "yes"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def close(self) -> None:
        """End in order."""
        self.guard.close()
        self.forest.close()
        self.loop.stop()


def launch(argv: tuple[str, ...]) -> Launch:
    """With nothing but a path, and no output."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    return Launch(argv=argv, env={"PATH": "/usr/bin:/bin"}, stdout=null, stderr=null)


if __name__ == "__main__":
    try:
        runner = Runner(*sys.argv[1:])
    except EngineError as error:
        say(refused=str(error))
        sys.exit(1)
    runner.loop.run()
