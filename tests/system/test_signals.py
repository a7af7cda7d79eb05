"""Signals to `gds run` and the status it ends with (design.md 4)."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.system.running import GDS, RUNGS, Running, alive, eventually, write

pytestmark = pytest.mark.parametrize("rung", RUNGS)

PLAIN = '[resource.web]\nstart_command = ["sleep", "1000"]\n[resource.db]\nstart_command = "sleep 1001 & sleep 1002"\n'
STUBBORN = "start_command = '''trap '' TERM INT; sh -c \"trap '' TERM; sleep 1005\" & sleep 1006; wait; sleep 1007'''\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_leaves_nothing_and_ends_with_0(tmp_path: Path, rung: str, number: signal.Signals) -> None:
    with Running(tmp_path, write(tmp_path / "two.toml", PLAIN), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        runner.until("db", state="ONLINE")
        pids = runner.pids()
        assert len(pids) >= 3
        assert runner.end(number) == 0
        assert not [p for p in pids if alive(p)]
        assert runner.gds("status").returncode == 4


def begun(tmp_path: Path, rung: str) -> tuple[Running, int]:
    """A runner that keeps what it is told for later, having no ears yet; and its pid."""
    runner = Running(tmp_path, write(tmp_path / "two.toml", PLAIN), rung=rung).begin(wait=False)
    assert runner.process is not None
    return runner, runner.process.pid


def keeps_signals(pid: int) -> bool:
    """SIGTERM is blocked in it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigBlk"))
    return bool(int(mask, 16) & 1 << signal.SIGTERM - 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_it_is_told_before_it_has_ears_is_not_lost(tmp_path: Path, rung: str, number: signal.Signals) -> None:
    runner, pid = begun(tmp_path, rung)
    eventually(lambda: keeps_signals(pid), "it keeps signals for later")
    os.kill(pid, number)
    assert runner.wait(30) == 0
    assert "Traceback" not in runner.log()


def test_a_reload_asked_before_it_has_ears_does_not_end_it(tmp_path: Path, rung: str) -> None:
    runner, pid = begun(tmp_path, rung)
    eventually(lambda: keeps_signals(pid), "it keeps signals for later")
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(pid, number)
    eventually(lambda: "restarts=0" in runner.log(), "USR1 is heard")
    runner.until("web", state="ONLINE")
    assert runner.end() == 0


def test_whoever_is_told_to_end_does_not_wait_for_descriptors_that_hang(tmp_path: Path, rung: str) -> None:
    runner, pid = begun(tmp_path, rung)
    children = Path(f"/proc/{pid}/task/{pid}/children")
    compiler = int(eventually(children.read_text, "it asks the compiler").split()[0])
    os.kill(compiler, signal.SIGSTOP)
    os.kill(pid, signal.SIGTERM)
    assert runner.wait(30) == 1
    assert "cannot run: told to end while the descriptors were still being read" in runner.log()
    assert not alive(compiler)
    assert not runner.runtime.exists() or not list(runner.runtime.glob("*.lock")), "nothing was begun"


def test_a_second_signal_kills_everything_and_ends_with_1(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", STUBBORN), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        pids = eventually(lambda: p if len(p := runner.pids()) >= 3 else None, "they run")
        assert runner.process is not None
        runner.process.send_signal(signal.SIGTERM)
        runner.until("web", state="STOPPING")
        assert runner.gds("restart", "web").returncode == 75, "it is busy stopping everything"
        assert runner.end(signal.SIGINT) == 1
        assert not [p for p in pids or [] if alive(p)]


def test_an_application_that_cannot_be_stopped_makes_1(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        'start_command = "true"\nstop_command = "exit 1"\nprobe_command = "exit 0"\n'
        "pmf_managed = false\nstop_timeout = 1\n",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.end() == 1
        assert "cannot stop web" in runner.log()


def test_what_could_not_be_stopped_before_makes_1_too(tmp_path: Path, rung: str) -> None:
    text = f"""
[resource.web]
start_command = "true"
stop_command = "echo tried >> {tmp_path}/tried; sleep 0.5; exit 1"
probe_command = "exit 0"
pmf_managed = false
stop_timeout = 5
[resource.db]
start_command = "exec sleep 1000"
"""
    with Running(tmp_path, write(tmp_path / "two.toml", text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("stop", "web").returncode == 1
        runner.until("web", state="STOP_FAILED")
        assert runner.end() == 1
        assert "cannot stop web" in runner.log()
        assert (tmp_path / "tried").read_text() == "tried\ntried\n", "it is tried once more"


def test_hup_reloads_and_touches_only_what_changed(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "two.toml", PLAIN)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        web = runner.until("web", state="ONLINE")["main_pid"]
        runner.until("db", state="ONLINE")
        write(
            descriptor,
            PLAIN.replace('["sleep", "1000"]', '["sleep", "1000"]\nretry_count = 7').split("[resource.db")[0],
        )
        assert runner.process is not None
        runner.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: runner.resource("web")["restarts"]["limit"] == 7, "the change is taken over")
        eventually(lambda: len(runner.status()["groups"]) == 1, "what no descriptor names is gone")
        assert runner.resource("web")["main_pid"] == web
        descriptor.write_text("nonsense = = 1\n")
        runner.process.send_signal(signal.SIGHUP)
        eventually(lambda: "nothing was touched" in runner.log(), "a bad file is refused")
        assert runner.resource("web")["main_pid"] == web


def test_usr1_tells_the_state_and_usr2_opens_log_files_anew(tmp_path: Path, rung: str) -> None:
    log = tmp_path / "web.log"
    descriptor = write(
        tmp_path / "web.toml",
        f'start_command = "while :; do echo line; sleep 0.05; done"\nstdout = {{path = "{log}", rotate = "1MiB"}}\n',
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.process is not None
        runner.process.send_signal(signal.SIGUSR1)
        eventually(lambda: "state=ONLINE status=OK" in runner.log(), "the state is told")
        eventually(lambda: log.exists() and b"line" in log.read_bytes(), "it prints")
        log.rename(tmp_path / "moved")
        runner.process.send_signal(signal.SIGUSR2)
        eventually(lambda: log.exists() and b"line" in log.read_bytes(), "it prints into a new file")
        assert runner.resource("web")["incarnation"] == 1


def test_usr2_says_which_files_it_cannot_open_anew(tmp_path: Path, rung: str) -> None:
    """An application that has its file open goes on there, whatever is moved; so who moved it is told."""
    log = tmp_path / "web.log"
    output = f'{{path = "{log}"}}'
    command = 'start_command = "while :; do echo line; sleep 0.05; done"\n'
    descriptor = write(
        tmp_path / "web.toml",
        f"[resource.web]\n{command}stdout = {output}\nstderr = {output}\n"
        f'[resource.off]\n{command}enabled = false\nstdout = {{path = "{tmp_path}/off.log"}}\n',
    )

    def asked(runner: Running) -> str:
        """What it says of USR2; it has heard it before the turn in which it answers for the second time."""
        before = runner.log()
        assert runner.process is not None
        runner.process.send_signal(signal.SIGUSR2)
        for _ in range(2):
            assert runner.answers()
        return runner.log()[len(before) :]

    said = (
        f"cannot reopen {log}, which was moved away: web has it open as its stdout and stderr, and writes it on until"
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: b"line" in log.read_bytes(), "it prints")
        assert "cannot reopen" not in asked(runner)
        log.rename(tmp_path / "moved")
        assert asked(runner).count(said) == 1
        missing = runner.gds("logs", "web")
        assert (missing.returncode, missing.stdout) == (1, "")
        assert f"cannot read {log}: No such file or directory; web makes it as it starts. If it was" in missing.stderr
        assert runner.gds("upgrade").returncode == 0
        assert asked(runner).count(said) == 1
        assert runner.gds("restart", "web").returncode == 0
        eventually(lambda: b"line" in log.read_bytes(), "it prints")
        assert "cannot reopen" not in asked(runner)
        log.rename(tmp_path / "again")
        write(log, "")  # as logrotate's `create` does
        assert said in asked(runner)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["{bad}"], 78, "did you mean start_command"),
        (["{missing}"], 78, "No such file"),
        (["--on-giveover", "never", "{good}"], 78, '"never"'),
        (["--engine", "etcd", "{good}"], 78, "etcd"),
        ([], 2, "usage"),
        (["--nonsense", "{good}"], 2, "--nonsense"),
        (["--", "/nonexistent/program"], 78, "cannot run /nonexistent/program: it does not exist"),
        (["--", "no-such-program", "x"], 78, "cannot run no-such-program: it is not found in PATH"),
        (["--", "/"], 78, "cannot run /: it is a directory"),
        (["--", ""], 78, "cannot run an empty name: it "),
    ],
)
def test_what_cannot_be_run_ends_at_once(tmp_path: Path, rung: str, words: list[str], status: int, said: str) -> None:
    places = {
        "bad": write(tmp_path / "bad.toml", 'start_comand = "sleep 1000"\n'),
        "good": write(tmp_path / "good.toml", 'start_command = "sleep 1000"\n'),
        "missing": tmp_path / "missing.toml",
    }
    env = {
        **os.environ,
        "GDS_TRACKING": rung,
        "GDS_RUNTIME_DIR": str(tmp_path / "run"),
        "GDS_STATE_DIR": str(tmp_path / "state"),
    }
    ended = subprocess.run(
        [*GDS, "run", *[w.format(**places) for w in words]],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_giveover_is_75_when_asked_for_by_a_person_too(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "two.toml", PLAIN), rung=rung, options=("--on-giveover", "exit")) as runner:
        runner.until("web", state="ONLINE")
        runner.until("db", state="ONLINE")
        pids = runner.pids()
        asked = runner.gds("giveover", "web")
        assert asked.returncode == 0, asked.stderr
        assert runner.wait() == 75
        assert not [p for p in pids if alive(p)]


def test_what_a_person_stopped_stays_stopped_over_crash_restart_and_reload(tmp_path: Path, rung: str) -> None:
    descriptor = write(tmp_path / "two.toml", PLAIN)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("stop", "web").returncode == 0
        runner.crash()
        runner.begin()
        assert runner.until("web", state="OFFLINE")["because"] == "stop asked by root"
        assert runner.gds("reload").returncode == 0
        assert runner.resource("web")["state"] == "OFFLINE"
        assert runner.end() == 0
        runner.begin()
        runner.until("db", state="ONLINE")
        assert runner.resource("web")["state"] == "OFFLINE", "an orderly end is not another boot"
        write(descriptor, PLAIN.replace("1000", "1010"))
        assert runner.gds("reload").returncode == 0
        assert runner.resource("web")["state"] == "OFFLINE"
        assert runner.gds("start", "web").returncode == 0
        runner.crash()
        runner.begin()
        runner.until("web", state="ONLINE")


def test_switches_in_the_descriptor_are_reloaded_and_what_a_person_switched_is_stronger(
    tmp_path: Path, rung: str
) -> None:
    text = '[resource.web]\nstart_command = ["sleep", "1000"]\n'
    descriptor = write(tmp_path / "web.toml", text)
    with Running(tmp_path, descriptor, rung=rung) as runner:
        main = runner.until("web", state="ONLINE")["main_pid"]
        write(descriptor, text + "monitored = false\n")
        assert runner.gds("reload").returncode == 0
        assert runner.resource("web")["state"] == "ONLINE_NOT_MONITORED"
        write(descriptor, text + "enabled = false\n")
        assert runner.gds("reload").returncode == 0
        web = runner.resource("web")
        assert (web["state"], web["enabled"], alive(main)) == ("OFFLINE", False, False)
        write(descriptor, text)
        assert runner.gds("reload").returncode == 0
        assert runner.resource("web")["state"] == "ONLINE"
        assert runner.gds("disable", "web").returncode == 0
        write(descriptor, text + "retry_count = 3\nenabled = true\n")
        assert runner.gds("reload").returncode == 0
        web = runner.resource("web")
        assert (web["state"], web["enabled"], web["restarts"]["limit"]) == ("OFFLINE", False, 3)


def test_history_and_log_speak_of_states_that_are_documented(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        'start_command = ["sleep", "1000"]\nprobe_command = "exit 100"\nstart_timeout = 1\nrestart_delay = 0.1\n',
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="START_FAILED")
        events = {line.split()[2].rstrip(":") for line in runner.gds("history", "web").stdout.splitlines()}
        assert {"STARTING", "STOPPING", "START_FAILED"} <= events
        known = {"STARTING", "STOPPING", "ONLINE", "OFFLINE", "START_FAILED", "STOP_FAILED", "probe", "status"}
        assert events <= known
        assert not [word for word in ("ABANDONING", "CYCLING", "WAITING") if word in runner.log()]
