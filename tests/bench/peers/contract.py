"""What an adapter tells the bench about its supervisor."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.bench.fleet import Fleet, Launch, Recipe
from tests.bench.processes import kill

NO_PROBES = "no health checks"
NO_CACHE = "keeps no compiled configuration"
NO_GRAPH = "starts nothing after something else"
PROBES = ("exec_probe", "tcp_probe", "hung_exec", "hung_http")


def because(reason: str, *figures: str) -> dict[str, str]:
    """These figures cannot be had, for this reason."""
    return dict.fromkeys(figures, reason)


class Place(NamedTuple):
    """Where the bench has put what it installed."""

    venv: Path
    npm: Path

    def find(self, name: str) -> str:
        """The full path of a program: the bench's own environments first, then PATH; empty when it is nowhere."""
        for own in (self.venv / "bin" / name, self.npm / "node_modules" / ".bin" / name):
            if own.exists():
                return str(own)
        path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
        return shutil.which(name, path=path) or ""


class Peer:
    """One supervisor. Defaults suit one that runs in front, obeys TERM, and has no health checks."""

    name: ClassVar[str] = ""
    debian: ClassVar[tuple[str, ...]] = ()
    python: ClassVar[tuple[str, ...]] = ()
    npm: ClassVar[tuple[str, ...]] = ()
    programs: ClassVar[tuple[str, ...]] = ()
    """What it must be possible to find once installed."""
    settle: ClassVar[float] = 1.1
    """Seconds an app must have lived before a kill measures the restart and not a delay after a quick death."""
    start_timeout: ClassVar[float] = 120.0
    launcher_may_end: ClassVar[bool] = False
    keeps_plan: ClassVar[bool] = False
    """A second start with the same configuration is another figure than the first."""
    keeps_order: ClassVar[bool] = False
    """An app may be started only when others are up."""
    largest: ClassVar[tuple[int, str]] = (1 << 30, "")
    """The largest fleet, and why."""
    setting: ClassVar[str] = ""
    """What was set so that it restarts as fast as it can; its default."""
    daemon_means: ClassVar[str] = "no mechanism of its own"
    cannot: ClassVar[dict[str, str]] = {}
    """Figures it cannot have, with the reason."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def missing(self) -> str:
        """Why it cannot be measured at all; empty when it can."""
        absent = [name for name in self.programs if not self.place.find(name)]
        return f"not installed: {', '.join(absent)}" if absent else ""

    def refusal(self, figure: str, size: int) -> str:
        """Why this figure cannot be had with a fleet of this size; empty when it can."""
        most, why = self.largest
        if size > most:
            return why
        if figure == "start_cold" and not self.keeps_plan:
            return NO_CACHE
        if figure == "graph" and not self.keeps_order:
            return NO_GRAPH
        return self.cannot.get(figure, "")

    def version(self) -> tuple[str, list[str]]:
        """Its version, or a command that prints it."""
        return "", ["dpkg-query", "-W", "-f=${Version}", self.debian[0]] if self.debian else []

    def prepare(self, recipe: Recipe) -> Launch:
        """Write its configuration and say how to start it."""
        raise NotImplementedError(self.name)

    def verify(self, fleet: Fleet) -> None:
        """Failed when what runs is not what is to be measured."""

    def stop(self, fleet: Fleet) -> None:
        """Ask for the documented stop of everything; return at once."""
        kill(fleet.pid, signal.SIGTERM)

    def status_command(self, recipe: Recipe) -> Launch | None:
        """The command that shows the state of the app with index 0; None without one."""
        return None

    def wrapped(self, recipe: Recipe) -> dict[str, Launch]:
        """Small programs that run a command: figure → how to run the app with index 0 through it."""
        return {}

    def tag(self, recipe: Recipe) -> tuple[Launch, Launch, Launch] | None:
        """Commands that put the app with index 0 under the process monitor by itself, ask about it, and end it."""
        return None

    def env(self, **more: str) -> dict[str, str]:
        """A small environment; no settings of the person who runs the bench."""
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
        }
        return {**own, **more}


def write_program(path: Path, text: str) -> None:
    """An executable script."""
    path.write_text(text)
    path.chmod(0o755)


def service_directory(recipe: Recipe, index: int, *more: str) -> Path:
    """A directory with the app itself as `run`, as s6, runit and daemontools want it: nothing is faster for them."""
    directory = recipe.directory / "service" / f"app{index:04d}"
    directory.mkdir(parents=True)
    (directory / "run").symlink_to(recipe.programs.app)
    (directory / "app.args").write_text("\n".join(recipe.command(index, *more)[1:]) + "\n")
    return directory


def backdate(directory: Path) -> None:
    """As if it had been written long ago: runsvdir waits a second for one that has just changed."""
    os.utime(directory, (1_000_000_000, 1_000_000_000))
