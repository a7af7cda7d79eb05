"""Cluster scenarios: NAME.toml is a script for `gds simulate --cluster`, NAME.out the transcript it has to give.

A bug becomes a scenario first. `python -m tests.scenarios.cluster record` writes transcripts anew.
"""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from gds.cli.simulate import main

HERE = Path(__file__).resolve().parent
SCENARIOS = tuple(sorted(file.stem for file in HERE.glob("*.toml")))


def recorded(name: str) -> Path:
    """The transcript of a scenario."""
    return HERE / f"{name}.out"


def played(name: str) -> tuple[int, str]:
    """What `gds simulate --cluster` says of it: exit status, and output with every error."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(["--cluster", str(HERE / f"{name}.toml")])
    return code, said.getvalue()
