"""Notify: what applications say to their NOTIFY_SOCKET (ux.md 7): READY=1, WATCHDOG=1, STATUS= and their like.

Each application has a datagram socket of its own, `runtime_dir`/notify/NAME, 0600, belonging to its user, so that only
that user and root can send; the kernel vouches for who sent (SO_PASSCRED), and what another user sent is thrown away
with one warning. Whether the sender belongs to the application's tree is for the driver to judge: it gets the pid.

After a crash of the runner the successor binds the same path; in between a sender sees ECONNREFUSED, as with systemd,
and its library ignores it. Descriptors that come with a message are closed by the kernel, because no room is given for
them; that is the answer that BARRIER=1 waits for.

A flood starves nobody: at most `BURST` messages are read in a turn, and a sender of more than `MOST_A_SECOND` is not
listened to for the rest of that second; its queue of ten fills, and it waits in its own send.
"""

from __future__ import annotations

import _socket
import binascii
import os
import struct

from gds.model.names import LAST_WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.linux.journal import Log
    from gds.linux.loop import Loop, Timer

    OnMessage = Callable[[str, dict[str, str], int], None]

BURST = 32
MOST_A_SECOND = 1000
LARGEST = 4096
"""Bytes of a message; a longer one is thrown away, as systemd does."""

_LONGEST_PATH = 107
_CREDENTIALS = struct.Struct("iII")
_ROOM = _socket.CMSG_SPACE(_CREDENTIALS.size)
KEYS = frozenset(
    (
        "READY",
        "RELOADING",
        "STOPPING",
        "STATUS",
        "WATCHDOG",
        "WATCHDOG_USEC",
        "MAINPID",
        "ERRNO",
        "EXIT_STATUS",
        "EXTEND_TIMEOUT_USEC",
        "MONOTONIC_USEC",
        LAST_WORDS,
    )
)
"""What is understood; anything else in a message is passed over."""


def parse(data: bytes) -> dict[str, str]:
    """The assignments of a message that are understood, the last of each; values on one line, printable.

    Never raises, whatever `data` is.
    """
    found: dict[str, str] = {}
    for line in data.split(b"\n"):
        key, equals, value = line.partition(b"=")
        name = key.decode("ascii", "replace")
        if equals and name in KEYS:
            text = value.decode("utf-8", "replace")
            found[name] = text if text.isprintable() else "".join([c if c.isprintable() else " " for c in text])
    return found


class _Ear:
    """The socket of one application."""

    __slots__ = ("count", "name", "path", "pause", "second", "socket", "uid", "warned")

    def __init__(self, name: str, path: str, uid: int, socket: _socket.socket) -> None:
        self.name = name
        self.path = path
        self.uid = uid
        self.socket = socket
        self.second = 0
        self.count = 0
        self.pause: Timer | None = None
        self.warned: set[str] = set()


class Notifies:
    """See the module. `on_message(resource, assignments, pid of the sender)`, never with an empty dict."""

    def __init__(self, loop: Loop, runtime_dir: str, on_message: OnMessage, log: Log | None = None) -> None:
        """`runtime_dir` "" = none can be written: abstract sockets are used, guarded by the sender's user alone."""
        self._loop = loop
        self._log = log
        self._directory = f"{runtime_dir}/notify" if runtime_dir else ""
        self._on_message = on_message
        self._ears: dict[str, _Ear] = {}

    def open(self, name: str, uid: int = -1, gid: int = -1) -> str:
        """The NOTIFY_SOCKET for resource `name`, whose processes run as `uid` (-1 = as ourselves).

        Kept until `close`; asking again costs nothing. Raises OSError, its text for a person.
        """
        ear = self._ears.get(name)
        if ear is not None:
            if ear.uid == uid and (ear.path.startswith("@") or os.path.lexists(ear.path)):
                return ear.path
            self.close(name)
        path = self._path(name)
        try:
            socket = self._bind(path, uid, gid)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise OSError(f"cannot make the notify socket {path} of {name}: {why}") from error
        ear = self._ears[name] = _Ear(name, path, uid, socket)
        self._loop.watch(socket.fileno(), lambda _events: self._hear(ear))
        return path

    def hand_over(self) -> list[tuple[str, str, int, int]]:
        """(name, path, uid, descriptor) of each socket, for `resume` of the runner after us in this process."""
        return [(ear.name, ear.path, ear.uid, ear.socket.fileno()) for ear in self._ears.values()]

    def resume(self, name: str, path: str, uid: int, fd: int) -> None:
        """Listen on, where the runner before us did; what was said meanwhile waits in the socket."""
        ear = self._ears[name] = _Ear(name, path, uid, _socket.socket(fileno=fd))
        ear.socket.setblocking(False)
        self._loop.watch(fd, lambda _events: self._hear(ear))

    def _bind(self, path: str, uid: int, gid: int) -> _socket.socket:
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        try:
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
            if path.startswith("@"):
                socket.bind(f"\0{path[1:]}")
                return socket
            os.makedirs(self._directory, 0o711, exist_ok=True)
            os.chmod(self._directory, 0o711)  # any user may pass through; the sockets themselves are closed
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass  # the usual case: no runner before us
            mask = os.umask(0o177)
            try:
                socket.bind(path)
            finally:
                os.umask(mask)
            if os.geteuid() == 0 and (uid > 0 or gid > 0):
                os.chown(path, max(uid, 0), max(gid, 0), follow_symlinks=False)
        except OSError:
            socket.close()
            raise
        return socket

    def close(self, name: str) -> None:
        """Nobody is listened to under that name any more."""
        ear = self._ears.pop(name, None)
        if ear is None:
            return
        if ear.pause is not None:
            ear.pause.cancel()
        self._loop.unwatch(ear.socket.fileno())
        ear.socket.close()
        if not ear.path.startswith("@"):
            try:
                os.unlink(ear.path)
            except OSError:
                pass  # somebody tidied before us

    def close_all(self) -> None:
        """The runner ends in order."""
        for name in list(self._ears):
            self.close(name)

    def drain(self, name: str) -> None:
        """Hear what is waiting now: the tree is gone, and its last words (STATUS=) count."""
        ear = self._ears.get(name)
        if ear is not None:
            self._hear(ear)

    def _path(self, name: str) -> str:
        """Where `name` is heard; short, because a socket's path is, while a name may have 255 characters."""
        directory = f"{self._directory}/" if self._directory else f"@gds/{os.getpid()}/"
        room = _LONGEST_PATH - len(os.fsencode(directory))
        if len(name) <= room:
            return directory + name
        data = name.encode()
        short = f"{name[: min(20, room - 17)]}-{binascii.crc32(data):08x}{binascii.crc32(data[::-1]):08x}"
        if room < 18:
            raise OSError(
                f"cannot make a notify socket in {directory}: a socket's path has at most {_LONGEST_PATH} bytes; "
                "choose a shorter runtime_dir"
            )
        return directory + short

    def _hear(self, ear: _Ear) -> None:
        now = int(self._loop.now())
        if now != ear.second:
            ear.second = now
            ear.count = 0
        for _ in range(min(BURST, MOST_A_SECOND - ear.count)):
            try:
                data, extra, flags, _from = ear.socket.recvmsg(LARGEST, _ROOM)
            except BlockingIOError:
                return
            except OSError as error:
                self._warn(ear, "read", f"cannot read {ear.path}: {os.strerror(error.errno or 0).lower()}")
                return
            ear.count += 1
            self._take(ear, data, extra, flags)
            if self._ears.get(ear.name) is not ear:
                return  # closed by what it led to
        if ear.count >= MOST_A_SECOND and ear.pause is None:
            self._warn(ear, "flood", f"{MOST_A_SECOND} notifications in a second; it has to wait")
            self._loop.unwatch(ear.socket.fileno())
            ear.pause = self._loop.at(now + 1.0, lambda: self._listen_again(ear))

    def _listen_again(self, ear: _Ear) -> None:
        ear.pause = None
        self._loop.watch(ear.socket.fileno(), lambda _events: self._hear(ear))

    def _take(self, ear: _Ear, data: bytes, extra: list[tuple[int, int, bytes]], flags: int) -> None:
        pid, uid = 0, -1
        for level, kind, content in extra:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_CREDENTIALS and len(content) >= _CREDENTIALS.size:
                pid, uid, _ = _CREDENTIALS.unpack(content[: _CREDENTIALS.size])
        if uid not in (0, os.geteuid(), ear.uid):
            self._warn(ear, "sender", f"notification of user {uid} (pid {pid}) thrown away: not the application's user")
        elif flags & _socket.MSG_TRUNC:
            self._warn(ear, "long", f"notification of more than {LARGEST} bytes thrown away")
        elif said := parse(data):
            self._on_message(ear.name, said, pid)

    def _warn(self, ear: _Ear, kind: str, text: str) -> None:
        """Once for each application and kind: a flood must not become one of the log."""
        if self._log is not None and kind not in ear.warned:
            ear.warned.add(kind)
            self._log.warning(text, resource=ear.name)
