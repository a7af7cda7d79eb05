"""The runner's own log: one line for each decision, for people, for machines and for the journal; never in the way."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.linux.journal import DEBUG, ERROR, INFO, WARNING, Log, format_for, under_journal

# 2026-01-31T12:00:00.25Z
NOON = 1769860800.25


def log(fd: int, format: str = "text") -> Log:
    return Log(format, fd, wall=lambda: NOON)


@pytest.fixture
def file() -> Iterator[int]:
    fd = os.memfd_create("log")
    yield fd
    os.close(fd)


def read(fd: int) -> str:
    return os.pread(fd, 1 << 20, 0).decode()


# -- the line -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("text", '2026-01-31T12:00:00.250Z warning restart 1 of 2 resource=web because="it said \\"no\\""\n'),
        ("journal", '<4>restart 1 of 2 resource=web because="it said \\"no\\""\n'),
        (
            "json",
            '{"time": "2026-01-31T12:00:00.250Z", "level": "warning", "message": "restart 1 of 2", '
            '"resource": "web", "because": "it said \\"no\\""}\n',
        ),
    ],
)
def test_a_decision_with_its_reason(file: int, format: str, line: str) -> None:
    log(file, format).warning("restart 1 of 2", resource="web", group="", because='it said "no"', tag=None)
    assert read(file) == line


def test_numbers_and_truths(file: int) -> None:
    facts: dict[str, int | float | bool] = {"n": 3, "seconds": 1 / 3, "ok": True, "bad": False, "zero": 0}
    log(file).info("told", **facts)
    log(file, "json").info("told", **facts, endless=float("inf"))
    text, line = read(file).splitlines()
    assert text.endswith(" info told n=3 seconds=0.333333 ok=true bad=false zero=0")
    assert json.loads(line) | {"time": ""} == {
        "time": "",
        "level": "info",
        "message": "told",
        **facts,
        "endless": "inf",
    }


@pytest.mark.parametrize(
    ("priority", "level", "mark"), [(DEBUG, "debug", "<7>"), (INFO, "info", "<6>"), (ERROR, "error", "<3>")]
)
def test_each_level_has_its_word_and_its_mark(file: int, priority: int, level: str, mark: str) -> None:
    made = log(file, "journal")
    made.level = DEBUG
    getattr(made, level)("x")
    assert read(file) == f"{mark}x\n"
    assert f" {level} x" in log(file).line(priority, "x", {})


def test_debug_is_silent_unless_wanted(file: int) -> None:
    log(file).debug("x")
    assert read(file) == ""


words = st.text(max_size=60)
values = words | st.integers() | st.floats() | st.booleans() | st.none()
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1).filter(lambda n: n not in ("time", "level", "message"))


@given(words, st.dictionaries(names, values))
def test_json_is_one_object_on_one_line_and_reads_back(text: str, fields: dict[str, str | float | None]) -> None:
    line = Log("json", 2, wall=lambda: NOON).line(WARNING, text, fields)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    found = json.loads(line.encode("utf-8", "backslashreplace"))
    for key, value in fields.items():
        if value is None or value == "":
            assert key not in found
        elif isinstance(value, float) and value - value != 0.0:
            assert found[key] == str(value)
        else:
            assert found[key] == value


@given(words, st.dictionaries(names, values))
def test_text_is_one_line_that_a_terminal_does_not_obey(text: str, fields: dict[str, str | float | None]) -> None:
    for format in ("text", "journal"):
        line = Log(format, 2, wall=lambda: NOON).line(WARNING, text, fields)
        assert line[:-1].isprintable()
        assert line.endswith("\n")


# -- where it goes --------------------------------------------------------------------------------------------------


def test_the_journal_is_known_by_its_stream(file: int) -> None:
    facts = os.fstat(file)
    ours = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
    assert under_journal(ours, file)
    assert format_for("auto", ours, file) == "journal"
    assert format_for("text", ours, file) == "journal"
    assert format_for("json", ours, file) == "json"
    for other in ({}, {"JOURNAL_STREAM": "1:2"}, {"JOURNAL_STREAM": "x"}, {"JOURNAL_STREAM": f"{facts.st_dev}"}):
        assert not under_journal(other, file)
    assert not under_journal(ours, 99_999)


def test_a_terminal_gets_text_and_a_file_json(file: int) -> None:
    keyboard, terminal = pty.openpty()
    try:
        assert format_for("auto", {}, terminal) == "text"
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert format_for("auto", {}, file) == "json"
    assert format_for("text", {}, file) == "text"
    assert format_for("auto", {}, 99_999) == "json"


# -- never in the way -----------------------------------------------------------------------------------------------


def test_a_pipe_that_nobody_reads_costs_lines_and_no_time() -> None:
    reader, writer = os.pipe()
    made = log(writer, "journal")
    began = time.monotonic()
    for n in range(3000):
        made.info(f"line {n:04d}", because="x" * 80)
    assert time.monotonic() - began < 5
    lost = made.lost
    assert 0 < lost < 3000
    text = os.read(reader, 1 << 20).decode()
    made.info("at last")
    text += os.read(reader, 1 << 20).decode()
    lines = text.splitlines()
    assert len(lines) == 3000 - lost + 2
    assert lines[-2:] == [f"<4>{lost} lines of this log could not be written", "<6>at last"]
    assert all(line.endswith("x" * 80) for line in lines[:-2]), "no line was cut"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("what", ["closed", "no reader", "full"])
def test_it_never_raises(what: str) -> None:
    if what == "no reader":
        reader, fd = os.pipe()
        os.close(reader)
    else:
        fd = os.open("/dev/full", os.O_WRONLY)
        if what == "closed":
            os.close(fd)
    made = log(fd)
    for _ in range(3):
        made.error("nobody hears this", because="x")
    assert made.lost == 3
    if what != "closed":
        os.close(fd)


def test_a_line_that_was_cut_by_a_full_disk_does_not_swallow_the_next() -> None:
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", place], check=True)
        try:
            fd = os.open(f"{place}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            made = log(fd, "journal")
            for n in range(10):
                made.info(f"{n}" * 1500)
            assert made.lost == 5
            os.truncate(f"{place}/log", 6500)
            made.info("again")
            os.close(fd)
            lines = Path(place, "log").read_text().splitlines()
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)
    assert lines[:4] == [f"<6>{str(n) * 1500}" for n in range(4)]
    assert lines[4].startswith("<6>4444")
    assert lines[5:] == ["<4>5 lines of this log could not be written", "<6>again"]


def test_what_it_costs_to_load() -> None:
    script = "import sys; from gds.linux.journal import Log; Log('json').info('x'); print(sorted(sys.modules))"
    root = str(Path(__file__).parents[3])
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {root!r}); {script}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert json.loads(done.stderr)["message"] == "x"
    assert not {"json", "re", "logging", "datetime", "typing"} & set(done.stdout.replace("'", " ").split())
