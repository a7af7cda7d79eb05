"""What runs, key by key, against what the files say now: `gds get` and `gds diff`, in the compiler's process.

The answer to "look" of `setter.py`: {"errors": [problems of the files], "tables": [{"kind", "name", "group", "keys":
[...]}], "fresh": [[name, place]], "gone": [name]}. Of each key: "value" as plain data and "text" as TOML, "open" the
same for those who may not see secrets; "place" where a file gives it, "default"; "differs" from what the files alone
would make of it, which is "file"; "set", "by", "at".
"""

from __future__ import annotations

from gds.config.addressed import belongs, is_address
from gds.config.compile import group_from, resource_of
from gds.config.compiler import problem_to_plain
from gds.config.load import load
from gds.config.typecheck import ADMINISTRATIVE, ALIASES
from gds.config.typedset import text_of, tunable_of, value_of
from gds.config.writing import TABLES, plain, toml_text, without_secrets
from gds.model.resource import Group, Resource
from gds.model.sysprops import properties_of
from gds.model.value import defaults_of, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gds.config.declared import Declared
    from gds.config.load import Loaded
    from gds.config.overlay import Entry
    from gds.model.resource import Plan
    from gds.model.typed import Typed


class Look:
    """`running` against the files of `paths`; `entries` are what people set, by kind, name and key."""

    def __init__(
        self,
        paths: list[str],
        can_abort: bool,
        kept_in: str,
        running: Plan,
        entries: dict[tuple[str, str, str], Entry],
    ) -> None:
        self.paths = paths
        self.can_abort = can_abort
        self.kept_in = kept_in
        self.running = running
        self.entries = entries

    def answer(self) -> dict[str, Any]:
        """See the module."""
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
        file = table_of(files, kind, owner.name)
        asked = self._asked_of_files(kind, owner, file, files)
        typed = owner.typed if isinstance(owner, Resource) else None
        made = []
        for prop in TABLES[kind].values():
            if typed is not None and prop.name not in ADMINISTRATIVE:
                continue
            if prop.name not in fields_of(type(owner)) or not prop.supported:
                continue
            if isinstance(owner, Resource) and not belongs(prop.name, owner.is_address):
                continue
            value = getattr(owner, prop.name)
            entry = self.entries.get((kind, owner.name, prop.name))
            place = ""
            if file is not None and prop.name in (file.given or file.values):
                place = _place(file, prop.name, files)
            now = getattr(asked, prop.name) if asked is not None else value
            default = value == default_in(owner, prop.name)
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
        if isinstance(owner, Resource) and typed is not None:
            made += self._typed_keys(owner, typed, asked, file, files)
        return made

    def _typed_keys(
        self,
        owner: Resource,
        typed: Typed,
        asked: Resource | Group | None,
        file: Declared | None,
        files: Loaded | None,
    ) -> list[dict[str, Any]]:
        """The properties of a resource of a registered type."""
        said = asked.typed if isinstance(asked, Resource) and asked.typed is not None else typed
        made = []
        defaults = {each.key: each.default for each in properties_of(typed.kind)}
        short = {own: key for key, own in ALIASES.items()}
        for setting in typed.settings:
            key = setting.name.lower() + (f"{{{setting.node}}}" if setting.node else "")
            entry = self.entries.get(("resource", owner.name, key))
            text, now = text_of(typed, key), text_of(said, key)
            name = setting.name.lower()
            place = ""
            if file is not None:
                here = next((each for each in (key, name, short.get(name)) if each in file.given), None)
                place = _place(file, here, files) if here is not None else ""
            made.append(
                {
                    "key": key,
                    "value": value_of(typed, key),
                    "text": text,
                    "open": text,
                    "tunable": tunable_of(typed, key).value,
                    "place": place,
                    "default": not setting.node and setting.value == defaults.get(name),
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
        if file is None or not (is_address(file.values) or "start_command" in file.values):
            return None
        return resource_of(file)


def _place(file: Declared, key: str, files: Loaded | None) -> str:
    line = files.lines.get((file.path, (*file.keys, key)), 0) if files is not None else 0
    return f"{file.path}:{line}" if line else file.path


def _bare(owner: Resource | Group, changed: Iterable[str]) -> Resource | Group:
    defaults = defaults_of(type(owner))
    return owner.replace(**{key: defaults[key] for key in changed if key in defaults})


def default_in(owner: Resource | Group, key: str) -> Any:
    """What a key is when nobody gives it."""
    if key == "group":
        return owner.name
    if key == "network_aware" and isinstance(owner, Resource):
        return bool(owner.port_list)
    if key == "rg_mode" and isinstance(owner, Group):
        return "FAILOVER" if owner.maximum_primaries == 1 else "SCALABLE"
    return defaults_of(type(owner)).get(key)


def table_of(files: Loaded | None, kind: str, name: str) -> Declared | None:
    """The table of that name, as the files have it."""
    if files is None:
        return None
    return next((t for t in files.declared if t.name == name and t.group == (kind == "group")), None)
