"""What every verb speaks through: finds the runner's socket, sends one request, hears the answer. Light to start."""

from __future__ import annotations

import json
import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket

from gds.config import places
from gds.errors import GdsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CONTROL = "control.sock"


class NoRunner(GdsError):
    """Nobody to ask. Exit status 4."""


class Denied(GdsError):
    """The socket is there, and not for us. Exit status 77."""


class TimedOut(GdsError):
    """The answer did not come in the time the user gave. Exit status 1."""


def sockets(given: str = "", runtime_dir: str = "") -> list[str]:
    """The control sockets to ask: `given`, else GDS_SOCKET, else every one under the runtime directory. A directory
    that is given on the command line outranks the variable."""
    named = given or ("" if runtime_dir else os.environ.get("GDS_SOCKET", ""))
    if named:
        return [named]
    top = places.runtime_dir(runtime_dir or os.environ.get("GDS_RUNTIME_DIR", ""), os.environ, os.geteuid())
    if not (runtime_dir or os.environ.get("GDS_RUNTIME_DIR")):
        _trust(top)
    found = [f"{top}/{CONTROL}"] if os.path.exists(f"{top}/{CONTROL}") else []
    try:
        entries = sorted(os.listdir(top))
    except OSError:
        entries = []
    for entry in entries:
        path = f"{top}/{entry}/{CONTROL}"
        if os.path.exists(path):
            found.append(path)
    if not found:
        raise NoRunner(
            f"cannot find a runner: no control socket under {top}; is `gds run` running? (--socket names one)"
        )
    return found


def _trust(top: str) -> None:
    """A runtime directory of somebody else's may hold anything that looks like a runner. Raises Denied."""
    try:
        owner = os.stat(top).st_uid
    except OSError:
        return  # not there: nobody runs
    if owner not in (0, os.geteuid()):
        raise Denied(f"cannot trust {top}: it belongs to uid {owner}; --socket names a runner all the same")


def ask(
    path: str,
    request: dict[str, Any],
    on_line: Callable[[dict[str, Any]], None] | None = None,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Send `request` to the runner at `path`; its last answer. Lines before go to `on_line`. `timeout` in seconds.

    Raises NoRunner, Denied, TimedOut.
    """
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    if timeout is not None:
        sock.settimeout(timeout)
    try:
        try:
            sock.connect(path)
        except PermissionError:
            raise Denied(
                f"cannot open {path}: you are neither root, the runner's user, nor in the socket's group"
            ) from None
        except OSError as error:
            raise NoRunner(f"cannot reach a runner at {path}: {error.strerror or error}") from None
        sock.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while True:
            chunk = sock.recv(65536)
            if not chunk:
                raise NoRunner(f"cannot hear the end of the answer: the runner at {path} went away")
            data += chunk
            *lines, data = data.split(b"\n")
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                if message.get("done"):
                    return message
                if on_line is not None:
                    on_line(message)
    except TimeoutError:
        raise TimedOut(f"cannot wait longer: no answer from {path} within {timeout:g} s; it goes on there") from None
    except OSError as error:
        raise NoRunner(f"cannot talk to the runner at {path}: {error.strerror or error}") from None
    finally:
        sock.close()
