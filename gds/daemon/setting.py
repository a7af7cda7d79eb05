"""The desk where properties are changed and asked for while everything runs: gds set, get and diff. Loaded late.

A set goes: the compiler's process reads and checks the values (config/setter.py) → rgm/update.py rules, as a whole →
Validate is asked of the values as they would be → it is kept (who, when, old, new) → the resource is changed, live or
between its Stop and its Start → Update where it is online. Until it is kept, nothing has been touched.

One at a time: what two people set in different groups is done one after the other; of the same group the second is
told that it is busy. A reload waits for neither (75), because it would judge by values that are about to change.
"""

from __future__ import annotations

import marshal

from gds.daemon.changing import BAD, BUSY, FAILED, OK, SECRET, Change
from gds.daemon.differing import SWITCHES, switched
from gds.model import codec
from gds.model.resource import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.names import Client
    from gds.daemon.rgmd import Rgmd
    from gds.model.resource import Resource

    Place = tuple[str, str, str]

    class Store(Protocol):
        """STATE/set.json."""

        entries: dict[Place, dict[str, Any]]
        unreadable: str
        problem: str

        def content(self, entries: dict[Place, dict[str, Any]] | None = None) -> bytes: ...
        def keep(self, entries: dict[Place, dict[str, Any]]) -> str: ...


class Setting:
    """See the module. `ask` puts a question ("set" or "look", what is handed over) to the compiler's process;
    `refuses` says why nothing may be changed now; `bare`: the runner was given a command, not descriptors."""

    def __init__(
        self,
        rgmd: Rgmd,
        groups: Groups,
        store: Store,
        ask: Callable[[str, bytes, Callable[[dict[str, Any]], None]], None],
        new_app: Callable[[Resource], App],
        refuses: Callable[[], str],
        stamp: Callable[[], str],
        bare: bool,
    ) -> None:
        self.rgmd = rgmd
        self.groups = groups
        self.store = store
        self.new_app = new_app
        self.refuses = refuses
        self.stamp = stamp
        self.bare = bare
        self._ask = ask
        self._line: list[Change] = []
        self._lookers: list[Callable[[dict[str, Any]], None]] = []
        self._looking = False

    @property
    def busy(self) -> str:
        """What is being set now, in words; "" = nothing."""
        return f"{self._line[0].because} is under way" if self._line else ""

    def question(self, what: str, more: dict[str, Any], done: Callable[[dict[str, Any]], None]) -> None:
        """Ask the compiler's process about what runs. Raises OSError."""
        running = Plan(tuple([app.resource for app in self.rgmd.apps.values()]), tuple(self.groups.declared.values()))
        given = {"plan": codec.pack(running), "set": self.store.content(), **more}
        self._ask(what, marshal.dumps(given), done)

    def followed(self, stands: Iterable[list[Any]]) -> None:
        """A reload was carried out: what the files have caught up with, or forgotten, is not set any more."""
        over = {(kind, name, key) for kind, name, key, is_over, _ in stands if is_over}
        if over:
            self.store.keep({place: entry for place, entry in self.store.entries.items() if place not in over})

    # -- set ----------------------------------------------------------------------------------------------------------

    def set(self, client: Client, request: dict[str, Any]) -> None:
        """gds set: its one name is known to be a resource or a group of this runner."""
        names, pairs, unset = request["names"], request.get("pairs", []), request.get("unset", [])
        if len(names) != 1 or not _are_pairs(pairs) or not _are_words(unset) or not (pairs or unset):
            client.done(2, "cannot read the request: one name, and pairs or unset are needed")
            return
        change = Change(self, client, names[0], pairs, unset, bool(request.get("restart")))
        change.dry = bool(request.get("dry_run"))
        change.trial = bool(request.get("trial"))
        why = self.refuses() or self.store.unreadable
        if why:
            client.done(FAILED if why is self.store.unreadable else BUSY, f"cannot set {change.name}: {why}")
            return
        if clash := next((c for c in self._line if c.group == change.group), None):
            client.done(BUSY, f"cannot set {change.name}: its group is busy: {clash.because} is under way")
            return
        self._line.append(change)
        if len(self._line) == 1:
            change.begin()

    def next(self) -> None:
        """The first in line is done."""
        self._line.pop(0)
        if self._line:
            self._line[0].begin()

    # -- get and diff -------------------------------------------------------------------------------------------------

    def look(self, done: Callable[[dict[str, Any]], None]) -> None:
        """What runs, key by key, and what the files say of it. Whoever may read the socket may ask this, so there is
        one process for it at a time; who asks meanwhile shares the next."""
        self._lookers.append(done)
        if not self._looking:
            self._look()

    def _look(self) -> None:
        asked, self._lookers = self._lookers, []
        self._looking = True

        def looked(answer: dict[str, Any]) -> None:
            self._looking = False
            for done in asked:
                done(answer)
            if self._lookers and not self._looking:
                self._look()

        # as people switched it, not as it was declared
        now = [a.resource.replace(enabled=a.enabled, monitored=a.monitored) for a in self.rgmd.apps.values()]
        try:
            self.question("look", {"plan": codec.pack(Plan(tuple(now), tuple(self.groups.declared.values())))}, looked)
        except OSError as error:
            looked({"errors": [{"message": f"cannot start the compiler: {error.strerror}"}]})

    def get(self, client: Client, request: dict[str, Any], may_act: bool) -> None:
        """gds get NAME [KEY...]"""
        names, keys = request["names"], request.get("keys", [])
        if not _are_words(keys):
            client.done(2, "cannot read the request: keys is not a list of strings")
            return

        def looked(answer: dict[str, Any]) -> None:
            if "tables" not in answer:
                client.done(FAILED, f"cannot get {', '.join(names)}: {answer['errors'][0]['message']}")
                return
            made: list[dict[str, Any]] = []
            for name in names:
                tables = [t for t in answer["tables"] if t["name"] == name]
                wanted = [k.lower() for k in keys]
                # one that is a resource and its own group: the resource is meant, but for keys that only groups have
                table = next((t for t in tables if set(wanted) <= {row["key"] for row in t["keys"]}), None)
                if table is None:
                    client.done(*_unknown(name, wanted, tables))
                    return
                rows = {row["key"]: row for row in table["keys"]}
                head = {"name": name, "kind": table["kind"]}
                made += [{**head, **self._told(name, rows[key], may_act)} for key in wanted or rows]
            client.done(OK, properties=made)

        self.look(looked)

    def _told(self, name: str, row: dict[str, Any], may_act: bool) -> dict[str, Any]:
        hides = row["key"] == SECRET and not may_act
        source, words = self._source(name, row, hides)
        return {
            "key": row["key"],
            "value": dict.fromkeys(row["value"], "...") if hides and row["value"] else row["value"],
            "text": row["open"] if hides else row["text"],
            "from": source,
            "source": words,
            "tunable": row["tunable"],
            "file": (row["file_open"] if hides else row["file"]) if row["differs"] else None,
        }

    def _switch(self, name: str, row: dict[str, Any]) -> str:
        """The verb with which somebody switched it; "": nobody did, or it is no switch."""
        app = self.rgmd.apps.get(name)
        return switched(app.resource, self.new_app).get(row["key"], "") if app and row["key"] in SWITCHES else ""

    def _source(self, name: str, row: dict[str, Any], hides: bool) -> tuple[str, str]:
        """Where a value comes from: a word, and the words."""
        if verb := self._switch(name, row):
            says = f"; {row['place'] or 'the default'} says {row['file']}" if row["differs"] else ""
            return "switched", f"switched by `gds {verb}`{says}"
        if row["set"]:
            return "set", f"set by {row['by']} at {row['at']}"
        if row["differs"]:
            now = (row["file_open"] if hides else row["file"]) or "nothing"
            where = row["place"] or "no file"
            return "earlier", f"as it was read; {where} says {now} now" if row[
                "place"
            ] else "as it was read; no file gives it now"
        if row["place"]:
            return "file", row["place"]
        if row["default"] or not self.bare:
            return "default", "default"
        return "command", "the command line"

    def diff(self, client: Client, request: dict[str, Any], may_act: bool) -> None:
        """gds diff [NAME...]: 0 no difference, 1 difference."""
        names = request.get("names") or []

        def looked(answer: dict[str, Any]) -> None:
            if "tables" not in answer:
                client.done(FAILED, f"cannot compare: {answer['errors'][0]['message']}")
                return
            if answer["errors"]:
                from gds.daemon.reloading import told

                lines = [told(problem) for problem in answer["errors"]]
                client.done(BAD, "\n".join([*lines, "cannot compare: the descriptors do not compile"]))
                return
            found = []
            for table in answer["tables"]:
                if not names or table["name"] in names or table["group"] in names:
                    rows = [row for row in table["keys"] if row["differs"]]
                    found += [_difference(table, row, may_act, self._switch(table["name"], row)) for row in rows]
            fresh = [{"name": name, "place": place} for name, place in answer["fresh"] if not names]
            gone = [name for name in answer["gone"] if not names or name in names]
            client.done(FAILED if found or fresh or gone else OK, differences=found, fresh=fresh, gone=gone)

        self.look(looked)


def _difference(table: dict[str, Any], row: dict[str, Any], may_act: bool, verb: str) -> dict[str, Any]:
    hides = row["key"] == SECRET and not may_act
    return {
        "name": table["name"],
        "kind": table["kind"],
        "key": row["key"],
        "runs": row["open"] if hides else row["text"],
        "file": row["file_open"] if hides else row["file"],
        "place": row["place"],
        "set": row["set"],
        "by": row["by"],
        "at": row["at"],
        "switched": verb,
    }


def _unknown(name: str, keys: list[str], tables: list[dict[str, Any]]) -> tuple[int, str]:
    import difflib

    known = [row["key"] for table in tables for row in table["keys"]]
    strange = next((key for key in keys if key not in known), keys[0] if keys else "")
    near = difflib.get_close_matches(strange, known, 1)
    hint = f"; did you mean {near[0]}?" if near and near[0] != strange else "; `gds explain` lists all keys"
    return BAD, f"cannot get {name}: {strange}: unknown key{hint}"


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _are_pairs(value: object) -> bool:
    return isinstance(value, list) and all(_are_words(each) and len(each) == 2 for each in value)
