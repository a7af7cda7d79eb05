"""A resource type and the settings of a resource, to and from plain tuples, strings and numbers.

What `codec.py` is for a Plan: `marshal` and JSON can carry what comes out, from the process that reads RTR files to the
runner, which loads this only when it has a resource of a registered type.
"""

from __future__ import annotations

from gds.model.methodcall import Setting
from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType, Upgrade, UpgradeWhen
from gds.model.tunable import Tunable
from gds.model.value import Value, defaults_of, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any


def pack_type(kind: ResourceType) -> dict[str, Any]:
    """The type without any class of ours."""
    return {
        **_fields(kind),
        "upgrades": [_fields(each) for each in kind.upgrades],
        "declared": [_fields(each) for each in kind.declared],
    }


def unpack_type(plain: Mapping[str, Any]) -> ResourceType:
    """The reverse. Raises KeyError, TypeError or ValueError for what `pack_type` never made."""
    values = {name: _tuples(value) for name, value in plain.items()}
    values["upgrades"] = tuple([_made(Upgrade, each, when=UpgradeWhen) for each in plain["upgrades"]])
    declared = [_made(PropertyDeclaration, each, type=PropertyType, tunable=Tunable) for each in plain["declared"]]
    values["declared"] = tuple(declared)
    return ResourceType(**values)


def pack_settings(settings: Iterable[Setting]) -> list[list[Any]]:
    """Settings without any class of ours."""
    return [[each.name, each.value, each.node] for each in settings]


def unpack_settings(plain: Iterable[Sequence[Any]]) -> tuple[Setting, ...]:
    """The reverse."""
    return tuple([Setting(name, _tuples(value), node) for name, value, node in plain])


def _fields(value: Value) -> dict[str, Any]:
    """What differs from the default; a word of an enumeration as a plain string."""
    defaults = defaults_of(type(value))
    made = {field: getattr(value, field) for field in fields_of(type(value))}
    return {
        field: str(each) if isinstance(each, str) else each
        for field, each in made.items()
        if field not in defaults or each != defaults[field]
    }


def _made(cls: Callable[..., Any], plain: Mapping[str, Any], **words: Callable[[str], object]) -> Any:
    values = {field: _tuples(value) for field, value in plain.items()}
    for field, word in words.items():
        if field in values:
            values[field] = word(values[field])
    return cls(**values)


def _tuples(value: Any) -> Any:
    return tuple([_tuples(each) for each in value]) if isinstance(value, (list, tuple)) else value
