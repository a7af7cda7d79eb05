"""The zygote, as the runner sees it: a small process that forks what the runner is too large to fork.

It makes keepers (rung B), and on rung A it starts the commands that posix_spawn cannot (another user, limits), such
that they become children of the *runner*: a go-between forks the command, tells its pid, and ends as soon as the
runner has taken note, whereupon the command climbs to the runner, which is a sub-reaper. So nobody else ever has to
wait for it, and its end can never be heard before its beginning. One zygote does one of the two, never both: as the
parent of keepers it is a sub-reaper itself (forking.Forker).

It is made when it is first needed (`start` makes it earlier: then it is smaller, and so is every keeper), and again
when it was killed. It shares with the runner what the runner had in memory at that moment. Nothing here waits.

Why not one exec'd helper for each command: 8 ms for the smallest interpreter, 2.3 ms for setpriv, which knows no
cgroups; the fork of a small process costs less than one (platform.md 5).
"""

from __future__ import annotations

import errno
import os
import select
from _socket import socket

from gds.errors import InternalError
from gds.linux import forking, launch, parcel, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any

    from gds.linux.loop import Loop, Timer
    from gds.linux.reaper import Reaper
    from gds.model.launch import Launch
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_AT_MOST_UNDER_WAY = 64
"""Requests sent and not answered: bounds the descriptors in flight, which the kernel counts against our limit."""

_PATIENCE = 1.0
"""Seconds without any answer after which a zygote with work to do is taken for stopped, and continued."""


class _Request:
    """One request on its way."""

    __slots__ = ("fds", "ident", "message", "on_answer", "on_cleaned")

    def __init__(
        self, message: tuple[Any, ...], fds: tuple[int, ...], on_answer: Callable[[int, int, str], None]
    ) -> None:
        self.ident = 0
        self.message = message
        self.fds = fds
        self.on_answer = on_answer
        self.on_cleaned: Callable[[bool], None] | None = None


class _Process:
    """One zygote process and our end of its socket, which outlives it as long as a go-between of its may answer."""

    __slots__ = ("alive", "keepers", "pid", "sock", "under_way")

    def __init__(self, pid: int, sock: socket) -> None:
        self.pid = pid
        self.sock = sock
        self.alive = True
        self.under_way: dict[int, _Request] = {}
        self.keepers: dict[int, Callable[[bool], None]] = {}
        """request -> whom to tell when nothing of that keeper's tree is left here."""


class Zygote:
    """See the module. Makes this process a sub-reaper."""

    def __init__(self, loop: Loop, reaper: Reaper) -> None:
        self._loop = loop
        self._reaper = reaper
        self._process: _Process | None = None
        self._old: list[_Process] = []
        self._queue: list[_Request] = []
        self._count = 0
        self._patience: Timer | None = None
        self._wait = _PATIENCE
        self._blocked = False
        self._closed = False
        prctl.become_subreaper()

    @property
    def pid(self) -> int:
        """The process; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Make the process now, while the runner is small. Raises OSError when it cannot be forked."""
        if self._process is not None or self._closed:
            return
        ours, theirs = parcel.pair()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, launch.DEFAULT_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                forking.live(theirs, ours.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ours.setblocking(False)
        process = _Process(pid, ours)
        self._process = process
        self._reaper.expect(pid, lambda _status: self._died(process))
        self._watch(process, select.EPOLLIN)

    def keeper(
        self,
        theirs: socket,
        folder: str,
        on_answer: Callable[[int, int, str], None],
        on_cleaned: Callable[[bool], None],
    ) -> None:
        """Make a keeper that serves this end of a socket pair, which is closed here; its record is in `folder`.

        `on_answer` hears (pid, 0, "") or (0, errno, message); nothing when the zygote is killed meanwhile: then the
        other end of the pair ends, or the keeper says hello. `on_cleaned` is called once: with False when the keeper
        has ended and nothing of its tree is left; with True when the zygote was killed, so that the keeper, or what is
        left of its tree, is a child of this process from now on.
        """
        request = _Request(("keeper", folder), (theirs.detach(),), on_answer)
        request.on_cleaned = on_cleaned
        self._ask(request)

    def launch(self, order: Launch, cgroup_procs: str, on_answer: Callable[[int, int, str], None]) -> None:
        """Start a command in the cgroup whose file `cgroup_procs` is, as a child of this process.

        `on_answer` hears (pid, 0, "") while the command cannot be reaped yet, or (0, errno, message) when it was not
        started. ECANCELED: the zygote was killed, nobody knows whether the command was started: kill what is in the
        cgroup.
        """
        fds: list[int] = []
        try:
            fds.append(os.dup(order.stdout))
            fds.append(os.dup(order.stderr))
        except OSError as error:
            parcel.close(fds)
            number, words = error.errno or errno.EMFILE, f"cannot hand over its output: {error.strerror}"
            self._loop.soon(lambda: on_answer(0, number, words))
            return
        self._ask(_Request(("launch", launch.plain(order), cgroup_procs), tuple(fds), on_answer))

    def close(self) -> None:
        """The runner ends: so does the zygote, at the end of its socket."""
        self.wake()
        self._closed = True
        for request in self._queue:
            parcel.close(list(request.fds))
        self._queue.clear()
        for process in [*self._old, *([self._process] if self._process is not None else [])]:
            self._loop.unwatch(process.sock.fileno())
            process.sock.close()
        self._old.clear()
        self._process = None
        if self._patience is not None:
            self._patience.cancel()

    def wake(self) -> None:
        """Continue the process, should somebody have stopped it."""
        if self._process is not None and self._process.alive:
            # our child, and not reaped yet: its pid is nobody else's
            os.kill(self._process.pid, signal.SIGCONT)

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _ask(self, request: _Request) -> None:
        self._count += 1
        request.ident = self._count
        self._queue.append(request)
        self._send()

    def _send(self) -> None:
        while self._queue and not self._closed:
            try:
                self.start()
            except OSError as error:
                self._refuse(error.errno or errno.EAGAIN, f"cannot make the zygote: {error.strerror}")
                return
            process = self._process
            if process is None or len(process.under_way) >= _AT_MOST_UNDER_WAY or self._blocked:
                return
            request = self._queue[0]
            try:
                parcel.send(process.sock, (request.ident, *request.message), request.fds)
            except BlockingIOError:
                self._blocked = True
                self._watch(process, select.EPOLLIN | select.EPOLLOUT)
                return
            except OSError as error:
                if error.errno in (errno.EPIPE, errno.ECONNRESET):
                    self._give_up(process)
                    continue
                self._refuse(error.errno or errno.EIO, f"cannot ask the zygote: {error.strerror}")
                return
            del self._queue[0]
            parcel.close(list(request.fds))
            request.fds = ()
            process.under_way[request.ident] = request
            if request.on_cleaned is not None:
                process.keepers[request.ident] = request.on_cleaned
            self._watch_over()

    def _watch(self, process: _Process, events: int) -> None:
        self._loop.watch(process.sock.fileno(), lambda events: self._ready(process, events), events)

    def _refuse(self, number: int, message: str) -> None:
        batch, self._queue = self._queue, []
        for request in batch:
            parcel.close(list(request.fds))
            self._loop.soon(lambda answer=request.on_answer: answer(0, number, message))  # type: ignore[misc]

    def _ready(self, process: _Process, events: int) -> None:
        if events & select.EPOLLOUT:
            self._blocked = False
            self._watch(process, select.EPOLLIN)
        while process.sock.fileno() >= 0:
            try:
                message, fds = parcel.receive(process.sock)
            except BlockingIOError:
                break
            if message is None:
                self._ended(process)
                break
            try:
                self._answered(process, message)
            except Exception as error:  # our bug, but the go-between must be let go all the same
                self._loop.on_error(error)
            parcel.close(fds)  # its go-between waits for this
        self._send()

    def _answered(self, process: _Process, message: tuple[Any, ...]) -> None:
        self._wait = _PATIENCE
        if message[0] == "trouble":
            self._loop.on_error(InternalError(f"the zygote failed: {message[1]}"))
        elif message[0] == "cleaned":
            cleaned = process.keepers.pop(message[1], None)
            if cleaned is not None:
                cleaned(False)
        else:
            _answer, ident, pid, number, words = message
            request = process.under_way.pop(ident, None)
            if not process.under_way and self._patience is not None:
                self._patience.cancel()
                self._patience = None
            if request is not None:
                if not pid:
                    process.keepers.pop(ident, None)
                request.on_answer(pid, number, words)

    def _give_up(self, process: _Process) -> None:
        """It does no more work; what go-betweens of it still say is heard."""
        process.alive = False
        self._blocked = False
        if self._process is process:
            self._process = None
            self._old.append(process)

    def _died(self, process: _Process) -> None:
        if self._closed:
            return
        self._give_up(process)
        keepers, process.keepers = process.keepers, {}
        for cleaned in keepers.values():
            cleaned(True)
        self._send()

    def _ended(self, process: _Process) -> None:
        """Nobody is left who could answer."""
        self._give_up(process)
        self._loop.unwatch(process.sock.fileno())
        process.sock.close()
        self._old.remove(process)
        for request in process.under_way.values():
            if request.message[0] == "launch":
                request.on_answer(0, errno.ECANCELED, "cannot tell whether it was started: the zygote was killed")
        process.under_way.clear()

    def _watch_over(self) -> None:
        if self._patience is None:
            self._patience = self._loop.after(self._wait, self._impatient)

    def _impatient(self) -> None:
        self._patience = None
        process = self._process
        if process is not None and process.under_way:
            self.wake()
            self._wait = min(2 * self._wait, 30.0)
            self._watch_over()
