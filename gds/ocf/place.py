"""The home of one instance on this node: its directories, who is alive in them, and what was promised to Pacemaker.

Who is alive is asked of the kernel, never of a pid in a file:

- `lock` belongs to the runner (gds/linux/kept.py); F_GETLK names the pid that holds it.
- `ocf.alive` is held (flock) from before the attendant is forked until attendant and runner are both gone: the
  descriptor goes from one to the next. While it is held, somebody is there or is being born, also when the agent that
  began it was killed at once. Whoever gets it exclusively knows that nobody is, and that nobody comes.
- `ocf.started`: a start was answered with success, and no stop has begun. Only then does the attendant bring back a
  runner that was killed, and a giveover is told to Pacemaker.
- `ocf.cgroup`: the cgroup in which the first runner of this boot was started. Each later one joins it, whoever starts
  it: a runner looks for what the one before it left below its own.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time

from gds.linux import procfs
from gds.ocf.asked import GENERIC, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # plain numbers, without the enums

_FLOCK = "hhqqi4x"
"""struct flock: type, whence, start, length, pid."""


class Place:
    """See the module. `runtime` and `state` are absolute paths."""

    def __init__(self, runtime: str, state: str) -> None:
        self.runtime = os.path.realpath(runtime)
        self.state = os.path.realpath(state)
        self.socket = f"{self.runtime}/control.sock"
        self.log = f"{self.state}/runner.log"
        self._alive = f"{self.runtime}/ocf.alive"
        self.started = f"{self.runtime}/ocf.started"
        self.cgroup = f"{self.runtime}/ocf.cgroup"
        self.chosen = f"{self.runtime}/chosen"
        self._notices = f"{self.runtime}/notices"

    @property
    def exists(self) -> bool:
        """An action was here since the last boot."""
        return os.path.isdir(self.runtime)

    def make(self) -> None:
        """Both directories, private enough that a runner accepts them. Raises Failure."""
        for path in (self.runtime, self.state):
            try:
                os.makedirs(path, 0o755, exist_ok=True)
            except OSError as error:
                raise Failure(GENERIC, f"cannot make {path}: {error.strerror}") from None

    # -- who is alive -------------------------------------------------------------------------------------------------

    def runner(self) -> int:
        """The pid that holds the runner's lock; 0: nobody."""
        try:
            fd = os.open(f"{self.runtime}/lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
            return 0 if kind == fcntl.F_UNLCK else int(pid)
        finally:
            os.close(fd)

    def claim(self) -> int:
        """The exclusive right to be here, as a descriptor; -1: somebody lives. Raises Failure."""
        try:
            fd = os.open(self._alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Failure(GENERIC, f"cannot open {self._alive}: {error.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return -1
        return fd

    def is_alive(self) -> bool:
        """Somebody is there or is being born."""
        if not os.path.exists(self._alive):
            return self.runner() != 0
        fd = self.claim()
        if fd < 0:
            return True
        os.close(fd)
        return self.runner() != 0

    def holders(self) -> list[int]:
        """Who has `ocf.alive` open: attendants, runners, what they are about to become. Ourselves left out."""
        try:
            facts = os.stat(self._alive)
        except OSError:
            return []
        identity = facts.st_dev, facts.st_ino
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]
        return [pid for pid in pids if pid != os.getpid() and _has_open(pid, identity)]

    # -- what was promised --------------------------------------------------------------------------------------------

    def promise(self) -> None:
        """The start is about to be answered with success. Raises OSError."""
        os.close(os.open(self.started, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))

    def take_back_promise(self) -> None:
        """A stop begins, or a start: from now on nobody brings anything back."""
        try:
            os.unlink(self.started)
        except FileNotFoundError:
            pass  # it was never started, or is stopped for the second time

    # -- what everybody should read who looks at this instance --------------------------------------------------------

    def notice(self, text: str) -> None:
        """Keep it, a sentence a line; "": there is nothing to say."""
        try:
            with open(self._notices, "w", encoding="utf-8") as file:
                file.write(text and text + "\n")
        except OSError:
            pass  # a full disk: the log has it

    def noticed(self) -> str:
        """What was kept."""
        return (procfs.read(self._notices) or b"").decode(errors="replace").strip()

    def notice_age(self) -> float:
        """Seconds since somebody looked; more than any when nobody has in this boot."""
        try:
            return abs(time.time() - os.stat(self._notices).st_mtime)
        except OSError:
            return float("inf")

    def forget_notice(self) -> None:
        """Nothing runs here."""
        try:
            os.unlink(self._notices)
        except OSError:
            pass  # nobody has looked


def _has_open(pid: int, identity: tuple[int, int]) -> bool:
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                facts = os.stat(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue  # closed meanwhile
            if (facts.st_dev, facts.st_ino) == identity:
                return True
    except OSError:
        pass  # gone
    return False


def signal_and_wait(pid: int, number: int, seconds: float) -> bool:
    """Signal that process and wait for its end; False: it lives on after so many seconds. 0 as `number`: only wait."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if number:
            signal.pidfd_send_signal(fd, number)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))
    except ProcessLookupError:
        return True
    finally:
        os.close(fd)


def own_cgroup() -> str:
    """The directory of our own cgroup (v2); "" when there is none that we can see."""
    from gds.linux.cgroupforest import mount_point

    mount = mount_point()
    own = procfs.cgroup(os.getpid())
    return mount + own.rstrip("/") if mount and own and not own.startswith("/..") else ""
