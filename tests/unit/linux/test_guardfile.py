"""The file in which runner and guard meet."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gds.linux import guard
from gds.linux.guardfile import GuardFile
from gds.linux.guardkill import Strike


@pytest.fixture
def file(tmp_path: Path) -> Iterator[GuardFile]:
    """A new one."""
    made = GuardFile(str(tmp_path / "guard"))
    yield made
    made.close()


def mark(number: int) -> bytes:
    """Some resource's."""
    return guard.MARK.pack(number, b"gds:%d" % number)


def test_a_number_is_on_disk_where_the_layout_says(file: GuardFile, tmp_path: Path) -> None:
    file.fields[guard.DEADLINE] = 12345
    data = (tmp_path / "guard").read_bytes()
    assert len(data) == guard.SIZE
    assert data[8 * guard.DEADLINE : 8 * guard.DEADLINE + 8] == (12345).to_bytes(8, sys.byteorder)
    assert (tmp_path / "guard").stat().st_mode & 0o777 == 0o600


def test_fields_arguments_and_marks_do_not_overlap() -> None:
    assert 8 * (guard.TRAITS + 1) <= guard.ARGS_AT < guard.MARKS_AT
    assert guard.MARKS_AT + guard.MOST_MARKS * guard.MARK.size <= guard.SIZE


def test_a_mark_is_added_once_and_only_while_there_is_room(file: GuardFile) -> None:
    assert all(file.add(mark(n)) for n in range(guard.MOST_MARKS))
    assert file.add(mark(3))
    assert not file.add(mark(guard.MOST_MARKS))
    assert file.fields[guard.MARKS] == guard.MOST_MARKS
    at = guard.MARKS_AT + 3 * guard.MARK.size
    assert guard.MARK.unpack(file.map[at : at + guard.MARK.size]) == (3, b"gds:3".ljust(16, b"\0"))


@pytest.mark.parametrize("another", [b"", b"x" * 3, None], ids=["empty", "short", "removed"])
def test_it_is_put_back_with_what_it_says(file: GuardFile, tmp_path: Path, another: bytes | None) -> None:
    path = tmp_path / "guard"
    file.fields[guard.DEADLINE] = 7
    path.unlink()
    if another is not None:
        path.write_bytes(another)
    file.put_back()
    file.put_back()
    file.fields[guard.KILLS] = 8
    again = GuardFile(str(path))
    assert (again.fields[guard.DEADLINE], again.fields[guard.KILLS]) == (7, 8)
    again.close()
    assert os.listdir(tmp_path) == ["guard"]


def test_whether_somebody_holds_it(file: GuardFile, tmp_path: Path) -> None:
    assert not file.is_locked()
    with (tmp_path / "guard").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert file.is_locked()
    assert not file.is_locked()
    (tmp_path / "guard").unlink()
    assert not file.is_locked()


def test_where_no_cgroups_are_there_is_nothing_to_kill(tmp_path: Path) -> None:
    (tmp_path / "n1").mkdir()
    (tmp_path / "a:Probe").mkdir()
    assert Strike(str(tmp_path)).all() == (0, False)
    assert Strike(str(tmp_path / "gone")).all() == (0, False)


def test_when_nothing_can_be_opened_nobody_says_that_all_is_quiet(tmp_path: Path) -> None:
    strike = Strike(str(tmp_path))
    strike.reserve()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd"))) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, before[1]))
    hogs = []
    try:
        with contextlib.suppress(OSError):
            while True:
                hogs.append(os.open("/dev/null", os.O_RDONLY))
        assert strike.all() == (0, False), "with what was reserved it can look"
        with contextlib.suppress(OSError):
            while True:
                hogs.append(os.open("/dev/null", os.O_RDONLY))
        assert strike.all() == (0, True), "without, somebody may be there"
    finally:
        for fd in hogs:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
