"""A change of properties: what changes, whether it may change now, and which methods are called, in which order. Pure.

Rules (Sun: semantics.md 9.1, 9.2, 11)
- ANYTIME may change while the application runs. WHEN_DISABLED only while the resource is disabled; `restart` is the
  person's word that it may be stopped for it. AT_CREATION and NONE never by a live change.
- A change is made as a whole or not at all: one key that may not change now refuses all of them.
- A busy group changes nothing; nor does one that holds what could not be stopped (what the group says is handed in).
- Validate is asked of the values as they would be, before anything is touched. A change that needs no stop is then
  made at once, and Update follows where the resource is online. One that needs a stop is Stop, change, Start, and is
  counted in no budget; what a person stopped stays down.
- A change that changes nothing calls nothing.

Who may ask, and whether a value is right, is decided elsewhere (daemon/receptionist.py, config/setter.py).
"""

from __future__ import annotations

from gds.model.tunable import Tunable
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gds.model.resource import Group, Resource

VALIDATE, STOP, CHANGE, START, UPDATE = "Validate", "Stop", "change", "Start", "Update"


class Situation(Value):
    """How the resource, or the group, stands now. `wanted`: this node is to run it, and no person stopped it; `online`:
    Update has somebody to talk to; `down`: nothing of it runs, and nothing needs to be stopped. `busy` and `stuck` are
    what its group says against any change ("" = nothing)."""

    enabled: bool = True
    wanted: bool = True
    online: bool = False
    down: bool = True
    busy: str = ""
    stuck: str = ""


class Step(Value):
    """A method of a resource to call; CHANGE is the moment from which the new values count."""

    resource: str
    what: str


class Refused(Value):
    """Nothing is changed; `busy`: ask again when the group is quiet. `key` is the one that stands in the way."""

    because: str
    busy: bool = False
    key: str = ""


class Update(Value):
    """What is done: `keys` that change, and the steps in order."""

    keys: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def is_live(self) -> bool:
        """Nothing has to be stopped."""
        return all(step.what != STOP for step in self.steps)


_KINDS = {
    Tunable.AT_CREATION: "can only be given when {what} is created; write it into the descriptor, and `gds reload`"
    " takes {what} down and brings it up anew",
    Tunable.NONE: "can never be changed; declare a new resource under another name",
}


def of_resource(
    before: Resource,
    after: Resource,
    keys: Sequence[str],
    tunable: Mapping[str, Tunable],
    now: Situation,
    restart: bool = False,
) -> Update | Refused:
    """A change of these keys of a resource; keys that follow from them (network_aware) change with them."""
    changed = tuple([key for key in keys if _differs(before, after, key)])
    if not changed:
        return Update()
    refused = _against(before.name, "the resource", changed, tunable, now)
    if refused is not None:
        return refused
    held = [key for key in changed if tunable[key] is Tunable.WHEN_DISABLED]
    if held and now.enabled and not restart:
        return Refused(
            f"{held[0]} can only be changed while {before.name} is disabled; --restart stops it, changes"
            f" {'it' if len(held) == 1 else 'all of it'}, and starts it again",
            key=held[0],
        )
    name = before.name
    steps = [Step(name, VALIDATE)] if after.validate_command is not None else []
    if held and not now.down:
        steps.append(Step(name, STOP))
    steps.append(Step(name, CHANGE))
    if held:
        if now.enabled and now.wanted:
            steps.append(Step(name, START))
    elif now.online and after.update_command is not None:
        steps.append(Step(name, UPDATE))
    return Update(changed, tuple(steps))


def _differs(before: Resource, after: Resource, key: str) -> bool:
    if before.typed is not None and after.typed is not None:
        name, _, node = key.rstrip("}").partition("{")
        return before.typed.value(name, node) != after.typed.value(name, node)
    return bool(getattr(before, key, None) != getattr(after, key, None))


def of_group(
    before: Group,
    after: Group,
    keys: Sequence[str],
    tunable: Mapping[str, Tunable],
    now: Situation,
    members: Sequence[tuple[Resource, bool]],
) -> Update | Refused:
    """A change of these keys of a group: each member is asked (Validate) and, where it is online, told (Update)."""
    changed = tuple([key for key in keys if getattr(before, key, None) != getattr(after, key, None)])
    if not changed:
        return Update()
    refused = _against(before.name, "the group", changed, tunable, now)
    if refused is not None:
        return refused
    asked = [Step(r.name, VALIDATE) for r, _ in members if r.validate_command is not None]
    told = [Step(r.name, UPDATE) for r, online in members if online and r.update_command is not None]
    return Update(changed, (*asked, Step(before.name, CHANGE), *told))


def _against(
    name: str, what: str, changed: Sequence[str], tunable: Mapping[str, Tunable], now: Situation
) -> Refused | None:
    for key in changed:
        if tunable[key] in _KINDS:
            return Refused(f"{key} {_KINDS[tunable[key]].format(what=what)}", key=key)
    if now.busy:
        return Refused(now.busy, busy=True)
    if now.stuck:
        return Refused(now.stuck)
    return None
