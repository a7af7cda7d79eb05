"""The bench cannot rot: the bare loop through every figure, and the arithmetic of the table. No figure has a limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.cli import parse
from tests.bench.figures import lines_kept
from tests.bench.peers import FLOOR, PEERS
from tests.bench.presets import LEADS
from tests.bench.results import Results, figure_text, markdown, percentile

_ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_bare_loop_goes_through_every_figure_and_leaves_nothing(tmp_path: Path) -> None:
    out, table, cache = tmp_path / "out.json", tmp_path / "table.md", tmp_path / "cache"
    command = [sys.executable, "-m", "tests.bench", "--smoke", "--peers", "bare", "--no-install", "--cache", str(cache)]
    command += ["--state-directory", str(tmp_path), "--run-directory", str(tmp_path)]
    done = subprocess.run(
        [*command, "--json", str(out), "--markdown", str(table)], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text())
    assert told["left_behind"] == []
    assert told["failures"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out.json", "table.md"]
    for figure, leads in LEADS.items():
        for lead in leads:
            samples = [value for peers in told["samples"].get(lead, {}).values() for value in peers.get(FLOOR, [])]
            reasons = [peers[FLOOR] for peers in told["reasons"].get(lead, {}).values() if FLOOR in peers]
            assert samples or reasons, f"{figure}: neither a number nor a reason"
    for quantity in ("respawn", "at_once", "start", "exec_probe_cpu", "tcp_probe_rate", "logs_rate", "hung_exec_acted"):
        for peers in told["samples"][quantity].values():
            assert all(value > 0 for value in peers[FLOOR]), quantity
    assert told["samples"]["logs_lost"]["1"][FLOOR][0] == 0
    assert "| respawn after SIGKILL, 3 apps" in table.read_text()


def test_the_median_of_the_bare_loop_is_what_the_others_are_compared_with() -> None:
    results = Results([FLOOR, "other"])
    for value in (1.0, 2.0, 9.0):
        results.add("respawn", 100, FLOOR, value)
        results.add("respawn", 100, "other", 3 * value)
    assert results.ratio("respawn", 100, "other") == 3.0
    assert "| 2.00 / 9.00 | 6.00 / 27.0 (3.00×) |" in markdown(results, {})


def test_a_figure_that_cannot_be_had_says_why_once_below_the_table() -> None:
    results = Results([FLOOR, "other", "absent"])
    results.add("status", 1, FLOOR, 1.0)
    results.refuse("status", 1, "other", "no status command")
    results.refuse("daemon_tracked", 1, "other", "no status command")
    text = markdown(results, {"absent": "not installed: absent"})
    assert "| 1.00 / 1.00 | n/a [1] | n/a [2] |" in text
    assert text.endswith("n/a: [1] no status command; [2] not installed: absent.\n")


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (99, 99), (100, 99), (1000, 990)])
def test_the_99th_percentile_of_few_samples_is_the_greatest(count: int, expected: int) -> None:
    assert percentile([float(value) for value in range(1, count + 1)], 99) == expected


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.00004, "0.000"), (0.0123, "0.012"), (1.234, "1.23"), (1234.5, "1,234")]
)
def test_numbers_are_shown_with_three_digits(value: float, text: str) -> None:
    assert figure_text(value) == text


def test_a_line_cut_in_two_by_a_rotation_is_not_lost(tmp_path: Path) -> None:
    lines = [b"#%010d %s\n" % (number, b"x" * 87) for number in range(3)]
    whole = b"".join(lines)
    (tmp_path / "log.1").write_bytes(whole[:150])
    (tmp_path / "log").write_bytes(whole[150:])
    assert lines_kept(tmp_path) == 3
    (tmp_path / "log").write_bytes(whole[151:])
    assert lines_kept(tmp_path) == 2


@pytest.mark.parametrize("words", [["--only", "speed"], ["--peers", "gdss"], ["--sizes", "1,x"], ["--sizes", "0"]])
def test_a_word_that_is_not_known_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert "cannot take" in capsys.readouterr().err


def test_gds_means_both_rungs_of_its_ladder() -> None:
    assert parse(["--peers", "gds"]).peers == {"gds (cgroup)", "gds (keeper)"}
    assert {peer.name for peer in PEERS} >= {"gds (cgroup)", "gds (keeper)"}
