"""What both readers of scenario files share: the text of a file, and every fault told with its place.

A fault ends nothing: a value that is refused is its default from there on, so that one reading tells of all of them.
What was read is to be trusted only where nothing was told. What a scenario may say is no business of this module.
"""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from gds.config.compile import compile_plan, questions
from gds.config.files import FileFault, read_trusted
from gds.config.load import Problem, Unreadable, decode, shown_keys
from gds.config.positions import Positions
from gds.config.reading import read_document, written
from gds.config.refusal import did_you_mean, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from gds.model.resource import Plan

    Keys = tuple[str | int, ...]
    T = TypeVar("T")

ANYBODY = -1
"""Whom `read_trusted` does not protect: nothing here is executed."""
TABLES = ("resource", "group")
"""What a descriptor holds, and a scenario that declares what it is played with."""


def read_text(path: str, largest: int) -> str:
    """The text of a file of at most `largest` bytes. Raises FileFault, or Unreadable when it is no text."""
    return decode(read_trusted(path, ANYBODY, largest))


def unread(path: str, error: FileFault | Unreadable) -> Problem:
    """Why a file could not be read at all."""
    if isinstance(error, Unreadable):
        return Problem(path, error.line, error.column, error.key, str(error))
    return Problem(path, 0, 0, "", str(error))


def declared_in(data: dict[str, Any]) -> dict[str, Any]:
    """What a scenario says as a descriptor would."""
    return {k: v for k, v in data.items() if k in TABLES}


class ScenarioReading:
    """One scenario being read: its values, and what is wrong with them. `path` is what problems name."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._positions: Positions | None = None
        """Made for the first fault: a long recording that is sound is not looked through."""
        self.problems: list[Problem] = []
        """In the order in which they were found."""

    def in_order(self) -> tuple[Problem, ...]:
        """The problems as they stand in the file."""
        return tuple(sorted(self.problems, key=lambda p: (p.line, p.column)))

    # -- what is declared ---------------------------------------------------------------------------------------------

    def declares(self, tables: dict[str, Any], given: bool, kind: str) -> bool:
        """The file declares what it is played with, as it has to unless a descriptor was `given` beside it."""
        if given:
            for key in tables:
                self.fault((key,), f"{kind}s are declared here and in the descriptor given beside it", on_key=True)
            return False
        if not tables:
            self.fault((), f"nothing is declared; expected a table [{kind}.NAME], or a descriptor beside the scenario")
        return bool(tables)

    def compiled(self, tables: dict[str, Any]) -> Plan:
        """The plan of these tables.

        This machine is not asked whether commands and users exist, and HARD is taken at its word: nothing is run.
        """
        document = read_document(tables, self._path)
        compiled = compile_plan(document.tables, dict.fromkeys(questions(document.tables), ""), can_abort=True)
        for fault in (*document.faults, *compiled.faults):
            self.fault(written(document.spelled, fault.keys), fault.message, on_key=fault.on_key)
        return compiled.plan

    # -- facts --------------------------------------------------------------------------------------------------------

    def tables(self, key: str, given: object) -> list[dict[str, Any]]:
        """The tables [[key]]; none where it is something else."""
        if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
            self.fault((key,), f"expected tables [[{key}]], not {shown(given)}")
            return []
        return given

    def at(self, keys: Keys, table: dict[str, Any], began: str, read: Callable[[Any], float]) -> float:
        """When a fact is: seconds since what `began` says."""
        if "at" not in table:
            self.fault(keys, f"at is missing: the seconds since {began}")
        return self.value(keys, table, "at", 0.0, read)

    def kinds(self, keys: Keys, table: dict[str, Any], known: tuple[str, ...], misspelt: bool) -> list[str]:
        """Which of the `known` kinds of facts this one is: one, or that has been told."""
        kinds = [kind for kind in known if kind in table]
        if len(kinds) > 1 or (not kinds and not misspelt):
            there = f", not {' and '.join(kinds)}" if kinds else ""
            self.fault((*keys, kinds[1]) if kinds else keys, f"expected one of {', '.join(known)}{there}")
        return kinds

    def reaches(self, until: float, last: float) -> None:
        """The play has to go on until its `last` fact; `until` < 0: nobody says how long it takes."""
        if 0 <= until < last:
            self.fault(("until",), f"the play ends before its last fact, at {last:g} s")

    # -- values and faults --------------------------------------------------------------------------------------------

    def value(self, keys: Keys, table: dict[str, Any], key: str, default: T, read: Callable[[Any], T]) -> T:
        """The value of a key, read; its default where it is missing, or refused."""
        if key not in table:
            return default
        try:
            return read(table[key])
        except PydanticCustomError as error:
            self.fault((*keys, key, *(error.context or {}).get("at", ())), error.message())
            return default

    def unknown(self, keys: Keys, table: dict[str, Any], known: tuple[str, ...]) -> bool:
        """Tells of every key that is not `known`; whether there is one."""
        found = [key for key in table if key not in known]
        for key in found:
            hint = did_you_mean(key, known, f"; known: {', '.join(known)}")
            self.fault((*keys, key), f"unknown key{hint}", on_key=True)
        return bool(found)

    def unknown_at_top(self, data: dict[str, Any], known: tuple[str, ...]) -> None:
        """The same of the file itself, where what a descriptor holds may stand as well."""
        self.unknown((), {k: v for k, v in data.items() if k not in TABLES}, (*known, *TABLES))

    def fault(self, keys: Keys, message: str, on_key: bool = False) -> None:
        """Tell of something wrong with the value, or the key, at the end of this path."""
        if self._positions is None:
            self._positions = Positions(self._text)
        place = self._positions.place(self._positions.offset_of(keys, on_key))
        self.problems.append(Problem(self._path, place.line, place.column, shown_keys(keys), message))
