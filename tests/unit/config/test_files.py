"""Which files are read, and which are not trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gds.config.facts import answer, gather
from gds.config.files import FileFault, distrust, listing, read_trusted
from gds.config.load import load
from tests.unit.config.telling import write

ONE = 'start_command = "true"\n'


def facts_of(mode: int, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, gid, 10, 0, 0, 0))


NO = "cannot trust it"
ROOT_ONLY = "root obeys only files that root alone may write"
GO = f"and {ROOT_ONLY}; chmod go-w"
TRUST = [
    ("root's own", facts_of(stat.S_IFREG | 0o644), 0, ""),
    ("root's, secret", facts_of(stat.S_IFREG | 0o600), 0, ""),
    ("root's, of any group that may only read", facts_of(stat.S_IFREG | 0o644, 0, 1000), 0, ""),
    ("its group's", facts_of(stat.S_IFREG | 0o664), 0, f"{NO}: its group may write it (mode 664), {GO}"),
    ("everybody's", facts_of(stat.S_IFREG | 0o646), 0, f"{NO}: everybody may write it (mode 646), {GO}"),
    ("of all", facts_of(stat.S_IFREG | 0o666), 0, f"{NO}: everybody may write it (mode 666), {GO}"),
    (
        "another's",
        facts_of(stat.S_IFREG | 0o644, 7),
        0,
        f"{NO}: it belongs to user 7, and {ROOT_ONLY}; chown it to root",
    ),
    ("somebody else's, for a user", facts_of(stat.S_IFREG | 0o666, 7), 1000, ""),
    ("a directory", facts_of(stat.S_IFDIR | 0o755), 0, "cannot read it: a directory where a file is expected"),
    ("a pipe", facts_of(stat.S_IFIFO | 0o644), 0, "cannot read it: not a regular file"),
    ("a device", facts_of(stat.S_IFCHR | 0o644), 1000, "cannot read it: not a regular file"),
]


@pytest.mark.parametrize(("found", "euid", "expected"), [t[1:] for t in TRUST], ids=[t[0] for t in TRUST])
def test_trust(found: os.stat_result, euid: int, expected: str) -> None:
    assert distrust(found, euid) == expected


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "app.toml", 0o644)
    told = [str(p) for p in load([str(tmp_path / "app.toml")]).problems]
    assert told == [f"{tmp_path}/app.toml: cannot read it: not a regular file"]


def test_a_loop_of_symbolic_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").symlink_to("b.toml")
    (tmp_path / "b.toml").symlink_to("a.toml")
    told = [str(p) for p in load([str(tmp_path)]).problems]
    assert told == [f"{tmp_path}/{n}.toml: cannot read it: Too many levels of symbolic links" for n in "ab"]


def test_a_link_to_a_file_names_the_resource(tmp_path: Path) -> None:
    write(tmp_path, ONE, "template")
    (tmp_path / "one.toml").symlink_to("template")
    (tmp_path / "two.toml").symlink_to("template")
    plan = load([str(tmp_path)]).plan
    assert plan is not None
    assert [r.name for r in plan.resources] == ["one", "two"]


def test_a_directory_is_read_in_order_without_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", ".hidden.toml", "a.toml~", "README"):
        write(tmp_path, ONE, name)
    assert listing(str(tmp_path)) == ("a.toml", "b.toml")
    loaded = load([str(tmp_path), str(tmp_path / "a.toml")])
    assert loaded.plan is not None
    assert [r.name for r in loaded.plan.resources] == ["a", "b"]
    assert loaded.listings == ((str(tmp_path), ("a.toml", "b.toml")),)


def test_a_directory_named_like_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.toml").mkdir()
    told = [str(p) for p in load([str(tmp_path)]).problems]
    assert told == [f"{tmp_path}/x.toml: cannot read it: a directory where a file is expected"]


def test_a_name_with_nul_is_no_file() -> None:
    with pytest.raises(FileFault, match="not the name of a file"):
        read_trusted("a\0b", 0)


def test_a_file_that_grows_while_it_is_read_is_too_long() -> None:
    # /proc files say they are empty.
    with pytest.raises(FileFault, match="longer than 0 MiB"):
        read_trusted("/proc/self/status", os.geteuid(), largest=10)


QUESTIONS: list[tuple[tuple[str, ...], str]] = [
    (("command", "/bin/sh", "", ""), ""),
    (("command", "sh", "/no/such:/bin", ""), ""),
    (("command", "sh", "/no/such", ""), "is not found in PATH"),
    (("command", "passwd", "/etc", ""), "/etc/passwd is not executable"),
    (("command", "etc", "/", ""), "is not found in PATH"),
    (("command", "bin/sh", "", "/"), ""),
    (("command", "/etc/passwd/x", "", ""), "does not exist"),
    (("command", "/" + "x" * 5000, "", ""), "cannot be looked at: File name too long"),
    (("command", "/a\0b", "", ""), "is not a file name here"),
    (("directory", "/etc"), ""),
    (("directory", "/etc/passwd"), "is not a directory"),
    (("directory", "/no/such"), "does not exist"),
    (("file", "/etc/passwd"), ""),
    (("file", "/etc"), "is a directory"),
    (("file", "/no/such"), "does not exist"),
    (("parent", "/etc/new"), ""),
    (("parent", "new"), ""),
    (("parent", "/no/such/new"), "does not exist"),
    (("user", "root"), ""),
    (("user", "0"), ""),
    (("user", "no-such"), "does not exist"),
    (("user", "99999999999999999999"), "does not exist"),
    (("user", "²"), "does not exist"),
    (("group", "root"), ""),
    (("group", "0"), ""),
    (("group", "no-such"), "does not exist"),
    (("group", "99999999999999999999"), "does not exist"),
]


@pytest.mark.parametrize(
    ("question", "expected"), QUESTIONS, ids=[" ".join(q)[:40].replace("\0", "0") for q, _ in QUESTIONS]
)
def test_facts(question: tuple[str, ...], expected: str) -> None:
    assert answer(question) == expected


def test_who_can_be_who() -> None:
    me = str(os.geteuid())
    root = os.geteuid() == 0
    assert answer(("become", me)) == ""
    assert answer(("become", "root")) == ("" if root else "not root")
    assert answer(("become", "no-such")) == ("" if root else "does not exist")


def test_facts_are_gathered_by_question() -> None:
    assert gather([("user", "root"), ("root",)]) == {
        ("user", "root"): "",
        ("root",): "" if os.geteuid() == 0 else "not root",
    }
