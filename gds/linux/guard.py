"""The guard: a small process that kills everything of the cluster on this node at an instant, whatever the runner does.

    main([FILE, ROOT, WATCHDOG, MARGIN, LIFETIME, LINGER])     (guarding.py starts it)

The runner writes the instant (CLOCK_BOOTTIME) into FILE, again and again, as long as the store of the cluster confirms
that this node lives. When it has come, the runner may be stopped, hanging, dead or cut off: then every application and
method under ROOT (the runner's cgroups) is killed and the cluster's addresses are removed, and so is every 20 ms what a
woken runner starts, until the instant is moved on. Nametags of pmfadm are spared, for they belong to no cluster; so is
the runner. It outlives the runner, and ends LINGER seconds after there is neither a runner nor anything to guard.

Alone: its own interpreter without site, its own session and cgroup, everything locked in memory, real-time priority and
safe from the out-of-memory killer where that is permitted. In its loop it opens kernel files only, so that a stuck
disk cannot hold it up. It imports nothing but modules in C and what stands beside it.

FILE: `SIZE` bytes; 8-byte fields in the machine's byte order, by the numbers below; each is written in one store. Who
holds the lock (flock) on it is the guard. From `ARGS_AT` the arguments with which it was started, each with a zero;
from `MARKS_AT` the marks of the addresses (metric, label: model/hostname.py), of which only the first MARKS count;
marks are added, never taken back.

A WATCHDOG's time-out is MARGIN in whole seconds (1 at least). It is fed before the instant and, from then on, once
nothing is left: so when the kill does not succeed within the margin, or the guard itself does not run, the kernel
resets the node before anybody else may take over. A FIFO stands in for a device in tests: it has no time-out to set.
"""

from __future__ import annotations

import _ctypes
import fcntl
import gc
import mmap
import os
import select
import struct
import sys
import time

from gds.linux import prctl
from gds.linux.guardkill import Strike, read, remove_addresses, write
from gds.linux.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

MAGIC, GUARD, GUARD_START, ENDING, BOOT, DEADLINE, RUNNER, RUNNER_START = range(8)
KILLS, KILLED_AT, QUIET_AT, MARKS, TRAITS = range(8, 13)
"""The fields; the first four have the same meaning in every layout. ENDING: the guard with this pid is to end. BOOT: of
the boot's id. DEADLINE: ns; 0 = nothing here needs guarding. KILLS: how often it met somebody to kill, KILLED_AT when
last (ns), QUIET_AT when nothing was left after that (0: somebody is)."""
LAYOUT = int.from_bytes(b"gdsgrd01", sys.byteorder)
SIZE, ARGS_AT, MARKS_AT = 16384, 512, 2048
MARK = struct.Struct("=Ixxxx16s")
MOST_MARKS = (SIZE - MARKS_AT) // MARK.size
LOCKED, REALTIME, UNKILLABLE, WATCHED = 1, 2, 4, 8
"""TRAITS: what this machine permits."""

NS = 1_000_000_000
LOOK_AGAIN = 20_000_000
"""ns between two looks for what should not be there."""
IDLE = NS
"""ns after which a file is read again without having been told to: the runner may be stopped between writing and
telling."""


def boottime() -> int:
    """CLOCK_BOOTTIME in ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def started(pid: int) -> int:
    """When that process was started (ticks since boot): with its pid its identity. 0: it is gone."""
    data = read(f"/proc/{pid}/stat")
    return int(data[data.rfind(b")") + 2 :].split(None, 20)[19]) if data else 0


# -- the process ------------------------------------------------------------------------------------------------------


class Sentry:
    """The loop. `fields` is FILE as 8-byte numbers."""

    def __init__(self, path: str, root: str, watchdog: str, margin: float, lifetime: float, linger: float) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._map = mmap.mmap(self._file, SIZE)
        self._fields = memoryview(self._map).cast("q")
        self._linger = int(linger * NS)
        self._strike = Strike(root)
        self._strike.reserve()
        self._watchdog = Watchdog(watchdog, margin, lifetime) if watchdog else None
        self._runner = 0
        self._pidfd = -1
        self._alone_since = 0
        self._poll = select.poll()
        libc = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None = ourselves
        self._settime = _ctypes.dlsym(libc, "timerfd_settime")
        create = _ctypes.dlsym(libc, "timerfd_create")
        self._timer = _ctypes.call_function(create, (time.CLOCK_BOOTTIME, os.O_CLOEXEC | os.O_NONBLOCK))
        self._called, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for fd in (self._timer, self._called):
            self._poll.register(fd, select.POLLIN)
        traits = harden(_ctypes.dlsym(libc, "mlockall"))
        self._fields[TRAITS] = traits | (WATCHED if self._watchdog is not None else 0)
        self._fields[GUARD_START] = started(os.getpid())
        self._fields[GUARD] = os.getpid()

    def run(self) -> None:
        """Until it is over."""
        while True:
            self._know_the_runner()
            now = boottime()
            deadline = self._fields[DEADLINE]
            due = 0 < deadline <= now
            if self._fields[ENDING] == os.getpid() or self._is_replaced():
                break
            left = self._end_all_at_any_rate() if due else False
            if self._watchdog is not None and not left:
                self._watchdog.feed(now)
            if self._runner or left or (deadline and not due):
                self._alone_since = 0
            elif not self._alone_since:
                self._alone_since = now
            elif now - self._alone_since >= self._linger:
                break
            self._sleep_until(now + LOOK_AGAIN if due else min(deadline or now + IDLE, now + IDLE), now)
        if self._watchdog is not None:
            self._watchdog.close()
        leave(self._strike.root)

    def _end_all_at_any_rate(self) -> bool:
        try:
            return self._end_all()
        except Exception:  # our bug; but nobody else would kill anything, so it is tried again at the next look
            return True
        finally:
            self._strike.reserve()

    def _end_all(self) -> bool:
        """Whether somebody is left."""
        fields = self._fields
        met, left = self._strike.all()
        now = boottime()
        marks = {MARK.unpack_from(self._map, MARKS_AT + n * MARK.size) for n in range(fields[MARKS])}
        try:
            if marks and remove_addresses({(metric, label.rstrip(b"\0")) for metric, label in marks}):
                met = met or 1
        except OSError:
            left = True  # tried again at the next look
        if met:
            fields[QUIET_AT] = 0
            fields[KILLED_AT] = now
            fields[KILLS] += 1
        if not left and not fields[QUIET_AT]:
            fields[QUIET_AT] = boottime()
        return left

    def _know_the_runner(self) -> None:
        """Who is it, and does it live?"""
        pid = self._fields[RUNNER]
        if pid != self._runner:
            self._forget_the_runner()
            is_it = False
            try:
                self._pidfd = os.pidfd_open(pid) if pid > 0 else -1
                is_it = self._pidfd >= 0 and started(pid) == self._fields[RUNNER_START]
            except OSError:
                pass  # gone; or nothing can be opened now, and it is looked for again
            if is_it:
                self._runner = pid
                self._poll.register(self._pidfd, select.POLLIN)
            elif self._pidfd >= 0:
                os.close(self._pidfd)  # another process has its number by now
                self._pidfd = -1
        # and we ourselves: the runner may be stopped while we are where we were born
        self._strike.spared = frozenset((self._runner, os.getpid()))

    def _forget_the_runner(self) -> None:
        if self._pidfd >= 0:
            if self._runner:
                self._poll.unregister(self._pidfd)
            os.close(self._pidfd)
        self._pidfd = -1
        self._runner = 0

    def _sleep_until(self, when: int, now: int) -> None:
        if self._watchdog is not None:
            when = min(when, now + self._watchdog.every)
        spec = struct.pack("qqqq", 0, 0, when // NS, when % NS or 1)
        _ctypes.call_function(self._settime, (self._timer, 1, spec, 0))  # TFD_TIMER_ABSTIME
        for fd, _events in self._poll.poll():
            if fd == self._pidfd:
                self._forget_the_runner()
            else:
                os.read(fd, 64)

    def _is_replaced(self) -> bool:
        """There is another file of that name: what is guarded, another guard guards."""
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except OSError:
            return False  # removed: nobody else does


def harden(mlockall: int) -> int:
    """Whatever this machine permits; which is told."""
    traits = 0
    gc.disable()
    gc.freeze()
    if _ctypes.call_function(mlockall, (3,)) == 0:  # MCL_CURRENT | MCL_FUTURE
        traits |= LOCKED
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
        traits |= REALTIME
    except OSError:
        pass  # not permitted: the margin has room for it
    try:
        write("/proc/self/oom_score_adj", b"-1000")
        traits |= UNKILLABLE
    except OSError:
        pass  # not permitted: when it is killed, the runner hears of it
    return traits


def leave(root: str) -> None:
    """Take our own cgroup away, and what holds it if that is empty."""
    for place in (os.path.dirname(root), root):
        try:
            write(place + "/cgroup.procs", b"0")
            os.rmdir(root + "/guard")
            if os.path.basename(root).startswith("gds-"):
                os.rmdir(root)
        except OSError:
            continue  # not permitted, or somebody is there: the next runner tidies up
        return


def main(argv: list[str]) -> int:
    """Says on stdout "ok" or why not, once; from then on nothing."""
    path, root, watchdog, margin, lifetime, linger = argv
    os.closerange(3, 1 << 20)
    for number in range(1, signal.NSIG):
        if number not in (9, 11, 17, 19, 7, 8, 4, 32, 33):  # KILL, SEGV, CHLD, STOP, BUS, FPE, ILL; the C library's
            signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # from here on it does no harm
    prctl.set_name(b"gds-guard")
    os.umask(0o077)
    os.chdir("/")
    try:
        sentry = Sentry(path, root, watchdog, float(margin), float(lifetime), float(linger))
    except OSError as error:
        what = f"watchdog {watchdog}" if watchdog and error.errno != 11 else path
        os.write(1, f"{what}: {error.strerror}\n".encode())
        return 1
    os.write(1, b"ok\n")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sentry.run()
    return 0
