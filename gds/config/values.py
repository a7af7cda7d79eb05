"""Single values of a descriptor: text, numbers with units, commands, signals, ports, surroundings of a process.

Each `parse_…` takes what tomllib read and returns the model's value, or refuses with the whole message. The annotated
types are what `document.py` builds its tables from; each carries its JSON schema.
"""

from __future__ import annotations

import math
import re
import signal as signals
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, StrictStr, WithJsonSchema

from gds.config.longest import check_word
from gds.config.refusal import did_you_mean, refused, shown, unexpected
from gds.model.names import name_fault
from gds.model.properties import KINDS
from gds.model.resource import QUALIFIERS, UNLIMITED, Command, Need, Port

# -- strings ------------------------------------------------------------------------------------------------------


def _text(value: str) -> str:
    if "\0" in value:
        raise refused("a string may not hold the character NUL (\\u0000)")
    return value


def _given(value: str) -> str:
    if not value.strip():
        raise refused("may not be empty")
    return _text(value)


def _name(value: str) -> str:
    if fault := name_fault(value):
        raise refused(fault)
    return value


Text = Annotated[StrictStr, AfterValidator(_text)]
Given = Annotated[StrictStr, AfterValidator(_given), WithJsonSchema({"type": "string", "minLength": 1})]
NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,254}$"
Name = Annotated[StrictStr, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]


# -- numbers with units -------------------------------------------------------------------------------------------

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_LONGEST = 100 * 366 * 86400.0


def parse_duration(value: object, minimum: float = 0.0, forever: bool = False) -> float:
    """Seconds; `forever` lets -1 mean without end."""
    what = KINDS["duration"]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise unexpected(what, value)
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            if value.strip().startswith("-"):
                raise refused(f"a duration may not be negative: {shown(value)}")
            raise unexpected(what, value)
        seconds = float(match[1]) * _SECONDS[match[2]]
    elif isinstance(value, float) and not math.isfinite(value):
        raise refused(f"a duration has to be finite, not {shown(value)}")
    else:
        if forever and value == -1:
            return math.inf
        if value < 0:
            raise refused(f"a duration may not be negative: {shown(value)}")
        seconds = float(value) if value <= _LONGEST else math.inf
    if seconds > _LONGEST:
        raise refused(f"a duration may be at most 100 years, not {shown(value)}")
    if seconds < minimum:
        raise refused(f"expected at least {plain(minimum)} s, not {shown(value)}")
    return seconds


_SIZE = re.compile(r"([0-9]{1,15})\s*([kKMGT]i?B?|B)?", re.ASCII)
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE_WORDS = 'a number of bytes, or a string such as "10MiB" (2^20) or "10MB" (10^6)'


def parse_size(value: object) -> int:
    """Bytes."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise unexpected(_SIZE_WORDS, value)
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise unexpected(_SIZE_WORDS, value)
        return int(match[1]) * _BYTES[(match[2] or "").removesuffix("B").lower()]
    if not 0 <= value < 2**63:
        raise unexpected(_SIZE_WORDS, value)
    return value


def plain(number: float) -> str:
    """A number without a needless fraction."""
    return str(int(number)) if number == int(number) else str(number)


DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*(ms|s|m|h|d)?\\s*$"},
    ]
}
SIZE_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^\\s*[0-9]+\\s*([kKMGT]i?B?|B)?\\s*$"}]
}
Duration = Annotated[Any, PlainValidator(parse_duration), WithJsonSchema(DURATION_SCHEMA)]
Size = Annotated[Any, PlainValidator(parse_size), WithJsonSchema(SIZE_SCHEMA)]


# -- commands, signals, ports -------------------------------------------------------------------------------------


def parse_command(value: object) -> Command:
    """An array is executed as it is; a string is handed to /bin/sh -c."""
    if isinstance(value, str):
        if not value.strip():
            raise refused("a command may not be empty")
        check_word(value)
        return Command(("/bin/sh", "-c", value), value)
    if not isinstance(value, list):
        raise unexpected(KINDS["command"], value)
    if not value:
        raise refused("a command may not be empty")
    for place, word in enumerate(value):
        if not isinstance(word, str):
            raise unexpected("a string (a command is an array of strings)", word, place)
        check_word(word, place)
    if not value[0].strip():
        raise refused("the first word of a command is the program, and may not be empty", 0)
    return Command(tuple(value))


def parse_signal(value: object) -> int:
    """The number of a signal given by name, with or without SIG, or by number."""
    what = KINDS["signal"]
    if isinstance(value, str):
        name = value.strip().upper().removeprefix("SIG")
        if name.isascii() and name.isdigit() and len(name) < 4:
            value = int(name)
        elif match := re.fullmatch(r"RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?", name):
            first, last = int(signals.SIGRTMIN), int(signals.SIGRTMAX)
            step = int(match[3] or 0) * (-1 if match[2] == "-" else 1)
            number = (first if match[1] == "MIN" else last) + step
            if not first <= number <= last:
                raise unexpected(what, value)
            return number
        else:
            known = {s.name.removeprefix("SIG"): s.value for s in signals.Signals} | {"IOT": 6, "POLL": 29, "CLD": 17}
            if name not in known:
                hint = did_you_mean(f"SIG{name}", [f"SIG{each}" for each in known])
                raise refused(f"expected {what}, not {shown(value)}{hint}")
            return known[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise unexpected(what, value)
    if value not in set(signals.valid_signals()):
        raise refused(f"expected the number of a signal, 1 to {int(signals.SIGRTMAX)}, not {shown(value)}")
    return int(value)


PROTOCOLS = ("tcp", "tcp6", "udp", "udp6")


def parse_port(value: object) -> Port:
    """One entry of port_list: port/protocol; protocol in any capitalisation, tcp when there is none."""
    what = 'a port such as "8080/tcp"'
    if isinstance(value, int) and not isinstance(value, bool):
        number, protocol = value, "tcp"
    elif isinstance(value, str):
        digits, slash, protocol = value.strip().partition("/")
        if not re.fullmatch(r"[0-9]{1,9}", digits, re.ASCII):
            raise unexpected(what, value)
        number, protocol = int(digits), protocol.lower() if slash else "tcp"
        if protocol not in PROTOCOLS:
            hint = did_you_mean(protocol, PROTOCOLS)
            raise refused(f"expected one of the protocols {', '.join(PROTOCOLS)}, not {shown(protocol)}{hint}")
    else:
        raise unexpected(what, value)
    if not 1 <= number <= 65535:
        raise refused(f"expected a port from 1 to 65535, not {shown(number)}")
    return Port(number, protocol)


COMMAND_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]
}
SIGNAL_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": "^\\s*([Ss][Ii][Gg])?[A-Za-z0-9+-]+\\s*$"},
        {"type": "integer", "minimum": 1, "maximum": 64},
    ]
}
PORT_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": "^\\s*[0-9]{1,9}(/([Tt][Cc][Pp]|[Uu][Dd][Pp])6?)?\\s*$"},
        {"type": "integer", "minimum": 1, "maximum": 65535},
    ]
}
CommandText = Annotated[Any, PlainValidator(parse_command), WithJsonSchema(COMMAND_SCHEMA)]
SignalName = Annotated[Any, PlainValidator(parse_signal), WithJsonSchema(SIGNAL_SCHEMA)]
PortText = Annotated[Any, PlainValidator(parse_port), WithJsonSchema(PORT_SCHEMA)]


# -- resources, groups and nodes ----------------------------------------------------------------------------------

SIGNS = ("+++", "++", "+", "--", "-")
"""What an entry of rg_affinities begins with, the longer before the shorter."""


def parse_list(one: Callable[[str], Any], what: str, value: object) -> tuple[Any, ...]:
    """An array of strings, or one string with commas as Sun wrote it; an empty string is an empty list."""
    parts = (value.split(",") if value.strip() else []) if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise unexpected(KINDS[what], value)
    made = []
    for place, part in enumerate(parts):
        if not isinstance(part, str):
            raise unexpected("a string", part, place)
        try:
            made.append(one(part.strip()))
        except _Odd as odd:
            raise refused(f"{shown(part)}: {odd}", place) from None
    return tuple(made)


class _Odd(Exception):
    """What is wrong with one entry of a list."""


def _named(name: str) -> str:
    if fault := name_fault(name):
        raise _Odd(fault)
    return name


def _need(text: str) -> Need:
    name, at, node = text.partition("@")
    if at:
        return Need(_named(name.rstrip()), _named(node.lstrip()))
    name, brace, where = text.partition("{")
    if not brace:
        return Need(_named(name))
    if not where.endswith("}"):
        raise _Odd("after { a } is missing; write it as NAME{LOCAL_NODE}")
    qualifier = where[:-1].strip().upper()
    if qualifier not in QUALIFIERS:
        listed = ", ".join([f"{{{each}}}" for each in QUALIFIERS])
        raise _Odd(f"expected one of {listed}{did_you_mean(qualifier, QUALIFIERS)}")
    return Need(_named(name.rstrip()), qualifier)


def _affinity(text: str) -> str:
    for sign in SIGNS:
        if text.startswith(sign):
            return sign + _named(text.removeprefix(sign).lstrip())
    raise _Odd(f"begins with none of the signs {' '.join(SIGNS)}")


_NAME = NAME_PATTERN[1:-1]
_QUALIFIED = f"{_NAME}\\s*(\\{{\\s*({'|'.join(QUALIFIERS)})\\s*\\}}|@\\s*{_NAME})?"
_SIGNED = f"(\\+{{1,3}}|--?)\\s*{_NAME}"


def _list_type(one: Callable[[str], Any], what: str, pattern: str) -> Any:
    element = f"\\s*{pattern}\\s*"
    schema = {
        "anyOf": [
            {"type": "array", "items": {"type": "string", "pattern": f"^{element}$"}},
            {"type": "string", "pattern": f"^(\\s*|{element}(,{element})*)$"},
        ]
    }
    return Annotated[Any, PlainValidator(partial(parse_list, one, what)), WithJsonSchema(schema)]


Needs = _list_type(_need, "needs", _QUALIFIED)
Nodes = _list_type(_named, "nodes", _NAME)
Groups = _list_type(_named, "groups", _NAME)
Affinities = _list_type(_affinity, "affinities", _SIGNED)
Hosts = _list_type(str, "hosts", "[^\\s,/@%-][^\\s,/@%]*")
Interfaces = _list_type(str, "interfaces", "[^\\s,/:@-][^\\s,/:@]{0,14}(@[^\\s,]+)?")
"""What may stand in these two is judged with the rest of the resource (addressed.py)."""
_LENGTH = {"type": "integer", "minimum": 1, "maximum": 128}
PREFIX_SCHEMA: dict[str, Any] = {"anyOf": [_LENGTH, {"type": "array", "items": _LENGTH, "maxItems": 2}]}


# -- surroundings of a process ------------------------------------------------------------------------------------


def parse_umask(value: object) -> int:
    """A string of octal digits; a number is taken as it is, and `load.py` looks that it was written 0o027."""
    if isinstance(value, str) and re.fullmatch(r"(0o)?[0-7]{1,4}", value):
        number = int(value.removeprefix("0o"), 8)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise unexpected(KINDS["umask"], value)
    if not 0 <= number <= 0o777:
        raise refused(f"expected a umask from 000 to 777 (octal), not {shown(value)}")
    return number


def _variable(value: str) -> str:
    if not re.fullmatch(r"[^\s=\0-\x1f\x7f]+", value):
        raise unexpected("the name of an environment variable (no '=', no blank)", value)
    return value


def _variable_value(value: object) -> str:
    # The value itself is never shown: people keep secrets here.
    if not isinstance(value, str):
        hint = "" if isinstance(value, (dict, list)) else ": put it in quotes"
        raise refused(f"the value of an environment variable has to be a string{hint}")
    return _text(value)


LIMITS = (
    *("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"),
    *("rttime", "sigpending", "stack"),
)
"""The names of RLIMIT_* in lower case."""


def _limit_name(value: str) -> str:
    name = value.lower().removeprefix("rlimit_")
    if name not in LIMITS:
        raise refused(f"unknown limit {shown(value)}" + did_you_mean(name, LIMITS, f"; known: {', '.join(LIMITS)}"))
    return name


_LIMIT_WORDS = 'a number, "infinity" or "soft:hard"'


def parse_limit(value: object) -> tuple[int, int]:
    """Soft and hard limit; -1 is infinity."""
    if isinstance(value, str):
        soft, colon, hard = value.partition(":")
        both = _one_limit(soft, value), _one_limit(hard if colon else soft, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 2**63:
            raise unexpected(_LIMIT_WORDS, value)
        both = value, value
    else:
        raise unexpected(_LIMIT_WORDS, value)
    if both[1] != UNLIMITED and (both[0] == UNLIMITED or both[0] > both[1]):
        raise refused(f"the soft limit is above the hard limit: {shown(value)}")
    return both


def _one_limit(text: str, value: str) -> int:
    text = text.strip()
    if text.lower() in ("infinity", "unlimited"):
        return UNLIMITED
    match = _SIZE.fullmatch(text)
    if match is None:
        raise unexpected(_LIMIT_WORDS, value)
    return parse_size(text)


def read_limits(value: dict[str, tuple[int, int]]) -> tuple[tuple[str, int, int], ...]:
    """Name, soft and hard limit, in the order of the names."""
    return tuple([(name, soft, hard) for name, (soft, hard) in sorted(value.items())])


LIMIT_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^[^:]+(:[^:]+)?$"},
    ]
}
LIMITS_SCHEMA = {
    "type": "object",
    "properties": dict.fromkeys(LIMITS, LIMIT_SCHEMA),
    "additionalProperties": False,
}
UMASK_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": "^(0o)?[0-7]{1,4}$"},
        {"type": "integer", "minimum": 0, "maximum": 0o777},
    ]
}
Umask = Annotated[Any, PlainValidator(parse_umask), WithJsonSchema(UMASK_SCHEMA)]
Variable = Annotated[StrictStr, AfterValidator(_variable)]
VariableValue = Annotated[Any, PlainValidator(_variable_value), WithJsonSchema({"type": "string"})]
LimitName = Annotated[StrictStr, AfterValidator(_limit_name)]
LimitValue = Annotated[Any, PlainValidator(parse_limit), WithJsonSchema(LIMIT_SCHEMA)]
