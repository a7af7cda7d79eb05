"""Records of a group that nobody can read: what is made of them, and the way out. Pure.

Nothing automatic touches them. A slot counts as taken by somebody, for better down than twice up: until a person clears
the group, and then only if no node runs it, in one transaction on all that says so. A goal suspends the group, until a
person says what is wanted of it.
"""

from __future__ import annotations

from gds.model.cluster import Goal, Unread
from gds.model.store import Compare
from gds.rgm import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.rgm.board import Board
    from gds.rgm.member import Member
    from gds.rgm.records import Slot

UNTIL = "nothing is moved by itself until somebody says what is wanted:"
DOWN = ("", "OFFLINE", "UNMANAGED")
"""What a node reports of a group of which nothing runs there."""


def goal(group: str, fault: str) -> Goal:
    """What is wanted of a group, when nobody can tell."""
    return Goal(
        suspended=True,
        unread=f"the group has a record {records.goal_key(group)} that cannot be read ({fault}): {UNTIL}"
        f" `gds rg resume {group}`, or online, offline, switch",
    )


def slot(found: Slot) -> Unread:
    """A mastery that nobody can read."""
    key = records.slot_key(found.group, found.index)
    because = (
        f"has a record {key} that cannot be read ({found.because}), and nobody can tell which node has it; when none"
        f" runs it, `gds clear {found.group}` removes that record"
    )
    return Unread(found.group, found.index, because)


def why_lost(found: Slot | None) -> str:
    """Why a mastery of ours is ours no more, when this stands in its place."""
    if found is None:
        return "its slot was removed from the store, by no node of the cluster"
    if not found.node:
        key = records.slot_key(found.group, found.index)
        return f"{key} was overwritten, by no node of the cluster, with what cannot be read: {found.because}"
    return f"{found.node} has taken it: this node's life in the cluster was ended"


def slots(board: Board, groups: Iterable[str]) -> list[Slot]:
    """Those of these groups that nobody can read."""
    return [each for group in sorted(groups) for each in board.slots.get(group, {}).values() if not each.node]


def runs_where(member: Member, found: Slot) -> str:
    """Where it may run still, in words, but for those masteries that can be read; "": nowhere, and that holds as long
    as `unchanged` does."""
    if not member.birth:
        return f"this node is no member of the cluster: {member.waiting}"
    board, group, masteries = member.board, found.group, member.masteries
    kept = {(each.node, each.token) for each in board.holders(group)}
    how = masteries.locals.get(group)
    if how is not None and not how.down and (member.me, masteries.token(group)) not in kept:
        return f"it is {how.state} on {member.me}"
    alive = {peer.name for peer in masteries.cluster.nodes if peer.alive} if masteries.cluster is not None else set()
    for name, node in sorted(board.nodes.items()):
        if name == member.me:
            continue
        if name not in alive or node.modified < found.token or name not in board.reports:
            return f"{name} has not been heard of since then, and may run it; it is fenced when it stays silent"
        said = board.report_of(name, group)
        token, state = said.get("token", 0), said.get("state", "")
        if (token or state not in DOWN) and (name, token) not in kept:
            return f"it is {state} on {name}"
    return ""


def unchanged(member: Member, found: Slot) -> tuple[Compare, ...]:
    """It is as we have seen it, and so is all that was said of where it runs."""
    others = [(name, node) for name, node in sorted(member.board.nodes.items()) if name != member.me]
    return (
        member.exactly(records.slot_key(found.group, found.index)),
        *[Compare(records.node_key(name), created=node.born) for name, node in others],
        *[member.same(records.report_key(name)) for name, _ in others],
    )
