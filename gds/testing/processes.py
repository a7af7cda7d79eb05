"""FakeProcesses: a little Linux with trees, signals and stubborn applications, behind the port that rungs implement.

A command is what `programs` says of it: its whole text, or its first word; what is not named there runs until it is
told to end. `check_processes` holds this to what real rungs do. Facts come from the scheduler, never from inside of a
call of the owner, but for `tree_started`, which real rungs may tell at once as well.
"""

from __future__ import annotations

import os
from itertools import count

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gds.ports import Launch, Scheduler, TreeListener

KILL, CONT, STOP = 9, 18, 19


class Program(Value):
    """What a command does.

    `refuses`: an errno, it cannot be executed. The first process ends by itself after `lives` seconds (-1: never) with
    wait status `status`; it starts `children`, which end only by signals. A signal in `deaf` is ignored; any other ends
    a process `obeys_after` seconds later. `immortal`: not even SIGKILL ends it. `says` goes to its stdout at once.
    """

    refuses: int = 0
    message: str = ""
    lives: float = -1.0
    status: int = 0
    children: int = 0
    deaf: frozenset[int] = frozenset()
    obeys_after: float = 0.0
    immortal: bool = False
    says: bytes = b""


class FakeTree:
    """One command with its processes; see ports.Tree."""

    def __init__(
        self, forest: FakeProcesses, name: str, incarnation: int, program: Program, listener: TreeListener
    ) -> None:
        self.name = name
        self.incarnation = incarnation
        self.listener = listener
        self.program = program
        self.main_pid = 0
        self.main_alive = False
        self.signals: list[int] = []
        """Every signal sent to it, in order; SIGKILL of `kill` included."""
        self._forest = forest
        self._parents: dict[int, int] = {}

    def members(self) -> list[int]:
        """See ports.Tree."""
        return list(self._parents)

    def parents(self) -> dict[int, int]:
        """See ports.Tree."""
        return dict(self._parents)

    def signal(self, number: int, pids: list[int] | None = None) -> list[int]:
        """See ports.Tree."""
        reached = [pid for pid in self.members() if pids is None or pid in pids]
        if reached:
            self.signals.append(number)
        for pid in reached:
            self._hit(pid, number)
        return reached

    def kill(self) -> None:
        """See ports.Tree."""
        self.signal(KILL)

    def release(self) -> None:
        """See ports.Tree. Raises AssertionError for a tree that still has processes: its owner is mistaken."""
        assert not self._parents, f"{self.name} is released with processes {self.members()}"

    def end(self, status: int, pid: int = 0) -> None:
        """The test's hand: the process `pid` (0: the first) ends."""
        self._end(pid or self.main_pid, status)

    def end_all(self, status: int) -> None:
        """The test's hand: every process ends."""
        for pid in reversed(self.members()):
            self._end(pid, status)

    # -- inside -------------------------------------------------------------------------------------------------------

    def begin(self, stdout: int) -> None:
        """The command is executed."""
        program, scheduler = self.program, self._forest.scheduler
        if program.refuses:
            said = program.message or os.strerror(program.refuses)
            scheduler.soon(lambda: self.listener.tree_failed(self, program.refuses, said))
            return
        self.main_pid = self._forest.new_pid()
        self.main_alive = True
        self._parents[self.main_pid] = os.getpid()
        for _ in range(program.children):
            self._parents[self._forest.new_pid()] = self.main_pid
        if program.says:
            os.write(stdout, program.says)
        self.heard()
        if program.lives >= 0:
            scheduler.after(program.lives, lambda: self._end(self.main_pid, program.status))

    def heard(self) -> None:
        """The owner hears that it runs."""
        self.listener.tree_started(self)

    def _hit(self, pid: int, number: int) -> None:
        program = self.program
        if number in (CONT, STOP) or number in program.deaf or (number == KILL and program.immortal):
            return
        delay = 0.0 if number == KILL else program.obeys_after
        self._forest.scheduler.after(delay, lambda: self._end(pid, number))

    def _end(self, pid: int, status: int) -> None:
        if pid not in self._parents:
            return
        del self._parents[pid]
        for child, parent in self._parents.items():
            if parent == pid:
                self._parents[child] = os.getpid()
        if pid == self.main_pid:
            self.main_alive = False
            self.listener.main_exited(self, status)
        if not self._parents:
            self._forest.forget(self)
            self.listener.tree_emptied(self, status, "")


class FakeProcesses:
    """See the module. `planted` are all trees there ever were; `programs` may be changed at any time."""

    rung = "fake"

    def __init__(self, scheduler: Scheduler, programs: Mapping[str, Program] | None = None) -> None:
        self.scheduler = scheduler
        self.programs: dict[str, Program] = dict(programs or {})
        self.planted: list[FakeTree] = []
        self.launches: list[Launch] = []
        self._pids = count(4001)
        self._lasting: dict[tuple[str, int], FakeTree] = {}

    def plant(self, name: str, incarnation: int, launch: Launch, listener: TreeListener, *, lasting: bool) -> FakeTree:
        """See ports.Forest."""
        words = launch.argv[2:] if launch.argv[:2] == ("/bin/sh", "-c") else launch.argv
        program = self.programs.get(" ".join(words)) or self.programs.get(words[0]) or Program()
        tree = FakeTree(self, name, incarnation, program, listener)
        self.planted.append(tree)
        self.launches.append(launch)
        if lasting and not program.refuses:
            self._lasting[name, incarnation] = tree
        tree.begin(launch.stdout)
        return tree

    def survivors(self) -> list[tuple[str, int]]:
        """See ports.Forest: lasting trees that have processes, whoever planted them."""
        return list(self._lasting)

    def adopt(self, name: str, incarnation: int, main_pid: int, listener: TreeListener) -> FakeTree:
        """See ports.Forest."""
        tree = self._lasting[name, incarnation]
        tree.listener = listener
        tree.heard()
        return tree

    def close(self) -> None:
        """See ports.Forest. Raises AssertionError when a tree still has processes."""
        left = [tree.name for tree in self.planted if tree.members()]
        assert not left, f"closed with processes of {', '.join(left)}"

    # -- inside, and for tests ----------------------------------------------------------------------------------------

    def new_pid(self) -> int:
        """A process is born."""
        return next(self._pids)

    def forget(self, tree: FakeTree) -> None:
        """It is empty."""
        self._lasting.pop((tree.name, tree.incarnation), None)

    def latest(self, name: str) -> FakeTree:
        """The youngest tree of that name. Raises LookupError."""
        for tree in reversed(self.planted):
            if tree.name == name:
                return tree
        raise LookupError(f"nothing of the name {name} was ever planted")

    def count(self, name: str) -> int:
        """How many trees of that name there were."""
        return sum(tree.name == name for tree in self.planted)

    def alive(self, name: str) -> list[FakeTree]:
        """The trees of that name that have processes: of an application there may be one."""
        return [tree for tree in self.planted if tree.name == name and tree.members()]
