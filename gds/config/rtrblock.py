"""One block of an RTR file → the declaration of a resource property, or what is wrong with it.

Sun's rules (semantics.md 14.3): PROPERTY is the first attribute. A block with EXTENSION makes a property of the type's
own: it has one type word, and may have a description, PER_NODE (then a default) and a tunability (else ANYTIME). A
block without it changes a property that the RGM defines (`model/sysprops.py`), whose type and description are fixed.
MIN and MAX are for INT, MINLENGTH and MAXLENGTH for strings and arrays of them, ARRAY_MINSIZE and ARRAY_MAXSIZE for
arrays. A default may not be empty for BOOLEAN, INT and ENUM, and lies within the bounds. The timeout of a method has no
MAX, and no MIN of 0.
"""

from __future__ import annotations

from gds.config.rtrnotes import Notes
from gds.config.rtrtext import Block, Entry, Piece, printable
from gds.model.propertyvalue import INTEGERS, shown_value, value_fault
from gds.model.restype import PropertyDeclaration, PropertyType
from gds.model.sysprops import SYSTEM, Presence, SystemProperty
from gds.model.tunable import Tunable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

    from gds.model.restype import PropertyValue

STRING, BOOLEAN, INT = PropertyType.STRING, PropertyType.BOOLEAN, PropertyType.INT
ENUM, STRINGARRAY = PropertyType.ENUM, PropertyType.STRINGARRAY

_TUNABLE = {
    **{each.value: each for each in Tunable},
    "TRUE": Tunable.ANYTIME,
    "FALSE": Tunable.NONE,
}
_SIZES: dict[str, tuple[str, tuple[PropertyType, ...]]] = {
    "min": ("minimum", (INT,)),
    "max": ("maximum", (INT,)),
    "minlength": ("min_length", (STRING, STRINGARRAY)),
    "maxlength": ("max_length", (STRING, STRINGARRAY)),
    "array_minsize": ("array_min", (STRINGARRAY,)),
    "array_maxsize": ("array_max", (STRINGARRAY,)),
}
"""Attributes that hold a number: their field, and the types they are for."""
_PAIRS = (("min", "max"), ("minlength", "maxlength"), ("array_minsize", "array_maxsize"))
_TYPES = {each.value.lower(): each for each in PropertyType}
_ALONE = ("extension", "per_node", "string", "boolean", "int", "stringarray")
_KNOWN = (
    *("PROPERTY", "EXTENSION", "PER_NODE", *PropertyType, "ENUMLIST", "DEFAULT", "TUNABLE", "DESCRIPTION"),
    *[name.upper() for name in _SIZES],
)


def read_block(block: Block, notes: Notes, before: Container[str]) -> PropertyDeclaration | None:
    """The declaration in a block; `before` are the keys of those already read. None: it has no name."""
    return _Block(block, notes).read(before)


class _Block:
    def __init__(self, block: Block, notes: Notes) -> None:
        self.block = block
        self.notes = notes
        self.name = ""
        self.entries: dict[str, Entry] = {}
        self.broken = False

    def fault(self, offset: int, attribute: str, message: str) -> None:
        where = ".".join([part for part in (self.name, attribute) if part])
        self.notes.fault(offset, where, message)

    def where(self, attribute: str) -> str:
        return f"{self.name}.{attribute}" if self.name else attribute

    def read(self, before: Container[str]) -> PropertyDeclaration | None:
        self._name()
        self._collect()
        if not self.name:
            return None
        if self.name.lower() in before:
            self.fault(self.block.offset, "", "this property has a block already")
        system = SYSTEM.get(self.name.lower())
        if "extension" in self.entries:
            return self._extension(system)
        if system is None:
            hint = "; one of the type's own is declared with EXTENSION and a type, such as INT"
            known = [s.declaration.name for s in SYSTEM.values() if s.presence is not Presence.RGM]
            text = "Sun's RGM defines no property of this name" + self.notes.near(self.name, known, hint)
            self.fault(self.entries["property"].name.offset, "", text)
            return None
        return self._system(system)

    def _name(self) -> None:
        """PROPERTY, wherever it stands, so that the rest can be told with the property's name."""
        place = next((i for i, e in enumerate(self.block.entries) if e.name.text.lower() == "property"), -1)
        if place < 0:
            self.fault(self.block.offset, "", "expected PROPERTY = NAME; as the first attribute")
            return
        entry = self.block.entries[place]
        if place > 0:
            self.fault(self.block.entries[0].name.offset, "", "expected PROPERTY = NAME; as the first attribute")
        piece = self.notes.single(entry, "PROPERTY", "the name of a property")
        name = self.notes.name(piece, "PROPERTY") if piece is not None else None
        if name is not None:
            system = SYSTEM.get(name.lower())
            self.name = system.declaration.name if system is not None else name

    def _collect(self) -> None:
        """The attributes by their names in lower case; told: unknown ones, and those given twice."""
        for entry in self.block.entries:
            word, key = entry.name.text, entry.name.text.lower()
            shown = word.upper() if key.upper() in _KNOWN else printable(word)
            if key.upper() not in _KNOWN:
                self.fault(entry.name.offset, shown, "no such attribute" + self.notes.near(word, _KNOWN))
            elif key in self.entries:
                self.fault(entry.name.offset, shown, "given twice")
            elif key in _ALONE and entry.values is not None:
                self.fault(entry.name.offset, shown, f"stands alone: write {shown};")
                self.entries[key] = entry
            elif key not in (*_ALONE, "enum", "property") and entry.values is None:
                self.fault(entry.name.offset, shown, "expected = and a value")
                # Something was meant: what depends on it is not told as missing.
                self.broken = True
            else:
                self.entries[key] = entry

    # -- the two kinds of block

    def _extension(self, system: SystemProperty | None) -> PropertyDeclaration | None:
        if system is not None:
            text = "the RGM defines this property: leave out EXTENSION, the type and the description"
            self.fault(self.entries["extension"].name.offset, "EXTENSION", text)
            return None
        types = [key for key in _TYPES if key in self.entries]
        at = self.entries["property"].name.offset
        if len(types) != 1:
            wanted = f"one type of {', '.join(PropertyType)}"
            text = f"one type, not {' and '.join([_TYPES[key] for key in types])}" if types else wanted
            self.fault(self.entries[types[1]].name.offset if types else at, "", f"expected {text}")
            return None
        kind = _TYPES[types[0]]
        fields: dict[str, Any] = {"extension": True, "per_node": "per_node" in self.entries}
        if "description" in self.entries:
            fields["description"] = self._text("description") or ""
        if kind is ENUM:
            fields["enumlist"] = self._words()
        elif "enumlist" in self.entries:
            self.fault(self.entries["enumlist"].name.offset, "ENUMLIST", f"is for ENUM, not for {kind}")
        made = self._attributes(PropertyDeclaration(self.name, kind).replace(**fields))
        missing = made.default is None and "default" not in self.entries and not self.broken
        if missing and made.per_node:
            self.fault(self.entries["per_node"].name.offset, "PER_NODE", "needs a DEFAULT")
        elif missing and made.tunable is Tunable.NONE:
            text = "needs a DEFAULT: otherwise the property could never have a value"
            self.fault(self.entries["tunable"].name.offset, "TUNABLE", text)
        return made

    def _system(self, system: SystemProperty) -> PropertyDeclaration | None:
        if system.presence is Presence.RGM:
            self.fault(self.entries["property"].name.offset, "", "the RGM's own: an RTR file may not declare it")
            return None
        for key in (*_TYPES, "enumlist", "description", "per_node"):
            if key in self.entries:
                text = "fixed for a property that the RGM defines: leave it out"
                self.fault(self.entries[key].name.offset, key.upper(), text)
        if system.method and "max" in self.entries:
            self.fault(self.entries["max"].name.offset, "MAX", "the timeout of a method may not have a MAX")
            del self.entries["max"]
        return self._attributes(system.declaration)

    def _attributes(self, made: PropertyDeclaration) -> PropertyDeclaration:
        """`made` with the bounds, default and tunability of the block."""
        changes: dict[str, Any] = {}
        for key, (field, types) in _SIZES.items():
            if key not in self.entries:
                continue
            if made.type not in types:
                listed = " and ".join(types)
                self.fault(self.entries[key].name.offset, key.upper(), f"is for {listed}, not for {made.type}")
                continue
            least = made.minimum if key in ("min", "max") else 0
            size = self._number(key, INTEGERS[0] if least is None else least)
            if size is not None:
                changes[field] = size
        if "tunable" in self.entries:
            piece = self.notes.single(self.entries["tunable"], self.where("TUNABLE"), "a word")
            word = self.notes.word(piece, self.where("TUNABLE"), _TUNABLE) if piece is not None else None
            if word is not None:
                changes["tunable"] = _TUNABLE[word]
        made = made.replace(**changes)
        for low, high in _PAIRS:
            lower, upper = getattr(made, _SIZES[low][0]), getattr(made, _SIZES[high][0])
            if lower is not None and upper is not None and lower > upper:
                key = high if high in self.entries else low
                text = f"{low.upper()} ({lower}) is greater than {high.upper()} ({upper})"
                self.fault(self.entries[key].name.offset, key.upper(), text)
                return made
        if "default" in self.entries:
            default = self._default(self.entries["default"], made)
            return made if default is None else made.replace(default=default)
        if made.default is not None and (fault := value_fault(made, made.default)):
            at = self.entries["property"].name.offset
            self.fault(at, "", f"without DEFAULT it would be {shown_value(made.default)}, and {fault}")
        return made

    # -- values of attributes

    def _text(self, key: str) -> str | None:
        where = self.where(key.upper())
        piece = self.notes.single(self.entries[key], where, "a text in quotes")
        return None if piece is None else self.notes.text(piece, where)

    def _number(self, key: str, least: int) -> int | None:
        where = self.where(key.upper())
        piece = self.notes.single(self.entries[key], where, "a whole number")
        return None if piece is None else self.notes.integer(piece, where, least)

    def _words(self) -> tuple[str, ...]:
        """The words of an ENUM, from `ENUM { A, B };` or `ENUMLIST = A, B;`."""
        entry = self.entries.get("enumlist", self.entries["enum"])
        where = self.where(entry.name.text.upper())
        made: dict[str, str] = {}
        for piece in entry.values or ():
            name = self.notes.name(piece, where)
            if name is not None and name.lower() in made:
                self.notes.fault(piece.offset, where, f"{name} is listed twice")
            elif name is not None:
                made[name.lower()] = name
        if not entry.values:
            self.notes.fault(entry.name.offset, where, "expected its words: ENUM { OFF, ON };")
        return tuple(made.values())

    def _default(self, entry: Entry, made: PropertyDeclaration) -> PropertyValue | None:
        where = self.where("DEFAULT")
        if made.type is STRINGARRAY:
            return self._array(entry, made, where)
        if made.type is STRING and entry.values == ():
            piece = Piece("", entry.name.offset, True)
        else:
            single = self.notes.single(entry, where, _WHAT[made.type])
            if single is None:
                return None
            piece = single
        value: PropertyValue | None
        if made.type is INT:
            value = self.notes.integer(piece, where)
        elif made.type is BOOLEAN:
            value = self.notes.boolean(piece, where)
        elif made.type is ENUM:
            value = self.notes.word(piece, where, made.enumlist) if made.enumlist else None  # told already
        else:
            value = self.notes.text(piece, where)
        return self._within(made, value, piece.offset, where)

    def _array(self, entry: Entry, made: PropertyDeclaration, where: str) -> PropertyValue | None:
        pieces = entry.values or ()
        if len(pieces) == 1 and pieces[0].quoted and not pieces[0].text:
            pieces = ()
        found = [self.notes.text(piece, where) for piece in pieces]
        if None in found:
            return None
        return self._within(made, tuple([each for each in found if each is not None]), entry.name.offset, where)

    def _within(
        self, made: PropertyDeclaration, value: PropertyValue | None, offset: int, where: str
    ) -> PropertyValue | None:
        if value is None:
            return None
        if fault := value_fault(made, value):
            self.notes.fault(offset, where, fault)
            return None
        return value


_WHAT = {INT: "a whole number", BOOLEAN: "TRUE or FALSE", ENUM: "one of its words", STRING: "a text"}
