"""What a node tells the others of its groups: one record, written anew when something of it has changed. Pure."""

from __future__ import annotations

from gds.model.store import Put, Transaction
from gds.rgm import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.rgm.mastery import Masteries
    from gds.rgm.member import Member


class Report:
    """See the module. `digests`: of what our files say of each group."""

    def __init__(self, member: Member, masteries: Masteries) -> None:
        self._member = member
        self._masteries = masteries
        self.digests: dict[str, str] = {}
        self._said = ""
        self.is_old = True
        """Something may have changed since it was written."""

    def step(self, now: float) -> None:
        """Tell the others how our groups are, when that has changed, or what stands there is not what we said last: an
        earlier one, whose answer was lost, may come late."""
        member = self._member
        if not self.is_old and not member.asking.is_open("report"):
            self.is_old = not member.board.stands(records.report_key(member.me), self._said)
            self._said = "" if self.is_old else self._said
        if not self.is_old:
            return
        said = records.encode(born=member.birth, groups={g.name: self._of(g.name) for g in self._masteries.groups})
        changes = Transaction((member.alive(),), (Put(records.report_key(member.me), said),))
        if said == self._said or member.ask(("report",), changes, now):
            self._said, self.is_old = said, False

    def failed(self) -> None:
        """Nobody knows whether it was heard."""
        self._said, self.is_old = "", True

    def _of(self, group: str) -> dict[str, Any]:
        how = self._masteries.locals[group]
        return {
            "state": how.state,
            "because": how.because,
            "digest": self.digests.get(group, ""),
            "token": self._masteries.token(group),
            "leaving": self._masteries.is_leaving(group),
            "resources": {name: [state, status] for name, state, status in how.resources},
            "incarnations": dict(how.incarnations),
            "facts": how.facts,
        }
