"""All we ask of the world, on one page. Static types only: at run time the drivers are handed the real things.

Nothing here waits. A request returns at once and its answer comes back as a call of the listener, from the loop.
"""

from __future__ import annotations

from typing import Protocol

from gds.model.value import Value


class TimerHandle(Protocol):
    """An appointment that can be cancelled."""

    def cancel(self) -> None: ...


class Scheduler(Protocol):
    """What drivers use of the loop."""

    def now(self) -> float: ...
    def at(self, when: float, callback: Callback) -> TimerHandle: ...
    def after(self, seconds: float, callback: Callback) -> TimerHandle: ...
    def soon(self, callback: Callback) -> None: ...
    def when_idle(self, callback: Callback) -> None: ...


class Callback(Protocol):
    """Something to call without arguments."""

    def __call__(self) -> object: ...


class Launch(Value):
    """How one command is started: everything is decided and looked up before the fork.

    `stdin` is always /dev/null; `stdout` and `stderr` are descriptors of ours that become 1 and 2 (the callee
    duplicates, it does not close them). `cwd` "" = the runner's own. `umask` -1 = the runner's own. `uid` and `gid`
    -1 = unchanged; `groups` None = unchanged. `limits` are (RLIMIT number, soft, hard), -1 = infinity.
    `nice` and `oom_score_adjust` 0 = unchanged. The process gets a session of its own, default dispositions, an empty
    signal mask and no other descriptor.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    stdout: int = 1
    stderr: int = 2
    cwd: str = ""
    umask: int = -1
    uid: int = -1
    gid: int = -1
    groups: tuple[int, ...] | None = None
    limits: tuple[tuple[int, int, int], ...] = ()
    nice: int = 0
    oom_score_adjust: int = 0

    @property
    def needs_launcher(self) -> bool:
        """posix_spawn alone cannot do it."""
        return bool(
            self.uid >= 0
            or self.gid >= 0
            or self.groups is not None
            or self.limits
            or self.nice
            or self.oom_score_adjust
        )


class TreeListener(Protocol):
    """What a tree tells its owner. `status` is a wait status as os.waitpid gives it; None = nobody can know.

    Order: exactly one of `tree_started` and `tree_failed` (after `tree_failed` nothing follows; the tree is over),
    then `main_exited` at most once, then `tree_emptied` exactly once: the last process is gone, `status` is that of
    the last one we could see, and `lost` says why the tree is no longer exact, when it is not ("" = it is).
    """

    def tree_started(self, tree: Tree) -> None: ...
    def tree_failed(self, tree: Tree, errno: int, message: str) -> None: ...
    def main_exited(self, tree: Tree, status: int | None) -> None: ...
    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None: ...


class Tree(Protocol):
    """One command with every process it made, however deep, also when their parents are gone."""

    name: str
    incarnation: int
    main_pid: int
    """0 until started."""
    main_alive: bool
    listener: TreeListener

    def members(self) -> list[int]:
        """The live processes (no zombies), the first one first when it lives."""
        ...

    def parents(self) -> dict[int, int]:
        """pid -> parent pid of each live member."""
        ...

    def signal(self, number: int, pids: list[int] | None = None) -> list[int]:
        """Send to all (or those) members, each followed by SIGCONT; never to a pid that might be another's. Who got it."""
        ...

    def kill(self) -> None:
        """SIGKILL to all, also to those being born; asynchronous: `tree_emptied` says when it is done."""
        ...

    def release(self) -> None:
        """The owner is done with an empty (or failed) tree: tidy up when idle."""
        ...


class Forest(Protocol):
    """Where trees grow: one rung of the tracking ladder (design.md 5)."""

    rung: str
    """"cgroup" or "keeper", as `gds status` shows it."""

    def plant(self, name: str, incarnation: int, launch: Launch, listener: TreeListener, *, lasting: bool) -> Tree:
        """Start a command as a tree. `lasting`: it is an application, to be found again after a crash of the runner;
        else a method or probe, which dies with the runner. `name` is the resource's name (lasting) or the name with
        the method ("web:Probe")."""
        ...

    def survivors(self) -> list[tuple[str, int]]:
        """After start-up: (name, incarnation) of lasting trees left by an earlier runner that still have processes."""
        ...

    def adopt(self, name: str, incarnation: int, main_pid: int, listener: TreeListener) -> Tree:
        """Take such a tree back; the listener hears `tree_started` at once (unless it just ended), then the rest."""
        ...

    def close(self) -> None:
        """The runner ends in order; all trees are empty."""
        ...
