"""The exception tree: whose fault it is."""

from __future__ import annotations

import pytest

from gds import errors


def test_every_broken_promise_has_the_same_root() -> None:
    for each in (errors.ConfigError, errors.UsageError, errors.SpawnError, errors.EngineError, errors.InternalError):
        assert issubclass(each, errors.GdsError)


def test_a_refused_start_says_why_in_a_number_too() -> None:
    error = errors.SpawnError("cannot execute x", 2, missing=True)
    assert (str(error), error.errno, error.missing) == ("cannot execute x", 2, True)


def test_a_case_nobody_thought_of_is_our_bug() -> None:
    with pytest.raises(errors.InternalError, match="internal error: 5 is not one of the cases"):
        errors.unreachable(5)  # type: ignore[arg-type]  # that is what is tested
