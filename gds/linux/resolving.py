"""Resolving: the addresses of a host name, without ever blocking the loop.

In this order: an address written as such; /etc/hosts, read again when it changed; what was found less than `FRESH`
seconds ago; else the system's own resolver (DNS and whatever /etc/nsswitch.conf names), asked by a child process that
lives for that one question, because getaddrinfo blocks and the runner has no threads. Questions for the same name
share one child. A resolver that fails leaves what was known before in force: an outage of DNS says nothing about the
application. Nothing is remembered about a name that failed.
"""

from __future__ import annotations

import _socket
import os
import signal

from gds.linux.prctl import die_with_parent
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.linux.loop import Loop, Timer

    # (family, sockaddr without the port, which goes between the two parts): see `with_port`
    Address = tuple[int, str, tuple[int, ...]]
    OnFound = Callable[["Found"], None]
    Expect = Callable[[int, Callable[[int], None]], None]

FRESH = 30.0
"""Seconds for which an answer of the system's resolver is believed."""

HOSTS = "/etc/hosts"

_NO_SUCH_NAME = frozenset((_socket.EAI_NONAME, _socket.EAI_NODATA, _socket.EAI_ADDRFAMILY))

_LOOPBACK: dict[str, tuple[Address, ...]] = {
    "127.0.0.1": ((_socket.AF_INET, "127.0.0.1", ()),),
    "::1": ((_socket.AF_INET6, "::1", ()),),
}


class Found(Value):
    """What is known about a name; without `addresses`, `fault` says why in a sentence.

    `nameless`: nobody has that name. Else, without addresses, there was nobody to ask: that is a fault of this machine
    or its network and says nothing about the application.
    """

    addresses: tuple[Address, ...] = ()
    fault: str = ""
    nameless: bool = False


def with_port(address: Address, port: int) -> tuple[Any, ...]:
    """The socket address of `port` there."""
    return (address[1], port, *address[2])


def literal(host: str) -> tuple[Address, ...] | None:
    """The address that `host` is, when it is one and not a name; also in brackets, also with %interface."""
    known = _LOOPBACK.get(host)
    if known is not None:
        return known
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (":" in bare or bare.replace(".", "").isdigit()):
        return None
    try:
        found = _socket.getaddrinfo(bare, 0, 0, _socket.SOCK_STREAM, 0, _socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return tuple([(int(f), str(a[0]), tuple([int(n) for n in a[2:] if n])) for f, _, _, _, a in found])


class Question:
    """Somebody waits for an answer."""

    __slots__ = ("on_found", "timer")

    def __init__(self, on_found: OnFound) -> None:
        self.on_found: OnFound | None = on_found
        self.timer: Timer | None = None

    def cancel(self) -> None:
        """No answer will come."""
        self.on_found = None
        if self.timer is not None:
            self.timer.cancel()

    def answer(self, found: Found) -> None:
        """Give it, once."""
        callback = self.on_found
        self.cancel()
        if callback is not None:
            callback(found)


class Names:
    """See the module. `expect` is Reaper.expect: it reaps the children; without one they are waited for here."""

    def __init__(self, loop: Loop, expect: Expect | None = None, hosts: str = HOSTS) -> None:
        self._loop = loop
        self._expect = expect
        self._hosts_path = hosts
        self._hosts_stamp = (0, 0)
        self._hosts: dict[str, tuple[Address, ...]] = {}
        self._known: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._asking: dict[str, _Child] = {}

    def find(self, host: str, seconds: float, on_found: OnFound) -> Question | None:
        """Call `on_found` within `seconds`. None: it was called already, because nobody had to be asked."""
        numbers = literal(host) or self._from_hosts(host)
        if numbers:
            on_found(Found(numbers))
            return None
        known = self._known.get(host)
        if known is not None and known[0] > self._loop.now():
            on_found(Found(known[1]))
            return None
        child = self._asking.get(host)
        if child is None:
            try:
                child = _Child(self._loop, host, self._answered, self._expect)
            except OSError as error:
                on_found(
                    self._or_stale(host, Found((), f"cannot resolve {host}: {os.strerror(error.errno or 0).lower()}"))
                )
                return None
            self._asking[host] = child
        question = Question(on_found)
        question.timer = self._loop.after(seconds, lambda: self._late(host, question, seconds))
        child.questions.append(question)
        return question

    def _late(self, host: str, question: Question, seconds: float) -> None:
        child = self._asking.get(host)
        if child is not None and all(q is question or q.on_found is None for q in child.questions):
            del self._asking[host]
            child.kill()
        question.answer(self._or_stale(host, Found((), f"cannot resolve {host}: no answer within {seconds:.3g} s")))

    def _or_stale(self, host: str, found: Found) -> Found:
        known = self._known.get(host)
        return Found(known[1]) if known is not None and not found.addresses else found

    def _answered(self, child: _Child, found: Found) -> None:
        self._asking.pop(child.host, None)
        if found.addresses:
            self._known[child.host] = (self._loop.now() + FRESH, found.addresses)
        for question in child.questions:
            question.answer(self._or_stale(child.host, found))

    def _from_hosts(self, host: str) -> tuple[Address, ...]:
        try:
            facts = os.stat(self._hosts_path)
            if (facts.st_mtime_ns, facts.st_ino) != self._hosts_stamp:
                self._hosts_stamp = (facts.st_mtime_ns, facts.st_ino)
                self._hosts = {}
            found = self._hosts.get(host)
            if found is None:
                found = self._hosts[host] = _look_in(self._hosts_path, host)
        except OSError:
            return ()  # no such file: the resolver is asked
        return found


def _look_in(path: str, host: str) -> tuple[Address, ...]:
    wanted = os.fsencode(host.lower().removesuffix("."))
    found: list[Address] = []
    with open(path, "rb") as file:
        for line in file:
            words = line.partition(b"#")[0].lower().split()
            if wanted in words[1:]:
                found.extend(a for a in literal(os.fsdecode(words[0])) or () if a not in found)
    return tuple(found)


class _Child:
    """A process of ours that asks the system's resolver one question, writes the answer into a pipe and ends."""

    def __init__(
        self,
        loop: Loop,
        host: str,
        on_answer: Callable[[_Child, Found], None],
        expect: Expect | None,
    ) -> None:
        self.host = host
        self.questions: list[Question] = []
        self._loop = loop
        self._on_answer = on_answer
        self._heard = b""
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            pid = os.fork()
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        if pid == 0:
            _resolve(host, writer)
        os.close(writer)
        self._reader = reader
        self._pid = pid
        self._waits = expect is None
        if expect is not None:
            expect(pid, self._reaped)
        loop.watch(reader, self._read)

    def _reaped(self, _status: int) -> None:
        self._pid = 0

    def _read(self, _events: int) -> None:
        try:
            data = os.read(self._reader, 65536)
        except BlockingIOError:
            return
        if data:
            self._heard += data
            return
        self._close()
        self._on_answer(self, _understood(self._heard, self.host))

    def _close(self) -> None:
        self._loop.unwatch(self._reader)
        os.close(self._reader)
        if self._waits and self._pid:
            os.waitpid(self._pid, 0)
            self._pid = 0

    def kill(self) -> None:
        """Nobody wants to know any more."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        self._close()


def _understood(heard: bytes, host: str) -> Found:
    lines = heard.decode("utf-8", "replace").splitlines()
    if not lines or lines[-1] != ".":
        return Found((), f"cannot resolve {host}: the resolver ended before it answered")
    found: list[Address] = []
    for line in lines[:-1]:
        if line.startswith("!"):
            code, _, said = line[1:].partition(" ")
            return Found((), f"cannot resolve {host}: {said}", int(code) in _NO_SUCH_NAME)
        found.extend(a for a in literal(line) or () if a not in found)
    return Found(tuple(found), "" if found else f"cannot resolve {host}: it has no address", not found)


def _resolve(host: str, writer: int) -> None:
    """What the child does. It is a copy of the runner: it touches nothing of it and never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(signal.SIGKILL)
        # locks, sockets and pipes of the runner must not outlive it in a copy
        os.closerange(0, writer)
        os.closerange(writer + 1, 1 << 20)
        try:
            found = _socket.getaddrinfo(host, 0, 0, _socket.SOCK_STREAM)
            said = "\n".join(str(a[0]) for _, _, _, _, a in found)
        except OSError as error:
            said = f"!{error.errno or 0} {(error.strerror or '').lower()}"
        except UnicodeError:
            said = f"!{_socket.EAI_NONAME} it is no legal host name"
        os.write(writer, f"{said}\n.\n".encode()[-65000:])
    finally:
        os._exit(0)
