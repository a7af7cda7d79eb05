"""A parsed TOML file → what it declares: finds the tables, checks each, and puts every fault into words.

Names of properties have no case at Sun, so keys are read in lower case; a fault is told under the name in lower case,
and `spelled` leads back to what stands in the file. A table with a fault is still read as far as it is sound, so that
the faults between its other keys come out in the same run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gds.config.declared import Declared, Fault
from gds.config.document import GROUP_TABLE, RESOURCE_TABLE
from gds.config.forms import OutputTable, ProbeTable
from gds.config.refusal import NOT_YET, did_you_mean, shown
from gds.model.names import ADDRESS_TYPES, name_fault
from gds.model.properties import GROUP, KINDS, RESOURCE, SETTINGS, Property, by_name
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.config.typed import Types

Keys = tuple[str | int, ...]

_ADDRESSES = frozenset([each.lower() for each in ADDRESS_TYPES])
_SUN_NAMES = {
    each.sun.lower(): each.name for each in RESOURCE if each.of and each.sun and each.sun.lower() != each.name
}
"""Names of Sun's for properties of network addresses that differ from ours by more than letter case."""
_RESOURCE_KEYS, _GROUP_KEYS, _SETTING_KEYS = by_name(RESOURCE), by_name(GROUP), by_name(SETTINGS)


RUNNER = "[runner] belongs into /etc/gds/gds.toml, not into a descriptor"


class Document(Value):
    """What one file declares.

    `spelled` leads from a key path to the one that stands there, where the two differ. `numeric` are the key paths of
    umasks written as numbers: whether in octal, only the text can tell.
    """

    tables: tuple[Declared, ...]
    faults: tuple[Fault, ...]
    spelled: dict[Keys, Keys]
    numeric: tuple[Keys, ...]


def written(spelled: dict[Keys, Keys], keys: Keys) -> Keys:
    """The key path as it stands in the file, given where spelling differs (`Document.spelled`)."""
    rest: Keys = ()
    while keys:
        if keys in spelled:
            return (*spelled[keys], *rest)
        keys, rest = keys[:-1], (keys[-1], *rest)
    return rest


def read_document(data: dict[str, Any], path: str, types: Types | None = None) -> Document:
    """Checks the shape of a parsed file; a file without any table is a fault. `types` are those that are registered;
    None: only the generic one may be used."""
    return _Reading(path, types).read(data)


def read_table(
    keys: Keys, name: str, values: dict[str, Any], path: str, *, group: bool
) -> tuple[Declared, list[Fault]]:
    """One table that stands in no file: its values, and what is wrong with them."""
    reading = _Reading(path)
    reading._table(keys, name, reading._lowered(values, keys), GROUP_TABLE if group else RESOURCE_TABLE, group=group)
    return reading.tables[0], reading.faults


class _Reading:
    def __init__(self, path: str, types: Types | None = None) -> None:
        self.path = path
        self.types = types
        self.tables: list[Declared] = []
        self.faults: list[Fault] = []
        self.spelled: dict[Keys, Keys] = {}
        self.numeric: list[Keys] = []

    def read(self, data: dict[str, Any]) -> Document:
        top = self._lowered(data, ())
        top.pop("$schema", None)
        resources = self._tables(top, "resource")
        groups = self._tables(top, "group") if isinstance(top.get("group"), dict) else {}
        if resources or not any(key in _RESOURCE_KEYS for key in top):
            for key in top:
                self._stray(key)
        else:
            self._alone(top)
        for name, values in resources.items():
            self._resource(("resource", name), name, values)
        for name, values in groups.items():
            self._table(("group", name), name, values, GROUP_TABLE, group=True)
        if not self.tables and not self.faults:
            self._fault((), 'nothing is declared; expected start_command = "..." or a table [resource.NAME]', True)
        return Document(tuple(self.tables), tuple(self.faults), self.spelled, tuple(self.numeric))

    def _tables(self, top: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
        """The tables `[kind.NAME]`, taken out of `top`."""
        tables = top.pop(kind, {})
        if not isinstance(tables, dict):
            self._fault((kind,), f"expected tables [{kind}.NAME], not {shown(tables)}")
            return {}
        found = {}
        for name, values in tables.items():
            if not isinstance(values, dict):
                known = _RESOURCE_KEYS if kind == "resource" else _GROUP_KEYS
                hint = f"; write [{kind}.NAME] above it" if name.lower() in known else ""
                self._fault((kind, name), f"expected a table [{kind}.NAME], not {shown(values)}{hint}", True)
            elif fault := name_fault(name):
                self._fault((kind, name), f"{shown(name)} cannot be a name: {fault}", True)
            else:
                found[name] = values
        return found

    def _alone(self, values: dict[str, Any]) -> None:
        """Keys at top level: one resource, named after the file."""
        file = self.path.rpartition("/")[2]
        name = file.removesuffix(".toml")
        if fault := name_fault(name):
            text = (
                f"a resource without [resource.NAME] is named after its file; {shown(name)} cannot be a name: {fault}"
            )
            self._fault((next(iter(values)),), text, True)
        else:
            self._resource((), name, values)

    def _resource(self, keys: Keys, name: str, written: dict[str, Any]) -> None:
        if self.types is None or not any(key.lower() == "type" for key in written):
            self._table(keys, name, written, RESOURCE_TABLE, group=False)
            return
        from gds.config.typed import is_typed, read_typed

        values = self._lowered(written, keys) if keys else written
        if not is_typed(values):
            self._checked(keys, name, values, RESOURCE_TABLE, group=False)
            return

        def read(own: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
            reading = _Reading(self.path)
            reading._checked(keys, name, own, RESOURCE_TABLE, group=False)
            return reading.tables[0].values, reading.faults

        made, faults = read_typed(keys, name, values, self.path, self.types, read)
        self.tables.append(made)
        self.faults.extend(faults)

    def _stray(self, key: str) -> None:
        if key in _RESOURCE_KEYS:
            text = "a key of a resource outside of any [resource.NAME]"
        elif key == "runner":
            text = RUNNER
        else:
            known = ["resource", "group", *_RESOURCE_KEYS]
            text = "unknown key" + did_you_mean(key, known, "; expected [resource.NAME] or [group.NAME]")
        self._fault((key,), text, True)

    def _table(
        self, keys: Keys, name: str, written: dict[str, Any], adapter: TypeAdapter[dict[str, Any]], *, group: bool
    ) -> None:
        self._checked(keys, name, self._lowered(written, keys) if keys else written, adapter, group=group)

    def _checked(
        self, keys: Keys, name: str, values: dict[str, Any], adapter: TypeAdapter[dict[str, Any]], *, group: bool
    ) -> None:
        broken: set[str] = set()
        if not group and str(values.get("type")).strip().lower() in _ADDRESSES:
            values = self._in_our_words(keys, values)
        try:
            read = adapter.validate_python(values)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self.faults.append(self._translated(detail, keys, group))
                broken.add(str(detail["loc"][0]))
            rest = {key: value for key, value in values.items() if key not in broken}
            read = adapter.validate_python(rest)
        if "umask" in read and isinstance(values["umask"], int):
            self.numeric.append((*keys, "umask"))
        self.tables.append(Declared(name, self.path, keys, read, group, frozenset(broken)))

    def _in_our_words(self, keys: Keys, values: dict[str, Any]) -> dict[str, Any]:
        """A table of network addresses, where Sun's CheckNameService may stand for check_name_service."""
        made = dict(values)
        for sun, name in _SUN_NAMES.items():
            if sun not in made:
                continue
            if name in made:
                self._fault((*keys, sun), f"given twice: it is Sun's name of {name}", True)
            else:
                made[name] = made[sun]
                self.spelled[(*keys, name)] = written(self.spelled, (*keys, sun))
            del made[sun]
        return made

    def _translated(self, detail: ErrorDetails, keys: Keys, group: bool) -> Fault:
        loc: Keys = tuple(detail["loc"])
        kind = detail["type"]
        context: dict[str, Any] = detail.get("ctx", {})
        if on_key := bool(loc) and loc[-1] == "[key]":
            loc = loc[:-1]
        at = (*keys, *loc)
        if kind == "gds":
            inner: Keys = context["at"]
            # Inside a value, a name leads to a key that is wrong, a number to an element.
            return Fault(self.path, (*at, *inner), context["text"], on_key or isinstance((*inner, 0)[0], str))
        if kind == "extra_forbidden":
            return Fault(self.path, at, self._unknown(loc, group), True)
        prop = (_GROUP_KEYS if group else _RESOURCE_KEYS)[str(loc[0])]
        return Fault(self.path, at, _native(detail, prop if len(loc) == 1 else None))

    def _unknown(self, loc: Keys, group: bool) -> str:
        key = str(loc[-1])
        if len(loc) > 1:
            inner = ProbeTable.__annotations__ if loc[0] == "probe" else OutputTable.__annotations__
            return "unknown key" + did_you_mean(key, inner, f"; known: {', '.join(inner)}")
        if key == "runner":
            return RUNNER
        if key == "$schema":
            return "unknown key here; it belongs at the top level, above the first table"
        known, others = (_GROUP_KEYS, _RESOURCE_KEYS) if group else (_RESOURCE_KEYS, _GROUP_KEYS)
        if key in known:
            return f"{key} is {NOT_YET}"
        if key in others:
            return f"unknown key here; it belongs into a table [{'resource' if group else 'group'}.NAME]"
        if key in _SETTING_KEYS:
            return "unknown key here; it is a setting of the runner, and belongs into [runner] of /etc/gds/gds.toml"
        return "unknown key" + did_you_mean(key, known, "; `gds explain` lists all keys")

    def _lowered(self, table: dict[str, Any], keys: Keys) -> dict[str, Any]:
        """The table with its keys in lower case, and those of the tables of ours in it."""
        made: dict[str, Any] = {}
        for key, value in table.items():
            lower = key.lower()
            named = not keys and lower in ("resource", "group") and isinstance(value, dict)
            if lower in made:
                if named and isinstance(made[lower], dict):
                    made[lower] = self._merged(key, made[lower], value)
                else:
                    self._fault((*keys, key), "given twice, in different capitalisation", True)
                continue
            if lower != key and named:
                self._spell(lower, key, value)
            elif lower != key:
                self.spelled[(*keys, lower)] = (*written(self.spelled, keys), key)
            inner = isinstance(value, dict) and lower in ("probe", "stdout", "stderr")
            made[lower] = self._lowered(value, (*keys, lower)) if inner else value
        return made

    def _merged(self, key: str, one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
        for name in two:
            if name in one:
                self._fault((key, name), "given twice, in different capitalisation", True)
        new = {name: value for name, value in two.items() if name not in one}
        self._spell(key.lower(), key, new)
        return one | new

    def _spell(self, lower: str, key: str, names: Iterable[str]) -> None:
        self.spelled.update({(lower, name): (key, name) for name in names})

    def _fault(self, keys: Keys, message: str, on_key: bool = False) -> None:
        self.faults.append(Fault(self.path, keys, message, on_key))


def _native(detail: ErrorDetails, prop: Property | None) -> str:
    """One of pydantic's own findings in our words."""
    value = detail["input"]
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind in ("greater_than_equal", "less_than_equal"):
        bounds = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"expected a number of {bounds}, not {shown(value)}"
    words = {
        "int_type": "a whole number",
        "bool_type": KINDS["boolean"],
        "string_type": "a string",
        "list_type": "an array",
        "dict_type": "a table",
    }
    what = KINDS[prop.kind] if prop is not None and prop.kind != "integer" else words.get(kind, detail["msg"])
    return f"expected {what}, not {shown(value)}"
