"""pmfadm -c when no runner runs: start one in the background, and ask it."""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from gds.api import client
from gds.config import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

START_LIMIT = 20.0
"""Seconds until a runner started in the background must answer."""
LOOK_AGAIN = 0.01
BUSY = 75
HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME")
"""What a runner in the background gets of the caller's environment, beside GDS_… and PYTHON…."""
OF_ONE_COMMAND = (
    "GDS_SOCKET GDS_RUNTIME_DIR GDS_STATE_DIR GDS_RESOURCE GDS_GROUP GDS_TYPE GDS_METHOD GDS_INCARNATION GDS_TIMEOUT"
    " GDS_REASON GDS_RESTARTS GDS_RETRY_COUNT GDS_PROBE_SUM GDS_HOSTNAMES GDS_PORT_LIST"
)


def home(socket: str, runtime_dir: str) -> tuple[str, str]:
    """The runtime directory and the control socket of the runner that gets new tags; the two as given, or "".

    Raises Denied when a directory that nobody named is another user's.
    """
    path = socket or ("" if runtime_dir else os.environ.get("GDS_SOCKET", ""))
    given = runtime_dir or os.environ.get("GDS_RUNTIME_DIR", "")
    if path and not given:
        return os.path.dirname(os.path.abspath(path)), os.path.abspath(path)
    directory = os.path.abspath(places.runtime_dir(given, os.environ, os.geteuid()))
    if not given and os.path.exists(directory):
        _check_owner(directory)
    return directory, os.path.abspath(path) if path else f"{directory}/{client.CONTROL}"


def ask_or_start(directory: str, path: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask; when nobody is there, start a runner and ask that.

    Two that do this at once end up with one runner: the directory's lock refuses the second one, and this asks again.
    So it does when a runner ended with its last tag just now. Asking twice is safe: a runner that has taken the request
    on does not end before it has answered, and what a killed one left is ended by the next. Raises GdsError.
    """
    deadline = monotonic() + START_LIMIT
    pid = -1
    reader = -1
    try:
        while True:
            try:
                return ask()
            except client.NoRunner as error:
                if monotonic() > deadline:
                    raise client.NoRunner(f"{error}; the runner started in the background does not answer") from None
            if pid < 0:
                pid, reader = _start_runner(directory, path)
            elif (status := _ended_with(pid)) is not None:
                words = _read_all(reader)
                pid, reader = -1, -1
                if status not in (0, BUSY):
                    raise client.NoRunner(f"cannot start a runner in the background: {words}")
            sleep(LOOK_AGAIN)
    finally:
        if reader >= 0:
            os.close(reader)


def _ended_with(pid: int) -> int | None:
    """Its exit status; None while it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0  # we were started with SIGCHLD ignored, so nobody knows
    return os.waitstatus_to_exitcode(status) if ended else None


def _read_all(reader: int) -> str:
    """The last line of what it said."""
    os.set_blocking(reader, False)  # somebody it started may hold the other end
    try:
        data = os.read(reader, 65536)
    except BlockingIOError:
        data = b""
    os.close(reader)
    lines = data.decode("utf-8", "replace").strip().split("\n")
    return lines[-1].removeprefix("gds: ") or "it said nothing"


def _start_runner(directory: str, path: str) -> tuple[int, int]:
    """Its pid, and where it says why it cannot run. Detached: a session of its own, "/" as its directory, /dev/null.
    Once we end nobody hears what it says; the history in its runtime directory has its decisions.

    Raises GdsError when the directory is not fit for a runner.
    """
    _make_safe(directory)
    flags = ["--runtime-dir", directory, "--state-dir", directory, "--socket", path]
    environ = {name: value for name, value in os.environ.items() if _is_handed_on(name)}
    reader, writer = os.pipe2(os.O_CLOEXEC)
    old = os.umask(0o022)
    try:
        # -P: what lies in the current directory is not for us to import
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "gds", "run", "--pmf", *flags],
            environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writer, 2),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
            setsigmask=(),
        )
    except OSError as error:
        os.close(reader)
        raise client.NoRunner(f"cannot start a runner in the background: {error.strerror}") from None
    finally:
        os.umask(old)
        os.close(writer)
    return pid, reader


def _is_handed_on(name: str) -> bool:
    if name in OF_ONE_COMMAND.split():
        return False
    return name in HANDED_ON or name.startswith(("GDS_", "PYTHON"))


def _make_safe(directory: str) -> None:
    """It is there, and nobody else's."""
    try:
        os.makedirs(directory, 0o755, exist_ok=True)
    except OSError as error:
        raise client.NoRunner(f"cannot start a runner in {directory}: {error.strerror}") from None
    _check_owner(directory)


def _check_owner(directory: str) -> None:
    """In a directory of another's, another could answer for the runner, and would be told the environment."""
    owner = os.stat(directory).st_uid
    if owner not in (0, os.geteuid()):
        raise client.Denied(f"cannot trust a runner in {directory}: it belongs to uid {owner}")
