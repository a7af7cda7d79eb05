"""What the engines want of the machine. Static types only: at run time they are handed the real things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gds.ports import Scheduler


class EngineLoop(Scheduler, Protocol):
    """The loop, with its descriptors: gds.linux.loop.Loop is one."""

    def watch(self, fd: int, callback: Callable[[int], None], events: int = ...) -> None: ...
    def unwatch(self, fd: int) -> None: ...


class Found(Protocol):
    """Addresses of a host name as (family, address, rest), or why there are none."""

    @property
    def addresses(self) -> tuple[tuple[int, str, tuple[int, ...]], ...]: ...
    @property
    def fault(self) -> str: ...


class Names(Protocol):
    """Resolves without blocking: gds.linux.resolving.Names does."""

    def find(self, host: str, seconds: float, on_found: Callable[[Any], None]) -> Question | None: ...


class Question(Protocol):
    """Somebody waits for an answer."""

    def cancel(self) -> None: ...
