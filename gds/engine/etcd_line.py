"""One connection to a member of etcd: socket, TLS, HTTP/1.1 by h11, and at most one request at a time.

It tells its user: `line_ready` once, and for each request `line_head`, `line_data` and `line_answered`; or
`line_broken`, after which nothing follows. It has no opinion about time: who asks has a time-out. `sent` says whether
any byte of the request was given to the kernel; if not, it is certain that nobody carries it out.
"""

from __future__ import annotations

import _socket
import errno
import os

import h11

from gds.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any, Protocol

    from gds.engine.etcd_place import Place
    from gds.engine.etcd_tls import Tunnel
    from gds.engine.wants import EngineLoop

    class LineUser(Protocol):
        """Who has asked."""

        def line_ready(self) -> None: ...
        def line_head(self, status: int) -> None: ...
        def line_data(self, data: bytes) -> None: ...
        def line_answered(self) -> None: ...
        def line_broken(self, because: str) -> None: ...


READ, WRITE = 1, 4
"""EPOLLIN, EPOLLOUT."""
_CHUNK = 65536
_LARGEST_HEAD = 65536


class Line:
    """See the module. `address`: (family, address, rest) as a resolver gives it."""

    def __init__(
        self,
        loop: EngineLoop,
        place: Place,
        address: tuple[int, str, tuple[int, ...]],
        context: ssl.SSLContext | None,
        user: LineUser,
    ) -> None:
        self.place = place
        self.user: LineUser | None = user
        self.sent = False
        self._loop = loop
        self._talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        self._connected = False
        self._asking = False
        self._ended = False
        self._unsent = b""
        self._wanted = 0
        self._tunnel: Tunnel | None = None
        if place.is_tls and context is not None:
            from gds.engine.etcd_tls import Tunnel

            self._tunnel = Tunnel(context, place.host)
        self._socket: _socket.socket | None = _socket.socket(
            address[0], _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC, _socket.IPPROTO_TCP
        )
        self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        error = self._socket.connect_ex((address[1], place.port, *address[2]))
        if error not in (0, errno.EINPROGRESS):
            loop.soon(lambda: self._break(os.strerror(error).lower()))
            return
        self._want(WRITE)

    @property
    def is_open(self) -> bool:
        """It may be asked, when it is nobody's."""
        return self._socket is not None

    def is_alive(self) -> bool:
        """Idle, and as far as this machine knows the other side has not hung up: a request into a dead line would be
        lost, and nobody could say what became of it."""
        if self._socket is None or self._unsent:
            return False
        try:
            self._socket.recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def ask(self, user: LineUser, method: str, target: str, body: bytes, headers: list[tuple[str, str]]) -> None:
        """Say it. The line must be ready and idle."""
        self.user = user
        self.sent = False
        self._asking = True
        head = [("Host", self.place.authority), ("User-Agent", "gds"), *headers]
        if method == "POST":
            head += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        talk = self._talk
        said = talk.send(h11.Request(method=method, target=target, headers=head)) or b""
        if body:
            said += talk.send(h11.Data(data=body)) or b""
        said += talk.send(h11.EndOfMessage()) or b""
        self._say(said)

    def close(self) -> None:
        """Hang up; nothing is told any more."""
        self.user = None
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    # -- inside -------------------------------------------------------------------------------------------------------

    def _break(self, because: str) -> None:
        user = self.user
        self.close()
        if user is not None:
            user.line_broken(because)

    def _want(self, events: int) -> None:
        if self._socket is not None and events != self._wanted:
            self._wanted = events
            self._loop.watch(self._socket.fileno(), self._turn, events)

    def _turn(self, _events: int) -> None:
        try:
            if not self._connected:
                self._connect()
            elif self._socket is not None:
                self._flush()
                self._hear()
        except BlockingIOError:
            return
        except EngineError as error:
            self._break(str(error))
        except h11.RemoteProtocolError as error:
            self._break("it hung up" if self._ended else f"it does not speak HTTP as we do: {str(error)[:100]}")
        except OSError as error:
            self._break(os.strerror(error.errno or errno.EIO).lower())

    def _connect(self) -> None:
        assert self._socket is not None  # it is closed only by `close`, which takes it off the loop
        error = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if error:
            raise OSError(error, "")
        self._connected = True
        if self._tunnel is None:
            self._want(READ)
            if self.user is not None:
                self.user.line_ready()
        else:
            self._tunnel.shake()
            self._say(b"")

    def _say(self, data: bytes) -> None:
        if self._tunnel is not None:
            if data:
                self._tunnel.write(data)
            data = self._tunnel.take()
        self._unsent += data
        try:
            self._flush()
        except BlockingIOError:
            self._want(READ | WRITE)
        except OSError as error:
            number = error.errno or errno.EIO
            self._loop.soon(lambda: self._break(os.strerror(number).lower()))

    def _flush(self) -> None:
        if self._unsent and self._socket is not None:
            count = self._socket.send(self._unsent)
            self.sent = self.sent or (count > 0 and self._asking)
            self._unsent = self._unsent[count:]
        self._want(READ | WRITE if self._unsent else READ)

    def _hear(self) -> None:
        assert self._socket is not None  # as above
        data = self._socket.recv(_CHUNK)
        tunnel = self._tunnel
        if tunnel is None:
            self._receive(data)
            return
        tunnel.feed(data)
        if not tunnel.is_up:
            done = self._shaken(tunnel)
            if not data and not done:
                raise EngineError("it hung up during the TLS handshake")
            if not done:
                return
        while self._socket is not None and (plain := tunnel.read()) is not None:
            self._receive(plain)
            if not plain:
                return
        if self._socket is not None:
            self._say(b"")

    def _shaken(self, tunnel: Tunnel) -> bool:
        try:
            done = tunnel.shake()
        finally:
            self._say(b"")  # also the alert that tells the other side why not
        if done and self.user is not None:
            self.user.line_ready()
        return done

    def _receive(self, data: bytes) -> None:
        if not data and not self._asking:
            self._break("it hung up")
            return
        self._ended = not data
        talk = self._talk
        talk.receive_data(data)
        while self._socket is not None:
            event: Any = talk.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.ConnectionClosed):
                self._break("it hung up")
            elif isinstance(event, h11.EndOfMessage):
                self._over()
                return
            elif self.user is not None:
                self._tell(event)

    def _tell(self, event: Any) -> None:
        assert self.user is not None  # asked just now
        if isinstance(event, h11.Response):
            self.user.line_head(event.status_code)
        elif isinstance(event, h11.Data):
            self.user.line_data(bytes(event.data))

    def _over(self) -> None:
        user = self.user
        self._asking = False
        self.user = None
        if self._talk.our_state is h11.DONE and self._talk.their_state is h11.DONE:
            self._talk.start_next_cycle()
        else:
            self.close()
        if user is not None:
            user.line_answered()
