"""Processes as the bench sees them: started by us, listed from /proc, measured from outside, ended by pid.

The bench is a sub-reaper, so whatever a supervisor loses becomes our child, and nothing that we started, directly or
not, can escape the listing or the clean-up.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import time
from pathlib import Path
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_TICK = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """What a set of processes has used since their start: CPU seconds, and how often a thread went to sleep."""

    cpu: float
    wakeups: int


class Memory(NamedTuple):
    """KB of memory of a set of processes, and how many they are."""

    pss: int
    anonymous: int
    page_tables: int
    processes: int


def become_subreaper() -> None:
    """Orphans among our descendants become our children; OSError when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a sub-reaper")


class Children:
    """Starts processes and waits for them. The only place of the bench that waits while something is measured."""

    def __init__(self) -> None:
        self._status: dict[int, int | None] = {}

    def spawn(self, argv: list[str], env: dict[str, str], output: Path) -> tuple[int, int]:
        """Start it in a session of its own, stdout and stderr into a file; (pid, CLOCK_MONOTONIC ns just before)."""
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        defaults = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT]
        at = time.monotonic_ns()
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=defaults, setsigmask=[])
        self._status[pid] = None
        return pid, at

    def reap(self) -> None:
        """Collect whoever has ended: our own, and orphans that came to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._status:
                self._status[pid] = os.waitstatus_to_exitcode(status)

    def status(self, pid: int) -> int | None:
        """Exit status of a child of ours (minus the signal that killed it); None while it runs."""
        self.reap()
        return self._status[pid]

    def wait(self, pid: int, timeout: float) -> int | None:
        """The exit status, waiting at most so many seconds for it; None when it runs still."""
        if self._status[pid] is None:
            fd = os.pidfd_open(pid)
            try:
                poll = select.poll()
                poll.register(fd, select.POLLIN)
                poll.poll(timeout * 1000)
            finally:
                os.close(fd)
        return self.status(pid)

    def run(self, argv: list[str], env: dict[str, str], output: Path, timeout: float = 60.0) -> tuple[int, float]:
        """Run a command to its end: exit status and seconds. A command that overruns is killed: status -9."""
        pid, at = self.spawn(argv, env, output)
        status = self.wait(pid, timeout)
        seconds = (time.monotonic_ns() - at) / 1e9
        if status is None:
            kill(pid, signal.SIGKILL)
            status = self.wait(pid, 5.0)
        return -9 if status is None else status, seconds


def kill(pid: int, number: int) -> bool:
    """Signal a process of ours; False when it is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def open_pidfds(pids: list[int]) -> dict[int, int]:
    """pidfd → pid of those that are there still."""
    found = {}
    for pid in pids:
        try:
            found[os.pidfd_open(pid)] = pid
        except ProcessLookupError:
            pass  # gone already
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(1 << 16)
    except OSError:
        return b""  # it ended meanwhile


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on; empty when it is gone."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rfind(b")") + 2 :].split()


def descendants(root: int) -> list[int]:
    """All living (not zombie) processes below `root`."""
    children: dict[int, list[int]] = {}
    zombies = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            children.setdefault(int(fields[1]), []).append(int(name))
            if fields[0] == b"Z":
                zombies.add(int(name))
    found = []
    ahead = list(children.get(root, ()))
    while ahead:
        pid = ahead.pop()
        ahead.extend(children.get(pid, ()))
        if pid not in zombies:
            found.append(pid)
    return found


def executable(pid: int) -> str:
    """The file it executes; empty when it is gone."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def command_line(pid: int) -> str:
    """Its arguments, for people."""
    return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def is_stopped(pid: int) -> bool:
    """Has it been stopped by a signal?"""
    fields = _stat(pid)
    return bool(fields) and fields[0] == b"T"


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def cost(pids: list[int]) -> Cost:
    """CPU of these processes and of all their children that were reaped (by them or by us), and their sleeps so far.

    A living thread's CPU comes from schedstat (nanoseconds), because ticks of 10 ms would hide a thousand small ones.
    """
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = ours.ru_utime + ours.ru_stime
    wakeups = 0
    for pid in pids:
        fields = _stat(pid)
        if not fields:
            continue
        cpu += (int(fields[13]) + int(fields[14])) / _TICK
        exact = 0
        for thread in _threads(pid):
            base = f"/proc/{pid}/task/{thread}/"
            exact += int((_read(base + "schedstat").split() or [b"0"])[0])
            status = _read(base + "status")
            at = status.rfind(b"\nvoluntary_ctxt_switches:")
            if at >= 0:
                wakeups += int(status[at:].split(b"\n")[1].split()[1])
        cpu += exact / 1e9 if exact else (int(fields[11]) + int(fields[12])) / _TICK
    return Cost(cpu, wakeups)


def memory(pids: list[int]) -> Memory:
    """What these processes hold: PSS shares the cost of shared pages out."""
    pss = anonymous = tables = count = 0
    for pid in pids:
        words = _read(f"/proc/{pid}/smaps_rollup").split()
        if b"Pss:" not in words:
            continue
        count += 1
        pss += int(words[words.index(b"Pss:") + 1])
        if b"Pss_Anon:" in words:
            anonymous += int(words[words.index(b"Pss_Anon:") + 1])
        status = _read(f"/proc/{pid}/status").split()
        if b"VmPTE:" in status:
            tables += int(status[status.index(b"VmPTE:") + 1])
    return Memory(pss, anonymous, tables, count)
