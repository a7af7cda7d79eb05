"""Files → a Plan: reads, places every fault in its file, and asks the machine; the one door of this package.

All faults of all files come out of one run (design.md 3). Nothing here prints or exits.
"""

from __future__ import annotations

import os
import re
import tomllib
from hashlib import sha256

from gds.config import facts
from gds.config.compile import compile_plan, questions
from gds.config.declared import Declared, Fault
from gds.config.files import FileFault, listing, read_trusted
from gds.config.hints import hints_anew
from gds.config.lint import lint, lint_questions
from gds.config.overlay import Entry, Laid, Stand, lay, moved, stands
from gds.config.positions import DEEPEST, Keys, Place, Positions, TooDeep
from gds.config.reading import read_document, written
from gds.config.refusal import printable
from gds.model.resource import Plan, Source, Warning_
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gds.config.registry import Registered, Registry


class Problem(Value):
    """A fault with its place; line and column are 0 when the file as a whole is meant."""

    path: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        path = printable(self.path)
        where = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class Unreadable(Exception):
    """A file that cannot be read as TOML at all."""

    def __init__(self, message: str, line: int = 0, column: int = 0, key: str = "") -> None:
        super().__init__(message)
        self.line, self.column, self.key = line, column, key


class Loaded(Value):
    """What came of a run: `plan` only when there is no problem; `warnings` also stand in it.

    `files` are all files read, with their content; `listings` the directories, with the names found there;
    `facts` what was asked of the machine. A cache needs them to know whether anything changed.
    `declared` are the tables as the files have them, `lines` where their keys stand, `stands` how what people set
    stands to them; the last two are looked for only when something was set, or `lined` asks for them.
    """

    plan: Plan | None
    problems: tuple[Problem, ...]
    warnings: tuple[Warning_, ...]
    files: tuple[tuple[str, bytes], ...]
    listings: tuple[tuple[str, tuple[str, ...]], ...]
    facts: tuple[tuple[tuple[str, ...], str], ...]
    declared: tuple[Declared, ...] = ()
    lines: dict[tuple[str, Keys], int] = {}  # noqa: RUF012  # never changed
    stands: tuple[Stand, ...] = ()


def load(
    paths: Sequence[str],
    can_abort: bool = False,
    look: bool = True,
    entries: tuple[Entry, ...] = (),
    kept_in: str = "",
    lined: bool = False,
) -> Loaded:
    """Reads files and directories (their `*.toml`, sorted) into one Plan.

    `can_abort`: node_abort_command is set. Without `look` this machine is not asked whether commands, users and
    directories are there. `entries` are what people set, kept in the file `kept_in`; they are stronger than the files.
    """
    hints_anew()
    return _Run(os.geteuid()).load(paths, can_abort, look, entries, kept_in, lined)


def shown_keys(keys: Keys) -> str:
    """A key path as one would write it in TOML; a place in an array is counted from 0."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            key = key if len(key) <= 80 else key[:77] + "..."
            bare = key.isascii() and bool(key) and all(c.isalnum() or c in "-_" for c in key)
            quoted = key if bare else f'"{printable(key)}"'
            text += f".{quoted}" if text else quoted
    return text


class _Types:
    """The registered types, read when the first is asked for. `files`: the RTR files of those that were used."""

    def __init__(self, state_dir: str, euid: int) -> None:
        self._euid = euid
        self._state_dir = state_dir
        self._registry: Registry | None = None
        self.files: list[tuple[str, bytes]] = []

    def registry(self) -> Registry:
        """All of them."""
        if self._registry is None:
            from gds.config.places import state_dir
            from gds.config.registry import load_registry

            self._state_dir = self._state_dir or state_dir(os.environ.get("GDS_STATE_DIR", ""), os.environ, self._euid)
            self._registry = load_registry(self._state_dir, self._euid)
        return self._registry

    def used(self, found: Registered) -> None:
        """A resource has this type."""
        file = (found.path, found.text.encode())
        if file not in self.files:
            self.files.append(file)

    def facts(self) -> dict[tuple[str, ...], str]:
        """What a kept plan relies on: which types there are."""
        if self._registry is None:
            return {}
        from gds.config.registry import directory_of

        question = ("types", directory_of(self._state_dir))
        return {question: facts.answer(question)}


class _Run:
    def __init__(self, euid: int) -> None:
        self.euid = euid
        self.problems: list[Problem] = []
        self.texts: dict[str, str] = {}
        self.files: list[tuple[str, bytes]] = []
        self.listings: list[tuple[str, tuple[str, ...]]] = []
        self.positions: dict[str, Positions] = {}
        self.spelled: dict[str, dict[Keys, Keys]] = {}

    def load(
        self,
        paths: Sequence[str],
        can_abort: bool,
        look: bool,
        entries: tuple[Entry, ...],
        kept_in: str,
        lined: bool,
    ) -> Loaded:
        declared: list[Declared] = []
        faults: list[Fault] = []
        empty: list[Fault] = []
        complete = True
        types = _Types(os.path.dirname(kept_in), self.euid)
        for path in self._expanded(paths, empty):
            data = self._parsed(path)
            if data is None:
                complete = False
                continue
            document = read_document(data, path, types)
            self.spelled[path] = document.spelled
            declared.extend(document.tables)
            faults.extend(document.faults)
            faults.extend(self._misread(path, document.numeric))
        self.files.extend(types.files)
        laid = lay(declared, entries, kept_in) if entries else Laid(tuple(declared))
        asked = questions(laid.tables) | lint_questions(laid.tables)
        answers = facts.gather(asked) if look else dict.fromkeys(asked, "")
        compiled = compile_plan(laid.tables, answers, can_abort, complete)
        faults.extend([*laid.faults, *compiled.faults])
        remarks = [*empty, *lint(laid.tables, compiled, answers)]
        if laid.marks:
            faults = [moved(f, laid, kept_in) for f in faults]
            remarks = [moved(f, laid, kept_in) for f in remarks]
        self.problems.extend([self._problem(f) for f in faults])
        order = {path: number for number, (path, _) in enumerate(self.files)}
        warnings = [self._warning(f) for f in remarks]
        warnings.sort(key=lambda w: (order.get(w.path, -1), w.line, w.column))
        problems = tuple(sorted(self.problems, key=lambda p: (order.get(p.path, -1), p.line, p.column)))
        plan = None
        if not problems:
            sources = tuple(
                [Source(os.path.abspath(path), sha256(content).hexdigest()) for path, content in self.files]
            )
            plan = compiled.plan.replace(sources=sources, warnings=tuple(warnings))
        known = tuple(sorted({**answers, **types.facts()}.items()))
        lines = self._lines(declared) if entries or lined else {}
        said = tuple(stands(entries, declared, lines)) if complete else ()
        listings = tuple(self.listings)
        return Loaded(plan, problems, tuple(warnings), tuple(self.files), listings, known, tuple(declared), lines, said)

    def _lines(self, declared: Iterable[Declared]) -> dict[tuple[str, Keys], int]:
        """The line of every key that was given."""
        return {
            (table.path, (*table.keys, key)): self._place(table.path, (*table.keys, key), True).line
            for table in declared
            for key in table.given or table.values
        }

    # -- reading

    def _expanded(self, paths: Sequence[str], empty: list[Fault]) -> Iterable[str]:
        seen: set[str] = set()
        for path in paths:
            for file in self._members(path, empty):
                if os.path.abspath(file) not in seen:
                    seen.add(os.path.abspath(file))
                    yield file

    def _members(self, path: str, empty: list[Fault]) -> list[str]:
        if not os.path.isdir(path):
            return [path]
        try:
            names = listing(path)
        except OSError as error:
            self.problems.append(Problem(path, 0, 0, "", f"cannot list the directory: {error.strerror}"))
            return []
        self.listings.append((path, names))
        if not names:
            empty.append(
                Fault(path, (), "no *.toml file in this directory: nothing is declared", code="empty-directory")
            )
        return [os.path.join(path, name) for name in names]

    def _parsed(self, path: str) -> dict[str, Any] | None:
        try:
            content = read_trusted(path, self.euid)
            self.files.append((path, content))
            text = decode(content)
            self.texts[path] = text
            return parse(text)
        except Unreadable as error:
            self.problems.append(Problem(path, error.line, error.column, error.key, str(error)))
        except FileFault as error:
            self.problems.append(Problem(path, 0, 0, "", str(error)))
        return None

    def _misread(self, path: str, umasks: Iterable[Keys]) -> Iterable[Fault]:
        """`umask = 22` is decimal in TOML; only a number written 0o22 can have been meant as it is read."""
        for keys in umasks:
            literal = self._positions(path).literal(written(self.spelled[path], keys))
            if not literal.startswith("0o"):
                yield Fault(path, keys, 'write a umask in octal: as a string like "027", or as a number like 0o027')

    # -- placing

    def _positions(self, path: str) -> Positions:
        known = self.positions.get(path)
        if known is None:
            known = self.positions[path] = Positions(self.texts.get(path, ""))
        return known

    def _place(self, fault_path: str, keys: Keys, on_key: bool) -> Place:
        if fault_path not in self.texts:
            return Place(0, 0)
        if not keys:
            return Place(1, 1)
        positions = self._positions(fault_path)
        return positions.place(positions.offset_of(written(self.spelled.get(fault_path, {}), keys), on_key))

    def _problem(self, fault: Fault) -> Problem:
        place = self._place(fault.path, fault.keys, fault.on_key)
        return Problem(fault.path, place.line, place.column, shown_keys(fault.keys), self._message(fault))

    def _warning(self, fault: Fault) -> Warning_:
        place = self._place(fault.path, fault.keys, fault.on_key)
        key = shown_keys(fault.keys)
        return Warning_(fault.path, place.line, place.column, key, fault.code, self._message(fault))

    def _message(self, fault: Fault) -> str:
        message = printable(fault.message)
        if fault.other is None:
            return message
        path, keys = fault.other
        place = self._place(path, keys, True)
        return f"{message} (the other is at {path}:{place.line}:{place.column})"


def decode(content: bytes) -> str:
    """The text of a file. Raises Unreadable with the place of the first byte that is not UTF-8."""
    if content.startswith(b"\xef\xbb\xbf"):
        raise Unreadable("cannot read it: it begins with a byte order mark (BOM); save it as UTF-8 without BOM", 1, 1)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("cannot read it: it is UTF-16; save it as UTF-8 without BOM", 1, 1)
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        raise Unreadable(f"cannot read it: not UTF-8 (byte 0x{content[error.start]:02x})", line, column) from error


def parse(text: str) -> dict[str, Any]:
    """The values of a TOML text. Raises Unreadable with the place of the first thing that is not TOML."""
    # Long dotted keys take tomllib quadratic time: look before, but only where a line is suspicious.
    try:
        if any(line.count(".") > DEEPEST for line in text.split("\n")):
            Positions(text, strict=True)
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(text, str(error)) from error
    except RecursionError as error:
        raise _deep(text) from error
    except TooDeep as error:
        place = Positions(text).place(error.offset)
        raise Unreadable(str(error), *place) from error
    except ValueError as error:  # a number of thousands of digits, which int() refuses
        number = re.search(r"[0-9_]{300,}", text)
        place = Positions(text).place(number.start() if number else 0)
        raise Unreadable("not TOML: a number of too many digits", *place) from error


def _deep(text: str) -> Unreadable:
    try:
        Positions(text, strict=True)
    except TooDeep as error:
        return Unreadable(str(error), *Positions(text).place(error.offset))
    return Unreadable("cannot read it: nested too deeply")


_PLACE = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")


def _syntax(text: str, message: str) -> Unreadable:
    match = _PLACE.search(message)
    plain = _PLACE.sub("", message)
    positions = Positions(text)
    if plain.startswith(("Cannot overwrite a value", "Cannot declare", "Duplicate inline")) and positions.twice:
        keys, first, second = positions.twice[0]
        before = positions.place(first)
        place = positions.place(second)
        return Unreadable(f"given twice; first at line {before.line}", *place, key=shown_keys(keys))
    if match is None or match[1] is None:
        place = positions.place(len(text))
        return Unreadable(f"not TOML: {plain[:1].lower()}{plain[1:]} at the end of the file; is it cut off?", *place)
    return Unreadable(f"not TOML: {plain[:1].lower()}{plain[1:]}", int(match[1]), int(match[2]))
