"""Scenario files: what they say, and every mistake with its place; and `gds simulate` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gds.cli.simulate import main
from gds.config.scenario import read_scenario
from gds.fault.score import Outcome
from gds.model.resource import Command, Group, Plan, Probe, Resource
from gds.script import (
    GROUP_ACTS,
    Asked,
    Died,
    GroupAsked,
    Probed,
    Script,
    Sides,
    Siding,
    Starting,
    Starts,
    Stopping,
    Stops,
)

WEB = Resource("web", Command(("web",)), probe_command=Command(("ask",)), stop_command=Command(("stop",)))
WEB = WEB.replace(group="shop", prenet_start_command=Command(("up",)), postnet_stop_command=Command(("down",)))
DB = WEB.replace(name="db")
SHOP = (Group("shop"),)


def read(tmp_path: Path, text: str, *resources: Resource) -> Script:
    """The script of a good scenario."""
    file = tmp_path / "s.toml"
    file.write_text(text)
    scenario = read_scenario(str(file), Plan(resources or (WEB,), SHOP))
    assert scenario.problems == ()
    return scenario.script


def mistakes(tmp_path: Path, text: str, *resources: Resource) -> list[str]:
    """LINE:COLUMN: KEY: MESSAGE of each."""
    file = tmp_path / "s.toml"
    file.write_text(text)
    problems = read_scenario(str(file), Plan(resources or (WEB,), SHOP)).problems
    return [str(problem).removeprefix(f"{file}:").removeprefix(f"{file}: ") for problem in problems]


def fact(line: str) -> str:
    """A fact at 5 s."""
    return f"[[fact]]\nat = 5\n{line}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("died = 0", Died(5.0, "web", "exit status 0")),
        ('died = "KILL"', Died(5.0, "web", "killed by SIGKILL")),
        ("probe = 50", Probed(5.0, "web", Outcome("exit", 50))),
        ('probe = "SIGSEGV"', Probed(5.0, "web", Outcome("signal", 11))),
        ('probe = "timeout"', Probed(5.0, "web", Outcome("timeout"))),
        ('probe = "unable"\nmessage = "why"', Probed(5.0, "web", Outcome("unable", 0, "why"))),
        ('asked = "restart"', Asked(5.0, "web", "restart")),
        ("starts = {}", Starts(5.0, "web", Starting())),
        ('starts = {takes = "2m", times = 3}', Starts(5.0, "web", Starting(120.0), 3)),
        ('starts = {fails = "why", takes = 1}', Starts(5.0, "web", Starting(1.0, fails="why"))),
        ("starts = {dies = 3}", Starts(5.0, "web", Starting(dies="exit status 3"))),
        ("starts = {hangs = true}", Starts(5.0, "web", Starting(hangs=True))),
        ("stops = {takes = 2, deaf = true}", Stops(5.0, "web", Stopping(2.0, deaf=True))),
        ("stops = {leaves = [7, 8], times = 1}", Stops(5.0, "web", Stopping(leaves=(7, 8)), 1)),
        (
            "stops = {command = 3, command_takes = 1}",
            Stops(5.0, "web", Stopping(command="exited with status 3", command_takes=1.0)),
        ),
        ("stops = {command = 0}", Stops(5.0, "web", Stopping())),
        ('stops = {command = "SIGTERM"}', Stops(5.0, "web", Stopping(command="was killed by SIGTERM"))),
        ('stops = {command = "hangs"}', Stops(5.0, "web", Stopping(command_hangs=True))),
        ("prenet_start = {takes = 2, times = 1}", Sides(5.0, "web", "Prenet_start", Siding(2.0), 1)),
        ("postnet_stop = {fails = 3}", Sides(5.0, "web", "Postnet_stop", Siding(ended="exited with status 3"))),
        ("postnet_stop = {hangs = true}", Sides(5.0, "web", "Postnet_stop", Siding(hangs=True))),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_each_kind_of_fact(tmp_path: Path, line: str, expected: object) -> None:
    assert read(tmp_path, fact(line)).facts == (expected,)


@pytest.mark.parametrize("act", GROUP_ACTS)
def test_what_is_asked_of_a_group(tmp_path: Path, act: str) -> None:
    assert read(tmp_path, fact(f'group = "shop"\nasked = "{act}"')).facts == (GroupAsked(5.0, "shop", act),)


def test_built_in_and_told_probes_have_answers_of_their_own(tmp_path: Path) -> None:
    asked = WEB.replace(probe_command=None, probe=Probe("tcp", "80", port=80))
    told = WEB.replace(probe_command=None, probe=Probe("notify", "true"))
    assert read(tmp_path, fact('probe = "refused"'), asked).facts == (Probed(5.0, "web", Outcome("refused")),)
    assert read(tmp_path, fact('probe = "timeout"'), told).facts == (Probed(5.0, "web", Outcome("timeout")),)


def test_the_rest_of_the_world(tmp_path: Path) -> None:
    script = read(tmp_path, 'description = "d"\nuntil = "1m"\non_giveover = "exit"\nchance = 0.25\n')
    assert script == Script((), 60.0, "exit", 0.25)
    assert read(tmp_path, "") == Script((), -1.0, "refuse", 0.5)


def test_facts_are_sorted_and_repeated(tmp_path: Path) -> None:
    text = '[[fact]]\nat = 10\nasked = "stop"\n[[fact]]\nat = "4s"\nprobe = 1\nevery = "5s"\ntimes = 3\n'
    assert [(f.at, type(f).__name__) for f in read(tmp_path, text).facts] == [
        (4.0, "Probed"),
        (9.0, "Probed"),
        (10.0, "Asked"),
        (14.0, "Probed"),
    ]


def test_facts_at_one_instant_stay_in_their_order(tmp_path: Path) -> None:
    text = fact('asked = "stop"') + fact('asked = "start"')
    assert [f.act for f in read(tmp_path, text).facts if isinstance(f, Asked)] == ["stop", "start"]


def test_a_fact_names_its_resource_where_there_are_several(tmp_path: Path) -> None:
    text = fact('resource = "db"\ndied = 1')
    assert read(tmp_path, text, WEB, DB).facts == (Died(5.0, "db", "exit status 1"),)


PLAIN = WEB.replace(prenet_start_command=None)
UNMANAGED = WEB.replace(pmf_managed=False)
GRACE = WEB.replace(probe_command=None, stop_command=None)
TOLD = GRACE.replace(probe=Probe("notify", "true"))
TCP = GRACE.replace(probe=Probe("tcp", "80", port=80))
ANSWERS = "timeout, cannot, unable, ok, refused, disconnect, status, error"


@pytest.mark.parametrize(
    ("line", "resource", "said"),
    [
        (
            "",
            WEB,
            "1:3: fact[0]: expected one of died, probe, asked, control, starts, stops, prenet_start, postnet_stop",
        ),
        (
            "died = 1\nprobe = 2",
            WEB,
            "4:9: fact[0].probe: expected one of died, probe, asked, control, starts, stops, prenet_start,"
            " postnet_stop, not died and probe",
        ),
        ("deid = 1", WEB, "3:1: fact[0].deid: unknown key; did you mean died?"),
        ("died = 256", WEB, "3:8: fact[0].died: expected a whole number from 0 to 255, not 256"),
        ("died = true", WEB, "3:8: fact[0].died: expected a whole number from 0 to 255, not true"),
        ("died = 1", UNMANAGED, "3:8: fact[0].died: pmf_managed of web is false: none of its processes is watched"),
        ("probe = 1", GRACE, "3:9: fact[0].probe: web has no probe"),
        ("probe = 1", TCP, f"3:9: fact[0].probe: expected one of {ANSWERS}, not 1"),
        ('probe = "ok"', TOLD, '3:9: fact[0].probe: expected one of timeout, not "ok"'),
        ('probe = "ok"', WEB, '3:9: fact[0].probe: "ok" is for built-in probes; web has a probe_command'),
        ("probe = 1\nmessage = 2", WEB, "4:11: fact[0].message: expected a string, not 2"),
        (
            "died = 1\nmessage = 'x'",
            WEB,
            "4:1: fact[0].message: message is what a probe said; there is no probe here",
        ),
        (
            'asked = "stopp"',
            WEB,
            "3:9: fact[0].asked: expected one of start, stop, restart, enable, disable, monitor, unmonitor, giveover,"
            ' clear, not "stopp"; did you mean stop?',
        ),
        ("asked = 5", WEB, None),
        ("starts = 5", WEB, "3:10: fact[0].starts: expected a table such as {takes = 2}, not 5"),
        ("stops = 5", WEB, "3:9: fact[0].stops: expected a table such as {takes = 2}, not 5"),
        ("starts = {take = 1}", WEB, "3:11: fact[0].starts.take: unknown key; did you mean takes?"),
        ("starts = {takes = -1}", WEB, "3:19: fact[0].starts.takes: a duration may not be negative: -1"),
        ("starts = {hangs = 1}", WEB, "3:19: fact[0].starts.hangs: expected true or false, not 1"),
        ("starts = {times = 0}", WEB, "3:19: fact[0].starts.times: expected a whole number from 1 to 10000, not 0"),
        ("starts = {fails = ' '}", WEB, '3:19: fact[0].starts.fails: expected a sentence that says why, not " "'),
        ("starts = {fails = 'x', dies = 1}", WEB, "3:24: fact[0].starts.dies: a start either fails or dies"),
        (
            "starts = {hangs = true, takes = 1}",
            WEB,
            "3:25: fact[0].starts.takes: a start that hangs takes start_timeout",
        ),
        (
            "starts = {takes = 1}",
            GRACE,
            "3:11: fact[0].starts.takes: web has no probe that could be asked: its start takes start_grace",
        ),
        (
            "starts = {takes = 1, dies = 1}",
            GRACE,
            "3:11: fact[0].starts.takes: web has no probe that could be asked: its start is done after start_grace,"
            " and what ends later has `died`",
        ),
        (
            'control = "GIVE_OVER"',
            WEB,
            "3:11: fact[0].control: expected one of GIVEOVER, CHECK_GIVEOVER, RESTART, CHECK_RESTART,"
            " RESOURCE_RESTART, RESOURCE_IS_RESTARTED, RESOURCE_DISABLE, IGNORE_FAILED_START, CHANGE_STATE_OFFLINE,"
            ' CHANGE_STATE_ONLINE, not "GIVE_OVER"; did you mean GIVEOVER?',
        ),
        (
            "stops = {leaves = []}",
            WEB,
            "3:19: fact[0].stops.leaves: expected an array of process ids, not an empty array",
        ),
        ("stops = {leaves = [0]}", WEB, "3:19: fact[0].stops.leaves: expected a whole number from 1 to 4194304, not 0"),
        ("stops = {command = 1}", GRACE, "3:10: fact[0].stops.command: web has no stop_command"),
        (
            "stops = {deaf = true}",
            UNMANAGED,
            "3:10: fact[0].stops.deaf: pmf_managed of web is false: none of its processes is watched",
        ),
        (
            "died = 1\nevery = 5",
            WEB,
            "4:9: fact[0].every: every needs times: a fact is repeated `times` times, one `every` so long",
        ),
        (
            "died = 1\ntimes = 5",
            WEB,
            "4:9: fact[0].times: times needs every: a fact is repeated `times` times, one `every` so long",
        ),
        ("died = 1\nresource = 'wbe'", WEB, '4:12: fact[0].resource: there is no resource "wbe"; did you mean web?'),
        ("prenet_start = 5", WEB, "3:16: fact[0].prenet_start: expected a table such as {takes = 2}, not 5"),
        ("prenet_start = {takes = 1}", PLAIN, "3:1: fact[0].prenet_start: web has no prenet_start_command"),
        ("postnet_stop = {take = 1}", WEB, "3:17: fact[0].postnet_stop.take: unknown key; did you mean takes?"),
        (
            "group = 'shop'\nasked = 'start'",
            WEB,
            "4:9: fact[0].asked: expected one of online, offline, restart, suspend, resume, manage, unmanage, clear,"
            ' not "start"; did you mean restart?',
        ),
        (
            "group = 'shpo'\nasked = 'online'",
            WEB,
            '3:9: fact[0].group: expected one of shop, not "shpo"; did you mean shop?',
        ),
        (
            "group = 'shop'\ndied = 1",
            WEB,
            "1:3: fact[0]: a group is only asked: asked = one of online, offline, restart, suspend, resume, manage,"
            " unmanage, clear",
        ),
        (
            "group = 'shop'\nresource = 'web'\nasked = 'online'",
            WEB,
            "3:1: fact[0].group: a fact is about a resource or a group, not both",
        ),
        ("died = 1\nresource = 5", WEB, "4:12: fact[0].resource: expected the name of a resource, not 5"),
    ],
)
def test_each_mistake_in_a_fact(tmp_path: Path, line: str, resource: Resource, said: str | None) -> None:
    found = mistakes(tmp_path, fact(line), resource)
    assert len(found) == 1
    assert said is None or found == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("untill = 5", "1:1: untill: unknown key; did you mean until?"),
        (
            "qwertz = 5",
            "1:1: qwertz: unknown key; known: description, recorded, until, on_giveover, chance, fact, decided,"
            " resource, group",
        ),
        ("description = 5", "1:15: description: expected a string, not 5"),
        ("on_giveover = 'auto'", '1:15: on_giveover: expected one of refuse, exit, not "auto"'),
        ("chance = 2", "1:10: chance: expected a number from 0 to 1, not 2"),
        ("chance = true", "1:10: chance: expected a number from 0 to 1, not true"),
        ("fact = 5", "1:8: fact: expected tables [[fact]], not 5"),
        ("fact = [5]", "1:8: fact: expected tables [[fact]], not an array"),
        ("until = 1\n[[fact]]\nat = 5\ndied = 1", "1:9: until: the play ends before its last fact, at 5 s"),
        ("[[fact]]\ndied = 1", "1:3: fact[0]: at is missing: the seconds since the runner started"),
        (
            "[resource.web]\nstart_command = 'x'",
            "1:2: resource: resources are declared here and in the descriptor given beside it",
        ),
        ("a = [", "1:6: not TOML: invalid value at the end of the file; is it cut off?"),
    ],
)
def test_each_mistake_of_a_file(tmp_path: Path, text: str, said: str) -> None:
    assert mistakes(tmp_path, text) == [said]


def test_too_many_facts_are_refused(tmp_path: Path) -> None:
    text = fact("probe = 1\nevery = 1\ntimes = 6000") * 3
    assert mistakes(tmp_path, text) == ["6:3: fact[1]: a scenario may have 10000 facts, repeated ones included"]


def test_where_there_are_several_resources_a_fact_has_to_say_which(tmp_path: Path) -> None:
    assert mistakes(tmp_path, fact("died = 1"), WEB, DB) == ["1:3: fact[0]: resource is missing: one of web, db"]
    assert mistakes(tmp_path, fact('died = 1\nresource = "x"'), WEB, DB) == [
        '4:12: fact[0].resource: there is no resource "x"; declared: web, db'
    ]


OWN = '[resource.web]\nstart_command = "web"\n'


def test_a_scenario_may_declare_its_resources_itself(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(OWN + 'Probe_Command = "ask"\n' + fact("probe = 50"))
    scenario = read_scenario(str(file), None)
    assert scenario.problems == ()
    assert scenario.plan.resources[0].probe_command == Command(("/bin/sh", "-c", "ask"), "ask")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["1:1: nothing is declared; expected a table [resource.NAME], or a descriptor beside the scenario"]),
        (OWN + "Retry_Cuont = 1\n", ["3:1: resource.web.Retry_Cuont: unknown key; did you mean retry_count?"]),
        (
            OWN + "pmf_managed = false\n",
            [
                "3:15: resource.web.pmf_managed: pmf_managed = false needs stop_command: there is no process to send a"
                " signal to",
                "3:15: resource.web.pmf_managed: pmf_managed = false needs probe_command, probe or a tcp port in"
                " port_list: health has no other source",
            ],
        ),
    ],
)
def test_mistakes_in_what_it_declares(tmp_path: Path, text: str, said: list[str]) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    problems = read_scenario(str(file), None).problems
    assert [str(problem).removeprefix(f"{file}:") for problem in problems] == said


# -- the command ------------------------------------------------------------------------------------------------------


def test_a_descriptor_and_a_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    descriptor, scenario = tmp_path / "web.toml", tmp_path / "s.toml"
    descriptor.write_text('start_command = ["/nonexistent/web"]\nretry_count = 0\n')
    scenario.write_text('description = "it dies"\n' + fact('died = "SIGKILL"'))
    assert main([str(descriptor), str(scenario)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("it dies\n\nBefore\n  web  OFFLINE\n\nPlayed\n")
    assert said.out.endswith("  the runner goes on\n")
    assert "giveover: 0 restarts within 370 s" in said.out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.toml"
    file.write_text('on_giveover = "exit"\n' + OWN + "retry_count = 0\n" + fact("died = 0"))
    assert main(["--json", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"schema", "description", "before", "lines", "after", "groups", "seconds", "exit_status", "cut"}
    assert (told["schema"], told["exit_status"], told["cut"], told["seconds"]) == (1, 75, False, 5.0)
    assert told["lines"][0] == {
        "at": 0.0,
        "resource": "web",
        "kind": "state",
        "text": "OFFLINE -> STARTING, UNKNOWN: the runner starts",
    }
    assert told["after"] == [
        {
            "name": "web",
            "state": "OFFLINE",
            "status": "OFFLINE",
            "because": "giveover: 0 restarts within 370 s: the last process of the tree ended (exit status 0)",
            "starts": 1,
            "restarts": {"done": 0, "limit": 0, "interval_seconds": 370.0},
            "sum": 0,
        }
    ]


def test_a_runner_that_goes_on_has_no_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.toml"
    file.write_text(OWN)
    assert main([str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exit_status"] is None


def test_a_play_without_an_end_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.toml"
    file.write_text(OWN + "retry_count = -1\n" + "[[fact]]\nat = 0\nstarts = {dies = 1}\n")
    assert main([str(file)]) == 1
    assert capsys.readouterr().err == f"gds: cannot see an end of {file}: cut after 10000 lines\n"


def test_bad_files_end_with_78_and_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, scenario = tmp_path / "bad.toml", tmp_path / "s.toml"
    bad.write_text("start_comand = 1\nretry_count = -7\n")
    scenario.write_text("chance = 7\n")
    assert main([str(bad), str(scenario)]) == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count(str(bad)) == said.err.count("\n") - 1 >= 2
    good = tmp_path / "web.toml"
    good.write_text('start_command = "web"\n')
    assert main([str(good), str(scenario)]) == 78
    assert capsys.readouterr().err == (
        f"{scenario}:1:10: chance: expected a number from 0 to 1, not 7\ngds: cannot simulate: 1 error\n"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot read it: No such file or directory"), (b"\xff\xfe", "cannot read it: it is UTF-16; save it as")],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    file = tmp_path / "s.toml"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 78
    assert said in capsys.readouterr().err


def test_anybodys_scenario_may_be_read(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(OWN)
    file.chmod(0o666)  # nothing in it is executed
    assert main([str(file)]) == 0


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 2, "gds: cannot simulate: name a scenario\nusage: "),
        (["--jsn", "x"], 2, "there is no such option; did you mean --json?"),
        (["x", "--", "y"], 2, "gds: cannot simulate: name a scenario"),
        (["--help"], 0, "usage: gds simulate [PATH...] SCENARIO [--json]"),
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], argv: list[str], code: int, said: str) -> None:
    assert main(argv) == code
    told = capsys.readouterr()
    assert said in (told.err if code else told.out)
