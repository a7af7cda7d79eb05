"""The shape of a TOML file: what each key may hold, built by pydantic from the table of properties.

Parsed TOML goes in, the values of `model/resource.py` come out (only of the keys that were given), or every fault at
once, each with the path of its key. What one key means for another is `compile.py`'s business.
"""

from __future__ import annotations

import math
import re
import signal as signals
from functools import partial
from typing import Annotated, Any, NoReturn

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    with_config,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from gds.config.compile import Declared, Fault
from gds.model.names import name_fault
from gds.model.properties import GROUP, KINDS, RESOURCE, SETTINGS, Property, by_name
from gds.model.resource import UNLIMITED, Command, ExitMap, Output, Port, Probe
from gds.model.state import FailoverMode
from gds.model.value import Value

Keys = tuple[str | int, ...]

_STRICT = ConfigDict(extra="forbid", strict=True)

NOT_YET = "not supported yet"


def shown(value: object) -> str:
    """A value of a TOML file as a person would recognise it, never long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return '"' + "".join([c if c.isprintable() else f"\\u{ord(c):04x}" for c in text]) + '"'
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a number of more than 38 digits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    return "a date or time"


def refuse(text: str, *at: str | int) -> NoReturn:
    """Ends a validator: `text` is the whole message, `at` leads from the value to the part that is wrong."""
    raise PydanticCustomError("gds", "{text}", {"text": text, "at": at})


def expected(what: str, value: object, *at: str | int) -> NoReturn:
    """Ends a validator in the usual words."""
    refuse(f"expected {what}, not {shown(value)}", *at)


# -- strings ------------------------------------------------------------------------------------------------------


def _text(value: str) -> str:
    if "\0" in value:
        refuse("a string may not hold the character NUL (\\u0000)")
    return value


def _given(value: str) -> str:
    if not value.strip():
        refuse("may not be empty")
    return _text(value)


def _name(value: str) -> str:
    if fault := name_fault(value):
        refuse(fault)
    return value


Text = Annotated[StrictStr, AfterValidator(_text)]
Given = Annotated[StrictStr, AfterValidator(_given), WithJsonSchema({"type": "string", "minLength": 1})]
NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,254}$"
Name = Annotated[StrictStr, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]


# -- numbers with units -------------------------------------------------------------------------------------------

_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_LONGEST = 100 * 366 * 86400.0


def parse_duration(value: object, minimum: float = 0.0, forever: bool = False) -> float:
    """Seconds; `forever` lets -1 mean without end."""
    what = KINDS["duration"]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        expected(what, value)
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            if value.strip().startswith("-"):
                refuse(f"a duration may not be negative: {shown(value)}")
            expected(what, value)
        seconds = float(match[1]) * _SECONDS[match[2]]
    elif isinstance(value, float) and not math.isfinite(value):
        refuse(f"a duration has to be finite, not {shown(value)}")
    else:
        if forever and value == -1:
            return math.inf
        if value < 0:
            refuse(f"a duration may not be negative: {shown(value)}")
        seconds = float(value) if value <= _LONGEST else math.inf
    if seconds > _LONGEST:
        refuse(f"a duration may be at most 100 years, not {shown(value)}")
    if seconds < minimum:
        refuse(f"expected at least {_plain(minimum)} s, not {shown(value)}")
    return seconds


_SIZE = re.compile(r"([0-9]{1,15})\s*([kKMGT]i?B?|B)?", re.ASCII)
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE_WORDS = 'a number of bytes, or a string such as "10MiB" (2^20) or "10MB" (10^6)'


def parse_size(value: object) -> int:
    """Bytes."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        expected(_SIZE_WORDS, value)
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            expected(_SIZE_WORDS, value)
        return int(match[1]) * _BYTES[(match[2] or "").removesuffix("B").lower()]
    if not 0 <= value < 2**63:
        expected(_SIZE_WORDS, value)
    return value


def _plain(number: float) -> str:
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
            refuse("a command may not be empty")
        if "\0" in value:
            refuse("a command may not hold the character NUL (\\u0000)")
        return Command(("/bin/sh", "-c", value), value)
    if not isinstance(value, list):
        expected(KINDS["command"], value)
    if not value:
        refuse("a command may not be empty")
    for place, word in enumerate(value):
        if not isinstance(word, str):
            expected("a string (a command is an array of strings)", word, place)
        if "\0" in word:
            refuse("a command may not hold the character NUL (\\u0000)", place)
    if not value[0].strip():
        refuse("the first word of a command is the program, and may not be empty", 0)
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
                expected(what, value)
            return number
        else:
            known = {s.name.removeprefix("SIG"): s.value for s in signals.Signals} | {"IOT": 6, "POLL": 29, "CLD": 17}
            if name not in known:
                close = nearest(name, known)
                refuse(f"expected {what}, not {shown(value)}" + (f"; did you mean SIG{close}?" if close else ""))
            return known[name]
    if isinstance(value, bool) or not isinstance(value, int):
        expected(what, value)
    if value not in set(signals.valid_signals()):
        refuse(f"expected the number of a signal, 1 to {int(signals.SIGRTMAX)}, not {shown(value)}")
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
            expected(what, value)
        number, protocol = int(digits), protocol.lower() if slash else "tcp"
        if protocol not in PROTOCOLS:
            close = nearest(protocol, PROTOCOLS)
            hint = f"; did you mean {close}?" if close else ""
            refuse(f"expected one of the protocols {', '.join(PROTOCOLS)}, not {shown(protocol)}{hint}")
    else:
        expected(what, value)
    if not 0 <= number <= 65535:
        refuse(f"expected a port from 0 to 65535, not {shown(number)}")
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
        {"type": "integer", "minimum": 0, "maximum": 65535},
    ]
}
CommandText = Annotated[Any, PlainValidator(parse_command), WithJsonSchema(COMMAND_SCHEMA)]
SignalName = Annotated[Any, PlainValidator(parse_signal), WithJsonSchema(SIGNAL_SCHEMA)]
PortText = Annotated[Any, PlainValidator(parse_port), WithJsonSchema(PORT_SCHEMA)]


# -- surroundings of a process ------------------------------------------------------------------------------------


def parse_umask(value: object) -> int:
    """A string of octal digits; a number is taken as it is, and `load.py` looks that it was written 0o027."""
    if isinstance(value, str) and re.fullmatch(r"(0o)?[0-7]{1,4}", value):
        number = int(value.removeprefix("0o"), 8)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        expected(KINDS["umask"], value)
    if not 0 <= number <= 0o777:
        refuse(f"expected a umask from 000 to 777 (octal), not {shown(value)}")
    return number


def _variable(value: str) -> str:
    if not re.fullmatch(r"[^\s=\0-\x1f\x7f]+", value):
        expected("the name of an environment variable (no '=', no blank)", value)
    return value


def _variable_value(value: object) -> str:
    # The value itself is never shown: people keep secrets here.
    if not isinstance(value, str):
        hint = "" if isinstance(value, (dict, list)) else ": put it in quotes"
        refuse(f"the value of an environment variable has to be a string{hint}")
    return _text(value)


LIMITS = ("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio")
LIMITS += ("rttime", "sigpending", "stack")
"""The names of RLIMIT_* in lower case."""


def _limit_name(value: str) -> str:
    name = value.lower().removeprefix("rlimit_")
    if name not in LIMITS:
        close = nearest(name, LIMITS)
        refuse(
            f"unknown limit {shown(value)}" + (f"; did you mean {close}?" if close else f"; known: {', '.join(LIMITS)}")
        )
    return name


_LIMIT_WORDS = 'a number, "infinity" or "soft:hard"'


def parse_limit(value: object) -> tuple[int, int]:
    """Soft and hard limit; -1 is infinity."""
    if isinstance(value, str):
        soft, colon, hard = value.partition(":")
        both = _one_limit(soft, value), _one_limit(hard if colon else soft, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 2**63:
            expected(_LIMIT_WORDS, value)
        both = value, value
    else:
        expected(_LIMIT_WORDS, value)
    if both[1] != UNLIMITED and (both[0] == UNLIMITED or both[0] > both[1]):
        refuse(f"the soft limit is above the hard limit: {shown(value)}")
    return both


def _one_limit(text: str, value: str) -> int:
    text = text.strip()
    if text.lower() in ("infinity", "unlimited"):
        return UNLIMITED
    match = _SIZE.fullmatch(text)
    if match is None:
        expected(_LIMIT_WORDS, value)
    return parse_size(text)


def _limits(value: dict[str, tuple[int, int]]) -> tuple[tuple[str, int, int], ...]:
    return tuple([(name, soft, hard) for name, (soft, hard) in sorted(value.items())])


LIMIT_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^[^:]+(:[^:]+)?$"},
    ]
}
Variable = Annotated[StrictStr, AfterValidator(_variable)]
VariableValue = Annotated[Any, PlainValidator(_variable_value), WithJsonSchema({"type": "string"})]
LimitName = Annotated[StrictStr, AfterValidator(_limit_name)]
LimitValue = Annotated[Any, PlainValidator(parse_limit), WithJsonSchema(LIMIT_SCHEMA)]


# -- probes -------------------------------------------------------------------------------------------------------

Score = Annotated[StrictInt, Field(ge=0, le=100)]


def _exit_status(value: object) -> int | str:
    text = str(value).strip().lower()
    if text == "other":
        return text
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or int(text) > 255:
        refuse(f'expected an exit status from 0 to 255, or "other", not {shown(value)}')
    return int(text)


def _exit_score(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (0 <= value <= 100 or value == 201):
        expected("a score from 0 to 100, or 201 for fail over at once", value)
    return value


EXIT_MAPS = {"pass-fail": ExitMap(((0, 0),)), "nagios": ExitMap(((0, 0), (1, 50), (2, 100), (3, 100)))}
"""The named exit maps; Nagios: 0 OK, 1 warning, 2 critical, 3 unknown."""


def _exit_map(value: object, table: ValidatorFunctionWrapHandler) -> ExitMap:
    if isinstance(value, str):
        if value not in EXIT_MAPS:
            close = nearest(value.lower(), EXIT_MAPS)
            hint = f"; did you mean {shown(close)}?" if close else ""
            refuse(f"expected {KINDS['exit_map']}, not {shown(value)}{hint}")
        return EXIT_MAPS[value]
    if not isinstance(value, dict):
        expected(KINDS["exit_map"], value)
    if not value:
        refuse("an exit map may not be empty")
    scores: dict[int | str, int] = table(value)
    pairs = sorted([(status, score) for status, score in scores.items() if isinstance(status, int)])
    return ExitMap(tuple(pairs), scores.get("other", 100))


_SCORE_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, {"enum": [201]}]}
EXIT_MAP_SCHEMA = {
    "anyOf": [
        {"enum": list(EXIT_MAPS)},
        {
            "type": "object",
            "patternProperties": {"^[0-9]{1,3}$": _SCORE_SCHEMA},
            "properties": {"other": _SCORE_SCHEMA},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ]
}
ExitMapTable = Annotated[
    dict[
        Annotated[Any, PlainValidator(_exit_status)],
        Annotated[Any, PlainValidator(_exit_score)],
    ],
    WrapValidator(_exit_map),
    WithJsonSchema(EXIT_MAP_SCHEMA),
]


def parse_tcp(value: object) -> tuple[str, str, int]:
    """What was written, host and port of a TCP probe."""
    what = 'a port, or "host:port"'
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= 65535:
            refuse(f"expected a port from 1 to 65535, not {shown(value)}")
        return str(value), "127.0.0.1", value
    if not isinstance(value, str):
        expected(what, value)
    text = value.strip()
    host, port = ("127.0.0.1", text) if text.isdigit() else _host_and_port(text, what)
    return text, host, _port_number(port, what, value)


def _host_and_port(text: str, what: str) -> tuple[str, str]:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([A-Za-z0-9_.-]+)):([0-9]{1,9})", text, re.ASCII)
    if match is None:
        expected(what, text)
    return match[1] or match[2], match[3]


def _port_number(text: str, what: str, value: object) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        expected(what, value)
    if not 1 <= int(text) <= 65535:
        refuse(f"expected a port from 1 to 65535, not {shown(int(text))}")
    return int(text)


def parse_http(value: object) -> tuple[str, str, int, str]:
    """What was written, host, port and path (with query) of an HTTP probe."""
    what = 'a URL such as "http://127.0.0.1:8080/health"'
    if not isinstance(value, str):
        expected(what, value)
    text = value.strip()
    if text.lower().startswith("https:"):
        refuse(f"a probe of https is {NOT_YET}; use http, or a probe_command")
    match = re.fullmatch(r"(?i:http)://([^/?#]+)(/[!-~]*|\?[!-~]*)?", text, re.ASCII)
    if match is None:
        expected(what, value)
    if "@" in match[1]:
        refuse("a name and password in the URL are " + NOT_YET + "; use a probe_command")
    place = match[1] if re.search(r":[0-9]+$", match[1]) else f"{match[1]}:80"
    host, port = _host_and_port(place, what)
    path = (match[2] or "/").partition("#")[0]
    return text, host, _port_number(port, what, value), path if path.startswith("/") else "/" + path


def parse_notify(value: object) -> float:
    """How often WATCHDOG=1 has to come, seconds; 0 = thorough_probe_interval."""
    if value is True:
        return 0.0
    if isinstance(value, bool):
        expected("true, or a duration", value)
    return parse_duration(value, 0.01)


_EXPECT_WORDS = 'an HTTP status such as 200, a range such as "200-399", or an array of them'


def parse_expect(value: object) -> tuple[tuple[int, int], ...]:
    """The HTTP statuses that mean healthy, as ranges."""
    if isinstance(value, list) and value:
        return tuple([_status_range(each, place) for place, each in enumerate(value)])
    return (_status_range(value),)


def _status_range(value: object, *at: int) -> tuple[int, int]:
    match = None
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        match = re.fullmatch(r"\s*([1-5][0-9]{2})\s*(?:-\s*([1-5][0-9]{2})\s*)?", shown(value).strip('"'), re.ASCII)
    if match is None or int(match[2] or match[1]) < int(match[1]):
        expected(_EXPECT_WORDS, value, *at)
    return int(match[1]), int(match[2] or match[1])


TCP_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "pattern": "[0-9]+\\s*$"}]
}
HTTP_SCHEMA = {"type": "string", "pattern": "^\\s*[Hh][Tt][Tt][Pp]://"}
NOTIFY_SCHEMA = {"anyOf": [{"enum": [True]}, *DURATION_SCHEMA["anyOf"]]}
_STATUS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^\\s*[1-5][0-9]{2}\\s*(-\\s*[1-5][0-9]{2}\\s*)?$"},
    ]
}
EXPECT_SCHEMA = {"anyOf": [*_STATUS_SCHEMA["anyOf"], {"type": "array", "items": _STATUS_SCHEMA, "minItems": 1}]}


@with_config(_STRICT)
class ProbeTable(TypedDict, total=False):
    """A built-in probe: one of tcp, http, unix and notify, and the score of each way to fail."""

    tcp: Annotated[Any, PlainValidator(parse_tcp), WithJsonSchema(TCP_SCHEMA)]
    http: Annotated[Any, PlainValidator(parse_http), WithJsonSchema(HTTP_SCHEMA)]
    unix: Given
    notify: Annotated[Any, PlainValidator(parse_notify), WithJsonSchema(NOTIFY_SCHEMA)]
    expect: Annotated[Any, PlainValidator(parse_expect), WithJsonSchema(EXPECT_SCHEMA)]
    refused_score: Score
    timeout_score: Score
    disconnect_score: Score
    status_score: Score
    error_score: Score
    exit_map: ExitMapTable


PROBE_KINDS = ("tcp", "http", "unix", "notify")
_ONLY_FOR = {
    "expect": ("http",),
    "status_score": ("http",),
    "refused_score": ("tcp", "http", "unix"),
    "disconnect_score": ("tcp", "http", "unix"),
}


def _probe(value: object, table: ValidatorFunctionWrapHandler) -> Probe | ExitMap:
    if not isinstance(value, dict):
        expected(KINDS["probe"] + ", such as {tcp = 8080}", value)
    given: dict[str, Any] = table(value)
    kinds = [k for k in PROBE_KINDS if k in given]
    if not kinds and set(given) == {"exit_map"}:
        # `probe = {exit_map = ...}` beside a probe_command: the same as `exit_map` beside it.
        exit_map: ExitMap = given["exit_map"]
        return exit_map
    if "exit_map" in given:
        refuse("exit_map translates the exit status of a probe_command; a built-in probe has none", "exit_map")
    if len(kinds) != 1:
        found = f"it has {' and '.join(kinds)}" if kinds else "it has none"
        refuse(f"expected {KINDS['probe']}; {found}")
    kind = kinds[0]
    for key, fitting in _ONLY_FOR.items():
        if key in given and kind not in fitting:
            refuse(f"{key} means nothing for a {kind} probe, only for {', '.join(fitting)}", key)
    asked = given.pop(kind)
    if kind == "tcp":
        return Probe("tcp", asked[0], host=asked[1], port=asked[2], **given)
    if kind == "http":
        return Probe("http", asked[0], host=asked[1], port=asked[2], path=asked[3], **given)
    if kind == "unix":
        return Probe("unix", asked, path=asked, **given)
    return Probe("notify", "notify", interval=asked, **given)


# -- output -------------------------------------------------------------------------------------------------------

OUTPUT_WORDS = ("inherit", "journal", "null")


@with_config(_STRICT)
class OutputTable(TypedDict, total=False):
    """Output kept in a file."""

    path: Given
    rotate: Size
    keep: Annotated[StrictInt, Field(ge=0, le=10_000)]


def _output(value: object, table: ValidatorFunctionWrapHandler) -> Output:
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in OUTPUT_WORDS:
            close = nearest(word, OUTPUT_WORDS)
            hint = f"; for a file, write {{path = {shown(value)}}}" if "/" in value else ""
            refuse(
                f"expected {KINDS['output']}, not {shown(value)}"
                + (f"; did you mean {shown(close)}?" if close else hint)
            )
        return Output(word)
    if not isinstance(value, dict):
        expected(KINDS["output"], value)
    given: dict[str, Any] = table(value)
    if "path" not in given:
        refuse("path is missing: the file the output goes to")
    return Output("file", **given)


class _OrWords:
    """In the schema: one of a few words, or the table."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"enum": list(self.words)}, handler(core)]}


# -- tables -------------------------------------------------------------------------------------------------------


def nearest(word: str, known: Any) -> str:
    """The known name most like `word`, or an empty string."""
    import difflib

    found = difflib.get_close_matches(word[:64], list(known), 1, 0.6)
    return found[0] if found else ""


def _word(words: tuple[str, ...], value: object) -> str:
    if isinstance(value, str):
        for word in words:
            if word.lower() == value.strip().lower():
                return word
    listed = ", ".join([shown(str(w)) for w in words])
    close = nearest(value.lower(), {w.lower(): w for w in words}) if isinstance(value, str) else ""
    by_lower = {w.lower(): str(w) for w in words}
    hint = f"; did you mean {shown(by_lower[close])}?" if close else ""
    refuse(f"expected one of {listed}, not {shown(value)}{hint}")


def _mode(value: object) -> FailoverMode:
    return FailoverMode(_word(tuple(FailoverMode), value))


def _type(words: tuple[str, ...], value: object) -> str:
    if not isinstance(value, str):
        expected(KINDS["type"], value)
    for word in words:
        if word.lower() == value.strip().lower():
            return word
    refuse(f"a resource type other than gds is {NOT_YET}: {shown(value)}")


def _only(name: str, fixed: tuple[object, ...], value: object) -> object:
    if any(type(value) is type(each) and value == each for each in fixed):
        return value
    refuse(f"{name} is {NOT_YET}; only {' and '.join(map(shown, fixed))} may be given")


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
        case "word":
            words = partial(_word, prop.words) if prop.name != "failover_mode" else _mode
            return Annotated[Any, PlainValidator(words), WithJsonSchema({"enum": [str(w) for w in prop.words]})]
        case "type":
            return Annotated[
                Any, PlainValidator(partial(_type, prop.words)), WithJsonSchema({"enum": list(prop.words)})
            ]
    return _TYPES[prop.kind]


_TYPES: dict[str, Any] = {
    "boolean": StrictBool,
    "string": Text,
    "path": Given,
    "paths": Annotated[list[Given], AfterValidator(tuple)],
    "name": Name,
    "account": Given,
    "accounts": Annotated[list[Given], AfterValidator(tuple)],
    "command": CommandText,
    "signal": SignalName,
    "ports": Annotated[list[PortText], AfterValidator(tuple)],
    "umask": Annotated[
        Any,
        PlainValidator(parse_umask),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": "^(0o)?[0-7]{1,4}$"},
                    {"type": "integer", "minimum": 0, "maximum": 511},
                ]
            }
        ),
    ],
    "environment": Annotated[dict[Variable, VariableValue], AfterValidator(lambda d: tuple(sorted(d.items())))],
    "variables": Annotated[list[Variable], AfterValidator(tuple)],
    "limits": Annotated[dict[LimitName, LimitValue], AfterValidator(_limits)],
    "probe": Annotated[ProbeTable, WrapValidator(_probe)],
    "exit_map": ExitMapTable,
    "output": Annotated[OutputTable, WrapValidator(_output), _OrWords(*OUTPUT_WORDS)],
}


def _table(name: str, doc: str, props: tuple[Property, ...]) -> Any:
    given = {}
    for prop in props:
        if prop.supported or prop.fixed:
            given[prop.name] = Annotated[value_type(prop), Field(description=prop.help)]
    made = TypedDict(name, given, total=False)  # type: ignore[operator]
    made.__doc__ = doc
    return with_config(_STRICT)(made)


ResourceTable = _table("ResourceTable", "One application with its properties.", RESOURCE)
GroupTable = _table("GroupTable", "A set of resources that lives on one node at a time.", GROUP)

_RESOURCE: TypeAdapter[dict[str, Any]] = TypeAdapter(ResourceTable)
_GROUP: TypeAdapter[dict[str, Any]] = TypeAdapter(GroupTable)
_RESOURCE_KEYS, _GROUP_KEYS, _SETTING_KEYS = by_name(RESOURCE), by_name(GROUP), by_name(SETTINGS)


class Document(Value):
    """What one file declares. `spelled` leads from a key path to the one written there, where the two differ."""

    tables: tuple[Declared, ...]
    faults: tuple[Fault, ...]
    spelled: dict[Keys, Keys]


def read_document(data: dict[str, Any], path: str) -> Document:
    """Checks the shape of a parsed file; a file without any table is a fault."""
    return _Reading(path).read(data)


class _Reading:
    def __init__(self, path: str) -> None:
        self.path = path
        self.tables: list[Declared] = []
        self.faults: list[Fault] = []
        self.spelled: dict[Keys, Keys] = {}

    def read(self, data: dict[str, Any]) -> Document:
        top = self._lowered(data, (), ())
        top.pop("$schema", None)
        resources = self._tables(top, "resource")
        groups = self._tables(top, "group") if isinstance(top.get("group"), dict) else {}
        alone = not resources and bool(top)
        if alone:
            self._alone(top)
        elif top:
            for key in top:
                self._stray(key)
        for name, values in resources.items():
            self._table(("resource", name), name, values, _RESOURCE, group=False)
        for name, values in groups.items():
            self._table(("group", name), name, values, _GROUP, group=True)
        if not self.tables and not self.faults:
            self._fault((), 'nothing is declared; expected start_command = "..." or a table [resource.NAME]', True)
        return Document(tuple(self.tables), tuple(self.faults), self.spelled)

    def _tables(self, top: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
        """The tables `[kind.NAME]`, taken out of `top`."""
        tables = top.pop(kind, {})
        if not isinstance(tables, dict):
            self._fault((kind,), f"expected tables [{kind}.NAME], not {shown(tables)}")
            return {}
        found = {}
        for name, values in tables.items():
            if not isinstance(values, dict):
                known = _RESOURCE_KEYS if kind == "resource" else _GROUP_KEYS
                hint = f"; write [{kind}.NAME] above it" if name.lower() in known else ""
                self._fault((kind, name), f"expected a table [{kind}.NAME], not {shown(values)}{hint}", True)
            elif fault := name_fault(name):
                self._fault((kind, name), f"{shown(name)} cannot be a name: {fault}", True)
            else:
                found[name] = values
        return found

    def _alone(self, values: dict[str, Any]) -> None:
        """Keys at top level: one resource, named after the file."""
        file = self.path.rpartition("/")[2]
        name = file.removesuffix(".toml")
        if not any(key in _RESOURCE_KEYS for key in values):
            for key in values:
                self._stray(key)
        elif fault := name_fault(name):
            text = f"a resource without [resource.NAME] is named after its file, and {shown(name)} cannot be a name: {fault}"
            self._fault((next(iter(values)),), text, True)
        else:
            self._table((), name, values, _RESOURCE, group=False)

    def _stray(self, key: str) -> None:
        if key in _RESOURCE_KEYS:
            text = "a key of a resource outside of any [resource.NAME]"
        elif key == "runner":
            text = "[runner] belongs into /etc/gds/gds.toml, not into a descriptor"
        else:
            close = nearest(key, ["resource", "group", *_RESOURCE_KEYS])
            text = "unknown key" + (
                f"; did you mean {close}?" if close else "; expected [resource.NAME] or [group.NAME]"
            )
        self._fault((key,), text, True)

    def _table(
        self, keys: Keys, name: str, written: dict[str, Any], adapter: TypeAdapter[dict[str, Any]], *, group: bool
    ) -> None:
        values = self._lowered(written, keys, keys) if keys else written
        broken: set[str] = set()
        try:
            read = adapter.validate_python(values)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self.faults.append(self._translated(detail, keys, group))
                broken.add(str(detail["loc"][0]))
            rest = {key: value for key, value in values.items() if key not in broken}
            read = adapter.validate_python(rest)
        self.tables.append(Declared(name, self.path, keys, read, group, frozenset(broken)))

    def _translated(self, detail: ErrorDetails, keys: Keys, group: bool) -> Fault:
        loc: Keys = tuple(detail["loc"])
        kind = detail["type"]
        context: dict[str, Any] = detail.get("ctx", {})
        if on_key := bool(loc) and loc[-1] == "[key]":
            loc = loc[:-1]
        at = (*keys, *loc)
        if kind == "gds":
            return Fault(self.path, (*at, *context["at"]), context["text"], on_key)
        if kind == "extra_forbidden":
            return Fault(self.path, at, self._unknown(loc, detail["input"], group), True)
        prop = (_GROUP_KEYS if group else _RESOURCE_KEYS)[str(loc[0])]
        return Fault(self.path, at, _native(detail, prop if len(loc) == 1 else None))

    def _unknown(self, loc: Keys, value: object, group: bool) -> str:
        key = str(loc[-1])
        if len(loc) > 1:
            known: dict[str, Any] = dict(
                ProbeTable.__annotations__ if loc[0] == "probe" else OutputTable.__annotations__
            )
        else:
            known = dict(_GROUP_KEYS if group else _RESOURCE_KEYS)
            if key in known:
                return f"{key} is {NOT_YET}"
            if key in (_RESOURCE_KEYS if group else _GROUP_KEYS):
                return f"unknown key here; it belongs into a table [{'resource' if group else 'group'}.NAME]"
            if key in _SETTING_KEYS:
                return "unknown key here; it is a setting of the runner, and belongs into [runner] of /etc/gds/gds.toml"
        close = nearest(key, known)
        if close:
            return f"unknown key; did you mean {close}?"
        return "unknown key" + (f"; known: {', '.join(known)}" if len(loc) > 1 else "; `gds explain` lists all keys")

    def _lowered(self, table: dict[str, Any], keys: Keys, written: Keys) -> dict[str, Any]:
        """The table with its keys in lower case, as Sun's names have no case; also one level below, where that holds."""
        made: dict[str, Any] = {}
        for key, value in table.items():
            lower = key.lower()
            if lower != key:
                self.spelled[(*keys, lower)] = (*self._path_written(keys), key)
            if lower in made and isinstance(made[lower], dict) and isinstance(value, dict) and not keys:
                value = self._merged(lower, made[lower], value)
            elif lower in made:
                self._fault((*keys, lower), "given twice, in different capitalisation", True)
            if keys and lower in ("probe", "stdout", "stderr") and isinstance(value, dict):
                value = self._lowered(value, (*keys, lower), ())
            made[lower] = value
        return made

    def _merged(self, kind: str, one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
        for name in two:
            if name in one:
                self._fault((kind, name), "given twice, in different capitalisation", True)
        return one | two

    def _path_written(self, keys: Keys) -> Keys:
        rest: Keys = ()
        while keys:
            if keys in self.spelled:
                return (*self.spelled[keys], *rest)
            keys, rest = keys[:-1], (keys[-1], *rest)
        return rest

    def _fault(self, keys: Keys, message: str, on_key: bool = False) -> None:
        self.faults.append(Fault(self.path, keys, message, on_key))


def _native(detail: ErrorDetails, prop: Property | None) -> str:
    """One of pydantic's own findings in our words."""
    value = detail["input"]
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind in ("greater_than_equal", "less_than_equal"):
        bounds = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"expected a number of {bounds}, not {shown(value)}"
    words = {
        "int_type": "a whole number",
        "bool_type": KINDS["boolean"],
        "string_type": "a string",
        "list_type": "an array",
        "dict_type": "a table",
    }
    what = KINDS[prop.kind] if prop is not None and prop.kind != "integer" else words.get(kind, detail["msg"])
    return f"expected {what}, not {shown(value)}"
