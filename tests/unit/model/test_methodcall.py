"""The argument vectors of every method call. Sun: semantics.md 9.1."""

from __future__ import annotations

import pytest

from gds.model.methodcall import About, Setting, changed, method_call, validate_call
from gds.model.restype import METHODS, PropertyDeclaration, PropertyType, ResourceType
from gds.model.sysprops import SYSTEM

WEB = ResourceType(
    "web",
    "1.0",
    "ACME",
    rt_basedir="/opt/web",
    upgrade_aware=True,
    methods=tuple([(method, f"web_{method.lower()}") for method in METHODS]),
    declared=(
        SYSTEM["retry_count"].declaration,
        PropertyDeclaration("Confdirs", PropertyType.STRINGARRAY, extension=True),
        PropertyDeclaration("Secure", PropertyType.BOOLEAN, extension=True),
        PropertyDeclaration("Limit", PropertyType.INT, extension=True, per_node=True, default=5),
    ),
)
HERE = About("shop-web", "shop")
SETTINGS = (
    Setting("Retry_count", 2),
    Setting("Confdirs", ("/a", "/b c")),
    Setting("Secure", True),
    Setting("Limit", 5),
    Setting("Limit", 7, "n1"),
)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "Validate"])
def test_a_method_is_told_resource_type_and_group(method: str) -> None:
    program = f"/opt/web/web_{method.lower()}"
    assert method_call(WEB, method, HERE) == (program, "-R", "shop-web", "-T", "ACME.web:1.0", "-G", "shop")


def test_a_zone_comes_last() -> None:
    zone = HERE.replace(zone="z1")
    assert method_call(WEB, "Start", zone)[-2:] == ("-Z", "z1")
    assert validate_call(WEB, zone, creating=False, settings=SETTINGS[:1])[-2:] == ("-Z", "z1")


def test_a_type_without_the_method_is_not_called() -> None:
    bare = WEB.replace(methods=())
    assert method_call(bare, "Start", HERE) == ()
    assert validate_call(bare, HERE, creating=True, settings=SETTINGS) == ()


def test_validate_at_creation_is_told_everything() -> None:
    group = (Setting("Nodelist", ("n1", "n2")), Setting("Failback", False))
    assert validate_call(WEB, HERE, creating=True, settings=SETTINGS, group_settings=group) == (
        *("/opt/web/web_validate", "-c", "-R", "shop-web", "-T", "ACME.web:1.0", "-G", "shop"),
        *("-r", "Retry_count=2"),
        *("-x", "Confdirs=/a,/b c", "-x", "Secure=TRUE", "-x", "Limit=5", "-X", "Limit{n1}=7"),
        *("-g", "Nodelist=n1,n2", "-g", "Failback=FALSE"),
    )


def test_system_defined_properties_come_before_those_of_the_type() -> None:
    words = validate_call(WEB, HERE, creating=True, settings=reversed(SETTINGS))
    flags = [word for word in words if word in ("-r", "-x", "-X")]
    assert flags == ["-r", "-X", "-x", "-x", "-x"]


def test_validate_at_an_update_is_told_what_changes() -> None:
    after = (SETTINGS[0].replace(value=3), *SETTINGS[1:4], SETTINGS[4].replace(value=8), Setting("Limit", 1, "n2"))
    words = validate_call(WEB, HERE, creating=False, settings=changed(SETTINGS, after))
    assert words == (
        *("/opt/web/web_validate", "-u", "-R", "shop-web", "-T", "ACME.web:1.0", "-G", "shop"),
        *("-r", "Retry_count=3", "-X", "Limit{n1}=8", "-X", "Limit{n2}=1"),
    )


def test_an_empty_list_is_an_empty_word() -> None:
    words = validate_call(WEB, HERE, creating=False, settings=(Setting("Confdirs", ()),))
    assert words[-2:] == ("-x", "Confdirs=")


def test_nothing_changes_when_only_letter_case_does() -> None:
    assert changed(SETTINGS, (Setting("RETRY_COUNT", 2),)) == ()
