"""Every example, run as its first lines say, on the real application: it comes up, comes back, ends, shows its idea.

The container and the monitor in Python have tests of their own (test_container.py, test_dsdl.py).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.running import RUNGS, Running, alive, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
EXAMPLES = {
    "one-line.toml": "one-line",
    "http-probe.toml": "web",
    "graded-probe.toml": "worker",
    "nginx/nginx.toml": "nginx",
    "postgresql/postgresql.toml": "db",
    "redis/redis.toml": "redis",
    "notify/notify.toml": "speaker",
    "shop.toml": "web",
    "pacemaker/web.toml": "web",
}
LEFT_BEHIND = "/tmp/gds-example-"


@pytest.fixture(name="components", scope="module", autouse=True)
def _components() -> None:
    """The real applications."""
    subprocess.run([TOP / "tests/lab/install.sh", "nginx", "postgresql", "redis"], check=True, timeout=600)


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """What the examples write to fixed places, gone before and after."""
    _remove()
    yield
    _remove()


def _remove() -> None:
    for path in Path(LEFT_BEHIND).parent.glob(Path(LEFT_BEHIND).name + "*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def example(where: Path, path: str, rung: str, top: Path = TOP) -> Iterator[Running]:
    """It runs, from the top of the tree."""
    with Running(where, f"examples/{path}", rung=rung, wrapper=("/usr/bin/env", "-C", str(top))) as runner:
        runner.until(EXAMPLES[path], within=60, state="ONLINE", status="OK")
        yield runner


def kill(runner: Running, name: str) -> None:
    """kill -9 of everything."""
    for pid in runner.pids(name):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # its parent took it along


def get(url: str) -> str:
    """What a server says; "" while it says nothing."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("path", EXAMPLES)
def test_it_comes_up_survives_the_death_of_everything_and_leaves_nothing(tmp_path: Path, path: str, rung: str) -> None:
    name = EXAMPLES[path]
    with example(tmp_path, path, rung) as runner:
        looks: list[list[int]] = []

        def is_settled() -> bool:
            """It is up as soon as it answers; a server that still forks could not be killed as a whole."""
            looks.append(sorted(runner.pids(name)))
            return len(looks) >= 5 and all(look == looks[-1] for look in looks[-5:])

        eventually(is_settled, "it has all of its processes")
        before = looks[-1]
        assert before
        kill(runner, name)
        after = runner.until(name, within=60, state="ONLINE", incarnation=2)
        assert after["restarts"]["done"] == 1
        assert after["because"].startswith("restart 1 of 2 within ")
        assert not set(before) & set(after["pids"])
        pids = runner.pids(name)
        assert runner.end(within=60) == 0, runner.log()
        assert not [p for p in pids if alive(p)]


def test_every_example_is_run_here() -> None:
    found = {str(p.relative_to(TOP / "examples")) for p in (TOP / "examples").rglob("*.toml")}
    with_tests_of_their_own = {"address.toml", "cluster/shop.toml", "container/web.toml", "dsdl/web.toml"}
    assert found - with_tests_of_their_own == set(EXAMPLES)


def test_one_line_is_enough(tmp_path: Path) -> None:
    text = (TOP / "examples/one-line.toml").read_text()
    assert len([line for line in text.splitlines() if line and not line.startswith("#")]) == 1
    with example(tmp_path, "one-line.toml", ""):
        assert eventually(lambda: get("http://127.0.0.1:8000/"), "it serves")


def test_http_probe_is_asked_and_a_hung_server_is_restarted(tmp_path: Path) -> None:
    with example(tmp_path, "http-probe.toml", "") as runner:
        assert runner.resource("web")["probe"]["score"] == 0
        assert get("http://127.0.0.1:8001/"), "when Start is done it serves"
        os.kill(runner.resource("web")["main_pid"], signal.SIGSTOP)
        after = runner.until("web", within=60, incarnation=2)
        assert "the probe gave no answer within 2 s, 2 times in a row" in after["because"]
        runner.until("web", state="ONLINE")


def test_graded_probe_adds_up(tmp_path: Path) -> None:
    ill = Path(LEFT_BEHIND + "ill")
    with example(tmp_path, "graded-probe.toml", "") as runner:
        ill.write_text("30\n")
        watched = runner.until("worker", status="DEGRADED")
        assert watched["incarnation"] == 1
        after = runner.until("worker", incarnation=2)
        assert "failures add up to 120: the probe exited with status 30" in after["because"]
        ill.write_text("0\n")
        runner.until("worker", state="ONLINE", status="OK")


def test_notify_that_falls_silent_is_restarted(tmp_path: Path) -> None:
    with example(tmp_path, "notify/notify.toml", "") as runner:
        before = runner.until("speaker", status_msg="serving")
        began = time.monotonic()
        os.kill(before["main_pid"], signal.SIGUSR1)
        after = runner.until("speaker", within=40, incarnation=2, state="ONLINE")
        assert "no WATCHDOG=1 for 2" in after["because"]
        assert time.monotonic() - began > 1


def test_nginx_is_followed_into_the_background_and_a_bad_reload_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(TOP / "examples", copy / "examples")
    with example(tmp_path, "nginx/nginx.toml", "", top=copy) as runner:
        assert get("http://127.0.0.1:8081/") == "ok\n"
        # a master and two workers; the one that was started is gone, a moment after the port is open
        resource = eventually(lambda: r if len((r := runner.resource("nginx"))["pids"]) == 3 else {}, "three of nginx")
        assert len(resource["pids"]) == 3
        asked = subprocess.run(["ps", "-o", "ppid=", "-p", str(resource["main_pid"])], capture_output=True, check=True)
        assert asked.stdout.strip(), "the master lives"
        configuration = copy / "examples/nginx/nginx.conf"
        good = configuration.read_text()
        descriptor = copy / "examples/nginx/nginx.toml"
        configuration.write_text(good.replace("listen", "lissten"))
        descriptor.write_text(descriptor.read_text() + 'description = "changed"\n')
        refused = runner.gds("reload")
        assert refused.returncode == 1
        assert 'unknown directive "lissten"' in refused.stderr
        assert "nothing was touched" in refused.stderr
        assert runner.resource("nginx")["pids"] == resource["pids"]
        configuration.write_text(good)
        assert runner.gds("reload").returncode == 0
        assert runner.resource("nginx")["pids"] == resource["pids"]


def test_postgresql_runs_as_its_own_user_and_is_probed_with_pg_isready(tmp_path: Path) -> None:
    with example(tmp_path, "postgresql/postgresql.toml", "") as runner:
        main = runner.resource("db")["main_pid"]
        asked = subprocess.run(["ps", "-o", "user=", "-p", str(main)], capture_output=True, text=True, check=True)
        assert asked.stdout.strip() == "postgres"
        told = runner.gds("probe", "db")
        assert told.returncode == 0, told.stdout
        os.kill(main, signal.SIGSTOP)  # the postmaster answers nobody now
        told = runner.gds("probe", "db")
        assert "db: score 50" in told.stdout or "db: score 100" in told.stdout, told.stdout
        os.kill(main, signal.SIGCONT)
        assert runner.gds("stop", "db").returncode == 0
        assert "database system is shut down" in runner.log(), "an orderly end, by SIGINT"


def test_redis_is_probed_by_its_answer_and_its_output_is_kept(tmp_path: Path) -> None:
    with example(tmp_path, "redis/redis.toml", "") as runner:
        with socket.create_connection(("127.0.0.1", 6399), 5) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(16) == b"+PONG\r\n"
        shown = eventually(
            lambda: said if "Ready to accept connections" in (said := runner.gds("logs", "redis").stdout) else "",
            "what it printed is kept",
        )
        assert shown
        assert "Ready to accept connections" not in runner.log()
