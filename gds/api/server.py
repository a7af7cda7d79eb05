"""The control socket: one JSON line in, JSON lines out, the last with `"done": true` and the exit status in `code`.

Harm is kept out by bounds: a request is one line of at most 64 KiB, it must come within `PATIENCE` seconds, at most
`MOST` connections are served: who has asked nothing for longest makes room; when all have asked, the rest wait in the
kernel's queue; what a client does not read is dropped with it.
Who asks is the kernel's word (SO_PEERCRED), never the client's.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SO_PEERCRED, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, socket

from gds.api.place import begun, check
from gds.errors import EngineError, GdsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from gds.ports import Callback, TimerHandle

    class WatchingLoop(Protocol):
        """What a server needs of the loop."""

        def watch(self, fd: int, callback: Callable[[int], None], events: int = 1) -> None: ...
        def unwatch(self, fd: int) -> None: ...
        def after(self, seconds: float, callback: Callback) -> TimerHandle: ...


READ, WRITE = 0x1, 0x4
SO_PEERGROUPS = 59
"""asm-generic/socket.h; Python has no name for it."""
LONGEST_REQUEST = 65536
MOST = 128
PATIENCE = 10.0
MOST_UNREAD = 16 << 20
PAUSE = 0.1
"""Seconds without accepting when the system refuses."""


class Connection:
    """One client. `uid` is the peer's."""

    __slots__ = ("_in", "_last", "_out", "_server", "_sock", "_timer", "asked", "fd", "gid", "on_gone", "pid", "uid")

    def __init__(self, server: Server, sock: socket) -> None:
        self._server = server
        self._sock = sock
        self.fd = sock.fileno()
        cred = sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)
        self.pid = int.from_bytes(cred[:4], "little")
        self.uid = int.from_bytes(cred[4:8], "little")
        self.gid = int.from_bytes(cred[8:], "little")
        self.asked = False
        self._last = False
        self._in = b""
        self._out = b""
        self.on_gone: Callable[[], None] | None = None
        self._timer: TimerHandle | None = server.loop.after(PATIENCE, self.close)
        server.loop.watch(self.fd, self._ready, READ)

    @property
    def waits(self) -> bool:
        """It has asked, and the last line is not told yet."""
        return self.asked and not self._last

    def facts(self) -> dict[str, Any]:
        """For the server after ours."""
        return {"fd": self.fd, "in": self._in, "out": self._out, "asked": self.asked, "last": self._last}

    def go_on(self, facts: dict[str, Any]) -> None:
        """Where the server before ours was with it."""
        self._in, self._out = facts["in"], facts["out"]
        self.asked, self._last = facts["asked"], facts["last"]
        if self.asked and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._out:
            self._server.loop.watch(self.fd, self._ready, READ | WRITE)

    def groups(self) -> tuple[int, ...]:
        """The peer's supplementary groups when it connected. Raises OSError (ERANGE: more than 256)."""
        return tuple(memoryview(self._sock.getsockopt(SOL_SOCKET, SO_PEERGROUPS, 1024)).cast("I"))

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line; the client may be gone."""
        if self.fd < 0:
            return
        import json

        self._out += json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        self._flush()

    def done(self, code: int, message: str = "", **more: Any) -> None:
        """The last line; then the connection ends."""
        self.tell({"done": True, "code": code, "message": message, **more})
        self.asked = self._last = True
        if self.fd >= 0 and not self._out:
            self.close()

    def close(self) -> None:
        """No more of this client."""
        if self.fd < 0:
            return
        self._server.loop.unwatch(self.fd)
        self.fd = -1
        self._sock.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gone, self.on_gone = self.on_gone, None
        self._server.closed(self)
        if gone is not None:
            gone()

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
            if self.fd >= 0 and not self._out:
                if self._last:
                    self.close()
                else:
                    self._server.loop.watch(self.fd, self._ready, READ)
            return
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not data:
            self.close()
            return
        if self.asked:
            return  # more than one request: not heard
        self._in += data
        line, newline, _ = self._in.partition(b"\n")
        if len(line) > LONGEST_REQUEST:
            self.done(2, f"cannot read the request: it is longer than {LONGEST_REQUEST} bytes")
        elif newline:
            self._in = b""
            self._request(line)

    def _request(self, line: bytes) -> None:
        import json

        self.asked = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            request = json.loads(line)
            if not isinstance(request, dict) or not isinstance(request.get("verb"), str):
                raise ValueError("no verb")
        except (ValueError, RecursionError):
            self.done(2, 'cannot read the request: it must be one line of JSON with a "verb"')
            return
        try:
            self._server.answer(self, request)
        except Exception:  # our bug, and told as such by the loop; who asked must not wait for ever
            self.done(1, "cannot answer: an internal error of the runner, see its log")
            raise

    def _flush(self) -> None:
        try:
            while self._out:
                sent = os.write(self.fd, self._out[:262144])
                self._out = self._out[sent:]
        except BlockingIOError:
            if len(self._out) > MOST_UNREAD:
                self.close()
                return
            self._server.loop.watch(self.fd, self._ready, READ | WRITE)
        except OSError:
            self.close()


class Server:
    """See the module."""

    def __init__(
        self,
        loop: WatchingLoop,
        path: str,
        group: int,
        answer: Callable[[Connection, dict[str, Any]], None],
        handed: dict[str, Any] | None = None,
    ) -> None:
        """`handed`: what a server before us in this process handed over. Raises EngineError, ConfigError when the
        socket cannot be made."""
        self.loop = loop
        self.answer = answer
        self.path = path
        self._group = group
        self._open: dict[Connection, None] = {}
        """Oldest first."""
        self._paused = False
        self.by_fd: dict[int, Connection] = {}
        """Those handed over, until somebody has taken them."""
        if handed is not None:
            self._resume_from(handed)
            return
        self._sock, self._inode = _made(path, group)
        loop.watch(self._sock.fileno(), self._accept, READ)

    def hand_over(self) -> tuple[dict[str, Any], list[int]]:
        """For the server after us, in this same process: who is connected, and the descriptors it needs. Nobody who
        connects meanwhile is turned away: the kernel's queue is part of the socket. Changes nothing."""
        connections = [c.facts() for c in self._open]
        facts = {"fd": self._sock.fileno(), "inode": list(self._inode), "connections": connections}
        return facts, [self._sock.fileno(), *[c.fd for c in self._open]]

    def unanswered(self) -> list[Connection]:
        """Who has asked, and waits."""
        return [c for c in self._open if c.waits]

    def _resume_from(self, handed: dict[str, Any]) -> None:
        self._sock = socket(fileno=handed["fd"])
        self._sock.setblocking(False)
        # an older runner did not say which inode was its own
        inode = handed.get("inode")
        self._inode = tuple(inode) if inode is not None else _inode(self.path)
        for facts in handed["connections"]:
            connection = Connection(self, socket(fileno=facts["fd"]))
            self._open[connection] = None
            self.by_fd[connection.fd] = connection
            connection.go_on(facts)
        self.loop.watch(self._sock.fileno(), self._accept, READ)

    def _accept(self, _events: int) -> None:
        for _ in range(32):
            if len(self._open) >= MOST:
                silent = next((c for c in self._open if not c.asked), None)
                if silent is None:
                    self._pause()
                    return
                silent.close()
            try:
                fd, _address = self._sock._accept()  # type: ignore[attr-defined]  # what socket.accept is made of
            except BlockingIOError:
                return
            except OSError:
                # no descriptor is left, or no memory: who waits keeps the socket ready, so look again only later
                self._pause()
                self.loop.after(PAUSE, self._resume)
                return
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)
            self._open[Connection(self, socket(fileno=fd))] = None

    def _pause(self) -> None:
        self._paused = True
        self.loop.unwatch(self._sock.fileno())

    def _resume(self) -> None:
        if self._paused and self._sock.fileno() >= 0:
            self._paused = False
            self.loop.watch(self._sock.fileno(), self._accept, READ)

    def closed(self, connection: Connection) -> None:
        """One place is free."""
        self._open.pop(connection, None)
        self._resume()

    @property
    def is_in_place(self) -> bool:
        """Who goes to the path comes to us: nobody removed or replaced our socket."""
        return _inode(self.path) == self._inode

    def replace(self) -> None:
        """Make the socket anew, because it is not in its place any more. Who is connected stays, and who was about to
        be is taken in. Raises EngineError, ConfigError when that cannot be; then it is as before."""
        sock, self._inode = _made(self.path, self._group)
        self._accept(READ)
        self.loop.unwatch(self._sock.fileno())
        self._sock.close()
        self._sock = sock
        self._paused = False
        self.loop.watch(sock.fileno(), self._accept, READ)

    def close(self) -> None:
        """The runner ends."""
        self.loop.unwatch(self._sock.fileno())
        for connection in list(self._open):
            connection._flush()
            connection.close()
        self._sock.close()
        try:
            if self.is_in_place:
                os.unlink(self.path)
        except OSError:
            pass  # somebody tidied before us


def _inode(path: str) -> tuple[int, ...]:
    """What stands there; () when nothing does."""
    try:
        found = os.lstat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino)


def _made(path: str, group: int) -> tuple[socket, tuple[int, ...]]:
    """A socket that listens at `path`, and its inode. Raises EngineError, ConfigError."""
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    new = begun(path)
    try:
        if os.path.lexists(new):
            os.unlink(new)
        old = os.umask(0o177)
        try:
            sock.bind(new)
        finally:
            os.umask(old)
        if group >= 0:
            os.chown(new, -1, group)
        os.chmod(new, 0o660)
        inode = _inode(new)
        sock.listen(512)
        try:
            # never over what somebody has made at this moment
            os.link(new, path)
            os.unlink(new)
        except OSError:
            # the stale socket of a killed runner (renamed over it, there is no moment without one), or a file system
            # without links
            check(path)
            os.rename(new, path)
    except (OSError, GdsError) as error:
        sock.close()
        try:
            os.unlink(new)
        except OSError:
            pass  # it did not come to that
        if isinstance(error, GdsError):
            raise
        raise EngineError(f"cannot make the control socket {path}: {error.strerror or error}") from error
    return sock, inode
