"""What Pacemaker's own user may read."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gds.ocf.attendant import closed_to_others


def test_the_first_part_of_a_path_that_is_closed_is_named() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:  # pytest's own is closed to others
        outer = Path(made)
        inner = outer / "inner"
        inner.mkdir()
        file = inner / "python3"
        file.write_text("")
        for part in (outer, inner, file):
            part.chmod(0o755)
        assert closed_to_others(str(file)) == ""
        file.chmod(0o700)
        assert closed_to_others(str(file)) == str(file)
        file.chmod(0o755)
        inner.chmod(0o750)
        assert closed_to_others(str(file)) == str(inner)
        outer.chmod(0o700)
        assert closed_to_others(str(file)) == str(outer)
        outer.chmod(0o755)
        assert closed_to_others(str(outer / "none" / "python3")) == str(outer / "none")
