"""A resource group on this node: its state, and what may be asked of it. Sun: semantics.md 10.2.

Rules
- The state of a managed group follows from its resources, jointly: STATES is read from the top, and the first rule that
  fits wins. An unmanaged group is UNMANAGED, whatever its resources are.
- A group whose methods run is busy, and refuses every other change until it is quiet; what it is busy with is named.
  Single resources of it may still be stopped: a Start that hangs must not hold a person back.
- PENDING_ONLINE_BLOCKED is not busy: nothing of it runs; it waits for a resource that will not come by itself.
- ERROR_STOP_FAILED is left by a stop that works, or by `clear`; nothing is started from it.
- Every pair of state and request is in RULES; a test walks them. What is asked of its resources one by one: `rule_of`.

It knows no methods and no order: those are of the resources (life.py, order.py).
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.state import GroupState, ResourceState, ResourceStatus
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_UP = (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED, ResourceState.MONITOR_FAILED)


class Member(Value):
    """One resource of the group. `waits`: it is to run, and waits for what it needs; `coming`: which comes by itself.
    `since`: how long it has been so (seconds)."""

    name: str
    state: ResourceState
    status: ResourceStatus = ResourceStatus.UNKNOWN
    enabled: bool = True
    waits: bool = False
    coming: bool = False
    because: str = ""
    since: float = 0.0


def state_of(members: Sequence[Member], managed: bool = True) -> GroupState:
    """The state of a group with these members."""
    if not managed:
        return GroupState.UNMANAGED
    states = {member.state for member in members}
    if ResourceState.STOP_FAILED in states:
        return GroupState.ERROR_STOP_FAILED
    if ResourceState.STOPPING in states:
        return GroupState.PENDING_OFFLINE
    if ResourceState.STARTING in states or any(m.waits and m.coming for m in members):
        return GroupState.PENDING_ONLINE
    if ResourceState.START_FAILED in states:
        return GroupState.ONLINE_FAULTED
    if any(m.waits for m in members):
        return GroupState.PENDING_ONLINE_BLOCKED
    up = [m.status for m in members if m.state in _UP]
    if not up:
        return GroupState.OFFLINE
    if ResourceStatus.FAULTED in up:
        return GroupState.ONLINE_FAULTED
    return GroupState.ONLINE


class Ask(StrEnum):
    """What people ask of a group."""

    ONLINE = "online"
    OFFLINE = "offline"
    RESTART = "restart"
    MANAGE = "manage"
    UNMANAGE = "unmanage"
    CHANGE = "change"
    """Its properties, or those of a resource of it."""


class Granted(Value):
    """It is done; `nothing`: it was so already."""

    nothing: bool = False


class Refused(Value):
    """It is not done; `busy`: ask again when the group is quiet."""

    because: str
    busy: bool = False


_GO, _SO, _BUSY = "go", "so already", "busy"
_UNMANAGED = "it is unmanaged; `gds rg manage {name}` first"
_STUCK = "{stuck} could not be stopped; end what is left, then `gds clear {name}`"
_UP_STILL = "it is not offline; `gds rg offline {name}` first"

_S = GroupState
RULES: dict[tuple[GroupState, Ask], str] = {
    **{(_S.UNMANAGED, ask): _UNMANAGED for ask in (Ask.ONLINE, Ask.RESTART)},
    **{(_S.UNMANAGED, ask): _SO for ask in (Ask.OFFLINE, Ask.UNMANAGE)},
    **{(_S.UNMANAGED, ask): _GO for ask in (Ask.MANAGE, Ask.CHANGE)},
    **{(state, ask): _BUSY for state in (_S.PENDING_ONLINE, _S.PENDING_OFFLINE) for ask in Ask},
    **{(state, Ask.MANAGE): _SO for state in _S if state is not _S.UNMANAGED},
    **{
        (state, ask): _GO
        for state in (_S.ONLINE, _S.ONLINE_FAULTED, _S.OFFLINE, _S.PENDING_ONLINE_BLOCKED)
        for ask in (Ask.ONLINE, Ask.OFFLINE, Ask.RESTART, Ask.CHANGE)
    },
    (_S.OFFLINE, Ask.OFFLINE): _GO,
    (_S.OFFLINE, Ask.UNMANAGE): _GO,
    **{
        (state, Ask.UNMANAGE): _UP_STILL
        for state in (_S.ONLINE, _S.ONLINE_FAULTED, _S.PENDING_ONLINE_BLOCKED, _S.ERROR_STOP_FAILED)
    },
    **{(_S.ERROR_STOP_FAILED, ask): _STUCK for ask in (Ask.ONLINE, Ask.RESTART, Ask.CHANGE)},
    (_S.ERROR_STOP_FAILED, Ask.OFFLINE): _GO,
}
"""(state, request) -> go, so already, busy, or the reason why not."""


def rule(name: str, members: Sequence[Member], managed: bool, ask: Ask) -> Granted | Refused:
    """May this be done now?"""
    state = state_of(members, managed)
    said = RULES[state, ask]
    if said == _GO:
        if ask is Ask.UNMANAGE and (enabled := [m.name for m in members if m.enabled]):
            return Refused(f"{_listed(enabled)} {_is(enabled)} enabled; `gds disable {enabled[0]}` first")
        return Granted()
    if said == _SO:
        return Granted(nothing=True)
    if said == _BUSY:
        return Refused(f"it is busy: {busy_with(members)}", busy=True)
    stuck = [m.name for m in members if m.state is ResourceState.STOP_FAILED]
    return Refused(said.format(name=name, stuck=_listed(stuck)))


WAYS_OUT = ("stop", "disable")
"""What a resource of a busy group may be asked always: its Start may hang."""
MONITORING = ("monitor", "unmonitor")
"""What no group is too busy for: nothing comes up or goes down by it; one that restarts without end is always busy."""


def rule_of(resource: str, group: str, members: Sequence[Member], act: str) -> Granted | Refused:
    """May that be asked of this resource of the group now, or ("") of each of it? `act`: start, stop, restart, enable,
    disable, monitor, unmonitor. A busy group lets through what changes the way of who is on its way itself, what leads
    out, and what is so already."""
    if act in MONITORING or state_of(members) not in (GroupState.PENDING_ONLINE, GroupState.PENDING_OFFLINE):
        return Granted()
    if resource and act in WAYS_OUT:
        return Granted()
    if all(_moves(m) or _is_so(m, act) for m in members if resource in ("", m.name)):
        return Granted()
    return Refused(f"{f'its group {group}' if resource else 'it'} is busy: {busy_with(members)}", busy=True)


def _is_so(member: Member, act: str) -> bool:
    return act in ("start", "enable") and member.enabled and member.state in _UP


def _moves(member: Member) -> bool:
    return member.waits or member.state in (ResourceState.STOPPING, ResourceState.STARTING)


def doing(act: str, what: str) -> str:
    """What is asked, in words: "take shop offline". `act`: a verb of the control socket, or an Ask."""
    form = _WORDS.get(act) or _WORDS.get(act.removeprefix("rg.")) or f"{act.removeprefix('rg.')} {{}}"
    return form.format(what)


_WORDS = {
    "online": "bring {} online",
    "offline": "take {} offline",
    "suspend": "suspend the automatic recovery of {}",
    "resume": "resume the automatic recovery of {}",
    "rg.switch": "switch a group to another node",
    "node.drain": "drain a node",
    "node.evacuate": "evacuate a node",
    "node.resume": "resume a node",
    "giveover": "give over {}",
    "reload": "reload",
}


def busy_with(members: Sequence[Member]) -> str:
    """What its methods are doing, in words."""
    moving = [m for m in members if m.state in (ResourceState.STOPPING, ResourceState.STARTING)]
    moving = moving or [m for m in members if m.waits]
    said = [f"{m.name} is {m.state.value} since {m.since:.0f} s ({m.because})" for m in moving[:2]]
    more = f", and {len(moving) - 2} more" if len(moving) > 2 else ""
    return ", ".join(said) + more


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
