"""Resource types: names, which version is the latest, upgrades. Sun: semantics.md 14, 18."""

from __future__ import annotations

import pytest

from gds.model.propertyvalue import character_fault, shown_value, text_of, value_fault
from gds.model.restype import (
    Ambiguous,
    NoSuchType,
    PropertyDeclaration,
    PropertyType,
    ResourceType,
    Standing,
    Upgrade,
    UpgradeWhen,
    find_type,
    may_upgrade,
    upgrade_when,
    version_order,
)
from gds.model.sysprops import SYSTEM, Presence, properties_of


def kind(name: str, version: str = "1.0", vendor: str = "ACME", upgrade_aware: bool = True) -> ResourceType:
    """A type with that name and nothing else."""
    return ResourceType(name, version, vendor, upgrade_aware=upgrade_aware)


def test_the_name_has_a_version_only_with_upgrade_and_a_vendor_only_when_there_is_one() -> None:
    assert kind("web").name == "ACME.web:1.0"
    assert kind("web", upgrade_aware=False).name == "ACME.web"
    assert kind("web", vendor="").name == "web:1.0"
    assert kind("web").unversioned == "ACME.web"


def test_an_address_type_says_so() -> None:
    assert not kind("web").is_logical_hostname
    assert not kind("web").is_shared_address
    assert kind("web").replace(sysdefined_type="LOGICAL_HOSTNAME").is_logical_hostname
    assert kind("web").replace(sysdefined_type="SHARED_ADDRESS").is_shared_address


def test_paths_of_methods() -> None:
    made = kind("web").replace(rt_basedir="/opt/web/bin/", methods=(("Start", "up"), ("Stop", "/sbin/down")))
    assert made.path_of("Start") == "/opt/web/bin/up"
    assert made.path_of("Stop") == "/sbin/down"
    assert made.path_of("Init") == ""
    assert made.has("Start")
    assert not made.has("Init")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("1.9", "1.10"),
        ("1", "1.0"),
        ("1.0", "1.0.1"),
        ("1.0a", "1.0b"),
        ("9", "10"),
        ("1.0", "1.0beta"),
        ("3.009", "3.10"),
        ("a", "1"),
        ("9" * 5000, "1" + "0" * 5000),
        ("", "0"),
    ],
)
def test_versions_are_ordered_as_people_count(earlier: str, later: str) -> None:
    assert version_order(earlier) < version_order(later)


WEB = kind("web", "1.9")
WEB_10 = kind("web", "1.10")
OTHER = kind("web", "2.0", "OTHER")
PLAIN = kind("old", "3.1", upgrade_aware=False)
BARE = kind("gds", "0.1", "", upgrade_aware=False)
KNOWN = (WEB, WEB_10, OTHER, PLAIN, BARE)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ACME.web", WEB_10),
        ("acme.WEB", WEB_10),
        ("ACME.web:1.9", WEB),
        ("OTHER.web", OTHER),
        ("web:2.0", OTHER),
        ("web:1.9", WEB),
        ("old", PLAIN),
        ("ACME.old", PLAIN),
        ("ACME.old:3.1", PLAIN),
        ("gds", BARE),
    ],
)
def test_a_type_is_found_with_and_without_vendor_and_version(asked: str, found: ResourceType) -> None:
    assert find_type(asked, KNOWN) == found


@pytest.mark.parametrize("asked", ["", "nope", "ACME.web:1.8", "SUN.web", "ACME.", ".web", "web:", "ACME.old:3"])
def test_what_nobody_is_called_is_not_found(asked: str) -> None:
    if asked == "web:":
        assert isinstance(find_type(asked, (WEB,)), NoSuchType)
        return
    found = find_type(asked, KNOWN)
    assert isinstance(found, NoSuchType)
    assert str(found).startswith(f"no type {asked} is registered (registered: ACME.old, ACME.web:1.10,")


def test_an_empty_registry_names_nobody_and_a_large_one_not_everybody() -> None:
    assert str(find_type("a", ())) == "no type a is registered"
    assert str(find_type("a", [kind(f"t{n}") for n in range(9)])).endswith("ACME.t7:1.0, ...)")


def test_two_vendors_of_one_name_are_told_apart_by_the_user() -> None:
    found = find_type("web", KNOWN)
    assert isinstance(found, Ambiguous)
    assert str(found) == "web may mean ACME.web or OTHER.web: name the vendor too"


def test_a_vendor_s_type_does_not_hide_the_one_without_a_vendor() -> None:
    assert find_type("gds", (*KNOWN, kind("gds", "9"))) == BARE


# -- upgrades

NEW = kind("web", "2.0").replace(
    upgrades=(
        Upgrade("1.0", UpgradeWhen.WHEN_UNMONITORED),
        Upgrade("1.1", UpgradeWhen.WHEN_OFFLINE),
        Upgrade("1.2", UpgradeWhen.WHEN_DISABLED),
        Upgrade("1.3", UpgradeWhen.WHEN_UNMANAGED),
        Upgrade("1.4", UpgradeWhen.AT_CREATION),
        Upgrade("1.5", UpgradeWhen.ANYTIME),
    )
)
RUNNING = Standing()
UNMONITORED = Standing(monitored=False)
OFFLINE = Standing(online=False)
DISABLED = Standing(enabled=False)
UNMANAGED = Standing(managed=False)
STANDINGS = (RUNNING, UNMONITORED, OFFLINE, DISABLED, UNMANAGED)


@pytest.mark.parametrize(
    ("version", "allowed", "said"),
    [
        ("1.0", "nyyyy", "WHEN_UNMONITORED, and it is monitored: unmonitor it first"),
        ("1.1", "nnyyy", "WHEN_OFFLINE, and it is online: stop it first"),
        ("1.2", "nnnyy", "WHEN_DISABLED, and it is enabled: disable it first"),
        ("1.3", "nnnny", "WHEN_UNMANAGED, and its group is managed: unmanage the group first"),
        ("1.4", "nnnnn", "AT_CREATION, and the resource is there: remove it and declare it anew"),
        ("1.5", "yyyyy", ""),
        ("0.9", "nnnny", "WHEN_UNMANAGED, and its group is managed: unmanage the group first"),
        ("2.0", "yyyyy", ""),
    ],
)
def test_when_an_upgrade_is_allowed(version: str, allowed: str, said: str) -> None:
    answers = [may_upgrade(NEW, version, standing) for standing in STANDINGS]
    assert "".join(["n" if answer else "y" for answer in answers]) == allowed
    for answer in answers:
        assert answer in ("", f"cannot upgrade from version {version} to ACME.web:2.0: that is allowed {said}")


def test_a_version_that_is_not_listed_falls_under_the_empty_one() -> None:
    """Sun: semantics.md 14.4: "" = any version without number or not listed."""
    new = NEW.replace(upgrades=(*NEW.upgrades, Upgrade("", UpgradeWhen.ANYTIME)))
    assert upgrade_when(new, "0.9") is UpgradeWhen.ANYTIME
    assert upgrade_when(new, "") is UpgradeWhen.ANYTIME
    assert upgrade_when(new, "1.1") is UpgradeWhen.WHEN_OFFLINE
    assert upgrade_when(NEW, "") is UpgradeWhen.WHEN_UNMANAGED
    assert may_upgrade(NEW, "", RUNNING).startswith("cannot upgrade from one without a version to ACME.web:2.0")


def test_nobody_upgrades_to_a_type_that_knows_no_upgrades() -> None:
    answer = may_upgrade(kind("web", "3", upgrade_aware=False), "1.0", UNMANAGED)
    assert answer == "cannot upgrade to ACME.web: its RTR file has no #$upgrade"


# -- values


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        (True, "TRUE", "TRUE"),
        (False, "FALSE", "FALSE"),
        (-5, "-5", "-5"),
        ("a b", "a b", '"a b"'),
        ((), "", "an empty list"),
        (("a", "b"), "a,b", "a,b"),
        ("x" * 50, "x" * 50, '"' + "x" * 37 + '..."'),
        ("\x1b", "\x1b", '"\\u001b"'),
    ],
)
def test_a_value_as_a_method_and_as_a_person_sees_it(
    value: str | bool | int | tuple[str, ...], text: str, shown: str
) -> None:
    assert text_of(value) == text
    assert shown_value(value) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain\ttext ~", ""),
        ("ü", 'expected printable ASCII, not "ü"'),
        ("a\nb", "expected printable ASCII, not the character \\u000a"),
        ("\0", "expected printable ASCII, not the character \\u0000"),
        ("x" * 4_194_304, "expected at most 4194303 bytes, not 4194304"),
    ],
)
def test_the_characters_of_a_value(text: str, said: str) -> None:
    assert character_fault(text) == said


INT = PropertyDeclaration("N", PropertyType.INT, minimum=1, maximum=3)
STRING = PropertyDeclaration("S", PropertyType.STRING, min_length=1, max_length=3)
ARRAY = PropertyDeclaration("A", PropertyType.STRINGARRAY, array_min=1, array_max=2, min_length=1, max_length=3)
ENUM = PropertyDeclaration("E", PropertyType.ENUM, enumlist=("ON", "OFF"))


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        (INT, 1, ""),
        (INT, 3, ""),
        (INT, 0, "expected at least 1, not 0"),
        (INT, 4, "expected at most 3, not 4"),
        (PropertyDeclaration("N", PropertyType.INT), -7, ""),
        (PropertyDeclaration("B", PropertyType.BOOLEAN), True, ""),
        (STRING, "abc", ""),
        (STRING, "", "expected at least 1 character, not 0"),
        (STRING, "abcd", "expected at most 3 characters, not 4"),
        (ARRAY, ("a", "b"), ""),
        (ARRAY, (), "expected at least 1 element, not 0"),
        (ARRAY, ("a", "b", "c"), "expected at most 2 elements, not 3"),
        (ARRAY, ("a", "abcd"), 'element 1 ("abcd"): expected at most 3 characters, not 4'),
        (ARRAY, ("a,b",), 'element 0 ("a,b"): holds a comma, which separates elements'),
        (ENUM, "ON", ""),
        (ENUM, "UP", 'expected one of ON, OFF, not "UP"'),
    ],
)
def test_bounds(declared: PropertyDeclaration, value: str | bool | int | tuple[str, ...], said: str) -> None:
    assert value_fault(declared, value) == said


# -- which properties a resource has


def names(made: ResourceType) -> set[str]:
    """The names of a resource's properties."""
    return {each.name for each in properties_of(made)}


ALWAYS = {each.declaration.name for each in SYSTEM.values() if each.presence is Presence.ALWAYS}


def declaration(key: str) -> PropertyDeclaration:
    """A system-defined property as the RGM has it."""
    return SYSTEM[key].declaration


def test_a_timeout_is_there_for_each_method_of_the_type() -> None:
    made = kind("web").replace(methods=(("Start", "/a"), ("Monitor_check", "/b")))
    assert names(made) == {*ALWAYS, "Start_timeout", "Monitor_check_timeout"}
    assert [each.default for each in properties_of(made) if each.name == "Start_timeout"] == [3600]


def test_a_timeout_that_is_declared_for_a_method_the_type_lacks_is_not_there() -> None:
    made = kind("web").replace(declared=(declaration("init_timeout"), declaration("retry_count")))
    assert names(made) == {*ALWAYS, "Retry_count"}


def test_what_is_declared_takes_the_place_of_what_is_there_by_itself() -> None:
    soft = declaration("failover_mode").replace(default="SOFT")
    made = kind("web").replace(declared=(soft,))
    assert [each for each in properties_of(made) if each.key == "failover_mode"] == [soft]


def test_scalable_brings_the_properties_of_the_load_balancer() -> None:
    made = kind("web").replace(declared=(declaration("scalable"), declaration("udp_affinity")))
    scalable = {each.declaration.name for each in SYSTEM.values() if each.presence is Presence.SCALABLE}
    assert names(made) == {*ALWAYS, "Scalable", *scalable}
    assert {each.name: each.default for each in properties_of(made)}["Port_list"] == ()
    assert "Retry_count" not in names(made)
