"""Places for tests with another user in them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def open_path() -> Iterator[Path]:
    """As tmp_path, and others may go into it: pytest closes its own directory with each run that begins, also while
    another one goes on beside it."""
    with tempfile.TemporaryDirectory(prefix="open-") as made:
        path = Path(made)
        path.chmod(0o755)
        yield path
