"""The fake processes and the real rungs keep the same promises."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gds.linux.loop import Loop
from gds.model.launch import Launch
from gds.ports import Tree
from gds.testing.checks import PROCESS_CHECKS, Heard
from gds.testing.clock import FakeClock
from gds.testing.processes import FakeProcesses, Program
from tests.contract.forests import PATH, World, rungs, world

if TYPE_CHECKING:
    from gds.testing.checks import Bench

BECOME = """
import os, signal, sys, time
lives, status, children, deaf = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
for number in filter(None, deaf.split(",")):
    signal.signal(int(number), signal.SIG_IGN)
for _ in range(children):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
sys.stdout.write(sys.argv[5])
sys.stdout.flush()
time.sleep(lives if lives >= 0 else 60)
if status & 0x7F:
    os.kill(os.getpid(), status & 0x7F)
os._exit(status >> 8)
"""
"""A real process that does what a Program says."""


class FakeBench:
    """The fake, on a clock of its own."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop(self.clock)
        self.forest = FakeProcesses(self.loop)
        self.numbers = count()

    def plant(self, program: Program, heard: Heard, *, incarnation: int = 1) -> Tree:
        name = f"program {next(self.numbers)}"
        self.forest.programs[name] = program.replace(says=b"")
        launch = Launch((name,), {})
        return self.forest.plant("checked", incarnation, launch, heard, lasting=True)

    def until(self, fact: Callable[[], bool]) -> None:
        self.clock.run(self.loop, 1.0)
        assert fact()

    def rest(self) -> None:
        self.clock.run(self.loop, 1.0)


class RealBench:
    """A real rung."""

    def __init__(self, made: World) -> None:
        self.world = made

    def plant(self, program: Program, heard: Heard, *, incarnation: int = 1) -> Tree:
        words = [str(program.lives), str(program.status), str(program.children), ",".join(map(str, program.deaf))]
        python = [sys.executable, "-I", "-S", "-c", BECOME] if not program.refuses else ["/nonexistent/program"]
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        launch = Launch((*python, *words, program.says.decode()), {"PATH": PATH}, stdout=writer)
        tree = self.world.forest.plant("checked", incarnation, launch, heard, lasting=True)
        os.close(writer)
        if program.says:
            said = bytearray()

            def says() -> bool:
                with suppress(BlockingIOError):
                    said.extend(os.read(reader, 4096))
                return bytes(said) == program.says

            self.world.until(says, lambda: f"it only said {bytes(said)!r}")
        os.close(reader)
        return tree

    def until(self, fact: Callable[[], bool]) -> None:
        self.world.until(fact, lambda: "it does not become so")

    def rest(self) -> None:
        self.world.turn_for(0.05)


@pytest.fixture(params=["fake", *rungs()])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "fake":
        made = FakeBench()
        yield made
        made.forest.close()
    else:
        with world(request.param, tmp_path) as here:
            yield RealBench(here)


@pytest.mark.parametrize("check", PROCESS_CHECKS, ids=lambda check: check.__name__)
def test_every_rung_and_the_fake_keep_the_promise(bench: Bench, check: Callable[[Bench], None]) -> None:
    check(bench)
