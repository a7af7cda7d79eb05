"""pmfadm(1M), also `gds pmf`: the process monitor facility by itself. Sun: semantics.md 4.2.

Exit statuses: 0; 1 the nametag does not exist, or -c on one that exists; 2 the time of -w ran out; 3 anything else.
Without a runner there are no nametags, so -q, -k, -s, -l and -m end with 1, and -L prints nothing; -c starts a runner
in the background, in the same runtime directory.

Beyond Sun's page: fractions of minutes and seconds; `--socket` and `--runtime-dir` as for every verb of gds; -m without
-n and -t forgets the failures. Narrower: -h serves this host only.

Light: read by hand, few modules, because scripts ask -q again and again. Which runner: --socket, else GDS_SOCKET, else
every one under the runtime directory; a nametag that two of them have is refused, but for -q. -c takes the runner of
the runtime directory itself, not one of a unit below it, whose tags would end with that unit.
"""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.cli import streams
from gds.cli.pmfoptions import HELP, USAGE, Typed, check_host, number_of, period_of, signal_of, variables_of, whole_of
from gds.errors import GdsError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DONE, NO_SUCH, TIMED_OUT, ERROR = 0, 1, 2, 3
STARTS = ("Prenet_start", "Start")
"""Methods by whose nametags a resource is up: what they leave running there is what it is."""
MONITORS = ("Monitor_start", "Update")
"""Methods that leave nothing running but the monitor."""
ANSWER_LIMIT = 30.0
"""Seconds a runner may take to answer, beside those of -w."""


def main(argv: list[str] | None = None) -> int:
    """The console script; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if argv is None:
        streams.take()
    try:
        if arguments == ["--help"]:
            return _show(HELP)
        typed = Typed(arguments)
        if "h" in typed.values:
            check_host(typed.values["h"])
        if typed.action == "c":
            return _create(typed)
        if typed.action == "q":
            return _query(typed)
        if typed.action == "L":
            return _list(typed)
        if typed.action == "l":
            return _details(typed)
        return _change(typed)
    except UsageError as error:
        return _failed(f"{error}\n{USAGE}".rstrip())
    except GdsError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return 130


def _say(text: str) -> None:
    _write(2, f"pmfadm: {text}\n")


def _failed(text: str) -> int:
    _say(text)
    return ERROR


def _show(text: str) -> int:
    _write(1, text)
    return DONE


def _write(descriptor: int, text: str) -> None:
    """Raises Unwritable for stdout."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        pass  # nobody reads it any more: never a reason to fail
    except OSError as error:
        if descriptor == 1:
            raise streams.Unwritable(streams.fault(error)) from None


# -- asking -----------------------------------------------------------------------------------------------------------


def _sockets(typed: Typed) -> list[str]:
    """None when there is nobody to ask."""
    try:
        return client.sockets(typed.socket, typed.runtime_dir)
    except client.NoRunner:
        return []


def _ask(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """An answer about nametags. Raises GdsError, also for what this runner cannot understand."""
    wait = request.get("wait", 0)
    answer = client.ask(path, request, timeout=None if wait < 0 else wait + ANSWER_LIMIT)
    if not answer.get("pmf"):
        raise client.NoRunner(f"cannot ask the runner at {path}: {answer.get('message') or 'it gave no answer'}")
    return answer


def _owners(typed: Typed) -> list[str]:
    """The runners that have the nametag. Raises GdsError when there may be one that could not be asked."""
    found = []
    refused: GdsError | None = None
    for path in _sockets(typed):
        try:
            answer = _ask(path, {"verb": "pmf.query", "nametag": typed.nametag})
            if answer["code"] == DONE:
                found.append(path)
            elif answer["code"] == ERROR:
                refused = UsageError(answer["message"])
        except client.NoRunner:
            continue  # left by a runner that was killed: it has no tags any more
        except client.Denied as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return found


def _owner(typed: Typed) -> str:
    """The one runner that has it; "" when none has. Raises UsageError when two have."""
    found = _owners(typed)
    if len(found) > 1:
        raise UsageError(f"cannot choose: {typed.nametag} stands in {' and in '.join(found)}; name one with --socket")
    return found[0] if found else ""


def _ended(answer: dict[str, Any]) -> int:
    if answer["message"]:
        _say(answer["message"])
    return int(answer["code"])


def _missing(typed: Typed) -> int:
    _say(f"cannot find {typed.nametag}: there is no such nametag")
    return NO_SUCH


def _query(typed: Typed) -> int:
    return DONE if _owners(typed) else NO_SUCH


def _change(typed: Typed) -> int:
    """-k, -s and -m."""
    request: dict[str, Any] = {"verb": {"k": "pmf.kill", "s": "pmf.stop", "m": "pmf.modify"}[typed.action]}
    request["nametag"] = typed.nametag
    if typed.action == "m":
        request["retries"] = whole_of(typed, "n", -1, 100)
        request["period"] = period_of(typed)
    else:
        request["wait"] = number_of(typed, "w", "seconds from 0", 0.0) or 0
        if typed.operands:
            request["signal"] = signal_of(typed.operands[0])
    path = _owner(typed)
    return _ended(_ask(path, request)) if path else _missing(typed)


def _list(typed: Typed) -> int:
    names: list[str] = []
    for path in _sockets(typed):
        try:
            names += _ask(path, {"verb": "pmf.list"})["tags"]
        except client.NoRunner:
            continue  # as in _owners
    return _show("".join([f"{name}\n" for name in sorted(names)]))


def _details(typed: Typed) -> int:
    path = _owner(typed)
    if not path:
        return _missing(typed)
    answer = _ask(path, {"verb": "pmf.details", "nametag": typed.nametag})
    return _show(_described(answer["details"])) if answer["code"] == DONE else _ended(answer)


def _described(facts: dict[str, Any]) -> str:
    from shlex import quote

    period = "for ever" if facts["period"] < 0 else f"{facts['period'] / 60:g} min"
    allowed = "no limit" if facts["retries"] < 0 else f"{facts['used']} of {facts['retries']} used"
    lines = [
        facts["nametag"],
        f"    state: {facts['life']}: {facts['because']}",
        f"    command: {' '.join([quote(word) for word in facts['command']])}",
        f"    action: {facts['action'] or '(none)'}",
        f"    directory: {facts['cwd']}",
        "    environment:",
        *[f"        {name}" + ("" if value is None else f"={value}") for name, value in facts["environment"].items()],
        f"    retries: {allowed}; failures in all: {facts['failed']}",
        f"    period: {period}",
        f"    owner: {_user(facts['owner'])}",
        f"    child level: {'all' if facts['level'] < 0 else facts['level']}",
        f"    pids: {' '.join(map(str, facts['pids'])) or '(none)'}",
    ]
    return "\n".join(lines) + "\n"


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return str(uid)


# -- -c ---------------------------------------------------------------------------------------------------------------


def _create(typed: Typed) -> int:
    request: dict[str, Any] = {"verb": "pmf.create", "nametag": typed.nametag, "command": typed.operands}
    try:
        request["cwd"] = os.getcwd()
    except OSError as error:
        raise UsageError(f"cannot tell the current directory: {error.strerror}") from None
    request["retries"] = whole_of(typed, "n", -1, 100)
    request["period"] = period_of(typed)
    level = whole_of(typed, "C", 0, 1 << 30)
    if level is not None:
        request["level"] = level
    request["action"] = typed.values.get("a", "")
    if os.environ.get("GDS_METHOD") in STARTS:
        request["serves"] = os.environ.get("GDS_RESOURCE", "")
    elif os.environ.get("GDS_METHOD") in MONITORS:
        request["monitors"] = os.environ.get("GDS_RESOURCE", "")
    if "E" in typed.values:
        request["environ"] = dict(os.environ)
    else:
        request["extra"] = variables_of(typed.extra)
        if "PATH" in os.environ:
            request["path"] = os.environ["PATH"]
    from gds.cli import pmfstart  # only -c needs it, and -q is asked again and again

    directory, path = pmfstart.home(typed.socket, typed.runtime_dir)
    for other in _owners(typed):
        if other != path:
            _say(f"cannot use nametag {typed.nametag}: it exists at {other}")
            return NO_SUCH
    return _ended(pmfstart.ask_or_start(directory, path, lambda: _ask(path, request)))


if __name__ == "__main__":
    sys.exit(main())
