"""Trees whose keepers were killed: what is left of them is killed to the last process, and only then are they empty.

Most often the zygote does it (forking.Forker), and says so. When that is dead too, the processes have climbed to the
runner, where they are told from other children by being nobody's: neither a keeper's, nor somebody whom the reaper
expects, nor there before us. Behind a keeper that an earlier runner left stands that runner's zygote, which removes the
keeper's record when it is done.
"""

from __future__ import annotations

import os
import signal

from gds.linux import lineage, procfs, striking
from gds.linux.keeperrecord import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.linux.keepertree import Keeper, KeeperTree
    from gds.linux.loop import Loop, Timer
    from gds.linux.reaper import Reaper
    from gds.linux.zygote import Zygote

KEEPER_KILLED = "its keeper was killed"
KEEPER_KILLED_LATE = "its keeper was killed after its runner: processes that were never seen may be left"

_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 1.0


class Hunt:
    """See the module. Calls `on_over(tree)` when nothing is left, `on_main(tree, status)` if we see its first die."""

    def __init__(
        self,
        loop: Loop,
        reaper: Reaper,
        zygote: Callable[[], Zygote],
        folder: str,
        keepers: dict[int, Keeper],
        on_over: Callable[[KeeperTree], None],
        on_main: Callable[[KeeperTree, int], None],
    ) -> None:
        self._loop = loop
        self._reaper = reaper
        self._zygote = zygote
        self._folder = folder
        self._keepers = keepers
        self._on_over = on_over
        self._on_main = on_main
        self._lost: list[KeeperTree] = []
        self._timer: Timer | None = None
        self._pause = 0.0
        self._rounds = striking.Rounds()
        self._due = False
        self._foreign = {pid: lineage.start_of(pid) for pid in procfs.children(os.getpid())}
        reaper.on_stranger = self._stranger

    def add(self, tree: KeeperTree) -> None:
        """Its keeper is dead for the kernel: its orphans have climbed."""
        tree.lost = KEEPER_KILLED
        self._lost.append(tree)
        self._pause = 0.0
        self._round()

    def soon(self) -> None:
        """Something has changed: look after the callbacks of this turn."""
        if self._lost and not self._due:
            self._due = True
            self._loop.soon(self._round)

    def orphans(self) -> list[int]:
        """Children of ours that are nobody's."""
        keepers = {keeper.pid for keeper in self._keepers.values()}
        return [
            pid
            for pid in lineage.children_of()(os.getpid())
            if pid not in keepers and not self._reaper.expects(pid) and self._foreign.get(pid) != lineage.start_of(pid)
        ]

    def close(self) -> None:
        """No more rounds."""
        self._stop_timer()
        self._lost.clear()

    def _stranger(self, pid: int, status: int) -> None:
        """The reaper: a child that nobody expects has ended."""
        self._foreign.pop(pid, None)
        for tree in self._lost:
            if pid == tree.main_pid and tree.main_alive:
                self._on_main(tree, status)
        self.soon()

    def _round(self) -> None:
        self._due = False
        self._stop_timer()
        game = self.orphans() if any(tree.keeper and tree.keeper.climbed for tree in self._lost) else []
        if game:
            self._rounds.strike(game)
        else:
            self._rounds.finish()
        for tree in list(self._lost):
            keeper = tree.keeper
            if keeper is not None and not (game and keeper.climbed) and self._is_cleaned(tree, keeper):
                self._lost.remove(tree)
                if self._folder:
                    remove(f"{self._folder}/{keeper.pid}.tree")
                    remove(f"{self._folder}/{keeper.pid}.sock")
                self._on_over(tree)
        if self._lost and self._timer is None:
            self._zygote().wake()
            self._pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, 2 * self._pause))
            self._timer = self._loop.after(self._pause, self._round)

    def _is_cleaned(self, tree: KeeperTree, keeper: Keeper) -> bool:
        """Nothing is left of it, but perhaps among our own children."""
        record = keeper.record
        if record is None:
            return keeper.cleaned
        if not os.path.exists(f"{self._folder}/{keeper.pid}.tree"):
            return True  # the zygote of its runner has done its work, and may have ended with it
        if lineage.is_alive(record.guard, record.guard_start):
            lineage.send_to(record.guard, record.guard_start, signal.SIGCONT)
            return False
        # nobody stood behind it: its orphans are init's now, and we know those we saw
        tree.lost = KEEPER_KILLED_LATE
        left = [pid for pid, start in tree.known.items() if lineage.is_alive(pid, start)]
        striking.strike_below(left)
        for pid in left:
            lineage.send_to(pid, tree.known[pid], signal.SIGKILL)
        return not left

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
