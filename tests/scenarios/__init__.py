"""Scenarios: NAME.toml is a script for `gds simulate`, NAME.out the transcript that it has to give, to the letter.

A bug becomes a scenario first. `python -m tests.scenarios record` writes transcripts anew.
"""

from __future__ import annotations

from tests.scenarios.transcripts import Transcripts

TRANSCRIPTS = Transcripts("tests.scenarios", __file__)
SCENARIOS = TRANSCRIPTS.names
script = TRANSCRIPTS.script
