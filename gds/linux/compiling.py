"""Asking the compiler: a process that loads pydantic, hands over a frozen Plan, and ends.

`gds.config.compiler` says what it is asked and answers; here is only how. The runner never loads any of it.
"""

from __future__ import annotations

import marshal
import os
import select
import time

from gds.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any

    from gds.linux.loop import Loop
    from gds.linux.reaper import Reaper
else:
    import _signal as signal  # plain numbers, without the enums


PATIENCE = 5.0
"""Seconds a compiler may go on that somebody waits for who was told to end: its files may hang."""
_ENDS = frozenset((signal.SIGTERM, signal.SIGINT))
_SILENT = "cannot compile the descriptors: the compiler ended without an answer"


def _spawn(argv: list[str], given: bytes = b"") -> tuple[int, int]:
    stdin = _in_memory(given) if given else -1
    first = (os.POSIX_SPAWN_DUP2, stdin, 0) if given else (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    reader, writer = -1, -1
    try:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        pid = os.posix_spawn(
            argv[0],
            argv,
            os.environ,
            file_actions=[first, (os.POSIX_SPAWN_DUP2, writer, 1)],
            setsigmask=(signal.SIGINT,),  # Ctrl-C is for the runner, which ends it or waits for its answer
        )
    except BaseException:  # whatever it was, the pipe is not left open; it goes on up
        if reader >= 0:
            os.close(reader)
        raise
    finally:
        for fd in (writer, stdin):
            if fd >= 0:
                os.close(fd)
    return pid, reader


def _in_memory(given: bytes) -> int:
    """What is handed over by stdin: nobody else sees it, as in an argument, and no disk can be too full for it."""
    fd = os.memfd_create("given", os.MFD_CLOEXEC)
    try:
        data = memoryview(given)
        while data:
            data = data[os.write(fd, data) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:  # as above
        os.close(fd)
        raise
    return fd


def _understood(data: bytes) -> dict[str, Any]:
    try:
        answer = marshal.loads(data)
    except (ValueError, EOFError, TypeError):
        answer = None
    if not isinstance(answer, dict):
        return {
            "errors": [{"path": "gds", "line": 0, "column": 0, "key": "", "message": _SILENT}],
            "warnings": [],
        }
    return answer


def ask_and_wait(argv: list[str]) -> dict[str, Any]:
    """Before there is a loop: the answer. Raises EngineError when it does not come and we have been told to end."""
    pid, reader = _spawn(argv)
    data = b""
    since = time.monotonic()
    poll = select.poll()
    poll.register(reader)
    while True:
        if not poll.poll(250):
            if time.monotonic() - since > PATIENCE and signal.sigpending() & _ENDS:
                os.kill(pid, signal.SIGKILL)
                raise EngineError("cannot run: told to end while the descriptors were still being read")
            continue
        chunk = os.read(reader, 1 << 20)
        if not chunk:
            break
        data += chunk
    os.close(reader)
    os.waitpid(pid, 0)
    return _understood(data)


class Question:
    """From the loop: the answer comes to `done`, once."""

    def __init__(
        self,
        loop: Loop,
        reaper: Reaper,
        argv: list[str],
        done: Callable[[dict[str, Any]], None],
        given: bytes = b"",
    ) -> None:
        self._loop = loop
        self._done = done
        self._data = b""
        pid, self._reader = _spawn(argv, given)
        reaper.expect(pid, lambda _status: None)
        os.set_blocking(self._reader, False)
        loop.watch(self._reader, self._readable)

    def _readable(self, _events: int) -> None:
        try:
            chunk = os.read(self._reader, 1 << 20)
        except BlockingIOError:
            return
        if chunk:
            self._data += chunk
            return
        self._loop.unwatch(self._reader)
        os.close(self._reader)
        self._done(_understood(self._data))
