"""What a keeper leaves in its folder so that a later runner finds it: `PID.tree`, the record, and `PID.sock`."""

from __future__ import annotations

import errno
import os
from _socket import SO_PEERCRED, SOL_SOCKET, socket

from gds.linux import procfs

PROTOCOL = 1
"""What keeper and runner say to each other; a runner leaves keepers of another protocol alone."""

_PEERS = 12
"""struct ucred: pid, uid, gid."""


class Record:
    """What a keeper leaves in its folder for the next runner.

    `status` None: the tree has processes. `start` is the keeper's own start time, `guard` and `guard_start` are the
    zygote that it is a child of: while that lives, it kills what a killed keeper leaves, and then removes the record.
    """

    __slots__ = ("guard", "guard_start", "incarnation", "name", "start", "status")

    def __init__(
        self, name: str, incarnation: int, start: int, guard: int, guard_start: int, status: int | None
    ) -> None:
        self.name = name
        self.incarnation = incarnation
        self.start = start
        self.guard = guard
        self.guard_start = guard_start
        self.status = status

    def write(self, path: str) -> None:
        """Put it in place whole. Raises OSError."""
        status = "-" if self.status is None else str(self.status)
        lines = PROTOCOL, self.start, self.guard, self.guard_start, self.incarnation, status, self.name
        new = path + ".new"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            data = "\n".join(map(str, lines)).encode("utf-8", "surrogateescape")
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)
        os.rename(new, path)

    @classmethod
    def read(cls, path: str) -> Record | None:
        """None when it is not there, or not one of ours."""
        data = procfs.read(path, 8192)
        if not data:
            return None
        try:
            protocol, start, guard, guard_start, incarnation, status, name = data.decode(
                "utf-8", "surrogateescape"
            ).split("\n", 6)
            if int(protocol) != PROTOCOL:
                return None
            ended = None if status == "-" else int(status)
            return cls(name, int(incarnation), int(start), int(guard), int(guard_start), ended)
        except ValueError:
            return None


def peer(sock: socket) -> tuple[int, int]:
    """(pid, uid) of the process at the other end, as the kernel knows it."""
    data = memoryview(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, _PEERS)).cast("i")
    return data[0], data[1]


def address(folder: int, pid: int) -> str:
    """Where a keeper listens, by way of a descriptor of the folder: the folder's name may be as long as it likes."""
    return f"/proc/self/fd/{folder}/{pid}.sock"


def remove(path: str) -> None:
    """It may be gone already."""
    try:
        os.unlink(path)
    except OSError:
        pass
