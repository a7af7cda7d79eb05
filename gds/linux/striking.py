"""Killing a tree to the last process, also one that forks without end.

In rounds: walk, strike everybody, until the caller, who is their sub-reaper, has no children any more (platform.md 6:
ten trees of real daemons in 11 to 14 rounds, nothing left). Nothing escapes between two rounds, for whoever loses its
parents climbs to the caller.

Three ways to strike without ever hitting a stranger whose pid was used again: our own child, which keeps its pid until
we wait for it; the process group that such a child leads, for the same reason; anybody else by a pidfd that is opened
first and looked at second. A signal to a group counts for children being born in it as well (the kernel takes the lock
that fork takes): that beats a plain fork bomb in one round.

One whose children each call setsid also makes itself a thousand scheduling groups, each with as much of the processor
as all of ours; so strikes are made with real-time priority where that is allowed: 300 of them take 0.2 s instead of
4.5 s, 1000 of them 0.4 s instead of 40 s. Unprivileged, the rounds win all the same, later.
"""

from __future__ import annotations

import os

from gds.linux import lineage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_SIGNAL_PROCESS_GROUP = 4
"""PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9: older kernels refuse it, and then each process is signalled by itself."""

_SHORTEST_PAUSE = 0.001
_LONGEST_PAUSE = 1.0
"""Seconds between two rounds: the second for one that cannot die (a process in uninterruptible sleep)."""


class Rounds:
    """The strikes on one tree: at once while a round meets somebody new, else after a pause that doubles.

    From the first to `finish` this process has priority over all others.
    """

    __slots__ = ("_hurried", "_pause", "_struck")

    def __init__(self) -> None:
        self._struck: set[int] = set()
        self._pause = 0.0
        self._hurried = False

    @property
    def pause(self) -> float:
        """Seconds until the next round."""
        return self._pause

    def progress(self) -> None:
        """Somebody is gone, and his children have climbed to us: the next round is due now."""
        self._pause = 0.0

    def strike(self, own: Iterable[int]) -> None:
        """One round of SIGKILL to these children of ours and everybody below them."""
        if not self._struck:
            self._hurried = _schedule(os.SCHED_RR | os.SCHED_RESET_ON_FORK, 1)
        tops = list(own)
        found = lineage.survey(tops)
        for pid in tops:
            facts = lineage.look(pid)
            if facts is not None and facts.alive:
                found[pid] = facts
        _kill(tops, found)
        if found.keys() <= self._struck:
            self._pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, 2 * self._pause))
        else:
            self._pause = 0.0
        self._struck = set(found)

    def finish(self) -> None:
        """Nobody is left: back to the priority that everybody has."""
        if self._hurried:
            self._hurried = not _schedule(os.SCHED_OTHER, 0)


def _schedule(policy: int, priority: int) -> bool:
    try:
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError:
        return False
    return True


def strike_below(roots: Iterable[int]) -> None:
    """One round of SIGKILL to everybody below these roots, who need not be ours and are not touched themselves."""
    _kill([], lineage.survey(roots))


def _kill(own: list[int], found: dict[int, lineage.Facts]) -> None:
    for pid in own:
        if pid in found:
            for target in (-pid, pid):
                try:
                    os.kill(target, signal.SIGKILL)
                except OSError:
                    continue  # leads no group, or is another user's now (set-user-ID) and we are not root
    mine = set(own)
    for pid, facts in found.items():
        if pid not in mine:
            _kill_one(pid, facts)


def _kill_one(pid: int, facts: lineage.Facts) -> None:
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return  # gone
    try:
        now = lineage.look(pid)
        if now is None or now.start != facts.start:
            return  # its pid is another's already
        if facts.group == pid:
            try:
                signal.pidfd_send_signal(fd, signal.SIGKILL, None, _SIGNAL_PROCESS_GROUP)
            except OSError:
                pass  # an older kernel, or the group is empty by now
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError:
        return  # gone in between, or not ours to signal
    finally:
        os.close(fd)
