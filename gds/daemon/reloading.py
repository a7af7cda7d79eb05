"""Reload: two sets of resources, what differs, and carrying it out. Design.md 2 ("Reload and `set`").

One bad file, or one validate command that says no, refuses the whole reload; nothing that was running is touched then.
What changed and is tunable ANYTIME is taken over while the application runs; any other change is a stop, the change,
a start, and never counts in a budget; what was removed is stopped, what is new is started, the rest is not touched.

A directory without any descriptor may be one that is not mounted: what is gone with it is not stopped for that.
"""

from __future__ import annotations

import os
from functools import partial

from gds.daemon.differing import differences, of_groups, with_switches
from gds.daemon.launching import program_of
from gds.model import codec
from gds.rgm import order
from gds.rgm.events import StartAsked, StopAsked
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.differing import Difference
    from gds.daemon.fed import Result
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.model.resource import Command, Plan, Resource
    from gds.model.restype import Standing


def told(problem: dict[str, Any]) -> str:
    """A problem the compiler found, as one line: file:line:column: key: message."""
    place = str(problem["path"])
    if problem["line"]:
        place += f":{problem['line']}:{problem['column']}"
    key = f" {problem['key']}:" if problem["key"] else ""
    return f"{place}:{key} {problem['message']}"


class Reload:
    """One reload, from the question to the compiler until everything has come to rest."""

    def __init__(
        self,
        rgmd: Rgmd,
        compile_: Callable[[Callable[[dict[str, Any]], None]], None],
        groups: Groups,
        new_app: Callable[[Resource], App],
        release: Callable[[str], None],
        ending: Callable[[], bool],
        planned: Callable[[list[str]], None],
        finished: Callable[[int, str, list[str]], None],
        followed: Callable[[list[list[Any]]], None],
    ) -> None:
        self._rgmd = rgmd
        self._compile = compile_
        self._groups = groups
        self._new_app = new_app
        self._release = release
        self._ending = ending
        self._planned = planned
        self._finished = finished
        self._followed = followed
        self._stands: list[list[Any]] = []
        self._dry = False
        self._plan: Plan | None = None
        self._todo: tuple[Difference, ...] = ()
        self._of_groups: tuple[str, ...] = ()
        self._waiting: set[str] = set()
        self._known: set[str] = set()
        """Resources to whose values of before the reload their types had agreed."""
        self._refused: list[str] = []
        self._applied = False

    def begin(self, dry: bool) -> None:
        """Go; with `dry` only the plan is told."""
        self._dry = dry
        self._compile(self._compiled)

    def _compiled(self, answer: dict[str, Any]) -> None:
        if self._ending():
            self._end(75, "cannot reload: the runner is stopping everything")
            return
        if answer.get("errors"):
            self._end(78, "\n".join([*map(told, answer["errors"]), "cannot reload: nothing was touched"]))
            return
        plan: Plan = codec.unpack(answer["plan"])
        self._plan = plan
        self._stands = answer.get("stands", [])
        from gds.model.properties import RESOURCE, Tunable

        anytime = frozenset(p.name for p in RESOURCE if p.tunable is Tunable.ANYTIME)

        apps = [a.resource for a in self._rgmd.apps.values()]
        self._todo = tuple([self._seen(d) for d in differences(apps, plan.resources, anytime)])
        if why := self._is_unmounted(answer.get("warnings", [])):
            self._end(78, why)
            return
        self._of_groups = of_groups(self._groups.declared, plan.groups)
        if not self._may_upgrade(plan):
            return
        self._planned(self._lines())  # before anything is touched
        if self._dry or not (self._todo or self._of_groups):
            if not self._dry:
                self._groups.take(plan)
                self._followed(self._stands)
            self._end(0, "")
            return
        self._validate()

    def _may_upgrade(self, plan: Plan) -> bool:
        """Whether each may take the version of its type that it is given now; else all is refused. Nothing rests for it
        that need not."""
        from gds.model.typed import Rests

        after = {r.name: r for r in plan.resources if r.typed is not None}
        for at, each in enumerate(self._todo):
            app = self._rgmd.apps.get(each.name)
            resource = after.get(each.name)
            old, new = (r.typed if r is not None else None for r in (app.resource if app else None, resource))
            if app is None or resource is None or old is None or new is None or not old.is_upgraded_by(new):
                continue
            why, rests = old.upgrade(new, self._standing(app))
            if why:
                self._refused.append(f"{each.name}: {why}")
            elif rests is not Rests.APPLICATION and resource.group == app.resource.group:
                each = each.replace(act="change", pauses=rests is Rests.MONITOR)
                self._todo = (*self._todo[:at], each, *self._todo[at + 1 :])
        if self._refused:
            self._end(1, "\n".join([*self._refused, "cannot reload: nothing was touched"]))
        return not self._refused

    def _standing(self, app: App) -> Standing:
        from gds.model.restype import Standing

        online = app.view.life not in (Life.OFFLINE, Life.START_FAILED)
        monitored = app.monitored and app.resource.typed is not None and app.resource.typed.kind.has("Monitor_start")
        return Standing(monitored, online, app.enabled, self._groups.is_managed(app.resource.group))

    def _seen(self, difference: Difference) -> Difference:
        """With how it is now, and who keeps it from running."""
        assert self._plan is not None
        app = self._rgmd.apps.get(difference.name)
        after = self._plan.resource(difference.name)
        if after is None:
            comes = False
        else:
            will = self._new_app(after)  # with what people switched for good
            difference = with_switches(difference, after, self._new_app)
            comes = will.enabled and (app is None or app.wanted) and self._groups.is_managed(after.group)
            if comes and self._groups.why_not_here(after.group):
                comes, difference = False, difference.replace(waits="the cluster says where it runs")
        return difference.replace(runs=app is not None and app.view.life is not Life.OFFLINE, comes=comes)

    def _is_unmounted(self, warnings: list[dict[str, Any]]) -> str:
        """Why what is not declared any more is not stopped for that; "" = it may be."""
        before = {os.path.dirname(path) for path in self._groups.files}
        paths = [os.path.abspath(each["path"]) for each in warnings if each.get("code") == "empty-directory"]
        empty = ", ".join([path for path in paths if path in before])
        gone = ", ".join([d.name for d in self._todo if d.act == "stop"])
        why = f"cannot reload: no *.toml file is left in {empty}, and {gone} would be stopped (is it mounted?); nothing"
        return f"{why} was touched. If that is meant, end the runner" if empty and gone else ""

    def _validate(self) -> None:
        assert self._plan is not None
        acts = {each.name: each.act for each in self._todo}
        asked = 0
        for resource in self._plan.resources:
            command = self._validation(resource, acts.get(resource.name, ""))
            if command is None:
                continue
            asked += 1
            self._waiting.add(resource.name)
            done = partial(self._validated, resource.name, program_of(resource, "Validate"))
            trial = self._new_app(resource)
            self._rgmd.run_method(trial, "Validate", command, resource.validate_timeout, done, "reload")
        if not asked:
            self._apply()

    def _validation(self, resource: Resource, act: str) -> Command | None:
        """How Validate is asked of it; None: it is not. A registered type is asked about its group as well."""
        if resource.typed is None or resource.validate_command is None:
            return resource.validate_command if act else None
        from gds.daemon import validating

        assert self._plan is not None
        before = self._groups.declared.get(resource.group)
        group = next((each for each in self._plan.groups if each.name == resource.group), None)
        old = app.resource if (app := self._rgmd.apps.get(resource.name)) is not None else None
        if act and old is not None and validating.is_change(old, resource) and self._rgmd.managing.is_validated(old):
            return validating.of_change(old, resource, before, group)
        if act:  # what its type has never agreed to still comes into being
            return validating.of_creation(resource, group)
        return validating.of_change(resource, resource, before, group) if validating.differ(before, group) else None

    def _validated(self, name: str, program: str, result: Result) -> None:
        self._waiting.discard(name)
        if not (result.kind == "exit" and result.code == 0):
            self._refused.append(f"{name}: {program} {result.said}")
        if self._waiting:
            return
        if self._refused:
            self._end(1, "\n".join([*self._refused, "cannot reload: nothing was touched"]))
        else:
            self._apply()

    # -- carrying it out ----------------------------------------------------------------------------------------------

    def _apply(self) -> None:
        assert self._plan is not None
        rgmd = self._rgmd
        if self._ending():
            self._end(75, "cannot reload: the runner is stopping everything")
            return
        after = {r.name: r for r in self._plan.resources}
        self._waiting = {d.name for d in self._todo}
        # what goes is still ordered by what it needed, what comes by what it needs
        gone = {d.name for d in self._todo if d.act in ("stop", "restart")}
        self._known = {app.name for app in rgmd.apps.values() if rgmd.managing.is_validated(app.resource)}
        ranks = {name: rank for rank, name in enumerate(order.stop_order(rgmd.graph, gone))}
        stops = sorted([d for d in self._todo if d.name in gone], key=lambda d: ranks[d.name])
        self._groups.take(self._plan, [app.resource for app in rgmd.apps.values() if app.name not in after])
        self._followed(self._stands)
        for name in [name for name in after if name in self._known or name in self._waiting]:
            rgmd.managing.validated(after[name])
        ranks = {name: rank for rank, name in enumerate(order.start_order(rgmd.graph, after))}
        rest = sorted([d for d in self._todo if d.name not in gone], key=lambda d: (d.act != "change", ranks[d.name]))
        for each in (*stops, *rest):
            because = f"reload: {each}"
            if each.act == "start":
                app = rgmd.apps[each.name] = self._new_app(after[each.name])
                self._up(app, because)
            elif each.pauses:
                self._pause(rgmd.apps[each.name], after[each.name], because)
            elif each.act == "change":
                self._change(rgmd.apps[each.name], after[each.name], because)
            else:
                app = rgmd.apps[each.name]
                resource = after.get(each.name)
                rgmd.submit(app, StopAsked(because))
                rgmd.settled(app, partial(self._down, app, resource, because))
        places = {r.name: i for i, r in enumerate(self._plan.resources)}
        ordered = sorted(rgmd.apps.items(), key=lambda item: places.get(item[0], -1))
        rgmd.apps.clear()
        rgmd.apps.update(ordered)
        probed = [a for a in rgmd.apps.values() if a.resource.has_probe]
        for rank, app in enumerate(probed):
            app.clock_rank = rank / len(probed)
        self._applied = True
        rgmd.look_again()
        if not self._waiting:
            self._end(0, "")

    def _up(self, app: App, because: str) -> None:
        rgmd = self._rgmd
        group = app.resource.group
        # else who masters it starts it, and this node when it becomes master
        may = not self._groups.why_not_here(group)
        if app.enabled and app.wanted and may and self._groups.is_managed(group) and not self._ending():
            rgmd.managing.before_start(app, lambda: rgmd.submit(app, StartAsked(because)))
            rgmd.settled(app, lambda: self._rested(app))
        else:
            if not app.enabled:
                app.view = app.view.replace(because="disabled")
            self._rested(app)

    def _pause(self, app: App, resource: Resource, because: str) -> None:
        """The change, while its monitor rests."""
        own = self._rgmd.own_monitors()

        def ended() -> None:
            if not app.own_monitor:
                self._change(app, resource, because)
            elif fault := own.faults.get(app.name):
                self._stays(app, f"{fault}; it was not changed")
            else:
                self._pause(app, resource, because)  # it was started again meanwhile

        own.end_alone(app)
        self._rgmd.settled(app, ended)

    def _change(self, app: App, resource: Resource, because: str) -> None:
        rgmd = self._rgmd
        was_enabled, was_monitored = app.enabled, app.monitored
        fresh = self._new_app(resource)  # with what people switched for good, which is stronger than the descriptor
        app.resource = resource
        app.enabled, app.monitored = fresh.enabled, fresh.monitored
        rgmd.kept.decided(app, "change", because)
        if app.enabled and not was_enabled:
            self._up(app, because)
        elif was_enabled and not app.enabled:
            rgmd.submit(app, StopAsked(because))
            rgmd.settled(app, lambda: self._rested(app))
        else:
            if app.view.life is Life.ONLINE:
                rgmd.monitor.end(app)
                rgmd.monitor.begin(app, False)
                if was_monitored and not app.monitored and resource.typed is not None:
                    rgmd.switch_own_monitor(app)
                if resource.update_command is not None:
                    rgmd.managing.run(app, "Update", lambda: self._monitor_again(app))
                    return
            self._monitor_again(app)

    def _monitor_again(self, app: App) -> None:
        """After Update: it reads what has changed as it starts."""
        if app.view.life is not Life.ONLINE or app.resource.typed is None or not app.monitored or app.own_monitor:
            self._rested(app)
            return
        own = self._rgmd.own_monitors()

        def begun() -> None:
            if fault := own.faults.get(app.name):
                self._refused.append(f"{app.name} was changed, and {fault}")
            self._rested(app)

        own.begin(app)
        self._rgmd.settled(app, begun)

    def _down(self, app: App, resource: Resource | None, because: str) -> None:
        rgmd = self._rgmd
        if app.view.life is Life.STOP_FAILED:
            self._stays(app, app.view.because)
        elif app.view.life is not Life.OFFLINE:
            rgmd.settled(app, lambda: self._down(app, resource, because))
        elif resource is None:

            def forgotten() -> None:
                rgmd.apps.pop(app.name, None)
                self._release(app.name)
                self._rested(app)

            rgmd.managing.run(app, "Fini", forgotten)
        else:
            fresh = self._new_app(resource)
            app.resource = resource
            app.enabled, app.monitored = fresh.enabled, fresh.monitored
            self._up(app, because)

    def _stays(self, app: App, fault: str) -> None:
        """It could not be changed, and is what it was."""
        self._refused.append(f"{app.name}: {fault}")
        if app.name in self._known:
            self._rgmd.managing.validated(app.resource)
        self._rested(app)

    def _rested(self, app: App) -> None:
        self._waiting.discard(app.name)
        if app.view.life is Life.START_FAILED:
            self._refused.append(f"{app.name}: {app.view.because}")
        if self._applied and not self._waiting:
            self._end(1 if self._refused else 0, "\n".join(self._refused))

    def _end(self, code: int, message: str) -> None:
        if self._applied and self._plan is not None:
            self._groups.take(self._plan)  # what was removed is gone, and nobody's need any more
        self._finished(code, message, self._lines() if code in (0, 1) else [])

    def _lines(self) -> list[str]:
        """The plan for people."""
        changes = [*map(str, self._todo), *self._of_groups]
        return (changes or ["nothing changed"]) + [stand[4] for stand in self._stands]
