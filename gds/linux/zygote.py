"""The zygote: a small process forked from the runner, which forks in turn what the runner is too large to fork.

It makes keepers (rung B), and on rung A it starts the commands that posix_spawn cannot (another user, limits), such
that they become children of the *runner*: a go-between forks the command, tells its pid, and ends as soon as the
runner has taken note, whereupon the command climbs to the runner, which is a sub-reaper. So nobody else ever has to
wait for it, and its end can never be heard before its beginning.

Keepers are the zygote's own children for one reason: a parent is told when a child is stopped. A keeper that somebody
sends SIGSTOP is continued at once.

`Zygote` is the runner's side. It makes the process when it is first needed (`start` makes it earlier: then it is
smaller, and so is every keeper), and again when it was killed. Nothing here waits.

Why not one exec'd helper for each command: 8 ms for the smallest interpreter, 2.3 ms for setpriv, which knows no
cgroups; the fork of a small process costs less than one (platform.md 5).
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
from _socket import socket
from gc import disable as stop_collecting

from gds.errors import InternalError
from gds.linux import keeper, launch, parcel, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from gds.linux.loop import Loop, Timer
    from gds.linux.reaper import Reaper
    from gds.ports import Launch

_AT_MOST_UNDER_WAY = 64
"""Requests sent and not answered: bounds the descriptors in flight, which the kernel counts against our limit."""

_PATIENCE = 1.0
"""Seconds without any answer after which a zygote with work to do is taken for stopped, and continued."""


class _Request:
    """One request on its way."""

    __slots__ = ("fds", "ident", "message", "on_answer")

    def __init__(
        self, ident: int, message: tuple[Any, ...], fds: tuple[int, ...], on_answer: Callable[[int, int, str], None]
    ) -> None:
        self.ident = ident
        self.message = message
        self.fds = fds
        self.on_answer = on_answer


class _Process:
    """One zygote process and our end of its socket, which outlives it as long as a go-between of its may answer."""

    __slots__ = ("alive", "pid", "sock", "under_way")

    def __init__(self, pid: int, sock: socket) -> None:
        self.pid = pid
        self.sock = sock
        self.alive = True
        self.under_way: dict[int, _Request] = {}


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
                _live(theirs, ours.fileno())
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

    def keeper(self, theirs: socket, on_answer: Callable[[int, int, str], None]) -> None:
        """Make a keeper that serves this end of a socket pair, which is closed here.

        `on_answer` hears (pid, 0, "") or (0, errno, message); nothing when the zygote is killed meanwhile: then the
        other end of the pair ends, or the keeper says hello.
        """
        self._ask(("keeper",), (theirs.detach(),), on_answer)

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
        self._ask(("launch", launch.plain(order), cgroup_procs), tuple(fds), on_answer)

    def close(self) -> None:
        """The runner ends: so does the zygote, at the end of its socket."""
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

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _ask(self, message: tuple[Any, ...], fds: tuple[int, ...], on_answer: Callable[[int, int, str], None]) -> None:
        self._count += 1
        self._queue.append(_Request(self._count, message, fds, on_answer))
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
            self._answered(process, message)
            parcel.close(fds)  # its go-between was waiting for this
        self._send()

    def _answered(self, process: _Process, message: tuple[int, int, int, str]) -> None:
        ident, pid, number, words = message
        self._wait = _PATIENCE
        if ident == 0:
            self._loop.on_error(InternalError(words))
            return
        request = process.under_way.pop(ident, None)
        if request is not None:
            try:
                request.on_answer(pid, number, words)
            except Exception as error:  # our bug, but the go-between must be let go all the same
                self._loop.on_error(error)

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
        if process is not None and process.alive and process.under_way:
            # our child, and not reaped yet: its pid is nobody else's
            os.kill(process.pid, signal.SIGCONT)
            self._wait = min(2 * self._wait, 30.0)
            self._watch_over()


# -- the process itself -----------------------------------------------------------------------------------------------


def _live(theirs: socket, ours: int) -> NoReturn:
    """The forked process; never returns."""
    try:
        os.close(ours)
        _strip(theirs.fileno())
        prctl.set_name(b"gds-zygote")
        _serve(theirs)
    except BaseException:  # the last frame of this process: whatever it is, the runner is told, and we end
        _report_trouble(theirs)
    finally:
        os._exit(1)


def _strip(keep: int) -> None:
    """Let go of everything of the runner's but this descriptor, and stand apart from its terminal and its signals."""
    stop_collecting()
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in sorted(keeper.IGNORED):
        signal.signal(number, signal.SIG_IGN)
    for other in launch.DEFAULT_SIGNALS - keeper.IGNORED:
        if callable(signal.getsignal(other)):
            signal.signal(other, signal.SIG_DFL)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, keep)
    os.closerange(keep + 1, 1 << 20)
    import resource  # for those we fork: they have no time to load it

    del resource


def _serve(sock: socket) -> NoReturn:
    wake, poll = keeper.wake_on_children(), select.poll()
    poll.register(wake, select.POLLIN)
    poll.register(sock.fileno(), select.POLLIN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    while True:
        ready = dict(poll.poll())
        if wake in ready:
            keeper.drain(wake)
            _look_after_children()
        if sock.fileno() in ready:
            message, fds = parcel.receive(sock)
            if message is None:
                os._exit(0)
            _do(sock, message, fds)


def _look_after_children() -> None:
    """Reap who ended, continue who was stopped."""
    while True:
        try:
            seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG)
        except ChildProcessError:
            return
        if seen is None:
            return
        if seen.si_code == os.CLD_STOPPED:
            os.kill(seen.si_pid, signal.SIGCONT)


def _do(sock: socket, message: tuple[Any, ...], fds: list[int]) -> None:
    ident, what = message[0], message[1]
    signal.pthread_sigmask(signal.SIG_BLOCK, launch.DEFAULT_SIGNALS)
    try:
        pid = os.fork()
    except OSError as error:
        _answer(sock, (ident, 0, error.errno or errno.EAGAIN, f"cannot fork in the zygote: {error.strerror}"))
    else:
        if pid == 0:
            if what == "keeper":
                keeper.live(fds[0])
            _go_between(sock, ident, message[2], message[3], fds)
        if what == "keeper":
            _answer(sock, (ident, pid, 0, ""))
    finally:
        parcel.close(fds)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _answer(sock: socket, message: tuple[int, int, int, str], fds: tuple[int, ...] = ()) -> bool:
    """Tell the runner. False: it is gone."""
    try:
        parcel.send(sock, message, fds)
    except OSError:
        return False
    return True


def _go_between(sock: socket, ident: int, fields: tuple[Any, ...], cgroup_procs: str, fds: list[int]) -> NoReturn:
    """Fork the command, tell, wait until the runner has taken note, end. All signals are blocked."""
    child = 0
    try:
        order = launch.unplain(fields, fds[0], fds[1])
        reader, writer = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if child == 0:
            launch.become(order, writer, sock.fileno(), cgroup_procs)
        os.close(writer)
        number, words = launch.failure(keeper.read_all(reader))
        if number:
            os.waitpid(child, 0)
            _answer(sock, (ident, 0, number, words))
            os._exit(0)
        noted, ours = os.pipe2(os.O_CLOEXEC)
        told = _answer(sock, (ident, child, 0, ""), (ours,))
        os.close(ours)
        if told:
            os.read(noted, 1)
        else:
            os.kill(child, signal.SIGKILL)  # the runner is gone: its successor starts its own
        os._exit(0)
    except OSError as error:
        _answer(sock, (ident, 0, error.errno or errno.EIO, f"cannot start it: {error.strerror}"))
    except BaseException:  # the last frame of this process
        _report_trouble(sock)
    finally:
        os._exit(1)


def _report_trouble(sock: socket) -> None:
    import traceback  # large, and needed once in a process that ends

    words = "".join(traceback.format_exception(*sys.exc_info()))[-2000:]
    _answer(sock, (0, 0, errno.EIO, words))
