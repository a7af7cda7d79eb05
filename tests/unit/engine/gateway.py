"""An etcd member that misbehaves as it is told: real sockets, on the test's own loop, with answers from the test.

What it does unless told otherwise is what an etcd does that holds nothing: every transaction succeeds at the next
revision, a range is empty, a watch is created and then silent.
"""

from __future__ import annotations

import json
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import h11

from gds.linux.loop import READ, Loop

VERSION, STATUS, RANGE, TXN = "/version", "/v3/maintenance/status", "/v3/kv/range", "/v3/kv/txn"
WATCH, LOGIN = "/v3/watch", "/v3/auth/authenticate"


def b64(text: str) -> str:
    """As the gateway writes bytes."""
    return b64encode(text.encode()).decode()


class Reply:
    """`body`: bytes, or an object as JSON. `cut`: hang up after so many bytes of it, -1 before the first byte of the
    head. `silent`: never answer. `lasts`: the answer does not end; `last`: the connection ends after it."""

    def __init__(
        self,
        body: Any = b"",
        status: int = 200,
        *,
        cut: int | None = None,
        silent: bool = False,
        lasts: bool = False,
        last: bool = False,
    ) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.cut = cut
        self.silent = silent
        self.lasts = lasts
        self.last = last


SILENT = Reply(silent=True)
HANG_UP = Reply(cut=-1)


class Asked:
    """One request as it came."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body: dict[str, Any] = json.loads(body) if body else {}


class Gateway:
    """See the module. `script[path]` answers: a Reply, a function of the request, or a list of these, one each."""

    def __init__(self, loop: Loop, cluster: int = 77, member: int = 1) -> None:
        self.loop = loop
        self.cluster = cluster
        self.member = member
        self.revision = 10
        self.term = 3
        self.version = "3.5.16"
        self.script: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self.calls = 0
        """Connections taken."""
        self.streams: list[_Call] = []
        """Watches that are open."""
        self._open: list[_Call] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.setblocking(False)
        self.port = int(self._door.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        loop.watch(self._door.fileno(), self._take, READ)

    @property
    def header(self) -> dict[str, str]:
        """Of every answer."""
        return {
            "cluster_id": str(self.cluster),
            "member_id": str(self.member),
            "revision": str(self.revision),
            "raft_term": str(self.term),
        }

    def of(self, path: str) -> list[Asked]:
        """The requests for it."""
        return [each for each in self.asked if each.path == path]

    def tell(self, *results: dict[str, Any], raw: bytes = b"") -> None:
        """To every watch that is open."""
        text = raw or b"".join(json.dumps({"result": {"header": self.header, **r}}).encode() + b"\n" for r in results)
        for stream in list(self.streams):
            stream.send(text)

    def event(self, key: str, value: str, revision: int, created: int = 0, prefix: str = "/gds/") -> dict[str, Any]:
        """A put, as the gateway tells it."""
        numbers = {"create_revision": str(created or revision), "mod_revision": str(revision), "version": "1"}
        return {"kv": {"key": b64(prefix + key), "value": b64(value), **numbers}}

    def hang_up(self) -> None:
        """On everybody."""
        for call in list(self._open):
            call.close()

    def close(self) -> None:
        """Nobody listens here any more."""
        self.hang_up()
        if self._door.fileno() >= 0:
            self.loop.unwatch(self._door.fileno())
            self._door.close()

    def forget(self, call: _Call) -> None:
        """It is over."""
        for kept in (self._open, self.streams):
            if call in kept:
                kept.remove(call)

    def _take(self, _events: int) -> None:
        try:
            taken, _ = self._door.accept()
        except BlockingIOError:
            return
        self.calls += 1
        self._open.append(_Call(self, taken))

    def reply(self, asked: Asked) -> Reply:
        """What the script says, else what an empty etcd would."""
        self.asked.append(asked)
        told = self.script.get(asked.path)
        if isinstance(told, list):
            told = told.pop(0) if told else None
        if callable(told):
            told = told(asked)
        if isinstance(told, Reply):
            return told
        usual: dict[str, Callable[[], Reply]] = {
            VERSION: lambda: Reply({"etcdserver": self.version, "etcdcluster": "3.5.0"}),
            STATUS: lambda: Reply({"header": self.header, "leader": "1", "version": self.version}),
            RANGE: lambda: Reply({"header": self.header}),
            TXN: self._committed,
            WATCH: lambda: Reply({"result": {"header": self.header, "created": True}}, lasts=True),
            LOGIN: lambda: Reply({"header": self.header, "token": "token"}),
        }
        return usual[asked.path]()

    def _committed(self) -> Reply:
        self.revision += 1
        return Reply({"header": self.header, "succeeded": True})


class _Call:
    def __init__(self, gateway: Gateway, taken: socket.socket) -> None:
        self._gateway = gateway
        self._socket = taken
        self._talk = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""
        taken.setblocking(False)
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer in two parts takes 40 ms
        gateway.loop.watch(taken.fileno(), self._hear, READ)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._gateway.loop.unwatch(self._socket.fileno())
            self._socket.close()
        self._gateway.forget(self)

    def send(self, text: bytes) -> None:
        self._put(self._talk.send(h11.Data(data=text)))

    def _put(self, data: bytes | None) -> None:
        try:
            self._socket.sendall(data or b"")
        except OSError:
            self.close()

    def _hear(self, _events: int) -> None:
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._talk.receive_data(data)
        while self._socket.fileno() >= 0:
            event = self._talk.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                headers = {name.decode(): value.decode() for name, value in self._request.headers}
                self._answer(self._gateway.reply(Asked(self._request.target.decode(), headers, self._body)))

    def _answer(self, reply: Reply) -> None:
        if reply.silent:
            return
        if reply.cut == -1:
            self.close()
            return
        headers = [("Content-Type", "application/json")]
        if not reply.lasts:
            headers.append(("Content-Length", str(len(reply.body))))
        if reply.last:
            headers.append(("Connection", "close"))
        self._put(self._talk.send(h11.Response(status_code=reply.status, headers=headers)))
        body = reply.body + b"\n" if reply.lasts else reply.body
        if reply.cut is not None:
            self._put(self._talk.send(h11.Data(data=body[: reply.cut])))
            self.close()
            return
        self._put(self._talk.send(h11.Data(data=body)))
        if reply.lasts:
            self._gateway.streams.append(self)
            return
        self._put(self._talk.send(h11.EndOfMessage()))
        if reply.last:
            self.close()
        else:
            self._talk.start_next_cycle()


def key_of(asked: Asked) -> str:
    """The key of a range."""
    return b64decode(asked.body["key"]).decode()
