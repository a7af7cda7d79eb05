"""gds validate: each validate command, for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.system.running import GDS, alive, eventually

TEXT = """
[resource.fits]
start_command = "exec sleep 9"
validate_command = "echo all fine"

[resource.not-here]
start_command = "exec sleep 9"
validate_command = "echo 'no room' >&2; exit 3"

[resource.killed]
start_command = "exec sleep 9"
validate_command = "kill -9 $$"

[resource.none]
start_command = "exec sleep 9"
"""


def validate(where: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """gds validate on a descriptor."""
    path = where / "apps.toml"
    path.write_text(text)
    env = {**os.environ, "GDS_CACHE_DIR": str(where / "cache")}
    command = [*GDS, "validate", str(path), *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def test_each_result_for_people(tmp_path: Path) -> None:
    done = validate(tmp_path, TEXT)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["all fine", "fits: fits"]
    assert done.stderr.splitlines() == [
        "no room",
        "not-here: validate_command exited with status 3",
        "killed: validate_command was killed by SIGKILL",
    ]


def test_each_result_for_programs(tmp_path: Path) -> None:
    done = validate(tmp_path, TEXT, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    checked = subprocess.run(
        [*GDS, "check", str(tmp_path / "apps.toml"), "--json"], capture_output=True, timeout=60, check=True
    )
    assert {k: v for k, v in document.items() if k != "validated"} == {**json.loads(checked.stdout), "ok": False}
    for result in document["validated"]:
        assert result.pop("seconds") >= 0
    assert document["validated"] == [
        {"resource": "fits", "command": "echo all fine", "fits": True, "message": "", "output": "all fine\n"},
        {
            "resource": "not-here",
            "command": "echo 'no room' >&2; exit 3",
            "fits": False,
            "message": "validate_command exited with status 3",
            "output": "no room\n",
        },
        {
            "resource": "killed",
            "command": "kill -9 $$",
            "fits": False,
            "message": "validate_command was killed by SIGKILL",
            "output": "",
        },
    ]


def test_all_fit(tmp_path: Path) -> None:
    done = validate(tmp_path, "start_command = 'exec sleep 9'\nvalidate_command = 'true'\n", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["resources"]) == (0, True, ["apps"])


@pytest.mark.parametrize("words", [("--json",), ("--json", "--strict")])
def test_no_command_is_run_where_a_descriptor_is_faulty(tmp_path: Path, words: tuple[str, ...]) -> None:
    fault = "start_commando = 'x'" if len(words) == 1 else "retry_count = 0\nprobe_command = 'curl -f localhost'"
    text = f"start_command = 'sleep 9 &'\nvalidate_command = 'touch {tmp_path}/ran'\n{fault}\n"
    done = validate(tmp_path, text, *words)
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["validated"]) == (78, False, [])
    assert document["errors"] or document["warnings"]
    assert not (tmp_path / "ran").exists()


def test_what_overran_is_ended_with_all_it_started(tmp_path: Path) -> None:
    text = f"""
start_command = "exec sleep 9"
validate_command = "trap '' ABRT; sleep 1000 & echo $! > {tmp_path}/pid; wait; sleep 1000"
validate_timeout = 1
"""
    document = json.loads(validate(tmp_path, text, "--json").stdout)
    assert document["validated"][0]["message"] == "validate_command did not end within 1 s"
    left = int((tmp_path / "pid").read_text())
    eventually(lambda: not alive(left), "what it left behind is gone")
