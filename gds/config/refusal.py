"""The words of a refusal: how a value is shown, what was expected, which known name is nearest."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from gds.config.hints import did_you_mean as did_you_mean
from gds.config.hints import nearest as nearest

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
