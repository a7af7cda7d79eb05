"""Bad input and faults, on both rungs where it matters: nothing doubled, nothing forgotten, one clear message."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gds.api import client
from tests.system.running import RUNGS, Running, alive, eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).parent / "programs"
MARK = "GDS_FAULTS"
both_rungs = pytest.mark.parametrize("rung", RUNGS)


def marked(where: Path) -> list[int]:
    """Live processes of any application whose environment carries this test's mark, whatever gds thinks of them."""
    wanted = f"{MARK}={where}\0".encode()
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and wanted in Path(f"/proc/{entry}/environ").read_bytes():
                found.append(int(entry))
        except OSError:
            continue  # gone
    return [pid for pid in found if alive(pid)]


def describe(where: Path, text: str, name: str = "web") -> Path:
    """One resource whose processes are marked."""
    return write(where / f"{name}.toml", f'environment = {{{MARK} = "{where}"}}\n{text}')


def hostile(*words: str) -> str:
    """A start_command."""
    return json.dumps([sys.executable, "-I", "-S", str(PROGRAMS / "hostile.py"), *words])


# -- descriptors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('start_command = ["/nosuch/program"]', "/nosuch/program"),
        ('start_command = ["no-such-program-anywhere"]', "no-such-program-anywhere"),
        ('start_command = ["{here}/plain.txt"]', "plain.txt"),
        ('start_command = ["{here}"]', "directory"),
        ('start_command = ["sleep", "9"]\nuser = "nosuchuser"', "nosuchuser"),
        ('start_command = ["sleep", "9"]\nport_list = ["70000/tcp"]', "70000"),
    ],
)
def test_what_cannot_be_run_is_refused_with_78_before_anything_starts(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "plain.txt").write_text("no program\n")
    good = f'[resource.good]\nstart_command = "touch {tmp_path}/ran; exec sleep 1000"\n'
    bad = f"[resource.bad]\n{line.format(here=tmp_path)}\n"
    runner = Running(tmp_path, write(tmp_path / "two.toml", good + bad))
    runner.begin(wait=False)
    assert runner.wait() == 78
    problems = [each for each in runner.log().splitlines() if "two.toml:" in each and "warning" not in each]
    assert len(problems) == 1, runner.log()
    assert said in problems[0]
    assert "bad" in problems[0]
    assert "Traceback" not in runner.log()
    assert not (tmp_path / "ran").exists()


def test_a_reload_with_what_cannot_be_run_touches_nothing(tmp_path: Path) -> None:
    good = '[resource.good]\nstart_command = ["sleep", "1000"]\n'
    descriptor = write(tmp_path / "two.toml", good)
    with Running(tmp_path, descriptor) as runner:
        before = runner.until("good", state="ONLINE")
        for bad in ('start_command = ["/nosuch/program"]', f'start_command = ["{tmp_path}"]', "start_command = 3"):
            write(descriptor, good.replace("1000", "1001") + f"[resource.bad]\n{bad}\n")
            refused = runner.gds("reload")
            assert refused.returncode == 78, (bad, refused.stderr)
            assert "two.toml" in refused.stderr
            after = runner.resource("good")
            assert (after["main_pid"], after["incarnation"]) == (before["main_pid"], 1)
        assert len(runner.status()["groups"]) == 1


# -- applications ---------------------------------------------------------------------------------------------------


@both_rungs
def test_who_forks_without_end_is_stopped_to_the_last_process(tmp_path: Path, rung: str) -> None:
    descriptor = describe(tmp_path, f"start_command = {hostile('bomb', '40')}\nstop_timeout = 10\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: len(marked(tmp_path)) > 20, "it forks")
        stopped = runner.gds("stop", "web")
        assert stopped.returncode == 0, stopped.stderr
        assert not marked(tmp_path)
        assert runner.resource("web")["state"] == "OFFLINE"


@both_rungs
def test_another_title_session_environment_and_no_descriptors_hide_nobody(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "web.toml", f"start_command = {hostile('disguise')}\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")

        def disguised() -> int:
            pids = runner.pids("web")
            return pids[0] if len(pids) == 1 and b"gds-zygote" in _cmdline(pids[0]) else 0

        pid = eventually(disguised, "the daemon is there")
        assert b"GDS_RESOURCE" not in Path(f"/proc/{pid}/environ").read_bytes()
        os.kill(pid, signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=2)
        pid = eventually(disguised, "the daemon is there again")
        runner.crash()
        assert alive(pid)
        runner.begin()
        assert runner.pids("web") == [pid]
        assert runner.gds("stop", "web").returncode == 0
        assert not alive(pid)


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@both_rungs
def test_a_grandchild_that_holds_stdout_keeps_nobody_waiting(tmp_path: Path, rung: str) -> None:
    text = f"""
start_command = "sleep 1000 & exit 0"
stdout = {{path = "{tmp_path}/web.log", rotate = "64KiB"}}
probe_command = "sleep 1000 & exit 0"
thorough_probe_interval = 0.2
"""
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: len(runner.pids("web")) == 1, "the grandchild is left")
        first = runner.resource("web")["probe"]
        later = eventually(
            lambda: p if (p := runner.resource("web")["probe"]) and p != first else None, "it is probed again and again"
        )
        assert later is not None
        assert later["score"] == 0
        assert runner.gds("stop", "web").returncode == 0
        assert not marked(tmp_path)


@both_rungs
def test_a_hundred_megabytes_without_a_newline_are_rotated_and_the_runner_answers(tmp_path: Path, rung: str) -> None:
    size = 100 << 20
    text = f"""
start_command = {hostile("flood", str(size))}
stdout = {{path = "{tmp_path}/web.log", rotate = "10MiB", keep = 3}}
"""
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        longest = 0.0

        def ended() -> bool:
            nonlocal longest
            began = time.monotonic()
            client.ask(str(runner.socket), {"verb": "status"}, timeout=20)
            longest = max(longest, time.monotonic() - began)
            return b"end of the flood" in (tmp_path / "web.log").read_bytes()[-64:]

        eventually(ended, "the flood has come to its end", 60)
        kept = [p.stat().st_size for p in tmp_path.glob("web.log*")]
        assert sum(kept) < 50 << 20, kept
        assert len(kept) <= 4
        assert longest < 5.0
        assert runner.process is not None
        memory = int(Path(f"/proc/{runner.process.pid}/statm").read_text().split()[1]) * 4096
        assert memory < 60 << 20


@both_rungs
def test_a_shell_that_exits_at_once_is_told_with_its_status(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, describe(tmp_path, 'start_command = "exit 7"\nstart_grace = 30\n'), rung=rung) as runner:
        after = runner.until("web", state="START_FAILED")
        assert "exit status 7" in after["because"]
        assert not marked(tmp_path)


@both_rungs
def test_who_dies_while_being_stopped_is_stopped(tmp_path: Path, rung: str) -> None:
    text = "start_command = \"trap 'kill -9 $$' TERM; while :; do sleep 0.1; done\"\nstop_timeout = 20\n"
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        for _ in range(5):
            assert runner.gds("stop", "web").returncode == 0
            assert not marked(tmp_path)
            after = runner.resource("web")
            assert (after["state"], after["restarts"]["done"]) == ("OFFLINE", 0)
            assert runner.gds("start", "web").returncode == 0


@both_rungs
def test_a_stop_right_after_a_start_leaves_nothing(tmp_path: Path, rung: str) -> None:
    text = 'start_command = ["sleep", "1000"]\nlimits = {core = 0}\nstart_grace = 0\n'
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        for turn in range(60):
            client.ask(str(runner.socket), {"verb": "restart", "names": ["web"], "no_wait": True}, timeout=20)
            time.sleep(turn * 0.0001)  # the race is the test: every turn meets another instant
            assert client.ask(str(runner.socket), {"verb": "stop", "names": ["web"]}, timeout=20)["code"] == 0
            assert not marked(tmp_path)
            client.ask(str(runner.socket), {"verb": "start", "names": ["web"], "no_wait": True}, timeout=20)
        assert runner.gds("stop", "web").returncode == 0
        assert not marked(tmp_path)


@both_rungs
def test_a_stop_command_that_cannot_be_executed_any_more_still_stops(tmp_path: Path, rung: str) -> None:
    tool = tmp_path / "stopper"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    text = f'start_command = ["sleep", "1000"]\nstop_command = ["{tool}"]\n'
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        tool.unlink()
        assert runner.gds("stop", "web", "--timeout", "20").returncode == 0
        assert not marked(tmp_path)


# -- probes ---------------------------------------------------------------------------------------------------------


@both_rungs
@pytest.mark.parametrize("how", ["sleep 1000", "setsid sh -c 'sleep 1000 & sleep 1000' & sleep 1000"])
def test_a_probe_that_hangs_or_forks_and_hangs_leaves_no_process(tmp_path: Path, rung: str, how: str) -> None:
    text = f"""
start_command = ["sleep", "1000"]
probe_command = "test -e {tmp_path}/hang || exit 0; {how}"
thorough_probe_interval = 0.2
probe_timeout = 0.5
"""
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "hang").touch()
        after = runner.until("web", incarnation=2)
        assert "the probe gave no answer within 0.5 s" in after["because"]
        (tmp_path / "hang").unlink()
        runner.until("web", state="ONLINE")
        assert runner.gds("unmonitor", "web").returncode == 0
        eventually(lambda: len(marked(tmp_path)) == 1, "only the application is left")


@both_rungs
def test_a_probe_that_prints_a_mebibyte_is_cut_to_four_kibibytes(tmp_path: Path, rung: str) -> None:
    probe = tmp_path / "probe.sh"
    probe.write_text("head -c 1048576 /dev/zero | tr '\\000' x\n")
    text = f'start_command = ["sleep", "1000"]\nprobe_command = ["sh", "{probe}"]\n'
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        told = json.loads(runner.gds("probe", "web", "--json").stdout)
        assert told["score"] == 0
        assert told["output"] == "x" * 4096


# -- disks and directories ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MB."""
    where = Path(tempfile.mkdtemp(prefix="gds-faults-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "gds-faults", where], check=True, timeout=20)
    yield where
    subprocess.run(["umount", "-l", where], check=True, timeout=20)
    where.rmdir()


@both_rungs
def test_a_full_disk_for_state_and_logs_stops_nothing(tmp_path: Path, small_disk: Path, rung: str) -> None:
    text = f"""
start_command = "while :; do echo line; sleep 0.01; done"
stdout = {{path = "{small_disk}/web.log", rotate = "64KiB"}}
retry_count = 5
"""
    runner = Running(tmp_path, describe(tmp_path, text), rung=rung)
    runner.runtime = small_disk / "run"
    runner.state = small_disk / "state"
    runner.log_path = small_disk / "log"
    with runner:
        runner.until("web", state="ONLINE")
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"\0" * 4096):
                pass
        for incarnation in (2, 3):
            for pid in runner.pids("web"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            runner.until("web", state="ONLINE", incarnation=incarnation)
        for _ in range(60):  # what has room in the last page of a file is still written
            if "problems" in runner.status():
                break
            assert client.ask(str(runner.socket), {"verb": "restart", "names": ["web"]}, timeout=20)["code"] == 0
        assert any("No space left on device" in p for p in runner.status()["problems"])
        assert runner.gds("stop", "web").returncode == 0
        assert not marked(tmp_path)
        assert runner.gds("start", "web").returncode == 0
        (small_disk / "filler").unlink()
        assert runner.gds("restart", "web").returncode == 0
        assert "problems" not in runner.status()
        events = json.loads(runner.gds("history", "web", "--json").stdout)["history"]
        assert [e["incarnation"] for e in events] == sorted(e["incarnation"] for e in events)
        assert events[-1]["incarnation"] == runner.resource("web")["incarnation"]
        stops = [e for e in events if e["event"] == "STOPPING" and e["because"] == "stop asked by root"]
        assert len(stops) == 1, "decided on a full disk, kept after"


@both_rungs
def test_a_read_only_state_directory_is_said_and_stops_nothing(tmp_path: Path, rung: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "gds-faults", disk], check=True, timeout=20)
    try:
        runner = Running(tmp_path, describe(tmp_path, 'start_command = ["sleep", "1000"]\n'), rung=rung)
        runner.state = disk / "state"
        with runner:
            pid = runner.until("web", state="ONLINE")["main_pid"]
            assert "cannot write state_dir" in runner.log()
            os.kill(pid, signal.SIGKILL)
            runner.until("web", state="ONLINE", incarnation=2)
            assert "killed by SIGKILL" in runner.gds("history", "web").stdout
            runner.crash()
            runner.begin()
            assert runner.resource("web")["incarnation"] == 2, "taken back by what stands in runtime_dir"
    finally:
        subprocess.run(["umount", "-l", disk], check=True, timeout=20)


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "run" / "control.sock"))
    with Running(tmp_path, describe(tmp_path, 'start_command = ["sleep", "1000"]\n')) as runner:
        assert runner.until("web", state="ONLINE")["incarnation"] == 1


@both_rungs
def test_two_runners_on_one_state_directory_the_second_refuses_with_75(tmp_path: Path, rung: str) -> None:
    descriptor = describe(tmp_path, 'start_command = ["sleep", "1000"]\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "second").mkdir()
        second = Running(tmp_path / "second", descriptor, rung=rung)
        second.state = runner.state
        second.begin(wait=False)
        assert second.wait() == 75
        assert str(runner.state) in second.log()
        assert "another runner has it" in second.log()
        assert len(marked(tmp_path)) == 1


@both_rungs
def test_a_pid_that_is_somebody_elses_now_is_never_signalled(tmp_path: Path, rung: str) -> None:
    descriptor = describe(tmp_path, 'start_command = ["sleep", "1000"]\n')
    runner = Running(tmp_path, descriptor, rung=rung).begin()
    try:
        runner.until("web", state="ONLINE")
        runner.crash()
        for pid in marked(tmp_path):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not marked(tmp_path), "the application is dead")
        with subprocess.Popen(["sleep", "1000"]) as bystander:
            state = runner.runtime / "state.log"
            lines = [json.loads(line) for line in state.read_text().splitlines()]
            for line in lines:
                del line["sum"]  # as a runner before checksums wrote it
                if line.get("resource") == "web":
                    line["pid"] = bystander.pid
            state.write_text("".join(json.dumps(line) + "\n" for line in lines))
            runner.begin()
            web = runner.until("web", state="ONLINE")
            assert bystander.pid not in runner.pids("web")
            assert web["incarnation"] == 2
            assert runner.gds("restart", "web").returncode == 0
            assert runner.end() == 0
            assert bystander.poll() is None
            bystander.kill()
    finally:
        if not runner.over():
            runner.end()


# -- time, signals, limits ------------------------------------------------------------------------------------------

NO_WALL = """
import time, os, sys
real = time.time
state = {"n": 0}
def jumping():
    # every look at the clock finds it a month earlier or later
    state["n"] += 1
    return real() + (-1) ** state["n"] * 30 * 86400.0
time.time = jumping
time.clock_gettime = lambda which, get=time.clock_gettime: jumping() if which == time.CLOCK_REALTIME else get(which)
sys.argv = ["gds", *sys.argv[1:]]
from gds.cli.main import main
raise SystemExit(main())
"""


def test_a_clock_that_is_set_back_and_forth_decides_nothing(tmp_path: Path) -> None:
    """The whole runner with a wall clock that jumps by months at every look; no other process is harmed."""
    text = f"""
start_command = ["sleep", "1000"]
retry_count = 2
retry_interval = 60
probe_command = "exit $(cat {tmp_path}/score)"
thorough_probe_interval = 0.2
"""
    (tmp_path / "score").write_text("0")
    runner = Running(tmp_path, describe(tmp_path, text))
    where = ["--runtime-dir", str(runner.runtime), "--state-dir", str(runner.state)]
    with runner.log_path.open("ab") as log:
        runner.process = subprocess.Popen(
            [sys.executable, "-c", NO_WALL, "run", *where, str(tmp_path / "web.toml")],
            stdout=log,
            stderr=log,
            env=runner.env,
        )
    try:
        eventually(runner.answers, "the runner answers")
        for incarnation in (2, 3):
            os.kill(runner.until("web", state="ONLINE")["main_pid"], signal.SIGKILL)
            after = runner.until("web", state="ONLINE", incarnation=incarnation)
            assert after["restarts"]["done"] == incarnation - 1, "the window is of monotonic seconds"
        (tmp_path / "score").write_text("60")
        after = runner.until("web", incarnation=4)
        assert "giveover" in after["because"]
        assert "failures add up to 120" in after["because"]
        (tmp_path / "score").write_text("0")
        months = {e["at"][:7] for e in json.loads(runner.gds("history", "--json").stdout)["history"]}
        assert len(months) > 1, "the clock did jump"
    finally:
        assert runner.end() == 0


@both_rungs
def test_a_death_while_the_runner_is_stopped_is_handled_after(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, describe(tmp_path, 'start_command = ["sleep", "1000"]\n'), rung=rung) as runner:
        pid = runner.until("web", state="ONLINE")["main_pid"]
        assert runner.process is not None
        runner.process.send_signal(signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not marked(tmp_path), "the application is dead")
        runner.process.send_signal(signal.SIGCONT)
        after = runner.until("web", state="ONLINE", incarnation=2)
        assert "killed by SIGKILL" in after["because"]
        assert after["restarts"]["done"] == 1


@both_rungs
def test_with_no_descriptor_left_nothing_is_killed_nor_doubled(tmp_path: Path, rung: str) -> None:
    text = "".join(
        f'[resource.a{i}]\nstart_command = ["sleep", "1000"]\nprobe_command = "exit 0"\n'
        f'thorough_probe_interval = 0.3\nenvironment = {{{MARK} = "{tmp_path}"}}\nmonitor_retry_count = 2\n'
        for i in range(12)
    )
    with Running(tmp_path, write(tmp_path / "many.toml", text), rung=rung) as runner:
        for i in range(12):
            runner.until(f"a{i}", state="ONLINE")
        assert runner.process is not None
        before = {r["name"]: r["main_pid"] for g in runner.status()["groups"] for r in g["resources"]}
        old = resource.prlimit(runner.process.pid, resource.RLIMIT_NOFILE)
        # below what is open already: what is closed can be opened again, and nothing more
        resource.prlimit(runner.process.pid, resource.RLIMIT_NOFILE, (4, old[1]))
        eventually(
            lambda: "could not be run" in runner.log() or "MONITOR_FAILED" in runner.log(), "the shortage is told", 30
        )
        # a death must not be taken for anything else, nor what lives for dead
        os.kill(before["a0"], signal.SIGKILL)
        eventually(lambda: before["a0"] not in marked(tmp_path), "a0 is dead")
        time.sleep(1.0)  # the shortage lasts: a stretch of time is what is tested
        left = marked(tmp_path)
        assert [pid for name, pid in before.items() if name != "a0" and pid not in left] == []
        resource.prlimit(runner.process.pid, resource.RLIMIT_NOFILE, old)
        eventually(runner.answers, "it answers when there are descriptors again")
        for name, pid in before.items():
            if name != "a0":
                told = runner.resource(name)
                assert (told["main_pid"], told["incarnation"]) == (pid, 1), told["because"]
        if runner.resource("a0")["state"] != "ONLINE":
            assert runner.gds("start", "a0").returncode == 0
        names = [f"a{i}" for i in range(12)]
        assert runner.gds("clear", *names).returncode == 0
        for name in names:
            runner.until(name, state="ONLINE")
        assert sorted(runner.pids()) == sorted(p for p in marked(tmp_path) if b"sleep" in _cmdline(p))
        assert "Traceback" not in runner.log()


# -- the socket -----------------------------------------------------------------------------------------------------


def test_a_thousand_garbage_connections_harm_nobody(tmp_path: Path) -> None:
    garbage = [
        b"",
        b"\0\1\2\xff\n",
        b"{" * 70000,
        b"[" * 60000 + b"\n",
        b'{"verb": "status", "names": [',
        b'{"verb": 1}\n',
        b'{"verb": "nosuch"}\n',
        b'{"verb": "stop"}\n',
        b'{"verb": "history", "most": -1}\n',
        b'{"verb": "history", "most": 1e999}\n',
        b'{"verb": "status", "names": {"a": 1}}\n',
        b'{"verb": "status", "names": ["\\ud800"]}\n',
        b'{"verb": "logs", "names": ["web", "web"]}\n',
        b'{"verb": "pmf.nosuch"}\n',
        b'{"verb": "status"}\n{"verb": "stop", "names": ["web"]}\n',
    ]
    with Running(tmp_path, describe(tmp_path, 'start_command = ["sleep", "1000"]\n')) as runner:
        before = runner.until("web", state="ONLINE")
        assert runner.process is not None
        fds = len(os.listdir(f"/proc/{runner.process.pid}/fd"))
        held: list[socket.socket] = []
        try:
            for number in range(1000):
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(20)
                sock.connect(str(runner.socket))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(garbage[number % len(garbage)])
                if number % 3:
                    sock.close()  # before the answer, or in the middle of it
                else:
                    held.append(sock)
                if number % 50 == 0:
                    began = time.monotonic()
                    assert client.ask(str(runner.socket), {"verb": "status"}, timeout=20)["code"] == 0
                    assert time.monotonic() - began < 5.0, "silent clients hold up nobody"
        finally:
            for sock in held:
                sock.close()
        after = runner.resource("web")
        assert (after["main_pid"], after["state"]) == (before["main_pid"], "ONLINE")
        eventually(
            lambda: runner.process and len(os.listdir(f"/proc/{runner.process.pid}/fd")) <= fds + 2,
            "no descriptor is lost",
        )
        assert "internal error" not in runner.log(), runner.log()


@both_rungs
def test_a_probe_asked_for_is_answered_also_when_its_application_is_stopped_meanwhile(
    tmp_path: Path, rung: str
) -> None:
    text = f"""
start_command = ["sleep", "1000"]
probe_command = "test -e {tmp_path}/slow || exit 0; touch {tmp_path}/asked; sleep 1000"
thorough_probe_interval = 1000
"""
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "slow").touch()
        asked = subprocess.Popen(
            [sys.executable, "-m", "gds", "probe", "web", "--socket", str(runner.socket)],
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually((tmp_path / "asked").exists, "the probe is under way")
        assert runner.gds("stop", "web").returncode == 0
        _, said = asked.communicate(timeout=20)
        assert asked.returncode == 1
        assert "cannot probe web" in said
        assert not marked(tmp_path)


# -- the end of the runner ------------------------------------------------------------------------------------------


@both_rungs
def test_a_reload_that_meets_the_end_of_the_runner_starts_nothing(tmp_path: Path, rung: str) -> None:
    descriptor = describe(tmp_path, 'start_command = ["sleep", "1000"]\n')
    for turn in range(6):
        runner = Running(tmp_path, tmp_path / "web.toml", rung=rung).begin()
        runner.until("web", state="ONLINE")
        assert runner.process is not None
        text = descriptor.read_text()
        write(descriptor, text.replace("1000", "1001") if turn % 2 == 0 else text.replace("1001", "1000"))
        runner.process.send_signal(signal.SIGHUP)
        time.sleep(turn * 0.08)  # the race is the test: every turn meets another instant
        assert runner.end() == 0, runner.log()
        assert not marked(tmp_path)


@both_rungs
def test_killed_at_every_step_of_a_start_and_a_stop_it_never_doubles_nor_forgets(tmp_path: Path, rung: str) -> None:
    """A hundred kills, each a fraction of a millisecond later than the one before."""
    where = Path(tempfile.mkdtemp(prefix="gds-faults-"))
    runner = Running(where, where / "web.toml", rung=rung)
    try:
        lock = f"exec 9> {where}/lock; flock -n 9 || echo $$ >> {where}/doubled; "
        text = f"""
start_command = "{lock} sleep 1000 & exec sleep 1000"
stop_timeout = 5
start_grace = 0
"""
        describe(where, text)
        runner.begin(wait=False)
        sock = str(runner.socket)
        for turn in range(100):
            eventually(lambda: _settled(sock), f"it is at rest (turn {turn})\n{runner.log()[-2000:]}")
            verb = ("stop", "start", "restart")[turn % 3]
            client.ask(sock, {"verb": verb, "names": ["web"], "no_wait": True}, timeout=20)
            time.sleep(turn * 0.00015)
            runner.crash()
            runner.begin(wait=False)
            state = eventually(lambda: _settled(sock), f"it is at rest again (turn {turn})")
            expected = "OFFLINE" if verb == "stop" else "ONLINE"
            assert state == expected, (turn, runner.log()[-2000:])
            count = 0 if verb == "stop" else 2
            eventually(partial(_count_is, where, count), f"{count} processes after {verb} (turn {turn})")
            assert not (where / "doubled").exists(), turn
        assert runner.end() == 0
        assert not marked(where)
        assert "internal error" not in runner.log()
    finally:
        if not runner.over():
            runner.crash()
        for pid in marked(where):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(where)


def _count_is(where: Path, count: int) -> bool:
    return len(marked(where)) == count


def _settled(sock: str) -> str:
    try:
        status = client.ask(sock, {"verb": "status"}, timeout=5)["status"]
    except (client.NoRunner, client.TimedOut):
        return ""
    state = status["groups"][0]["resources"][0]["state"]
    return state if state in ("ONLINE", "OFFLINE", "START_FAILED", "STOP_FAILED") else ""


@both_rungs
def test_a_start_command_that_leaves_no_process_is_not_run_again_after_a_crash(tmp_path: Path, rung: str) -> None:
    text = f"""
start_command = "echo start >> {tmp_path}/acts"
stop_command = "echo stop >> {tmp_path}/acts"
probe_command = "exit 0"
pmf_managed = false
"""
    runner = Running(tmp_path, describe(tmp_path, text), rung=rung).begin()
    runner.until("web", state="ONLINE")
    runner.crash()
    runner.begin()
    assert runner.until("web", state="ONLINE")["incarnation"] == 1
    assert (tmp_path / "acts").read_text().split() == ["start"]
    assert runner.gds("stop", "web").returncode == 0
    runner.crash()
    runner.begin()
    assert runner.resource("web")["state"] == "OFFLINE"
    assert runner.end() == 0
    assert (tmp_path / "acts").read_text().split()[:2] == ["start", "stop"]
