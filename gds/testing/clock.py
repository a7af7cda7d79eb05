"""FakeClock: time that passes when a test says so, for the same loop that the runner turns.

`Loop(FakeClock())` never waits: `run` moves the clock from appointment to appointment and turns the loop in between, so
a stop of five minutes takes as long as its callbacks do. Time cannot go back: there is nothing here that could set it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Turning(Protocol):
        """What is used of a loop."""

        def next_due(self) -> float | None: ...
        def turn(self, longest: float | None = None) -> None: ...
        def when_idle(self, callback: Callable[[], object]) -> None: ...


ROUNDS = 3
"""How often the loop has to come to rest before it is believed: what is done when idle may ask for more."""
MOST_TURNS = 100_000


class FakeClock:
    """See the module. Begins at `start` seconds, which is not 0, because no machine's clock is."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start

    def monotonic(self) -> float:
        """Seconds."""
        return self._now

    def run(self, loop: Turning, seconds: float) -> None:
        """Let so many seconds pass on `loop`: every appointment is kept at its instant, in order."""
        if seconds < 0:
            raise ValueError(f"cannot let {seconds} s pass: time does not go back")
        end = self._now + seconds
        self.settle(loop)
        while (due := loop.next_due()) is not None and due <= end:
            self._now = max(self._now, due)
            self.settle(loop)
        self._now = end
        self.settle(loop)

    def settle(self, loop: Turning) -> None:
        """Turn the loop until nothing is left to do at this instant. Raises RuntimeError when there is no end to it."""
        turns = 0
        for _ in range(ROUNDS):
            rested: list[bool] = []
            loop.when_idle(lambda rested=rested: rested.append(True))  # type: ignore[misc]  # mypy cannot infer it
            while not rested or ((due := loop.next_due()) is not None and due <= self._now):
                loop.turn(0.0)
                turns += 1
                if turns > MOST_TURNS:
                    raise RuntimeError(f"cannot come to rest at {self._now}: {MOST_TURNS} turns, and still more to do")
