"""How a node comes to live in the cluster: by a record of its name, alone. Pure: a part of rgm/member.py.

- A record of our own life is ours: its join was answered to nobody, or it is that of the runner before us.
- One of a former life of ours, on this machine since this boot, in this directory, is removed at once, for we hold the
  directory, and nothing runs here any more. Another one is waited for; if it moves, its name is taken, and we refuse.
- Nothing is joined before all that runs here is down.
"""

from __future__ import annotations

from gds.model.store import Compare, Put, Transaction
from gds.rgm.nodeorders import Refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.rgm.member import Member
    from gds.rgm.records import Node


class Entering:
    """See the module. `resuming`: our life may still be that of the runner before us."""

    def __init__(self, member: Member, key: str, resuming: bool) -> None:
        self._member = member
        self._key = key
        self.is_resuming = resuming
        self._first_join = 0.0
        self._rival: tuple[int, float] | None = None

    def step(self, now: float) -> None:
        """What is to be done to live."""
        member = self._member
        there = member.board.nodes.get(member.me)
        if there is not None and there.life == member.life:
            # our own: of a join whose answer was lost, or of the runner before us
            member.born(there.born, self._first_join or member.tenure.sent_at, self.is_resuming)
            return
        if self.is_resuming:
            # that life was ended while nobody ran here
            self.is_resuming = False
            member.life = member.new_life()
            member.masteries.ended("this node was fenced while no runner was here, or its record was removed")
        if there is None:
            self._rival = None
        if member.ending:
            return
        if not member.masteries.all_down("we are not yet a node of the cluster"):
            member.waiting = "what runs here has to be down first"
        elif there is not None:
            self._succeed(there, now)
        else:
            member.waiting = "it is joining"
            self._first_join = self._first_join or now
            begun = Transaction((Compare(self._key, modified=0),), (Put(self._key, member.value()),))
            member.ask(("join", member.life), begun, now)

    def _succeed(self, there: Node, now: float) -> None:
        """Our name is taken: by a life of ours that is over, by one that may be, or by another runner."""
        member, strange = self._member, self._member.board.strange.get(self._key)
        if there.identity and there.identity == member.identity:
            member.waiting = "the life before is being ended"
            member.fencing.remove(there, now)
            return
        if strange is not None:
            member.waiting = f"there is a record {self._key} that cannot be read: {strange}"
            return
        self._rival = self._rival or (there.modified, now)
        if self._rival[0] != there.modified:
            member.orders.append(
                Refuse(
                    f"cannot be node {member.me}: another runner lives under that name in this cluster"
                    f" ({there.identity or 'it does not say where'}); give this one another name with --node"
                )
            )
            member.gone = True
            return
        longest = max(member.tenure.lifetime, there.lifetime)
        member.waiting = f"a node {member.me} was here before; it is given {longest:g} s to show that it lives"
        if now >= member.fencing.given_up(there, self._rival[1]):
            member.fencing.remove(there, now)

    def done(self) -> None:
        """We live."""
        self.is_resuming = False
        self._first_join = 0.0
        self._rival = None

    def times(self) -> list[float]:
        """When another of our name has had the time to show that it lives."""
        there = self._member.board.nodes.get(self._member.me)
        if self._rival is None or there is None:
            return []
        return [self._member.fencing.given_up(there, self._rival[1])]
