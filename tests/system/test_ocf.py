"""The agent ocf:gds:app without a cluster: whatever was killed, no answer of it leads to a second copy.

Called as Pacemaker calls it, with real runners and a real application, on both rungs of tracking.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.pacemaker import Agent, Installed, copies, overlap
from tests.system.running import RUNGS, alive, eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SUCCESS, GENERIC, ARGS, INSTALLED, CONFIGURED, NOT_RUNNING, DEGRADED = 0, 1, 2, 5, 6, 7, 190


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    with Installed() as made:
        yield made


def descriptor(installed: Installed, where: Path, *lines: str, stubborn: bool = False) -> Path:
    """web.toml: the application that beats; `lines` are more keys of it."""
    start = installed.beating(where / "beats", *(["stubborn"] if stubborn else []))
    more = "\n".join(lines)
    return write(where / "web.toml", f"[resource.web]\nstart_command = {start}\nstop_timeout = 5\n{more}\n")


def beating(where: Path) -> list[int]:
    """The copies that live, by what they wrote."""
    return [copy.pid for copy in copies(where / "beats") if alive(copy.pid)]


def started(agent: Agent, where: Path) -> list[int]:
    """Start it, and wait until it beats: the one copy."""
    code, said = agent.call("start")
    assert code == SUCCESS, said
    found = eventually(lambda: beating(where), "the application beats")
    assert len(found) == 1
    return found


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in pids), "they are dead")


@pytest.mark.parametrize("rung", RUNGS)
def test_up_and_down_as_often_as_one_likes(installed: Installed, tmp_path: Path, rung: str) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path), rung) as agent:
        assert agent.call("monitor")[0] == NOT_RUNNING
        assert agent.call("stop")[0] == SUCCESS
        first = started(agent, tmp_path)
        assert agent.call("start")[0] == SUCCESS
        assert agent.call("monitor")[0] == SUCCESS
        assert beating(tmp_path) == first
        assert agent.call("stop")[0] == SUCCESS
        assert not beating(tmp_path)
        assert not agent.runner()
        assert agent.call("monitor")[0] == NOT_RUNNING
        assert agent.call("stop")[0] == SUCCESS


@pytest.mark.parametrize("rung", RUNGS)
def test_a_runner_that_is_killed_is_replaced_at_once_and_the_application_never_notices(
    installed: Installed, tmp_path: Path, rung: str
) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path), rung) as agent:
        application, runner = started(agent, tmp_path), agent.runner()
        kill(runner)
        eventually(lambda: agent.runner() not in (0, runner), "the attendant begins another runner")
        assert agent.call("monitor")[0] == SUCCESS
        assert beating(tmp_path) == application
    assert not beating(tmp_path)


@pytest.mark.parametrize("rung", RUNGS)
def test_without_runner_and_attendant_a_probe_says_that_it_runs_and_a_monitor_takes_it_back(
    installed: Installed, tmp_path: Path, rung: str
) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path), rung) as agent:
        application = started(agent, tmp_path)
        kill(agent.attendant(), agent.runner())
        code, said = agent.call("monitor", OCF_RESKEY_CRM_meta_interval="0")
        assert (code, agent.runner()) == (SUCCESS, 0)
        assert f"process {application[0]} of it live" in said
        assert agent.call("monitor")[0] == SUCCESS
        assert agent.runner()
        assert beating(tmp_path) == application


@pytest.mark.parametrize("rung", RUNGS)
def test_a_stop_without_runner_ends_the_real_processes(installed: Installed, tmp_path: Path, rung: str) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path, stubborn=True), rung) as agent:
        started(agent, tmp_path)
        kill(agent.attendant(), agent.runner())
        assert agent.call("stop", OCF_RESKEY_CRM_meta_timeout="5000")[0] == SUCCESS
        assert not beating(tmp_path)
        assert agent.call("monitor")[0] == NOT_RUNNING


def test_everything_killed_is_not_running(installed: Installed, tmp_path: Path) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path)) as agent:
        started(agent, tmp_path)
        kill(agent.attendant(), agent.runner())
        kill(*beating(tmp_path))
        assert agent.call("monitor")[0] == NOT_RUNNING
        assert not agent.runner()


def test_a_stop_ends_a_runner_that_hangs_and_all_it_has(installed: Installed, tmp_path: Path) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path)) as agent:
        started(agent, tmp_path)
        os.kill(agent.runner(), signal.SIGSTOP)
        assert agent.call("monitor", OCF_RESKEY_CRM_meta_timeout="1500")[0] == GENERIC
        assert agent.call("stop", OCF_RESKEY_CRM_meta_timeout="3000")[0] == SUCCESS
        assert not beating(tmp_path)
        assert not agent.runner()


@pytest.mark.parametrize("moment", ["before", "while", "after"])
def test_what_a_start_had_begun_when_it_was_killed_is_over_after_a_stop(
    installed: Installed, tmp_path: Path, moment: str
) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path, "start_grace = 2")) as agent:
        start = agent.begin("start")
        reached = {
            "before": lambda: (agent.runtime / "ocf.cgroup").exists(),
            "while": lambda: agent.runner(),
            "after": lambda: beating(tmp_path),
        }[moment]
        eventually(reached, f"the start is as far as {moment}")
        start.kill()
        start.communicate()
        assert agent.call("stop")[0] == SUCCESS
        assert not agent.runner()
        assert not beating(tmp_path)
        # nobody can be on the way any more who would begin it: that needs ocf.alive, and this got it
        lock = [sys.executable, "-c", f"import fcntl; fcntl.flock(open({str(agent.runtime / 'ocf.alive')!r}), 6)"]
        assert subprocess.run(lock, check=False).returncode == 0
        assert agent.call("monitor")[0] == NOT_RUNNING


def test_a_stop_that_was_killed_is_finished_by_the_next(installed: Installed, tmp_path: Path) -> None:
    with Agent(installed, tmp_path, descriptor(installed, tmp_path, stubborn=True)) as agent:
        started(agent, tmp_path)
        stop = agent.begin("stop")
        eventually(lambda: not (agent.runtime / "ocf.started").exists(), "the stop has begun")
        stop.kill()
        stop.communicate()
        assert agent.call("stop")[0] == SUCCESS
        assert not beating(tmp_path)
    assert overlap(tmp_path / "beats") == 0


def test_a_giveover_ends_runner_and_attendant_and_tells_the_cluster(installed: Installed, tmp_path: Path) -> None:
    told = tmp_path / "bin"
    told.mkdir()
    write(told / "crm_resource", f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n').chmod(0o755)
    with Agent(installed, tmp_path, descriptor(installed, tmp_path), CRM_meta_on_node="n1") as agent:
        agent.env["PATH"] = f"{told}:{os.environ['PATH']}"
        started(agent, tmp_path)
        asked = [sys.executable, "-m", "gds", "giveover", "web", "--runtime-dir", str(agent.runtime)]
        subprocess.run(asked, check=True, capture_output=True)
        words = "--resource trial --fail --node n1\n"
        told_in = tmp_path / "told"
        eventually(lambda: told_in.exists() and told_in.read_text() == words, "the cluster is told")
        eventually(lambda: not agent.runner(), "the runner ends")
        assert not beating(tmp_path)
        assert agent.call("monitor")[0] == NOT_RUNNING


def test_a_start_that_fails_says_why(installed: Installed, tmp_path: Path) -> None:
    failing = write(tmp_path / "web.toml", '[resource.web]\nstart_command = "exit 3"\npmf_managed = true\n')
    with Agent(installed, tmp_path, failing) as agent:
        code, said = agent.call("start")
        assert code == GENERIC
        assert "ocf-exit-reason:" in said
        assert "exit status 3" in said
        assert agent.call("stop")[0] == SUCCESS
        assert agent.call("monitor")[0] == NOT_RUNNING


def test_a_descriptor_that_is_bad_or_not_there_bars_this_node(installed: Installed, tmp_path: Path) -> None:
    bad = write(tmp_path / "web.toml", '[resource.web]\nstart_command = "x"\nretry_cuont = 2\n')
    with Agent(installed, tmp_path, bad) as agent:
        for action in ("start", "validate-all"):
            code, said = agent.call(action)
            assert code == ARGS
            assert "web.toml:3:1" in said
        assert agent.call("start", OCF_RESKEY_config="/nowhere/web.toml")[0] == INSTALLED
        assert agent.call("monitor", OCF_RESKEY_config="/nowhere/web.toml")[0] == NOT_RUNNING
        assert agent.call("start", OCF_RESKEY_config="")[0] == CONFIGURED


def test_parameters_choose_and_change_and_a_reload_touches_nothing_else(installed: Installed, tmp_path: Path) -> None:
    path = descriptor(installed, tmp_path, "group = 'shop'")
    with path.open("a") as file:
        file.write('[resource.spare]\nstart_command = "exec sleep 1000"\n')
    with Agent(installed, tmp_path, path, resource="shop", retry_count="5") as agent:
        application = started(agent, tmp_path)
        asked = [sys.executable, "-m", "gds", "status", "--runtime-dir", str(agent.runtime)]
        shown = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        assert "0/5" in shown
        assert "spare" not in shown
        agent.env["OCF_RESKEY_retry_count"] = "7"
        assert agent.call("reload-agent")[0] == SUCCESS
        assert "0/7" in subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        # without any parameter it is the whole descriptor again
        del agent.env["OCF_RESKEY_retry_count"], agent.env["OCF_RESKEY_resource"]
        assert agent.call("reload-agent")[0] == SUCCESS
        shown = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        assert "0/2" in shown
        assert "spare" in shown
        assert beating(tmp_path) == application


def test_a_deep_monitor_asks_the_application_now(installed: Installed, tmp_path: Path) -> None:
    score = tmp_path / "score"
    path = descriptor(installed, tmp_path, f'probe_command = "exit $(cat {score} 2>/dev/null || echo 0)"')
    with Agent(installed, tmp_path, path) as agent:
        started(agent, tmp_path)
        assert agent.call("monitor", OCF_CHECK_LEVEL="10")[0] == SUCCESS
        score.write_text("40")
        assert agent.call("monitor")[0] == SUCCESS
        code, said = agent.call("monitor", OCF_CHECK_LEVEL="10")
        assert code == DEGRADED
        assert "web: the probe says 40 of 100" in said
        score.write_text("201")
        assert agent.call("monitor", OCF_CHECK_LEVEL="20")[0] == GENERIC


def test_validate_all_runs_the_methods_only_when_it_may_take_longer(installed: Installed, tmp_path: Path) -> None:
    path = descriptor(installed, tmp_path, 'validate_command = "echo it is wrong; exit 1"')
    with Agent(installed, tmp_path, path) as agent:
        assert agent.call("validate-all")[0] == SUCCESS
        code, said = agent.call("validate-all", OCF_CHECK_LEVEL="10")
        assert code == GENERIC
        assert "it is wrong" in said


def test_the_agent_finds_its_gds_through_a_link_and_says_so_when_there_is_none(
    installed: Installed, tmp_path: Path
) -> None:
    link = tmp_path / "app"
    link.symlink_to(installed.agent)
    assert subprocess.run([str(link), "meta-data"], capture_output=True, check=False).returncode == SUCCESS
    copy = shutil.copy(installed.agent, tmp_path / "copy")
    bare = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(copy), "meta-data"], capture_output=True, text=True, env=bare, check=False)
    assert done.returncode == INSTALLED
    assert "cannot find gds-ocf" in done.stderr
