"""The command line against real runners: exit statuses, documents, several runners, what is told (design.md 4)."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.running import GDS, RUNGS, Running, eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator

TWO = """
[resource.web]
group = "shop"
start_command = ["sleep", "1000"]
probe_command = "echo fine"
[resource.db]
group = "shop"
start_command = ["sleep", "1001"]
"""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(name="shop", params=RUNGS)
def _shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path, write(tmp_path / "shop.toml", TWO), rung=request.param, options=("--node", "n1")) as runner:
        runner.until("web", state="ONLINE")
        runner.until("db", state="ONLINE")
        yield runner


def gds(*words: str, env: dict[str, str] | None = None, within: float = 60.0) -> subprocess.CompletedProcess[str]:
    """`gds WORDS`, with nothing of a runner in the environment but `env`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GDS_")}
    return subprocess.run(
        [*GDS, *words], capture_output=True, text=True, env={**clean, **(env or {})}, timeout=within, check=False
    )


def test_the_status_document_has_exactly_the_keys_and_types_of_version_1(shop: Running) -> None:
    document = json.loads(shop.gds("status", "--json").stdout)
    types: dict[str, Any] = {
        "schema": int,
        "version": str,
        "node": str,
        "pid": int,
        "uptime_seconds": float,
        "tracking": str,
        "groups": list,
    }
    assert {k: type(v) for k, v in document.items()} == types
    assert (document["schema"], document["node"]) == (1, "n1")
    assert shop.process is not None
    assert document["pid"] == shop.process.pid
    assert document["tracking"] in RUNGS
    assert gds("--version").stdout == f"gds {document['version']}\n"
    (group,) = document["groups"]
    assert {k: type(v) for k, v in group.items()} == {
        "name": str,
        "state": str,
        "because": str,
        "managed": bool,
        "suspended": bool,
        "resources": list,
    }
    assert (group["name"], group["state"]) == ("shop", "ONLINE")
    web, db = group["resources"]
    assert {k: type(v) for k, v in web.items()} == {
        "name": str,
        "group": str,
        "type": str,
        "state": str,
        "status": str,
        "status_msg": str,
        "enabled": bool,
        "monitored": bool,
        "incarnation": int,
        "main_pid": int,
        "pids": list,
        "online_since": str,
        "restarts": dict,
        "probe": dict,
        "because": str,
    }
    assert (web["name"], web["group"], web["type"]) == ("web", "shop", "gds")
    assert web["pids"] == [web["main_pid"]]
    assert STAMP.fullmatch(web["online_since"])
    assert web["restarts"] == {"done": 0, "limit": 2, "interval_seconds": 370.0}
    assert type(web["restarts"]["interval_seconds"]) is float
    probe = web["probe"]
    assert {k: type(v) for k, v in probe.items()} == {
        "score": int,
        "sum": int,
        "seconds": float,
        "at": str,
        "message": str,
    }
    assert (probe["score"], probe["sum"], probe["message"], web["status_msg"]) == (0, 0, "fine", "fine")
    assert STAMP.fullmatch(probe["at"])
    assert db["probe"] is None
    assert shop.gds("stop", "db").returncode == 0
    db = shop.resource("db")
    assert (db["main_pid"], db["pids"], db["online_since"]) == (None, [], None)


def test_every_verb_ends_with_the_status_of_the_contract(shop: Running) -> None:
    assert shop.gds("status").returncode == 0
    assert shop.gds("status", "web", "db").returncode == 0
    assert shop.gds("status", "shop").returncode == 0
    assert shop.gds("stop", "web").returncode == 0
    assert shop.gds("stop", "web").returncode == 0, "it is so already"
    assert shop.gds("status", "web").returncode == 3
    assert shop.gds("status", "shop").returncode == 3
    assert shop.gds("status", "web", "--json").returncode == 0, "it could answer"
    assert shop.gds("status").returncode == 0
    for verb in ("probe", "giveover"):
        asked = shop.gds(verb, "web")
        assert asked.returncode == 3, verb
        assert asked.stderr.startswith(f"gds: cannot {'probe' if verb == 'probe' else 'give over'} web: it is OFFLINE")
    assert shop.gds("start", "web").returncode == 0
    assert shop.gds("start", "web").returncode == 0, "it is so already"
    assert shop.gds("restart", "shop").returncode == 0, "a group: all of its resources"
    assert (shop.resource("web")["incarnation"], shop.resource("db")["incarnation"]) == (3, 2)
    assert shop.gds("disable", "web").returncode == 0
    assert shop.gds("restart", "web").returncode == 1
    assert shop.gds("enable", "web").returncode == 0
    for verb in ("start", "stop", "restart", "enable", "disable", "monitor", "unmonitor", "probe", "giveover", "clear"):
        unknown = shop.gds(verb, "wbe")
        assert unknown.returncode == 4, verb
        assert "cannot find wbe" in unknown.stderr
        assert "did you mean web?" in unknown.stderr
        assert shop.gds(verb).returncode == 2, verb
    for verb in ("why", "history", "logs"):
        assert shop.gds(verb, "wbe").returncode == 4, verb
    assert shop.gds("probe", "db").returncode == 1, "it has no probe"
    assert shop.gds("reload", "web").returncode == 2
    nobody = {"GDS_RUNTIME_DIR": str(shop.where / "nobody")}
    for words in (["status"], ["status", "web"], ["stop", "web"], ["why", "web"], ["reload"], ["logs", "web"]):
        alone = gds(*words, env=nobody)
        assert alone.returncode == 4, words
        assert "is `gds run` running?" in alone.stderr
    assert gds("status", "--socket", str(shop.where / "none.sock")).returncode == 4
    assert gds("status", "web", "--socket", str(shop.socket)).returncode == 0
    assert gds("status", "web", env={"GDS_SOCKET": str(shop.socket)}).returncode == 0
    assert gds("set", "web", "retry_count", env={"GDS_SOCKET": str(shop.socket)}).returncode == 2


@pytest.mark.parametrize("rung", RUNGS)
def test_waiting_not_waiting_and_waiting_only_so_long(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        "start_command = '''trap 'sleep 1; exit' TERM; while :; do sleep 0.05; done'''\nprobe_command = 'sleep 0.7'\n",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="STARTING")
        runner.until("web", state="ONLINE")
        began = time.monotonic()
        late = runner.gds("stop", "web", "--timeout", "200ms")
        assert late.returncode == 1
        assert "cannot wait longer" in late.stderr
        assert time.monotonic() - began < 15
        runner.until("web", state="OFFLINE")
        assert runner.gds("start", "web", "--no-wait").returncode == 0
        assert runner.resource("web")["state"] in ("STARTING", "ONLINE")
        runner.until("web", state="ONLINE")
        assert runner.gds("restart", "web").returncode == 0
        assert runner.resource("web")["state"] == "ONLINE", "it was waited for"


@pytest.mark.parametrize("rung", RUNGS)
def test_several_runners_are_one_to_ask_and_a_name_in_two_is_refused(tmp_path: Path, rung: str) -> None:
    made = []
    for name, apps in (("one", ("web", "both")), ("two", ("db", "both"))):
        where = tmp_path / name
        where.mkdir()
        text = "".join([f'[resource.{app}]\nstart_command = ["sleep", "1000"]\n' for app in apps])
        runner = Running(where, write(where / "apps.toml", text), rung=rung)
        # the layout of the template unit: runtime_dir/NAME/control.sock
        runner.runtime = tmp_path / "run" / name
        made.append(runner)
    with made[0], made[1]:
        env = {"GDS_RUNTIME_DIR": str(tmp_path / "run")}
        for runner in made:
            runner.until("both", state="ONLINE")
        document = json.loads(gds("status", "--json", env=env).stdout)
        assert sorted(g["name"] for g in document["groups"]) == ["both", "both", "db", "web"]
        table = gds("status", env=env)
        assert table.returncode == 0
        assert {"web", "db", "both"} <= {line.split()[0] for line in table.stdout.splitlines()}
        for runner, status in ((runner, runner.status()) for runner in made):
            assert f"runner pid {status['pid']}, " in table.stdout
            assert f", socket {runner.socket}\n" in table.stdout
            whose = [
                (g["name"], g["socket"], g["pid"]) for g in document["groups"] if g["socket"] == str(runner.socket)
            ]
            assert whose == [(g["name"], str(runner.socket), status["pid"]) for g in status["groups"]]
        assert gds("stop", "web", "db", env=env).returncode == 0
        assert [made[0].resource("web")["state"], made[1].resource("db")["state"]] == ["OFFLINE", "OFFLINE"]
        assert gds("status", "web", env=env).returncode == 3
        twice = gds("stop", "both", env=env)
        assert twice.returncode not in (0, 4)
        assert str(made[0].socket) in twice.stderr
        assert str(made[1].socket) in twice.stderr
        assert made[0].resource("both")["state"] == "ONLINE"
        assert gds("stop", "both", "--socket", str(made[0].socket), env=env).returncode == 0
        assert made[1].resource("both")["state"] == "ONLINE"
        assert gds("status", "nosuch", env=env).returncode == 4
        made[1].crash()  # its socket stays, and what it ran; the other one answers all the same
        assert gds("status", "web", env=env).returncode == 3
        assert gds("start", "web", env=env).returncode == 0
        gone = f"the runner at {made[1].socket}: it is gone, and did not end in order; what it had (db, both) may still"
        for verb, *names in (["status"], ["history"], ["reload"], ["status", "db"], ["status", "nosuch"]):
            told = gds(verb, *names, env=env)
            assert (told.returncode, gone in told.stderr) == (4, True), f"{verb} {names}: {told.stderr}"
        twice = gds("start", "both", env=env)
        assert twice.returncode == 2
        assert f"cannot choose: both stands in {made[0].socket}, and stood in {made[1].socket}" in twice.stderr
        assert made[0].resource("both")["state"] == "OFFLINE"
        made[1].begin()
        assert gds("status", env=env).returncode == 0
        made[1].end()
        assert gds("status", env=env).returncode == 0, "who ended in order is nobody's concern"
        assert gds("start", "both", env=env).returncode == 0


def test_why_and_history_tell_the_chain_of_facts_and_survive_the_runner(shop: Running) -> None:
    os.kill(shop.resource("web")["main_pid"], signal.SIGKILL)
    shop.until("web", state="ONLINE", incarnation=2)
    because = "restart 1 of 2 within 370 s: the last process of the tree ended (killed by SIGKILL)"
    why = shop.gds("why", "web")
    assert why.returncode == 0
    assert why.stdout.startswith(f"web is ONLINE, status OK\n  because {because}\n")
    assert "restarts: 1 of 2 within 370 s; the oldest drops out in 3" in why.stdout
    document = json.loads(shop.gds("why", "web", "--json").stdout)
    assert document["why"][0]["budget"]["restarts_done"] == 1
    history = shop.gds("history", "web").stdout
    assert because in history
    assert "db" not in history
    assert "db" in shop.gds("history").stdout
    assert shop.end() == 0
    shop.begin()
    shop.until("web", state="ONLINE")
    assert shop.gds("history", "web").stdout.startswith(history)
    records = json.loads(shop.gds("history", "web", "--json").stdout)["history"]
    assert {"at", "resource", "event", "because"} <= set(records[0])
    assert STAMP.fullmatch(records[0]["at"])
    assert len(shop.gds("history", "-n", "3").stdout.splitlines()) == 3
    assert shop.end() == 0
    gone = shop.gds("history", "--socket", str(shop.socket))
    assert (gone.returncode, "--state-dir DIR reads what it kept" in gone.stderr) == (4, True)
    assert shop.gds("history", "web", "--state-dir", str(shop.state)).stdout.startswith(history)


def test_a_probe_asked_by_a_person_tells_score_seconds_output_and_consequence(shop: Running) -> None:
    asked = shop.gds("probe", "web")
    assert asked.returncode == 0
    first, output, would = asked.stdout.splitlines()
    assert re.fullmatch(r"web: score 0 in \d+\.\d+ s: the probe exited with status 0", first)
    assert output == "  output: fine"
    assert "nothing" in would
    told = json.loads(shop.gds("probe", "web", "--json").stdout)
    assert (told["score"], told["output"]) == (0, "fine")
    assert 0 < told["seconds"] < 30


@pytest.mark.parametrize("rung", RUNGS)
def test_logs_are_shown_and_followed_over_a_rotation(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "i=0; while :; do i=$((i+1)); echo line $i $(printf %0900d 0); sleep 0.002; done"
stdout = {{path = "{tmp_path}/web.log", rotate = "64KiB", keep = 3}}
stderr = "null"
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: (tmp_path / "web.log").stat().st_size > 5000, "it prints")
        shown = runner.gds("logs", "web", "-n", "2")
        assert len(shown.stdout.splitlines()) == 2
        assert shown.stdout.startswith("line ")
        env = {**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime)}
        seen: list[int] = []
        deadline = time.monotonic() + 60
        with subprocess.Popen([*GDS, "logs", "web", "-f", "-n", "1"], stdout=subprocess.PIPE, env=env) as follow:
            assert follow.stdout is not None
            while len(seen) < 300 and time.monotonic() < deadline:
                seen.append(int(follow.stdout.readline().split()[1]))
            follow.terminate()
        assert seen == list(range(seen[0], seen[0] + 300)), "no line is lost and none comes twice"
        assert (tmp_path / "web.log.1").exists() or list(tmp_path.glob("web.log.*")), "it was rotated meanwhile"
        assert runner.gds("logs", "web", "--stderr").returncode == 1
        assert runner.gds("logs", "web", "db").returncode == 2


@pytest.mark.parametrize("rung", RUNGS)
def test_logs_as_documents_are_one_a_line(tmp_path: Path, rung: str) -> None:
    log = tmp_path / "web.log"
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "printf 'one\\\\n\\\\377two\\\\nthree'; sleep 1000"
stdout = {{path = "{log}"}}
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        eventually(lambda: log.exists() and log.read_bytes().endswith(b"three"), "it printed")
        shown = runner.gds("logs", "web", "--json")
        facts = {"resource": "web", "stream": "stdout", "file": str(log)}
        lines = ("one", "\ufffdtwo", "three")
        assert [json.loads(line) for line in shown.stdout.splitlines()] == [{**facts, "line": each} for each in lines]
        env = {**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime)}
        command = [*GDS, "logs", "web", "--json", "-f", "-n", "2"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as follow:
            assert follow.stdout is not None
            try:
                told = [json.loads(follow.stdout.readline())["line"]]
                with log.open("ab") as file:
                    file.write(b" and a half\nfour\n")
                told += [json.loads(follow.stdout.readline())["line"] for _ in range(2)]
            finally:
                follow.terminate()
        assert told == ["\ufffdtwo", "three and a half", "four"], "what has no end yet is waited for"


def test_the_journal_s_lines_are_documents_of_ours(tmp_path: Path) -> None:
    journalctl = tmp_path / "bin/journalctl"
    journalctl.parent.mkdir()
    entries = [
        {"MESSAGE": "fine", "__REALTIME_TIMESTAMP": "1769860800123456", "_PID": "7", "PRIORITY": "6"},
        {"MESSAGE": [255, 104, 105]},
    ]
    told = "\n".join([json.dumps(entry) for entry in entries])
    journalctl.write_text(f"#!/bin/sh\n[ \"$*\" = '-t web -n 5 -o json' ] || exit 9\ncat <<'E'\n{told}\nE\n")
    journalctl.chmod(0o755)
    text = 'start_command = "sleep 1000"\nstdout = "journal"\n'
    with Running(tmp_path, write(tmp_path / "web.toml", text)) as runner:
        runner.env["PATH"] = f"{journalctl.parent}:{runner.env['PATH']}"
        shown = runner.gds("logs", "web", "--json", "-n", "5")
        assert (shown.returncode, [json.loads(line) for line in shown.stdout.splitlines()]) == (
            0,
            [
                {"resource": "web", "at": "2026-01-31T12:00:00.123Z", "pid": 7, "line": "fine"},
                {"resource": "web", "line": "\ufffdhi"},
            ],
        )


def test_output_that_is_inherited_cannot_be_shown_and_it_is_said_why(shop: Running) -> None:
    asked = shop.gds("logs", "web")
    assert asked.returncode == 1
    assert asked.stdout == ""
    assert "keeps nothing" in asked.stderr


def on_a_terminal(command: list[str], env: dict[str, str], until: bytes, times: int) -> bytes:
    """What `command` writes on a terminal until `until` was seen so often."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    data = b""
    deadline = time.monotonic() + 30
    try:
        while data.count(until) < times and time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                try:
                    data += os.read(master, 65536)
                except OSError:
                    break  # its last process has closed the terminal
    finally:
        process.terminate()
        process.wait(10)
        os.close(master)
    return data


def test_watch_redraws_on_a_terminal_and_no_color_is_obeyed(shop: Running) -> None:
    env = {**shop.env, "GDS_RUNTIME_DIR": str(shop.runtime), "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    command = [*GDS, "status", "--watch", "--interval", "100ms"]
    drawn = on_a_terminal(command, env, b"runner pid", 3)
    assert drawn.count(b"\x1b[H") >= 3, "each time from the top"
    assert b"\x1b[32m" in drawn
    plain = on_a_terminal(command, {**env, "NO_COLOR": "1"}, b"runner pid", 2)
    assert not re.search(rb"\x1b\[[0-9;]*m", plain)
    assert b"ONLINE" in plain
    assert not re.search(r"\x1b", shop.gds("status").stdout), "no colours into a pipe"


def test_watch_prints_only_what_changed_where_there_is_no_terminal(shop: Running) -> None:
    env = {**shop.env, "GDS_RUNTIME_DIR": str(shop.runtime)}
    out = shop.where / "watched"
    with out.open("wb") as file:
        watch = subprocess.Popen([*GDS, "status", "--watch", "--interval", "0.05"], stdout=file, env=env)
    try:
        eventually(lambda: "ONLINE" in out.read_text(), "the first table")
        assert shop.gds("stop", "web").returncode == 0
        eventually(lambda: "OFFLINE" in out.read_text(), "the next one")
        assert out.read_text().count("RESOURCE") < 6
    finally:
        watch.terminate()
        watch.wait(10)


def test_watch_as_documents_is_one_a_change(shop: Running) -> None:
    env = {**shop.env, "GDS_RUNTIME_DIR": str(shop.runtime)}
    out = shop.where / "watched"
    with out.open("wb") as file:
        command = [*GDS, "status", "--watch", "--json", "--interval", "0.05"]
        watch = subprocess.Popen(command, stdout=file, env=env)

    def states() -> list[str]:
        documents = [json.loads(line) for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [r["state"] for d in documents for g in d["groups"] for r in g["resources"] if r["name"] == "db"]

    try:
        eventually(lambda: states()[-1:] == ["ONLINE"], "the first one")
        assert shop.gds("stop", "db").returncode == 0
        eventually(lambda: states()[-1:] == ["OFFLINE"], "the next one")
        assert len(states()) < 8
    finally:
        watch.terminate()
        watch.wait(10)


def test_a_node_that_is_not_there_is_unknown(shop: Running) -> None:
    told = shop.gds("status", "--node", "n9")
    assert (told.returncode, told.stderr) == (4, "gds: cannot show node n9: no node of that name; there is n1\n")
    assert shop.gds("status", "--node", "n1").stdout.startswith("RESOURCE ")


def test_another_user_may_neither_act_nor_read(shop: Running) -> None:
    for words in (["status"], ["stop", "web"], ["history"]):
        asked = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *GDS, *words, "--socket", str(shop.socket)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",
        )
        assert asked.returncode in (77, 4), asked.stderr
        assert "Traceback" not in asked.stderr
    assert shop.resource("web")["state"] == "ONLINE"


def test_enable_and_disable_and_the_like_are_kept_over_everything(shop: Running) -> None:
    assert shop.gds("disable", "web").returncode == 0
    assert shop.gds("unmonitor", "db").returncode == 0
    # another boot: what is kept for this one alone is gone
    assert shop.end() == 0
    (shop.runtime / "state.log").unlink()
    shop.begin()
    shop.until("db", state="ONLINE_NOT_MONITORED")
    web = shop.resource("web")
    assert (web["state"], web["enabled"], web["because"]) == ("OFFLINE", False, "disabled")
    assert shop.gds("start", "web").returncode == 1
    assert shop.gds("enable", "web").returncode == 0
    assert shop.gds("monitor", "db").returncode == 0
    shop.crash()
    shop.begin()
    shop.until("web", state="ONLINE", enabled=True)
    shop.until("db", state="ONLINE", monitored=True)


def test_clear_forgets_failures(shop: Running) -> None:
    os.kill(shop.resource("web")["main_pid"], signal.SIGKILL)
    shop.until("web", state="ONLINE", incarnation=2, restarts_done=1)
    assert shop.gds("clear", "web").returncode == 0
    assert shop.resource("web")["restarts"]["done"] == 0


VERBS = (
    *("run", "check", "validate", "status", "start", "stop", "restart", "enable", "disable", "monitor", "unmonitor"),
    *("probe", "giveover", "clear", "reload", "why", "history", "logs", "simulate", "explain", "schema", "new", "pmf"),
    *("graph",),
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_and_refuses_options_it_does_not_know(verb: str, tmp_path: Path) -> None:
    helped = gds(verb, "--help")
    assert helped.returncode == 0
    assert "usage:" in helped.stdout.lower()
    assert helped.stderr == ""
    wrong = gds(verb, "--frobnicate", env={"GDS_RUNTIME_DIR": str(tmp_path)})
    assert wrong.returncode == (3 if verb == "pmf" else 2), "pmfadm has Sun's exit codes"
    assert wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_verbs_and_options_that_do_not_exist_are_usage_errors_with_the_nearest_name() -> None:
    for words, said in (
        (["statsu"], "did you mean status?"),
        (["status", "--jsno"], "did you mean --json?"),
        (["stop", "web", "--timout=3"], "did you mean --timeout?"),
        ([], "--help"),
    ):
        asked = gds(*words)
        assert (asked.returncode, asked.stdout) == (2, "")
        assert said in asked.stderr
    listed = gds("--help")
    assert listed.returncode == 0
    assert all(re.search(rf"^  {verb} ", listed.stdout, re.MULTILINE) for verb in VERBS)


NOT_YET = (
    "monitor_stop_timeout = 5\n",
    'network_resources_used = ["b"]\n',
    "scalable = true\n",
    'load_balancing_policy = "LB_WEIGHTED"\n',
)


@pytest.mark.parametrize("key", NOT_YET)
def test_what_does_not_work_yet_is_refused_and_never_ignored(tmp_path: Path, key: str) -> None:
    descriptor = write(tmp_path / "a.toml", f'[resource.a]\nstart_command = "sleep 1000"\n{key}')
    for verb in ("run", "check"):
        refused = gds(verb, str(descriptor), env={"GDS_RUNTIME_DIR": str(tmp_path), "GDS_STATE_DIR": str(tmp_path)})
        assert refused.returncode == 78
        said = refused.stdout + refused.stderr
        assert re.search(rf"{descriptor}:3:\d+: resource\.a\.{key.split(' ')[0]}: ", said), said
        assert "not supported yet" in said


def test_a_group_is_what_is_enabled_of_it(shop: Running) -> None:
    assert shop.gds("disable", "web").returncode == 0
    assert shop.status()["groups"][0]["state"] == "ONLINE"
    assert shop.gds("status", "shop").returncode == 0
    assert shop.gds("status", "web").returncode == 3
    assert shop.gds("restart", "shop").returncode == 0
    assert (shop.resource("web")["state"], shop.resource("db")["incarnation"]) == ("OFFLINE", 2)
    assert shop.gds("stop", "shop").returncode == 0
    assert shop.gds("start", "shop").returncode == 0
    assert (shop.resource("web")["state"], shop.resource("db")["incarnation"]) == ("OFFLINE", 3)


def test_a_reload_shows_its_plan_before_it_touches_anything(shop: Running) -> None:
    slow = TWO.replace('["sleep", "1001"]', "\"trap '' TERM; sleep 1001; sleep 1001\"\nstop_timeout = 4")
    write(shop.where / "shop.toml", slow)
    assert shop.gds("reload").returncode == 0
    write(shop.where / "shop.toml", slow.replace("1001", "1011"))
    env = {**shop.env, "GDS_RUNTIME_DIR": str(shop.runtime)}
    with subprocess.Popen([*GDS, "reload"], stderr=subprocess.PIPE, text=True, env=env) as reload:
        assert reload.stderr is not None
        assert reload.stderr.readline() == "db: stop, change start_command, start\n"
        assert reload.poll() is None, "the plan comes first, and the stop takes its time"
        assert reload.wait(30) == 0
    assert shop.gds("reload").stderr == "nothing changed\n"
