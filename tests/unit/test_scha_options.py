"""The command lines of the RMAPI commands: Sun's options, in any order and run together."""

from __future__ import annotations

import pytest

from gds.cli.scha import ALLOWED, NEEDED, USAGES, read
from gds.errors import UsageError


def test_options_may_stand_in_any_order_and_be_joined_to_their_values() -> None:
    request, socket = read("scha_resource_get", ["-QOEXTENSION", "-Gg", "--socket=/run/x", "-R", "r", "Name", "n1"])
    assert socket == "/run/x"
    assert request == {
        "verb": "scha.resource_get",
        "optag": "EXTENSION",
        "group": "g",
        "resource": "r",
        "args": ["Name", "n1"],
        "qualified": True,
    }


@pytest.mark.parametrize("program", USAGES)
def test_each_command_has_its_verb_and_no_option_that_it_does_not_need_is_needed(program: str) -> None:
    words = [word for letter in NEEDED[program] for word in (f"-{letter}", "x")]
    request, _ = read(program, words)
    assert request["verb"] == {"scha_resource_setstatus": "scha.setstatus"}.get(program, program.replace("_", ".", 1))
    for letter in ALLOWED[program]:
        assert f"-{letter}" in USAGES[program].replace("[-Q]", "-Q")


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        ("scha_control", ["-O", "RESTART", "-R", "r"], "without -G"),
        ("scha_control", ["-O", "RESTART", "-R", "r", "-G", ""], "without -G"),
        ("scha_control", ["-O", "RESTART", "-R", "r", "-G"], "-G without a value"),
        ("scha_control", ["-O", "RESTART", "-R", "r", "-G", "g", "more"], "more"),
        ("scha_control", ["-Q", "-O", "RESTART", "-R", "r", "-G", "g"], "-Q"),
        ("scha_control", ["-O", "A", "-O", "B", "-R", "r", "-G", "g"], "-O twice"),
        ("scha_control", ["-O", "A", "-R", "r", "-G", "g", "-Z", "blue"], "zone blue"),
        ("scha_cluster_get", ["-O", "CLUSTERNAME", "--sockets=/x"], "--sockets"),
        ("scha_resource_setstatus", ["-R", "r", "-G", "g"], "without -s"),
        ("scha_resource_get", ["-x"], "-x"),
    ],
)
def test_a_wrong_command_line_is_refused_by_name(program: str, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=r"^cannot") as caught:
        read(program, words)
    assert said in str(caught.value)


def test_the_global_zone_is_the_one_there_is() -> None:
    request, _ = read("scha_cluster_get", ["-O", "ZONE_LOCAL", "-Z", "global"])
    assert request["optag"] == "ZONE_LOCAL"
    assert request["args"] == []


def test_after_two_dashes_everything_is_an_argument() -> None:
    request, _ = read("scha_cluster_get", ["-O", "NODENAME_NODEID", "--", "-1"])
    assert request["args"] == ["-1"]
