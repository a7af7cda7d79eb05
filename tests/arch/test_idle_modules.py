"""What an idle runner holds in memory: a small part of the standard library, and our own code.

A real `gds run` is started under a wrapper that only adds a signal: on it the names in sys.modules are written to a
file. USR1 is the runner's own from its first line on, so the wrapper takes a real-time signal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.arch.source import ROOT

NEVER = frozenset(
    (
        *("asyncio", "argparse", "click", "concurrent", "ctypes", "dataclasses", "email", "h11", "http", "inspect"),
        *(
            "logging",
            "multiprocessing",
            "pathlib",
            "psutil",
            "pydantic",
            "pydantic_core",
            "pydantic_settings",
            "pyroute2",
        ),
        *("random", "rich", "sdnotify", "shutil", "ssl", "subprocess", "tempfile", "threading", "toml", "tomllib"),
        *("typing", "unittest", "urllib", "xml"),
    )
)
"""Packages and modules that cost memory and start-up and earn neither in a runner at rest."""
OURS_NEVER = (
    *(
        "gds.requested",
        "gds.probes",
        "gds.setdesk",
        "gds.takeover",
        "gds.simulate",
        "gds.stage",
        "gds.troupe",
        "gds.script",
        "gds.testing",
        "gds.config.compile",
        "gds.config.document",
    ),
    *("gds.config.load", "gds.config.lint", "gds.config.scenario", "gds.daemon.reloading", "gds.linux.probing"),
    "gds.daemon.differing",
    *("gds.config.scenarioreading", "gds.config.scenariorecord", "gds.config.scenariovalues"),
    *("gds.linux.archive", "gds.config.recorded", "_sqlite3"),
    *("gds.daemon.tags", "gds.daemon.nametag", "gds.daemon.leftovers"),
    *("gds.daemon.resuming", "gds.daemon.tagparcel", "gds.linux.output", "gds.model.glossary", "gds.model.properties"),
    *(
        "gds.daemon.setting",
        "gds.daemon.changing",
        "gds.linux.setfile",
        "gds.rgm.update",
        "gds.config.setter",
        "gds.config.overlay",
    ),
    *("gds.daemon.rmapi", "gds.daemon.rmquery", "gds.model.sunview"),
    *(
        "gds.linux.guard",
        "gds.linux.guarding",
        "gds.linux.guardfile",
        "gds.linux.guardkill",
        "gds.linux.watchdog",
        "gds.rgm.tenure",
    ),
    *("gds.engine.dictionary", "gds.engine.standalone", "gds.engine.etcd", "gds.engine.etcd_http", "gds.engine.wants"),
    *("gds.linux.address", "gds.linux.neighbour", "gds.linux.netlink", "gds.model.hostname", "gds.rgm.address"),
)
"""What serves a rare request, or another process."""
WRAPPER = """
import signal, sys

def tell(_number, _frame):
    with open(sys.argv[1] + ".new", "w") as file:
        file.write("\\n".join(sorted(sys.modules)))
    import os
    os.rename(sys.argv[1] + ".new", sys.argv[1])

signal.signal(signal.SIGRTMIN, tell)
from gds.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
DEADLINE = 30.0


def until(fact: Callable[[], bool], what: str) -> None:
    """Wait until it is so."""
    end = time.monotonic() + DEADLINE
    while not fact():
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[frozenset[str]]:
    """sys.modules of a runner that keeps one application and does nothing."""
    where = tmp_path_factory.mktemp("idle")
    told = where / "modules"
    env = {**os.environ, "GDS_CACHE_DIR": str(where / "cache"), "PYTHONPATH": str(ROOT)}
    env.pop("NOTIFY_SOCKET", None)
    directories = ["--runtime-dir", str(where / "run"), "--state-dir", str(where / "state")]
    command = [sys.executable, "-c", WRAPPER, str(told), "run", *directories, "--", "sleep", "1000"]
    with (where / "log").open("wb") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as runner:
        try:
            until((where / "run" / "control.sock").exists, (where / "log").read_text())
            runner.send_signal(signal.SIGRTMIN)
            until(told.exists, "the runner tells its modules")
            yield frozenset(told.read_text().split("\n"))
        finally:
            runner.send_signal(signal.SIGTERM)
            runner.wait(DEADLINE)


def test_an_idle_runner_holds_a_small_part_of_the_standard_library(idle: frozenset[str]) -> None:
    assert not sorted(name for name in idle if name.split(".")[0] in NEVER)


def test_an_idle_runner_holds_none_of_ours_that_is_rarely_asked_for(idle: frozenset[str]) -> None:
    assert not sorted(idle & set(OURS_NEVER))


def test_it_is_the_runner_that_was_asked(idle: frozenset[str]) -> None:
    assert {"gds.runner", "gds.daemon.rgmd", "gds.linux.loop"} <= idle
