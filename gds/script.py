"""A play for the judges: the script (timed facts), and the transcript (every decision with its reason). Values only."""

from __future__ import annotations

from gds.fault.score import Outcome
from gds.model.state import ResourceState, ResourceStatus
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

ACTS = ("start", "stop", "restart", "enable", "disable", "monitor", "unmonitor", "giveover", "clear")
"""What a person may ask for."""


class Starting(Value):
    """The course of a Start: after `takes` seconds (-1: no longer than it must) it is done; or has failed, because of
    `fails`; or the last process has ended, as `dies` says; or nothing happens at all (`hangs`)."""

    takes: float = -1.0
    fails: str = ""
    dies: str = ""
    hangs: bool = False


class Stopping(Value):
    """The course of a Stop: the tree ends `takes` seconds after it began, or only by SIGKILL (`deaf`), or the processes
    `leaves` survive even that. stop_command ends after `command_takes` seconds as `command` says ("": well), or
    never (`command_hangs`)."""

    takes: float = 0.0
    deaf: bool = False
    leaves: tuple[int, ...] = ()
    command: str = ""
    command_takes: float = 0.0
    command_hangs: bool = False


class Died(Value):
    """The last process of the tree ended; `how` in words."""

    at: float
    resource: str
    how: str


class Probed(Value):
    """A probe answered. For an application that has to say WATCHDOG=1, a timeout means that it did not."""

    at: float
    resource: str
    outcome: Outcome


class Asked(Value):
    """A person asks for one of ACTS."""

    at: float
    resource: str
    act: str


class Starts(Value):
    """From now on each Start (0: for good, else the next `times`) takes this course."""

    at: float
    resource: str
    course: Starting
    times: int = 0


class Stops(Value):
    """The same for Stop."""

    at: float
    resource: str
    course: Stopping
    times: int = 0


if TYPE_CHECKING:
    Fact: TypeAlias = Died | Probed | Asked | Starts | Stops


class Script(Value):
    """Facts, and the rest of the world: `until` (seconds; -1: until nothing is due), `on_giveover` (exit or refuse),
    `chance` (0..1) for the ± 10 % of a restart delay."""

    facts: tuple[Fact, ...] = ()
    until: float = -1.0
    on_giveover: str = "refuse"
    chance: float = 0.5


class Line(Value):
    """What happened `at` (seconds) to `resource`. `kind`: fact (of the script), method (the course of Start and Stop),
    verdict (the fault monitor's), state (the RGM's), status, order, answer (to a person)."""

    at: float
    resource: str
    kind: str
    text: str


class Standing(Value):
    """Where a resource stands. `started`: Starts so far; `restarts` and `sum` count within `interval`."""

    name: str
    state: ResourceState
    status: ResourceStatus
    because: str
    started: int
    restarts: int
    limit: int
    interval: float
    sum: int


class Transcript(Value):
    """All of a play. `at`: its end; `exit_status` -1: the runner goes on; `cut`: there was no end to it."""

    before: tuple[Standing, ...]
    lines: tuple[Line, ...]
    after: tuple[Standing, ...]
    at: float
    exit_status: int
    cut: bool
