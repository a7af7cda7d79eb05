"""What a resource of a registered type has beyond one of the generic type: its type, and the settings of its
properties. Loaded only by a runner that has such a resource.

Its methods are called as Sun's RGM called them (methodcall.py). What the runner itself needs of its properties stands
in the fields of `Resource` as well, under the names that the generic type has for them.
"""

from __future__ import annotations

from gds.model.methodcall import About, Setting, changed, method_call, validate_call
from gds.model.restype import ResourceType
from gds.model.sysprops import properties_of
from gds.model.tunable import Tunable
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.restype import PropertyValue


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

    def call_of_change(self, after: Typed, resource: str, group: str) -> tuple[str, ...]:
        """Program and arguments of Validate for a change: only what changes is handed over; empty: there is none."""
        settings = changed(self.settings, after.settings)
        return validate_call(after.kind, About(resource, group), creating=False, settings=settings)

    def timeout(self, method: str) -> float:
        """Seconds that a method may take."""
        found = self.value(f"{method}_timeout")
        return float(found) if isinstance(found, int) else 3600.0
