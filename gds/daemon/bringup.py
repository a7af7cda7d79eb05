"""Bringing up what the plan says, after taking back what an earlier runner of this boot left.

What was at rest is followed on as it is; what was in between is ended and started anew, because nobody knows how far it
had come; what no descriptor names any more is ended. A budget that was used up stays used up.
"""

from __future__ import annotations

from gds.daemon.app import App
from gds.daemon.groups import HELD_BACK
from gds.daemon.keeping import recall
from gds.errors import ConfigError
from gds.model.ending import how_it_ended
from gds.model.names import TAG_MARK
from gds.model.state import ResourceStatus
from gds.rgm import order
from gds.rgm.events import RestartAsked, RestartJudged, StartAsked, StopAsked
from gds.rgm.life import public
from gds.rgm.resource import Life, ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Set
    from typing import Any, Protocol

    from gds.daemon.environment import Account
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.world import Notifies
    from gds.model.resource import Output, Plan, Resource

    class Memory(Protocol):
        """What the runner before us kept."""

        damage: str
        is_torn: bool

        def recall(self) -> dict[str, dict[str, Any]]: ...
        def begin(self) -> None: ...

    class Adopting(Protocol):
        """Where an application goes on printing."""

        def adopt(self, name: str, stream: str, output: Output, uid: int, gid: int) -> None: ...
        def tidy(self, names: set[str]) -> None: ...

    class Strays(Protocol):
        """Takes the trees of tags whose runner was killed."""

        def take_strays(self, found: Iterable[tuple[str, int]]) -> None: ...


class BringUp:
    """See the module. `memory` None: nothing could be kept. `await_start` hears of each that is asked to start."""

    def __init__(
        self,
        rgmd: Rgmd,
        memory: Memory | None,
        outputs: Adopting,
        notifies: Notifies,
        accounts: Callable[[Resource], Account],
        tags: Strays,
        new_app: Callable[[Resource], App],
        await_start: Callable[[str], None],
        groups: Groups,
    ) -> None:
        self._rgmd = rgmd
        self._memory = memory
        self._outputs = outputs
        self._notifies = notifies
        self._accounts = accounts
        self._tags = tags
        self._new_app = new_app
        self._await_start = await_start
        self._groups = groups
        self._said: dict[str, str] = {}
        """Why what nobody wants up is down, as the runner before us had it."""
        self._doubt = ""
        """Behind what was read of a resource, where it may be older than what was true at last."""
        self._dead: dict[str, str] = {}
        """What the runner before us had left alone when it died, and why."""
        self._off: dict[str, str] = {}
        """What was disabled under it, and why."""
        self._stuck: dict[str, str] = {}
        """What it could not stop, and why: the processes are named there."""
        self._unknown: Set[str] = frozenset()
        """Those of which nothing is known, though there may have been something."""

    def begin(self, plan: Plan) -> None:
        """Everything at once; how each gets on is told as any other change is. Raises ConfigError, and touches nothing,
        when all that was declared may only be out of sight."""
        rgmd = self._rgmd
        records = self._memory.recall() if self._memory is not None else {}
        found = rgmd.forest.survivors()
        strays = [each for each in found if each[0].startswith(TAG_MARK)]
        survivors = dict([each for each in found if each not in strays])
        _refuse_unmounted(plan, survivors)
        if strays:
            self._tags.take_strays(strays)
        self._tell_losses(plan, records.keys(), survivors.keys())
        probed = [r for r in plan.resources if r.has_probe]
        for resource in plan.resources:
            rgmd.apps[resource.name] = self._new_app(resource)
        for rank, resource in enumerate(probed):
            rgmd.apps[resource.name].clock_rank = rank / len(probed)
        now = rgmd.loop.now()
        self._said = {name: str(r.get("because", "")) for name, r in records.items() if r.get("wanted") is False}
        self._said = {name: said for name, said in self._said.items() if said != "disabled"}
        self._dead = {name: str(r.get("because", "")) for name, r in records.items() if r.get("dead") is True}
        self._off = {name: str(r.get("because", "")) for name, r in records.items() if r.get("disabled") is True}
        stuck = {name: r for name, r in records.items() if r.get("life") == Life.STOP_FAILED.value}
        self._stuck = {name: str(r.get("because", "")) for name, r in stuck.items()}
        lives = {name: recall(rgmd.apps[name], r, now) for name, r in records.items() if name in rgmd.apps}
        if self._memory is not None:
            self._memory.begin()
        there = self._find(lives, survivors, {n: int(r.get("pid", 0)) for n, r in records.items()})
        for name, incarnation in survivors.items():
            if name not in rgmd.apps:
                self._end_stray(name, incarnation)
        # all that is up is known now: what has to stop waits for those that use it
        for name in order.stop_order(rgmd.graph, there):
            app, was = rgmd.apps[name], lives.get(name, Life.OFFLINE)
            if name in survivors:
                self._take_back(app, was)
            else:
                self._resume_unmanaged(app, was)
        self._outputs.tidy({r.name for r in plan.resources})
        # then the others, each after what it needs
        for name in order.start_order(rgmd.graph, [r.name for r in plan.resources if r.name not in there]):
            self._bring_up(rgmd.apps[name], lives.get(name, Life.OFFLINE))

    def _find(self, lives: Mapping[str, Life], survivors: Mapping[str, int], pids: Mapping[str, int]) -> list[str]:
        """Those that are up as far as can be seen: whose processes live, and what has no tree to be found by."""
        there = []
        for app in list(self._rgmd.apps.values()):
            was = lives.get(app.name, Life.OFFLINE)
            if app.name in survivors:
                because = "taken back from the runner before this one"
                app.view = app.view.replace(life=Life.ONLINE, because=because)
                self._rgmd.pmfd.take_back(app, survivors[app.name], pids.get(app.name, 0))
            elif not app.resource.pmf_managed and was not in _DOWN:
                app.view = app.view.replace(life=Life.ONLINE, because="taken over from the runner before this one")
            else:
                continue
            there.append(app.name)
        return there

    def _tell_losses(self, plan: Plan, known: Set[str], alive: Set[str]) -> None:
        """What the runner before us knew and we do not, to the log and the history; no reason may claim to know it."""
        memory, lost = self._memory, ""
        if memory is not None and (memory.damage or memory.is_torn):
            self._doubt, lost = ", as far as is known", memory.damage
        if alive - known and not lost:
            lost = "what the runner before this one kept is gone, though what it started still runs"
        if lost:
            self._unknown = {r.name for r in plan.resources} - known
            because = f"{lost}; who had been stopped, and how often what was restarted, may be forgotten"
            self._rgmd.log.error(because)
            self._rgmd.kept.told("state lost", because)

    # -- nothing of it is found ---------------------------------------------------------------------------------------

    def _bring_up(self, app: App, was: Life) -> None:
        gone = getattr(self._rgmd.forest, "gone", None)
        ended = gone(app.name) if gone is not None else None
        app.tags = ()  # tags end with the runner that has them
        if was is Life.STOP_FAILED:
            because = "its last stop failed, and that was not cleared; nothing of it is found now"
            app.view = app.view.replace(life=Life.OFFLINE, because=because)
        elsewhere = self._groups.cluster is not None and (
            was is Life.OFFLINE or not self._groups.is_started_by_itself(app.resource.group)
        )
        if elsewhere or not (app.enabled and app.wanted):
            off = self._off.get(app.name) or "disabled"
            why = off if not app.enabled else self._said.get(app.name) or "stopped by a person"
            if elsewhere and app.enabled:
                why = "this node is not its master"
            app.view = app.view.replace(because=why)
            self._rgmd.kept.changed(app)
            if app.resource.postnet_stop_command is not None and was not in (Life.OFFLINE, Life.AWAITING):
                # nobody knows whether Postnet_stop was run: it is harmless when it was
                app.view = app.view.replace(life=Life.ONLINE)
                self._rgmd.submit(app, StopAsked(why))
            return
        if not self._groups.is_managed(app.resource.group):
            app.view = app.view.replace(because="its group is unmanaged")
            return
        if was is Life.OFFLINE and not self._groups.is_started_by_itself(app.resource.group):
            app.wanted = False
            app.view = app.view.replace(because="auto_start_on_new_cluster is false: it starts when somebody asks")
            self._rgmd.kept.changed(app)
            return
        if was is Life.START_FAILED:
            because = "its start failed under the runner before this one: it stays down until somebody asks"
            app.view = app.view.replace(
                life=Life.START_FAILED, because=because, status=ResourceStatus.FAULTED, status_msg=because
            )
            return
        if was is Life.ONLINE and app.name in self._dead:
            because = self._dead[app.name]
            app.view = app.view.replace(
                life=Life.ONLINE, because=because, status=ResourceStatus.FAULTED, status_msg=because
            )
            self._rgmd.kept.changed(app)
            return
        if self._groups.is_suspended(app.resource.group) and was in (Life.OFFLINE, Life.AWAITING, Life.ONLINE):
            self._leave_alone(app, was, ended)
            return
        self._await_start(app.name)
        if was is Life.ONLINE and ended is not None:
            # a true death, seen by its keeper while nobody ran here: it counts as any other
            app.view = app.view.replace(life=Life.ONLINE)
            self._rgmd.died(app, f"{how_it_ended(ended[1])}, while no runner was there")
        else:
            because = "the runner starts"
            if app.name in self._unknown:
                because = "the runner starts, and cannot know how the one before it had left it"
            if was not in (Life.OFFLINE, Life.AWAITING):
                because = "it was not running when the runner came back"
            if app.view.last_try:
                app.view = app.view.replace(life=Life.ONLINE)
                self._begin_anew(app, because)
                return
            self._rgmd.managing.before_start(app, lambda: self._rgmd.submit(app, StartAsked(because)))

    def _leave_alone(self, app: App, was: Life, ended: tuple[int, int] | None) -> None:
        """Automatic recovery of its group is suspended: nothing is started by itself (Sun: semantics.md 13). What was
        up is judged as if it had died under our eyes, and left alone; what was down starts when somebody asks."""
        if was is Life.ONLINE:
            app.view = app.view.replace(life=Life.ONLINE)
            how = f"{how_it_ended(ended[1])}, while no runner was there" if ended else "before this runner came"
            self._rgmd.died(app, how)
        else:
            app.view = app.view.replace(because=HELD_BACK)
        self._rgmd.kept.changed(app)

    def _resume_unmanaged(self, app: App, was: Life) -> None:
        """What it started has no tree to be found by, and runs for all we know: it is probed on, or ended first. What
        its Start had left under nametags has ended with them."""
        tags, app.tags = app.tags, ()
        because = f"the runner before this one ended while it was {_seen(was)}{self._doubt}"
        if not (app.enabled and app.wanted):
            self._rgmd.submit(app, StopAsked(because))
        elif was is Life.ONLINE and tags:
            named = ", ".join(tags)
            self._begin_anew(app, f"what ran under its nametag {named} ended with the runner before this one")
        elif was is Life.ONLINE:
            self._go_on(app)
            self._rgmd.begin_monitor(app, False)
        else:
            self._begin_anew(app, because)

    # -- its processes live -------------------------------------------------------------------------------------------

    def _take_back(self, app: App, was: Life) -> None:
        """Followed again where its life was at rest, ended and started anew where it was not."""
        rgmd = self._rgmd
        if was is Life.STOP_FAILED:
            because = self._stuck.get(app.name) or "its stop failed under the runner before this one"
            app.view = app.view.replace(
                life=Life.STOP_FAILED, because=because, status=ResourceStatus.FAULTED, status_msg=because
            )
        elif not (app.enabled and app.wanted):
            rgmd.submit(app, StopAsked(f"a stop was under way when the runner before this one ended{self._doubt}"))
        elif was is Life.ONLINE and app.tree is not None:
            account = self._accounts(app.resource)
            for stream, output in (("stdout", app.resource.stdout), ("stderr", app.resource.stderr)):
                self._outputs.adopt(app.name, stream, output, account.uid, account.gid)
            if app.resource.wants_notify:
                self._notifies.open(app.name, account.uid)
            self._go_on(app)
            rgmd.log.info(app.view.because, resource=app.name, pid=app.tree.main_pid)
            rgmd.monitor.begin(app, False)
        elif app.name in self._unknown:
            self._begin_anew(app, "what the runner before this one knew of it is lost")
        else:
            self._begin_anew(app, f"the runner before this one ended while it was {_seen(was)}{self._doubt}")

    def _begin_anew(self, app: App, because: str) -> None:
        """Stopped, whatever there is of it, and started. It is not a person who asks: a last try stays the last one."""
        self._await_start(app.name)
        self._rgmd.submit(app, RestartJudged(because) if app.view.last_try else RestartAsked(because))

    def _go_on(self, app: App) -> None:
        app.view = app.view.replace(status=ResourceStatus.OK)
        self._rgmd.kept.changed(app)
        self._rgmd.kept.decided(app, "taken back", app.view.because)

    def _end_stray(self, name: str, incarnation: int) -> None:
        """Processes of a resource that no descriptor names any more."""
        from gds.model.resource import Command, Resource

        rgmd = self._rgmd
        stray = App(Resource(name, Command(("/bin/false",)), group=name))
        stray.wanted = False
        rgmd.apps[name] = stray
        stray.view = stray.view.replace(life=Life.ONLINE)
        rgmd.pmfd.take_back(stray, incarnation, 0)
        rgmd.submit(stray, StopAsked("no descriptor names it any more"))
        rgmd.settled(stray, lambda: rgmd.apps.pop(name, None))


def _refuse_unmounted(plan: Plan, survivors: Iterable[str]) -> None:
    """As a reload refuses: what ran is not stopped because nothing is declared, where that may come back."""
    empty = ", ".join([each.path for each in plan.warnings if each.code == "empty-directory"])
    gone = ", ".join(sorted(survivors))
    if empty and gone and not plan.resources:
        raise ConfigError(
            f"cannot run: no *.toml file is in {empty}, and {gone}, which the runner before this one has left running,"
            " would be stopped (is it mounted?); nothing was touched. If that is meant, `gds run --pmf` with the same"
            " directories ends them"
        )


_DOWN = (Life.OFFLINE, Life.START_FAILED, Life.STOP_FAILED)


def _seen(life: Life) -> str:
    """As people know it: HELD, CYCLING and the like are our words alone."""
    return public(ResourceView("", life=life), True, False).value
