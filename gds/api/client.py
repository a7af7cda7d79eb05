"""What every verb speaks through: finds the runner's socket, sends one request, hears the answer. Light to start."""

from __future__ import annotations

import json
import os
from _socket import AF_UNIX, SO_PEERCRED, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from time import monotonic, sleep

from gds.config import places
from gds.errors import GdsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CONTROL = "control.sock"
SILENCE = 2.0
"""Seconds without a word after which a runner is asked whether it is there."""
PATIENCE = 6.0
"""Seconds without a word, and without an answer to that, after which it does not answer."""
A_MOMENT = 1.0
"""Seconds it has at least to answer that, when who asked gave less."""
LOOK_AGAIN = 0.05
"""Seconds from one try to get into its queue to the next, when that is full."""


class NoRunner(GdsError):
    """Nobody to ask. Exit status 4."""


class Denied(GdsError):
    """The socket is there, and not for us. Exit status 77."""


class TimedOut(GdsError):
    """The answer did not come in the time the user gave. Exit status 1."""


class NoAnswer(TimedOut):
    """The runner is there, and does not answer at all: it is stopped, or hangs."""

    code = 4


def closed_to_us(path: str) -> str:
    """What is told when the socket may not be opened."""
    return f"cannot open {path}: you are neither root, the runner's user, nor in the socket's group"


def sockets(given: str = "", runtime_dir: str = "") -> list[str]:
    """The control sockets to ask: `given`, else GDS_SOCKET, else every one under the runtime directory. A directory
    that is given on the command line outranks the variable."""
    named = given or ("" if runtime_dir else os.environ.get("GDS_SOCKET", ""))
    if named:
        return [named]
    top = places.runtime_dir(runtime_dir or os.environ.get("GDS_RUNTIME_DIR", ""), os.environ, os.geteuid())
    if not (runtime_dir or os.environ.get("GDS_RUNTIME_DIR")):
        _trust(top)
    found = [f"{top}/{CONTROL}"] if os.path.exists(f"{top}/{CONTROL}") else []
    try:
        entries = sorted(os.listdir(top))
    except OSError:
        entries = []
    for entry in entries:
        path = f"{top}/{entry}/{CONTROL}"
        if os.path.exists(path):
            found.append(path)
    if not found:
        raise NoRunner(
            f"cannot find a runner: no control socket under {top}; is `gds run` running? (--socket names one)"
        )
    return found


def _trust(top: str) -> None:
    """A runtime directory of somebody else's may hold anything that looks like a runner. Raises Denied."""
    try:
        owner = os.stat(top).st_uid
    except OSError:
        return  # not there: nobody runs
    if owner not in (0, os.geteuid()):
        raise Denied(f"cannot trust {top}: it belongs to uid {owner}; --socket names a runner all the same")


def ask(
    path: str,
    request: dict[str, Any],
    on_line: Callable[[dict[str, Any]], None] | None = None,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Send `request` to the runner at `path`; its last answer. Lines before go to `on_line`. `timeout` in seconds, for
    all of it; without one, a runner that answers at all is waited for.

    Raises NoRunner, Denied, TimedOut, NoAnswer.
    """
    call = _Call(path, timeout)
    try:
        call.send(request)
        data = b""
        while True:
            chunk = call.receive()
            if not chunk:
                raise NoRunner(f"cannot hear the end of the answer: the runner at {path} went away")
            data += chunk
            *lines, data = data.split(b"\n")
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                if message.get("done"):
                    return message
                if on_line is not None:
                    on_line(message)
    except OSError as error:
        raise NoRunner(f"cannot talk to the runner at {path}: {error.strerror or error}") from None
    finally:
        call.close()


class _Call:
    """A connection to a runner. One that is stopped lets everybody in and says nothing, as one does that has much to do
    before it can answer: after a while of silence it is asked, over another connection, whether it is there."""

    def __init__(self, path: str, timeout: float | None) -> None:
        self._path = path
        self._timeout = timeout
        self._began = monotonic()
        self._pid = 0
        self._is_there = False
        self._ping: socket | None = None
        self._sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
        try:
            self._connect()
        except BaseException:  # whatever it was, the socket is closed; it goes on up
            self._sock.close()
            raise

    def _connect(self) -> None:
        self._sock.settimeout(SILENCE)
        while True:
            try:
                self._sock.connect(self._path)
                break
            except BlockingIOError:
                self._check_time()  # its queue is full
                sleep(LOOK_AGAIN)
            except PermissionError:
                raise Denied(closed_to_us(self._path)) from None
            except OSError as error:
                raise NoRunner(f"cannot reach a runner at {self._path}: {error.strerror or error}") from None
        self._pid = int.from_bytes(self._sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[:4], "little")

    def send(self, request: dict[str, Any]) -> None:
        """The one request. Raises OSError."""
        self._sock.sendall(json.dumps(request).encode() + b"\n")

    def receive(self) -> bytes:
        """What comes next; b"" at the end. Raises OSError, TimedOut, NoAnswer."""
        while True:
            try:
                self._sock.settimeout(self._step())
                chunk = self._sock.recv(65536)
                self._is_there = True
                return chunk
            except TimeoutError:
                self._look()
                self._check_time()

    def _step(self) -> float | None:
        """So long the runner may be silent before something is to be done."""
        now = monotonic() - self._began
        left = None if self._timeout is None else self._timeout - now
        if self._is_there:
            return left if left is None else max(0.001, left)
        # once it is asked whether it is there, that answer may be the first to come
        return LOOK_AGAIN if self._ping is not None else max(0.001, self._silence() - now)

    def _silence(self) -> float:
        return SILENCE if self._timeout is None else min(SILENCE, self._timeout / 2)

    def _look(self) -> None:
        """Ask whether it is there, and hear whether it said so."""
        if self._is_there or monotonic() < self._began + self._silence():
            return
        try:
            if self._ping is None:
                self._ping = self._asked()
            self._ping.recv(1)
        except BlockingIOError:
            return  # nothing yet
        except OSError:
            pass  # it is gone: the request's own connection tells
        self._is_there = True

    def _asked(self) -> socket:
        """A connection over which it is asked for a sign of life. Raises OSError."""
        ping = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
        try:
            ping.setblocking(False)
            ping.connect(self._path)
            ping.sendall(b'{"verb": "ping"}\n')
        except OSError:
            ping.close()
            raise
        return ping

    def _check_time(self) -> None:
        """Raises TimedOut, NoAnswer."""
        waited = monotonic() - self._began
        limit = self._timeout
        if self._is_there and limit is not None and waited >= limit:
            raise TimedOut(f"cannot wait longer: no answer from {self._path} within {limit:g} s; it goes on there")
        if not self._is_there and waited >= (PATIENCE if limit is None else min(PATIENCE, max(limit, A_MOMENT))):
            who = f"runner (pid {self._pid})" if self._pid else "runner"
            raise NoAnswer(
                f"cannot hear from the {who} at {self._path}: it does not answer, not a word in {waited:.0f} s; is it"
                " stopped, or overloaded?"
            )

    def close(self) -> None:
        """No more of it."""
        self._sock.close()
        if self._ping is not None:
            self._ping.close()
