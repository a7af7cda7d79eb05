"""Where each key and value of a TOML text stands: line and column for error messages.

tomllib gives values without places. This scanner walks the same text and notes, for each key path, the offset of the
key and of its value. It runs only when there is something to say, copes with dotted and quoted keys, inline tables,
arrays (elements are numbered), arrays of tables and multi-line strings, and stops at the first thing it does not
understand: what it has until then is still right.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from gds.errors import ConfigError

Keys = tuple[str | int, ...]

DEEPEST = 32
"""Arrays and inline tables inside each other, and parts of a dotted key."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\[\]{}#\n\r=]+")


class Place(NamedTuple):
    """Line and column, both from 1; columns count characters."""

    line: int
    column: int


class TooDeep(ConfigError):
    """Tables, arrays or dotted keys are nested deeper than anyone would."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"cannot read it: nested deeper than {DEEPEST} levels")
        self.offset = offset


class _Odd(Exception):
    """The text is not TOML from here on."""


class Positions:
    """The places of one text. `stopped` is the offset where the scanner gave up, or -1.

    Raises TooDeep when made with `strict` and the text nests too deeply.
    """

    def __init__(self, text: str, strict: bool = False) -> None:
        self.text = text
        self.keys: dict[Keys, int] = {}
        self.values: dict[Keys, int] = {}
        self.twice: list[tuple[Keys, int, int]] = []
        """Keys that stand twice: path, first offset, second offset."""
        self.stopped = -1
        self._lines = [0, *[m.end() for m in re.finditer("\n", text)]]
        self._arrays: dict[Keys, int] = {}
        self._at = 0
        try:
            self._document()
        except _Odd:
            self.stopped = self._at
        except TooDeep:
            self.stopped = self._at
            if strict:
                raise

    def place(self, offset: int) -> Place:
        """Line and column of an offset."""
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)

    def offset_of(self, keys: Keys, on_key: bool) -> int:
        """The offset of a value (or key), or of the nearest table around it that is known."""
        first, second = (self.keys, self.values) if on_key else (self.values, self.keys)
        while keys:
            for known in (first, second):
                if keys in known:
                    return known[keys]
            # An element that has no place of its own is part of a value, such as a string with commas.
            in_value = isinstance(keys[-1], int)
            keys = keys[:-1]
            first, second = (self.values, self.keys) if in_value else (self.keys, self.values)
        return 0

    def literal(self, keys: Keys) -> str:
        """The first characters of a value as they were written."""
        at = self.values.get(keys)
        return "" if at is None else self.text[at : at + 40]

    # -- the walk

    def _document(self) -> None:
        table: Keys = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self.text):
                return
            if self.text.startswith("[[", self._at):
                table = self._header(2)
            elif self.text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table, 0)
            self._skip(_SPACE)
            if self._at < len(self.text) and self.text[self._at] not in "#\n\r":
                raise _Odd

    def _header(self, brackets: int) -> Keys:
        self._at += brackets
        self._skip(_SPACE)
        start = self._at
        parts = self._key()
        self._expect("]" * brackets)
        keys = self._resolved(parts)
        if brackets == 2:
            number = self._arrays.get(keys, -1) + 1
            self._arrays[keys] = number
            self.keys.setdefault(keys, start)
            keys = (*keys, number)
        elif keys in self.keys and self.keys[keys] != start and self._is_header(keys):
            self.twice.append((keys, self.keys[keys], start))
        self._note(keys, start)
        self.values[keys] = start
        return keys

    def _is_header(self, keys: Keys) -> bool:
        return self.values.get(keys) == self.keys[keys]

    def _resolved(self, parts: list[str]) -> Keys:
        keys: Keys = ()
        for place, part in enumerate(parts):
            keys = (*keys, part)
            if place < len(parts) - 1 and keys in self._arrays:
                keys = (*keys, self._arrays[keys])
        return keys

    def _note(self, keys: Keys, offset: int) -> None:
        for length in range(1, len(keys) + 1):
            self.keys.setdefault(keys[:length], offset)

    def _pair(self, table: Keys, depth: int) -> None:
        start = self._at
        parts = self._key()
        self._expect("=")
        self._skip(_SPACE)
        keys = (*table, *parts)
        if keys in self.values:
            self.twice.append((keys, self.keys[keys], start))
        self._note(keys, start)
        self.values.setdefault(keys, self._at)
        self._value(keys, depth)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            match = _BARE.match(self.text, self._at)
            if match is not None:
                parts.append(match[0])
            elif (match := _LITERAL.match(self.text, self._at)) is not None:
                parts.append(match[0][1:-1])
            elif (match := _BASIC.match(self.text, self._at)) is not None:
                parts.append(_unquoted(match[0]))
            else:
                raise _Odd
            if len(parts) > DEEPEST:
                raise TooDeep(self._at)
            self._at = match.end()
            self._skip(_SPACE)
            if not self.text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, keys: Keys, depth: int) -> None:
        if depth > DEEPEST:
            raise TooDeep(self._at)
        character = self.text[self._at : self._at + 1]
        if character == "[":
            self._array(keys, depth)
        elif character == "{":
            self._inline(keys, depth)
        else:
            match = (_STRING if character in ("'", '"') else _SCALAR).match(self.text, self._at)
            if match is None:
                raise _Odd
            self._at = match.end()

    def _array(self, keys: Keys, depth: int) -> None:
        self._at += 1
        number = 0
        while True:
            self._skip(_BLANK)
            if self.text.startswith("]", self._at):
                self._at += 1
                return
            self.keys.setdefault((*keys, number), self._at)
            self.values.setdefault((*keys, number), self._at)
            self._value((*keys, number), depth + 1)
            number += 1
            self._skip(_BLANK)
            if self.text.startswith(",", self._at):
                self._at += 1
            elif not self.text.startswith("]", self._at):
                raise _Odd

    def _inline(self, keys: Keys, depth: int) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self.text.startswith("}", self._at):
                self._at += 1
                return
            self._pair(keys, depth + 1)
            self._skip(_BLANK)
            if self.text.startswith(",", self._at):
                self._at += 1
            elif not self.text.startswith("}", self._at):
                raise _Odd

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self._at)
        if match is not None:
            self._at = match.end()

    def _expect(self, what: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(what, self._at):
            raise _Odd
        self._at += len(what)


def _unquoted(quoted: str) -> str:
    import tomllib

    try:
        return str(tomllib.loads(f"key = {quoted}")["key"])
    except tomllib.TOMLDecodeError:
        return quoted[1:-1]
