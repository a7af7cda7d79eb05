"""`python -m tests.scenarios.cluster record`: transcripts.py says what it does."""

from __future__ import annotations

import sys

from tests.scenarios.cluster import TRANSCRIPTS

if __name__ == "__main__":
    sys.exit(TRANSCRIPTS.record(sys.argv[1:]))
