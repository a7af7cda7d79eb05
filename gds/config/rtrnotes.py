"""Reading single values of an RTR file: each has its place, and each mistake becomes one fault with its words."""

from __future__ import annotations

from gds.config.rtrtext import Entry, Fault, Piece, printable
from gds.model.names import name_fault
from gds.model.propertyvalue import INTEGERS, character_fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_HINTS = 50
"""So many suggestions are looked for in one file."""


class Notes:
    """What is found wrong on the way, and how values are read: one fault each, then None."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = list(faults)
        self.remarks: list[Fault] = []
        self._hints = MOST_HINTS

    def fault(self, offset: int, where: str, message: str) -> None:
        self.faults.append(Fault(offset, where, message))

    def remark(self, offset: int, where: str, message: str) -> None:
        self.remarks.append(Fault(offset, where, message))

    def near(self, word: str, known: Iterable[str], otherwise: str = "") -> str:
        """`; did you mean …?` with the known name most like `word`, in its spelling; else `otherwise`."""
        if self._hints <= 0:
            return otherwise
        self._hints -= 1
        import difflib

        spelled = {each.lower(): each for each in known}
        close = difflib.get_close_matches(word[:64].lower(), list(spelled), 1, 0.6)
        return f"; did you mean {spelled[close[0]]}?" if close else otherwise

    def expected(self, piece: Piece, where: str, what: str) -> None:
        self.fault(piece.offset, where, f'expected {what}, not "{printable(piece.text)}"')

    def single(self, entry: Entry, where: str, what: str) -> Piece | None:
        """The one value of an entry."""
        if not entry.values:
            self.fault(entry.name.offset, where, f"expected {what}, not nothing")
            return None
        if len(entry.values) > 1:
            self.fault(entry.values[1].offset, where, f"expected {what}, not a list of {len(entry.values)} values")
            return None
        return entry.values[0]

    def text(self, piece: Piece, where: str) -> str | None:
        """A value that may be kept and shown (Sun: semantics.md 18)."""
        if fault := character_fault(piece.text):
            self.fault(piece.offset, where, fault)
            return None
        return piece.text

    def name(self, piece: Piece, where: str) -> str | None:
        if fault := name_fault(piece.text):
            self.fault(piece.offset, where, f'"{printable(piece.text)}" cannot be a name: {printable(fault, 200)}')
            return None
        return piece.text

    def integer(self, piece: Piece, where: str, least: int = INTEGERS[0], most: int = INTEGERS[1]) -> int | None:
        digits = piece.text[1:] if piece.text[:1] in ("-", "+") else piece.text
        if not (digits.isascii() and digits.isdigit()):
            self.expected(piece, where, "a whole number")
            return None
        # int() refuses thousands of digits; a dozen say as well that it is too large.
        value = int(piece.text[:1].strip("+0123456789") + digits.lstrip("0")[:12] or "0")
        if not least <= value <= most:
            self.expected(piece, where, f"a whole number from {least} to {most}")
            return None
        return value

    def boolean(self, piece: Piece, where: str) -> bool | None:
        word = piece.text.lower()
        if word not in ("true", "false"):
            self.expected(piece, where, "TRUE or FALSE")
            return None
        return word == "true"

    def word(self, piece: Piece, where: str, words: Iterable[str]) -> str | None:
        """One of some words, in any letter case."""
        known = {each.lower(): each for each in words}
        if piece.text.lower() not in known:
            listed = ", ".join(list(known.values())[:12])
            near = self.near(piece.text, known.values())
            self.fault(piece.offset, where, f'expected one of {listed}, not "{printable(piece.text)}"{near}')
            return None
        return known[piece.text.lower()]
