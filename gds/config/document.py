"""The shape of a TOML file: what each key may hold, built by pydantic from the table of properties.

Parsed TOML goes in, values of `model/resource.py` come out, only of the keys that were given. What one key means for
another is `compile.py`'s business.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    TypeAdapter,
    WithJsonSchema,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict

from gds.config.forms import (
    OUTPUT_WORDS,
    STRICT,
    ExitMapTable,
    OrWords,
    OutputTable,
    ProbeTable,
    read_output,
    read_probe,
)
from gds.config.longest import variables
from gds.config.refusal import NOT_YET, nearest, refused, shown, unexpected
from gds.config.values import (
    DURATION_SCHEMA,
    LIMITS_SCHEMA,
    PORT_SCHEMA,
    PREFIX_SCHEMA,
    SIZE_SCHEMA,
    Affinities,
    CommandText,
    Given,
    Groups,
    Hosts,
    Interfaces,
    LimitName,
    LimitValue,
    Name,
    Needs,
    Nodes,
    PortText,
    SignalName,
    Text,
    Umask,
    Variable,
    VariableValue,
    parse_duration,
    parse_size,
    read_limits,
)
from gds.model.names import ADDRESS_TYPES
from gds.model.properties import GROUP, KINDS, RESOURCE, Property
from gds.model.state import FailoverMode


def _word(words: tuple[str, ...], later: tuple[tuple[str, str], ...], value: object) -> str:
    if isinstance(value, str):
        for word in words:
            if word.lower() == value.strip().lower():
                return word
        if instead := dict(later).get(value.strip().lower()):
            raise refused(f"{instead}; known: {', '.join(map(shown, words))}")
    listed = ", ".join([shown(str(word)) for word in words])
    by_lower = {word.lower(): str(word) for word in words}
    close = nearest(value.lower(), by_lower) if isinstance(value, str) else ""
    hint = f"; did you mean {shown(by_lower[close])}?" if close else ""
    raise refused(f"expected one of {listed}, not {shown(value)}{hint}")


def _mode(value: object) -> FailoverMode:
    return FailoverMode(_word(tuple(FailoverMode), (), value))


def _type(words: tuple[str, ...], value: object) -> str:
    if not isinstance(value, str):
        raise unexpected(KINDS["type"], value)
    for word in words:
        if word.lower() == value.strip().lower():
            return ADDRESS_TYPES[0] if word in ADDRESS_TYPES else word
    raise refused(f"a resource type other than gds is {NOT_YET}: {shown(value)}")


def _prefix(value: object) -> tuple[int, ...]:
    lengths = value if isinstance(value, list) else [value]
    if not all(type(each) is int and 0 < each <= 128 for each in lengths):
        raise unexpected(KINDS["prefix"], value)
    return tuple(lengths)


def _only(name: str, fixed: tuple[object, ...], value: object) -> object:
    if any(type(value) is type(each) and value == each for each in fixed):
        return value
    raise refused(f"{name} is {NOT_YET}; only {' and '.join(map(shown, fixed))} may be given")


def value_type(prop: Property) -> Any:
    """The pydantic type of a property's value."""
    bounds = Field(ge=prop.minimum, le=prop.maximum)
    if prop.fixed:
        return Annotated[
            Any, PlainValidator(partial(_only, prop.name, prop.fixed)), WithJsonSchema({"enum": list(prop.fixed)})
        ]
    match prop.kind:
        case "integer":
            return Annotated[StrictInt, bounds]
        case "duration":
            forever = prop.name == "monitor_retry_interval"
            parse = partial(parse_duration, minimum=prop.minimum or 0.0, forever=forever)
            return Annotated[Any, PlainValidator(parse), WithJsonSchema(DURATION_SCHEMA)]
        case "size":
            return Annotated[Any, PlainValidator(partial(_size, int(prop.minimum or 0))), WithJsonSchema(SIZE_SCHEMA)]
        case "word":
            words = partial(_word, prop.words, prop.later) if prop.name != "failover_mode" else _mode
            return Annotated[Any, PlainValidator(words), WithJsonSchema({"enum": [str(w) for w in prop.words]})]
        case "type":
            return Annotated[
                Any, PlainValidator(partial(_type, prop.words)), WithJsonSchema({"enum": list(prop.words)})
            ]
    return _TYPES[prop.kind]


def _size(least: int, value: object) -> int:
    size = parse_size(value)
    if size < least:
        raise refused(f"expected at least {least} bytes, not {shown(value)}")
    return size


def _at_commas(value: object) -> object:
    """A list of Sun's may be one string with commas, as the others of them (values.parse_list)."""
    if not isinstance(value, str):
        return value
    return [each.strip() for each in value.split(",")] if value.strip() else []


_PORT = "\\s*[0-9]{1,9}(/([Tt][Cc][Pp]|[Uu][Dd][Pp])6?)?\\s*"
_PORTS_SCHEMA = {
    "anyOf": [{"type": "array", "items": PORT_SCHEMA}, {"type": "string", "pattern": f"^(\\s*|{_PORT}(,{_PORT})*)$"}]
}


def _tuple(value: list[Any]) -> tuple[Any, ...]:
    # Not `tuple` itself: finding the signature of a built-in costs pydantic 2 ms each.
    return tuple(value)


_TYPES: dict[str, Any] = {
    "boolean": StrictBool,
    "string": Text,
    "path": Given,
    "paths": Annotated[list[Given], AfterValidator(_tuple)],
    "name": Name,
    "account": Given,
    "accounts": Annotated[list[Given], AfterValidator(_tuple)],
    "needs": Needs,
    "nodes": Nodes,
    "groups": Groups,
    "affinities": Affinities,
    "command": CommandText,
    "signal": SignalName,
    "ports": Annotated[
        list[PortText], BeforeValidator(_at_commas), AfterValidator(_tuple), WithJsonSchema(_PORTS_SCHEMA)
    ],
    "umask": Umask,
    "environment": Annotated[dict[Variable, VariableValue], AfterValidator(variables)],
    "variables": Annotated[list[Variable], AfterValidator(_tuple)],
    "limits": Annotated[dict[LimitName, LimitValue], AfterValidator(read_limits), WithJsonSchema(LIMITS_SCHEMA)],
    "probe": Annotated[ProbeTable, WrapValidator(read_probe)],
    "exit_map": ExitMapTable,
    "hosts": Hosts,
    "interfaces": Interfaces,
    "prefix": Annotated[Any, PlainValidator(_prefix), WithJsonSchema(PREFIX_SCHEMA)],
    "output": Annotated[OutputTable, WrapValidator(read_output), OrWords(*OUTPUT_WORDS)],
}


def _table(name: str, doc: str, props: tuple[Property, ...]) -> Any:
    given = {}
    for prop in props:
        if prop.supported or prop.fixed:
            given[prop.name] = Annotated[value_type(prop), Field(description=prop.help)]
    made = TypedDict(name, given, total=False)  # type: ignore[misc]  # the fields come from the table
    made.__doc__ = doc
    return with_config(STRICT)(made)


ResourceTable = _table("ResourceTable", "One application with its properties.", RESOURCE)
GroupTable = _table("GroupTable", "A set of resources that lives on one node at a time.", GROUP)

RESOURCE_TABLE: TypeAdapter[dict[str, Any]] = TypeAdapter(ResourceTable)
GROUP_TABLE: TypeAdapter[dict[str, Any]] = TypeAdapter(GroupTable)
