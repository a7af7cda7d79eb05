"""Value: frozen, slotted, typed records without the price of `dataclasses`.

Every fact, order, state and property set in gds is a Value. They behave as frozen dataclasses do (fields in the order
written, defaults, keywords, equality, hash, repr, `replace`), and static checkers treat them as such
(`dataclass_transform`). The long-lived runner may not afford the real thing: `import dataclasses` costs 14 ms and
2 MB, because it loads `inspect`.

Rules: annotations are never evaluated; a default must be immutable; a field without a default may not follow one that
has one, inherited fields first. Construction with a wrong set of fields raises TypeError.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        return lambda cls: cls


_set: Callable[[object, str, object], None] = object.__setattr__


@dataclass_transform(frozen_default=True, eq_default=True, kw_only_default=False)
class _ValueType(type):
    """Makes the slots, the defaults and the constructor of each Value class."""

    __fields__: tuple[str, ...]
    __defaults__: dict[str, Any]

    def __new__(mcls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> _ValueType:
        fields: list[str] = []
        defaults: dict[str, Any] = {}
        for parent in bases:
            fields.extend(getattr(parent, "__fields__", ()))
            defaults.update(getattr(parent, "__defaults__", {}))
        own = [f for f in space.get("__annotations__", {}) if not f.startswith("__")]
        for field in own:
            if field in space:
                defaults[field] = space.pop(field)
            elif defaults and field not in defaults:
                raise TypeError(f"{name}.{field}: a field without a default follows one that has a default")
        space["__slots__"] = tuple(own)
        space["__fields__"] = (*fields, *own)
        space["__defaults__"] = defaults
        cls = super().__new__(mcls, name, bases, space)
        if cls.__fields__ and "__init__" not in space:
            cls.__init__ = _first_init  # type: ignore[misc]
        return cls


def _compile_init(cls: _ValueType) -> Callable[..., None]:
    names = cls.__fields__
    params = ", ".join(f"{n}=_d[{n!r}]" if n in cls.__defaults__ else n for n in names)
    body = "\n".join(f" _s{i}(self, {n})" for i, n in enumerate(names))
    space: dict[str, Any] = {"_d": cls.__defaults__}
    for i, n in enumerate(names):
        space[f"_s{i}"] = getattr(cls, n).__set__
    exec(f"def __init__(self, {params}):\n{body}", space)
    init: Callable[..., None] = space["__init__"]
    return init


def _first_init(self: Value, *args: object, **kwargs: object) -> None:
    # The constructor is compiled when a class is first used: a runner never uses half of them.
    cls = type(self)
    init = _compile_init(cls)
    type.__setattr__(cls, "__init__", init)
    init(self, *args, **kwargs)


def rehearse(*classes: type[Value]) -> None:
    """Compile these constructors now: what a quiet moment does, the moment that counts need not."""
    for cls in classes:
        if cls.__dict__.get("__init__") is _first_init:
            type.__setattr__(cls, "__init__", _compile_init(cls))


class Value(metaclass=_ValueType):
    """Base of all values. Subclasses only list annotated fields; methods and properties are welcome."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot set {name}: a {type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name}: a {type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in type(self).__fields__)

    def __hash__(self) -> int:
        return hash((type(self).__name__, *[getattr(self, f) for f in type(self).__fields__]))

    def __repr__(self) -> str:
        shown = ", ".join(f"{f}={getattr(self, f)!r}" for f in type(self).__fields__)
        return f"{type(self).__name__}({shown})"

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple([getattr(self, f) for f in type(self).__fields__])

    def __setstate__(self, state: Iterable[Any]) -> None:
        for field, value in zip(type(self).__fields__, state, strict=True):
            _set(self, field, value)

    def replace(self, **changes: Any) -> Self:
        """The same value with some fields changed."""
        cls = type(self)
        for field in cls.__fields__:
            if field not in changes:
                changes[field] = getattr(self, field)
        try:
            return cls(**changes)
        except TypeError:
            unknown = sorted(set(changes) - set(cls.__fields__))
            raise TypeError(f"{cls.__name__} has no field {', '.join(unknown)}") from None


def fields_of(cls: type[Value]) -> tuple[str, ...]:
    """The field names of a Value class, in order."""
    return cls.__fields__


def defaults_of(cls: type[Value]) -> dict[str, Any]:
    """The default of each field that has one."""
    return cls.__defaults__
