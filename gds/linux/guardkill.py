"""What the guard does when the instant has come: killing, and removing addresses. See guard.py.

The runner does it with the same code when there is no guard. Kernel files and one netlink socket, nothing of gds.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_ROUNDS = 64
_ADDRESS = struct.Struct("=BBBBI")
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Nothing can be opened: nobody knows what is there."""
_RESERVE = 8
"""Descriptors that a strike opens at most at the same time, and some."""
_GONE = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO)
"""With its interface, or by somebody else: well."""


def read(path: str) -> bytes:
    """A kernel file; empty when it is gone. Raises OSError when nothing can be opened."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in SHORT:
            raise
        return b""
    try:
        data = more = os.read(fd, 65536)
        while len(more) == 65536:
            more = os.read(fd, 65536)
            data += more
        return data
    except OSError:
        return b""  # removed, or its process ended, while we read
    finally:
        os.close(fd)


class Strike:
    """Kills what lives under `root`; `spared`: the pids that may not be harmed (the runner's, when it lives)."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.spared: frozenset[int] = frozenset()
        self._reserved: list[int] = []

    def reserve(self) -> None:
        """Hold what a strike has to open, for a time in which nothing more can be opened."""
        try:
            while len(self._reserved) < _RESERVE:
                self._reserved.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            pass  # as many as there are; the next time again

    def all(self) -> tuple[int, bool]:
        """(cgroups in which somebody was met, somebody is still left, for all we know). Takes some 10 ms at most. What
        was reserved is used up."""
        while self._reserved:
            os.close(self._reserved.pop())
        met = 0
        for number in range(_ROUNDS):
            try:
                found = self._round()
            except OSError:
                return met, True  # nothing can be opened: whoever is there is still there
            if not found:
                return met, False
            met = max(met, found)
            if number:
                time.sleep(0.0002)
        return met, True

    def _round(self) -> int:
        try:
            entries = os.listdir(self.root)
        except OSError as error:
            if error.errno in SHORT:
                raise
            return 0  # the runner has ended in order, and its cgroups with it
        return sum([self._kill(f"{self.root}/{entry}", entry) for entry in entries])

    def _kill(self, path: str, entry: str) -> bool:
        """Whether somebody was met.

        The runner enters none but a new cgroup without mark, and never one it has left. So where there is a mark and
        the runner is not, it will not be, and all may be killed at once; elsewhere one by one.
        """
        whole = ":" in entry  # NAME:METHOD
        if whole:
            if entry[:1] == "@":
                return False  # of a nametag
        elif entry[:1] == "n" and entry[1:].isdigit():
            name = _name(path)
            if name[:1] == "@":
                return False
            whole = bool(name)
        else:
            return False  # helpers, this guard, systemd's, an administrator's
        if b"populated 1" not in read(path + "/cgroup.events"):
            return False
        if whole and self.spared.isdisjoint(_pids(path)):
            try:
                write(path + "/cgroup.kill", b"1")
            except OSError:
                pass  # gone, also between open and write; a kernel before 5.14; or nothing can be opened
            else:
                return True
        return self._one_by_one(path)

    def _one_by_one(self, path: str) -> bool:
        met = False
        for pid in _pids(path):
            if pid not in self.spared:
                met = True
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue  # gone in between
        try:
            below = [each.path for each in os.scandir(path) if each.is_dir(follow_symlinks=False)]
        except OSError as error:
            if error.errno in SHORT:
                raise
            return met  # removed
        for each in below:
            met = self._one_by_one(each) or met
        return met


def write(path: str, data: bytes) -> None:
    """One write to a kernel file. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _pids(path: str) -> list[int]:
    return [int(word) for word in read(path + "/cgroup.procs").split()]


def _name(path: str) -> str:
    """Whose cgroup it is; "" = no application's: the runner's own, where methods are born."""
    try:
        return os.getxattr(path, "user.gds").decode("utf-8", "replace").partition(" ")[2]
    except OSError:
        return ""


def remove_addresses(marks: set[tuple[int, bytes]]) -> int:
    """Remove every address with one of these marks (metric and label; IPv6 has no label). How many. Raises OSError."""
    route = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
    try:
        route.settimeout(0.25)
        route.bind((0, 0))
        metrics = {metric for metric, _label in marks}
        route.send(_HEADER.pack(24, 22, 0x301, 1, 0) + bytes(8))  # RTM_GETADDR, all of them
        ours = []
        for body in _answers(route):
            family, prefix, _flags, _scope, index = _ADDRESS.unpack_from(body)
            has = dict(_attributes(body))
            metric = int.from_bytes(has.get(9, b""), sys.byteorder)
            label = has.get(3, b"").rstrip(b"\0")
            if metric in metrics and (family == _socket.AF_INET6 or (metric, label) in marks):
                ours.append((family, prefix, index, has))
        wrong = None
        for family, prefix, index, has in ours:
            try:
                _remove(route, family, prefix, index, has)
            except OSError as error:
                if error.errno not in _GONE:
                    wrong = error  # and the others go all the same
        if wrong is not None:
            raise wrong
        return len(ours)
    finally:
        route.close()


def _answers(route: _socket.socket) -> Iterator[bytes]:
    """The bodies of RTM_NEWADDR until the dump is done, or nothing and an acknowledgement. Raises OSError: refused."""
    while True:
        data = route.recv(1 << 16)
        at = 0
        while at + 16 <= len(data):
            length, kind, _flags, _number, _pid = _HEADER.unpack_from(data, at)
            if kind == 2:  # NLMSG_ERROR; 0 is well
                code = -struct.unpack_from("=i", data, at + 16)[0]
                if code:
                    raise OSError(code, os.strerror(code))
            if kind in (2, 3):  # NLMSG_DONE
                return
            if kind == 20:
                yield data[at + 16 : at + length]
            at += max(16, (length + 3) & ~3)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 8
    while at + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        yield kind & 0x3FFF, body[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)


def _remove(route: _socket.socket, family: int, prefix: int, index: int, has: dict[int, bytes]) -> None:
    """RTM_DELADDR. Others of its subnet do not go with it (promote_secondaries). Raises OSError."""
    knob = was = b""
    if family == _socket.AF_INET:
        try:
            knob = b"/proc/sys/net/ipv4/conf/%s/promote_secondaries" % _socket.if_indextoname(index).encode()
            was = read(os.fsdecode(knob))
            if was.strip() == b"0":
                write(os.fsdecode(knob), b"1")
        except OSError:
            was = b""  # the interface is gone, or /proc/sys is read-only: what goes too is put back by its owner
    words = b"".join([_ATTRIBUTE.pack(4 + len(has[k]), k) + has[k] for k in (2, 1) if k in has])
    body = _ADDRESS.pack(family, prefix, 0, 0, index) + words
    try:
        route.send(_HEADER.pack(16 + len(body), 21, 5, 2, 0) + body)
        for _nothing in _answers(route):
            pass
    finally:
        if was.strip() == b"0":
            write(os.fsdecode(knob), was)
