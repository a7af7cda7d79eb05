"""One node of the world of clusterworld.py: its clock, its runner, its guard, its applications."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gds.model.store import Unknown
from gds.rgm import member as life
from gds.rgm.mastery import Local, Masteries
from gds.rgm.member import FOREVER, Member
from gds.rgm.tenure import KILL, Tenure

if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.model.store import Answer, Record
    from tests.property.clusterworld import World

LIFETIME, RENEW, ATTEMPT, MARGIN = 5.0, 1.0, 0.7, 1.0


class Clock(NamedTuple):
    """One node's CLOCK_BOOTTIME."""

    began: float
    rate: float

    def at(self, true: float) -> float:
        """What it shows at a true instant."""
        return self.began + true * self.rate

    def when(self, shown: float) -> float:
        """The true instant at which it shows that."""
        return (shown - self.began) / self.rate


class App:
    """What runs of a group on a node."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.stopping = False


class Host:
    """A node: its clock, its runner (a Member, or none), its guard, its applications."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.member: Member | None = None
        self.masteries: Masteries
        self.apps: dict[str, App] = {}
        self.clock = Clock(0.0, 1.0)
        self.deadline = 0.0
        self.kept = ""
        self.boot = 0
        self.frozen = False
        self.freezing = 0.0
        """Seconds; from the next renewal on."""
        self.deaf = self.mute = False
        self.lag = 0.0
        self.steps = self.asked = 0
        self._generation = 0
        self._piled: list[Callable[[], object]] = []
        self._seen = 0
        self._seen_life = 0
        self._reading = False
        self._turning = False
        self._lives = 0
        self.absent: set[str] = set()
        """Groups that its files do not declare at present."""
        self._boot_anew()

    def _boot_anew(self) -> None:
        random = self.world.random
        self.boot += 1
        rate = random.choice((1.0, 0.996, 1.004, random.uniform(0.996, 1.004)))
        self.clock = Clock(random.uniform(0.0, 1000.0) - self.world.now * rate + 100.0, rate)
        self.kept, self.deadline = "", 0.0

    @property
    def shown(self) -> float:
        """What its clock shows."""
        return self.clock.at(self.world.now)

    # -- the runner ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A runner begins; it has the life that the one before it left in its directory."""
        if self.member is not None:
            return
        self._generation += 1

        def new_life() -> str:
            self._lives += 1
            return f"{self.name}-{self.boot}-{self._lives}"

        tenure = Tenure(LIFETIME, MARGIN, 0.0, -1e9)
        sent = self.deadline - LIFETIME + MARGIN
        identity = f"{self.name} boot {self.boot}"
        member = Member(self.name, tenure, RENEW, ATTEMPT, identity, "1", new_life, self.kept, sent)
        self.world.note(f"{self.name} runner starts, life {self.kept or 'new'}")
        self.masteries = Masteries(member, (), {}, {})
        self.member = member
        self._redeclare()
        may_go_on = member.may_go_on(self.shown)
        for group in list(self.apps):
            self._tell(group)
            if not may_go_on:
                self.stop_app(group, "left by the runner before")
        self._seen_life = 0
        self._reading = False
        self.pump()
        self.look()

    def crash(self) -> None:
        """The runner is killed."""
        self.world.note(f"{self.name} runner CRASHES")
        self.member = None
        self._generation += 1
        self._turning = False
        self._piled.clear()
        self.frozen = False

    def power_off(self) -> None:
        """All of the node ends at once."""
        self.crash()
        self.world.note(f"{self.name} is DEAD")
        for group in list(self.apps):
            self._gone(group)
        self._boot_anew()

    def freeze(self) -> None:
        """The runner does not run, while everything else does."""
        self.world.note(f"{self.name} runner FROZEN")
        self.frozen = True

    def thaw(self) -> None:
        """It runs again, and hears in any order what has piled up."""
        if not self.frozen:
            return
        self.world.note(f"{self.name} runner thaws")
        self.frozen = False
        piled, self._piled = self._piled, []
        if self.world.random.random() < 0.5:
            piled.reverse()
        for each in piled:
            each()
        self.look()

    def _awake(self, what: Callable[[], object]) -> Callable[[], object]:
        """Whatever comes to this very runner: when it runs."""
        generation = self._generation

        def come() -> None:
            if generation == self._generation:
                if self.frozen:
                    self._piled.append(come)
                else:
                    what()

        return come

    def reload(self) -> None:
        """Its files declare other groups than before."""
        if self.member is not None:
            self.world.note(f"{self.name} declares all but {self.absent}")
            self._redeclare()
            for group in self.absent & set(self.apps):
                self.stop_app(group, "it is not declared any more")
            self.look()

    def _redeclare(self) -> None:
        declared = tuple([g for g in self.world.groups.values() if g.name not in self.absent])
        limits = {g.name: 1.0 for g in declared if int(g.name[1:]) % 2}
        self.masteries.redeclare(declared, {g.name: "same" for g in declared}, limits)

    # -- one turn -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Decide soon."""
        if self.member is not None and not self._turning:
            self._turning = True
            self.world.after(0.001, self._awake(self._turn))

    def _turn(self) -> None:
        self._turning = False
        member = self.member
        assert member is not None
        self.steps += 1
        for order in member.step(self.shown):
            self._carry_out(order)
        if self.member is None:
            return
        due = member.due(self.shown)
        assert due > self.shown
        if due != FOREVER:
            steps = self.steps
            self.world.at(
                self.clock.when(due) + 1e-6, self._awake(lambda: self.look() if self.steps == steps else None)
            )

    def _carry_out(self, order: life.Order) -> None:
        world = self.world
        if isinstance(order, life.Commit):
            self._commit(order)
        elif isinstance(order, life.Arm):
            self._arm(order.until)
        elif isinstance(order, life.Online):
            self._start_app(order)
        elif isinstance(order, life.Offline):
            self.stop_app(order.group, order.because)
        elif isinstance(order, life.Check):
            said = "no" if world.chance(0.3) else ""
            if not world.chance(0.1):
                world.after(world.random.uniform(0.0, 0.8), self._awake(lambda: self._say(order, said)))
        elif isinstance(order, life.Cancelled):
            world.note(f"{self.name} says {order}")
            self.try_again(order.group)
        elif isinstance(order, life.Joined):
            self.kept = order.life
        elif isinstance(order, life.Refuse):
            self.crash()
        elif isinstance(order, life.Left):
            self.kept = ""
            self.crash()
        else:
            world.note(f"{self.name} says {order}")

    def _say(self, check: life.Check, because: str) -> None:
        self.masteries.checked(check.group, check.request, because, self.shown)
        self.look()

    # -- messages -----------------------------------------------------------------------------------------------------

    def _commit(self, order: life.Commit) -> None:
        world, random = self.world, self.world.random
        self.asked += 1
        if order.tag[0] == "renew" and self.freezing:
            world.after(0.001, self._awake(self.freeze))
            world.after(self.freezing, self.thaw)
            self.freezing = 0.0
        open_ = [True]
        life_then = world.store_life

        def finish(answer: Answer) -> None:
            if open_[0] and self.member is not None:
                open_[0] = False
                if order.tag[0] != "renew":
                    world.note(f"{self.name} {order.tag}: {answer}")
                self.member.answered(order.tag, answer, self.shown)
                self.look()

        def arrive() -> None:
            if world.away or world.store_life != life_then:
                return
            answer = world.commit(order.transaction)
            if not (self.deaf or world.chance(0.03)):
                world.after(self._delay(), self._awake(lambda: finish(answer)))

        world.after(ATTEMPT, self._awake(lambda: finish(Unknown("no answer"))))
        if world.chance(0.04):
            world.after(random.uniform(0.5, 20.0), arrive)  # late
        elif not (self.mute or world.chance(0.03)):
            world.after(self._delay(), arrive)

    def _delay(self) -> float:
        return 0.002 + (self.world.random.uniform(0.0, 0.5) if self.world.chance(0.1) else 0.0)

    def pump(self) -> None:
        """News is sent on its way: one message at a time, so that it stays in order."""
        world = self.world
        if self.member is None or self._reading or self.deaf or world.away:
            return
        if self._seen_life == world.store_life and self._seen >= len(world.history):
            return
        self._reading = True
        store_life, upto = world.store_life, len(world.history)
        whole = (dict(world.store.records), world.store.revision)
        world.after(self._delay() + self.lag, self._awake(lambda: self._hear(store_life, upto, whole)))

    def _hear(self, store_life: int, upto: int, whole: tuple[dict[str, Record], int]) -> None:
        world, member = self.world, self.member
        assert member is not None
        self._reading = False
        if self.deaf:
            return
        if store_life != world.store_life:
            pass  # that one is gone
        elif self._seen_life != store_life or world.chance(0.01):
            member.loaded(whole[0], whole[1], self.shown)
            self.masteries.stale = True
            self._seen_life, self._seen = store_life, upto
            self.look()
        else:
            first = max(0, self._seen - 1) if world.chance(0.05) else self._seen
            for revision, changes in world.history[first:upto]:
                if member.changed(changes, revision, self.shown):
                    self.masteries.stale = True
                    self.look()
            self._seen = upto
        self.pump()

    # -- guard and applications ---------------------------------------------------------------------------------------

    def _arm(self, until: float) -> None:
        self.deadline = until
        boot = self.boot
        self.world.at(self.clock.when(until), lambda: self._strike(until, boot))

    def _strike(self, until: float, boot: int) -> None:
        if self.boot != boot or self.deadline != until or not self.apps:
            return
        self.world.note(f"{self.name} GUARD kills {sorted(self.apps)}")
        for group, app in list(self.apps.items()):
            self.world.after(self.world.random.uniform(0.0, KILL - 0.05), self._ended(group, app))
        self._awake(self._struck)()

    def _struck(self) -> None:
        self.masteries.killed("the guard has killed it")
        self.look()

    def _start_app(self, order: life.Online) -> None:
        world, group = self.world, order.group
        assert group not in self.apps
        if group in self.absent:
            return
        world.began(self, group, order.token)
        app = self.apps[group] = App("PENDING_ONLINE")
        self._tell(group)
        fails = world.chance(0.1)
        seconds = world.random.uniform(2.0, 8.0) if world.chance(0.05) else world.random.uniform(0.0, 0.3)
        world.after(seconds, lambda: self._up(group, app, fails))

    def _up(self, group: str, app: App, fails: bool) -> None:
        if self.apps.get(group) is app and not app.stopping:
            app.state = "ONLINE_FAULTED" if fails else "ONLINE"
            self._tell(group)
            if fails:
                self._awake(lambda: self.give_over(group, "Start failed"))()

    def try_again(self, group: str = "") -> None:
        """What failed to start is started once more, as its monitor would."""
        for name, app in self.apps.items():
            if app.state == "ONLINE_FAULTED" and group in ("", name):
                self.world.after(0.2, partial(self._up, name, app, False))

    def give_over(self, group: str, because: str) -> None:
        """Its monitor asks for that."""
        if self.member is not None and group in self.apps:
            self.world.note(f"{self.name} giveover of {group}")
            self.masteries.giveover(group, because, self.shown)
            self.look()

    def stop_app(self, group: str, because: str) -> None:
        """Its methods are run; they may hang or fail."""
        app = self.apps.get(group)
        if app is None or app.stopping:
            return
        world = self.world
        world.note(f"{self.name} stops {group}: {because}")
        app.stopping, app.state = True, "PENDING_OFFLINE"
        self._tell(group)
        if world.chance(0.08):
            world.after(1.0, lambda: self._stuck(group, app))
        else:
            slow = world.chance(0.1)
            world.after(world.random.uniform(0.0, 6.0 if slow else 0.3), self._ended(group, app))

    def _stuck(self, group: str, app: App) -> None:
        if self.apps.get(group) is app:
            self.world.note(f"{self.name} cannot stop {group}")
            app.state = "ERROR_STOP_FAILED"
            self._tell(group)

    def clear(self) -> None:
        """A person ends what could not be stopped."""
        for group, app in list(self.apps.items()):
            if app.state == "ERROR_STOP_FAILED":
                self._gone(group)

    def _ended(self, group: str, app: App) -> Callable[[], None]:
        return lambda: self._gone(group) if self.apps.get(group) is app else None

    def _gone(self, group: str) -> None:
        self.world.note(f"{self.name} {group} is GONE")
        del self.apps[group]
        self._tell(group)

    def _tell(self, group: str) -> None:
        if self.member is not None:
            self._awake(lambda: self._tell_now(group))()

    def _tell_now(self, group: str) -> None:
        app = self.apps.get(group)
        state = "" if app is None else app.state
        resources = (("r", "START_FAILED", "FAULTED"),) if state == "ONLINE_FAULTED" else ()
        how = Local() if app is None else Local(state, "", False, state == "ERROR_STOP_FAILED", resources)
        self.masteries.local(group, how)
        self.look()
