"""What the library wants from the world, as values: each call of it is a generator of these.

`blocking.py` carries them out with system calls that wait, `aio.py` with asyncio; so the two do the same, and the
generators are tested with answers from a list. An answer that is a failure is thrown into the generator.
"""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeAlias, TypeVar

    T = TypeVar("T")


class Now(Value):
    """The monotonic clock, in seconds."""


class Ask(Value):
    """One request to the runner; its answer. `patience`: seconds, None = without end. Raises GdsError."""

    request: dict[str, Any]
    patience: float | None = 30.0


class Pause(Value):
    """Let so many seconds pass."""

    seconds: float


class Watch(Value):
    """Until some of these processes have ended (which), or so many seconds have passed (none): a tuple of pids."""

    pids: tuple[int, ...]
    seconds: float


class Run(Value):
    """Run a command within `seconds`, in a process group of its own which gets `signal` then; a `values.Ran`."""

    command: tuple[str, ...]
    seconds: float
    signal: int


class Resolve(Value):
    """The addresses of `host`: a list of (family, address) as getaddrinfo orders them; empty when it has none."""

    host: str
    port: int
    seconds: float


class Reach(Value):
    """Connect to all of these side by side, each within `seconds`; for each a pair of errno (0 = well, ETIMEDOUT =
    no answer within the time) and seconds it took. What was connected is closed in order."""

    addresses: tuple[tuple[int, Any], ...]
    seconds: float


class Say(Value):
    """One line to the system log; `priority` is syslog(3)'s."""

    priority: int
    text: str


if TYPE_CHECKING:
    Effect: TypeAlias = Now | Ask | Pause | Watch | Run | Resolve | Reach | Say
    Steps: TypeAlias = Generator[Effect, Any, T]
    """What a call of the library does, step by step; the result is what it returns."""
