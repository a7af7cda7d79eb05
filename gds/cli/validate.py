"""gds validate PATH...: everything `gds check` finds, then each application's own validate command, as its user.

No runner is asked or needed; nothing is started. Sun: semantics.md 2.7 (the Validate method).
"""

from __future__ import annotations

import os
import subprocess
import sys

from gds.cli import check, options
from gds.errors import ConfigError, UsageError
from gds.model.ending import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Plan, Resource

USAGE = "usage: gds validate PATH... [--strict]"


def main(argv: list[str]) -> int:
    """Exit status: 0 all fit, 1 a validate command refuses, 78 errors in descriptors."""
    try:
        typed = options.parse(argv, {"--strict": "strict"}, {})
        if not typed.names:
            raise UsageError(f"cannot validate: no descriptor is given\n{USAGE}")
    except options.HelpAsked:
        print(USAGE)
        return 0
    except UsageError as error:
        print(f"gds: {error}", file=sys.stderr)
        return 2
    code = check.main([*typed.names, *(["--strict"] if "strict" in typed.flags else [])])
    if code:
        return code
    plan = _plan(typed.names)
    refused = 0
    for resource in plan.resources:
        if resource.validate_command is not None and not _fits(resource):
            refused += 1
    return 1 if refused else 0


def _plan(paths: list[str]) -> Plan:
    from gds.config.load import load

    plan = load(paths, can_abort=True).plan
    if plan is None:
        raise ConfigError("cannot read the descriptors a second time: they changed meanwhile")
    return plan


def _fits(resource: Resource) -> bool:
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
        except OSError:
            if not path.startswith("-"):
                print(f"{resource.name}: cannot read environment file {path}", file=sys.stderr)
                return False
    call = Call("Validate", 0, resource.validate_timeout, "gds validate")
    env = of_command(resource, call, account, os.environ, from_files, os.uname().nodename, "", False)
    # In a process that ends, what costs the runner milliseconds for each start costs nothing that counts.
    drop = {"user": account.uid, "group": account.gid, "extra_groups": account.groups} if account.uid >= 0 else {}
    try:
        done = subprocess.run(
            command.argv,
            env=env,
            cwd=resource.working_directory or None,
            stdin=subprocess.DEVNULL,
            timeout=resource.validate_timeout,
            start_new_session=True,
            check=False,
            umask=resource.umask,
            **drop,  # type: ignore[call-overload]  # the three go together
        )
    except subprocess.TimeoutExpired:
        print(f"{resource.name}: validate_command did not end within {resource.validate_timeout:g} s", file=sys.stderr)
        return False
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{resource.name}: cannot execute validate_command {command.shown}: {error}", file=sys.stderr)
        return False
    if done.returncode:
        how = (
            f"exited with status {done.returncode}"
            if done.returncode > 0
            else f"was killed by {signal_name(-done.returncode)}"
        )
        print(f"{resource.name}: validate_command {how}", file=sys.stderr)
        return False
    print(f"{resource.name}: fits")
    return True
