"""Where a plan came from, and how it is read again without loading the compiler into the runner."""

from __future__ import annotations

import os

from gds.config.places import PATHS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Sources:
    """See the module. `flags`: settings given on the command line."""

    def __init__(self, paths: list[str], flags: dict[str, str], cache_dirs: list[str]) -> None:
        self.paths = paths
        self.flags = flags
        self.cache_dirs = cache_dirs

    @classmethod
    def typed(cls, paths: list[str], flags: dict[str, str], cache_dirs: list[str]) -> Sources:
        """As they were typed, where we stand now: they mean the same when that directory is moved or removed. Raises
        FileNotFoundError when it is gone already, and something relative was typed."""
        placed = {name: os.path.abspath(value) if name in PATHS else value for name, value in flags.items()}
        return cls([os.path.abspath(path) for path in paths], placed, [os.path.abspath(each) for each in cache_dirs])

    def handed_on(self) -> dict[str, Any]:
        """As plain values, for the runner after this one in the same process."""
        return {"paths": self.paths, "flags": self.flags, "cache_dirs": self.cache_dirs}

    def command(self, was_set: str = "state") -> list[str]:
        """The compiler's command line; `was_set`: whence it learns what people set."""
        from gds.config import asking

        return asking.command({"paths": self.paths, "flags": self.flags, "cache_dirs": self.cache_dirs, "set": was_set})

    def question(self, what: str) -> list[str]:
        """The command line of gds/config/setter.py: "set" or "look"."""
        from gds.config import asking

        return asking.command({"ask": what, "paths": self.paths, "flags": self.flags})
