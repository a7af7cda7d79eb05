"""Place: a file that the runner opens for an application, with whose rights, and who else could have a hand in it.

**Whose rights.** The runner may be root while a directory on the way belongs to somebody else, who could put a link in
the place of the file. So: in directories that only root (or ourselves) may write, links are root's own doing and are
followed. Where the last directory can be written by others (a volume of a container is 0777), the file is opened,
renamed and removed with the rights of the application's user, and the kernel judges; without a `user`, only a file of
ours with one name is taken, and no link. Where others can exchange what a directory further up holds, they could put
another directory there: root without a `user` refuses. They can where it belongs to one of them, and where they can
write it and it is not sticky. A group counts among the others when it is the application's, or one of people; a system
group (Ubuntu's /var/log belongs to syslog's) does not.

**Whose file.** 0640, never readable by the world. A file handed to the application belongs to its user, so that it can
open /dev/stdout anew. A file that the runner writes stays ours, with the group of the application's user: it can read
its log but not change it. A file that was there keeps its owner and mode.
"""

from __future__ import annotations

import _ctypes
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

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


class _Way:
    """The way to a file, link by link, and who else could change it on the way.

    `path` has no links of ours left; `open_here`: others can put files into its directory; `exposed`: a directory
    further up in which others could exchange what is followed, and how that comes ("" = none).
    """

    __slots__ = ("_gid", "_ours", "exposed", "open_here", "path")

    def __init__(self, path: str, gid: int) -> None:
        self._ours = {0, os.geteuid(), os.stat("/").st_uid}
        self._gid = gid
        self.exposed = ""
        self.open_here = False
        here = "/"
        names = os.path.abspath(path).split("/")[1:]
        links = 0
        while names:
            name = names.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                here = os.path.dirname(here)
                continue
            there = os.path.join(here, name)
            last = not any(names)
            try:
                facts: os.stat_result | None = os.lstat(there)
            except FileNotFoundError:
                if not last:
                    raise
                facts = None
            safe, how = self._is_safe(here, None if last else facts)
            if not safe and not last:
                self.exposed = f"{here} can be written by others ({how})"
                break
            if facts is not None and stat.S_ISLNK(facts.st_mode) and safe:
                links += 1
                if links > 40:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = os.readlink(there)
                names = [*target.split("/"), *names]
                here = "/" if target.startswith("/") else here
                continue
            self.open_here = not safe
            here = there
        # from an exposed directory on, the kernel finds the way, with the rights of the application
        self.path = os.path.join(here, *names) if not self.exposed else path

    def _is_safe(self, directory: str, child: os.stat_result | None) -> tuple[bool, str]:
        """(Only root and we can change what the name of `child` in `directory` stands for, None: any name; how others
        could)."""
        facts = os.stat(directory)
        if facts.st_uid not in self._ours:
            return False, f"it belongs to uid {facts.st_uid}"
        how = ""
        if facts.st_mode & 0o002:
            how = f"its mode is {facts.st_mode & 0o7777:o}"
        elif facts.st_mode & 0o020 and (facts.st_gid == self._gid or _of_people(facts.st_gid)):
            how = f"its mode is {facts.st_mode & 0o7777:o} and its group {facts.st_gid}"
        if not how:
            return True, ""
        if not facts.st_mode & stat.S_ISVTX:
            return False, how
        # in a sticky directory nobody can rename what is ours
        return child is not None and child.st_uid in self._ours, how


def _of_people(gid: int) -> bool:
    """Not a system group (login.defs); 100 is `users`, everybody's group on some distributions."""
    return gid >= 1000 or gid == 100


def refusal(path: str) -> str:
    """Why a file of that name would not be opened for an application without a user; "" = nothing is known."""
    try:
        Place(path, -1, -1)
    except PermissionError as error:
        return (error.strerror or "") if error.errno == errno.EPERM else ""
    except OSError:
        return ""
    return ""


class Place:
    """Where a file is, and with whose rights it is touched: see the module. Raises OSError with a readable reason."""

    __slots__ = ("gid", "open_here", "path", "rights", "uid")

    def __init__(self, path: str, uid: int, gid: int) -> None:
        way = _Way(path, gid)
        self.path = way.path
        self.open_here = way.open_here
        self.uid = uid
        self.gid = gid
        other = uid >= 0 and uid != os.geteuid() and os.geteuid() == 0
        self.rights = uid if (way.open_here or way.exposed) and other else -1
        if way.exposed and not other:
            raise PermissionError(
                errno.EPERM,
                f"{way.exposed}, who could put another file in its place; set user, or choose directories that only"
                " root can write, or that are sticky as /tmp is",
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
        if self.rights < 0 and self.open_here:
            if facts.st_nlink > 1:
                raise PermissionError(errno.EPERM, "it has a second name, and others can write its directory")
            if facts.st_uid not in (0, os.geteuid(), self.uid):
                raise PermissionError(errno.EPERM, "it belongs to another user, and others can write its directory")
