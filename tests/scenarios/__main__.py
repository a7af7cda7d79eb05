"""`python -m tests.scenarios record`: transcripts.py says what it does."""

from __future__ import annotations

import sys

from tests.scenarios import TRANSCRIPTS

if __name__ == "__main__":
    sys.exit(TRANSCRIPTS.record(sys.argv[1:]))
