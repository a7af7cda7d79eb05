"""A fleet: N apps under one supervisor, alive, with everything that can be asked of it from outside.

Facts come from the apps themselves (a record of each one's first instruction, through one FIFO) and from the kernel
(pidfds, /proc); never from what a supervisor says about itself.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.processes import (
    Children,
    Cost,
    Memory,
    command_line,
    cost,
    descendants,
    executable,
    kill,
    memory,
    open_pidfds,
)

if TYPE_CHECKING:
    from tests.bench.peers.contract import Peer

STARTED, CHILD, LOG_BEGIN, LOG_END = 1, 2, 3, 4
_RECORD = struct.Struct("=QIIII")


class Failed(Exception):
    """A peer did not do what the figure needs; the message becomes the reason in the table."""


class Record(NamedTuple):
    """What the app with this index said of itself: `at` in ns of CLOCK_MONOTONIC."""

    at: int
    app: int
    pid: int
    parent: int
    kind: int


class Programs(NamedTuple):
    """The compiled programs."""

    app: Path
    probe: Path
    reaper: Path


class Node(NamedTuple):
    """One app of a graph: it is up `takes` seconds after it began; each need is an app and the end of the property that
    says how it is needed."""

    takes: float
    needs: tuple[tuple[int, str], ...]


class Recipe(NamedTuple):
    """What a peer is asked to run, in words that each adapter turns into its own configuration."""

    size: int
    directory: Path
    state: Path
    """For what must outlive a crash or a reboot, where the peer has such a thing."""
    programs: Programs
    probe: str = ""
    """"exec", "tcp", "http" once a second with a limit of 0.5 s, the first failure counts; or none."""
    log: str = ""
    """"rotate": the app's stdout into the peer's own log, rotated at 10 MB, all kept; "give": into a file, the
    cheapest way the peer has; or none."""
    daemon: bool = False
    """The app leaves its first process; the peer may use the means it has for that, and its own policy of restarts."""
    patience: float = 0.0
    """Seconds from TERM to KILL at a stop; 0: the peer's default."""
    options: tuple[str, ...] = ()
    """Options for the app, as key=value."""
    ports: int = 0
    """The app with index I listens on ports + I."""
    graph: tuple[Node, ...] = ()
    """Who needs whom, by index; none: nobody needs anybody."""

    @property
    def fifo(self) -> Path:
        return self.directory / "fifo"

    @property
    def counter(self) -> Path:
        return self.directory / "counter"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    def command(self, index: int, *more: str) -> list[str]:
        """The app with this index."""
        return [str(self.programs.app), str(self.fifo), str(index), *self.options, *more]

    def probe_command(self, index: int) -> list[str]:
        """The exec probe for it: counts itself, and asks the app when that listens."""
        base = [str(self.ports)] if self.ports else []
        return [str(self.programs.probe), str(self.counter), str(index), *base]


class Launch(NamedTuple):
    """How to start a prepared supervisor."""

    argv: list[str]
    env: dict[str, str]


class Stopped(NamedTuple):
    """How a stop went: seconds until every app was gone, until everything was; how many never were."""

    apps_gone: float
    all_gone: float
    apps_left: int
    others_left: int


class Fleet:
    """See the module. `close` ends everything that is left, whatever happened before."""

    def __init__(self, peer: Peer, recipe: Recipe, children: Children, random: Random) -> None:
        self.peer = peer
        self.recipe = recipe
        self.children = children
        self.random = random
        self.output = recipe.directory / "output"
        self.pid = 0
        self.launched_at = 0
        self.alive: dict[int, Record] = {}
        self.heard: dict[int, Record] = {}
        self.starts = 0
        self.cost_before = Cost(0.0, 0)
        recipe.directory.mkdir()
        recipe.state.mkdir(mode=0o700)
        recipe.logs.mkdir()
        recipe.counter.write_bytes(bytes(8 * recipe.size))
        os.mkfifo(recipe.fifo, 0o600)
        self._fifo = os.open(recipe.fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(self._fifo, fcntl.F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass  # not allowed to: its default holds 2,700 records
        self._poll = select.poll()
        self._poll.register(self._fifo, select.POLLIN)
        self._rest = b""

    # -- records ------------------------------------------------------------------------------------------------------

    def read(self, timeout: float) -> list[Record]:
        """The records that came, waiting so many seconds for the first."""
        self._poll.poll(max(0.0, timeout) * 1000)
        try:
            data = self._rest + os.read(self._fifo, 1 << 20)
        except BlockingIOError:
            return []
        whole = len(data) - len(data) % _RECORD.size
        self._rest = data[whole:]
        records = [Record._make(fields) for fields in _RECORD.iter_unpack(data[:whole])]
        for record in records:
            self.heard[record.kind] = record
            if record.kind == STARTED:
                self.alive[record.app] = record
                self.starts += 1
        return records

    def wait_started(self, indices: set[int], since: int, timeout: float) -> int:
        """Until each of these apps has started after the instant `since`; the last one's first instruction, ns.

        Many apps are awaited with pauses, so that the bench does not take the processor that it measures.
        """
        deadline = time.monotonic() + timeout
        missing = {i for i in indices if i not in self.alive or self.alive[i].at <= since}
        last = max((self.alive[i].at for i in indices - missing), default=0)
        while missing:
            left = deadline - time.monotonic()
            if left <= 0:
                back = len(indices) - len(missing)
                raise Failed(f"{back} of {len(indices)} apps up after {timeout:.0f} s{self.last_words()}")
            if self.status() is not None and not self.peer.launcher_may_end:
                raise Failed(f"the supervisor ended with {self.status()}{self.last_words()}")
            for record in self.read(min(left, 0.5)):
                if record.kind == STARTED and record.app in missing and record.at > since:
                    missing.discard(record.app)
                    last = max(last, record.at)
            if len(missing) > 8:
                time.sleep(0.002)
        return last

    def wait_record(self, kind: int, since: int, timeout: float) -> Record:
        """The last record of this kind, once there is one after the instant `since`."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if kind in self.heard and self.heard[kind].at > since:
                return self.heard[kind]
            self.read(min(0.5, left))
            self.children.reap()
        raise Failed(f"nothing heard from the app in {timeout:.0f} s{self.last_words()}")

    def last_words(self) -> str:
        """The last line the supervisor printed, to explain a failure."""
        lines = self.output.read_text(errors="replace").strip().splitlines() if self.output.exists() else []
        return f": {lines[-1].replace(str(self.recipe.directory), '…')[:160]}" if lines else ""

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self, timeout: float) -> float:
        """Exec the supervisor; seconds until the last app's first instruction."""
        launch = self.peer.prepare(self.recipe)
        return self.start_prepared(launch, timeout)

    def start_prepared(self, launch: Launch, timeout: float) -> float:
        """The same for configuration written before."""
        self.cost_before = cost([])
        self.pid, self.launched_at = self.children.spawn(launch.argv, launch.env, self.output)
        last = self.wait_started(set(range(self.recipe.size)), self.launched_at, timeout)
        return (last - self.launched_at) / 1e9

    def status(self) -> int | None:
        """Exit status of what was exec'd; None while it runs."""
        return self.children.status(self.pid)

    def processes(self) -> tuple[list[int], list[int]]:
        """(the supervisor's side, the apps) of what is alive below the bench."""
        self.children.reap()
        app, probe = str(self.recipe.programs.app), str(self.recipe.programs.probe)
        supervisors, apps = [], []
        for pid in descendants(os.getpid()):
            file = executable(pid)
            if file == app:
                apps.append(pid)
            elif file and file != probe:
                supervisors.append(pid)
        return supervisors, apps

    def settle(self, seconds: float) -> None:
        """Until the youngest app has lived so long."""
        newest = max((record.at for record in self.alive.values()), default=0) / 1e9
        while (left := newest + seconds - time.monotonic()) > 0:
            self.read(left)
            self.children.reap()
            newest = max((record.at for record in self.alive.values()), default=0) / 1e9

    def calm(self, timeout: float) -> float:
        """Until the supervisor uses less than 2 % of a processor; seconds it took, at most `timeout`."""
        began = time.monotonic()
        before, at = self.cost().cpu, time.monotonic()
        while time.monotonic() - began < timeout:
            self.pause(0.5)
            after, now = self.cost().cpu, time.monotonic()
            if after - before < 0.02 * (now - at):
                return now - began
            before, at = after, now
        return time.monotonic() - began

    def pause(self, seconds: float) -> None:
        """Let time pass, and reap."""
        time.sleep(seconds)
        self.read(0)
        self.children.reap()

    def cost(self, apps_too: bool = False) -> Cost:
        """What the supervisor's side has used so far."""
        supervisors, apps = self.processes()
        return cost(supervisors + apps if apps_too else supervisors)

    def memory(self) -> Memory:
        """What the supervisor's side holds."""
        return memory(self.processes()[0])

    def kill_one(self, timeout: float) -> float:
        """SIGKILL one app that has lived long enough, at random; seconds until its replacement's first instruction."""
        settled = time.monotonic_ns() - int(self.peer.settle * 1e9)
        old = [record for record in self.alive.values() if record.at < settled]
        if not old:
            self.settle(self.peer.settle)
            old = list(self.alive.values())
        victim = self.random.choice(old)
        at = time.monotonic_ns()
        if not kill(victim.pid, signal.SIGKILL):
            raise Failed(f"app {victim.app} was not running")
        back = self.wait_started({victim.app}, max(at, victim.at), timeout)
        self.children.reap()
        return (back - at) / 1e9

    def kill_all(self, timeout: float) -> float:
        """SIGKILL every app; seconds until each has been replaced."""
        self.settle(self.peer.settle)
        victims = [record.pid for record in self.alive.values()]
        at = time.monotonic_ns()
        for pid in victims:
            kill(pid, signal.SIGKILL)
        return (self.wait_started(set(range(self.recipe.size)), at, timeout) - at) / 1e9

    def stop(self, timeout: float) -> Stopped:
        """The peer's documented stop: when every app was gone, when the supervisor was too, and who never was."""
        supervisors, apps = self.processes()
        app_fds, other_fds = open_pidfds(apps), open_pidfds(supervisors)
        poll = select.epoll()
        for fd in [*app_fds, *other_fds]:
            poll.register(fd, select.EPOLLIN)
        apps_left, others_left = set(app_fds), set(other_fds)
        at = time.monotonic()
        apps_gone = gone = 0.0
        try:
            self.peer.stop(self)
            while (apps_left or others_left) and gone <= timeout:
                for fd, _ in poll.poll(0.2, 256):
                    poll.unregister(fd)
                    others_left.discard(fd)
                    if fd in apps_left:
                        apps_left.discard(fd)
                        apps_gone = time.monotonic() - at
                gone = time.monotonic() - at
                if len(apps_left) > 8 or (not apps_left and len(others_left) > 8):
                    time.sleep(
                        0.002
                    )  # not to take the processor that is measured; the last ones are waited for exactly
                self.children.reap()  # monit takes an unreaped orphan for a running app
        finally:
            poll.close()
            for fd in [*app_fds, *other_fds]:
                os.close(fd)
        return Stopped(apps_gone, gone, len(apps_left), len(others_left))

    def counted(self) -> int:
        """Sum of the counter file: probes or connections that really happened."""
        with open(self.recipe.counter, "rb") as file:
            return sum(struct.unpack(f"={self.recipe.size}Q", file.read(8 * self.recipe.size)))

    def close(self) -> list[str]:
        """End whatever is left, by pid; what could not be ended in a minute."""
        deadline = time.monotonic() + 60.0
        while True:
            self.children.reap()
            left = descendants(os.getpid())
            if not left or time.monotonic() > deadline:
                break
            # all are held before the first is ended: nothing may be started again between two kills
            for pid in left:
                kill(pid, signal.SIGSTOP)
            for pid in left:
                kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        os.close(self._fifo)
        return [f"{pid} {command_line(pid)}" for pid in left]


def random_graph(size: int) -> tuple[Node, ...]:
    """The same for everybody and in every run: up to three needs among the 40 before it, of every kind."""
    random = Random(f"graph of {size}")
    kinds = ("", "", "_weak", "_restart", "_offline_restart")
    made = []
    for index in range(size):
        before = range(max(0, index - 40), index)
        needs = random.sample(before, min(len(before), random.randrange(4)))
        made.append(Node(random.randrange(50, 301, 10) / 1000, tuple([(n, random.choice(kinds)) for n in needs])))
    return tuple(made)


def longest_path(graph: tuple[Node, ...]) -> float:
    """Seconds that must pass before the last app may begin: the dearest chain of needs before any of them."""
    begins: list[float] = []
    for node in graph:
        begins.append(max((begins[need] + graph[need].takes for need, _ in node.needs), default=0.0))
    return max(begins)


def free_ports(count: int, random: Random) -> int:
    """The first of so many neighbouring free TCP ports, below the range the kernel gives to clients."""
    for _ in range(200):
        base = random.randrange(10_000, 30_000 - count)
        try:
            for port in range(base, base + count):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise Failed(f"cannot find {count} free ports in a row")
