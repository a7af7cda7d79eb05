"""From the runner to the runner after it, in one process: the parcel, and execve.

The parcel is a memfd whose number stands in `GDS_HANDOVER`: a line that says who wrote it (format, version, pid, start
time), then plain values (marshal). It is believed by the very process that wrote it alone, so the variable may leak
where it likes. `send` lets exactly the given descriptors through the execve; all others close.

Every signal is blocked from before the execve until the new runner has its handlers (`unblock`): a death, a SIGTERM or
a HUP in between waits for them. What had arrived and was not looked at yet is sent again, so that it waits too.

The environment is the one that this process was given at first (/proc/self/environ), because a runner takes out of its
own what applications must not see (NOTIFY_SOCKET, the watchdog, GDS_TRACKING). So are the arguments.

This stands in memory from the start, though an upgrade is rare: by then the files on disk may be the new ones, and what
the old runner writes must be written by the old runner's code.
"""

from __future__ import annotations

import marshal
import os
import sys

from gds.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, MutableMapping
    from typing import Any, NoReturn

    from gds.linux.loop import Loop
    from gds.linux.reaper import Reaper
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

VARIABLE = "GDS_HANDOVER"
_NAME = "gds-handover"
_MARSHAL = 4
"""Every Python since 3.4 reads it."""
TRIAL_LIMIT = 30.0
"""Seconds the new code may take to say whether it can take over."""
_ALL = frozenset(range(1, signal.NSIG)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}


def pack(format_: int, version: str, facts: dict[str, Any]) -> int:
    """A memfd with the parcel, at its beginning. Raises OSError."""
    fd = os.memfd_create(_NAME, os.MFD_CLOEXEC)
    try:
        me = os.getpid()
        started = (procfs.stat(me) or ("", 0, 0))[2]
        data = f"{format_} {version} {me} {started}\n".encode() + marshal.dumps(facts, _MARSHAL)
        while data:
            data = data[os.write(fd, data) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:  # whatever it was, the descriptor is not left open; it goes on up
        os.close(fd)
        raise
    return fd


class Parcel:
    """What one runner hands over. `facts` is empty when the format is another than the reader asked for."""

    __slots__ = ("facts", "format", "pid", "started", "version")

    def __init__(self, format_: int, version: str, pid: int, started: int, facts: dict[str, Any]) -> None:
        self.format = format_
        self.version = version
        self.pid = pid
        self.started = started
        self.facts = facts


def read(fd: int, format_: int) -> Parcel:
    """The parcel in a descriptor. Raises ValueError when it is none."""
    data = b""
    while chunk := os.read(fd, 1 << 20):
        data += chunk
    head, newline, body = data.partition(b"\n")
    words = head.decode("ascii", "replace").split(" ")
    if not newline or len(words) != 4:
        raise ValueError("it has no beginning")
    try:
        theirs, pid, started = int(words[0]), int(words[2]), int(words[3])
        facts = marshal.loads(body) if theirs == format_ else {}
    except (EOFError, TypeError) as error:
        raise ValueError(str(error)) from None
    return Parcel(theirs, words[1], pid, started, facts)


def take(environ: MutableMapping[str, str], format_: int) -> Parcel | None:
    """What the runner that was in this process before us left; None: it left nothing for us. The variable goes."""
    given = environ.pop(VARIABLE, "")
    if not given.isdigit():
        return None
    fd = int(given)
    try:
        if not os.readlink(f"/proc/self/fd/{fd}").startswith(f"/memfd:{_NAME}"):
            return None
        parcel = read(fd, format_)
    except (OSError, ValueError):
        return None
    os.close(fd)
    me = os.getpid()
    mine = parcel.pid == me and parcel.started == (procfs.stat(me) or ("", 0, 0))[2]
    return parcel if mine and parcel.format == format_ else None


def given_environment() -> dict[str, str]:
    """What this process was given at its start."""
    data = procfs.read("/proc/self/environ", 4 << 20) or b""
    found = {}
    for each in data.split(b"\0"):
        name, equals, value = each.partition(b"=")
        if equals and name and name != VARIABLE.encode():
            found[os.fsdecode(name)] = os.fsdecode(value)
    return found


def command(words: Iterable[str]) -> list[str]:
    """The command line that runs other WORDS of `gds` as we were run: the same interpreter, the same code."""
    ours = len(sys.argv) - 1
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - ours], *words]


def send(parcel: int, keep: Iterable[int], unheard: Callable[[], set[int]]) -> NoReturn:
    """Become the new code, with these descriptors. `unheard` takes the signals that nobody has looked at yet.

    Raises OSError when the kernel refuses; then everything is as it was before.
    """
    kept = [parcel, *keep]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
    try:
        for number in unheard() - {signal.SIGCHLD}:
            os.kill(os.getpid(), number)
        for fd in kept:
            os.set_inheritable(fd, True)
        env = {**given_environment(), VARIABLE: str(parcel)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)
    finally:
        for fd in kept:
            os.set_inheritable(fd, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Ferry:
    """All of it, for the driver of an upgrade (daemon/upgrading.py), which knows neither loop nor reaper."""

    def __init__(self, loop: Loop, reaper: Reaper) -> None:
        self._loop = loop
        self._reaper = reaper
        self.pack = pack
        self.close = os.close

    def is_quiet(self) -> bool:
        """Asked from a timer: nothing of this turn is left to be done, so nothing of it would be lost."""
        return not self._loop.is_busy

    def send(self, parcel: int, keep: Iterable[int]) -> None:
        """See `send` of the module."""
        send(parcel, keep, self._loop.unheard)

    def try_out(self, parcel: int, done: Callable[[dict[str, Any]], None]) -> None:
        """Start the new code in a process of its own and ask what it thinks of the parcel: its answer, or what it
        said last (`why`). Raises OSError when it cannot be started."""
        Trial(self._loop, self._reaper, parcel, done)


class Trial:
    """One process that tries the new code."""

    def __init__(self, loop: Loop, reaper: Reaper, parcel: int, done: Callable[[dict[str, Any]], None]) -> None:
        self._loop = loop
        self._done = done
        self._data = b""
        self._ended = False
        self._reader, writer = os.pipe2(os.O_CLOEXEC)
        argv = command(("upgrade", "--trial"))
        try:
            self._pid = os.posix_spawn(
                argv[0],
                argv,
                given_environment(),
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate((parcel, writer, writer))],
                setsigmask=(),
                setsigdef=_ALL,
            )
        except OSError:
            os.close(self._reader)
            raise
        finally:
            os.close(writer)
        reaper.expect(self._pid, self._is_over)
        os.set_blocking(self._reader, False)
        loop.watch(self._reader, self._readable)
        self._timer = loop.after(TRIAL_LIMIT, self._overrun)

    def _is_over(self, _status: int) -> None:
        self._ended = True

    def _overrun(self) -> None:
        self._data += f"\nit gave no answer within {TRIAL_LIMIT:g} s".encode()
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
        self._finish()

    def _readable(self, _events: int) -> None:
        try:
            chunk = os.read(self._reader, 1 << 16)
        except BlockingIOError:
            return
        if chunk:
            self._data = (self._data + chunk)[-(1 << 16) :]
        else:
            self._timer.cancel()
            self._finish()

    def _finish(self) -> None:
        self._loop.unwatch(self._reader)
        os.close(self._reader)
        import json

        last = self._data.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
        try:
            answer = json.loads(last)
        except ValueError:
            answer = None
        self._done(answer if isinstance(answer, dict) else {"why": last or "it ended without a word"})


def unblock() -> None:
    """The new runner hears: what waited comes now."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
