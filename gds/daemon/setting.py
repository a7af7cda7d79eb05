"""The desk where properties are changed and asked for while everything runs: gds set, get and diff. Loaded late.

A set goes: the compiler's process reads and checks the values (config/setter.py) → rgm/update.py rules, as a whole →
Validate is asked of the values as they would be → it is kept (who, when, old, new) → the resource is changed, live or
between its Stop and its Start → Update where it is online. Until it is kept, nothing has been touched.

One at a time: what two people set in different groups is done one after the other; of the same group the second is
told that it is busy. A reload waits for neither (75), because it would judge by values that are about to change.
"""

from __future__ import annotations

import marshal
from functools import partial

from gds.model import codec
from gds.model.resource import Command, Group, Plan, Resource
from gds.model.tunable import Tunable
from gds.rgm import group as group_of
from gds.rgm import update
from gds.rgm.events import StartAsked, StopAsked
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.fed import Result
    from gds.daemon.groups import Groups
    from gds.daemon.names import Client
    from gds.daemon.rgmd import Rgmd

    Place = tuple[str, str, str]

    class Store(Protocol):
        """STATE/set.json."""

        entries: dict[Place, dict[str, Any]]
        unreadable: str
        problem: str

        def content(self, entries: dict[Place, dict[str, Any]] | None = None) -> bytes: ...
        def keep(self, entries: dict[Place, dict[str, Any]]) -> str: ...


OK, FAILED, BUSY, BAD = 0, 1, 75, 78
SECRET = "environment"
"""The key whose values only who may act is shown."""


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
        self._line: list[_Change] = []
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
        change = _Change(self, client, names[0], pairs, unset, bool(request.get("restart")))
        change.dry = bool(request.get("dry_run"))
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

        try:
            self.question("look", {}, looked)
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
                made += [{**head, **self._told(rows[key], may_act)} for key in wanted or rows]
            client.done(OK, properties=made)

        self.look(looked)

    def _told(self, row: dict[str, Any], may_act: bool) -> dict[str, Any]:
        hides = row["key"] == SECRET and not may_act
        source, words = self._source(row, hides)
        return {
            "key": row["key"],
            "value": dict.fromkeys(row["value"], "...") if hides else row["value"],
            "text": row["open"] if hides else row["text"],
            "from": source,
            "source": words,
            "tunable": row["tunable"],
            "file": (row["file_open"] if hides else row["file"]) if row["differs"] else None,
        }

    def _source(self, row: dict[str, Any], hides: bool) -> tuple[str, str]:
        """Where a value comes from: a word, and the words."""
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
                    found += [_difference(table, row, may_act) for row in table["keys"] if row["differs"]]
            fresh = [{"name": name, "place": place} for name, place in answer["fresh"] if not names]
            gone = [name for name in answer["gone"] if not names or name in names]
            client.done(FAILED if found or fresh or gone else OK, differences=found, fresh=fresh, gone=gone)

        self.look(looked)


def _difference(table: dict[str, Any], row: dict[str, Any], may_act: bool) -> dict[str, Any]:
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


def user_name(uid: int) -> str:
    """How the user is called here; "" for one that nobody knows."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


class _Change:
    """One `gds set` on its way."""

    def __init__(
        self,
        desk: Setting,
        client: Client,
        name: str,
        pairs: list[list[str]],
        unset: list[str],
        restart: bool,
    ) -> None:
        self._desk = desk
        self._client = client
        self.name = name
        self._pairs = pairs
        self._unset = unset
        self._restart = restart
        self.dry = False
        self._user = user_name(client.uid)
        self._who = f"{self._user or 'somebody'} (uid {client.uid})"
        keys = ", ".join([key for key, _ in pairs] + [f"--unset {key}" for key in unset])
        self.because = f"set {name} {keys} by {self._who}"
        app = desk.rgmd.apps.get(name)
        self.group = app.resource.group if app is not None else name
        self._kind = "resource"
        self._after: Resource | Group | None = None
        self._changes: list[dict[str, Any]] = []
        self._plan = update.Update()
        self._waiting = 0
        self._refused: list[str] = []

    def begin(self) -> None:
        """Its turn has come."""
        more = {"name": self.name, "pairs": self._pairs, "unset": self._unset}
        try:
            self._desk.question("set", more, self._compiled)
        except OSError as error:
            self._end(FAILED, f"cannot set {self.name}: cannot start the compiler: {error.strerror}")

    def _end(self, code: int, message: str = "") -> None:
        changes = [{**c, "value": None} for c in self._changes]  # what it became stands in `new`
        self._client.done(code, message, changes=changes)
        self._desk.next()

    def _refuse(self, refused: update.Refused) -> None:
        self._end(BUSY if refused.busy else FAILED, f"cannot set {self.name}: {refused.because}; nothing was changed")

    # -- judged -------------------------------------------------------------------------------------------------------

    def _compiled(self, answer: dict[str, Any]) -> None:
        why = self._desk.refuses()
        if why:
            self._end(BUSY, f"cannot set {self.name}: {why}")
            return
        if answer["errors"]:
            lines = []
            for each in answer["errors"]:
                key = f"{each['key']}: " if each.get("key") else ""
                lines.append(f"cannot set {self.name}: {key}{each['message']}")
            fixed = all(each.get("fixed") for each in answer["errors"])
            self._end(FAILED if fixed else BAD, "\n".join([*lines, "nothing was changed"]))
            return
        self._kind = answer["kind"]
        self._after = codec.unpack(answer["after"])
        self._changes = answer["changes"]
        ruled = self._rule()
        if isinstance(ruled, update.Refused):
            self._refuse(ruled)
            return
        self._plan = ruled
        if self.dry:
            self._tell_plan()
            self._end(OK)
            return
        self._validate()

    def _rule(self) -> update.Update | update.Refused:
        after = self._after
        keys = [change["key"] for change in self._changes]
        tunable = {change["key"]: Tunable(change["tunable"]) for change in self._changes}
        rgmd = self._desk.rgmd
        said = self._desk.groups.rule(self.group, group_of.Ask.CHANGE)
        busy = f"group {self.group} is busy" if isinstance(said, group_of.Refused) and said.busy else ""
        if isinstance(said, group_of.Refused):
            because = said.because.removeprefix("it is busy: ")
            busy, stuck = (f"{busy}: {because}", "") if busy else ("", f"group {self.group}: {because}")
        else:
            stuck = ""
        if isinstance(after, Group):
            members = [(app.resource, app.view.life is Life.ONLINE) for app in self._desk.groups.apps(self.name)]
            now = update.Situation(busy=busy, stuck=stuck)
            return update.of_group(self._desk.groups.declared[self.name], after, keys, tunable, now, members)
        assert after is not None
        app = rgmd.apps[self.name]
        life = app.view.life
        down = life in (Life.OFFLINE, Life.START_FAILED)
        now = update.Situation(app.enabled, app.wanted, life is Life.ONLINE, down, busy, stuck)
        return update.of_resource(app.resource, after, keys, tunable, now, self._restart)

    def _tell_plan(self) -> None:
        for change in self._changes:
            if change["same"]:
                self._say(f"{self.name}: {change['key']} stays {_open(change, 'new') or 'not given'}")
            else:
                self._say(f"{self.name}: {_sentence(change)}")
        steps = [s.what if s.resource == self.name else f"{s.what} of {s.resource}" for s in self._plan.steps]
        if steps:
            self._say(f"{self.name}: {', then '.join(steps)}")

    def _say(self, text: str) -> None:
        self._client.tell({"line": text})

    # -- validated ----------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        asked = [step.resource for step in self._plan.steps if step.what == update.VALIDATE]
        if not asked:
            self._go()
            return
        rgmd = self._desk.rgmd
        self._waiting = len(asked)
        for name in asked:
            resource = self._after if isinstance(self._after, Resource) else rgmd.apps[name].resource
            assert resource is not None
            command = resource.validate_command
            assert command is not None
            typed = rgmd.apps[name].resource.typed
            if typed is not None and resource.typed is not None:
                # Sun: only what changes is handed over
                command = Command(typed.call_of_change(resource.typed, name, resource.group))
            rgmd.run_method(
                self._desk.new_app(resource),
                "Validate",
                command,
                resource.validate_timeout,
                partial(self._validated, name),
                self.because,
            )

    def _validated(self, name: str, result: Result) -> None:
        self._waiting -= 1
        if not (result.kind == "exit" and result.code == 0):
            self._refused.append(f"{name}: validate_command {result.said}")
        if self._waiting:
            return
        if self._refused:
            for each in self._refused:
                self._say(each)
            self._refuse(
                update.Refused(f"refused by Validate of {', '.join([r.partition(':')[0] for r in self._refused])}")
            )
            return
        why = self._desk.refuses()
        if why:
            self._end(BUSY, f"cannot set {self.name}: {why}; nothing was changed")
            return
        if self._kind == "resource" and self.name not in self._desk.rgmd.apps:
            self._end(FAILED, f"cannot set {self.name}: it is not here any more")
            return
        # Validate took its time: what was so may be otherwise
        ruled = self._rule()
        if isinstance(ruled, update.Refused):
            self._refuse(ruled)
            return
        self._plan = ruled
        self._go()

    # -- carried out --------------------------------------------------------------------------------------------------

    def _go(self) -> None:
        if not self._plan.is_live:
            app = self._desk.rgmd.apps[self.name]
            self._desk.rgmd.submit(app, StopAsked(self.because))
            self._desk.rgmd.settled(app, partial(self._stopped, app))
        else:
            self._change()
            self._afterwards()

    def _stopped(self, app: App) -> None:
        life = app.view.life
        if life is Life.OFFLINE:
            self._change()
            self._afterwards()
        elif life is Life.STOP_FAILED:
            self._end(FAILED, f"cannot set {self.name}: {app.view.why}; nothing was changed")
        else:
            state = self._desk.rgmd.public(app)
            self._end(BUSY, f"cannot set {self.name}: it was to be stopped, and is {state}; nothing was changed")

    def _afterwards(self) -> None:
        """Start or Update, where one is due."""
        rgmd = self._desk.rgmd
        steps = [s for s in self._plan.steps if s.resource in rgmd.apps]
        if any(step.what == update.START for step in steps):
            self._start(rgmd.apps[self.name])
            return
        told = [rgmd.apps[s.resource] for s in steps if s.what == update.UPDATE]
        if told:
            rgmd.managing.each(told, "Update", lambda: self._end(OK))
        else:
            self._end(OK)

    def _start(self, app: App) -> None:
        rgmd = self._desk.rgmd
        managed = self._desk.groups.is_managed(app.resource.group)
        if not (app.enabled and app.wanted and managed) or self._desk.refuses():
            self._end(OK)
            return

        def start() -> None:
            rgmd.submit(app, StartAsked(self.because))
            rgmd.settled(app, partial(self._started, app))

        rgmd.managing.before_start(app, start)

    def _started(self, app: App) -> None:
        if app.view.life is Life.ONLINE:
            self._end(OK)
        else:
            state = self._desk.rgmd.public(app)
            self._end(FAILED, f"{self.name} was changed, and is {state} now: {app.view.why}")

    def _change(self) -> None:
        """Kept, told and in force, in this order."""
        desk, rgmd = self._desk, self._desk.rgmd
        self._keep()
        if not self._plan.keys:
            return
        apps = [rgmd.apps[self.name]] if self._kind == "resource" else desk.groups.apps(self.name)
        changed = [c for c in self._changes if not c["same"]]
        said = ", ".join([_sentence(c) for c in changed])
        whose = "" if self._kind == "resource" else f"group {self.name}: "
        text = f"{whose}{said}, set by {self._who}"
        facts = [[c["key"], _open(c, "old"), _open(c, "new")] for c in changed]
        rgmd.kept.decided(apps[0], "set", text, uid=self._client.uid, user=self._user, changes=facts)
        rgmd.log.info(text, resource=apps[0].name)
        groups = dict(desk.groups.declared)
        if isinstance(self._after, Group):
            groups[self.name] = self._after
        elif self._after is not None:
            apps[0].resource = self._after
        resources = tuple([app.resource for app in rgmd.apps.values()])
        desk.groups.take(Plan(resources, tuple(groups.values())))
        app = apps[0]
        if self._kind == "resource" and app.view.life is Life.ONLINE:
            rgmd.monitor.end(app)
            rgmd.monitor.begin(app, False)
        rgmd.look_again()

    def _keep(self) -> None:
        store = self._desk.store
        entries = dict(store.entries)
        at = self._desk.stamp()
        for change in self._changes:
            place = (self._kind, self.name, change["key"])
            known = entries.get(place)
            if change["drop"]:
                entries.pop(place, None)
            elif known is None or known["value"] != change["value"] or not change["same"]:
                entries[place] = {
                    "kind": self._kind,
                    "name": self.name,
                    "key": change["key"],
                    "value": change["value"],
                    "file": change["file"],
                    "old": change["old"],
                    "by": self._user or f"uid {self._client.uid}",
                    "uid": self._client.uid,
                    "at": at,
                }
        if entries == store.entries and not store.problem:
            return
        fault = store.keep(entries)
        if fault:
            self._say(f"set until the runner ends, and not for good: {fault}")


def _open(change: dict[str, Any], side: str) -> str:
    """A value in a line that everybody who may read the log sees."""
    return "{...}" if change["key"] == SECRET and change[side] else str(change[side])


def _sentence(change: dict[str, Any]) -> str:
    old, new = (_open(change, side) or "not given" for side in ("old", "new"))
    return f"{change['key']} {old} -> {new}"
