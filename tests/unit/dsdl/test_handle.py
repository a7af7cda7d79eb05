"""Which resource is meant, and its properties. Sun: semantics.md 9.1, 11, 15."""

from __future__ import annotations

import pytest

from gds.dsdl import asking
from gds.dsdl.handle import Handle
from gds.dsdl.values import Port, SchaError
from gds.errors import UsageError
from gds.model.scha import Code
from gds.model.state import FailoverMode
from tests.unit.dsdl.world import World

ENV = {
    "GDS_RESOURCE": "web",
    "GDS_GROUP": "shop",
    "GDS_TYPE": "SUNW.smpl:1.0",
    "GDS_METHOD": "Monitor_start",
    "GDS_SOCKET": "/run/gds/control.sock",
}


def test_the_runner_says_who_we_are() -> None:
    handle = Handle.of_environment(environ=ENV)
    assert (handle.resource, handle.group, handle.socket) == ("web", "shop", "/run/gds/control.sock")
    assert handle.tag == "SC[SUNW.smpl:1.0,shop,web,Monitor_start]"


def test_a_resource_that_watches_another_names_it() -> None:
    handle = Handle.of_environment("db", environ=ENV)
    assert (handle.resource, handle.group) == ("db", "shop")
    assert "Monitor_start" not in handle.tag, "that is our own method"
    assert Handle.of_environment("db", environ={"GDS_SOCKET": "/s"}).group == "db", "as a group that nobody named"


def test_methods_are_called_with_options() -> None:
    handle, rest = Handle.of_arguments(["-c", "-Rdb", "-T", "SUNW.x", "-G", "shop", "-x", "A=1"], ENV)
    assert (handle.resource, handle.group, handle.type, rest) == ("db", "shop", "SUNW.x", ["-c", "-x", "A=1"])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "which resource is meant: -R is missing"),
        (["-R", "web"], "which group is meant: -G is missing"),
        (["-G", "shop", "-R"], "cannot use -R without a value"),
        (["-R", "9", "-G", "shop"], "which resource is meant: a name starts with a letter"),
    ],
)
def test_methods_that_are_called_wrongly(argv: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Handle.of_arguments(argv, ENV)


def test_nobody_said_who_we_are() -> None:
    with pytest.raises(UsageError, match=r"cannot tell which resource is meant: .* set GDS_RESOURCE"):
        Handle.of_environment(environ={"GDS_SOCKET": "/s"})


def test_the_properties_are_typed_and_read_once() -> None:
    world = World()
    properties = world.play(asking.properties(world.handle))
    assert properties.port_list == (Port(8080, "tcp"), Port(53, "udp"))
    assert (properties.retry_count, properties.retry_interval) == (2, 300.0)
    assert (properties.failover_mode, properties.failover_enabled) == (FailoverMode.SOFT, True)
    assert (properties.resource_dependencies, properties.network_resources_used) == (("db",), ())
    assert (properties.cheap_probe_interval, properties.monitor_retry_interval) == (None, 120.0)
    world.lines["RETRY_COUNT"] = ("7",)
    assert world.play(asking.properties(world.handle)).retry_count == 2, "as when it was opened"
    world.handle.properties = None
    assert world.play(asking.properties(world.handle)).retry_count == 7


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (("INT", "-3"), -3),
        (("BOOLEAN", "FALSE"), False),
        (("STRING", "a b"), "a b"),
        (("STRING",), ""),
        (("ENUM", "ON"), "ON"),
        (("STRINGARRAY",), ()),
        (("STRINGARRAY", "a", "b c"), ("a", "b c")),
    ],
)
def test_an_extension_property_is_what_its_type_says(lines: tuple[str, ...], value: object) -> None:
    world = World()
    world.extensions["Mine"] = lines
    found = world.play(asking.extension(world.handle, "Mine"))
    assert found == value
    assert type(found) is type(value)


def test_what_is_not_there_is_an_error_with_suns_code() -> None:
    world = World()
    with pytest.raises(SchaError, match="cannot ask EXTENSION of web") as caught:
        world.play(asking.extension(world.handle, "Nothing"))
    assert caught.value.code is Code.PROP
