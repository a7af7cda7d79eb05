"""The end of a log file while it is rotated: no line is left out, none comes twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gds.cli import following

FOLLOW = """
import sys
from gds.cli import following
with following.current(sys.argv[1]) as file:
    following.follow(sys.argv[1], file, sys.stdout.buffer)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log file."""
    path = tmp_path / "web.log"
    path.write_text("1\n2\n")
    return path


class Follower:
    """A process that follows the log."""

    def __init__(self, log: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", FOLLOW, str(log)], stdout=subprocess.PIPE)

    def lines(self, *expected: str) -> None:
        """The next ones."""
        assert self.process.stdout is not None
        assert [self.process.stdout.readline().decode().rstrip("\n") for _ in expected] == list(expected)

    def shows(self, text: bytes) -> None:
        """What comes without the end of a line."""
        assert self.process.stdout is not None
        assert self.process.stdout.read(len(text)) == text

    def stop(self) -> None:
        """It does not run while the file is rotated."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """It runs again."""
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def follower(log: Path) -> Iterator[Follower]:
    """At the first lines."""
    made = Follower(log)
    made.lines("1", "2")
    yield made
    made.process.kill()
    made.process.communicate()


def append(log: Path, text: str) -> None:
    """More of it."""
    with log.open("a") as file:
        file.write(text)


def rotate(log: Path, keep: int = 9, moved: str = "") -> None:
    """As logfile.py does: renamed from the oldest on, a new one begun, the beginning of a line moved to it."""
    for number in range(keep, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number}"))
    old = log.with_name(f"{log.name}.1")
    log.rename(old)
    log.write_text(moved)
    os.truncate(old, old.stat().st_size - len(moved))


def test_the_last_lines_are_those_of_older_files_too(log: Path) -> None:
    rotate(log)
    append(log, "3\n4\n")
    rotate(log)
    append(log, "5\n")
    for most, lines in ((0, ""), (1, "5"), (2, "45"), (3, "345"), (4, "2345"), (9, "12345")):
        with following.current(str(log)) as file:
            assert following.last(str(log), file, most).decode().split() == list(lines)
            assert file.read() == b"", "it stands at the end"


def test_a_file_that_was_rotated_after_it_was_opened_is_not_read_twice(log: Path) -> None:
    rotate(log)
    append(log, "3\n")
    with following.current(str(log)) as file:
        rotate(log)
        append(log, "4\n")
        assert following.last(str(log), file, 9) == b"1\n2\n3\n"


def test_what_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        following.current(str(tmp_path / "no.log"))


def test_two_rotations_between_two_looks_lose_nothing(log: Path, follower: Follower) -> None:
    follower.stop()
    for number in (3, 4, 5):
        append(log, f"{number}\n")
        rotate(log)
    append(log, "6\n")
    follower.go_on()
    follower.lines("3", "4", "5", "6")
    append(log, "7\n")
    follower.lines("7")


@pytest.mark.parametrize("shown", [True, False])
def test_the_beginning_of_a_line_that_moves_is_shown_once(log: Path, follower: Follower, shown: bool) -> None:
    if shown:
        append(log, "half")
        follower.shows(b"half")
        follower.stop()
    else:
        follower.stop()
        append(log, "half")
    rotate(log, moved="half")
    append(log, " and half\n3\n")
    follower.go_on()
    follower.lines(" and half" if shown else "half and half", "3")


def test_who_is_too_slow_goes_on_with_the_oldest_that_is_kept(log: Path, follower: Follower) -> None:
    follower.stop()
    for number in (3, 4, 5):
        rotate(log, keep=1)
        append(log, f"{number}\n")
    follower.go_on()
    follower.lines("4", "5")


def test_a_file_that_somebody_moved_away_is_followed_until_another_one_is_begun(log: Path, follower: Follower) -> None:
    log.rename(log.with_name("moved"))
    append(log.with_name("moved"), "3\n")
    follower.lines("3")
    log.write_text("4\n")
    follower.lines("4")


def test_a_file_that_is_emptied_in_its_place_is_read_from_its_beginning(log: Path, follower: Follower) -> None:
    follower.stop()
    os.truncate(log, 0)
    append(log, "3\n")
    follower.go_on()
    follower.lines("3")
