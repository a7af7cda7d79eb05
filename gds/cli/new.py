"""gds new: writes a descriptor with a comment on each line, from flags or from answers.

Values are written by `toml` and each is read back by tomllib, because toml writes some strings wrongly (it turns the
text \\x41 into A); such a one is written by hand. The whole file is read back by our own loader before it takes its
place, so what `gds new` leaves behind always compiles.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import textwrap
import tomllib
from typing import Any, TextIO

import click
import toml

from gds.config.lint import SMALL_STATUSES
from gds.config.load import Loaded, load
from gds.config.shell import simple_commands
from gds.model.names import name_fault
from gds.model.properties import RESOURCE, by_name, default_of

_KEYS = by_name(RESOURCE)

_BUDGET = ("retry_count", "retry_interval", "thorough_probe_interval", "probe_timeout")


class _Cannot(Exception):
    """What the user asked for cannot be done; `status` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def main(argv: list[str]) -> int:
    """Write the descriptor; 0, 1 (exists, cannot write), 2 (usage) or 78 (would not compile)."""
    try:
        command.main(args=argv, prog_name="gds new", standalone_mode=False)
    except click.exceptions.Abort:
        print("gds: cannot go on: interrupted, nothing was written", file=sys.stderr)
        return 1
    except click.UsageError as error:
        error.show(file=sys.stderr)
        return 2
    except _Cannot as error:
        print(f"gds: {error}", file=sys.stderr)
        return error.status
    return 0


@click.command(help="Write a descriptor for one application, with a comment on each line.")
@click.argument("name")
@click.option("--start", help="The command that starts it. Without any of these options you are asked.")
@click.option("--stop", help="The command that stops it (default: stop_signal).")
@click.option("--probe", help="How to ask it: a command, an http:// URL, or a port to connect to.")
@click.option("--validate", help="A command that says whether its configuration is right.")
@click.option("--port", "ports", multiple=True, help="A port it listens on, such as 8080/tcp; may be given again.")
@click.option("--user", help="The user it runs as.")
@click.option("--group", help="The resource group it lives in.")
@click.option("--description", help="A text for people.")
@click.option("--stop-signal", help="The signal that stops it, such as SIGINT.")
@click.option("--working-directory", help="Where its commands start.")
@click.option("-o", "--output", help="The file (default: NAME.toml; - for standard output).")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def command(name: str, output: str | None, force: bool, **given: Any) -> None:
    """The command itself; click reads its arguments."""
    if fault := name_fault(name):
        raise _Cannot(f"cannot name a resource {name!r}: {fault}", 2)
    target = output or f"{name}.toml"
    if target != "-" and not force and os.path.lexists(target):
        raise _Cannot(f"cannot write {target}: it exists; --force replaces it")
    if not any(given.values()):
        given = _asked(sys.stdin, given)
    if not given["start"]:
        raise _Cannot("cannot write a descriptor without a start command: give --start", 2)
    _write(target, _text(name, _values(given)), force)


def _asked(terminal: TextIO, given: dict[str, Any]) -> dict[str, Any]:
    """The answers of the person at the terminal."""
    if not terminal.isatty():
        raise _Cannot("cannot ask questions without a terminal: give at least --start", 2)

    def ask(text: str) -> str:
        answer: str = click.prompt(text, default="", show_default=False, err=True)
        return answer.strip()

    start = ""
    while not start:
        start = ask("Command that starts it")
    answers = {
        "start": start,
        "stop": ask("Command that stops it (empty: SIGTERM to its processes)"),
        "ports": ask("Ports it listens on, such as 8080/tcp (empty: none)").replace(",", " ").split(),
        "probe": ask("How to ask it: a command, an http:// URL, a port (empty: connect to its tcp ports)"),
        "validate": ask("Command that checks its configuration (empty: none)"),
        "user": ask("User it runs as (empty: the runner's)"),
    }
    return {**given, **answers}


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """The keys and values of the table, in the order they are written."""
    made: dict[str, Any] = {}
    if given["description"]:
        made["description"] = given["description"]
    if given["group"]:
        made["group"] = given["group"]
    made["start_command"] = given["start"]
    for key, option in (("stop_command", "stop"), ("stop_signal", "stop_signal"), ("validate_command", "validate")):
        if given[option]:
            made[key] = given[option]
    if given["ports"]:
        made["port_list"] = list(given["ports"])
    if given["probe"]:
        made.update(_probe(given["probe"].strip()))
    for key in ("user", "working_directory"):
        if given[key]:
            made[key] = given[key]
    return made


def _probe(asked: str) -> dict[str, Any]:
    if asked.lower().startswith("http://"):
        return {"probe": {"http": asked}}
    host, colon, port = asked.rpartition(":")
    if asked.isdigit():
        return {"probe": {"tcp": int(asked)}}
    if colon and port.isdigit() and host and not set(host) & set(" /'\"$|&;"):
        return {"probe": {"tcp": asked}}
    made: dict[str, Any] = {"probe_command": asked}
    commands = simple_commands(asked)
    if commands and commands[-1].program in SMALL_STATUSES:
        made["exit_map"] = "pass-fail"
    return made


def _text(name: str, values: dict[str, Any]) -> str:
    lines = [f"# {name}: an application that gds keeps alive. `gds explain KEY` tells more of each key.", ""]
    lines.append(f"[resource.{name}]")
    for key, value in values.items():
        lines.extend(_comment(_KEYS[key].help))
        lines.append(_line(key, value))
    lines.extend(["", "# The budget: restarts allowed, and how it is asked. These are the defaults."])
    for key in _BUDGET:
        default = default_of(_KEYS[key])
        lines.extend(_comment(_KEYS[key].help))
        lines.append(_line(key, f"{default:g}s" if _KEYS[key].kind == "duration" else default))
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ")


def _line(key: str, value: Any) -> str:
    """`key = value`, by toml where tomllib reads back what was meant."""
    if isinstance(value, dict):
        inner = ", ".join([_line(k, v) for k, v in value.items()])
        return f"{key} = {{{inner}}}"
    try:
        line = toml.dumps({key: value}).rstrip("\n")
        if "\n" not in line and tomllib.loads(line) == {key: value}:
            return line
    except (ValueError, IndexError, tomllib.TOMLDecodeError):
        pass  # toml stumbles over control characters and some backslashes
    return f"{key} = {_by_hand(value)}"


def _by_hand(value: Any) -> str:
    # A string of JSON is a basic string of TOML, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(target: str, text: str, force: bool) -> None:
    """Writes the file beside its place, reads it back, and puts it in place."""
    directory = os.path.dirname(target) or "." if target != "-" else tempfile.gettempdir()
    new = os.path.join(directory, f".gds-new-{os.getpid()}-{os.urandom(4).hex()}.toml")
    try:
        data = text.encode()
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except UnicodeEncodeError as error:
        raise _Cannot(f"cannot write {target}: what was typed is not UTF-8", 2) from error
    except OSError as error:
        raise _Cannot(f"cannot write {target}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        notes = _read_back(new, target)
        if target == "-":
            sys.stdout.write(text)
        else:
            _put(new, target, force)
    except OSError as error:
        raise _Cannot(f"cannot write {target}: {error.strerror}") from error
    finally:
        if os.path.lexists(new):
            os.unlink(new)
    for note in notes:
        print(note, file=sys.stderr)
    if target != "-":
        print(f"wrote {target}; next: gds check {target}, gds run {target}", file=sys.stderr)


def _put(new: str, target: str, force: bool) -> None:
    if not force:
        try:
            os.link(new, target)
            return
        except FileExistsError as error:
            raise _Cannot(f"cannot write {target}: it exists; --force replaces it") from error
        except OSError:
            # A file system without hard links; only there can a file that appears this instant be replaced.
            if os.path.lexists(target):
                raise
    os.rename(new, target)


def _read_back(new: str, target: str) -> list[str]:
    """Notes about what this machine lacks, and the linter's. Raises _Cannot when the file would not compile."""
    found = load([new], look=False)
    if found.problems:
        told = "\n".join([f"  {p.key}: {p.message}" if p.key else f"  {p.message}" for p in found.problems])
        raise _Cannot(f"cannot write {target}, it would not compile:\n{told}", 78)
    here: Loaded = load([new])
    return [
        *[f"note: {p.key}: {p.message} on this machine" for p in here.problems],
        *[f"warning: {w.key}: {w.message} [{w.code}]" for w in here.warnings],
    ]
