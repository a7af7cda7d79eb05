"""A runner with nothing but a forest of keepers, driven by lines on its standard input: for tests that kill it.

`python -m tests.system.little_runner RUNTIME_DIR [UID]`. Each line in is one JSON list, a verb and its arguments; each
line out is one JSON list, a fact. It answers every verb with ["done", VERB, RESULT].
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from gds.linux.keeperforest import KeeperForest
from gds.linux.keepertree import KeeperTree
from gds.linux.loop import Loop
from gds.linux.reaper import Reaper
from gds.linux.zygote import Zygote
from gds.model.launch import Launch
from gds.ports import Tree


def say(*fact: object) -> None:
    """One line out."""
    os.write(1, json.dumps(fact).encode() + b"\n")


class LittleRunner:
    """See the module."""

    def __init__(self, runtime_dir: str) -> None:
        self.loop = Loop()
        self.loop.on_error = lambda error: say("error", str(error))
        self.reaper = Reaper(self.loop)
        self.zygote = Zygote(self.loop, self.reaper)
        self.forest = KeeperForest(self.loop, self.reaper, lambda: self.zygote, runtime_dir)
        self.trees: dict[str, KeeperTree] = {}
        self.null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        self.pending = b""
        self.loop.watch(0, self.read)

    # -- TreeListener -------------------------------------------------------------------------------------------------

    def tree_started(self, tree: Tree) -> None:
        say("started", tree.name, tree.main_pid)

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        say("failed", tree.name, errno, message)

    def main_exited(self, tree: Tree, status: int | None) -> None:
        say("main", tree.name, status)

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        say("emptied", tree.name, status, lost)

    # -- verbs --------------------------------------------------------------------------------------------------------

    def read(self, _events: int) -> None:
        data = os.read(0, 65536)
        if not data:
            self.loop.stop()
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            verb, *words = json.loads(line)
            say("done", verb, getattr(self, "do_" + verb)(*words))

    def do_plant(self, name: str, incarnation: int, argv: list[str], lasting: bool, **how: Any) -> None:
        launch = Launch(tuple(argv), {"PATH": "/usr/bin:/bin"}, self.null, self.null, **how)
        self.trees[name] = self.forest.plant(name, incarnation, launch, self, lasting=lasting)

    def do_plant_as(self, name: str, argv: list[str], uid: int, output: str) -> None:
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        launch = Launch(tuple(argv), {"PATH": "/usr/bin:/bin"}, fd, fd, uid=uid, gid=uid, groups=())
        self.trees[name] = self.forest.plant(name, 1, launch, self, lasting=True)
        os.close(fd)

    def do_survivors(self) -> list[tuple[str, int]]:
        return self.forest.survivors()

    def do_adopt(self, name: str, incarnation: int, main_pid: int) -> None:
        self.trees[name] = self.forest.adopt(name, incarnation, main_pid, self)

    def do_gone(self, name: str) -> tuple[int, int] | None:
        return self.forest.gone(name)

    def do_members(self, name: str) -> list[int]:
        return self.trees[name].members()

    def do_signal(self, name: str, number: int) -> list[int]:
        return self.trees[name].signal(number)

    def do_kill(self, name: str) -> None:
        self.trees[name].kill()

    def do_keeper(self, name: str) -> int:
        keeper = self.trees[name].keeper
        return keeper.pid if keeper is not None else 0

    def do_lasting(self, name: str) -> bool:
        return self.trees[name].lasting

    def do_zygote(self) -> int:
        return self.zygote.pid

    def do_inheritable(self, path: str) -> int:
        fd = os.open(path, os.O_RDONLY)
        os.set_inheritable(fd, True)
        return fd

    def do_close(self) -> None:
        self.forest.close()
        self.zygote.close()


def main() -> None:
    """Serve until the standard input ends."""
    runtime_dir = sys.argv[1]
    if len(sys.argv) > 2:
        uid = int(sys.argv[2])
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    runner = LittleRunner(runtime_dir)
    say("ready", os.getpid())
    runner.loop.run()


if __name__ == "__main__":
    main()
