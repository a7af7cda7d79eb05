"""The guard with real processes: at the instant nothing of the cluster runs here, whatever the runner does.

The runner is tests/system/guarded_runner.py: a real forest of cgroups and a real guard, told what to do line by line.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gds.errors import EngineError
from gds.linux import guard as layout
from gds.linux.cgroupforest import mount_point
from gds.linux.clock import boottime
from gds.linux.guardfile import GuardFile
from gds.linux.guarding import FILE, Guard, command, why_not
from gds.linux.journal import Log
from gds.linux.lineage import is_alive, start_of
from gds.model.hostname import label, metric
from tests.contract.forests import STUBBORN, marked, world
from tests.system.running import alive, eventually

pytestmark = pytest.mark.slow
RUNNER = str(Path(__file__).with_name("guarded_runner.py"))
ROOT = Path(__file__).resolve().parents[2]
SLEEP = ("sleep", "60")
SOON = 0.3
"""Seconds to a deadline that is meant to be missed."""


class Guarded:
    """One little runner. Answers are read in their order; what else it tells is kept in `told`."""

    def __init__(
        self, folder: Path, ident: str, linger: float = 60.0, watchdog: str = "", before: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.told: list[dict[str, Any]] = []
        self._rest = b""
        self.process = subprocess.Popen(
            [*before, sys.executable, RUNNER, str(folder), ident, str(linger), watchdog],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.hello = self.until(lambda line: "ready" in line or "refused" in line)
        self.pid = self.process.pid
        self.root = str(self.hello.get("root", ""))
        self.guard = int(self.hello.get("guard", 0))

    def until(self, wanted: Any) -> dict[str, Any]:
        """The first line told from now on (or not asked for yet) that is wanted."""
        end = time.monotonic() + 30.0
        at = 0
        while True:
            for line in self.told[at:]:
                at += 1
                if wanted(line):
                    self.told.remove(line)
                    return line
            assert self.process.stdout is not None
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"not told within 30 s; told: {self.told}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"the runner has ended; told: {self.told}"
            *lines, self._rest = (self._rest + data).split(b"\n")
            self.told.extend(map(json.loads, lines))

    def send(self, *words: object) -> None:
        """Tell it to do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, *words: object) -> Any:
        """Tell it to do something, and its answer."""
        self.send(*words)
        return self.until(lambda line: line.get("did") == words[0])["said"]

    def plant(self, name: str, *argv: str, verb: str = "plant") -> int:
        """Start something; the pid of its first process."""
        self.ask(verb, name, *argv)
        return int(self.until(lambda line: line.get("started") == name)["pid"])

    def stubborn(self, name: str, *words: str, verb: str = "plant") -> str:
        """Start one of the stubborn programs; its mark."""
        mark = f"mark-{uuid.uuid4().hex}"
        self.plant(name, sys.executable, "-I", "-S", STUBBORN, *words, mark, verb=verb)
        return mark

    def field(self, number: int) -> int:
        """One field of the guard's file."""
        data = (self.folder / FILE).read_bytes()
        return int.from_bytes(data[8 * number : 8 * number + 8], sys.byteorder)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Signal the runner."""
        self.process.send_signal(number)

    def emptied(self, name: str) -> None:
        """Wait until it says that nothing of that tree is left."""
        self.until(lambda line: line.get("emptied") == name)

    def end(self) -> None:
        """Whatever it is doing."""
        self.process.kill()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Place:
    """Where runners of one test live one after the other; everything goes at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ident = f"test-{uuid.uuid4().hex[:12]}"
        self.runners: list[Guarded] = []
        self.root = Path(mount_point()) / f"gds-{self.ident}"

    def runner(self, linger: float = 60.0, watchdog: str = "", before: tuple[str, ...] = ()) -> Guarded:
        """Another one; `before`: words before its command."""
        self.runners.append(Guarded(self.folder, self.ident, linger, watchdog, before))
        return self.runners[-1]

    def close(self) -> None:
        """Runners, guards and cgroups."""
        for each in self.runners:
            each.end()
        for entry in [*self.root.glob("*/cgroup.kill")]:
            with contextlib.suppress(OSError):  # it has gone meanwhile
                entry.write_text("1")
        eventually(self._is_gone, f"{self.root} is empty")

    def _is_gone(self) -> bool:
        with contextlib.suppress(OSError):  # somebody is there still, or it went meanwhile
            for entry in sorted(self.root.rglob("*"), reverse=True):
                if entry.is_dir():
                    with contextlib.suppress(OSError):
                        entry.rmdir()
            self.root.rmdir()
        return not self.root.exists()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """For one test."""
    made = Place(tmp_path)
    try:
        yield made
    finally:
        made.close()


def gone(pid: int) -> bool:
    """It ended, wherever its zombie may be."""
    return not alive(pid)


# -- the kill ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["stopped", "killed", "busy", "well"])
def test_at_the_deadline_everything_is_dead_whatever_the_runner_does(place: Place, what: str) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    mark = runner.stubborn("far", "daemons", "3", "0")
    eventually(lambda: len(marked(mark)) >= 3, "its daemons run")
    deadline = runner.ask("arm", SOON)
    if what == "stopped":
        runner.stop(signal.SIGSTOP)
    elif what == "killed":
        runner.stop(signal.SIGKILL)
    elif what == "busy":
        runner.send("busy", 2.0)
    eventually(lambda: gone(pid) and not marked(mark), "all is dead")
    assert boottime() >= deadline
    eventually(lambda: runner.field(layout.QUIET_AT) > 0, "and so the guard says")
    assert runner.field(layout.KILLED_AT) >= deadline * 1e9
    assert runner.field(layout.KILLS) >= 1
    if what != "killed":
        runner.stop(signal.SIGCONT)
        runner.emptied("web")
        runner.emptied("far")
        assert runner.process.poll() is None


@pytest.mark.parametrize("short", ["descriptors", "memory"])
def test_a_guard_that_gets_nothing_more_from_the_machine_kills_all_the_same(place: Place, short: str) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    mark = runner.stubborn("far", "daemons", "3", "0")
    eventually(lambda: len(marked(mark)) >= 3, "its daemons run")
    deadline = runner.ask("arm", SOON)
    if short == "descriptors":
        limit, used = resource.RLIMIT_NOFILE, max(map(int, os.listdir(f"/proc/{runner.guard}/fd"))) + 1
    else:
        limit = resource.RLIMIT_AS
        used = int(Path(f"/proc/{runner.guard}/statm").read_text().split()[0]) * resource.getpagesize()
    _soft, hard = resource.prlimit(runner.guard, limit)
    resource.prlimit(runner.guard, limit, (used, hard))
    runner.stop(signal.SIGSTOP)
    eventually(lambda: gone(pid) and not marked(mark), "all is dead")
    assert boottime() >= deadline
    eventually(lambda: runner.field(layout.QUIET_AT) > 0, "and so the guard says")


def test_nothing_dies_while_the_deadline_is_moved_on_in_time(place: Place) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    first = runner.ask("arm", 2.0)
    while boottime() < first + 1.0:
        runner.ask("arm", 2.0)
        time.sleep(0.05)
    assert alive(pid)
    runner.ask("disarm")
    eventually(lambda: boottime() > first + 3.5, "every deadline has passed")
    assert alive(pid)
    assert runner.field(layout.KILLS) == 0


def test_a_deadline_may_be_moved_nearer(place: Place) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    runner.ask("arm", 1000.0)
    runner.ask("arm", 0.0)
    eventually(lambda: gone(pid), "it is dead")


def test_what_lives_where_the_runner_lives_dies_and_the_runner_does_not(place: Place) -> None:
    runner = place.runner()
    mark = runner.stubborn("web:Probe", "deaf", verb="method")
    eventually(lambda: len(marked(mark)) >= 3, "it has its children")
    runner.ask("arm", 0.1)
    runner.stop(signal.SIGSTOP)
    eventually(lambda: not marked(mark), "all is dead")
    assert (place.root / "guard" / "cgroup.procs").read_text().split() == [str(runner.guard)]
    runner.stop(signal.SIGCONT)
    runner.emptied("web:Probe")
    assert runner.ask("describe")["killed"] >= 1


def test_one_that_forks_without_end_dies_also_where_the_runner_lives(place: Place) -> None:
    runner = place.runner()
    mark = runner.stubborn("web:Probe", "bomb", "5", "4", verb="method")
    eventually(lambda: len(marked(mark)) >= 6, "it is at it")
    runner.ask("arm", 0.1)
    runner.stop(signal.SIGSTOP)
    eventually(lambda: not marked(mark), "all is dead")
    runner.stop(signal.SIGCONT)
    runner.emptied("web:Probe")


def test_an_application_that_was_just_started_dies_though_the_runner_is_still_in_its_cgroup(place: Place) -> None:
    runner = place.runner()
    deadline = runner.ask("arm", 0.5)
    runner.send("plant", "web", *SLEEP)
    pid = int(runner.until(lambda line: line.get("started") == "web")["pid"])
    runner.stop(signal.SIGSTOP)
    eventually(lambda: gone(pid), "it is dead")
    assert boottime() >= deadline
    runner.stop(signal.SIGCONT)
    runner.emptied("web")


def test_nametags_are_no_clusters(place: Place) -> None:
    runner = place.runner()
    tag = runner.plant("@tag", *SLEEP)
    pid = runner.plant("web", *SLEEP)
    runner.ask("arm", 0.0)
    eventually(lambda: gone(pid), "the application is dead")
    eventually(lambda: runner.field(layout.QUIET_AT) > 0, "nothing else is left")
    assert alive(tag)


def test_what_a_woken_runner_starts_dies_too_until_it_may_run_again(place: Place) -> None:
    runner = place.runner()
    first = runner.plant("web", *SLEEP)
    runner.ask("arm", 0.1)
    runner.stop(signal.SIGSTOP)
    eventually(lambda: gone(first), "it is dead")
    runner.send("plant", "late", *SLEEP)
    runner.stop(signal.SIGCONT)
    runner.emptied("late")
    eventually(lambda: runner.field(layout.KILLS) >= 2, "and it is told")
    runner.ask("arm", 1000.0)
    again = runner.plant("again", *SLEEP)
    eventually(lambda: boottime() * 1e9 > runner.field(layout.KILLED_AT) + 0.3e9, "many looks have passed")
    assert alive(again)


def test_addresses_of_the_cluster_go_and_no_others(place: Place) -> None:
    runner = place.runner(before=("unshare", "--net", "--"))

    def ip(*words: str) -> str:
        inside = ["nsenter", "-t", str(runner.pid), "-n", "--", "ip", *words]
        return subprocess.run(inside, capture_output=True, text=True, timeout=30, check=True).stdout

    def held() -> list[str]:
        found = json.loads(ip("-j", "address", "show", "dev", "eth0"))[0]["addr_info"]
        return sorted([each["local"] for each in found if each["scope"] == "global"])

    ip("link", "add", "eth0", "type", "bridge")
    ip("link", "set", "eth0", "up")
    of_web = ("label", label("web"), "metric", str(metric("web")))
    # ours comes first, so it is the primary of its subnet, and the node's own a secondary that must not go with it
    ip("address", "add", "10.9.0.5/24", "dev", "eth0", *of_web)
    ip("address", "add", "10.9.0.1/24", "dev", "eth0")
    ip("address", "add", "10.9.1.5/32", "dev", "eth0", *of_web)
    ip("address", "add", "10.9.2.5/32", "dev", "eth0", "label", label("db"), "metric", str(metric("db")))
    ip("address", "add", "fd00::5/64", "dev", "eth0", "nodad", "metric", str(metric("web")))
    ip("address", "add", "fd00::1/64", "dev", "eth0", "nodad")
    assert len(held()) == 6
    runner.ask("addresses", "web", "mail")
    runner.ask("addresses", "web")
    runner.ask("arm", 0.1)
    runner.stop(signal.SIGSTOP)
    eventually(lambda: "10.9.0.5" not in held() and "fd00::5" not in held(), "its addresses are gone")
    assert held() == ["10.9.0.1", "10.9.2.5", "fd00::1"]
    assert runner.field(layout.MARKS) == 2
    # and those that a woken runner takes
    ip("address", "add", "10.9.3.5/32", "dev", "eth0", *of_web)
    eventually(lambda: "10.9.3.5" not in held(), "the late one too")


# -- how it comes and goes --------------------------------------------------------------------------------------------


def test_a_guard_that_is_killed_is_there_again_with_the_same_deadline(place: Place) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    deadline = runner.ask("arm", 3.0)
    os.kill(runner.guard, signal.SIGKILL)
    eventually(lambda: runner.ask("describe")["pid"] not in (0, runner.guard), "another guard")
    assert alive(pid) or boottime() >= deadline
    runner.stop(signal.SIGSTOP)
    eventually(lambda: gone(pid), "the new one kills as well")
    assert boottime() >= deadline


def test_without_a_guard_the_runner_kills_everything_itself(place: Place) -> None:
    runner = place.runner()
    runner.plant("web", *SLEEP)
    runner.ask("arm", 1000.0)
    # while somebody else holds the lock, no other can take its place
    with (place.folder / FILE).open("r+b") as file:
        runner.stop(signal.SIGSTOP)
        os.kill(runner.guard, signal.SIGKILL)
        fcntl.flock(file, fcntl.LOCK_EX)
        runner.stop(signal.SIGCONT)
        runner.until(lambda line: "lost" in line)
        runner.emptied("web")
    eventually(lambda: runner.ask("describe")["pid"], "with its place free there is one again")


def test_the_guard_outlives_the_runner_and_ends_by_itself(place: Place) -> None:
    runner = place.runner(linger=0.5)
    pid = runner.plant("web", *SLEEP)
    deadline = runner.ask("arm", 1.0)
    start = start_of(runner.guard)
    runner.end()
    assert is_alive(runner.guard, start)
    eventually(lambda: gone(pid), "the application is dead")
    assert boottime() >= deadline
    eventually(lambda: not is_alive(runner.guard, start), "the guard has ended")
    assert not (place.root / "guard").exists()


def test_a_second_runner_takes_over_guard_and_deadline(place: Place) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    deadline = runner.ask("arm", 4.0)
    runner.end()
    second = place.runner()
    assert second.guard == runner.guard
    assert second.hello["until"] == pytest.approx(deadline, abs=1e-6)
    assert second.hello["left"] == [["web", 1]]
    second.ask("arm", 1000.0)
    eventually(lambda: boottime() > deadline + 0.2, "the first one's deadline has passed")
    assert alive(pid)
    second.ask("arm", 0.0)
    eventually(lambda: gone(pid), "the second one's is kept")
    assert second.ask("describe")["pid"] == runner.guard


def test_a_runner_in_new_clothes_keeps_its_guard(place: Place) -> None:
    runner = place.runner()
    pid = runner.plant("web", *SLEEP)
    deadline = runner.ask("arm", 1000.0)
    runner.send("again")
    hello = runner.until(lambda line: "ready" in line)
    assert (hello["guard"], hello["until"]) == (runner.guard, pytest.approx(deadline, abs=1e-6))
    assert alive(pid)
    os.kill(runner.guard, signal.SIGKILL)
    eventually(lambda: runner.ask("describe")["pid"] not in (0, runner.guard), "it hears of its death")


def test_with_other_arguments_another_guard_goes_on(place: Place) -> None:
    runner = place.runner()
    start = start_of(runner.guard)
    pid = runner.plant("web", *SLEEP)
    deadline = runner.ask("arm", 5.0)
    runner.end()
    second = place.runner(linger=30.0)
    assert second.guard != runner.guard
    assert not is_alive(runner.guard, start)
    assert second.hello["until"] == pytest.approx(deadline, abs=1e-6)
    assert alive(pid) or boottime() >= deadline
    second.stop(signal.SIGSTOP)
    eventually(lambda: gone(pid), "it kills at the deadline of the first")
    assert boottime() >= deadline


def test_what_another_boot_left_says_nothing(place: Place) -> None:
    fields = [0] * (layout.SIZE // 8)
    fields[layout.MAGIC], fields[layout.BOOT] = layout.LAYOUT, 1
    fields[layout.DEADLINE] = fields[layout.KILLS] = 1 << 60
    fields[layout.GUARD], fields[layout.GUARD_START] = os.getpid(), start_of(os.getpid())
    (place.folder / FILE).write_bytes(b"".join([each.to_bytes(8, sys.byteorder) for each in fields]))
    runner = place.runner()
    assert runner.hello["until"] == 0.0
    assert runner.ask("describe")["killed"] == 0


@pytest.mark.parametrize("another", [False, True], ids=["removed", "replaced"])
def test_a_file_that_somebody_takes_away_is_put_back(place: Place, another: bool) -> None:
    runner = place.runner()
    start = start_of(runner.guard)
    pid = runner.plant("web", *SLEEP)
    runner.ask("arm", 1000.0)
    (place.folder / FILE).unlink()
    if another:
        (place.folder / FILE).write_bytes(b"")
    else:
        os.kill(runner.guard, signal.SIGKILL)
    eventually(lambda: not is_alive(runner.guard, start), "the guard of the old file has ended")
    eventually(lambda: runner.ask("describe")["pid"] not in (0, runner.guard), "another guard")
    assert alive(pid)
    assert runner.field(layout.DEADLINE) > boottime() * 1e9
    runner.ask("arm", 0.0)
    eventually(lambda: gone(pid), "what the runner writes is what the guard reads")


def test_a_runner_that_ends_in_order_leaves_nothing(place: Place) -> None:
    runner = place.runner()
    start = start_of(runner.guard)
    runner.send("close")
    runner.until(lambda line: line.get("did") == "close")
    assert not is_alive(runner.guard, start)
    assert not (place.folder / FILE).exists()
    runner.process.wait(30)
    assert not place.root.exists()


def test_signals_of_terminals_and_services_do_not_end_it(place: Place) -> None:
    runner = place.runner()
    start = start_of(runner.guard)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGUSR2):
        os.kill(runner.guard, number)
    pid = runner.plant("web", *SLEEP)
    runner.ask("arm", 0.0)
    eventually(lambda: gone(pid), "it still kills")
    assert is_alive(runner.guard, start)
    assert os.getsid(runner.guard) == runner.guard
    assert sorted({os.readlink(f"/proc/{runner.guard}/fd/{fd}") for fd in (0, 1, 2)}) == ["/dev/null"]


def test_without_cgroups_there_is_no_guard(tmp_path: Path) -> None:
    with world("keeper", tmp_path) as made:
        assert "cannot be a node of a cluster: applications are followed by keepers here" in why_not(made.forest)
        with pytest.raises(EngineError, match="Delegate=yes"):
            Guard(made.loop, made.reaper, made.forest, str(tmp_path), "", Log("text", 2))
    assert not (tmp_path / FILE).exists()


# -- the watchdog -----------------------------------------------------------------------------------------------------


def test_a_stand_in_for_a_watchdog_is_fed_until_the_end_in_order(place: Place) -> None:
    # no device here: a FIFO takes the same writes through the same code, but for the time-out
    device = place.folder / "watchdog"
    os.mkfifo(device)
    reader = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    fed = b""

    def read() -> bytes:
        nonlocal fed
        with contextlib.suppress(BlockingIOError):
            fed += os.read(reader, 4096)
        return fed

    runner = place.runner(watchdog=str(device))
    eventually(lambda: len(read()) >= 3, "it is fed while nothing needs guarding")
    runner.ask("arm", 1000.0)
    eventually(lambda: len(read()) >= 6, "and while the deadline is ahead")
    pid = runner.plant("web", *SLEEP)
    runner.ask("arm", 0.0)
    eventually(lambda: gone(pid), "it is dead")
    eventually(lambda: len(read()) >= 9, "and when nothing is left")
    runner.ask("disarm")
    runner.send("close")
    eventually(lambda: read().endswith(b"V"), "the end in order is told")
    assert set(fed) == {0, ord("V")}
    assert fed.count(b"V") == 1
    os.close(reader)


def test_while_something_cannot_be_killed_the_watchdog_is_not_fed(tmp_path: Path) -> None:
    # plain files stand in for a cgroup whose processes do not die
    stuck = tmp_path / "root" / "web:Probe"
    stuck.mkdir(parents=True)
    for name, text in (("events", "populated 1\n"), ("procs", ""), ("kill", "")):
        (stuck / f"cgroup.{name}").write_text(text)
    os.mkfifo(tmp_path / "watchdog")
    reader = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    file = GuardFile(str(tmp_path / FILE))
    file.fields[layout.RUNNER_START] = start_of(os.getpid())
    file.fields[layout.RUNNER] = os.getpid()
    args = [str(tmp_path / FILE), str(tmp_path / "root"), str(tmp_path / "watchdog"), "1", "10", "60"]

    def fed() -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(reader, 4096)
        return b""

    def kills(more: int) -> None:
        before = file.fields[layout.KILLS]
        eventually(lambda: file.fields[layout.KILLS] >= before + more, "it tries again and again")

    with subprocess.Popen(command(args), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ok\n"
            eventually(fed, "it is fed")
            file.fields[layout.DEADLINE] = 1
            process.send_signal(signal.SIGUSR1)
            kills(1)
            fed()
            began = boottime()
            eventually(lambda: boottime() > began + 1.0, "several times the period of feeding")
            kills(1)
            assert fed() == b""
            assert (stuck / "cgroup.kill").read_text() == "1"
            (stuck / "cgroup.events").write_text("populated 0\n")
            eventually(fed, "it is fed as soon as nothing is left")
            file.fields[layout.ENDING] = process.pid
            process.send_signal(signal.SIGUSR1)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert fed().endswith(b"V")
    os.close(reader)
    file.close()


def test_a_watchdog_that_cannot_be_had_is_told(place: Place) -> None:
    runner = place.runner(watchdog="/nonexistent/watchdog")
    assert runner.hello == {
        "refused": "cannot start the guard: watchdog /nonexistent/watchdog: No such file or directory"
    }
    runner = place.runner(watchdog="/dev/null")
    assert runner.hello == {"refused": "cannot start the guard: watchdog /dev/null: Inappropriate ioctl for device"}


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_how_late_the_last_process_is_gone(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    runner = place.runner()
    late = []
    for number in range(20):
        runner.ask("arm", 1000.0)
        mark = runner.stubborn(f"app{number}", "daemons", "2", "0")
        eventually(lambda mark=mark: len(marked(mark)) >= 2, "its daemons run")  # type: ignore[misc]
        before = runner.field(layout.KILLED_AT)
        deadline = runner.ask("arm", 0.1)
        eventually(lambda b=before: runner.field(layout.KILLED_AT) > b and runner.field(layout.QUIET_AT), "dead")  # type: ignore[misc]
        assert not marked(mark)
        late.append(runner.field(layout.QUIET_AT) / 1e9 - deadline)
        runner.emptied(f"app{number}")
    pss = sum(
        int(line.split()[1])
        for line in Path(f"/proc/{runner.guard}/smaps_rollup").read_text().splitlines()
        if "Pss:" in line
    )
    with capsys.disabled():
        print(f"\nlast process gone after the deadline: median {statistics.median(late) * 1e3:.1f} ms, ", end="")
        print(f"longest {max(late) * 1e3:.1f} ms of {len(late)}; guard: {pss} kB PSS")
    assert min(late) >= 0.0
    assert statistics.median(late) < 0.6
