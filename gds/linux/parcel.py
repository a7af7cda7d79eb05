"""Messages between the runner, its zygote and its keepers: plain values and descriptors over a SEQPACKET socket.

One message is one marshal'd value, so that nobody needs a parser; what the socket cannot hold in one piece (a command
with a large environment) travels in a memory file whose descriptor is sent instead. Marshal's version is fixed, so
that a runner of a newer Python can still speak with the keepers of an older one.
"""

from __future__ import annotations

import marshal
import os
from _socket import AF_UNIX, CMSG_SPACE, MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket
from _socket import socketpair as _socketpair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMAT = 2
_LARGEST = 48 * 1024
_ROOM = CMSG_SPACE(8 * 4)


def pair() -> tuple[socket, socket]:
    """Two connected ends, closed on exec. Raises OSError when there are too many descriptors."""
    ours, theirs = _socketpair(AF_UNIX, SOCK_SEQPACKET)
    return ours, theirs


def send(sock: socket, message: Any, fds: tuple[int, ...] = ()) -> None:
    """Send now or raise OSError (BlockingIOError: full). The descriptors are duplicated on the way."""
    data = marshal.dumps(message, _FORMAT)
    memory = -1
    if len(data) > _LARGEST:
        memory = os.memfd_create("gds-parcel", os.MFD_CLOEXEC)
        view = memoryview(data)
        while view:
            view = view[os.write(memory, view) :]
        fds = (*fds, memory)
        data = b""
    try:
        if fds:
            rights = b"".join([fd.to_bytes(4, "little" if _LITTLE else "big") for fd in fds])
            sock.sendmsg((data or b"\0",), ((SOL_SOCKET, SCM_RIGHTS, rights),), MSG_NOSIGNAL)
        else:
            sock.send(data, MSG_NOSIGNAL)
    finally:
        if memory >= 0:
            os.close(memory)


def receive(sock: socket) -> tuple[Any, list[int]]:
    """The next message and its descriptors, now ours; (None, []) when the other end is gone.

    Raises BlockingIOError when there is nothing yet (on a socket that does not block).
    """
    try:
        data, extra, _flags, _address = sock.recvmsg(65536, _ROOM, MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None, []  # it ended with something of ours unread
    fds: list[int] = []
    for level, kind, rights in extra:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            fds.extend(memoryview(rights[: len(rights) & ~3]).cast("i"))
    if not data:
        return None, fds
    if data == b"\0":
        # marshal's own "nothing": the message is in the last descriptor
        memory = fds.pop()
        try:
            size = os.fstat(memory).st_size
            data = b""
            while len(data) < size:
                data += os.pread(memory, size - len(data), len(data))
        finally:
            os.close(memory)
    return marshal.loads(data), fds


def close(fds: list[int]) -> None:
    """Close descriptors that came with a message."""
    for fd in fds:
        os.close(fd)


_LITTLE = memoryview(b"\1\0").cast("H")[0] == 1
