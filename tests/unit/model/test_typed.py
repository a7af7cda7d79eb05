"""What a resource of a registered type carries: its settings, its calls, what a change of it means."""

from __future__ import annotations

import json
import marshal

import pytest

from gds.model import codec
from gds.model.methodcall import Setting
from gds.model.resource import Command, Plan, Resource
from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType, Upgrade, UpgradeWhen
from gds.model.tunable import Tunable
from gds.model.typed import Typed

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


def test_it_travels_with_its_resource() -> None:
    plan = Plan((Resource("r", Command(("/opt/web/start",)), group="g", type=KIND.name, typed=TYPED),))
    packed = codec.pack(plan)
    assert codec.unpack(marshal.loads(marshal.dumps(packed))) == plan
    assert codec.unpack(json.loads(json.dumps(packed))) == plan
