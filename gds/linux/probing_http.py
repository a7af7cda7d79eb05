"""Probing over HTTP: GET, one answer, hang up. h11 speaks the protocol; the socket and the loop are ours.

A host name's addresses are called side by side and the first that takes the connection is asked, as every HTTP client
does; so "localhost" works for a server that listens on one family only. The connect may use 95 % of the time, the
whole exchange all of it. The first 4 KiB of the body are read, and their first line is the message.
"""

from __future__ import annotations

import errno
import os

import h11

from gds.linux.loop import READ, WRITE
from gds.linux.probing import (
    CONNECT_SHARE,
    LONGEST_MESSAGE,
    Answer,
    Connecting,
    explain,
    one_line,
    outcome_of,
    unresolved,
)
from gds.linux.resolving import with_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from gds.linux.loop import Loop, Timer
    from gds.linux.probing import OnAnswer
    from gds.linux.resolving import Found, Names, Question
    from gds.model.resource import Probe

LARGEST_HEAD = 65536
"""Bytes of status line and headers that are understood; more is an error."""

_CHUNK = 16384


class HttpAsking:
    """One GET under way."""

    def __init__(self, loop: Loop, names: Names, probe: Probe, timeout: float, on_answer: OnAnswer) -> None:
        self._loop = loop
        self._probe = probe
        self._timeout = timeout
        self._on_answer: OnAnswer | None = on_answer
        self._began = loop.now()
        self._calls: list[Connecting] = []
        self._failed: list[tuple[int, str]] = []
        self._awaited = 0
        self._line: Connecting | None = None
        self._talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._begun = False
        self._ended = False
        self._status = 0
        self._body = b""
        self._where = f"{probe.host or '127.0.0.1'} port {probe.port or 80}"
        self._question: Question | None = None
        self._timer: Timer = loop.after(timeout, self._late)
        self._unsent = b""
        try:
            self._unsent = self._request()
        except (h11.LocalProtocolError, UnicodeError) as error:
            fault = f"{self._where}: cannot be asked for {probe.path!r}: {one_line(str(error))}"
            loop.soon(lambda: self._say("error", fault))
            return
        self._question = names.find(probe.host or "127.0.0.1", timeout * CONNECT_SHARE, self._found)

    # -- connect ------------------------------------------------------------------------------------------------------

    def _found(self, found: Found) -> None:
        if not found.addresses:
            self._loop.soon(lambda: self._say(unresolved(found), found.fault))
            return
        self._awaited = len(found.addresses)
        until = self._began + self._timeout * CONNECT_SHARE
        for each in found.addresses:
            target = with_port(each, self._probe.port or 80)
            self._calls.append(Connecting(self._loop, each[0], target, until, self._connected))

    def _connected(self, made: Connecting, error: int) -> None:
        self._awaited -= 1
        if error:
            made.close()
            self._failed.append((error, explain(error, self._where, made.until - self._began)))
            if not self._awaited:
                first, message = self._failed[0]
                self._say(outcome_of(first), message)
            return
        for other in self._calls:
            if other is not made:
                other.close()
        self._line = made
        self._go_on(WRITE)

    def _request(self) -> bytes:
        probe = self._probe
        host = f"[{probe.host}]" if ":" in probe.host and not probe.host.startswith("[") else probe.host or "127.0.0.1"
        if probe.port not in (0, 80):
            host = f"{host}:{probe.port}"
        headers = [("Host", host), ("User-Agent", "gds"), ("Accept", "*/*"), ("Connection", "close")]
        asked = h11.Request(method="GET", target=probe.path or "/", headers=headers)
        return (self._talk.send(asked) or b"") + (self._talk.send(h11.EndOfMessage()) or b"")

    # -- talk ---------------------------------------------------------------------------------------------------------

    def _go_on(self, _events: int) -> None:
        line = self._line.socket if self._line is not None else None
        if line is None:
            return
        try:
            if self._unsent:
                self._unsent = self._unsent[line.send(self._unsent) :]
                self._loop.watch(line.fileno(), self._go_on, WRITE if self._unsent else READ)
                return
            self._hear(line)
        except BlockingIOError:
            return
        except h11.RemoteProtocolError as error:
            if self._ended:
                self._broken(0)
            else:
                self._say("error", f"{self._where}: does not speak HTTP: {one_line(str(error))}")
        except OSError as error:
            self._broken(error.errno or errno.EIO)

    def _hear(self, line: _socket.socket) -> None:
        data = line.recv(_CHUNK)
        if data and not self._begun and data[:5] != b"HTTP/"[: len(data)]:
            self._say("error", f"{self._where}: does not speak HTTP: it began with {data[:20]!r}")
            return
        self._begun = True
        self._ended = not data
        self._talk.receive_data(data)
        while True:
            event = self._talk.next_event()
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.Response | h11.InformationalResponse):
                self._status = event.status_code
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) >= LONGEST_MESSAGE:
                    self._judge()
                    return
            elif event is h11.PAUSED or isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                self._judge()
                return

    def _broken(self, error: int) -> None:
        how = os.strerror(error).lower() if error else "it hung up"
        when = f"in the middle of its answer (HTTP {self._status})" if self._status else "before it answered"
        self._say("disconnect", f"{self._where}: {how} {when}")

    def _judge(self) -> None:
        said = one_line(self._body[:LONGEST_MESSAGE].decode("utf-8", "replace"))
        if any(low <= self._status <= high for low, high in self._probe.expect):
            self._say("ok", said)
        else:
            self._say("status", f"HTTP {self._status}" + (f": {said}" if said else ""))

    # -- end ----------------------------------------------------------------------------------------------------------

    def _late(self) -> None:
        what = f"HTTP {self._status}, then silence" if self._status else "no answer"
        self._say("timeout", f"{self._where}: {what} within {self._timeout:.3g} s")

    def _say(self, outcome: str, message: str) -> None:
        callback = self._on_answer
        self.cancel()
        if callback is not None:
            callback(Answer(outcome, message, self._loop.now() - self._began))

    def cancel(self) -> None:
        """No answer will come."""
        self._on_answer = None
        self._timer.cancel()
        if self._question is not None:
            self._question.cancel()
        if self._line is not None and self._line.socket is not None:
            self._loop.unwatch(self._line.socket.fileno())
        for each in self._calls:
            each.close()
        self._calls = []
