"""Who descends from whom, and signals that reach nobody else.

The descendants of a sub-reaper are exact while it lives: what loses its parents climbs to it. A walk over
/proc/PID/task/TID/children is a look at a moving thing; whoever must reach all of them walks again (striking).

A signal to a process that is not our own child goes through a pidfd that is opened first, and whose ancestry is read
again after that: so it never hits a stranger to whom the pid was given meanwhile.
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
    alive = rest[0] not in (b"Z", b"X") or int(rest[17]) > 1
    return Facts(alive, int(rest[1]), int(rest[2]), int(rest[19]))


def start_of(pid: int) -> int:
    """When it was started, in ticks since boot: with its pid, its identity. 0 when it is gone."""
    facts = procfs.stat(pid)
    return facts[2] if facts is not None else 0


def is_alive(pid: int, start: int) -> bool:
    """That very process is there, and not as a zombie."""
    facts = look(pid) if pid > 0 else None
    return facts is not None and facts.alive and facts.start == start


def is_stopped(pid: int, start: int) -> bool:
    """That very process was stopped by a signal."""
    facts = procfs.stat(pid)
    return facts is not None and facts[2] == start and facts[0] == "T"


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


def survey(roots: Iterable[int]) -> dict[int, Facts]:
    """Every live process below the roots (not the roots themselves), parents first."""
    listed = children_of()
    found: dict[int, Facts] = {}
    waiting = list(roots)
    seen = set(waiting)
    for pid in waiting:  # grows while we go
        for child in listed(pid):
            if child in seen:
                continue
            facts = look(child)
            if facts is None or facts.parent not in seen:
                continue  # gone, or it has climbed in between: to the sub-reaper, where the next walk finds it
            seen.add(child)
            waiting.append(child)
            if facts.alive:
                found[child] = facts
    return found


def below(roots: Iterable[int]) -> dict[int, int]:
    """pid -> parent of every live process below the roots."""
    return {pid: facts.parent for pid, facts in survey(roots).items()}


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
