"""How long nobody serves under Pacemaker: by gds as its agent, and by Pacemaker alone, in one cluster, in turns.

    python -m tests.system.pacemakertimes [N]          a table in Markdown; N of each (30), some 25 minutes

The same little application twice: `web` under ocf:gds:app, and `plain` under ocf:heartbeat:anything with a monitor each
second, which is as quick as people set it. Both are always on one node, so that a power cut or a standby hits both.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tests.system.cluster import tables
from tests.system.lab import install
from tests.system.pacemaker import Cluster, Copy, Installed, Service, overlap
from tests.system.running import eventually, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DESCRIPTOR = """
[resource.web]
start_command = {command}
start_timeout = 20
stop_timeout = 10
start_grace = 0.1
retry_count = 1000000
[group.web]
pingpong_interval = 1
"""
PLAIN = """
primitive plain ocf:heartbeat:anything params binfile={python} cmdline_options="-I -S {program} {beats}" \\
  op start timeout=20s op stop timeout=20s op monitor interval=1s timeout=20s meta failure-timeout=1s
colocation together inf: plain web
"""


class Pair:
    """`web` by gds and `plain` by Pacemaker alone."""

    def __init__(self, cluster: Cluster, root: Path) -> None:
        self.cluster = cluster
        self.web = Service(cluster, root / "beats")
        self.plain = Service(cluster, root / "plain-beats")

    def settle(self) -> tuple[Copy, Copy]:
        """Both run on the same node, nothing is pending; who they are."""
        self.web.settle()
        self.cluster.run(self.cluster.up()[0], "crm_resource", "--cleanup", "--resource", "plain")

        def together() -> tuple[Copy, Copy] | None:
            web, plain = self.web.living(), self.plain.living()
            return (web, plain) if web is not None and plain is not None and web.node == plain.node else None

        found = eventually(together, "both run on one node", 90)
        assert found is not None
        self.cluster.run(found[0].node, "crm_resource", "--wait", "--timeout", "60")
        return found

    def killed(self, service: Service, before: Copy) -> float:
        """The application dies; until another copy of it writes."""
        self.cluster.kill(before.node, before.pid)
        again = eventually(lambda: next((c for c in service.copies() if c.begin > before.end), None), "it is back", 60)
        assert again is not None
        return again.begin - max(c.end for c in service.copies() if c.begin < again.begin)


def killed(pair: Pair) -> tuple[float, float]:
    """Each on its own, one after the other."""
    web, plain = pair.settle()
    return pair.killed(pair.web, web), pair.killed(pair.plain, plain)


def given_over(pair: Pair) -> tuple[float, None]:
    """Pacemaker alone knows no such thing: `plain` follows because it has to."""
    web, _ = pair.settle()
    pair.cluster.gds(web.node, "giveover", "web")
    return pair.web.moved(web)[1], None


def stood_by(pair: Pair) -> tuple[float, float]:
    """An administrator takes the node out of service."""
    web, plain = pair.settle()
    pair.cluster.run(web.node, "crm_standby", "--node", web.node, "--update", "on")
    seconds = pair.web.moved(web)[1], pair.plain.moved(plain)[1]
    pair.cluster.run(web.node, "crm_standby", "--node", web.node, "--delete")
    return seconds


def cut(pair: Pair) -> tuple[float, float]:
    """The node's power fails; it is p1, for the others are shot five seconds later (tests/lab/pacemaker-cluster.sh)."""
    if pair.settle()[0].node != "p1":
        pair.web.put("p1")
    web, plain = pair.settle()
    pair.cluster.lab("crash", web.node)
    return pair.web.moved(web)[1], pair.plain.moved(plain)[1]


ACTS: Sequence[tuple[str, Callable[[Pair], tuple[float, float | None]]]] = (
    ("application killed", killed),
    ("giveover", given_over),
    ("node to standby", stood_by),
    ("power cut", cut),
)


def main(count: int) -> int:
    """Measure; 1 when something ran twice."""
    install("pacemaker")
    rows = []
    with Installed() as installed, Cluster(installed) as cluster:
        pair = Pair(cluster, installed.prefix)
        path = write(installed.prefix / "web.toml", DESCRIPTOR.format(command=installed.beating(pair.web.beats)))
        words = cluster.gds("p1", "convert", "--to", "crm", str(path))
        program = installed.prefix / "beating.py"
        words += PLAIN.format(python=sys.executable, program=program, beats=pair.plain.beats)
        cluster.run("p1", "crm", "-F", "configure", "load", "update", "-", stdin=words)
        for what, act in ACTS:
            found = []
            for number in range(count):
                found.append(act(pair))
                print(f"{what} {number + 1}: {found[-1]}", file=sys.stderr, flush=True)
            rows.append((f"{what}, gds", [web for web, _ in found], ""))
            if alone := [plain for _, plain in found if plain is not None]:
                rows.append((f"{what}, Pacemaker alone", alone, ""))
        twice = overlap(pair.web.beats)
    print(tables.measured(rows))
    if twice:
        print(f"VIOLATION two copies of web for {twice:.3f} s")
    return 1 if twice else 0


if __name__ == "__main__":
    began = time.monotonic()
    code = main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
