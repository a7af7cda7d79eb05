"""The demonstration, as a person types it: a crash, a restart and a giveover, within a minute."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.system.running import alive

TOP = Path(__file__).parents[2]


def test_the_demo_shows_a_crash_a_restart_and_a_giveover(tmp_path: Path) -> None:
    # its own tree, with a virtual environment of that tree that is there already: ours
    for part in ("examples/demo", "examples/nginx", "tests/lab"):
        shutil.copytree(TOP / part, tmp_path / part)
    (tmp_path / "gds").symlink_to(TOP / "gds")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name, words in (("gds", "-m gds "), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (programs / name).chmod(0o755)
    subprocess.run([TOP / "tests/lab/install.sh", "nginx"], check=True, timeout=600)
    env = {k: v for k, v in os.environ.items() if not k.startswith("GDS_")}
    env["PYTHONPATH"] = str(tmp_path)
    began = time.monotonic()
    shown = subprocess.run(
        [tmp_path / "examples/demo/run"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd="/",
        timeout=120,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout
    assert time.monotonic() - began < 60, "within a minute"
    told = shown.stdout
    death = "the last process of the tree ended (killed by SIGKILL)"
    assert told.index(f"restart 1 of 2 within 300 s: {death}") < told.index(f"restart 2 of 2 within 300 s: {death}")
    assert told.index(f"giveover: 2 restarts within 300 s: {death}") > told.index("restart 2 of 2")
    assert told.index(f"giveover: 2 restarts within 300 s: {death} resource=nginx state=ONLINE") < told.index(
        "leaving this node"
    )
    assert told.rstrip().splitlines()[-1].startswith("\x1b[1mgds run ended with status 75")
    pid = Path("/tmp/gds-example-nginx.pid")
    assert not pid.exists() or not alive(int(pid.read_text()))
