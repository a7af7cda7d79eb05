"""Under a real Pacemaker, two nodes on one machine: every fault once, and never two copies, not for an instant.

One cluster for all of it, because it takes half a minute to come up: the tests stand in an order, and each begins with
a cluster at rest. The witness is the file of beats (tests/system/pacemaker.py).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.system.lab import install
from tests.system.pacemaker import Cluster, Copy, Installed, Service, overlap
from tests.system.running import eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

FAST = "op monitor interval=10s timeout=40s", "op monitor interval=2s timeout=20s"
"""What a test changes of what `gds convert` prints: it cannot wait ten seconds for each monitor."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Two nodes with fencing, and the application under them by the words of `gds convert`."""
    install("pacemaker")
    with Installed() as installed, Cluster(installed) as cluster:
        beats = installed.prefix / "beats"
        path = write(
            installed.prefix / "web.toml",
            f"""
[resource.web]
start_command = {installed.beating(beats)}
start_timeout = 20
stop_timeout = 10
start_grace = 0.5
retry_count = 2
retry_interval = 30
[group.web]
pingpong_interval = 20
""",
        )
        words = cluster.gds("p1", "convert", "--to", "crm", str(path))
        assert FAST[0] in words
        cluster.run("p1", "crm", "-F", "configure", "load", "update", "-", stdin=words.replace(*FAST))
        made = Service(cluster, beats)
        made.owner()
        yield made


@pytest.fixture
def owner(service: Service) -> Iterator[Copy]:
    """Who runs it at the begin; at the end nothing ran twice."""
    yield service.settle()
    assert overlap(service.beats) == 0, service.copies()


def other(node: str) -> str:
    return "p2" if node == "p1" else "p1"


def told(what: str, seconds: float) -> None:
    """A figure for people: shown with `pytest -s`."""
    print(f"\npacemaker: {what}: nobody served for {seconds:.2f} s")


def test_ocf_tester_finds_nothing_wrong(service: Service, owner: Copy) -> None:
    cluster = service.cluster
    trial = write(service.beats.with_name("trial.toml"), 'start_command = "exec sleep 1000"\n')
    agent = "/usr/lib/ocf/resource.d/gds/app"
    said = cluster.run(owner.node, "ocf-tester", "-n", "trial", "-o", f"config={trial}", agent)
    assert f"{agent} passed all tests" in said


def test_status_on_the_node_shows_the_application(service: Service, owner: Copy) -> None:
    assert "web" in service.cluster.gds(owner.node, "status")
    assert "ONLINE" in service.cluster.gds(owner.node, "status")


def test_an_application_that_dies_is_restarted_by_gds_and_pacemaker_does_not_notice(
    service: Service, owner: Copy
) -> None:
    service.cluster.kill(owner.node, owner.pid)
    again = eventually(
        lambda: next((c for c in service.copies() if c.begin > owner.end and c.name != owner.name), None),
        "the application is restarted",
    )
    assert again is not None
    told(
        "application killed, restarted by gds",
        again.begin - max(c.end for c in service.copies() if c.name != again.name),
    )
    assert again.node == owner.node
    # two more monitors, then there would be something to see
    begun = time.monotonic()
    eventually(lambda: time.monotonic() - begun > 4.5, "two intervals of the monitor")
    assert "web" not in service.failures(owner.node)
    assert service.owner().name == again.name


def test_a_runner_that_is_killed_leaves_the_application_alone(service: Service, owner: Copy) -> None:
    cluster = service.cluster
    (runner,) = cluster.pids(owner.node, " run --runtime-dir /run/gds/ocf-web")[-1:]
    cluster.kill(owner.node, runner)
    eventually(
        lambda: "taken back" in cluster.gds(owner.node, "status", check=False), "another runner has the application"
    )
    assert service.owner().name == owner.name


def test_a_monitor_takes_the_application_back_when_the_attendant_is_dead_too(service: Service, owner: Copy) -> None:
    cluster = service.cluster
    both = cluster.pids(owner.node, " run --runtime-dir /run/gds/ocf-web")
    assert len(both) == 2
    cluster.kill(owner.node, *both)
    eventually(
        lambda: len(set(cluster.pids(owner.node, " run --runtime-dir /run/gds/ocf-web")) - set(both)) == 2,
        "the monitor begins both anew",
    )
    eventually(lambda: "ONLINE" in cluster.gds(owner.node, "status", check=False), "the runner answers")
    assert service.owner().name == owner.name
    assert "web" not in service.failures(owner.node)


def test_a_giveover_moves_it(service: Service, owner: Copy) -> None:
    service.cluster.gds(owner.node, "giveover", "web")
    after, seconds = service.moved(owner)
    told("giveover", seconds)
    assert after.node == other(owner.node)


def test_a_budget_that_is_spent_moves_it(service: Service, owner: Copy) -> None:
    seen = {c.name for c in service.copies()} - {owner.name}
    while True:
        now = eventually(lambda: next((c for c in service.copies() if c.name not in seen), None), "one more copy")
        assert now is not None
        if now.node != owner.node:
            break
        seen.add(now.name)
        service.cluster.kill(now.node, now.pid)
    # two restarts at most; one that this runner remembers from before counts
    assert len([c for c in service.copies() if c.name in seen and c.begin >= owner.begin]) in (2, 3)
    assert "returned 'error'" in service.failures(owner.node)


def test_standby_moves_it(service: Service, owner: Copy) -> None:
    service.cluster.run(owner.node, "crm_standby", "--node", owner.node, "--update", "on")
    _, seconds = service.moved(owner)
    told("standby", seconds)
    service.cluster.run(owner.node, "crm_standby", "--node", owner.node, "--delete")


def test_a_property_is_changed_in_the_cluster_and_the_application_runs_on(service: Service, owner: Copy) -> None:
    cluster = service.cluster
    change = ["--set-parameter", "retry_count", "--parameter-value", "7"]
    cluster.run(owner.node, "crm_resource", "--resource", "web", *change)
    eventually(lambda: "/7" in cluster.gds(owner.node, "status", check=False), "reload-agent has told gds")
    assert service.owner().name == owner.name


def test_a_start_that_is_killed_in_the_middle_leaves_one_copy(service: Service, owner: Copy) -> None:
    cluster, there = service.cluster, other(owner.node)
    cluster.run(owner.node, "crm_resource", "--move", "--resource", "web", "--node", there)
    agent = eventually(lambda: cluster.pids(there, " start")[-1:], "the start begins there")
    cluster.kill(there, *agent)
    cluster.run(owner.node, "crm_resource", "--clear", "--resource", "web")
    cluster.run(owner.node, "crm_resource", "--wait", "--timeout", "60")
    eventually(lambda: service.living(), "it runs again", 60)
    assert len(cluster.pids("p1", "beating.py") + cluster.pids("p2", "beating.py")) == 1


def test_status_shouts_when_fencing_is_off(service: Service, owner: Copy) -> None:
    cluster = service.cluster
    cluster.run(owner.node, "crm_attribute", "--type", "crm_config", "--name", "stonith-enabled", "--update", "false")
    try:
        cluster.run(owner.node, "rm", "-f", "/run/gds/ocf-web/notices")  # asked at most once a minute
        eventually(
            lambda: "fencing is off" in cluster.run(owner.node, "cat", "/run/gds/ocf-web/notices", check=False),
            "a monitor has noticed",
        )
    finally:
        cluster.run(
            owner.node, "crm_attribute", "--type", "crm_config", "--name", "stonith-enabled", "--update", "true"
        )
    assert "fencing is off" in cluster.run(owner.node, "cat", "/var/log/pacemaker/pacemaker.log")


@pytest.mark.usefixtures("owner")
def test_a_node_that_dies_is_replaced(service: Service) -> None:
    before = service.put("p1")
    service.cluster.lab("crash", "p1")
    _, seconds = service.moved(before)
    told("power cut", seconds)


@pytest.mark.usefixtures("owner")
def test_a_node_that_is_cut_off_is_fenced_before_another_runs_it(service: Service) -> None:
    before = service.put("p1")  # of the two, this one is shot first
    service.cluster.lab("partition", "p1")
    try:
        after, seconds = service.moved(before)
    finally:
        service.cluster.lab("heal")
    told("network cut", seconds)
    assert after.begin > max(c.end for c in service.copies() if c.node == "p1")
    assert service.cluster.up() == ["p2"], "p1 was fenced"
