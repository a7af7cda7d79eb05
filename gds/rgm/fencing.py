"""Removing nodes that are silent, and making a new store a cluster's. Pure: a part of rgm/member.py.

- A node is removed when its record has stood unmoved for 1.01 times the longer of its lifetime and ours, when it holds
  something that we could take, or may (nobody can read whose that is), and, where there is a fence hook, when that has
  ended it.
- A record that cannot be read says nothing of its lifetime: such a node is never removed.
- In a store that is new nobody takes anything before one node has waited for 1.01 lifetimes. What says so is in the
  store, and every claim compares it.
"""

from __future__ import annotations

from gds.model.store import Compare, Delete, Put, Transaction
from gds.rgm import records
from gds.rgm.nodeorders import Fence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.rgm.member import Member
    from gds.rgm.records import Node


class Fencing:
    """See the module. `hook`: a silent node has to be ended by a command first."""

    def __init__(self, member: Member, hook: bool) -> None:
        self._member = member
        self._hook = hook
        self._hooks: dict[str, tuple[int, str]] = {}
        """Node -> its last revision, and how the hook stands: runs, ended."""
        self._failed: dict[str, str] = {}
        """Node -> how the hook ended the last time, when it failed."""
        self._unsettled: tuple[tuple[int, ...], float] | None = None
        """The cluster's record as it is, and since when we have seen it so."""

    # -- nodes --------------------------------------------------------------------------------------------------------

    def step(self, now: float) -> None:
        """Remove nodes that have been silent for a lifetime and hold something that we could take."""
        member = self._member
        if not member.may_run(now):
            return
        for node in list(member.board.nodes.values()):
            silent = node.name != member.me and now >= self.given_up(node)
            if silent and self._is_wanted_from(node.name) and self._is_hooked(node):
                self.remove(node, now)

    def _is_wanted_from(self, node: str) -> bool:
        me, board = self._member.me, self._member.board
        ours = [group.name for group in self._member.masteries.groups if me in group.nodelist or not group.nodelist]
        return any(slot.node in (node, "") for name in ours for slot in board.holders(name))

    def given_up(self, node: Node, seen: float | None = None) -> float:
        """When a node may be removed whose record we saw move last at `seen`."""
        return self._member.tenure.fence_after(node.seen if seen is None else seen, node.lifetime)

    def remove(self, node: Node, now: float) -> None:
        """End its life, if it is as we have seen it."""
        member, key = self._member, records.node_key(node.name)
        # Revisions begin anew in a store that was wiped: only who lives in it may say that another is silent there.
        here = () if node.name == member.me else member.at_home()
        as_seen = Compare(key, node.modified, node.born)
        gone = Transaction((as_seen, *here), (Delete(key), Delete(records.report_key(node.name))))
        if member.ask(("fence", node.name, str(node.modified)), gone, now) and node.name != member.me:
            member.tell(f"{node.name} has not been heard of for {now - node.seen:.1f} s: it is fenced", bad=True)

    def removed(self, tag: tuple[str, ...]) -> None:
        """It is gone, though news of that may be late."""
        self._member.board.vanish(records.node_key(tag[1]), int(tag[2]))
        self._hooks.pop(tag[1], None)

    def _is_hooked(self, node: Node) -> bool:
        if not self._hook:
            return True
        modified, how = self._hooks.get(node.name, (0, ""))
        if modified == node.modified:
            return how == "ended"
        if modified:
            self._failed.pop(node.name, None)  # it has moved since: whatever failed was of another silence
        self._hooks[node.name] = (node.modified, "runs")
        self._member.orders.append(Fence(node.name))
        return False

    def failed(self, name: str, said: str) -> None:
        """The fence hook has failed, and will be run again in a while; `said`: how it ended."""
        self._failed[name] = said

    def held_up(self, now: float) -> dict[str, str]:
        """Nodes that are silent, and of which nothing is taken before the hook has ended them: how far that is."""
        found = {}
        for node in self._member.board.nodes.values():
            if self._hooks.get(node.name, (0, "runs")) != (node.modified, "ended") and self._is_due(node, now):
                how = self._failed.get(node.name, "")
                how = f"fence_command {how}, and is tried again" if how else "fence_command is under way"
                found[node.name] = f"{how}; nothing of {node.name} is taken before it succeeds"
        return found

    def _is_due(self, node: Node, now: float) -> bool:
        """The hook is to end it."""
        member = self._member
        silent = node.name != member.me and now >= self.given_up(node)
        return self._hook and silent and member.may_run(now) and self._is_wanted_from(node.name)

    def hooked(self, name: str, well: bool) -> None:
        """The fence hook has ended; when it failed it is tried again, for its node may still run what we would take."""
        modified, _ = self._hooks.pop(name, (0, ""))
        if well:
            self._hooks[name] = (modified, "ended")
            self._failed.pop(name, None)

    # -- the store ----------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """A new store becomes a cluster's after a lifetime."""
        member, board, key = self._member, self._member.board, records.CLUSTER
        if board.settled is not False or key in board.strange:
            self._unsettled = None
            if board.settled is None:
                founded = Put(key, records.encode(settled=False, by=member.life))
                member.ask(("found",), Transaction((member.alive(), Compare(key, 0)), (founded,)), now)
        elif self._unsettled is None or self._unsettled[0] != board.stamp[key]:
            self._unsettled = board.stamp[key], now
            seconds = member.tenure.fence_after(now) - now
            member.tell(f"the store is new: nothing is taken for {seconds:.1f} s, until what ran before is surely dead")
        elif now >= member.tenure.fence_after(self._unsettled[1]):
            settled = Put(key, records.encode(settled=True, by=member.life))
            member.ask(("settle",), Transaction((member.alive(), member.same_cluster()), (settled,)), now)

    def forget(self) -> None:
        """We were fenced: whichever store there is, we have waited in it for nothing."""
        self._unsettled = None

    # -- time ---------------------------------------------------------------------------------------------------------

    def silences(self) -> list[float]:
        """When each node is silent for too long, if nothing comes from it before."""
        return [self.given_up(node) for node in self._member.board.nodes.values()]

    def times(self) -> list[float]:
        """When to look again."""
        times = self.silences()
        if self._unsettled is not None:
            times.append(self._member.tenure.fence_after(self._unsettled[1]))
        return times
