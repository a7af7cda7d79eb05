"""A node of the lab: a runner in a network of its own, and all that comes of it, by pid.

The runner is entered into its network by nsenter (not by `ip netns exec`, which hides the cgroups below a new /sys),
and into a cgroup of its node's own, in which all of the node stays: its runner, guard, applications. So a node is
crashed and frozen as a whole, and what is left of it is known.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system.cluster import faults
from tests.system.lab import REPO
from tests.system.running import GDS, alive, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.cluster.lab import ClusterLab

BEAT = REPO / "tests" / "system" / "cluster" / "beat.py"
AGAIN = 0.2
"""Seconds until a runner that ended is started again, as systemd would (RestartSec)."""
BOOT_TIMES = {"n1": 0, "n2": 1_000_000, "n3": 31_000_000}
"""Seconds that a node's CLOCK_BOOTTIME is ahead: no clock of one node may mean anything to another."""


class Node:
    """A node: its cgroup, and the runner in it. `called`: what the runner is told that its node is called, if that is
    not the name of the place where it runs."""

    def __init__(self, lab: ClusterLab, name: str, called: str = "") -> None:
        self.lab = lab
        self.name = name
        self.called = called or name
        label = f"{self.called}-on-{name}" if called else name
        self.where = lab.where / label
        self.where.mkdir(parents=True, exist_ok=True)
        self.runtime = self.where / "run"
        self.log_path = self.where / "log"
        self.cgroup = Path(f"{lab.cgroups}-{label}")
        self.clock = self.where / "clock"
        self.process: subprocess.Popen[bytes] | None = None
        self.wanted = False
        self.ended_at = 0.0
        self.lives = 0

    # -- its life -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the runner."""
        self.cgroup.mkdir(exist_ok=True)
        enter = ["nsenter", f"--net=/run/netns/{self.lab.namespace(self.name)}"]
        booted = ["unshare", "--time", "--boottime", str(BOOT_TIMES[self.name])]
        shell = ["sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', str(self.cgroup)]
        with self.log_path.open("ab") as log:
            log.write(f"-- life {self.lives} at {time.monotonic_ns()}\n".encode())
            self.process = subprocess.Popen(
                [*shell, *enter, *booted, *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.lab.env, **self.jumping()},
                cwd="/",
                start_new_session=True,
            )
        self.lives += 1
        self.wanted = True

    def command(self) -> list[str]:
        """How its runner is started."""
        lab = self.lab
        if lab.naive:
            given = [self.called, f"{lab.lifetime:g}", lab.endpoints, str(lab.log), str(lab.flags), *faults.GROUPS]
            return [sys.executable, str(BEAT.with_name("naive.py")), *given]
        options = ["--engine", "etcd", "--etcd-endpoints", lab.endpoints, "--node", self.called]
        where = ["--runtime-dir", str(self.runtime), "--state-dir", str(self.where / "state")]
        return [*GDS, "run", *where, *options, str(lab.descriptor)]

    def jumping(self) -> dict[str, str]:
        """What makes the runner's wall clock follow a file, and leaves the others alone."""
        if not self.lab.clocks:
            return {}
        self.clock.write_text("+0\n")
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def tend(self) -> None:
        """What systemd would do: a runner that ended is started again after a moment."""
        if self.process is None or self.process.poll() is None:
            self.ended_at = 0.0
        elif not self.ended_at:
            self.ended_at = time.monotonic()
            with self.log_path.open("a") as log:
                log.write(f"-- the runner ended with {self.process.returncode} at {time.monotonic_ns()}\n")
        elif self.wanted and time.monotonic() - self.ended_at >= AGAIN:
            self.ended_at = 0.0
            self.begin()

    def signal_runner(self, number: int) -> None:
        """To the runner itself."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def crash(self) -> None:
        """Every process of the node ends at once, and what lived until the next boot is gone."""
        self.wanted = False
        (self.cgroup / "cgroup.kill").write_text("1")
        eventually(lambda: not self.pids(), f"{self.name} is dead", 10)
        if self.process is not None:
            self.process.wait(10)
        shutil.rmtree(self.runtime, ignore_errors=True)

    def end(self) -> None:
        """Nothing of it is left, but its logs."""
        self.wanted = False
        if self.cgroup.exists():
            self.freeze(False)
            (self.cgroup / "cgroup.kill").write_text("1")
        if self.process is not None:
            self.process.wait(10)
        eventually(lambda: removed(self.cgroup), f"cgroup {self.cgroup} is gone", 10)

    def freeze(self, frozen: bool) -> None:
        """Every process of the node stands still, or goes on."""
        (self.cgroup / "cgroup.freeze").write_text("1" if frozen else "0")

    # -- its processes ------------------------------------------------------------------------------------------------

    def pids(self) -> list[int]:
        """All of the node: runner, guard, applications."""
        found = []
        for place in [self.cgroup, *self.cgroup.rglob("*/")]:
            try:
                found += [int(word) for word in (place / "cgroup.procs").read_text().split()]
            except OSError:
                continue  # removed under us
        return [pid for pid in found if alive(pid)]

    def guard(self) -> int:
        """The guard's pid, or 0."""
        for place in self.cgroup.rglob("guard/"):  # it has a cgroup of its own, below the runner's
            try:
                words = (place / "cgroup.procs").read_text().split()
            except OSError:
                continue  # removed under us
            if words:
                return int(words[0])
        return 0

    def apps(self, group: str = "") -> list[int]:
        """Processes of the application (of one group)."""
        found = [pid for pid in self.pids() if str(BEAT) in _words(pid, "cmdline")]
        return [pid for pid in found if not group or f"GDS_GROUP={group}\n" in _words(pid, "environ") + "\n"]

    # -- asking -------------------------------------------------------------------------------------------------------

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.runtime / "control.sock"

    def gds(self, *words: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """`gds WORDS` against this node's runner; exit status 124 when it did not end in time. The lab is tended
        meanwhile."""
        return self.end_gds(self.begin_gds(*words), within)

    def begin_gds(self, *words: str) -> subprocess.Popen[str]:
        """The same, not waited for."""
        env = {**self.lab.env, "GDS_SOCKET": str(self.socket)}
        return subprocess.Popen([*GDS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def end_gds(self, asked: subprocess.Popen[str], within: float) -> subprocess.CompletedProcess[str]:
        """What came of it."""
        deadline = time.monotonic() + within
        while True:
            try:
                out, err = asked.communicate(timeout=0.05)
                return subprocess.CompletedProcess(asked.args, asked.returncode, out, err)
            except subprocess.TimeoutExpired:
                self.lab.tend()
            if time.monotonic() > deadline:
                asked.kill()
                out, err = asked.communicate()
                return subprocess.CompletedProcess(asked.args, 124, out, f"{err}no answer within {within} s")

    def status(self) -> dict[str, Any] | None:
        """The whole document; None while it does not answer."""
        asked = self.gds("status", "--json", within=10)
        return json.loads(asked.stdout) if asked.returncode == 0 else None

    def is_member(self) -> bool:
        """It is a node of the cluster, and knows that the store answers."""
        status = self.status()
        cluster = status.get("cluster", {}) if status is not None else {}
        return bool(cluster.get("member")) and not cluster.get("away")


def kill(pids: Sequence[int], number: int = signal.SIGKILL) -> None:
    """A signal to each that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _words(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().replace(b"\0", b"\n").decode(errors="replace")
    except OSError:
        return ""


def removed(cgroup: Path) -> bool:
    """It is gone, with what was below; False while somebody is there."""
    try:
        for place in sorted(cgroup.rglob("*/"), key=lambda p: -len(p.parts)):
            place.rmdir()
        cgroup.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
