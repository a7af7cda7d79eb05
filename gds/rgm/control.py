"""Requests of a monitor, a method or a person about a group or a resource: granted or refused, and why.

Sun: semantics.md 7 and 8. `judge` answers every optag of scha_control; `giveover` is the one question that others ask
as well.

Rules, in the order in which they are asked:
- IGNORE_FAILED_START is for a running Start or Prenet_start only; CHANGE_STATE_… for proxies only.
- What is disabled is asked for nothing. RESOURCE_IS_RESTARTED only counts: it needs a resource that is up, and a type
  with Retry_interval.
- A group whose methods run is being reconfigured, and one that is not online here is not asked for anything.
- Failover_mode. RESTART_ONLY: RESOURCE_RESTART, and that at most Retry_count times in Retry_interval where both are
  given; LOG_ONLY: nothing.
- Suspend_automatic_recovery refuses what recovers.
- A giveover needs somewhere to go. On one node there is nowhere, unless the outside of the runner is the other node:
  then `on_giveover` is exit (design.md 2): everything stops in order and the runner ends with status 75, for systemd,
  a container engine or a person to act on.

CHECK_GIVEOVER and CHECK_RESTART are answered as GIVEOVER and RESTART are, and nothing is done.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.scha import Code
from gds.model.state import FailoverMode, GroupState, ResourceState
from gds.model.value import Value


class Optag(StrEnum):
    """What scha_control may be asked for (Sun: semantics.md 7.2)."""

    GIVEOVER = "GIVEOVER"
    CHECK_GIVEOVER = "CHECK_GIVEOVER"
    RESTART = "RESTART"
    CHECK_RESTART = "CHECK_RESTART"
    RESOURCE_RESTART = "RESOURCE_RESTART"
    RESOURCE_IS_RESTARTED = "RESOURCE_IS_RESTARTED"
    RESOURCE_DISABLE = "RESOURCE_DISABLE"
    IGNORE_FAILED_START = "IGNORE_FAILED_START"
    CHANGE_STATE_OFFLINE = "CHANGE_STATE_OFFLINE"
    CHANGE_STATE_ONLINE = "CHANGE_STATE_ONLINE"


class Granted(Value):
    """It is done."""


class Refused(Value):
    """It is not done."""

    because: str
    code: Code = Code.CHECKS


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Ruling: TypeAlias = Granted | Refused


class Standing(Value):
    """How the resource that is asked for stands. `starting`: its Start or Prenet_start runs. `retry_count` and
    `retry_interval` are None for a type without them; `restarts` are those that count within the interval.
    `needed_by`: who is enabled and cannot be without it. `proxy`: its type imports its state from elsewhere.
    `stopped`: a person stopped it, and it is to stay so."""

    state: ResourceState
    group_state: GroupState
    mode: FailoverMode = FailoverMode.SOFT
    on_giveover: str = "refuse"
    enabled: bool = True
    monitored: bool = True
    suspended: str = ""
    retry_count: int | None = None
    retry_interval: float | None = None
    restarts: int = 0
    starting: bool = False
    needed_by: tuple[str, ...] = ()
    proxy: bool = False
    stopped: bool = False


_UP = (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED, ResourceState.MONITOR_FAILED)
_MOVING = frozenset((Optag.GIVEOVER, Optag.CHECK_GIVEOVER))
_OF_GROUP = frozenset((*_MOVING, Optag.RESTART, Optag.CHECK_RESTART))
_RECOVERING = frozenset((*_OF_GROUP, Optag.RESOURCE_RESTART))
_PROXIED = frozenset((Optag.CHANGE_STATE_OFFLINE, Optag.CHANGE_STATE_ONLINE))
GRANTED = Granted()


def giveover(on_giveover: str) -> Ruling:
    """Whether there is somewhere to go. `on_giveover`: exit or refuse, in a cluster of one ("auto" is decided before);
    move, or "refuse: " and the reason, where there are several nodes."""
    if on_giveover in ("exit", "move"):
        return GRANTED
    return Refused(on_giveover.removeprefix("refuse").removeprefix(": ") or "there is no other node to run it on")


def judge(optag: Optag, standing: Standing) -> Ruling:
    """May this be done for that resource now?"""
    if optag is Optag.IGNORE_FAILED_START:
        return GRANTED if standing.starting else Refused("neither Start nor Prenet_start of it runs", Code.INVAL)
    if optag in _PROXIED and not standing.proxy:
        return Refused("its type is no proxy: its state is what its methods did", Code.RT)
    if not standing.enabled:
        return Refused("it is disabled", Code.STATE)
    if optag in _PROXIED:
        return _imported(standing)
    if optag is Optag.RESOURCE_IS_RESTARTED:
        return _counted(standing)
    return _placed(optag, standing) or _permitted(optag, standing) or GRANTED


def _imported(standing: Standing) -> Ruling:
    """What it stands for has changed elsewhere: only a state at rest can follow."""
    if standing.stopped:
        return Refused("it was stopped by a person", Code.STATE)
    if standing.state not in (*_UP, ResourceState.OFFLINE):
        return Refused(f"it is {standing.state.value}", Code.STATE)
    return GRANTED


def _counted(standing: Standing) -> Ruling:
    if standing.retry_interval is None:
        return Refused("its type has no Retry_interval to count restarts in", Code.RT)
    if standing.state not in _UP:
        return Refused(f"it is {standing.state.value}", Code.STATE)
    return GRANTED


def _placed(optag: Optag, standing: Standing) -> Refused | None:
    """Where it and its group stand speaks against it."""
    group = standing.group_state
    if group in (GroupState.PENDING_ONLINE, GroupState.PENDING_OFFLINE):
        return Refused(f"its group is being reconfigured ({group.value}); ask again", Code.RECONF)
    if group not in (GroupState.ONLINE, GroupState.ONLINE_FAULTED):
        return Refused(f"its group is not online here: it is {group.value}", Code.STATE)
    restartable = (*_UP, ResourceState.START_FAILED)
    if optag is Optag.RESOURCE_RESTART and standing.state not in restartable:
        return Refused(f"it is {standing.state.value}", Code.STATE)
    if optag is Optag.RESOURCE_DISABLE and standing.needed_by:
        return Refused(f"{', '.join(standing.needed_by)} cannot be without it", Code.DEPEND)
    return None


def _permitted(optag: Optag, standing: Standing) -> Refused | None:
    """What was configured, or is suspended, or nowhere to go, speaks against it."""
    mode = standing.mode
    if optag in _MOVING and not standing.monitored:
        return Refused("its monitor is disabled")
    if mode is FailoverMode.LOG_ONLY or (mode is FailoverMode.RESTART_ONLY and optag in _OF_GROUP):
        return Refused(f"failover_mode is {mode.value}")
    if standing.suspended and optag in _RECOVERING:
        return Refused(standing.suspended)
    if mode is FailoverMode.RESTART_ONLY and optag is Optag.RESOURCE_RESTART and _is_spent(standing):
        return Refused(
            f"failover_mode is RESTART_ONLY, and its {standing.retry_count} restarts within"
            f" {standing.retry_interval:g} s are used up"
        )
    if optag in _MOVING:
        ruling = giveover(standing.on_giveover)
        return ruling if isinstance(ruling, Refused) else None
    return None


def _is_spent(standing: Standing) -> bool:
    count, interval = standing.retry_count, standing.retry_interval
    return count is not None and interval is not None and 0 <= count <= standing.restarts
