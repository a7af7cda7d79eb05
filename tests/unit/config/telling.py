"""Descriptors written into a directory of the test, and what is said of them."""

from __future__ import annotations

import os
from pathlib import Path

from gds.config.load import Loaded, load
from gds.model.resource import Plan, Resource


def write(directory: Path, text: str | bytes, name: str = "app.toml") -> str:
    """A file that even root may trust."""
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, 0o644)
    return str(path)


def read(directory: Path, text: str | bytes, name: str = "app.toml", can_abort: bool = False) -> Loaded:
    """What our loader makes of a text."""
    return load([write(directory, text, name)], can_abort=can_abort)


def problems(directory: Path, text: str | bytes, name: str = "app.toml") -> list[str]:
    """The errors as lines, without the directory."""
    return [str(p).replace(f"{directory}/", "") for p in read(directory, text, name).problems]


def plan_of(directory: Path, text: str, name: str = "app.toml", can_abort: bool = False) -> Plan:
    """The plan of a text that has to compile."""
    loaded = read(directory, text, name, can_abort)
    assert [str(p) for p in loaded.problems] == []
    assert loaded.plan is not None
    return loaded.plan


def resource_of(directory: Path, keys: str) -> Resource:
    """The one resource `a` with these keys and a start command."""
    plan = plan_of(directory, f'[resource.a]\nstart_command = ["/bin/true"]\n{keys}\n')
    assert len(plan.resources) == 1
    return plan.resources[0]


def codes(directory: Path, text: str) -> list[tuple[str, str]]:
    """The warnings of a text as (code, key)."""
    loaded = read(directory, text)
    assert [str(p) for p in loaded.problems] == []
    return [(w.code, w.key) for w in loaded.warnings]
