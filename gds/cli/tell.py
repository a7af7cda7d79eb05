"""The verbs that tell: why, history, logs."""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.cli import options
from gds.cli.control import failed, owners
from gds.errors import GdsError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHERE = {"--socket": "socket", "--runtime-dir": "runtime_dir"}


def why(argv: list[str]) -> int:
    """gds why NAME: the present state, then what led to it, oldest first."""
    try:
        typed = options.parse(argv, {"--json": "json"}, _WHERE)
        if not typed.names:
            raise UsageError("cannot tell why: no name is given\nusage: gds why NAME... [--json] [--socket PATH]")
        found: list[dict[str, Any]] = []
        for path, names in owners(typed.names, typed).items():
            answer = client.ask(path, {"verb": "why", "names": names}, timeout=30.0)
            if answer["code"]:
                print(f"gds: {answer['message']}", file=sys.stderr)
                return int(answer["code"])
            found += answer["why"]
    except options.HelpAsked:
        print("usage: gds why NAME... [--json] [--socket PATH]")
        return 0
    except GdsError as error:
        return failed(error)
    if "json" in typed.flags:
        import json

        print(json.dumps({"schema": 1, "why": found}, ensure_ascii=False))
        return 0
    for each in found:
        _tell_why(each)
    return 0


def _tell_why(each: dict[str, Any]) -> None:
    resource, budget = each["resource"], each["budget"]
    print(f"{resource['name']} is {resource['state']}, status {resource['status']}")
    if resource["because"]:
        print(f"  because {resource['because']}")
    if resource["status_msg"] and resource["status_msg"] not in resource["because"]:
        print(f"  {resource['status_msg']}")
    limit = budget["restarts_limit"]
    text = f"  restarts: {budget['restarts_done']} of {limit if limit >= 0 else 'no limit'}"
    text += f" within {budget['interval_seconds']:g} s"
    if budget["oldest_restart_expires_in_seconds"] is not None:
        text += f"; the oldest drops out in {budget['oldest_restart_expires_in_seconds']:g} s"
    print(text)
    if budget["probe_sum"]:
        left = budget["oldest_score_expires_in_seconds"]
        print(f"  failures: {budget['probe_sum']} of 100; the oldest drops out in {left:g} s")
    if each["chain"]:
        print("  what led here, oldest first:")
        for line in _lines(each["chain"]):
            print(f"    {line}")


def _lines(records: list[dict[str, Any]]) -> list[str]:
    """One line a decision; a reason that goes on is said once."""
    said: dict[str, str] = {}
    lines = []
    for record in records:
        name, because = record["resource"], record["because"]
        again = said.get(name) == because
        said[name] = because
        lines.append(f"{record['at']}  {name}  {record['event']}" + ("" if again or not because else f": {because}"))
    return lines


def history(argv: list[str]) -> int:
    """gds history [NAME]: the decisions."""
    usage = "usage: gds history [NAME] [-n COUNT] [--json] [--socket PATH]"
    try:
        typed = options.parse(argv, {"--json": "json"}, {**_WHERE, "-n": "most", "--lines": "most"})
        if len(typed.names) > 1:
            raise UsageError(f"cannot show more than one history at a time\n{usage}")
        most = typed.values.get("most", "200")
        if not most.isdigit() or not int(most):
            raise UsageError(f"cannot show {most} lines: -n is a number above 0")
        found: list[dict[str, Any]] = []
        for path, names in owners(typed.names, typed).items():
            answer = client.ask(path, {"verb": "history", "names": names, "most": int(most)}, timeout=30.0)
            if answer["code"]:
                print(f"gds: {answer['message']}", file=sys.stderr)
                return int(answer["code"])
            found += answer["history"]
    except options.HelpAsked:
        print(usage)
        return 0
    except GdsError as error:
        return failed(error)
    if "json" in typed.flags:
        import json

        print(json.dumps({"schema": 1, "history": found}, ensure_ascii=False))
    else:
        for line in _lines(found):
            print(line)
    return 0


def logs(argv: list[str]) -> int:
    """gds logs NAME [-f]: what the application printed, where the runner keeps it."""
    usage = "usage: gds logs NAME [-f] [-n LINES] [--stderr] [--socket PATH]"
    try:
        typed = options.parse(
            argv,
            {"-f": "follow", "--follow": "follow", "--stderr": "stderr"},
            {**_WHERE, "-n": "most", "--lines": "most"},
        )
        if len(typed.names) != 1:
            raise UsageError(f"cannot show logs: give one name\n{usage}")
        most = typed.values.get("most", "20")
        if not most.isdigit():
            raise UsageError(f"cannot show {most} lines: -n is a number")
        name = typed.names[0]
        ((path, _),) = owners([name], typed).items()
        answer = client.ask(path, {"verb": "logs", "names": [name]}, timeout=30.0)
        if answer["code"]:
            print(f"gds: {answer['message']}", file=sys.stderr)
            return int(answer["code"])
        stream = "stderr" if "stderr" in typed.flags else "stdout"
        told = answer["logs"].get(name) or next(iter(answer["logs"].values()))
        return _show(name, stream, told[stream], int(most), "follow" in typed.flags)
    except options.HelpAsked:
        print(usage)
        return 0
    except GdsError as error:
        return failed(error)


def _show(name: str, stream: str, told: dict[str, Any], most: int, follow: bool) -> int:
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
        words = ["journalctl", "-t", name, "-n", str(most), *(["-f"] if follow else [])]
        try:
            os.execvp(words[0], words)
        except OSError as error:
            print(f"gds: cannot run {' '.join(words)}: {error.strerror}", file=sys.stderr)
            return 1
    path = told["file"]
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed by the `with` below, or by _follow
    except OSError as error:
        print(f"gds: cannot read {path}: {error.strerror}", file=sys.stderr)
        return 77 if isinstance(error, PermissionError) else 1
    with file:
        sys.stdout.buffer.write(_tail(file, most))
        sys.stdout.buffer.flush()
        if not follow:
            return 0
        return _follow(path, file)


def _tail(file: Any, most: int) -> bytes:
    end = file.seek(0, os.SEEK_END)
    data = b""
    at = end
    while at > 0 and data.count(b"\n") <= most and len(data) < 8 << 20:
        step = min(65536, at)
        at -= step
        file.seek(at)
        data = file.read(step) + data
    file.seek(end)
    lines = data.splitlines(keepends=True)
    return b"".join(lines[-most:]) if most else b""


def _follow(path: str, file: Any) -> int:
    """Print what comes; go over to the new file when it is rotated."""
    import time

    while True:
        data = file.read(1 << 20)
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            continue
        try:
            rotated = os.stat(path).st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            rotated = False
        if rotated:
            rest = file.read()
            sys.stdout.buffer.write(rest)
            file.close()
            file = open(path, "rb")  # noqa: SIM115  # followed until the user has seen enough
            continue
        time.sleep(0.2)
