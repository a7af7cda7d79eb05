"""The lab seen from Python: a systemd of the test's own, and podman inside one (tests/lab/*.sh).

A box is entered with `with`; when the block ends it is powered off, and nothing of it is left. All in here needs root,
and says so by failing: a machine that cannot run these tests has not been tested.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

REPO = Path(__file__).resolve().parents[2]
LAB = REPO / "tests" / "lab"


def install(*components: str) -> None:
    """Bring applications of the distribution that are missing (tests/lab/install.sh knows their names)."""
    subprocess.run([str(LAB / "install.sh"), *components], check=True)


class Seen(NamedTuple):
    """A process of the box, with numbers as the box sees them."""

    pid: int
    ppid: int
    state: str
    uid: int
    command: str
    cgroup: str


# Runs in the box, under any Python. A process may end between two reads: it is left out.
LISTING = """
import json, os
found = []
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{name}/stat", "rb") as f:
            fields = f.read().decode(errors="replace").rpartition(")")[2].split()
        with open(f"/proc/{name}/cmdline", "rb") as f:
            command = f.read().replace(b"\\0", b" ").decode(errors="replace").strip()
        with open(f"/proc/{name}/cgroup") as f:
            cgroup = f.read().strip().rpartition(":")[2]
        uid = os.stat(f"/proc/{name}").st_uid
    except OSError:
        continue
    if int(name) != os.getpid():
        found.append((int(name), int(fields[1]), fields[0], uid, command, cgroup))
print(json.dumps(found))
"""


class Box:
    """A real systemd; the source tree and the Python that runs the tests are visible in it at their own paths."""

    script = "systemd-box.sh"

    def __init__(self, name: str, *binds: Path) -> None:
        self.name = f"{name}-{os.getpid()}"
        places = {str(REPO), sys.prefix, sys.base_prefix, *map(str, binds)}
        # /usr and what lies below come with the box's root; /tmp and /run would be hidden by the box's own.
        self.binds = sorted(place for place in places if not place.startswith("/usr"))

    def __enter__(self) -> Self:
        try:
            self.lab("up", *[word for place in self.binds for word in ("--bind", place)])
        except BaseException:
            self.lab("down", check=False)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.lab("down")

    def lab(self, verb: str, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One verb of the lab's script; with `check` its failure is the test's, with what it printed."""
        argv = [str(LAB / self.script), "-n", self.name, verb, *words]
        # Files, not pipes: a daemon that a command leaves behind may keep its output open.
        with open(os.memfd_create("out"), "w+") as out, open(os.memfd_create("err"), "w+") as err:
            code = subprocess.run(argv, input=stdin, stdout=out, stderr=err, text=True, timeout=240).returncode
            out.seek(0)
            err.seek(0)
            done = subprocess.CompletedProcess(argv, code, out.read(), err.read())
        if check and code != 0:
            raise AssertionError(f"{' '.join([verb, *words])}: exit status {code}\n{done.stdout}\n{done.stderr}")
        return done

    def run(self, *argv: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command in the box, beside systemd."""
        return self.lab("exec", *argv, check=check, stdin=stdin)

    def kill(self, signal: str, *pids: int) -> None:
        """A signal, by the shell's own kill: the program is not on every machine."""
        self.run("sh", "-c", 'kill -s "$0" "$@"', signal, *map(str, pids))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in the box, with the directories it needs."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
        self.run("sh", "-c", script, "sh", path, f"{mode:o}", stdin=text)

    def read(self, path: str) -> str:
        """A file's text; empty if there is none."""
        return self.run("cat", path, check=False).stdout

    def show(self, unit: str, name: str) -> str:
        """One property of a unit, as systemctl shows it."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def journal(self, unit: str) -> str:
        """All the unit and systemd said about it."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "--output", "cat", "--unit", unit).stdout

    def processes(self, holding: str = "", cgroup: str = "") -> list[Seen]:
        """Living processes and zombies with `holding` in their command line, in `cgroup` or below."""
        rows = json.loads(self.run(sys.executable, "-I", "-S", "-c", LISTING).stdout)
        seen = [Seen(*row) for row in rows]
        return [
            one
            for one in seen
            if holding in one.command and (not cgroup or f"{one.cgroup}/".startswith(cgroup.rstrip("/") + "/"))
        ]


class ContainerBox(Box):
    """podman in a systemd box; `build` has no network, and the base image is localhost/gds-base:12."""

    script = "container-box.sh"

    def podman(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """podman in the box."""
        return self.lab("podman", *words, check=check)

    def build(self, tag: str, *words: str) -> None:
        """`podman build`, with the base image as BASE."""
        self.lab("build", "-t", tag, *words)


def build_context(place: Path) -> None:
    """Put into `place` what a container is built from: the source tree, and wheels of all that it needs.

    The wheels are made by the Python that runs the tests, which must be the base image's minor version (3.11).
    """
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPO / name, place / name)
    for name in ("gds", "units", "examples"):
        shutil.copytree(REPO / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "wheels"))
    wheels = place / "examples" / "container" / "wheels"
    # --use-pep517: what comes as a source is built by tools that pip brings, not by those it may or may not find here.
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--disable-pip-version-check", "--use-pep517"]
    subprocess.run([*pip, "--wheel-dir", str(wheels), str(place), "hatchling"], check=True, stdin=subprocess.DEVNULL)
    for own in wheels.glob("gds-*.whl"):
        own.unlink()  # the image is to be built from the source
