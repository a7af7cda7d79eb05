"""The words of a refusal: how a value is shown, what was expected, which known name is nearest."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import PydanticCustomError

NOT_YET = "not supported yet"


def shown(value: object) -> str:
    """A value of a TOML file as a person would recognise it, never long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + printable(value if len(value) <= 40 else value[:37] + "...") + '"'
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a number of more than 38 digits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    return "a date or time"


def printable(text: str) -> str:
    """The text with what would move a cursor or break a line written as TOML writes it."""
    return text if text.isprintable() else "".join([c if c.isprintable() else f"\\u{ord(c):04x}" for c in text])


def refused(text: str, *at: str | int) -> PydanticCustomError:
    """What a validator raises: `text` is the whole message, `at` leads from the value to the part that is wrong."""
    return PydanticCustomError("gds", "{text}", {"text": text, "at": at})


def unexpected(what: str, value: object, *at: str | int) -> PydanticCustomError:
    """The same in the usual words."""
    return refused(f"expected {what}, not {shown(value)}", *at)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`; did you mean …?` with the known name most like `word`; when none is, `otherwise`."""
    close = nearest(word, known)
    return f"; did you mean {close}?" if close else otherwise


class _Hints:
    """How many suggestions are still looked for. A file of a hundred thousand bad keys is not worth minutes."""

    MOST = 500
    left = MOST


def hints_anew() -> None:
    """Every run starts with all its suggestions."""
    _Hints.left = _Hints.MOST


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name most like `word`, or an empty string; also when too many have been asked for in this run."""
    if _Hints.left <= 0:
        return ""
    _Hints.left -= 1
    import difflib

    found = difflib.get_close_matches(word[:64], list(known), 1, 0.6)
    return found[0] if found else ""
