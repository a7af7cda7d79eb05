"""The world of each test, and nothing left of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.engine.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for engine in made.engines:
        engine.close()
    for gateway in made.gateways:
        gateway.close()


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text("secret\n")
    return str(file)
