"""App: all the runner keeps in memory about one resource: one object, slots only, nothing runs for it when idle."""

from __future__ import annotations

from gds.fault.history import FRESH
from gds.model.window import EMPTY
from gds.rgm.events import RestartAsked, StartAsked
from gds.rgm.life import Life
from gds.rgm.resource import ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.daemon.fed import Run
    from gds.daemon.generic import SideMethod, StartMethod, StopMethod
    from gds.fault.history import MonitorState
    from gds.model.resource import Resource
    from gds.model.window import Window
    from gds.ports import Callback, TimerHandle, Tree


class App:
    """See the module. Instants are monotonic seconds unless the name says wall."""

    __slots__ = (
        "asked",
        "clock_rank",
        "delay",
        "depths",
        "enabled",
        "forgiven_at",
        "history",
        "imported",
        "incarnation",
        "monitor_failed",
        "monitor_failures",
        "monitored",
        "name",
        "online_since_wall",
        "own_monitor",
        "probe_at_wall",
        "probe_message",
        "probe_score",
        "probe_seconds",
        "probe_started",
        "probe_timer",
        "probing",
        "resource",
        "rg_restarts",
        "side",
        "start",
        "stop",
        "tags",
        "tree",
        "view",
        "wanted",
        "watchdog_at",
    )

    def __init__(self, resource: Resource) -> None:
        self.name = resource.name
        self.resource = resource
        self.view = ResourceView(resource.name)
        self.enabled = resource.enabled
        self.monitored = resource.monitored
        self.wanted = True
        """False: a person stopped it (kept within one boot)."""
        self.incarnation = 0
        self.tree: Tree | None = None
        self.depths: dict[int, int] | None = None
        self.history: MonitorState = FRESH
        self.forgiven_at = 0.0
        """Failures until this instant are forgotten, also by a monitor that adds them up itself (gds.dsdl)."""
        self.rg_restarts: Window = EMPTY
        """Restarts of its group that its monitor asked for (Num_rg_restarts)."""
        self.start: StartMethod | None = None
        self.stop: StopMethod | None = None
        self.side: SideMethod | None = None
        """Prenet_start or Postnet_stop under way."""
        self.delay: TimerHandle | None = None
        self.probing: Run | None = None
        self.probe_timer: TimerHandle | None = None
        self.probe_started = 0.0
        self.probe_score = -1
        self.probe_seconds = 0.0
        self.probe_at_wall = 0.0
        self.probe_message = ""
        self.monitor_failed = False
        self.monitor_failures: Window | None = None
        self.imported = False
        """Its state is being changed without methods: what it stands for has changed elsewhere (a proxy)."""
        self.own_monitor = ""
        """How far the monitor of a registered type is (ownmonitor.py)."""
        self.tags: tuple[str, ...] = ()
        """Nametags that Start of a registered type has asked for: what it runs is there as long as they are."""
        self.online_since_wall = 0.0
        self.watchdog_at = 0.0
        self.clock_rank = 0.0
        self.asked: list[Callback] | None = None
        """Who waits for the life to settle."""

    def forgive(self, left: MonitorState, now: float) -> None:
        """A restart, a giveover or a person ended what its failures may add up to; `left` is remembered still."""
        self.history, self.forgiven_at = left, now

    @property
    def is_dead(self) -> bool:
        """It counts as up, and has no process any more: it was left alone."""
        return self.view.life is Life.ONLINE and self.tree is None and self.resource.pmf_managed

    def asked_up(self, because: str) -> StartAsked | RestartAsked:
        """Somebody wants it up: what is dead has to be started anew."""
        return RestartAsked(because) if self.is_dead else StartAsked(because)

    @property
    def is_monitored(self) -> bool:
        """Somebody asks it how it is; of a registered type only when its Monitor_start is done."""
        return self.monitored and self.own_monitor in ("", "up")
