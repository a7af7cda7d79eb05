"""The runner's side of the guard (guard.py): started or taken over, told until when the runner may run anything.

The guard outlives the runner; the one that comes back takes it over, with the instant the one before had reached. When
the guard dies, a new one is started at once, which reads the same instant; when that does not work, the runner kills
everything itself, again and again until it does, for without a guard it may run nothing.
"""

from __future__ import annotations

import errno
import os
import select
import sys

from gds.errors import EngineError
from gds.linux import clock, guard, lineage
from gds.linux.cgroupforest import CgroupForest
from gds.linux.cgrouptree import write
from gds.linux.guardfile import GuardFile
from gds.linux.guardkill import Strike
from gds.model.hostname import label, metric

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable
    from typing import Any

    from gds.linux.journal import Log
    from gds.linux.loop import Loop, Timer
    from gds.linux.reaper import Reaper
    from gds.ports import Forest
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

FILE = "guard"
LINGER = 60.0
"""Seconds for which it waits for a runner to come back, when nothing is left to be guarded."""
_PATIENCE = 10.0
"""Seconds for its start, when nothing runs yet."""
_IN_A_HURRY = 2.0
"""The same when it was killed and something may be running."""
_AGAIN = 1.0
_CODE = "import sys; sys.path.append(sys.argv.pop(1)); from gds.linux.guard import main; sys.exit(main(sys.argv[1:]))"
_TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command(args: Iterable[str]) -> list[str]:
    """How the program is run (its arguments: guard.py): the interpreter as bare as it can be."""
    return [sys.executable, "-I", "-S", "-c", _CODE, _TOP, *args]


def why_not(forest: Forest) -> str:
    """Why what runs in this forest cannot be guarded; "" = it can."""
    if isinstance(forest, CgroupForest):
        return ""
    return (
        "cannot be a node of a cluster: applications are followed by keepers here, and a guard that outlives the "
        "runner needs a cgroup v2 hierarchy that we may write; run as root, or in a unit with Delegate=yes"
    )


def announce(runtime_dir: str) -> None:
    """A runner begins, and is about to enter its cgroups: a guard that just kills what the runner before left there has
    to know it first. To be called before there is a forest."""
    path = f"{os.path.abspath(runtime_dir)}/{FILE}"
    try:
        if os.stat(path, follow_symlinks=False).st_size != guard.SIZE:
            return
        file = GuardFile(path)
    except OSError:
        return  # nobody was guarded here, or Guard will say what is wrong
    fields = file.fields
    fields[guard.RUNNER_START] = lineage.start_of(os.getpid())
    fields[guard.RUNNER] = os.getpid()
    kills = 0 < fields[guard.DEADLINE] <= guard.boottime()
    file.close()
    if kills:
        # the look that has begun without us is over then (by a poll: a sleep cannot be had under a clock that is faked)
        select.poll().poll(3 * guard.LOOK_AGAIN // 1_000_000)


class Guard:
    """See the module. `lifetime` and `margin` are for the watchdog (a device; "" = none).

    Raises EngineError: no cgroups, no file, a watchdog that cannot be had, or it does not start.
    """

    def __init__(
        self,
        loop: Loop,
        reaper: Reaper,
        forest: Forest,
        runtime_dir: str,
        watchdog: str,
        log: Log,
        margin: float = 2.0,
        lifetime: float = 10.0,
        linger: float = LINGER,
    ) -> None:
        because = why_not(forest)
        if because:
            raise EngineError(because)
        assert isinstance(forest, CgroupForest)
        self._loop = loop
        self._reaper = reaper
        self._log = log
        self._root = forest.root
        self._watchdog = watchdog
        self._path = f"{os.path.abspath(runtime_dir)}/{FILE}"
        self._args = [self._path, self._root, watchdog, f"{margin:g}", f"{lifetime:g}", f"{linger:g}"]
        self._pidfd = self._told = -1
        self._timer: Timer | None = None
        self.pid = 0
        self.on_lost: Callable[[str], None] = lambda _why: None
        """Called with the reason when there is no guard and all was killed; starts are to be refused until `pid`."""
        try:
            self._file = GuardFile(self._path)
            self._look_at_the_file()
        except OSError as error:
            raise EngineError(f"cannot use {self._path} for the guard: {error.strerror}") from None
        if not self._take_over():
            self._start_and_wait()

    # -- what may be asked --------------------------------------------------------------------------------------------

    def arm(self, deadline: float) -> None:
        """Everything may run until then (CLOCK_BOOTTIME seconds), whatever was said before."""
        fields = self._file.fields
        before, wanted = fields[guard.DEADLINE], max(1, int(deadline * guard.NS))
        fields[guard.DEADLINE] = wanted
        if wanted < before or before <= guard.boottime():
            self._tell()

    def disarm(self) -> None:
        """Nothing runs here that needs guarding."""
        self._file.fields[guard.DEADLINE] = 0

    def deadline(self) -> float:
        """Until when everything may run, also as the runner before us was told; 0.0: disarmed."""
        return self._file.fields[guard.DEADLINE] / guard.NS

    def killed(self) -> tuple[int, float]:
        """How often it met something to kill since the machine was booted, and when last (CLOCK_BOOTTIME seconds)."""
        return self._file.fields[guard.KILLS], self._file.fields[guard.KILLED_AT] / guard.NS

    def is_quiet(self) -> bool:
        """Nothing was left when it looked last, since its last kill."""
        return self._file.fields[guard.QUIET_AT] >= self._file.fields[guard.KILLED_AT]

    def addresses(self, resources: Iterable[str]) -> None:
        """These resources may hold addresses, which go when it kills. None is ever taken back: where no address has
        the resource's marks, nothing is removed. Raises EngineError when there are too many."""
        for name in resources:
            if not self._file.add(guard.MARK.pack(metric(name), label(name).encode())):
                raise EngineError(
                    f"cannot guard the addresses of {name}: those of {guard.MOST_MARKS} resources are guarded already"
                )

    def describe(self) -> dict[str, Any]:
        """For `gds status`."""
        count, at = self.killed()
        traits = self._file.fields[guard.TRAITS]
        words = ((guard.LOCKED, "locked"), (guard.REALTIME, "realtime"), (guard.UNKILLABLE, "unkillable"))
        return {
            "pid": self.pid,
            "deadline": self.deadline(),
            "killed": count,
            "killed_at": at,
            "watchdog": self._watchdog,
            "traits": [word for bit, word in words if traits & bit],
        }

    def close(self) -> None:
        """In order: nothing runs, and the guard ends at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._stop_listening()
        self.disarm()
        if self._pidfd >= 0:
            self._loop.unwatch(self._pidfd)
            self._end(self._pidfd, self._file.fields[guard.GUARD])
            os.close(self._pidfd)
            self._pidfd = -1
        self.pid = 0
        for what, path in ((os.rmdir, f"{self._root}/guard"), (os.unlink, self._path)):
            try:
                what(path)
            except OSError:
                pass  # it did so itself
        self._file.close()

    # -- how it comes and goes ----------------------------------------------------------------------------------------

    def _look_at_the_file(self) -> None:
        """What another boot or another layout left says nothing."""
        fields = self._file.fields
        boot = int.from_bytes(bytes.fromhex(clock.boot_id().replace("-", "")[:14]), "big")
        if fields[guard.MAGIC] != guard.LAYOUT or fields[guard.BOOT] != boot:
            other = fields[guard.GUARD]
            if lineage.is_alive(other, fields[guard.GUARD_START]) and self._file.is_locked():
                self._replace(other)
            self._file.map[:] = bytes(guard.SIZE)
            fields[guard.BOOT] = boot
            fields[guard.MAGIC] = guard.LAYOUT

    def _take_over(self) -> bool:
        """There is a guard, for the same root and with the same arguments; it knows us now."""
        fields = self._file.fields
        pid = fields[guard.GUARD]
        fields[guard.RUNNER_START] = lineage.start_of(os.getpid())
        fields[guard.RUNNER] = os.getpid()
        if not (pid and lineage.is_alive(pid, fields[guard.GUARD_START]) and self._file.is_locked()):
            return False
        told = bytes(self._file.map[guard.ARGS_AT : guard.MARKS_AT]).split(b"\0\0", 1)[0]
        if told != self._spelled():
            old_root = os.fsdecode(told.split(b"\0")[1]) if told.count(b"\0") > 1 else ""
            if old_root != self._root and self._file.fields[guard.DEADLINE] and old_root:
                self._strike(old_root)  # nobody would guard it from now on
            self._replace(pid)
            return False
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            return False  # it has just ended
        self._is_on(pid)
        self._tell()
        return True

    def _spelled(self) -> bytes:
        return b"\0".join([os.fsencode(each) or b" " for each in self._args])

    def _replace(self, pid: int) -> None:
        """End another guard."""
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return  # gone
        try:
            self._end(fd, pid)
        finally:
            os.close(fd)

    def _end(self, pidfd: int, pid: int) -> None:
        self._file.fields[guard.ENDING] = pid
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGUSR1)
            if not ended.poll(2000):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                ended.poll(2000)
        except OSError:
            pass  # gone

    def _launch(self) -> int:
        """Start the process. The end of the pipe on which it says how it went. Raises OSError."""
        spelled = self._spelled()
        if len(spelled) + 2 > guard.MARKS_AT - guard.ARGS_AT:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        self._file.put_back()
        self._file.fields[guard.GUARD] = self._file.fields[guard.ENDING] = 0
        self._file.map[guard.ARGS_AT : guard.ARGS_AT + len(spelled) + 2] = spelled + b"\0\0"
        place = f"{self._root}/guard"
        os.makedirs(place, exist_ok=True)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            pid = os.posix_spawn(
                sys.executable,
                command(self._args),
                {"LC_ALL": "C"},
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((null, 0), (writer, 1), (null, 2))],
                setsid=True,
                setsigmask=(signal.SIGUSR1,),  # until it has ears for it
            )
            self._reaper.expect(pid, lambda _status: None, of_tree=True)  # not to be sheltered: it has a place
            self._pidfd = os.pidfd_open(pid)
            # at once: it was born where we are, and there the forest takes it for somebody's stray
            write(place + "/cgroup.procs", str(pid).encode())
        except OSError:
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                os.close(self._pidfd)
                self._pidfd = -1
            os.close(reader)
            raise
        finally:
            os.close(writer)
            os.close(null)
        self._told = reader
        return reader

    def _start_and_wait(self) -> None:
        """Nothing runs yet, so there is time."""
        try:
            reader = self._launch()
        except OSError as error:
            where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
            raise EngineError(f"cannot start the guard: {error.strerror}{where}") from None
        waiting = select.poll()
        waiting.register(reader, select.POLLIN)
        said = os.read(reader, 4096) if waiting.poll(int(_PATIENCE * 1000)) else b"it does not answer\n"
        os.close(reader)
        self._told = -1
        if said != b"ok\n":
            self._give_up()
            why = said.decode("utf-8", "replace").strip() or "it ended at once"
            raise EngineError(f"cannot start the guard: {why}")
        self._is_on(self._file.fields[guard.GUARD])

    def _give_up(self) -> None:
        if self._pidfd >= 0:
            self._loop.unwatch(self._pidfd)
            try:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            except OSError:
                pass  # gone
            os.close(self._pidfd)
            self._pidfd = -1

    def _is_on(self, pid: int) -> None:
        self.pid = pid
        self._loop.watch(self._pidfd, self._died)

    def _tell(self) -> None:
        if self._pidfd >= 0:
            try:
                signal.pidfd_send_signal(self._pidfd, signal.SIGUSR1)
            except OSError:
                pass  # gone: its pidfd says so too

    def _died(self, _events: int) -> None:
        self._loop.unwatch(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._log.error(f"the guard (pid {self.pid}) is gone; another is started")
        self.pid = 0
        self._start_again()

    def _start_again(self) -> None:
        """In the loop: nothing here waits."""
        try:
            reader = self._launch()
        except OSError as error:
            self._lost(error.strerror or str(error))
            return
        self._loop.watch(reader, self._hear)
        left = (
            self._file.fields[guard.DEADLINE] / guard.NS - clock.boottime()
            if self._file.fields[guard.DEADLINE]
            else _IN_A_HURRY
        )
        self._timer = self._loop.after(max(0.0, min(_IN_A_HURRY, left)), lambda: self._lost("it does not answer"))

    def _hear(self, _events: int) -> None:
        said = os.read(self._told, 4096)
        self._stop_listening()
        if self._timer is not None:
            self._timer.cancel()
        if said == b"ok\n":
            self._is_on(self._file.fields[guard.GUARD])
            self._log.info(f"the guard is there again (pid {self.pid})")
        else:
            self._lost(said.decode("utf-8", "replace").strip() or "it ended at once")

    def _stop_listening(self) -> None:
        if self._told >= 0:
            self._loop.unwatch(self._told)
            os.close(self._told)
            self._told = -1

    def _lost(self, why: str) -> None:
        """Nobody would end what runs here: it is ended now."""
        self._stop_listening()
        self._give_up()
        self._strike(self._root)
        self._log.error(f"cannot start the guard: {why}; what it would guard was killed, and it is tried again")
        self._timer = self._loop.after(_AGAIN, self._start_again)
        self.on_lost(why)

    def _strike(self, root: str) -> None:
        strike = Strike(root)
        strike.spared = frozenset((os.getpid(),))
        met, left = strike.all()
        if met:
            self._file.fields[guard.KILLED_AT] = guard.boottime()
            self._file.fields[guard.KILLS] += 1
        self._file.fields[guard.QUIET_AT] = 0 if left else guard.boottime()
