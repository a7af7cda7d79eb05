"""What a runner that was killed leaves is taken back, judged as before, or tidied up by the next one."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from gds.linux.cgroupforest import mount_point
from gds.linux.kept import Memory
from gds.linux.procfs import cgroup
from tests.contract.forests import rungs
from tests.system.running import RUNGS, Running, eventually, write


@pytest.mark.parametrize("lives", [True, False], ids=["it lives on", "it dies too"])
@pytest.mark.parametrize("rung", RUNGS)
def test_a_crash_in_the_one_more_try_does_not_buy_another(tmp_path: Path, rung: str, lives: bool) -> None:
    text = 'start_command = ["sleep", "1000"]\nprobe_command = ["false"]\nstart_timeout = 3\n'
    descriptor = write(tmp_path / "web.toml", text)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        trying = runner.until("web", state="STARTING", incarnation=2)
        assert "one more try" in trying["because"]
        pid = eventually(lambda: runner.resource("web")["main_pid"], "its start is under way")
        runner.crash()
        if not lives:
            os.kill(pid, signal.SIGKILL)
        runner.begin()
        failed = runner.until("web", state="START_FAILED")
        assert failed["incarnation"] == 3, "started again because of the crash, and that was the last time"
        assert "one more try failed: it stays down until somebody asks" in failed["because"]


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ('failover_mode = "LOG_ONLY"', "left alone, failover_mode is LOG_ONLY"),
        ('failover_mode = "RESTART_ONLY"\nretry_count = 0', "left alone after 0 restarts"),
        ("failover_enabled = false\nretry_count = 0", "failover_enabled is false"),
    ],
)
def test_what_was_left_alone_is_left_alone_by_the_next_runner(tmp_path: Path, rung: str, policy: str, why: str) -> None:
    descriptor = write(tmp_path / "web.toml", f'start_command = ["sleep", "1000"]\n{policy}\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        os.kill(runner.until("web", state="ONLINE", status="OK")["main_pid"], signal.SIGKILL)
        left = runner.until("web", status="FAULTED")
        assert why in left["because"]
        runner.crash()
        runner.begin()
        still = runner.until("web", state="ONLINE", status="FAULTED", incarnation=1)
        assert (still["because"], still["pids"]) == (left["because"], [])
        assert runner.gds("start", "web").returncode == 0
        runner.until("web", state="ONLINE", status="OK", incarnation=2)


def test_why_something_is_disabled_or_could_not_be_stopped_outlives_the_runner(tmp_path: Path) -> None:
    both = "".join([f'[resource.{n}]\nstart_command = ["sleep", "1000"]\n' for n in ("web", "off")])
    with Running(tmp_path, write(tmp_path / "apps.toml", both)) as runner:
        assert runner.gds("disable", "off").returncode == 0
        pid = runner.until("web", state="ONLINE")["main_pid"]
        runner.crash()
        runner.begin()
        assert runner.until("off", state="OFFLINE")["because"] == "disable asked by root"
        runner.crash()
        # as a runner leaves it whose application could not even be killed
        memory = Memory(str(runner.runtime), None, lambda _again: None)
        records = memory.recall()
        because = f"Stop failed: process {pid} still there after SIGKILL and 300 s (stop_timeout)"
        records["web"].pop("sum")
        records["off"].pop("sum")
        records["web"].update(life="STOP_FAILED", because=because)
        memory.snapshot = records.values
        memory.begin()
        runner.begin()
        stuck = runner.until("web", state="STOP_FAILED")
        assert (stuck["because"], stuck["pids"]) == (because, [pid])
        assert runner.gds("stop", "web").returncode == 0


@pytest.mark.parametrize("rung", RUNGS)
def test_a_stop_goes_on_in_its_order_when_the_runner_died_in_it(tmp_path: Path, rung: str) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    text = f"""
[group.shop]
[resource.db]
group = "shop"
start_command = ["sleep", "1000"]
stop_command = "echo db >> {told}"
[resource.web]
group = "shop"
resource_dependencies = ["db"]
start_command = ["sleep", "1000"]
stop_command = "until [ -e {go} ]; do sleep 0.05; done; echo web >> {told}"
[resource.gone]
start_command = ["sleep", "1000"]
"""
    descriptor = write(tmp_path / "shop.toml", text)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        for name in ("web", "gone"):
            runner.until(name, state="ONLINE")
        assert runner.gds("rg", "offline", "--no-wait", "shop").returncode == 0
        runner.until("db", state="STOPPING")
        runner.crash()
        write(descriptor, text[: text.index("[resource.gone]")])
        runner.begin()
        assert "waits until web is down" in runner.until("db", state="STOPPING")["because"]
        assert not told.exists()
        eventually(lambda: "gone is OFFLINE" in runner.log(), "what is declared no more is ended")
        assert "no descriptor names it any more resource=gone" in runner.log()
        assert "when the runner before this one ended resource=gone" not in runner.log(), "no stop of it was under way"
        go.touch()
        runner.until("db", state="OFFLINE")
        assert told.read_text() == "web\ndb\n"


@pytest.mark.parametrize("rung", RUNGS)
def test_fifos_of_what_is_no_longer_declared_are_removed(tmp_path: Path, rung: str) -> None:
    one = '[resource.{0}]\nstart_command = ["sleep", "1000"]\nstdout = {{path = "{1}/{0}.log", rotate = "1MiB"}}\n'
    descriptor = write(tmp_path / "apps.toml", one.format("web", tmp_path) + one.format("db", tmp_path))
    fifos = tmp_path / "run" / "out" / "stdout"
    with Running(tmp_path, descriptor, rung=rung) as runner:
        for name in ("web", "db"):
            runner.until(name, state="ONLINE")
        assert sorted(os.listdir(fifos)) == ["db", "web"]
        runner.crash()
        write(descriptor, one.format("web", tmp_path))
        runner.begin()
        runner.until("web", state="ONLINE")
        assert os.listdir(fifos) == ["web"]
        assert runner.end() == 0
        assert not fifos.parent.exists(), "an orderly end leaves nothing to look through"


def test_files_that_a_killed_runner_had_begun_to_write_are_swept(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    runner = Running(tmp_path, descriptor)
    begun = [runner.runtime / "state.log.new.4711", runner.state / "switches.json.new.4711"]
    other = runner.state / "notes.new.4711"
    for path in (*begun, other):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{")
    with runner:
        runner.until("web", state="ONLINE")
        assert not [path for path in begun if path.exists()]
        assert other.exists(), "not ours"


HIDES = """import os, signal, sys, time
from gds.linux.cgroupforest import mount_point
from gds.linux.procfs import cgroup
inner = mount_point() + cgroup(os.getpid()) + "/inner"
os.mkdir(inner)
with open(inner + "/cgroup.procs", "w") as procs:
    procs.write("0")
signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(print("got TERM", flush=True)))
time.sleep(1000)
"""


@pytest.mark.parametrize("rung", [rung for rung in rungs() if rung == "cgroup"])
def test_who_lives_in_a_cgroup_that_it_made_itself_is_seen_taken_back_handed_over_and_told_to_end(
    tmp_path: Path, rung: str
) -> None:
    program = write(tmp_path / "hides.py", HIDES)
    descriptor = write(tmp_path / "web.toml", f"start_command = {[sys.executable, str(program)]}\nstop_timeout = 300\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        web = runner.resource("web")
        pid = web["main_pid"]
        eventually(lambda: "/inner" in Path(f"/proc/{pid}/cgroup").read_text(), "it has moved")
        place = Path(mount_point() + cgroup(pid)).parent
        assert runner.resource("web")["pids"] == [pid]
        runner.crash()
        runner.begin()
        assert runner.until("web", state="ONLINE")["pids"] == [pid]
        assert runner.gds("upgrade").returncode == 0
        assert runner.until("web", state="ONLINE")["pids"] == [pid]
        assert runner.gds("stop", "web").returncode == 0
        assert "got TERM" in runner.log(), "and nobody waited for 240 seconds"
        eventually(lambda: not place.exists(), "its cgroup is gone with what was below")


@pytest.mark.parametrize("how", ["scribbled over", "emptied", "removed"])
def test_what_was_lost_of_the_state_is_told_and_no_reason_claims_to_know_it(tmp_path: Path, how: str) -> None:
    one = '[resource.{0}]\nstart_command = "exec sleep 1000"\n'
    descriptor = write(tmp_path / "apps.toml", one.format("up") + one.format("down"))
    with Running(tmp_path, descriptor) as runner:
        runner.until("up", state="ONLINE")
        runner.until("down", state="ONLINE")
        assert runner.gds("stop", "down").returncode == 0
        runner.crash()
        state = runner.runtime / "state.log"
        if how == "removed":
            state.unlink()
        else:
            state.write_bytes(b"" if how == "emptied" else bytes(len(state.read_bytes()) - 1) + b"\n")
        runner.begin()
        up = runner.until("up", state="ONLINE")
        down = runner.until("down", state="ONLINE")
        lost = "what the runner before this one kept is gone" if how == "removed" else f"{state} is damaged: "
        assert lost in runner.log()
        assert lost in runner.gds("history").stdout
        assert (up["because"], len(up["pids"])) == ("what the runner before this one knew of it is lost", 1)
        assert down["because"] == "the runner starts, and cannot know how the one before it had left it"
        runner.crash()
        state.write_bytes(state.read_bytes()[:-20])
        before = runner.log()
        runner.begin()
        runner.until("up", state="ONLINE")
        runner.until("down", state="ONLINE")
        assert "state.log" not in runner.log()[len(before) :], "a torn last line is ordinary"


def test_that_applications_would_not_survive_a_crash_is_told(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    runner = Running(tmp_path, descriptor, rung="keeper")
    runner.runtime.mkdir()
    (runner.runtime / "keepers").touch()
    with runner:
        runner.until("web", state="ONLINE")
        assert (
            f"cannot write to {runner.runtime}/keepers: File exists: applications end with this runner, also when it"
            " crashes" in runner.log()
        )


def test_that_the_service_manager_cannot_be_told_is_told(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    nowhere = tmp_path / "nobody"
    with Running(tmp_path, descriptor, wrapper=("env", f"NOTIFY_SOCKET={nowhere}")) as runner:
        runner.until("web", state="ONLINE")
        assert f"cannot reach the service manager at {nowhere}: No such file or directory" in runner.log()
