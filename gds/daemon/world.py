"""World: everything the drivers are handed, and what each of these things has to be able to do.

runner.py builds it, with a reason for each wire.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from gds.daemon import environment
    from gds.daemon.app import App
    from gds.daemon.fed import Fed, Run
    from gds.fault.history import MonitorState
    from gds.fault.score import Outcome, Score
    from gds.fault.unable import Tried
    from gds.fault.verdict import Verdict
    from gds.model.resource import Output, Resource
    from gds.model.value import Value
    from gds.ports import Forest, Launch, Scheduler
    from gds.rgm.events import Event
    from gds.rgm.resource import ResourceView, Step

    class Prober(Protocol):
        """Asks the built-in probes."""

        def ask(self, resource: Resource, on_answer: Callable[[Outcome], None]) -> Run: ...

    class Outputs(Protocol):
        """Where stdout and stderr go."""

        def open(self, name: str, stream: str, output: Output, uid: int, gid: int) -> int: ...
        def after_spawn(self, name: str) -> None: ...
        def flush(self, name: str) -> None: ...

    class Notifies(Protocol):
        """NOTIFY_SOCKETs of applications."""

        def open(self, name: str, uid: int) -> str: ...
        def drain(self, name: str) -> None: ...

    class Kept(Protocol):
        """What survives the runner."""

        def about_to_start(self, app: App) -> None: ...
        def changed(self, app: App) -> None: ...
        def decided(self, app: App, event: str, because: str, **facts: object) -> None: ...
        def told(self, event: str, because: str) -> None: ...
        def probed(self, app: App, points: int, text: str) -> None: ...
        def stepped(self, app: App, event: Event, made: Step, around: Value | None, on_giveover: str) -> None: ...
        def judged(
            self, app: App, now: float, before: MonitorState, got: Score, said: Verdict, outcome: Outcome | None
        ) -> None: ...
        def tried(self, app: App, message: str, came: Tried) -> None: ...
        def forget(self, app: App) -> None: ...

    class Cluster(Protocol):
        """Several nodes: says where groups may run (daemon/tenant.py)."""

        @property
        def here(self) -> str: ...
        def observed(self, app: App) -> None: ...
        def redeclared(self) -> None: ...
        def is_taken_up(self, group: str) -> bool: ...
        def token(self, group: str) -> int: ...
        def masters(self, group: str) -> list[str]: ...
        def refusal(self, group: str) -> str: ...
        def far(self, name: str, resource: str, node: str) -> ResourceView | None: ...
        def on_giveover(self, group: str, by_monitor: bool) -> str: ...
        def explains(self, app: App) -> bool: ...
        def giveover(self, app: App, because: str, by_monitor: bool) -> None: ...
        def check_giveover(self, app: App, told: Callable[[str], None]) -> None: ...
        def hear_giveover(self, group: str, told: Callable[[str], None]) -> bool: ...

    class Deadline(Protocol):
        """What kills everything here at an instant (CLOCK_BOOTTIME seconds): linux/guarding.py."""

        pid: int
        """0: it is not there."""

        def arm(self, deadline: float) -> None: ...
        def disarm(self) -> None: ...
        def deadline(self) -> float: ...
        def killed(self) -> tuple[int, float]: ...
        def is_quiet(self) -> bool: ...
        def addresses(self, resources: Iterable[str]) -> None: ...
        def close(self) -> None: ...
        def describe(self) -> dict[str, Any]: ...

    class Log(Protocol):
        """The runner's own log."""

        def info(self, text: str, **fields: str | int | float | bool | None) -> None: ...
        def warning(self, text: str, **fields: str | int | float | bool | None) -> None: ...
        def error(self, text: str, **fields: str | int | float | bool | None) -> None: ...


class World:
    """Everything the drivers are handed: see runner.py, which builds it with a reason for each wire."""

    __slots__ = (
        "abort",
        "accounts",
        "chance",
        "cluster",
        "environ",
        "everything",
        "fed",
        "files",
        "forest",
        "kept",
        "launch",
        "leave",
        "log",
        "loop",
        "node",
        "notifies",
        "observed",
        "on_giveover",
        "outputs",
        "prober",
        "socket",
        "wall",
    )

    loop: Scheduler
    forest: Forest
    fed: Fed
    prober: Prober
    outputs: Outputs
    notifies: Notifies
    kept: Kept
    log: Log
    launch: type[Launch]
    accounts: Callable[[Resource], environment.Account]
    files: Callable[[Resource], dict[str, str]]
    environ: Mapping[str, str]
    everything: bool
    node: str
    socket: str
    on_giveover: str
    leave: Callable[[str], None]
    cluster: Cluster | None
    abort: Callable[[str, Resource], None]
    observed: Callable[[App], None]
    wall: Callable[[], float]
    chance: Callable[[], float]

    def __init__(self) -> None:
        self.cluster = None
