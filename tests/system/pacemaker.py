"""The agent as it is installed, a little application that writes beats, and a cluster of Pacemaker's own.

The beats are the witness: every ten milliseconds each copy of the application appends its node, its own name and the
monotonic time, which all nodes of one machine share, to one file. Two copies that lived at the same time are seen.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.system.lab import LAB, REPO
from tests.system.running import alive, eventually

if TYPE_CHECKING:
    from types import TracebackType

BEATING = """\
import os, signal, socket, sys, time
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
me = f"{socket.gethostname()} {os.getpid()}.{time.monotonic_ns()}"
while True:
    os.write(file, f"{me} {time.monotonic():.4f}\\n".encode())
    time.sleep(0.01)
"""


class Installed:
    """A prefix as pip makes it, readable by everybody: what `ln -s` of the agent's file leads to."""

    def __init__(self) -> None:
        self.prefix = Path(tempfile.mkdtemp(prefix="gds-ocf-", dir="/var/tmp"))
        self.prefix.chmod(0o755)
        self.agent = self.prefix / "share/gds/units/ocf/app"
        self.agent.parent.mkdir(parents=True)
        shutil.copy(REPO / "units/ocf/app", self.agent)
        packages = self.prefix / f"lib/python3.{sys.version_info.minor}/site-packages"
        shutil.copytree(REPO / "gds", packages / "gds", ignore=shutil.ignore_patterns("__pycache__"))
        python = self.prefix / "bin/python3"
        python.parent.mkdir()
        # whoever may not read the virtual environment of the tests (ocf-tester's nobody) asks the system's
        python.write_text(f'#!/bin/sh\n[ ! -x {sys.executable} ] || exec {sys.executable} "$@"\nexec python3 "$@"\n')
        python.chmod(0o755)
        (self.prefix / "beating.py").write_text(BEATING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        shutil.rmtree(self.prefix)

    def beating(self, beats: Path, *stubborn: str) -> str:
        """The start_command of the application, as TOML; with another word it ignores SIGTERM."""
        words = [sys.executable, "-I", "-S", str(self.prefix / "beating.py"), str(beats), *stubborn]
        return f"[{', '.join([repr(word) for word in words])}]"


class Copy(NamedTuple):
    """One life of the application: on which node, from when to when (monotonic seconds)."""

    node: str
    name: str
    begin: float
    end: float

    @property
    def pid(self) -> int:
        """As its node numbers it."""
        return int(self.name.partition(".")[0])


def copies(beats: Path) -> list[Copy]:
    """Every copy there ever was, in the order in which they began."""
    seen: dict[tuple[str, str], list[float]] = {}
    for line in beats.read_text().split("\n")[:-1] if beats.exists() else []:
        node, name, at = line.split()
        seen.setdefault((node, name), []).append(float(at))
    return sorted([Copy(node, name, min(t), max(t)) for (node, name), t in seen.items()], key=lambda c: c.begin)


def overlap(beats: Path) -> float:
    """For how long two copies lived at once, in seconds: 0, or something is very wrong."""
    found = copies(beats)
    return max([0.0, *[earlier.end - later.begin for earlier, later in itertools.pairwise(found)]])


class Agent:
    """The agent called by hand, for one instance with directories of its own."""

    def __init__(self, installed: Installed, where: Path, config: Path, rung: str = "", **parameters: str) -> None:
        self.runtime, self.state = where / "run", where / "state"
        self._command = str(installed.agent)
        self.env = {
            **os.environ,
            "OCF_ROOT": "/usr/lib/ocf",
            "OCF_RESOURCE_INSTANCE": "trial",
            "OCF_RESKEY_config": str(config),
            "OCF_RESKEY_runtime_dir": str(self.runtime),
            "OCF_RESKEY_state_dir": str(self.state),
            "OCF_RESKEY_CRM_meta_timeout": "30000",
            "OCF_RESKEY_CRM_meta_interval": "10000",
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
            **({"GDS_TRACKING": rung} if rung else {}),
        }

    def begin(self, action: str) -> subprocess.Popen[str]:
        """Begin an action."""
        return subprocess.Popen(
            [self._command, action], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def call(self, action: str, **environ: str) -> tuple[int, str]:
        """Exit status and what was told."""
        done = subprocess.run(
            [self._command, action],
            env={**self.env, **environ},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def runner(self) -> int:
        """The pid of the runner, as its lock says; 0: none."""
        try:
            pid = int((self.runtime / "lock").read_text())
        except (OSError, ValueError):
            return 0
        return pid if alive(pid) else 0

    def attendant(self) -> int:
        """The runner's parent."""
        return int(Path(f"/proc/{self.runner()}/stat").read_text().rpartition(")")[2].split()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        code, said = self.call("stop")
        assert code == 0, said


class Cluster:
    """Two nodes under Pacemaker, fenced by power cuts; ends with the `with` block."""

    def __init__(self, installed: Installed) -> None:
        self.name = f"t{os.getpid()}"
        self.installed = installed
        self.nodes = ("p1", "p2")

    def lab(self, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One verb of the lab's script."""
        argv = [str(LAB / "pacemaker-cluster.sh"), "-n", self.name, *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=150, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def __enter__(self) -> Self:
        try:
            self.lab("up", "2", "--fence", "--agent", str(self.installed.agent))
        except BaseException:
            self.lab("down", check=False)
            raise
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.lab("down")

    def run(self, node: str, *command: str, check: bool = True, stdin: str = "") -> str:
        """What a command in a node printed."""
        done = self.lab("exec", node, *command, check=check, stdin=stdin)
        return done.stdout + done.stderr

    def gds(self, node: str, *words: str, check: bool = True) -> str:
        """`gds WORDS` in a node."""
        return self.run(node, sys.executable, "-m", "gds", *words, check=check)

    def up(self) -> list[str]:
        """The nodes that run."""
        return [node for node in self.nodes if self.lab("nodepid", node, check=False).returncode == 0]

    def pids(self, node: str, holding: str) -> list[int]:
        """Processes of a node with all these words in their command line, as the node numbers them."""
        script = 'for p in /proc/[0-9]*; do c=$(tr "\\0\\n" "  " 2>/dev/null <$p/cmdline); echo "${p#/proc/} $c"; done'
        found = []
        for line in self.run(node, "bash", "-c", script).split("\n"):
            pid, _, command = line.partition(" ")
            if holding in command and script[:20] not in command:
                found.append(int(pid))
        return found

    def kill(self, node: str, *pids: int, signal: str = "KILL") -> None:
        """A signal to processes of a node."""
        self.run(node, "bash", "-c", 'kill -s "$0" "$@"', signal, *map(str, pids))


class Service:
    """The application under the cluster: resource `web`."""

    def __init__(self, cluster: Cluster, beats: Path) -> None:
        self.cluster = cluster
        self.beats = beats

    def copies(self) -> list[Copy]:
        """All there ever were."""
        return copies(self.beats)

    def living(self) -> Copy | None:
        """The one that wrote in the last tenth of a second."""
        found = max(self.copies(), key=lambda c: c.end, default=None)
        return found if found is not None and time.monotonic() - found.end < 0.1 else None

    def owner(self, within: float = 60.0) -> Copy:
        """The copy that runs now; waits for it."""
        return eventually(self.living, "the application runs somewhere", within)  # type: ignore[return-value]

    def moved(self, before: Copy, within: float = 60.0) -> tuple[Copy, float]:
        """The first copy on another node since, and for how long nobody wrote before it (seconds)."""

        def elsewhere() -> Copy | None:
            return next((c for c in self.copies() if c.begin > before.begin and c.node != before.node), None)

        after = eventually(elsewhere, f"the application comes up on another node than {before.node}", within)
        assert after is not None
        last = max([c.end for c in self.copies() if c.begin < after.begin])
        return after, after.begin - last

    def settle(self) -> Copy:
        """Both nodes are up, nothing is pending, no failure is remembered; who runs it."""
        for node in set(self.cluster.nodes) - set(self.cluster.up()):
            self.cluster.lab("boot", node)
        eventually(lambda: self.cluster.lab("up", check=False).returncode == 0, "both nodes are online", 90)
        (node, *_) = self.cluster.up()
        self.cluster.run(node, "crm_resource", "--cleanup", "--resource", "web")
        self.cluster.run(node, "crm_resource", "--wait", "--timeout", "60")
        return self.owner()

    def put(self, node: str) -> Copy:
        """Move it there, if it is not there already; who runs it then."""
        now = self.owner()
        if now.node == node:
            return now
        self.cluster.run(node, "crm_resource", "--move", "--resource", "web", "--node", node)
        after, _ = self.moved(now)
        self.cluster.run(node, "crm_resource", "--clear", "--resource", "web")
        self.cluster.run(node, "crm_resource", "--wait", "--timeout", "60")
        return after

    def failures(self, node: str) -> str:
        """What Pacemaker counts and remembers of failures, in its own words."""
        return self.cluster.run(node, "crm_mon", "-1", "--include=none,failcounts,failures")
