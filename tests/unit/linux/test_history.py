"""The history: spools that the runner appends to, and the store that other processes fold them into."""

from __future__ import annotations

import _sqlite3
import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gds.linux import archive, history
from gds.linux.history import LARGEST_SPOOL, MOST_SPOOLS, RECENT, History, command, spools
from gds.linux.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 30.0


class Told:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, text: str) -> None:
        """One line."""
        self.lines.append(text)

    error = warning


class Here:
    """A runner's history in a directory of the test's own; processes aside are run at once."""

    def __init__(self, where: Path, aside: bool = True) -> None:
        self.where = where
        self.loop = Loop()
        self.log = Told()
        self.asked: list[dict[str, Any]] = []
        self.history = History(self.loop, str(where), self.log, self.aside if aside else None)
        self.count = 0
        self.late: list[Callable[[], None]] | None = None
        """A list: what processes answered is kept in it, and told when the test says so."""

    def aside(self, argv: list[str], done: Callable[[dict[str, Any]], None]) -> None:
        """As the runner does, but without going on meanwhile."""
        import marshal

        self.asked.append(json.loads(argv[-1]))
        said = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=DEADLINE).stdout
        answer = marshal.loads(said)
        if self.late is None:
            done(answer)
        else:
            self.late.append(lambda: done(answer))

    def add(self, number: int = 1, name: str = "web", size: int = 10) -> None:
        """So many decisions, and time to write them."""
        for _ in range(number):
            self.count += 1
            self.history.add(
                {
                    "monotonic": self.loop.now(),
                    "resource": name,
                    "group": "shop",
                    "event": f"E{self.count}",
                    "because": "x" * size,
                }
            )
        self.rest()

    def rest(self) -> None:
        """Until nothing waits."""
        while self.loop._idle or self.loop._soon:
            self.loop.turn(0.0)

    def read(self, *names: str, most: int = 10_000_000, since: str = "", facts: bool = False) -> list[dict[str, Any]]:
        """What the runner answers."""
        got: list[list[dict[str, Any]]] = []
        self.history.read(list(names), most, got.append, since, facts)
        (records,) = got
        return records

    def events(self, *names: str) -> list[str]:
        """The events of it."""
        return [record["event"] for record in self.read(*names)]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """One."""
    return Here(tmp_path)


def numbered(first: int, last: int) -> list[str]:
    """E1, E2, …"""
    return [f"E{n}" for n in range(first, last + 1)]


# -- writing ----------------------------------------------------------------------------------------------------------


def test_nothing_is_written_before_a_quiet_moment_and_all_of_it_then(here: Here) -> None:
    for n in range(250):
        here.history.add({"monotonic": 1.0, "resource": "web", "event": f"E{n}"})
    here.loop.soon(lambda: None)
    here.loop.turn(0.0)
    assert spools(str(here.where)) == []
    here.rest()
    (spool,) = spools(str(here.where))
    lines = (here.where / spool).read_text().splitlines()
    assert json.loads(lines[0])["spool"] == 1
    assert [json.loads(line)["event"] for line in lines[1:]] == [f"E{n}" for n in range(250)]
    assert (here.where / spool).stat().st_mode & 0o777 == 0o600


def test_a_runner_that_is_never_quiet_still_writes(here: Here) -> None:
    for _ in range(100):
        for _ in range(90):
            here.history.add({"monotonic": 1.0, "resource": "web", "event": "E"})
        here.loop.soon(lambda: None)
        here.loop.turn(0.0)
        assert len(here.history._waiting) <= history.WAITING + 90
    assert spools(str(here.where))


def test_words_are_found_late_and_the_wall_time_is_that_of_the_event(here: Here) -> None:
    then = here.loop.now() - 3600.0
    here.history.add(lambda: {"monotonic": then, "resource": "web", "event": "late"})
    before = time.time()
    (record,) = here.read()
    assert abs(time.mktime(time.strptime(record["at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - (before - 3600)) <= 2


def test_a_full_spool_is_folded_by_a_process_of_its_own_and_goes(here: Here) -> None:
    here.add(3 * LARGEST_SPOOL // 10_000, size=10_000)
    folds = [request for request in here.asked if "most" not in request]
    assert {request["largest"] for request in folds} == {history.LARGEST_STORE}
    assert len(spools(str(here.where))) <= 2
    assert here.events() == numbered(1, here.count)


def test_spools_that_nobody_can_fold_are_bounded(tmp_path: Path) -> None:
    here = Here(tmp_path, aside=False)
    here.add((MOST_SPOOLS + 3) * 22, size=50_000)
    assert len(spools(str(here.where))) == MOST_SPOOLS
    assert sum((here.where / s).stat().st_size for s in spools(str(here.where))) <= MOST_SPOOLS * (
        LARGEST_SPOOL + 100_000
    )
    told = archive.read(str(here.where), most=10_000).records
    assert told[-1]["event"] == f"E{here.count}"
    assert told[0]["event"] != "E1"


def test_the_end_of_a_runner_leaves_a_store_and_no_spool(here: Here) -> None:
    here.add(5)
    here.history.close()
    assert spools(str(here.where)) == []
    assert [r["event"] for r in archive.read(str(here.where)).records] == numbered(1, 5)


def test_without_a_directory_the_last_decisions_are_kept_in_memory() -> None:
    loop = Loop()
    kept = History(loop, "", Told())
    for n in range(RECENT + 50):
        kept.add({"monotonic": 1.0, "resource": "web", "group": "g", "event": f"E{n}"})
    kept.add({"monotonic": 1.0, "resource": "db", "group": "g", "fact": "step"})
    got: list[list[dict[str, Any]]] = []
    kept.read(["web"], 10_000, got.append)
    kept.read(["g"], 2, got.append, facts=True)
    kept.read([], 10_000, got.append, since="9999")
    assert len(got[0]) == RECENT - 1
    assert [r.get("event") for r in got[1]] == [f"E{RECENT + 49}", None]
    assert got[2] == []
    assert not kept.problem
    kept.close()


def test_a_directory_that_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path) -> None:
    here = Here(tmp_path / "gone")
    here.add(2)
    here.add(1)
    assert "cannot write the history" in here.history.problem
    assert len([line for line in here.log.lines if "cannot write" in line]) == 1
    (tmp_path / "gone").mkdir()
    here.add(1)
    assert here.events() == numbered(1, 4)
    assert not here.history.problem


def test_what_cannot_be_written_after_what_was_written_meanwhile_is_not_in_an_answer(tmp_path: Path) -> None:
    where = tmp_path / "history"
    where.mkdir()
    here = Here(where)
    here.add(5)
    late: list[Callable[[], None]] = []
    here.late = late
    got: list[list[dict[str, Any]]] = []
    here.history.read([], 100, got.append)
    here.add(1)
    where.rename(tmp_path / "away")
    here.add(1, size=LARGEST_SPOOL)
    assert here.history.problem
    late.pop()()
    assert [record["event"] for record in got[0]] == numbered(1, 5)
    (tmp_path / "away").rename(where)
    here.history.read([], 100, got.append)
    late.pop()()
    assert [record["event"] for record in got[1]] == numbered(1, 7)
    here.history.close()


def test_a_name_of_a_spool_is_never_used_twice(tmp_path: Path) -> None:
    names: list[str] = []
    for _ in range(30):
        names.append(history.next_spool(names))
    assert names == sorted(set(names))
    assert history.next_spool(["history.other.spool"]) > "history.0000000000"


# -- the store --------------------------------------------------------------------------------------------------------


def test_the_store_is_sqlite_in_wal_mode_and_private(here: Here) -> None:
    here.add(3)
    here.read()
    path = here.where / "history.db"
    assert path.stat().st_mode & 0o777 == 0o600
    store = _sqlite3.connect(str(path))
    assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert store.execute("SELECT count(*) FROM record").fetchone() == (3,)
    store.close()


def test_what_is_asked_for_is_answered(here: Here) -> None:
    here.add(3, "web")
    here.add(2, "db")
    here.history.add({"monotonic": here.loop.now(), "resource": "web", "group": "shop", "fact": "step"})
    here.rest()
    assert here.events("web") == numbered(1, 3)
    assert here.events("shop") == numbered(1, 5)
    assert here.events("web", "db") == numbered(1, 5)
    assert here.events("nosuch") == []
    assert [r.get("event") for r in here.read(most=2)] == ["E4", "E5"]
    assert [r.get("event") for r in here.read("web", most=2, facts=True)] == ["E3", None]
    assert here.read(since="9999") == []
    assert len(here.read(since="2000")) == 5


def test_what_was_folded_is_not_folded_again(here: Here) -> None:
    for last in range(1, 6):
        here.add(1)
        assert here.events() == numbered(1, last)


def test_a_line_cut_short_costs_only_itself(here: Here) -> None:
    here.add(2)
    here.history.close()
    (here.where / "history.0000000009.00.spool").write_bytes(
        b'{"spool": 1, "boot": "b"}\n{"at": "2026-01-01T00:00:00Z", "resource": "web", "event": "x"}\n{"at": "2026\n'
        b'[1]\n"text"\n\xff\xfe\n{"no": "instant"}\n'
        b'{"at": "2026-01-01T00:00:01Z", "resource": "web", "event": "y"}\n{"at'
    )
    assert [r["event"] for r in archive.read(str(here.where)).records] == ["E1", "E2", "x", "y"]
    assert archive.read(str(here.where)).records[-1]["boot"] == "b"


def test_names_that_are_no_text_are_kept(here: Here) -> None:
    here.add(1, "@\ud800")
    assert here.events() == ["E1"]
    assert here.read()[0]["resource"] == "@\ud800"


def test_the_oldest_rows_go_first(here: Here) -> None:
    here.add(100)
    answer = archive.fold(str(here.where), rows=30)
    assert not answer.problem
    assert here.events() == numbered(71, 100)


def test_the_store_does_not_grow_over_its_size(here: Here) -> None:
    most = 1 << 20
    for _ in range(6):
        here.add(100, size=5000)
        archive.fold(str(here.where), largest=most)
        assert (here.where / "history.db").stat().st_size <= most * 1.25
    events = here.events()
    assert events == numbered(here.count - len(events) + 1, here.count)
    assert 50 < len(events) < 300


def test_an_empty_directory_is_left_alone(tmp_path: Path) -> None:
    assert archive.fold(str(tmp_path)).problem == ""
    assert list(tmp_path.iterdir()) == []
    assert "cannot" in archive.fold(str(tmp_path / "nosuch")).problem


# -- damage -----------------------------------------------------------------------------------------------------------


def in_the_middle(path: Path) -> None:
    """A few pages overwritten."""
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 6] = os.urandom(4096 * 5)
    path.write_bytes(data)


def other_tables(path: Path) -> None:
    """Somebody else's database."""
    path.unlink()
    store = _sqlite3.connect(str(path))
    store.execute("CREATE TABLE record(id INTEGER PRIMARY KEY, other TEXT)")
    store.commit()
    store.close()


@pytest.mark.parametrize(
    "damage",
    [lambda path: path.write_bytes(b"no database\n" * 1000), in_the_middle, other_tables],
    ids=["no database", "pages overwritten", "other tables"],
)
def test_a_damaged_store_is_moved_aside_told_and_begun_anew(here: Here, damage: Callable[[Path], None]) -> None:
    here.add(400, size=200)
    here.history.close()
    damage(here.where / "history.db")
    again = Here(here.where)
    again.count = 1000
    again.add(1)
    assert "E1001" in again.events()
    assert any("is damaged" in line and "history.db.broken" in line for line in again.log.lines)
    assert (here.where / "history.db.broken").exists()
    store = _sqlite3.connect(str(here.where / "history.db"))
    assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
    assert not again.history.problem


def test_a_process_that_ends_without_an_answer_is_told(tmp_path: Path) -> None:
    told = Told()
    kept = History(Loop(), str(tmp_path), told, lambda _argv, done: done({"errors": [], "warnings": []}))
    got: list[list[dict[str, Any]]] = []
    kept.read([], 10, got.append)
    assert got == [[]]
    assert "ended without an answer" in kept.problem
    kept.close()


def test_a_process_that_was_killed_has_a_successor(tmp_path: Path) -> None:
    killed = {"errors": ["it was killed by SIGKILL"], "warnings": []}
    answers: list[dict[str, Any]] = [killed, killed, {"records": [{"event": "E1"}], "problem": "", "notes": []}]
    kept = History(Loop(), str(tmp_path), Told(), lambda _argv, done: done(answers.pop(0)))
    got: list[list[dict[str, Any]]] = []
    kept.read([], 10, got.append)
    assert [[each["event"] for each in records] for records in got] == [["E1"]]
    assert not kept.problem
    kept.close()


def test_a_process_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    def refuse(_argv: list[str], _done: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    kept = History(Loop(), str(tmp_path), Told(), refuse)
    got: list[list[dict[str, Any]]] = []
    kept.read([], 10, got.append)
    assert got == [[]]
    assert "Resource temporarily unavailable" in kept.problem
    kept.close()


# -- many at once -----------------------------------------------------------------------------------------------------


STOPPED = """
import os, signal, sys
where, left = sys.argv[3], int(sys.argv[4])

def look(event, of):
    global left
    if event in ("open", "os.listdir", "os.remove", "sqlite3.connect") and where in str(of[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

sys.path.append(sys.argv[1])
from gds.linux.archive import main
sys.addaudithook(look)
raise SystemExit(main(sys.argv[2:3]))
"""
"""The archive, stopped before it touches a file of the history for the nth time."""

READ: dict[str, Any] = {"names": [], "most": 1_000_000, "since": "", "facts": False}


class Children:
    """Processes that fold, or read, in one directory."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, stop_at: int = 0, **request: object) -> subprocess.Popen[bytes]:
        """One; stopped before it touches a file for the `stop_at`th time."""
        argv = command({"directory": str(self.where), "largest": history.LARGEST_STORE, **request})
        if stop_at:
            argv = [*argv[:2], "-c", STOPPED, *argv[-2:], str(self.where), str(stop_at)]
        self.processes.append(subprocess.Popen(argv, stdout=subprocess.PIPE))
        return self.processes[-1]

    def end(self) -> None:
        """None of them is left, nor a pipe to it."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """In the directory of the test; they end with it."""
    made = Children(tmp_path)
    yield made
    made.end()


def answer_of(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What it says."""
    import marshal

    said, _ = process.communicate(timeout=DEADLINE)
    answer: dict[str, Any] = marshal.loads(said)
    return answer


def stops(process: subprocess.Popen[bytes]) -> bool:
    """Wait until it has stopped (True) or ended."""
    seen = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return seen is not None and seen.si_code == os.CLD_STOPPED


def folds(where: Path) -> bool:
    """Somebody does."""
    with (where / "history.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("folded", [False, True], ids=["spools alone", "a store"])
def test_whatever_happens_at_whatever_point_of_a_reading_it_sees_a_beginning_of_the_truth(
    tmp_path: Path, folded: bool
) -> None:
    for point in range(1, 100):
        where = tmp_path / str(point)
        where.mkdir()
        here = Here(where, aside=False)
        here.add(50)
        if folded:
            assert not archive.fold(str(where)).problem
            here.add(50)
        known = here.count
        children = Children(where)
        reader = children.start(point, **READ)
        try:
            stopped = stops(reader)
            if stopped:
                here.add(2, size=LARGEST_SPOOL // 2)  # the last of this spool, and the first of another
                here.add(2, size=LARGEST_SPOOL // 2)
                if not folds(where):
                    assert not archive.fold(str(where)).problem
                here.add(5)
                reader.send_signal(signal.SIGCONT)
            answer = answer_of(reader)
        finally:
            children.end()
        events = [record["event"] for record in answer["records"]]
        assert (answer["problem"], answer["notes"]) == ("", [])
        assert events == numbered(1, len(events)), point
        assert len(events) >= known
        here.history.close()
        if not stopped:
            break
    assert not stopped
    assert point > 8  # the lock, the store twice, the spools three times, and one of them twice


def test_readers_while_the_runner_writes_see_a_beginning_of_the_truth(tmp_path: Path, children: Children) -> None:
    here = Here(tmp_path, aside=False)
    here.add(50)
    for _ in range(4):
        readers = [children.start(**READ) for _ in range(2)]
        while any(reader.poll() is None for reader in readers) and here.count < 20_000:
            here.add(20)
            if all(select_ready(reader) for reader in readers):
                break
        for reader in readers:
            answer = answer_of(reader)
            assert not answer["problem"]
            assert not answer["notes"]
            events = [record["event"] for record in answer["records"]]
            assert len(events) >= 50
            assert events == numbered(1, len(events))
    here.history.close()
    assert [r["event"] for r in archive.read(str(tmp_path), most=1_000_000).records] == numbered(1, here.count)


def select_ready(process: subprocess.Popen[bytes]) -> bool:
    """It has begun to answer."""
    import select

    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0)[0])


def test_a_fold_that_is_killed_at_any_instant_neither_doubles_nor_loses(tmp_path: Path, children: Children) -> None:
    here = Here(tmp_path, aside=False)
    killed = 0
    for round_ in range(12):
        here.add(2500, size=100)
        process = children.start()
        time_left = time.monotonic() + 0.03 + 0.012 * round_
        while time.monotonic() < time_left and process.poll() is None:
            select_ready(process)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate(timeout=DEADLINE)
    assert killed
    assert [r["event"] for r in archive.read(str(tmp_path), most=1_000_000).records] == numbered(1, here.count)


def test_two_that_fold_at_once_do_it_once(tmp_path: Path, children: Children) -> None:
    here = Here(tmp_path, aside=False)
    here.add(5000)
    for process in [children.start() for _ in range(3)]:
        assert answer_of(process) == {"problem": "", "notes": [], "records": []}
    assert [r["event"] for r in archive.read(str(tmp_path), most=1_000_000).records] == numbered(1, here.count)
