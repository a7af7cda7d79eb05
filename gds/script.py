"""A play for the judges: the script (timed facts), and the transcript (every decision with its reason). Values only."""

from __future__ import annotations

from gds.fault.history import FRESH, MonitorState
from gds.fault.score import Outcome, Score
from gds.model.state import GroupState, ResourceState, ResourceStatus
from gds.model.value import Value
from gds.model.window import EMPTY, Window
from gds.rgm.control import Optag
from gds.rgm.resource import ALONE, Around, ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from gds.rgm.events import Event

ACTS = ("start", "stop", "restart", "enable", "disable", "monitor", "unmonitor", "giveover", "clear")
"""What a person may ask for."""
GROUP_ACTS = ("online", "offline", "restart", "suspend", "resume", "manage", "unmanage", "clear")
"""What a person may ask of a group."""


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


class Siding(Value):
    """The course of Prenet_start or Postnet_stop: its command ends after `takes` seconds as `ended` says ("": well), or
    never (`hangs`)."""

    takes: float = 0.0
    ended: str = ""
    hangs: bool = False


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
    dead: bool = False
    """Recorded, as all that follows: the application had no process left."""
    around: Around = ALONE
    on_giveover: str = ""


class Asked(Value):
    """A person asks for one of ACTS. Recorded are `around`, what the others had to say, and `on_giveover`."""

    at: float
    resource: str
    act: str
    around: Around = ALONE
    on_giveover: str = ""


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


class Sides(Value):
    """The same for a method beside them: "Prenet_start" or "Postnet_stop"."""

    at: float
    resource: str
    method: str
    course: Siding
    times: int = 0


class GroupAsked(Value):
    """A person asks for one of GROUP_ACTS."""

    at: float
    group: str
    act: str


class Requested(Value):
    """Root asks for `optag` through scha_control, as monitors and methods do."""

    at: float
    resource: str
    optag: Optag


class Stands(Value):
    """Recorded: this is where it stands now. `unable`: the monitor's own failures."""

    at: float
    resource: str
    view: ResourceView
    history: MonitorState = FRESH
    unable: Window = EMPTY
    monitored: bool = True
    monitor_failed: bool = False
    alive: bool = False


class Happened(Value):
    """Recorded: the RGM was told `event`, while the others had `around` to say. `on_giveover`: "" as the script's."""

    at: float
    resource: str
    event: Event
    around: Around = ALONE
    on_giveover: str = ""


class Weighed(Value):
    """Recorded: the judge was told a score that no probe gave. `dead`: the application had no process left."""

    at: float
    resource: str
    score: Score
    dead: bool = False
    around: Around = ALONE
    on_giveover: str = ""


if TYPE_CHECKING:
    Found: TypeAlias = Died | Probed | Asked | Starts | Stops | Sides | Requested | Stands | Happened | Weighed
    """Of a resource."""
    Fact: TypeAlias = Found | GroupAsked


class Decision(Value):
    """What was decided `at` about `resource`: `said` is the life and status that a fact led to ("CYCLING, DEGRADED"), a
    verdict ("Restart"), or a status of the monitor ("status OK")."""

    at: float
    resource: str
    said: str
    because: str


class Script(Value):
    """Facts, and the rest of the world: `until` (seconds; -1: until nothing is due), `on_giveover` (exit or refuse),
    `chance` (0..1) for the ± 10 % of a restart delay."""

    facts: tuple[Fact, ...] = ()
    until: float = -1.0
    on_giveover: str = "refuse"
    chance: float = 0.5
    recorded: bool = False
    """The facts are those that a runner was told: nothing comes by itself, neither the start of a runner, nor the end
    of a Start, a Stop or a delay."""


class Line(Value):
    """What happened `at` (seconds) to `resource`. `kind`: fact (of the script), method (the course of Start and Stop),
    verdict (the fault monitor's), state (the RGM's), status, order, answer (to a person), group: the state of a group,
    whose name stands in `resource`."""

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


class GroupStanding(Value):
    """Where a group stands."""

    name: str
    state: GroupState
    suspended: bool = False


class Transcript(Value):
    """All of a play. `at`: its end; `exit_status` -1: the runner goes on; `cut`: there was no end to it."""

    before: tuple[Standing, ...]
    lines: tuple[Line, ...]
    after: tuple[Standing, ...]
    at: float
    exit_status: int
    cut: bool
    decisions: tuple[Decision, ...] = ()
    groups: tuple[GroupStanding, ...] = ()
    """Where the groups stand at its end; none where their resources say it all."""


class Difference(Value):
    """The first decision that is not the same: `expected`, then `made`; None where there is none. `same`: how many
    came before it, of all resources."""

    expected: Decision | None
    made: Decision | None
    same: int


def first_difference(expected: tuple[Decision, ...], made: tuple[Decision, ...]) -> Difference | None:
    """Compare what was decided, for each resource by itself, without its instants; None: all is the same."""
    left: dict[str, list[Decision]] = {}
    for each in made:
        left.setdefault(each.resource, []).append(each)
    for ours in left.values():
        ours.reverse()
    for number, wanted in enumerate(expected):
        mine = left.get(wanted.resource)
        if not mine:
            return Difference(wanted, None, number)
        got = mine.pop()
        if (got.said, got.because) != (wanted.said, wanted.because):
            return Difference(wanted, got, number)
    rest = [each for each in made if left.get(each.resource) and each in left[each.resource]]
    return Difference(None, rest[0], len(expected)) if rest else None
