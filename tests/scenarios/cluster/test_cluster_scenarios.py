"""Every cluster scenario gives the transcript that was recorded for it."""

from __future__ import annotations

import pytest

from tests.scenarios.cluster import HERE, SCENARIOS, played, recorded


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_decisions_for_the_same_reasons(name: str) -> None:
    code, text = played(name)
    assert code == 0, text
    assert text == recorded(name).read_text(), (
        f"record it if it is right: python -m tests.scenarios.cluster record {name}"
    )


def test_every_transcript_has_a_scenario() -> None:
    assert {file.stem for file in HERE.glob("*.out")} == set(SCENARIOS)
    assert len(SCENARIOS) >= 25
