"""The first decision that is not the same."""

from __future__ import annotations

import pytest

from gds.script import Decision, Difference, first_difference


def decided(*words: str) -> tuple[Decision, ...]:
    """Decisions from words such as "web:restart", one a second."""
    pairs = [word.split(":") for word in words]
    return tuple(Decision(float(at), resource, said, "why") for at, (resource, said) in enumerate(pairs))


A, B = "web:restart", "db:restart"


@pytest.mark.parametrize(
    ("expected", "made"),
    [
        pytest.param((), (), id="nothing, twice"),
        pytest.param((A, B), (A, B), id="the same"),
        pytest.param((A, B), (B, A), id="each resource by itself"),
    ],
)
def test_what_is_the_same(expected: tuple[str, ...], made: tuple[str, ...]) -> None:
    assert first_difference(decided(*expected), decided(*made)) is None


def test_instants_are_not_compared() -> None:
    assert first_difference(decided(A), (Decision(99.0, "web", "restart", "why"),)) is None


def test_one_that_was_decided_otherwise() -> None:
    wanted, got = decided(B, A), decided(B, "web:giveover")
    assert first_difference(wanted, got) == Difference(wanted[1], got[1], 1)


def test_one_with_another_reason() -> None:
    wanted, got = decided(A), (Decision(0.0, "web", "restart", "for fun"),)
    assert first_difference(wanted, got) == Difference(wanted[0], got[0], 0)


def test_one_that_was_not_decided() -> None:
    wanted = decided(A, B, A)
    assert first_difference(wanted, wanted[:2]) == Difference(wanted[2], None, 2)


def test_one_too_many() -> None:
    got = decided(A, B)
    assert first_difference(got[:1], got) == Difference(None, got[1], 1)
