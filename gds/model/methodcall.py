"""The calls of a type's methods: program and arguments, as Sun's RGM makes them.

Facts: semantics.md 9.1.

    method   -R resource -T type -G group [-Z zone]
    validate [-c | -u] -R ... -T ... -G ... [-r prop=val]... [-x prop=val]... [-X prop{node}=val]... [-g prop=val]...

`-c` hands over everything, because a resource that is being created cannot be asked; `-u` only what changes. A value
is one word, an array's elements with commas between them. Pure, and of the model alone: a runner holds this.
"""

from __future__ import annotations

from gds.model.propertyvalue import text_of
from gds.model.restype import ResourceType
from gds.model.sysprops import properties_of
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.model.restype import PropertyValue


class Setting(Value):
    """The value of one property; `node` when it is that of one node only (`Per_node`)."""

    name: str
    value: PropertyValue
    node: str = ""


class About(Value):
    """What a method is called for; `zone` stays empty on Linux unless somebody fills it."""

    resource: str
    group: str
    zone: str = ""


def method_call(kind: ResourceType, method: str, about: About) -> tuple[str, ...]:
    """Program and arguments of any method but Validate; empty when the type has no such method."""
    program = kind.path_of(method)
    return (program, *_identity(kind, about), *_zone(about)) if program else ()


def validate_call(
    kind: ResourceType,
    about: About,
    *,
    creating: bool,
    settings: Iterable[Setting],
    group_settings: Iterable[Setting] = (),
) -> tuple[str, ...]:
    """Program and arguments of Validate; empty when the type has none.

    `creating`: `settings` are all of the resource's (`all_settings`), `group_settings` all of its group's; otherwise
    those that change. System-defined properties come first, then extension properties, then those of the group.
    """
    program = kind.path_of("Validate")
    if not program:
        return ()
    extension = {each.key for each in properties_of(kind) if each.extension}
    system: list[Setting] = []
    own: list[Setting] = []
    for each in settings:
        (own if each.name.lower() in extension else system).append(each)
    words = [program, "-c" if creating else "-u", *_identity(kind, about)]
    for each in system:
        words += ["-r", _assigned(each)]
    for each in own:
        words += ["-X" if each.node else "-x", _assigned(each)]
    for each in group_settings:
        words += ["-g", _assigned(each)]
    return (*words, *_zone(about))


def changed(before: Iterable[Setting], after: Iterable[Setting]) -> tuple[Setting, ...]:
    """The settings of `after` that differ: what `validate -u` is handed, and what Update is called for."""
    old = {(each.name.lower(), each.node): each.value for each in before}
    return tuple([each for each in after if old.get((each.name.lower(), each.node)) != each.value])


def _identity(kind: ResourceType, about: About) -> tuple[str, ...]:
    return ("-R", about.resource, "-T", kind.name, "-G", about.group)


def _zone(about: About) -> tuple[str, ...]:
    return ("-Z", about.zone) if about.zone else ()


def _assigned(setting: Setting) -> str:
    node = f"{{{setting.node}}}" if setting.node else ""
    return f"{setting.name}{node}={text_of(setting.value)}"
