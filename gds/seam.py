"""Where the fault monitor meets the RGM: a verdict as a request, and as a status.

`fault` does not know `rgm`, as Sun's monitors did not know rgmd: they called scha_control and scha_resource_setstatus.
This is that call. The driver of the monitor and `simulate.py` use the same.
"""

from __future__ import annotations

from gds.fault.verdict import Giveover, Healthy, LeaveAlone, Restart, Watch
from gds.model.state import ResourceStatus
from gds.rgm.events import GiveoverAsked, LeftAlone, RestartJudged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.fault.verdict import Verdict


def request(said: Verdict, delay: float = 0.0) -> RestartJudged | GiveoverAsked | LeftAlone | None:
    """What the RGM is asked for; `delay` seconds are waited before a restart. None: nothing is."""
    if isinstance(said, Restart):
        return RestartJudged(said.because, delay, said.cause)
    if isinstance(said, Giveover):
        return GiveoverAsked(said.because)
    if isinstance(said, LeaveAlone):
        return LeftAlone(said.because)
    return None


def status(said: Verdict, message: str = "") -> tuple[ResourceStatus, str] | None:
    """What the monitor says of the resource, and the message; None: that is for the RGM to say. `message`: what the
    probe itself printed."""
    if isinstance(said, Healthy):
        return ResourceStatus.OK, message
    if isinstance(said, Watch):
        return ResourceStatus.DEGRADED, f"{said.because}: {message}" if message else said.because
    return None
