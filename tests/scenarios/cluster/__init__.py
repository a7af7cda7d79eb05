"""Cluster scenarios: NAME.toml is a script for `gds simulate --cluster`, NAME.out the transcript it has to give.

A bug becomes a scenario first. `python -m tests.scenarios.cluster record` writes transcripts anew.
"""

from __future__ import annotations

from tests.scenarios.transcripts import Transcripts

TRANSCRIPTS = Transcripts("tests.scenarios.cluster", __file__, "--cluster")
