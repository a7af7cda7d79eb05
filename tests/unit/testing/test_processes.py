"""What the fake processes do beyond what real rungs are held to (tests/contract/test_processes.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gds.linux.loop import Loop
from gds.model.launch import Launch
from gds.testing.checks import Heard, check_processes
from gds.testing.clock import FakeClock
from gds.testing.processes import FakeProcesses, FakeTree, Program
from tests.contract.test_processes import FakeBench


class Little:
    """A little Linux."""

    def __init__(self) -> None:
        self.clock = FakeClock(0.0)
        self.loop = Loop(self.clock)
        self.forest = FakeProcesses(self.loop)
        self.heard = Heard()

    def plant(self, program: Program, *, stdout: int = 1, argv: tuple[str, ...] = ("app",)) -> FakeTree:
        """Start it as `app`."""
        self.forest.programs["app"] = program
        return self.forest.plant("app", 1, Launch(argv, {}, stdout=stdout), self.heard, lasting=True)

    def run(self, seconds: float) -> list[tuple[str, object]]:
        """What is heard until then."""
        self.clock.run(self.loop, seconds)
        return self.heard.facts


@pytest.fixture
def little() -> Iterator[Little]:
    made = Little()
    yield made
    made.loop._epoll.close()


def test_all_the_checks_at_once() -> None:
    check_processes(FakeBench)


def test_one_that_takes_its_time_to_obey(little: Little) -> None:
    tree = little.plant(Program(obeys_after=3.0))
    tree.signal(15)
    assert little.run(2.9) == [("started", None)]
    assert little.run(0.2)[1:] == [("main", 15), ("emptied", 15)]


def test_one_that_not_even_sigkill_ends(little: Little) -> None:
    tree = little.plant(Program(immortal=True))
    tree.kill()
    little.run(1000.0)
    assert tree.members() == [tree.main_pid]
    assert tree.signals == [9]
    with pytest.raises(AssertionError, match="app is released with processes"):
        tree.release()
    with pytest.raises(AssertionError, match="closed with processes of app"):
        little.forest.close()


def test_sigstop_and_sigcont_end_nobody(little: Little) -> None:
    tree = little.plant(Program())
    assert tree.signal(19) == tree.signal(18) == [tree.main_pid]
    assert little.run(10.0) == [("started", None)]


def test_a_test_ends_processes_by_hand(little: Little) -> None:
    tree = little.plant(Program(children=1))
    child = tree.members()[1]
    tree.end(5 << 8)
    assert tree.parents() == {child: os.getpid()}
    tree.end(6 << 8, child)
    assert little.heard.facts[1:] == [("main", 5 << 8), ("emptied", 6 << 8)]
    tree.end(7 << 8)
    assert len(little.heard.facts) == 3


def test_all_end_at_once_the_first_one_last(little: Little) -> None:
    little.plant(Program(children=2)).end_all(9)
    assert little.heard.facts[1:] == [("main", 9), ("emptied", 9)]


def test_what_it_says_is_on_its_output(little: Little) -> None:
    reader, writer = os.pipe()
    little.plant(Program(says=b"hello"), stdout=writer)
    os.close(writer)
    assert os.read(reader, 10) == b"hello"
    os.close(reader)


@pytest.mark.parametrize("argv", [("app",), ("app", "-x"), ("/bin/sh", "-c", "app")])
def test_a_program_is_known_by_its_whole_text_or_its_first_word(little: Little, argv: tuple[str, ...]) -> None:
    little.plant(Program(refuses=13), argv=argv)
    assert little.run(0.0) == [("failed", 13)]


def test_a_lasting_tree_is_found_again_and_told_of_its_end(little: Little) -> None:
    tree = little.plant(Program())
    assert little.forest.survivors() == [("app", 1)]
    later = Heard()
    assert little.forest.adopt("app", 1, tree.main_pid, later) is tree
    tree.end(0)
    assert later.facts == [("started", None), ("main", 0), ("emptied", 0)]
    assert little.forest.survivors() == []


def test_trees_are_counted(little: Little) -> None:
    with pytest.raises(LookupError):
        little.forest.latest("app")
    first = little.plant(Program())
    first.end(0)
    second = little.plant(Program())
    assert little.forest.latest("app") is second
    assert little.forest.count("app") == 2
    assert little.forest.alive("app") == [second]
    second.end(0)
    little.forest.close()
