"""The file in which runner and guard meet, as the runner holds it. Its layout: guard.py."""

from __future__ import annotations

import fcntl
import mmap
import os

from gds.linux import guard


class GuardFile:
    """`fields`: its 8-byte numbers; `map`: all of it. What is written to them is there at once. Raises OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open(os.O_CREAT)

    def close(self) -> None:
        """It stays on disk."""
        self.fields.release()
        self.map.close()
        os.close(self._file)

    def put_back(self) -> None:
        """When somebody removed the file, or put another into its place: it is there again, with what it says."""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._file)):
                return
        except FileNotFoundError:
            pass  # removed
        with open(self._path + ".new", "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(self.map)
        os.rename(self._path + ".new", self._path)
        self.close()
        self._open(0)

    def is_locked(self) -> bool:
        """Some guard holds it."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def add(self, mark: bytes) -> bool:
        """One more mark, unless it is there; it counts once it is whole. False: there is no room."""
        count = self.fields[guard.MARKS]
        size = guard.MARK.size
        places = [guard.MARKS_AT + n * size for n in range(count + 1)]
        if mark in [self.map[at : at + size] for at in places[:-1]]:
            return True
        if count == guard.MOST_MARKS:
            return False
        self.map[places[-1] : places[-1] + size] = mark
        self.fields[guard.MARKS] = count + 1
        return True

    def _open(self, how: int) -> None:
        self._file = os.open(self._path, os.O_RDWR | how | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._file).st_size != guard.SIZE:
            os.ftruncate(self._file, guard.SIZE)
        self.map = mmap.mmap(self._file, guard.SIZE)
        self.fields = memoryview(self.map).cast("q")
