"""A table whose `type` is LogicalHostname: what may stand in it, and the commands that follow from it. Pure.

Such a resource has no application: its methods are calls of our own program (model/hostname.py), so every key that
would name another command, or say how an application is asked, is refused.
"""

from __future__ import annotations

import sys

from gds.config.declared import Declared, Fault
from gds.model.hostname import FOLLOW as FOLLOW
from gds.model.hostname import LogicalHostname, commands, metric, placed_faults
from gds.model.names import ADDRESS_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.model.resource import Resource

KEYS = ("hostnamelist", "netiflist", "prefix", "check_name_service")
"""The keys that only this type has."""
PYTHON = sys.executable
"""What runs the methods: the interpreter of gds itself, the same for the runner and the process that compiles."""
_APPLICATION = "probe exit_map port_list network_aware child_mon_level stop_signal pmf_managed start_grace"
_ACCOUNT = "user group_name supplementary_groups"
FOREIGN = (*_APPLICATION.split(), *_ACCOUNT.split())
"""Keys of an application, beside the commands; and of who runs it: only root may put an address on an interface."""


def is_address(values: Mapping[str, Any]) -> bool:
    """The table declares network addresses."""
    return values.get("type") in ADDRESS_TYPES


def belongs(key: str, address: bool) -> bool:
    """A resource with network addresses, or (`address` false) one with an application, has this key."""
    if address:
        return not (key in FOREIGN or key in FOLLOW or key.endswith("_command"))
    return key not in KEYS


def faults_of(declared: Declared) -> Iterable[Fault]:
    """What is wrong with the keys of one table, of this type or of another."""
    path, keys = declared.path, declared.keys
    if not is_address(declared.values):
        if "type" not in declared.broken:
            for key in KEYS:
                if key in declared.values:
                    text = f'belongs to a resource with type = "{ADDRESS_TYPES[0]}", and this one has another'
                    yield Fault(path, (*keys, key), text, True)
        return
    for key in (*declared.values, *sorted(declared.broken)):
        if not belongs(key, True):
            text = f"cannot be given: type {ADDRESS_TYPES[0]} brings methods and a probe of its own"
            if key in _ACCOUNT.split():
                text = f"cannot be given: the methods of type {ADDRESS_TYPES[0]} run as the runner does"
            yield Fault(path, (*keys, key), text, True)
    if not declared.has("hostnamelist"):
        text = 'hostnamelist is missing: the host names that are on this node, as in hostnamelist = ["web.example"]'
        yield Fault(path, keys, text, True)
    for at, text in placed_faults(_hostname(declared.name, declared.values)):
        if at[0] in declared.values:
            yield Fault(path, (*keys, *at), text)


def mark_faults(declared: Iterable[Declared]) -> Iterable[Fault]:
    """Two resources with one mark: each would take the other's addresses for its own, and remove them."""
    marked: dict[int, Declared] = {}
    for each in declared:
        if each.group or not is_address(each.values):
            continue
        other = marked.setdefault(metric(each.name), each)
        if other.name != each.name:
            text = (
                f"the addresses of {each.name} and {other.name} cannot be told apart: in the kernel both would "
                f"carry the mark {metric(each.name):#x}, made from the name; give one another name"
            )
            yield Fault(each.path, each.keys, text, True, other=(other.path, other.keys))


def with_commands(resource: Resource) -> Resource:
    """The resource with all that follows from its type: its commands, and that Start says when it is done."""
    made = _hostname(resource.name, {key: getattr(resource, key) for key in KEYS})
    return resource.replace(**commands(made, PYTHON), ready="notify")


def _hostname(name: str, values: Mapping[str, Any]) -> LogicalHostname:
    return LogicalHostname(name, *[values.get(key, default) for key, default in zip(KEYS, _DEFAULTS, strict=True)])


_DEFAULTS: tuple[Any, ...] = ((), (), (), True)
