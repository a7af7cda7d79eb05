"""The receptionist: what may be asked of a running runner, who may ask it, and what is answered.

Reading is for whoever can open the socket; acting for root and the runner's own user (design.md 5). Verbs that wait
answer when the life of every resource concerned has come to rest. Exit statuses: design.md 4.
"""

from __future__ import annotations

from functools import partial

from gds.daemon import report
from gds.fault import score
from gds.model.state import ResourceState
from gds.rgm import order
from gds.rgm.events import GiveoverAsked
from gds.rgm.group import Ask, Refused
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.setting import Setting
    from gds.fault.score import Outcome

    class Client(Protocol):
        """One connection."""

        uid: int
        pid: int

        def tell(self, message: dict[str, Any]) -> None: ...
        def done(self, code: int, message: str = "", **more: Any) -> None: ...

    class House(Protocol):
        """The runner, seen from its door."""

        version: str

        @property
        def stopping(self) -> bool: ...
        def identity(self) -> dict[str, Any]: ...
        def switch(self, name: str, what: str, value: bool) -> str: ...
        def history(
            self,
            names: list[str],
            most: int,
            done: Callable[[list[dict[str, Any]]], None],
            since: str = "",
            facts: bool = False,
        ) -> None: ...
        def reload(
            self, dry: bool, planned: Callable[[list[str]], None], done: Callable[[int, str, list[str]], None]
        ) -> None: ...
        def setting(self) -> Setting: ...
        def log_paths(self, app: App) -> dict[str, Any]: ...
        def stamp(self, seconds: float) -> str: ...


OK, FAILED, USAGE, NOT_RUNNING, UNKNOWN, BUSY, DENIED = 0, 1, 2, 3, 4, 75, 77


class Receptionist:
    """See the module."""

    def __init__(self, rgmd: Rgmd, groups: Groups, house: House, own_uid: int) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._house = house
        self._own_uid = own_uid
        self.acting: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "enable": self._enable,
            "disable": self._disable,
            "monitor": self._monitor,
            "unmonitor": self._unmonitor,
            "probe": self._probe,
            "validate": self._validate,
            "giveover": self._giveover,
            "clear": self._clear,
            "reload": self._reload,
            "set": self._set,
            **{
                f"rg.{verb}": partial(self._change_group, verb)
                for verb in ("online", "offline", "restart", "manage", "unmanage", "suspend", "resume", "clear")
            },
        }
        self.reading: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "status": self._status,
            "why": self._why,
            "history": self._history,
            "logs": self._logs,
            "get": self._get,
            "diff": self._diff,
            "ping": lambda client, _request: client.done(OK),
        }

    def answer(self, client: Client, request: dict[str, Any]) -> None:
        """One request."""
        verb = request["verb"]
        if verb in self.reading:
            self.reading[verb](client, request)
        elif verb in self.acting:
            if client.uid not in (0, self._own_uid):
                client.done(DENIED, f"cannot {verb}: only root and the runner's own user may; you are uid {client.uid}")
            elif self._house.stopping and verb != "clear":
                client.done(BUSY, f"cannot {verb}: the runner is stopping everything")
            else:
                self.acting[verb](client, request)
        else:
            client.done(USAGE, f"cannot {verb}: this runner (gds {self._house.version}) does not know that verb")

    # -- names --------------------------------------------------------------------------------------------------------

    def _named(self, client: Client, request: dict[str, Any], all_if_none: bool = False) -> list[App] | None:
        names = request.get("names") or []
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            client.done(USAGE, "cannot read the request: names is not a list of strings")
            return None
        apps = self._rgmd.apps
        if not names:
            if all_if_none:
                return list(apps.values())
            client.done(USAGE, "cannot act: no name is given")
            return None
        found: dict[str, App] = {}
        for name in names:
            if name in apps:
                found[name] = apps[name]
                continue
            members = {a.name: a for a in apps.values() if a.resource.group == name}
            if not members:
                client.done(
                    UNKNOWN,
                    f"cannot find {name}: no resource or group of this runner has that name" + self._nearest(name),
                    unknown=name,
                )
                return None
            found.update(members)
        return list(found.values())

    def _nearest(self, name: str) -> str:
        import difflib

        known = {a.name for a in self._rgmd.apps.values()} | {a.resource.group for a in self._rgmd.apps.values()}
        near = difflib.get_close_matches(name, sorted(known), 1)
        return f"; did you mean {near[0]}?" if near else ""

    # -- reading ------------------------------------------------------------------------------------------------------

    def _status(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request, all_if_none=True)
        if apps is None:
            return
        groups = report.of_groups(self._rgmd, self._groups, apps, self._house.stamp)
        client.done(OK, status={"schema": report.SCHEMA, **self._house.identity(), "groups": groups})

    def _why(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None:
            return

        def read(records: list[dict[str, Any]]) -> None:
            chains = []
            for app in apps:
                facts = report.of_resource(self._rgmd, app, self._house.stamp)
                chain = [r for r in records if r["resource"] == app.name][-10:]
                chains.append({"resource": facts, "chain": chain, "budget": self._budget(app)})
            client.done(OK, why=chains)

        self._house.history([app.name for app in apps], 10, read)

    def _budget(self, app: App) -> dict[str, Any]:
        resource = app.resource
        now = self._rgmd.loop.now()
        span = resource.retry_interval
        restarts = app.history.restarts.within(span, now).marks
        scores = app.history.scores.within(span, now).marks
        return {
            "restarts_done": len(restarts),
            "restarts_limit": resource.retry_count,
            "interval_seconds": span,
            "oldest_restart_expires_in_seconds": round(restarts[0].at + span - now, 1) if restarts else None,
            "probe_sum": app.history.total(span, now),
            "oldest_score_expires_in_seconds": round(scores[0].at + span - now, 1) if scores else None,
        }

    def _history(self, client: Client, request: dict[str, Any]) -> None:
        names = request.get("names") or []
        apps = self._named(client, request, all_if_none=True)
        if apps is None:
            return
        most = request.get("most", 200)
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            client.done(USAGE, "cannot read the request: most is not a positive number")
            return
        since = request.get("since", "")
        if not isinstance(since, str):
            client.done(USAGE, "cannot read the request: since is not a string")
            return

        def read(records: list[dict[str, Any]]) -> None:
            client.done(OK, history=records)

        self._house.history(names[:1], min(most, 100_000), read, since, bool(request.get("facts")))

    def _logs(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is not None:
            client.done(OK, logs={a.name: self._house.log_paths(a) for a in apps})

    # -- acting -------------------------------------------------------------------------------------------------------

    def _because(self, client: Client, verb: str) -> str:
        who = "root" if client.uid == 0 else f"uid {client.uid}"
        return f"{verb} asked by {who}"

    def _ordered(self, apps: list[App], down: bool = False) -> list[App]:
        """In the order in which to start, or with `down` to stop them."""
        found = {app.name: app for app in apps}
        ordered = order.stop_order if down else order.start_order
        return [found[name] for name in ordered(self._rgmd.graph, list(found))]

    def _refused(self, client: Client, request: dict[str, Any], verb: str, ask: Ask) -> bool:
        """A group among the names does not let that be done with it now; the client has been told."""
        for name in request["names"]:
            if name not in self._rgmd.apps:
                ruling = self._groups.rule(name, ask)
                if isinstance(ruling, Refused):
                    client.done(BUSY if ruling.busy else FAILED, f"cannot {verb} {name}: {ruling.because}")
                    return True
        return False

    def _start(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._startable(client, request, "start", Ask.ONLINE)
        if apps is None:
            return
        for app in apps:
            self._rgmd.managing.before_start(app, partial(self._rgmd.start, app, self._because(client, "start")))
        self._wait(client, request, apps, "start")

    def _startable(self, client: Client, request: dict[str, Any], verb: str, ask: Ask) -> list[App] | None:
        """Those named that may be brought up; None: refused. Of a group, what is disabled stays as it is."""
        apps = self._named(client, request)
        if apps is None or self._refused(client, request, verb, ask):
            return None
        named = request["names"]
        apps = [a for a in apps if a.enabled or a.name in named] or apps
        for app in apps:
            if not self._groups.is_managed(app.resource.group):
                group = app.resource.group
                client.done(FAILED, f"cannot {verb} {app.name}: its group is unmanaged; `gds rg manage {group}` first")
                return None
            if not app.enabled:
                client.done(FAILED, f"cannot {verb} {app.name}: it is disabled; `gds enable {app.name}` allows it")
                return None
            if app.view.life is Life.STOP_FAILED:
                client.done(
                    FAILED,
                    f"cannot {verb} {app.name}: its last stop failed ({app.view.because});"
                    f" end what is left, then `gds clear {app.name}`",
                )
                return None
        return self._ordered(apps)

    def _stop(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None or self._refused(client, request, "stop", Ask.OFFLINE):
            return
        for app in self._ordered(apps, down=True):
            left = [n for n in self._needed_by(app) if n not in {a.name for a in apps}]
            if left:
                client.tell({"line": f"{', '.join(left)} needs {app.name}, and goes on running without it"})
            self._rgmd.stop(app, self._because(client, "stop"))
        self._wait(client, request, apps, "stop")

    def _needed_by(self, app: App) -> list[str]:
        """Who needs it, is up, and is not stopped with it."""
        found = []
        for link in self._rgmd.graph.users.get(app.name, ()):
            user = self._rgmd.apps.get(link.user)
            if user is not None and user.view.life is Life.ONLINE and link.kind in (order.STRONG, order.RESTART):
                found.append(link.user)
        return found

    def _restart(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._startable(client, request, "restart", Ask.RESTART)
        if apps is None:
            return
        for app in self._ordered(apps, down=True):
            self._rgmd.restart(app, self._because(client, "restart"))
        self._wait(client, request, apps, "start")

    def _change_group(self, verb: str, client: Client, request: dict[str, Any]) -> None:
        """gds rg VERB GROUP..."""
        names = request.get("names") or []
        groups = {a.resource.group for a in self._rgmd.apps.values()}
        if not isinstance(names, list) or not names:
            client.done(USAGE, f"cannot {verb}: no group is given")
            return
        for name in names:
            if name not in groups:
                of = (
                    f"; {name} is a resource of {self._rgmd.apps[name].resource.group}"
                    if name in self._rgmd.apps
                    else ""
                )
                nearest = of or self._nearest(str(name))
                client.done(
                    UNKNOWN, f"cannot find {name}: no group of this runner has that name{nearest}", unknown=name
                )
                return
        if verb in ("suspend", "resume"):
            for name in names:
                fault = self._groups.suspend(name, verb == "suspend")
                if fault:
                    client.tell({"line": f"kept for {name} only until the runner ends: {fault}"})
            client.done(OK)
            return
        if verb == "clear":
            self._clear(client, {**request, "names": [a.name for n in names for a in self._groups.apps(n)]})
            return
        for name in names:
            ruling = self._groups.rule(name, Ask(verb))
            if isinstance(ruling, Refused):
                client.done(BUSY if ruling.busy else FAILED, f"cannot {verb} {name}: {ruling.because}")
                return
        if verb in ("manage", "unmanage"):
            left = list(names)

            def done(name: str, fault: str) -> None:
                left.remove(name)
                if fault:
                    client.tell({"line": f"kept for {name} only until the runner ends: {fault}"})
                if not left:
                    client.done(OK)

            for name in names:
                self._groups.manage(name, verb == "manage", partial(done, name))
            return
        act = {"online": self._groups.online, "offline": self._groups.offline, "restart": self._groups.restart}[verb]
        apps = [app for name in names for app in act(name, self._because(client, f"rg {verb}"))]
        self._wait(client, request, apps, "stop" if verb == "offline" else "start")

    def _enable(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None:
            return
        for app in self._ordered(apps):
            fault = self._house.switch(app.name, "enabled", True)
            if fault:
                client.tell({"line": f"enabled {app.name} until the runner ends: {fault}"})
            app.enabled = True
            if self._groups.is_managed(app.resource.group):
                start = partial(self._rgmd.start, app, self._because(client, "enable"))
                self._rgmd.managing.before_start(app, start)
        self._wait(client, request, apps, "start")

    def _disable(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None:
            return
        for app in apps:
            needed = [n for n in self._needed_by(app) if n not in {a.name for a in apps}]
            if needed:
                client.done(FAILED, f"cannot disable {app.name}: {', '.join(needed)} needs it; disable that as well")
                return
        for app in self._ordered(apps, down=True):
            fault = self._house.switch(app.name, "enabled", False)
            if fault:
                client.tell({"line": f"disabled {app.name} until the runner ends: {fault}"})
            app.enabled = False
            wanted = app.wanted
            self._rgmd.stop(app, self._because(client, "disable"))
            app.wanted = wanted
        self._wait(client, request, apps, "stop")

    def _wait(self, client: Client, request: dict[str, Any], apps: list[App], goal: str) -> None:
        """Answer when all have come to rest; at once with `no_wait`."""
        if request.get("no_wait") or not apps:
            client.done(OK)
            return
        waiting = {app.name for app in apps}

        def settled(app: App) -> None:
            if not self._rgmd.is_at_rest(app):
                self._rgmd.settled(app, lambda: settled(app))
                return
            waiting.discard(app.name)
            if not waiting:
                self._verdict(client, apps, goal)

        def watch() -> None:
            for app in apps:
                self._rgmd.settled(app, partial(settled, app))

        # after this turn: what one waits for may be asked for together with it
        self._rgmd.loop.soon(watch)

    def _verdict(self, client: Client, apps: list[App], goal: str) -> None:
        bad = []
        for app in apps:
            state = self._rgmd.public(app)
            if goal == "start" and state not in report.UP:
                later = "; it starts by itself as soon as it can" if app.view.life is Life.AWAITING else ""
                bad.append(f"cannot start {app.name}: {state}: {app.view.why}{later}")
            elif goal == "stop" and state is not ResourceState.OFFLINE:
                bad.append(f"cannot stop {app.name}: {state}: {app.view.why}")
        client.done(FAILED if bad else OK, "\n".join(bad))

    def _monitor(self, client: Client, request: dict[str, Any]) -> None:
        self._set_monitored(client, request, True)

    def _unmonitor(self, client: Client, request: dict[str, Any]) -> None:
        self._set_monitored(client, request, False)

    def _set_monitored(self, client: Client, request: dict[str, Any], value: bool) -> None:
        apps = self._named(client, request)
        if apps is None:
            return
        for app in apps:
            fault = self._house.switch(app.name, "monitored", value)
            if fault:
                client.tell({"line": f"kept for {app.name} only until the runner ends: {fault}"})
            self._rgmd.set_monitored(app, value)
        client.done(OK)

    def _probe(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None:
            return
        if len(apps) != 1:
            client.done(USAGE, "cannot probe more than one resource at a time")
            return
        app = apps[0]
        resource = app.resource
        if not resource.has_probe or resource.is_told:
            client.done(FAILED, f"cannot probe {app.name}: it has no probe that can be asked")
            return
        if app.view.life is not Life.ONLINE:
            client.done(NOT_RUNNING, f"cannot probe {app.name}: it is {self._rgmd.public(app)}")
            return
        if app.probing is not None:
            client.done(BUSY, f"cannot probe {app.name}: a probe of it is under way")
            return

        def answered(outcome: Outcome) -> None:
            from gds.fault import verdict

            if outcome.kind == "unable":
                client.done(FAILED, f"cannot probe {app.name}: {outcome.message}")
                return
            got = score.of_probe(outcome, resource, app.history.timeouts)
            _, said = verdict.judge(app.history, got, resource, self._rgmd.loop.now())
            client.done(
                OK if got.points == 0 else FAILED,
                "",
                probe={
                    "resource": app.name,
                    "score": got.points,
                    "seconds": round(outcome.seconds, 6),
                    "because": got.because,
                    "output": outcome.message,
                    "would": getattr(said, "because", "") or "nothing: it is healthy",
                    "verdict": type(said).__name__,
                },
            )

        def given_up() -> None:
            client.done(FAILED, f"cannot probe {app.name}: it is {self._rgmd.public(app)} now")

        self._rgmd.monitor.ask(app, answered, given_up)

    def _validate(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request, all_if_none=True)
        if apps is None:
            return
        todo = [a for a in apps if a.resource.validate_command is not None]
        bad: list[str] = []
        left = len(todo)
        if not todo:
            client.done(OK)
            return

        def one(app: App) -> None:
            command = app.resource.validate_command
            assert command is not None

            def done(result: Any) -> None:
                nonlocal left
                left -= 1
                if not (result.kind == "exit" and result.code == 0):
                    bad.append(f"cannot validate {app.name}: validate_command {result.said}")
                if not left:
                    client.done(FAILED if bad else OK, "\n".join(bad))

            self._rgmd.run_method(
                app, "Validate", command, app.resource.validate_timeout, done, self._because(client, "validate")
            )

        for app in todo:
            one(app)

    def _giveover(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None:
            return
        up = [a for a in apps if a.view.life is Life.ONLINE]
        if not up:
            client.done(NOT_RUNNING, f"cannot give over {apps[0].name}: it is {self._rgmd.public(apps[0])}")
            return
        app = up[0]
        because = f"giveover: {self._because(client, 'giveover')}"
        refusal = self._rgmd.giveover_refused()
        if refusal:
            self._rgmd.purge(app)  # surprise 7: after a giveover, even a refused one, the counters are 0
            self._rgmd.kept.decided(app, "giveover refused", f"{because}; {refusal}")
            client.done(FAILED, f"cannot give over {app.name}: {refusal}; it stays as it is")
            return
        client.tell({"line": f"{app.resource.group} leaves this node"})
        self._rgmd.submit(app, GiveoverAsked(because, by_monitor=False))
        client.done(OK)

    def _clear(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._named(client, request)
        if apps is None:
            return
        bad = [fault for app in apps if (fault := self._rgmd.clear(app))]
        client.done(FAILED if bad else OK, "\n".join(bad))

    def _reload(self, client: Client, request: dict[str, Any]) -> None:
        def planned(plan: list[str]) -> None:
            for line in plan:
                client.tell({"line": line})

        def done(code: int, message: str, plan: list[str]) -> None:
            client.done(code, message, plan=plan)

        self._house.reload(bool(request.get("dry_run")), planned, done)

    # -- properties ---------------------------------------------------------------------------------------------------

    def _set(self, client: Client, request: dict[str, Any]) -> None:
        if self._named(client, request) is not None:
            self._house.setting().set(client, request)

    def _get(self, client: Client, request: dict[str, Any]) -> None:
        if self._named(client, request) is not None:
            self._house.setting().get(client, request, client.uid in (0, self._own_uid))

    def _diff(self, client: Client, request: dict[str, Any]) -> None:
        if self._named(client, request, all_if_none=True) is not None:
            self._house.setting().diff(client, request, client.uid in (0, self._own_uid))
