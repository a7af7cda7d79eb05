"""What is said to a store that several nodes share, and what it answers. engines.md 5.

Every change is one transaction: it happens as a whole when all of its comparisons hold, else not at all. Revisions are
numbers of the store that only rise, one for each transaction that changed something; no clock of any node is in them.
"""

from __future__ import annotations

from gds.model.value import Value


class Record(Value):
    """A key and its value. `created`: the revision at which the key came to be; `modified`: of its last change."""

    key: str
    value: str
    created: int
    modified: int


class Compare(Value):
    """The key's revisions are these; 0: there is no such key; -1: not compared. `value`: so is what stands there; "":
    not compared."""

    key: str
    modified: int = -1
    created: int = -1
    value: str = ""


class Put(Value):
    """Write the key, whether it exists or not."""

    key: str
    value: str


class Delete(Value):
    """Remove the key if it exists."""

    key: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Operation: TypeAlias = Put | Delete


class Transaction(Value):
    """All of the operations, if all of the comparisons hold. No key may be named by two operations."""

    compares: tuple[Compare, ...] = ()
    operations: tuple[Operation, ...] = ()


class Committed(Value):
    """It happened, at that revision: every Put of it has `modified` = revision."""

    revision: int


class Conflict(Value):
    """It did not happen, and never will: a comparison did not hold."""


class Rejected(Value):
    """It did not happen, and never will: the store does not take it (it is full, or we are not permitted)."""

    because: str


class Unknown(Value):
    """Nobody knows whether it happened; it may even happen later."""

    because: str


if TYPE_CHECKING:
    Answer: TypeAlias = Committed | Conflict | Rejected | Unknown


class Change(Value):
    """A key was written (`record`), or removed (None), at `revision`."""

    key: str
    record: Record | None
    revision: int


class EngineTraits(Value):
    """What an engine is: facts instead of class names. `is_shared`: other nodes see the same store. `places_groups`:
    it decides itself where groups run, and we obey. `can_fence`: it can end a node that does not answer."""

    name: str
    is_shared: bool = False
    places_groups: bool = False
    can_fence: bool = False
