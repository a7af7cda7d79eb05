"""Every scenario, of one node and of a cluster, gives the transcript that was recorded for it."""

from __future__ import annotations

import pytest

from tests import scenarios
from tests.scenarios import cluster
from tests.scenarios.transcripts import Transcripts

BOTH = (scenarios.TRANSCRIPTS, cluster.TRANSCRIPTS)
EACH = [
    pytest.param(each, name, id=name if each is scenarios.TRANSCRIPTS else f"cluster-{name}")
    for each in BOTH
    for name in each.names
]


@pytest.mark.parametrize(("transcripts", "name"), EACH)
def test_the_same_decisions_for_the_same_reasons(transcripts: Transcripts, name: str) -> None:
    code, text = transcripts.played(name)
    assert code == 0, text
    assert text == transcripts.recorded(name).read_text(), (
        f"`{transcripts.again} {name}` records it anew, if it is right"
    )


@pytest.mark.parametrize("transcripts", BOTH, ids=["node", "cluster"])
def test_every_transcript_has_its_script(transcripts: Transcripts) -> None:
    assert {file.stem for file in transcripts.here.glob("*.out")} == set(transcripts.names)
    assert len(transcripts.names) >= 25
