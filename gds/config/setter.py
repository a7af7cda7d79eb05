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
The answer to "look" is told in looking.py.
"""

from __future__ import annotations

import tomllib

from gds.config import facts
from gds.config.addressed import FOLLOW
from gds.config.compile import compile_plan, group_from, questions, resource_of
from gds.config.compiler import settle
from gds.config.declared import Declared
from gds.config.kept_set import path_of
from gds.config.load import Loaded, load, shown_keys
from gds.config.looking import Look, default_in, table_of
from gds.config.overlay import Entry, entries_of, text_in
from gds.config.reading import read_table
from gds.config.typecheck import ALIASES, unknown
from gds.config.typedset import FIXED, amended, text_of, tunable_of, value_of
from gds.config.writing import TABLES, plain, toml_text
from gds.model import codec
from gds.model.properties import Property
from gds.model.resource import ExitMap, Group, Plan, Resource
from gds.model.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.config.declared import Keys
    from gds.model.typed import Typed

RUNNING = "what runs"
SWITCHES = {"enabled": ("enable", "disable"), "monitored": ("monitor", "unmonitor")}
"""Keys that are switches once the runner runs: they have verbs, and a memory, of their own."""
PLACES = ("type", "group")
"""Keys of a registered type's resource that are none of its properties."""
AT_CREATION = (
    "can only be given when the resource is created; write it into the descriptor, and `gds reload` changes it"
)
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
    return asking.set() if request["ask"] == "set" else asking.look()


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

    def look(self) -> dict[str, Any]:
        return Look(self.paths, self.can_abort, self.kept_in, self.running, self.entries).answer()

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
        for key in dict.fromkeys([*given, *unset]):
            if key in PLACES:
                self._error(key, AT_CREATION)
                self.errors[-1]["fixed"] = True
            elif key in unset and key not in SWITCHES and (text := unknown(typed.kind, key)):
                self._error(key, text)
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
        if faults:
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
        file = table_of(files, kind, name)
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
                self.errors[-1]["of_files"] = problem.message

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
        # what is wrong with what runs need not be told of the files too
        here = {each["message"] for each in self.errors}
        self.errors = [each for each in self.errors if each.get("of_files") not in here]
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


def _declared(owner: Resource | Group) -> Declared:
    """What runs, as a table that declares it: the keys that are not at their defaults."""
    kind = "group" if isinstance(owner, Group) else "resource"
    follow = FOLLOW if isinstance(owner, Resource) and owner.is_address else frozenset()
    values = {
        key: value
        for key in fields_of(type(owner))
        if key not in follow
        and (key in TABLES[kind] or key == "typed")
        and (value := getattr(owner, key)) != default_in(owner, key)
    }
    return Declared(owner.name, RUNNING, (kind, owner.name), values, kind == "group")
