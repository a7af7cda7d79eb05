"""Validate of resources of registered types: with which arguments it is called, and whether it has been. Loaded with
the first such resource.

Sun: semantics.md 9.1, 9.2. `-c` and all properties, those of the group too, when a resource comes into being; `-u` and
what changes when it is changed. The RGM asks it for nothing else: neither at a start nor at a restart.
"""

from __future__ import annotations

from hashlib import sha256

from gds.model.methodcall import Setting, changed
from gds.model.resource import Command, Group
from gds.model.sunview import group_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Resource

MARK = "validated "
"""Begins the name of the switch that says that Validate has seen these values; a digest of them follows."""


def of_creation(resource: Resource, group: Group | None) -> Command:
    """All of its properties, and all of its group's that are given."""
    typed = resource.typed
    assert typed is not None
    given = [each for each in group_settings(group or Group(resource.group)) if each.value != ()]
    return Command(typed.call_of_creation(resource.name, resource.group, given))


def of_change(before: Resource, after: Resource, group: Group | None = None, then: Group | None = None) -> Command:
    """What differs in it, and between its group and the group then."""
    assert before.typed is not None
    assert after.typed is not None
    return Command(before.typed.call_of_change(after.typed, after.name, after.group, _differing(group, then)))


def is_change(before: Resource, after: Resource) -> bool:
    """The one becomes the other, be it with another version of its type: nothing comes into being. As at Sun, another
    type or group is another resource."""
    if before.typed is None or after.typed is None or before.group != after.group:
        return False
    return before.typed.kind.unversioned.lower() == after.typed.kind.unversioned.lower()


def differ(group: Group | None, then: Group | None) -> bool:
    """The group has properties of Sun's that change."""
    return bool(_differing(group, then))


def _differing(group: Group | None, then: Group | None) -> tuple[Setting, ...]:
    if group is None or then is None or group.name != then.name:
        return ()
    return changed(group_settings(group), group_settings(then))


def mark_of(resource: Resource, group: Group | None) -> str:
    """The name of the switch for the values it has."""
    words = of_creation(resource, group).argv
    return MARK + sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:16]
