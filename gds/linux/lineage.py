"""Who descends from whom, and signals that reach nobody else.

The descendants of a sub-reaper are exact while it lives: what loses its parents climbs to it. A walk over
/proc/PID/task/TID/children is a look at a moving thing, so whoever must reach all of them walks again until the
sub-reaper has no children (platform.md 6: ten trees of real daemons in 11 to 14 rounds, nothing left).

Three ways to send without ever hitting a stranger whose pid was used again: to one's own child, which keeps its pid
until it is waited for; to the process group that such a child leads, for the same reason; to anybody else through a
pidfd that is opened first and whose ancestry is then read again up to the root. A signal to a group counts for children
being born in it as well (the kernel takes the lock that fork takes), which is what beats a fork bomb.
"""

from __future__ import annotations

import os

from gds.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_SIGNAL_PROCESS_GROUP = 4
"""PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9: older kernels refuse it, and then each process is signalled by itself."""

_SHORTEST_PAUSE = 0.001
_LONGEST_PAUSE = 1.0
"""Seconds between two rounds: the second for one that cannot die (a process in uninterruptible sleep)."""

_STOPS = frozenset((signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
_ALONE = _STOPS | {0, signal.SIGKILL, signal.SIGCONT}
"""Not followed by SIGCONT: it would undo them, or they do not need it."""


class Facts:
    """What /proc/PID/stat says of one process."""

    __slots__ = ("alive", "group", "parent", "start")

    def __init__(self, alive: bool, parent: int, group: int, start: int) -> None:
        self.alive = alive
        self.parent = parent
        self.group = group
        self.start = start


def look(pid: int) -> Facts | None:
    """Its facts; None when it is gone. A zombie is not alive, unless threads of it still run without their first."""
    data = procfs.read(f"/proc/{pid}/stat", 1024)
    if not data:
        return None
    rest = data[data.rfind(b")") + 2 :].split(None, 20)
    return Facts(rest[0] not in (b"Z", b"X") or int(rest[17]) > 1, int(rest[1]), int(rest[2]), int(rest[19]))


def start_of(pid: int) -> int:
    """When it was started, in ticks since boot: with its pid, its identity. 0 when it is gone."""
    facts = procfs.stat(pid)
    return facts[2] if facts is not None else 0


def is_alive(pid: int, start: int) -> bool:
    """That very process is there, and not as a zombie."""
    facts = look(pid) if pid > 0 else None
    return facts is not None and facts.alive and facts.start == start


def children_of() -> Callable[[int], list[int]]:
    """The way to list children here: the kernel's own list, else (CONFIG_PROC_CHILDREN is off) one scan of /proc."""
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return procfs.children
    return scan()


def scan() -> Callable[[int], list[int]]:
    """The same from one pass over all of /proc, for kernels without the list of children."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            facts = procfs.stat(int(entry))
            if facts is not None:
                found.setdefault(facts[1], []).append(int(entry))
    return lambda pid: found.get(pid, [])


def below(roots: Iterable[int]) -> dict[int, int]:
    """pid -> parent of every live process below the roots (not the roots themselves), parents first."""
    listed = children_of()
    found: dict[int, int] = {}
    waiting = list(roots)
    seen = set(waiting)
    for pid in waiting:  # grows while we go
        for child in listed(pid):
            if child in seen:
                continue
            seen.add(child)
            facts = look(child)
            if facts is None:
                continue
            if facts.alive:
                found[child] = facts.parent
            waiting.append(child)
    return found


def descends(pid: int, roots: frozenset[int] | set[int]) -> bool:
    """One of the roots is above `pid` now (or is `pid`)."""
    for _generation in range(100_000):
        if pid in roots:
            return True
        facts = look(pid)
        if facts is None or facts.parent <= 0:
            return False
        pid = facts.parent
    return False


def send(pid: int, number: int, roots: frozenset[int] | set[int]) -> bool:
    """Signal a descendant of the roots, then let it hear it if it was stopped. False: gone, a stranger, or refused."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # opened first, looked at second: if it was another by then, the pidfd points at the dead one and reaches nobody
        if not descends(pid, roots):
            return False
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return False
    else:
        if number not in _ALONE:
            _continue(fd)
        return True
    finally:
        os.close(fd)


def _continue(fd: int) -> None:
    try:
        signal.pidfd_send_signal(fd, signal.SIGCONT)
    except OSError:
        pass  # the signal before was its end already


def send_to(pid: int, start: int, number: int) -> bool:
    """Signal that very process, whoever's it is. False: it is gone, or not ours to signal."""
    try:
        fd = os.pidfd_open(pid)
    except (OSError, ValueError):
        return False
    try:
        if start_of(pid) != start:
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def strike(own: Iterable[int]) -> set[int]:
    """One round of SIGKILL to these children of our own and everybody below them. Returns whom it was meant for.

    Never the end by itself: walk again until nobody is left.
    """
    tops = list(own)
    for pid in tops:
        for target in (-pid, pid):
            try:
                os.kill(target, signal.SIGKILL)
            except OSError:
                continue  # leads no group, or is another user's now (set-user-ID) and we are not root
    return strike_below(tops) | set(tops)


def strike_below(roots: Iterable[int]) -> set[int]:
    """The same to everybody below the roots, which are not touched themselves."""
    tops = set(roots)
    struck = set(below(tops))
    for pid in struck:
        _strike_one(pid, tops)
    return struck


class Rounds:
    """The pace of strikes: at once while a round meets somebody new, else after a pause that doubles.

    A round is also due whenever somebody was reaped (`progress`), for his children have climbed to us.
    """

    __slots__ = ("_pause", "_struck")

    def __init__(self) -> None:
        self._struck: set[int] = set()
        self._pause = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next round."""
        return self._pause

    def progress(self) -> None:
        """Somebody is gone: the next round is due now."""
        self._pause = 0.0

    def strike(self, own: Iterable[int]) -> None:
        """One round; see `strike`."""
        struck = strike(own)
        if struck - self._struck:
            self._pause = 0.0
        else:
            self._pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, 2 * self._pause))
        self._struck = struck


def _strike_one(pid: int, roots: set[int]) -> None:
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if not descends(pid, roots):
            return
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL, None, _SIGNAL_PROCESS_GROUP)
        except OSError:
            pass  # an older kernel, or not the leader of a group
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError:
        return  # gone in between, or not ours to signal
    finally:
        os.close(fd)
