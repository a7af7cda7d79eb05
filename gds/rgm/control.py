"""Requests of a monitor or a person to move a group: granted or refused, and why. Sun: semantics.md 7.3, 8.

On one node there is nowhere to go, unless the outside of the runner is the other node: then `on_giveover` is exit
(design.md 2): everything stops in order and the runner ends with status 75, for systemd, a container engine or a
person to act on.
"""

from __future__ import annotations

from gds.model.value import Value


class Granted(Value):
    """It may leave."""


class Refused(Value):
    """It stays."""

    because: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Ruling: TypeAlias = Granted | Refused


def giveover(on_giveover: str) -> Ruling:
    """The answer of a cluster of one. `on_giveover` is exit or refuse ("auto" is decided before)."""
    if on_giveover == "exit":
        return Granted()
    return Refused("there is no other node to run it on")
