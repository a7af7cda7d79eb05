"""The fault monitor and what follows from it: scores, budgets, modes, delays (design.md 2; semantics.md 2, 5, 8)."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.system.running import RUNGS, Running, alive, eventually, write

pytestmark = pytest.mark.parametrize("rung", RUNGS)

PROBED = """
start_command = ["sleep", "1000"]
probe_command = "exit $(cat {where}/score)"
thorough_probe_interval = 0.1
probe_timeout = 5
retry_interval = 60
"""


def scored(where: Path, more: str = "", score: int = 0) -> Path:
    """An application whose health stands in a file."""
    (where / "score").write_text(str(score))
    return write(where / "web.toml", PROBED.format(where=where) + more)


def kill(runner: Running, name: str = "web") -> None:
    """All processes of it at once."""
    for pid in runner.pids(name):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("exit_map", "status", "score"),
    [
        ("", 7, 7),
        ("", 101, 100),
        ("", 200, 100),
        ("", 202, 100),
        ("", 255, 100),
        ('exit_map = "pass-fail"\n', 1, 100),
        ('exit_map = "nagios"\n', 1, 50),
        ('exit_map = "nagios"\n', 2, 100),
        ("exit_map = {0 = 0, 1 = 20, other = 30}\n", 1, 20),
        ("exit_map = {0 = 0, 1 = 20, other = 30}\n", 9, 30),
        ("exit_map = {0 = 0, 1 = 20}\n", 9, 100),
        ("probe = {exit_map = {0 = 0, 3 = 40}}\n", 3, 40),
    ],
)
def test_an_exit_status_becomes_a_score(tmp_path: Path, rung: str, exit_map: str, status: int, score: int) -> None:
    descriptor = scored(tmp_path, exit_map + 'failover_mode = "LOG_ONLY"\n')
    descriptor.write_text(descriptor.read_text().replace("interval = 0.1", "interval = 50"))
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE", status="OK")
        (tmp_path / "score").write_text(str(status))
        asked = runner.gds("probe", "web")
        assert asked.returncode == 1
        assert asked.stdout.startswith(f"web: score {score} in "), asked.stdout
        assert runner.resource("web")["restarts"]["done"] == 0, "a probe asked by a person decides nothing"


def test_a_probe_killed_by_a_signal_or_not_executable_is_a_complete_failure(tmp_path: Path, rung: str) -> None:
    probe = tmp_path / "probe"
    probe.write_text("#!/bin/sh\nexit 0\n")
    probe.chmod(0o755)
    descriptor = write(
        tmp_path / "web.toml", f'start_command = ["sleep", "1000"]\nprobe_command = ["{probe}"]\nprobe_timeout = 5\n'
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        probe.write_text("#!/bin/sh\nkill -9 $$\n")
        assert "score 100" in runner.gds("probe", "web").stdout
        probe.unlink()
        gone = runner.gds("probe", "web").stdout
        assert "score 100" in gone
        assert f"cannot execute {probe}" in gone


def test_partial_failures_are_watched_and_a_success_does_not_forget_them(tmp_path: Path, rung: str) -> None:
    # surprise 5
    descriptor = scored(tmp_path)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE", status="OK")
        assert runner.resource("web")["probe"]["sum"] == 0
        (tmp_path / "score").write_text("1")  # ten times a second: a hundred of them are more than we need to look
        watched = runner.until("web", status="DEGRADED")
        assert "of 100 within 60 s: the probe exited with status 1" in watched["status_msg"]
        (tmp_path / "score").write_text("0")
        fine = runner.until("web", status="OK")
        assert (fine["incarnation"], fine["probe"]["score"]) == (1, 0)
        assert 0 < fine["probe"]["sum"] < 100
        again = eventually(
            lambda: r if (r := runner.resource("web"))["probe"]["at"] != fine["probe"]["at"] else None, "one more probe"
        )
        assert again is not None
        assert (again["status"], again["probe"]["sum"]) == ("OK", fine["probe"]["sum"])
        assert runner.gds("clear", "web").returncode == 0
        assert runner.resource("web")["probe"]["sum"] == 0


@pytest.mark.parametrize(
    ("mode", "because"),
    [
        ('failover_mode = "LOG_ONLY"\n', "failover_mode is LOG_ONLY"),
        ('failover_mode = "RESTART_ONLY"\nretry_count = 0\n', "failover_mode is RESTART_ONLY"),
        ("failover_enabled = false\nretry_count = 0\n", "failover_enabled is false"),
    ],
)
def test_left_alone_past_its_budget_it_stays_online_and_faulted(
    tmp_path: Path, rung: str, mode: str, because: str
) -> None:
    descriptor = scored(tmp_path, mode)
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        main = runner.until("web", state="ONLINE", status="OK")["main_pid"]
        (tmp_path / "score").write_text("100")
        alone = runner.until("web", status="FAULTED")
        assert (alone["state"], alone["main_pid"], alone["incarnation"]) == ("ONLINE", main, 1)
        assert because in alone["because"]
        assert "the probe exited with status 100" in alone["status_msg"]
        assert runner.status()["groups"][0]["state"] == "ONLINE_FAULTED"
        assert runner.gds("status", "web").returncode == 3
        (tmp_path / "score").write_text("201")
        eventually(lambda: "giveover asked for at once, but" in runner.resource("web")["because"], "201 is muted")
        assert runner.resource("web")["incarnation"] == 1
        (tmp_path / "score").write_text("0")
        runner.until("web", state="ONLINE", status="OK")
        assert runner.status()["groups"][0]["state"] == "ONLINE"
        kill(runner)
        dead = runner.until("web", status="FAULTED", pids=[])
        assert dead["state"] == "ONLINE"
        assert "the last process of the tree ended" in dead["because"]
        # the probe goes on, and says healthy; a dead application is not healthy by that
        eventually(lambda: runner.resource("web")["probe"]["at"] > dead["online_since"], "it was probed since")
        assert runner.resource("web")["status"] == "FAULTED"
        assert runner.gds("restart", "web").returncode == 0
        assert runner.until("web", state="ONLINE", status="OK")["incarnation"] == 2


def test_restart_only_restarts_within_its_budget(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\nfailover_mode = "RESTART_ONLY"\nretry_count = 1\n'
    )
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        runner.until("web", state="ONLINE")
        kill(runner)
        runner.until("web", state="ONLINE", incarnation=2)
        kill(runner)
        alone = runner.until("web", state="ONLINE", status="FAULTED")
        assert alone["because"].startswith("left alone after 1 restart within 370 s, failover_mode is RESTART_ONLY")
        assert alone["pids"] == []
        assert runner.status()["groups"][0]["state"] == "ONLINE_FAULTED"
        assert not runner.over()


@pytest.mark.parametrize("mode", ["NONE", "RESTART_ONLY", "LOG_ONLY"])
def test_a_failed_start_is_not_recovered_in_these_modes(tmp_path: Path, rung: str, mode: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f'start_command = "echo x >> {tmp_path}/ran; exec sleep 1000"\nprobe_command = "exit 100"\n'
        f'start_timeout = 1\nfailover_mode = "{mode}"\n',
    )
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        failed = runner.until("web", state="START_FAILED")
        assert (failed["status"], failed["pids"]) == ("FAULTED", [])
        assert runner.status()["groups"][0]["state"] == "ONLINE_FAULTED"
        assert (tmp_path / "ran").read_text() == "x\n"
        assert runner.gds("status", "web").returncode == 3


@pytest.mark.parametrize("mode", ["SOFT", "HARD"])
def test_a_failed_start_leaves_the_node_in_these_modes(tmp_path: Path, rung: str, mode: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f'start_command = ["sleep", "1000"]\nprobe_command = "exit 100"\nstart_timeout = 1\nfailover_mode = "{mode}"\n',
    )
    runner = Running(
        tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit"), env={"GDS_NODE_ABORT_COMMAND": "true"}
    )
    runner.begin(wait=False)
    assert runner.wait() == 75, runner.log()
    assert "giveover: Start failed: not available within 1 s" in runner.log()


def test_none_does_not_stop_a_monitor_from_giving_over(tmp_path: Path, rung: str) -> None:
    # surprise 8
    descriptor = scored(tmp_path, 'failover_mode = "NONE"\nretry_count = 0\n')
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "score").write_text("100")
        assert runner.wait() == 75


def test_hard_needs_something_that_ends_the_node(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\nfailover_mode = "HARD"\n')
    runner = Running(tmp_path, descriptor, rung=rung)
    runner.begin(wait=False)
    assert runner.wait() == 78
    assert "node_abort_command" in runner.log()


@pytest.mark.parametrize("mode", ["SOFT", "HARD"])
def test_hard_ends_the_node_when_a_stop_fails_and_soft_does_not(tmp_path: Path, rung: str, mode: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "touch {tmp_path}/up"
stop_command = "exit 1"
probe_command = "exit 0"
pmf_managed = false
failover_mode = "{mode}"
stop_timeout = 1
""",
    )
    aborted = tmp_path / "aborted"
    env = {"GDS_NODE_ABORT_COMMAND": f"echo $GDS_RESOURCE: $GDS_REASON > {aborted}"}
    with Running(tmp_path, descriptor, rung=rung, env=env) as runner:
        runner.until("web", state="ONLINE")
        stopped = runner.gds("stop", "web")
        assert stopped.returncode == 1
        failed = runner.resource("web")
        assert (failed["state"], failed["status"]) == ("STOP_FAILED", "FAULTED")
        assert runner.status()["groups"][0]["state"] == "ERROR_STOP_FAILED"
        assert runner.gds("start", "web").returncode == 1, "nothing starts from there"
        if mode == "HARD":
            eventually(lambda: aborted.exists() and "web: Stop failed" in aborted.read_text(), "the node is ended")
        assert ("abort: ending this node: Stop failed" in runner.gds("why", "web").stdout) == (mode == "HARD")
        assert runner.gds("clear", "web").returncode == 0
        assert runner.resource("web")["state"] == "OFFLINE"
        assert aborted.exists() == (mode == "HARD")


def test_num_probe_timeouts_in_a_row_are_a_complete_failure(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = ["sleep", "1000"]
probe_command = "test -e {tmp_path}/hang || exit 0; echo $$ >> {tmp_path}/probes; sleep 1007 & sleep 1007"
thorough_probe_interval = 0.3
probe_timeout = 1
num_probe_timeouts = 1
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "hang").touch()
        after = eventually(lambda: r if (r := runner.resource("web"))["restarts"]["done"] else None, "it restarts")
        assert after is not None
        assert "the probe gave no answer within 1 s" in after["because"] + runner.log()
        (tmp_path / "hang").unlink()
        runner.until("web", state="ONLINE", status="OK")
        assert not [p for p in (tmp_path / "probes").read_text().split() if alive(int(p))]


def test_the_output_of_a_probe_is_its_message_and_at_most_4_kib(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = ["sleep", "1000"]
probe_command = "cat {tmp_path}/say; exit 30"
thorough_probe_interval = 0.2
probe_timeout = 5
failover_mode = "LOG_ONLY"
start_timeout = 60
exit_map = {{30 = 0}}
""",
    )
    (tmp_path / "say").write_text("all well\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        resource = runner.until("web", state="ONLINE")
        assert resource["probe"]["message"] == "all well"
        runner.until("web", status_msg="all well")
        (tmp_path / "say").write_text("x" * 1_000_000)
        eventually(lambda: runner.resource("web")["probe"]["message"].startswith("x"), "the long one arrives")
        resource = runner.resource("web")
        assert len(resource["probe"]["message"]) == 4096
        assert (resource["probe"]["score"], resource["status"]) == (0, "OK")


def test_restart_delay_backs_off_after_the_first_restart(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "date +%s.%N >> {tmp_path}/ran; exit 0"
start_grace = 30
restart_delay = 1.2
restart_delay_max = 1.3
retry_count = 4
failover_mode = "NONE"
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="START_FAILED", within=30)
        times = [float(t) for t in (tmp_path / "ran").read_text().split()]
        gaps = [b - a for a, b in pairwise(times)]
        assert len(gaps) == 4
        assert gaps[1] >= 0.9 * 1.2 - 0.05  # ± 10 %; and the time of day is not the runner's clock
        assert gaps[2] >= 1.25
        assert 1.25 <= gaps[3] < 4.8, "four times as long is more than restart_delay_max"
        assert gaps[0] < gaps[1], "the first restart does not wait"


def test_child_mon_level_0_watches_the_first_process_alone(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        'start_command = "sleep 1001 & sleep 1002 & wait"\nchild_mon_level = 0\n',
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        before = eventually(
            lambda: r if len((r := runner.until("web", state="ONLINE"))["pids"]) == 3 else None, "three processes"
        )
        assert before is not None
        children = [p for p in before["pids"] if p != before["main_pid"]]
        os.kill(children[0], signal.SIGKILL)
        eventually(lambda: len(runner.pids("web")) == 2, "its death is seen")
        assert runner.resource("web")["incarnation"] == 1, "the death of a child means nothing"
        os.kill(before["main_pid"], signal.SIGKILL)
        after = runner.until("web", state="ONLINE", incarnation=2)
        assert "child_mon_level 0" in after["because"]
        assert not alive(children[1]), "who is left is ended before the restart"


def number_in(path: Path) -> int:
    """The line of a file, once it is there."""
    return int(eventually(lambda: path.exists() and path.read_text().endswith("\n") and path.read_text(), str(path)))


def test_child_mon_level_1_watches_a_daemon_started_by_a_script(tmp_path: Path, rung: str) -> None:
    # the command is level 0, the daemon it starts 1, the daemon's workers 2
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = '''sh -c 'echo $$ > {tmp_path}/daemon; sleep 1003 & echo $! > {tmp_path}/worker; wait; sleep 1004' &
sleep 1'''
child_mon_level = 1
start_grace = 0.5
thorough_probe_interval = 0.1
probe_command = "exit 0"
probe_timeout = 5
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        daemon, worker = [number_in(tmp_path / name) for name in ("daemon", "worker")]
        eventually(lambda: sorted(runner.pids("web")) == sorted([daemon, worker]), "the script has ended")
        assert runner.resource("web")["incarnation"] == 1, "the daemon is level 1 and lives"
        os.kill(daemon, signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=2)
        assert not alive(worker)


def test_not_monitored_means_no_probe_and_deaths_are_judged_all_the_same(tmp_path: Path, rung: str) -> None:
    descriptor = scored(tmp_path, "monitored = false\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        resource = runner.until("web", state="ONLINE_NOT_MONITORED")
        assert resource["monitored"] is False
        (tmp_path / "score").write_text("100")
        kill(runner)
        (tmp_path / "score").write_text("0")
        runner.until("web", state="ONLINE_NOT_MONITORED", incarnation=2, restarts_done=1)
        (tmp_path / "score").write_text("100")
        assert runner.gds("status", "web").returncode == 0
        asked = runner.gds("probe", "web")
        assert "score 100" in asked.stdout
        assert runner.resource("web")["incarnation"] == 2
        (tmp_path / "score").write_text("0")
        assert runner.gds("monitor", "web").returncode == 0
        runner.until("web", state="ONLINE", monitored=True)


def test_disabled_stays_offline_until_enabled(tmp_path: Path, rung: str) -> None:
    descriptor = scored(tmp_path, "enabled = false\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        resource = runner.until("web", state="OFFLINE")
        assert (resource["enabled"], resource["status"], resource["online_since"]) == (False, "OFFLINE", None)
        assert runner.gds("start", "web").returncode == 1
        assert runner.gds("enable", "web").returncode == 0
        runner.until("web", state="ONLINE", enabled=True)


def test_a_refused_giveover_forgets_everything_and_one_restart_is_tried(tmp_path: Path, rung: str) -> None:
    # surprises 6 and 7, for a probe; a death does the same
    descriptor = scored(tmp_path, "retry_count = 0\n")
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "score").write_text("100")
        eventually(lambda: runner.resource("web")["incarnation"] == 2, "one restart is tried")
        (tmp_path / "score").write_text("0")
        after = runner.until("web", state="ONLINE", status="OK", incarnation=2)
        assert "there is no other node to run it on: history purged, one restart tried" in after["because"]
        assert (after["restarts"]["done"], after["probe"]["sum"]) == (0, 0)
        kill(runner)
        after = runner.until("web", state="ONLINE", status="OK", incarnation=3)
        assert after["restarts"]["done"] == 0
        asked = runner.gds("giveover", "web")
        assert asked.returncode == 1
        assert "there is no other node" in asked.stderr
        assert runner.resource("web")["incarnation"] == 3, "a person's giveover that is refused changes nothing"


def test_a_negative_retry_count_has_no_end(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\nretry_count = -1\n')
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        runner.until("web", state="ONLINE")
        for incarnation in range(2, 7):
            kill(runner)
            runner.until("web", state="ONLINE", incarnation=incarnation)
        assert runner.resource("web")["restarts"] == {"done": 5, "limit": -1, "interval_seconds": 370.0}


def test_a_budget_is_good_again_when_the_window_has_passed(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\nretry_count = 1\nretry_interval = 5\n'
    )
    with Running(tmp_path, descriptor, rung=rung, options=("--on-giveover", "exit")) as runner:
        runner.until("web", state="ONLINE")
        kill(runner)
        runner.until("web", state="ONLINE", incarnation=2, restarts_done=1)
        runner.until("web", restarts_done=0)
        kill(runner)
        runner.until("web", state="ONLINE", incarnation=3)
        kill(runner)
        assert runner.wait() == 75


def test_log_level_keeps_the_logs_of_the_generic_data_service(tmp_path: Path, rung: str) -> None:
    descriptor = scored(tmp_path, 'log_level = "INFO"\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: [*runner.state.rglob("probe_log.txt")], "the fault monitor has probed")
        assert runner.gds("stop", "web").returncode == 0
        found = {p.name: p.read_text() for p in runner.state.rglob("*_log.txt")}
        assert set(found) == {"start_stop_log.txt", "probe_log.txt"}
        assert "START-INFO>" in found["start_stop_log.txt"]
        assert "STOP-INFO>" in found["start_stop_log.txt"]
        assert "PROBE-INFO>" in found["probe_log.txt"]
