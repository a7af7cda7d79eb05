"""Whatever happens to a nametag, in whatever order: its promises (Sun: semantics.md 4.1)."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gds.pmf import tag
from gds.pmf.tag import (
    FOR_EVER,
    THROTTLE,
    UNLIMITED,
    ActionFailed,
    ActionSucceeded,
    CancelPause,
    Emptied,
    Life,
    Modified,
    Pause,
    PauseOver,
    Remove,
    RunAction,
    Start,
    Started,
    StartFailed,
    StopAsked,
    TagView,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.pmf.tag import Event

RETRIES = st.sampled_from([UNLIMITED, 0, 1, 2, 3, 10])
MOSTLY = st.integers(0, 9).map(bool)
PERIOD = st.sampled_from([FOR_EVER, 60.0, 90.0, 600.0])


class Tags(RuleBasedStateMachine):
    """One tag, and beside it a plain count of what happened. Only facts that a real driver can tell are told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.view = TagView("t")
        self.runs = ""  # what has processes now: "command", "action", or nothing
        self.is_starting = False
        self.action_told = False
        self.due: float | None = None
        self.starts: list[float] = []
        """Since the history was last cleared: by -m, or by an action program that succeeded."""
        self.failures: list[float] = []
        """Since then, too."""
        self.action_starts: list[float] = []
        self.is_left_alone = False
        """Nobody changes or stops it: so its life gets far."""
        self.is_stopped = False
        self.is_removed = False

    @initialize(retries=RETRIES, period=PERIOD, action=st.booleans(), left_alone=st.booleans(), works=MOSTLY)
    def begin(self, retries: int, period: float, action: bool, left_alone: bool, works: bool) -> None:
        self.is_left_alone = left_alone
        made = tag.begin("t", retries, period, action, "asked for")
        self.view = made.view
        self.obey(made)
        self.comes_back(works)

    def tell(self, event: Event) -> None:
        before = self.view
        made = tag.step(before, event, self.now)
        self.view = made.view
        assert made.ignored or made.because, f"{event} was decided without a reason"
        if made.ignored:
            assert made.view == before
            assert not made.orders
        if isinstance(event, ActionSucceeded) and not made.ignored:
            self.starts = []
            self.failures = []
        self.obey(made)
        if isinstance(event, ActionSucceeded) and not made.ignored:
            self.action_starts.append(self.now if self.due is None else self.due)

    def obey(self, made: tag.Step) -> None:
        """As the driver does; an order that makes no sense now is a fault."""
        for order in made.orders:
            assert not self.is_removed, f"{order} for a tag that is gone"
            if isinstance(order, Start | RunAction):
                assert not self.runs, f"{order} while {self.runs} has processes"
                assert not self.is_starting
                assert not self.is_stopped, f"{order} after -s"
                assert order.because
            if isinstance(order, Start):
                self.is_starting = True
                self.starts.append(self.now)
            elif isinstance(order, RunAction):
                assert self.view.has_action
                self.runs, self.action_told = "action", False
            elif isinstance(order, Pause):
                assert 0 < order.seconds <= THROTTLE
                self.due = self.now + order.seconds
            elif isinstance(order, CancelPause):
                assert self.due is not None
                self.due = None
            else:
                assert isinstance(order, Remove)
                assert not self.runs, "removed while it has processes"
                self.is_removed = True

    # -- what may happen ----------------------------------------------------------------------------------------------

    @rule(seconds=st.floats(0.0, 120.0))
    def time_passes(self, seconds: float) -> None:
        if self.due is not None and self.now + seconds >= self.due:
            self.now, self.due = self.due, None
            self.tell(PauseOver())
        else:
            self.now += seconds

    @precondition(lambda self: self.is_starting)
    @rule(works=MOSTLY)
    def a_start_comes_back(self, works: bool) -> None:
        self.comes_back(works)

    def comes_back(self, works: bool) -> None:
        self.is_starting = False
        self.runs = "command" if works else ""
        if not works:
            self.failures.append(self.now)
        self.tell(Started() if works else StartFailed("cannot execute it"))

    @precondition(lambda self: self.runs == "command")
    @rule(how=st.sampled_from(["exit status 0", "exit status 1", "killed by SIGKILL"]), soon=st.booleans())
    def the_command_ends(self, how: str, soon: bool) -> None:
        self.runs = ""
        self.failures.append(self.now)
        used = len([at for at in self.failures if at >= self.now - self.view.span])
        allowed = self.view.retries == UNLIMITED or used <= self.view.retries
        self.tell(Emptied(how))
        assert self.is_starting == (allowed and not self.is_stopped), f"{used} failures of {self.view.retries}"
        if self.is_starting and soon:
            self.comes_back(True)

    @precondition(lambda self: self.runs == "command" and self.view.has_action and not self.is_stopped)
    @rule()
    def it_ends_until_the_action_program_helps(self) -> None:
        while self.runs == "command" and self.view.retries != UNLIMITED:
            self.the_command_ends("exit status 1", True)
        if self.runs == "action":
            self.the_action_exits(True)
        if self.is_starting:
            self.comes_back(True)

    @precondition(lambda self: self.runs == "action" and not self.action_told)
    @rule(works=st.booleans())
    def the_action_exits(self, works: bool) -> None:
        self.action_told = True
        if works and not self.is_stopped:
            self.runs = ""  # the driver leaves its other processes behind
            self.tell(ActionSucceeded())
        else:
            self.tell(ActionSucceeded() if works else ActionFailed("exit status 1"))

    @precondition(lambda self: self.runs == "action" and self.action_told)
    @rule()
    def the_last_process_of_the_action_ends(self) -> None:
        self.runs = ""
        self.tell(Emptied("exit status 0"))

    @precondition(lambda self: not self.is_left_alone)
    @rule()
    def stop(self) -> None:
        self.tell(StopAsked("stop"))
        self.is_stopped = True

    @precondition(lambda self: not self.is_left_alone)
    @rule(retries=st.none() | RETRIES, period=st.none() | PERIOD)
    def modify(self, retries: int | None, period: float | None) -> None:
        was_gone = self.view.life is Life.GONE
        self.tell(Modified("changed", retries, period))
        if not was_gone:
            # what runs, or is on its way, was started before the history that counts from now on
            self.starts = self.starts[-1:] if self.runs == "command" or self.is_starting else []
            self.failures = []
            assert self.view.used(self.now) == 0

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def never_more_than_1_plus_n_starts_in_the_window(self) -> None:
        if self.view.retries != UNLIMITED:
            span = self.view.span
            for last, at in enumerate(self.starts):
                inside = [each for each in self.starts[: last + 1] if each >= at - span]
                assert len(inside) <= 1 + self.view.retries

    @invariant()
    def the_history_is_bounded(self) -> None:
        assert len(self.view.failures.marks) <= 1 + max(0, self.view.retries)

    @invariant()
    def actions_start_the_command_at_most_once_a_minute(self) -> None:
        for one, next_one in zip(self.action_starts, self.action_starts[1:], strict=False):
            assert next_one - one >= THROTTLE - 1e-6

    @invariant()
    def the_life_says_what_there_is(self) -> None:
        life = self.view.life
        assert (life is Life.GONE) == self.is_removed
        assert (life is Life.WAITING) == (self.due is not None)
        if life is Life.STARTING:
            assert self.is_starting
        if life is Life.RUNNING:
            assert self.runs == "command"
        if life is Life.ACTING:
            assert self.runs == "action"
        if life is Life.LEAVING:
            assert self.runs or self.is_starting
        if self.runs or self.is_starting:
            assert not self.is_removed, "forgotten with its processes"


Tags.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestTags = Tags.TestCase
