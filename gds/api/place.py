"""Where a control socket may stand: on a free place, or on that of a runner that is no more. Never on a file of another
kind, never on the socket of a runner that lives.

Looked at before anything is started, and again when the socket is made, which is later. Nothing is imported for a free
place: a start must not pay for the rare case.
"""

from __future__ import annotations

import os
import stat

from gds.errors import ConfigError, EngineError

LONGEST = 107
"""Bytes of a socket's path: sun_path of unix(7), without its NUL."""
BESIDE = "--socket or --runtime-dir names another place"


class Taken(EngineError):
    """Another runner answers there. Exit status 75."""


def begun(path: str) -> str:
    """Under which name the socket is made, before it is renamed to `path`. Of a fixed length, that of control.sock."""
    return f"{os.path.dirname(path)}/.new.{os.getpid():07d}"


def check(path: str, hint: str = BESIDE) -> None:
    """A socket of ours may be made at `path`. `hint`: what would help.

    Raises Taken when somebody listens there, ConfigError (78) when it can never be.
    """
    room = LONGEST - max(0, len(begun(path)) - len(path))
    size = len(os.fsencode(path))
    if size > room:
        raise ConfigError(
            f"cannot use {path} as the control socket: its path has {size} bytes, and may have {room}; {hint}"
        )
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        _check_directory(path, hint)
        return
    except OSError as error:
        raise ConfigError(f"cannot use {path} as the control socket: {error.strerror}; {hint}") from None
    if not stat.S_ISSOCK(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "a file of another kind, which is left alone"
        raise ConfigError(f"cannot use {path} as the control socket: there is {what}; {hint}")
    pid = listener(path)
    if pid >= 0:
        raise Taken(
            f"cannot use {path} as the control socket: another runner answers there{f' (pid {pid})' if pid else ''};"
            f" {hint}"
        )


def _check_directory(path: str, hint: str) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise ConfigError(f"cannot use {path} as the control socket: there is no directory {directory}; {hint}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot use {path} as the control socket: nothing can be made in {directory}; {hint}")


def listener(path: str) -> int:
    """The pid of who listens at this socket, 0 when that is not told; -1: nobody, it is stale."""
    from _socket import AF_UNIX, SO_PEERCRED, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, socket

    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        sock.connect(path)
        return int.from_bytes(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[:4], "little")
    except (ConnectionRefusedError, FileNotFoundError):
        return -1
    except OSError:
        return 0  # its queue is full, it is of another kind, or not for us: somebody's all the same
    finally:
        sock.close()
