"""Window: weighted marks within a sliding span of time.

One type for four uses: probe scores (weight = score), the restart budget (weight 1), restarts of the fault monitor,
ping-pong. Marks older than `span` seconds do not count (Sun: "history older than the interval is purged"; Erlang's
supervisor keeps its intensity the same way). A mark exactly `span` old still counts. Instants are seconds of one
monotonic clock; `now` is an argument, never asked for.
"""

from __future__ import annotations

from gds.model.value import Value

MOST = 128
"""Marks a window keeps unless asked for more: enough for scores that sum up to 100, and for pmfadm's 100 retries."""


class Mark(Value):
    """One thing that happened `at` (seconds, monotonic) with some `weight`."""

    at: float
    weight: int = 1


class Window(Value):
    """Marks, oldest first. Invariant: instants never decrease."""

    marks: tuple[Mark, ...] = ()

    def within(self, span: float, now: float) -> Window:
        """Without the marks older than `span` seconds."""
        marks = self.marks
        if not marks or marks[0].at >= now - span:
            return self
        return Window(tuple([m for m in marks if m.at >= now - span]))

    def add(self, now: float, weight: int = 1, most: int = MOST) -> Window:
        """With one mark more. A clock that stood still or went back does not disturb the order. The `most` youngest
        are kept: what has no limit must not grow without one."""
        at = max(now, self.marks[-1].at) if self.marks else now
        return Window((*self.marks[max(0, len(self.marks) - most + 1) :], Mark(at, weight)))

    def total(self, span: float, now: float) -> int:
        """Sum of the weights that still count."""
        return sum([m.weight for m in self.marks if m.at >= now - span])

    def count(self, span: float, now: float) -> int:
        """Number of marks that still count."""
        return sum([1 for m in self.marks if m.at >= now - span])


EMPTY = Window()
