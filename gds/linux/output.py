"""Output: where an application's stdout and stderr go, and the copying of what must be rotated.

`inherit`, `null`, `journal` and a file without `rotate` cost the runner nothing: the application gets the descriptor
and writes by itself (and, opening /dev/stdout anew with `>`, empties such a file, as everywhere).

A file with `rotate` is fed through a FIFO in `runtime_dir`/out: the application's end is open for reading too, so that
neither SIGPIPE nor an end of file reaches it while the runner is away; a new runner opens the same FIFO and goes on;
meanwhile nothing is lost, an application that fills the FIFO waits. The FIFO belongs to the application's user, 0600,
so that it can open /dev/stdout anew. stdout and stderr into the same rotated file share one FIFO, which keeps their
order.

The runner moves large pieces, at most `TURN` bytes in a turn of the loop, so that an application that prints without
end delays nobody else. No memory is needed for it: see logfile.py.

Without a journal (a container, a laptop without systemd) `journal` falls back to `inherit`, with a warning: whoever
operates it wants the application up and its words somewhere, and the runner's own output is the place where they are
looked for next.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import stat

from gds.errors import ConfigError
from gds.linux.logfile import LogFile, kept
from gds.linux.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.linux.journal import Log
    from gds.linux.loop import Loop
    from gds.model.resource import Output

__all__ = ["Outputs", "kept"]

JOURNAL = "/run/systemd/journal/stdout"

TURN = 1 << 20
"""Bytes copied in one turn of the loop, at most, for all applications together."""

_LARGE = 1 << 18
_MUCH = 1 << 15
"""Bytes found in a FIFO of 64 KiB at once that call it busy."""
_MOST_LARGE = 128
"""FIFOs that are made `_LARGE`: of the 64 MiB of pipes a user may have before new ones become tiny (pipe(7))."""

_DRAIN = 4 << 20
"""Bytes read at most when a FIFO is emptied for good: somebody who still writes cannot keep us there."""


class _Feed:
    """One FIFO, from an application to a file."""

    __slots__ = ("fd", "fifo", "file", "full", "large")

    def __init__(self, fifo: str, fd: int, file: LogFile) -> None:
        self.fifo = fifo
        """Its path; "" when it has no name."""
        self.fd = fd
        self.file = file
        self.full = 0
        self.large = False

    @property
    def path(self) -> str:
        """Opened, it gives another end."""
        return f"/proc/self/fd/{self.fd}"


class Outputs:
    """See the module."""

    def __init__(self, loop: Loop, runtime_dir: str, log: Log, journal: str = JOURNAL) -> None:
        """`runtime_dir` "" = none can be written: pipes without a name are used, which end with the runner."""
        self._loop = loop
        self._log = log
        self._journal = journal
        self._directory = f"{runtime_dir}/out" if runtime_dir else ""
        self._null = -1
        self._files: dict[str, LogFile] = {}
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._paths: dict[str, dict[str, str]] = {}
        self._lent: dict[str, dict[str, int]] = {}
        self._written: dict[tuple[str, str], tuple[int, int]] = {}
        """(name, path) of the files that applications write themselves -> which file that is (device, inode)."""
        self.inherited: dict[tuple[str, str], int] = {}
        """Our ends of FIFOs as the runner before us, in this process, handed them over: (name, stream) -> descriptor.
        Held open all the while: what a dead application wrote last is in there."""
        self._turn = -1
        self._copied = 0
        self._large = 0

    # -- for the spawner ----------------------------------------------------------------------------------------------

    def open(self, name: str, stream: str, output: Output, uid: int = -1, gid: int = -1) -> int:
        """The descriptor that becomes the `stream` ("stdout" or "stderr") of resource `name`.

        It stays ours and is closed by `after_spawn`, which must be called also when the spawn failed. `uid` and `gid`
        are the application's, -1 = our own. Raises ConfigError, saying what would help.
        """
        paths = self._paths.setdefault(name, {})
        paths.pop(stream, None)
        if output.kind != "file" or not output.rotate:
            self._end_feed(name, stream)
        if output.kind == "null":
            if self._null < 0:
                self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            return self._null
        inherited = 2 if stream == "stderr" else 1
        if output.kind == "inherit":
            return inherited
        if output.kind == "journal":
            fd = self._to_journal(name)
            return inherited if fd < 0 else self._lend(name, stream, fd)
        try:
            paths[stream] = output.path
            if not output.rotate:
                fd = Place(output.path, uid, gid).open(handed_over=True)
                self._written[name, output.path] = _which(fd)
                return self._lend(name, stream, fd)
            feed = self._feed(name, stream, output, uid, gid)
            return self._lend(name, stream, os.open(feed.path, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            del paths[stream]
            self.after_spawn(name)
            raise ConfigError(
                f"cannot write {stream} of {name} to {output.path}: {_explained(error, output.path)}"
            ) from error

    def adopt(self, name: str, stream: str, output: Output, uid: int = -1, gid: int = -1) -> None:
        """An application taken back from an earlier runner goes on printing into the FIFO it has."""
        if output.kind != "file":
            return
        if not output.rotate:
            self._paths.setdefault(name, {})[stream] = output.path
            self._written[name, output.path] = _which(output.path)
            return
        try:
            self.open(name, stream, output, uid, gid)
        except ConfigError as error:
            self._log.error(f"{error}; it waits when its FIFO is full", resource=name)
        self.after_spawn(name)

    def hand_over(self) -> list[tuple[str, str, int]]:
        """(name, stream, descriptor) of each FIFO, for `inherited` of the runner after us in this process."""
        return [(name, stream, feed.fd) for (name, stream), feed in self._feeds.items()]

    def after_spawn(self, name: str) -> None:
        """The application has its copies, or there is no application: ours are closed."""
        for fd in self._lent.pop(name, {}).values():
            os.close(fd)

    def flush(self, name: str) -> None:
        """Write what the FIFOs still hold: the tree is gone."""
        self._written = {key: there for key, there in self._written.items() if key[0] != name}
        for feed in self._feeds_of(name):
            self._drain(feed)

    def release(self, name: str) -> None:
        """The resource is stopped for good or removed: everything of it is written and closed."""
        self.after_spawn(name)
        self.flush(name)
        for stream in ("stdout", "stderr"):
            self._end_feed(name, stream)
        self._paths.pop(name, None)

    def reopen(self) -> None:
        """Open the files that we write anew by name (USR2). What an application writes itself, only it can reopen: who
        moved such a file away is told."""
        for file in self._files.values():
            file.reopen()
        for (name, path), written in self._written.items():
            if written != _which(path) or not any(written):
                streams = " and ".join([stream for stream, each in self._paths[name].items() if each == path])
                said = f"cannot reopen {path}, which was moved away: {name} has it open as its {streams}, and writes it"
                helps = f" on until `gds restart {name}`; `rotate`, or copytruncate of logrotate, needs no reopening"
                self._log.warning(said + helps, resource=name)

    def paths(self, name: str) -> dict[str, str]:
        """stream -> file, for the streams that go to one; `kept` adds the older files."""
        return dict(self._paths.get(name, {}))

    def tidy(self, names: set[str]) -> None:
        """After start-up: remove FIFOs left for resources that are no longer declared."""
        for stream in ("stdout", "stderr"):
            directory = f"{self._directory}/{stream}"
            try:
                for name in os.listdir(directory):
                    if name not in names:
                        os.unlink(f"{directory}/{name}")
            except OSError:
                pass  # no such directory: nothing was left

    def close(self) -> None:
        """The runner ends in order."""
        for name in {n for n, _ in self._feeds} | set(self._lent):
            self.release(name)
        if self._null >= 0:
            os.close(self._null)
            self._null = -1
        if self._directory:
            for each in (f"{self._directory}/stdout", f"{self._directory}/stderr", self._directory):
                try:
                    os.rmdir(each)
                except OSError:
                    pass  # it was never made, or something is in it that is not ours

    # -- opening ------------------------------------------------------------------------------------------------------

    def _lend(self, name: str, stream: str, fd: int) -> int:
        lent = self._lent.setdefault(name, {})
        if stream in lent:
            os.close(lent[stream])  # of a start that came to nothing
        lent[stream] = fd
        return fd

    def _to_journal(self, name: str) -> int:
        flags = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        try:
            line = _socket.socket(_socket.AF_UNIX, flags)
            try:
                line.connect(self._journal)
                line.shutdown(_socket.SHUT_RD)
                # identifier, unit (the journal knows), priority, priority prefix yes, forward to syslog, kmsg, console
                line.send(f"{name}\n\n6\n1\n0\n0\n0\n".encode())
                line.setblocking(True)
                return line.detach()
            finally:
                line.close()
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            self._log.warning(
                f"cannot reach the journal at {self._journal}: {why}; output goes where the runner's own goes",
                resource=name,
            )
            return -1

    def _feed(self, name: str, stream: str, output: Output, uid: int, gid: int) -> _Feed:
        if stream == "stderr":
            twin = self._feeds.get((name, "stdout"))
            if twin is not None and twin.file.path == output.path:
                self._end_feed(name, stream)
                return twin
        file = self._file(output, uid, gid)
        feed = self._feeds.get((name, stream))
        try:
            if feed is None:
                fifo = self._make_fifo(stream, name)
                fd = self.inherited.pop((name, stream), -1)
                feed = self._feeds[(name, stream)] = _Feed(fifo, fd if fd >= 0 else _open_to_read(fifo), file)
                file.users += 1
                self._loop.watch(feed.fd, lambda _events: self._readable(feed))
            elif feed.file is not file:
                self._drain(feed)
                old, feed.file = feed.file, file
                file.users += 1
                self._give_back(old)
            if os.geteuid() == 0:
                os.fchown(feed.fd, max(uid, 0), max(gid, 0))
        finally:
            if not file.users:
                self._close_file(file)
        return feed

    def _make_fifo(self, stream: str, name: str) -> str:
        """Its path; "" when none can be made: better a stream that ends with the runner than no application."""
        if not self._directory:
            return ""
        directory = f"{self._directory}/{stream}"
        path = f"{directory}/{name}"
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)  # makedirs leaves what is between to the umask
            os.makedirs(directory, 0o700, exist_ok=True)
            try:
                os.mkfifo(path, 0o600)
            except FileExistsError:
                if not stat.S_ISFIFO(os.lstat(path).st_mode):
                    os.unlink(path)
                    os.mkfifo(path, 0o600)
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            self._log.warning(f"cannot make {path}: {why}; after a crash of the runner {stream} breaks", resource=name)
            return ""
        return path

    def _file(self, output: Output, uid: int, gid: int) -> LogFile:
        file = self._files.get(output.path)
        if file is None:
            file = LogFile(output.path, output.rotate, output.keep, uid, gid, self._log, self._loop.now)
            self._files[output.path] = file
        file.resize(output.rotate, output.keep)
        return file

    # -- closing ------------------------------------------------------------------------------------------------------

    def _feeds_of(self, name: str) -> list[_Feed]:
        return [f for s in ("stdout", "stderr") if (f := self._feeds.get((name, s))) is not None]

    def _end_feed(self, name: str, stream: str) -> None:
        feed = self._feeds.pop((name, stream), None)
        if feed is None:
            return
        self._drain(feed)
        self._loop.unwatch(feed.fd)
        os.close(feed.fd)
        self._large -= feed.large
        if feed.fifo:
            try:
                os.unlink(feed.fifo)
            except OSError:
                pass  # gone already; the next start makes a new one anyway
        self._give_back(feed.file)

    def _give_back(self, file: LogFile) -> None:
        file.users -= 1
        if not file.users:
            self._close_file(file)

    def _close_file(self, file: LogFile) -> None:
        del self._files[file.path]
        file.close()

    # -- copying ------------------------------------------------------------------------------------------------------

    def _readable(self, feed: _Feed) -> None:
        if self._turn != self._loop.turns:
            self._turn = self._loop.turns
            self._copied = 0
        if self._copied < TURN:
            self._copied += self._copy(feed)

    def _copy(self, feed: _Feed) -> int:
        """One piece, from the FIFO into the file; its length."""
        try:
            got = feed.file.take(feed.fd)
        except OSError as error:
            self._log.error(f"cannot read {feed.path}: {os.strerror(error.errno or 0)}")
            return 0
        if got >= _MUCH and not feed.large:
            self._enlarge(feed)
        return got

    def _enlarge(self, feed: _Feed) -> None:
        feed.full += 1
        if feed.full >= 4 and self._large < _MOST_LARGE:
            try:
                fcntl.fcntl(feed.fd, fcntl.F_SETPIPE_SZ, _LARGE)
                feed.large = True
                self._large += 1
            except OSError:
                feed.full = -1000  # this user has used up its share; asked again much later

    def _drain(self, feed: _Feed) -> None:
        copied = 0
        while copied < _DRAIN:
            got = self._copy(feed)
            if not got:
                return
            copied += got


def _which(file: str | int) -> tuple[int, int]:
    """Which file has that name, or is behind that descriptor: device and inode, or none."""
    try:
        facts = os.stat(file)
    except OSError:
        return 0, 0
    return facts.st_dev, facts.st_ino


def _open_to_read(fifo: str) -> int:
    """Our end. Open for writing too: there is always a writer, so the kernel never reports an end."""
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
    if fifo:
        return os.open(fifo, flags | os.O_NOFOLLOW)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        return os.open(f"/proc/self/fd/{reader}", flags)
    finally:
        os.close(reader)
        os.close(writer)


def _explained(error: OSError, path: str) -> str:
    directory = os.path.dirname(path)
    if error.errno == errno.ENOENT:
        return f"there is no directory {directory}; create it"
    if error.errno == errno.ELOOP:
        return "it is a symbolic link in a directory that others can write; name the file itself"
    if error.errno == errno.EISDIR:
        return "it is a directory; name a file in it"
    if error.errno == errno.EACCES:
        return f"permission denied; let the user of the resource write {directory}, or choose another directory"
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]
