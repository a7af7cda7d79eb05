"""The one wait loop: nobody else in the runner ever waits for a child.

SIGCHLD wakes it; it peeks (WNOWAIT), tells who died while the zombie still says which cgroup it belonged to, then
reaps. Signals coalesce, so it goes on until nothing is left (platform.md 4). Facts it gives: `callback(status)` for a
pid somebody expects; `on_stranger(pid, cgroup)` before, for every other child: an orphan that came to us because we
are the sub-reaper (PID 1 or PR_SET_CHILD_SUBREAPER). A pid cannot be reused before it is reaped, so between the call
of the owner and now a signal by pid was safe.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from gds.linux.loop import Loop
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory


_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT


class Reaper:
    """See the module. `status` is a wait status, as os.waitpid gives it."""

    def __init__(self, loop: Loop) -> None:
        self._expected: dict[int, Callable[[int], None]] = {}
        self.on_stranger: Callable[[int, int], None] = _nobody
        """(pid, status) of a child nobody expects, still a zombie while this is called."""
        self.on_helper: Callable[[int], None] = _no_helper
        """(pid) of a process of the runner's own that was just started: the forest finds it a place."""
        loop.on_signal(signal.SIGCHLD, self.reap)
        self._loop = loop

    def expect(self, pid: int, callback: Callable[[int], None], of_tree: bool = False) -> None:
        """Call `callback(status)` when our child `pid` has ended and is reaped. `of_tree`: the forest started it."""
        self._expected[pid] = callback
        if not of_tree:
            self.on_helper(pid)

    def forget(self, pid: int) -> None:
        """It may end unheard: it is a stranger from now on."""
        self._expected.pop(pid, None)

    def expects(self, pid: int) -> bool:
        """Somebody waits for this child: it is not an orphan that came to us."""
        return pid in self._expected

    def reap(self) -> None:
        """Reap all that have ended."""
        while True:
            try:
                seen = os.waitid(os.P_ALL, 0, _PEEK)
            except ChildProcessError:
                return
            if seen is None:
                return
            pid = seen.si_pid
            status = seen.si_status << 8 if seen.si_code == os.CLD_EXITED else seen.si_status & 0x7F
            callback = self._expected.pop(pid, None)
            if callback is None:
                try:
                    self.on_stranger(pid, status)
                except Exception as error:  # our bug, but an unreaped child would turn this into an endless loop
                    self._loop.on_error(error)
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass  # cannot happen while we are the only waiter
            if callback is not None:
                try:
                    callback(status)
                except Exception as error:  # as above: the rest must be reaped all the same
                    self._loop.on_error(error)


def _no_helper(_pid: int) -> None:
    pass


def _nobody(_pid: int, _status: int) -> None:
    pass
