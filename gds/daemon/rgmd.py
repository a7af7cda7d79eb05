"""The RGM's driver: the one writer of every resource's life. Takes facts one after the other, asks `rgm.step`, stores
the new view, carries out the orders. It has no opinions.

Facts may be posted while an order is being carried out; they wait in the queue, so a step never sees half of another.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from gds.daemon.app import App
from gds.daemon.generic import SideMethod, StartMethod, StopMethod
from gds.daemon.launching import Launching
from gds.daemon.monitor import Monitor
from gds.daemon.pmfd import Pmfd
from gds.daemon.telling import Telling
from gds.errors import ConfigError, unreachable
from gds.fault import score, verdict
from gds.model.state import ResourceState, ResourceStatus
from gds.rgm import commands, order
from gds.rgm import resource as life_of
from gds.rgm.events import (
    ClearAsked,
    DelayOver,
    GiveoverAsked,
    NeedsMet,
    PostnetSucceeded,
    RestartAsked,
    StopAsked,
    StopSucceeded,
    UsersGone,
)
from gds.rgm.life import PERSON, STAYS_DEAD
from gds.rgm.resource import ALONE, Life, ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gds.daemon.managing import Managing
    from gds.daemon.ownmonitor import OwnMonitors
    from gds.daemon.world import World
    from gds.fault.score import Outcome, Score
    from gds.model.resource import Resource
    from gds.ports import Callback
    from gds.rgm.events import Event

SETTLED = frozenset((Life.OFFLINE, Life.ONLINE, Life.START_FAILED, Life.STOP_FAILED))
"""Lives in which no method runs and nothing is waited for."""


class Rgmd:
    """See the module."""

    refusals = (ConfigError, OSError)

    def __init__(self, world: World) -> None:
        self._world = world
        self.loop = world.loop
        self.forest = world.forest
        self.watch = world.fed.watch
        self.unwatch = world.fed.unwatch
        self.prober = world.prober
        self.outputs = world.outputs
        self.kept = world.kept
        self.log = world.log
        self.wall = world.wall
        self.chance = world.chance
        self.apps: dict[str, App] = {}
        self.graph = order.NOBODY
        """Who needs whom; the runner sets it with each plan."""
        self.addresses: tuple[str, ...] = ()
        """The network resources of that plan."""
        self.suspended: dict[str, str] = {}
        """Groups of which nothing is recovered automatically, and why in words."""
        self.managing: Managing
        """Runs Init, Boot, Fini and Update; set once, by who builds both."""
        self.busy: set[str] = set()
        """Resources of which one of these runs."""
        self.leaving = False
        """Everything goes down: what could not be stopped keeps nobody up."""
        self.hurried = False
        """Everything ends at once: nobody waits for anybody."""
        self.pmfd = Pmfd(self)
        self.monitor = Monitor(self)
        launching = Launching(world, self._addresses)
        self.launch_of = launching.launch_of
        self.run_method = launching.run_method
        telling = self._telling = Telling(self)
        self.tell = telling.asked
        self.changed = telling.changed
        self.set_status = telling.set_status
        self.told_status = telling.told_status
        self._own_monitors: OwnMonitors | None = None
        self._queue: deque[tuple[App, Event]] = deque()
        self.stepping = False

    def _addresses(self) -> list[Resource]:
        return [self.apps[name].resource for name in self.addresses if name in self.apps]

    # -- facts in -----------------------------------------------------------------------------------------------------

    def submit(self, app: App, event: Event) -> None:
        """One fact about one resource."""
        self._queue.append((app, event))
        if self.stepping:
            return
        self.stepping = True
        try:
            while self._queue:
                self._step(*self._queue.popleft())
        finally:
            self.stepping = False

    def died(self, app: App, how: str) -> None:
        """The (watched part of the) tree is gone while nobody asked for it."""
        if app.resource.wants_notify:
            self._world.notifies.drain(app.name)
        if self._world.cluster is not None and self._world.cluster.explains(app):
            return
        if app.view.life in (Life.ONLINE, Life.STARTING):
            self.monitor.weigh(app, self._telling.in_its_words(app, score.of_death(how)))

    def notified(self, name: str, message: Mapping[str, str]) -> None:
        """An application spoke on its NOTIFY_SOCKET."""
        app = self.apps.get(name)
        if app is None:
            return
        if message.get("READY") == "1" and app.start is not None:
            app.start.notified_ready()
        if message.get("WATCHDOG") == "1":
            app.watchdog_at = self.loop.now()
        elif message.get("WATCHDOG") == "trigger" and app.view.life is Life.ONLINE:
            self.monitor.weigh(app, score.Score(score.COMPLETE_FAILURE, "the application said WATCHDOG=trigger"))
        self._telling.said(app, message)

    def probed(self, app: App, got: Score, outcome: Outcome) -> None:
        """A probe was weighed; failures go to the history."""
        self.kept.probed(app, got.points, got.because)
        if got.points:
            self.kept.decided(app, "probe", got.because, score=got.points, message=outcome.message)

    # -- the step -----------------------------------------------------------------------------------------------------

    def _step(self, app: App, event: Event) -> None:
        before = app.view
        linked = self.graph.knows(app.name)
        around = order.around(self.graph, app.name, self._look, self.leaving) if linked and not self.hurried else ALONE
        if app.resource.group in self.suspended:
            around = around.replace(suspended=self.suspended[app.resource.group])
        mode, on_giveover = app.resource.failover_mode, self._on_giveover(app, event)
        made = life_of.step(before, event, mode, on_giveover, self.loop.now(), around)
        self.kept.stepped(app, event, made, around, on_giveover)
        if made.ignored:
            self.answer(app)
            return
        app.view = made.view
        after = made.view
        moved = after.life is not before.life
        if moved or after.because != before.because:
            self.kept.changed(app)
        if after.life is Life.ONLINE and moved:
            app.online_since_wall = self.wall()
        # told when this turn is over: a restart does not wait for its own log line
        if made.because:
            self.loop.soon(partial(self._telling.moved, app, after, made.because, isinstance(event, PERSON)))
        elif moved and after.life in SETTLED:
            self.loop.soon(partial(self._telling.came_to_rest, app, after))
        for each in made.orders:
            self._carry_out(app, each)
        if moved or after.status is not before.status:
            self._world.observed(app)
        if linked and order.is_news(before, after):
            self._spread(app, before.life)
        if app.asked:  # also when it does not move: what it waits for may have failed for good
            self.answer(app)

    def _look(self, name: str) -> ResourceView | None:
        app = self.apps.get(name)
        if app is None and self._world.cluster is not None and name in self.graph.far:
            return self._world.cluster.far(name, *self.graph.far[name])
        return app.view if app is not None else None

    def changed_elsewhere(self, name: str, before: Life, anew: bool) -> None:
        """What resources here need on another node lives otherwise now; or as before, but was started `anew`."""
        for user in order.concerned(self.graph, name):
            event = order.news(self.graph, user, name, before, self._look, self.leaving, anew)
            if event is not None and user in self.apps:
                self.submit(self.apps[user], event)

    def _spread(self, app: App, before: Life) -> None:
        """Tell those it concerns."""
        for name in order.concerned(self.graph, app.name):
            event = order.news(self.graph, name, app.name, before, self._look, self.leaving)
            other = self.apps.get(name)
            if event is not None and other is not None:
                self._queue.append((other, event))
            elif other is not None and other.asked:
                self.answer(other)

    def is_at_rest(self, app: App) -> bool:
        """Its life will not change by itself soon."""
        if app.name in self.busy:
            return False
        return app.view.life in SETTLED or order.is_at_rest(self.graph, app.name, self._look)

    def answer(self, app: App) -> None:
        """Who waits for its life to come to rest is called when it has."""
        if app.asked and self.is_at_rest(app):
            waiting, app.asked = app.asked, None
            for callback in waiting:
                self.loop.soon(callback)

    def _carry_out(self, app: App, wanted: commands.Order) -> None:
        if isinstance(wanted, commands.RunStart):
            self.kept.changed(app)
            app.start = StartMethod(self, app, wanted.because)
            app.start.begin()
        elif isinstance(wanted, commands.RunStop):
            for method in (app.start, app.side):
                if method is not None:
                    method.cancel()
            if app.stop is None:
                app.stop = StopMethod(self, app, wanted.because)
                app.stop.begin()
        elif isinstance(wanted, commands.StartMonitor):
            self.kept.changed(app)
            self.begin_monitor(app, wanted.restarted)
        elif isinstance(wanted, commands.StopMonitor):
            self.monitor.end(app)
        elif isinstance(wanted, commands.RunPrenet | commands.RunPostnet):
            method_name = "Prenet_start" if isinstance(wanted, commands.RunPrenet) else "Postnet_stop"
            app.side = SideMethod(self, app, method_name, wanted.because)
        elif isinstance(wanted, commands.ArmDelay):
            app.delay = self.loop.after(wanted.seconds, lambda: self.submit(app, DelayOver()))
        elif isinstance(wanted, commands.CancelDelay):
            if app.delay is not None:
                app.delay.cancel()
                app.delay = None
        elif isinstance(wanted, commands.PurgeHistory):
            self.purge(app)
        elif isinstance(wanted, commands.LeaveNode):
            if self._world.cluster is not None:
                self._world.cluster.giveover(app, wanted.because, wanted.by_monitor)
            else:
                self._world.leave(wanted.because)
        elif isinstance(wanted, commands.AbortNode):
            self._world.abort(wanted.because, app.resource)
        else:
            unreachable(wanted)

    def look_again(self) -> None:
        """Who needs whom has changed: those that wait may go on."""
        for app in list(self.apps.values()):
            if app.view.life is Life.AWAITING:
                self.submit(app, NeedsMet())
            elif app.view.life is Life.HELD:
                self.submit(app, UsersGone())

    def stop_all(self, because: str) -> None:
        """The runner ends: everything goes down, each after those that use it."""
        self.leaving = True
        for name in order.stop_order(self.graph, list(self.apps)):
            self.submit(self.apps[name], StopAsked(because))

    def hurry(self) -> None:
        """No more asking, no more waiting for each other: SIGKILL to everything."""
        self.hurried = True
        for app in list(self.apps.values()):
            if app.view.life is Life.HELD:
                self.submit(app, UsersGone())
            if app.side is not None:
                app.side.cancel()
                self.submit(app, PostnetSucceeded())
            if app.stop is not None:
                app.stop.hurry()

    def excuse(self, app: App) -> None:
        """IGNORE_FAILED_START: the Start that runs may fail without consequence."""
        app.view = app.view.replace(excused=True)
        self.kept.forget(app)

    # -- what people ask ----------------------------------------------------------------------------------------------

    def start(self, app: App, because: str) -> None:
        """Bring it up, after Init or Boot where one is due."""
        app.wanted = True
        self.managing.before_start(app, lambda: self.submit(app, app.asked_up(because)))
        self.kept.about_to_start(app)  # who asked may be answered now, so a crash must not lose it

    def stop(self, app: App, because: str) -> None:
        """Take it down; it stays down."""
        app.wanted = False
        self.submit(app, StopAsked(because))
        self.kept.about_to_start(app)  # who asked may be answered now, so a crash must not lose it

    def restart(self, app: App, because: str, whole: bool = False) -> None:
        """Stop and start, never counted (design.md 2, "Operator's acts"). `whole`: all of its group."""
        app.wanted = True
        self.managing.before_start(app, lambda: self.submit(app, RestartAsked(because, whole)))
        self.kept.about_to_start(app)  # who asked may be answered now, so a crash must not lose it

    def clear(self, app: App, because: str = "cleared by a person") -> str:
        """Forget failures; end STOP_FAILED when really nothing is left. Returns why not, or ""."""
        if app.view.life is Life.STOP_FAILED:
            if app.tree is not None:
                pids = app.tree.members()
                if pids:
                    named = ", ".join(map(str, pids[:20]))
                    return f"cannot clear {app.name}: processes {named} are still there; end them, then clear again"
            self.submit(app, ClearAsked(because))
        self.purge(app)
        app.monitor_failures = None
        self.tell(app, "clear", f"{because}; {STAYS_DEAD}" if app.is_dead else because)
        if app.monitor_failed:
            app.monitor_failed = False
            self.begin_monitor(app, False)
            self._world.observed(app)
        if app.view.life is Life.ONLINE and app.view.status is ResourceStatus.FAULTED and not app.is_dead:
            self.set_status(app, ResourceStatus.UNKNOWN, "cleared, not probed since")
        return ""

    def set_monitored(self, app: App, monitored: bool, because: str = "asked by a person") -> None:
        """Switch the probe on or off; deaths are judged either way."""
        app.monitored = monitored
        self.kept.changed(app)
        self.tell(app, "monitor" if monitored else "unmonitor", because)
        if app.view.life is Life.ONLINE:
            self.monitor.end(app)
            if monitored:
                self.monitor.begin(app, False)
            if app.resource.typed is not None:
                self.switch_own_monitor(app)
            self._world.observed(app)

    def begin_monitor(self, app: App, restarted: bool) -> None:
        """It is up: the probe from now on, or the monitor of its type."""
        self.monitor.begin(app, restarted)
        if app.resource.typed is not None and app.monitored:
            self.own_monitors().begin(app)

    def switch_own_monitor(self, app: App) -> None:
        """Whether the monitor of its type is wanted has changed."""
        if app.monitored:
            self.own_monitors().begin(app)
        else:
            self.own_monitors().end_alone(app)

    def own_monitors(self) -> OwnMonitors:
        """The monitors of registered types, loaded with the first."""
        if self._own_monitors is None:
            from gds.daemon.ownmonitor import OwnMonitors

            self._own_monitors = OwnMonitors(self)
        return self._own_monitors

    def seen(self, app: App) -> None:
        """Its state may look different now."""
        self._world.observed(app)

    def settled(self, app: App, callback: Callback) -> None:
        """Call back when its life has come to rest; at once when it has."""
        if not self._queue and self.is_at_rest(app):
            callback()
            return
        if app.asked is None:
            app.asked = []
        app.asked.append(callback)

    def purge(self, app: App) -> None:
        """Forget its failures and restarts."""
        app.forgive(verdict.gave_over(), self.loop.now())
        self.kept.changed(app)

    def _on_giveover(self, app: App, event: Event) -> str:
        """Where a giveover leads. Several nodes are asked about only for events that may lead to one."""
        if self._world.cluster is None or not isinstance(event, GiveoverAsked | StopSucceeded):
            return self._world.on_giveover
        return self._world.cluster.on_giveover(app.resource.group, getattr(event, "by_monitor", True))

    def giveover_leads(self, app: App) -> str:
        """Where a giveover of it would lead now, as rgm/control.py wants it."""
        return self._on_giveover(app, GiveoverAsked("", by_monitor=False))

    def give_over(self, app: App, because: str, told: Callable[[str], None]) -> None:
        """Asked for from outside, and granted as far as anybody knows. `told` hears "" when its group begins to leave;
        or, of several nodes, why nobody takes it."""
        cluster = self._world.cluster
        if cluster is None:
            told("")  # everything stops now, the one who asks first of all
        self.submit(app, GiveoverAsked(because, by_monitor=False))
        if cluster is not None and not cluster.hear_giveover(app.resource.group, told):
            told("")

    def public(self, app: App) -> ResourceState:
        """The state people see."""
        return life_of.public(app.view, app.is_monitored, app.monitor_failed)
