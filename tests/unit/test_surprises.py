"""Sun's surprises about what is declared (semantics.md 19); the others are named beside what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.config.load import load


@pytest.mark.parametrize(
    ("key", "written", "seconds"),
    [
        ("monitor_retry_interval", "2", 2.0),
        ("monitor_retry_interval", '"2m"', 120.0),
        ("retry_interval", "50", 50.0),  # Sun's PMF rounded it up to a minute
        ("retry_interval", '"5m"', 300.0),
        ("thorough_probe_interval", "1.5", 1.5),
    ],
)
def test_surprise_3_a_number_is_seconds_also_where_sun_counted_minutes(
    tmp_path: Path, key: str, written: str, seconds: float
) -> None:
    file = tmp_path / "web.toml"
    file.write_text(f'start_command = "web"\n{key} = {written}\n')
    plan = load([str(file)], look=False).plan
    assert plan is not None
    assert getattr(plan.resources[0], key) == seconds
