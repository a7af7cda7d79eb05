"""Every example declares what it says it does, without a mistake and without a remark of the linter."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.config.load import load
from tests.arch.source import ROOT

EXAMPLES = sorted((ROOT / "examples").rglob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT / "examples")))
def test_every_example_loads_and_compiles(path: Path) -> None:
    # this machine is not asked whether nginx and the others are installed; tests/system runs them where they are
    loaded = load([str(path)], look=False)
    assert not loaded.problems
    assert loaded.plan is not None
    assert loaded.plan.resources


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8
