"""Every cluster scenario gives the transcript that was recorded for it."""

from __future__ import annotations

import pytest

from tests.scenarios.cluster import TRANSCRIPTS


@pytest.mark.parametrize("name", TRANSCRIPTS.names)
def test_the_same_decisions_for_the_same_reasons(name: str) -> None:
    code, text = TRANSCRIPTS.played(name)
    assert code == 0, text
    assert text == TRANSCRIPTS.recorded(name).read_text(), (
        f"`{TRANSCRIPTS.again} {name}` records it anew, if it is right now"
    )


def test_every_transcript_has_its_script() -> None:
    assert {file.stem for file in TRANSCRIPTS.here.glob("*.out")} == set(TRANSCRIPTS.names)
    assert len(TRANSCRIPTS.names) >= 25
