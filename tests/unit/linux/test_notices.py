"""What somebody outside wrote for all who look at a runner is one line of its status."""

from __future__ import annotations

from pathlib import Path

from gds.linux.notices import Notices


def test_lines_become_one_problem(tmp_path: Path) -> None:
    notices = Notices(str(tmp_path))
    assert notices.problem == ""
    (tmp_path / "notices").write_text("fencing is off\nthe moon is full\n")
    assert notices.problem == "fencing is off; the moon is full"
    (tmp_path / "notices").write_text("")
    assert notices.problem == ""


def test_without_a_runtime_directory_nothing_is_said() -> None:
    assert Notices("").problem == ""
