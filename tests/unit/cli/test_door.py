"""What every verb is entered by: help, mistakes and failures are told in one way, with the statuses of design.md 4."""

from __future__ import annotations

import pytest

from gds.api import client
from gds.cli import options
from gds.errors import ConfigError, EngineError, GdsError, InternalError, UsageError

Said = pytest.CaptureFixture[str]


class Coded(GdsError):
    """One that knows its status."""

    code = 75


def verb_that(raises: Exception | None, usage: str = "usage: gds x", mistaken: str = "") -> options.Verb:
    """A verb behind a door."""

    @options.door(usage, mistaken)
    def verb(argv: list[str]) -> int:
        if raises is not None:
            raise raises
        return len(argv)

    return verb


def test_the_verb_s_own_status_passes(capsys: Said) -> None:
    assert verb_that(None)(["a", "b", "c"]) == 3
    assert capsys.readouterr() == ("", "")


def test_help_goes_to_stdout(capsys: Said) -> None:
    assert verb_that(options.HelpAsked())([]) == 0
    assert capsys.readouterr() == ("usage: gds x\n", "")


def test_help_may_depend_on_what_was_typed(capsys: Said) -> None:
    @options.door(lambda argv: f"of {argv[0]}")
    def verb(argv: list[str]) -> int:
        return len(options.parse(argv, {}, {}).names)

    assert verb(["it", "--help"]) == 0
    assert capsys.readouterr() == ("of it\n", "")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("cannot x"), 2),
        (ConfigError("cannot x"), 78),
        (client.NoRunner("cannot x"), 4),
        (client.Denied("cannot x"), 77),
        (client.TimedOut("cannot x"), 1),
        (EngineError("cannot x"), 1),
        (Coded("cannot x"), 75),
    ],
)
def test_what_is_raised_is_one_line_and_a_status(capsys: Said, error: GdsError, status: int) -> None:
    assert verb_that(error)([]) == status
    assert capsys.readouterr() == ("", "gds: cannot x\n")


def test_only_a_mistake_of_usage_has_the_line_behind_it(capsys: Said) -> None:
    assert verb_that(UsageError("cannot x"), mistaken="usage: …")([]) == 2
    assert capsys.readouterr() == ("", "gds: cannot x\nusage: …\n")
    assert verb_that(ConfigError("cannot x"), mistaken="usage: …")([]) == 78
    assert capsys.readouterr() == ("", "gds: cannot x\n")


def test_our_own_bug_keeps_its_traceback() -> None:
    with pytest.raises(InternalError):
        verb_that(InternalError("internal error"))([])
