"""The monitor of the monitor."""

from __future__ import annotations

from gds.fault.unable import unable
from gds.model.resource import Command, Resource
from gds.model.window import EMPTY

WEB = Resource("web", Command(("web",)), monitor_retry_count=2, monitor_retry_interval=60.0)


def test_one_failure_more_than_monitor_retry_count_ends_it() -> None:
    failures = EMPTY
    told = []
    for at in (0.0, 10.0, 20.0):
        tried = unable(failures, "no descriptor left", WEB, at)
        failures = tried.failures
        told.append((tried.failed, tried.because))
    assert told == [
        (False, "the probe could not be run: no descriptor left"),
        (False, "the probe could not be run: no descriptor left"),
        (True, "MONITOR_FAILED: 3 times within 60 s the probe could not be run: no descriptor left"),
    ]


def test_failures_older_than_monitor_retry_interval_do_not_count() -> None:
    failures = EMPTY
    for at in (0.0, 31.0, 62.0, 93.0, 124.0):
        tried = unable(failures, "no", WEB, at)
        failures = tried.failures
        assert not tried.failed


def test_a_negative_monitor_retry_count_has_no_limit() -> None:
    failures = EMPTY
    for at in range(100):
        tried = unable(failures, "no", WEB.replace(monitor_retry_count=-1), float(at))
        failures = tried.failures
        assert not tried.failed


def test_with_none_allowed_the_first_ends_it() -> None:
    assert unable(EMPTY, "no", WEB.replace(monitor_retry_count=0), 0.0).failed
