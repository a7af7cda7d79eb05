"""The state of a group follows from its resources. Sun: semantics.md 10.2."""

from __future__ import annotations

from typing import Any

import pytest

from gds.model.state import GroupState as G
from gds.model.state import ResourceState as R
from gds.model.state import ResourceStatus as S
from gds.rgm.group import RULES, Ask, Granted, Member, Refused, doing, rule, rule_of, state_of


def member(state: R, status: S, **more: Any) -> Member:
    """One resource of a group."""
    return Member("web", state, status, **more)


OFF, UP = member(R.OFFLINE, S.OFFLINE), member(R.ONLINE, S.OK)
DISABLED = member(R.OFFLINE, S.OFFLINE, enabled=False)
UNWATCHED, UNWATCHABLE = member(R.ONLINE_NOT_MONITORED, S.OK), member(R.MONITOR_FAILED, S.OK)
BAD, WEAK = member(R.ONLINE, S.FAULTED), member(R.ONLINE, S.DEGRADED)
STARTING, STOPPING = member(R.STARTING, S.UNKNOWN), member(R.STOPPING, S.UNKNOWN)
START_FAILED, STOP_FAILED = member(R.START_FAILED, S.FAULTED), member(R.STOP_FAILED, S.FAULTED)
WAITS, BLOCKED = member(R.OFFLINE, S.OFFLINE, waits=True, coming=True), member(R.OFFLINE, S.OFFLINE, waits=True)


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
        ((WAITS, UP), G.PENDING_ONLINE),
        ((WAITS, START_FAILED), G.PENDING_ONLINE),
        ((BLOCKED, UP), G.PENDING_ONLINE_BLOCKED),
        ((BLOCKED, START_FAILED), G.ONLINE_FAULTED),
        ((BLOCKED, STOPPING), G.PENDING_OFFLINE),
    ],
)
def test_the_joint_rules_first_that_fits_wins(members: tuple[Member, ...], state: G) -> None:
    assert state_of(members) is state
    assert state_of(tuple(reversed(members))) is state


def test_whatever_its_resources_are_an_unmanaged_group_is_unmanaged() -> None:
    assert state_of((UP, STOP_FAILED), managed=False) is G.UNMANAGED


@pytest.mark.parametrize("state", G)
@pytest.mark.parametrize("ask", Ask)
def test_every_pair_of_state_and_request_has_its_rule(state: G, ask: Ask) -> None:
    assert RULES[state, ask]


@pytest.mark.parametrize("ask", [ask for ask in Ask if ask is not Ask.MANAGE])
def test_a_busy_group_refuses_every_change_and_says_what_it_is_busy_with(ask: Ask) -> None:
    busy = Member("db", R.STARTING, S.UNKNOWN, because="asked by root", since=12.4)
    assert rule("shop", (UP, busy), True, ask) == Refused("it is busy: db is STARTING since 12 s (asked by root)", True)


def test_a_group_whose_resources_only_wait_for_each_other_is_busy_as_well() -> None:
    waiting = Member("web", R.OFFLINE, waits=True, coming=True, because="waits for db", since=2.0)
    assert rule("shop", (waiting,) * 3, True, Ask.OFFLINE) == Refused(
        "it is busy: web is OFFLINE since 2 s (waits for db), web is OFFLINE since 2 s (waits for db), and 1 more", True
    )


@pytest.mark.parametrize(
    ("members", "managed", "ask", "ruling"),
    [
        ((UP,), True, Ask.ONLINE, Granted()),
        ((UP,), True, Ask.OFFLINE, Granted()),
        ((BLOCKED,), True, Ask.OFFLINE, Granted()),
        ((UP,), True, Ask.MANAGE, Granted(nothing=True)),
        ((OFF,), False, Ask.OFFLINE, Granted(nothing=True)),
        ((OFF,), False, Ask.MANAGE, Granted()),
        ((OFF,), False, Ask.ONLINE, Refused("it is unmanaged; `gds rg manage shop` first")),
        ((UP,), True, Ask.UNMANAGE, Refused("it is not offline; `gds rg offline shop` first")),
        ((OFF,), True, Ask.UNMANAGE, Refused("web is enabled; `gds disable web` first")),
        ((OFF,) * 5, True, Ask.UNMANAGE, Refused("web, web, web and 2 more are enabled; `gds disable web` first")),
        ((DISABLED,), True, Ask.UNMANAGE, Granted()),
        (
            (STOP_FAILED,),
            True,
            Ask.ONLINE,
            Refused("web could not be stopped; end what is left, then `gds clear shop`"),
        ),
        ((STOP_FAILED,), True, Ask.OFFLINE, Granted()),
    ],
)
def test_what_may_be_asked(members: tuple[Member, ...], managed: bool, ask: Ask, ruling: Granted | Refused) -> None:
    assert rule("shop", members, managed, ask) == ruling


SLOW = Member("slow", R.STARTING, S.UNKNOWN, because="asked by root", since=12.4)
OTHERS = {
    "up": Member("web", R.ONLINE, S.OK),
    "off": Member("web", R.OFFLINE, S.OFFLINE),
    "disabled": Member("web", R.OFFLINE, S.OFFLINE, enabled=False),
    "disabled, and up": Member("web", R.ONLINE, S.OK, enabled=False),
    "failed": Member("web", R.START_FAILED, S.FAULTED),
    "stopping": Member("web", R.STOPPING, S.UNKNOWN),
    "waiting": Member("web", R.OFFLINE, S.OFFLINE, waits=True, coming=True),
}
ACTS = ("start", "stop", "restart", "enable", "disable", "monitor", "unmonitor")


@pytest.mark.parametrize("how", OTHERS)
@pytest.mark.parametrize("act", ACTS)
def test_what_may_be_asked_of_one_resource_of_a_busy_group(act: str, how: str) -> None:
    other = OTHERS[how]
    on_its_way, out = how in ("stopping", "waiting"), act in ("stop", "disable", "monitor", "unmonitor")
    is_so = act in ("start", "enable") and how == "up"
    ruling = rule_of("web", "shop", (SLOW, other), act)
    if on_its_way or out or is_so:
        assert ruling == Granted()
    else:
        with_what = "slow is STARTING since 12 s (asked by root)"
        assert ruling == Refused(f"its group shop is busy: {with_what}", busy=True)
    assert rule_of("slow", "shop", (SLOW, other), act) == Granted(), "it is on its way itself"
    assert rule_of("web", "shop", (other,), "stop") == Granted(), "whoever is on its way"


@pytest.mark.parametrize("act", ACTS)
def test_what_may_be_asked_of_each_resource_of_a_group(act: str) -> None:
    assert rule_of("", "shop", (OTHERS["up"], OTHERS["disabled"], OTHERS["failed"]), act) == Granted(), "it is quiet"
    assert rule_of("", "shop", (SLOW, OTHERS["waiting"]), act) == Granted(), "all are on their way"
    busy = Refused("it is busy: slow is STARTING since 12 s (asked by root)", busy=True)
    goes = act in ("monitor", "unmonitor")
    assert rule_of("", "shop", (SLOW, OTHERS["off"]), act) == (Granted() if goes else busy)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("how", ["up", "off", "failed", "disabled"])
def test_nobody_is_refused_because_a_group_holds_what_failed(act: str, how: str) -> None:
    stuck = Member("stuck", R.STOP_FAILED, S.FAULTED)
    assert rule_of("web", "shop", (stuck, OTHERS[how]), act) == Granted()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("rg.offline", "take shop offline"),
        ("online", "bring shop online"),
        ("rg.resume", "resume the automatic recovery of shop"),
        ("node.resume", "resume a node"),
        ("rg.unmanage", "unmanage shop"),
        ("start", "start shop"),
        ("giveover", "give over shop"),
    ],
)
def test_what_is_asked_is_told_in_words(act: str, words: str) -> None:
    assert doing(act, "shop") == words
