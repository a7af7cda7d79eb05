"""What an earlier runner left: keepers of lasting trees, and the last words of trees that ended without any runner."""

from __future__ import annotations

import errno
import os
import signal
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, socket

from gds.linux import lineage, procfs, striking
from gds.linux.keeperrecord import Record, address, peer, remove
from gds.linux.keepertree import Keeper

_GUARD_PAUSE = 0.005
_GUARD_LOOKS = 400
"""Two seconds in all."""


class Legacy:
    """See the module. `folder`: where keepers' records are."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._found: dict[tuple[str, int], Keeper] = {}
        self._gone: dict[str, tuple[int, int, str]] = {}

    def look(self) -> list[tuple[str, int]]:
        """(name, incarnation) of the trees that still have processes; their keepers are ours from now on.

        A keeper that lives but cannot be reached is killed with its tree.
        """
        found: list[tuple[str, int]] = []
        for entry in sorted(os.listdir(self._folder)):
            number, _dot, kind = entry.partition(".")
            path = f"{self._folder}/{entry}"
            if not number.isdigit():
                continue
            if kind != "tree":
                if procfs.stat(int(number)) is None:
                    remove(path)  # of a keeper that was killed with everybody who could have tidied up
                continue
            record = Record.read(path)
            if record is None:
                remove(path)
            elif record.status is not None:
                self._remember(record, record.status, path)
            else:
                keeper = self._reach(int(number), record)
                if keeper is None:
                    remove(path)
                    remove(f"{self._folder}/{number}.sock")
                    continue
                key = record.name, record.incarnation
                self._found[key] = keeper
                found.append(key)
        return found

    def take(self, name: str, incarnation: int) -> Keeper | None:
        """The keeper of that tree, once."""
        return self._found.pop((name, incarnation), None)

    def gone(self, name: str) -> tuple[int, int] | None:
        """(incarnation, wait status) of a tree that emptied without any runner; None when there is none."""
        left = self._gone.get(name)
        return left[:2] if left is not None else None

    def forget(self, name: str) -> None:
        """Its last word is out of date."""
        left = self._gone.pop(name, None)
        if left is not None:
            remove(left[2])

    def last_word(self, pid: int, record: Record) -> int | None:
        """The wait status that a keeper left which ended while we were about to adopt its tree; once."""
        path = f"{self._folder}/{pid}.tree"
        left = Record.read(path)
        if left is None or left.status is None or (left.name, left.start) != (record.name, record.start):
            return None
        remove(path)
        return left.status

    def close(self) -> None:
        """Let go of what nobody took; forget last words."""
        for keeper in self._found.values():
            keeper.sock.close()
        self._found.clear()
        for name in list(self._gone):
            self.forget(name)

    def _remember(self, record: Record, status: int, path: str) -> None:
        known = self._gone.get(record.name)
        if known is not None and known[0] > record.incarnation:
            remove(path)
            return
        self.forget(record.name)
        self._gone[record.name] = record.incarnation, status, path

    def _reach(self, pid: int, record: Record) -> Keeper | None:
        """Connect to a keeper; None: it is dead, or had to be killed with its tree."""
        lineage.send_to(record.guard, record.guard_start, signal.SIGCONT)
        if not lineage.is_alive(pid, record.start):
            self._wait_for_guard(pid, record)
            return None
        keeper = Keeper(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC))
        keeper.pid, keeper.start, keeper.record = pid, record.start, record
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            keeper.sock.connect(address(folder, pid))
            if peer(keeper.sock) != (pid, os.geteuid()):
                raise OSError(errno.EPERM, "another process listens there")
        except OSError:
            keeper.sock.close()
            # never two copies: what cannot be followed must not go on
            striking.strike_below([pid])
            keeper.signal(signal.SIGKILL)
            self._wait_for_guard(pid, record)
            return None
        finally:
            os.close(folder)
        keeper.signal(signal.SIGCONT)
        return keeper

    def _wait_for_guard(self, pid: int, record: Record) -> None:
        """A zygote of an earlier runner kills what a keeper of its left, and then removes the record.

        It takes milliseconds, and to start the same again before it is done would make a second copy. So this waits,
        but not for ever: at the start of the runner nobody else does yet.
        """
        for _each in range(_GUARD_LOOKS):
            guarded = lineage.is_alive(record.guard, record.guard_start)
            if not guarded or not os.path.exists(f"{self._folder}/{pid}.tree"):
                return
            time.sleep(_GUARD_PAUSE)
