"""All we ask of the world, on one page. Static types only: at run time the drivers are handed the real things.

Nothing here waits. A request returns at once and its answer comes back as a call of the listener, from the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from gds.model.launch import Launch as Launch

if TYPE_CHECKING:
    from gds.model.store import Answer, Change, EngineTraits, Record, Transaction

Callback: TypeAlias = Callable[[], object]
"""Something to call without arguments."""


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
        """Send to all (or those) members, each followed by SIGCONT; never to another's pid. Who got it."""
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


class LastingForest(Forest, Protocol):
    """A forest that the runner after us, in this same process, can take over from us (`gds upgrade`)."""

    def under_way(self) -> list[str]:
        """Names of methods and probes that run ("web:Probe")."""
        ...

    def is_settled(self, tree: Tree) -> bool:
        """It is up, and can be handed over."""
        ...

    def hand_over(self, tree: Tree) -> tuple[dict[str, Any], tuple[int, ...]]:
        """What the runner after us, in this same process, needs to follow a settled lasting tree; and the
        descriptors it needs for it. Changes nothing."""
        ...

    def resume(self, facts: dict[str, Any], listener: TreeListener) -> Tree:
        """Follow it on. The listener hears only what is new; nothing before the loop turns. Call it before
        `survivors` and `plant`."""
        ...

    def resumed(self) -> None:
        """All trees were resumed: whatever else the runner before us left is ended."""
        ...


class EngineListener(Protocol):
    """What an engine tells, from the loop. `engine_loaded` comes first, and again whenever the thread of changes was
    lost (compaction, another store): what it names is all there is. Between two of them every change of a key comes
    exactly once and in the order of revisions. It is news of the past: no safety decision may rest on it."""

    def engine_loaded(self, records: dict[str, Record], revision: int) -> None: ...
    def engine_changed(self, changes: tuple[Change, ...], revision: int) -> None: ...
    def engine_away(self, because: str) -> None:
        """It cannot be asked; it is tried on. Told once, and again whenever the reason is another."""
        ...

    def engine_back(self) -> None:
        """It answers again; what was missed has been told before."""
        ...


class ClusterEngine(Protocol):
    """A store with transactions that several nodes share. Keys are without the cluster's prefix."""

    traits: EngineTraits

    def begin(self, listener: EngineListener) -> None:
        """Connect, and tell everything from now on."""
        ...

    def commit(self, transaction: Transaction, timeout: float, done: Callable[[Answer], None]) -> None:
        """Ask once; `done` is called exactly once, from the loop, at most `timeout` seconds later (Unknown then).
        Nothing is tried again behind the caller's back, for a second try may succeed after the first one did."""
        ...

    def refusal(self) -> str:
        """Why this store will not be used, however often it is tried (a version with faults); "" = nothing is known
        against it."""
        ...

    def describe(self) -> dict[str, Any]:
        """For `gds status`: endpoints and how each of them is, the store's version, who leads."""
        ...

    def close(self) -> None:
        """No answer is wanted any more; nothing of it is left."""
        ...
