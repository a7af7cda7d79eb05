"""A runner of the test's own: `gds run` in temporary directories, told what to do by its commands as a user would.

How it is, is asked over its socket, as `gds status --json` does: that costs a hundredth of a command, and a test asks
again and again. Every wait is for a fact and has a deadline. Nothing outlives the `with` block: what is left of a
failed test is killed by pid, and named.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gds.api import client
from gds.errors import GdsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GDS = [sys.executable, "-m", "gds"]
RUNGS = ("cgroup", "keeper")
T = TypeVar("T")


def eventually(fact: Callable[[], T], what: str, within: float = 30.0) -> T:
    """The first true answer of `fact`, asked again and again; AssertionError with the last one after `within` s."""
    deadline = time.monotonic() + within
    while True:
        answer = fact()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"after {within} s still not: {what}; last seen: {answer!r}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """It runs: neither a zombie, nor on its way there. A process that ends gives up its memory first, then its cgroup
    (which may be told as empty now), and becomes a zombie only after that."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and fields[20] != "0"


class Running:
    """`gds run` on descriptors, with `gds …` for it."""

    def __init__(
        self,
        where: Path,
        *paths: Path | str,
        rung: str = "",
        options: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        command: tuple[str, ...] = (),
    ) -> None:
        self.where = where
        self.paths = [str(p) for p in paths]
        self.runtime = where / "run"
        self.state = where / "state"
        self.log_path = where / "log"
        self.options = options
        self.wrapper = wrapper
        self.command = command
        self.env = {**os.environ, **(env or {})}
        self.env.pop("NOTIFY_SOCKET", None)
        if rung:
            self.env["GDS_TRACKING"] = rung
        self.process: subprocess.Popen[bytes] | None = None

    # -- its life -----------------------------------------------------------------------------------------------------

    def begin(self, wait: bool = True) -> Self:
        """Start it (again)."""
        tail = ["--", *self.command] if self.command else self.paths
        where = ["--runtime-dir", str(self.runtime), "--state-dir", str(self.state)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *GDS, "run", *where, *self.options, *tail],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                start_new_session=True,
            )
        if wait:
            eventually(lambda: self.over() or self.answers(), f"the runner answers; log:\n{self.log()}")
            assert not self.over(), self.log()
        return self

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        left = self.pids() if self.process is not None and not self.over() and self.answers() else []
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def over(self) -> bool:
        """It has ended."""
        return self.process is not None and self.process.poll() is not None

    def end(self, number: int = signal.SIGTERM, within: float = 20.0) -> int:
        """Signal it and wait; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(within)

    def wait(self, within: float = 20.0) -> int:
        """Wait until it ends by itself; its exit status."""
        assert self.process is not None
        return self.process.wait(within)

    def crash(self) -> None:
        """SIGKILL, as the machine would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    # -- asking -------------------------------------------------------------------------------------------------------

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.runtime / "control.sock"

    def gds(self, *words: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run `gds WORDS` against it."""
        env = {**self.env, "GDS_RUNTIME_DIR": str(self.runtime)}
        return subprocess.run([*GDS, *words], capture_output=True, text=True, env=env, timeout=within, check=False)

    def answers(self) -> bool:
        """Its socket answers."""
        try:
            return bool(client.ask(str(self.socket), {"verb": "status"}, timeout=30)["code"] == 0)
        except GdsError:
            return False

    def status(self) -> dict[str, Any]:
        """The whole document."""
        try:
            answer = client.ask(str(self.socket), {"verb": "status"}, timeout=30)
        except GdsError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None
        assert answer["code"] == 0, f"{answer}\n{self.log()}"
        document: dict[str, Any] = answer["status"]
        return document

    def resource(self, name: str) -> dict[str, Any]:
        """One resource of it."""
        for group in self.status()["groups"]:
            for resource in group["resources"]:
                if resource["name"] == name:
                    found: dict[str, Any] = resource
                    return found
        raise AssertionError(f"no resource {name}")

    def until(self, name: str, within: float = 20.0, **facts: Any) -> dict[str, Any]:
        """Wait until the resource has these facts; `restarts_done` and `incarnation` among them."""

        def seen() -> dict[str, Any] | None:
            resource = self.resource(name)
            flat = {**resource, "restarts_done": resource["restarts"]["done"]}
            return resource if all(flat[k] == v for k, v in facts.items()) else None

        try:
            found = eventually(seen, f"{name} has {facts}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.resource(name)}\n{self.log()}") from None
        assert found is not None
        return found

    def pids(self, name: str = "") -> list[int]:
        """The processes it has (of one resource)."""
        return [
            pid
            for group in self.status()["groups"]
            for resource in group["resources"]
            if not name or resource["name"] == name
            for pid in resource["pids"]
        ]

    def log(self) -> str:
        """What it said."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


def write(path: Path, text: str) -> Path:
    """A descriptor, as a careful person would keep it."""
    path.write_text(text)
    path.chmod(0o644)
    return path
