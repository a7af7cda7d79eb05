"""The compiler as a program: what it is asked, what it answers, how it ends."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gds.config.asking import command
from gds.model.codec import unpack
from gds.model.resource import Plan
from gds.model.settings import settings_from
from tests.unit.config.telling import write

ONE = '[resource.a]\nstart_command = ["/bin/true"]\n'


def ask(
    request: dict[str, Any], words: list[str] | None = None, directory: Path | None = None, **environ: str
) -> tuple[int, dict[str, Any]]:
    """Exit status and answer of the compiler, which says nothing else."""
    ran = subprocess.run(
        words or command(request),
        capture_output=True,
        check=False,
        cwd=directory,
        env={**os.environ, **environ},
        timeout=60,
    )
    assert ran.stderr == b""
    answer: dict[str, Any] = marshal.loads(ran.stdout)
    return ran.returncode, answer


@pytest.mark.slow
def test_a_plan_and_all_settings(tmp_path: Path) -> None:
    path = write(tmp_path, ONE + 'stop_signal = "CONT"\n')
    status, answer = ask({"paths": [path], "flags": {"node": "n7"}, "cache_dirs": [str(tmp_path / "kept")]})
    plan = unpack(answer["plan"])
    assert status == 0
    assert isinstance(plan, Plan)
    assert [r.name for r in plan.resources] == ["a"]
    assert len(plan.sources[0].digest) == 64
    assert settings_from(answer["settings"]).node == "n7"
    assert answer["errors"] == []
    assert answer["warnings"] == [
        {
            "path": path,
            "line": 3,
            "column": 15,
            "key": "resource.a.stop_signal",
            "code": "stop-signal",
            "message": "SIGCONT does not end a process; only SIGKILL will, at 80 % of stop_timeout",
        }
    ]
    assert len(os.listdir(tmp_path / "kept")) == 1


@pytest.mark.slow
def test_errors_of_descriptors_and_settings_together(tmp_path: Path) -> None:
    path = write(tmp_path, ONE + "retry_cuont = 1\n")
    status, answer = ask({"paths": [path], "cache_dirs": [str(tmp_path / "kept")]}, GDS_LOG_FORMAT="xml")
    assert status == 78
    assert answer["plan"] is None
    assert answer["settings"] == {}
    assert [(e["path"], e["line"], e["column"], e["key"]) for e in answer["errors"]] == [
        ("environment", 0, 0, "GDS_LOG_FORMAT"),
        (path, 3, 1, "resource.a.retry_cuont"),
    ]
    assert not (tmp_path / "kept").exists()


@pytest.mark.slow
def test_nothing_is_imported_from_the_current_directory(tmp_path: Path) -> None:
    for module in ("pydantic", "json", "gds"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('not mine')\n")
    status, answer = ask({"paths": [write(tmp_path, ONE)]}, directory=tmp_path)
    assert (status, answer["errors"]) == (0, [])


@pytest.mark.slow
def test_settings_alone() -> None:
    status, answer = ask({}, [sys.executable, "-m", "gds.config.compiler", json.dumps({})])
    assert status == 0
    assert unpack(answer["plan"]) == Plan()
    assert settings_from(answer["settings"]).on_giveover == "auto"
