"""Where the keeper of a lasting tree is found by the next runner: its named socket, and who may come in.

Nobody else may speak to it: the folder is 0700, and the kernel's word on who connects must be root or our own user.
Making it undumpable as well would keep out nobody whom this lets in, and would hide it from an unprivileged runner
where /proc is mounted with hidepid.
"""

from __future__ import annotations

import os
import select
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, socket

from gds.linux import parcel
from gds.linux.keeperrecord import address, peer


def listen(folder: str, pid: int) -> socket:
    """The named socket of the keeper with this number. Raises OSError."""
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC)
    umask = os.umask(0o177)
    try:
        path = address(place, pid)
        if os.path.lexists(path):
            os.unlink(path)  # of a process that had our number before
        listener.bind(path)
        listener.listen(4)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(umask)
        os.close(place)
    return listener


def is_knocked(listener: socket) -> bool:
    """Somebody has connected, and was not answered yet."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def answer(listener: socket) -> socket | None:
    """Who has connected; None: it went away again."""
    try:
        fd, _address = listener._accept()  # type: ignore[attr-defined]  # the module in C calls it so
    except OSError:
        return None
    return socket(AF_UNIX, SOCK_SEQPACKET, 0, fd)


def is_trusted(caller: socket) -> bool:
    """The process that connected was root's, or our own user's."""
    _pid, uid = peer(caller)
    return uid in (0, os.geteuid())


def turn_away(caller: socket) -> None:
    """It is not the runner that we wait for, or we wait for none."""
    try:
        parcel.send(caller, ("busy",))
    except OSError:
        pass  # as much as it deserves
    caller.close()
