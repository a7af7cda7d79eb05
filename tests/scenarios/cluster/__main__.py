"""python -m tests.scenarios.cluster record [NAME...]: write the transcripts anew, of all scenarios or of those named.

Nothing else ever writes them. Read the difference before it is committed: each changed line is a changed decision.
"""

from __future__ import annotations

import sys

from tests.scenarios.cluster import SCENARIOS, played, recorded


def main(words: list[str]) -> int:
    """Record, and say what changed."""
    if not words or words[0] != "record":
        print(__doc__)
        return 2
    unknown = [name for name in words[1:] if name not in SCENARIOS]
    if unknown:
        print(f"cannot record {', '.join(unknown)}: there is no such scenario", file=sys.stderr)
        return 2
    for name in words[1:] or SCENARIOS:
        code, text = played(name)
        if code:
            print(f"cannot record {name}: gds simulate ended with {code}\n{text}", file=sys.stderr)
            return 1
        file = recorded(name)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            print(f"recorded {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
