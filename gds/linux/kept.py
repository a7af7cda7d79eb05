"""What survives the runner: its memory of this boot, and the switches people set. The history is in history.py.

- `RUNTIME/state.log`: appended to at every change, the last line of a resource counts; good for one boot. The line
  that says "incarnation 7 starts, with these restarts in the window" is written *before* the fork (write-ahead), so
  a runner killed at any instant neither doubles a process nor forgets a restart. Each line ends with a checksum of it
  and of the boot; one that has another is not believed, and said. Only the last line may be torn: its writer was
  killed in the middle of it.
- `STATE/switches.json`: what enable, disable, monitor and unmonitor set; new file, fsync, rename; good for ever.

A disk that is full or read-only stops nothing: it is said once, `problem` shows it, and every further change tries
again.
Instants are CLOCK_MONOTONIC, which compares within one boot; a file of another boot is not believed.
"""

from __future__ import annotations

import errno
import os
from binascii import crc32

from gds.errors import EngineError
from gds.linux import clock, jsonline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LARGEST_STATE = 4 << 20
_SUM = b', "sum": "'

_BEGUN = ("state.log.new.", "switches.json.new.", "control.sock.new.", ".new.")


def append(path: str, mode: int = 0o600) -> int:
    """The file, opened to append; private; never through a symlink. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, mode)


def replace_file(path: str, data: bytes, mode: int = 0o600, sync: bool = True) -> None:
    """Write a new file and rename it over the old one. Raises OSError, and leaves nothing behind."""
    new = f"{path}.new.{os.getpid()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:])
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(new, path)
    except OSError:
        try:
            os.unlink(new)
        except OSError:
            pass  # it was the rename's directory that went away: nothing to tidy
        raise


class Lock:
    """One runner a directory. POSIX locks, because they are not inherited by the keepers that outlive a runner."""

    def __init__(self, directory: str, handed: int = -1) -> None:
        """`handed`: the descriptor with which the runner before us, in this same process, holds it.

        Raises EngineError when another runner has it, OSError when the directory cannot be written.
        """
        import fcntl

        self.directory = directory
        if handed >= 0:
            self.fd = handed
            return
        path = f"{directory}/lock"
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self.fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self.fd)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                who = f" (pid {holder})" if holder else ""
                raise EngineError(
                    f"cannot use {directory}: another runner has it{who}; give this one another --runtime-dir and"
                    " --state-dir, or stop the other"
                ) from None
            raise
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, only its holder is not named
        self._sweep(directory)

    def _sweep(self, directory: str) -> None:
        """Remove what runners before us had begun to write when they were killed: nobody else writes these."""
        for entry in os.listdir(directory):
            if entry.startswith(_BEGUN):
                try:
                    os.unlink(f"{directory}/{entry}")
                except OSError:
                    pass  # it takes a little room; the next runner tries again


class Memory:
    """The lines of state.log. `later` calls back in a while: what could not be written is tried again, also when no one
    changes anything: a crash would bring back what was true before the disk was full."""

    def __init__(self, runtime_dir: str, log: Any, later: Callable[[Callable[[], object]], object]) -> None:
        self._path = f"{runtime_dir}/state.log"
        self._log = log
        self._later = later
        self._waiting = False
        self._fd = -1
        self._size = 0
        self._boot = clock.boot_id()
        self._seed = crc32(self._boot.encode())
        self.problem = ""
        self.damage = ""
        """What is wrong with what `recall` found; "" = nothing."""
        self.is_torn = False
        """The last line was being written when its writer was killed: the one before it is older than need be."""
        self.is_of_this_boot = self._begins_with_this_boot()
        """A runner of this boot was here before."""
        self.snapshot: Any = list
        """Called for all current records when the file is written anew."""

    def _begins_with_this_boot(self) -> bool:
        try:
            with open(self._path, "rb") as file:
                if self._boot.encode() in file.readline(256):
                    return True
                return any(self._is_whole(line.rstrip(b"\n")) for line in file)  # its beginning is damaged
        except OSError:
            return False

    def recall(self) -> dict[str, dict[str, Any]]:
        """The last record of each resource, as an earlier runner of this boot left it; and sets how sure that is."""
        try:
            with open(self._path, "rb") as file:
                *lines, last = file.read(LARGEST_STATE * 4).split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.damage = f"cannot read {self._path}: {error.strerror}; nothing of it is known"
            return {}
        first = _parsed(lines[0]) if lines else {}
        if first.get("boot", self._boot) != self._boot:
            return {}
        if last and self._is_whole(last):
            lines.append(last)
        elif last:
            self.is_torn = True
        plain = "boot" in first and "sum" not in first  # a runner before checksums wrote it
        found: dict[str, dict[str, Any]] = {}
        bad = 0
        for line in lines:
            record = _parsed(line) if plain or self._is_whole(line) else {}
            if isinstance(record.get("resource"), str):
                found[record["resource"]] = record
            elif "boot" not in record:
                bad += 1
        if bad:
            self.damage = f"{self._path} is damaged: {bad} of its {len(lines)} lines; what can be read of it is used"
        elif not lines:
            self.damage = f"{self._path} is damaged: {'it has no whole line' if last else 'it is empty'}"
        return found

    def _is_whole(self, line: bytes) -> bool:
        """It is as it was written, by a runner of this boot."""
        text, mark, tail = line.rpartition(_SUM)
        return bool(mark) and tail == b'%08x"}' % crc32(text, self._seed)

    def _sealed(self, record: dict[str, object]) -> bytes:
        text = jsonline.dump(record)[:-1].encode()
        return b'%s%s%08x"}\n' % (text, _SUM, crc32(text, self._seed))

    def begin(self) -> None:
        """Write the file anew with what is known now."""
        self._renew()

    def note(self, record: dict[str, object]) -> None:
        """Append one record, now."""
        if self._fd < 0 or self._size > LARGEST_STATE:
            self._renew()
        self._write(self._sealed(record))

    def forget(self) -> None:
        """The runner ends in order and everything is down: only what people asked for is worth keeping."""
        self._renew()

    def _renew(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        data = b"".join([self._sealed(record) for record in ({"boot": self._boot}, *self.snapshot())])
        try:
            replace_file(self._path, data, sync=False)
            self._fd = append(self._path)
            self._size = len(data)
            self.problem = ""
        except OSError as error:
            self._failed(error)

    def _write(self, data: bytes) -> None:
        if self._fd < 0:
            return
        try:
            if os.write(self._fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += len(data)
        except OSError as error:
            os.close(self._fd)
            self._fd = -1
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if not self.problem:
            self._log.error(
                f"cannot write {self._path}: {error.strerror}; applications go on, but a crash of this runner now"
                " would forget restarts"
            )
        self.problem = f"cannot write {self._path}: {error.strerror}"
        if not self._waiting:
            self._waiting = True
            self._later(self._again)

    def _again(self) -> None:
        self._waiting = False
        if self._fd < 0:
            self._renew()


def _parsed(line: bytes) -> dict[str, Any]:
    import json

    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


class Switches:
    """What people set for good."""

    def __init__(self, state_dir: str, log: Any) -> None:
        self._path = f"{state_dir}/switches.json" if state_dir else ""
        self._log = log
        self.problem = ""
        self.of: dict[str, dict[str, bool]] = {}
        if self._path and os.path.exists(self._path):
            import json

            try:
                with open(self._path, encoding="utf-8") as file:
                    read = json.load(file)
                self.of = {
                    name: {k: bool(v) for k, v in each.items()} for name, each in read.items() if isinstance(each, dict)
                }
            except (OSError, ValueError, AttributeError) as error:
                self.problem = f"cannot read {self._path}: {error}"
                log.error(f"{self.problem}; what enable, disable, monitor and unmonitor set is not known")

    def set(self, name: str, what: str, value: bool) -> str:
        """Keep it; returns why that failed, or ""."""
        self.of.setdefault(name, {})[what] = value
        if not self._path:
            return "there is no state directory to keep it in"
        import json

        try:
            replace_file(self._path, (json.dumps(self.of, indent=1) + "\n").encode())
        except OSError as error:
            return f"cannot write {self._path}: {error.strerror}"
        return ""
