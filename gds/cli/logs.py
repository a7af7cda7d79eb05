"""gds logs: what an application printed, where the runner keeps it."""

from __future__ import annotations

import os
import sys

from gds.cli import options
from gds.cli.control import WHERE, answered, owners
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

USAGE = """usage: gds logs NAME [-f] [-n LINES] [--stderr] [--json] [--socket PATH]

  -f, --follow   go on with what comes
  -n, --lines    so many of the last lines (20)
  --stderr       what it said there; without it, stdout
  --json         each line as one JSON document: resource, stream, file and line; from the journal, where stdout and
                 stderr are one: resource, at, pid and line"""


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """gds logs NAME [-f]"""
    flags = {"-f": "follow", "--follow": "follow", "--stderr": "stderr", "--json": "json"}
    typed = options.parse(argv, flags, {**WHERE, "-n": "most", "--lines": "most"})
    if len(typed.names) != 1:
        raise UsageError(f"cannot show logs: give one name\n{USAGE}")
    most = typed.values.get("most", "20")
    if not most.isdigit():
        raise UsageError(f"cannot show {most} lines: -n is a number")
    name = typed.names[0]
    ((path, _),) = owners([name], typed).items()
    kept = answered(path, {"verb": "logs", "names": [name]})["logs"]
    stream = "stderr" if "stderr" in typed.flags else "stdout"
    resource = name if name in kept else next(iter(kept))
    return _show(resource, stream, kept[resource][stream], int(most), typed.flags)


def _show(name: str, stream: str, told: dict[str, Any], most: int, flags: set[str]) -> int:
    kind = told["kind"]
    if kind == "inherit":
        print(
            f"gds: cannot show it: {stream} of {name} goes to the runner's own {stream}, which keeps nothing;"
            f' `{stream} = {{path = "…", rotate = "10MiB"}}` would keep it',
            file=sys.stderr,
        )
        return 1
    if kind == "null":
        print(f'gds: cannot show it: {stream} of {name} is "null"', file=sys.stderr)
        return 1
    if kind == "journal":
        return _journal(name, most, flags)
    from gds.cli import following

    path = told["file"]
    out: Documents | IO[bytes] = sys.stdout.buffer
    if "json" in flags:
        out = Documents(sys.stdout.buffer, {"resource": name, "stream": stream, "file": path})
    try:
        with following.current(path) as file:
            out.write(following.last(path, file, most))
            out.flush()
            if "follow" in flags:
                following.follow(path, file, out)
            if isinstance(out, Documents):
                out.end()
            return 0
    except BrokenPipeError:
        raise  # nobody reads what we print: not the file's fault
    except OSError as error:
        hint = _of_missing(name, stream, told) if isinstance(error, FileNotFoundError) else ""
        print(f"gds: cannot read {path}: {error.strerror}{hint}", file=sys.stderr)
        return 77 if isinstance(error, PermissionError) else 1


def _of_missing(name: str, stream: str, told: dict[str, Any]) -> str:
    """What may have become of a file that is not there, and what helps."""
    if told.get("rotate"):
        return "; if it was moved away, SIGUSR2 makes the runner open it anew"
    return (
        f"; {name} makes it as it starts. If it was moved away since, {name} writes it on under its new name until `gds"
        f' restart {name}`; `{stream} = {{path = "{told["file"]}", rotate = "10MiB"}}` would have the runner rotate it'
    )


class Documents:
    """A file to write what was logged to: each whole line becomes a document with these facts."""

    def __init__(self, out: IO[bytes], facts: dict[str, Any]) -> None:
        self._out = out
        self._facts = facts
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Some of it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)

    def _tell(self, line: bytes) -> None:
        import json

        document = {**self._facts, "line": line.decode("utf-8", "replace")}
        self._out.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def flush(self) -> None:
        """What was told can be read."""
        self._out.flush()

    def end(self) -> None:
        """Nothing more comes: a last line without its end is one, too."""
        if self._rest:
            self._tell(self._rest)
            self._rest = b""
        self._out.flush()


def _journal(name: str, most: int, flags: set[str]) -> int:
    words = ["journalctl", "-t", name, "-n", str(most), *(["-f"] if "follow" in flags else [])]
    try:
        if "json" not in flags:
            os.execvp(words[0], words)
        import subprocess

        with subprocess.Popen([*words, "-o", "json"], stdout=subprocess.PIPE) as journal:
            assert journal.stdout is not None
            try:
                for entry in journal.stdout:
                    _tell_entry(name, entry)
            except BaseException:  # nobody reads what we print, or enough was seen: it must not go on for nobody
                journal.terminate()
                raise
        return journal.returncode
    except BrokenPipeError:
        raise  # nobody reads what we print
    except OSError as error:
        print(f"gds: cannot run {' '.join(words)}: {error.strerror}", file=sys.stderr)
        return 1


def _tell_entry(name: str, entry: bytes) -> None:
    """One entry of the journal, in our words; stdout and stderr are one there."""
    import json
    from datetime import UTC, datetime

    told = json.loads(entry)
    line = told.get("MESSAGE") or ""
    document: dict[str, str | int] = {"resource": name}
    if "__REALTIME_TIMESTAMP" in told:
        at = datetime.fromtimestamp(int(told["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        document["at"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if "_PID" in told:
        document["pid"] = int(told["_PID"])
    # bytes that are no text come as numbers
    document["line"] = line if isinstance(line, str) else bytes(line).decode("utf-8", "replace")
    print(json.dumps(document, ensure_ascii=False), flush=True)
