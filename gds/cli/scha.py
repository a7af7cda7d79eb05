"""The RMAPI commands: scha_control, scha_resource_setstatus and the four that get. Sun: semantics.md 7, 10.3, 15.

Exit statuses are Sun's (semantics.md 15.3) with a sentence on stderr; nobody to ask: 18 (SCHA_ERR_INTERNAL), a socket
that is not for us: 6 (SCHA_ERR_ACCESS). Optags and their words have no letter case.

Light: read by hand, few modules, because monitors ask again and again. Which runner: --socket, else GDS_SOCKET (every
method and nametag has it), else every one under the runtime directory; a name that two of them have is refused. What
the runners of one machine say of the cluster is merged.

Beyond Sun's page: --socket and --help. -Z names a zone; there is none but "global".
"""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.cli import streams
from gds.errors import GdsError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INVAL, ACCESS, RG, RT, RSRC, INTERNAL = 3, 6, 12, 13, 14, 18
ABSENT = frozenset((RG, RT, RSRC))
"""Answers of a runner that does not have what is asked about: another one may."""
GLOBAL = "global"

USAGES = {
    "scha_control": "-O optag -G group -R resource [-Z zone]",
    "scha_resource_get": "[-Q] -O optag -R resource [-G group] [-Z zone] [args]",
    "scha_resourcegroup_get": "[-Q] -O optag -G group [-Z zone] [args]",
    "scha_resourcetype_get": "-O optag -T type [-Z zone]",
    "scha_cluster_get": "-O optag [-Z zone] [args]",
    "scha_resource_setstatus": "-R resource -G group -s status [-m message] [-Z zone]",
}
NEEDED = {
    "scha_control": "OGR",
    "scha_resource_get": "OR",
    "scha_resourcegroup_get": "OG",
    "scha_resourcetype_get": "OT",
    "scha_cluster_get": "O",
    "scha_resource_setstatus": "RGs",
}
ALLOWED = {
    "scha_control": "OGRZ",
    "scha_resource_get": "QORGZ",
    "scha_resourcegroup_get": "QOGZ",
    "scha_resourcetype_get": "OTZ",
    "scha_cluster_get": "OZ",
    "scha_resource_setstatus": "RGsmZ",
}
FIELDS = {"O": "optag", "R": "resource", "G": "group", "T": "type", "s": "status", "m": "message"}


def read(program: str, argv: list[str]) -> tuple[dict[str, Any], str]:
    """The request, and the socket that was named. Raises UsageError."""
    allowed = ALLOWED[program]
    values: dict[str, str] = {}
    socket = ""
    words = list(argv)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--socket"):
            name, equals, socket = word.partition("=")
            if name != "--socket":
                raise UsageError(f"cannot use {word}: there is no such option")
            if not equals:
                socket = _value(words, name)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter not in allowed:
                raise UsageError(f"cannot use -{letter}: there is no such option")
            if letter in values:
                raise UsageError(f"cannot use -{letter} twice")
            if letter == "Q":
                values[letter] = ""
                continue
            values[letter] = letters or _value(words, f"-{letter}")
            break
    _check(program, values, words)
    request: dict[str, Any] = {FIELDS[letter]: value for letter, value in values.items() if letter in FIELDS}
    request["verb"] = "scha." + program.removeprefix("scha_").removeprefix("resource_" if "status" in program else "")
    request["args"] = words
    request["qualified"] = "Q" in values
    return request, socket


def _check(program: str, values: dict[str, str], words: list[str]) -> None:
    """Raises UsageError for what is missing or too much."""
    missing = [letter for letter in NEEDED[program] if not values.get(letter)]
    if missing:
        raise UsageError(f"cannot ask without -{missing[0]}")
    if values.get("Z", GLOBAL) != GLOBAL:
        raise UsageError(f"cannot ask zone {values['Z']}: there is no zone but {GLOBAL}")
    if words and not program.endswith("_get"):
        raise UsageError(f"cannot use {words[0]}: no argument is wanted after the options")


def _value(words: list[str], option: str) -> str:
    if not words:
        raise UsageError(f"cannot use {option} without a value")
    return words.pop(0)


def ask(program: str, request: dict[str, Any], socket: str) -> tuple[int, str, list[str]]:
    """The answer of the runner that has what is asked about. Raises GdsError."""
    paths = client.sockets(socket)
    if len(paths) > 1 and program in ("scha_control", "scha_resource_setstatus"):
        paths = _owner(request, paths)
    found: list[tuple[str, dict[str, Any]]] = []
    absent: dict[str, Any] | None = None
    for path in paths:
        answer = client.ask(path, request)
        if not answer.get("scha"):
            raise GdsError(f"cannot ask the runner at {path}: {answer.get('message')}")
        if answer["code"] in ABSENT:
            absent = answer
        else:
            found.append((path, answer))
    if len(found) > 1 and program == "scha_cluster_get":
        lines = dict.fromkeys([line for _path, answer in found for line in answer["lines"]])
        return int(found[0][1]["code"]), str(found[0][1]["message"]), list(lines)
    if len(found) > 1 and program != "scha_resourcetype_get":
        both = " and ".join([path for path, _answer in found[:2]])
        raise UsageError(f"cannot tell which is meant: {both} both have it; --socket names one")
    answer = found[0][1] if found else absent or {}
    return int(answer.get("code", INTERNAL)), str(answer.get("message", "")), list(answer.get("lines", ()))


def _owner(request: dict[str, Any], paths: list[str]) -> list[str]:
    """Who has the resource: asked first, because what acts may not be tried out."""
    question = {**request, "verb": "scha.resource_get", "optag": "GROUP", "args": []}
    owners = [path for path in paths if client.ask(path, question)["code"] not in ABSENT]
    if len(owners) > 1:
        raise UsageError(f"cannot tell which is meant: {owners[0]} and {owners[1]} both have it; --socket names one")
    return owners or paths[:1]


def run(program: str, argv: list[str]) -> int:
    """One command."""
    streams.take()
    code = 0
    try:
        code = _run(program, argv)
        streams.flush()
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # nobody reads any more; the interpreter must not say so at its end
    except streams.Unwritable as error:
        sys.stderr.write(f"{program}: {error}\n")
        return INTERNAL
    return code


def _run(program: str, argv: list[str]) -> int:
    usage = f"usage: {program} {USAGES[program]}\n"
    if argv == ["--help"]:
        sys.stdout.write(usage)
        return 0
    try:
        request, socket = read(program, argv)
    except UsageError as error:
        sys.stderr.write(f"{program}: {error}\n{usage}")
        return INVAL
    try:
        code, message, lines = ask(program, request, socket)
    except UsageError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return INVAL
    except client.Denied as error:
        sys.stderr.write(f"{program}: {error}\n")
        return ACCESS
    except GdsError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return INTERNAL
    except KeyboardInterrupt:
        return 130
    if message:
        about = request.get("resource") or request.get("group") or request.get("type") or ""
        optag = request.get("optag") or request.get("status") or ""
        cannot = f"cannot {'ask' if program.endswith('_get') else 'do'} {optag}{f' for {about}' if about else ''}: "
        sys.stderr.write(f"{program}: {cannot if code else ''}{message}\n")
    if lines:
        sys.stdout.write("\n".join(lines) + "\n")
    return code


def control() -> int:
    """scha_control(1HA)."""
    return run("scha_control", sys.argv[1:])


def resource_get() -> int:
    """scha_resource_get(1HA)."""
    return run("scha_resource_get", sys.argv[1:])


def resourcegroup_get() -> int:
    """scha_resourcegroup_get(1HA)."""
    return run("scha_resourcegroup_get", sys.argv[1:])


def resourcetype_get() -> int:
    """scha_resourcetype_get(1HA)."""
    return run("scha_resourcetype_get", sys.argv[1:])


def cluster_get() -> int:
    """scha_cluster_get(1HA)."""
    return run("scha_cluster_get", sys.argv[1:])


def resource_setstatus() -> int:
    """scha_resource_setstatus(1HA)."""
    return run("scha_resource_setstatus", sys.argv[1:])
