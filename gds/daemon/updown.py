"""Up and down: start, stop, restart, enable, disable, of resources and whole groups, in the order of what needs what.

Whether a group lets it be done is asked of rgm/group.py; who is answered waits until all concerned have come to rest.
"""

from __future__ import annotations

from functools import partial

from gds.daemon import report
from gds.daemon.names import BUSY, FAILED, OK, UNKNOWN, USAGE, because_of
from gds.model.state import ResourceState
from gds.rgm import order
from gds.rgm.group import Ask, Refused, doing
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.names import Client, Names
    from gds.daemon.rgmd import Rgmd
    from gds.rgm.resource import ResourceView


class UpAndDown:
    """See the module. `switch` keeps a switch for good (name, what, value) and answers why it could not, or "";
    `clear` is the verb of that name."""

    def __init__(
        self,
        rgmd: Rgmd,
        groups: Groups,
        names: Names,
        switch: Callable[[str, str, bool], str],
        clear: Callable[[Client, dict[str, Any]], None],
    ) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._names = names
        self._switch = switch
        self._clear = clear
        self.verbs: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "enable": self._enable,
            "disable": self._disable,
            **{
                f"rg.{verb}": partial(self._change_group, verb)
                for verb in ("online", "offline", "restart", "manage", "unmanage", "suspend", "resume", "clear")
            },
        }

    def _ordered(self, apps: list[App], down: bool = False) -> list[App]:
        """In the order in which to start, or with `down` to stop them."""
        found = {app.name: app for app in apps}
        ordered = order.stop_order if down else order.start_order
        return [found[name] for name in ordered(self._rgmd.graph, list(found))]

    def _refused(self, client: Client, request: dict[str, Any], verb: str, ask: Ask) -> bool:
        """A group, or that of a resource, does not let that be done with it now; the client has been told."""
        for name in request["names"]:
            one = name in self._rgmd.apps
            ruling = self._groups.rule_of(name, verb) if one else self._groups.rule(name, ask)
            if isinstance(ruling, Refused):
                client.done(BUSY if ruling.busy else FAILED, f"cannot {doing(verb, name)}: {ruling.because}")
                return True
        return False

    def _busy(self, client: Client, request: dict[str, Any], verb: str) -> bool:
        """The same where a group refuses nothing but while it is busy."""
        busy = self._groups.busy(request, verb)
        if busy:
            client.done(BUSY, busy)
        return bool(busy)

    def _start(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._startable(client, request, "start", Ask.ONLINE)
        if apps is None:
            return
        for app in apps:
            self._rgmd.start(app, because_of(client, "start"))
        self._wait(client, request, apps, "start")

    def _startable(self, client: Client, request: dict[str, Any], verb: str, ask: Ask) -> list[App] | None:
        """Those named that may be brought up; None: refused. Of a group, what is disabled stays as it is."""
        apps = self._names.named(client, request)
        if apps is None or self._refused(client, request, verb, ask):
            return None
        named = request["names"]
        apps = [a for a in apps if a.enabled or a.name in named] or apps
        for app in apps:
            if why := self._groups.why_not_here(app.resource.group):
                client.done(FAILED, f"cannot {verb} {app.name}: {why}")
                return None
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
        apps = self._names.named(client, request)
        if apps is None or self._refused(client, request, "stop", Ask.OFFLINE):
            return
        for app in apps:
            masters = self._groups.elsewhere(app.resource.group)
            if masters and app.view.life is Life.OFFLINE:
                said = f"nothing of it runs on this node; {masters} masters {app.resource.group}: ask there"
                client.done(FAILED, f"cannot stop {app.name}: {said}")
                return
        self._tell_who_goes_on(client, apps)
        for app in self._ordered(apps, down=True):
            self._rgmd.stop(app, because_of(client, "stop"))
        self._wait(client, request, apps, "stop")

    def _tell_who_goes_on(self, client: Client, going: list[App]) -> None:
        """Who needs what goes down, and is neither stopped with it nor by that."""
        names = {app.name for app in going}
        for app in going:
            goes_on = order.goes_on(self._rgmd.graph, app.name, self._look)
            if app.view.life is Life.ONLINE and (left := [n for n in goes_on if n not in names]):
                go = "goes" if len(left) == 1 else "go"
                client.tell({"line": f"{order.needing(left)} {app.name}, and {go} on running without it"})

    def _look(self, name: str) -> ResourceView | None:
        app = self._rgmd.apps.get(name)
        return app.view if app is not None else None

    def _restart(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._startable(client, request, "restart", Ask.RESTART)
        if apps is None:
            return
        for app in self._ordered(apps, down=True):
            self._rgmd.restart(app, because_of(client, "restart"), whole=app.name not in request["names"])
        self._wait(client, request, apps, "start")

    def _groups_named(self, verb: str, client: Client, request: dict[str, Any]) -> list[str] | None:
        """The groups of a request, once each; None: the client has been told what is wrong."""
        names = request.get("names") or []
        groups = {a.resource.group for a in self._rgmd.apps.values()}
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            client.done(USAGE, "cannot read the request: names is not a list of strings")
            return None
        if not names:
            client.done(USAGE, f"cannot {doing(verb, 'a group')}: none is given")
            return None
        for name in names:
            if name not in groups:
                of = (
                    f"; {name} is a resource of {self._rgmd.apps[name].resource.group}"
                    if name in self._rgmd.apps
                    else ""
                )
                nearest = of or self._names.nearest(name)
                client.done(
                    UNKNOWN, f"cannot find {name}: no group of this runner has that name{nearest}", unknown=name
                )
                return None
        return list(dict.fromkeys(names))

    def _change_group(self, verb: str, client: Client, request: dict[str, Any]) -> None:
        """gds rg VERB GROUP..."""
        names = self._groups_named(verb, client, request)
        if names is None:
            return
        if verb in ("suspend", "resume"):
            for name in names:
                fault = self._groups.suspend(name, verb == "suspend", because_of(client, f"rg {verb}"))
                if fault:
                    client.tell({"line": f"kept for {name} only until the runner ends: {fault}"})
            client.done(OK)
            return
        if verb == "clear":
            self._clear(client, {**request, "names": [a.name for n in names for a in self._groups.apps(n)]})
            return
        so_already = set()
        for name in names:
            if verb in ("online", "restart") and (why := self._groups.why_not_here(name)):
                client.done(FAILED, f"cannot {doing(verb, name)}: {why}")
                return
            ruling = self._groups.rule(name, Ask(verb))
            if isinstance(ruling, Refused):
                client.done(BUSY if ruling.busy else FAILED, f"cannot {doing(verb, name)}: {ruling.because}")
                return
            if ruling.nothing:
                so_already.add(name)
        if verb in ("manage", "unmanage"):
            # neither Init nor Fini runs twice
            self._manage(client, [name for name in names if name not in so_already], verb)
            return
        if verb == "offline":
            self._tell_who_goes_on(client, [app for name in names for app in self._groups.apps(name)])
        act = {"online": self._groups.online, "offline": self._groups.offline, "restart": self._groups.restart}[verb]
        apps = [app for name in names for app in act(name, because_of(client, f"rg {verb}"))]
        self._wait(client, request, apps, "stop" if verb == "offline" else "start")

    def _manage(self, client: Client, names: list[str], verb: str) -> None:
        left = set(names)
        if not left:
            client.done(OK)

        def done(name: str, fault: str) -> None:
            left.discard(name)
            if fault:
                client.tell({"line": f"kept for {name} only until the runner ends: {fault}"})
            if not left:
                client.done(OK)

        for name in names:
            self._groups.manage(name, verb == "manage", partial(done, name), because_of(client, f"rg {verb}"))

    def _enable(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
        if apps is None or self._busy(client, request, "enable"):
            return
        started = []
        for app in self._ordered(apps):
            fault = self._switch(app.name, "enabled", True)
            if fault:
                client.tell({"line": f"enabled {app.name} until the runner ends: {fault}"})
            app.enabled = True
            if not self._groups.is_managed(app.resource.group):
                self._enable_unmanaged(client, app)
            elif self._groups.is_here(app.resource.group):
                self._rgmd.start(app, because_of(client, "enable"))
                started.append(app)
        self._wait(client, request, started, "start")

    def _enable_unmanaged(self, client: Client, app: App) -> None:
        """Nothing of its group runs: it is started with it."""
        group = app.resource.group
        then = f"starts when {group} is managed and brought online: `gds rg manage {group}`, `gds rg online {group}`"
        client.tell({"line": f"{app.name} is enabled, and {then}"})
        app.view = app.view.replace(because=f"{because_of(client, 'enable')}; its group is unmanaged")
        self._rgmd.kept.forget(app)
        self._rgmd.kept.changed(app)

    def _disable(self, client: Client, request: dict[str, Any]) -> None:
        apps = self._names.named(client, request)
        if apps is None or self._busy(client, request, "disable"):
            return
        if not request.get("followed"):  # what was disabled on another node was not refused there
            found = [(app, needed) for app in apps if (needed := self._bound_to(app, apps))]
            if found:
                app, needed = found[0]
                those = "that" if len(needed) == 1 else "those"
                client.done(FAILED, f"cannot disable {app.name}: {order.needing(needed)} it; disable {those} as well")
                return
        for app in self._ordered(apps, down=True):
            fault = self._switch(app.name, "enabled", False)
            if fault:
                client.tell({"line": f"disabled {app.name} until the runner ends: {fault}"})
            app.enabled = False
            wanted = app.wanted
            self._rgmd.stop(app, because_of(client, "disable"))
            app.wanted = wanted
        self._wait(client, request, apps, "stop")

    def _bound_to(self, app: App, going: list[App]) -> list[str]:
        """Who is enabled, cannot be without it, and is not disabled with it."""
        users = [self._rgmd.apps.get(name) for name in order.bound(self._rgmd.graph, app.name)]
        return [user.name for user in users if user is not None and user.enabled and user not in going]

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
            if waiting:
                return
            # who had come to rest may follow what has come up since
            moving = [each for each in apps if not self._rgmd.is_at_rest(each)]
            waiting.update(each.name for each in moving)
            for each in moving:
                self._rgmd.settled(each, partial(settled, each))
            if not moving:
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
                hint = self._groups.ask_there(app.resource.group)
                bad.append(f"cannot start {app.name}: {state}: {app.view.why}{later}{hint}")
            elif goal == "start" and state is ResourceState.MONITOR_FAILED:
                client.tell({"line": f"{app.name} is up, and not monitored: {app.view.why}"})
            elif goal == "stop" and state is not ResourceState.OFFLINE:
                bad.append(f"cannot stop {app.name}: {state}: {app.view.why}")
        client.done(FAILED if bad else OK, "\n".join(bad))
