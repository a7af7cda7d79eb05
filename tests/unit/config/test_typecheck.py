"""Values of a resource against its type: every refusal in words, every default filled in, tunability. Sun:
semantics.md 11, 14.3."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from gds.config.rtr import read_rtr
from gds.config.typecheck import KeyFault, Settled, amend, keys_of, living_fault, not_tunable, settle, value_of
from gds.model.methodcall import About, Setting, changed, validate_call
from gds.model.restype import ResourceType

SAMPLES = Path(__file__).parent / "samples"
LEAST: dict[str, object] = {"port_list": ["8080/tcp"], "wick": "cotton"}
NODES = ("n1", "n2")


def lamp() -> ResourceType:
    """The type with one of everything."""
    read = read_rtr((SAMPLES / "lamp.rtr").read_text(), "lamp.rtr")
    assert read.type is not None
    return read.type


LAMP = lamp()


def lines(settled: Settled) -> list[str]:
    """The faults as lines; there are settings only when there are none."""
    assert not (settled.faults and settled.settings)
    return [f"{f.key}[{f.element}]: {f.message}" if f.element >= 0 else f"{f.key}: {f.message}" for f in settled.faults]


def told(**given: object) -> list[str]:
    """What is said of these keys beside the least that is needed."""
    return lines(settle(LAMP, {**LEAST, **given}, NODES))


def values(**given: object) -> dict[str, Any]:
    """The settings that these keys lead to; those of single nodes as `name{node}`."""
    settled = settle(LAMP, {**LEAST, **given}, NODES)
    assert settled.faults == ()
    return {f"{s.name}{{{s.node}}}" if s.node else s.name: s.value for s in settled.settings}


def test_every_property_has_a_value_and_those_nobody_gives_have_their_default() -> None:
    assert values() == {
        "R_description": "",
        "Resource_dependencies": (),
        "Resource_dependencies_weak": (),
        "Resource_dependencies_restart": (),
        "Resource_dependencies_offline_restart": (),
        "Resource_project_name": "",
        "Prenet_start_timeout": 3600,
        "Start_timeout": 60,
        "Stop_timeout": 3600,
        "Validate_timeout": 3600,
        "Update_timeout": 3600,
        "Monitor_start_timeout": 3600,
        "Monitor_stop_timeout": 3600,
        "Monitor_check_timeout": 3600,
        "Failover_mode": "RESTART_ONLY",
        "Retry_count": 3,
        "Scalable": False,
        "Affinity_timeout": 0,
        "Conn_threshold": 10000,
        "Generic_affinity": False,
        "Load_balancing_policy": "LB_WEIGHTED",
        "Load_balancing_weights": (),
        "Network_resources_used": (),
        "Round_robin": False,
        "UDP_affinity": False,
        "Weak_affinity": False,
        "Port_list": ("8080/tcp",),
        "Wick": "cotton",
        "Brightness": 50,
        "Colour": "WARM",
        "Blinks": False,
        "Rooms": ("hall", "stairs"),
        "Mood": "CALM",
        "Oil": "",
    }


def test_names_and_words_have_no_letter_case() -> None:
    made = values(RETRY_count=1, Colour="cold", failover_MODE="soft", Scalable=True)
    assert (made["Retry_count"], made["Colour"], made["Failover_mode"], made["Scalable"]) == (1, "COLD", "SOFT", True)


def test_what_is_nobody_s_property_is_passed_over_and_description_is_sun_s() -> None:
    made = values(type="ACME.lamp", group="g", enabled=False, Monitored=True, description="burns")
    assert made["R_description"] == "burns"


def test_sun_s_seconds_have_units_here() -> None:
    assert values(start_timeout="5m", stop_timeout=30.0, affinity_timeout=-1)["Start_timeout"] == 300
    assert values(stop_timeout=30.0)["Stop_timeout"] == 30
    assert values(start_timeout=" 2 h ")["Start_timeout"] == 7200


def test_a_value_for_one_node() -> None:
    assert values(brightness=7)["Brightness"] == 7
    made = values(brightness={"n1": 10, "n2": 20})
    assert (made["Brightness"], made["Brightness{n1}"], made["Brightness{n2}"]) == (50, 10, 20)
    made = values(**{"Brightness{n2}": 20, "brightness": 5})
    assert (made["Brightness"], made["Brightness{n2}"]) == (5, 20)
    settled = settle(LAMP, {**LEAST, "brightness": {"n1": 10}}, NODES)
    assert [value_of(settled.settings, "brightness", node) for node in ("n1", "n2", "")] == [10, 50, 50]
    assert value_of(settled.settings, "nonsense") is None
    assert lines(settle(LAMP, {**LEAST, "brightness": {"anywhere": 1}})) == []


def test_a_value_fixed_by_the_type_may_be_repeated() -> None:
    assert values(blinks=False)["Blinks"] is False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retry_cuont": 1}, "retry_cuont: type ACME.lamp:2.1 has no such property; did you mean Retry_count?"),
        ({"xyzzy": 1}, "xyzzy: type ACME.lamp:2.1 has no such property; `gds rt show ACME.lamp:2.1` lists them"),
        ({"grup": "g"}, "grup: type ACME.lamp:2.1 has no such property; did you mean group?"),
        (
            {"start_command": "x"},
            "start_command: unknown key here: type ACME.lamp:2.1 brings programs of its own for its methods",
        ),
        ({"Status": "OK"}, "Status: Status is the RGM's own and cannot be given"),
        ({"init_timeout": 1}, "init_timeout: type ACME.lamp:2.1 has no Init method, and so no Init_timeout"),
        ({"retry_interval": 1}, "retry_interval: type ACME.lamp:2.1 does not declare Retry_interval"),
        ({"Retry_count": 1, "retry_count": 1}, "retry_count: given twice, in different spelling"),
        ({"retry_count": 21}, "retry_count: expected at most 20, not 21"),
        ({"retry_count": -2}, "retry_count: expected at least -1, not -2"),
        ({"retry_count": "2"}, 'retry_count: expected a whole number, not "2"'),
        ({"retry_count": 2.5}, "retry_count: expected a whole number, not 2.5"),
        ({"retry_count": True}, "retry_count: expected a whole number, not true"),
        ({"retry_count": 2**40}, "retry_count: expected a whole number, not 1099511627776"),
        ({"retry_count": 2**400}, "retry_count: expected a whole number, not a number of more than 38 digits"),
        ({"retry_count": float("nan")}, "retry_count: expected a whole number, not nan"),
        ({"retry_count": float("inf")}, "retry_count: expected a whole number, not inf"),
        ({"retry_count": {}}, "retry_count: expected a whole number, not a table"),
        ({"retry_count": {"n1": 1}}, "retry_count: expected a whole number, not a table"),
        (
            {"retry_count{n1}": 1},
            "retry_count{n1}: expected a whole number, not a value for one node: Retry_count is not Per_node",
        ),
        ({"start_timeout": 4}, "start_timeout: expected at least 5, not 4"),
        (
            {"start_timeout": 5.5},
            'start_timeout: expected a whole number of seconds, or a string such as "5m", not 5.5',
        ),
        (
            {"start_timeout": "500ms"},
            'start_timeout: expected a whole number of seconds, or a string such as "5m", not "500ms"',
        ),
        ({"brightness": "1m"}, 'brightness: expected a whole number, not "1m"'),
        ({"brightness": 101}, "brightness: expected at most 100, not 101"),
        ({"brightness": {}}, "brightness: expected a whole number, not a table"),
        ({"brightness": {"n1": 101}}, "brightness: expected at most 100, not 101"),
        ({"brightness": {"n3": 1}}, 'brightness: no node is called "n3"; known: n1, n2'),
        ({"brightness": {"xyz": 1}}, 'brightness: no node is called "xyz"; known: n1, n2'),
        ({"brightness": {"n1": 1}, "brightness{n1}": 1}, "brightness{n1}: given twice for node n1"),
        ({"brightness{n1": 1}, "brightness{n1: type ACME.lamp:2.1 has no such property; did you mean Brightness?"),
        ({"colour": "green"}, 'colour: expected one of WARM, COLD, RED, not "green"'),
        ({"colour": ["WARM"]}, "colour: expected one of WARM, COLD, RED, not an array"),
        ({"blinks": "TRUE"}, 'blinks: expected true or false, not "TRUE"'),
        ({"blinks": True}, "blinks: may not be given: ACME.lamp:2.1 fixes it (TUNABLE = NONE)"),
        ({"scalable": 1}, "scalable: expected true or false, not 1"),
        ({"wick": ""}, "wick: expected at least 1 character, not 0"),
        ({"wick": "a" * 17}, "wick: expected at most 16 characters, not 17"),
        ({"wick": "Röhre"}, 'wick: expected printable ASCII, not "ö"'),
        ({"wick": "a\nb"}, "wick: expected printable ASCII, not the character \\u000a"),
        ({"wick": 5}, "wick: expected a string, not 5"),
        ({"oil": "x" * 131_068}, "oil: expected at most 131067 bytes: no more can be handed to a method"),
        ({"rooms": "hall"}, 'rooms: expected an array of strings, not "hall"'),
        ({"rooms": []}, "rooms: expected at least 1 element, not 0"),
        ({"rooms": list("abcd")}, "rooms: expected at most 3 elements, not 4"),
        ({"rooms": ["hall", 5]}, "rooms[1]: expected a string, not 5"),
        ({"rooms": ["hall", "a\0"]}, "rooms[1]: expected printable ASCII, not the character \\u0000"),
        ({"rooms": ["a,b"]}, 'rooms: element 0 ("a,b"): holds a comma, which separates elements'),
        ({"rooms": ["a long name"]}, 'rooms: element 0 ("a long name"): expected at most 8 characters, not 11'),
        ({"port_list": ["80"]}, ""),
        ({"port_list": ["80/TCP6", "53/udp"]}, ""),
        (
            {"port_list": ["80/sctp"]},
            'port_list: expected a port such as "8080/tcp" (tcp, tcp6, udp, udp6), not "80/sctp"',
        ),
        (
            {"port_list": ["65536/tcp"]},
            'port_list: expected a port such as "8080/tcp" (tcp, tcp6, udp, udp6), not "65536/tcp"',
        ),
        ({"load_balancing_weights": ["1@1", "3@n2"]}, ""),
        (
            {"load_balancing_weights": ["3"]},
            'load_balancing_weights: expected a weight such as "3@n1", not "3"',
        ),
        ({"load_balancing_policy": "LB_STICKY"}, ""),
        (
            {"load_balancing_policy": "STICKY"},
            'load_balancing_policy: expected one of LB_WEIGHTED, LB_STICKY, LB_STICKY_WILD, not "STICKY"',
        ),
    ],
)
def test_one_mistake_one_message(given: dict[str, object], said: str) -> None:
    assert told(**given) == ([said] if said else [])


def test_what_has_no_default_is_required() -> None:
    assert lines(settle(LAMP, {})) == [
        "port_list: required by type ACME.lamp:2.1: an array of strings",
        'wick: required by type ACME.lamp:2.1: a string (Its "material"; for instance cotton, glass or C:\\felt\\wool)',
    ]


def test_what_was_given_wrongly_is_not_told_as_missing() -> None:
    assert lines(settle(LAMP, {"port_list": [], "wick": 5})) == ["wick: expected a string, not 5"]


def test_all_mistakes_come_at_once() -> None:
    assert len(told(retry_count=99, colour="x", nonsense=1, wick="")) == 4


def test_the_keys_a_descriptor_may_have() -> None:
    known = keys_of(LAMP)
    assert {"type", "group", "enabled", "description", "retry_count", "wick", "start_timeout"} <= set(known)
    assert "init_timeout" not in known
    assert "retry_interval" not in known


@pytest.mark.parametrize(
    ("changes", "others", "rg_mode", "said"),
    [
        ({}, 0, "SCALABLE", ""),
        ({}, 1, "FAILOVER", "type ACME.lamp:2.1 allows one resource only (Single_instance), and web has it already"),
        ({"single_instance": False}, 1, "FAILOVER", ""),
        ({"failover": True}, 0, "FAILOVER", ""),
        (
            {"failover": True},
            0,
            "SCALABLE",
            "type ACME.lamp:2.1 runs on one node at a time (Failover), and rg_mode of its group is SCALABLE",
        ),
    ],
)
def test_where_a_resource_of_the_type_may_live(changes: dict[str, Any], others: int, rg_mode: str, said: str) -> None:
    assert living_fault(LAMP.replace(**changes), ("web",) * others, rg_mode) == said


# -- changes

BEFORE = settle(LAMP, {**LEAST, "brightness": {"n1": 10}}, NODES).settings


def change(given: dict[str, object], enabled: bool = True, as_text: bool = False) -> Settled:
    """A change of the resource that has BEFORE."""
    return amend(LAMP, BEFORE, given, enabled=enabled, nodes=NODES, as_text=as_text)


def test_a_change_leaves_the_rest_as_it_is() -> None:
    after = change({"Start_Timeout": 90})
    assert after.faults == ()
    assert changed(BEFORE, after.settings) == (Setting("Start_timeout", 90),)
    assert {(s.name, s.node) for s in after.settings} == {(s.name, s.node) for s in BEFORE}


def test_a_change_for_one_node_and_for_all() -> None:
    after = change({"Brightness{n2}": 20})
    assert changed(BEFORE, after.settings) == (Setting("Brightness", 20, "n2"),)
    after = change({"brightness": 20})
    assert [s for s in after.settings if s.name == "Brightness"] == [Setting("Brightness", 20)]


@pytest.mark.parametrize(
    ("key", "value", "enabled", "said"),
    [
        ("start_timeout", 90, True, ""),
        ("Retry_Count", 4, True, "may be changed only while the resource is disabled (TUNABLE = WHEN_DISABLED)"),
        ("retry_count", 4, False, ""),
        ("retry_count", 3, True, ""),
        ("wick", "glass", True, "may not be changed: it is set when the resource is created (TUNABLE = AT_CREATION)"),
        ("wick", "glass", False, "may not be changed: it is set when the resource is created (TUNABLE = AT_CREATION)"),
        ("wick", "cotton", True, ""),
        ("blinks", True, False, "may not be changed: ACME.lamp:2.1 fixes it (TUNABLE = NONE)"),
    ],
)
def test_tunability(key: str, value: object, enabled: bool, said: str) -> None:
    assert lines(change({key: value}, enabled)) == ([f"{key}: {said}"] if said else [])


def test_a_change_is_refused_as_a_whole() -> None:
    assert lines(change({"start_timeout": 90, "retry_count": 99})) == ["retry_count: expected at most 20, not 99"]
    assert lines(change({"start_timeout": 90, "wick": "glass"})) == [
        "wick: may not be changed: it is set when the resource is created (TUNABLE = AT_CREATION)"
    ]


@pytest.mark.parametrize(
    ("key", "text", "name", "value"),
    [
        ("scalable", "false", "Scalable", False),
        ("start_timeout", "90", "Start_timeout", 90),
        ("start_timeout", "2m", "Start_timeout", 120),
        ("retry_count", "-1", "Retry_count", -1),
        ("rooms", "a,b", "Rooms", ("a", "b")),
        ("resource_dependencies", "", "Resource_dependencies", ()),
        ("colour", "red", "Colour", "RED"),
        ("oil", "a,b;c", "Oil", "a,b;c"),
    ],
)
def test_values_as_typed(key: str, text: str, name: str, value: object) -> None:
    after = change({key: text}, enabled=False, as_text=True)
    assert lines(after) == []
    assert value_of(after.settings, name) == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("scalable", "maybe", 'scalable: expected true or false, not "maybe"'),
        ("retry_count", "two", 'retry_count: expected a whole number, not "two"'),
        ("retry_count", "9" * 400, 'retry_count: expected a whole number, not "' + "9" * 37 + '..."'),
        ("rooms", "a,b,c,d", "rooms: expected at most 3 elements, not 4"),
        ("rooms", "a,\x1b", "rooms[1]: expected printable ASCII, not the character \\u001b"),
    ],
)
def test_values_as_typed_and_wrong(key: str, text: str, said: str) -> None:
    assert lines(change({key: text}, enabled=False, as_text=True)) == [said]


def test_a_reload_is_told_which_differences_may_not_be() -> None:
    after = settle(LAMP, {**LEAST, "wick": "glass", "retry_count": 9, "start_timeout": 9}, NODES).settings
    assert [f.key for f in not_tunable(LAMP, BEFORE, after, enabled=True)] == ["retry_count", "wick"]
    assert [f.key for f in not_tunable(LAMP, BEFORE, after, enabled=False)] == ["wick"]
    assert not_tunable(LAMP, BEFORE, BEFORE, enabled=True) == ()
    assert not_tunable(LAMP, (), (Setting("wick", "a"),), enabled=False) == (
        KeyFault("wick", "may not be changed: it is set when the resource is created (TUNABLE = AT_CREATION)"),
    )


def test_from_a_descriptor_to_the_call_of_validate() -> None:
    settled = settle(LAMP, {**LEAST, "brightness": {"n2": 1}}, NODES)
    words = validate_call(LAMP, About("l", "g"), creating=True, settings=settled.settings)
    assert words[:8] == ("/opt/acme/lamp/bin/lamp_validate", "-c", "-R", "l", "-T", "ACME.lamp:2.1", "-G", "g")
    assert [words[i + 1] for i, word in enumerate(words) if word == "-X"] == ["Brightness{n2}=1"]
    assert "Rooms=hall,stairs" in words
    assert "Blinks=FALSE" in words
    assert words.count("-r") + words.count("-x") == len(values())


GETOPTS = """
while getopts cur:x:X:g:R:T:G:Z: flag; do
    case $flag in
        c | u) echo "$flag" ;;
        *) echo "$flag $OPTARG" ;;
    esac
done
shift $((OPTIND - 1))
echo "left $#"
"""


def test_a_shell_method_written_for_sun_understands_the_call() -> None:
    """The loop of the Developer's Guide: getopts over the very flags; values with blanks, quotes, nothing."""
    settings = (Setting("Wick", "a 'b' \"c\" $d"), Setting("Oil", ""), Setting("Brightness", -1, "n1"))
    group = (Setting("Nodelist", ("n1", "n2")),)
    words = validate_call(LAMP, About("l", "g", "z"), creating=False, settings=settings, group_settings=group)
    ran = subprocess.run(["/bin/sh", "-c", GETOPTS, *words], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout.splitlines() == [
        *("u", "R l", "T ACME.lamp:2.1", "G g"),
        *("x Wick=a 'b' \"c\" $d", "x Oil=", "X Brightness{n1}=-1", "g Nodelist=n1,n2", "Z z", "left 0"),
    ]
