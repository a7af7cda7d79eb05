"""Keepers without work: they wait for the next tree. And keepers without a zygote: somebody else must wake them."""

from __future__ import annotations

from gds.linux import lineage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from gds.linux.keepertree import Keeper
    from gds.linux.loop import Loop, Timer
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_MOST = 16
"""Keepers that wait for work, at 1 MB each."""
_KEPT = 2
"""Of those, how many wait for longer than `_SECONDS`."""
_SECONDS = 30.0

_LOOK_EVERY = 2.0


class Pool:
    """The idle keepers, the last one to become so taken first. `retire` ends one."""

    def __init__(self, loop: Loop, retire: Callable[[Keeper], None]) -> None:
        self._loop = loop
        self._retire = retire
        self._idle: dict[Keeper, float] = {}
        self._timer: Timer | None = None
        self._trim_due = False

    def take(self) -> Keeper | None:
        """One that waits; None when there is none."""
        return self._idle.popitem()[0] if self._idle else None

    def put(self, keeper: Keeper) -> None:
        """Its tree is empty. A restart in the same turn may take it again before too many are ended."""
        self._idle[keeper] = self._loop.now()
        if len(self._idle) > _MOST and not self._trim_due:
            self._trim_due = True
            self._loop.when_idle(self._trim)
        if len(self._idle) > _KEPT and self._timer is None:
            self._timer = self._loop.after(_SECONDS, self._thin)

    def remove(self, keeper: Keeper) -> bool:
        """It waits no more. False: it did not."""
        return self._idle.pop(keeper, None) is not None

    def close(self) -> None:
        """Nobody waits any more; ending them is the caller's business."""
        self._idle.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _trim(self) -> None:
        self._trim_due = False
        while len(self._idle) > _MOST:
            self._end_oldest()

    def _thin(self) -> None:
        """A timer only while there are more than a few."""
        self._timer = None
        long_ago = self._loop.now() - _SECONDS
        while len(self._idle) > _KEPT and next(iter(self._idle.values())) <= long_ago:
            self._end_oldest()
        if len(self._idle) > _KEPT:
            self._timer = self._loop.at(next(iter(self._idle.values())) + _SECONDS, self._thin)

    def _end_oldest(self) -> None:
        keeper = next(iter(self._idle))
        del self._idle[keeper]
        self._retire(keeper)


class Watch:
    """Keepers whose zygote was killed: nobody is told any more when one is stopped, so it is looked for.

    The only thing here that looks again and again; it takes a dead zygote, and ends with the last of its trees.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._keepers: set[Keeper] = set()
        self._timer: Timer | None = None

    def add(self, keeper: Keeper) -> None:
        """Its zygote is dead."""
        self._keepers.add(keeper)
        if self._timer is None:
            self._timer = self._loop.after(_LOOK_EVERY, self._look)

    def close(self) -> None:
        """No more looking."""
        self._keepers.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        self._keepers = {keeper for keeper in self._keepers if keeper.tree is not None and not keeper.dead}
        for keeper in self._keepers:
            if lineage.is_stopped(keeper.pid, keeper.start):
                keeper.signal(signal.SIGCONT)
        if self._keepers:
            self._timer = self._loop.after(_LOOK_EVERY, self._look)
