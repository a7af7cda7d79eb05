"""gds validate PATH...: everything `gds check` finds, then each application's own validate command, as its user.

No runner is asked or needed; nothing is started. Sun: semantics.md 2.7 (the Validate method).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time

from gds.cli import check, options
from gds.config.compiler import FAULTY, answer
from gds.errors import ConfigError, UsageError
from gds.model.ending import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.model.resource import Plan, Resource

REFUSED = 1
LAST_SECOND = 1.0
"""Seconds that a command which overran has, after SIGABRT."""
MOST_OUTPUT = 65_536
"""Bytes of what a command printed that are told."""
USAGE = "usage: gds validate PATH... [--strict] [--json]"


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """Exit status: 0 all fit, 1 a validate command refuses, 78 errors in descriptors."""
    typed = options.parse(argv, {"--strict": "strict", "--json": "json"}, {})
    if not typed.names or typed.after is not None:
        raise UsageError(f"cannot validate: no descriptor is given\n{USAGE}")
    strict = "strict" in typed.flags
    if "json" in typed.flags:
        return _told_to_programs(typed.names, strict)
    code = check.main([*typed.names, *(["--strict"] if strict else [])])
    if code:
        return code
    return REFUSED if any(not each["fits"] for each in _validated(typed.names, quiet=False)) else 0


def _told_to_programs(paths: list[str], strict: bool) -> int:
    """What `gds check --json` says, and `validated`: the result of each validate command."""
    import json

    found = answer({"paths": paths}, os.environ)
    faulty = bool(found["errors"] or (strict and found["warnings"]))
    results = [] if faulty else _validated(paths, quiet=True)
    refused = any(not each["fits"] for each in results)
    document = check.document_of(found, faulty, strict)
    print(json.dumps({**document, "ok": not faulty and not refused, "validated": results}, indent=1))
    return FAULTY if faulty else REFUSED if refused else 0


def _validated(paths: list[str], quiet: bool) -> list[dict[str, Any]]:
    """The result of each validate command: resource, command, fits, message, seconds; and its output, with `quiet`."""
    results = []
    for resource in _plan(paths).resources:
        if resource.validate_command is None:
            continue
        began = time.monotonic()
        message, output = _fault(resource, quiet)
        found: dict[str, Any] = {"resource": resource.name, "command": resource.validate_command.shown}
        found |= {"fits": not message, "message": message, "seconds": round(time.monotonic() - began, 3)}
        if quiet:
            found["output"] = output
        elif message:
            print(f"{resource.name}: {message}", file=sys.stderr)
        else:
            print(f"{resource.name}: fits", flush=True)
        results.append(found)
    return results


def _plan(paths: list[str]) -> Plan:
    from gds.config.load import load

    plan = load(paths, can_abort=True).plan
    if plan is None:
        raise ConfigError("cannot read the descriptors a second time: they changed meanwhile")
    return plan


def _fault(resource: Resource, quiet: bool) -> tuple[str, str]:
    """Why it does not fit, "" when it does; and what its command printed, with `quiet` (else it goes to our own)."""
    from gds.daemon.environment import Account, Call, of_command, parse_file
    from gds.linux.accounts import look_up

    command = resource.validate_command
    assert command is not None
    account = Account(*look_up(resource))
    from_files: dict[str, str] = {}
    for path in resource.environment_files:
        try:
            with open(path.removeprefix("-"), encoding="utf-8", errors="surrogateescape") as file:
                from_files.update(parse_file(file.read()))
        except OSError as error:
            if not path.startswith("-"):
                return f"cannot read environment file {path}: {error.strerror}", ""
    call = Call("Validate", 0, resource.validate_timeout, "gds validate")
    env = of_command(resource, call, account, os.environ, from_files, os.uname().nodename, "", False)
    # In a process that ends, what costs the runner milliseconds for each start costs nothing that counts.
    drop = {"user": account.uid, "group": account.gid, "extra_groups": account.groups} if account.uid >= 0 else {}
    # A file, not a pipe: what the command left behind may hold it open for ever.
    with tempfile.TemporaryFile() as output:
        where = output if quiet else None
        try:
            process = subprocess.Popen(
                command.argv,
                env=env,
                cwd=resource.working_directory or None,
                stdin=subprocess.DEVNULL,
                stdout=where,
                stderr=where,
                start_new_session=True,
                umask=resource.umask,
                **drop,  # type: ignore[call-overload]  # the three go together
            )
            said = _awaited(process, resource.validate_timeout)
        except (OSError, subprocess.SubprocessError) as error:
            said = f"cannot execute validate_command {command.shown}: {error}"
        output.seek(0)
        return said, output.read(MOST_OUTPUT).decode("utf-8", "replace")


def _awaited(process: subprocess.Popen[bytes], limit: float) -> str:
    """What is wrong with it once it has ended; "" = nothing. Over its limit its whole session is ended as the runner
    does it: SIGABRT, and a second later SIGKILL."""
    try:
        return _how(process.wait(limit))
    except subprocess.TimeoutExpired:
        said = f"validate_command did not end within {limit:g} s"
    os.killpg(process.pid, signal.SIGABRT)
    # its leader is not waited for before the second signal: the number of the group stays ours
    time.sleep(LAST_SECOND)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return said


def _how(returncode: int) -> str:
    """What is wrong with a command that ended so; "" = nothing."""
    if not returncode:
        return ""
    if returncode > 0:
        return f"validate_command exited with status {returncode}"
    return f"validate_command was killed by {signal_name(-returncode)}"
