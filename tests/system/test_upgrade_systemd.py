"""`gds upgrade` under a real systemd: the unit stays active, its main process stays the same, nobody is restarted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.system.lab import REPO, Box
from tests.system.running import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

UNIT = "gds@web.service"
WEB = '[resource.web]\nstart_command = ["sleep", "1000"]\nretry_count = 100\nretry_interval = 3600\n'


@pytest.fixture(scope="module")
def machine() -> Iterator[Box]:
    """A systemd with gds and its units installed."""
    with Box("upgrade") as box:
        box.run("ln", "-sf", f"{sys.prefix}/bin/gds", "/usr/local/bin/gds")
        box.run("cp", f"{REPO}/units/gds@.service", "/etc/systemd/system/")
        yield box


@pytest.fixture
def box(machine: Box) -> Iterator[Box]:
    """With one application up, and a watchdog that bites after two seconds."""
    machine.write("/etc/gds/web.toml", WEB)
    machine.write(
        f"/etc/systemd/system/{UNIT}.d/test.conf", "[Service]\nWatchdogSec=2s\nExecReload=/usr/bin/env gds upgrade\n"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", UNIT)
    yield machine
    machine.run("systemctl", "stop", UNIT, check=False)
    print(machine.journal(UNIT))  # pytest shows it if the test failed
    machine.run("rm", "-rf", "/etc/gds", "/var/lib/gds", f"/etc/systemd/system/{UNIT}.d")


def status(box: Box) -> dict[str, object]:
    """What the runner says of the application."""
    found: dict[str, object] = json.loads(box.run("gds", "status", "--json").stdout)["groups"][0]["resources"][0]
    return found


def test_the_unit_stays_active_and_its_processes_stay_the_same(box: Box) -> None:
    runner, before = box.show(UNIT, "MainPID"), status(box)
    changed = int(box.show(UNIT, "StateChangeTimestampMonotonic"))
    for _ in range(3):
        assert f"pid {runner} upgraded" in box.run("gds", "upgrade").stdout
        assert box.show(UNIT, "ActiveState") == "active"
    assert int(box.show(UNIT, "StateChangeTimestampMonotonic")) > changed, "it was told: RELOADING, and READY"
    assert box.show(UNIT, "MainPID") == runner
    assert box.show(UNIT, "NRestarts") == "0"
    assert status(box) == before
    assert "1 of 1 online" in box.show(UNIT, "StatusText")


def test_the_watchdog_is_fed_by_the_new_code(box: Box) -> None:
    runner = box.show(UNIT, "MainPID")
    box.run("gds", "upgrade")
    fed: set[str] = set()

    def seen() -> bool:
        fed.add(box.show(UNIT, "WatchdogTimestampMonotonic"))
        return len(fed) >= 5

    eventually(seen, "the watchdog is fed again and again")
    assert (box.show(UNIT, "MainPID"), box.show(UNIT, "NRestarts")) == (runner, "0")


def test_a_reload_of_the_unit_can_upgrade_as_well(box: Box) -> None:
    runner, before = box.show(UNIT, "MainPID"), status(box)
    box.write("/etc/gds/web.toml", WEB.replace("retry_count = 100", "retry_count = 7"))
    box.run("systemctl", "reload", UNIT)
    after = status(box)
    assert after["restarts"] != before["restarts"], "the descriptors were read again"
    assert after["pids"] == before["pids"]
    assert "upgraded from" in box.run("gds", "history").stdout
    assert (box.show(UNIT, "MainPID"), box.show(UNIT, "ActiveState")) == (runner, "active")


def test_a_death_after_it_is_restarted_and_a_stop_leaves_nothing(box: Box) -> None:
    box.run("gds", "upgrade")
    pids = status(box)["pids"]
    assert isinstance(pids, list)
    box.kill("KILL", *pids)
    eventually(lambda: status(box)["pids"] not in ([], pids), "it runs again")
    told = box.run("gds", "history", "web").stdout
    assert told.count("killed by SIGKILL") == 1
    group = box.show(UNIT, "ControlGroup")
    box.run("systemctl", "stop", UNIT)
    eventually(lambda: not box.processes(cgroup=group), "nobody is left, and nobody's zombie")
    assert (box.show(UNIT, "ActiveState"), box.show(UNIT, "Result")) == ("inactive", "success")
