"""The file that the runner writes for an application: rotation to the byte, and a disk that is full."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gds.linux.journal import Log
from gds.linux.logfile import NEARBY, LogFile, kept

NOBODY = 65534


class Written:
    """A LogFile fed through a pipe, and what the log said about it."""

    def __init__(self, path: Path, rotate: int = 1000, keep: int = 1000, uid: int = -1, gid: int = -1) -> None:
        self.path = path
        self.now = 100.0
        self._said = os.memfd_create("log")
        self.file = LogFile(str(path), rotate, keep, uid, gid, Log("journal", self._said), lambda: self.now)
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def put(self, *pieces: bytes) -> None:
        for piece in pieces:
            while piece:
                piece = piece[os.write(self.writer, piece) :]
                while self.file.take(self.reader):
                    pass

    @property
    def said(self) -> list[str]:
        return os.pread(self._said, 100_000, 0).decode().splitlines()

    def contents(self) -> list[bytes]:
        """Of each file, oldest first."""
        return [Path(name).read_bytes() for name in kept(str(self.path))]

    def close(self) -> None:
        if self.file._fd >= 0:
            self.file.close()
        for fd in (self._said, self.reader, self.writer):
            os.close(fd)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Written]:
    written = Written(tmp_path / "web.log")
    yield written
    written.close()


# -- rotation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        (b"one\ntwo, ", b"two, ", [b"one\n", b"two, "]),  # killed before the old one was cut
        (b"one\ntwo, ", b"tw", [b"one\ntwo, ", b""]),  # killed in the middle of the write
        (b"one\n", b"two, ", [b"one\n", b"two, "]),  # done
        (b"one\ntwo, ", b"three", [b"one\ntwo, ", b"three"]),  # something else
        (b"one\n" + b"x" * 100, b"xxx", [b"one\n" + b"x" * 100, b"xxx"]),  # a long line, which is cut
        (b"one\ntwo, ", b"", [b"one\ntwo, ", b""]),
    ],
)
def test_a_line_that_was_moved_when_the_runner_was_killed_is_there_once(
    tmp_path: Path, old: bytes, new: bytes, after: list[bytes]
) -> None:
    path = tmp_path / "web.log"
    (tmp_path / "web.log.1").write_bytes(old)
    path.write_bytes(new)
    log = Written(path)
    assert log.contents() == after
    log.put(b"three\n")
    assert log.contents() == [after[0], after[1] + b"three\n"]
    log.close()


lines = st.lists(st.binary(max_size=300).map(lambda b: b + b"\n") | st.binary(max_size=2000), max_size=60)


@settings(max_examples=150, deadline=None)
@given(pieces=lines, rotate=st.integers(1, 5000))
def test_the_files_together_are_what_was_printed_and_each_ends_with_a_line_where_one_is_nearby(
    pieces: list[bytes], rotate: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log = Written(Path(directory) / "log", rotate, keep=1_000_000)
        try:
            log.put(*pieces)
            files = log.contents()
        finally:
            log.close()
        assert b"".join(files) == b"".join(pieces)
        nearby = rotate // 16
        for each in files[:-1]:
            assert 0 < len(each) <= rotate
            whole = each.endswith(b"\n") and len(each) >= rotate - nearby
            assert whole or (len(each) == rotate and (not nearby or b"\n" not in each[-nearby:]))
        assert len(files[-1]) <= rotate


@settings(max_examples=50, deadline=None)
@given(pieces=lines, rotate=st.integers(16, 500), keep=st.integers(0, 5))
def test_only_so_many_are_kept_and_they_are_the_newest(pieces: list[bytes], rotate: int, keep: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log = Written(Path(directory) / "log", rotate, keep)
        try:
            log.put(*pieces)
            names = kept(str(log.path))
            assert b"".join(pieces).endswith(b"".join(log.contents()))
        finally:
            log.close()
        assert len(names) <= keep + 1
        assert names == [f"{log.path}.{n}" for n in range(len(names) - 1, 0, -1)] + [str(log.path)]


def test_large_pieces_are_cut_at_a_line_and_a_line_without_end_at_the_size(tmp_path: Path) -> None:
    log = Written(tmp_path / "log", rotate=1 << 20)
    line = b"x" * 99 + b"\n"
    text = line * 40_000
    log.put(text, b"y" * 3_000_000)
    files = log.contents()
    log.close()
    assert b"".join(files) == text + b"y" * 3_000_000
    assert all(len(f) % 100 == 0 and (1 << 20) - NEARBY <= len(f) <= 1 << 20 for f in files[:3])
    assert [len(f) for f in files[4:-1]] == [1 << 20] * len(files[4:-1])


def test_what_was_there_before_counts(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"old\n" * 200)
    log = Written(tmp_path / "log", rotate=1000)
    log.put(b"new\n" * 100)
    files = log.contents()
    log.close()
    assert b"".join(files) == b"old\n" * 200 + b"new\n" * 100
    assert len(files) == 2


def test_a_file_larger_than_allowed_is_put_aside_first(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"o" * 5000)
    log = Written(tmp_path / "log", rotate=1000)
    log.put(b"new\n")
    files = log.contents()
    log.close()
    assert files == [b"o" * 5000, b"new\n"]


def test_a_gap_that_a_crash_left_is_filled_and_nothing_is_lost(tmp_path: Path) -> None:
    for n in (1, 2, 4):
        (tmp_path / f"log.{n}").write_text(f"old {n}")
    log = Written(tmp_path / "log", rotate=1000, keep=5)
    log.put(b"a" * 1000, b"b")
    log.close()
    found = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert found == {"log": "b", "log.1": "a" * 1000, "log.2": "old 1", "log.3": "old 2", "log.4": "old 4"}


def test_files_beyond_a_smaller_keep_go(tmp_path: Path) -> None:
    for n in range(1, 6):
        (tmp_path / f"log.{n}").write_text(f"old {n}")
    log = Written(tmp_path / "log", rotate=1000, keep=5)
    log.file.resize(1000, 2)
    log.put(b"a" * 1000, b"b")
    log.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert (tmp_path / "log.2").read_text() == "old 1"


def test_kept_counts_by_number(tmp_path: Path) -> None:
    for n in (1, 2, 10, 11):
        (tmp_path / f"log.{n}").touch()
    for other in ("log.gz", "log.1.gz", "log.", "xlog.3", "log"):
        (tmp_path / other).touch()
    assert kept(f"{tmp_path}/log") == [f"{tmp_path}/{n}" for n in ("log.11", "log.10", "log.2", "log.1", "log")]
    assert kept(f"{tmp_path}/nothing/log") == []


def test_moved_away_by_somebody_else(log: Written) -> None:
    log.put(b"one\n")
    log.path.rename(log.path.with_suffix(".moved"))
    log.put(b"two\n")
    log.file.reopen()
    log.put(b"three\n")
    assert log.path.with_suffix(".moved").read_bytes() == b"one\ntwo\n"
    assert log.path.read_bytes() == b"three\n"


def test_emptied_by_somebody_else(log: Written) -> None:
    log.put(b"one\n" * 50)
    os.truncate(log.path, 0)
    log.put(b"two\n")
    assert log.path.read_bytes() == b"two\n"


def test_a_rotation_that_fails_is_said_once_and_the_file_grows_on(log: Written) -> None:
    hindrance = Path(f"{log.path}.1")
    (hindrance / "x").mkdir(parents=True)
    log.file.resize(1000, 1)
    log.put(*[b"x" * 999 + b"\n"] * 5)
    assert log.path.stat().st_size == 5000
    assert log.said == [f"<3>cannot rotate {log.path}: is a directory; it grows on"]
    (hindrance / "x").rmdir()
    hindrance.rmdir()
    log.put(b"y" * 999 + b"\n", b"z\n")
    assert [len(f) for f in log.contents()] == [6000, 2]


def test_the_application_is_told_when_a_file_cannot_be_opened_again(log: Written) -> None:
    log.path.rename(log.path.with_suffix(".moved"))
    log.path.mkdir()
    log.file.reopen()
    log.put(b"on\n")
    assert log.said == [f"<3>cannot open {log.path} again: is a directory; the file open until now is written on"]
    assert log.path.with_suffix(".moved").read_bytes() == b"on\n"


# -- a full disk ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_is_said_once_counted_and_the_hole_is_marked(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(40 * 1024))
    log = Written(small_disk / "log", rotate=1 << 20)
    line = b"x" * 99 + b"\n"
    log.put(*[line] * 1000)
    written = log.path.stat().st_size
    assert 0 < written < 25 * 1024
    assert log.said == [f"<3>cannot write {log.path}: no space left on device; output is dropped until it works again"]
    log.now += 1.1
    log.put(*[line] * 10)
    assert log.file.lost == 1010 * 100 - written
    assert len(log.said) == 1

    (small_disk / "ballast").unlink()
    log.put(line)
    assert log.file.lost == 1011 * 100 - written, "not tried at every piece"
    lost = log.file.lost
    log.now += 1.1
    log.put(b"back\n")
    assert log.file.lost == 0
    assert log.said[1:] == [
        f"<4>{log.path} can be written again; {lost} bytes of output were lost: no space left on device"
    ]
    text = log.path.read_bytes()
    assert text[:written] == (line * 1000)[:written]
    mark = f"[gds: {lost} bytes of output are missing here: no space left on device]\n".encode()
    assert text[written:].lstrip(b"\n") == mark + b"back\n"
    log.close()


def test_what_was_lost_is_told_at_the_end_too(small_disk: Path) -> None:
    log = Written(small_disk / "log", rotate=1 << 20)
    log.put(b"x" * 100_000)
    log.file.close()
    assert log.said[-1] == f"<4>{log.path}: {100_000 - 65536} bytes of output were lost: no space left on device"
    log.close()


def test_a_full_disk_turns_over_no_files(small_disk: Path) -> None:
    log = Written(small_disk / "log", rotate=20_000, keep=2)
    for n in range(200):
        log.put(f"{n:04d}\n".encode() * 200)
        if n == 30:
            (small_disk / "ballast").write_bytes(bytes(4096))
            os.truncate(small_disk / "ballast", 1 << 14)
    assert log.said == []
    (small_disk / "a").write_bytes(bytes(1 << 12))
    kept_before = sorted(os.listdir(small_disk))
    try:
        (small_disk / "b").write_bytes(bytes(1 << 16))
    except OSError:
        pass  # now it is full
    for _ in range(500):
        log.put(b"y" * 999 + b"\n")
    assert sorted(set(os.listdir(small_disk)) - {"b"}) == kept_before
    assert b"0199\n" in b"".join(log.contents()), "what had been written is still there"
    log.close()


def test_rotation_acts_with_the_applications_rights_too() -> None:
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, NOBODY, NOBODY)
        log = Written(Path(directory) / "log", rotate=100, keep=2, uid=NOBODY, gid=NOBODY)
        log.put(b"x" * 250)
        log.close()
        found = [(p.name, p.stat().st_uid) for p in sorted(Path(directory).iterdir())]
    assert found == [("log", NOBODY), ("log.1", NOBODY), ("log.2", NOBODY)]
