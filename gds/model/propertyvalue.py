"""Values of a resource type's properties: their bounds, how a message shows them, how a method is handed them.

Facts: semantics.md 9.1, 14.3, 18. Handed to a method, a BOOLEAN is TRUE or FALSE and an array one word with commas
between its elements; which is why no element may hold a comma.
"""

from __future__ import annotations

from gds.model.restype import PropertyDeclaration, PropertyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.restype import PropertyValue

INTEGERS = (-(2**31), 2**31 - 1)
"""An INT is a C int."""
LONGEST_VALUE = 4_194_303
"""Bytes of a value or description at most (Sun: semantics.md 18)."""
LONGEST_WORD = 131_071
"""Bytes of one word of a command at most: Linux' MAX_ARG_STRLEN without the NUL. Sun's limit is the larger one, so
that a value may be legal there and yet reach no method here."""


def text_of(value: PropertyValue) -> str:
    """A value as a method is handed it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def character_fault(text: str) -> str:
    """What is wrong with the characters of a value or description; empty: nothing (Sun: semantics.md 18)."""
    odd = next((c for c in text if not (c.isascii() and c.isprintable()) and c != "\t"), "")
    if odd:
        name = f'"{odd}"' if odd.isprintable() else f"the character \\u{ord(odd):04x}"
        return f"expected printable ASCII, not {name}"
    return f"expected at most {LONGEST_VALUE} bytes, not {len(text)}" if len(text) > LONGEST_VALUE else ""


def shown_value(value: PropertyValue) -> str:
    """A value as Sun writes it: TRUE, FALSE; an array with commas."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, tuple):
        return "an empty list" if not value else ",".join(value)
    return str(value) if isinstance(value, int) else f'"{_short(value)}"'


def value_fault(declared: PropertyDeclaration, value: PropertyValue) -> str:
    """What a declaration's bounds say against a value of its type; empty: nothing."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        if declared.minimum is not None and value < declared.minimum:
            return f"expected at least {declared.minimum}, not {value}"
        if declared.maximum is not None and value > declared.maximum:
            return f"expected at most {declared.maximum}, not {value}"
        return ""
    if isinstance(value, tuple):
        count = len(value)
        if declared.array_min is not None and count < declared.array_min:
            return f"expected at least {_count(declared.array_min, 'element')}, not {count}"
        if declared.array_max is not None and count > declared.array_max:
            return f"expected at most {_count(declared.array_max, 'element')}, not {count}"
        for place, each in enumerate(value):
            fault = "holds a comma, which separates elements" if "," in each else _length_fault(declared, each)
            if fault:
                return f"element {place} ({shown_value(each)}): {fault}"
        return ""
    if declared.type is PropertyType.ENUM:
        listed = ", ".join(declared.enumlist)
        return "" if value in declared.enumlist else f'expected one of {listed}, not "{_short(value)}"'
    return _length_fault(declared, value)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _length_fault(declared: PropertyDeclaration, text: str) -> str:
    if declared.min_length is not None and len(text) < declared.min_length:
        return f"expected at least {_count(declared.min_length, 'character')}, not {len(text)}"
    if declared.max_length is not None and len(text) > declared.max_length:
        return f"expected at most {_count(declared.max_length, 'character')}, not {len(text)}"
    return ""


def _short(text: str) -> str:
    text = text if len(text) <= 40 else text[:37] + "..."
    return "".join([c if c.isprintable() else f"\\u{ord(c):04x}" for c in text])
