"""What a resource of a registered type carries: its settings, its calls, what a change of it means."""

from __future__ import annotations

import json
import marshal

import pytest

from gds.model import codec
from gds.model.methodcall import Setting
from gds.model.resource import Command, Plan, Resource
from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType, Standing, Upgrade, UpgradeWhen
from gds.model.tunable import Tunable
from gds.model.typed import Rests, Typed

KIND = ResourceType(
    "web",
    "1.0",
    vendor_id="ACME",
    rt_basedir="/opt/web",
    upgrade_aware=True,
    upgrades=(Upgrade("0.9", UpgradeWhen.ANYTIME),),
    methods=(("Start", "start"), ("Stop", "/bin/stop"), ("Validate", "validate")),
    declared=(
        PropertyDeclaration("Level", PropertyType.INT, extension=True, default=1),
        PropertyDeclaration("Place", PropertyType.STRING, extension=True, tunable=Tunable.AT_CREATION),
        PropertyDeclaration("Hosts", PropertyType.STRINGARRAY, extension=True, per_node=True, default=()),
    ),
)
SETTINGS = (
    Setting("Start_timeout", 5),
    Setting("Failover_mode", "NONE"),
    Setting("Level", 1),
    Setting("Place", "/srv"),
    Setting("Hosts", ("a", "b")),
    Setting("Hosts", ("c",), "n2"),
)
TYPED = Typed(KIND, SETTINGS)


def with_setting(name: str, value: object) -> Typed:
    """The same with another value."""
    return TYPED.replace(settings=tuple([s.replace(value=value) if s.name == name else s for s in SETTINGS]))


@pytest.mark.parametrize(
    ("name", "node", "expected"),
    [
        ("LEVEL", "", 1),
        ("hosts", "", ("a", "b")),
        ("hosts", "n1", ("a", "b")),
        ("hosts", "n2", ("c",)),
        ("nix", "", None),
    ],
)
def test_a_value_is_found_in_any_letter_case_and_for_its_node(name: str, node: str, expected: object) -> None:
    assert TYPED.value(name, node) == expected


def test_a_method_that_says_no_timeout_has_that_of_the_rgm() -> None:
    assert (TYPED.timeout("Start"), TYPED.timeout("Stop")) == (5.0, 3600.0)


def test_calls() -> None:
    assert TYPED.call("Start", "r", "g") == ("/opt/web/start", "-R", "r", "-T", "ACME.web:1.0", "-G", "g")
    assert TYPED.call("Stop", "r", "g")[0] == "/bin/stop"
    assert TYPED.call("Update", "r", "g") == ()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (TYPED, ((), True)),
        (with_setting("Level", 2), (("level",), True)),
        (with_setting("Failover_mode", "SOFT"), (("failover_mode",), True)),
        (with_setting("Place", "/opt"), (("place",), False)),
        (TYPED.replace(kind=KIND.replace(rt_version="1.1")), (("type",), False)),
    ],
)
def test_what_differs_and_whether_it_may_change_while_online(after: Typed, expected: object) -> None:
    assert TYPED.changes(after) == expected


def test_validate_of_a_change_is_handed_what_changes_alone() -> None:
    call = TYPED.call_of_change(with_setting("Level", 2), "r", "g")
    assert call == ("/opt/web/validate", "-u", "-R", "r", "-T", "ACME.web:1.0", "-G", "g", "-x", "Level=2")


LATER = KIND.replace(
    rt_version="2.0",
    upgrades=(Upgrade("1.0", UpgradeWhen.ANYTIME),),
    declared=(
        *KIND.declared,
        PropertyDeclaration("Colour", PropertyType.STRING, extension=True, default="", tunable=Tunable.AT_CREATION),
    ),
)


def later(when: UpgradeWhen, *settings: Setting) -> Typed:
    """The next version, which may be taken then."""
    return Typed(LATER.replace(upgrades=(Upgrade("1.0", when),)), (*SETTINGS, *settings))


@pytest.mark.parametrize(
    ("after", "now", "rests"),
    [
        (later(UpgradeWhen.ANYTIME), Standing(), Rests.NOTHING),
        (later(UpgradeWhen.ANYTIME, Setting("Colour", "")), Standing(), Rests.NOTHING),
        (later(UpgradeWhen.ANYTIME, Setting("Colour", "red")), Standing(), Rests.APPLICATION),
        (with_setting("Level", 2).replace(kind=LATER), Standing(), Rests.NOTHING),
        (with_setting("Place", "/opt").replace(kind=LATER), Standing(), Rests.APPLICATION),
        (later(UpgradeWhen.WHEN_UNMONITORED), Standing(), Rests.MONITOR),
        (later(UpgradeWhen.WHEN_UNMONITORED, Setting("Colour", "red")), Standing(), Rests.APPLICATION),
        (later(UpgradeWhen.WHEN_UNMONITORED), Standing(monitored=False), Rests.NOTHING),
        (later(UpgradeWhen.WHEN_OFFLINE), Standing(), Rests.APPLICATION),
        (later(UpgradeWhen.WHEN_DISABLED), Standing(), Rests.APPLICATION),
        (later(UpgradeWhen.WHEN_UNMANAGED), Standing(managed=False), Rests.NOTHING),
    ],
)
def test_no_more_rests_than_a_version_asks_for(after: Typed, now: Standing, rests: Rests) -> None:
    """Sun: semantics.md 14.4; what a version brings along by its defaults asks for no stop."""
    assert TYPED.is_upgraded_by(after)
    assert TYPED.upgrade(after, now) == ("", rests)


@pytest.mark.parametrize("when", [UpgradeWhen.WHEN_UNMANAGED, UpgradeWhen.AT_CREATION])
def test_a_version_that_no_stop_lets_in_is_refused(when: UpgradeWhen) -> None:
    why, rests = TYPED.upgrade(later(when), Standing())
    assert why.startswith(f"cannot upgrade from version 1.0 to ACME.web:2.0: that is allowed {when}, and ")
    assert why.endswith('; type = "ACME.web:1.0" stays with the version it has')
    assert rests is Rests.APPLICATION


def test_another_type_or_the_same_version_is_no_upgrade() -> None:
    assert not TYPED.is_upgraded_by(TYPED.replace(kind=KIND.replace(failover=True)))
    assert not TYPED.is_upgraded_by(TYPED.replace(kind=LATER.replace(vendor_id="SUNW")))


def test_validate_of_what_comes_into_being_is_handed_everything_and_its_group() -> None:
    call = TYPED.call_of_creation("r", "g", (Setting("Failback", True),))
    assert call[:8] == ("/opt/web/validate", "-c", "-R", "r", "-T", "ACME.web:1.0", "-G", "g")
    assert call[8::2] == ("-r", "-r", "-x", "-x", "-x", "-X", "-g")
    assert call[-1] == "Failback=TRUE"


def test_validate_of_an_upgrade_is_handed_the_version() -> None:
    call = TYPED.call_of_change(TYPED.replace(kind=LATER), "r", "g")
    assert call[1:] == ("-u", "-R", "r", "-T", "ACME.web:2.0", "-G", "g", "-r", "Type_version=2.0")


def test_it_travels_with_its_resource() -> None:
    plan = Plan((Resource("r", Command(("/opt/web/start",)), group="g", type=KIND.name, typed=TYPED),))
    packed = codec.pack(plan)
    assert codec.unpack(marshal.loads(marshal.dumps(packed))) == plan
    assert codec.unpack(json.loads(json.dumps(packed))) == plan
