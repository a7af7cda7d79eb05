"""What people ask of the receptionist: each is answered, once, truthfully, with the exit status of design.md 4.

The real receptionist, groups and drivers over a little Linux and a clock that the test drives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from gds.daemon.groups import Groups
from gds.daemon.managing import Managing
from gds.daemon.receptionist import Receptionist
from gds.model.resource import Command, Group, Need, Plan, Resource
from gds.model.state import FailoverMode
from gds.rgm.resource import Life
from gds.testing.processes import Program
from tests.unit.daemon.world import Here, InMemory, ends

if TYPE_CHECKING:
    Answered = tuple[int, list[str]]


def needs(*names: str) -> tuple[Need, ...]:
    """A dependency list."""
    return tuple([Need(name) for name in names])


def resource(name: str, group: str = "g", **more: Any) -> Resource:
    """One whose start_command is its name."""
    return Resource(name, Command((name,)), group=group, failover_mode=FailoverMode.NONE, **more)


class Root:
    """One connection of root's; an answer is given once."""

    uid = 0

    def __init__(self) -> None:
        self.answer: tuple[int, str] | None = None
        self.lines: list[str] = []

    def tell(self, message: dict[str, Any]) -> None:
        """A line on the way."""
        self.lines.append(message["line"])

    def done(self, code: int, message: str = "", **_more: Any) -> None:
        """The answer."""
        assert self.answer is None, f"answered twice: {self.answer}, then {message}"
        self.answer = (code, message)

    def said(self) -> str:
        """The answer, as far as there is one."""
        return f"{self.answer[0]} {self.answer[1]}" if self.answer is not None else ""


class House:
    """The runner, seen from its door: it stays."""

    version = "0"
    stopping = False

    def __init__(self, switches: InMemory) -> None:
        self.switch = switches.set


class Desk:
    """Resources, and a receptionist for them. Programs that a test does not name live until they are stopped."""

    def __init__(self, *resources: Resource, **programs: Any) -> None:
        here = self.here = Here(*resources, **programs)
        switches = InMemory()
        groups = self.groups = Groups(here.rgmd, switches, False)
        members: dict[str, list[str]] = {}
        for each in resources:
            members.setdefault(each.group, []).append(each.name)
        declared = tuple([Group(name, resources=tuple(names)) for name, names in members.items()])
        groups.take(Plan(resources, declared))
        here.rgmd.managing = Managing(here.rgmd, switches, False)
        house: Any = House(switches)
        self.receptionist = Receptionist(here.rgmd, groups, house, 0)

    def begin(self, verb: str, *names: str) -> Root:
        """Ask, and do not wait."""
        client: Any = Root()
        self.receptionist.answer(client, {"verb": verb, "names": list(names)})
        self.here.run()
        asked: Root = client
        return asked

    def ask(self, verb: str, *names: str) -> Answered:
        """Ask, and wait until all is quiet; (exit status, everything that was said)."""
        client = self.begin(verb, *names)
        self.here.run(1000.0)
        assert client.answer is not None, f"{verb} {' '.join(names)} is never answered"
        code, message = client.answer
        return code, [*client.lines, *message.splitlines()]

    def life(self, name: str) -> Life:
        """Its life."""
        return self.here.app(name).view.life


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(*resources: Resource, **programs: Program) -> Desk:
        made.append(Desk(*resources, **programs))
        return made[-1]

    yield make
    for each in made:
        each.here.close()


Make = Callable[..., Desk]
A = resource("a")
B = resource("b", resource_dependencies=needs("a"))
C = resource("c", resource_dependencies=needs("b"))

# -- what is waited for comes, or has failed for good -----------------------------------------------------------------


@pytest.mark.parametrize("mode", list(FailoverMode))
@pytest.mark.parametrize(
    "words",
    [
        ("rg.online", "g"),
        ("rg.restart", "g"),
        ("start", "g"),
        ("restart", "g"),
        ("start", "a", "b"),
        ("enable", "a", "b"),
    ],
)
def test_who_asks_for_several_is_answered_when_one_fails_and_another_needs_it(
    desk: Make, words: tuple[str, ...], mode: FailoverMode
) -> None:
    one = desk(A.replace(failover_mode=mode), B, C, a=ends(1, after=0.05))
    code, said = one.ask(*words)
    assert code == 1
    assert {line.partition(":")[0] for line in said} >= {"cannot start a"}
    assert one.life("a") is Life.START_FAILED
    waiting = [line for line in said if "needs a, which is START_FAILED" in line]
    assert waiting
    assert all(line.endswith("; it starts by itself as soon as it can") for line in waiting)


def test_a_need_that_a_person_stops_while_it_starts_is_not_waited_for(desk: Make) -> None:
    one = desk(A.replace(group="other", start_grace=100.0), B, C)
    client = one.begin("rg.online", "g")
    assert client.answer == (
        1,
        "cannot start b: OFFLINE: rg online asked by root; needs a, which is OFFLINE; it starts by itself as soon as it"
        " can\ncannot start c: OFFLINE: rg online asked by root; needs b, which needs a, which is OFFLINE; it starts by"
        " itself as soon as it can",
    )
    starting = one.begin("start", "a")
    again = one.begin("start", "c")
    assert [starting.said(), again.said()] == ["", ""], "a is on its way, so it is waited for"
    assert one.ask("stop", "a") == (0, [])
    assert starting.said().startswith("1 cannot start a: OFFLINE")
    assert "needs a, which is OFFLINE (stop asked by root)" in again.said()


# -- disable ----------------------------------------------------------------------------------------------------------

KINDS = ("resource_dependencies", "resource_dependencies_restart", "resource_dependencies_offline_restart")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_needed_by_who_is_enabled_is_not_disabled(desk: Make, kind: str) -> None:
    one = desk(A, resource("u", "other", **{kind: needs("a")}))
    assert one.ask("start", "a", "u") == (0, [])
    refused = (1, ["cannot disable a: u needs it; disable that as well"])
    assert one.ask("disable", "a") == refused
    assert one.ask("stop", "u") == (0, [])
    assert one.ask("disable", "a") == refused, "u is enabled still"
    assert one.life("a") is Life.ONLINE
    assert one.ask("disable", "u", "a") == (0, [])
    assert (one.life("a"), one.life("u")) == (Life.OFFLINE, Life.OFFLINE)


def test_all_who_need_it_are_named_once(desk: Make) -> None:
    both = resource("both", resource_dependencies=needs("a"), resource_dependencies_offline_restart=needs("a"))
    one = desk(A, B, both, resource("weak", resource_dependencies_weak=needs("a")))
    assert one.ask("start", "g") == (0, [])
    assert one.ask("disable", "a") == (1, ["cannot disable a: b, both need it; disable those as well"])
    assert one.ask("stop", "a") == (0, ["b needs a, and goes on running without it"])
    assert (one.life("b"), one.life("both"), one.life("weak")) == (Life.ONLINE, Life.AWAITING, Life.ONLINE)


def test_what_another_node_disabled_is_followed(desk: Make) -> None:
    one = desk(A, B)
    assert one.ask("start", "g") == (0, [])
    client: Any = Root()
    one.receptionist.answer(client, {"verb": "disable", "names": ["a"], "no_wait": True, "followed": True})
    assert client.said() == "0 "
    assert not one.here.app("a").enabled


# -- enable -----------------------------------------------------------------------------------------------------------


def test_what_is_enabled_in_an_unmanaged_group_is_enabled(desk: Make) -> None:
    one = desk(A, B)
    assert one.ask("disable", "g") == (0, [])
    assert one.ask("rg.unmanage", "g") == (0, [])
    then = "starts when g is managed and brought online: `gds rg manage g`, `gds rg online g`"
    assert one.ask("enable", "a") == (0, [f"a is enabled, and {then}"])
    assert one.here.app("a").enabled
    assert one.here.because("a") == "enable asked by root; its group is unmanaged"
    assert one.ask("start", "a") == (1, ["cannot start a: its group is unmanaged; `gds rg manage g` first"])
    assert one.ask("rg.manage", "g") == (0, [])
    assert one.ask("rg.online", "g") == (0, [])
    assert (one.life("a"), one.life("b")) == (Life.ONLINE, Life.OFFLINE)


# -- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "names", "words"),
    [
        ("rg.offline", ["g"], "take g offline"),
        ("start", ["a", "b", "c", "d", "e"], "start a, b, c and 2 more"),
        ("giveover", ["a"], "give over a"),
        ("reload", [], "reload"),
        ("clear", "a", "clear it"),
        ("stop", ["a\n"], "stop it"),
    ],
)
def test_who_may_not_act_hears_what_in_words(desk: Make, verb: str, names: object, words: str) -> None:
    client: Any = Root()
    client.uid = 65534
    desk(A).receptionist.answer(client, {"verb": verb, "names": names})
    assert client.said() == f"77 cannot {words}: only root and the runner's own user may; you are uid 65534"


def test_a_group_that_refuses_says_so_in_words(desk: Make) -> None:
    one = desk(A.replace(start_grace=100.0), B)
    one.begin("start", "a")
    assert one.begin("rg.offline", "g").said().startswith("75 cannot take g offline: it is busy: a is STARTING")
    assert one.begin("rg.online").said() == "2 cannot bring a group online: none is given"


def test_a_busy_group_lets_its_other_resources_be_stopped_and_nothing_else(desk: Make) -> None:
    off = resource("off", enabled=False)
    one = desk(A.replace(start_grace=100.0), resource("b"), off)
    assert one.ask("start", "b") == (0, [])
    one.begin("start", "a")
    why = "its group g is busy: a is STARTING since 0 s (start asked by root)"
    for verb, name in (("restart", "b"), ("enable", "off")):
        assert one.begin(verb, name).said() == f"75 cannot {verb} {name}: {why}", verb
        assert one.begin(verb, "a", name).said().startswith(f"75 cannot {verb} {name}"), "one of them is enough"
    for verb in ("enable", "disable"):
        assert one.begin(verb, "g").said().startswith(f"75 cannot {verb} g: it is busy: a is STARTING")
    assert (one.here.app("b").incarnation, one.here.app("b").monitored, one.here.app("off").enabled) == (1, True, False)
    assert one.begin("start", "b").said() == "0 ", "it is so already"
    for verb, name in (("unmonitor", "b"), ("unmonitor", "g"), ("monitor", "g")):
        assert one.begin(verb, name).said() == "0 ", "nothing comes up or goes down by it"
    for verb in ("rg.suspend", "rg.resume", "rg.clear"):
        assert one.begin(verb, "g").said() == "0 ", "a switch, and what is remembered: no methods"
    assert one.begin("stop", "b").said() == "0 "
    assert one.begin("start", "b").said().startswith("75 cannot start b: its group g is busy")
    assert one.begin("disable", "b").said() == "0 "
    assert one.begin("unmonitor", "a").said() == "0 ", "it is on its way itself"
    assert one.begin("restart", "a").said() == "", "as above; it is waited for"
    assert one.begin("disable", "a").said() == "0 "
    assert (one.life("a"), one.life("b")) == (Life.OFFLINE, Life.OFFLINE)
    assert one.ask("enable", "b", "off") == (0, [])


def test_what_was_switched_on_another_node_is_followed_by_a_busy_group(desk: Make) -> None:
    one = desk(A.replace(start_grace=100.0), resource("b"))
    assert one.ask("start", "b") == (0, [])
    one.begin("start", "a")
    for verb in ("unmonitor", "disable", "enable"):
        client: Any = Root()
        one.receptionist.acting[verb](client, {"names": ["b"], "no_wait": True, "followed": True})
        assert client.said() == "0 ", verb
    assert (one.here.app("b").monitored, one.here.app("b").enabled) == (False, True)


def test_who_goes_on_without_a_group_that_goes_offline_is_told_once(desk: Make) -> None:
    user = resource("u", "other", resource_dependencies=needs("b"))
    one = desk(A, B, user)
    assert one.ask("start", "g", "u") == (0, [])
    assert one.ask("rg.offline", "g", "g") == (0, ["u needs b, and goes on running without it"])
    assert one.ask("stop", "g") == (0, []), "it is down already"
    assert one.life("u") is Life.ONLINE


def test_one_group_is_given_over_at_a_time(desk: Make) -> None:
    one = desk(A, B, resource("u", "other"))
    assert one.ask("start", "g", "u") == (0, [])
    assert one.ask("giveover", "a", "u") == (2, ["cannot give over more than one group at a time"])
    code, said = one.ask("giveover", "a", "b")
    assert (code, said[0].partition(":")[0]) == (1, "cannot give over a")


# -- twice the same, groups and resources mixed, and who is unknown ---------------------------------------------------

VERBS = ("start", "stop", "restart", "disable", "enable", "monitor", "unmonitor", "clear")
OF_GROUPS = ("online", "offline", "restart", "suspend", "resume", "clear")


@pytest.mark.parametrize("names", [("a", "b"), ("u", "u"), ("g", "g"), ("a", "g"), ("g", "u")], ids="-".join)
def test_each_verb_answers_once_whatever_is_named(desk: Make, names: tuple[str, ...]) -> None:
    one = desk(A, B, resource("u", "u"))
    for verb in VERBS:
        assert one.ask(verb, *names) == (0, []), verb
        assert one.ask(verb, *names) == (0, []), f"{verb} again"


@pytest.mark.parametrize("names", [("g",), ("g", "g"), ("g", "u")], ids="-".join)
def test_each_verb_of_groups_answers_once_whatever_is_named(desk: Make, names: tuple[str, ...]) -> None:
    one = desk(A, B, resource("u", "u"))
    for verb in OF_GROUPS:
        assert one.ask(f"rg.{verb}", *names) == (0, []), verb
        assert one.ask(f"rg.{verb}", *names) == (0, []), f"{verb} again"
    assert one.ask("stop", *names) == (0, [])
    assert one.ask("disable", *names) == (0, [])
    for verb in ("unmanage", "unmanage", "manage", "manage"):
        assert one.ask(f"rg.{verb}", *names) == (0, []), verb


def test_what_is_no_name_of_a_group_is_no_request(desk: Make) -> None:
    client: Any = Root()
    desk(A).receptionist.answer(client, {"verb": "rg.offline", "names": [["g"]]})
    assert client.said() == "2 cannot read the request: names is not a list of strings"


def test_fini_runs_once_for_a_group_that_is_named_twice(desk: Make) -> None:
    one = desk(A.replace(fini_command=Command(("fini",))), fini=ends(0))
    assert one.ask("start", "a") == (0, [])
    assert one.ask("disable", "a") == (0, [])
    assert one.ask("rg.unmanage", "g", "g") == (0, [])
    assert one.here.forest.count("a:Fini") == 1


def test_one_unknown_name_is_enough_to_do_nothing(desk: Make) -> None:
    one = desk(A, B)
    for verb in (*VERBS, "giveover", "probe", "set"):
        code, said = one.ask(verb, "a", "nobody")
        assert (code, said) == (4, ["cannot find nobody: no resource or group of this runner has that name"]), verb
    for verb in (*OF_GROUPS, "manage", "unmanage"):
        code, said = one.ask(f"rg.{verb}", "g", "nobody")
        assert (code, said) == (4, ["cannot find nobody: no group of this runner has that name"]), verb
    assert (one.life("a"), one.here.app("a").enabled) == (Life.OFFLINE, True)
