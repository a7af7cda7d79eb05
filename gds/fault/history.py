"""What the fault monitor of one resource remembers.

Two sliding windows over retry_interval: scores of failures, restarts done; and how many probes in a row ran into
their limit. Sun: semantics.md 5.2 (H and R). A success empties neither (surprise 5).
"""

from __future__ import annotations

from gds.model.value import Value
from gds.model.window import EMPTY, Window


class MonitorState(Value):
    """See the module."""

    scores: Window = EMPTY
    restarts: Window = EMPTY
    timeouts: int = 0

    def total(self, span: float, now: float) -> int:
        """Sum of the failures' scores that still count."""
        return self.scores.total(span, now)

    def done(self, span: float, now: float) -> int:
        """Restarts that still count."""
        return self.restarts.count(span, now)


FRESH = MonitorState()
