"""gds.dsdl against a real runner: every call in both forms, deaths that wake, and the sample monitor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gds.api import client
from gds.dsdl import (
    AsyncDsdl,
    Denied,
    Done,
    Dsdl,
    Kind,
    NoRunner,
    PmfError,
    Priority,
    SchaError,
    SpawnError,
    TimedOut,
    aio,
    blocking,
    effects,
)
from tests.system.running import RUNGS, Running, alive, eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
CONSUMER = Path(__file__).parent / "programs" / "consumer.py"
ILL = Path("/tmp/gds-example-dsdl-ill")
WEB = """
[resource.web]
group = "shop"
start_command = "exec sleep 1000"
port_list = ["8080/tcp"]
network_aware = false
retry_count = 2
"""


@pytest.fixture(name="listening")
def _listening() -> Iterator[int]:
    """A port where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def of(runner: Running) -> Dsdl:
    """The library for the resource web."""
    return Dsdl("web", "shop", socket=str(runner.socket))


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("form", ["waiting", "other"])
def test_every_call_in_both_forms(tmp_path: Path, form: str, rung: str, listening: int) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", WEB), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        env = {**runner.env, "GDS_SOCKET": str(runner.socket)}
        argv = [sys.executable, "-X", "dev", "-W", "error", str(CONSUMER), form, str(listening)]
        asked = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=120, check=False)
        assert asked.returncode == 0, f"{asked.stderr}\n{runner.log()}"
        assert json.loads(asked.stdout) == {
            "retry_count": 2,
            "interval": 370.0,
            "probe_timeout": 30,
            "lines": [["8080/tcp"], ["ONLINE"], ["FALSE"]],
            "state": "ONLINE",
            "status": "hm",
            "ran": [3, True],
            "net": [True, 0, 100],
            "pmf": ["MONITORED"],
            "quiet": True,
            "lives": True,
            "signalled": True,
            "woken": "RESTARTED",
            "again": True,
            "stopped": True,
            "action": "NOTHING",
            "restart": True,
            "restart_rg": True,
            "giveover": "CHECKS",
        }
        said = [line for line in asked.stderr.splitlines() if line]
        assert said == [
            "SC[gds,shop,web,consumer.py]: restart 1 of 2 within 370 s:"
            " the last process of the tree ended (shop,web,0.svc)"
        ]


@pytest.mark.parametrize("rung", RUNGS)
def test_a_death_wakes_a_sleeping_monitor_at_once(tmp_path: Path, rung: str) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", WEB), rung=rung) as runner:
        runner.until("web", state="ONLINE")
        web = of(runner)
        # daemonised: what was started is gone, and its child is the service
        web.pmf_start(Kind.SVC, f"sleep 1000 & echo $! >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid")
        pid = int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "it runs"))
        assert web.fm_sleep(0.3) is None, "the end of the first process alone means nothing"
        killed: list[float] = []

        def kill() -> None:
            killed.append(time.monotonic())
            os.kill(pid, signal.SIGKILL)

        threading.Timer(0.3, kill).start()
        taken = web.fm_sleep(60.0)
        assert taken is not None
        assert taken.done is Done.RESTARTED
        assert time.monotonic() - killed[0] < 20
        assert runner.resource("web")["restarts"]["done"] == 1
        assert f"status DEGRADED: {taken.because}" in runner.log()


def test_the_reason_is_what_the_monitor_saw_and_what_was_forgotten_does_not_count(tmp_path: Path) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", WEB.replace("retry_count = 2", "retry_count = 5"))) as runner:
        pid = runner.until("web", state="ONLINE")["main_pid"]
        web = of(runner)

        def forgets(what: str) -> None:
            assert web.fm_action(60, because="slow").done is Done.NOTHING, what

        forgets("nothing was before")
        assert runner.gds("clear", "web").returncode == 0
        forgets("gds clear")
        assert runner.gds("restart", "web").returncode == 0
        forgets("a restart that a person asked for")
        os.kill(runner.until("web", state="ONLINE", incarnation=2)["main_pid"], signal.SIGKILL)
        runner.until("web", state="ONLINE", incarnation=3)
        forgets("the runner's own restart")
        assert runner.gds("clear", "web").returncode == 0
        runner.crash()
        runner.begin()
        forgets("what the runner before forgot")
        taken = web.fm_action(60, because="slower\n\x1b[2J")
        assert taken.done is Done.RESTARTED
        because = "restart 1 of 5 within 370 s: failures add up to 120: slower \\u001b[2J (RESOURCE_RESTART asked by "
        assert runner.resource("web")["because"].startswith(because)
        for told in (runner.log(), runner.gds("history", "web").stdout, runner.gds("why", "web").stdout):
            assert because in told
        assert pid != runner.resource("web")["main_pid"]
        refused = web.failover_rg("it burns")
        assert not refused.granted
        assert "it burns (GIVEOVER asked by " in runner.gds("history", "web").stdout
        strange = {"verb": "scha.control", "resource": "web", "optag": "RESOURCE_RESTART", "because": 1}
        assert "the reason is not a string" in client.ask(str(runner.socket), strange)["message"]


def test_a_service_that_dies_in_start_is_started_again_until_the_budget_is_spent(tmp_path: Path) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", WEB)) as runner:
        runner.until("web", state="ONLINE")
        web = of(runner)
        starts = tmp_path / "starts"
        web.pmf_start(Kind.SVC, f"echo x >>{starts}; [ $(wc -l <{starts}) = 2 ] && exec sleep 1000; sleep 0.1")
        assert web.svc_wait(3.0), "the second one stays"
        assert starts.read_text() == "x\n" * 2
        assert web.pmf_signal(Kind.SVC, 0, signal.SIGKILL, -1)
        assert not web.svc_wait(3.0), "two deaths in all calls together"


def test_what_is_refused_and_what_is_not_there(tmp_path: Path) -> None:
    with Running(tmp_path, write(tmp_path / "web.toml", WEB)) as runner:
        runner.until("web", state="ONLINE")
        web = of(runner)
        alone = Dsdl("web", socket=str(runner.socket))  # outside of any method: the runner knows its group
        assert (alone.group_lines("RG_STATE"), alone.property_lines("GROUP")) == (("ONLINE",), ("shop",))
        web.pmf_start(Kind.OTHER, ["sleep", "1000"])
        with pytest.raises(PmfError, match=r"shop,web,0\.oth: it exists: a tree is started once"):
            web.pmf_start(Kind.OTHER, ["sleep", "1000"])
        with pytest.raises(PmfError, match="cannot execute /nonexistent/x"):
            web.pmf_start(Kind.OTHER, ["/nonexistent/x"], instance=1)
        with pytest.raises(SchaError, match=r"cannot ask EXTENSION of web: .*no extension property Nothing"):
            web.extension("Nothing")
        with pytest.raises(SchaError, match="no resource is called other"):
            Dsdl("other", "shop", socket=str(runner.socket)).state()
        with pytest.raises(SpawnError, match="cannot execute /nonexistent/x"):
            web.timerun(["/nonexistent/x"], 5.0)
        assert runner.gds("stop", "web").returncode == 0
        answer = web.restart_resource()
        assert (answer.granted, answer.code.name) == (False, "STATE")
    for form in (web.state, lambda: asyncio.run(AsyncDsdl("web", "shop", socket=str(runner.socket)).state())):
        with pytest.raises(NoRunner, match=r"cannot (reach|talk to) (a|the) runner at "):
            form()


@pytest.mark.parametrize(
    ("form", "said", "calls"),
    [(blocking, "silent: it does not answer", 2), (aio, r"no answer from .*silent within 0\.2 s", 1)],
    ids=["waiting", "other"],
)
def test_a_runner_that_says_nothing_and_one_that_goes_away(tmp_path: Path, form: Any, said: str, calls: int) -> None:
    def ask(path: Path) -> Any:
        handle = Dsdl("web", "shop", socket=str(path))._handle
        done = form.perform(handle, effects.Ask({"verb": "ping"}, 0.2))
        return asyncio.run(done) if form is aio else done

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(TimedOut, match=said):
            ask(tmp_path / "silent")

        def leave() -> None:
            for _ in range(calls + 1):  # the first are those above, which have given up; one asked whether we live
                silent.accept()[0].close()

        thread = threading.Thread(target=leave)
        thread.start()
        with pytest.raises(NoRunner, match=r"went away|cannot talk to the runner"):
            ask(tmp_path / "silent")
        thread.join()


def test_a_socket_that_is_not_for_us(open_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(open_path / "theirs"))
        theirs.listen()
        (open_path / "theirs").chmod(0o600)
        program = (
            "import os, asyncio, gds.dsdl.aio\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "from gds.dsdl import *\nfound = []\n"
            f"where = {str(open_path / 'theirs')!r}\n"
            "for ask in (lambda: Dsdl('a', socket=where).state(),"
            " lambda: asyncio.run(AsyncDsdl('a', socket=where).state())):\n"
            "    try:\n        ask()\n    except Denied as error:\n        found.append(str(error))\n"
            "print(len(found), *found)"
        )
        asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert asked.stdout.startswith("2 cannot open "), asked.stdout
        assert Denied.__doc__


def test_a_command_over_its_time_is_killed_with_its_group_and_leaves_no_zombie(tmp_path: Path) -> None:
    web = Dsdl("web", "shop", socket="/nowhere")
    ran = web.timerun(f"sleep 1000 & echo $! >{tmp_path}/child; echo $$ >{tmp_path}/main; wait", 2.0)
    assert ran.timed_out
    pids = [int((tmp_path / name).read_text()) for name in ("child", "main")]
    eventually(lambda: not any(map(alive, pids)), "all of it is gone")
    assert not Path(f"/proc/{pids[1]}").exists(), "it was reaped"
    assert web.timerun("kill -TERM $$", 30.0).status == 128 + signal.SIGTERM
    deaf = web.timerun(f"trap '' TERM; echo $$ >{tmp_path}/deaf; while :; do sleep 0.05; done", 2.0, signal.SIGTERM)
    assert deaf.timed_out
    pid = int((tmp_path / "deaf").read_text())
    assert alive(pid), "no more than the signal that was asked for, as hatimerun"
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: web.timerun("true", 30.0).status == 0 and not Path(f"/proc/{pid}").exists(), "reaped by and by")


def test_a_cancelled_call_kills_what_it_started(tmp_path: Path) -> None:
    async def main() -> None:
        web = AsyncDsdl("web", "shop", socket="/nowhere")
        task = asyncio.create_task(
            web.timerun(f"echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 1000", 600.0)
        )
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not alive(pid), "it is gone")


def test_a_probe_that_nobody_answers_is_over_in_time() -> None:
    # a full accept queue drops what comes
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        web, other = Dsdl("web", socket="/nowhere"), AsyncDsdl("web", socket="/nowhere")
        for seen in (web.net_probe("127.0.0.1", port, 0.4), asyncio.run(other.net_probe("127.0.0.1", port, 0.4))):
            assert (seen.ipv4.value, seen.ipv6.value, seen.score) == ("TIMEOUT", "NA", 50)
            assert seen.message == f"IPv4 127.0.0.1 port {port}: no answer within 0.4 s"
        for filler in fillers:
            filler.close()


def test_both_families_are_asked(listening: int) -> None:
    web, other = Dsdl("web", socket="/nowhere"), AsyncDsdl("web", socket="/nowhere")
    with socket.create_server(("::1", listening), family=socket.AF_INET6):
        for seen in (web.net_probe("::1", listening, 10.0), asyncio.run(other.net_probe("::1", listening, 10.0))):
            assert (seen.ipv4.value, seen.ipv6.value, seen.ok) == ("NA", "OK", True)
    assert web.net_probe("no.such.host.invalid", 80, 20.0).score in (50, 100)


def test_lines_go_to_the_system_log_under_suns_tag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web = Dsdl("web", "shop", socket="/nowhere")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(10)
        web.log_to(socket=str(tmp_path / "log"))
        web.syslog(Priority.ERR, "two\nlines")
        web.syslog_debug(3, "not this one")
        web.log_to(debug_level=3)
        web.syslog_debug(3, "but this one")
        first, second = log.recv(4096).decode(), log.recv(4096).decode()
        assert first.startswith("<27>")
        assert first.endswith(f"{web.tag}[{os.getpid()}]: two lines")
        assert (second.startswith("<31>"), second.endswith("but this one")) == (True, True)
    assert web.tag.startswith("SC[gds,shop,web,")
    web.syslog(Priority.INFO, "nobody listens any more")
    assert capsys.readouterr().err == f"{web.tag}: nobody listens any more\n"


# -- the sample monitor -----------------------------------------------------------------------------------------------


@pytest.fixture(name="ill")
def _ill() -> Iterator[Path]:
    """The file that makes the sample's server ill, gone before and after."""
    ILL.unlink(missing_ok=True)
    yield ILL
    ILL.unlink(missing_ok=True)


@pytest.mark.parametrize("rung", RUNGS)
def test_the_sample_monitor_restarts_and_gives_over(tmp_path: Path, ill: Path, rung: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with Running(
        tmp_path,
        "examples/dsdl/web.toml",
        rung=rung,
        wrapper=("/usr/bin/env", "-C", str(TOP)),
        options=("--on-giveover", "exit"),
        env={"PATH": path},
    ) as runner:
        first = runner.until("web", state="ONLINE")
        monitor = runner.until("web-monitor", state="ONLINE")
        eventually(lambda: "asks port 8090 every 2 s" in runner.log(), "the monitor runs")
        # partly ill: the failures add up, and the second is one too many
        ill.write_text("60\n")
        eventually(lambda: "status DEGRADED: 60 of 100 within 300 s: /health says 60" in runner.log(), "it is counted")
        again = runner.until("web", within=30, incarnation=2, state="ONLINE", restarts_done=1)
        assert "status DEGRADED: restart 1 of 2 within 300 s: failures add up to 120: /health says 60" in runner.log()
        assert not set(first["pids"]) & set(again["pids"])
        # well again: nothing more is done
        ill.write_text("0\n")
        runner.until("web", status="OK", status_msg="")
        assert runner.resource("web-monitor")["pids"] == monitor["pids"], "the monitor outlives a restart"
        # a death is the runner's own to judge, and counts in the same budget
        os.kill(again["main_pid"], signal.SIGKILL)
        runner.until("web", incarnation=3, state="ONLINE", restarts_done=2)
        # very ill: the budget is spent, and the group leaves
        ill.write_text("100\n")
        assert runner.wait(within=60) == 75
        assert "status FAULTED: giveover: 2 restarts within 300 s: /health says 100" in runner.log()
        assert not any(map(alive, [*monitor["pids"], *again["pids"]]))


def test_the_sample_monitor_goes_on_when_there_is_nowhere_to_go(tmp_path: Path, ill: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with Running(
        tmp_path,
        "examples/dsdl/web.toml",
        wrapper=("/usr/bin/env", "-C", str(TOP)),
        options=("--on-giveover", "refuse"),
        env={"PATH": path},
    ) as runner:
        runner.until("web-monitor", state="ONLINE")
        ill.write_text("201\n")
        runner.until("web", within=40, incarnation=3)
        eventually(lambda: "goes on asking" in runner.log(), "it says so")
        assert "refused: there is no other node to run it on" in runner.log()
        runner.until("web", within=40, incarnation=4)
        ill.unlink()
        runner.until("web", state="ONLINE", status="OK")


# -- a resource type in Python ----------------------------------------------------------------------------------------

RTR = """
Resource_type = py;
Vendor_id = ACME;
RT_version = "1.0";
API_version = 2;
Failover = TRUE;
RT_basedir = {bin};
Start = svc_start;
Stop = svc_stop;
Monitor_start = monitor_start;
Monitor_stop = monitor_stop;
Update = update;
{{ PROPERTY = Start_timeout; DEFAULT = 60; }}
{{ PROPERTY = Stop_timeout; DEFAULT = 60; }}
{{ PROPERTY = Monitor_stop_timeout; DEFAULT = 60; }}
{{ PROPERTY = Thorough_probe_interval; DEFAULT = 1; TUNABLE = ANYTIME; }}
{{ PROPERTY = Retry_count; DEFAULT = 2; TUNABLE = ANYTIME; }}
{{ PROPERTY = Retry_interval; DEFAULT = 300; TUNABLE = ANYTIME; }}
{{ PROPERTY = Failover_mode; DEFAULT = SOFT; TUNABLE = ANYTIME; }}
{{ PROPERTY = Health; EXTENSION; STRING; DEFAULT = "{health}"; DESCRIPTION = "Where it stands"; }}
{{ PROPERTY = Monitor_retry_count; EXTENSION; INT; DEFAULT = 4; DESCRIPTION = "Restarts of the monitor"; }}
{{ PROPERTY = Monitor_retry_interval; EXTENSION; INT; DEFAULT = 2; DESCRIPTION = "Minutes for these"; }}
"""


def service(runner: Running) -> list[int]:
    """The processes of the service's tree."""
    shown = runner.gds("pmf", "-l", "app,app,0.svc").stdout
    pids = [line.partition(":")[2].split() for line in shown.splitlines() if line.strip().startswith("pids:")]
    return [int(pid) for pid in pids[0] if pid.isdecimal()] if pids else []


@pytest.mark.parametrize("rung", RUNGS)
def test_a_resource_type_whose_methods_and_monitor_are_written_with_it(tmp_path: Path, rung: str) -> None:
    agent = Path(__file__).parent / "programs" / "agent.py"
    (tmp_path / "bin").mkdir()
    for method in ("svc_start", "svc_stop", "monitor_start", "monitor_stop", "update"):
        script = tmp_path / "bin" / method
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {agent} {method} "$@"\n')
        script.chmod(0o755)
    health = tmp_path / "health"
    health.write_text("0")
    rtr = write(tmp_path / "ACME.py", RTR.format(bin=tmp_path / "bin", health=health))
    descriptor = write(tmp_path / "app.toml", '[resource.app]\ntype = "ACME.py"\n')
    runner = Running(
        tmp_path,
        descriptor,
        rung=rung,
        options=("--on-giveover", "exit"),
        env={"GDS_STATE_DIR": str(tmp_path / "state"), "PATH": os.environ["PATH"]},
    )
    made = runner.gds("rt", "register", str(rtr))
    assert made.returncode == 0, made.stderr
    with runner:
        runner.until("app", within=60, state="ONLINE", status="OK")
        trees = ["app,app,0.mon", "app,app,0.svc"]
        eventually(lambda: runner.gds("pmf", "-L").stdout.split() == trees, "the monitor runs too")
        (first,) = eventually(lambda: service(runner), "it runs")
        # dead: fm_sleep wakes, the RGM stops the one that asks, and both come back
        os.kill(first, signal.SIGKILL)
        runner.until("app", within=60, restarts_done=1, state="ONLINE")
        assert "restart 1 of 2 within 300 s: the last process of the tree ended (app,app,0.svc)" in runner.log()
        (second,) = eventually(lambda: service(runner), "it runs again")
        assert second != first
        # ill: what was restarted before this monitor began is in its budget
        health.write_text("100")
        assert runner.wait(within=120) == 75, runner.log()
        assert "restart 2 of 2 within 300 s: the monitor's probe says 100" in runner.log()
        assert "giveover: 2 restarts within 300 s: the monitor's probe says 100" in runner.log()
        assert not alive(second)
