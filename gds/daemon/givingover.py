"""Giveovers between nodes, as the drivers see them: who asked for one, Monitor_check, and what came of it.

Whether somebody could take a group up, and who, is decided by rgm (giving.py, placement.py); here the RGM's orders are
handed on, and the outcome is told to whoever waits for it. Sun: semantics.md 7.3.
"""

from __future__ import annotations

from functools import partial

from gds.model.state import GroupState, ResourceStatus
from gds.rgm.events import GiveoverAsked, StartAsked
from gds.rgm.hold import LEAVING
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.app import App
    from gds.daemon.fed import Result
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.rgm.mastery import Masteries

    Told = Callable[[str], None]


class Asker:
    """For whom a giveover is done, or only tried. `told`: who waits for its outcome."""

    __slots__ = ("app", "because", "by_monitor", "told", "trial")

    def __init__(self, app: App, because: str, by_monitor: bool, trial: bool = False) -> None:
        self.app = app
        self.because = because
        self.by_monitor = by_monitor
        self.trial = trial
        self.told: list[Told] = []

    def tell(self, because: str) -> None:
        """It has come about (""), or not."""
        told, self.told = self.told, []
        for each in told:
            each(because)


class GivingOver:
    """See the module. `changed`: what is known of a group here is to be looked at anew; `look`: decide soon."""

    def __init__(
        self,
        rgmd: Rgmd,
        groups: Groups,
        masteries: Masteries,
        boottime: Callable[[], float],
        changed: Callable[[str], None],
        look: Callable[[], None],
    ) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._masteries = masteries
        self._boottime = boottime
        self._changed = changed
        self._look = look
        self._able: dict[str, tuple[str, tuple[str, ...], str]] = {}
        self._cancelled: dict[str, str] = {}
        self._askers: dict[str, Asker] = {}
        self._tried: set[str] = set()

    def new_turn(self, lost: str) -> None:
        """What was asked before may be answered otherwise now. `lost`: why nobody can be asked: people hear that at
        once; what a judge here wants moved may be when contact is back."""
        self._able.clear()
        for group, asker in list(self._askers.items()) if lost else ():
            if not asker.by_monitor:
                self._masteries.giving.abandon(group, lost)

    def is_up(self, group: str, state: GroupState) -> None:
        """It runs here: what was cancelled is over."""
        self._cancelled.pop(group, None)
        if state is GroupState.ONLINE:
            self._tried.discard(group)

    def leads(self, group: str) -> str:
        """Where a giveover would lead, as rgm/control.py wants it: "move", or "refuse: " and why."""
        if group in self._cancelled:
            return f"refuse: {self._cancelled[group]}"
        if group not in self._able:
            self._able[group] = self._masteries.somewhere(group, self._boottime())
        _group, able, why = self._able[group]
        return "move" if able else f"refuse: {why}"

    def begin(self, app: App, because: str, by_monitor: bool) -> None:
        """The RGM grants it, if somebody takes it."""
        self._begin(Asker(app, because, by_monitor))

    def check_only(self, app: App, told: Told) -> None:
        """`told` hears "" if somebody would take it, or why not; nothing is done. Sun: CHECK_GIVEOVER, semantics.md
        7.2."""
        self._begin(Asker(app, "asked by CHECK_GIVEOVER", False, trial=True))
        if not self.hear(app.resource.group, told):
            told(f"{app.resource.group} is not up here, or is being given up")

    def _begin(self, asker: Asker) -> None:
        group = asker.app.resource.group
        self._changed(group)
        given = self._masteries.giveover(group, asker.because, self._boottime(), asker.trial)
        if given:
            for before in {each for name in (group, given) if (each := self._askers.get(name)) is not None}:
                asker.told += before.told  # who only tried hears what comes of it
            self._askers[group] = self._askers[given] = asker
        self._look()

    def possible(self, group: str) -> None:
        """Somebody would take it; that was all that was asked."""
        asker = self._pop(group)
        if asker is not None:
            asker.tell("")

    def hear(self, group: str, told: Told) -> bool:
        """`told` hears why the giveover under way is cancelled, or "" as soon as the group leaves. False: none is."""
        asker = self._askers.get(group)
        if asker is None:
            return False
        asker.told.append(told)
        return True

    def leaves(self, group: str, because: str) -> None:
        """It is brought down here: to be given up, or for another reason, which is no giveover."""
        asker = self._pop(group)
        if asker is not None:
            hold = self._masteries.held.get(group)
            asker.tell("" if hold is not None and hold.phase == LEAVING else because)

    def _pop(self, group: str) -> Asker | None:
        asker = self._askers.get(group)
        self._askers = {name: each for name, each in self._askers.items() if each is not asker}
        return asker

    def check(self, group: str, request: str) -> None:
        """Monitor_check of each resource that has one; the first that says no decides."""
        apps = [a for a in self._groups.apps(group) if a.resource.monitor_check_command is not None]
        left = {a.name for a in apps}
        bad: list[str] = []

        def done(app: App, result: Result) -> None:
            left.discard(app.name)
            if not (result.kind == "exit" and result.code == 0):
                bad.append(f"{app.name}: monitor_check_command {result.said}")
            if not left:
                self._masteries.checked(group, request, "; ".join(bad), self._boottime())
                self._look()

        for app in apps:
            command = app.resource.monitor_check_command
            assert command is not None
            limit = app.resource.monitor_check_timeout
            self._rgmd.run_method(app, "Monitor_check", command, limit, partial(done, app), "a giveover elsewhere")

    def cancelled(self, group: str, because: str) -> None:
        """Nobody takes it. Asked for by a judge here, one restart is tried, as for each giveover that is refused (Sun:
        semantics.md 5.4, rule 4); who else asked is told."""
        asker = self._pop(group)
        if asker is None:
            return
        if asker.trial:
            asker.tell(because)
            return
        app, rgmd = asker.app, self._rgmd
        rgmd.kept.decided(app, "giveover cancelled", because)
        rgmd.log.warning(f"giveover cancelled: {because}", resource=app.name)
        self._cancelled[group] = because
        if not asker.by_monitor:
            rgmd.set_status(app, ResourceStatus.UNKNOWN, f"giveover cancelled: {because}")
        elif app.view.life in (Life.ONLINE, Life.STARTING):
            rgmd.submit(app, GiveoverAsked(asker.because))
        elif app.view.life is Life.START_FAILED and app.name not in self._tried:
            self._tried.add(app.name)
            rgmd.submit(app, StartAsked(f"giveover cancelled, {because}: one more try"))
        self._cancelled.pop(group, None)
        asker.tell(f"{because}; it stays as it is")
