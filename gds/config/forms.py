"""The tables inside a resource that have a shape of their own: probe, exit_map, stdout and stderr."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    StrictInt,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    with_config,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from gds.config.refusal import NOT_YET, did_you_mean, refused, shown, unexpected
from gds.config.values import DURATION_SCHEMA, Given, Size, parse_duration
from gds.model.properties import KINDS
from gds.model.resource import ExitMap, Output, Probe

STRICT = ConfigDict(extra="forbid", strict=True)

# -- probes -------------------------------------------------------------------------------------------------------

Score = Annotated[StrictInt, Field(ge=0, le=100)]


def _exit_status(value: object) -> int | str:
    text = str(value).strip().lower()
    if text == "other":
        return text
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or int(text) > 255:
        raise refused(f'expected an exit status from 0 to 255, or "other", not {shown(value)}')
    return int(text)


def _exit_score(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (0 <= value <= 100 or value == 201):
        raise unexpected("a score from 0 to 100, or 201 for fail over at once", value)
    return value


EXIT_MAPS = {"pass-fail": ExitMap(((0, 0),)), "nagios": ExitMap(((0, 0), (1, 50), (2, 100), (3, 100)))}
"""The named exit maps; Nagios: 0 OK, 1 warning, 2 critical, 3 unknown."""


def _exit_map(value: object, table: ValidatorFunctionWrapHandler) -> ExitMap:
    if isinstance(value, str):
        if value not in EXIT_MAPS:
            hint = did_you_mean(value.lower(), EXIT_MAPS)
            raise refused(f"expected {KINDS['exit_map']}, not {shown(value)}{hint}")
        return EXIT_MAPS[value]
    if not isinstance(value, dict):
        raise unexpected(KINDS["exit_map"], value)
    if not value:
        raise refused("an exit map may not be empty")
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
            raise refused(f"expected a port from 1 to 65535, not {shown(value)}")
        return str(value), "127.0.0.1", value
    if not isinstance(value, str):
        raise unexpected(what, value)
    text = value.strip()
    host, port = ("127.0.0.1", text) if text.isdigit() else _host_and_port(text, what)
    return text, host, _port_number(port, what, value)


def _host_and_port(text: str, what: str) -> tuple[str, str]:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([A-Za-z0-9_.-]+)):([0-9]{1,9})", text, re.ASCII)
    if match is None:
        raise unexpected(what, text)
    return match[1] or match[2], match[3]


def _port_number(text: str, what: str, value: object) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise unexpected(what, value)
    if not 1 <= int(text) <= 65535:
        raise refused(f"expected a port from 1 to 65535, not {shown(int(text))}")
    return int(text)


def parse_http(value: object) -> tuple[str, str, int, str]:
    """What was written, host, port and path (with query) of an HTTP probe."""
    what = 'a URL such as "http://127.0.0.1:8080/health"'
    if not isinstance(value, str):
        raise unexpected(what, value)
    text = value.strip()
    if text.lower().startswith("https:"):
        raise refused(f"a probe of https is {NOT_YET}; use http, or a probe_command")
    match = re.fullmatch(r"(?i:http)://([^/?#]+)(/[!-~]*|\?[!-~]*)?", text, re.ASCII)
    if match is None:
        raise unexpected(what, value)
    if "@" in match[1]:
        raise refused("a name and password in the URL are " + NOT_YET + "; use a probe_command")
    place = match[1] if re.search(r":[0-9]+$", match[1]) else f"{match[1]}:80"
    host, port = _host_and_port(place, what)
    path = (match[2] or "/").partition("#")[0]
    return text, host, _port_number(port, what, value), path if path.startswith("/") else "/" + path


def parse_notify(value: object) -> float:
    """How often WATCHDOG=1 has to come, seconds; 0 = thorough_probe_interval."""
    if value is True:
        return 0.0
    if isinstance(value, bool):
        raise unexpected("true, or a duration", value)
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
        raise unexpected(_EXPECT_WORDS, value, *at)
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


def _socket_path(value: str) -> str:
    if len(value.encode()) > LONGEST_SOCKET:
        raise refused(f"the path of a unix socket has at most {LONGEST_SOCKET} bytes, this one {len(value.encode())}")
    return value


@with_config(STRICT)
class ProbeTable(TypedDict, total=False):
    """A built-in probe: one of tcp, http, unix and notify, and the score of each way to fail."""

    tcp: Annotated[Any, PlainValidator(parse_tcp), WithJsonSchema(TCP_SCHEMA)]
    http: Annotated[Any, PlainValidator(parse_http), WithJsonSchema(HTTP_SCHEMA)]
    unix: Annotated[Given, AfterValidator(_socket_path)]
    notify: Annotated[Any, PlainValidator(parse_notify), WithJsonSchema(NOTIFY_SCHEMA)]
    expect: Annotated[Any, PlainValidator(parse_expect), WithJsonSchema(EXPECT_SCHEMA)]
    refused_score: Score
    timeout_score: Score
    disconnect_score: Score
    status_score: Score
    error_score: Score
    exit_map: ExitMapTable


LONGEST_SOCKET = 107
PROBE_KINDS = ("tcp", "http", "unix", "notify")
_ONLY_FOR = {
    "expect": ("http",),
    "status_score": ("http",),
    "refused_score": ("tcp", "http", "unix"),
    "disconnect_score": ("tcp", "http", "unix"),
}


def read_probe(value: object, table: ValidatorFunctionWrapHandler) -> Probe | ExitMap:
    if not isinstance(value, dict):
        raise unexpected(KINDS["probe"] + ", such as {tcp = 8080}", value)
    given: dict[str, Any] = table(value)
    kinds = [k for k in PROBE_KINDS if k in given]
    if not kinds and set(given) == {"exit_map"}:
        # `probe = {exit_map = ...}` beside a probe_command: the same as `exit_map` beside it.
        exit_map: ExitMap = given["exit_map"]
        return exit_map
    if "exit_map" in given:
        raise refused("exit_map translates the exit status of a probe_command; a built-in probe has none", "exit_map")
    if len(kinds) != 1:
        found = f"it has {' and '.join(kinds)}" if kinds else "it has none"
        raise refused(f"expected {KINDS['probe']}; {found}")
    kind = kinds[0]
    for key, fitting in _ONLY_FOR.items():
        if key in given and kind not in fitting:
            raise refused(f"{key} means nothing for a {kind} probe, only for {', '.join(fitting)}", key)
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


@with_config(STRICT)
class OutputTable(TypedDict, total=False):
    """Output kept in a file."""

    path: Given
    rotate: Size
    keep: Annotated[StrictInt, Field(ge=0, le=10_000)]


def read_output(value: object, table: ValidatorFunctionWrapHandler) -> Output:
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in OUTPUT_WORDS:
            file = f"; for a file, write {{path = {shown(value)}}}" if "/" in value else ""
            raise refused(f"expected {KINDS['output']}, not {shown(value)}{did_you_mean(word, OUTPUT_WORDS, file)}")
        return Output(word)
    if not isinstance(value, dict):
        raise unexpected(KINDS["output"], value)
    given: dict[str, Any] = table(value)
    if "path" not in given:
        raise refused("path is missing: the file the output goes to")
    return Output("file", **given)


class OrWords:
    """In the schema: one of a few words, or the table."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"enum": list(self.words)}, handler(core)]}
