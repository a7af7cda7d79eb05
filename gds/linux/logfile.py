"""LogFile: a file that the runner opens for an application, safely, and where asked writes and rotates itself.

**Whose rights.** The runner may be root while a directory on the way belongs to somebody else, who could put a link in
the place of the file. So: in directories that only root (or ourselves) may write, links are root's own doing and are
followed. Where the last directory can be written by others, the file is opened, renamed and removed with the rights
of the application's user, and the kernel judges; without a `user`, only a file of ours with one name is taken, and
no link. Where a directory further up can be written by others, who could exchange what is below it, root refuses.

**Whose file.** 0640, never readable by the world. A file handed to the application belongs to its user, so that it can
open /dev/stdout anew. A file that the runner rotates stays ours, with the group of the application's user: it can
read its log but not change it.

**A full disk** never blocks the application. What cannot be written is dropped and counted; the log says so once;
writing is tried again with what comes a second later, and when it works the file gets a line that says how many bytes
are missing at that place, and so does the log.

**Nothing is lost in a crash.** Bytes go from the application's pipe to the file by splice(2), never through our
memory: at each instant a byte is in the pipe or in the file. (Read and write cost the same, but a SIGKILL between the
two loses what was read.)

**Rotation** is at `rotate` bytes, at the end of a line where one is nearby (the last 64 KiB, or a sixteenth of the
file when that is less); what follows it moves to the new file. A longer line is cut at exactly `rotate` bytes. PATH.1
is the newest old file. A crash between two renames leaves a gap that the next rotation fills: no file is lost; a crash
while the beginning of a line moves leaves it in both files.
"""

from __future__ import annotations

import _ctypes
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from gds.linux.journal import Log

NEARBY = 65536
"""Bytes before the size limit in which the end of a line is taken for the end of the file."""

TRY_AGAIN_AFTER = 1.0
"""Seconds until a file that could not be written is tried again."""

PIECE = 1 << 18
"""Bytes moved at a time, at most."""

_MODE = 0o640
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4


class AsUser:
    """Act on files with the rights of another user, for the length of a `with`. Does nothing for uid -1.

    One thread only, as the runner has. Changing identity makes a process undumpable, which hides its own /proc from
    it in some containers, so that is put back too.
    """

    def __init__(self, uid: int, gid: int) -> None:
        self._uid = uid
        self._gid = gid
        self._before: tuple[int, int, list[int]] | None = None

    def __enter__(self) -> None:
        if self._uid < 0 or os.geteuid() != 0:
            return
        self._before = (os.geteuid(), os.getegid(), os.getgroups())
        gid = self._gid if self._gid >= 0 else self._before[1]
        try:
            os.setgroups([gid])
            os.setegid(gid)
            os.seteuid(self._uid)
        except OSError:
            self._back()
            raise

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._back()

    def _back(self) -> None:
        if self._before is None:
            return
        uid, gid, groups = self._before
        self._before = None
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)
        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None = ourselves
        if _ctypes.call_function(prctl, (_PR_GET_DUMPABLE, 0, 0, 0, 0)) == 0:
            _ctypes.call_function(prctl, (_PR_SET_DUMPABLE, 1, 0, 0, 0))


def _exposed(directory: str) -> tuple[bool, str]:
    """(others than root and we may put files into `directory`, a directory above in which others could exchange it)."""
    ours = {0, os.geteuid(), os.stat("/").st_uid}
    facts = os.stat(directory)
    open_here = facts.st_uid not in ours or bool(facts.st_mode & 0o022)
    while directory != "/":
        above = os.path.dirname(directory)
        child, facts = facts, os.stat(above)
        # in a sticky directory nobody can rename what is ours
        loose = facts.st_mode & 0o022 and not (facts.st_mode & stat.S_ISVTX and child.st_uid in ours)
        if facts.st_uid not in ours or loose:
            return open_here, above
        directory = above
    return open_here, ""


class Place:
    """Where a file is, and with whose rights it is touched: see the module. Raises OSError with a readable reason."""

    __slots__ = ("gid", "path", "rights", "uid")

    def __init__(self, path: str, uid: int, gid: int) -> None:
        directory = os.path.realpath(os.path.dirname(path) or ".")
        here, above = _exposed(directory)
        real = os.path.join(directory, os.path.basename(path))
        if not here and not above and os.path.islink(real):
            real = os.path.realpath(real)
            here, above = _exposed(os.path.dirname(real))
        self.path = real
        self.uid = uid
        self.gid = gid
        other = uid >= 0 and uid != os.geteuid() and os.geteuid() == 0
        self.rights = uid if (here or above) and other else -1
        if above and not other:
            raise PermissionError(
                errno.EPERM,
                f"{above} can be written by others, who could put another file in its place; "
                "set user, or choose a directory that only its owner can write",
            )

    def open(self, handed_over: bool) -> int:
        """A descriptor to append with, for the application or for ourselves; the file is made when it is not there.

        Raises OSError.
        """
        # splice does not take O_APPEND; we look for the end ourselves, and read back where the last line ended
        flags = _SAFE | (os.O_WRONLY | os.O_APPEND if handed_over else os.O_RDWR)
        with AsUser(self.rights, self.gid):
            try:
                fd = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, _MODE)
                new = True
            except FileExistsError:
                fd = os.open(self.path, flags)
                new = False
        try:
            self._check(fd, handed_over)
            if new and self.rights < 0 and os.geteuid() == 0 and (self.uid >= 0 or self.gid >= 0):
                os.fchown(fd, self.uid if handed_over else -1, self.gid)
            os.set_blocking(fd, True)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _check(self, fd: int, handed_over: bool) -> None:
        facts = os.fstat(fd)
        if handed_over and stat.S_ISCHR(facts.st_mode):
            return
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if self.rights < 0 and _exposed(os.path.dirname(self.path))[0]:
            if facts.st_nlink > 1:
                raise PermissionError(errno.EPERM, "it has a second name, and others can write its directory")
            if facts.st_uid not in (0, os.geteuid(), self.uid):
                raise PermissionError(errno.EPERM, "it belongs to another user, and others can write its directory")


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
