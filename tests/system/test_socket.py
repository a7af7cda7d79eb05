"""The place of the control socket: what stands there already, what is done to it while we run, whose it is."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from gds.api import client
from gds.errors import GdsError
from tests.system.running import GDS, Running, eventually, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SLEEP = ("sleep", "1000")


def refused(runner: Running) -> tuple[int, str]:
    """The status and the words of a runner that must not start anything."""
    runner.begin(wait=False)
    try:
        code = runner.wait(30)
    except subprocess.TimeoutExpired:
        runner.end()  # it runs, as it must not
        raise
    assert "starts" not in runner.log(), runner.log()
    return code, runner.log()


def place(tmp_path: Path, *options: str, name: str = "second") -> Running:
    where = tmp_path / name
    where.mkdir(exist_ok=True)
    return Running(where, options=options, command=SLEEP)


def pid_at(path: Path) -> int:
    """Which runner answers there."""
    try:
        answer = client.ask(str(path), {"verb": "status"}, timeout=30)
    except GdsError:
        return 0
    return int(answer["status"]["pid"])


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "F"
    precious.write_text("precious\n")
    code, said = refused(place(tmp_path, "--socket", str(precious)))
    assert (code, precious.read_text()) == (78, "precious\n")
    assert str(precious) in said
    assert "left alone" in said


def test_a_socket_of_another_runner_is_not_taken(tmp_path: Path) -> None:
    first = place(tmp_path, name="first")
    with first:
        assert first.process is not None
        code, said = refused(place(tmp_path, "--socket", str(first.socket)))
        assert code == 75
        assert f"another runner answers there (pid {first.process.pid})" in said
        assert pid_at(first.socket) == first.process.pid


IMPOSSIBLE = [
    ("too long", "x" * 120, "its path has"),
    ("a directory", "second", "there is a directory"),
    ("in no directory", "nowhere/s", "there is no directory"),
    ("below a file", "file/s", "Not a directory"),
]


@pytest.mark.parametrize(("name", "said"), [each[1:] for each in IMPOSSIBLE], ids=[each[0] for each in IMPOSSIBLE])
def test_where_no_socket_can_be_nothing_is_started(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").touch()
    code, words = refused(place(tmp_path, "--socket", str(tmp_path / name)))
    assert code == 78
    assert said in words
    assert "--socket" in words


def test_what_a_killed_runner_left_is_replaced(tmp_path: Path) -> None:
    runner = place(tmp_path, "--socket", str(tmp_path / "s"))
    runner.begin(wait=False)
    eventually(lambda: pid_at(tmp_path / "s"), "it answers")
    runner.crash()
    assert (tmp_path / "s").is_socket()
    begun = runner.runtime / ".new.0000001"
    begun.touch()
    runner.begin(wait=False)
    eventually(lambda: runner.over() or pid_at(tmp_path / "s"), "it answers")
    assert runner.end() == 0, runner.log()
    assert not begun.exists(), "what was not finished is swept away"
    assert sorted(os.listdir(tmp_path)) == ["second"], "nothing is left"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_socket_that_was_removed_is_made_anew_by_a_signal(tmp_path: Path, number: int) -> None:
    with place(tmp_path) as runner:
        assert runner.process is not None
        runner.socket.unlink()
        runner.process.send_signal(number)
        eventually(runner.answers, "it answers again")
        assert f"{runner.socket} was not in its place any more: made anew" in runner.log()
        assert runner.socket.stat().st_mode & 0o777 == 0o660
        runner.process.send_signal(signal.SIGUSR1)
        eventually(lambda: "state told" in runner.log(), "the state is told")
        assert runner.log().count("made anew") == 1, "once is enough"
        assert runner.end() == 0
    assert not runner.socket.exists()


def test_what_another_put_in_its_place_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    with place(tmp_path) as runner, socket.socket(socket.AF_UNIX) as other:
        assert runner.process is not None
        runner.socket.unlink()
        other.bind(str(runner.socket))
        other.listen()
        inode = runner.socket.stat().st_ino
        runner.process.send_signal(signal.SIGUSR2)
        eventually(lambda: "another runner answers there" in runner.log(), "it is told")
        assert runner.end() == 0
        assert runner.socket.stat().st_ino == inode


def test_a_runner_inside_an_application_of_another_has_a_socket_of_its_own(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    where = f"--runtime-dir {inner}/run --state-dir {inner}/state"
    outer = tmp_path / "outer"
    outer.mkdir()
    command = ("sh", "-c", f"exec {' '.join(GDS)} run {where} -- sleep 777")
    with Running(outer, command=command) as runner:
        assert runner.process is not None
        nested = eventually(lambda: pid_at(inner / "run/control.sock"), f"the inner one answers; {runner.log()}")
        assert nested in runner.pids()
        assert pid_at(runner.socket) == runner.process.pid
        assert runner.end() == 0


def test_a_socket_that_people_export_for_the_verbs_is_not_taken_from_its_runner(tmp_path: Path) -> None:
    with place(tmp_path, name="first") as first:
        exported = {"GDS_SOCKET": str(first.socket)}
        second = place(tmp_path)
        second.env.update(exported)
        with second:
            assert second.process is not None
            assert f"{first.socket} is another runner's" in second.log()
            asked = second.gds("status", "--json", "--runtime-dir", str(second.runtime))
            assert json.loads(asked.stdout)["pid"] == second.process.pid
        without = subprocess.run(
            [*GDS, "run", "--state-dir", str(tmp_path / "state"), "--", *SLEEP],
            env={**second.env, "GDS_RUNTIME_DIR": str(tmp_path / "third")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert without.returncode == 75
        assert "GDS_SOCKET in the environment names it: unset that" in without.stderr
        assert first.answers()


def test_a_socket_that_the_environment_names_is_ours_when_it_is_free(tmp_path: Path) -> None:
    runner = place(tmp_path)
    runner.env["GDS_SOCKET"] = str(tmp_path / "s")
    runner.begin(wait=False)
    assert eventually(lambda: runner.over() or pid_at(tmp_path / "s"), "it answers") is not True, runner.log()
    assert runner.end() == 0


def test_a_runner_that_is_stopped_is_told_with_its_pid_and_its_socket(tmp_path: Path) -> None:
    with place(tmp_path) as runner:
        assert runner.process is not None
        pid = runner.process.pid
        runner.process.send_signal(signal.SIGSTOP)
        try:
            for words in (("status",), ("stop", "sleep", "--timeout", "2"), ("stop", "sleep")):
                told = runner.gds(*words)
                assert (told.returncode, told.stdout) == (4, ""), words
                assert f"the runner (pid {pid}) at {runner.socket}: it does not answer" in told.stderr
                assert "goes on there" not in told.stderr
        finally:
            runner.process.send_signal(signal.SIGCONT)


def test_a_runner_that_takes_long_to_do_what_it_was_asked_is_waited_for(tmp_path: Path) -> None:
    where = tmp_path / "one"
    where.mkdir()
    slow = write(where / "slow.toml", 'start_command = "sleep 1000"\nstop_command = "sleep 8; kill $MAINPID"\n')
    with Running(where, slow) as runner:
        runner.until("slow", within=30, state="ONLINE")
        short = runner.gds("stop", "slow", "--timeout", "1")
        assert (short.returncode, "it goes on there" in short.stderr) == (1, True)
        began = time.monotonic()
        assert runner.gds("stop", "slow").returncode == 0
        assert time.monotonic() - began > client.PATIENCE
        assert runner.resource("slow")["state"] == "OFFLINE"


def test_of_two_runners_the_one_that_answers_is_shown_and_the_other_named(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    mute, speaking = place(tmp_path, name="mute"), place(tmp_path, name="speaking")
    mute.runtime, speaking.runtime = runtime / "mute", runtime / "speaking"
    with mute, speaking:
        assert mute.process is not None
        assert speaking.process is not None
        mute.process.send_signal(signal.SIGSTOP)
        try:
            asked = speaking.gds("status", "--runtime-dir", str(runtime))
        finally:
            mute.process.send_signal(signal.SIGCONT)
        assert asked.returncode == 4
        assert f"runner pid {speaking.process.pid}, " in asked.stdout
        assert f"the runner (pid {mute.process.pid}) at {mute.socket}: it does not answer" in asked.stderr
