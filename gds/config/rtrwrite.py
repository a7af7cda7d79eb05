"""A ResourceType → the text of an RTR file that `rtr.py` reads back as the same type."""

from __future__ import annotations

from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType
from gds.model.tunable import Tunable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.model.restype import PropertyValue


def write_rtr(kind: ResourceType, comment: Iterable[str] = ()) -> str:
    """The file, with `comment` lines before it. `installed_nodes` and `rt_system` never stand in one (semantics.md
    14.1) and are left out."""
    lines = [*[f"# {text}".rstrip() for text in comment], f"Resource_type = {_quoted(kind.resource_type)};"]
    if kind.vendor_id:
        lines.append(f"Vendor_id = {_quoted(kind.vendor_id)};")
    lines.append(f"RT_version = {_quoted(kind.rt_version)};")
    if kind.rt_description:
        lines.append(f"RT_description = {_quoted(kind.rt_description)};")
    lines.append(f"API_version = {kind.api_version};")
    if kind.rt_basedir:
        lines.append(f"RT_basedir = {_quoted(kind.rt_basedir)};")
    for name, holds in (
        ("Failover", kind.failover),
        ("Single_instance", kind.single_instance),
        ("Proxy", kind.proxy),
        ("Global_zone", kind.global_zone),
    ):
        if holds:
            lines.append(f"{name} = TRUE;")
    lines.append(f"Init_nodes = {kind.init_nodes};")
    if kind.pkglist:
        lines.append(f"Pkglist = {_listed(kind.pkglist)};")
    if kind.sysdefined_type != "NONE":
        lines.append(f"Sysdefined_type = {kind.sysdefined_type};")
    lines += ["", *[f"{method} = {_quoted(path)};" for method, path in kind.methods]]
    if kind.upgrade_aware:
        lines += ["", "#$upgrade"]
        lines += [f"#$upgrade_from {_quoted(each.from_version)} {each.when}" for each in kind.upgrades]
    for each in kind.declared:
        lines += ["", *_block(each)]
    return "\n".join(lines) + "\n"


def _block(each: PropertyDeclaration) -> list[str]:
    made = [f"PROPERTY = {each.name};"]
    if each.extension:
        made.append("EXTENSION;")
        words = f" {{ {', '.join(each.enumlist)} }}" if each.type is PropertyType.ENUM else ""
        made.append(f"{each.type}{words};")
        if each.per_node:
            made.append("PER_NODE;")
    for name, size in (
        ("MIN", each.minimum),
        ("MAX", each.maximum),
        ("MINLENGTH", each.min_length),
        ("MAXLENGTH", each.max_length),
        ("ARRAY_MINSIZE", each.array_min),
        ("ARRAY_MAXSIZE", each.array_max),
    ):
        if size is not None:
            made.append(f"{name} = {size};")
    if each.default is not None:
        made.append(f"DEFAULT = {_value(each, each.default)};".replace("=  ;", "= ;"))
    made.append(f"TUNABLE = {'FALSE' if each.tunable is Tunable.NONE else each.tunable};")
    if each.description:
        made.append(f"DESCRIPTION = {_quoted(each.description)};")
    return ["{", *[f"\t{line}" for line in made], "}"]


def _value(each: PropertyDeclaration, value: PropertyValue) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, tuple):
        return _listed(value)
    return _quoted(value) if isinstance(value, str) and each.type is not PropertyType.ENUM else str(value)


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join([_quoted(value) for value in values])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
