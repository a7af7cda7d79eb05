"""Log: the runner's own lines on standard error, one for each decision, with its reason.

Text is the sentence, then `key=value`; JSON has one object a line. Under systemd's journal (JOURNAL_STREAM names the
very file that descriptor 2 is) a line of text begins with its priority, `<4>`, and has no time, because the journal
adds both. Elsewhere it begins with the time in UTC and the level.

Writing never raises and never waits: where nobody reads (a full pipe, a terminal that was stopped), where the disk is
full or standard error is closed, lines are lost, counted, and the next line that can be written says how many. What
was decided is kept in the history anyway.
"""

from __future__ import annotations

import os
import select
import time
from _json import encode_basestring, encode_basestring_ascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Field = str | int | float | bool | None

ERROR, WARNING, NOTICE, INFO, DEBUG = 3, 4, 5, 6, 7
"""Priorities, as syslog numbers them."""

_WORDS = {ERROR: "error", WARNING: "warning", NOTICE: "notice", INFO: "info", DEBUG: "debug"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,@%+*#~$&;!?()[]{}<>|^")
_LONGEST = 16384
"""Characters of one value; the journal cuts lines at 48 KiB."""


def under_journal(environ: Mapping[str, str], fd: int = 2) -> bool:
    """`fd` is a stream to systemd's journal: JOURNAL_STREAM has its device and inode."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        facts = os.fstat(fd)
        return (int(device), int(inode)) == (facts.st_dev, facts.st_ino)
    except (ValueError, OSError):
        return False


def format_for(wanted: str, environ: Mapping[str, str], fd: int = 2) -> str:
    """text, json or journal, from the setting log_format; "auto" looks where the lines go.

    "text" under the journal is "journal" too: the same text with the priority that the journal understands.
    """
    if wanted in ("auto", "text") and under_journal(environ, fd):
        return "journal"
    if wanted != "auto":
        return wanted
    try:
        return "text" if os.isatty(fd) else "json"
    except OSError:
        return "json"


class Log:
    """See the module. `format` is text, json or journal; `fd` stays the caller's."""

    def __init__(
        self, format: str = "text", fd: int = 2, level: int = INFO, wall: Callable[[], float] = time.time
    ) -> None:
        self.format = format
        self.level = level
        self.lost = 0
        """Lines that could not be written since the last one that could."""
        self._torn = False
        self._fd = fd
        self._wall = wall
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def debug(self, text: str, **fields: Field) -> None:
        """For who looks for a fault in gds."""
        self.say(DEBUG, text, fields)

    def info(self, text: str, **fields: Field) -> None:
        """A decision, or a fact worth keeping."""
        self.say(INFO, text, fields)

    def warning(self, text: str, **fields: Field) -> None:
        """Something somebody should look at; gds goes on."""
        self.say(WARNING, text, fields)

    def error(self, text: str, **fields: Field) -> None:
        """Something that should work does not."""
        self.say(ERROR, text, fields)

    def say(self, priority: int, text: str, fields: Mapping[str, Field]) -> None:
        """One line; fields that are None or empty are left out."""
        if priority > self.level:
            return
        line = self.line(priority, text, fields)
        if self.lost and self._write(self._lost_line()):
            self.lost = 0
        if self.lost or not self._write(line):
            self.lost += 1

    def line(self, priority: int, text: str, fields: Mapping[str, Field]) -> str:
        """What `say` writes."""
        if self.format == "json":
            pairs = [("time", self._time()), ("level", _WORDS[priority]), ("message", text), *fields.items()]
            return "{" + ", ".join(f"{_quoted(k)}: {_json(v)}" for k, v in pairs if _given(v)) + "}\n"
        said = _unbroken(text[:_LONGEST]) + "".join([f" {k}={_word(v)}" for k, v in fields.items() if _given(v)])
        if self.format == "journal":
            return f"<{priority}>{said}\n"
        return f"{self._time()} {_WORDS[priority]} {said}\n"

    def _lost_line(self) -> str:
        lines = "line" if self.lost == 1 else "lines"
        return self.line(WARNING, f"{self.lost} {lines} of this log could not be written", {})

    def _time(self) -> str:
        now = self._wall()
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03d}Z"

    def _write(self, line: str) -> bool:
        data = (b"\n" if self._torn else b"") + line.encode("utf-8", "backslashreplace")
        whole = len(data)
        try:
            while data:
                # A descriptor shared with others may not be made non-blocking: asked first, then given what surely
                # fits (a pipe that is ready takes PIPE_BUF bytes without waiting).
                ready = self._poll.poll(0)
                if not ready or ready[0][1] & (select.POLLNVAL | select.POLLERR):
                    break
                data = data[os.write(self._fd, data[: select.PIPE_BUF]) :]
        except OSError:
            pass  # counted by the caller
        if not data:
            self._torn = False
        elif len(data) < whole:
            self._torn = True
        return not data


def _given(value: Field) -> bool:
    return value is not None and value != ""


def _quoted(text: str) -> str:
    return str(encode_basestring(text) if text.isprintable() else encode_basestring_ascii(text))


def _json(value: Field) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if value - value == 0.0 else _quoted(str(value))
    return _quoted(value[:_LONGEST])


def _word(value: Field) -> str:
    if isinstance(value, str):
        return value[:_LONGEST] if _PLAIN.issuperset(value) else _quoted(value[:_LONGEST])
    return f"{value:.6g}" if isinstance(value, float) else _json(value)


def _unbroken(text: str) -> str:
    """One line, and nothing that a terminal would obey."""
    return text if text.isprintable() else "".join([c if c.isprintable() else _quoted(c)[1:-1] for c in text])
