"""The door of every verb: what was typed is read here, and here it is answered what cannot be done.

Options are read by hand, because an argument parser costs more than the verbs that must start fast.
"""

from __future__ import annotations

import sys

from gds.errors import ConfigError, GdsError, InternalError, UsageError
from gds.model.printed import printed_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Verb = Callable[[list[str]], int]


class Options:
    """What was typed: `flags` that were given, `values` of options, `names`: the rest; `after` what follows `--`."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.names: list[str] = []
        self.after: list[str] | None = None


class HelpAsked(Exception):
    """The user typed --help."""


def door(usage: str | Callable[[list[str]], str], mistaken: str = "") -> Callable[[Verb], Verb]:
    """What a verb is entered by, so that the verb is nothing but its own work.

    `usage` (or what it makes of the words) answers --help. What the verb raises goes to stderr, a mistake of usage with
    the line `mistaken` behind it. The exit status is that of design.md 4. Our own bugs pass, with their traceback.
    """

    def behind(verb: Verb) -> Verb:
        def entered(argv: list[str]) -> int:
            try:
                return verb(argv)
            except HelpAsked:
                print(usage if isinstance(usage, str) else usage(argv))
                return 0
            except InternalError:
                raise
            except GdsError as error:
                remark = f"\n{mistaken}" if mistaken and isinstance(error, UsageError) else ""
                print(f"gds: {printed_lines(str(error))}{remark}", file=sys.stderr)
                return _status_of(error)

        entered.__doc__ = verb.__doc__
        return entered

    return behind


def _status_of(error: GdsError) -> int:
    if isinstance(error, UsageError):
        return 2
    if isinstance(error, ConfigError):
        return 78
    if hasattr(error, "code"):
        return int(error.code)
    from gds.api import client  # loaded already, if one of its errors came

    return 4 if isinstance(error, client.NoRunner) else 77 if isinstance(error, client.Denied) else 1


def parse(argv: list[str], flags: Mapping[str, str], valued: Mapping[str, str]) -> Options:
    """Read `argv`. `flags` and `valued` map every spelling (-f, --follow) to the option's name.

    Options and names may be mixed; `--opt=value`, `-n5` and `-fn 5` are understood. Raises UsageError, HelpAsked.
    """
    made = Options()
    left = list(argv)
    while left:
        word = left.pop(0)
        if word == "--":
            made.after = left
            break
        if word in ("-h", "--help"):
            raise HelpAsked
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if name in valued:
                if not equals:
                    if not left:
                        raise UsageError(f"cannot use {name}: it needs a value")
                    value = left.pop(0)
                made.values[valued[name]] = value
            elif name in flags and not equals:
                made.flags.add(flags[name])
            else:
                raise UsageError(f"cannot use {word}: there is no such option{near(name, [*flags, *valued])}")
        elif word.startswith("-") and len(word) > 1:
            _letters(made, word[1:], left, flags, valued)
        else:
            made.names.append(word)
    return made


def _letters(made: Options, letters: str, left: list[str], flags: Mapping[str, str], valued: Mapping[str, str]) -> None:
    """What stands behind one dash; a value may be the next of the words that are `left`."""
    while letters:
        short, letters = "-" + letters[0], letters[1:]
        if short in flags:
            made.flags.add(flags[short])
        elif short in valued:
            if not letters and not left:
                raise UsageError(f"cannot use {short}: it needs a value")
            made.values[valued[short]] = letters or left.pop(0)
            return
        else:
            raise UsageError(f"cannot use {short}: there is no such option")


def seconds(text: str, what: str) -> float:
    """A number of seconds, or one with a unit (500ms, 30s, 5m, 1h). Raises UsageError."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    number = text
    factor = 1.0
    for unit in ("ms", "s", "m", "h"):
        if text.endswith(unit) and text[: -len(unit)].strip():
            number, factor = text[: -len(unit)], units[unit]
            break
    try:
        value = float(number) * factor
    except ValueError:
        raise UsageError(f"cannot use {text} as {what}: write seconds, or 500ms, 30s, 5m, 1h") from None
    if not 0 <= value < 1e9:
        raise UsageError(f"cannot use {text} as {what}: it must be 0 or more")
    return value


def near(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about a word that is not known: which one may have been meant."""
    import difflib

    found = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]}?" if found else ""
