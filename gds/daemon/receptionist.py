"""The receptionist: what may be asked of a running runner, who may ask it, and what is answered.

Reading is for whoever can open the socket; acting for root and the runner's own user (design.md 5). Verbs that wait
answer when the life of every resource concerned has come to rest. Exit statuses: design.md 4.
"""

from __future__ import annotations

from functools import partial

from gds.daemon import report
from gds.daemon.names import BUSY, DENIED, FAILED, NOT_RUNNING, OK, USAGE, Names, because_of
from gds.daemon.updown import UpAndDown
from gds.fault import score
from gds.rgm import control
from gds.rgm.group import doing
from gds.rgm.life import STAYS_DEAD
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.names import Client
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.setting import Setting
    from gds.fault.score import Outcome

    class House(Protocol):
        """The runner, seen from its door."""

        version: str

        @property
        def stopping(self) -> bool: ...
        def identity(self) -> dict[str, Any]: ...
        def placed(self, group: str) -> dict[str, Any] | None: ...
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


class Receptionist:
    """See the module."""

    def __init__(self, rgmd: Rgmd, groups: Groups, house: House, own_uid: int) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._house = house
        self._own_uid = own_uid
        self._names = Names(rgmd)
        self.acting: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            **dict.fromkeys(("node.drain", "node.evacuate", "node.resume", "rg.switch"), self._alone),
            "monitor": self._monitor,
            "unmonitor": self._unmonitor,
            "probe": self._probe,
            "validate": self._validate,
            "giveover": self._giveover,
            "clear": self._clear,
            "reload": self._reload,
            "set": self._set,
            **UpAndDown(rgmd, groups, self._names, house.switch, self._clear).verbs,
        }
        self.reading: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "status": self._status,
            "why": self._why,
            "history": self._history,
            "logs": self._logs,
            "get": self._get,
            "diff": self._diff,
            "nodes": self._alone,
            "cluster.picture": self._alone,
            "ping": lambda client, _request: client.done(OK),
        }

    def answer(self, client: Client, request: dict[str, Any]) -> None:
        """One request."""
        verb = request["verb"]
        if verb in self.reading:
            self.reading[verb](client, request)
        elif verb in self.acting:
            if client.uid not in (0, self._own_uid):
                said = f"only root and the runner's own user may; you are uid {client.uid}"
                client.done(DENIED, f"cannot {doing(verb, _names(request))}: {said}")
            elif self._house.stopping and verb != "clear":
                client.done(BUSY, f"cannot {doing(verb, _names(request))}: the runner is stopping everything")
            else:
                self.acting[verb](client, request)
        else:
            client.done(USAGE, f"cannot {verb}: this runner (gds {self._house.version}) does not know that verb")

    def _alone(self, client: Client, request: dict[str, Any]) -> None:
        """What only several nodes can do; a cluster's desk puts itself in these places."""
        what = {
            "nodes": "tell of nodes",
            "cluster.picture": "tell what if",
            "rg.switch": "switch a group to another node",
            "node.drain": "drain a node",
            "node.evacuate": "evacuate a node",
            "node.resume": "resume a node",
        }.get(request["verb"], request["verb"])
        client.done(FAILED, f"cannot {what}: this runner is alone; it has no engine (`gds explain engine`)")

    # -- reading ------------------------------------------------------------------------------------------------------

    def _status(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request, all_if_none=True)
        if apps is None:
            return
        groups = report.of_groups(self._rgmd, self._groups, apps, self._house.stamp)
        client.done(OK, status={"schema": report.SCHEMA, **self._house.identity(), "groups": groups})

    def _why(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
        if apps is None:
            return

        def read(records: list[dict[str, Any]]) -> None:
            chains = []
            for app in apps:
                facts = report.of_resource(self._rgmd, app, self._house.stamp)
                chain = [r for r in records if r["resource"] == app.name][-10:]
                told: dict[str, Any] = {"resource": facts, "chain": chain, "budget": self._budget(app)}
                if (placed := self._house.placed(app.resource.group)) is not None:
                    told["cluster"] = {"group": app.resource.group, **placed}
                chains.append(told)
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
        # what became of one that is declared no more is asked just then
        first = names[0] if isinstance(names, list) and names else None
        gone = isinstance(first, str) and first not in self._names.known()
        if not gone and self._names.named(client, request, all_if_none=True) is None:
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
            if records or not gone or self._names.named(client, request) is not None:
                client.done(OK, history=records)

        self._house.history(names[:1], min(most, 100_000), read, since, bool(request.get("facts")))

    def _logs(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
        if apps is not None:
            client.done(OK, logs={a.name: self._house.log_paths(a) for a in apps})

    # -- acting -------------------------------------------------------------------------------------------------------

    def _monitor(self, client: Client, request: dict[str, Any]) -> None:
        self._set_monitored(client, request, True)

    def _unmonitor(self, client: Client, request: dict[str, Any]) -> None:
        self._set_monitored(client, request, False)

    def _set_monitored(self, client: Client, request: dict[str, Any], value: bool) -> None:
        apps = self._names.named(client, request)
        if apps is None:
            return
        verb = "monitor" if value else "unmonitor"
        for app in apps:
            fault = self._house.switch(app.name, "monitored", value)
            if fault:
                client.tell({"line": f"kept for {app.name} only until the runner ends: {fault}"})
            self._rgmd.set_monitored(app, value, because_of(client, verb))
        own = [app for app in apps if app.resource.typed is not None and app.view.life is Life.ONLINE]
        left = {app.name for app in own}

        def done(app: App) -> None:
            left.discard(app.name)
            if not left:
                faults = [(each.name, self._rgmd.own_monitors().faults.get(each.name)) for each in own]
                bad = [f"cannot {verb} {name}: {fault}" for name, fault in faults if fault]
                client.done(FAILED if bad else OK, "\n".join(bad))

        for app in own:
            self._rgmd.settled(app, partial(done, app))
        if not own:
            client.done(OK)

    def _probe(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
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
        apps = self._names.named(client, request, all_if_none=True)
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
                app, "Validate", command, app.resource.validate_timeout, done, because_of(client, "validate")
            )

        for app in todo:
            one(app)

    def _giveover(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
        if apps is None:
            return
        if len({a.resource.group for a in apps}) > 1:
            client.done(USAGE, "cannot give over more than one group at a time")
            return
        up = [a for a in apps if a.view.life is Life.ONLINE]
        if not up:
            hint = self._groups.ask_there(apps[0].resource.group)
            client.done(NOT_RUNNING, f"cannot give over {apps[0].name}: it is {self._rgmd.public(apps[0])}{hint}")
            return
        app = up[0]
        because = because_of(client, "giveover")
        ruling = control.giveover(self._rgmd.giveover_leads(app))
        if isinstance(ruling, control.Refused):
            self._rgmd.purge(app)  # surprise 7: after a giveover, even a refused one, the counters are 0
            self._rgmd.tell(app, "giveover refused", f"{because}; refused, {ruling.because}")
            stays = "it stays as it is, its history is forgotten"
            client.done(FAILED, f"cannot give over {app.name}: {ruling.because}; {stays}")
            return

        def told(why: str) -> None:
            if why:
                client.done(FAILED, f"cannot give over {app.name}: {why}")
            else:
                client.tell({"line": f"{app.resource.group} leaves this node"})
                client.done(OK)

        self._rgmd.give_over(app, f"giveover: {because}", told)

    def _clear(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
        if apps is None:
            return
        because = because_of(client, "clear")
        bad = [fault for app in apps if (fault := self._rgmd.clear(app, because))]
        for app in apps:
            if app.is_dead:
                client.tell({"line": f"{app.name}: its failures are forgotten; {STAYS_DEAD}"})
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
        if self._names.named(client, request) is not None:
            self._house.setting().set(client, request)

    def _get(self, client: Client, request: dict[str, Any]) -> None:
        if self._names.named(client, request) is not None:
            self._house.setting().get(client, request, client.uid in (0, self._own_uid))

    def _diff(self, client: Client, request: dict[str, Any]) -> None:
        if self._names.named(client, request, all_if_none=True) is not None:
            self._house.setting().diff(client, request, client.uid in (0, self._own_uid))


def _names(request: dict[str, Any]) -> str:
    """What is asked for, in words; whoever asks can write anything there."""
    names = request.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n.isprintable() for n in names):
        return "it"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
