"""The figures: what is done to a fleet, and what is written down.

A *visit* starts one fleet under one peer, takes every figure that can be taken of it, and stops it. Visits of all peers
are interleaved, round by round, each round in another order, so that a noisy minute hits everybody. Only one fleet is
alive at any time.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.bench.fleet import (
    LOG_BEGIN,
    LOG_END,
    STARTED,
    Failed,
    Fleet,
    Launch,
    Programs,
    Recipe,
    free_ports,
    longest_path,
    random_graph,
)
from tests.bench.peers import FLOOR
from tests.bench.peers.contract import Peer
from tests.bench.presets import LEADS, Preset
from tests.bench.processes import Children, kill
from tests.bench.results import Results

_HUNG_LIMIT = 20.0
_LINE = 100
_LINE_OF_APP = re.compile(rb"#(\d{10}) x{87}\n")

_OF_A_PLAIN_FLEET = frozenset({"respawn", "at_once", "start", "start_cold", "stop", "idle", "memory", "status"})


class Bench:
    """One run: who, what, how much, and what came of it."""

    def __init__(
        self,
        peers: list[Peer],
        figures: set[str],
        preset: Preset,
        programs: Programs,
        directory: Path,
        state: Path,
        seed: int,
    ) -> None:
        self.peers = peers
        self.figures = figures
        self.preset = preset
        self.programs = programs
        self.directory = directory
        self.state = state
        self.random = Random(seed)
        self.children = Children()
        self.results = Results([peer.name for peer in peers])
        self.failures: list[str] = []
        self._visits = 0

    def run(self) -> None:
        """Everything asked for."""
        rounds = self.preset.rounds
        for size in self.preset.sizes:
            figures = self._at(size)
            if figures:
                self._rounds(figures, size, rounds, self._plain)
        if "entry" in self.figures:
            self._rounds(["entry"], 1, self.preset.entries, self._entry)
        largest = max(self.preset.sizes)
        self._some("exec_probe", largest, max(1, rounds // 2), self._probes)
        self._some("tcp_probe", largest, max(1, rounds // 2), self._probes)
        self._some("hung_exec", 1, 1, self._hung)
        self._some("hung_http", 1, 1, self._hung)
        self._some("logs", 1, rounds, self._logs)
        self._some("logs_give", 1, rounds, self._logs)
        wrapped = [name for name in ("hatimerun", "halockrun") if name in self.figures]
        for name in wrapped:
            self._rounds([name], 1, rounds, self._wrapped)
        self._some("pmfadm_q", 1, rounds, self._pmfadm_q)
        self._some("daemon", 1, max(1, rounds // 2), self._daemon)
        self._some("stubborn", 1, max(1, rounds // 2), self._stubborn)
        self._some("graph", self.preset.graph, rounds, self._graph)

    # -- order --------------------------------------------------------------------------------------------------------

    def _at(self, size: int) -> list[str]:
        """The figures of a plain fleet that are wanted at this size."""
        smallest, largest = min(self.preset.sizes), max(self.preset.sizes)
        figures = self.figures & _OF_A_PLAIN_FLEET
        if size == 1:
            figures -= {"at_once"}
        if size != largest:
            figures -= {"idle"}
        if size != smallest:
            figures -= {"status"}
        return sorted(figures)

    def _some(self, figure: str, size: int, rounds: int, visit: Callable[[Peer, int, list[str]], None]) -> None:
        if figure in self.figures:
            self._rounds([figure], size, rounds, visit)

    def _rounds(
        self, figures: list[str], size: int, rounds: int, visit: Callable[[Peer, int, list[str]], None]
    ) -> None:
        able = []
        for peer in self.peers:
            wanted = []
            for figure in figures:
                if reason := peer.refusal(figure, size):
                    self._refuse(figure, size, peer, reason)
                else:
                    wanted.append(figure)
            if wanted:
                able.append((peer, wanted))
        refused: set[str] = set()
        for number in range(rounds):
            order = list(able)
            if rounds > 1 and visit in (
                self._plain,
                self._probes,
            ):  # the bare loop twice: here everybody is compared with it
                order += [visitor for visitor in able if visitor[0].name == FLOOR]
            self.random.shuffle(order)
            for peer, wanted in order:
                if peer.name in refused:
                    continue
                apps = "1 app" if size == 1 else f"{size} apps"
                print(f"{', '.join(wanted)}; {apps}; round {number + 1} of {rounds}: {peer.name}", file=sys.stderr)
                try:
                    visit(peer, size, wanted)
                except Failed as error:
                    self.failures.append(f"{', '.join(wanted)} with {apps} of {peer.name}: {error}")
                    print(f"  cannot measure: {error}", file=sys.stderr)
                    refused.add(peer.name)
                    for figure in wanted:
                        self._refuse(figure, size, peer, str(error))

    def _refuse(self, figure: str, size: int, peer: Peer, reason: str) -> None:
        for lead in LEADS[figure]:
            self.results.refuse(lead, size, peer.name, reason)

    @contextmanager
    def _fleet(self, peer: Peer, recipe: Recipe) -> Iterator[Fleet]:
        fleet = Fleet(peer, recipe, self.children, self.random)
        try:
            yield fleet
        finally:
            for each in fleet.close():
                self.failures.append(f"the end of {peer.name}: cannot end {each}")
            shutil.rmtree(recipe.directory, ignore_errors=True)
            shutil.rmtree(recipe.state, ignore_errors=True)

    def _recipe(self, size: int, probe: str = "", log: str = "", **more: object) -> Recipe:
        self._visits += 1
        name = str(self._visits)
        recipe = Recipe(size, self.directory / name, self.state / name, self.programs, probe=probe, log=log)
        return recipe._replace(**more)  # type: ignore[arg-type]

    def _add(self, quantity: str, size: int, peer: Peer, value: float) -> None:
        self.results.add(quantity, size, peer.name, value)

    # -- a plain fleet ------------------------------------------------------------------------------------------------

    def _plain(self, peer: Peer, size: int, figures: list[str]) -> None:
        with self._fleet(peer, self._recipe(size)) as fleet:
            self._start(fleet, peer, size)
            peer.verify(fleet)
            fleet.settle(peer.settle)
            if "memory" in figures or "idle" in figures:
                fleet.calm(self.preset.calm if "idle" in figures else 2.0)
            if "memory" in figures:
                held = fleet.memory()
                self._add("memory_pss", size, peer, held.pss)
                self._add("memory_anonymous", size, peer, held.anonymous)
                self._add("memory_tables", size, peer, held.page_tables)
                self._add("memory_processes", size, peer, held.processes)
            if "idle" in figures:
                self._idle(fleet, peer, size)
            if "status" in figures:
                self._status(fleet, peer, size)
            if "respawn" in figures:
                self._respawn(fleet, peer, size)
            if "at_once" in figures:
                self._add("at_once", size, peer, fleet.kill_all(60.0))
            if "stop" in figures:
                fleet.settle(peer.settle)
                self._stop(fleet, peer, size)

    def _start(self, fleet: Fleet, peer: Peer, size: int) -> None:
        launch = peer.prepare(fleet.recipe)
        seconds = fleet.start_prepared(launch, peer.start_timeout)
        if peer.keeps_plan:
            self._add("start_cold", size, peer, seconds)
            fleet.settle(peer.settle)
            stopped = fleet.stop(60.0)
            if stopped.apps_left or stopped.others_left:
                raise Failed(f"{stopped.apps_left} apps and {stopped.others_left} others left 60 s after the stop")
            seconds = fleet.start_prepared(launch, peer.start_timeout)
        self._add("start", size, peer, seconds)
        self._add("start_cpu", size, peer, fleet.cost(apps_too=True).cpu - fleet.cost_before.cpu)

    def _idle(self, fleet: Fleet, peer: Peer, size: int) -> None:
        began, before = time.monotonic(), fleet.cost()
        time.sleep(self.preset.window)
        after, seconds = fleet.cost(), time.monotonic() - began
        self._add("idle_cpu", size, peer, max(0.0, after.cpu - before.cpu) / seconds * 100)
        self._add("idle_wakeups", size, peer, max(0, after.wakeups - before.wakeups) / seconds)

    def _status(self, fleet: Fleet, peer: Peer, size: int) -> None:
        command = peer.status_command(fleet.recipe)
        if command is None:
            self._refuse("status", size, peer, "no status command")
            return
        for _ in range(self.preset.statuses):
            self._add("status", size, peer, self._timed(command, fleet))

    def _timed(self, command: Launch, fleet: Fleet) -> float:
        """Milliseconds of a command that must end with 0."""
        status, seconds = self.children.run(command.argv, command.env, fleet.output)
        if status != 0:
            raise Failed(f"`{Path(command.argv[0]).name} {command.argv[1]}` ended with {status}{fleet.last_words()}")
        return seconds * 1000

    def _respawn(self, fleet: Fleet, peer: Peer, size: int) -> None:
        until = time.monotonic() + self.preset.kill_seconds
        for _ in range(self.preset.kills):
            self._add("respawn", size, peer, fleet.kill_one(30.0) * 1000)
            if time.monotonic() > until:
                break

    def _stop(self, fleet: Fleet, peer: Peer, size: int) -> None:
        stopped = fleet.stop(120.0)
        if stopped.apps_left or stopped.others_left:
            raise Failed(f"{stopped.apps_left} apps and {stopped.others_left} others left 120 s after the stop")
        self._add("stop_apps", size, peer, stopped.apps_gone)
        self._add("stop_all", size, peer, stopped.all_gone)

    def _entry(self, peer: Peer, size: int, _figures: list[str]) -> None:
        with self._fleet(peer, self._recipe(size)) as fleet:
            self._start(fleet, peer, size)

    # -- probes -------------------------------------------------------------------------------------------------------

    def _probes(self, peer: Peer, size: int, figures: list[str]) -> None:
        figure = figures[0]
        recipe = self._recipe(size, probe=figure.removesuffix("_probe"))
        if figure == "tcp_probe":
            ports = free_ports(size, self.random)
            recipe = recipe._replace(ports=ports, options=(f"port={ports}", f"counter={recipe.counter}"))
        with self._fleet(peer, recipe) as fleet:
            fleet.start(peer.start_timeout)
            fleet.settle(min(3.0, 3 * self.preset.window))  # the first probe of each is behind us
            began, done, before = time.monotonic(), fleet.counted(), fleet.cost()
            time.sleep(self.preset.window)
            after, probes, seconds = fleet.cost(), fleet.counted() - done, time.monotonic() - began
            if not probes:
                raise Failed(f"no probe was seen in {seconds:.0f} s{fleet.last_words()}")
            self._add(f"{figure}_cpu", size, peer, max(0.0, after.cpu - before.cpu) / probes * 1000)
            self._add(f"{figure}_rate", size, peer, probes / seconds)

    def _hung(self, peer: Peer, size: int, figures: list[str]) -> None:
        figure = figures[0]
        ports = free_ports(size, self.random)
        recipe = self._recipe(size, probe=figure.removeprefix("hung_"), ports=ports, options=(f"port={ports}",))
        with self._fleet(peer, recipe) as fleet:
            fleet.start(peer.start_timeout)
            for _ in range(self.preset.hangs):
                fleet.settle(max(2.0, peer.settle))
                fleet.pause(self.random.random())
                acted, back = self._hang(fleet)
                self._add(f"{figure}_acted", size, peer, acted)
                self._add(f"{figure}_back", size, peer, back)

    def _hang(self, fleet: Fleet) -> tuple[float, float]:
        pid = fleet.alive[0].pid
        fd = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            at = time.monotonic_ns()
            kill(pid, signal.SIGSTOP)
            if not poll.poll(_HUNG_LIMIT * 1000):
                raise Failed(f"a hung app was left alone for {_HUNG_LIMIT:.0f} s{fleet.last_words()}")
            acted = time.monotonic_ns()
        finally:
            os.close(fd)
        back = fleet.wait_started({0}, at, _HUNG_LIMIT)
        return (acted - at) / 1e9, (back - at) / 1e9

    # -- output -------------------------------------------------------------------------------------------------------

    def _logs(self, peer: Peer, size: int, figures: list[str]) -> None:
        figure = figures[0]
        total = self.preset.log_bytes
        log = "rotate" if figure == "logs" else "give"
        with self._fleet(peer, self._recipe(size, log=log, options=(f"log={total}",))) as fleet:
            fleet.start(peer.start_timeout)
            fleet.settle(1.0)
            before = fleet.cost()
            asked = time.monotonic_ns()
            kill(fleet.alive[0].pid, signal.SIGUSR1)
            began = fleet.wait_record(LOG_BEGIN, asked, 10.0).at / 1e9
            kept, at = self._all_kept(fleet, total, asked)
            spent = fleet.cost().cpu - before.cpu
            self._add(f"{figure}_rate", size, peer, kept / 1e6 / (at - began))
            self._add(f"{figure}_cpu", size, peer, max(0.0, spent))
            self._add(f"{figure}_lost", size, peer, total // _LINE - lines_kept(fleet.recipe.logs))

    def _all_kept(self, fleet: Fleet, total: int, since: int) -> tuple[int, float]:
        """Until the log holds everything, or has not grown for 3 s; its size and the instant it got it."""
        kept, at = 0, time.monotonic()
        while kept < total and time.monotonic() - at < (3.0 if LOG_END in fleet.heard else 20.0):
            time.sleep(0.002)
            fleet.read(0)
            size = _size(fleet.recipe.logs)
            if size > kept:
                kept, at = size, time.monotonic()
        fleet.wait_record(LOG_END, since, 20.0)
        return kept, at

    # -- the small programs -------------------------------------------------------------------------------------------

    def _wrapped(self, peer: Peer, size: int, figures: list[str]) -> None:
        recipe = self._recipe(size)
        command = peer.wrapped(recipe).get(figures[0])
        if command is None:
            self._refuse(figures[0], size, peer, "has no such program")
            return
        with self._fleet(peer, recipe) as fleet:
            for _ in range(self.preset.statuses):
                pid, at = self.children.spawn(command.argv, command.env, fleet.output)
                record = fleet.wait_record(STARTED, at, 10.0)
                if (status := self.children.wait(pid, 10.0)) != 0:
                    raise Failed(f"`{figures[0]}` ended with {status}{fleet.last_words()}")
                self._add(figures[0], size, peer, (record.at - at) / 1e6)

    def _pmfadm_q(self, peer: Peer, size: int, _figures: list[str]) -> None:
        recipe = self._recipe(size)
        with self._fleet(peer, recipe) as fleet:
            commands = peer.tag(recipe)
            if commands is None:
                self._refuse("pmfadm_q", size, peer, "has no such program")
                return
            create, query, end = commands
            self._timed(create, fleet)
            fleet.wait_record(STARTED, 0, 10.0)
            for _ in range(self.preset.statuses):
                self._add("pmfadm_q", size, peer, self._timed(query, fleet))
            self._timed(end, fleet)

    # -- a graph ------------------------------------------------------------------------------------------------------

    def _graph(self, peer: Peer, size: int, _figures: list[str]) -> None:
        graph = random_graph(size)
        path = longest_path(graph)
        with self._fleet(peer, self._recipe(size, graph=graph)) as fleet:
            launch = peer.prepare(fleet.recipe)
            fleet.start_prepared(launch, peer.start_timeout)  # compiles
            fleet.settle(peer.settle)
            stopped = fleet.stop(60.0)
            if stopped.apps_left or stopped.others_left:
                raise Failed(f"{stopped.apps_left} apps and {stopped.others_left} others left 60 s after the stop")
            seconds = fleet.start_prepared(launch, peer.start_timeout)
            early = [
                (index, need)
                for index, node in enumerate(graph)
                for need, _ in node.needs
                if fleet.alive[index].at < fleet.alive[need].at + graph[need].takes * 1e9
            ]
            if early:
                raise Failed(f"app {early[0][0]} began before app {early[0][1]}, which it needs, was up")
            self._add("graph_seconds", size, peer, seconds)
            self._add("graph_path", size, peer, path)
            self._add("graph_ratio", size, peer, seconds / path)

    # -- what is done right or wrong ----------------------------------------------------------------------------------

    def _daemon(self, peer: Peer, size: int, _figures: list[str]) -> None:
        recipe = self._recipe(size, daemon=True, options=("daemon=1",))
        with self._fleet(peer, recipe) as fleet:
            fleet.start(peer.start_timeout)
            until = time.monotonic() + 5.0
            while time.monotonic() < until:
                fleet.pause(0.1)
            copies = len(fleet.processes()[1])
            tracked = False
            if copies == 1 and fleet.starts == 1:
                at = time.monotonic_ns()
                kill(fleet.alive[0].pid, signal.SIGKILL)
                try:
                    back = fleet.wait_started({0}, at, 5.0)
                except Failed:
                    tracked = False  # its death went unnoticed: that is the result
                else:
                    fleet.pause(2.0)
                    tracked = fleet.starts == 2
                    self._add("daemon_back", size, peer, (back - at) / 1e9)
            fleet.stop(6.0)
            self._add("daemon_tracked", size, peer, float(tracked))
            self._add("daemon_copies", size, peer, copies)
            self._add("daemon_orphans", size, peer, len(fleet.processes()[1]))

    def _stubborn(self, peer: Peer, size: int, _figures: list[str]) -> None:
        with self._fleet(peer, self._recipe(size, patience=2.0, options=("stubborn=1",))) as fleet:
            fleet.start(peer.start_timeout)
            fleet.settle(max(1.0, peer.settle))
            stopped = fleet.stop(self.preset.stubborn)
            left = len(fleet.processes()[1])
            self._add("stubborn_left", size, peer, left)
            if not left:
                self._add("stubborn_gone", size, peer, stopped.apps_gone)


def _size(directory: Path) -> int:
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                total += entry.stat().st_size
            except FileNotFoundError:
                pass  # renamed or deleted just now: rotation; counted at the next look
    return total


def lines_kept(directory: Path) -> int:
    """How many different lines of the app are in the log; one that a rotation has cut in two counts too."""
    seen: set[bytes] = set()
    heads, tails = [], []
    for path in directory.iterdir():
        text = path.read_bytes() if path.is_file() else b""
        seen.update(_LINE_OF_APP.findall(text))
        heads.append(text[: text.find(b"\n") + 1])
        tails.append(text[text.rfind(b"\n") + 1 :])
    for tail in tails:
        for head in heads:
            seen.update(_LINE_OF_APP.findall(tail + head) if len(tail) + len(head) == _LINE else ())
    return len(seen)
