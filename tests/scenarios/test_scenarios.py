"""Every scenario gives the transcript that was recorded for it."""

from __future__ import annotations

import pytest

from tests.scenarios import HERE, SCENARIOS, played, recorded


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_decisions_for_the_same_reasons(name: str) -> None:
    code, text = played(name)
    assert code == 0, text
    assert text == recorded(name).read_text(), "`python -m tests.scenarios record` records it anew, if it is right now"


def test_every_transcript_has_its_script() -> None:
    assert {file.stem for file in HERE.glob("*.out")} == set(SCENARIOS)
    assert len(SCENARIOS) >= 25
