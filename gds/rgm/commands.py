"""Orders out: what the RGM wants done. Imperative; carried out by drivers without opinions."""

from __future__ import annotations

from gds.model.value import Value


class RunStart(Value):
    """Run the Start method."""

    because: str


class RunStop(Value):
    """Run the Stop method; a Start that is under way is given up first."""

    because: str


class RunPrenet(Value):
    """Run Prenet_start."""

    because: str


class RunPostnet(Value):
    """Run Postnet_stop."""

    because: str


class ArmDelay(Value):
    """Tell `DelayOver` in so many seconds."""

    seconds: float


class CancelDelay(Value):
    """The delay no longer matters."""


class StartMonitor(Value):
    """It is up: begin to probe. `restarted`: it came back from a restart, so the scores are forgotten."""

    restarted: bool


class StopMonitor(Value):
    """No probe, no verdict from now on."""


class PurgeHistory(Value):
    """A giveover was asked for: scores and restarts are forgotten (Sun: semantics.md 7.3, 8)."""


class LeaveNode(Value):
    """The giveover is granted: everything here stops, and the outside is told; of several nodes, the group goes to
    another, if one takes it. `by_monitor`: no person asked for it."""

    because: str
    by_monitor: bool = True


class AbortNode(Value):
    """A HARD resource cannot be stopped: end this node, so that it can safely run elsewhere (Sun: semantics.md 8)."""

    because: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Order: TypeAlias = (
        RunStart
        | RunStop
        | RunPrenet
        | RunPostnet
        | ArmDelay
        | CancelDelay
        | StartMonitor
        | StopMonitor
        | PurgeHistory
        | LeaveNode
        | AbortNode
    )
