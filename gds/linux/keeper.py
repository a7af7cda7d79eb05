"""A keeper: the tiny process that is one tree's own sub-reaper (rung B of the tracking ladder).

It obeys its runner over one SEQPACKET socket: start a command, kill the tree, end. It tells: hello, started or failed,
the first process ended, the tree is empty; each with wait statuses, which only a parent learns. One tree at a time;
when it is empty the keeper is free for the next one.

When the socket ends, the runner is dead. The tree of a method or probe is then killed, and the keeper ends. A lasting
tree (an application) goes on: the keeper listens on a named socket that it made before the application was started,
and hands everything over to the next runner that connects. If the tree empties with no runner there, the last status
stays behind in the keeper's record.

The record, a small file `PID.tree` beside the socket `PID.sock`, is written before the start, and the runner is looked
for once more after that: so a runner that comes later finds every tree that was ever started, and a keeper that slept
over the death of its runner (SIGSTOP) starts nothing.

Killing is by rounds (striking) until waitpid says that there is nobody: at once as long as a round meets somebody new,
else when a child ends or after a pause that doubles, so that one that cannot die costs nothing.
"""

from __future__ import annotations

import errno
import os
import select
from _socket import AF_UNIX, SOCK_SEQPACKET, socket

from gds.linux import keeperdoor, launch, lineage, parcel, prctl, striking
from gds.linux.keeperrecord import PROTOCOL, Record, remove
from gds.linux.offspring import drain, read_all, trouble, wake_on_children
from gds.model.launch import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_REHEARSALS = 9
"""The interpreter specialises code that has run a few times, in place."""

_REAPED_AT_ONCE = 256
"""Then the runner is listened to again, also while the tree forks and exits without end."""


class Keeper:
    """The process; see the module. Every method runs in it alone."""

    def __init__(self, runner: socket, wake: int) -> None:
        self._runner: socket | None = runner
        self._wake = wake
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._poll.register(runner.fileno(), select.POLLIN)
        self._pid = os.getpid()
        self._start = lineage.start_of(self._pid)
        self._guard = os.getppid()
        self._guard_start = lineage.start_of(self._guard)
        self._listener: socket | None = None
        self._place = ""
        self._killing: striking.Rounds | None = None
        self._next()

    def _next(self) -> None:
        """No tree."""
        self._busy = False
        self._lasting = False
        self._name = ""
        self._incarnation = 0
        self._main = 0
        self._main_status: int | None = None
        self._status: int | None = None
        self._failure: tuple[int, str] | None = None
        self._report = -1
        if self._killing is not None:
            self._killing.finish()
        self._killing = None
        self._more = False

    def run(self) -> NoReturn:
        """Obey and tell until there is nothing left to do."""
        self.tell_hello()
        while True:
            self.turn()

    def turn(self) -> None:
        """Wait for something, and answer it."""
        ready = dict(self._poll.poll(self._wait()))
        if self._wake in ready:
            drain(self._wake)
        if self._runner is not None and self._runner.fileno() in ready:
            self._hear()
        if self._listener is not None and self._listener.fileno() in ready:
            self._accept()
        if self._report in ready:
            self._launched()
        if self._busy:
            self._look()

    def _wait(self) -> float | None:
        if self._more:
            return 0
        return self._killing.pause * 1000.0 if self._killing is not None else None

    # -- what the runner says -----------------------------------------------------------------------------------------

    def _hear(self) -> None:
        assert self._runner is not None
        try:
            message, fds = parcel.receive(self._runner)
        except (ValueError, EOFError, TypeError):
            message, fds = None, []  # not a runner of ours: we want nothing more from it
        if not isinstance(message, tuple) or not message:
            parcel.close(fds)
            self._left_alone()
            return
        try:
            if message[0] == "start":
                self._begin(message[1], message[2], message[3], message[4], fds)
            elif message[0] == "kill" and self._busy:
                self._kill()
                self._tell(("killing",))
        finally:
            parcel.close(fds)

    def _left_alone(self) -> None:
        """The runner is gone."""
        self._hang_up()
        if not self._busy:
            self._end()
        if not self._lasting:
            self._kill()

    def _hang_up(self) -> None:
        assert self._runner is not None
        self._poll.unregister(self._runner.fileno())
        self._runner.close()
        self._runner = None

    def _accept(self) -> None:
        """A new runner, perhaps."""
        assert self._listener is not None
        caller = keeperdoor.answer(self._listener)
        if caller is None:
            return
        if self._runner is not None and launch.is_alone(self._runner.fileno()):
            self._left_alone()
        if not keeperdoor.is_trusted(caller) or self._runner is not None or not self._lasting:
            keeperdoor.turn_away(caller)
            return
        self._runner = caller
        self._poll.register(caller.fileno(), select.POLLIN)
        self.tell_hello()

    def tell_hello(self) -> None:
        """Who we are, and what the tree is when it is handed over."""
        who = PROTOCOL, self._pid, self._start
        self._tell(("hello", *who, self._name, self._incarnation, self._main, self._main_status))

    def _tell(self, *messages: tuple[Any, ...]) -> None:
        if self._runner is None:
            return
        try:
            for message in messages:
                parcel.send(self._runner, message)
        except OSError:
            pass  # it is dying: the end of its socket says so next

    # -- starting -----------------------------------------------------------------------------------------------------

    def _begin(self, folder: str, name: str, incarnation: int, fields: tuple[Any, ...], fds: list[int]) -> None:
        assert self._runner is not None
        self._next()
        self._busy = True
        self._name = name
        self._incarnation = incarnation
        self._lasting = bool(folder) and self._be_findable(folder)
        if launch.is_alone(self._runner.fileno()):
            self._forget_record()
            self._end()
        try:
            order = launch.settled(launch.unplain(fields, fds[0], fds[1]))
            if order.needs_launcher:
                self._fork(order)
                return
            self._main = launch.spawn(order, 0)
        except OSError as error:
            self._failure = error.errno or errno.EIO, error.strerror or str(error)
            return
        self._started()

    def _fork(self, order: Launch) -> None:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, launch.DEFAULT_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                assert self._runner is not None
                launch.become(order, writer, self._runner.fileno())
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._main = pid
        self._report = reader
        self._poll.register(reader, select.POLLIN)

    def _launched(self) -> None:
        """It has turned into the command, or it has not."""
        self._poll.unregister(self._report)
        number, words = launch.failure(read_all(self._report))
        self._report = -1
        if number:
            self._failure = number, words
        else:
            self._started()

    def _started(self) -> None:
        self._tell(("started", self._main, self._lasting))

    # -- being found --------------------------------------------------------------------------------------------------

    def _be_findable(self, folder: str) -> bool:
        """Listen, and write the record. False: it cannot be done here, so the tree must end with its runner."""
        try:
            if self._listener is None:
                self._listener = keeperdoor.listen(folder, self._pid)
                self._place = f"{folder}/{self._pid}"
                self._poll.register(self._listener.fileno(), select.POLLIN)
            self._write_record(None)
        except OSError:
            return False
        return True

    def _write_record(self, status: int | None) -> None:
        Record(self._name, self._incarnation, self._start, self._guard, self._guard_start, status).write(
            f"{self._place}.tree"
        )

    def _forget_record(self) -> None:
        if self._lasting:
            remove(f"{self._place}.tree")

    def _end(self) -> NoReturn:
        if self._place:
            remove(f"{self._place}.sock")
        os._exit(0)

    # -- ending -------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Reap who ended; strike again; is it empty?"""
        self._more = False
        if self._report >= 0:
            # reaped when we know what became of it; it is a zombie at worst
            if self._killing is not None:
                self._strike(self._killing)
            return
        news, empty = self._reap()
        if self._failure is None:
            self._tell(*news)
        if empty:
            self._emptied()
        elif self._killing is not None:
            self._strike(self._killing)

    def _reap(self) -> tuple[list[tuple[Any, ...]], bool]:
        news: list[tuple[Any, ...]] = []
        for _each in range(_REAPED_AT_ONCE):
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return news, True
            if pid == 0:
                return news, False
            self._status = status
            if self._killing is not None:
                self._killing.progress()
            if pid == self._main and self._main_status is None:
                self._main_status = status
                news.append(("main", status))
        self._more = True
        return news, False

    def _emptied(self) -> None:
        failure, status = self._failure, self._status
        if self._runner is not None and launch.is_alone(self._runner.fileno()):
            self._hang_up()
        if self._runner is None:
            self._accept_last()
        if self._runner is None:
            if failure is None and status is not None:
                self._leave(status)
            else:
                self._forget_record()
            self._end()
        self._forget_record()
        self._next()
        self._tell(("failed", *failure) if failure is not None else ("empty", status))

    def _accept_last(self) -> None:
        """A runner may have connected just now: then it hears the end, and no record is left."""
        if self._listener is not None and keeperdoor.is_knocked(self._listener):
            self._accept()

    def _leave(self, status: int) -> None:
        """The last word of a lasting tree, for a runner to come."""
        if self._lasting:
            try:
                self._write_record(status)
            except OSError:
                self._forget_record()

    def _kill(self) -> None:
        if self._killing is None:
            self._killing = striking.Rounds()

    def _strike(self, rounds: striking.Rounds) -> None:
        rounds.strike(lineage.children_of()(self._pid))


def live(fd: int) -> NoReturn:
    """The life of a keeper, in a process just forked, with all signals blocked; `fd` is its end of the socket."""
    runner: socket | None = None
    try:
        os.setsid()
        os.closerange(3, fd)
        os.closerange(fd + 1, 1 << 20)
        runner = socket(AF_UNIX, SOCK_SEQPACKET, 0, fd)
        prctl.become_subreaper()
        prctl.set_name(b"gds-keeper")
        wake = wake_on_children()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        Keeper(runner, wake).run()
    except BaseException:  # the last frame of this process: whatever it is, the runner is told, and we end
        if runner is not None:
            _report_trouble(runner)
    finally:
        os._exit(1)


def rehearse(wake: int) -> None:
    """Play the start of a command that does not exist, in the zygote.

    What a keeper's code touches for the first time (constructors to compile, caches to fill, counts of references) is
    then touched already, and shared by all keepers instead of being private to each: 0.3 MB less of its 1.2.
    """
    ours, theirs = parcel.pair()
    order = launch.plain(Launch(("/",), {}))
    for _each in range(_REHEARSALS):
        player = Keeper(theirs, wake)
        player.tell_hello()
        parcel.send(ours, ("start", "", "", 0, order), (1, 2))
        player.turn()
    ours.close()
    theirs.close()


def _report_trouble(runner: socket) -> None:
    try:
        parcel.send(runner, ("trouble", trouble()))
    except OSError:
        pass  # nobody there to be told
