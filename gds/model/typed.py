"""What a resource of a registered type has beyond one of the generic type: its type, and the settings of its
properties. Loaded only by a runner that has such a resource.

Its methods are called as Sun's RGM called them (methodcall.py). What the runner itself needs of its properties stands
in the fields of `Resource` as well, under the names that the generic type has for them.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.methodcall import About, Setting, changed, method_call, validate_call
from gds.model.restype import ResourceType, Standing, may_upgrade
from gds.model.sysprops import properties_of
from gds.model.tunable import Tunable
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.model.restype import PropertyValue


class Rests(StrEnum):
    """What has to rest while a resource takes another version of its type."""

    NOTHING = "nothing"
    MONITOR = "its monitor"
    APPLICATION = "the application"


class Typed(Value):
    """The type, and the value of each of its properties."""

    kind: ResourceType
    settings: tuple[Setting, ...] = ()

    def value(self, name: str, node: str = "") -> PropertyValue | None:
        """The value of a property, on a node; None when there is no such property."""
        found: PropertyValue | None = None
        for each in self.settings:
            if each.name.lower() == name.lower() and each.node in ("", node):
                found = each.value
                if each.node:
                    return found
        return found

    def call(self, method: str, resource: str, group: str) -> tuple[str, ...]:
        """Program and arguments of a method; empty: the type does not have it."""
        return method_call(self.kind, method, About(resource, group))

    def changes(self, after: Typed) -> tuple[tuple[str, ...], bool]:
        """The properties that differ, in lower case, and whether all of them may change while it is online. A change
        of the type itself, also of its version, may not."""
        names = tuple(dict.fromkeys([each.name.lower() for each in changed(self.settings, after.settings)]))
        if self.kind != after.kind:
            return ("type", *names), False
        tunable = {each.key: each.tunable for each in properties_of(after.kind)}
        return names, all(tunable[name] is Tunable.ANYTIME for name in names)

    def is_upgraded_by(self, after: Typed) -> bool:
        """It is another version of the same type."""
        old, new = self.kind, after.kind
        return old.unversioned.lower() == new.unversioned.lower() and old.rt_version != new.rt_version

    def upgrade(self, after: Typed, now: Standing) -> tuple[str, Rests]:
        """Why a resource may not take that version of its type, whatever rests for it; "" = it may. And the least that
        has to rest, as it stands (Sun: semantics.md 14.4)."""
        version = self.kind.rt_version
        why = may_upgrade(after.kind, version, now.replace(monitored=False, online=False, enabled=False))
        if why:
            why = f'{why}; type = "{self.kind.unversioned}:{version}" stays with the version it has'
            return why, Rests.APPLICATION
        if self._changes_live(after):
            for rests, standing in ((Rests.NOTHING, now), (Rests.MONITOR, now.replace(monitored=False))):
                if not may_upgrade(after.kind, version, standing):
                    return "", rests
        return "", Rests.APPLICATION

    def _changes_live(self, after: Typed) -> bool:
        """All that differs may change at any time; what a version brings along by its defaults is not asked."""
        old = {each.key: each for each in properties_of(self.kind)}
        new = {each.key: each for each in properties_of(after.kind)}
        for each in changed(self.settings, after.settings):
            key = each.name.lower()
            before = self.value(key, each.node)
            is_default = before == (old[key].default if key in old else None) and each.value == new[key].default
            if not is_default and new[key].tunable is not Tunable.ANYTIME:
                return False
        return True

    def call_of_creation(self, resource: str, group: str, group_settings: Iterable[Setting]) -> tuple[str, ...]:
        """Program and arguments of Validate for a resource that comes into being: everything; empty: there is none."""
        about = About(resource, group)
        return validate_call(self.kind, about, creating=True, settings=self.settings, group_settings=group_settings)

    def call_of_change(
        self, after: Typed, resource: str, group: str, group_settings: Iterable[Setting] = ()
    ) -> tuple[str, ...]:
        """Program and arguments of Validate for a change: only what changes is handed over; empty: there is none."""
        settings = changed(self.settings, after.settings)
        if self.kind != after.kind:
            settings = (Setting("Type_version", after.kind.rt_version), *settings)
        return validate_call(
            after.kind, About(resource, group), creating=False, settings=settings, group_settings=group_settings
        )

    def timeout(self, method: str) -> float:
        """Seconds that a method may take."""
        found = self.value(f"{method}_timeout")
        return float(found) if isinstance(found, int) else 3600.0
