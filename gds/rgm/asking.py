"""Transactions under way, and when the same may be asked again. Pure: a part of rgm/member.py.

One of each name (tag) is under way at a time. What has its answer is not asked again in the same words (comparisons)
for a while, for the news that would change them may be late: without that, a conflict would be asked again as fast as
the store answers. What nobody knows the outcome of is asked again soon, for an engine may say so at once.
"""

from __future__ import annotations

from gds.model.store import Committed, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Answer, Compare, Transaction

ONCE = ("found", "settle", "tidy", "check")
"""When these were committed the same words can only conflict, until news of it comes."""
SOON = 0.25
"""Of an attempt, from one of unknown outcome to the next."""


class Asking:
    """See the module. `attempt`: seconds that a transaction may take."""

    def __init__(self, attempt: float) -> None:
        self.attempt = attempt
        self._open: dict[tuple[str, ...], tuple[float, tuple[Compare, ...]]] = {}
        self._rests: dict[tuple[str, ...], tuple[float, tuple[Compare, ...], bool]] = {}
        """Until when, what, and whether somebody will want to ask it again."""

    def begin(self, tag: tuple[str, ...], transaction: Transaction, now: float) -> bool:
        """It may be asked now, and counts as asked."""
        if tag in self._open:
            return False
        until, before, _ = self._rests.get(tag, (0.0, (), False))
        if now < until and before == transaction.compares:
            return False
        self._rests.pop(tag, None)
        self._open[tag] = (now, transaction.compares)
        return True

    def end(self, tag: tuple[str, ...], answer: Answer, now: float) -> float | None:
        """It is answered; when it was sent. None: nobody had asked."""
        asked = self._open.pop(tag, None)
        if asked is None:
            return None
        sent, compares = asked
        if isinstance(answer, Unknown):
            self._rests[tag] = (sent + SOON * self.attempt, compares, True)
        elif not isinstance(answer, Committed) or tag[0] in ONCE:
            self._rests[tag] = (now + self.attempt, compares, not isinstance(answer, Committed))
        return sent

    def is_open(self, what: str) -> bool:
        """One of these is under way."""
        return any(tag[0] == what for tag in self._open)

    def times(self, now: float) -> list[float]:
        """When something may be asked again."""
        for tag in [tag for tag, (until, _, _) in self._rests.items() if until <= now]:
            del self._rests[tag]
        return [until for until, _, failed in self._rests.values() if failed]
