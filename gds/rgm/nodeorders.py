"""What a node of a cluster orders its driver to do: rgm/member.py makes them, daemon/tenant.py carries them out."""

from __future__ import annotations

from gds.model.store import Transaction
from gds.model.value import Value

FOREVER = float("inf")


class Commit(Value):
    """Ask the engine; tell `answered` with the same tag."""

    tag: tuple[str, ...]
    transaction: Transaction


class Arm(Value):
    """The guard kills everything at that instant, unless it is told a later one before."""

    until: float


class Online(Value):
    """We are master: bring the group up. Before the next step `local` has to say that it is not down any more."""

    group: str
    token: int
    because: str


class Offline(Value):
    """Take the group down."""

    group: str
    because: str


class Check(Value):
    """May the group come here? Run its Monitor_check methods, and tell `checked`."""

    group: str
    request: str


class Cancelled(Value):
    """A giveover is not carried out: nobody takes it."""

    group: str
    because: str


class Possible(Value):
    """Somebody could take the group; that was only asked, and nothing is done."""

    group: str


class Fence(Value):
    """Run the fence hook against a node that is silent: end it, or cut it off; tell `hooked` how that went."""

    node: str


class Told(Value):
    """For the log and the history. `bad`: somebody should look."""

    because: str
    group: str = ""
    bad: bool = False


class Joined(Value):
    """A life has begun: to be remembered, so that a crash of the runner ends nothing. "": it is about to be ended, and
    is to be forgotten before anything else is done."""

    life: str


class Refuse(Value):
    """We cannot be a node of this cluster."""

    because: str


class Left(Value):
    """We are no node of it any more; nothing of ours is waited for."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Order: TypeAlias = (
        Commit | Arm | Online | Offline | Check | Cancelled | Possible | Fence | Told | Joined | Refuse | Left
    )
