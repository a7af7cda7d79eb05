"""What a node holds of a group, and how the group is there: the words of rgm/mastery.py and rgm/giving.py."""

from __future__ import annotations

from gds.model.store import Put
from gds.model.value import Value
from gds.rgm import records
from gds.rgm.nodeorders import FOREVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UP, DOWN, ASKING, LEAVING = "up", "down", "asking", "leaving"
"""Phases of what we hold: it runs or comes up here; it may not run at present; a giveover is being asked for; it is
being given up."""


class Local(Value):
    """How a group is on this node. `down`: nothing of it is left. `stuck`: something could not be stopped."""

    state: str = "OFFLINE"
    because: str = ""
    down: bool = True
    stuck: bool = False
    resources: tuple[tuple[str, str, str], ...] = ()
    """(name, state, status) of each."""
    incarnations: tuple[tuple[str, int], ...] = ()
    """(name, how often it was started here) of each that was: one start is told from another by it."""
    facts: dict[str, dict[str, Any]] = {}  # noqa: RUF012 (never changed in place)
    """What else is told of each to people on other nodes: see daemon/published.py."""

    @property
    def failed(self) -> bool:
        """It has not come up here: something of it did not start, or never got so far."""
        return self.state == "PENDING_ONLINE" or any(state == "START_FAILED" for _, state, _ in self.resources)


class Hold:
    """A slot of ours."""

    def __init__(self, slot: int, token: int, phase: str) -> None:
        self.slot = slot
        self.token = token
        self.phase = phase
        self.because = ""
        self.avoid: dict[str, str] = {}
        """Nodes to be marked when it is given up, and why; `start_failed`: it failed to start on ours."""
        self.start_failed = False
        self.request = ""
        self.until = FOREVER
        self.able: tuple[str, ...] = ()
        """Who was asked whether it could take it, the best first; `asked`: those who have not answered."""
        self.asked: set[str] = set()
        self.trial = False
        """It is only asked whether somebody could."""
        self.told = False
        self.slow: dict[str, int] = {}
        """Nodes that should have taken it, lived, and did not; and since which revision they live."""

    def marks(self, group: str, me: str) -> list[Put]:
        """What is to be written of them."""
        return [
            Put(
                records.avoid_key(group, node),
                records.encode(by=me, because=why, start_failed=self.start_failed and node == me),
            )
            for node, why in self.avoid.items()
        ]
