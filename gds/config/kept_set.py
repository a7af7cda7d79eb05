"""Where what people set for good is kept, and reading it. Light: also on the path of a cached plan."""

from __future__ import annotations

import os

from gds.config.files import read_trusted

LARGEST = 16 << 20


def path_of(state_dir: str) -> str:
    """The file; written by the runner that has the directory, and by nobody else."""
    return f"{state_dir}/set.json"


def content_of(path: str) -> bytes:
    """Its content; empty when it is not there. Raises FileFault when it cannot be read, or is not ours."""
    return read_trusted(path, os.geteuid(), LARGEST, ours=True) if os.path.lexists(path) else b""
