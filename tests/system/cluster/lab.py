"""Three etcd members and three runners on one machine, each pair in a network of its own; and their processes, by pid.

The members and the networks are made by tests/lab/etcd-cluster.sh, the runners by node.py. Nothing outlives `down`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from gds.linux.cgroupforest import mount_point
from tests.system.cluster import faults
from tests.system.cluster.checker import QUIET, Beat, Left, parse
from tests.system.cluster.node import BEAT, Node, removed
from tests.system.lab import LAB
from tests.system.running import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

SCRIPT = LAB / "etcd-cluster.sh"
QUOTA = 16 << 20
"""Bytes that a member of etcd may hold, so that it can be filled."""
CPU = "/sys/fs/cgroup/cpu"
SHARES = "16384"
"""Of the processor (1024 is anybody's): what is measured comes before whatever else the machine does, as other tests.
Where the old hierarchy of cgroups does not ration processor time, it has to share alike."""
DESCRIPTOR = """
[group.web]
nodelist = {web}
pingpong_interval = 3

[resource.web]
group = "web"
start_command = ["{python}", "-I", "-S", "{beat}", "{log}", "--flags", "{flags}"]
stop_command = "test ! -e {flags}/deaf || exec sleep 1000"
stop_timeout = {stop}
retry_count = {retries}
retry_interval = 8

[group.db]
nodelist = {db}
pingpong_interval = 3

[resource.db]
group = "db"
start_command = ["{python}", "-I", "-S", "{beat}", "{log}", "--flags", "{flags}", "--grandchild", "--port", "7001"]
start_timeout = {start}
stop_timeout = {stop}
port_list = ["7001/tcp"]
thorough_probe_interval = 5
probe_timeout = 2
retry_count = {retries}
retry_interval = 8
"""
"""Two applications: one that is ended by a command, one that forks, listens, and is ended by TERM."""


def workplace() -> Path:
    """A new directory for a lab, in memory where that is possible: how busy the disk is with other things is not what
    is tried here, and stuck disks are made by strace."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="gds-cluster-", dir=memory if os.access(memory, os.W_OK) else None))


class ClusterLab:
    """All of it, between `with` and its end. `where` keeps logs until `keep` has copied them.
    `naive`: the wrong runner of naive.py instead of gds. `clocks`: wall clocks may jump."""

    def __init__(
        self,
        where: Path,
        name: str,
        lifetime: float = 5.0,
        env: Mapping[str, str] | None = None,
        naive: bool = False,
        retry_count: int = 2,
        clocks: bool = False,
    ) -> None:
        self.where = where
        self.naive = naive
        self.retry_count = retry_count
        self.clocks = clocks
        self.name = name
        self.lifetime = lifetime
        self.log = where / "beats"
        self.flags = where / "flags"
        self.descriptor = where / "cluster.toml"
        own = next(w[3:].strip() for w in Path("/proc/self/cgroup").read_text().splitlines() if w.startswith("0::"))
        self.cgroups = f"{mount_point()}{own.rstrip('/')}/gds-lab-{name}"
        times = {"LIFETIME": f"{lifetime:g}", "RENEW": "1", "ATTEMPT": "0.7", "MARGIN": "1", "ALLOW_OLD_ETCD": "true"}
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("GDS_") and k != "NOTIFY_SOCKET"}
        self.env.update({f"GDS_ETCD_{key}": value for key, value in times.items()})
        self.env.update(env or {})
        self.script_env = {**os.environ, "LAB_NAME": name, "LAB_DIR": str(where / "etcd")}
        self.script_env["LAB_ETCD_ARGS"] = (
            f"--pre-vote --quota-backend-bytes {QUOTA} --auto-compaction-mode revision --auto-compaction-retention 500"
        )
        self.share = Path(f"{CPU}/gds-lab-{name}") if Path(f"{CPU}/cpu.shares").exists() else None
        self.endpoints = ""
        self.nodes: dict[str, Node] = {}
        self.owed: list[Callable[[], object]] = []
        """What has to be undone once the store answers again."""
        self._read = 0
        self._beats: list[Beat] = []

    # -- its life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        """Etcd, descriptors, runners; returns when each group has its master."""
        self.flags.mkdir(parents=True, exist_ok=True)
        if self.share is not None:
            # all that this process starts is born there: networks, members, runners
            self.share.mkdir(exist_ok=True)
            (self.share / "cpu.shares").write_text(SHARES)
            (self.share / "cgroup.procs").write_text(str(os.getpid()))
        self.endpoints = self.script("up", "3").strip().splitlines()[-1]
        lists = {group: json.dumps(list(nodes)) for group, nodes in faults.GROUPS.items()}
        words = {"python": sys.executable, "beat": BEAT, "log": self.log, "flags": self.flags}
        self.descriptor.write_text(
            DESCRIPTOR.format(
                **lists, **words, start=faults.START_TIMEOUT, stop=faults.STOP_TIMEOUT, retries=self.retry_count
            )
        )
        self.descriptor.chmod(0o644)
        for name in faults.NODES:
            self.nodes[name] = Node(self, name)
            self.nodes[name].begin()

    def down(self) -> None:
        """Everything ended and removed, but the logs."""
        try:
            for node in self.nodes.values():
                node.end()
            # the script removes all of its own directory, and its logs are wanted
            for log in (self.where / "etcd").glob("n?.log"):
                shutil.copy(log, self.where / f"etcd-{log.name}")
            self.script("down")
        finally:
            if self.clocks:
                _sweep_faketime()
            if self.share is not None:
                (self.share.parent / "cgroup.procs").write_text(str(os.getpid()))
                for place in (*self.share.glob("*/"), self.share):
                    eventually(lambda place=place: removed(place), f"{place} is gone", 10)  # type: ignore[misc]

    def script(self, *words: str, check: bool = True) -> str:
        """One verb of the lab's script; what it printed."""
        # files, not pipes: members that it leaves behind keep their output open
        with open(os.memfd_create("out"), "w+") as out, open(os.memfd_create("err"), "w+") as err:
            code = subprocess.run(
                [str(SCRIPT), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.script_env,
                timeout=90,
            ).returncode
            out.seek(0)
            err.seek(0)
            if check and code != 0:
                raise AssertionError(f"{' '.join(words)}: exit status {code}\n{out.read()}\n{err.read()}")
            return out.read()

    def ctl(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """etcdctl, from the client's network, against all members."""
        argv = [str(SCRIPT), "ctl", *words]
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, env=self.script_env, timeout=60, check=False
        )

    def namespace(self, node: str) -> str:
        """Of its network."""
        return f"gds-{self.name}-{node}"

    def tend(self) -> None:
        """To be called often: what ended is started again."""
        for node in self.nodes.values():
            node.tend()

    def sleep(self, seconds: float) -> None:
        """Let it run; not a wait for a fact, but a part of the schedule."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(left, 0.05))

    # -- what is written ----------------------------------------------------------------------------------------------

    def beats(self) -> list[Beat]:
        """All lines so far."""
        if self.log.exists():
            with self.log.open() as file:
                file.seek(self._read)
                text = file.read()
            whole = text.rpartition("\n")[0]
            if whole:
                self._beats += parse(line + "\n" for line in whole.split("\n"))
                self._read += len(whole) + 1
        return self._beats

    def lately(self, ns: int = QUIET) -> Iterator[Beat]:
        """The beats of the last moment, the newest first."""
        since = time.monotonic_ns() - ns
        for beat in reversed(self.beats()):
            if beat.at < since:
                break
            yield beat

    def master(self, group: str) -> str:
        """The node where it beats now, as the log has it; "" for none."""
        return next((b.node for b in self.lately() if b.group == group), "")

    def steady(self) -> bool:
        """For the last second each group has beaten from one instance, without a stretch of silence."""
        seen = list(self.lately(10**9))
        for group in faults.GROUPS:
            here = sorted(b.at for b in seen if b.group == group)
            if len({b[:4] for b in seen if b.group == group}) != 1 or time.monotonic_ns() - here[-1] > QUIET:
                return False
            if time.monotonic_ns() - here[0] < 9 * 10**8 or any(b - a > QUIET for a, b in pairwise(here)):
                return False
        return True

    def left(self) -> list[Left]:
        """Every process of an application that is there now."""
        return [Left(g, name, pid) for name, node in self.nodes.items() for g in faults.GROUPS for pid in node.apps(g)]

    def healthy(self) -> bool:
        """Each etcd member serves, and each runner answers and is a node of the cluster."""
        return all(self.naive or n.is_member() for n in self.nodes.values()) and self.serves()

    def serves(self) -> bool:
        """Each etcd member does."""
        return self.ctl("--command-timeout=2s", "endpoint", "health").returncode == 0

    def keep(self, where: Path, *texts: tuple[str, str]) -> Path:
        """All that was written, in a directory for a look; and `texts` as files of these names."""
        where.mkdir(parents=True, exist_ok=True)
        for name, node in self.nodes.items():
            if node.log_path.exists():
                shutil.copy(node.log_path, where / f"{name}.log")
            for record in (node.where / "state").glob("history*"):
                shutil.copy(record, where / f"{name}.{record.name}")
        for log in [*(self.where / "etcd").glob("n?.log"), *self.where.glob("etcd-n?.log")]:
            shutil.copy(log, where / f"etcd-{log.name.removeprefix('etcd-')}")
        if self.log.exists():
            shutil.copy(self.log, where / "beats")
        for name, text in texts:
            (where / name).write_text(text)
        return where


def _sweep_faketime() -> None:
    """What libfaketime keeps for each process, of those that were killed."""
    for each in Path("/dev/shm").glob("*faketime_s*_*"):
        if not Path(f"/proc/{each.name.rpartition('_')[2]}").exists():
            each.unlink(missing_ok=True)
