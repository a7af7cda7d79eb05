"""Names: what things are called, and the identity of one run of an application."""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NewType

    ResourceName = NewType("ResourceName", str)
    GroupName = NewType("GroupName", str)
    NodeName = NewType("NodeName", str)
    Incarnation = NewType("Incarnation", int)
else:
    ResourceName = GroupName = NodeName = str
    Incarnation = int


class Nametag(Value):
    """PMF's handle of one watched tree: `group,resource,instance.kind` (Sun: semantics.md 4.4).

    `kind` is svc for the application, mon for a monitor, oth for anything else.
    """

    group: str
    resource: str
    instance: int = 0
    kind: str = "svc"

    def __str__(self) -> str:
        return f"{self.group},{self.resource},{self.instance}.{self.kind}"


FIRST_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
LETTERS = FIRST_LETTERS | frozenset("0123456789-_")
LONGEST = 255

LAST_WORDS = "X_GDS_BECAUSE"
"""What an application says on its NOTIFY_SOCKET of why it is about to end; a field of ours, as systemd's rules ask."""
TAG_MARK = "@"
"""What the tree of a nametag of pmfadm's is called begins with it; no resource's name can."""


def name_fault(name: str) -> str:
    """What is wrong with `name` as the name of a resource, group or node; empty: nothing (Sun: semantics.md 18)."""
    if not name:
        return "a name may not be empty"
    if len(name) > LONGEST:
        return f"a name has at most {LONGEST} characters, this one {len(name)}"
    if name[0] not in FIRST_LETTERS:
        return "a name starts with a letter A-Z or a-z"
    odd = sorted({c for c in name if c not in LETTERS})
    if odd:
        return f"a name has letters, digits, '-' and '_' only, not {' '.join(map(repr, odd))}"
    return ""


ADDRESS_TYPES = ("LogicalHostname", "SUNW.LogicalHostname")
"""Types whose resources are network addresses: what `type` says for them."""
