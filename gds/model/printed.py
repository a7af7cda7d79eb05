"""Texts of applications, for people: on one line, and nothing that a terminal would obey.

What a method printed or a monitor said is told to an administrator's terminal, in tables of one line each: an
application must neither add lines to them nor move the cursor, change colours, or write to the clipboard. The log does
the same (linux/journal.py). JSON keeps the text as it was, escaped.
"""

from __future__ import annotations


def printed(text: str) -> str:
    """The text on one line: line breaks and tabs are a blank, what cannot be printed is shown as \\uXXXX."""
    return text if text.isprintable() else escaped(" ".join(text.split()))


def printed_lines(text: str) -> str:
    """The same for a text whose own lines are to stay."""
    return text if text.isprintable() else "\n".join(map(printed, text.split("\n")))


def escaped(text: str) -> str:
    """What cannot be printed as \\uXXXX, as JSON writes it within its strings."""
    return text if text.isprintable() else "".join([c if c.isprintable() else _code(c) for c in text])


def _code(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
