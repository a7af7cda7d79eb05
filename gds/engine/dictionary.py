"""A store in a dictionary, with the transactions and revisions that model/store.py promises."""

from __future__ import annotations

from gds.model.store import Change, Committed, Conflict, Put, Record, Rejected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Answer, Compare, Transaction


class Dictionary:
    """Knows nobody and waits for nothing. It begins at revision 1, as etcd does."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.revision = 1

    def commit(self, transaction: Transaction) -> tuple[Answer, tuple[Change, ...]]:
        """All or nothing; with what it changed, in the order of the operations."""
        keys = [each.key for each in transaction.operations]
        if len(set(keys)) < len(keys):
            return Rejected("a key is named by two operations of one transaction"), ()
        if not all(self._holds(each) for each in transaction.compares):
            return Conflict(), ()
        revision = self.revision + 1
        changes = []
        for each in transaction.operations:
            old = self.records.get(each.key)
            if isinstance(each, Put):
                record = Record(each.key, each.value, old.created if old else revision, revision)
                self.records[each.key] = record
                changes.append(Change(each.key, record, revision))
            elif old is not None:
                del self.records[each.key]
                changes.append(Change(each.key, None, revision))
        if changes:
            self.revision = revision
        return Committed(self.revision), tuple(changes)

    def _holds(self, compare: Compare) -> bool:
        record = self.records.get(compare.key)
        modified, created, value = (record.modified, record.created, record.value) if record else (0, 0, "")
        return compare.modified in (-1, modified) and compare.created in (-1, created) and compare.value in ("", value)
