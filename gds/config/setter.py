"""What `gds set`, `gds get` and `gds diff` ask of the compiler's process.

A change is judged against what runs, not against the files: those may have been edited since, or be half edited, and a
change of one key must bring in nothing else. Then it is looked whether the files and all that was set still go
together, because the next start will put them together. Faults that were there before are not the change's.

Asked (`request`): {"ask": "set" or "look", "paths": …, "flags": …} as of the compiler, and by stdin (`given`):

    {"plan": codec.pack(Plan) of what runs, "set": content of set.json,
     "name": "web", "pairs": [["retry_count", "5"]], "unset": ["retry_interval"]}

Answered to "set": {"errors": [{"key", "message"}], "kind": "resource", "after": codec.pack(what it would be),
"changes": [{"key", "tunable", "old", "new", "file": as TOML; "value": plain data; "same": nothing changes by it;
"drop": the files say the same, nothing has to be kept}]}.
Answered to "look": {"errors": …, "tables": [{"kind", "name", "keys": [...]}], "fresh": [[name, place]],
"gone": [name]}.
"""

from __future__ import annotations

import tomllib

from gds.config import facts
from gds.config.compile import compile_plan, group_from, questions, resource_of
from gds.config.compiler import problem_to_plain, settle
from gds.config.declared import Declared
from gds.config.kept_set import path_of
from gds.config.load import Loaded, load, shown_keys
from gds.config.overlay import Entry, entries_of, text_in
from gds.config.reading import read_table
from gds.config.typecheck import ALIASES
from gds.config.typedset import FIXED, amended, text_of, tunable_of, value_of
from gds.config.writing import TABLES, plain, toml_text, without_secrets
from gds.model import codec
from gds.model.properties import Property
from gds.model.resource import ExitMap, Group, Plan, Resource
from gds.model.value import defaults_of, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.config.declared import Keys
    from gds.model.typed import Typed

RUNNING = "what runs"
SWITCHES = {"enabled": ("enable", "disable"), "monitored": ("monitor", "unmonitor")}
"""Keys that are switches once the runner runs: they have verbs, and a memory, of their own."""
TAKES_STRINGS = frozenset(("string", "path", "name", "account", "word", "type", "command"))
"""Kinds that want a string: what else TOML makes of a bare word is not meant."""


def answer_set(request: Mapping[str, Any], environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The answer; see the module."""
    values, errors = settle(request.get("flags", {}), environ)
    if errors:
        return {"errors": errors}
    asking = _Asking(
        request.get("paths", []), bool(values.get("node_abort_command")), path_of(values["state_dir"]), given
    )
    return asking.look() if request["ask"] == "look" else asking.set()


def parsed(prop: Property | None, text: str) -> Any:
    """A value as it was typed: TOML, or a bare word where the key wants a string."""
    if prop is not None and prop.kind == "umask" and not text.startswith(("0o", '"', "'")):
        return text  # octal, as for the shell's umask
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text
    value = read["value"]
    if len(read) > 1 or not isinstance(value, bool | int | float | str | list | dict):
        return text
    wants_string = prop is not None and prop.kind in TAKES_STRINGS
    return text if wants_string and isinstance(value, bool | int | float) else value


def _as_typed(text: str) -> Any:
    """A value of a registered type's property: Sun's words (a,b), or a TOML array or string."""
    return parsed(None, text) if text[:1] in ("[", '"', "'") else text


class _Asking:
    def __init__(self, paths: list[str], can_abort: bool, kept_in: str, given: Mapping[str, Any]) -> None:
        self.paths = paths
        self.can_abort = can_abort
        self.kept_in = kept_in
        self.given = given
        self.running: Plan = codec.unpack(given["plan"])
        self.entries = {e.place: e for e in entries_of(given["set"])}
        self.errors: list[dict[str, Any]] = []

    def _error(self, key: str, message: str) -> None:
        self.errors.append({"key": key, "message": message})

    # -- set

    def set(self) -> dict[str, Any]:
        name = self.given["name"]
        resource = self.running.resource(name)
        group = next((g for g in self.running.groups if g.name == name), None)
        pairs: list[tuple[str, str]] = [(key.lower(), text) for key, text in self.given["pairs"]]
        unset = [key.lower() for key in self.given["unset"]]
        keys = [*[key for key, _ in pairs], *unset]
        before: Resource | Group
        if resource is not None and (group is None or not self._of_group_only(keys)):
            before, kind = resource, "resource"
        elif group is not None:
            before, kind = group, "group"
        else:
            return {"errors": [{"key": "", "message": f"nothing that runs is named {name}"}]}
        if isinstance(before, Resource) and before.typed is not None:
            return self._set_typed(before, before.typed, pairs, unset)
        over = self._read(kind, name, pairs, unset)
        if self.errors:
            return {"errors": self.errors}
        values = {key: plain(TABLES[kind][key], value) for key, value in over.items()}
        file = self._with_files(kind, name, values, unset)
        back = {key: file.values[key] for key in unset if file is not None and key in file.values}
        after = self._judged(before, kind, {**over, **back}, unset)
        if self.errors:
            return {"errors": self.errors}
        changes = [self._change(kind, key, before, after, over, file) for key in dict.fromkeys([*over, *unset])]
        return {"errors": [], "kind": kind, "after": codec.pack(after), "changes": changes}

    def _set_typed(
        self, before: Resource, typed: Typed, pairs: list[tuple[str, str]], unset: list[str]
    ) -> dict[str, Any]:
        """The same of a resource of a registered type: its RTR file says what its properties are."""
        name = before.name
        given = {ALIASES.get(key, key): _as_typed(text) for key, text in pairs}
        unset = [ALIASES.get(key, key) for key in unset]
        if len(given) < len(pairs) or not given.keys().isdisjoint(unset):
            self._error("", "a key is given twice")
        self._refuse_switches("resource", name, [*given, *unset])
        if self.errors:
            return {"errors": self.errors}
        table, faults = amended(_declared(before), given, RUNNING, as_text=True)
        values = {key: value_of(table.values["typed"], key) for key in given}
        file = self._with_files("resource", name, values, unset) if not faults else None
        said: Typed | None = file.values.get("typed") if file is not None else None
        back = {key: value_of(said or typed, key) for key in unset}
        if not faults:
            table, faults = amended(table, {k: v for k, v in back.items() if v is not None}, RUNNING, as_text=False)
        for fault in faults:
            key = str(fault.keys[2])
            self._error(shown_keys(fault.keys[2:]), fault.message)
            self.errors[-1]["fixed"] = value_of(typed, key) is not None and tunable_of(typed, key) in FIXED
        if self.errors:
            return {"errors": self.errors}
        after = self._judged(before, "resource", table.values, list(_declared(before).values))
        if self.errors:
            return {"errors": self.errors}
        changed: Typed = table.values["typed"]
        changes = []
        for key in dict.fromkeys([*given, *unset]):
            old, new, file_says = (text_of(each, key) if each else "" for each in (typed, changed, said))
            changes.append(
                {
                    "key": key,
                    "tunable": tunable_of(typed, key).value,
                    "old": old,
                    "new": new,
                    "value": value_of(changed, key),
                    "file": file_says,
                    "same": old == new,
                    "drop": key in unset or new == file_says,
                }
            )
        return {"errors": [], "kind": "resource", "after": codec.pack(after), "changes": changes}

    def _with_files(self, kind: str, name: str, values: dict[str, Any], unset: list[str]) -> Declared | None:
        """What the files say of it, after a look whether they and all that would be set go together."""
        if not self.paths:
            return None
        kept = {place: e for place, e in self.entries.items() if place[:2] != (kind, name) or place[2] not in unset}
        kept |= {(kind, name, key): Entry(kind, name, key, value) for key, value in values.items()}
        entries = tuple(kept.values())
        files = load(self.paths, self.can_abort, entries=entries, kept_in=self.kept_in, lined=True)
        file = _table_of(files, kind, name)
        if files.problems:
            self._blame(files, file, unset)
        return file

    def _refuse_switches(self, kind: str, name: str, keys: Iterable[str]) -> None:
        for key in keys:
            if kind == "resource" and key in SWITCHES:
                on, off = SWITCHES[key]
                self._error(key, f"a switch: `gds {on} {name}` and `gds {off} {name}` turn it")

    def _of_group_only(self, keys: list[str]) -> bool:
        return bool(keys) and all(k in TABLES["group"] and k not in TABLES["resource"] for k in keys)

    def _read(self, kind: str, name: str, pairs: list[tuple[str, str]], unset: list[str]) -> dict[str, Any]:
        """The values of the pairs; what is wrong with them goes to the errors."""
        table = TABLES[kind]
        raw: dict[str, Any] = {}
        for key, text in pairs:
            if key in raw or key in unset:
                self._error(key, "given twice")
            raw[key] = parsed(table.get(key), text)
        self._refuse_switches(kind, name, (*raw, *unset))
        strange = {key: "" for key in unset if key not in table or not table[key].supported}
        keys: Keys = (kind, name)
        read, faults = read_table(keys, name, {**raw, **strange}, RUNNING, group=kind == "group")
        for fault in faults:
            self._error(shown_keys(fault.keys[2:]), fault.message)
        # in the order they were typed; an exit map may be written as a probe of its own
        renamed = {"probe": "exit_map"} if isinstance(read.values.get("probe"), ExitMap) else {}
        return {renamed.get(key, key): read.values[key] for key in raw if key in read.values}

    def _blame(self, files: Loaded, file: Declared | None, unset: list[str]) -> None:
        """The files do not compile: is it for what is asked?"""
        if unset and (file is None or file.broken):
            for problem in files.problems:
                self._error("", f"cannot tell what the files say: {problem}")
            return
        before = load(self.paths, self.can_abort, entries=tuple(self.entries.values()), kept_in=self.kept_in)
        known = {(p.key, p.message) for p in before.problems}
        for problem in files.problems:
            if (problem.key, problem.message) not in known:
                self._error("", f"with the files as they are now, the next start would be refused: {problem}")

    def _judged(self, before: Resource | Group, kind: str, over: dict[str, Any], unset: list[str]) -> Resource | Group:
        """What it would be; faults that were not there before go to the errors."""
        owners: list[Resource | Group] = [*self.running.resources, *self.running.groups]
        tables = [_declared(each) for each in owners]
        at = next(i for i, t in enumerate(tables) if t.name == before.name and t.group == (kind == "group"))
        values = {key: value for key, value in tables[at].values.items() if key not in unset}
        changed = tables[at].replace(values={**values, **over})
        then = [*tables[:at], changed, *tables[at + 1 :]]
        answers = facts.gather(questions([*tables, changed]))
        told = {(f.keys, f.message) for f in compile_plan(tuple(tables), answers, self.can_abort).faults}
        for fault in compile_plan(tuple(then), answers, self.can_abort).faults:
            if (fault.keys, fault.message) not in told:
                own = fault.keys[:2] == changed.keys
                self._error(shown_keys(fault.keys[2:] if own else fault.keys), fault.message)
        if self.errors:
            return before
        if isinstance(before, Group):
            return group_from(before.name, before.resources, changed.values)
        return resource_of(changed)

    def _change(
        self,
        kind: str,
        key: str,
        before: Resource | Group,
        after: Resource | Group,
        over: dict[str, Any],
        file: Declared | None,
    ) -> dict[str, Any]:
        prop = TABLES[kind][key]
        old, new = getattr(before, key, None), getattr(after, key, None)
        said = text_in(file, key)
        value = plain(prop, over[key]) if key in over else None
        return {
            "key": key,
            "tunable": prop.tunable.value,
            "old": toml_text(plain(prop, old)),
            "new": toml_text(plain(prop, new)),
            "value": value,
            "file": said,
            "same": old == new,
            "drop": key not in over or (bool(said) and said == toml_text(value)),
        }

    # -- look

    def look(self) -> dict[str, Any]:
        files = load(self.paths, self.can_abort, kept_in=self.kept_in, lined=True) if self.paths else None
        tables = [
            {
                "kind": kind,
                "name": each.name,
                "group": getattr(each, "group", each.name),
                "keys": self._keys(kind, each, files),
            }
            for kind, owners in (("resource", self.running.resources), ("group", self.running.groups))
            for each in owners
        ]
        known = {r.name for r in self.running.resources}
        declared = {t.name: t for t in files.declared if not t.group} if files is not None else {}
        return {
            "errors": [problem_to_plain(p) for p in files.problems] if files is not None else [],
            "tables": tables,
            "fresh": [[name, table.path] for name, table in declared.items() if name not in known],
            "gone": [name for name in known if name not in declared] if files is not None else [],
        }

    def _keys(self, kind: str, owner: Resource | Group, files: Loaded | None) -> list[dict[str, Any]]:
        file = _table_of(files, kind, owner.name)
        asked = self._asked_of_files(kind, owner, file, files)
        if isinstance(owner, Resource) and owner.typed is not None:
            return self._typed_keys(owner, owner.typed, asked, file)
        made = []
        for prop in TABLES[kind].values():
            if prop.name not in fields_of(type(owner)) or not prop.supported:
                continue
            value = getattr(owner, prop.name)
            entry = self.entries.get((kind, owner.name, prop.name))
            place = ""
            if file is not None and prop.name in file.values:
                line = files.lines.get((file.path, (*file.keys, prop.name)), 0) if files is not None else 0
                place = f"{file.path}:{line}" if line else file.path
            now = getattr(asked, prop.name) if asked is not None else value
            default = value == _default(owner, prop.name)
            shown = None if default and value in ("", ()) else plain(prop, value)
            made.append(
                {
                    "key": prop.name,
                    "value": shown,
                    "text": toml_text(shown),
                    "open": toml_text(without_secrets(prop.name, shown)),
                    "tunable": prop.tunable.value,
                    "place": place,
                    "default": default,
                    "differs": now != value,
                    "file": toml_text(plain(prop, now)),
                    "file_value": plain(prop, now),
                    "file_open": toml_text(without_secrets(prop.name, plain(prop, now))),
                    "set": entry is not None,
                    "by": entry.by if entry is not None else "",
                    "at": entry.at if entry is not None else "",
                }
            )
        return made

    def _typed_keys(
        self, owner: Resource, typed: Typed, asked: Resource | Group | None, file: Declared | None
    ) -> list[dict[str, Any]]:
        """Of a resource of a registered type. Which of its values stand in the file and which are its type's defaults,
        the table does not say any more."""
        said = asked.typed if isinstance(asked, Resource) and asked.typed is not None else typed
        made = []
        for setting in typed.settings:
            key = setting.name.lower() + (f"{{{setting.node}}}" if setting.node else "")
            entry = self.entries.get(("resource", owner.name, key))
            text, now = text_of(typed, key), text_of(said, key)
            made.append(
                {
                    "key": key,
                    "value": value_of(typed, key),
                    "text": text,
                    "open": text,
                    "tunable": tunable_of(typed, key).value,
                    "place": file.path if file is not None else "",
                    "default": False,
                    "differs": text != now,
                    "file": now,
                    "file_value": value_of(said, key),
                    "file_open": now,
                    "set": entry is not None,
                    "by": entry.by if entry is not None else "",
                    "at": entry.at if entry is not None else "",
                }
            )
        return made

    def _asked_of_files(
        self, kind: str, owner: Resource | Group, file: Declared | None, files: Loaded | None
    ) -> Resource | Group | None:
        """What the files alone would make of it; None: nobody can tell."""
        if files is None:
            # a bare command: what it was given stays, all else is the default
            return _bare(owner, [place[2] for place in self.entries if place[:2] == (kind, owner.name)])
        if file is not None and file.broken:
            return None
        if isinstance(owner, Group):
            return group_from(owner.name, owner.resources, file.values if file is not None else {})
        if file is None or "start_command" not in file.values:
            return None
        return resource_of(file)


def _bare(owner: Resource | Group, changed: Iterable[str]) -> Resource | Group:
    defaults = defaults_of(type(owner))
    return owner.replace(**{key: defaults[key] for key in changed if key in defaults})


def _default(owner: Resource | Group, key: str) -> Any:
    """What a key is when nobody gives it."""
    if key == "group":
        return owner.name
    if key == "network_aware" and isinstance(owner, Resource):
        return bool(owner.port_list)
    if key == "rg_mode" and isinstance(owner, Group):
        return "FAILOVER" if owner.maximum_primaries == 1 else "SCALABLE"
    return defaults_of(type(owner)).get(key)


def _declared(owner: Resource | Group) -> Declared:
    """What runs, as a table that declares it: the keys that are not at their defaults."""
    kind = "group" if isinstance(owner, Group) else "resource"
    values = {
        key: value
        for key in fields_of(type(owner))
        if (key in TABLES[kind] or key == "typed") and (value := getattr(owner, key)) != _default(owner, key)
    }
    return Declared(owner.name, RUNNING, (kind, owner.name), values, kind == "group")


def _table_of(files: Loaded | None, kind: str, name: str) -> Declared | None:
    if files is None:
        return None
    return next((t for t in files.declared if t.name == name and t.group == (kind == "group")), None)
