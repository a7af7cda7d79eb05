"""gds lab as an administrator uses it: up, the page, a power cut, it moves; and after `down` nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gds.lab import place
from gds.linux.cgroupforest import mount_point
from tests.system.lab import install
from tests.system.running import GDS, alive, eventually

TREE = Path(__file__).resolve().parents[2]
PAGE = "http://192.0.2.10:8080/"


class Admin:
    """Who types `gds lab VERB --dir DIR ...`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def lab(self, verb: str, *words: str, code: int = 0, within: float = 90.0) -> str:
        """What it printed; its exit status must be `code`."""
        argv = [*GDS, "lab", verb, "--dir", str(self.directory), *words]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within)
        assert done.returncode == code, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def status(self) -> dict[str, Any]:
        """The document."""
        told: dict[str, Any] = json.loads(self.lab("status", "--json"))
        return told

    def node(self, name: str) -> dict[str, Any]:
        """Of one node."""
        found: dict[str, Any] = next(each for each in self.status()["nodes"] if each["node"] == name)
        return found

    def page(self) -> str:
        """What a user of the service sees; "" when nobody serves."""
        look = f"import urllib.request as r; print(r.urlopen('{PAGE}', timeout=1).read().decode())"
        argv = [*GDS, "lab", "exec", "--dir", str(self.directory), "client", sys.executable, "-I", "-c", look]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout.strip()

    def served_by(self) -> str:
        """The node's name; "" when nobody serves."""
        return self.page().removeprefix("served by ").partition(",")[0]

    def left(self) -> list[str]:
        """Namespaces, cgroups, processes and files of this lab."""
        tag = place.prefix_of(str(self.directory))
        spaces = [name for name in os.listdir("/run/netns") if name.startswith(tag)] if shutil.which("ip") else []
        groups = [root for root, names, _ in os.walk(mount_point()) if tag in names]
        return [
            *spaces,
            *groups,
            *map(str, self.processes()),
            *([str(self.directory)] if self.directory.exists() else []),
        ]

    def processes(self) -> list[int]:
        """All that name the lab's directory in their arguments."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue  # it ended meanwhile
            if os.fsencode(self.directory) in words and int(entry) != os.getpid() and alive(int(entry)):
                found.append(int(entry))
        return found


@pytest.fixture
def admin() -> Iterator[Admin]:
    """With a directory where no lab is yet."""
    install("etcd", "network")
    where = Path(tempfile.mkdtemp(prefix="gds-lab-test-"))
    made = Admin(where / "lab")
    try:
        yield made
    finally:
        made.lab("down")
        shutil.rmtree(where)


@pytest.mark.slow
def test_the_tour(admin: Admin) -> None:
    said = admin.lab("up")
    assert f"try: gds lab exec client curl {PAGE}" in said
    assert "192.0.2.0/24" in said
    first = eventually(admin.served_by, "a node serves the page")
    # what a user on the floating address sees when the power of its node is cut
    assert f"{first}: power cut" in admin.lab("kill", first)
    second = eventually(admin.served_by, "another node serves the page")
    assert second != first
    (third,) = {"n1", "n2", "n3"} - {first, second}
    assert admin.node(first) | {"etcd": 0, "runner": 0} == {
        "node": first, "power": "off", "address": f"192.0.2.10{first[1]}", "etcd": 0, "runner": 0, "cut_off_from": [],
    }  # fmt: skip
    assert admin.lab("start", first) == f"{first}: power on\n"
    # a frozen node answers nobody, and goes on as it was
    eventually(lambda: admin.node(first)["etcd"]["state"] in ("leader", "follower"), "its etcd is back")
    admin.lab("pause", third)
    assert admin.node(third)["runner"]["state"] == "paused"
    admin.lab("resume", third)
    eventually(lambda: admin.node(third)["runner"]["state"] == "up", f"the runner of {third} answers")
    # one that is cut off stops what it runs, and another takes it
    eventually(lambda: "alive" in admin.lab("exec", second, *GDS, "nodes"), "it is a member")
    assert second in admin.lab("partition", second)
    assert "client" in admin.node(second)["cut_off_from"]
    last = eventually(lambda: admin.served_by(), "another node serves the page")
    assert last != second
    assert admin.lab("heal", second) == f"{second}: not cut off any more\n", "and it is a node of the cluster again"
    assert admin.node(second)["cut_off_from"] == []
    why = admin.lab("exec", second, *GDS, "why", "web")
    assert f"its group web belongs to {last} (token " in why
    assert "this node was fenced: " in why or f"{last} has taken it: this node's life in the cluster was ended" in why
    assert "is gone" in admin.lab("down")
    assert admin.left() == []


@pytest.mark.slow
def test_the_example_of_several_nodes_and_its_ledger_that_refuses_a_former_master(admin: Admin) -> None:
    shared = admin.directory.parent / "shared"
    shared.mkdir()
    example = admin.directory.parent / "example"
    shutil.copytree(TREE / "examples/cluster", example)
    shop = example / "shop.toml"
    shop.write_text(shop.read_text().replace("/srv/shared", str(shared)).replace("./ledger", str(example / "ledger")))
    admin.lab("up", str(shop))
    ledger = shared / "ledger"

    def lines() -> list[str]:
        return ledger.read_text().splitlines() if ledger.exists() else []

    def written() -> list[tuple[str, int]]:
        """(node, token) of each line."""
        return [(line.split()[1], int(line.split()[3])) for line in lines()]

    eventually(written, "the ledger is written")
    node, token = written()[-1]
    admin.lab("kill", node)
    eventually(lambda: written()[-1][0] != node, "another node writes it", 60)
    _other, later = written()[-1]
    assert later > token
    late = subprocess.run(
        [example / "fenced-append", ledger, "too late"],
        env={**os.environ, "GDS_FENCING_TOKEN": str(token)},
        capture_output=True,
        text=True,
    )
    assert late.returncode == 1
    assert f"token {token} is older than {later}: another node has become master" in late.stderr
    assert "too late" not in lines()


@pytest.mark.slow
def test_one_process_of_a_node(admin: Admin) -> None:
    admin.lab("up", "--nodes", "1", "--plain")
    assert "share the machine's network (--plain)" in admin.lab("partition", "n1", code=1)
    before = admin.node("n1")
    admin.lab("kill", "n1", "runner")
    eventually(lambda: admin.node("n1")["runner"]["state"] == "up", "the runner is back")
    assert admin.node("n1")["runner"]["pid"] != before["runner"]["pid"]
    guard = json.loads(admin.lab("exec", "n1", *GDS, "status", "--json"))["cluster"]["guard"]["pid"]
    assert f"guard (pid {guard}) killed" in admin.lab("kill", "n1", "guard")
    pid = admin.status()["status"]["groups"][0]["resources"][0]["main_pid"]
    assert f"web (pid {pid}) killed" in admin.lab("kill", "n1", "app", "web")
    assert not alive(pid)
    admin.lab("kill", "n1", "etcd")
    assert admin.node("n1")["etcd"]["state"] == "down"
    assert "not running" in admin.lab("kill", "n1", "etcd", code=3)
    assert admin.lab("start", "n1") == "n1: etcd started\n"
    eventually(lambda: admin.node("n1")["etcd"]["state"] == "leader", "etcd is back")
    assert "ended by signal 9; it is started again" in admin.lab("logs", "n1", "-n", "1000")
    assert "one is there" in admin.lab("up", code=1)
    admin.lab("down")
    assert admin.left() == []


@pytest.mark.slow
def test_failover_mode_hard_is_a_power_cut(admin: Admin) -> None:
    descriptor = admin.directory.with_suffix(".toml")
    descriptor.write_text(
        '[resource.web]\nstart_command = "exec sleep 1000"\npostnet_stop_command = "exit 1"\nfailover_mode = "HARD"\n'
    )
    admin.lab("up", "--nodes", "1", "--plain", str(descriptor))
    # it does not hear of its end: the power goes while it waits for the answer
    argv = [*GDS, "lab", "exec", "--dir", str(admin.directory), "n1", *GDS, "stop", "web"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    eventually(lambda: admin.node("n1")["power"] == "off", "n1 has no power")
    assert "it is off" in admin.lab("exec", "n1", "true", code=3)


@pytest.mark.slow
@pytest.mark.parametrize("made", ["lab.json", "example.toml", "n1/runner.pid"])
def test_half_of_one_goes_as_well(admin: Admin, made: str) -> None:
    up = subprocess.Popen(
        [*GDS, "lab", "up", "--dir", str(admin.directory)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        eventually((admin.directory / made).exists, f"{made} is there")
    finally:
        up.kill()
        up.wait()
    assert "is gone" in admin.lab("down")
    eventually(lambda: admin.left() == [], "nothing is left")
    assert "no lab is in" in admin.lab("down")
