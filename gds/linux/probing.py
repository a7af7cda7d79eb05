"""Probing: the built-in probes, each a small state machine on the loop. One question, one answer, nothing kept.

tcp and unix: connect, and disconnect at once (Sun: semantics.md 2.6). The connect may use 95 % of the time, the
disconnect the rest. What is asked is the kernel and, through the listen queue, the application; what the application
does with the connection afterwards is not looked at. http: see probing_http.py, imported for the first such probe.

A host name stands for all its IPv4 and IPv6 addresses. tcp asks them side by side, each with the full time; a family
without address is skipped; a family is well when one of its addresses is; one failing family fails the call (Sun:
semantics.md 2.6, design.md 2).

Why a probe costs so little: over loopback the kernel settles a non-blocking connect before it returns, so asking a
second time gives the result without any wait. Why it leaves nothing behind: TCP_LINGER2 = -1 ends our side with the
peer's acknowledgement of our FIN. The application reads an ordinary end of file (no "connection reset" in its log),
and no socket in TIME_WAIT stays, of which a thousand probes a second would gather 60,000.

The answer is a fact; what it is worth is decided in fault/score.py.
"""

from __future__ import annotations

import _socket
import errno
import os

from gds.linux.loop import WRITE
from gds.linux.resolving import Names, literal, with_port
from gds.model.resource import Port, Probe
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from gds.linux.loop import Loop, Timer
    from gds.linux.resolving import Address, Expect, Found, Question

    OnAnswer = Callable[["Answer"], None]
    OnConnected = Callable[["Connecting", int], None]

    class Asking(Protocol):
        """A question under way."""

        def cancel(self) -> None:
            """No answer will come; whatever was opened is closed."""
            ...


CONNECT_SHARE = 0.95
"""Part of the time that the connect may use (Sun: semantics.md 2.6)."""

LONGEST_MESSAGE = 4096
"""Bytes of a message, in UTF-8 (design.md 5)."""

_AGAIN_AFTER = 0.02
"""Seconds until a unix socket with a full queue is tried again; the kernel does not say when there is room."""

_FLAGS = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
_REFUSED = frozenset((errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET))
_OURS = frozenset(
    (
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EAGAIN,
    )
)
_GRAVITY = ("refused", "error", "timeout", "disconnect", "unable", "ok")


class Answer(Value):
    """What a probe learned. `outcome`:

    ok          connected and disconnected; for http, a status that was expected
    refused     nobody listens
    timeout     no answer in time
    disconnect  answered, but the connection broke before it ended well
    status      an HTTP status that was not expected
    error       anything else that the other side did (not HTTP, no such host, unreachable)
    unable      we could not ask (no descriptor, no port, no IPv6, no name server): says nothing about the application

    `message` has at most 4 KiB and one line; empty for a plain ok. `seconds` is how long it took.
    """

    outcome: str
    message: str = ""
    seconds: float = 0.0


def one_line(text: str) -> str:
    """The first line of `text` that says something, printable, at most 4 KiB of UTF-8."""
    for line in text.splitlines():
        said = "".join([c if c.isprintable() else " " for c in line[:LONGEST_MESSAGE]]).strip()
        if said:
            return said.encode()[:LONGEST_MESSAGE].decode(errors="ignore")
    return ""


def outcome_of(error: int) -> str:
    """The outcome that an errno of a connect means."""
    if error == 0:
        return "ok"
    if error in _REFUSED:
        return "refused"
    if error == errno.ETIMEDOUT:
        return "timeout"
    return "unable" if error in _OURS else "error"


def explain(error: int, where: str, seconds: float) -> str:
    """A connect's failure in words; `seconds` is the time it had."""
    if error == errno.ETIMEDOUT:
        return f"{where}: no answer within {seconds:.3g} s"
    if error == errno.EADDRNOTAVAIL:
        return f"{where}: cannot connect from this machine: no free local port, or no such address family here"
    return f"{where}: {os.strerror(error).lower()}"


def unresolved(found: Found) -> str:
    """The outcome of a name without addresses."""
    return "error" if found.nameless else "unable"


class Connecting:
    """One connection being made. `on_connected(self, errno)` comes from the loop, once; 0 = `socket` is connected.

    ETIMEDOUT stands for the time being over, whoever noticed. The owner closes.
    """

    __slots__ = ("_address", "_loop", "_on_connected", "_timer", "socket", "until")

    def __init__(self, loop: Loop, family: int, address: Any, until: float, on_connected: OnConnected) -> None:
        self._loop = loop
        self._address = address
        self.until = until
        self._on_connected: OnConnected | None = on_connected
        self._timer: Timer | None = None
        self.socket: _socket.socket | None = None
        try:
            self.socket = _socket.socket(family, _FLAGS, 0)
            if family != _socket.AF_UNIX:
                self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_LINGER2, -1)
            error = self.socket.connect_ex(address)
            if error == errno.EINPROGRESS:
                error = self.socket.connect_ex(address)
        except OSError as failed:
            error = failed.errno or errno.EINVAL
        if error == errno.EALREADY:
            self._timer = loop.at(until, self._late)
            loop.watch(self.socket.fileno(), self._ready, WRITE)  # type: ignore[union-attr]  # it is there: it is busy
        elif error == errno.EAGAIN and family == _socket.AF_UNIX:
            self._timer = loop.after(_AGAIN_AFTER, self._again)
        else:
            loop.soon(lambda: self._settle(error))

    def _ready(self, _events: int) -> None:
        if self.socket is not None:
            error = self.socket.connect_ex(self._address)
            if error != errno.EALREADY:
                self._settle(error)

    def _late(self) -> None:
        self._settle(errno.ETIMEDOUT)

    def _again(self) -> None:
        """The queue of a unix socket was full."""
        if self.socket is None:
            return
        error = self.socket.connect_ex(self._address)
        if error != errno.EAGAIN:
            self._settle(error)
        elif self._loop.now() >= self.until:
            self._settle(errno.ETIMEDOUT)
        else:
            self._timer = self._loop.after(min(_AGAIN_AFTER, self.until - self._loop.now()), self._again)

    def _settle(self, error: int) -> None:
        callback, self._on_connected = self._on_connected, None
        if self._timer is not None:
            self._timer.cancel()
            if self.socket is not None:
                self._loop.unwatch(self.socket.fileno())
        if callback is not None:
            callback(self, error)

    def close(self) -> None:
        """Give it up, at any time."""
        self._on_connected = None
        if self._timer is not None:
            self._timer.cancel()
        if self.socket is not None:
            if self._timer is not None:
                self._loop.unwatch(self.socket.fileno())
            self.socket.close()
            self.socket = None


def hang_up(made: Connecting) -> int:
    """Disconnect; the errno of a connection that was broken already."""
    broken = 0
    if made.socket is not None:
        broken = made.socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        made.close()
    return broken


class _Knock:
    """Connect to one address and disconnect."""

    __slots__ = ("_began", "_loop", "_made", "_on_answer", "_where")

    def __init__(
        self, loop: Loop, family: int, address: Any, where: str, began: float, timeout: float, on_answer: OnAnswer
    ) -> None:
        self._loop = loop
        self._where = where
        self._began = began
        self._on_answer = on_answer
        self._made = Connecting(loop, family, address, began + timeout * CONNECT_SHARE, self._connected)

    def _connected(self, made: Connecting, error: int) -> None:
        seconds = self._loop.now() - self._began
        if error:
            made.close()
            message = explain(error, self._where, made.until - self._began)
            self._on_answer(Answer(outcome_of(error), message, seconds))
            return
        broken = hang_up(made)
        if broken:
            message = f"{self._where}: connected, then {os.strerror(broken).lower()}"
            self._on_answer(Answer("disconnect", message, seconds))
        else:
            self._on_answer(Answer("ok", "", seconds))

    def cancel(self) -> None:
        self._made.close()


class _KnockEverywhere:
    """Connect to every address of a host name and disconnect; the families' answers make one."""

    def __init__(
        self, loop: Loop, names: Names, host: str, port: int, began: float, timeout: float, on_answer: OnAnswer
    ) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self._began = began
        self._timeout = timeout
        self._on_answer = on_answer
        self._open: list[_Knock] = []
        self._heard: list[tuple[int, Answer]] = []
        self._awaited = 0
        self._question: Question | None = None
        self._question = names.find(host, timeout * CONNECT_SHARE, self._found)

    def _found(self, found: Found) -> None:
        self._awaited = len(found.addresses)
        if not found.addresses:
            answer = Answer(unresolved(found), found.fault, self._loop.now() - self._began)
            # never from within `ask`: its caller does not hold the handle yet
            self._loop.soon(lambda: self._say(answer))
        for each in found.addresses:
            self._knock(each)

    def _knock(self, address: Address) -> None:
        where = f"{address[1]} port {self._port}"

        def heard(answer: Answer) -> None:
            self._heard.append((address[0], answer))
            self._awaited -= 1
            if not self._awaited:
                self._say(self._summed_up())

        self._open.append(
            _Knock(self._loop, address[0], with_port(address, self._port), where, self._began, self._timeout, heard)
        )

    def _summed_up(self) -> Answer:
        best: dict[int, Answer] = {}
        for family, answer in self._heard:
            known = best.get(family)
            if known is None or answer.outcome == "ok":
                best[family] = answer
        worst = min(best.values(), key=lambda a: _GRAVITY.index(a.outcome))
        message = worst.message and f"{self._host}: {worst.message}"
        if worst.outcome != "ok" and any(a.outcome == "ok" for a in best.values()):
            message += " (the other address family answers: name an address if only one is served)"
        return Answer(worst.outcome, message, self._loop.now() - self._began)

    def _say(self, answer: Answer) -> None:
        callback = self._on_answer
        self.cancel()
        callback(answer)

    def cancel(self) -> None:
        self._on_answer = _nobody
        if self._question is not None:
            self._question.cancel()
        for each in self._open:
            each.cancel()
        self._open = []


def _nobody(_answer: Answer) -> None:
    """Cancelled."""


class Prober:
    """Asks; see the module. `expect` is Reaper.expect, for the child that resolves a name."""

    def __init__(self, loop: Loop, expect: Expect | None = None) -> None:
        self._loop = loop
        self.names = Names(loop, expect)

    def ask(self, what: Probe | Port, timeout: float, on_answer: OnAnswer) -> Asking:
        """Ask once, within `timeout` seconds. `on_answer` is called once, from the loop, never from within.

        A Port is one of port_list: tcp means 127.0.0.1, tcp6 ::1 (design.md 2). Raises ValueError for a kind that
        cannot be asked (notify: the application tells).
        """
        loop = self._loop
        if isinstance(what, Port):
            host = "::1" if what.protocol == "tcp6" else "127.0.0.1"
            return self._tcp(host, what.number, timeout, on_answer)
        if what.kind == "tcp":
            host = what.host or ("::1" if what.target.endswith("/tcp6") else "127.0.0.1")
            return self._tcp(host, what.port, timeout, on_answer)
        if what.kind == "unix":
            path = what.path or what.target
            address = f"\0{path[1:]}" if path.startswith("@") else path
            return _Knock(loop, _socket.AF_UNIX, address, path, loop.now(), timeout, on_answer)
        if what.kind == "http":
            from gds.linux.probing_http import HttpAsking

            return HttpAsking(loop, self.names, what, timeout, on_answer)
        raise ValueError(f"cannot ask a probe of kind {what.kind}")

    def _tcp(self, host: str, port: int, timeout: float, on_answer: OnAnswer) -> Asking:
        loop = self._loop
        numeric = literal(host)
        if numeric is None:
            return _KnockEverywhere(loop, self.names, host, port, loop.now(), timeout, on_answer)
        family, bare, rest = numeric[0]
        return _Knock(loop, family, (bare, port, *rest), f"{bare} port {port}", loop.now(), timeout, on_answer)


def ask(loop: Loop, what: Probe | Port, timeout: float, on_answer: OnAnswer, expect: Expect | None = None) -> Asking:
    """One question without a Prober to keep (nothing learned about names is kept either)."""
    return Prober(loop, expect).ask(what, timeout, on_answer)
