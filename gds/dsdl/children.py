"""One command with a time limit, as hatimerun runs it: in a process group of its own. Sun: semantics.md 6.1, 6.3.

Nothing of the process we live in is changed: no signal handler, no mask, no wait for children of others.
"""

from __future__ import annotations

import os
import signal

from gds.errors import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LAST_SECOND = 1.0
"""Seconds that are waited for what got its signal, so that it is reaped."""
_left: list[Child] = []
"""Those that outlived their signal; reaped when they end."""


class Child:
    """A command that runs. Raises SpawnError when it cannot be executed."""

    def __init__(self, command: Sequence[str]) -> None:
        for each in tuple(_left):
            each.reap()
        try:
            self.pid = os.posix_spawnp(
                command[0],
                list(command),
                os.environ,
                setpgroup=0,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them for itself
            )
        except ValueError as error:
            raise SpawnError(f"cannot execute {command[0]}: {error}") from None
        except OSError as error:
            raise SpawnError(f"cannot execute {command[0]}: {error.strerror}", error.errno or 0) from None
        self.fd = os.pidfd_open(self.pid)
        self._status: int | None = None

    def reap(self) -> int | None:
        """Its exit status, 128 + N when signal N killed it; None while it runs."""
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                # whoever started us has SIGCHLD ignored, or waits for all children: nobody knows how it ended
                pid, status = self.pid, 0xFF00
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._status = code if code >= 0 else 128 - code
                os.close(self.fd)
                if self in _left:
                    _left.remove(self)
        return self._status

    def strike(self, number: int) -> None:
        """The signal to its whole group; it is not reaped yet, so the number is still its own."""
        self._send(number)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            self._send(signal.SIGCONT)  # a stopped one would not hear it

    def _send(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            os.kill(self.pid, number)  # it moved to another group
        except PermissionError:
            pass  # a program that runs as another user is not ours to end; the time is over all the same

    def leave(self) -> None:
        """It may outlive its time; somebody reaps it later."""
        if self.reap() is None:
            _left.append(self)
