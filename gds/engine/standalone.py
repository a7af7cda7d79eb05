"""A cluster of one: the store of a node that shares it with nobody. It is in memory, and is never away."""

from __future__ import annotations

from gds.engine.dictionary import Dictionary
from gds.model.store import EngineTraits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.model.store import Answer, Transaction
    from gds.ports import EngineListener, Scheduler


class Standalone:
    """See ports.ClusterEngine. A change is told before the answer to who made it."""

    traits = EngineTraits("standalone")

    def __init__(self, loop: Scheduler) -> None:
        self._loop = loop
        self._store = Dictionary()
        self._listener: EngineListener | None = None
        self._is_open = True

    def begin(self, listener: EngineListener) -> None:
        """See ports.ClusterEngine."""
        self._loop.soon(lambda: self._load(listener))

    def commit(self, transaction: Transaction, timeout: float, done: Callable[[Answer], None]) -> None:
        """See ports.ClusterEngine. It never takes any time."""
        self._loop.soon(lambda: self._commit(transaction, done))

    def refusal(self) -> str:
        """See ports.ClusterEngine."""
        return ""

    def describe(self) -> dict[str, Any]:
        """See ports.ClusterEngine."""
        return {"engine": "standalone", "revision": self._store.revision, "keys": len(self._store.records)}

    def close(self) -> None:
        """See ports.ClusterEngine."""
        self._is_open = False

    def _load(self, listener: EngineListener) -> None:
        if self._is_open:
            self._listener = listener
            listener.engine_loaded(dict(self._store.records), self._store.revision)

    def _commit(self, transaction: Transaction, done: Callable[[Answer], None]) -> None:
        if not self._is_open:
            return
        answer, changes = self._store.commit(transaction)
        if changes and self._listener is not None:
            self._listener.engine_changed(changes, self._store.revision)
        done(answer)
