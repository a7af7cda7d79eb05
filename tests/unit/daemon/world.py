"""The drivers over a little Linux and a clock that tests drive: real Rgmd, Pmfd, Fed, Monitor, methods; fake hands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gds.daemon.app import App
from gds.daemon.environment import AS_RUNNER
from gds.daemon.fed import Fed
from gds.daemon.managing import Managing
from gds.daemon.rgmd import Rgmd
from gds.daemon.world import World
from gds.fault.score import Outcome
from gds.linux.loop import Loop
from gds.model.launch import Launch
from gds.model.resource import Command, Resource
from gds.model.state import ResourceState
from gds.rgm.resource import Life
from gds.testing.clock import FakeClock
from gds.testing.processes import FakeProcesses, FakeTree, Program

if TYPE_CHECKING:
    from gds.rgm.events import Event

WEB = Resource("web", Command(("web",)), group="web", stop_timeout=100.0)
PROBED = WEB.replace(probe_command=Command(("ask-web",)), thorough_probe_interval=60.0)
WELL = Program(lives=0.0)
"""A command that ends well at once."""


def ends(code: int, after: float = 0.0) -> Program:
    """A command that ends with that exit status."""
    return Program(lives=after, status=code << 8)


class Asked:
    """A question to a built-in probe."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        """Nobody wants the answer."""
        self.cancelled = True


class LittleProber:
    """Built-in probes: the answers that a test has laid ready, in order; else all is well."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.answers: deque[Outcome] = deque()
        self.asked: list[Asked] = []

    def ask(self, resource: Resource, on_answer: Callable[[Outcome], None]) -> Any:
        """See rgmd.Prober."""
        asked = Asked()
        self.asked.append(asked)
        outcome = self.answers.popleft() if self.answers else Outcome("ok")
        self._loop.soon(lambda: None if asked.cancelled else on_answer(outcome))
        return asked


class Hands:
    """Everything else that the drivers are handed; remembers what it was told."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.decisions: list[tuple[str, str, str]] = []
        self.written: list[tuple[str, int]] = []
        self.logged: list[str] = []
        self.warned: list[str] = []
        self.left: list[str] = []
        self.aborted: list[str] = []
        self.observed: list[tuple[str, str]] = []
        self.flushed: list[str] = []

    def open(self, name: str, *_how: object) -> Any:
        """Outputs and Notifies."""
        return f"@{name}" if len(_how) == 1 else 1

    def after_spawn(self, name: str) -> None:
        """Outputs."""

    def drain(self, name: str) -> None:
        """Notifies."""

    def flush(self, name: str) -> None:
        """Outputs."""
        self.flushed.append(name)

    def about_to_start(self, app: App) -> None:
        """Kept: the next thing is a fork."""
        self.written.append((app.name, app.incarnation))

    def changed(self, app: App) -> None:
        """Kept."""

    def told(self, event: str, because: str) -> None:
        """Not kept: no story is about the runner itself."""

    def decided(self, app: App, event: str, because: str, **_facts: object) -> None:
        """Kept: a decision for the history."""
        self.decisions.append((app.name, event, because))

    def forget(self, app: App) -> None:
        """Where it stands is to be written anew."""

    def probed(self, app: App, points: int, text: str) -> None:
        """Kept."""

    def stepped(self, *_of: object) -> None:
        """Kept."""

    judged = tried = stepped

    def info(self, text: str, **_fields: object) -> None:
        """Log."""
        self.logged.append(text)

    def warning(self, text: str, **_fields: object) -> None:
        """Log."""
        self.logged.append(text)
        self.warned.append(text)

    error = debug = info


class Traced(Rgmd):
    """Rgmd that remembers each step: (resource, life before, life after, reason)."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.steps: list[tuple[str, Life, Life, str]] = []
        self.told: list[str] = []

    def _step(self, app: App, event: Event) -> None:
        before = app.view
        was = self.public(app)
        super()._step(app, event)
        if app.view is not before:
            self.steps.append((app.name, before.life, app.view.life, app.view.because))
            self.told.append(f"{was} -> {self.public(app)}, {app.view.status}")


class InMemory:
    """Switches that nobody keeps."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, bool]] = {}

    def set(self, name: str, what: str, value: bool) -> str:
        """Groups and Managing."""
        self.of.setdefault(name, {})[what] = value
        return ""


class Here:
    """One runner's worth of drivers."""

    def __init__(self, *resources: Resource, on_giveover: str = "refuse", **programs: Program) -> None:
        node, self.clock, self.loop = self.place()
        self.forest = FakeProcesses(self.loop)
        self.forest.programs.update({name.replace("_", "-"): program for name, program in programs.items()})
        self.forest.programs.setdefault("ask-web", WELL)
        self.hands = Hands(self.clock)
        self.prober = LittleProber(self.loop)
        self.bugs: list[BaseException] = []
        self.loop.on_error = self.bugs.append
        world = self.world = World()
        hands: Any = self.hands
        world.loop = self.loop
        world.forest = self.forest
        world.fed = Fed(self.loop, self.forest, self.loop.watch, self.loop.unwatch)
        world.prober = self.prober
        world.outputs = world.notifies = world.kept = world.log = hands
        world.launch = Launch
        world.accounts = lambda _resource: AS_RUNNER
        world.files = lambda _resource: {}
        world.environ = {}
        world.everything = False
        world.node = node
        world.socket = "/run/gds/control.sock"
        world.on_giveover = on_giveover
        world.leave = self.hands.left.append
        world.abort = lambda because, _resource: self.hands.aborted.append(because)
        world.observed = lambda app: self.hands.observed.append((app.name, str(self.rgmd.public(app))))
        world.wall = self.clock.monotonic
        world.chance = lambda: 0.5
        self.rgmd = Traced(world)
        self.rgmd.managing = Managing(self.rgmd, InMemory(), False)
        for resource in resources:
            self.rgmd.apps[resource.name] = App(resource)

    def place(self) -> tuple[str, FakeClock, Loop]:
        """The node, and its time."""
        clock = FakeClock()
        return "n1", clock, Loop(clock)

    def app(self, name: str = "web") -> App:
        """The resource of that name."""
        return self.rgmd.apps[name]

    def tree(self, name: str = "web") -> FakeTree:
        """Its youngest tree."""
        return self.forest.latest(name)

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass; nothing of ours may have gone wrong, and no application runs twice."""
        self.clock.run(self.loop, seconds)
        assert not self.bugs, self.bugs
        for name in self.rgmd.apps:
            assert len(self.forest.alive(name)) <= 1, f"{name} runs twice"

    def up_later(self, seconds: float, name: str = "web") -> Here:
        """Start it, and let so much time pass."""
        self.rgmd.start(self.app(name), "start asked by root")
        self.run(seconds)
        return self

    def up(self, name: str = "web") -> Here:
        """Start it, until it is ONLINE."""
        self.rgmd.start(self.app(name), "start asked by root")
        self.run(1.0)
        assert self.state(name) is ResourceState.ONLINE, self.app(name).view
        return self

    def state(self, name: str = "web") -> ResourceState:
        """What people see."""
        return self.rgmd.public(self.app(name))

    def because(self, name: str = "web") -> str:
        """Why."""
        return self.app(name).view.because

    def lives(self, name: str = "web") -> list[str]:
        """The lives it went through, in order."""
        return [after.value for who, before, after, _ in self.rgmd.steps if who == name and after is not before]

    def close(self) -> None:
        """Nothing may be left behind."""
        for tree in self.forest.planted:
            tree.program = tree.program.replace(immortal=False, deaf=frozenset())
        self.forest.programs = dict.fromkeys(self.forest.programs, WELL)
        for app in self.rgmd.apps.values():
            self.rgmd.stop(app, "the test is over")
        self.run(10_000.0)
        self.forest.close()
        self.loop._epoll.close()
