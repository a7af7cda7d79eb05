"""gds itself, on both rungs of its tracking ladder: with cgroups, and with keepers."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

from tests.bench.fleet import Failed, Fleet, Launch, Recipe
from tests.bench.peers.contract import Peer


class Gds(Peer):
    keeps_plan = True
    keeps_order = True
    daemon_means = "nothing asked: it follows every process"
    setting = "retry_count = -1; a second start finds the plan compiled by the first, `start_cold` is the first"
    rung: ClassVar[str] = ""

    def missing(self) -> str:
        command = self._find("gds")
        if not command:
            return "not installed: gds"
        tried = subprocess.run([command, "run", "--help"], capture_output=True, text=True, check=False)
        last = (tried.stderr.strip().splitlines() or ["no message"])[-1]
        return f"`gds run` cannot be used: {last[:100]}" if tried.returncode else ""

    def version(self) -> tuple[str, list[str]]:
        return "", [sys.executable, "-c", "import gds; print(gds.__version__)"]

    def prepare(self, recipe: Recipe) -> Launch:
        (recipe.directory / "run").mkdir(mode=0o700)
        text = "".join(self._resource(recipe, index) for index in range(recipe.size))
        descriptor = recipe.directory / "fleet.toml"
        descriptor.write_text(text)
        directories = ["--runtime-dir", str(recipe.directory / "run"), "--state-dir", str(recipe.state)]
        return Launch([self._find("gds"), "run", str(descriptor), *directories], self._env(recipe))

    def verify(self, fleet: Fleet) -> None:
        # the socket is opened after the applications, which must not wait for it
        until = time.monotonic() + 5.0
        while (command := self.status_command(fleet.recipe)) is None:
            if time.monotonic() > until:
                raise Failed("no control socket in the runtime directory")
            time.sleep(0.01)
        answer = fleet.recipe.directory / "answer"
        status, _ = fleet.children.run(command.argv, command.env, answer)
        text = answer.read_text()
        answer.unlink()
        if status != 0:
            raise Failed(f"`gds status` ended with {status}: {text.strip()[:100]}")
        tracking = json.loads(text)["tracking"]
        if tracking != self.rung:
            raise Failed(f"tracking is {tracking!r}, not {self.rung!r}")

    def status_command(self, recipe: Recipe) -> Launch | None:
        for entry in sorted((recipe.directory / "run").rglob("*")):
            if stat.S_ISSOCK(entry.lstat().st_mode):
                return Launch([self._find("gds"), "status", "--json", "--socket", str(entry)], self._env(recipe))
        return None

    def wrapped(self, recipe: Recipe) -> dict[str, Launch]:
        app = recipe.command(0, "once=1")
        lock = str(recipe.directory / "lock")
        return {
            "hatimerun": Launch([self._find("hatimerun"), "-t", "60", *app], self._env(recipe)),
            "halockrun": Launch([self._find("halockrun"), lock, *app], self._env(recipe)),
        }

    def tag(self, recipe: Recipe) -> tuple[Launch, Launch, Launch] | None:
        pmfadm = self._find("pmfadm")
        (recipe.directory / "run").mkdir(mode=0o700)
        env = self._env(recipe)
        return (
            Launch([pmfadm, "-c", "bench", *recipe.command(0)], env),
            Launch([pmfadm, "-q", "bench"], env),
            Launch([pmfadm, "-s", "bench", "-w", "10", "TERM"], env),
        )

    def _resource(self, recipe: Recipe, index: int) -> str:
        lines = [
            f"[resource.app{index:04d}]",
            f"start_command = {json.dumps(recipe.command(index))}",
            "retry_count = -1",
        ]
        if recipe.graph:
            node = recipe.graph[index]
            lines += ['group = "graph"', f"start_grace = {node.takes}"]
            for kind in sorted({kind for _, kind in node.needs}):
                needs = [f"app{need:04d}" for need, of in node.needs if of == kind]
                lines.append(f"resource_dependencies{kind} = {json.dumps(needs)}")
        if recipe.patience:
            lines.append(f"stop_timeout = {recipe.patience / 0.8}")
        if recipe.probe:
            lines += ["thorough_probe_interval = 1", "probe_timeout = 0.5", "num_probe_timeouts = 1"]
        if recipe.probe == "exec":
            lines.append(f"probe_command = {json.dumps(recipe.probe_command(index))}")
        elif recipe.probe == "tcp":
            lines.append(f'port_list = ["{recipe.ports + index}/tcp"]')
        elif recipe.probe == "http":
            lines.append(f'probe = {{http = "http://127.0.0.1:{recipe.ports + index}/"}}')
        if recipe.log == "rotate":
            lines.append(f'stdout = {{path = {json.dumps(f"{recipe.logs}/log")}, rotate = "10MiB", keep = 100}}')
        elif recipe.log == "give":
            lines.append(f"stdout = {{path = {json.dumps(f'{recipe.logs}/log')}}}")
        return "\n".join(lines) + "\n\n"

    def _env(self, recipe: Recipe) -> dict[str, str]:
        return self.env(
            GDS_TRACKING=self.rung,
            GDS_RUNTIME_DIR=str(recipe.directory / "run"),
            GDS_STATE_DIR=str(recipe.state),
            XDG_CACHE_HOME=str(recipe.state / "cache"),
        )

    def _find(self, name: str) -> str:
        beside = Path(sys.executable).parent / name
        return str(beside) if os.access(beside, os.X_OK) else self.place.find(name)


class GdsCgroup(Gds):
    name = "gds (cgroup)"
    rung = "cgroup"


class GdsKeeper(Gds):
    name = "gds (keeper)"
    rung = "keeper"
