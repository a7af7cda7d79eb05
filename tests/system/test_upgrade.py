"""`gds upgrade` with real processes on both rungs: the runner is replaced while applications live, die and print.

The rule of all: same pid of the runner, no application touched, each death seen once with its true status, no budget
given anew, the control socket answering within a second.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gds.api import client
from tests.system.running import GDS, RUNGS, Running, alive, eventually, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REPO = Path(__file__).resolve().parents[2]
NOBODY = 65534
WITHIN = 3.0
"""Seconds in which the control socket answers again: within one by the rule, as tests/bench measures (0.07 to 0.45 s);
what else this machine does while tests run is no fault of the runner's."""
ENDLESS = 'start_command = ["sleep", "1000"]\n'
FOREVER = "retry_count = 1000\nretry_interval = 3600\nstart_grace = 0.01\n"


def upgrade(runner: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """gds upgrade, which must work."""
    done = runner.gds("upgrade", *words)
    assert done.returncode == 0, f"{done.stderr}\n{runner.log()}"
    return done


def seconds_of(done: subprocess.CompletedProcess[str]) -> float:
    """How long it says that nobody answered."""
    found = re.search(r"upgraded in ([\d.]+) s", done.stdout)
    assert found, done.stdout
    return float(found[1])


def decisions(runner: Running, name: str = "") -> list[dict[str, Any]]:
    """The history, of one resource."""
    told = runner.gds("history", *([name] if name else []), "--json", "-n", "2000")
    assert told.returncode == 0, told.stderr
    found: list[dict[str, Any]] = json.loads(told.stdout)["history"]
    return found


def steady(runner: Running) -> list[Any]:
    """The status of everything, but for when it was probed last."""
    groups: list[Any] = runner.status()["groups"]
    for group in groups:
        for resource in group["resources"]:
            if resource["probe"]:
                del resource["probe"]["at"], resource["probe"]["seconds"]
    return groups


def ask(runner: Running, on_going: Any = None, **more: Any) -> dict[str, Any]:
    """One upgrade, asked for through the library; `on_going` is called when the old code is just about to go."""

    def heard(message: dict[str, Any]) -> None:
        if "going" in message and on_going is not None:
            on_going()

    return client.ask(str(runner.socket), {"verb": "upgrade", **more}, heard, 60)


def in_a_while(seconds: float, act: Any) -> threading.Thread:
    """Do it at that instant: a stimulus, not a wait."""
    thread = threading.Timer(seconds, act)
    thread.start()
    return thread


def sleepers(runner: Running, name: str) -> list[str]:
    """What each process of it is: for `sleep N` the number, else all of its words."""
    found = []
    for pid in runner.pids(name):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        except OSError:
            words = ["gone"]
        found.append(words[1] if words[:1] == ["sleep"] else " ".join(words))
    return sorted(found)


# -- nothing happens to applications ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
def test_applications_are_untouched_and_the_runner_keeps_its_pid(tmp_path: Path, rung: str) -> None:
    text = (
        f"[resource.web]\n{ENDLESS}"
        '[resource.db]\nstart_command = "sleep 1001 & sleep 1002"\n'
        "[resource.far]\nstart_command = \"setsid sh -c 'sleep 1003 & sleep 1004 &' & sleep 0.1; exit 0\"\n"
    )
    with Running(tmp_path, write(tmp_path / "three.toml", text), rung=rung) as runner:
        for name in ("web", "db", "far"):
            runner.until(name, state="ONLINE")
        # nothing of a shell that is still at work
        eventually(lambda: sleepers(runner, "far") == ["1003", "1004"], "far has daemonised")
        eventually(lambda: {"1001", "1002"} <= set(sleepers(runner, "db")), "db has started both")
        assert runner.process is not None
        before = {name: runner.resource(name) for name in ("web", "db", "far")}
        began = runner.status()["uptime_seconds"]
        for _ in range(3):
            done = upgrade(runner)
            assert f"pid {runner.process.pid} upgraded" in done.stdout
            assert "3 applications untouched" in done.stdout
            assert seconds_of(done) < WITHIN
        assert {name: runner.resource(name) for name in before} == before
        assert runner.status()["pid"] == runner.process.pid
        assert runner.status()["tracking"] == rung
        assert runner.status()["uptime_seconds"] > began
        assert [d["because"] for d in decisions(runner) if d["event"] == "upgraded"] == [
            "upgraded from 0.1.0 to 0.1.0"
        ] * 3
        pids = runner.pids()
        assert runner.end() == 0
        assert not [pid for pid in pids if alive(pid)]


@pytest.mark.parametrize("rung", RUNGS)
def test_what_people_switched_and_what_was_judged_goes_over(tmp_path: Path, rung: str) -> None:
    text = (
        f"[resource.web]\n{ENDLESS}retry_count = 2\n"
        f"[resource.down]\n{ENDLESS}"
        f"[resource.off]\n{ENDLESS}"
        f'[resource.mute]\n{ENDLESS}probe_command = "test -e {tmp_path}/ill && exit 30; exit 0"\n'
        "thorough_probe_interval = 1\n"
        '[resource.bad]\nstart_command = "exit 3"\nstart_grace = 30\nfailover_mode = "NONE"\nretry_count = 0\n'
    )
    with Running(tmp_path, write(tmp_path / "five.toml", text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("stop", "down").returncode == 0
        assert runner.gds("disable", "off").returncode == 0
        runner.until("mute", state="ONLINE")
        (tmp_path / "ill").touch()
        eventually(lambda: runner.resource("mute")["probe"]["sum"] >= 30, "a probe that failed is counted")
        (tmp_path / "ill").unlink()
        runner.until("mute", status="OK")
        os.kill(runner.pids("web")[0], signal.SIGKILL)
        runner.until("web", state="ONLINE", restarts_done=1)
        runner.until("bad", state="START_FAILED")
        assert runner.gds("rg", "suspend", "mute").returncode == 0
        before = steady(runner)
        upgrade(runner)
        assert steady(runner) == before
        upgrade(runner)
        os.kill(runner.pids("web")[0], signal.SIGKILL)
        runner.until("web", state="ONLINE", restarts_done=2)
        upgrade(runner)
        os.kill(runner.pids("web")[0], signal.SIGKILL)
        eventually(lambda: [d for d in decisions(runner, "web") if "giveover" in str(d)], "the budget is spent")
        assert runner.gds("start", "down").returncode == 0
        assert runner.resource("down")["state"] == "ONLINE"


@pytest.mark.parametrize("rung", RUNGS)
def test_a_restart_delay_that_is_pending_ends_when_it_would_have(tmp_path: Path, rung: str) -> None:
    text = f"[resource.web]\n{ENDLESS}retry_count = 5\nrestart_delay = 4\nrestart_delay_max = 4\n"
    with Running(tmp_path, write(tmp_path / "web.toml", text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        os.kill(runner.pids("web")[0], signal.SIGKILL)
        runner.until("web", state="ONLINE", restarts_done=1)
        struck = time.monotonic()
        os.kill(runner.pids("web")[0], signal.SIGKILL)
        eventually(lambda: not runner.pids("web"), "it waits for its delay")
        upgrade(runner)
        upgraded = time.monotonic() - struck
        assert runner.pids("web") == [] or time.monotonic() - struck > 3.5
        runner.until("web", state="ONLINE", restarts_done=2)
        assert 3.5 <= time.monotonic() - struck < max(upgraded, 4) + 4


@pytest.mark.parametrize("rung", RUNGS)
def test_who_waits_for_another_goes_on_waiting(tmp_path: Path, rung: str) -> None:
    text = f'[resource.db]\n{ENDLESS}[resource.web]\n{ENDLESS}resource_dependencies = ["db"]\n'
    with Running(tmp_path, write(tmp_path / "two.toml", text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("stop", "web", "db").returncode == 0
        assert runner.gds("start", "web", "--timeout", "20").returncode == 1, "it waits for db"
        upgrade(runner)
        assert runner.gds("start", "db").returncode == 0
        runner.until("web", state="ONLINE")


# -- deaths meanwhile -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
def test_a_kill_at_any_instant_is_seen_and_counted_once(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}{FOREVER}"), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        kills = 0
        for milliseconds in (*range(0, 30, 2), *range(30, 130, 8)):
            pid = runner.until("web", state="ONLINE", restarts_done=kills)["main_pid"]
            strikes: list[threading.Thread] = []

            def strike(pid: int = pid, after: float = milliseconds / 1000, into: Any = strikes) -> None:
                into.append(in_a_while(after, lambda: os.kill(pid, signal.SIGKILL)))

            answer = ask(runner, strike)
            assert answer["code"] == 0, answer
            for each in strikes:
                each.join()
            kills += 1
            after = runner.until("web", state="ONLINE", restarts_done=kills)
            assert after["incarnation"] == kills + 1
            assert after["pids"] != [pid]
            assert len(after["pids"]) == 1
        ends = [d for d in decisions(runner, "web") if "restart " in d["because"] and d["event"] == "STOPPING"]
        assert len(ends) == kills
        assert all("killed by SIGKILL" in d["because"] for d in ends), ends


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("last", ["exit 3", "(sleep 0.05; exit 4) & exit 0"])
def test_an_end_while_nobody_looks_is_told_with_its_true_status(tmp_path: Path, rung: str, last: str) -> None:
    # it ends by itself as soon as the runner is about to be replaced: the file is made in that very moment
    gate = tmp_path / "gate"
    text = f"[resource.web]\nstart_command = '''while [ ! -e {gate} ]; do sleep 0.01; done; rm -f {gate}; {last}'''\n"
    with Running(tmp_path, write(tmp_path / "web.toml", text + FOREVER), rung=rung) as runner:
        for round_ in range(5):
            runner.until("web", state="ONLINE", restarts_done=round_)
            assert ask(runner, gate.touch)["code"] == 0
            runner.until("web", state="ONLINE", restarts_done=round_ + 1)
        said = [d["because"] for d in decisions(runner, "web") if d["event"] == "STOPPING"]
        status = 4 if "4" in last else 3
        assert len(said) == 5
        assert all(f"status {status}" in each for each in said), said


@pytest.mark.parametrize("rung", RUNGS)
def test_a_keeper_or_a_helper_of_the_old_code_that_is_killed_later_is_no_secret(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}{FOREVER}"), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.process is not None
        upgrade(runner)
        pid = runner.pids("web")[0]
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if rung == "keeper":
            assert parent != runner.process.pid
            os.kill(parent, signal.SIGKILL)
        else:
            assert parent == runner.process.pid
            os.kill(pid, signal.SIGKILL)
        after = runner.until("web", state="ONLINE", restarts_done=1)
        assert not alive(pid)
        assert len(after["pids"]) == 1
        upgrade(runner)
        assert runner.resource("web")["pids"] == after["pids"]


@pytest.mark.parametrize("rung", RUNGS)
def test_a_term_in_the_middle_of_it_is_an_orderly_stop(tmp_path: Path, rung: str) -> None:
    ended = tmp_path / "ended"
    text = f"[resource.web]\nstart_command = '''trap 'echo x >>{ended}; exit 0' TERM; while :; do sleep 0.05; done'''\n"
    for milliseconds in (0, 5, 20, 40, 60, 80):
        with Running(tmp_path, write(tmp_path / "web.toml", text), rung=rung) as runner:
            runner.until("web", state="ONLINE")
            pid = runner.pids("web")[0]
            assert runner.process is not None
            term = runner.process.send_signal
            strikes: list[threading.Thread] = []

            def strike(after: float = milliseconds / 1000, into: Any = strikes, term: Any = term) -> None:
                into.append(in_a_while(after, lambda: term(signal.SIGTERM)))

            ask(runner, strike)
            for each in strikes:
                each.join()
            assert runner.wait() == 0, runner.log()
            assert not alive(pid)
            assert ended.read_text() == "x\n"
            ended.unlink()


# -- what applications say --------------------------------------------------------------------------------------------


COUNT = """
import os, sys, time
number = 0
while number % 50 or not os.path.exists(sys.argv[1]):
    sys.stdout.write(f"line {number} {'x' * 60}\\n")
    sys.stdout.flush()
    number += 1
    if number % 50 == 0:
        time.sleep(0.01)
print("line end", number)
"""


@pytest.mark.parametrize("rung", RUNGS)
def test_a_log_that_is_rotated_loses_no_line(tmp_path: Path, rung: str) -> None:
    program = write(tmp_path / "count.py", COUNT)
    enough = tmp_path / "enough"
    log = tmp_path / "out.log"
    text = (
        f'[resource.web]\nstart_command = ["{sys.executable}", "{program}", "{enough}"]\n'
        f'stdout = {{path = "{log}", rotate = "64KiB", keep = 1000}}\nretry_count = 0\nfailover_enabled = false\n'
    )
    with Running(tmp_path, write(tmp_path / "web.toml", text), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        for _ in range(6):
            upgrade(runner)
        assert runner.pids("web")
        enough.touch()
        eventually(lambda: not runner.pids("web"), "it has printed everything")
        runner.until("web", status="FAULTED")
        assert runner.end() == 0
    older = sorted(tmp_path.glob("out.log.*"), key=lambda path: -int(path.suffix[1:]))
    printed = b"".join(path.read_bytes() for path in [*older, log]).decode().splitlines()
    *lines, end = [line.split()[1:] for line in printed]
    assert end == ["end", str(len(lines))]
    assert [line[0] for line in lines] == [str(number) for number in range(len(lines))]
    assert len(older) >= 2, "rotated meanwhile"


@pytest.mark.parametrize("rung", RUNGS)
def test_the_last_words_of_who_dies_meanwhile_are_kept(tmp_path: Path, rung: str) -> None:
    gate = tmp_path / "gate"
    log = tmp_path / "out.log"
    text = (
        f"[resource.web]\nstart_command = '''while [ ! -e {gate} ]; do sleep 0.01; done; rm -f {gate}; "
        "echo last words'''\n"
        f'stdout = {{path = "{log}", rotate = "1MiB", keep = 2}}\n{FOREVER}'
    )
    with Running(tmp_path, write(tmp_path / "web.toml", text), rung=rung) as runner:
        for round_ in range(5):
            runner.until("web", state="ONLINE", restarts_done=round_)
            assert ask(runner, gate.touch)["code"] == 0
            runner.until("web", state="ONLINE", restarts_done=round_ + 1)
        assert log.read_text() == "last words\n" * 5


TELL = """
import os, socket, time
line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = os.environ["NOTIFY_SOCKET"]
line.connect("\\0" + address[1:] if address.startswith("@") else address)
line.send(b"READY=1")
count = 0
while True:
    line.send(b"WATCHDOG=1\\nSTATUS=beat %d" % count)
    count += 1
    time.sleep(0.05)
"""


@pytest.mark.parametrize("rung", RUNGS)
def test_an_application_goes_on_telling_its_notify_socket(tmp_path: Path, rung: str) -> None:
    program = write(tmp_path / "tell.py", TELL)
    text = (
        f'[resource.web]\nstart_command = ["{sys.executable}", "{program}"]\nready = "notify"\n'
        'probe = {notify = true, timeout_score = 100}\nthorough_probe_interval = "2s"\n'
    )
    with Running(tmp_path, write(tmp_path / "web.toml", text), rung=rung) as runner:
        before = runner.until("web", state="ONLINE")
        for _ in range(3):
            upgrade(runner)
            said = runner.resource("web")["status_msg"]
            eventually(lambda said=said: runner.resource("web")["status_msg"] != said, "it is heard on")  # type: ignore[misc]
        after = runner.resource("web")
        assert (after["main_pid"], after["restarts"]["done"], after["status"]) == (before["main_pid"], 0, "OK")


# -- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
def test_nobody_who_asks_meanwhile_is_turned_away(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}"), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        over = threading.Event()
        longest: list[float] = [0.0]
        refused: list[str] = []

        def ask_on() -> None:
            while not over.is_set():
                began = time.monotonic()
                try:
                    client.ask(str(runner.socket), {"verb": "ping"}, None, 20)
                except client.NoRunner as error:
                    refused.append(str(error))
                longest[0] = max(longest[0], time.monotonic() - began)

        threads = [threading.Thread(target=ask_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            codes = [ask(runner)["code"] for _ in range(5)]
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert codes == [0] * 5
        assert refused == []
        assert longest[0] < WITHIN


@pytest.mark.parametrize("rung", RUNGS)
def test_nametags_go_over_with_their_processes_counts_and_those_who_wait(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}"), rung=rung) as runner:
        runner.until("web", state="ONLINE")

        def pmf(*words: str) -> subprocess.CompletedProcess[str]:
            return runner.gds("pmf", *words)

        def said(nametag: str) -> dict[str, str]:
            lines = [line.strip().partition(":") for line in pmf("-l", nametag).stdout.splitlines()[1:]]
            return {key: value.strip() for key, _, value in lines}

        assert pmf("-c", "one", "-n", "3", "/bin/sleep", "1001").returncode == 0
        assert pmf("-c", "deep", "-C", "0", "/bin/sh", "-c", "sleep 1002 & exec sleep 1003").returncode == 0
        os.kill(int(said("one")["pids"].split()[0]), signal.SIGKILL)
        eventually(lambda: "1" in said("one").get("retries", "") and said("one").get("pids"), "one restart of one")
        before = {tag: said(tag) for tag in ("one", "deep")}
        with subprocess.Popen(
            [*GDS, "pmf", "-k", "deep", "-w", "-1", "CONT"],
            env={**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime)},
        ) as waiting:
            eventually(lambda: ask(runner, check=True)["code"] == 0, "it can be done")
            upgrade(runner)
            upgrade(runner)
            assert {tag: said(tag) for tag in before} == before
            assert waiting.poll() is None
            os.kill(int(before["deep"]["pids"].split()[0]), signal.SIGKILL)
            assert waiting.wait(20) == 0
        pid = int(said("one")["pids"].split()[0])
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: said("one").get("pids", str(pid)) != str(pid), "it is started again")
        assert pmf("-s", "one", "TERM").returncode == 0


# -- refused, and nothing touched -------------------------------------------------------------------------------------


def test_a_start_under_way_is_waited_for_or_named(tmp_path: Path) -> None:
    text = f'[resource.web]\n{ENDLESS}probe_command = "test -e {tmp_path}/up || exit 100"\nstart_timeout = 60\n'
    with Running(tmp_path, write(tmp_path / "web.toml", text)) as runner:
        refused = runner.gds("upgrade", "--wait", "0.3")
        assert refused.returncode == 75
        assert "waits for web, which is STARTING" in refused.stderr
        checked = runner.gds("upgrade", "--check")
        assert checked.returncode == 75
        assert "web, which is STARTING" in checked.stderr
        assert "gds 0.1.0 -> 0.1.0" in checked.stdout
        env = {**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime)}
        with subprocess.Popen([*GDS, "upgrade"], stderr=subprocess.PIPE, text=True, env=env) as asked:
            assert asked.stderr is not None
            assert "waiting for web, which is STARTING" in asked.stderr.readline()
            (tmp_path / "up").touch()
            assert asked.wait(60) == 0
        assert runner.resource("web")["state"] == "ONLINE"
        assert runner.resource("web")["incarnation"] == 1


def test_a_validate_that_somebody_asked_for_is_waited_for(tmp_path: Path) -> None:
    text = f'[resource.web]\n{ENDLESS}validate_command = "while [ ! -e {tmp_path}/up ]; do sleep 0.05; done"\n'
    (tmp_path / "up").touch()
    with Running(tmp_path, write(tmp_path / "web.toml", text)) as runner:
        runner.until("web", state="ONLINE")
        (tmp_path / "up").unlink()
        answers: list[dict[str, Any]] = []
        request = {"verb": "validate", "names": ["web"]}
        asking = threading.Thread(target=lambda: answers.append(client.ask(str(runner.socket), request, None, 60)))
        asking.start()
        eventually(lambda: runner.gds("upgrade", "--check").returncode == 75, "it is under way")
        refused = runner.gds("upgrade", "--wait", "0")
        assert refused.returncode == 75
        assert "Validate of web" in refused.stderr
        (tmp_path / "up").touch()
        upgrade(runner)
        asking.join()
        assert answers[0]["code"] == 0


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package, which the runner runs and the test may change."""
    place = tmp_path / "code"
    shutil.copytree(REPO / "gds", place / "gds", ignore=shutil.ignore_patterns("__pycache__"))
    return place


def edit(place: Path, name: str, old: str, new: str) -> None:
    """One change of the installed code. It is a second newer than the code before: what Python has compiled is judged
    by the second and the size, so a change and its undoing within one second would be taken for the same."""
    path = place / "gds" / name
    before, text = path.stat(), path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(before.st_atime_ns, max(before.st_mtime_ns + 10**9, path.stat().st_mtime_ns)))


def test_new_code_takes_over_and_says_so(tmp_path: Path, copied: Path) -> None:
    descriptor = write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}")
    with Running(tmp_path, descriptor, wrapper=("env", "-C", str(copied))) as runner:
        before = runner.until("web", state="ONLINE")
        edit(copied, "__init__.py", '"0.1.0"', '"9.9.9"')
        edit(copied, "daemon/report.py", '"state": ', '"new_key": 1, "state": ')
        assert "gds 0.1.0 -> 9.9.9: the new code understands" in upgrade(runner, "--check").stdout
        assert "new_key" not in runner.resource("web")
        assert "gds 0.1.0 -> 9.9.9: pid" in upgrade(runner).stdout
        after = runner.resource("web")
        assert (after["main_pid"], after["new_key"]) == (before["main_pid"], 1)
        assert runner.status()["version"] == "9.9.9"
        assert "upgraded from 0.1.0 to 9.9.9" in runner.gds("history").stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("daemon/rgmd.py", "class Rgmd:", "class Rgmd(:", "SyntaxError"),
        ("linux/output.py", "import fcntl", "import fcntl_that_is_not_there", "ModuleNotFoundError"),
        ("cli/main.py", "import sys", "import sys, not_there", "not_there"),
        ("rgm/upgrade.py", "FORMAT = 1", "FORMAT = 2", "in format 2, and this runner writes format 1"),
        ("rgm/resource.py", "    restarting: bool = False\n", "", "restarting"),
    ],
)
def test_new_code_that_is_broken_is_refused_and_nothing_is_touched(
    tmp_path: Path, copied: Path, name: str, old: str, new: str, said: str
) -> None:
    descriptor = write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}{FOREVER}")
    with Running(tmp_path, descriptor, wrapper=("env", "-C", str(copied))) as runner:
        before = runner.until("web", state="ONLINE")
        edit(copied, name, old, new)
        answer = ask(runner)
        assert answer["code"] == 1
        assert said in answer["message"], answer
        assert answer["message"].startswith("cannot upgrade: the new code")
        edit(copied, name, new, old) if new else shutil.copy(REPO / "gds" / name, copied / "gds" / name)
        assert runner.resource("web") == before
        os.kill(before["main_pid"], signal.SIGKILL)
        runner.until("web", state="ONLINE", restarts_done=1)
        upgrade(runner)


def test_a_descriptor_that_was_broken_meanwhile_is_no_reason_to_fall(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "web.toml", f"[resource.web]\n{ENDLESS}")
    with Running(tmp_path, descriptor) as runner:
        before = runner.until("web", state="ONLINE")
        descriptor.write_text("this is no TOML")
        upgrade(runner)
        assert runner.resource("web") == before
        assert runner.gds("reload").returncode != 0
        descriptor.write_text(f"[resource.web]\n{ENDLESS}retry_count = 7\n")
        assert runner.gds("reload").returncode == 0
        upgrade(runner)
        assert runner.resource("web")["restarts"]["limit"] == 7


def test_a_relative_path_means_what_it_meant_where_the_runner_was_started(tmp_path: Path) -> None:
    """That directory is moved by a deployment, say; and what was typed is not looked at again."""
    release = tmp_path / "release"
    descriptor = release / "apps.d/web.toml"
    descriptor.parent.mkdir(parents=True)
    write(descriptor, ENDLESS)
    there = ("sh", "-c", 'cd "$0" && exec "$@"', str(release))
    with Running(tmp_path, "apps.d", options=("--state-dir", "../kept"), wrapper=there) as runner:
        before = runner.until("web", state="ONLINE")
        release.rename(tmp_path / "before")
        upgrade(runner)
        upgrade(runner)
        assert runner.resource("web") == before
        descriptor.parent.mkdir(parents=True)
        refused = runner.gds("reload")
        assert refused.returncode == 78
        assert f"no *.toml file is left in {descriptor.parent}, and web would be stopped" in refused.stderr
        write(descriptor, f"{ENDLESS}retry_count = 7\n")
        assert runner.gds("reload").returncode == 0
        assert runner.resource("web")["restarts"]["limit"] == 7
        release.rename(tmp_path / "second")
        shutil.rmtree(tmp_path / "before")
        upgrade(runner)
        assert runner.resource("web")["main_pid"] == before["main_pid"]


def test_an_interpreter_that_is_gone_when_it_counts_changes_nothing(tmp_path: Path) -> None:
    # the new code is tried, and understood; then, while a Start is waited for, the interpreter goes
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    (tmp_path / "pyvenv.cfg").write_text((Path(sys.prefix) / "pyvenv.cfg").read_text())
    (tmp_path / "lib").symlink_to(Path(sys.prefix) / "lib")
    text = (
        f'[resource.web]\n{ENDLESS}probe_command = "test -e {tmp_path}/up || exit 100"\nstart_timeout = 60\n{FOREVER}'
    )
    write(tmp_path / "web.toml", text)
    wrapper = ("sh", "-c", f'shift; exec {python} "$@"', "sh")
    with Running(tmp_path, tmp_path / "web.toml", wrapper=wrapper) as runner:

        def heard(message: dict[str, Any]) -> None:
            if "waiting" in message.get("line", ""):
                python.unlink()
                (tmp_path / "up").touch()

        answer = client.ask(str(runner.socket), {"verb": "upgrade"}, heard, 60)
        assert answer["code"] == 1
        assert "the new code cannot be executed: No such file" in answer["message"]
        assert "goes on as it was" in answer["message"]
        before = runner.until("web", state="ONLINE")
        os.kill(before["main_pid"], signal.SIGKILL)
        runner.until("web", state="ONLINE", restarts_done=1)
        python.symlink_to(sys.executable)
        upgrade(runner)


def test_who_may_not_act_may_not_upgrade(open_path: Path) -> None:
    with Running(open_path, write(open_path / "web.toml", f"[resource.web]\n{ENDLESS}")) as runner:
        runner.until("web", state="ONLINE")
        runner.socket.chmod(0o666)
        code = (
            "import json, socket, os; os.setgroups([]); os.setresuid(65534, 65534, 65534);"
            f"s = socket.socket(socket.AF_UNIX); s.connect({str(runner.socket)!r});"
            's.sendall(b\'{"verb": "upgrade"}\\n\'); print(s.recv(65536).decode())'
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert json.loads(told.stdout)["code"] == 77
        assert runner.gds("upgrade", "--socket", "/nowhere/control.sock").returncode == 4
        assert runner.gds("upgrade", "web").returncode == 2


# -- as PID 1 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
def test_as_pid_1_orphans_and_deaths_are_ours_before_and_after(tmp_path: Path, rung: str) -> None:
    text = f"[resource.web]\n{ENDLESS}{FOREVER}[resource.deep]\nstart_command = 'sleep 1001 & sleep 1002'\n{FOREVER}"
    namespace = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    write(tmp_path / "two.toml", text)
    with Running(tmp_path, tmp_path / "two.toml", rung=rung, wrapper=namespace) as runner:
        runner.until("web", state="ONLINE")
        assert runner.status()["pid"] == 1
        assert runner.process is not None
        init = int(Path(f"/proc/{runner.process.pid}/task/{runner.process.pid}/children").read_text().split()[0])
        inside = ["nsenter", "--target", str(init), "--pid", "--mount"]
        for kills in range(1, 7):
            pid = runner.until("web", state="ONLINE", restarts_done=kills - 1)["main_pid"]
            killer = [*inside, "sh", "-c", f"kill -9 {pid}"]
            assert ask(runner, lambda killer=killer: subprocess.run(killer, check=True))["code"] == 0
            after = runner.until("web", state="ONLINE", restarts_done=kills)
            assert after["incarnation"] == kills + 1
        assert runner.status()["pid"] == 1
        said = [d["because"] for d in decisions(runner, "web") if d["event"] == "STOPPING"]
        assert len(said) == 6
        assert all("killed by SIGKILL" in each for each in said), said
        os.kill(init, signal.SIGTERM)
        assert runner.wait() == 0
