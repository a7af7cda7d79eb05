"""Groups: what is kept of each, what people ask of them, and what they are told. Sun: semantics.md 10.2, 13.

Facts come in from people; orders go to the resources, in the order of their dependencies. Whether something may be
done is decided by rgm/group.py. Two switches of a group outlive the runner and a reboot: managed, and
Suspend_automatic_recovery.
"""

from __future__ import annotations

from gds.fault import score
from gds.model.resource import Group
from gds.rgm import group as group_of
from gds.rgm import order
from gds.rgm.group import Ask, Granted, Member, Refused
from gds.rgm.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.world import Cluster
    from gds.model.resource import Plan, Resource
    from gds.model.state import GroupState

    class Switches(Protocol):
        """What people set for good."""

        of: dict[str, dict[str, bool]]

        def set(self, name: str, what: str, value: bool) -> str: ...


MARK = "group:"
"""Before the name of a group where names of resources stand too."""


class Groups:
    """See the module. `joined`: the node has booted since the last runner here."""

    def __init__(self, rgmd: Rgmd, switches: Switches, joined: bool) -> None:
        self._rgmd = rgmd
        self._switches = switches
        self._joined = joined
        self.declared: dict[str, Group] = {}
        self._told: dict[str, GroupState] = {}
        self._changed: set[str] = set()
        self.cluster: Cluster | None = None
        """Says where groups run; None: they run here."""

    def take(self, plan: Plan, going: Iterable[Resource] = ()) -> None:
        """This is declared from now on. `going`: no longer declared, and needs what it needed until it is down."""
        self._plan = plan
        self.declared = {group.name: group for group in plan.groups}
        self._rgmd.managing.groups = self.declared
        here = "" if self.cluster is None else self.cluster.here
        self._rgmd.graph = order.graph_of(plan.replace(resources=(*plan.resources, *going)), here)
        self._rgmd.addresses = tuple([each.name for each in plan.resources if each.is_address])
        self._rgmd.suspended = {name: _SUSPENDED for name in self.declared if self._switch(name, "suspended", False)}
        if self.cluster is not None:
            self.cluster.redeclared()

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the files that declare what there is."""
        return tuple([each.path for each in self._plan.sources])

    def take_again(self) -> None:
        """There is a cluster now: the same, seen as spread over several nodes."""
        self.take(self._plan)

    # -- what is so ---------------------------------------------------------------------------------------------------

    def apps(self, name: str, down: bool = False) -> list[App]:
        """Its resources in the order in which to start, or with `down` to stop them."""
        found = [app.name for app in self._rgmd.apps.values() if app.resource.group == name]
        ordered = (order.stop_order if down else order.start_order)(self._rgmd.graph, found)
        return [self._rgmd.apps[each] for each in ordered]

    def size(self, name: str) -> int:
        """How many resources were declared in it."""
        group = self.declared.get(name)
        return len(group.resources) if group is not None else 1

    def is_managed(self, name: str) -> bool:
        """Methods may be run for its resources."""
        return self._switch(name, "managed", True)

    def is_suspended(self, name: str) -> bool:
        """Nothing of it is recovered automatically."""
        return name in self._rgmd.suspended

    def is_started_by_itself(self, name: str) -> bool:
        """False when the node has just booted and the group waits for a person (auto_start_on_new_cluster)."""
        if self.cluster is not None:
            return self.cluster.is_taken_up(name)
        group = self.declared.get(name)
        wants = group is None or (group.auto_start_on_new_cluster and group.desired_primaries > 0)
        return wants or not self._joined

    def is_here(self, name: str) -> bool:
        """This node may run it: it is alone, or master."""
        return self.cluster is None or self.cluster.token(name) > 0

    def why_not_here(self, name: str) -> str:
        """Why nothing of it can be started on this node now; "" when it can."""
        if self.cluster is None:
            return ""
        masters = self.elsewhere(name)
        return f"{masters} masters {name}: ask there" if masters else self.cluster.refusal(name)

    def elsewhere(self, name: str) -> str:
        """The nodes that master it instead of this one; "" when it does, or none."""
        if self.cluster is None or self.is_here(name):
            return ""
        return ", ".join(self.cluster.masters(name))

    def ask_there(self, name: str) -> str:
        """A hint for who asks a node that is not its master; "" when this one is."""
        if self.cluster is None or self.is_here(name):
            return ""
        masters = self.elsewhere(name)
        return f"; {masters} masters it: ask there" if masters else "; no node masters it"

    def state(self, name: str, apps: Iterable[App] | None = None) -> GroupState:
        """Its state on this node."""
        return group_of.state_of(self._members(self.apps(name) if apps is None else apps), self.is_managed(name))

    def rule(self, name: str, ask: Ask) -> Granted | Refused:
        """May this be done with it now?"""
        return group_of.rule(name, self._members(self.apps(name)), self.is_managed(name), ask)

    def rule_of(self, name: str, act: str) -> Granted | Refused:
        """May that be done now with the resource of that name, or with each of the group?"""
        app = self._rgmd.apps.get(name)
        resource, group = ("", name) if app is None else (name, app.resource.group)
        return group_of.rule_of(resource, group, self._members(self.apps(group)), act)

    def busy(self, request: dict[str, Any], act: str) -> str:
        """Why that is not done now with one of the names, in words; "" when nobody is busy, and for what the nodes of a
        cluster follow: it was not refused where it was asked for."""
        for name in () if request.get("followed") else request["names"]:
            ruling = self.rule_of(name, act)
            if isinstance(ruling, Refused):
                return f"cannot {act} {name}: {ruling.because}"
        return ""

    def facts(self, name: str) -> dict[str, Any]:
        """What `gds status --json` shows of it beside its state and resources."""
        return {"managed": self.is_managed(name), "suspended": self.is_suspended(name)}

    def _members(self, apps: Iterable[App]) -> list[Member]:
        rgmd = self._rgmd
        now = rgmd.loop.now()
        made = []
        for app in apps:
            view = app.view
            waits = view.life is Life.AWAITING
            coming = waits and not rgmd.is_at_rest(app)
            state = rgmd.public(app)
            made.append(
                Member(app.name, state, view.status, app.enabled, waits, coming, view.why, max(0.0, now - view.at))
            )
        return made

    def _switch(self, name: str, what: str, default: bool) -> bool:
        return self._switches.of.get(MARK + name, {}).get(what, default)

    # -- what people ask ----------------------------------------------------------------------------------------------

    def online(self, name: str, because: str) -> list[App]:
        """Bring up what is enabled of it, each after what it needs; those concerned."""
        apps = [app for app in self.apps(name) if app.enabled]
        for app in apps:
            self._rgmd.start(app, because)
        return apps

    def offline(self, name: str, because: str) -> list[App]:
        """Take it down, each before what it needs; those concerned."""
        apps = self.apps(name, down=True)
        for app in apps:
            self._rgmd.stop(app, because)
        return apps

    def restart(self, name: str, because: str) -> list[App]:
        """Offline and online again; those concerned."""
        apps = [app for app in self.apps(name, down=True) if app.enabled]
        for app in apps:
            self._rgmd.restart(app, because, whole=True)
        return apps

    def manage(self, name: str, managed: bool, done: Callable[[str], None], because: str = "asked by a person") -> None:
        """Take it under management (Init of each resource), or out of it (Fini). `done` hears why not kept for good."""
        fault = self._switches.set(MARK + name, "managed", managed)
        self._rgmd.tell(self.apps(name)[0], "managed" if managed else "unmanaged", because)
        apps = self.apps(name, down=not managed)
        self._rgmd.managing.each(apps, "Init" if managed else "Fini", lambda: done(fault))

    def suspend(self, name: str, suspended: bool, because: str = "asked by a person") -> str:
        """Suspend_automatic_recovery: nothing is restarted, given over or tried again by itself. When it is over,
        who died meanwhile is judged, and who did not start with the runner starts. Why it could not be kept, or ""."""
        fault = self._switches.set(MARK + name, "suspended", suspended)
        if suspended:
            self._rgmd.suspended[name] = _SUSPENDED
        else:
            self._rgmd.suspended.pop(name, None)
        for app in self.apps(name):
            self._rgmd.tell(app, "suspended" if suspended else "resumed", because)
            if suspended or not self.is_here(name):
                continue
            if app.is_dead:
                self._rgmd.monitor.weigh(app, score.of_death("while automatic recovery was suspended"))
            elif app.view.life is Life.OFFLINE and app.wanted and app.enabled and self.is_managed(name):
                self._rgmd.start(app, "automatic recovery of its group goes on")
        return fault

    def revive(self, name: str, because: str) -> None:
        """A person wants it online: who counts as up there and is dead is brought up."""
        for app in self.apps(name):
            if app.enabled and app.is_dead:
                self._rgmd.start(app, because)

    # -- what is told -------------------------------------------------------------------------------------------------

    def observed(self, app: App) -> None:
        """The life or status of one of its resources changed: the log hears of the group when this turn is over."""
        name = app.resource.group
        if self.cluster is not None:
            self.cluster.observed(app)
        group = self.declared.get(name)
        if group is None or len(group.resources) < 2:
            return  # of one resource all is said already
        if not self._changed:
            self._rgmd.loop.soon(self._tell)
        self._changed.add(name)

    def _tell(self) -> None:
        changed, self._changed = self._changed, set()
        for name in changed:
            if name not in self.declared:
                continue
            state = self.state(name)
            if self._told.get(name) is not state:
                self._told[name] = state
                self._rgmd.log.info(f"group {name} is {state}", group=name)


_SUSPENDED = "automatic recovery of its group is suspended"
HELD_BACK = f"{_SUSPENDED}: it starts when that is over, or when somebody asks"
