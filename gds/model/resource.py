"""Resource, Group, Plan: all that was declared, checked and frozen; the rest of gds trusts it.

A field of `Resource` carries the name of its key in the descriptor; its default is the key's default, written once,
here (`properties.py` adds type, bounds, tunability and help). Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from gds.model.names import ADDRESS_TYPES
from gds.model.state import FailoverMode
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.typed import Typed

UNLIMITED = -1
"""A limit of `limits` that is "infinity"."""


class Command(Value):
    """A command as it is executed: `argv[0]` is looked for in PATH when it has no slash.

    `text` is what the user wrote when it was a string; then `argv` is `/bin/sh -c text`. Empty for an array.
    """

    argv: tuple[str, ...]
    text: str = ""

    @property
    def shown(self) -> str:
        """How a person would recognise it."""
        return self.text or " ".join(self.argv)


class Port(Value):
    """One entry of port_list (Sun: semantics.md 12.4)."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


class Probe(Value):
    """A built-in probe: `kind` is tcp, http, unix or notify; `target` what it asks, as the user wrote it.

    Scores 0..100 say how bad each way to fail is: `refused_score` nobody listens, `timeout_score` no answer in time,
    `disconnect_score` answered but did not end well, `status_score` an HTTP status outside `expect`, `error_score`
    anything else. For notify, `interval` (seconds) is how often WATCHDOG=1 must come; 0 = thorough_probe_interval.
    """

    kind: str
    target: str
    host: str = ""
    port: int = 0
    path: str = ""
    interval: float = 0.0
    expect: tuple[tuple[int, int], ...] = ((200, 399),)
    refused_score: int = 100
    timeout_score: int = 50
    disconnect_score: int = 50
    status_score: int = 100
    error_score: int = 100


class ExitMap(Value):
    """How an exit status of probe_command becomes a score: pairs (status, score), `other` for the rest."""

    pairs: tuple[tuple[int, int], ...]
    other: int = 100


class Output(Value):
    """Where stdout or stderr goes: `kind` is inherit, journal, null or file.

    A file with `rotate` = 0 is handed to the application itself (costs nothing); else the runner copies, and starts a
    new file at `rotate` bytes, keeping `keep` old ones.
    """

    kind: str = "inherit"
    path: str = ""
    rotate: int = 0
    keep: int = 5


INHERIT = Output()


class Need(Value):
    """One entry of a dependency list: the resource `on`, and by `where` on which node: LOCAL_NODE, ANY_NODE,
    FROM_RG_AFFINITIES (the default), or the name of a node (Sun: semantics.md 11.2). On one node all mean the same."""

    on: str
    where: str = "FROM_RG_AFFINITIES"

    def __str__(self) -> str:
        if self.where == "FROM_RG_AFFINITIES":
            return self.on
        return f"{self.on}{{{self.where}}}" if self.where in QUALIFIERS else f"{self.on}@{self.where}"


QUALIFIERS = ("LOCAL_NODE", "ANY_NODE", "FROM_RG_AFFINITIES")


class Resource(Value):
    """One application with its properties. Names, defaults and meaning: design.md 3 and semantics.md 2.2."""

    name: str
    start_command: Command
    group: str = ""
    type: str = "gds"
    description: str = ""
    enabled: bool = True
    monitored: bool = True
    stop_command: Command | None = None
    probe_command: Command | None = None
    validate_command: Command | None = None
    port_list: tuple[Port, ...] = ()
    network_aware: bool = False
    child_mon_level: int = -1
    stop_signal: int = 15
    failover_enabled: bool = True
    failover_mode: FailoverMode = FailoverMode.SOFT
    pmf_managed: bool = True
    log_level: str = "NONE"
    start_timeout: float = 300.0
    stop_timeout: float = 300.0
    validate_timeout: float = 300.0
    probe_timeout: float = 30.0
    retry_count: int = 2
    retry_interval: float = 370.0
    thorough_probe_interval: float = 60.0
    num_probe_timeouts: int = 2
    monitor_retry_count: int = 4
    monitor_retry_interval: float = 120.0
    probe: Probe | None = None
    exit_map: ExitMap | None = None
    start_grace: float = 0.1
    restart_delay: float = 0.0
    restart_delay_max: float = 30.0
    ready: str = "probe"
    user: str = ""
    group_name: str = ""
    supplementary_groups: tuple[str, ...] = ()
    working_directory: str = ""
    umask: int = -1
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[str, ...] = ()
    pass_environment: tuple[str, ...] = ()
    limits: tuple[tuple[str, int, int], ...] = ()
    nice: int = 0
    oom_score_adjust: int = 0
    stdout: Output = INHERIT
    stderr: Output = INHERIT
    resource_dependencies: tuple[Need, ...] = ()
    resource_dependencies_weak: tuple[Need, ...] = ()
    resource_dependencies_restart: tuple[Need, ...] = ()
    resource_dependencies_offline_restart: tuple[Need, ...] = ()
    prenet_start_command: Command | None = None
    postnet_stop_command: Command | None = None
    init_command: Command | None = None
    boot_command: Command | None = None
    fini_command: Command | None = None
    update_command: Command | None = None
    monitor_check_command: Command | None = None
    prenet_start_timeout: float = 300.0
    postnet_stop_timeout: float = 300.0
    init_timeout: float = 300.0
    boot_timeout: float = 300.0
    fini_timeout: float = 300.0
    update_timeout: float = 300.0
    monitor_check_timeout: float = 300.0
    hostnamelist: tuple[str, ...] = ()
    netiflist: tuple[str, ...] = ()
    prefix: tuple[int, ...] = ()
    check_name_service: bool = True
    typed: Typed | None = None
    """Of a resource of a registered type: the type, and all its settings."""

    @property
    def is_address(self) -> bool:
        """It has no application, but network addresses (model/hostname.py)."""
        return self.type in ADDRESS_TYPES

    @property
    def has_probe(self) -> bool:
        """Something can ask the application how it is; without, only its processes are watched (semantics.md 2.6)."""
        return self.probe_command is not None or self.probe is not None or bool(self.tcp_ports)

    @property
    def tcp_ports(self) -> tuple[Port, ...]:
        """The ports the built-in connect probe asks, when neither probe_command nor probe is given."""
        if self.probe_command is not None or self.probe is not None or not self.network_aware:
            return ()
        return tuple([p for p in self.port_list if p.protocol in ("tcp", "tcp6")])

    @property
    def wants_notify(self) -> bool:
        """The application talks to us: it gets a NOTIFY_SOCKET of its own."""
        return self.ready == "notify" or (self.probe is not None and self.probe.kind == "notify")

    @property
    def is_told(self) -> bool:
        """The probe does not ask: the application has to say WATCHDOG=1 by itself."""
        return self.probe_command is None and self.probe is not None and self.probe.kind == "notify"

    @property
    def watchdog_interval(self) -> float:
        """Seconds within which WATCHDOG=1 must come, for one that is told."""
        return (self.probe.interval if self.probe is not None else 0.0) or self.thorough_probe_interval

    @property
    def needs_launcher(self) -> bool:
        """Something must be done between fork and exec that posix_spawn cannot do."""
        return bool(
            self.user
            or self.group_name
            or self.supplementary_groups
            or self.limits
            or self.nice
            or self.oom_score_adjust
        )


class Group(Value):
    """A set of resources that lives on one node at a time (Sun: semantics.md 13). What concerns several nodes is kept
    for the engine that has them; an entry of `rg_affinities` is a sign and a group's name."""

    name: str
    description: str = ""
    resources: tuple[str, ...] = ()
    nodelist: tuple[str, ...] = ()
    rg_mode: str = "FAILOVER"
    maximum_primaries: int = 1
    desired_primaries: int = 1
    failback: bool = False
    pingpong_interval: float = 3600.0
    rg_dependencies: tuple[str, ...] = ()
    rg_affinities: tuple[str, ...] = ()
    implicit_network_dependencies: bool = True
    auto_start_on_new_cluster: bool = True


class Source(Value):
    """One file a Plan was made from; `path` is absolute, however it was typed."""

    path: str
    digest: str


class Warning_(Value):
    """A remark of the linter about one key; never stops a run (design.md 2)."""

    path: str
    line: int
    column: int
    key: str
    code: str
    message: str


class Plan(Value):
    """Everything that was declared; complete and trusted from here on."""

    resources: tuple[Resource, ...] = ()
    groups: tuple[Group, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[Warning_, ...] = ()

    def resource(self, name: str) -> Resource | None:
        """The resource of that name."""
        for each in self.resources:
            if each.name == name:
                return each
        return None
