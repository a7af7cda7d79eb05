"""One `gds set` on its way: judged, validated, kept, carried out. Loaded late, with the desk (setting.py).

Until it is kept, nothing has been touched; whatever refuses it, refuses all of it.
"""

from __future__ import annotations

from functools import partial

from gds.daemon.launching import program_of
from gds.model import codec
from gds.model.resource import Group, Plan, Resource
from gds.model.tunable import Tunable
from gds.rgm import group as group_of
from gds.rgm import update
from gds.rgm.events import StartAsked, StopAsked
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.fed import Result
    from gds.daemon.names import Client
    from gds.daemon.setting import Setting

OK, FAILED, BUSY, BAD = 0, 1, 75, 78
SECRET = "environment"
"""The key whose values only who may act is shown."""


def user_name(uid: int) -> str:
    """How the user is called here; "" for one that nobody knows."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


class Change:
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
        self.trial = False
        """Only judged and validated, as on the nodes of a cluster before one of them changes anything."""
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
        # who masters it starts it, and this node when it becomes master
        wanted = app.wanted and self._desk.groups.is_here(self.group)
        now = update.Situation(app.enabled, wanted, life is Life.ONLINE, down, busy, stuck)
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
                from gds.daemon import validating

                # Sun: only what changes is handed over
                after = self._after if isinstance(self._after, Group) else None
                before = self._desk.groups.declared.get(self.name)
                command = validating.of_change(rgmd.apps[name].resource, resource, before, after)
            rgmd.run_method(
                self._desk.new_app(resource),
                "Validate",
                command,
                resource.validate_timeout,
                partial(self._validated, name, program_of(resource, "Validate")),
                self.because,
            )

    def _validated(self, name: str, program: str, result: Result) -> None:
        self._waiting -= 1
        if not (result.kind == "exit" and result.code == 0):
            self._refused.append(f"{name}: {program} {result.said}")
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
        if self.trial:
            self._end(OK)
        elif not self._plan.is_live:
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
            rgmd.managing.each(told, "Update", lambda: self._updated(told))
        else:
            self._end(OK)

    def _updated(self, told: list[App]) -> None:
        """The change stays, whatever Update made of it (Sun: semantics.md 9.2)."""
        for app in told:
            if fault := self._desk.rgmd.managing.faults.get(app.name):
                self._say(f"{app.name} was changed, and {fault}")
        self._end(OK)

    def _start(self, app: App) -> None:
        rgmd = self._desk.rgmd
        may = self._desk.groups.is_managed(self.group) and self._desk.groups.is_here(self.group)
        if not (app.enabled and app.wanted and may) or self._desk.refuses():
            self._end(OK)
            return
        rgmd.managing.before_start(app, lambda: rgmd.submit(app, StartAsked(self.because)))
        rgmd.settled(app, partial(self._started, app))

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
        seen = [app.name for app in apps if rgmd.managing.is_validated(app.resource)]
        if isinstance(self._after, Group):
            groups[self.name] = self._after
        elif self._after is not None:
            apps[0].resource = self._after
        resources = tuple([app.resource for app in rgmd.apps.values()])
        desk.groups.take(Plan(resources, tuple(groups.values())))
        for name in seen:
            rgmd.managing.validated(rgmd.apps[name].resource)
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
