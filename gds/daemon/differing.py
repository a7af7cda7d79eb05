"""What differs between two sets of resources, and what a reload would do about it. Judges only.

A key that is tunable ANYTIME changes while the application runs; any other is a stop, the change, a start.
"""

from __future__ import annotations

from gds.model.resource import Group
from gds.model.value import Value, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gds.daemon.app import App
    from gds.model.resource import Resource


class Difference(Value):
    """What a reload would do to one resource: `act` is start, stop, change (live) or restart; `keys` what differs.
    `runs`: there is something to stop now; `comes`: nobody keeps it from running afterwards, else `waits` says so;
    `pauses`: its monitor rests while it changes, the application runs on. `stays`: what people switched and the file
    does not change, in words."""

    name: str
    act: str
    keys: tuple[str, ...] = ()
    runs: bool = True
    comes: bool = True
    waits: str = "it stays stopped"
    pauses: bool = False
    stays: tuple[str, ...] = ()

    def __str__(self) -> str:
        only = self.act == "change" and self.stays and not self.keys
        return f"{self.name}: {'; '.join([*([] if only else [self._steps]), *self.stays])}"

    @property
    def _steps(self) -> str:
        change = f"change {', '.join(self.keys)}"
        if self.act == "stop":
            steps = (
                "stop, no descriptor names it any more" if self.runs else "forget it, no descriptor names it any more"
            )
        elif self.act == "start":
            steps = "start, it is new" if self.comes else f"it is new; {self.waits}"
        elif not self.runs:
            steps = f"{change}, start" if self.comes and self.act == "restart" else change
            steps += "" if self.comes else f"; {self.waits}"
        elif self.pauses:
            steps = f"stop its monitor, {change}, start its monitor"
        elif self.act == "change":
            steps = f"{change} while it runs"
        else:
            steps = f"stop, {change}, start" if self.comes else f"stop, {change}"
        return steps


SWITCHES = {"enabled": ("disable", "enable"), "monitored": ("unmonitor", "monitor")}
"""Keys that are switches once the runner runs: the verbs that make them false and true."""


def switched(resource: Resource, new_app: Callable[[Resource], App]) -> dict[str, str]:
    """Key -> the verb with which somebody has switched it for good, which is stronger than any file."""
    found = {}
    for key, verbs in SWITCHES.items():
        values = {getattr(new_app(resource.replace(**{key: said})), key) for said in (False, True)}
        if len(values) == 1:  # whatever the file says
            found[key] = verbs[values.pop()]
    return found


def with_switches(difference: Difference, resource: Resource, new_app: Callable[[Resource], App]) -> Difference:
    """With the truth about what people switched: a file that says otherwise changes nothing of it."""
    made = difference
    for key, verb in switched(resource, new_app).items():
        if key in made.keys:
            now, says = getattr(new_app(resource), key), getattr(resource, key)
            stays = f"{key} stays {_toml(now)}, switched by `gds {verb}`"
            if now is not says:
                back = SWITCHES[key][says]
                stays += f", though the file says {_toml(says)} now; `gds {back} {difference.name}` follows the file"
            made = made.replace(keys=tuple([each for each in made.keys if each != key]), stays=(*made.stays, stays))
    return made


def _toml(value: bool) -> str:
    return "true" if value else "false"


def differences(
    before: Iterable[Resource], after: Iterable[Resource], anytime: frozenset[str]
) -> tuple[Difference, ...]:
    """What differs, stops first, then changes, then starts. `anytime`: the keys that may change live."""
    old = {r.name: r for r in before}
    new = {r.name: r for r in after}
    made = [Difference(name, "stop") for name in old if name not in new]
    for name, resource in new.items():
        if name in old and old[name] != resource:
            keys = tuple(k for k in fields_of(type(resource)) if getattr(old[name], k) != getattr(resource, k))
            if resource.is_address and old[name].is_address:
                from gds.model.hostname import FOLLOW

                keys = tuple([key for key in keys if key not in FOLLOW])  # its commands follow from its properties
            live = set(keys) <= anytime
            if "typed" in keys:
                keys, live = _of_type(old[name], resource, keys, anytime)
            made.append(Difference(name, "change" if live else "restart", keys))
    made += [Difference(name, "start") for name in new if name not in old]
    return tuple(made)


def _of_type(
    old: Resource, new: Resource, keys: tuple[str, ...], anytime: frozenset[str]
) -> tuple[tuple[str, ...], bool]:
    """The keys of a resource of a registered type that differ, and whether they may change live: its RTR file says so
    of its properties, and what stands in our fields follows from those."""
    if old.typed is None or new.typed is None:
        return ("type",), False
    names, live = old.typed.changes(new.typed)
    if not live:
        return names, False
    follow = {"typed", "validate_command", "description", *names}
    own = tuple([key for key in keys if key not in follow])
    return (*names, *own), set(own) <= anytime


def of_groups(before: Mapping[str, Group], after: Iterable[Group]) -> tuple[str, ...]:
    """What differs in the groups' own properties, in words; all of it takes effect at once."""
    made = []
    for group in after:
        old = before.get(group.name)
        keys = [k for k in fields_of(Group) if k != "resources" and old and getattr(old, k) != getattr(group, k)]
        if keys:
            made.append(f"group {group.name}: change {', '.join(keys)}")
    return tuple(made)
