"""A Plan as plain data, and back."""

from __future__ import annotations

import json
import marshal

import pytest

from gds.model.codec import pack, unpack
from gds.model.resource import Command, ExitMap, Group, Output, Plan, Port, Probe, Resource, Source, Warning_
from gds.model.state import FailoverMode

PLAN = Plan(
    (
        Resource(
            "web",
            Command(("web",)),
            failover_mode=FailoverMode.LOG_ONLY,
            port_list=(Port(80), Port(53, "udp")),
            probe=Probe("tcp", "80", port=80, expect=((200, 200), (301, 302))),
            exit_map=ExitMap(((0, 0), (1, 50))),
            stdout=Output("file", "/x", 1 << 20, 3),
            limits=(("nofile", 1, 2),),
            environment=(("A", "1"),),
            enabled=False,
        ),
        Resource("plain", Command(("x",))),
    ),
    (Group("web", "", ("web",)),),
    (Source("web.toml", "00"),),
    (Warning_("web.toml", 1, 2, "k", "c", "m"),),
)


def test_a_plan_comes_back_as_it_was() -> None:
    assert unpack(pack(PLAN)) == PLAN


def test_it_goes_through_marshal() -> None:
    assert unpack(marshal.loads(marshal.dumps(pack(PLAN)))) == PLAN


def test_it_goes_through_json_where_tuples_are_lists() -> None:
    assert unpack(json.loads(json.dumps(pack(PLAN)))) == PLAN


def test_defaults_are_not_carried() -> None:
    assert pack(Resource("plain", Command(("x",)))) == {
        "": "Resource",
        "name": "plain",
        "start_command": {"": "Command", "argv": ("x",)},
    }


@pytest.mark.parametrize(
    ("plain", "error"),
    [
        ({"": "Nothing"}, KeyError),
        ({"a": 1}, KeyError),
        ({"": "Port"}, TypeError),
        ({"": "Port", "number": 1, "x": 2}, TypeError),
    ],
)
def test_what_pack_never_made_is_refused(plain: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        unpack(plain)
