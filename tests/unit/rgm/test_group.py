"""The state of a group follows from its resources. Sun: semantics.md 10.2."""

from __future__ import annotations

import pytest

from gds.model.state import GroupState as G
from gds.model.state import ResourceState as R
from gds.model.state import ResourceStatus as S
from gds.rgm.group import state_of

OFF, UP = (R.OFFLINE, S.OFFLINE, True), (R.ONLINE, S.OK, True)
DISABLED = (R.OFFLINE, S.OFFLINE, False)
UNWATCHED, UNWATCHABLE = (R.ONLINE_NOT_MONITORED, S.OK, True), (R.MONITOR_FAILED, S.OK, True)
BAD, WEAK = (R.ONLINE, S.FAULTED, True), (R.ONLINE, S.DEGRADED, True)
STARTING, STOPPING = (R.STARTING, S.UNKNOWN, True), (R.STOPPING, S.UNKNOWN, True)
START_FAILED, STOP_FAILED = (R.START_FAILED, S.FAULTED, True), (R.STOP_FAILED, S.FAULTED, True)


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ((), G.OFFLINE),
        ((OFF,), G.OFFLINE),
        ((DISABLED,), G.OFFLINE),
        ((UP,), G.ONLINE),
        ((UP, DISABLED), G.ONLINE),
        ((UNWATCHED, UNWATCHABLE), G.ONLINE),
        ((WEAK, UP), G.ONLINE),
        ((BAD, UP), G.ONLINE_FAULTED),
        ((START_FAILED,), G.ONLINE_FAULTED),
        ((START_FAILED, UP), G.ONLINE_FAULTED),
        ((STARTING, UP), G.PENDING_ONLINE),
        ((STARTING, START_FAILED), G.PENDING_ONLINE),
        ((STOPPING, STARTING), G.PENDING_OFFLINE),
        ((STOP_FAILED, STOPPING, STARTING, UP), G.ERROR_STOP_FAILED),
    ],
)
def test_the_joint_rules_first_that_fits_wins(members: tuple[tuple[R, S, bool], ...], state: G) -> None:
    assert state_of(members) is state
    assert state_of(tuple(reversed(members))) is state
