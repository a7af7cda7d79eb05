"""What a restart will need, made ready while nothing else waits: the constructors of its facts and orders.

The constructor of a Value is compiled at its first use, which is right for the many that a runner never uses. These are
used between a death and the new start, and the first application to die would wait for them.
"""

from __future__ import annotations

from gds.fault.score import Score
from gds.fault.verdict import Restart, Watch
from gds.model.value import rehearse
from gds.model.window import Mark
from gds.rgm.commands import ArmDelay, RunStart, RunStop, StartMonitor
from gds.rgm.events import RestartJudged, StartSucceeded


def rehearse_restart() -> None:
    """Once is enough; again is harmless. What has no fields (StopMonitor) has no constructor of its own."""
    rehearse(Score, Mark, Watch, Restart, RestartJudged, RunStop, ArmDelay, RunStart, StartSucceeded, StartMonitor)
