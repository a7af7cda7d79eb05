"""What scha_control is granted and refused: every row of semantics.md 7.4 and 8, and each rule of 7.1 to 7.3."""

from __future__ import annotations

import pytest

from gds.model.scha import Code
from gds.model.state import FailoverMode, GroupState, ResourceState
from gds.rgm.control import Granted, Optag, Refused, Standing, giveover, judge

M, A, R, G = FailoverMode, Optag, ResourceState, GroupState
UP = Standing(R.ONLINE, G.ONLINE, on_giveover="exit", retry_count=2, retry_interval=300.0)
CHECKS, STATE, RECONF = Code.CHECKS, Code.STATE, Code.RECONF
OF_GROUP = (A.GIVEOVER, A.RESTART, A.CHECK_GIVEOVER, A.CHECK_RESTART)
RECOVERING = (A.RESOURCE_RESTART, *OF_GROUP)


def code(optag: Optag, standing: Standing) -> Code:
    """The answer as Sun's exit status."""
    ruling = judge(optag, standing)
    if isinstance(ruling, Refused):
        assert ruling.because
        return ruling.code
    return Code.NOERR


def test_a_giveover_is_granted_only_where_the_outside_is_the_other_node() -> None:
    assert giveover("exit") == Granted()
    assert giveover("refuse") == Refused("there is no other node to run it on")


@pytest.mark.parametrize("optag", RECOVERING)
@pytest.mark.parametrize("mode", [M.NONE, M.SOFT, M.HARD])
def test_none_soft_and_hard_do_not_limit_what_a_monitor_asks_for(mode: FailoverMode, optag: Optag) -> None:
    """Surprise 8: NONE does not stop a monitor from failing over."""
    assert code(optag, UP.replace(mode=mode, restarts=100)) is Code.NOERR


@pytest.mark.parametrize(
    ("mode", "optag", "expected"),
    [
        *[(M.RESTART_ONLY, optag, CHECKS) for optag in OF_GROUP],
        (M.RESTART_ONLY, A.RESOURCE_RESTART, Code.NOERR),
        (M.RESTART_ONLY, A.RESOURCE_DISABLE, Code.NOERR),
        *[(M.LOG_ONLY, optag, CHECKS) for optag in OF_GROUP],
        (M.LOG_ONLY, A.RESOURCE_RESTART, CHECKS),
        (M.LOG_ONLY, A.RESOURCE_DISABLE, CHECKS),
        (M.LOG_ONLY, A.RESOURCE_IS_RESTARTED, Code.NOERR),
    ],
)
def test_restart_only_and_log_only(mode: FailoverMode, optag: Optag, expected: Code) -> None:
    assert code(optag, UP.replace(mode=mode)) is expected


@pytest.mark.parametrize(
    ("count", "interval", "restarts", "expected"),
    [
        (2, 300.0, 0, Code.NOERR),
        (2, 300.0, 1, Code.NOERR),
        (2, 300.0, 2, CHECKS),
        (2, 300.0, 3, CHECKS),
        (0, 300.0, 0, CHECKS),
        (-1, 300.0, 100, Code.NOERR),
        (None, 300.0, 100, Code.NOERR),
        (2, None, 100, Code.NOERR),
        (None, None, 100, Code.NOERR),
    ],
)
def test_restart_only_limits_restarts_where_both_numbers_are_given(
    count: int | None, interval: float | None, restarts: int, expected: Code
) -> None:
    standing = UP.replace(mode=M.RESTART_ONLY, retry_count=count, retry_interval=interval, restarts=restarts)
    assert code(A.RESOURCE_RESTART, standing) is expected


@pytest.mark.parametrize("optag", [*RECOVERING, A.RESOURCE_DISABLE])
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (G.ONLINE, Code.NOERR),
        (G.ONLINE_FAULTED, Code.NOERR),
        (G.PENDING_ONLINE, RECONF),
        (G.PENDING_OFFLINE, RECONF),
        (G.PENDING_ONLINE_BLOCKED, STATE),
        (G.OFFLINE, STATE),
        (G.UNMANAGED, STATE),
        (G.ERROR_STOP_FAILED, STATE),
    ],
)
def test_a_group_that_is_not_online_here_or_is_busy_refuses(group: GroupState, expected: Code, optag: Optag) -> None:
    assert code(optag, UP.replace(group_state=group)) is expected


def test_every_group_state_has_an_answer() -> None:
    assert {judge(A.RESTART, UP.replace(group_state=group)).__class__ for group in G} == {Granted, Refused}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (R.ONLINE, Code.NOERR),
        (R.ONLINE_NOT_MONITORED, Code.NOERR),
        (R.MONITOR_FAILED, Code.NOERR),
        (R.START_FAILED, Code.NOERR),
        (R.OFFLINE, STATE),
        (R.STARTING, STATE),
        (R.STOPPING, STATE),
        (R.STOP_FAILED, STATE),
    ],
)
def test_a_resource_is_restarted_when_it_is_up_or_failed_to_start(state: ResourceState, expected: Code) -> None:
    assert code(A.RESOURCE_RESTART, UP.replace(state=state)) is expected


@pytest.mark.parametrize("optag", [*RECOVERING, A.RESOURCE_IS_RESTARTED, A.RESOURCE_DISABLE])
def test_what_is_disabled_is_asked_for_nothing(optag: Optag) -> None:
    assert code(optag, UP.replace(enabled=False)) is STATE


@pytest.mark.parametrize(("optag", "expected"), [(A.GIVEOVER, CHECKS), (A.CHECK_GIVEOVER, CHECKS), (A.RESTART, 0)])
def test_one_whose_monitor_is_disabled_does_not_give_over(optag: Optag, expected: int) -> None:
    assert code(optag, UP.replace(monitored=False)) == expected


@pytest.mark.parametrize("optag", RECOVERING)
def test_suspended_recovery_refuses_what_recovers(optag: Optag) -> None:
    assert judge(optag, UP.replace(suspended="suspended")) == Refused("suspended", CHECKS)


@pytest.mark.parametrize("optag", [A.RESOURCE_DISABLE, A.RESOURCE_IS_RESTARTED])
def test_suspended_recovery_refuses_nothing_else(optag: Optag) -> None:
    assert code(optag, UP.replace(suspended="suspended")) is Code.NOERR


@pytest.mark.parametrize(
    ("optag", "expected"), [(A.GIVEOVER, CHECKS), (A.CHECK_GIVEOVER, CHECKS), (A.RESTART, 0), (A.RESOURCE_RESTART, 0)]
)
def test_without_another_node_only_a_giveover_is_refused(optag: Optag, expected: int) -> None:
    assert code(optag, UP.replace(on_giveover="refuse")) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Code.NOERR),
        ({"retry_interval": None}, Code.RT),
        ({"state": R.MONITOR_FAILED}, Code.NOERR),
        ({"state": R.STARTING}, STATE),
        ({"group_state": G.PENDING_ONLINE}, Code.NOERR),
        ({"mode": M.RESTART_ONLY, "restarts": 100}, Code.NOERR),
    ],
)
def test_a_restart_is_counted_for_what_is_up_and_has_an_interval(changes: dict[str, object], expected: Code) -> None:
    assert code(A.RESOURCE_IS_RESTARTED, UP.replace(**changes)) is expected


def test_a_failed_start_is_ignored_only_from_within_that_start() -> None:
    pending = UP.replace(state=R.STARTING, group_state=G.PENDING_ONLINE)
    assert code(A.IGNORE_FAILED_START, pending.replace(starting=True)) is Code.NOERR
    assert code(A.IGNORE_FAILED_START, pending) is Code.INVAL


@pytest.mark.parametrize("optag", [A.CHANGE_STATE_OFFLINE, A.CHANGE_STATE_ONLINE])
def test_only_a_proxy_has_its_state_changed_without_methods(optag: Optag) -> None:
    assert code(optag, UP) is Code.RT
    assert code(optag, UP.replace(proxy=True)) is Code.NOERR
    assert code(optag, UP.replace(proxy=True, state=R.OFFLINE, group_state=G.OFFLINE)) is Code.NOERR


@pytest.mark.parametrize(
    "changes", [{"enabled": False}, {"stopped": True}, {"state": R.STARTING}, {"state": R.STOP_FAILED}]
)
def test_a_proxy_follows_only_where_somebody_wants_it_and_nothing_is_under_way(changes: dict[str, object]) -> None:
    assert code(A.CHANGE_STATE_ONLINE, UP.replace(proxy=True, **changes)) is STATE


def test_what_others_need_is_not_disabled() -> None:
    assert judge(A.RESOURCE_DISABLE, UP.replace(needed_by=("web", "mail"))) == Refused(
        "web, mail cannot be without it", Code.DEPEND
    )


def test_a_check_is_answered_as_the_act_is() -> None:
    standings = [
        UP.replace(mode=mode, group_state=group, monitored=monitored, on_giveover=where)
        for mode in M
        for group in G
        for monitored in (True, False)
        for where in ("exit", "refuse")
    ]
    for standing in standings:
        assert judge(A.CHECK_GIVEOVER, standing) == judge(A.GIVEOVER, standing)
        assert judge(A.CHECK_RESTART, standing) == judge(A.RESTART, standing)
