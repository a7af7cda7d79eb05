"""check_processes: what every rung of the tracking ladder promises (ports.Forest, ports.Tree), as functions.

Each takes a `Bench`, which starts a `Program` on the rung under test and can wait for a fact. The fake and the real
rungs pass the same; a fake that is easier to live with than Linux would prove nothing. Raises AssertionError.
"""

from __future__ import annotations

from gds.testing.processes import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from gds.ports import Tree

    class Bench(Protocol):
        """What a rung needs to be checked."""

        def plant(self, program: Program, heard: Heard, *, incarnation: int = 1) -> Tree:
            """Start it under one name, as a lasting tree; when it `says` something, return once it was said."""
            ...

        def until(self, fact: Callable[[], bool]) -> None:
            """Wait until it is so; raises AssertionError when it does not become so."""
            ...

        def rest(self) -> None:
            """Let a moment pass in which nothing should happen."""
            ...


TERM, KILL = 15, 9
READY = b"ready\n"


class Heard:
    """A listener that writes down what it is told: (what, detail)."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, object]] = []

    def tree_started(self, tree: Tree) -> None:
        """See ports.TreeListener."""
        assert tree.main_pid > 1
        self.facts.append(("started", None))

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        """See ports.TreeListener."""
        assert message
        self.facts.append(("failed", errno))

    def main_exited(self, tree: Tree, status: int | None) -> None:
        """See ports.TreeListener."""
        assert not tree.main_alive
        self.facts.append(("main", status))

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        """See ports.TreeListener."""
        assert lost == ""
        assert tree.members() == []
        self.facts.append(("emptied", status))

    @property
    def over(self) -> bool:
        """Nothing may follow."""
        return bool(self.facts) and self.facts[-1][0] in ("failed", "emptied")


def an_end_is_told_once_with_its_status(bench: Bench) -> None:
    """Whatever the status, 0 included."""
    for number, status in enumerate((0, 7 << 8, KILL), 1):
        heard = Heard()
        tree = bench.plant(Program(lives=0.0, status=status), heard, incarnation=number)
        bench.until(lambda heard=heard: heard.over)  # type: ignore[misc]  # mypy cannot infer it
        bench.rest()
        assert heard.facts == [("started", None), ("main", status), ("emptied", status)]
        assert tree.signal(TERM) == []
        tree.release()


def what_cannot_be_executed_fails_and_nothing_follows(bench: Bench) -> None:
    """The errno says why."""
    heard = Heard()
    tree = bench.plant(Program(refuses=2), heard)
    bench.until(lambda: heard.over)
    bench.rest()
    assert heard.facts == [("failed", 2)]
    assert tree.members() == []
    tree.kill()
    tree.release()


def a_tree_is_empty_when_the_last_process_is_gone(bench: Bench) -> None:
    """The end of the first means nothing (Sun: semantics.md 4.1)."""
    heard = Heard()
    tree = bench.plant(Program(lives=0.0, status=3 << 8, children=2), heard)
    bench.until(lambda: ("main", 3 << 8) in heard.facts)
    bench.until(lambda: len(tree.members()) == 2)
    bench.rest()
    assert not heard.over
    first, second = tree.members()
    assert tree.signal(TERM, [first]) == [first]
    bench.until(lambda: tree.members() == [second])
    bench.rest()
    assert not heard.over
    assert tree.signal(KILL, [second]) == [second]
    bench.until(lambda: heard.over)
    assert heard.facts == [("started", None), ("main", 3 << 8), ("emptied", KILL)]
    tree.release()


def members_are_the_live_processes_the_first_one_first(bench: Bench) -> None:
    """And each has the parent it has."""
    heard = Heard()
    tree = bench.plant(Program(children=2, says=READY), heard)
    members, parents = tree.members(), tree.parents()
    assert len(members) == 3
    assert members[0] == tree.main_pid
    assert tree.main_alive
    assert set(parents) == set(members)
    assert [parents[pid] for pid in members[1:]] == [tree.main_pid] * 2
    _end(bench, tree, heard)


def a_signal_reaches_all_of_them(bench: Bench) -> None:
    """And says whom."""
    heard = Heard()
    tree = bench.plant(Program(children=2, says=READY), heard)
    members = tree.members()
    assert sorted(tree.signal(TERM)) == sorted(members)
    bench.until(lambda: heard.over)
    assert ("main", TERM) in heard.facts
    tree.release()


def a_stranger_gets_no_signal(bench: Bench) -> None:
    """A pid that might be another's is never hit."""
    heard = Heard()
    tree = bench.plant(Program(says=READY), heard)
    assert tree.signal(KILL, [1, 2, tree.main_pid + 100_000]) == []
    bench.rest()
    assert heard.facts == [("started", None)]
    _end(bench, tree, heard)


def who_ignores_term_is_killed(bench: Bench) -> None:
    """Asked twice, killed once."""
    heard = Heard()
    tree = bench.plant(Program(children=1, deaf=frozenset((TERM,)), says=READY), heard)
    assert len(tree.signal(TERM)) == 2
    bench.rest()
    assert len(tree.members()) == 2
    tree.kill()
    tree.kill()
    bench.until(lambda: heard.over)
    bench.rest()
    assert [what for what, _ in heard.facts] == ["started", "main", "emptied"]
    assert ("main", KILL) in heard.facts
    tree.release()


def killed_as_soon_as_asked_for_it_ends_in_order(bench: Bench) -> None:
    """No fact is left out, none comes twice."""
    for number in range(1, 4):
        heard = Heard()
        tree = bench.plant(Program(), heard, incarnation=number)
        tree.kill()
        bench.until(lambda heard=heard: heard.over)  # type: ignore[misc]  # mypy cannot infer it
        assert [what for what, _ in heard.facts] in (["started", "main", "emptied"], ["failed"])
        tree.release()


def killing_an_empty_tree_does_nothing(bench: Bench) -> None:
    """It is over."""
    heard = Heard()
    tree = bench.plant(Program(lives=0.0), heard)
    bench.until(lambda: heard.over)
    tree.kill()
    bench.rest()
    assert len(heard.facts) == 3
    tree.release()


def _end(bench: Bench, tree: Tree, heard: Heard) -> None:
    tree.kill()
    bench.until(lambda: heard.over)
    tree.release()


PROCESS_CHECKS: tuple[Callable[[Bench], None], ...] = (
    an_end_is_told_once_with_its_status,
    what_cannot_be_executed_fails_and_nothing_follows,
    a_tree_is_empty_when_the_last_process_is_gone,
    members_are_the_live_processes_the_first_one_first,
    a_signal_reaches_all_of_them,
    a_stranger_gets_no_signal,
    who_ignores_term_is_killed,
    killed_as_soon_as_asked_for_it_ends_in_order,
    killing_an_empty_tree_does_nothing,
)
"""Every promise, to be parametrised over."""


def check_processes(make: Callable[[], Bench]) -> None:
    """All of them, each on a bench of its own."""
    for check in PROCESS_CHECKS:
        check(make())
