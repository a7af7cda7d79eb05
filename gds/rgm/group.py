"""The state of a group on this node follows from its resources: the joint rules. Sun: semantics.md 10.2.

In this version a group has no order of its own; its life-cycle table joins this file with dependencies.
First rule that fits wins.
"""

from __future__ import annotations

from gds.model.state import GroupState, ResourceState, ResourceStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_UP = (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED, ResourceState.MONITOR_FAILED)


def state_of(members: Sequence[tuple[ResourceState, ResourceStatus, bool]]) -> GroupState:
    """The state of a group whose resources have these states, statuses and `enabled` switches."""
    states = [state for state, _, _ in members]
    if ResourceState.STOP_FAILED in states:
        return GroupState.ERROR_STOP_FAILED
    if ResourceState.STOPPING in states:
        return GroupState.PENDING_OFFLINE
    if ResourceState.STARTING in states:
        return GroupState.PENDING_ONLINE
    counted = [(state, status) for state, status, enabled in members if enabled or state is not ResourceState.OFFLINE]
    if ResourceState.START_FAILED in states:
        return GroupState.ONLINE_FAULTED
    up = [status for state, status in counted if state in _UP]
    if not up:
        return GroupState.OFFLINE
    if ResourceStatus.FAULTED in up:
        return GroupState.ONLINE_FAULTED
    return GroupState.ONLINE
