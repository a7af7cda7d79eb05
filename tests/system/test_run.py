"""From the first fork to the giveover, on real processes, on both rungs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.system.running import GDS, RUNGS, Running, alive, eventually, write

pytestmark = pytest.mark.parametrize("rung", RUNGS)


def test_a_death_is_followed_by_a_restart_with_its_reason(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        before = runner.until("web", state="ONLINE", status="OK")
        assert runner.status()["tracking"] == rung
        os.kill(before["main_pid"], signal.SIGKILL)
        after = runner.until("web", state="ONLINE", incarnation=2)
        assert after["restarts"] == {"done": 1, "limit": 2, "interval_seconds": 370.0}
        assert after["because"] == "restart 1 of 2 within 370 s: the last process of the tree ended (killed by SIGKILL)"
        assert after["main_pid"] != before["main_pid"]
        assert len(runner.pids("web")) == 1


def test_the_death_after_the_last_restart_gives_over_and_the_runner_ends_with_75(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml", f'start_command = "echo one >> ran; exit 1"\nworking_directory = "{tmp_path}"\n'
    )
    runner = Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit"))
    runner.begin(wait=False)
    assert runner.wait() == 75, runner.log()
    assert (tmp_path / "ran").read_text() == "one\n" * 3
    assert "giveover: 2 restarts within 370 s: the last process of the tree ended (exit status 1)" in runner.log()


def test_a_giveover_with_nowhere_to_go_is_refused_and_one_restart_is_tried(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\nretry_count = 0\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        pid = runner.until("web", state="ONLINE")["main_pid"]
        os.kill(pid, signal.SIGKILL)
        after = runner.until("web", state="ONLINE", incarnation=2)
        assert after["restarts"]["done"] == 0
        assert "refused, there is no other node to run it on" in after["because"]


def test_a_start_that_fails_with_nowhere_to_go_is_tried_once_more_and_then_left(tmp_path: Path, rung: str) -> None:
    text = f'start_command = "echo one >> ran; exit 3"\nretry_count = 1\nworking_directory = "{tmp_path}"\n'
    text += "start_grace = 30\n"
    descriptor = write(tmp_path / "web.toml", text)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        after = runner.until("web", state="START_FAILED")
        assert after["status"] == "FAULTED"
        assert runner.status()["groups"][0]["state"] == "ONLINE_FAULTED"
        # the start, one restart, and one try more after the refused giveover
        assert (tmp_path / "ran").read_text() == "one\n" * 3
        assert runner.gds("status", "web").returncode == 3


def names(runner: Running) -> list[str]:
    """Of web's processes."""
    found = [Path(f"/proc/{pid}/comm") for pid in runner.pids("web")]
    return sorted([name.read_text().strip() for name in found if name.exists()])


def test_a_daemon_is_followed_and_a_stop_leaves_nothing(tmp_path: Path, rung: str) -> None:
    daemon = f"setsid sh -c 'setsid sleep 1000 & echo $! > {tmp_path}/pid; sleep 999' > /dev/null 2>&1 &\nsleep 0.05"
    descriptor = write(tmp_path / "web.toml", f'start_command = """\n{daemon}"""\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: names(runner) == ["sh", "sleep", "sleep"], "the first shell is gone, three are left")
        grandchild = int((tmp_path / "pid").read_text())
        assert grandchild in runner.pids("web")
        for pid in [p for p in runner.pids("web") if p != grandchild]:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: runner.pids("web") == [grandchild], "only the grandchild is left")
        assert runner.resource("web")["incarnation"] == 1, "the death of others means nothing while one lives"
        os.kill(grandchild, signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=2)
        eventually(lambda: names(runner) == ["sh", "sleep", "sleep"], "the daemon is there again")
        left = runner.pids("web")
        stopped = runner.gds("stop", "web")
        assert stopped.returncode == 0, stopped.stderr
        assert not [pid for pid in left if alive(pid)]
        assert runner.resource("web")["state"] == "OFFLINE"


def test_who_ignores_term_is_killed_at_80_percent_with_its_children(tmp_path: Path, rung: str) -> None:
    stubborn = "trap '' TERM; sh -c \\\"trap '' TERM; while :; do sleep 1; done\\\" & while :; do sleep 1; done"
    descriptor = write(tmp_path / "web.toml", f'start_command = "{stubborn}"\nstop_timeout = 1\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        pids = eventually(lambda: p if len(p := runner.pids("web")) >= 4 else [], "two shells, and what they wait for")
        stopped = runner.gds("stop", "web")
        assert stopped.returncode == 0, stopped.stderr
        assert not [pid for pid in pids if alive(pid)]


def test_a_runner_killed_and_started_again_takes_back_what_runs(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "two.toml",
        '[resource.web]\nstart_command = ["sleep", "1000"]\n[resource.db]\nstart_command = ["sleep", "1001"]\n',
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        os.kill(runner.until("web", state="ONLINE")["main_pid"], signal.SIGKILL)
        web = runner.until("web", state="ONLINE", incarnation=2)
        assert runner.gds("stop", "db").returncode == 0
        history = runner.gds("history", "web").stdout
        runner.crash()
        assert alive(web["main_pid"])
        runner.begin()
        again = runner.until("web", state="ONLINE")
        assert again["main_pid"] == web["main_pid"]
        assert again["incarnation"] == 2
        assert again["restarts"]["done"] == 1, "the budget is kept"
        assert again["online_since"] == web["online_since"]
        assert runner.gds("history", "web").stdout.startswith(history)
        assert runner.resource("db")["state"] == "OFFLINE", "what a person stopped stays stopped"
        os.kill(web["main_pid"], signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=3)
        assert runner.end() == 0


def test_probe_exit_codes_add_up_over_retry_interval(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = ["sleep", "1000"]
probe_command = "exit $(cat {tmp_path}/score)"
thorough_probe_interval = "100ms"
probe_timeout = 5
""",
    )
    (tmp_path / "score").write_text("0")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE", status="OK")
        (tmp_path / "score").write_text("40")
        after = runner.until("web", incarnation=2)
        assert "failures add up to 120: the probe exited with status 40" in after["because"]
        (tmp_path / "score").write_text("0")
        assert runner.until("web", state="ONLINE", status="OK")["restarts"]["done"] >= 1


def test_status_201_gives_over_without_a_restart(tmp_path: Path, rung: str) -> None:
    (tmp_path / "score").write_text("0")
    text = f'start_command = ["sleep", "1000"]\nprobe_command = "exit $(cat {tmp_path}/score)"\n'
    descriptor = write(tmp_path / "web.toml", text + "thorough_probe_interval = 0.1\nprobe_timeout = 5\n")
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "score").write_text("201")
        assert runner.wait() == 75
        assert runner.log().count("restart ") == 0


def test_a_hanging_probe_counts_half_and_leaves_no_process(tmp_path: Path, rung: str) -> None:
    hung = f"1003.{os.getpid()}"  # nobody else's
    text = f"""
start_command = ["sleep", "1000"]
probe_command = "test -e {tmp_path}/hang || exit 0; sleep {hung} & sleep {hung}"
thorough_probe_interval = 0.2
probe_timeout = 0.8
retry_interval = 60
"""
    descriptor = write(tmp_path / "web.toml", text)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "hang").touch()
        after = runner.until("web", incarnation=2)
        assert "the probe gave no answer within 0.8 s, 2 times in a row" in after["because"]
        (tmp_path / "hang").unlink()
        runner.until("web", state="ONLINE")
        eventually(lambda: not _sleeping(hung), "no probe process is left")


def _sleeping(argument: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", argument.encode()] and alive(int(entry)):
                found.append(int(entry))
    return found


def test_a_reload_says_what_stays_stopped_and_what_changes_of_groups(tmp_path: Path, rung: str) -> None:
    text = '[resource.z]\nstart_command = ["sleep", "1000"]\n[group.z]\npingpong_interval = {}\n'
    descriptor = write(tmp_path / "z.toml", text.format(100))
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("z", state="ONLINE")
        runner.gds("stop", "z")
        new = (
            text.replace('"1000"', '"2000"')
            + 'nodelist = ["n1"]\n[resource.y]\nstart_command = "exit"\nenabled = false\n'
        )
        write(descriptor, new.format(200))
        assert runner.gds("reload").stderr.splitlines() == [
            "z: change start_command; it stays stopped",
            "y: it is new; it stays stopped",
            "group z: change nodelist, pingpong_interval",
        ]
        assert runner.resource("z")["state"] == "OFFLINE"
        write(descriptor, (new + "\n").replace("200", "300").format(200))
        runner.gds("start", "z")
        assert runner.gds("reload").stderr == "z: stop, change start_command, start\n"


@pytest.mark.parametrize("typed", ["{}", "{}/../apps.d/.", "relative"])
def test_a_directory_that_has_become_empty_stops_nothing(tmp_path: Path, rung: str, typed: str) -> None:
    directory = tmp_path / "apps.d"
    directory.mkdir()
    descriptor = write(directory / "web.toml", 'start_command = ["sleep", "1000"]\n')
    beside = write(tmp_path / "other.toml", 'start_command = ["sleep", "1000"]\n')
    always = tmp_path / "always-empty.d"
    always.mkdir()
    named = os.path.relpath(directory) if typed == "relative" else typed.format(directory)
    with Running(tmp_path, named, beside, always, rung=rung) as runner:
        pid = runner.until("web", state="ONLINE")["main_pid"]
        descriptor.unlink()
        refused = runner.gds("reload")
        assert refused.returncode == 78
        assert f"cannot reload: no *.toml file is left in {directory}, and web would be stopped" in refused.stderr
        assert runner.resource("web")["main_pid"] == pid
        write(directory / "new.toml", 'start_command = ["sleep", "1000"]\n')
        assert runner.gds("reload").returncode == 0
        assert not alive(pid)


def test_a_runner_that_comes_back_to_an_empty_directory_stops_nothing(tmp_path: Path, rung: str) -> None:
    directory = tmp_path / "apps.d"
    directory.mkdir()
    descriptor = write(directory / "web.toml", 'start_command = ["sleep", "1000"]\n')
    with Running(tmp_path, directory, rung=rung) as runner:
        pid = runner.until("web", state="ONLINE")["main_pid"]
        runner.crash()
        hidden = descriptor.rename(tmp_path / "hidden")
        runner.begin(wait=False)
        assert runner.wait() == 78
        assert f"cannot run: no *.toml file is in {directory}, and web, which the runner before" in runner.log()
        hidden.rename(descriptor)
        runner.begin()
        found = runner.until("web", state="ONLINE")
        assert (found["main_pid"], found["because"]) == (pid, "taken back from the runner before this one")
        runner.crash()
        descriptor.unlink()
        runner.paths = ["--pmf"]
        runner.begin(wait=False)
        assert runner.wait() == 0
        assert not alive(pid)


def test_reload_touches_only_what_changed(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "three.toml",
        '[resource.same]\nstart_command = ["sleep", "1000"]\n'
        '[resource.other]\nstart_command = ["sleep", "1001"]\n'
        '[resource.gone]\nstart_command = ["sleep", "1002"]\n',
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        pids = {name: runner.until(name, state="ONLINE")["main_pid"] for name in ("same", "other", "gone")}
        write(
            descriptor,
            '[resource.same]\nstart_command = ["sleep", "1000"]\nretry_count = 5\n'
            '[resource.other]\nstart_command = ["sleep", "1011"]\n'
            '[resource.fresh]\nstart_command = ["sleep", "1012"]\n',
        )
        plan = runner.gds("reload", "--dry-run")
        assert plan.returncode == 0
        assert sorted(plan.stderr.splitlines()) == [
            "fresh: start, it is new",
            "gone: stop, no descriptor names it any more",
            "other: stop, change start_command, start",
            "same: change retry_count while it runs",
        ]
        assert runner.resource("other")["main_pid"] == pids["other"], "a dry run touches nothing"
        assert runner.gds("reload").returncode == 0
        same = runner.resource("same")
        assert (same["main_pid"], same["restarts"]["limit"]) == (pids["same"], 5)
        assert runner.resource("other")["main_pid"] != pids["other"]
        assert runner.resource("other")["restarts"]["done"] == 0
        assert runner.resource("fresh")["state"] == "ONLINE"
        assert not alive(pids["gone"])
        assert {r["name"] for g in runner.status()["groups"] for r in g["resources"]} == {"same", "other", "fresh"}
        descriptor.write_text("[resource.same]\nstart_comand = 1\n")
        refused = runner.gds("reload")
        assert refused.returncode == 78
        assert "did you mean start_command" in refused.stderr
        assert runner.resource("same")["main_pid"] == pids["same"]


def test_operators_acts_are_never_counted(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        for _ in range(3):
            assert runner.gds("restart", "web").returncode == 0
        resource = runner.resource("web")
        assert (resource["restarts"]["done"], resource["incarnation"]) == (0, 4)
        assert runner.gds("disable", "web").returncode == 0
        assert runner.gds("start", "web").returncode == 1
        assert runner.end() == 0
        runner.begin()
        assert runner.resource("web")["enabled"] is False
        assert runner.resource("web")["state"] == "OFFLINE"
        assert runner.gds("enable", "web").returncode == 0
        assert runner.resource("web")["state"] == "ONLINE"
        unmonitored = runner.gds("unmonitor", "web")
        assert unmonitored.returncode == 0
        assert runner.resource("web")["state"] == "ONLINE_NOT_MONITORED"
        assert runner.gds("status", "web").returncode == 0
        assert runner.gds("monitor", "web").returncode == 0
        assert runner.gds("giveover", "web").returncode == 1
        assert runner.gds("status", "nosuch").returncode == 4


def test_the_environment_of_a_command_is_the_contract(tmp_path: Path, rung: str) -> None:
    (tmp_path / "secrets").write_text("SECRET=s3cr3t\n# no\nQUOTED='a b'\n")
    text = f"""
start_command = "env > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/env; exec sleep 1000"
port_list = []
environment = {{A = "1"}}
environment_files = ["{tmp_path}/secrets"]
"""
    descriptor = write(tmp_path / "web.toml", text)
    with Running(tmp_path, descriptor, rung=rung, env={"LEAK": "x", "LANG": "C.UTF-8"}) as runner:
        runner.until("web", state="ONLINE")
        eventually((tmp_path / "env").exists, "it has told its environment")
        env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
        assert "LEAK" not in env
        assert env["A"] == "1"
        assert env["SECRET"] == "s3cr3t"
        assert env["QUOTED"] == "a b"
        assert env["GDS_RESOURCE"] == env["GDS_GROUP"] == "web"
        assert (env["GDS_METHOD"], env["GDS_INCARNATION"], env["GDS_TIMEOUT"]) == ("Start", "1", "300")
        assert (env["GDS_RESTARTS"], env["GDS_RETRY_COUNT"], env["GDS_PROBE_SUM"]) == ("0", "2", "0")
        assert env["GDS_SOCKET"] == str(runner.socket)
        assert "NOTIFY_SOCKET" not in env
        assert "s3cr3t" not in json.dumps(runner.status()) + runner.log() + runner.gds("history").stdout


def test_a_bare_command_runs_with_all_defaults(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, rung=rung, command=("sleep", "1000")) as runner:
        assert runner.until("sleep", state="ONLINE")["type"] == "gds"


def test_a_second_runner_on_the_same_directories_refuses_with_75(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, rung=rung, command=("sleep", "1000")) as runner:
        second = Running(tmp_path, rung=rung, command=("sleep", "1001"))
        second.log_path = tmp_path / "second"
        second.begin(wait=False)
        assert second.wait() == 75
        assert "another runner has it" in second.log()
        assert runner.resource("sleep")["incarnation"] == 1


@pytest.mark.parametrize("given", ["", "C"])
def test_as_process_1_the_environment_is_handed_on_as_it_was_given(tmp_path: Path, rung: str, given: str) -> None:
    # An interpreter that finds no locale sets LC_CTYPE for itself (PEP 538); it is nobody else's.
    env = {"PATH": os.environ["PATH"], "GDS_TRACKING": rung, "KEPT": "yes"}
    if "PYTHONPATH" in os.environ:
        env["PYTHONPATH"] = os.environ["PYTHONPATH"]
    if given:
        env["LC_CTYPE"] = given
    namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    places = ["--runtime-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")]
    command = ["sh", "-c", f"env >{tmp_path}/seen; exit 1"]
    # each death counts until the budget is spent; as process 1 a giveover ends the runner
    done = subprocess.run([*namespace, *GDS, "run", *places, "--", *command], env=env, timeout=60, check=False)
    assert done.returncode == 75
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert seen["KEPT"] == "yes"
    assert seen.get("LC_CTYPE", "") == given
