"""Which processes of one tree PMF still waits for, when -C says not all (Sun: semantics.md 4.2).

`pmf/family.py` judges. Emits one fact: the last watched process is gone while deeper ones live on; the end of the whole
tree is told by the tree itself. While the first process lives there is nothing to wait for but it. Then the other
watched ones are followed by pidfd: nothing is polled but who is whose child, which must be seen while parents live.
"""

from __future__ import annotations

import os

from gds.pmf import family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from gds.ports import Scheduler, TimerHandle, Tree

    class Loop(Scheduler, Protocol):
        """Time, and descriptors."""

        def watch(self, fd: int, callback: Callable[[int], None]) -> None: ...
        def unwatch(self, fd: int) -> None: ...


FIRST_LOOK, LAST_LOOK = 0.01, 5.0
"""Seconds between two looks at who is whose child; doubled each time."""
LOOK_AGAIN = 0.1
"""Seconds until processes that could not be followed are looked for again."""


class Watching:
    """See the module. `level` is 0 or more; `on_end` hears how the last watched process ended, once."""

    __slots__ = ("_depths", "_followed", "_how", "_level", "_loop", "_on_end", "_over", "_pause", "_timer", "_tree")

    def __init__(
        self,
        loop: Loop,
        tree: Tree,
        level: int,
        on_end: Callable[[str], None],
        depths: dict[int, int] | None = None,
    ) -> None:
        """`depths`: what was seen of it before, by the runner before us in this process."""
        self._loop = loop
        self._tree = tree
        self._level = level
        self._on_end = on_end
        self._over = False
        self._how = ""
        self._depths: dict[int, int] = depths or {}
        self._followed: dict[int, int] = {}
        """pid -> pidfd of watched processes, once the first one is gone."""
        self._pause = FIRST_LOOK
        self._timer: TimerHandle | None = None
        if level:
            self._look_again()

    @property
    def depths(self) -> dict[int, int]:
        """pid -> depth, as far as it was seen."""
        return self._depths

    def look(self) -> None:
        """Observe who is whose child; each look is a chance."""
        if self._level and not self._over:
            self._depths = family.observe(self._depths, self._tree.main_pid, self._tree.parents())

    def first_ended(self, how: str) -> None:
        """The first process is gone."""
        self._how = how
        self._loop.soon(self._check)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for fd in self._followed.values():
            self._loop.unwatch(fd)
            os.close(fd)
        self._followed.clear()

    def _look_again(self) -> None:
        self.look()
        self._timer = self._loop.after(self._pause, self._look_again)
        self._pause = min(LAST_LOOK, 2 * self._pause)

    def _check(self) -> None:
        """A watched process has ended: is another one left?"""
        if self._over:
            return
        self.look()
        alive = self._tree.members()
        if not alive:
            return  # the end of the tree says so
        watched = family.watched(self._depths, alive, self._level) if self._level else []
        if not watched:
            self.cancel()
            deeper = "1 process" if len(alive) == 1 else f"{len(alive)} processes"
            self._on_end(f"{self._how}; {deeper} deeper than level {self._level}")
        elif not self._follow(watched):
            self._loop.after(LOOK_AGAIN, self._check)

    def _follow(self, watched: Iterable[int]) -> bool:
        """Hear when one of them ends. False: one has ended meanwhile, or there are no descriptors: look again."""
        opened: dict[int, int] = {}
        complete = True
        for pid in watched:
            if pid not in self._followed:
                try:
                    opened[pid] = os.pidfd_open(pid)
                except OSError:
                    complete = False
        # opened first, looked at second: a number may have become another process's in between
        members = set(self._tree.members())
        for pid, fd in opened.items():
            if pid in members:
                self._followed[pid] = fd
                self._loop.watch(fd, lambda _events, pid=pid: self._one_ended(pid))  # type: ignore[misc]
            else:
                os.close(fd)
                complete = False
        return complete

    def _one_ended(self, pid: int) -> None:
        fd = self._followed.pop(pid)
        self._loop.unwatch(fd)
        os.close(fd)
        self._loop.soon(self._check)
