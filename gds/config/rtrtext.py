"""The text of an RTR file → its entries, blocks and upgrade lines, each with its place; what they mean is `rtr.py`'s.

Grammar (Sun: semantics.md 14.2):

    file      = { NAME "=" values ";" } [ "#$upgrade" { "#$upgrade_from" version when } ] { block }
    block     = "{" { NAME "=" values ";" | FLAG ";" | "ENUM" "{" word { "," word } "}" ";" } "}"
    values    = nothing | value { "," value }          value = bare word | "quoted string"

A `#` outside of quotes starts a comment; a bare word holds no blank and none of `; , = { } " #`. In a quoted string
`\\"` and `\\\\` stand for a quote and a backslash, any other backslash for itself; a string ends on its line, and
strings side by side are not joined.

After a fault the walk goes on at the next `;`, brace or line, whichever makes the fewest faults of one mistake, so that
every mistake of a file is told in one go.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

MOST_FAULTS = 500
"""A file with more faults than this is no RTR file."""
TOO_MANY = f"more than {MOST_FAULTS} mistakes: the rest is not told"


class Piece(NamedTuple):
    """A word or string and where it stands."""

    text: str
    offset: int
    quoted: bool = False


class Entry(NamedTuple):
    """`name = values;`, a flag (`values` None), or `name { words };`."""

    name: Piece
    values: tuple[Piece, ...] | None


class Block(NamedTuple):
    """What stands between braces."""

    offset: int
    entries: tuple[Entry, ...]


class Directive(NamedTuple):
    """A line that begins with `#$`."""

    name: Piece
    words: tuple[Piece, ...]


class Fault(NamedTuple):
    """A mistake: `where` names the entry it is in."""

    offset: int
    where: str
    message: str


class Parsed(NamedTuple):
    """All of a file, in its order, and what is wrong with its grammar."""

    items: tuple[Entry | Block | Directive, ...]
    faults: tuple[Fault, ...]


class Lines:
    """Line and column, both from 1, of an offset of a text; columns count characters."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *[m.end() for m in re.finditer("\n", text)]]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def printable(text: str, longest: int = 40) -> str:
    """The text as a message shows it: on one line, never long."""
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join([c if c.isprintable() else f"\\u{ord(c):04x}" for c in text])


def parse(text: str) -> Parsed:
    """Walks the whole text; never raises."""
    walk = _Walk(text)
    walk.file()
    return Parsed(tuple(walk.items), tuple(walk.faults))


_BLANKS = " \t\r\n\f\v"
_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n\f\v]+|#(?!\$)[^\n]*)"
    r"|(?P<directive>\#\$[^\n]*)"
    r'|(?P<string>"(?:[^"\\\n]|\\[^\n])*")'
    r'|(?P<open>"[^\n]*)'
    r"|(?P<curly>[“”„«][^\";\n”»]*[\"”»]?)"
    r"|(?P<mark>[;,={}])"
    r'|(?P<word>[^ \t\r\n\f\v;,={}"#“”„«]+)'
)
_ESCAPE = re.compile(r'\\(["\\])')
_END = "the end of the file"
FLAGS = frozenset(("extension", "per_node", "string", "boolean", "int", "stringarray"))
LISTS = frozenset(("enum", "enumlist"))


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int
    end: int


class _TooMany(Exception):
    """Nobody reads on after so many."""


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = Lines(text)
        self.items: list[Entry | Block | Directive] = []
        self.faults: list[Fault] = []
        self._tokens: list[_Token] = []
        self._at = 0

    def file(self) -> None:
        try:
            self._tokens = list(self._lex())
            while self._now.kind != "end":
                self._item()
        except _TooMany:
            self.faults.append(Fault(len(self.text), "", TOO_MANY))

    # -- tokens

    def _lex(self) -> list[_Token]:
        made: list[_Token] = []
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            assert match is not None  # every character begins one of the alternatives
            kind, word, end = match.lastgroup or "", match[0], match.end()
            if kind == "open":
                self._fault(at, 'expected " at the end of the string: it is not closed on its line')
                made.append(_Token("string", word[1:].partition(";")[0].rstrip(), at, end))
                # The ; that the string would have swallowed: one mistake is told once.
                made.append(_Token("mark", ";", end, end))
            elif kind == "curly":
                self._fault(at, f'expected a straight quote ("), not {word[0]}')
                made.append(_Token("string", word.strip('“”„«»"'), at, end))
            elif kind == "string":
                made.append(_Token(kind, _ESCAPE.sub(r"\1", word[1:-1]), at, end))
            elif kind != "blank":
                made.append(_Token(kind, word, at, end))
            at = end
        made.append(_Token("end", "", at, at))
        return made

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _is(self, mark: str) -> bool:
        return self._now.kind == "mark" and self._now.text == mark

    def _next(self) -> _Token:
        token = self._now
        if token.kind != "end":
            self._at += 1
        return token

    def _shown(self, token: _Token) -> str:
        return _END if token.kind == "end" else f'"{printable(token.text)}"' if token.kind != "mark" else token.text

    def _later(self) -> bool:
        """The present token stands on a later line than the one before."""
        return "\n" in self.text[self._tokens[self._at - 1].end : self._now.offset]

    def _fault(self, offset: int, message: str, where: str = "") -> None:
        self.faults.append(Fault(offset, where, message))
        if len(self.faults) >= MOST_FAULTS:
            raise _TooMany

    # -- the grammar

    def _item(self) -> None:
        if self._now.kind == "directive":
            self.items.append(self._directive())
        elif self._now.kind == "word":
            made = self._entry(inside=False)
            if made is not None:
                self.items.append(made)
        elif self._is("{"):
            self.items.append(self._block())
        elif self._is("}"):
            self._fault(self._next().offset, "there is no { that this } closes")
        else:
            self._stray()

    def _stray(self) -> None:
        token = self._next()
        if token.text == ";" and token.kind == "mark":
            self._fault(token.offset, "expected the name of a property, not ;")
            return
        self._fault(token.offset, f"expected the name of a property, not {self._shown(token)}")
        self._skip()

    def _skip(self) -> None:
        """To where the next entry may begin: past a ; or before a brace, a #$ line or another line."""
        while self._now.kind not in ("end", "directive") and not self._is("{") and not self._is("}"):
            if self._is(";"):
                self._next()
                return
            self._next()
            if self._later():
                return

    def _block(self) -> Block:
        opened = self._next().offset
        line, _ = self.lines.place(opened)
        entries: list[Entry] = []
        while True:
            if self._is("}"):
                self._next()
                break
            if self._now.kind == "end" or self._is("{"):
                self._fault(self._now.offset, f"expected }} first: the {{ of line {line} is not closed")
                break
            if self._now.kind == "directive":
                self._fault(self._next().offset, "a #$ line stands before the properties, not among their attributes")
            elif self._now.kind == "word":
                made = self._entry(inside=True)
                if made is not None:
                    entries.append(made)
            else:
                self._stray()
        return Block(opened, tuple(entries))

    def _entry(self, inside: bool) -> Entry | None:
        token = self._next()
        name = Piece(token.text, token.offset)
        keyword = name.text.lower()
        if self._is("="):
            return self._assigned(name)
        if self._is("{") and inside and keyword in LISTS:
            words = self._braced(name.text)
            self._close(name.text)
            return Entry(name, words)
        if self._is(";"):
            self._next()
            return Entry(name, None)
        if inside and keyword in FLAGS:
            self._fault(token.end, "expected ;", name.text)
            return Entry(name, None)
        self._fault(self._now.offset, f"expected = and a value, not {self._shown(self._now)}", printable(name.text))
        if not self._later():
            self._skip()
        return None

    def _assigned(self, name: Piece) -> Entry | None:
        where = printable(name.text)
        equals = self._next()
        if self._is("{") and not self._later():
            if name.text.lower() not in LISTS:
                self._fault(self._now.offset, "expected a value, not {", where)
                self._next()
                self._skip_to_semicolon()
                self._skip()
                return None
            words = self._braced(where)
            self._close(where)
            return Entry(name, words)
        if self._is(";"):
            self._next()
            return Entry(name, ())
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self._later() and (self._now.kind != "word" or after.text == "="):
            # The value is missing, and what follows is the next entry.
            self._fault(equals.end, "expected a value and ;", where)
            return None
        values: list[Piece] = []
        while True:
            if self._now.kind not in ("word", "string"):
                self._fault(self._now.offset, f"expected a value, not {self._shown(self._now)}", where)
                self._skip()
                return None
            token = self._next()
            values.append(Piece(token.text, token.offset, token.kind == "string"))
            if not self._is(","):
                break
            self._next()
        self._close(where)
        return Entry(name, tuple(values))

    def _braced(self, where: str) -> tuple[Piece, ...]:
        opened = self._next()
        words: list[Piece] = []
        while self._now.kind in ("word", "string"):
            token = self._next()
            words.append(Piece(token.text, token.offset, token.kind == "string"))
            if self._is(","):
                self._next()
                if self._is("}"):
                    self._fault(self._now.offset, "expected a word after the last comma, not }", where)
            elif not self._is("}"):
                break
        if self._is("}"):
            self._next()
        else:
            line, _ = self.lines.place(opened.offset)
            wanted = f"expected , or }}, not {self._shown(self._now)}: the {{ of line {line} is not closed"
            self._fault(self._now.offset, wanted, where)
            if not self._is(";"):
                self._skip_to_semicolon()
        return tuple(words)

    def _skip_to_semicolon(self) -> None:
        while self._now.kind not in ("end", "directive") and not self._is(";"):
            if self._is("}"):
                self._next()
                return
            if self._is("{"):
                return
            self._next()

    def _close(self, where: str) -> None:
        """The ; at the end of an entry."""
        if self._is(";"):
            self._next()
            return
        before = self._tokens[self._at - 1]
        if self._later() or self._is("}") or self._now.kind in ("end", "directive"):
            self._fault(before.end, "expected ;", where)
            return
        hint = "; a value with blanks stands in quotes" if self._now.kind == "word" else ""
        self._fault(self._now.offset, f"expected ;, not {self._shown(self._now)}{hint}", where)
        self._skip()

    def _directive(self) -> Directive:
        token = self._next()
        inner = _Walk(token.text[2:])
        words: list[Piece] = []
        for each in inner._lex():
            offset = token.offset + 2 + each.offset
            if each.kind in ("word", "string"):
                words.append(Piece(each.text, offset, each.kind == "string"))
            elif each.kind not in ("end",) and not (each.kind == "mark" and inner.faults):
                where = "#$" + printable(words[0].text) if words else "#$"
                self._fault(offset, f"expected a word or the end of the line, not {printable(each.text)}", where)
        for fault in inner.faults:
            self._fault(token.offset + 2 + fault.offset, fault.message)
        name = words[0] if words and words[0].offset == token.offset + 2 else Piece("", token.offset)
        return Directive(name._replace(text="#$" + name.text, offset=token.offset), tuple(words[1:]))
