"""Cluster scenarios: what a file says, every mistake with its place, and `gds simulate --cluster` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gds.cli.simulate import main
from gds.clusterscript import Asked, ClusterScript, Course, GivesOver, Happens, NodeAsked
from gds.clustersim import MOST, simulate_cluster
from gds.config import clusterscenario
from gds.config.clusterscenario import read_cluster_scenario
from gds.model.resource import Group

CLUSTER = '[cluster]\nnodes = ["n1", "n2"]\n'
WEB = "[group.web]\n"


def read(tmp_path: Path, text: str) -> ClusterScript:
    """The script of a good scenario."""
    file = tmp_path / "s.toml"
    file.write_text(text)
    found = read_cluster_scenario(str(file), None)
    assert found.problems == ()
    return found.script


def mistakes(tmp_path: Path, text: str, groups: tuple[Group, ...] | None = None) -> list[str]:
    """LINE:COLUMN: KEY: MESSAGE of each."""
    file = tmp_path / "s.toml"
    file.write_text(text)
    return [str(p).removeprefix(f"{file}:") for p in read_cluster_scenario(str(file), groups).problems]


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ('node = "n1"\nhappens = "cut off"', Happens(5.0, "n1", "cut off")),
        ('node = "n1"\nasked = "drain"', NodeAsked(5.0, "n1", "drain")),
        ('group = "web"\nasked = "suspend"', Asked(5.0, "web", "suspend")),
        ('group = "web"\nasked = "switch"\nto = ["n2", "n1"]', Asked(5.0, "web", "switch", ("n2", "n1"))),
        ('group = "web"\ngives_over = "sick"', GivesOver(5.0, "web", "sick")),
        ('group = "web"\nnode = "n2"\ngives_over = "sick"', GivesOver(5.0, "web", "sick", "n2")),
        ('group = "web"\nnode = "n2"\nmonitor_check = ""', Course(5.0, "web", "n2", "Monitor_check", "")),
        ('group = "web"\nnode = "n2"\nstart = "why"\ntimes = 2', Course(5.0, "web", "n2", "Start", "why", 2)),
        ('group = "web"\nnode = "n2"\nstop = "why"', Course(5.0, "web", "n2", "Stop", "why")),
    ],
)
def test_each_kind_of_fact(tmp_path: Path, fact: str, expected: object) -> None:
    assert read(tmp_path, f"{CLUSTER}{WEB}[[fact]]\nat = 5\n{fact}\n").facts == (expected,)


def test_times_groups_and_resources(tmp_path: Path) -> None:
    text = f'until = "2m"\n{CLUSTER}lifetime = 5\nmargin = 1\nrenew = 1\nstart = 3\nstop = "1s"\n{WEB}'
    script = read(tmp_path, text + '[resource.app]\nstart_command = "x"\ngroup = "shop"\n')
    assert (script.lifetime, script.margin, script.renew, script.start, script.stop) == (5.0, 1.0, 1.0, 3.0, 1.0)
    assert script.until == 120.0
    assert sorted(group.name for group in script.groups) == ["shop", "web"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "nothing is declared; expected a table [group.NAME], or a descriptor beside the scenario"),
        ("x = 1\n" + CLUSTER + WEB, "1:1: x: unknown key; known: description, until, cluster, fact, resource, group"),
        (WEB, 'no node: expected [cluster] with nodes = ["n1", "n2"]'),
        (WEB + "[cluster]\n", 'no node: expected [cluster] with nodes = ["n1", "n2"]'),
        ("cluster = 1\n" + WEB, "1:11: cluster: expected a table, not 1"),
        (WEB + '[cluster]\nnodes = "n1"\n', "3:9: cluster.nodes: expected an array of names, not"),
        (CLUSTER + "margin = 10\n" + WEB, "margin 10 s leaves nothing of lifetime 10 s"),
        (CLUSTER + "fact = 1\n" + WEB, "3:1: cluster.fact: unknown key"),
        ("fact = 1\n" + CLUSTER + WEB, "1:8: fact: expected tables [[fact]], not 1"),
        (CLUSTER + "[group.web]\nnodelst = []\n", "nodelst"),
        ("group = 1\n" + CLUSTER, "group"),
        ("resource = 1\n" + CLUSTER + WEB, "resource"),
        ("[resource]\napp = 1\n" + CLUSTER + WEB, "resource.app"),
        ("description = 1\n" + CLUSTER + WEB, "1:15: description: expected a string, not 1"),
        ("not toml", "1:"),
    ],
)
def test_what_is_wrong_with_it(tmp_path: Path, text: str, said: str) -> None:
    found = mistakes(tmp_path, text)
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ('node = "n1"\nhappens = "dies"', "at is missing: the seconds since the cluster started"),
        ("at = 1", "expected one of happens, asked, gives_over, start, stop, monitor_check"),
        ('at = 1\nhapens = "dies"', "hapens: unknown key; did you mean happens?"),
        ('at = 1\nnode = "n1"\nhappens = "dies"\nasked = "drain"', ", not happens and asked"),
        ('at = 1\nnode = "n9"\nhappens = "dies"', 'expected a node (n1, n2), not "n9"'),
        ('at = 1\ngroup = "wob"\nasked = "online"', 'expected a group (web), not "wob"'),
        ('at = 1\nhappens = "dies"', "node is missing: happens is about a node"),
        ('at = 1\nnode = "n1"\ngroup = "web"\nhappens = "dies"', "group: happens is about a node"),
        ('at = 1\nnode = "n1"\nhappens = "explodes"', "expected one of dies, returns, cut off, healed"),
        ('at = 1\nnode = "n1"\nasked = "switch"', "expected one of evacuate, drain, resume"),
        ('at = 1\ngroup = "web"\nasked = "switch"', "to is missing: where a switch sends it"),
        ('at = 1\ngroup = "web"\nasked = "online"\nto = ["n1"]', "to: to belongs to a switch"),
        ('at = 1\ngroup = "web"\ngives_over = "x"\ntimes = 2', "times: times belongs to a method"),
        ('at = 1\ngives_over = "x"', "group is missing: gives_over is about a group"),
        ('at = 1\ngroup = "web"\nstart = "x"', "node is missing: start is about a node"),
        ('at = 1\ngroup = "web"\nnode = "n1"\nstart = "x"\ntimes = 0', "expected a number from 1 to 10000, not 0"),
    ],
)
def test_what_is_wrong_with_a_fact(tmp_path: Path, fact: str, said: str) -> None:
    found = mistakes(tmp_path, f"{CLUSTER}{WEB}[[fact]]\n{fact}\n")
    assert any(said in each for each in found), found


def test_a_play_that_ends_before_its_last_fact(tmp_path: Path) -> None:
    text = f'until = 3\n{CLUSTER}{WEB}[[fact]]\nat = 5\nnode = "n1"\nhappens = "dies"\n'
    assert mistakes(tmp_path, text) == ["1:9: until: the play ends before its last fact, at 5 s"]


def test_too_many_facts(tmp_path: Path) -> None:
    text = f"{CLUSTER}{WEB}" + '[[fact]]\nat = 5\nnode = "n1"\nhappens = "dies"\n' * (clusterscenario.MOST + 1)
    assert mistakes(tmp_path, text)[0].endswith("a scenario may have 10000 facts")


def test_groups_here_and_in_a_descriptor(tmp_path: Path) -> None:
    found = mistakes(tmp_path, CLUSTER + WEB, (Group("web"),))
    assert found == ["3:2: group: groups are declared here and in the descriptor given beside it"]


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cluster", str(tmp_path / "no.toml")]) == 78
    assert "gds: cannot simulate: 1 error" in capsys.readouterr().err


def test_the_groups_of_a_descriptor_are_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.toml").write_text('[resource.web]\nstart_command = "web"\n')
    (tmp_path / "s.toml").write_text(f'{CLUSTER}[[fact]]\nat = 20\nnode = "n1"\nhappens = "dies"\n')
    words = ["--cluster", str(tmp_path / "web.toml"), str(tmp_path / "s.toml")]
    assert main(words) == 0
    assert "web  n2 ONLINE since 31.1 s; away for 11.1 s in all" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["nodes"] == [{"node": "n1", "state": "dead, fenced"}, {"node": "n2", "state": "up"}]
    assert document["groups"] == [
        {
            "group": "web",
            "masters": [{"node": "n2", "state": "ONLINE", "since": 31.1}],
            "because": "runs on n2",
            "away_seconds": 11.1,
        }
    ]
    assert document["lines"][2]["text"] == "dies, with web"
    (tmp_path / "web.toml").write_text("x = 1")
    assert main(words) == 78


def test_the_format_is_told_and_its_example_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cluster", "--help"]) == 0
    said = capsys.readouterr().out
    example = "\n".join([line[4:] for line in said.splitlines() if line.startswith("    ")])
    (tmp_path / "s.toml").write_text(example + "\n[group.db]\n")
    assert main(["--cluster", str(tmp_path / "s.toml")]) == 0
    assert "web" in capsys.readouterr().out


def test_nothing_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cluster", "--compare", "x.toml"]) == 2
    assert "cannot compare: a cluster's scenario holds no recorded decisions" in capsys.readouterr().err


def test_a_play_without_an_end_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each Start fails, and no mark lasts."""
    text = f'until = "100h"\n{CLUSTER}[group.web]\npingpong_interval = 0\n[[fact]]\nat = 1\ngroup = "web"\n'
    text += 'gives_over = "sick"\n' + "".join(
        [f'[[fact]]\nat = 0\ngroup = "web"\nnode = "n{n}"\nstart = "no"\n' for n in (1, 2)]
    )
    (tmp_path / "s.toml").write_text(text)
    assert main(["--cluster", str(tmp_path / "s.toml")]) == 1
    assert f"cut after {MOST} lines" in capsys.readouterr().err


def test_a_cluster_of_nothing() -> None:
    assert simulate_cluster(ClusterScript()).groups == ()
