"""The two forms of the library, and what importing it brings along."""

from __future__ import annotations

import inspect
import subprocess
import sys

import gds.dsdl
from gds.dsdl import AsyncDsdl, Dsdl

HEAVY = (
    "asyncio",
    "subprocess",
    "threading",
    "logging",
    "dataclasses",
    "inspect",
    "typing",
    "pydantic",
    "click",
    "ssl",
)


def methods(form: type) -> dict[str, object]:
    """What it offers, by name."""
    return {name: each for name, each in vars(form).items() if not name.startswith("_")}


def test_both_forms_offer_the_same_with_the_same_arguments() -> None:
    waiting, other = methods(Dsdl), methods(AsyncDsdl)
    assert sorted(waiting) == sorted(other)
    for name, each in waiting.items():
        twin = other[name]
        assert inspect.isfunction(each)
        assert inspect.iscoroutinefunction(twin), name
        assert inspect.signature(each) == inspect.signature(twin), name


def test_everything_public_says_what_it_is() -> None:
    assert [name for name, each in methods(Dsdl).items() if not each.__doc__] == []
    for name in gds.dsdl.__all__:
        assert getattr(gds.dsdl, name) is not None, name


def test_importing_it_brings_little_along() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", "import sys, gds.dsdl; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = asked.stdout.split()
    assert "gds.dsdl.blocking" in loaded
    assert [name for name in loaded if name.split(".")[0] in HEAVY] == []
    assert [name for name in loaded if name.startswith(("gds.daemon", "gds.linux", "gds.cli"))] == []
