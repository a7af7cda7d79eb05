"""A table whose `type` names a registered type: its values are held against the type, its methods become commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gds.config.load import Loaded, load
from gds.config.registry import read_type, register
from gds.model.resource import Command, Need, Resource
from gds.model.state import FailoverMode

RTR = """
Resource_type = web; Vendor_id = ACME; RT_version = "VERSION"; RT_basedir = /bin;
Start = true; Stop = false; Validate = true; Update = true; Monitor_start = true; Monitor_stop = true;
#$upgrade
{ PROPERTY = Start_timeout; DEFAULT = 60; }
{ PROPERTY = Retry_count; DEFAULT = 4; MAX = 10; TUNABLE = ANYTIME; }
{ PROPERTY = Retry_interval; DEFAULT = 100; TUNABLE = ANYTIME; }
{ PROPERTY = Place; EXTENSION; STRING; TUNABLE = AT_CREATION; }
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with ACME.web:1.0 in it."""
    made = tmp_path / "state"
    have(made, "1.0")
    return made


def have(state: Path, version: str) -> None:
    """Register a version of it."""
    path = state.parent / "web.rtr"
    path.write_text(RTR.replace("VERSION", version))
    path.chmod(0o644)
    found, text = read_type(str(path), os.geteuid())
    assert found.type is not None, found.faults
    register(found.type, text, str(state), os.geteuid())


def read(state: Path, text: str) -> Loaded:
    """The descriptor as a runner with that state directory would read it."""
    path = state.parent / "a.toml"
    path.write_text(text)
    path.chmod(0o644)
    return load([str(path)], kept_in=f"{state}/set.json")


def one(loaded: Loaded) -> Resource:
    """Its one resource."""
    assert not loaded.problems, loaded.problems
    assert not loaded.warnings
    assert loaded.plan is not None
    return loaded.plan.resources[-1]


def test_its_methods_are_commands_and_its_properties_are_kept(state: Path) -> None:
    found = one(
        read(
            state,
            """
            [resource.db]
            type = "sunw.gds"
            start_command = "/bin/true"
            [resource.w]
            Type = "acme.WEB"
            Group = "g"
            Place = "/srv"
            RETRY_count = 5
            retry_interval = "2m"
            Failover_mode = "restart_only"
            Resource_dependencies = ["db{LOCAL_NODE}"]
            Description = "the web"
            enabled = false
            """,
        )
    )
    identity = ("-R", "w", "-T", "ACME.web:1.0", "-G", "g")
    assert (found.name, found.group, found.type, found.enabled) == ("w", "g", "ACME.web:1.0", False)
    assert found.start_command == Command(("/bin/true", *identity))
    assert found.stop_command == Command(("/bin/false", *identity))
    assert found.update_command == Command(("/bin/true", *identity))
    assert found.validate_command is not None
    words = found.validate_command.argv
    assert words[:8] == ("/bin/true", "-c", *identity)
    assert {"Retry_count=5", "Place=/srv", "R_description=the web", "Start_timeout=60"} <= set(words)
    assert (found.start_timeout, found.stop_timeout, found.pmf_managed) == (60.0, 3600.0, False)
    assert (found.retry_count, found.retry_interval, found.failover_mode) == (5, 120.0, FailoverMode.RESTART_ONLY)
    assert found.resource_dependencies == (Need("db", "LOCAL_NODE"),)
    assert found.description == "the web"
    assert not found.has_probe
    assert found.typed is not None
    assert found.typed.value("place") == "/srv"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["type = 'ACME.wbe'"], "2:8: resource.w.type: no type ACME.wbe is registered; did you mean ACME.web:1.0?"),
        (["type = 'ACME.web:2.0'"], "2:8: resource.w.type: no type ACME.web:2.0 is registered"),
        (["type = 'gds:0.0'"], "2:8: resource.w.type: no type gds:0.0 is registered"),
        (["type = 'ACME.web'"], "resource.w.place: required by type ACME.web:1.0: a string"),
        (["type = 'ACME.web'", "place = 5"], "3:9: resource.w.place: expected a string, not 5"),
        (["type = 'ACME.web'", "place = ''", "Retry_Count = 11"], "4:15: resource.w.retry_count: expected at most 10"),
        (["type = 'ACME.web'", "place = ''", "start_command = 'x'"], "4:1: resource.w.start_command: "),
        (["type = 'ACME.web'", "place = ''", "group = 'a b'"], "4:9: resource.w.group: "),
        (["type = 'ACME.web'", "place = ''", "resource_dependencies = ['nix']"], "4:26: resource.w.resource_dep"),
        (["type = 'ACME.web'", "place = ''", "failover_mode = 'SOFTT'"], "4:17: resource.w.failover_mode: expected"),
    ],
)
def test_a_mistake_is_told_at_its_place(state: Path, lines: list[str], said: str) -> None:
    problems = [str(p) for p in read(state, "\n".join(["[resource.w]", *lines])).problems]
    assert len(problems) == 1, problems
    assert said in problems[0]


def test_hard_needs_what_it_always_needs(state: Path) -> None:
    text = "[resource.w]\ntype = 'ACME.web'\nplace = ''\nfailover_mode = 'HARD'\n"
    assert "node_abort_command" in str(read(state, text).problems[0])


def test_a_method_program_that_is_not_there_is_a_mistake(state: Path) -> None:
    rtr = state / "rt" / "ACME.web:1.0"
    rtr.write_text(rtr.read_text().replace("Start = true", "Start = no-such-program"))
    problems = read(state, "[resource.w]\ntype = 'ACME.web'\nplace = ''\n").problems
    assert [p.message for p in problems] == ["/bin/no-such-program does not exist"]


def test_without_a_version_the_latest_is_meant_and_a_kept_plan_knows(state: Path) -> None:
    text = "[resource.w]\ntype = 'ACME.web'\nplace = ''\n"
    before = read(state, text)
    assert one(before).type == "ACME.web:1.0"
    assert dict(before.facts)["types", f"{state}/rt"] == "ACME.web:1.0"
    assert [Path(path).name for path, _ in before.files] == ["a.toml", "ACME.web:1.0"]
    have(state, "1.10")
    have(state, "1.9")
    after = read(state, text)
    assert one(after).type == "ACME.web:1.10"
    assert dict(after.facts)["types", f"{state}/rt"] == "ACME.web:1.0,ACME.web:1.10,ACME.web:1.9"
