"""The life of a resource in the hands of a world that does what it likes.

The judges are the real ones (`fault`, `seam`, `rgm`); the hands carry out orders as daemon/rgmd.py does, and then
methods succeed, fail or hang, the application dies, probes answer, people ask, in any order and at any time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gds import seam
from gds.fault.history import FRESH
from gds.fault.score import Score, of_death
from gds.fault.verdict import Restart, gave_over, judge, restart_delay, restarted
from gds.model.resource import Command, Resource
from gds.model.state import FailoverMode, ResourceStatus
from gds.model.value import Value
from gds.rgm import commands
from gds.rgm.events import (
    EVENTS,
    ClearAsked,
    DelayOver,
    GiveoverAsked,
    LeftAlone,
    RestartAsked,
    RestartJudged,
    StartAsked,
    StartFailed,
    StartSucceeded,
    StopAsked,
    StopFailed,
    StopSucceeded,
)
from gds.rgm.resource import IGNORED, Life, ResourceView, step

if TYPE_CHECKING:
    from gds.rgm.commands import Order
    from gds.rgm.events import Event

SPAN = 60.0
JUDGED = (RestartJudged, GiveoverAsked, LeftAlone)
SETTLED = (Life.ONLINE, Life.START_FAILED, Life.STOP_FAILED)
STOPPING = (Life.CYCLING, Life.STOPPING, Life.ABANDONING)


class ALife(RuleBasedStateMachine):
    """See the module. `alive`: processes of the application are there."""

    @initialize(
        mode=st.sampled_from([*FailoverMode, FailoverMode.SOFT, FailoverMode.SOFT]),
        on_giveover=st.sampled_from(["refuse", "refuse", "exit"]),
        count=st.integers(-1, 3),
        delay=st.sampled_from([0.0, 1.0]),
        may_move=st.sampled_from([True, True, False]),
        stop_command=st.booleans(),
    )
    def declared(
        self, mode: FailoverMode, on_giveover: str, count: int, delay: float, may_move: bool, stop_command: bool
    ) -> None:
        """Somebody wrote a descriptor."""
        command = Command(("web",))
        self.resource = Resource(
            "web",
            command,
            stop_command=command if stop_command else None,
            failover_mode=mode,
            failover_enabled=may_move,
            retry_count=count,
            retry_interval=SPAN,
            restart_delay=delay,
        )
        self.on_giveover = on_giveover
        self.now = 0.0
        self.first = self.view = ResourceView("web")
        self.history = FRESH
        self.queue: deque[Event] = deque()
        self.stepping = False
        self.told: list[tuple[Event, float]] = []
        self.alive = False
        self.ran = False  # since the last Stop
        self.start = self.stop = self.delay = self.monitor = self.leaving = False
        self.fruitless: list[float] = []
        self.tell(StartAsked("the runner starts"))

    # -- hands --------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """As rgmd.submit."""
        self.queue.append(event)
        if self.stepping:
            return
        self.stepping = True
        while self.queue:
            self.take(self.queue.popleft())
        self.stepping = False

    def take(self, event: Event) -> None:
        """As rgmd._step."""
        self.told.append((event, self.now))
        before = self.view
        made = step(before, event, self.resource.failover_mode, self.on_giveover, self.now)
        if made.ignored:
            assert made.view == before
            assert not made.orders
            return
        self.view = made.view
        if self.view.life is Life.ONLINE:
            self.fruitless = []
        for order in made.orders:
            self.carry_out(before, order)

    def carry_out(self, before: ResourceView, order: Order) -> None:
        """As rgmd._carry_out."""
        if isinstance(order, commands.RunStart):
            assert not self.alive, "started while something is left of the last incarnation"
            assert not self.start, "started while a Start is under way"
            assert not self.stop, "started while a Stop is under way"
            assert not self.ran, "started after a life without a Stop in between"
            assert not self.leaving, "started on a node that is being left"
            assert before.life is not Life.STOP_FAILED, "started what could not be stopped"
            self.start = self.alive = self.ran = True
            self.fruitless.append(self.now)
        elif isinstance(order, commands.RunStop):
            self.start = False
            assert not self.stop, "a Stop under way serves as well"
            self.stop = True
            if not self.alive and self.resource.stop_command is None:
                self.stop_ends()
        elif isinstance(order, commands.ArmDelay):
            assert order.seconds > 0
            self.delay = True
        elif isinstance(order, commands.CancelDelay):
            self.delay = False
        elif isinstance(order, commands.StartMonitor):
            self.monitor = True
            if order.restarted:
                self.history = restarted(self.history)
        elif isinstance(order, commands.StopMonitor):
            self.monitor = False
        elif isinstance(order, commands.PurgeHistory):
            self.history = gave_over()
        elif isinstance(order, commands.LeaveNode):
            assert self.on_giveover == "exit"
            self.leaving = True
            self.tell(StopAsked("leaving"))
        else:
            assert self.resource.failover_mode is FailoverMode.HARD
            assert self.view.life is Life.STOP_FAILED

    def stop_ends(self) -> None:
        """Nothing is left."""
        self.stop = self.alive = self.ran = False
        self.tell(StopSucceeded())

    def weigh(self, got: Score) -> None:
        """As daemon/monitor.py."""
        self.history, said = judge(self.history, got, self.resource, self.now)
        delay = 0.0
        if isinstance(said, Restart):
            delay = restart_delay(self.history, self.resource, self.now, lambda: 0.5)
        asked = seam.request(said, delay)
        if asked is not None:
            self.tell(asked)
        elif (status := seam.status(said)) is not None:
            self.view = self.view.replace(status=status[0], status_msg=status[1])

    # -- the world ----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 1.0, 20.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        """It does."""
        self.now += seconds

    @precondition(lambda self: not self.leaving)
    @rule(event=st.sampled_from([StartAsked("asked"), StartAsked("asked"), StopAsked("asked"), RestartAsked("asked")]))
    def person_asks(self, event: Event) -> None:
        """The receptionist lets nobody start what could not be stopped; here even that is tried."""
        self.fruitless = []
        self.tell(event)

    @precondition(lambda self: not self.leaving and self.view.life is Life.ONLINE and self.on_giveover == "exit")
    @rule()
    def person_asks_for_a_giveover(self) -> None:
        """The receptionist refuses it by itself where nobody could take it."""
        self.tell(GiveoverAsked("asked", by_monitor=False))

    @precondition(lambda self: self.view.life in SETTLED and (self.view.life is not Life.STOP_FAILED or not self.alive))
    @rule()
    def person_clears(self) -> None:
        """Refused by rgmd while processes are left."""
        if self.view.life is Life.STOP_FAILED:
            self.ran = False
        self.history = gave_over()
        self.tell(ClearAsked())

    @precondition(lambda self: not self.leaving)
    @rule()
    def all_goes_well(self) -> None:
        """Somebody wants it up, what is under way ends well, and it comes up."""
        self.tell(StartAsked("asked"))
        self.fruitless = []
        if self.delay:
            self.the_delay_is_over()
        if self.stop:
            self.stop_ends()
        if self.start:
            self.start_succeeds()

    @precondition(lambda self: self.start and self.alive)
    @rule()
    def start_succeeds(self) -> None:
        """It is available."""
        self.start = False
        self.tell(StartSucceeded())

    @precondition(lambda self: self.start)
    @rule(left=st.booleans())
    def start_fails(self, left: bool) -> None:
        """Half started, or not at all."""
        self.start = False
        self.alive = self.alive and left
        self.tell(StartFailed("it failed"))

    @precondition(lambda self: self.alive)
    @rule()
    def it_dies(self) -> None:
        """At any time: up, being started, being stopped, after a failed stop."""
        self.alive = False
        if self.stop:
            if self.resource.stop_command is None:
                self.stop_ends()
        elif self.view.life in (Life.ONLINE, Life.STARTING):
            self.weigh(of_death("killed by SIGKILL"))

    @precondition(lambda self: self.start and self.alive)
    @rule()
    def it_never_comes_up(self) -> None:
        """Each start of it ends in a death, until nobody starts it any more, or has to wait, or stops it first."""
        for _ in range(12):
            if self.start and self.alive:
                self.it_dies()
                self.failed_starts_end_when_nobody_asks()
            if self.delay:
                self.the_delay_is_over()

    @precondition(lambda self: self.monitor)
    @rule(points=st.sampled_from([0, 1, 50, 99, 100, 100, 201]))
    def a_probe_answers(self, points: int) -> None:
        """Also of an application that was left alone, dead."""
        self.weigh(Score(points, "probe"))

    @precondition(lambda self: self.stop)
    @rule()
    def stop_succeeds(self) -> None:
        """Nothing is left."""
        self.stop_ends()

    @precondition(lambda self: self.stop and self.alive)
    @rule()
    def stop_fails(self) -> None:
        """Something survived."""
        self.stop = False
        self.tell(StopFailed("process 7"))

    @precondition(lambda self: self.delay)
    @rule()
    def the_delay_is_over(self) -> None:
        """Its timer fires."""
        self.delay = False
        self.tell(DelayOver())

    @precondition(lambda self: self.view.life is not Life.OFFLINE)
    @rule(kind=st.sampled_from(EVENTS))
    def old_news(self, kind: type[Value]) -> None:
        """What a method or a monitor says too late: about a start or a stop that is not under way any more."""
        late = {
            StartSucceeded: not self.start,
            StartFailed: not self.start,
            StopSucceeded: not self.stop,
            StopFailed: not self.stop,
            DelayOver: not self.delay,
            **dict.fromkeys(JUDGED, not self.monitor and not self.start),
        }
        if late.get(kind):
            assert (self.view.life, kind) in IGNORED
            before = self.view
            self.tell(kind(*["late"] * ("because" in kind.__fields__)))  # type: ignore[arg-type]  # a kind of event
            assert self.view == before

    # -- promises -----------------------------------------------------------------------------------------------------

    @invariant()
    def no_life_is_left_pending_without_somebody_who_will_end_it(self) -> None:
        """And nobody works on a life that is at rest."""
        life = self.view.life
        assert self.start is (life is Life.STARTING)
        assert self.stop is (life in STOPPING)
        assert self.delay is (life is Life.WAITING)
        assert self.monitor is (life is Life.ONLINE)

    @invariant()
    def what_is_down_is_down(self) -> None:
        """Nothing runs where the life says so."""
        if self.view.life in (Life.OFFLINE, Life.WAITING, Life.START_FAILED):
            assert not self.alive
        if self.view.life is Life.OFFLINE:
            assert self.view.status is ResourceStatus.OFFLINE

    @invariant()
    def failed_starts_end_when_nobody_asks(self) -> None:
        """The first, retry_count more, and one more try; then it stays down."""
        count = self.resource.retry_count
        if count >= 0:
            recent = [at for at in self.fruitless if self.now - at <= SPAN]
            assert len(recent) <= count + 2

    @invariant()
    def the_last_try_is_over_when_it_is_decided(self) -> None:
        """It lasts from the one more Start to its end."""
        if self.view.life in (Life.ONLINE, Life.OFFLINE, Life.START_FAILED):
            assert not self.view.last_try
        if self.view.life not in (Life.ABANDONING, Life.START_FAILED, Life.ONLINE):
            assert not self.view.left_alone

    @invariant()
    def every_state_has_its_reason(self) -> None:
        """In words."""
        if self.told and self.view != self.first:
            assert self.view.because

    def teardown(self) -> None:
        """Replayed, the same events lead to the same view."""
        if not hasattr(self, "told"):
            return
        replayed = self.first
        for event, at in self.told:
            replayed = step(replayed, event, self.resource.failover_mode, self.on_giveover, at).view
        # what the monitor says of the resource is not the RGM's
        assert replayed.replace(status=self.view.status, status_msg=self.view.status_msg) == self.view


TestALife = ALife.TestCase
# many short lives find more than the profile's few: a life has some thirty edges, and pairs of them matter
TestALife.settings = settings(max_examples=3 * settings().max_examples, stateful_step_count=40)
