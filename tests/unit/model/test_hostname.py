"""What a LogicalHostname declares, the commands of its methods, and the marks of its addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.model.hostname import (
    METHODS,
    PROTOCOL,
    Held,
    Link,
    LogicalHostname,
    Place,
    belongs,
    commands,
    faults,
    label,
    metric,
    words,
)
from gds.model.names import FIRST_LETTERS, LETTERS
from gds.model.resource import Command, Resource

WEB = LogicalHostname("web-ip", ("web.example",))
NAMES = st.tuples(st.sampled_from(sorted(FIRST_LETTERS)), st.text(st.sampled_from(sorted(LETTERS)), max_size=254)).map(
    "".join
)


def test_every_method_is_one_call_of_our_program() -> None:
    found = commands(WEB, "/usr/bin/python3")
    assert found["stop_command"] == Command(
        (
            *("/usr/bin/python3", "-P", "-m", "gds.cli.hostname"),
            *("stop", "--resource", "web-ip", "--hostname", "web.example"),
        )
    )
    assert {name: each.argv[4] for name, each in found.items()} == METHODS


def test_the_commands_are_fields_of_a_resource() -> None:
    made = Resource("web-ip", Command(("true",))).replace(**commands(WEB, "python3"))
    assert made.start_command.argv[4] == "serve"
    assert made.probe_command is not None


def test_all_that_is_declared_is_in_the_words() -> None:
    declared = LogicalHostname("r", ("a", "b"), ("eth0", "eth1@n2"), (24, 64), check_name_service=False)
    assert words(declared, "probe") == (
        *("probe", "--resource", "r", "--hostname", "a", "--hostname", "b"),
        *("--interface", "eth0", "--interface", "eth1@n2", "--prefix", "24", "--prefix", "64", "--no-name-service"),
    )


@pytest.mark.parametrize(
    ("change", "words_of_it"),
    [
        ({"hostnamelist": ()}, "hostnamelist is empty"),
        ({"hostnamelist": ("",)}, "cannot use '' in hostnamelist of resource web-ip: expected a host name"),
        ({"hostnamelist": ("-x",)}, "cannot use '-x' in hostnamelist"),
        ({"hostnamelist": ("10.0.0.1/24",)}, "cannot use '10.0.0.1/24' in hostnamelist"),
        ({"hostnamelist": ("a\tb",)}, "in hostnamelist"),
        ({"hostnamelist": ("fe80::1%eth0",)}, "in hostnamelist"),
        ({"hostnamelist": ("x" * 254,)}, "in hostnamelist"),
        ({"hostnamelist": ("a", "b", "a")}, "cannot use a twice in hostnamelist"),
        ({"netiflist": ("",)}, "cannot use '' in netiflist"),
        ({"netiflist": ("eth0@",)}, "cannot use 'eth0@' in netiflist"),
        ({"netiflist": ("eth0:1",)}, 'expected "eth0", or "eth0@node"'),
        ({"netiflist": ("x" * 16,)}, "in netiflist"),
        ({"netiflist": ("-e",)}, "in netiflist"),
        ({"prefix": (0,)}, "cannot use prefix 0 of resource web-ip: expected 1 to 32"),
        ({"prefix": (129,)}, "cannot use prefix 129"),
        ({"prefix": (24, 16)}, "at most one up to 32 (IPv4) and one above (IPv6)"),
        ({"prefix": (64, 48)}, "at most one up to 32 (IPv4) and one above (IPv6)"),
    ],
    ids=lambda each: str(each)[:50],
)
def test_what_cannot_be_right_is_named(change: dict[str, tuple[str | int, ...]], words_of_it: str) -> None:
    found = faults(WEB.replace(**change))
    assert len(found) == 1
    assert words_of_it in found[0]
    assert found[0].startswith("cannot use ")


def test_nothing_is_wrong_with_what_is_right() -> None:
    assert not faults(WEB)
    assert not faults(LogicalHostname("r", ("a.example", "10.0.0.1", "fd00::1"), ("eth0@n1", "bond0.7"), (64, 24)))


def test_interfaces_are_those_of_the_node_in_their_order() -> None:
    declared = WEB.replace(netiflist=("eth2@b", "eth1", "eth0@a"))
    assert declared.interfaces("a") == ("eth1", "eth0")
    assert declared.interfaces("b") == ("eth2", "eth1")
    assert WEB.interfaces("a") == ()


def test_a_length_up_to_32_is_that_of_ipv4() -> None:
    declared = WEB.replace(prefix=(64, 24))
    assert [declared.prefix_for(4), declared.prefix_for(6), WEB.prefix_for(4)] == [24, 64, 0]


def test_a_short_name_can_be_read_in_the_label_and_a_long_one_recognised() -> None:
    assert label("web-ip") == "gds:web-ip"
    assert label("exactly-11c") == "gds:exactly-11c"
    assert label("a-longer-name").startswith("gds:a-lo~")


@given(NAMES, NAMES)
def test_labels_fit_and_do_not_mistake_short_names(one: str, other: str) -> None:
    assert len(label(one)) <= 15
    assert (label(one) == label(other)) == (one == other) or (len(one) > 11 and len(other) > 11)


@given(NAMES)
def test_the_metric_is_a_u32_and_the_same_on_every_machine(name: str) -> None:
    assert 0x60000000 <= metric(name) <= 0x6FFFFFFF


def test_the_metric_does_not_change_with_a_release() -> None:
    # an upgrade of gds must still know what its predecessor took
    assert metric("web-ip") == 1641181429
    assert label("a-longer-name") == "gds:a-lo~" + f"{metric('a-longer-name') & 0xFFFFFF:06x}"


@pytest.mark.parametrize(
    ("held", "answer"),
    [
        (Held(2, "10.0.0.5", 24, label("web-ip"), metric("web-ip"), PROTOCOL), True),
        (Held(2, "10.0.0.5", 24, label("web-ip"), metric("web-ip")), True),  # a kernel before 5.18
        (Held(2, "fd00::5", 64, "", metric("web-ip")), True),
        (Held(2, "10.0.0.5", 24, "eth0", metric("web-ip")), False),
        (Held(2, "10.0.0.5", 24, label("web-ip")), False),
        (Held(2, "fd00::5", 64), False),
        (Held(2, "fd00::5", 64, "", metric("db-ip"), PROTOCOL), False),
    ],
)
def test_both_marks_have_to_be_right(held: Held, answer: bool) -> None:
    assert belongs(held, "web-ip") is answer


def test_small_words() -> None:
    assert Held(1, "10.0.0.5", 24, "gds:x").by_gds
    assert Held(1, "fd00::5", 64, "", 0, PROTOCOL).by_gds
    assert not Held(1, "10.0.0.5", 24, "eth0").by_gds
    assert Place("web.example", "10.0.0.5", 24, "eth0").shown == "10.0.0.5 (web.example)"
    assert Place("10.0.0.5", "10.0.0.5", 24, "eth0").shown == "10.0.0.5"
    assert [Link(1, "a").usable, Link(1, "a", up=False).usable, Link(1, "a", carrier=False).usable] == [
        True,
        False,
        False,
    ]
