"""What callers of the library are given and give: frozen values and words. Sun: semantics.md 4.4, 5, 10, 15, 17."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from gds.errors import GdsError
from gds.fault.score import COMPLETE_FAILURE, PARTIAL_TIMEOUT
from gds.fault.verdict import Giveover, Healthy, LeaveAlone, Restart, Watch
from gds.model.scha import Code
from gds.model.state import FailoverMode, ResourceState, ResourceStatus
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Verdict: TypeAlias = Healthy | Watch | Restart | Giveover | LeaveAlone

    PropertyValue: TypeAlias = str | bool | int | tuple[str, ...]
    """A STRING or ENUM, BOOLEAN, INT, STRINGARRAY."""


class SchaError(GdsError):
    """The runner did not answer or do what was asked; `code` says why in Sun's terms (semantics.md 15.3)."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class PmfError(GdsError):
    """PMF did not do it: the tree runs already, is another user's, or its command cannot be executed."""


class Kind(StrEnum):
    """What a tree under PMF is for (Sun: SCDS_PMF_TYPE_SVC, _MON, _OTHER). The word ends its nametag."""

    SVC = "svc"
    MON = "mon"
    OTHER = "oth"


class PmfStatus(StrEnum):
    """The answer of pmf_get_status."""

    MONITORED = "MONITORED"
    NOT_MONITORED = "NOT_MONITORED"


class Priority(IntEnum):
    """Of a line in the system log, as syslog(3) has them."""

    ERR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


class Port(Value):
    """One entry of Port_list: `protocol` is tcp, tcp6, udp or udp6."""

    number: int
    protocol: str = "tcp"


class Properties(Value):
    """The properties a monitor or a method works with, as they were when they were read. Durations are seconds.

    None (or an empty tuple): the type of the resource does not declare it. Everything else: `Dsdl.property_lines`,
    `Dsdl.extension`.
    """

    type: str
    failover_mode: FailoverMode
    failover_enabled: bool = True
    retry_count: int | None = None
    retry_interval: float | None = None
    thorough_probe_interval: float | None = None
    cheap_probe_interval: float | None = None
    probe_timeout: float | None = None
    start_timeout: float | None = None
    stop_timeout: float | None = None
    monitor_stop_timeout: float | None = None
    child_mon_level: int = -1
    monitor_retry_count: int | None = None
    monitor_retry_interval: float | None = None
    port_list: tuple[Port, ...] = ()
    network_resources_used: tuple[str, ...] = ()
    resource_dependencies: tuple[str, ...] = ()
    resource_dependencies_weak: tuple[str, ...] = ()
    resource_dependencies_restart: tuple[str, ...] = ()
    resource_dependencies_offline_restart: tuple[str, ...] = ()


class Status(Value):
    """What is said of the resource, and the message with it (Sun: semantics.md 10.3)."""

    status: ResourceStatus
    message: str = ""


class Answer(Value):
    """What became of a request to the RGM. A monitor that is refused sleeps and goes on: many refusals cure
    themselves (Sun: semantics.md 7.1). `message` of a granted one says what is not up after all; "" = all is."""

    granted: bool
    code: Code
    message: str = ""


class Done(StrEnum):
    """What fm_action and fm_sleep did."""

    NOTHING = "NOTHING"
    """Well, not yet bad enough, or not judged: it is not up, or not monitored."""
    RESTARTED = "RESTARTED"
    """Restarted here, and up again: the failures so far are forgotten."""
    GAVE_OVER = "GAVE_OVER"
    """The group leaves this node; whoever runs under it is stopped any moment now."""
    REFUSED = "REFUSED"
    """Asked for, and refused; `because` says why. The monitor goes on."""
    LEFT_ALONE = "LEFT_ALONE"
    """The properties forbid both to restart and to move it; it is FAULTED."""
    FAILED = "FAILED"
    """The last resort, a restart after a refused giveover, failed too."""


class Taken(Value):
    """What was judged and what was done about it; `because` is the reason in one sentence."""

    done: Done
    verdict: Verdict
    because: str = ""
    code: Code = Code.NOERR


class Ran(Value):
    """The end of a command that timerun ran: its exit status (128 + N when signal N killed it), None when the time ran
    out and it was killed. `seconds` it took."""

    status: int | None
    seconds: float

    @property
    def timed_out(self) -> bool:
        """It was over its time."""
        return self.status is None


class Net(StrEnum):
    """What came of one family of net_probe."""

    OK = "OK"
    NA = "NA"
    """The host has no address of that family."""
    REFUSED = "REFUSED"
    """Nobody listens (Sun: SCHA_ERR_STATE)."""
    TIMEOUT = "TIMEOUT"
    """No answer within the time (Sun: SCHA_ERR_TIMEOUT)."""


class NetProbe(Value):
    """The answer of net_probe: IPv4 and IPv6 apart, and together: one family that fails fails the call.

    `message`: what was wrong, "" when nothing was. `seconds`: how long the slower one took."""

    ipv4: Net
    ipv6: Net
    message: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Each family that the host has an address of answered, and it has one."""
        both = (self.ipv4, self.ipv6)
        return Net.OK in both and all(each in (Net.OK, Net.NA) for each in both)

    @property
    def score(self) -> int:
        """For fm_action: 0, PARTIAL (no answer in time) or COMPLETE_FAILURE, as the runner's own probe scores."""
        if self.ok:
            return 0
        both = (self.ipv4, self.ipv6)
        return PARTIAL_TIMEOUT if Net.TIMEOUT in both and Net.REFUSED not in both else COMPLETE_FAILURE


UP = (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED, ResourceState.MONITOR_FAILED)
"""States in which the service runs."""
