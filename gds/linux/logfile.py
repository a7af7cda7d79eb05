"""LogFile: a file that the runner writes for an application, and rotates.

**A full disk** never blocks the application. What cannot be written is dropped and counted; the log says so once;
writing is tried again with what comes a second later, and when it works the file gets a line that says how many bytes
are missing at that place, and so does the log.

**Nothing is lost in a crash.** Bytes go from the application's pipe to the file by splice(2), never through our
memory: at each instant a byte is in the pipe or in the file. (Read and write cost the same, but a SIGKILL between the
two loses what was read.)

**Rotation** is at `rotate` bytes, at the end of a line where one is nearby (the last 64 KiB, or a sixteenth of the
file when that is less); what follows it moves to the new file. A longer line is cut at exactly `rotate` bytes. PATH.1
is the newest old file. A crash between two renames leaves a gap that the next rotation fills: no file is lost. A crash
while the beginning of a line moves leaves it, or its first part, in both files, until the next runner opens them.
"""

from __future__ import annotations

import errno
import os

from gds.linux.place import AsUser, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.linux.journal import Log

NEARBY = 65536
"""Bytes before the size limit in which the end of a line is taken for the end of the file."""

TRY_AGAIN_AFTER = 1.0
"""Seconds until a file that could not be written is tried again."""

PIECE = 1 << 18
"""Bytes moved at a time, at most."""


class LogFile:
    """A file that the runner writes and rotates; see the module."""

    __slots__ = (
        "_again_at",
        "_fault",
        "_fd",
        "_gid",
        "_limit",
        "_log",
        "_now",
        "_place",
        "_splices",
        "_stuck",
        "_uid",
        "keep",
        "lost",
        "path",
        "rotate",
        "users",
    )

    def __init__(
        self, path: str, rotate: int, keep: int, uid: int, gid: int, log: Log, now: Callable[[], float]
    ) -> None:
        """Raises OSError when it cannot be opened."""
        self.path = path
        self.rotate = self._limit = rotate
        self.keep = keep
        self.users = 0
        """How many streams write it."""
        self.lost = 0
        """Bytes dropped since the last write that worked."""
        self._log = log
        self._now = now
        self._uid = uid
        self._gid = gid
        self._fault = ""
        self._again_at = 0.0
        self._splices = True
        self._stuck = False
        self._fd = -1
        self._open()
        if rotate:
            self._finish_move()

    def _open(self) -> None:
        self._place = Place(self.path, self._uid, self._gid)
        fd = self._place.open(handed_over=False)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._limit = self.rotate

    def resize(self, rotate: int, keep: int) -> None:
        """Other limits from now on."""
        self.rotate = self._limit = rotate
        self.keep = keep

    def reopen(self) -> None:
        """Close and open again by name: somebody else moved the file away."""
        try:
            self._open()
        except OSError as error:
            self._log.error(f"cannot open {self.path} again: {_words(error)}; the file open until now is written on")

    def close(self) -> None:
        """Nobody writes any more."""
        if self.lost:
            self._log.warning(f"{self.path}: {self.lost} bytes of output were lost: {self._fault}")
            self.lost = 0
        os.close(self._fd)
        self._fd = -1

    # -- writing ------------------------------------------------------------------------------------------------------

    def take(self, pipe: int) -> int:
        """Move a piece of what is in `pipe` to the end of the file, rotating where it is due; how many bytes, 0 = it
        is empty. What cannot be written is dropped: see the module. Raises OSError only for the pipe."""
        if self._fault and not self._healed():
            return self._drop(pipe)
        try:
            size = os.lseek(self._fd, 0, os.SEEK_END)
            if size >= self._limit:
                self._turn_over(size)
                size = os.lseek(self._fd, 0, os.SEEK_END)
            moved = self._move(pipe, min(PIECE, max(self._limit - size, 1)))
        except BlockingIOError:
            return 0
        except OSError as error:
            self._failed(error)
            return self._drop(pipe)
        size += moved
        if size >= self._limit - self._nearby():
            self._near_the_end(size)
        return moved

    def _move(self, pipe: int, most: int) -> int:
        if self._splices:
            try:
                return os.splice(pipe, self._fd, most)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._splices = False  # a filesystem that cannot
        data = os.read(pipe, most)
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:
            self.lost += len(data) - done
            raise
        return done

    def _drop(self, pipe: int) -> int:
        try:
            gone = len(os.read(pipe, 65536))
        except BlockingIOError:
            return 0
        self.lost += gone
        return gone

    def _failed(self, error: OSError) -> None:
        self._again_at = self._now() + TRY_AGAIN_AFTER
        if not self._fault:
            self._fault = _words(error)
            self._log.error(f"cannot write {self.path}: {self._fault}; output is dropped until it works again")

    def _healed(self) -> bool:
        """Try the file again when it is time, with a line that says what is missing."""
        if self._now() < self._again_at:
            return False
        note = f"[gds: {self.lost} bytes of output are missing here: {self._fault}]\n".encode()
        try:
            size = os.lseek(self._fd, 0, os.SEEK_END)
            if size and os.pread(self._fd, 1, size - 1) != b"\n":
                note = b"\n" + note
            done = os.write(self._fd, note)
            if done < len(note):
                os.ftruncate(self._fd, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._failed(error)
            return False
        self._log.warning(f"{self.path} can be written again; {self.lost} bytes of output were lost: {self._fault}")
        self.lost = 0
        self._fault = ""
        return True

    # -- rotating -----------------------------------------------------------------------------------------------------

    def _nearby(self) -> int:
        return min(NEARBY, self.rotate >> 4)

    def _near_the_end(self, size: int) -> None:
        """It is full, or nearly: rotate when a line has ended, at the latest when it is full."""
        try:
            if size >= self._limit or os.pread(self._fd, 1, size - 1) == b"\n":
                self._turn_over(size)
        except OSError as error:
            self._failed(error)

    def _turn_over(self, size: int) -> None:
        """Close this file at its last line that ends nearby; what follows begins the next one."""
        start = max(0, size - self._nearby())
        tail = os.pread(self._fd, size - start, start)
        tail = tail[tail.rfind(b"\n") + 1 :]
        if len(tail) == size - start:
            tail = b""  # no line ends nearby: it is cut here
        try:
            old = os.dup(self._fd)
            try:
                with AsUser(self._place.rights, self._place.gid):
                    self._shift()
                self._open()
                if tail and os.write(self._fd, tail) == len(tail) and self.keep:
                    os.ftruncate(old, size - len(tail))
            finally:
                os.close(old)
            self._stuck = False
        except OSError as error:
            # written on, larger than asked; tried again when as much has come once more
            self._limit = os.lseek(self._fd, 0, os.SEEK_END) + self.rotate
            if not self._stuck:
                self._stuck = True
                self._log.error(f"cannot rotate {self.path}: {_words(error)}; it grows on")

    def _finish_move(self) -> None:
        """A runner was killed while it moved the beginning of a line: have it once."""
        size = os.fstat(self._fd).st_size
        if not 0 < size <= self._nearby():
            return
        try:
            with AsUser(self._place.rights, self._place.gid):
                old = os.open(f"{self._place.path}.1", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return  # there is none, or it is not ours
        try:
            end = os.lseek(old, 0, os.SEEK_END)
            start = max(0, end - self._nearby())
            last, line, tail = os.pread(old, end - start, start).rpartition(b"\n")
            moved = os.pread(self._fd, size, 0)
            if not line or not tail.startswith(moved):
                return  # cut, because no line ended nearby; or moved to its end
            if moved == tail:
                os.ftruncate(old, start + len(last) + 1)
            else:
                os.ftruncate(self._fd, 0)
        finally:
            os.close(old)

    def _shift(self) -> None:
        path = self._place.path
        if not self.keep:
            os.ftruncate(self._fd, 0)
            return
        if not os.path.lexists(path):
            return  # somebody else moved it
        # the first gap takes the push; without one the oldest is overwritten
        last = 1
        while last < self.keep and os.path.lexists(f"{path}.{last}"):
            last += 1
        for n in range(last, 1, -1):
            os.rename(f"{path}.{n - 1}", f"{path}.{n}")
        os.rename(path, f"{path}.1")
        beyond = self.keep + 1
        while os.path.lexists(f"{path}.{beyond}"):  # fewer are kept than before
            os.unlink(f"{path}.{beyond}")
            beyond += 1


def kept(path: str) -> list[str]:
    """The files of one log that there are, oldest first, the one being written last."""
    directory, name = os.path.split(path)
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return []
    numbers = [int(n[len(name) + 1 :]) for n in names if n.startswith(f"{name}.") and n[len(name) + 1 :].isdecimal()]
    found = [f"{path}.{n}" for n in sorted(numbers, reverse=True)]
    return [*found, path] if name in names else found


def _words(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a symbolic link in a directory that others can write"
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]
