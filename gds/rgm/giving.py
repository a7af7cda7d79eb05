"""Giving a group over to another node, and saying to others whether it could come here. Pure: a part of rgm/mastery.py.

Every candidate is asked its Monitor_check first, through the store. It happens when the best of those that do not
refuse has said yes, for that one takes it. If all refuse, or say nothing in time, it is cancelled, with each reason.
Those that refused, and we, are marked for pingpong_interval; that it failed to start here is in the mark, for only
that counts when no other node is left. A trial (CHECK_GIVEOVER) asks the same, and nothing is done. Sun: semantics.md
7.2, 7.3, 13.1.
"""

from __future__ import annotations

from gds.model.store import Put, Transaction
from gds.rgm import records
from gds.rgm.hold import ASKING, UP
from gds.rgm.nodeorders import Cancelled, Check, Possible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.rgm.hold import Hold
    from gds.rgm.mastery import Masteries
    from gds.rgm.member import Member


class Giving:
    """See the module. `limits`: seconds that Monitor_check may take, for each group that has one."""

    def __init__(self, member: Member, masteries: Masteries) -> None:
        self._member = member
        self._masteries = masteries
        self.limits: dict[str, float] = {}
        self._said: dict[str, tuple[str, str | None]] = {}
        """Group -> the request we were asked last, and our answer; None: we do not know it yet."""

    # -- ours to give -------------------------------------------------------------------------------------------------

    def begin(self, group: str, because: str, now: float, trial: bool = False) -> str:
        """It shall run elsewhere. Which group is given over for it (with +++ perhaps another), and will leave or be
        said to be cancelled, or with `trial` to be possible; "": none, for it is not up here as its master, or is being
        given over (or that tried) already."""
        member, masteries = self._member, self._masteries
        if not self._is_free(group, trial):
            return ""
        asked, (group, able, why) = group, masteries.somewhere(group, now)
        if not able:
            member.orders.append(Cancelled(asked, why))
            return asked
        if asked != group:
            if not self._is_free(group, trial):
                member.orders.append(Cancelled(asked, f"{group}, which goes along, is not up here"))
                return asked
            # the one it hands its failovers to is given over, and takes it along
            if not trial:
                member.tell(f"{because}; {group} is given over in its place", asked)
            because = f"{asked}: {because}"
        if not trial:
            masteries.held[group].start_failed = masteries.locals[asked].failed or masteries.locals[group].failed
        if group in self.limits:
            self._ask(group, able, because, now, trial)
        elif trial:
            member.orders.append(Possible(group))
        else:
            masteries.leave(group, because, {member.me: because})
        return group

    def _is_free(self, group: str, trial: bool) -> bool:
        """It is up here, and nobody has asked for this yet."""
        hold = self._masteries.held.get(group)
        return hold is not None and (hold.phase == UP or (hold.phase == ASKING and hold.trial and not trial))

    def _ask(self, group: str, able: tuple[str, ...], because: str, now: float, trial: bool) -> None:
        member, hold = self._member, self._masteries.held[group]
        hold.because, hold.trial = because, trial
        if hold.phase == ASKING:
            return  # the answers to the trial under way are as good
        hold.phase = ASKING
        hold.request = f"{member.me}.{hold.token}.{now:.3f}"
        hold.until = now + self.limits[group] + 2 * member.attempt
        hold.able, hold.asked, hold.avoid = able, set(able), {}
        for node in able:
            wanted = Put(records.check_key(group, node), records.encode(request=hold.request, answered=False))
            member.ask(("ask", group, node, hold.request), Transaction((member.alive(),), (wanted,)), now)

    def hear(self, group: str, hold: Hold, now: float) -> None:
        """What the candidates say."""
        member = self._member
        for node in sorted(hold.asked):
            said = member.board.checks.get((group, node), {})
            if said.get("request") != hold.request or not said.get("answered"):
                continue
            hold.asked.discard(node)
            if refusal := str(said.get("answer", "")):
                hold.avoid[node] = f"its Monitor_check says: {refusal}"
        if now >= hold.until:
            hold.avoid.update(dict.fromkeys(sorted(hold.asked), "it did not answer in time"))
            hold.asked.clear()
        left = [node for node in hold.able if node not in hold.avoid and self._lives(node)]
        if not left:
            self._masteries.stays(hold)
            reasons = "; ".join(f"{node}: {hold.avoid.get(node, 'it has died meanwhile')}" for node in hold.able)
            member.orders.append(Cancelled(group, f"nobody can take it: {reasons}"))
        elif left[0] in hold.asked:
            return
        elif hold.trial:
            self._masteries.stays(hold)
            member.orders.append(Possible(group))
        else:
            barred = {**hold.avoid, member.me: hold.because}
            self._masteries.leave(group, f"{hold.because}; {left[0]} can take it", barred)

    def abandon(self, group: str, because: str) -> None:
        """Nobody can be heard any more: what is being asked is cancelled, if it is this."""
        hold = self._masteries.held.get(group)
        if hold is not None and hold.phase == ASKING:
            self._masteries.stays(hold)
            self._member.orders.append(Cancelled(group, because))

    def _lives(self, node: str) -> bool:
        """As far as the last plan knows."""
        cluster = self._masteries.cluster
        return cluster is None or any(peer.name == node and peer.alive for peer in cluster.nodes)

    # -- others' ------------------------------------------------------------------------------------------------------

    def answer(self, now: float) -> None:
        """Others want to know whether we could take something."""
        member = self._member
        for (group, node), said in member.board.checks.items():
            request = str(said.get("request", ""))
            if node != member.me or said.get("answered"):
                continue
            asked, answer = self._said.get(group, ("", None))
            if asked == request:
                if answer is not None:
                    self._say(group, request, answer, now)
                continue
            self._said[group] = request, None
            if group not in self._masteries.declared:
                self.checked(group, request, "its files do not declare it", now)
            elif self._masteries.departing:
                self.checked(group, request, "its runner ends", now)
            elif group not in self.limits:
                self.checked(group, request, "", now)
            else:
                member.orders.append(Check(group, request))

    def checked(self, group: str, request: str, because: str, now: float) -> None:
        """Our Monitor_check of a group has answered: "" or why not."""
        if self._said.get(group) == (request, None):
            self._said[group] = request, because
            self._say(group, request, because, now)

    def _say(self, group: str, request: str, because: str, now: float) -> None:
        member = self._member
        key = records.check_key(group, member.me)
        said = Put(key, records.encode(request=request, answer=because, answered=True))
        member.ask(("check", group, request), Transaction((member.alive(), member.same(key)), (said,)), now)

    def forget(self) -> None:
        """Nobody waits for an answer of this life."""
        self._said.clear()
