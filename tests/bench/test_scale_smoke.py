"""The model of a large cluster cannot rot: a small one is played, and every row of the table has its number."""

from __future__ import annotations

import pytest

from tests.bench.scale import ROWS, main


def test_a_small_cluster_is_played_and_every_row_is_filled(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["5/20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ROWS) + 1
    assert lines[0] == "| nodes / groups | 5 / 20 |"
    assert "| writes a second, standing still | 2.5 |" in lines


def test_what_is_no_size_is_told_how_to_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["many"]) == 2
    assert "python -m tests.bench.scale" in capsys.readouterr().err
