"""Groups with real processes: order, waiting, what travels to others, busy groups, methods, and real applications."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.running import Running, alive, eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]


def noting(what: str) -> str:
    """A command that notes what it does, in a file beside the descriptor."""
    return f'echo "$GDS_RESOURCE {what}" >> $PWD/notes'


def app(name: str, *more: str, group: str = "shop", note: bool = True) -> str:
    """A resource that notes its starts and stops."""
    lines = [f"[resource.{name}]", f'group = "{group}"', 'working_directory = "{where}"']
    if note:
        lines += [f"start_command = '''{noting('start')}; exec sleep 1000'''"]
        lines += [f"stop_command = '''{noting('stop')}'''"]
    return "\n".join([*lines, *more]) + "\n\n"


def declared(where: Path, *resources: str) -> Path:
    """A descriptor of these."""
    return write(where / "shop.toml", "".join(resources).replace("{where}", str(where)))


def notes(where: Path) -> list[str]:
    """What was noted so far."""
    file = where / "notes"
    return file.read_text().splitlines() if file.exists() else []


def noted(where: Path, expected: list[str], begin: int = 0) -> None:
    """Wait until these were noted, from the number `begin` on: ONLINE is told when a shell runs, before its first word
    perhaps."""
    with suppress(AssertionError):
        eventually(lambda: notes(where)[begin:] == expected, "noted")
    assert notes(where)[begin:] == expected


def states(runner: Running) -> dict[str, str]:
    """group -> state."""
    return {g["name"]: g["state"] for g in runner.status()["groups"]}


def until_group(runner: Running, name: str, state: str) -> None:
    """Wait for it."""
    eventually(lambda: states(runner)[name] == state, f"group {name} is {state}")


def kill(runner: Running, name: str) -> None:
    """All its processes."""
    for pid in runner.pids(name):
        with suppress(ProcessLookupError):  # the death of the first may have ended the others
            os.kill(pid, signal.SIGKILL)


DB, WEB = app("db"), app("web", 'resource_dependencies = ["db"]')


@pytest.fixture(name="rung", params=["cgroup", "keeper"])
def _rung(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_up_in_order_and_down_in_reverse(tmp_path: Path, rung: str) -> None:
    edge = app("edge", 'resource_dependencies = ["web"]', group="front")
    with Running(tmp_path, declared(tmp_path, edge, WEB, DB), rung=rung) as runner:
        runner.until("edge", state="ONLINE")
        noted(tmp_path, ["db start", "web start", "edge start"])
        assert states(runner) == {"front": "ONLINE", "shop": "ONLINE"}
        assert runner.end() == 0
    noted(tmp_path, ["edge stop", "web stop", "db stop"], 3)


def test_a_group_goes_offline_online_and_restarts_in_order(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, declared(tmp_path, WEB, DB), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("rg", "offline", "shop").returncode == 0
        noted(tmp_path, ["web stop", "db stop"], 2)
        assert states(runner) == {"shop": "OFFLINE"}
        assert runner.gds("start", "shop").returncode == 0
        noted(tmp_path, ["db start", "web start"], 4)
        assert runner.gds("rg", "restart", "shop").returncode == 0
        noted(tmp_path, ["web stop", "db stop", "db start", "web start"], 6)
        assert {r["restarts"]["done"] for g in runner.status()["groups"] for r in g["resources"]} == {0}


def test_independent_resources_start_side_by_side(tmp_path: Path, rung: str) -> None:
    slow = [
        app(f"a{n}", "prenet_start_command = 'true'", "start_grace = 1.5", "validate_command = 'sleep 1'")
        for n in range(8)
    ]
    with Running(tmp_path, declared(tmp_path, *slow), rung=rung) as runner:
        for n in range(8):
            runner.until(f"a{n}", state="ONLINE")
        began = [r["online_since"] for g in runner.status()["groups"] for r in g["resources"]]
        assert len(set(began)) <= 3, "one after the other they would have taken twenty seconds"


def test_a_strong_need_is_waited_for_and_its_death_disturbs_nobody(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, declared(tmp_path, WEB, DB), rung=rung) as runner:
        web = runner.until("web", state="ONLINE")
        kill(runner, "db")
        runner.until("db", state="ONLINE", incarnation=2)
        assert runner.resource("web")["pids"] == web["pids"]


def test_a_restart_travels_and_counts_in_nobodys_budget(tmp_path: Path, rung: str) -> None:
    web = app("web", 'resource_dependencies_restart = ["db"]', "retry_count = 0")
    edge = app("edge", 'resource_dependencies_offline_restart = ["web"]', "retry_count = 0", group="front")
    with Running(tmp_path, declared(tmp_path, edge, web, DB), rung=rung) as runner:
        runner.until("edge", state="ONLINE")
        kill(runner, "db")
        eventually(lambda: runner.resource("edge")["incarnation"] == 2, "edge was started anew")
        runner.until("edge", state="ONLINE")
        noted(tmp_path, ["db stop", "db start", "edge stop", "web stop", "web start", "edge start"], 3)
        assert runner.resource("web")["restarts"]["done"] == runner.resource("edge")["restarts"]["done"] == 0
        assert "db, which it needs, was started anew" in runner.resource("web")["because"]


def test_offline_restart_stops_the_user_first_and_starts_it_again_by_itself(tmp_path: Path, rung: str) -> None:
    web = app("web", 'resource_dependencies_offline_restart = ["db"]')
    with Running(tmp_path, declared(tmp_path, web, DB), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("stop", "db").returncode == 0
        noted(tmp_path, ["web stop", "db stop"], 2)
        waiting = runner.resource("web")
        assert (waiting["state"], waiting["status"]) == ("OFFLINE", "OFFLINE")
        assert "needs db, which is OFFLINE" in waiting["because"]
        assert states(runner) == {"shop": "PENDING_ONLINE_BLOCKED"}
        assert runner.gds("start", "db").returncode == 0
        runner.until("web", state="ONLINE")
        until_group(runner, "shop", "ONLINE")


def test_a_weak_need_is_waited_for_but_not_needed(tmp_path: Path, rung: str) -> None:
    web = app("web", 'resource_dependencies_weak = ["db"]')
    bad = app("db", "start_command = 'exit 1'", "start_grace = 30", 'failover_mode = "NONE"', note=False)
    bad += "retry_count = 0\n"
    with Running(tmp_path, declared(tmp_path, web, bad), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.resource("db")["state"] == "START_FAILED"
        assert states(runner) == {"shop": "ONLINE_FAULTED"}


def test_who_needs_what_failed_to_start_stays_offline_until_it_comes(tmp_path: Path, rung: str) -> None:
    bad = app("db", "start_command = 'test -e $PWD/good && exec sleep 1000'", 'failover_mode = "NONE"', note=False)
    bad += "start_grace = 1\n"  # it has to fail within Start
    edge = app("edge", 'resource_dependencies = ["db"]', group="front")
    with Running(tmp_path, declared(tmp_path, edge, WEB, bad), rung=rung) as runner:
        runner.until("db", state="START_FAILED")
        eventually(
            lambda: states(runner) == {"front": "PENDING_ONLINE_BLOCKED", "shop": "ONLINE_FAULTED"}, "both are told"
        )
        asked = runner.gds("start", "edge")
        assert asked.returncode == 1
        assert "needs db, which is START_FAILED" in asked.stderr
        assert "it starts by itself as soon as it can" in asked.stderr
        (tmp_path / "good").touch()
        assert runner.gds("start", "db").returncode == 0
        runner.until("web", state="ONLINE")
        runner.until("edge", state="ONLINE")


def test_a_busy_group_refuses_and_says_what_it_is_busy_with(tmp_path: Path, rung: str) -> None:
    slow = app("db", "start_grace = 1000", "start_timeout = 2000")
    with Running(tmp_path, declared(tmp_path, WEB, slow, app("other")), rung=rung) as runner:
        runner.until("other", state="ONLINE")
        until_group(runner, "shop", "PENDING_ONLINE")
        for words in (("stop", "shop"), ("rg", "offline", "shop"), ("rg", "restart", "shop"), ("rg", "online", "shop")):
            refused = runner.gds(*words)
            assert refused.returncode == 75, words
            assert "it is busy: db is STARTING since" in refused.stderr
        for words in (("restart", "other"), ("disable", "shop")):
            refused = runner.gds(*words)
            assert refused.returncode == 75, words
            assert "is busy: db is STARTING since" in refused.stderr
        assert runner.resource("other")["incarnation"] == 1
        assert runner.gds("unmonitor", "other").returncode == 0, "nothing comes up or goes down by it"
        assert runner.gds("disable", "other").returncode == 0, "who leaves may leave"
        assert runner.gds("stop", "db").returncode == 0, "a single resource may be stopped: a Start may hang"
        until_group(runner, "shop", "PENDING_ONLINE_BLOCKED")
        assert runner.gds("rg", "offline", "shop").returncode == 0


def test_a_stop_that_fails_keeps_up_what_is_needed(tmp_path: Path, rung: str) -> None:
    # what refuses to die is nothing PMF could see: the command says that it is not down
    web = app(
        "web",
        "pmf_managed = false",
        "probe_command = 'true'",
        "start_command = 'true'",
        "stop_command = 'test -e $PWD/good'",
        'resource_dependencies = ["db"]',
        note=False,
    )
    with Running(tmp_path, declared(tmp_path, web, DB), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        failed = runner.gds("rg", "offline", "shop")
        assert failed.returncode == 1
        assert runner.resource("web")["state"] == "STOP_FAILED"
        assert runner.resource("db")["state"] == "ONLINE"
        assert "web could not be stopped, and needs it" in runner.resource("db")["because"]
        assert states(runner) == {"shop": "ERROR_STOP_FAILED"}
        assert "web could not be stopped" in runner.gds("rg", "online", "shop").stderr
        (tmp_path / "good").touch()
        assert runner.gds("rg", "offline", "shop").returncode == 0
        assert states(runner) == {"shop": "OFFLINE"}


def test_prenet_start_of_all_comes_first_and_postnet_stop_last(tmp_path: Path, rung: str) -> None:
    more = [f"prenet_start_command = '''{noting('prenet')}'''", f"postnet_stop_command = '''{noting('postnet')}'''"]
    net, ip = app("net", *more, 'resource_dependencies = ["ip"]'), app("ip", *more)
    with Running(tmp_path, declared(tmp_path, DB, net, ip), rung=rung) as runner:
        for name in ("db", "net", "ip"):
            runner.until(name, state="ONLINE")
        seen = eventually(lambda: n if len(n := notes(tmp_path)) >= 5 else [], "all three note their starts")
        assert seen[:2] == ["ip prenet", "net prenet"]
        assert set(seen[2:4]) == {"ip start", "db start"}
        assert seen[4:] == ["net start"]
        assert runner.gds("rg", "offline", "shop").returncode == 0
        seen = notes(tmp_path)[5:]
        assert set(seen[:3]) == {"net stop", "ip stop", "db stop"}
        assert seen.index("net stop") < seen.index("ip stop")
        assert seen[3:] == ["net postnet", "ip postnet"]
        assert runner.gds("restart", "ip").returncode == 0
        noted(tmp_path, ["ip prenet", "ip start"], -2)
        assert runner.gds("restart", "ip").returncode == 0
        noted(tmp_path, ["ip stop", "ip start"], -2)  # a restart runs neither Prenet_start nor Postnet_stop
        begin = len(notes(tmp_path))
        assert runner.gds("start", "shop").returncode == 0
        noted_all = eventually(lambda: n if len(n := notes(tmp_path)[begin:]) >= 3 else [], "the others are up again")
        assert set(noted_all) == {"net prenet", "net start", "db start"}
        assert runner.gds("rg", "restart", "shop").returncode == 0  # that of a group does (semantics.md 7.2)
        seen = eventually(lambda: n if len(n := notes(tmp_path)[begin + 3 :]) >= 10 else [], "all is noted")
        assert set(seen[:3]) == {"net stop", "ip stop", "db stop"}
        assert seen[3:7] == ["net postnet", "ip postnet", "ip prenet", "net prenet"]
        assert set(seen[7:]) == {"ip start", "db start", "net start"}


def test_prenet_start_that_fails_is_a_start_that_fails(tmp_path: Path, rung: str) -> None:
    bad = app("ip", "prenet_start_command = 'echo no such interface; exit 3'", 'failover_mode = "NONE"')
    with Running(tmp_path, declared(tmp_path, bad), rung=rung) as runner:
        failed = runner.until("ip", state="START_FAILED")
        assert "Prenet_start failed: prenet_start_command exited with status 3: no such interface" in failed["because"]
        noted(tmp_path, ["ip stop"])  # Stop is called on what never started


def test_init_once_boot_after_a_reboot_and_fini_at_the_end(tmp_path: Path) -> None:
    methods = [f"{m}_command = '''{noting(m)}'''" for m in ("init", "boot", "fini", "update")]
    descriptor = declared(tmp_path, app("db", *methods))
    with Running(tmp_path, descriptor) as runner:
        runner.until("db", state="ONLINE")
        noted(tmp_path, ["db init", "db start"])
        runner.end()
    with Running(tmp_path, descriptor) as runner:  # the same boot
        runner.until("db", state="ONLINE")
        noted(tmp_path, ["db stop", "db start"], 2)
        runner.end()
    (runner.runtime / "state.log").unlink()  # as after a boot
    (tmp_path / "notes").unlink()
    with Running(tmp_path, descriptor) as runner:
        runner.until("db", state="ONLINE")
        noted(tmp_path, ["db boot", "db start"])
        refused = runner.gds("rg", "unmanage", "shop")
        assert (refused.returncode, "it is not offline" in refused.stderr) == (1, True)
        assert runner.gds("disable", "db").returncode == 0
        assert runner.gds("rg", "unmanage", "shop").returncode == 0
        assert states(runner) == {"shop": "UNMANAGED"}
        noted(tmp_path, ["db stop", "db fini"], 2)
        assert "its group is unmanaged" in runner.gds("start", "db").stderr
        assert runner.gds("rg", "unmanage", "shop").returncode == 0  # it is so already: Fini does not run again
        for _ in range(2):
            assert runner.gds("rg", "manage", "shop").returncode == 0
        noted(tmp_path, ["db init"], 4)
        assert runner.gds("enable", "db").returncode == 0
        noted(tmp_path, ["db start"], 5)


def test_whoever_brings_it_up_init_comes_first(tmp_path: Path) -> None:
    group = "[group.shop]\nauto_start_on_new_cluster = false\n\n"
    descriptor = declared(tmp_path, group, app("db", f"init_command = '''{noting('init')}'''"))
    with Running(tmp_path, descriptor) as runner:
        assert "it starts when somebody asks" in runner.until("db", state="OFFLINE")["because"]
        assert runner.gds("rg", "online", "shop").returncode == 0
        noted(tmp_path, ["db init", "db start"])


@pytest.mark.parametrize("how", ["stop", "end"])
def test_what_is_asked_to_stop_while_its_init_runs_is_not_started(tmp_path: Path, how: str) -> None:
    slow = f"init_command = '''{noting('init')}; while [ ! -e $PWD/go ]; do sleep 0.05; done'''"
    with Running(tmp_path, declared(tmp_path, app("db", slow))) as runner:
        eventually(lambda: notes(tmp_path) == ["db init"], "Init runs")
        assert runner.process is not None
        if how == "stop":
            assert runner.gds("stop", "db", "--no-wait").returncode == 0
        else:
            runner.process.send_signal(signal.SIGTERM)
            eventually(lambda: "stopping everything" in runner.log(), "it is asked to end")
        (tmp_path / "go").touch()
        eventually(lambda: "Init done" in runner.log(), "Init has ended")
        if how == "stop":
            assert runner.gds("stop", "db").returncode == 0
            assert runner.resource("db")["state"] == "OFFLINE"
        else:
            assert runner.wait() == 0
    noted(tmp_path, ["db init"])


def test_what_a_reload_removes_goes_down_in_order_too(tmp_path: Path) -> None:
    web = app("web", 'resource_dependencies = ["db"]', note=False)
    web += f"start_command = 'exec sleep 1000'\nstop_command = '''sleep 0.5; {noting('stop')}'''\n"
    with Running(tmp_path, declared(tmp_path, DB, web, app("other"))) as runner:
        runner.until("web", state="ONLINE")
        declared(tmp_path, app("other"))
        assert runner.gds("reload").returncode == 0
        assert [n for n in notes(tmp_path) if "stop" in n] == ["web stop", "db stop"]
        assert [r["name"] for g in runner.status()["groups"] for r in g["resources"]] == ["other"]


def test_update_is_run_after_a_live_change(tmp_path: Path) -> None:
    update = f"update_command = '''{noting('update')}; test -n \"$MAINPID\"'''"
    with Running(tmp_path, declared(tmp_path, app("db", update))) as runner:
        runner.until("db", state="ONLINE")
        declared(tmp_path, app("db", update, "retry_count = 7"))
        assert runner.gds("reload").returncode == 0
        noted(tmp_path, ["db start", "db update"])
        assert runner.resource("db")["restarts"]["limit"] == 7
        assert "Update: Update done" in runner.gds("history", "db").stdout


def test_nothing_starts_by_itself_in_a_suspended_group_with_the_next_runner(tmp_path: Path, rung: str) -> None:
    descriptor = declared(tmp_path, DB, app("web", 'resource_dependencies = ["db"]'))
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("rg", "suspend", "shop").returncode == 0
        main = runner.resource("db")["main_pid"]
        runner.crash()
        os.kill(main, signal.SIGKILL)
        eventually(lambda: not alive(main), "it died while nobody was there")
        runner.begin()
        left = runner.until("db", state="ONLINE", status="FAULTED")
        assert "left alone, automatic recovery of its group is suspended" in left["because"]
        assert (left["pids"], left["restarts"]["done"]) == ([], 0)
        assert len(runner.until("web", status="OK")["pids"]) == 1
        assert runner.end() == 0
        runner.begin()
        for name in ("db", "web"):
            held = runner.until(name, state="OFFLINE")
            assert "it starts when that is over, or when somebody asks" in held["because"]
        assert runner.gds("start", "db").returncode == 0
        started = runner.until("db", state="ONLINE", status="OK")["incarnation"]
        assert runner.resource("web")["state"] == "OFFLINE"
        assert runner.gds("rg", "resume", "shop").returncode == 0
        runner.until("web", state="ONLINE", status="OK")
        assert runner.resource("db")["incarnation"] == started, "it is not touched"


def test_suspended_recovery(tmp_path: Path, rung: str) -> None:
    descriptor = declared(tmp_path, DB, app("web", 'resource_dependencies_restart = ["db"]'))
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("rg", "suspend", "shop").returncode == 0
        kill(runner, "db")
        left = runner.until("db", status="FAULTED")
        assert "left alone, automatic recovery of its group is suspended" in left["because"]
        assert (left["state"], left["pids"], left["restarts"]["done"]) == ("ONLINE", [], 0)
        until_group(runner, "shop", "ONLINE_FAULTED")
        group = runner.status()["groups"][0]
        assert (group["suspended"], group["managed"]) == (True, True)
        assert runner.gds("restart", "db").returncode == 0, "people may act"
        eventually(lambda: runner.resource("web")["incarnation"] == 2, "dependency restarts still happen")
        runner.crash()
        runner.begin()
        assert runner.status()["groups"][0]["suspended"] is True, "kept over a crash"
        runner.until("db", state="ONLINE", status="OK")
        until_group(runner, "shop", "ONLINE")  # not busy
        kill(runner, "db")
        runner.until("db", status="FAULTED")
        assert runner.gds("rg", "online", "shop").returncode == 0
        up = runner.until("db", status="OK")
        assert (len(up["pids"]), up["restarts"]["done"]) == (1, 0), "a person brings up what is dead"
        kill(runner, "db")
        runner.until("db", status="FAULTED")
        assert runner.gds("rg", "resume", "shop").returncode == 0
        runner.until("db", status="OK", restarts_done=1)
        kill(runner, "db")
        runner.until("db", status="OK", restarts_done=2)


def test_what_is_needed_is_not_disabled_and_stopped_only_with_a_word(tmp_path: Path) -> None:
    with Running(tmp_path, declared(tmp_path, WEB, DB)) as runner:
        runner.until("web", state="ONLINE")
        refused = runner.gds("disable", "db")
        assert refused.returncode == 1
        assert "cannot disable db: web needs it; disable that as well" in refused.stderr
        stopped = runner.gds("stop", "db")
        assert (stopped.returncode, stopped.stderr) == (0, "web needs db, and goes on running without it\n")
        assert runner.resource("web")["state"] == "ONLINE", "surprise 12"
        assert runner.gds("disable", "db", "web").returncode == 0
        assert states(runner) == {"shop": "OFFLINE"}


@pytest.mark.parametrize(
    "words", [("rg", "online", "nobody"), ("rg", "offline", "web"), ("rg", "fly", "shop"), ("rg",)]
)
def test_what_cannot_be_asked_of_a_group(tmp_path: Path, words: tuple[str, ...]) -> None:
    with Running(tmp_path, declared(tmp_path, WEB, DB)) as runner:
        runner.until("web", state="ONLINE")
        asked = runner.gds(*words)
        assert asked.returncode == (4 if len(words) == 3 and words[1] != "fly" else 2)
        assert asked.stderr.startswith("gds: cannot ") or "usage: gds rg" in asked.stdout


@pytest.mark.parametrize("instant", ["up", "starting", "stopping"])
def test_a_crash_of_the_runner_in_each_phase(tmp_path: Path, rung: str, instant: str) -> None:
    slow = app("db", "start_grace = 1.0")
    web = app("web", 'resource_dependencies = ["db"]')
    with Running(tmp_path, declared(tmp_path, web, slow), rung=rung) as runner:
        if instant == "starting":
            runner.until("db", state="STARTING")
        else:
            runner.until("web", state="ONLINE")
            if instant == "stopping":
                assert runner.gds("rg", "offline", "shop", "--no-wait").returncode == 0
        runner.crash()
        runner.begin()
        if instant == "stopping":
            eventually(lambda: states(runner) == {"shop": "OFFLINE"}, "the stop is finished")
            assert not runner.pids()
            return
        runner.until("web", state="ONLINE")
        runner.until("db", state="ONLINE")
        assert [len(runner.pids(name)) for name in ("db", "web")] == [1, 1]
        if instant == "up":
            noted(tmp_path, ["db start", "web start"])  # taken back, not restarted


REAL = """
[resource.db]
group = "shop"
user = "postgres"
working_directory = "/tmp"
environment = {{PGDATA = "{where}/pg", PGHOST = "{where}", PGPORT = "{port}"}}
start_command = '''
set -e; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
test -s $PGDATA/PG_VERSION || $bin/initdb --auth=trust --no-sync >/dev/null
exec $bin/postgres -c listen_addresses= -c unix_socket_directories={where} -c fsync=off
'''
probe_command = "pg_isready -q"
exit_map = "pass-fail"
stop_signal = "SIGINT"

[resource.cache]
group = "shop"
start_command = ["redis-server", "--port", "{cache}", "--bind", "127.0.0.1", "--save", "", "--dir", "{where}"]
probe_command = "test \\"$(redis-cli -p {cache} ping)\\" = PONG"
exit_map = "pass-fail"

[resource.web]
group = "shop"
resource_dependencies = ["db"]
resource_dependencies_restart = ["cache"]
start_command = "nginx -c {where}/nginx.conf"
port_list = ["{web}/tcp"]
stop_signal = "SIGQUIT"
"""
NGINX = """
daemon on; pid {where}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{ access_log off;
  client_body_temp_path {where}/t; proxy_temp_path {where}/t; fastcgi_temp_path {where}/t;
  uwsgi_temp_path {where}/t; scgi_temp_path {where}/t;
  server {{ listen 127.0.0.1:{web}; location / {{ return 200 "ok\\n"; }} }} }}
"""


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Iterator[Path]:
    subprocess.run([TOP / "tests/lab/install.sh", "nginx", "postgresql", "redis"], check=True, timeout=600)
    where = Path(tempfile.mkdtemp(prefix="gds-shop-"))  # another user has to reach it
    where.chmod(0o777)
    facts: dict[str, Any] = {"where": where, "port": 5497, "cache": 6397, "web": 8097}
    write(where / "nginx.conf", NGINX.format(**facts))
    yield write(tmp_path / "shop.toml", REAL.format(**facts))
    shutil.rmtree(where)


def test_a_group_of_real_applications_each_killed_in_turn(shop: Path, tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, shop, rung=rung) as runner:
        runner.until("web", within=60, state="ONLINE", status="OK")
        assert states(runner) == {"shop": "ONLINE"}
        eventually(lambda: len(runner.resource("web")["pids"]) == 2, "nginx has become a daemon with its worker")
        web = runner.resource("web")
        kill(runner, "db")
        runner.until("db", within=60, state="ONLINE", incarnation=2)
        assert runner.resource("web")["pids"] == web["pids"]
        kill(runner, "cache")
        runner.until("cache", within=60, state="ONLINE", incarnation=2)
        runner.until("web", within=60, state="ONLINE", incarnation=2)
        kill(runner, "web")
        runner.until("web", within=60, state="ONLINE", incarnation=3)
        runner.crash()
        runner.begin()
        for name in ("db", "cache", "web"):
            runner.until(name, within=60, state="ONLINE")
        assert json.loads(runner.gds("status", "--json").stdout)["groups"][0]["state"] == "ONLINE"
        assert runner.gds("stop", "shop").returncode == 0
        assert not runner.pids()
