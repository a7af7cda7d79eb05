"""Properties in Sun's words, as scha_resource_get prints them."""

from __future__ import annotations

from typing import Any

import pytest

from gds.config.generictype import generic_type
from gds.model.methodcall import Setting
from gds.model.resource import Command, ExitMap, Group, Need, Output, Port, Probe, Resource
from gds.model.restype import PropertyDeclaration, PropertyType, ResourceType
from gds.model.sunview import group_settings, shown
from gds.model.typed import Typed

GENERIC = generic_type()
LAMP = ResourceType(
    "lamp",
    "2.1",
    "ACME",
    methods=(("Start", "/bin/start"), ("Stop", "/bin/stop")),
    declared=(
        PropertyDeclaration("Colour", PropertyType.STRING, extension=True, default="red"),
        PropertyDeclaration("Bulbs", PropertyType.STRINGARRAY, extension=True, default=()),
        PropertyDeclaration("Nothing", PropertyType.STRING, extension=True),
    ),
)


def lines(key: str, kind: ResourceType = GENERIC, qualified: bool = False, **fields: Any) -> tuple[str, ...] | None:
    """What is printed of a resource with these fields."""
    seen = shown(Resource("web", Command(("sleep", "1"))).replace(**fields), kind, key, qualified)
    return seen.lines if seen is not None else None


@pytest.mark.parametrize(
    ("key", "fields", "printed"),
    [
        ("start_command", {}, ("sleep 1",)),
        ("start_command", {"start_command": Command(("/bin/sh", "-c", "exec x"), "exec x")}, ("exec x",)),
        ("stop_command", {}, ("",)),
        ("retry_count", {"retry_count": 7}, ("7",)),
        ("network_aware", {"network_aware": True}, ("TRUE",)),
        ("failover_enabled", {"failover_enabled": False}, ("FALSE",)),
        ("start_timeout", {"start_timeout": 2.5}, ("2.5",)),
        ("start_timeout", {"start_timeout": 31536000.0}, ("31536000",)),
        ("port_list", {"port_list": (Port(80), Port(53, "udp"))}, ("80/tcp", "53/udp")),
        ("port_list", {}, ()),
        ("failover_mode", {}, ("SOFT",)),
        ("probe", {"probe": Probe("http", "http://127.0.0.1/")}, ("http http://127.0.0.1/",)),
        ("probe", {"probe": Probe("notify", "")}, ("notify",)),
        ("exit_map", {"exit_map": ExitMap(((0, 0), (1, 50)), 90)}, ("0=0,1=50,other=90",)),
        ("stdout", {"stdout": Output("file", "/var/log/web")}, ("/var/log/web",)),
        ("stdout", {}, ("inherit",)),
        ("environment", {"environment": (("A", "1"), ("B", "2"))}, ("A=1,B=2",)),
        ("limits", {"limits": (("nofile", 10, 20),)}, ("nofile=10:20",)),
        ("no_such_property", {}, None),
    ],
)
def test_a_property_of_the_generic_type(key: str, fields: dict[str, Any], printed: tuple[str, ...] | None) -> None:
    assert lines(key, **fields) == printed


def test_dependencies_with_and_without_their_qualifiers() -> None:
    needs: dict[str, Any] = {"resource_dependencies": (Need("db", "ANY_NODE"), Need("cache"))}
    assert lines("resource_dependencies", **needs) == ("db", "cache")
    assert lines("resource_dependencies", qualified=True, **needs) == ("db{ANY_NODE}", "cache")


def test_a_property_of_a_registered_type() -> None:
    typed = Typed(LAMP, (Setting("Colour", "blue"), Setting("Bulbs", ("a", "b"))))
    assert lines("colour", LAMP, typed=typed) == ("blue",)
    assert lines("bulbs", LAMP, typed=typed) == ("a", "b")
    assert lines("nothing", LAMP, typed=typed) == ("",)


@pytest.mark.parametrize(("interval", "shown_"), [(60.0, 60), (0.5, "0.5")])
def test_a_group_as_validate_is_handed_it(interval: float, shown_: object) -> None:
    """Sun: semantics.md 13."""
    group = Group("g", "all of it", nodelist=("n1", "n2"), failback=True, pingpong_interval=interval)
    made = {each.name: each.value for each in group_settings(group)}
    assert made["RG_description"] == "all of it"
    assert made["Nodelist"] == ("n1", "n2")
    assert (made["Failback"], made["RG_mode"], made["Maximum_primaries"]) == (True, "FAILOVER", 1)
    assert made["Pingpong_interval"] == shown_
    assert (made["Global_resources_used"], made["RG_project_name"], made["RG_system"]) == (("*",), "default", False)
