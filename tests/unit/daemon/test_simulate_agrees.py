"""What `gds simulate` says would happen is what the real drivers do: each scenario is played by both.

The scripts are the same; here their facts are made true in the little Linux: programs refuse, die, hang, ignore
signals, and a probe's appointment is kept at the instant the script says. Compared is each step of each life with the
status it leads to, and where all stands at the end: state, status, reason, starts, restarts and failures that count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import pytest

from gds.config.addresstype import address_type
from gds.config.generictype import generic_type
from gds.config.scenario import Scenario, read_scenario
from gds.daemon.groups import Groups
from gds.daemon.managing import Managing
from gds.daemon.rmapi import Rmapi
from gds.errors import InternalError
from gds.fault.score import Outcome
from gds.model.ending import SIGNALS
from gds.model.scha import Code
from gds.requested import UNRULED
from gds.rgm import control
from gds.rgm.control import Optag
from gds.rgm.events import GiveoverAsked
from gds.rgm.group import Ask, Refused
from gds.rgm.order import bound, start_order
from gds.rgm.resource import Life
from gds.script import (
    Asked,
    Died,
    GroupAsked,
    Probed,
    Requested,
    Sides,
    Siding,
    Starting,
    Starts,
    Stopping,
    Stops,
    Transcript,
)
from gds.simulate import simulate
from gds.testing.processes import Program
from tests.scenarios import SCENARIOS, script
from tests.unit.daemon.world import Here, InMemory, ends

if TYPE_CHECKING:
    from gds.daemon.app import App
    from gds.daemon.rgmd import Rgmd
    from gds.script import Fact

K = TypeVar("K")
T = TypeVar("T")

NEVER = 1e9
LAG = 4.9
"""Start looks at the application less and less often, at most each 5 s; so much later it finds that it is there."""
ERRNOS = {"No such file or directory": 2, "Permission denied": 13, "Exec format error": 8, "Text file busy": 26}
ELSEWHERE = {
    "mode-restart-only-start-fails": "its Start is refused by validate_command, which the script does not declare",
    "two-resources-leave-together": "ending the runner is not the drivers' work",
    "two-resources-one-cannot-stop": "as above",
    "person-giveover-granted": "as above",
    "control-while-leaving": "as above",
}
"""Scenarios that are about more than the drivers; tests/system plays what they show."""


def status_of(how: str) -> int:
    """The wait status of such an end."""
    code = re.fullmatch(r"exit status (\d+)", how)
    if code:
        return int(code[1]) << 8
    name = how.removeprefix("killed by ")
    return next(number for number, known in SIGNALS.items() if known == name)


class AsRoot:
    """One connection of scha_control."""

    uid = 0

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []

    def done(self, code: int, message: str = "", **_more: object) -> None:
        """The answer."""
        self.said.append((code, message))


class Standing:
    """The runner, seen from its door: it stays."""

    stopping = False

    def __init__(self, switches: InMemory) -> None:
        self._switches = switches

    def switch(self, name: str, what: str, value: bool) -> str:
        """Kept by nobody."""
        return self._switches.set(name, what, value)


class Scripted(dict[str, Program]):
    """The programs of a scenario: what a command does is decided when it is started."""

    def __init__(self, both: Both) -> None:
        super().__init__()
        self._both = both

    def get(self, name: str, default: Program | None = None) -> Program | None:  # type: ignore[override]  # one form
        """What it does now."""
        return self._both.program(name) or super().get(name, default)


class Both:
    """One scenario through the drivers."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        # the script says when a probe answers; no other is asked
        resources = [r.replace(thorough_probe_interval=NEVER) for r in scenario.plan.resources]
        here = self.here = Here(*resources, on_giveover=scenario.script.on_giveover)
        here.rgmd.chance = lambda: scenario.script.chance
        here.forest.programs = Scripted(self)
        switches = InMemory()
        self.groups = Groups(here.rgmd, switches, False)
        self.groups.take(scenario.plan.replace(resources=tuple(resources)))
        here.rgmd.managing = Managing(here.rgmd, switches, False)
        types = (generic_type(), address_type())
        self.rmapi = Rmapi(here.rgmd, self.groups, Standing(switches), 0, "n1", lambda: types)
        self.answers: list[str] = []
        """Of scha_control, as the transcript tells them."""
        self.sides = {(r.name, m): (Siding(), 0) for r in resources for m in ("Prenet_start", "Postnet_stop")}
        self.began = here.loop.now()
        self.starts = {r.name: (Starting(), 0) for r in resources}
        self.stops = {r.name: (Stopping(), 0) for r in resources}
        self.answer: Program | None = None
        self.available_at = 0.0

    def play(self, end: float) -> None:
        """All of it."""
        facts = list(self.scenario.script.facts)
        early = [fact for fact in facts if fact.at == 0.0]
        for fact in early:
            self.happens(fact)
        rgmd = self.here.rgmd
        for name in start_order(rgmd.graph, list(rgmd.apps)):
            if rgmd.apps[name].enabled:
                rgmd.start(rgmd.apps[name], "the runner starts")
        for fact in facts[len(early) :]:
            self.until(fact.at - self.lead(fact))
            self.happens(fact)
            self.until(fact.at)
        self.until(end + LAG)

    def lead(self, fact: Fact) -> float:
        """A probe that runs into its limit begins so much earlier."""
        if isinstance(fact, GroupAsked):
            return 0.0
        resource = self.here.app(fact.resource).resource
        slow = isinstance(fact, Probed) and fact.outcome.kind == "timeout"
        return resource.probe_timeout if slow and resource.probe_command is not None else 0.0

    def until(self, at: float) -> None:
        """That instant of the script."""
        left = self.began + at - self.here.loop.now()
        assert left >= 0, "facts are too close to be told apart here"
        told = [name for name, app in self.here.rgmd.apps.items() if app.resource.is_told]
        while told and left > 1.0:
            self.here.run(1.0)
            left -= 1.0
            for name in told:
                self.here.rgmd.notified(name, {"WATCHDOG": "1"})
        self.here.run(left)

    # -- programs -----------------------------------------------------------------------------------------------------

    def program(self, name: str) -> Program | None:
        """What the command of that text does, now that it is started."""
        if name == "ask-web":
            # Start asks by itself; what the script does not say goes well, in its time
            return self.answer or ends(0 if self.here.loop.now() >= self.available_at else 100)
        for app in self.here.rgmd.apps.values():
            resource = app.resource
            if name == resource.start_command.shown:
                return self.started(app, self.next(self.starts, app.name, Starting()))
            if resource.stop_command is not None and name == resource.stop_command.shown:
                return stops(self.stops[app.name][0])
            for method in ("Prenet_start", "Postnet_stop"):
                command = getattr(resource, f"{method.lower()}_command")
                if command is not None and name == command.shown:
                    return side(self.next(self.sides, (app.name, method), Siding()))
        return None

    def next(self, courses: dict[K, tuple[T, int]], name: K, usual: T) -> T:
        """The course of the method that begins now."""
        course, left = courses[name]
        if left:
            courses[name] = (course, left - 1) if left > 1 else (usual, 0)
        return course

    def started(self, app: App, course: Starting) -> Program:
        """start_command, that is."""
        now = self.here.loop.now()
        resource = app.resource
        self.available_at = now + (NEVER if course.hangs or course.dies else max(course.takes, 0.0))
        if resource.ready == "notify":
            self.here.loop.at(self.available_at, lambda: self.here.rgmd.notified(app.name, {"READY": "1"}))
        if course.fails:
            return Program(refuses=ERRNOS[course.fails.rpartition(": ")[2]], message=course.fails)
        if not resource.pmf_managed:
            return ends(0)
        program = self.stubborn(app, self.stops[app.name][0])
        if course.dies:
            return program.replace(lives=max(course.takes, 0.0), status=status_of(course.dies))
        return program

    def stubborn(self, app: App, course: Stopping) -> Program:
        """How it takes being stopped."""
        deaf = frozenset((app.resource.stop_signal,)) if course.deaf or course.leaves else frozenset[int]()
        return Program(obeys_after=course.takes, deaf=deaf, immortal=bool(course.leaves))

    # -- facts --------------------------------------------------------------------------------------------------------

    def happens(self, fact: Fact) -> None:
        """Make it true."""
        here = self.here
        if isinstance(fact, GroupAsked):
            self.group_asked(fact.group, fact.act)
            return
        app = here.app(fact.resource)
        if isinstance(fact, Died):
            if app.tree is not None or here.forest.alive(app.name):
                here.tree(app.name).end_all(status_of(fact.how))
                here.run()
        elif isinstance(fact, Probed):
            self.probed(app, fact.outcome)
        elif isinstance(fact, Asked):
            self.asked(app, fact.act)
        elif isinstance(fact, Starts):
            self.starts[fact.resource] = (fact.course, fact.times)
        elif isinstance(fact, Stops):
            self.stops[fact.resource] = (fact.course, fact.times)
            self.change(app)
        elif isinstance(fact, Sides):
            self.sides[fact.resource, fact.method] = (fact.course, fact.times)
        elif isinstance(fact, Requested):
            self.requested(app, fact.optag)
        else:
            raise InternalError(f"internal error: {fact!r}")

    def change(self, app: App) -> None:
        """What runs already takes being stopped as the script says now."""
        for tree in self.here.forest.alive(app.name):
            tree.program = self.stubborn(app, self.stops[app.name][0])

    def probed(self, app: App, outcome: Outcome) -> None:
        """The appointment with the probe is kept now."""
        here = self.here
        self.answer = asks(outcome)
        here.prober.answers.append(outcome)
        if app.start is not None and app.start._timer is not None:
            app.start._timer.cancel()
            app.start._ask()
        elif app.probe_timer is not None:
            app.watchdog_at = here.loop.now() - app.resource.watchdog_interval
            app.probe_timer.cancel()
            here.rgmd.monitor._due(app)
        here.run()
        self.answer = None
        here.prober.answers.clear()

    def group_asked(self, group: str, act: str) -> None:
        """As the receptionist does."""
        groups, rgmd = self.groups, self.here.rgmd
        because = f"rg {act} asked by a person"
        if act in ("suspend", "resume"):
            groups.suspend(group, act == "suspend")
        elif act == "clear":
            for app in groups.apps(group):
                rgmd.clear(app)
        elif isinstance(groups.rule(group, Ask(act)), Refused):
            return
        elif act in ("manage", "unmanage"):
            groups.manage(group, act == "manage", lambda _fault: None)
        else:
            {"online": groups.online, "offline": groups.offline, "restart": groups.restart}[act](group, because)
        self.here.run()

    def requested(self, app: App, optag: Optag) -> None:
        """As the command does. What is granted may be answered only when it has been carried out."""
        client = AsRoot()
        words = {"verb": "scha.control", "optag": optag.value.lower(), "resource": app.name}
        self.rmapi.answer(client, words)
        refused = [f"refused ({Code(code).name}): {why.removeprefix('refused: ')}" for code, why in client.said if code]
        self.answers.append(refused[0] if refused else "granted")
        self.here.run()

    def asked(self, app: App, act: str) -> None:
        """As the receptionist does."""
        rgmd = self.here.rgmd
        because = f"{act} asked by a person"
        if app.view.life is Life.STOP_FAILED:
            self.change(app)
        if act in ("start", "restart") and app.view.life is Life.STOP_FAILED:
            return
        if act not in UNRULED and isinstance(self.groups.rule_of(app.name, act), Refused):
            return
        managed = self.groups.is_managed(app.resource.group)
        if act in ("start", "restart") and not (managed and app.enabled):
            return
        if act == "disable" and needed_by(rgmd, app):
            return
        if act in ("enable", "disable"):
            app.enabled = act == "enable"
        if act == "start" or (act == "enable" and managed):
            rgmd.start(app, because)
        elif act == "enable":
            app.view = app.view.replace(because=f"{because}; its group is unmanaged")
        elif act == "disable":
            rgmd.stop(app, because)
        elif act == "stop":
            rgmd.stop(app, because)
            self.next(self.stops, app.name, Stopping())
        elif act == "restart":
            rgmd.restart(app, because)
        elif act == "clear":
            rgmd.clear(app)
        elif act == "giveover":
            if app.view.life is Life.ONLINE and refusal(rgmd, app):
                rgmd.purge(app)
            elif app.view.life is Life.ONLINE:
                rgmd.submit(app, GiveoverAsked(f"giveover: {because}", by_monitor=False))
        else:
            rgmd.set_monitored(app, act == "monitor")
        self.here.run()


def asks(outcome: Outcome) -> Program:
    """A probe_command with that outcome."""
    says = outcome.message.encode()
    if outcome.kind == "exit":
        return Program(lives=0.0, status=outcome.code << 8, says=says)
    if outcome.kind == "signal":
        return Program(lives=0.0, status=outcome.code, says=says)
    if outcome.kind == "cannot":
        return Program(refuses=2, message=outcome.message)
    if outcome.kind == "unable":
        return Program(refuses=24, message=outcome.message)
    return Program(says=says)


def stops(course: Stopping) -> Program:
    """A stop_command of that course."""
    if course.command_hangs:
        return Program()
    code = re.fullmatch(r"exited with status (\d+)", course.command)
    return ends(int(code[1]) if code else 0, course.command_takes)


def side(course: Siding) -> Program:
    """A prenet_start_command or postnet_stop_command of that course."""
    code = re.fullmatch(r"exited with status (\d+)", course.ended)
    return Program() if course.hangs else ends(int(code[1]) if code else 0, course.takes)


def refusal(rgmd: Rgmd, app: App) -> str:
    """Why a giveover of it would be refused now; "" when it would not."""
    ruling = control.giveover(rgmd.giveover_leads(app))
    return ruling.because if isinstance(ruling, control.Refused) else ""


def needed_by(rgmd: Rgmd, app: App) -> bool:
    """Somebody who is enabled cannot be without it."""
    return any(rgmd.apps[user].enabled for user in bound(rgmd.graph, app.name))


def lives_of(transcript: Transcript) -> Iterator[str]:
    """The steps of lives in a transcript: "BEFORE -> AFTER, STATUS"."""
    for line in transcript.lines:
        if line.kind == "state":
            moved, _, status = line.text.partition(": ")[0].partition(", ")
            before, arrow, after = moved.partition(" -> ")
            yield f"{plain(before)} -> {plain(after if arrow else before)}, {status}"


def plain(shown: str) -> str:
    """The public state."""
    return shown.partition(" (")[0]


def same(text: str) -> str:
    """Reasons are the same but for the numbers of processes."""
    text = re.sub(r"process(es)? [0-9, ]+ still", "processes still", text)
    # while a start waits, the drivers do ask, and remember the answer
    return text.replace("; last seen: the probe exited with status 100", "")


PLAYED = [name for name in SCENARIOS if name not in ELSEWHERE]


@pytest.mark.parametrize("name", PLAYED)
def test_the_drivers_do_what_the_simulation_says(name: str) -> None:
    scenario = read_scenario(str(script(name)), None)
    assert not scenario.problems
    said = simulate(scenario.plan, scenario.script)
    both = Both(scenario)
    both.play(said.at)

    here = both.here
    asked = [
        line.text for line in said.lines if line.kind == "answer" and line.text.startswith(("granted", "refused ("))
    ]
    assert both.answers == asked
    if said.exit_status < 0:
        told = [line for line in here.rgmd.told if "MONITOR_FAILED" not in line]
        expected = [line for line in lives_of(said) if "MONITOR_FAILED" not in line]
        assert told == expected
        for standing in said.after:
            app = here.app(standing.name)
            span = app.resource.retry_interval
            at = both.began + said.at
            assert here.state(standing.name) is standing.state
            assert app.view.status is standing.status
            assert same(app.view.why) == same(standing.because)
            assert here.forest.count(standing.name) == standing.started
            assert (app.history.done(span, at), app.history.total(span, at)) == (standing.restarts, standing.sum)
    else:
        # the runner, which would stop everything now, is not here: the drivers have asked it to
        left = next(n for n, line in enumerate(said.lines) if "leave this node" in line.text)
        expected = list(lives_of(said))[: sum(1 for line in said.lines[:left] if line.kind == "state")]
        assert here.rgmd.told[: len(expected)] == expected
        assert len(here.hands.left) == 1
        here.close()
        return
    for group in said.groups:
        assert both.groups.state(group.name) is group.state
    here.close()


def test_every_scenario_that_is_not_played_here_exists() -> None:
    assert set(ELSEWHERE) <= set(SCENARIOS)
    assert len(PLAYED) >= 100
