"""gds set, get and diff against a real runner: live changes, what is refused, what is kept, who sees what."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.running import GDS, Running, alive, eventually, write
from tests.system.test_security import NOBODY, ask_as, gds_as, public

__all__ = ["public"]

WEB = """
[group.shop]
description = "a shop"

[resource.web]
group = "shop"
start_command = ["sleep", "1000"]
probe_command = "echo $GDS_RETRY_COUNT >> {where}/probes"
validate_command = "echo Validate $GDS_RETRY_COUNT $COLOUR >> {where}/calls; test $GDS_RETRY_COUNT -lt 9"
update_command = "echo Update $MAINPID $GDS_RETRY_COUNT $COLOUR >> {where}/calls"
retry_count = 2
thorough_probe_interval = "1h"
environment = {{COLOUR = "red"}}

[resource.db]
group = "shop"
start_command = ["sleep", "1001"]

[resource.alone]
start_command = ["sleep", "1002"]
"""


def descriptor(where: Path) -> Path:
    """The shop."""
    return write(where / "shop.toml", WEB.format(where=where))


def edit(path: Path, old: str, new: str) -> None:
    """Somebody edits the file."""
    text = path.read_text()
    assert old in text
    write(path, text.replace(old, new))


def lines(path: Path) -> list[str]:
    """What was written there so far."""
    return path.read_text().splitlines() if path.exists() else []


def kept(runner: Running) -> dict[tuple[str, str], Any]:
    """What set.json holds, by name and key."""
    path = runner.state / "set.json"
    return {(e["name"], e["key"]): e for e in json.loads(path.read_text())["set"]} if path.exists() else {}


def value(runner: Running, name: str, key: str) -> Any:
    """One value in force."""
    asked = runner.gds("get", name, key, "--json")
    assert asked.returncode == 0, asked.stderr
    (found,) = json.loads(asked.stdout)["properties"]
    return found["value"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Running]:
    """A runner with all of it up."""
    with Running(tmp_path, descriptor(tmp_path)) as runner:
        for name in ("web", "db", "alone"):
            runner.until(name, state="ONLINE")
        (tmp_path / "calls").unlink(missing_ok=True)
        yield runner


# -- live -------------------------------------------------------------------------------------------------------------


def test_a_probe_interval_takes_effect_while_the_application_runs(shop: Running) -> None:
    before = shop.resource("web")["main_pid"]
    probes = shop.where / "probes"
    had = len(lines(probes))
    done = shop.gds("set", "web", "thorough_probe_interval=100ms")
    assert (done.returncode, done.stdout) == (0, "web: thorough_probe_interval 3600 -> 0.1\n")
    eventually(lambda: len(lines(probes)) >= had + 4, "it is probed again and again")
    assert shop.resource("web")["main_pid"] == before


def test_a_budget_counts_from_now_on(shop: Running) -> None:
    assert shop.gds("set", "alone", "retry_count=0").returncode == 0
    assert shop.resource("alone")["restarts"]["limit"] == 0
    os.kill(shop.resource("alone")["main_pid"], signal.SIGKILL)
    shop.until("alone", incarnation=2, state="ONLINE")
    assert "0 restarts" in shop.gds("why", "alone").stdout.replace("0 of 0 restarts", "0 restarts")
    assert shop.gds("set", "alone", "retry_count=3").returncode == 0
    os.kill(shop.resource("alone")["main_pid"], signal.SIGKILL)
    shop.until("alone", incarnation=3, restarts_done=1)


def test_validate_sees_what_would_be_and_update_what_is(shop: Running) -> None:
    pid = shop.resource("web")["main_pid"]
    done = shop.gds("set", "web", "retry_count=5", 'environment={COLOUR = "blue"}')
    assert done.returncode == 1, "environment can only change while it is disabled"
    assert "environment can only be changed while web is disabled; --restart stops it" in done.stderr
    assert lines(shop.where / "calls") == []
    assert shop.gds("set", "web", "retry_count=5").returncode == 0
    assert lines(shop.where / "calls") == ["Validate 5 red", f"Update {pid} 5 red"]
    assert shop.gds("set", "web", 'environment={COLOUR = "blue"}', "--restart").returncode == 0
    asked = lines(shop.where / "calls")[2:]
    assert set(asked) == {"Validate 5 blue"}, "Start has it asked as well; a new application needs no Update"
    assert shop.resource("web")["main_pid"] != pid


def test_one_refusal_refuses_all_of_it(shop: Running) -> None:
    before = shop.gds("get", "web", "--json").stdout
    for words, code, said in (
        (["retry_interval=1m", "retry_count=9"], 1, "refused by Validate of web; nothing was changed"),
        (["retry_interval=1m", "retry_cuont=3"], 78, "retry_cuont: unknown key; did you mean retry_count?"),
        (["retry_interval=1m", "retry_count=many"], 78, 'retry_count: expected a whole number, not "many"'),
        (["retry_interval=1m", "group=other"], 1, "group can only be given when the resource is created"),
        (["retry_interval=1m", "type=gds", "nice=3"], 1, "nice can only be changed while web is disabled"),
        (["retry_interval=1m", "enabled=no"], 78, "`gds enable web` and `gds disable web` turn it"),
        (["retry_interval=1m", "resource_dependencies=web"], 78, "cannot depend on itself"),
        (["retry_interval=1m", "nodelist=a"], 78, "[group.NAME]"),
    ):
        done = shop.gds("set", "web", *words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done)
        assert done.stdout == ""
        assert shop.gds("get", "web", "--json").stdout == before
        assert kept(shop) == {}
    assert "Update" not in " ".join(lines(shop.where / "calls"))


def test_usage_and_names(shop: Running) -> None:
    for words, code in (
        ([], 2),
        (["web"], 2),
        (["web", "retry_count"], 2),
        (["retry_count=3"], 2),
        (["web", "retry_count=3", "--unset"], 2),
        (["web", "retry_count=3", "--nonsense"], 2),
        (["wbe", "retry_count=3"], 4),
        (["--help"], 0),
    ):
        assert shop.gds("set", *words).returncode == code, words
    assert "did you mean web?" in shop.gds("set", "wbe", "retry_count=3").stderr
    assert shop.gds("get").returncode == 2
    assert shop.gds("get", "wbe").returncode == 4
    wrong = shop.gds("get", "web", "retry_cuont")
    assert (wrong.returncode, "did you mean retry_count?" in wrong.stderr) == (78, True)
    assert shop.gds("diff", "wbe").returncode == 4


def test_a_dry_run_says_what_would_be_done_and_does_nothing(shop: Running) -> None:
    done = shop.gds("set", "web", "retry_count=5", "start_command=sleep 9", "--restart", "--dry-run")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "web: retry_count 2 -> 5",
        'web: start_command ["sleep", "1000"] -> "sleep 9"',
        "web: Validate, then Stop, then change, then Start",
    ]
    assert lines(shop.where / "calls") == []
    assert kept(shop) == {}
    assert value(shop, "web", "retry_count") == 2


def test_what_needs_a_stop_is_stopped_changed_and_started_in_nobodys_budget(shop: Running) -> None:
    before = shop.resource("web")
    done = shop.gds("set", "web", "start_command=exec sleep 2000", "--restart", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["done"]
    assert told["changes"] == [
        {
            "key": "start_command",
            "old": '["sleep", "1000"]',
            "new": '"exec sleep 2000"',
            "tunable": "WHEN_DISABLED",
            "changed": True,
        }
    ]
    after = shop.until("web", state="ONLINE", restarts_done=0)
    assert not alive(before["main_pid"])
    assert Path(f"/proc/{after['main_pid']}/cmdline").read_bytes() == b"sleep\x002000\x00"


def test_while_it_is_disabled_everything_may_change_and_it_stays_down(shop: Running) -> None:
    assert shop.gds("disable", "web").returncode == 0
    assert shop.gds("set", "web", "start_command=exec sleep 2000", "nice=3").returncode == 0
    assert shop.resource("web")["state"] == "OFFLINE"
    assert lines(shop.where / "calls") == ["Validate 2 red"]
    assert shop.gds("enable", "web").returncode == 0
    pid = shop.until("web", state="ONLINE")["main_pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == 3


def test_what_a_person_stopped_stays_stopped(shop: Running) -> None:
    assert shop.gds("stop", "web").returncode == 0
    assert shop.gds("set", "web", "nice=3", "--restart").returncode == 0
    assert shop.resource("web")["state"] == "OFFLINE"
    assert value(shop, "web", "nice") == 3


def test_a_group_asks_and_tells_its_resources(shop: Running) -> None:
    pid = shop.resource("web")["main_pid"]
    assert shop.gds("set", "shop", "pingpong_interval=10m", "description=the shop").returncode == 0
    assert lines(shop.where / "calls") == ["Validate 2 red", f"Update {pid} 2 red"]
    found = shop.gds("get", "shop", "pingpong_interval", "description").stdout.splitlines()
    assert [line.partition("#")[0].strip() for line in found] == ["pingpong_interval = 600", 'description = "the shop"']
    fixed = shop.gds("set", "shop", "rg_mode=SCALABLE")
    assert (fixed.returncode, "when the group is created" in fixed.stderr) == (1, True)


def test_a_dependency_that_is_set_counts_at_the_next_stop(shop: Running) -> None:
    assert shop.gds("set", "web", "resource_dependencies=db").returncode == 0
    stopped = shop.gds("stop", "db")
    assert "web needs db" in stopped.stderr
    assert "circle" in shop.gds("set", "db", "resource_dependencies=web").stderr


def test_who_waits_for_what_it_needs_no_more_goes_on(shop: Running) -> None:
    assert shop.gds("stop", "web", "db").returncode == 0
    assert shop.gds("set", "web", "resource_dependencies=db").returncode == 0
    shop.gds("start", "web", "--no-wait")
    shop.until("web", state="OFFLINE")
    assert "needs db" in shop.gds("why", "web").stdout
    assert shop.gds("set", "web", "--unset", "resource_dependencies").returncode == 0
    shop.until("web", state="ONLINE")


# -- kept -------------------------------------------------------------------------------------------------------------


def test_who_when_old_and_new_are_kept(shop: Running) -> None:
    assert shop.gds("set", "web", "retry_count=5", "retry_interval=5m").returncode == 0
    found = kept(shop)
    assert (shop.state / "set.json").stat().st_mode & 0o777 == 0o600
    one = found["web", "retry_count"]
    assert (one["value"], one["old"], one["file"], one["uid"], one["by"]) == (5, "2", "2", os.getuid(), "root")
    assert found["web", "retry_interval"]["file"] == ""
    asked = eventually(
        lambda: [r for r in json.loads(shop.gds("history", "web", "--json").stdout)["history"] if r["event"] == "set"],
        "the decision is in the history",
    )
    assert asked[0]["because"] == "retry_count 2 -> 5, retry_interval 370 -> 300, set by root (uid 0)"
    assert (asked[0]["uid"], asked[0]["user"]) == (0, "root")
    assert asked[0]["changes"] == [["retry_count", "2", "5"], ["retry_interval", "370", "300"]]
    assert one["at"][:16] == asked[0]["at"][:16]


@pytest.mark.parametrize("crash", [True, False], ids=["kill -9", "stop"])
def test_what_was_set_is_stronger_than_the_file_after_a_restart_of_the_runner(shop: Running, crash: bool) -> None:
    assert shop.gds("set", "web", "retry_count=5", "thorough_probe_interval=100ms").returncode == 0
    assert shop.gds("set", "shop", "failback=true").returncode == 0
    pid = shop.resource("web")["main_pid"]
    if crash:
        shop.crash()
    else:
        assert shop.end() == 0
    for _ in ("compiled", "from the cache"):
        shop.begin()
        web = shop.until("web", state="ONLINE")
        assert web["restarts"]["limit"] == 5
        assert (web["main_pid"] == pid) is crash
        assert value(shop, "shop", "failback") is True
        shop.crash()
        pid, crash = web["main_pid"], True
    shop.begin()
    assert "set by root at" in shop.gds("get", "web", "retry_count").stdout


def test_a_reload_leaves_what_was_set_and_says_what_the_file_says(shop: Running) -> None:
    path = Path(shop.paths[0])
    assert shop.gds("set", "web", "retry_count=5", "--json").returncode == 0
    assert shop.gds("reload").stderr == "nothing changed\n"
    edit(path, "retry_count = 2", "retry_count = 3")
    for words in (["reload", "--dry-run"], ["reload"]):
        first, second = shop.gds(*words).stderr.splitlines()
        assert first == "nothing changed"
        at = kept(shop)["web", "retry_count"]["at"]
        assert second == (
            f"web: retry_count = 5, set by root at {at}, stays, though {path}:11 says 3 now (the file said 2 then);"
            " `gds set web --unset retry_count` follows the file"
        )
    assert shop.resource("web")["restarts"]["limit"] == 5
    edit(path, "retry_count = 3", "retry_count = 5")
    assert "from here on the file rules it" in shop.gds("reload").stderr
    assert kept(shop) == {}
    edit(path, "retry_count = 5", "retry_count = 4")
    assert shop.gds("reload").stderr == "web: change retry_count while it runs\n"
    assert shop.resource("web")["restarts"]["limit"] == 4


def test_the_file_may_catch_up_while_nobody_runs(shop: Running) -> None:
    path = Path(shop.paths[0])
    assert shop.gds("set", "web", "retry_count=5", "retry_interval=60").returncode == 0
    shop.end()
    edit(path, "retry_count = 2", "retry_count = 5\nretry_interval = 70")
    shop.begin()
    assert "from here on the file rules it" in shop.log()
    assert f"stays, though {path}:12 says 70 now" in shop.log()
    eventually(lambda: list(kept(shop)) == [("web", "retry_interval")], "what the file says is not set any more")


def test_unset_follows_the_file_as_it_is_now(shop: Running) -> None:
    path = Path(shop.paths[0])
    assert shop.gds("set", "web", "retry_count=5", "retry_interval=60", "nice=3", "--restart").returncode == 0
    edit(path, "retry_count = 2", "retry_count = 3")
    done = shop.gds("set", "web", "--unset", "retry_count", "--unset=retry_interval")
    assert done.stdout == "web: retry_count 5 -> 3\nweb: retry_interval 60 -> 370\n"
    assert list(kept(shop)) == [("web", "nice")]
    assert shop.gds("set", "web", "--unset", "nice").returncode == 1, "it runs"
    assert shop.gds("set", "web", "--unset", "nice", "--restart").returncode == 0
    assert kept(shop) == {}
    assert shop.gds("diff").returncode == 0


def test_what_is_removed_from_the_files_takes_what_was_set_along(shop: Running) -> None:
    path = Path(shop.paths[0])
    assert shop.gds("set", "alone", "retry_count=5").returncode == 0
    text = path.read_text()
    edit(path, '[resource.alone]\nstart_command = ["sleep", "1002"]\n', "")
    said = shop.gds("reload").stderr
    assert "alone: stop, no descriptor names it any more" in said
    assert "is forgotten: no descriptor names alone any more" in said
    assert kept(shop) == {}
    write(path, text)
    assert shop.gds("reload").returncode == 0
    assert value(shop, "alone", "retry_count") == 2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "gds-set", where], check=True, timeout=20)
    yield where
    subprocess.run(["umount", "-l", where], check=True, timeout=20)


def fill(path: Path) -> None:
    """Until there is no room left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_what_cannot_be_kept_holds_until_the_runner_ends_and_is_told(tmp_path: Path, disk: Path) -> None:
    runner = Running(tmp_path, descriptor(tmp_path))
    runner.state = disk / "state"
    with runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("set", "web", "retry_count=5").returncode == 0
        before = (runner.state / "set.json").read_bytes()
        fill(disk / "fill")
        done = runner.gds("set", "web", "retry_count=6", f"description={'x' * 9000}")
        assert done.returncode == 0
        assert f"not for good: cannot write {runner.state}/set.json: No space left on device" in done.stderr
        assert runner.resource("web")["restarts"]["limit"] == 6
        assert (runner.state / "set.json").read_bytes() == before, "whole, as it was"
        assert [p for p in runner.status()["problems"] if "set.json" in p]
        assert runner.gds("reload").returncode == 0
        assert runner.resource("web")["restarts"]["limit"] == 6, "a reload knows what was set all the same"
        (disk / "fill").unlink()
        done = runner.gds("set", "web", "retry_interval=60")
        assert (done.returncode, done.stderr) == (0, "")
        assert kept(runner)["web", "retry_count"]["value"] == 6
        assert not [p for p in runner.status().get("problems", []) if "set.json" in p]


def test_without_a_state_directory_it_holds_until_the_runner_ends_and_is_told(tmp_path: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=20)
    runner = Running(tmp_path, descriptor(tmp_path))
    runner.state = disk / "state"
    with runner:
        runner.until("web", state="ONLINE")
        done = runner.gds("set", "web", "retry_count=6")
        assert done.returncode == 0
        assert "not for good: there is no state directory to keep it in" in done.stderr
        assert runner.gds("reload").stderr == "nothing changed\n"
        assert runner.resource("web")["restarts"]["limit"] == 6


def test_a_damaged_memory_is_told_and_never_written_over(tmp_path: Path) -> None:
    with Running(tmp_path, descriptor(tmp_path)) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("set", "web", "retry_count=5").returncode == 0
        runner.end()
        damaged = write(runner.state / "set.json", "{").read_bytes()
        runner.begin()
        runner.until("web", state="ONLINE")
        assert "what people set is not known, and the files alone rule" in runner.log()
        assert value(runner, "web", "retry_count") == 2
        done = runner.gds("set", "web", "retry_count=6")
        assert done.returncode == 1
        assert f"cannot read {runner.state}/set.json" in done.stderr
        assert (runner.state / "set.json").read_bytes() == damaged
        assert runner.gds("reload").returncode == 0


def test_a_bare_command_can_be_set_until_it_ends(tmp_path: Path) -> None:
    with Running(tmp_path, command=("sleep", "1000")) as runner:
        runner.until("sleep", state="ONLINE")
        done = runner.gds("set", "sleep", "retry_count=5")
        assert done.returncode == 0
        assert "not for good: this runner was given a command, not descriptors" in done.stderr
        assert runner.resource("sleep")["restarts"]["limit"] == 5
        assert (
            runner.gds("get", "sleep", "start_command").stdout
            == 'start_command = ["sleep", "1000"]  # the command line\n'
        )
        assert runner.gds("set", "sleep", "--unset", "retry_count").returncode == 0
        assert value(runner, "sleep", "retry_count") == 2


# -- several at once --------------------------------------------------------------------------------------------------


def begun(runner: Running, *words: str) -> subprocess.Popen[str]:
    """`gds WORDS` under way."""
    env = {**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime)}
    return subprocess.Popen([*GDS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def test_two_sets_at_once(tmp_path: Path) -> None:
    text = WEB.replace("test $GDS_RETRY_COUNT -lt 9", "while [ ! -e {where}/go ]; do sleep 0.05; done")
    (tmp_path / "go").touch()
    with Running(tmp_path, write(tmp_path / "shop.toml", text.format(where=tmp_path))) as runner:
        runner.until("web", state="ONLINE")
        calls = tmp_path / "calls"
        calls.unlink()
        (tmp_path / "go").unlink()
        with begun(runner, "set", "web", "retry_count=5") as first:
            eventually(lambda: lines(calls), "Validate of the first runs")
            same = runner.gds("set", "db", "retry_count=6")
            assert same.returncode == 75
            assert "cannot set db: its group is busy: set web retry_count by root (uid 0) is under way" in same.stderr
            reload = runner.gds("reload")
            assert (reload.returncode, "set web retry_count by root" in reload.stderr) == (75, True)
            with begun(runner, "set", "alone", "retry_count=7") as other:
                (tmp_path / "go").touch()
                assert first.wait(20) == 0
                assert other.wait(20) == 0, "another group's is refused neither meanwhile nor after"
        assert {key: e["value"] for key, e in kept(runner).items()} == {
            ("web", "retry_count"): 5,
            ("alone", "retry_count"): 7,
        }


def test_a_busy_group_refuses_and_says_what_it_is_busy_with(tmp_path: Path) -> None:
    slow = '[resource.web]\nstart_command = ["sleep", "1000"]\nprobe_command = "test -e {0}/go || exit 100"\n'
    with Running(tmp_path, write(tmp_path / "web.toml", slow.format(tmp_path))) as runner:
        runner.until("web", state="STARTING")
        done = runner.gds("set", "web", "retry_count=5")
        assert done.returncode == 75
        assert "group web is busy: web is STARTING since" in done.stderr
        assert "nothing was changed" in done.stderr
        (tmp_path / "go").touch()
        runner.until("web", state="ONLINE")
        assert runner.gds("set", "web", "retry_count=5").returncode == 0


def test_a_runner_killed_while_it_sets_has_set_all_or_nothing(tmp_path: Path) -> None:
    with Running(tmp_path, descriptor(tmp_path)) as runner:
        for delay in (0.0, 0.3, 0.6, 0.9, 1.2):
            runner.until("web", state="ONLINE")
            count = 3 + int(delay * 10) % 5
            before = kept(runner).get(("web", "retry_count"), {"value": 2})["value"]
            with begun(runner, "set", "web", f"retry_count={count}", f"retry_interval={count}") as asked:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    asked.wait(delay)
                runner.crash()
                code = asked.wait(20)
            runner.begin()
            runner.until("web", state="ONLINE")
            found = value(runner, "web", "retry_count")
            assert found in ((count,) if code == 0 else (before, count)), (delay, code)
            assert kept(runner).get(("web", "retry_count"), {"value": 2})["value"] == found
            assert (value(runner, "web", "retry_interval") == found) or found == 2


# -- who sees what ----------------------------------------------------------------------------------------------------


def test_each_value_comes_from_somewhere(shop: Running) -> None:
    path = shop.paths[0]
    assert shop.gds("set", "web", "retry_interval=5m").returncode == 0
    at = kept(shop)["web", "retry_interval"]["at"]
    shown = shop.gds("get", "web", "retry_count", "Retry_Interval", "stop_timeout", "stop_command").stdout.splitlines()
    assert [[part.strip() for part in line.rsplit("#", 1)] for line in shown] == [
        ["retry_count = 2", f"{path}:11"],
        ["retry_interval = 300", f"set by root at {at}"],
        ["stop_timeout = 300", "default"],
        ["# stop_command is not given", "default"],
    ]
    document = json.loads(shop.gds("get", "web", "--json").stdout)
    assert document["schema"] == 1
    by_key = {p["key"]: p for p in document["properties"]}
    assert (by_key["retry_interval"]["value"], by_key["retry_interval"]["from"]) == (300, "set")
    assert len(by_key) > 60
    edit(Path(path), "retry_count = 2", "retry_count = 3")
    assert f"# as it was read; {path}:11 says 3 now" in shop.gds("get", "web", "retry_count").stdout


def test_diff_tells_what_is_set_and_what_no_reload_took_over(shop: Running) -> None:
    same = shop.gds("diff")
    assert (same.returncode, same.stdout) == (0, "")
    path = Path(shop.paths[0])
    edit(path, '"1001"', '"1111"')
    edit(path, "resource.alone", "resource.other")
    assert shop.gds("set", "web", "retry_count=5").returncode == 0
    at = kept(shop)["web", "retry_count"]["at"]
    found = shop.gds("diff")
    assert found.returncode == 1
    assert found.stdout.splitlines() == [
        f"web: retry_count is 5, {path}:11 says 2 (set by root at {at}; `gds set web --unset retry_count` follows the"
        " file)",
        f'db: start_command is ["sleep", "1001"], {path}:17 says ["sleep", "1111"] (changed there since; `gds reload`'
        " takes it over)",
        f"other: stands in {path} and does not run; `gds reload` starts it",
        "alone: runs, and no descriptor names it any more; `gds reload` stops it",
    ]
    assert shop.gds("diff", "web").stdout.count("\n") == 1
    document = json.loads(shop.gds("diff", "--json").stdout)
    assert [d["key"] for d in document["differences"]] == ["retry_count", "start_command"]
    edit(path, "[resource.db]", "[resource.db")
    broken = shop.gds("diff")
    assert (broken.returncode, f"gds: {path}:15" in broken.stderr) == (78, True)


def test_what_people_switched_is_told_as_it_is(shop: Running) -> None:
    path = Path(shop.paths[0])
    assert shop.gds("disable", "alone").returncode == 0
    assert shop.gds("unmonitor", "web").returncode == 0
    shown = shop.gds("get", "alone", "enabled").stdout
    assert shown == "enabled = false  # switched by `gds disable`; the default says true\n"
    assert value(shop, "web", "monitored") is False
    found = shop.gds("diff")
    assert (found.returncode, found.stdout.splitlines()) == (
        1,
        [
            "web: monitored is false, true by default (switched by `gds unmonitor`; `gds monitor web` follows the"
            " file)",
            "alone: enabled is false, true by default (switched by `gds disable`; `gds enable alone` follows the file)",
        ],
    )
    assert shop.gds("enable", "alone").returncode == 0
    assert shop.gds("monitor", "web").returncode == 0
    assert shop.gds("diff").returncode == 0
    edit(path, '"1002"]', '"1002"]\nenabled = false')
    planned = (
        "alone: enabled stays true, switched by `gds enable`, though the file says false now; `gds disable alone`"
        " follows the file"
    )
    for words in (["reload", "--dry-run"], ["reload"]):
        assert planned in shop.gds(*words).stderr.splitlines()
    assert shop.resource("alone")["state"] == "ONLINE"
    assert "db" not in shop.gds("diff").stdout
    edit(path, '"1001"', '"1111"')
    edit(path, "enabled = false", "enabled = true")
    assert "db: stop, change start_command, start" in shop.gds("reload").stderr.splitlines()


def test_values_of_environment_are_for_those_who_may_act(public: Path) -> None:
    (public / "secrets").write_text("TOKEN=hush-from-a-file\n")
    text = f"""
start_command = ["sleep", "1000"]
environment = {{COLOUR = "hush-declared"}}
environment_files = ["{public}/secrets"]
"""
    with Running(public, write(public / "web.toml", text), options=("--socket-group", "nogroup")) as runner:
        runner.until("web", state="ONLINE")
        changed = runner.gds("set", "web", 'environment={COLOUR = "hush-set"}', "--restart")
        assert changed.returncode == 0
        mine = runner.gds("get", "web", "environment", "environment_files").stdout
        assert 'environment = {COLOUR = "hush-set"}' in mine
        group = runner.socket.stat().st_gid
        for request in (
            {"verb": "get", "names": ["web"]},
            {"verb": "get", "names": ["web"], "keys": ["environment"]},
            {"verb": "diff"},
            {"verb": "history"},
            {"verb": "why", "names": ["web"]},
        ):
            answer = ask_as(runner, request, uid=NOBODY, gid=group)
            assert answer["code"] in (0, 1), answer
            assert "hush" not in json.dumps(answer), request
        answer = ask_as(runner, {"verb": "get", "names": ["web"], "keys": ["environment"]}, gid=group)
        assert answer["properties"][0]["value"] == {"COLOUR": "..."}
        assert runner.gds("set", "web", "environment={}", "--restart").returncode == 0
        answer = ask_as(runner, {"verb": "get", "names": ["web"], "keys": ["environment"]}, gid=group)
        assert not answer["properties"][0]["value"], "there is nothing to hide"
        refused = {"verb": "set", "names": ["web"], "pairs": [["retry_count", "5"]]}
        assert ask_as(runner, refused, gid=group)["code"] == 77
        assert gds_as(runner, "status", gid=group) == 0
        assert "hush" not in runner.log()
        assert "hush-from-a-file" not in runner.gds("get", "web", "--json").stdout
        assert "hush-from-a-file" not in (runner.state / "set.json").read_text()


def test_many_readers_cost_one_process_at_a_time(shop: Running) -> None:
    asking = [begun(shop, "get", "web", "retry_count") for _ in range(12)]
    most = 0
    while any(each.poll() is None for each in asking):
        assert shop.process is not None
        children = Path(f"/proc/{shop.process.pid}/task/{shop.process.pid}/children").read_text().split()
        compilers = [pid for pid in children if b"gds.config.compiler" in _command_of(pid)]
        most = max(most, len(compilers))
        time.sleep(0.005)
    assert {each.communicate()[0] for each in asking} == {f"retry_count = 2  # {shop.paths[0]}:11\n"}
    assert most == 1


def _command_of(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "request_",
    [
        {"verb": "set", "names": ["web"]},
        {"verb": "set", "names": ["web", "db"], "pairs": [["a", "b"]]},
        {"verb": "set", "names": ["web"], "pairs": [["a"]]},
        {"verb": "set", "names": ["web"], "pairs": "a=b"},
        {"verb": "set", "names": ["web"], "pairs": [], "unset": [5]},
        {"verb": "get", "names": ["web"], "keys": 5},
    ],
)
def test_a_request_that_is_no_request_is_refused(shop: Running, request_: dict[str, Any]) -> None:
    assert ask_as(shop, request_, uid=0, gid=0)["code"] == 2


# -- registered types -------------------------------------------------------------------------------------------------

LAMP = """
Resource_type = "lamp";
Vendor_id = ACME;
RT_version = "1";
RT_BASEDIR = {bin};
Start = start; Stop = stop; Validate = validate; Update = update;
{{ PROPERTY = Retry_count; MIN = -1; MAX = 20; DEFAULT = 3; TUNABLE = ANYTIME; }}
{{ PROPERTY = Wick; EXTENSION; STRING; DEFAULT = "cotton"; TUNABLE = AT_CREATION; }}
{{ PROPERTY = Colour; EXTENSION; ENUM {{ WARM, COLD }}; DEFAULT = WARM; TUNABLE = ANYTIME; }}
{{ PROPERTY = Rooms; EXTENSION; STRINGARRAY; DEFAULT = "hall"; TUNABLE = WHEN_DISABLED; }}
"""


@pytest.fixture
def lamp(tmp_path: Path) -> Iterator[Running]:
    """A resource of a type that stands in an RTR file; its methods write down how they are called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for method in ("start", "stop", "validate", "update"):
        program = programs / method
        program.write_text(
            f'#!/bin/sh\necho "{method} $*" >> {tmp_path}/calls\ncase "$*" in *COLD*-9*) exit 1;; esac\n'
        )
        program.chmod(0o755)
    rtr = write(tmp_path / "ACME.lamp", LAMP.format(bin=programs))
    runner = Running(tmp_path, write(tmp_path / "lamp.toml", '[resource.light]\ntype = "ACME.lamp"\nRetry_count = 4\n'))
    env = {**runner.env, "GDS_STATE_DIR": str(runner.state)}
    registered = [*GDS, "rt", "register", str(rtr)]
    subprocess.run(registered, check=True, env=env, capture_output=True, timeout=60)
    with runner:
        runner.until("light", state="ONLINE")
        (tmp_path / "calls").unlink()
        yield runner


def test_a_registered_types_properties_change_by_its_rtr_file(lamp: Running) -> None:
    calls = lamp.where / "calls"
    done = lamp.gds("set", "light", "colour=cold", "Retry_count=5")
    assert (done.returncode, done.stdout) == (0, 'light: colour "WARM" -> "COLD"\nlight: retry_count 4 -> 5\n')
    validate, update = lines(calls)
    assert validate == "validate -u -R light -T ACME.lamp -G light -r Retry_count=5 -x Colour=COLD"
    assert update == "update -R light -T ACME.lamp -G light"
    for words, code, said in (
        (["wick=glass"], 1, "TUNABLE = AT_CREATION"),
        (["rooms=hall,attic"], 1, "rooms can only be changed while light is disabled"),
        (["colour=blue"], 78, "colour: "),
        (["retry_count=99"], 78, "retry_count: "),
        (["colur=warm"], 78, "did you mean colour?"),
        (["start_command=true"], 78, "start_command: "),
        (["enabled=false"], 78, "`gds disable light`"),
    ):
        refused = lamp.gds("set", "light", "retry_count=6" if words != ["retry_count=99"] else "colour=warm", *words)
        assert (refused.returncode, said.lower() in refused.stderr.lower()) == (code, True), refused
        assert value(lamp, "light", "retry_count") == 5
    assert lamp.gds("set", "light", "rooms=hall,attic", "--restart").returncode == 0
    assert value(lamp, "light", "rooms") == ["hall", "attic"]
    assert lamp.gds("diff").stdout.count("set by root") == 3
    lamp.crash()
    lamp.begin()
    lamp.until("light", state="ONLINE")
    assert value(lamp, "light", "colour") == "COLD"
    assert value(lamp, "light", "retry_count") == 5
    assert lamp.gds("reload").stderr == "nothing changed\n"
    assert lamp.gds("set", "light", "--unset", "colour", "--unset", "retry_count").returncode == 0
    assert (value(lamp, "light", "colour"), value(lamp, "light", "retry_count")) == ("WARM", 4)
    assert list(kept(lamp)) == [("light", "rooms")]
