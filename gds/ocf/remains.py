"""What is left of an instance whose runner is dead: the real processes, found where its trackers kept them.

A cgroup of the instance's own, below the one in which its runner was started, and the records of keepers in its
runtime directory (gds/linux: cgroupforest, keeperrecord). Never by name, environment or session. Only where no runner
lives: what is here is otherwise the runner's business.
"""

from __future__ import annotations

import os
import time
import zlib

from gds.linux import lineage, procfs, striking
from gds.linux.cgrouproot import is_delegated
from gds.linux.keeperrecord import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from gds.ocf.place import Place
else:
    import _signal as signal  # plain numbers, without the enums

_MARK = "user.gds"
_LOOK_AGAIN = 0.02
_GENTLY = 10.0
"""Seconds at most between SIGTERM and SIGKILL."""


class Remains:
    """See the module."""

    def __init__(self, place: Place) -> None:
        self._folder = f"{place.runtime}/keepers"
        above = (procfs.read(place.cgroup) or b"").decode().strip()
        own = f"{above}/gds-{zlib.crc32(place.runtime.encode()):08x}"
        self._cgroups = [own, *([above] if is_delegated(above) else [])] if above else []

    def processes(self) -> list[int]:
        """Living processes of applications, and of methods that were under way."""
        found: dict[int, None] = {}
        for path in self._trees():
            found.update(dict.fromkeys(_members(path)))
        for keeper, _ in self._keepers():
            found.update(dict.fromkeys(lineage.survey([keeper])))
        return sorted(found)

    def end(self, seconds: float) -> list[int]:
        """End all of it: SIGTERM, and SIGKILL after a third of the time at most; returns who is left after it."""
        begin = time.monotonic()
        known = {pid: lineage.start_of(pid) for pid in self.processes()}
        for pid, start in known.items():
            lineage.send_to(pid, start, signal.SIGTERM)
            lineage.send_to(pid, start, signal.SIGCONT)
        self._wait(begin + min(_GENTLY, seconds / 3))
        while left := self._strike():
            if time.monotonic() - begin > seconds:
                return left
            time.sleep(_LOOK_AGAIN)
        return []

    def _wait(self, until: float) -> None:
        while time.monotonic() < until and self.processes():
            time.sleep(_LOOK_AGAIN)

    def _strike(self) -> list[int]:
        """One round of SIGKILL; who it was meant for. Keepers go last: what they lose would climb to nobody."""
        left = self.processes()
        for path in self._trees():
            _kill(path)
        for keeper, start in self._keepers():
            striking.strike_below([keeper])
            if not lineage.survey([keeper]):
                lineage.send_to(keeper, start, signal.SIGKILL)
        return left

    def _trees(self) -> list[str]:
        """The cgroups of its applications and methods."""
        found = []
        for root in self._cgroups:
            try:
                entries = os.listdir(root)
            except OSError:
                continue  # none was made: keepers tracked
            for entry in entries:
                path = f"{root}/{entry}"
                if ":" in entry or (entry[:1] == "n" and entry[1:].isdigit() and _is_marked(path)):
                    found.append(path)
        return found

    def _keepers(self) -> list[tuple[int, int]]:
        """(pid, start) of those that have a tree."""
        try:
            entries = os.listdir(self._folder)
        except OSError:
            return []
        found = []
        for entry in entries:
            pid, _, kind = entry.partition(".")
            record = Record.read(f"{self._folder}/{entry}") if kind == "tree" and pid.isdecimal() else None
            if record is not None and record.status is None and lineage.is_alive(int(pid), record.start):
                found.append((int(pid), record.start))
        return found


def _is_marked(path: str) -> bool:
    try:
        return bool(os.getxattr(path, _MARK))
    except OSError:
        return False


def _members(path: str) -> list[int]:
    """Also those in cgroups that the application made itself."""
    found = [int(word) for word in (procfs.read(path + "/cgroup.procs", 1 << 20) or b"").split()]
    try:
        entries = os.listdir(path)
    except OSError:
        return found
    for entry in entries:
        below = f"{path}/{entry}"
        if os.path.isdir(below):
            found += _members(below)
    return [pid for pid in found if procfs.alive(pid)]


def _kill(path: str) -> None:
    try:
        fd = os.open(path + "/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        for pid in _members(path):  # Linux before 5.14
            lineage.send_to(pid, lineage.start_of(pid), signal.SIGKILL)
        return
    try:
        os.write(fd, b"1")
    except OSError:
        pass  # it is gone
    finally:
        os.close(fd)
