"""The history of a real runner: kept over whatever happens to it, read with and without it, exported and replayed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.running import GDS, RUNGS, Running, alive, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

both_rungs = pytest.mark.parametrize("rung", RUNGS)
NOBODY = 65534


def describe(where: Path, text: str) -> Path:
    """A descriptor of one resource, web."""
    path = where / "web.toml"
    path.write_text(text)
    return path


def replay(runner: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Export, and compare what `gds simulate` makes of it."""
    exported = runner.gds("history", "--export", *(words or ("--all",)))
    assert exported.returncode == 0, exported.stderr
    assert "does not lead to the same" not in exported.stderr
    file = runner.where / "exported.toml"
    file.write_text(exported.stdout)
    return runner.gds("simulate", "--compare", str(file))


def same(runner: Running, at_least: int) -> None:
    """Replayed to the same decisions, and there are so many."""
    done = replay(runner)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.fullmatch(r"  the same decisions as recorded: (\d+)\n", done.stdout)
    assert found, done.stdout
    assert int(found[1]) >= at_least


@both_rungs
def test_what_happened_is_replayed_to_the_same_decisions(tmp_path: Path, rung: str) -> None:
    text = f"""
[resource.web]
start_command = "test -e {tmp_path}/broken && exit 1; exec sleep 1000"
probe_command = "exec {tmp_path}/probe"
thorough_probe_interval = 0.2
probe_timeout = 0.5
retry_interval = 60
restart_delay = 0.2
start_timeout = 1
stop_timeout = 2

[resource.deaf]
start_command = "trap '' TERM; while :; do sleep 1000; done"
stop_command = "exit 3"
stop_timeout = 2
failover_enabled = false
retry_count = 1

[resource.hangs]
start_command = "exec sleep 1000"
probe_command = "exit 100"
start_timeout = 1
failover_mode = "NONE"
"""
    probe = tmp_path / "probe"

    def probing(body: str) -> None:
        new = tmp_path / "new"
        new.write_text(f"#!/bin/sh\n{body}\n")
        new.chmod(0o755)
        new.rename(probe)

    def dies(name: str) -> None:
        for pid in runner.pids(name):
            os.kill(pid, signal.SIGKILL)

    probing("exit 0")
    with Running(tmp_path, describe(tmp_path, text), rung=rung) as runner:
        runner.until("hangs", state="START_FAILED")
        runner.until("web", state="ONLINE")
        dies("web")  # a death, and a restart that does not wait
        runner.until("web", state="ONLINE", incarnation=2)
        probing("echo half; exit 60")  # scores that add up, and a restart that waits
        eventually(lambda: runner.resource("web")["restarts"]["done"] == 2, "the second restart")
        probing("exit 0")
        runner.until("web", state="ONLINE")
        probing("sleep 9")  # two timeouts in a row: past its budget, refused, one restart tried
        eventually(lambda: "refused" in runner.gds("history", "web").stdout, "a giveover is refused")
        probing("exit 0")
        runner.until("web", state="ONLINE")
        for words in (("unmonitor",), ("monitor",), ("restart",), ("restart",), ("giveover",), ("clear",), ("stop",)):
            runner.gds(*words, "web")
        runner.gds("disable", "web")
        (tmp_path / "broken").touch()
        runner.gds("enable", "web")  # a start that fails, one more try, and it stays down
        runner.until("web", state="START_FAILED")
        (tmp_path / "broken").unlink()
        assert runner.gds("start", "web").returncode == 0
        dies("deaf")
        runner.until("deaf", state="ONLINE", incarnation=2)
        dies("deaf")  # past its budget it is left alone
        runner.until("deaf", status="FAULTED")
        assert runner.gds("clear", "deaf").returncode == 0
        runner.gds("stop", "deaf")
        same(runner, 50)
        text = runner.gds("history").stdout
        assert len(re.findall(r"web +STOPPING: restart asked by root", text)) == 2, "the second one has its reason too"
        runner.crash()
        runner.begin()
        number = runner.until("web", state="ONLINE")["incarnation"]
        dies("web")
        runner.until("web", state="ONLINE", incarnation=number + 1)
        same(runner, 52)


def test_a_giveover_that_is_granted_is_replayed_after_the_end(tmp_path: Path) -> None:
    text = 'start_command = "exec sleep 1000"\nretry_count = 0\n'
    runner = Running(tmp_path, describe(tmp_path, text), options=("--on-giveover", "exit"))
    with runner:
        os.kill(runner.until("web", state="ONLINE")["main_pid"], signal.SIGKILL)
        eventually(runner.over, "the runner leaves")
        assert runner.process is not None
        assert runner.process.returncode == 75
    words = ("--state-dir", str(runner.state))
    kept = runner.gds("history", *words)
    assert "giveover: 0 restarts within 370 s" in kept.stdout
    assert not list(runner.state.glob("history.*.spool")), "all of it is in the store"
    file = tmp_path / "exported.toml"
    file.write_text(runner.gds("history", "--export", "web", *words).stdout)
    done = runner.gds("simulate", str(file))
    assert done.returncode == 0
    assert "leave this node" in done.stdout
    assert "the same decisions as recorded" in done.stdout


def test_other_properties_lead_to_other_decisions_and_the_first_is_shown(tmp_path: Path) -> None:
    with Running(tmp_path, describe(tmp_path, 'start_command = "exec sleep 1000"\nretry_count = 3\n')) as runner:
        for incarnation in (2, 3):
            os.kill(runner.until("web", state="ONLINE")["main_pid"], signal.SIGKILL)
            runner.until("web", state="ONLINE", incarnation=incarnation)
        assert replay(runner, "web").returncode == 0
        other = tmp_path / "other.toml"
        other.write_text('[resource.web]\nstart_command = "x"\nretry_count = 1\n')
        done = runner.gds("simulate", "--compare", str(other), str(tmp_path / "exported.toml"))
        assert done.returncode == 1
        assert "NOT the same decisions: web at " in done.stdout
        assert "recorded  Restart: restart 1 of 3 within 370 s" in done.stdout
        assert "now       Restart: restart 1 of 1 within 370 s" in done.stdout
        document = json.loads(runner.gds("simulate", "--json", str(other), str(tmp_path / "exported.toml")).stdout)
        assert document["compared"]["same"] is False
        assert document["compared"]["recorded"]["because"].startswith("restart 1 of 3")
        lone = runner.gds("simulate", "--compare", str(Path(__file__).parents[1] / "scenarios" / "stop-deaf.toml"))
        assert lone.returncode == 78
        assert "has no [[decided]]" in lone.stderr


def test_history_is_read_with_and_without_a_runner(tmp_path: Path) -> None:
    env = {"GDS_STATE_DIR": str(tmp_path / "state"), "GDS_RUNTIME_DIR": str(tmp_path / "run")}
    runner = Running(tmp_path, describe(tmp_path, 'start_command = "exec sleep 1000"\n'), env=env)

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*GDS, "history", *words]
        return subprocess.run(command, env=runner.env, capture_output=True, text=True, timeout=30, check=False)

    with runner:
        runner.until("web", state="ONLINE")
        with_runner = asked()
        assert (with_runner.returncode, with_runner.stderr) == (0, "")
        runner.crash()
        without = asked()
        assert without.returncode == 0
        assert "no runner answers; this was kept in " in without.stderr
        assert without.stdout == with_runner.stdout
        assert asked("web", "-n", "1").stdout.endswith("  web  ONLINE: the runner starts\n")
        assert asked("--most", "2", "--since", "1h").stdout == with_runner.stdout
        assert asked("--since", "2999-01-01").stdout == ""
        assert json.loads(asked("--json").stdout)["history"][0]["because"] == "the runner starts"
        runner.begin()
    below = tmp_path / "state" / "other"
    below.mkdir()
    (tmp_path / "state" / "history.db").rename(below / "history.db")
    assert "the runner is asked to end" in asked().stdout
    nothing = asked("--state-dir", str(tmp_path))
    assert (nothing.returncode, nothing.stdout) == (4, "")
    assert "cannot find a history in" in nothing.stderr


def test_what_became_of_one_that_is_declared_no_more(tmp_path: Path) -> None:
    file = describe(tmp_path, "".join([f'[resource.{n}]\nstart_command = ["sleep", "1000"]\n' for n in ("web", "old")]))
    with Running(tmp_path, file) as runner:
        runner.until("old", state="ONLINE")
        describe(tmp_path, '[resource.web]\nstart_command = ["sleep", "1000"]\n')
        assert runner.gds("reload").returncode == 0
        asked = runner.gds("history", "old")
        assert (asked.returncode, asked.stderr) == (0, "")
        assert "STOPPING: reload: old: stop, no descriptor names it any more" in asked.stdout
        assert asked.stdout.splitlines()[-1].endswith("OFFLINE")
        assert "web" not in asked.stdout
        strange = runner.gds("history", "olb")
        assert (strange.returncode, strange.stdout) == (4, "")
        assert "cannot find olb: no resource or group of this runner has that name" in strange.stderr
        # also where the names of several runners are looked through
        where = tmp_path / "another"
        where.mkdir()
        another = Running(where, file)
        another.runtime = runner.runtime / "another"
        with another:
            assert runner.gds("history", "old").stdout == asked.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--export",), "give a name, or --all"),
        (("--export", "--all", "web"), "cannot choose between web and --all"),
        (("a", "b"), "more than one history"),
        (("-n", "0"), "-n is a number above 0"),
        (("--since", "yesterday"), "cannot use yesterday as --since"),
        (("--since", ""), "cannot use  as --since"),
    ],
)
def test_what_cannot_be_meant_is_said(words: tuple[str, ...], said: str) -> None:
    done = subprocess.run([*GDS, "history", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "gds-history", str(where)]
    subprocess.run(mount, check=True, timeout=20)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True, timeout=20)


def test_a_disk_that_is_full_is_told_and_stops_nothing(tmp_path: Path, disk: Path) -> None:
    runner = Running(tmp_path, describe(tmp_path, 'start_command = "exec sleep 1000"\nretry_count = 99\n'))
    runner.state = disk / "state"

    def dies() -> None:
        number = runner.until("web", state="ONLINE")["incarnation"]
        for pid in runner.pids("web"):
            os.kill(pid, signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=number + 1)

    def troubled() -> bool:
        dies()
        return "cannot write the history" in "".join(runner.status().get("problems", []))

    def well() -> bool:
        dies()
        return "problems" not in runner.status()

    with runner:
        dies()
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(b"\0" * 4096):
                    pass
            except OSError:
                pass  # full, as was meant
        eventually(troubled, "what cannot be written is told")
        (disk / "filler").unlink()
        eventually(well, "it is well again")
        same(runner, 8)


def test_a_read_only_store_without_a_runner_is_read(tmp_path: Path, disk: Path) -> None:
    runner = Running(tmp_path, describe(tmp_path, 'start_command = "exec sleep 1000"\n'))
    runner.state = disk / "state"
    with runner:
        runner.until("web", state="ONLINE")
        told = runner.gds("history").stdout
        runner.crash()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=20)
        assert runner.gds("history", "--state-dir", str(runner.state)).stdout == told
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True, timeout=20)
        runner.begin()


def test_root_reads_the_history_of_a_user_and_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    state = tmp_path / "state"
    runner = Running(tmp_path, describe(tmp_path, 'start_command = "exec sleep 1000"\n'))
    with runner:
        runner.until("web", state="ONLINE")
        runner.gds("history")
        os.kill(runner.resource("web")["main_pid"], signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=2)
        runner.crash()
        for path in (state, *state.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        told = runner.gds("history", "--state-dir", str(state))
        assert "restart 1 of 2" in told.stdout
        assert {path.stat().st_uid for path in state.iterdir()} == {NOBODY}
        for path in (state, *state.iterdir()):
            os.chown(path, 0, 0)
        runner.begin()


def test_a_damaged_store_is_told_and_the_runner_begins_a_new_one(tmp_path: Path) -> None:
    with Running(tmp_path, describe(tmp_path, 'start_command = "exec sleep 1000"\n')) as runner:
        runner.until("web", state="ONLINE")
        assert "the runner starts" in runner.gds("history").stdout
        (runner.state / "history.db").write_bytes(b"this is no database\n" * 1000)
        os.kill(runner.resource("web")["main_pid"], signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=2)
        assert "restart 1 of 2" in runner.gds("history").stdout
        assert "is damaged" in runner.log()
        assert (runner.state / "history.db.broken").exists()
        assert "problems" not in runner.status()


def test_many_readers_at_once_and_a_runner_that_writes(tmp_path: Path) -> None:
    text = 'start_command = "exec sleep 1000"\nretry_count = 99\n'
    with Running(tmp_path, describe(tmp_path, text)) as runner:
        runner.until("web", state="ONLINE")
        where = ["--socket", str(runner.socket)]
        readers = [
            subprocess.Popen([*GDS, "history", "--json", *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(8)
        ]
        for incarnation in range(2, 8):
            os.kill(runner.until("web", state="ONLINE")["main_pid"], signal.SIGKILL)
            runner.until("web", state="ONLINE", incarnation=incarnation)
        for reader in readers:
            said, error = reader.communicate(timeout=60)
            assert error == b""
            events = [record["event"] for record in json.loads(said)["history"]]
            assert events[:2] == ["STARTING", "ONLINE"]
        assert not [p for p in children(runner) if "archive" in p], "no reader is left"


def children(runner: Running) -> list[str]:
    """Command lines of the runner's children."""
    assert runner.process is not None
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == runner.process.pid and alive(int(entry.name)):
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue  # gone meanwhile
    return found


def test_a_runner_killed_at_any_instant_leaves_a_history_that_can_be_read_and_replayed(tmp_path: Path) -> None:
    text = 'start_command = "exec sleep 1000"\nretry_count = -1\n'
    with Running(tmp_path, describe(tmp_path, text)) as runner:
        for round_ in range(6):
            number = runner.until("web", state="ONLINE")["incarnation"]
            os.kill(runner.resource("web")["main_pid"], signal.SIGKILL)
            until = time.monotonic() + 0.004 * round_
            while time.monotonic() < until:
                pass
            runner.crash()
            runner.begin()
            # what is kept of it is what the state says: the history is written when nothing else waits, so that its
            # last words may be lost with the runner
            found = runner.until("web", state="ONLINE")
            assert found["incarnation"] > number
            assert any(word in found["because"] for word in ("restart", "came back", "the runner before this one"))
        same(runner, 12)
