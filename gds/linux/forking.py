"""The zygote itself: the forked process that makes keepers and starts commands; its other side is zygote.Zygote.

As the parent of keepers it is a sub-reaper, and their second line. When a keeper is killed, its tree climbs to the
zygote, which kills it to the last process, removes the keeper's record and says so. It does that also when the runner
is dead: it ends only when its last keeper has. So it takes the death of a keeper, of its runner *and* of the zygote
between them to lose a process.

A keeper that is stopped is continued at once: a parent is told. Commands for the runner (rung A) are forked through a
go-between, see zygote.
"""

from __future__ import annotations

import errno
import os
import resource
import select
from _socket import socket
from gc import disable as stop_collecting

from gds.linux import keeper, launch, lineage, offspring, parcel, prctl, striking
from gds.linux.keeperrecord import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_LOADED_FOR_CHILDREN = resource
"""Loaded once, here: a child that has changed its user may not be able to read it any more."""

_AT_ONCE = 256
"""Children looked at before the runner is listened to again, also while somebody forks and exits without end."""


def live(theirs: socket, ours: int) -> NoReturn:
    """The life of a zygote, in a process just forked, with all signals blocked. `ours` is the runner's end."""
    try:
        os.close(ours)
        _strip(theirs.fileno())
        prctl.set_name(b"gds-zygote")
        wake = offspring.wake_on_children()
        keeper.rehearse(wake)
        Forker(theirs, wake).run()
    except BaseException:  # the last frame of this process: whatever it is, the runner is told, and we end
        _report_trouble(theirs)
    finally:
        os._exit(1)


def _strip(keep: int) -> None:
    """Let go of everything of the runner's but this descriptor; stand apart from its terminal and its signals."""
    stop_collecting()
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in offspring.IGNORED:
        signal.signal(number, signal.SIG_IGN)
    for other in launch.DEFAULT_SIGNALS - offspring.IGNORED:
        if callable(signal.getsignal(other)):
            signal.signal(other, signal.SIG_DFL)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, keep)
    os.closerange(keep + 1, 1 << 20)


class Forker:
    """See the module."""

    def __init__(self, runner: socket, wake: int) -> None:
        self._runner: socket | None = runner
        self._wake = wake
        self._keepers: dict[int, tuple[int, str]] = {}
        """pid -> (the request it was made for, the folder of its record)."""
        self._dead: dict[int, tuple[int, str]] = {}
        """Keepers that were killed, until nothing of their trees is left."""
        self._rounds = striking.Rounds()
        self._more = False
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._poll.register(runner.fileno(), select.POLLIN)

    def run(self) -> NoReturn:
        """Serve until the runner and the last keeper are gone."""
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        while self._runner is not None or self._keepers or self._dead:
            ready = dict(self._poll.poll(self._wait()))
            if self._wake in ready:
                offspring.drain(self._wake)
            self._look_after_children()
            if self._runner is not None and self._runner.fileno() in ready:
                self._hear()
            if self._dead:
                self._hunt()
        os._exit(0)

    def _wait(self) -> float | None:
        if self._more:
            return 0
        return self._rounds.pause * 1000.0 if self._dead else None

    def _look_after_children(self) -> None:
        """Reap who ended, continue who was stopped."""
        self._more = False
        for _each in range(_AT_ONCE):
            try:
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG)
            except ChildProcessError:
                return
            if seen is None:
                return
            if seen.si_code == os.CLD_STOPPED:
                os.kill(seen.si_pid, signal.SIGCONT)
                continue
            self._rounds.progress()
            whose = self._keepers.pop(seen.si_pid, None)
            if whose is not None:
                if seen.si_code == os.CLD_EXITED and seen.si_status == 0:
                    self._tell(("cleaned", whose[0]))
                else:
                    self._dead[seen.si_pid] = whose
        self._more = True

    def _hunt(self) -> None:
        """What a killed keeper left is ours now, and we have no other children but keepers."""
        orphans = [pid for pid in lineage.children_of()(os.getpid()) if pid not in self._keepers]
        if orphans:
            self._rounds.strike(orphans)
            return
        for pid, (ident, folder) in self._dead.items():
            if folder:
                remove(f"{folder}/{pid}.sock")
                remove(f"{folder}/{pid}.tree")
            self._tell(("cleaned", ident))
        self._dead.clear()
        self._rounds.finish()
        self._rounds = striking.Rounds()

    def _hear(self) -> None:
        assert self._runner is not None
        message, fds = parcel.receive(self._runner)
        if message is None:
            self._poll.unregister(self._runner.fileno())
            self._runner.close()
            self._runner = None
            return
        ident, what = message[0], message[1]
        if what == "keeper":
            prctl.become_subreaper()
        signal.pthread_sigmask(signal.SIG_BLOCK, launch.DEFAULT_SIGNALS)
        try:
            pid = os.fork()
        except OSError as error:
            number, words = error.errno or errno.EAGAIN, error.strerror
            self._tell(("answer", ident, 0, number, f"cannot fork in the zygote: {words}"))
        else:
            if pid == 0:
                if what == "keeper":
                    keeper.live(fds[0])
                _go_between(self._runner, ident, message[2], message[3], fds)
            if what == "keeper":
                self._keepers[pid] = ident, message[2]
                self._tell(("answer", ident, pid, 0, ""))
        finally:
            parcel.close(fds)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _tell(self, message: tuple[Any, ...]) -> None:
        if self._runner is not None:
            _answer(self._runner, message)


def _go_between(sock: socket, ident: int, fields: tuple[Any, ...], cgroup_procs: str, fds: list[int]) -> NoReturn:
    """Fork the command, tell, wait until the runner has taken note, end. All signals are blocked."""
    try:
        order = launch.unplain(fields, fds[0], fds[1])
        reader, writer = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if child == 0:
            launch.become(order, writer, sock.fileno(), cgroup_procs)
        os.close(writer)
        number, words = launch.failure(offspring.read_all(reader))
        if number:
            os.waitpid(child, 0)
            _answer(sock, ("answer", ident, 0, number, words))
            os._exit(0)
        noted, ours = os.pipe2(os.O_CLOEXEC)
        told = _answer(sock, ("answer", ident, child, 0, ""), (ours,))
        os.close(ours)
        if told:
            os.read(noted, 1)
        else:
            os.kill(child, signal.SIGKILL)  # the runner is gone: its successor starts its own
        os._exit(0)
    except OSError as error:
        _answer(sock, ("answer", ident, 0, error.errno or errno.EIO, f"cannot start it: {error.strerror}"))
    except BaseException:  # the last frame of this process
        _report_trouble(sock)
    finally:
        os._exit(1)


def _answer(sock: socket, message: tuple[Any, ...], fds: tuple[int, ...] = ()) -> bool:
    """Tell the runner. False: it is gone."""
    try:
        parcel.send(sock, message, fds)
    except OSError:
        return False
    return True


def _report_trouble(sock: socket) -> None:
    _answer(sock, ("trouble", offspring.trouble()))
