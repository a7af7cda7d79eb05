"""A resource in Sun's words: each property with its type and its value as scha_resource_get prints it; and a group.

Facts: semantics.md 11, 13, 15. A boolean is TRUE or FALSE, an array one line for each element, a duration seconds.
Loaded when somebody first asks; a runner at rest does not hold it.
"""

from __future__ import annotations

from gds.model.methodcall import Setting
from gds.model.propertyvalue import text_of
from gds.model.restype import PropertyType
from gds.model.sysprops import properties_of
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.model.resource import Group, Resource
    from gds.model.restype import PropertyDeclaration, ResourceType


class Shown(Value):
    """One property of a resource: `lines` is its value."""

    declaration: PropertyDeclaration
    lines: tuple[str, ...]


DEPENDENCIES = (
    "resource_dependencies",
    "resource_dependencies_weak",
    "resource_dependencies_restart",
    "resource_dependencies_offline_restart",
)


def shown(resource: Resource, kind: ResourceType, key: str, qualified: bool = False, node: str = "") -> Shown | None:
    """The property called `key` (lower case); None when it has none of that name. `qualified`: dependencies with their
    qualifiers (-Q). `node`: whose value, of one that is Per_node."""
    declaration = next((each for each in properties_of(kind) if each.key == key), None)
    if declaration is None:
        return None
    if key in DEPENDENCIES:
        needs = getattr(resource, key)
        return Shown(declaration, tuple([str(need) if qualified else need.on for need in needs]))
    if resource.typed is None:
        return Shown(declaration, _generic(resource, declaration))
    value = resource.typed.value(key, node)
    return Shown(declaration, value if isinstance(value, tuple) else (_word(value),))


def group_settings(group: Group) -> tuple[Setting, ...]:
    """The properties of a group, as Validate is handed them and scha_resourcegroup_get answers (Sun: semantics.md 13).
    An empty nodelist, all nodes, is for who knows them. Those that nobody can set here are at Sun's defaults."""
    interval = group.pingpong_interval
    return (
        Setting("RG_description", group.description),
        Setting("Nodelist", group.nodelist),
        Setting("RG_mode", group.rg_mode),
        Setting("Maximum_primaries", group.maximum_primaries),
        Setting("Desired_primaries", group.desired_primaries),
        Setting("Failback", group.failback),
        Setting("Pingpong_interval", int(interval) if interval.is_integer() else f"{interval:g}"),
        Setting("RG_dependencies", group.rg_dependencies),
        Setting("RG_affinities", group.rg_affinities),
        Setting("Implicit_network_dependencies", group.implicit_network_dependencies),
        Setting("Auto_start_on_new_cluster", group.auto_start_on_new_cluster),
        Setting("Global_resources_used", ("*",)),
        Setting("Pathprefix", ""),
        Setting("RG_project_name", "default"),
        Setting("RG_system", False),
    )


def _generic(resource: Resource, declaration: PropertyDeclaration) -> tuple[str, ...]:
    """The value of a field of ours."""
    from gds.model.properties import RESOURCE

    field = {(each.sun or each.name).lower(): each.name for each in RESOURCE}.get(declaration.key, "")
    value: Any = getattr(resource, field, declaration.default)
    if declaration.type is PropertyType.STRINGARRAY:
        return tuple([_word(each) for each in value or ()])
    return (_word(value),)


def _word(value: object) -> str:
    """One value as one word or sentence."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else str(int(value))
    if isinstance(value, bool | int):
        return text_of(value)
    if isinstance(value, tuple):
        return ",".join([_pair(each) if isinstance(each, tuple) else _word(each) for each in value])
    if isinstance(value, Value):
        return _structure(value)
    return str(value)


def _pair(value: tuple[object, ...]) -> str:
    name, *rest = value
    return f"{name}={':'.join([str(each) for each in rest])}"


def _structure(value: Value) -> str:
    from gds.model.resource import Command, ExitMap, Output, Probe

    if isinstance(value, Command):
        return value.shown
    if isinstance(value, Probe):
        return f"{value.kind} {value.target}".strip()
    if isinstance(value, Output):
        return value.path or value.kind
    if isinstance(value, ExitMap):
        return ",".join([*[f"{status}={score}" for status, score in value.pairs], f"other={value.other}"])
    return str(value)
