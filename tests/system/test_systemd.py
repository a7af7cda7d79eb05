"""The units under a real systemd: what an administrator does with systemctl, and what an accident does."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.system.lab import REPO, Box, Seen, install
from tests.system.running import eventually

pytestmark = pytest.mark.slow

UNITS = ("gds.service", "gds@.service")

Report = dict[str, object]


@pytest.fixture(scope="module")
def machine() -> Iterator[Box]:
    """A systemd with gds and its units installed."""
    install("nginx")
    with Box("units") as box:
        box.run("ln", "-sf", f"{sys.prefix}/bin/gds", "/usr/local/bin/gds")
        for unit in UNITS:
            box.run("cp", f"{REPO}/units/{unit}", "/etc/systemd/system/")
        box.run("systemctl", "daemon-reload")
        yield box


def ours(box: Box) -> list[Seen]:
    """Whoever is in a cgroup of a unit of ours."""
    return [one for one in box.processes() if "gds" in one.cgroup]


@pytest.fixture
def box(machine: Box) -> Iterator[Box]:
    """The same machine, left as it was found: no unit of ours, no descriptor, no state."""
    began = f"@{time.time():.0f}"
    yield machine
    machine.run("systemctl", "stop", "gds@*", "gds", check=False)
    words = ("--no-pager", "--output", "short-precise", "--since", began, "--unit", "gds@*", "--unit", "gds")
    print(machine.run("journalctl", *words).stdout)  # pytest shows it if the test failed
    with suppress(AssertionError):  # a zombie that systemd has not reaped yet has its cgroup
        eventually(lambda: not ours(machine), "nothing of ours is left", 10)
    left = ours(machine)
    machine.run("systemctl", "reset-failed", "gds@*", "gds", check=False)
    machine.run("sh", "-c", "rm -rf /etc/gds /var/lib/gds /etc/systemd/system/gds*.d; systemctl daemon-reload")
    assert left == []


def nobody(box: Box, **where: str) -> None:
    """Wait until nobody is there, and nobody's zombie."""
    eventually(lambda: not box.processes(**where), f"nobody is left in {where}")


def declare(box: Box, name: str, text: str, **service: str) -> str:
    """A descriptor with one resource NAME; the unit that runs it, with `service` set in a drop-in."""
    box.write(f"/etc/gds/{name}.toml", f"[resource.{name}]\n{text}")
    unit = f"gds@{name}.service"
    if service:
        lines = "".join(f"{key}={value}\n" for key, value in service.items())
        box.write(f"/etc/systemd/system/{unit}.d/test.conf", f"[Service]\n{lines}")
        box.run("systemctl", "daemon-reload")
    return unit


def nginx(box: Box, port: int, answer: str = "hello", before: str = "") -> str:
    """What a descriptor says about an nginx that puts itself into the background; `before` is done first."""
    box.write(
        f"/etc/web-{port}.conf",
        f"pid /run/web-{port}.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port}; return 200 '{answer}'; }} }}\n",
    )
    return f"""
start_command = "{before}/usr/sbin/nginx -c /etc/web-{port}.conf"
port_list = ["{port}/tcp"]
probe_timeout = "500ms"
thorough_probe_interval = "1s"
retry_count = 2
retry_interval = "5m"
"""


def masters(box: Box, port: int) -> list[Seen]:
    """Every nginx master with that configuration; two of them would be one too many."""
    return [one for one in box.processes(holding=f"web-{port}.conf") if one.command.startswith("nginx: master")]


def strike(box: Box, port: int) -> None:
    """SIGKILL to the master and its workers: a worker that outlives its master would go on serving."""
    tree = masters(box, port)[0].cgroup
    box.kill("KILL", *(one.pid for one in box.processes(cgroup=tree)))


def ask(box: Box, port: int) -> str:
    """What the web server answers; empty if nobody does."""
    script = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/', timeout=5).read().decode())"
    return box.run(sys.executable, "-I", "-c", script, check=False).stdout.strip()


def report(box: Box, name: str) -> Report:
    """What `gds status --json` says about one resource; empty if no runner knows it."""
    done = box.run("gds", "status", "--json", check=False)
    for group in json.loads(done.stdout or '{"groups": []}')["groups"]:
        for resource in group["resources"]:
            if resource["name"] == name:
                found: Report = resource
                return found
    return {}


def restarts(box: Box, name: str, figure: str = "done") -> int:
    """How many restarts the budget counts, or may count (`figure` = limit)."""
    budget = report(box, name)["restarts"]
    assert isinstance(budget, dict)
    return int(budget[figure])


def decisions(box: Box, name: str) -> list[Report]:
    """The history of one resource."""
    told: dict[str, list[Report]] = json.loads(box.run("gds", "history", name, "--json").stdout)
    return told["history"]


def main_pid(box: Box, unit: str) -> int:
    return int(box.show(unit, "MainPID"))


def test_systemd_finds_nothing_to_remark_in_the_units(machine: Box) -> None:
    done = machine.run("systemd-analyze", "verify", *(f"{REPO}/units/{unit}" for unit in UNITS))
    assert done.stdout + done.stderr == ""


def test_a_unit_is_active_when_its_application_answers_and_not_before(box: Box) -> None:
    unit = declare(box, "web", nginx(box, 8101, before="sleep 3; "))
    box.run("systemctl", "start", "--no-block", unit)
    eventually(lambda: box.processes(holding="sleep 3"), "nginx about to start")
    assert box.show(unit, "ActiveState") == "activating"
    assert "web" in eventually(lambda: box.show(unit, "StatusText"), "a status line during the start")
    box.run("systemctl", "start", unit)  # joins the job that is under way, and ends with it
    assert ask(box, 8101) == "hello"
    assert box.show(unit, "ActiveState") == "active"
    assert len(masters(box, 8101)) == 1


def test_the_status_line_follows_what_becomes_of_the_application(box: Box) -> None:
    unit = declare(box, "web", nginx(box, 8102, before="sleep 1; "))
    box.run("systemctl", "start", unit)
    calm = eventually(lambda: box.show(unit, "StatusText"), "a status line")
    strike(box, 8102)
    changed = eventually(
        lambda: box.show(unit, "StatusText") != calm and box.show(unit, "StatusText"), "another status line"
    )
    assert "web" in str(changed)
    eventually(lambda: ask(box, 8102) == "hello", "nginx is back")
    assert box.show(unit, "NRestarts") == "0", "the runner restarts the application, not systemd the runner"


def test_an_application_is_followed_in_cgroups_of_its_own(box: Box) -> None:
    unit = declare(box, "web", nginx(box, 8103))
    box.run("systemctl", "start", unit)
    status = json.loads(box.run("gds", "status", "--json").stdout)
    assert status["tracking"] == "cgroup"
    ours = box.processes(cgroup=box.show(unit, "ControlGroup"))
    runner = {one.cgroup for one in ours if one.pid == main_pid(box, unit)}
    servers = {one.cgroup for one in ours if one.command.startswith("nginx")}
    assert len(servers) == 1
    assert servers != runner


def test_reload_with_a_change_that_can_be_made_live_touches_no_process(box: Box) -> None:
    text = nginx(box, 8104)
    unit = declare(box, "web", text)
    box.run("systemctl", "start", unit)
    before = masters(box, 8104)
    declare(box, "web", text.replace("retry_count = 2", "retry_count = 7"))
    box.run("systemctl", "reload", unit)
    assert restarts(box, "web", "limit") == 7
    assert masters(box, 8104) == before
    assert box.show(unit, "ActiveState") == "active"


def test_reload_with_another_start_command_starts_the_application_anew(box: Box) -> None:
    unit = declare(box, "web", nginx(box, 8105, answer="old"))
    box.run("systemctl", "start", unit)
    runner = main_pid(box, unit)
    declare(box, "web", nginx(box, 8106, answer="new"))
    box.run("systemctl", "reload", unit)
    eventually(lambda: ask(box, 8106) == "new", "the new server answers")
    assert masters(box, 8105) == []
    assert main_pid(box, unit) == runner


def test_reload_of_a_bad_file_fails_and_touches_nothing(box: Box) -> None:
    text = nginx(box, 8107)
    unit = declare(box, "web", text)
    box.run("systemctl", "start", unit)
    before = masters(box, 8107)
    declare(box, "web", text + "retry_cuont = 2\n")
    assert box.run("systemctl", "reload", unit, check=False).returncode != 0
    assert "retry_cuont" in box.journal(unit)
    assert masters(box, 8107) == before
    assert box.show(unit, "ActiveState") == "active"
    assert report(box, "web")["state"] == "ONLINE"


def test_stop_ends_the_application_in_its_own_way_and_leaves_nothing(box: Box) -> None:
    # systemd by default tells every process of the unit at once; here the stop command does, half a second later.
    unit = declare(
        box,
        "calm",
        """
start_command = "trap 'echo by TERM >>/run/calm.end; exit 0' TERM; while :; do sleep 0.1; done"
stop_command = '''
sleep 0.5
echo by the stop command >>/run/calm.end
kill -TERM $MAINPID
while kill -0 $MAINPID 2>/dev/null; do sleep 0.05; done
'''
""",
    )
    box.run("systemctl", "start", unit)
    group = box.show(unit, "ControlGroup")
    assert len(box.processes(cgroup=group)) > 1
    box.run("systemctl", "stop", unit)
    assert box.read("/run/calm.end").splitlines() == ["by the stop command", "by TERM"]
    nobody(box, cgroup=group)
    nobody(box, holding="calm.end")
    assert (box.show(unit, "ActiveState"), box.show(unit, "Result")) == ("inactive", "success")
    assert box.run("test", "-e", "/run/gds/calm", check=False).returncode != 0


def test_a_killed_runner_comes_back_and_nothing_is_doubled_or_forgotten(box: Box) -> None:
    unit = declare(box, "web", nginx(box, 8108))
    box.run("systemctl", "start", unit)
    strike(box, 8108)  # so that the budget and the history hold something
    eventually(lambda: restarts(box, "web") == 1 and report(box, "web")["state"] == "ONLINE", "one restart")
    before = decisions(box, "web")
    assert before
    box.run("systemctl", "kill", "--kill-whom", "main", "--signal", "KILL", unit)
    eventually(lambda: box.show(unit, "NRestarts") == "1", "systemd starts the runner again")
    eventually(lambda: box.show(unit, "ActiveState") == "active", "the unit is up")
    assert ask(box, 8108) == "hello"
    assert len(masters(box, 8108)) == 1
    assert len([one for one in box.processes(holding="gds run") if one.pid == main_pid(box, unit)]) == 1
    assert restarts(box, "web") >= 1, "the budget survives the runner"
    after = decisions(box, "web")
    assert [one for one in before if one not in after] == []
    assert len(after) > len(before)


def test_a_runner_that_stands_still_is_replaced_by_the_watchdog(box: Box) -> None:
    unit = declare(box, "web", nginx(box, 8109), WatchdogSec="2s")
    box.run("systemctl", "start", unit)
    eventually(lambda: float(str(runner_status(box)["uptime_seconds"])) > 4.5, "the runner outlives its watchdog")
    assert box.show(unit, "NRestarts") == "0"
    box.kill("STOP", main_pid(box, unit))
    eventually(lambda: box.show(unit, "NRestarts") == "1", "systemd has had enough")
    eventually(lambda: box.show(unit, "ActiveState") == "active", "the unit is up")
    assert "Watchdog timeout" in box.journal(unit)
    assert ask(box, 8109) == "hello"
    assert len(masters(box, 8109)) == 1


def runner_status(box: Box) -> Report:
    done: Report = json.loads(box.run("gds", "status", "--json").stdout)
    return done


def test_giveover_ends_the_unit_with_75_and_systemd_leaves_it_so(box: Box) -> None:
    unit = declare(box, "frail", 'start_command = "sleep 0.4"\nretry_count = 1\nretry_interval = "5m"\n')
    box.run("systemctl", "start", unit)
    eventually(lambda: box.show(unit, "ActiveState") == "failed", "the application is given over")
    assert (box.show(unit, "ExecMainStatus"), box.show(unit, "NRestarts")) == ("75", "0")
    assert re.search("giv(e|ing|en) ?over", box.journal(unit), re.IGNORECASE)
    nobody(box, holding="sleep 0.4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('start_command = "true"\nretry_cuont = 2\n', ("/etc/gds/bad.toml:3", "retry_count")),
        ("start_command = [1,\n", ("/etc/gds/bad.toml:",)),
    ],
    ids=["unknown key", "not TOML"],
)
def test_a_bad_descriptor_ends_the_unit_with_78_and_the_journal_says_why(
    box: Box, text: str, said: tuple[str, ...]
) -> None:
    unit = declare(box, "bad", text)
    assert box.run("systemctl", "start", unit, check=False).returncode != 0
    assert (box.show(unit, "ExecMainStatus"), box.show(unit, "NRestarts")) == ("78", "0")
    assert box.show(unit, "ActiveState") == "failed"
    assert [word for word in said if word not in box.journal(unit)] == []


def test_a_missing_descriptor_ends_the_unit_with_78(box: Box) -> None:
    assert box.run("systemctl", "start", "gds@nobody", check=False).returncode != 0
    assert (box.show("gds@nobody", "ExecMainStatus"), box.show("gds@nobody", "NRestarts")) == ("78", "0")
    assert "/etc/gds/nobody.toml" in box.journal("gds@nobody")


def test_a_start_and_a_stop_that_take_longer_than_systemd_waits_are_let_finish(box: Box) -> None:
    unit = declare(
        box,
        "slow",
        nginx(box, 8110, before="sleep 5; ") + 'stop_command = "sleep 5"\n',
        TimeoutStartSec="2s",
        TimeoutStopSec="2s",
    )
    box.run("systemctl", "start", unit)
    assert ask(box, 8110) == "hello"
    box.run("systemctl", "stop", unit)
    assert (box.show(unit, "Result"), box.show(unit, "NRestarts")) == ("success", "0")
    assert masters(box, 8110) == []


def test_hardening_lets_an_application_be_another_user_and_takes_only_what_it_says(box: Box) -> None:
    unit = declare(
        box,
        "plain",
        """
start_command = "grep CapBnd /proc/self/status >/run/plain/caps; env >/run/plain/env; exec sleep 1000003"
user = "nobody"
""",
    )
    box.run("install", "-d", "-o", "nobody", "/run/plain")
    box.run("systemctl", "start", unit)
    eventually(lambda: box.processes(holding="sleep 1000003")[0].command == "sleep 1000003", "it has written all")
    assert [one.uid for one in box.processes(holding="sleep 1000003")] == [65534]
    bounding = int(box.read("/run/plain/caps").split()[1], 16)
    kill, net_bind, sys_module, sys_rawio, sys_admin = 5, 10, 16, 17, 21
    assert [bounding >> cap & 1 for cap in (kill, net_bind, sys_admin)] == [1, 1, 1]
    assert [bounding >> cap & 1 for cap in (sys_module, sys_rawio)] == [0, 0]
    environment = box.read("/run/plain/env")
    assert "GDS_RESOURCE=plain" in environment
    leaked = ("NOTIFY_SOCKET", "WATCHDOG_", "INVOCATION_ID", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "LISTEN_")
    assert [name for name in leaked if name in environment] == []


def test_a_disk_that_a_start_command_mounts_is_mounted_for_all(box: Box) -> None:
    unit = declare(
        box,
        "disk",
        """
start_command = "mkdir -p /run/disk && mount -t tmpfs disk /run/disk && exec sleep 1000004"
stop_command = "umount /run/disk; kill $MAINPID"
""",
    )
    box.run("systemctl", "start", unit)
    eventually(lambda: box.run("mountpoint", "/run/disk", check=False).returncode == 0, "it is mounted")
    box.run("systemctl", "stop", unit)
    assert box.run("mountpoint", "/run/disk", check=False).returncode != 0


def test_a_directory_without_descriptors_is_skipped_not_failed(box: Box) -> None:
    box.run("systemctl", "start", "gds")
    assert (box.show("gds", "ActiveState"), box.show("gds", "ConditionResult")) == ("inactive", "no")


def test_a_directory_is_ready_when_the_last_one_is_up_or_has_failed_for_good_and_says_which(box: Box) -> None:
    box.write("/etc/gds/apps.d/web.toml", f"[resource.web]\n{nginx(box, 8111, before='sleep 1; ')}")
    box.write("/etc/gds/apps.d/broken.toml", '[resource.broken]\nstart_command = "exit 3"\nstart_grace = 30\n')
    box.run("systemctl", "start", "gds")
    assert ask(box, 8111) == "hello"
    assert report(box, "broken")["state"] == "START_FAILED"
    assert "broken" in box.show("gds", "StatusText")
    group = box.show("gds", "ControlGroup")
    box.run("systemctl", "stop", "gds")
    assert masters(box, 8111) == []
    nobody(box, cgroup=group)


def test_units_live_side_by_side_and_one_command_shows_all(box: Box) -> None:
    one = declare(box, "one", 'start_command = "exec sleep 1000001"\n')
    two = declare(box, "two", 'start_command = "exec sleep 1000002"\n')
    box.write("/etc/gds/apps.d/three.toml", '[resource.three]\nstart_command = "exec sleep 1000005"\n')
    box.run("systemctl", "start", one, two, "gds")
    assert [report(box, name).get("state") for name in ("one", "two", "three")] == ["ONLINE"] * 3
    box.run("systemctl", "stop", two, "gds")
    assert report(box, "one")["state"] == "ONLINE", "the stop of another unit took nothing of this one's"
    assert [report(box, name) for name in ("two", "three")] == [{}, {}]
    assert len(box.processes(holding="sleep 1000001")) == 1
