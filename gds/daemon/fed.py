"""FED: runs one command of a method in a tree of its own, under its timeout, and tells one result.

Emits a `Result`; obeys `run` and `Run.cancel`. Whatever ends the command, its tree is killed to the last process
(design.md 5: a probe leaves no process). Output of the command, at most 4 KiB, comes with the result; more is read
and thrown away, so that a chatty command does not hang.
"""

from __future__ import annotations

import os

from gds.errors import ConfigError
from gds.model.ending import signal_name
from gds.model.printed import printed
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.ports import Forest, Launch, Scheduler, TimerHandle, Tree

KEPT_OUTPUT = 4096
LAST_SECOND = 1.0
"""Seconds between SIGABRT and SIGKILL for a command that is over its time (design.md 5)."""


class Result(Value):
    """How the command ended. `kind`: exit (with status `code`), signal (killed by `code`), timeout, cannot (it cannot
    be executed), unable (the system refused to start anything now: not the application's fault)."""

    kind: str
    code: int = 0
    output: str = ""
    seconds: float = 0.0

    @property
    def said(self) -> str:
        """The result in words, on one line: part of a reason."""
        if self.kind == "exit":
            words = f"exited with status {self.code}"
        elif self.kind == "signal":
            words = f"was killed by {signal_name(self.code)}"
        elif self.kind == "timeout":
            words = f"did not end within {self.seconds:g} s"
        else:
            words = "cannot be executed"
        return f"{words}: {printed(self.output)}" if self.output else words


UNABLE = frozenset((11, 12, 23, 24))
"""EAGAIN, ENOMEM, ENFILE, EMFILE: the machine is short of something; says nothing about the application."""


class Run:
    """One command under way."""

    __slots__ = (
        "_begun",
        "_done",
        "_drain",
        "_fed",
        "_first_signal",
        "_limit",
        "_output",
        "_pipe",
        "_started",
        "_timer",
        "_tree",
    )

    def __init__(self, fed: Fed, limit: float, first_signal: int, on_done: Callable[[Result], None]) -> None:
        self._fed = fed
        self._limit = limit
        self._first_signal = first_signal
        self._done: Callable[[Result], None] | None = on_done
        self._tree: Tree | None = None
        self._pipe = -1
        self._drain = False
        self._output = b""
        self._started = fed.loop.now()
        self._timer: TimerHandle | None = None
        self._begun = False

    def begin(self, name: str, launch: Launch, reader: int) -> None:
        self._pipe = reader
        self._fed.watch(reader, self._readable)
        tree = self._fed.forest.plant(name, 0, launch, self, lasting=False)
        self._tree = tree
        if self._done is not None and self._limit > 0:
            self._timer = self._fed.loop.at(self._started + self._limit, self._overrun)
        self._begun = True

    def refused(self, result: Result) -> None:
        """It came to nothing; like every answer, this one comes after `Fed.run` has returned."""
        self._close_pipe()
        self._begun = True
        self._fed.loop.soon(lambda: self._finish(result))

    def cancel(self) -> None:
        """Nobody wants the answer any more; the tree is killed."""
        self._done = None
        self._stop_timer()
        if self._tree is not None:
            self._tree.kill()

    def abort(self) -> None:
        """The method it belongs to is over its time: nobody wants the answer, and the tree ends as at its own limit."""
        self._done = None
        self._stop_timer()
        if self._tree is not None:
            self._end_tree(self._tree)

    def _end_tree(self, tree: Tree) -> None:
        if self._first_signal != 9:
            tree.signal(self._first_signal)
            self._fed.loop.after(LAST_SECOND, tree.kill)
        else:
            tree.kill()

    def _overrun(self) -> None:
        self._timer = None
        tree = self._tree
        if tree is None or self._done is None:
            return
        self._end_tree(tree)
        self._finish(Result("timeout", 0, self._text(), self._limit))

    # -- TreeListener -------------------------------------------------------------------------------------------------

    def tree_started(self, tree: Tree) -> None:
        self._tree = tree
        if self._done is None:
            tree.kill()

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        kind = "unable" if errno in UNABLE else "cannot"
        self._close_pipe()
        tree.release()
        self._finish(Result(kind, errno, message, self._fed.loop.now() - self._started))

    def main_exited(self, tree: Tree, status: int | None) -> None:
        self._read()
        seconds = self._fed.loop.now() - self._started
        if status is None:
            result = Result("unable", 0, "its keeper was lost", seconds)
        elif status & 0x7F:
            result = Result("signal", status & 0x7F, self._text(), seconds)
        else:
            result = Result("exit", status >> 8, self._text(), seconds)
        self._drain = True
        # whoever the command left behind is not wanted; an empty tree hears nothing of this
        self._fed.loop.soon(self._clear)
        self._finish(result)

    def _clear(self) -> None:
        if self._tree is not None:
            self._tree.kill()

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        self._tree = None
        self._close_pipe()
        tree.release()
        if self._done is not None:
            self._finish(Result("unable", 0, lost or "it vanished", self._fed.loop.now() - self._started))

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _finish(self, result: Result) -> None:
        if not self._begun:
            # it failed at once: who asked does not even have us yet, so could neither cancel nor forget us
            self._fed.loop.soon(lambda: self._finish(result))
            return
        self._stop_timer()
        done, self._done = self._done, None
        if done is not None:
            done(result)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _text(self) -> str:
        return self._output.decode("utf-8", "replace").strip()

    def _readable(self, _events: int) -> None:
        if not self._read():
            self._close_pipe()

    def _read(self) -> bool:
        """Read what is there, at most 64 KiB a turn. False at the end of the pipe."""
        if self._pipe < 0:
            return False
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        room = KEPT_OUTPUT - len(self._output)
        if room > 0:
            self._output += data[:room]
        return True

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            self._fed.unwatch(self._pipe)
            os.close(self._pipe)
            self._pipe = -1


class Fed:
    """See the module. `watch` and `unwatch` are the loop's."""

    def __init__(
        self,
        loop: Scheduler,
        forest: Forest,
        watch: Callable[[int, Callable[[int], None]], None],
        unwatch: Callable[[int], None],
    ) -> None:
        self.loop = loop
        self.forest = forest
        self.watch = watch
        self.unwatch = unwatch

    def run(
        self,
        name: str,
        launch: Callable[[int], Launch],
        limit: float,
        on_done: Callable[[Result], None],
        first_signal: int = 6,
    ) -> Run:
        """Run the command that `launch(fd for its output)` describes, for at most `limit` seconds.

        At the limit the tree gets `first_signal` (SIGABRT as at Sun; surprise 10), SIGKILL after 1 s.
        """
        run = Run(self, limit, first_signal, on_done)
        try:
            reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            run.refused(Result("unable", error.errno or 0, error.strerror or "no pipe"))
            return run
        try:
            os.set_blocking(writer, True)
            try:
                order = launch(writer)
            except (ConfigError, OSError) as error:
                # a user or an environment file that was there when the application was started is gone now
                os.close(reader)
                run.refused(Result("cannot", 0, str(error)))
                return run
            run.begin(name, order, reader)
        finally:
            os.close(writer)
        return run
