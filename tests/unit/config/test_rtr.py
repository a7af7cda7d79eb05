"""RTR files: every mistake has its own message; a sound file says all that Sun's grammar can say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.config.generictype import COMMENT, generic_type
from gds.config.rtr import read_rtr
from gds.config.rtrtext import MOST_FAULTS
from gds.config.rtrwrite import write_rtr
from gds.model.properties import RESOURCE, by_name, default_of
from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType, Upgrade, UpgradeWhen
from gds.model.sysprops import SYSTEM
from gds.model.tunable import Tunable
from tests.unit.config.test_errors import cases

SAMPLES = Path(__file__).parent / "samples"
HEAD = """Resource_type = "lamp"; Vendor_id = ACME;
RT_version = "1.0";
RT_basedir = /opt/acme;
Start = light; Stop = snuff; Validate = look;
"""
MISTAKES = cases("mistakes_of_rtr.txt")


def lamp() -> ResourceType:
    """The type of the sample that has one of everything."""
    read = read_rtr((SAMPLES / "lamp.rtr").read_text(), "lamp.rtr")
    assert read.faults == ()
    assert read.type is not None
    return read.type


def declared(name: str) -> PropertyDeclaration:
    """One property of it."""
    return next(each for each in lamp().declared if each.name == name)


def told(text: str) -> list[str]:
    """The faults of a text as lines, without the file's name."""
    read = read_rtr(text, "x.rtr")
    assert (read.type is None) is bool(read.faults)
    return [str(fault).removeprefix("x.rtr:") for fault in read.faults]


def test_the_mistakes_are_read() -> None:
    assert len(MISTAKES) > 70


@pytest.mark.parametrize(("text", "expected"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_told_where_it_is(text: str, expected: list[str]) -> None:
    assert told(text.replace("@\n", HEAD, 1)) == expected


def test_a_name_with_its_vendor_and_version_is_a_file_name_and_no_longer_than_one() -> None:
    text = f"Resource_type = {'a' * 250}; RT_version = 1; Start = /a; Stop = /b; Vendor_id = ACME;"
    assert told(text) == []
    assert told(text + "\n#$upgrade") == ["1:1: the name of a type has at most 255 characters, this one 257"]


def test_the_whole_of_a_file() -> None:
    kind = lamp()
    assert kind.name == "ACME.lamp:2.1"
    assert (kind.resource_type, kind.vendor_id, kind.rt_version) == ("lamp", "ACME", "2.1")
    assert kind.rt_description == "A light that somebody keeps burning, day and night"
    assert (kind.api_version, kind.rt_basedir, kind.init_nodes) == (5, "/opt/acme/lamp/bin", "RT_INSTALLED_NODES")
    assert (kind.failover, kind.single_instance, kind.proxy, kind.global_zone) == (False, True, False, False)
    assert kind.pkglist == ("ACMElamp", "ACMEwick")
    assert dict(kind.methods) == {
        "Prenet_start": "lamp_trim",
        "Start": "lamp_light",
        "Stop": "/usr/libexec/acme/lamp snuff",
        "Validate": "lamp_validate",
        "Update": "lamp_update",
        "Monitor_start": "lamp_watch",
        "Monitor_stop": "lamp_unwatch",
        "Monitor_check": "lamp_check",
    }
    assert kind.path_of("Start") == "/opt/acme/lamp/bin/lamp_light"
    assert kind.path_of("Stop") == "/usr/libexec/acme/lamp snuff"
    assert kind.path_of("Init") == ""


def test_upgrade_lines_in_any_letter_case_with_comments_and_without_quotes() -> None:
    assert lamp().upgrade_aware
    assert lamp().upgrades == (
        Upgrade("1.0", UpgradeWhen.WHEN_UNMANAGED),
        Upgrade("1.1", UpgradeWhen.WHEN_OFFLINE),
        Upgrade("2.0", UpgradeWhen.ANYTIME),
        Upgrade("", UpgradeWhen.WHEN_DISABLED),
    )


def test_a_system_defined_property_keeps_what_the_file_does_not_say() -> None:
    assert declared("Start_timeout") == SYSTEM["start_timeout"].declaration.replace(default=60, minimum=5)
    assert declared("Stop_timeout") == SYSTEM["stop_timeout"].declaration
    assert declared("Retry_count").tunable is Tunable.WHEN_DISABLED
    assert declared("Failover_mode").default == "RESTART_ONLY"
    assert declared("Failover_mode").tunable is Tunable.WHEN_DISABLED
    assert declared("Port_list").default is None
    assert declared("Port_list").array_max == 4


def test_extension_properties() -> None:
    wick = declared("Wick")
    assert wick.extension
    assert (wick.type, wick.default, wick.min_length, wick.max_length) == (PropertyType.STRING, None, 1, 16)
    assert wick.description == 'Its "material"; for instance cotton, glass or C:\\felt\\wool'
    assert declared("Brightness").per_node
    assert (declared("Colour").enumlist, declared("Colour").default) == (("WARM", "COLD", "RED"), "WARM")
    assert declared("Colour").tunable is Tunable.ANYTIME
    assert declared("Blinks").tunable is Tunable.NONE
    assert declared("Rooms").default == ("hall", "stairs")
    assert declared("Mood").enumlist == ("CALM", "WILD")
    assert declared("Oil").default == ""
    assert declared("Oil").tunable is Tunable.ANYTIME


def test_the_least_that_a_file_may_say() -> None:
    read = read_rtr((SAMPLES / "least.rtr").read_text(), "least.rtr")
    assert read.type == ResourceType("least", "1", methods=(("Start", "/bin/true"), ("Stop", "/bin/true")))
    assert read.type is not None
    assert read.type.name == "least"


@pytest.mark.parametrize("name", ["lamp", "least"])
def test_what_is_written_is_read_back(name: str) -> None:
    read = read_rtr((SAMPLES / f"{name}.rtr").read_text(), name)
    assert read.type is not None
    assert read_rtr(write_rtr(read.type, ("one comment", "")), name) == read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("DEFAULT = ;", ()),
        ('DEFAULT = "";', ()),
        ("DEFAULT = a;", ("a",)),
        ('DEFAULT = a,b , "c d";', ("a", "b", "c d")),
        ("DEFAULT =\n\ta,\n\tb;", ("a", "b")),
    ],
)
def test_the_ways_to_write_a_list(text: str, value: tuple[str, ...]) -> None:
    read = read_rtr(HEAD + "{ PROPERTY = Rooms; EXTENSION; STRINGARRAY;" + text + "}", "x")
    assert read.faults == ()
    assert read.type is not None
    assert read.type.declared[0].default == value


def test_a_comment_may_hold_anything_and_a_string_may_hold_a_comment() -> None:
    read = read_rtr(HEAD.replace('"1.0";', '"1.0"; # é “ { ; "') + 'RT_description = "a # b";', "x")
    assert read.type is not None
    assert read.type.rt_description == "a # b"
    assert read.type.rt_version == "1.0"


def test_remarks_are_no_faults() -> None:
    read = read_rtr(HEAD + "Monitor_start = watch;\n{ PROPERTY = Init_timeout; DEFAULT = 5; }", "x")
    assert read.type is not None
    assert [str(remark) for remark in read.remarks] == [
        "x:5:1: Monitor_start: declared without Monitor_stop",
        "x:6:1: Init_timeout: the type has no Init method, and so no resource has this property",
    ]


def test_nobody_is_told_more_than_anybody_reads() -> None:
    for line in (";", "Nonsense = 1;", "#$", '"', "{ A;", "{ PROPERTY = A; }", "#$upgrade_from 1 ANYTIME"):
        faults = told(HEAD + f"{line}\n" * 10_000)
        assert len(faults) == MOST_FAULTS + 1, line
        assert faults[-1].endswith(f"more than {MOST_FAULTS} mistakes: the rest is not told")


# -- the generic type


def test_the_generic_type_is_read_by_our_own_parser() -> None:
    """It is made from the table when it is asked for, so it cannot be stale; what is made has to be an RTR file."""
    read = read_rtr(write_rtr(generic_type(), COMMENT), "gds.rtr")
    assert read.faults == ()
    assert read.type == generic_type()
    assert read.type.name == "gds"


def test_the_generic_type_has_every_property_of_the_table_but_the_resource_s_own() -> None:
    made = {each.key: each for each in generic_type().declared}
    left_out = {"group", "type", "enabled", "monitored"}
    for each in RESOURCE:
        key = (each.sun or each.name).lower()
        assert (key in made) is (each.supported and not each.of and each.name not in left_out), each.name
    for name in ("retry_count", "stop_timeout", "probe_timeout", "num_probe_timeouts", "retry_interval"):
        assert made[name].default == default_of(by_name(RESOURCE)[name])
        assert made[name].type is PropertyType.INT
    assert made["start_command"].default is None
    assert made["stop_command"].default == ""
    assert made["failover_mode"].default == "SOFT"
    assert not made["failover_mode"].extension
    assert made["probe_timeout"].extension


def test_the_generic_type_says_when_each_property_may_change() -> None:
    made = {each.key: each for each in generic_type().declared}
    for each in RESOURCE:
        key = (each.sun or each.name).lower()
        if key in made:
            assert made[key].tunable is each.tunable
