"""Single values of a scenario: words, counts, endings of processes, instants.

Each `parse_…` takes what tomllib read and returns the value, or refuses with the whole message, as values.py does.
"""

from __future__ import annotations

from gds.config.refusal import did_you_mean, refused, shown, unexpected
from gds.config.values import parse_signal
from gds.model.ending import how_it_ended, signal_name
from gds.model.window import Mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Resource

# -- words ------------------------------------------------------------------------------------------------------------


def parse_text(value: object) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise unexpected("a string", value)
    return value


def parse_reason(value: object) -> str:
    """A string that says something."""
    if not isinstance(value, str) or not value.strip():
        raise unexpected("a sentence that says why", value)
    return value


def parse_boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise unexpected("true or false", value)
    return value


def parse_word(value: object, words: tuple[str, ...]) -> str:
    """One of these words."""
    if value not in words:
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        raise refused(f"expected one of {', '.join(words)}, not {shown(value)}{hint}")
    return str(value)


def parse_giveover(value: object) -> str:
    """What becomes of a giveover."""
    return parse_word(value, ("refuse", "exit"))


# -- numbers ----------------------------------------------------------------------------------------------------------


def parse_number(value: object) -> float:
    """Any number that a clock could show."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise unexpected("a number", value)
    return float(value)


def parse_count(value: object, least: int, most: int) -> int:
    """A whole number within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise unexpected(f"a whole number from {least} to {most}", value)
    return value


def parse_chance(value: object) -> float:
    """From 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise unexpected("a number from 0 to 1", value)
    return float(value)


def parse_instant(value: object) -> float:
    """Seconds since the record begins."""
    number = parse_number(value)
    if number < 0:
        raise unexpected("seconds, 0 or more", value)
    return number


def parse_marks(value: object) -> tuple[Mark, ...]:
    """Instants, or pairs of instant and weight; before the record begins they are negative."""
    if not isinstance(value, list):
        raise unexpected("an array", value)
    made = []
    for each in value:
        pair = each if isinstance(each, list) else [each, 1]
        if len(pair) != 2:
            raise unexpected("a number, or two", each)
        made.append(Mark(parse_number(pair[0]), parse_count(pair[1], 0, 1 << 30)))
    return tuple(sorted(made, key=lambda m: m.at))


# -- processes --------------------------------------------------------------------------------------------------------


def parse_pids(value: object) -> tuple[int, ...]:
    """Process ids, one at least."""
    if not isinstance(value, list) or not value:
        raise unexpected("an array of process ids", value)
    return tuple([parse_count(pid, 1, 1 << 22) for pid in value])


def parse_wait_status(value: object) -> int:
    """An exit status or the name of a signal, as os.waitpid would say it."""
    if isinstance(value, str):
        return parse_signal(value)
    return parse_count(value, 0, 255) << 8


def parse_ending(value: object) -> str:
    """How a command ended; "": well."""
    status = parse_wait_status(value)
    if status & 0x7F:
        return f"was killed by {signal_name(status & 0x7F)}"
    return f"exited with status {status >> 8}" if status else ""


def parse_death(value: object, resource: Resource) -> str:
    """How the last process of a resource ended."""
    if not resource.pmf_managed:
        raise refused(unwatched(resource))
    return how_it_ended(parse_wait_status(value))


def unwatched(resource: Resource) -> str:
    """Why nothing can be said of its processes."""
    return f"pmf_managed of {resource.name} is false: none of its processes is watched"
