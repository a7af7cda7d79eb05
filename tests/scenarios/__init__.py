"""Scenarios: NAME.toml is a script for `gds simulate`, NAME.out the transcript that it has to give, to the letter.

A bug becomes a scenario first. `python -m tests.scenarios record` writes transcripts anew.
"""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from gds.cli.simulate import main

HERE = Path(__file__).resolve().parent
SCENARIOS = tuple(sorted(file.stem for file in HERE.glob("*.toml")))


def script(name: str) -> Path:
    """The script of a scenario."""
    return HERE / f"{name}.toml"


def recorded(name: str) -> Path:
    """The transcript of a scenario."""
    return HERE / f"{name}.out"


def played(name: str) -> tuple[int, str]:
    """What `gds simulate` says of it: exit status, and output with every error."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main([str(script(name))])
    return code, said.getvalue()
