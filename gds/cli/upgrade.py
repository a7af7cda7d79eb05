"""gds upgrade: replace the code of a running runner in place. Sun had to reboot the node for it.

With --trial it is the other side: a process of the new code, started by the runner that is to be replaced, which looks
at what it would be handed.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

from gds import __version__
from gds.api import client
from gds.cli import options
from gds.cli.control import WHERE, owners, talk
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """usage: gds upgrade [--check] [--wait TIME] [--socket PATH]

Replaces the code of the running runner by what is installed now: same process, same pid. No application is touched, no
death is missed, and what was connected stays connected. The new code is tried first by a process of its own; if that
does not understand what it would be handed, nothing happens.

  --check        only try, and say whether it could be done now
  --wait TIME    how long a Start, a Stop or another method under way is waited for (30s)
  --socket PATH  this runner; else every one that is found

Install the new version first (pip install --upgrade gds), then upgrade. It reads no descriptors: that is `gds reload`.
With systemd, `systemctl reload` stays a reload of descriptors; to have it upgrade too, `systemctl edit` the unit and
add below [Service]:    ExecReload=/usr/bin/env gds upgrade

Exit status: 0 done (--check: it could be), 1 refused by the new code, or failed, 75 busy: what it waits for is said,
77 not permitted, 4 no runner."""

PATIENCE = 120.0
"""Seconds without a word, beside those that were asked for, after which the new code is taken for broken."""
LOADED = ("gds.model", "gds.pmf", "gds.fault", "gds.rgm", "gds.linux", "gds.daemon", "gds.api", "gds.config")
"""Packages a runner, or a process it starts, may load sooner or later."""


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """gds upgrade."""
    typed = options.parse(argv, {"--check": "check", "--trial": "trial"}, {**WHERE, "--wait": "wait"})
    if typed.names:
        raise UsageError(f"cannot upgrade {typed.names[0]}: it takes no name\n{USAGE}")
    if "trial" in typed.flags:
        return _trial()
    request: dict[str, Any] = {"verb": "upgrade", "check": "check" in typed.flags}
    if "wait" in typed.values:
        request["wait"] = options.seconds(typed.values["wait"], "--wait")
    code = 0
    for path in owners([], typed):
        code = code or _upgrade(path, request)
    return code


def _upgrade(path: str, request: dict[str, Any]) -> int:
    going = False

    def heard(message: dict[str, Any]) -> None:
        nonlocal going
        going = going or "going" in message
        talk(message)

    try:
        answer = client.ask(path, request, heard, PATIENCE + request.get("wait", 0.0))
    except client.NoRunner:
        if not going:
            raise
        print(f"gds: cannot upgrade: the new code of the runner at {path} ended; see its log", file=sys.stderr)
        return 1
    if answer.get("message"):
        print(f"gds: {answer['message']}", file=sys.stderr)
    told = answer.get("upgrade")
    if told:
        print(_line(told, path))
    return int(answer.get("code", 1))


def _line(told: dict[str, Any], path: str) -> str:
    if "seconds" not in told:
        return f"gds {told['from']} -> {told['to']}: the new code understands the runner at {path}; nothing was done"
    touched = f"{told['applications']} application{'' if told['applications'] == 1 else 's'} untouched"
    return f"gds {told['from']} -> {told['to']}: pid {told['pid']} upgraded in {told['seconds']:.2f} s, {touched}"


# -- the new code, tried ----------------------------------------------------------------------------------------------


def _trial() -> int:
    """Load all that a runner may need, read the parcel from stdin, and say on stdout whether it is understood."""
    answer: dict[str, Any] = {"version": __version__, "understood": False}
    try:
        _load_everything()
        answer["why"] = _look()
    except Exception as error:  # whatever is wrong with the new code, the old runner has to hear what it is
        answer["why"] = _said(error)
    answer["understood"] = not answer["why"]
    print(json.dumps(answer), flush=True)
    return 0 if answer["understood"] else 1


def _load_everything() -> None:
    import_module("gds.runner")
    import_module("gds.reception")
    import_module("gds.takeover")
    import_module("gds.setdesk")
    import_module("gds.cli.run")
    import_module("gds.late")
    import_module("gds.probes")
    for package in LOADED:
        for place in import_module(package).__path__:
            for entry in sorted(os.listdir(place)):
                name, dot, kind = entry.partition(".")
                if (dot, kind) == (".", "py") and name not in ("__init__", "__main__"):
                    import_module(f"{package}.{name}")


def _look() -> str:
    """Why it cannot take over, or ""."""
    from gds.takeover import could_take_over

    return could_take_over(0)


def _said(error: Exception) -> str:
    where = ""
    if isinstance(error, SyntaxError):
        where = f"{os.path.basename(error.filename or '')}:{error.lineno}: "
    return f"it cannot be loaded: {where}{type(error).__name__}: {getattr(error, 'msg', '') or error}"
