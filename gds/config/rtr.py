"""An RTR file → a ResourceType, or everything that is wrong with it, each with line and column.

Sun's rules (semantics.md 14.1 to 14.4, 18). Type properties come first, Resource_type before all others; then
`#$upgrade` and its `#$upgrade_from` lines; then the blocks of resource properties (`rtrblock.py`). Nothing stands
twice.
Pure: the text is handed in, and nobody is asked whether programs and directories are there.

Where Sun's manuals leave room:

- Characters. Names, values and descriptions are ASCII; a comment may hold anything. A comma or semicolon may stand in a
  quoted string (Sun forbids it in every value, which no command line survives), but not in an element of an array,
  because elements are handed to methods joined by commas.
- A timeout of a method that the type does not have is a remark, not an error: the property does not exist then.
- `ENUMLIST = OFF, ON;` beside `ENUM;` is understood as `ENUM { OFF, ON };`.
"""

from __future__ import annotations

from gds.config.rtrblock import read_block
from gds.config.rtrnotes import Notes
from gds.config.rtrtext import MOST_FAULTS, TOO_MANY, Block, Directive, Entry, Fault, Lines, Piece, parse, printable
from gds.model.names import LONGEST
from gds.model.restype import (
    FORBIDDEN_IN_VERSION,
    INIT_NODES,
    METHODS,
    NEWEST_API,
    SYSDEFINED_TYPES,
    PropertyDeclaration,
    ResourceType,
    Upgrade,
    UpgradeWhen,
)
from gds.model.sysprops import SYSTEM
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_KINDS: dict[str, tuple[str, str]] = {
    "resource_type": ("Resource_type", "name"),
    "vendor_id": ("Vendor_id", "name"),
    "rt_version": ("RT_version", "version"),
    "rt_description": ("RT_description", "text"),
    "api_version": ("API_version", "api"),
    "rt_basedir": ("RT_basedir", "directory"),
    "failover": ("Failover", "boolean"),
    "single_instance": ("Single_instance", "boolean"),
    "proxy": ("Proxy", "boolean"),
    "global_zone": ("Global_zone", "boolean"),
    "init_nodes": ("Init_nodes", "init_nodes"),
    "pkglist": ("Pkglist", "list"),
    "sysdefined_type": ("Sysdefined_type", "sysdefined"),
    **{method.lower(): (method, "method") for method in METHODS},
}
"""Type properties of an RTR file by their names in lower case: how they are spelled, and what they hold."""
_NOT_HERE = {
    "installed_nodes": "an administrator sets it, an RTR file may not",
    "rt_system": "an administrator sets it, an RTR file may not",
    "resource_list": "it can only be asked for",
    "is_logical_hostname": "it can only be asked for; Sysdefined_type says so",
    "is_shared_address": "it can only be asked for; Sysdefined_type says so",
}


class RtrFault(Value):
    """A mistake or remark with its place; line and column count from 1 and are 0 when the file as a whole is meant.

    `key` is the entry, or `Property.ATTRIBUTE`.
    """

    path: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        path = printable(self.path, 4096)
        where = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ReadType(Value):
    """What came of a file: `type` only when there is no fault; `remarks` harm nobody."""

    type: ResourceType | None
    faults: tuple[RtrFault, ...] = ()
    remarks: tuple[RtrFault, ...] = ()


def read_rtr(text: str, path: str) -> ReadType:
    """The type that the text of an RTR file describes, or all its mistakes; `path` only names it in messages."""
    parsed = parse(text)
    notes = Notes(parsed.faults)
    reading = _Reading(notes)
    for place, item in enumerate(parsed.items):
        if len(notes.faults) > MOST_FAULTS:
            break
        if isinstance(item, Entry):
            reading.entry(item, place == 0)
        elif isinstance(item, Directive):
            reading.directive(item)
        else:
            reading.block(item)
    # What is missing is told only by who has read all.
    made = reading.finish(len(parsed.items) == 0) if len(notes.faults) <= MOST_FAULTS else None
    lines = Lines(text)
    faults = _placed(notes.faults, lines, path)
    remarks = _placed(notes.remarks, lines, path)
    return ReadType(None if faults else made, faults, remarks)


def _placed(found: Iterable[Fault], lines: Lines, path: str) -> tuple[RtrFault, ...]:
    ordered = sorted(found, key=lambda f: f.offset)
    if len(ordered) > MOST_FAULTS:
        rest = Fault(ordered[MOST_FAULTS].offset, "", TOO_MANY)
        ordered = [*ordered[:MOST_FAULTS], rest]
    return tuple([RtrFault(path, *lines.place(f.offset), f.where, f.message) for f in ordered])


class _Reading:
    """What has been read so far. A part that comes too late is read all the same, for the sake of its mistakes."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.values: dict[str, Any] = {}
        self.methods: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.relative: list[tuple[Piece, str]] = []
        self.upgrade_at = -1
        self.has_head = False
        self.headless = -1
        self.upgrades: dict[str, UpgradeWhen] = {}
        self.block_at = -1
        self.properties: dict[str, PropertyDeclaration] = {}

    # -- type properties

    def entry(self, entry: Entry, first: bool) -> None:
        notes, key, at = self.notes, entry.name.text.lower(), entry.name.offset
        shown = printable(entry.name.text)
        if first and key != "resource_type":
            notes.fault(at, shown, "the first entry of an RTR file has to be Resource_type")
        if key in _NOT_HERE:
            notes.fault(at, shown, f"may not stand in an RTR file: {_NOT_HERE[key]}")
            return
        if key not in _KINDS:
            notes.fault(at, shown, self._unknown(entry.name.text))
            return
        name, kind = _KINDS[key]
        if key in self.seen:
            notes.fault(at, name, "given twice")
            return
        self.seen[key] = at
        if self.block_at >= 0:
            notes.fault(at, name, "a type property has to stand before the blocks of resource properties")
        elif self.upgrade_at >= 0:
            notes.fault(at, name, "a type property has to stand before #$upgrade")
        if kind == "list":
            self.values[key] = self._list(entry, name)
            return
        piece = notes.single(entry, name, _WHAT[kind])
        if piece is not None:
            self._value(key, name, kind, piece)

    def _unknown(self, word: str) -> str:
        key = word.lower()
        if key == "property":
            return "the attributes of a resource property stand between { and }"
        if key in SYSTEM:
            spelled = SYSTEM[key].declaration.name
            return f"is a resource property, not one of the type: write {{ PROPERTY = {spelled}; ... }}"
        return "no such type property" + self.notes.near(word, [name for name, _ in _KINDS.values()])

    def _value(self, key: str, name: str, kind: str, piece: Piece) -> None:
        notes = self.notes
        made: object
        if kind == "name":
            if "." in piece.text and key == "resource_type":
                hint = "the vendor stands in Vendor_id, and the dot is put between them"
                notes.fault(piece.offset, name, f'"{printable(piece.text)}" cannot be a name: {hint}')
                return
            made = notes.name(piece, name)
        elif kind == "version":
            made = self._version(piece, name)
        elif kind == "text":
            made = notes.text(piece, name)
        elif kind == "api":
            made = notes.integer(piece, name, 1)
            if isinstance(made, int) and made > NEWEST_API:
                newest = f"an API newer than {NEWEST_API}, the newest one known here"
                notes.fault(piece.offset, name, f"cannot register a type that needs {newest}: {made}")
                return
        elif kind == "boolean":
            made = notes.boolean(piece, name)
        elif kind == "init_nodes":
            made = notes.word(piece, name, INIT_NODES)
        elif kind == "sysdefined":
            made = notes.word(piece, name, SYSDEFINED_TYPES)
        else:
            made = notes.text(piece, name)
            if made == "" or (kind == "directory" and made and not str(made).startswith("/")):
                notes.expected(piece, name, "an absolute path" if kind == "directory" else "the path of a program")
                return
        if kind == "method" and made is not None:
            self.methods[name] = str(made)
            if not str(made).startswith("/"):
                self.relative.append((piece, name))
        elif made is not None:
            self.values[key] = made

    def _version(self, piece: Piece, name: str) -> str | None:
        bad = sorted({c for c in piece.text if c in FORBIDDEN_IN_VERSION})
        if bad:
            listed = " ".join(["a blank" if c == " " else "a tab" if c == "\t" else c for c in bad])
            self.notes.fault(piece.offset, name, f'"{printable(piece.text)}" cannot be a version: it holds {listed}')
            return None
        if not piece.text:
            self.notes.expected(piece, name, 'a version such as "1.0"')
            return None
        return self.notes.text(piece, name)

    def _list(self, entry: Entry, name: str) -> tuple[str, ...]:
        if entry.values is None:
            self.notes.fault(entry.name.offset, name, "expected values with commas between them")
            return ()
        found = [self.notes.text(piece, name) for piece in entry.values]
        return tuple([each for each in found if each])

    # -- upgrades

    def directive(self, line: Directive) -> None:
        notes, at, word = self.notes, line.name.offset, line.name.text.lower()
        shown = printable(line.name.text)
        if word not in ("#$upgrade", "#$upgrade_from"):
            near = notes.near(word, ("#$upgrade", "#$upgrade_from"), "; expected #$upgrade or #$upgrade_from")
            notes.fault(at, shown, f"no such line{near}")
            return
        if self.block_at >= 0:
            notes.fault(at, shown, "has to stand before the blocks of resource properties")
        if word == "#$upgrade":
            if self.has_head:
                notes.fault(at, shown, "given twice")
            elif self.upgrade_at >= 0:
                notes.fault(at, shown, "has to stand before the first #$upgrade_from")
            if line.words:
                notes.fault(line.words[0].offset, shown, "expected the end of the line")
            self.has_head = True
            self.upgrade_at = at
            return
        if self.upgrade_at < 0:
            self.headless = at
            self.upgrade_at = at
        if len(line.words) != 2:
            notes.fault(at, shown, 'expected a version and when, such as: #$upgrade_from "1.0" WHEN_UNMONITORED')
            return
        version, when = line.words
        # "" stands for a version without a number, which RT_version itself may not be.
        known = "" if version.text == "" and version.quoted else self._version(version, shown)
        allowed = notes.word(when, shown, tuple(UpgradeWhen))
        if known is None or allowed is None:
            return
        if known in self.upgrades:
            notes.fault(version.offset, shown, f'version "{known}" is listed twice')
        self.upgrades[known] = UpgradeWhen(allowed)

    # -- resource properties

    def block(self, block: Block) -> None:
        self.block_at = block.offset
        made = read_block(block, self.notes, self.properties)
        if made is None:
            return
        self.properties[made.key] = made
        system = SYSTEM.get(made.key)
        if system is not None and system.method and system.method not in self.methods:
            text = f"the type has no {system.method} method, and so no resource has this property"
            self.notes.remark(block.offset, made.name, text)

    # -- the whole

    def finish(self, empty: bool) -> ResourceType | None:
        notes = self.notes
        if empty and not notes.faults:
            notes.fault(0, "", 'nothing is declared; expected Resource_type = "NAME"; first')
            return None
        if self.headless >= 0 and not self.has_head:
            notes.fault(self.headless, "#$upgrade_from", "expected #$upgrade before it")
        for name in ("Resource_type", "RT_version"):
            if name.lower() not in self.seen:
                notes.fault(0, name, "required, and not given")
        for name, other in (("Start", "Prenet_start"), ("Stop", "Postnet_stop")):
            if name.lower() not in self.seen and other.lower() not in self.seen:
                notes.fault(0, name, f"required, and not given (nor {other})")
        if "rt_basedir" not in self.seen:
            for piece, name in self.relative:
                text = f'"{printable(piece.text)}" is not an absolute path, and there is no RT_basedir'
                notes.fault(piece.offset, name, text)
        for name, other in (("Monitor_start", "Monitor_stop"), ("Monitor_stop", "Monitor_start")):
            if name in self.methods and other.lower() not in self.seen:
                notes.remark(self.seen[name.lower()], name, f"declared without {other}")
        if notes.faults:
            return None
        made = ResourceType(
            **self.values,
            methods=tuple([(name, self.methods[name]) for name in METHODS if name in self.methods]),
            upgrade_aware=self.upgrade_at >= 0,
            upgrades=tuple([Upgrade(version, when) for version, when in self.upgrades.items()]),
            declared=tuple(self.properties.values()),
        )
        if len(made.name) > LONGEST:
            notes.fault(0, "", f"the name of a type has at most {LONGEST} characters, this one {len(made.name)}")
        return made


_WHAT = {
    "name": "a name",
    "version": 'a version such as "1.0"',
    "text": "a text",
    "api": "a whole number",
    "directory": "an absolute path",
    "boolean": "TRUE or FALSE",
    "init_nodes": " or ".join(INIT_NODES),
    "sysdefined": " or ".join(SYSDEFINED_TYPES),
    "method": "the path of a program",
}
