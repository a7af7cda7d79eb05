"""A file that the runner opens for an application: whose rights, whose file, and no tricks with links."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gds.config.facts import answer
from gds.linux.place import AsUser, Place, refusal

NOBODY = 65534
DAEMON = 1


@pytest.fixture
def tree() -> Iterator[Path]:
    """A directory of root's that everybody may look into, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


@pytest.fixture
def shared(tree: Path) -> Path:
    """A directory like /tmp, in one that only root can change."""
    place = tree / "shared"
    place.mkdir()
    place.chmod(0o1777)
    return place


def opened(path: Path, uid: int = -1, gid: int = -1, handed_over: bool = True) -> os.stat_result:
    fd = Place(str(path), uid, gid).open(handed_over)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def mode(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)


def test_a_file_handed_over_belongs_to_the_application_and_a_rotated_one_to_us(tree: Path) -> None:
    previous = os.umask(0)
    try:
        assert mode(opened(tree / "a", NOBODY, NOBODY)) == (NOBODY, NOBODY, 0o640)
        assert mode(opened(tree / "b", NOBODY, NOBODY, handed_over=False)) == (0, NOBODY, 0o640)
        assert mode(opened(tree / "c")) == (0, 0, 0o640)
    finally:
        os.umask(previous)


def test_a_file_that_is_there_keeps_its_owner_and_its_mode(tree: Path) -> None:
    (tree / "a").touch(0o600)
    assert mode(opened(tree / "a", NOBODY, NOBODY)) == (0, 0, 0o600)


def test_a_link_is_followed_where_only_root_can_make_one(tree: Path) -> None:
    (tree / "logs").mkdir()
    (tree / "real").touch()
    (tree / "logs" / "link").symlink_to(tree / "real")
    assert opened(tree / "logs" / "link").st_ino == (tree / "real").stat().st_ino


def test_a_link_is_not_followed_where_others_can_make_one(shared: Path) -> None:
    (shared / "web.log").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="Too many levels"):
        opened(shared / "web.log")


def test_a_link_of_roots_into_such_a_directory_is_not_followed_further(shared: Path) -> None:
    (shared / "web.log").symlink_to("/etc/passwd")
    (shared.parent / "link").symlink_to(shared / "web.log")
    for uid in (-1, NOBODY):
        with pytest.raises(OSError, match="Too many levels"):
            opened(shared.parent / "link", uid, uid)


def test_a_directory_that_somebody_made_a_link_is_refused(shared: Path) -> None:
    (shared / "elsewhere").symlink_to("/etc")
    os.chown(shared / "elsewhere", DAEMON, DAEMON, follow_symlinks=False)
    with pytest.raises(PermissionError, match=f"{shared} can be written by others"):
        opened(shared / "elsewhere" / "gds-test-must-not-be-made")
    assert not os.path.lexists("/etc/gds-test-must-not-be-made")


def test_links_in_a_circle(tree: Path) -> None:
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("../" + tree.name + "/a")
    with pytest.raises(OSError, match="Too many levels"):
        opened(tree / "a")


def test_another_users_file_or_a_second_name_is_not_taken(shared: Path) -> None:
    (shared / "theirs").touch()
    os.chown(shared / "theirs", DAEMON, DAEMON)
    with pytest.raises(PermissionError, match="belongs to another user"):
        opened(shared / "theirs")
    (shared.parent / "precious").touch()
    (shared / "second").hardlink_to(shared.parent / "precious")
    with pytest.raises(PermissionError, match="second name"):
        opened(shared / "second")
    assert mode(opened(shared / "ours")) == (0, 0, 0o640)


def test_in_the_applications_own_directory_we_act_with_its_rights(tree: Path) -> None:
    own = tree / "own"
    own.mkdir(mode=0o750)
    os.chown(own, NOBODY, NOBODY)
    secret = tree / "secret"
    secret.write_text("for root only")
    secret.chmod(0o600)
    assert mode(opened(own / "web.log", NOBODY, NOBODY, handed_over=False)) == (NOBODY, NOBODY, 0o640)
    (own / "hard").hardlink_to(secret)
    with pytest.raises(PermissionError):
        opened(own / "hard", NOBODY, NOBODY)
    (own / "soft").symlink_to(secret)
    with pytest.raises(OSError, match="Too many levels"):
        opened(own / "soft", NOBODY, NOBODY)
    (own / "elsewhere").symlink_to("/etc")
    with pytest.raises(PermissionError):
        opened(own / "elsewhere" / "gds-test-must-not-be-made", NOBODY, NOBODY)
    assert not os.path.lexists("/etc/gds-test-must-not-be-made")
    assert secret.read_text() == "for root only"


def test_root_does_not_write_below_a_directory_that_others_could_exchange(tree: Path) -> None:
    home = tree / "home"
    (home / "logs").mkdir(parents=True)
    os.chown(home, NOBODY, NOBODY)
    with pytest.raises(PermissionError, match=f"{home} can be written by others.*set user"):
        opened(home / "logs" / "web.log")
    os.chown(home / "logs", NOBODY, NOBODY)
    assert mode(opened(home / "logs" / "web.log", NOBODY, NOBODY)) == (NOBODY, NOBODY, 0o640)


def test_only_files_and_when_handed_over_devices(tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    for handed_over in (True, False):
        began = time.monotonic()
        with pytest.raises(OSError, match=r"No such device or address|not a regular file"):
            opened(tree / "fifo", handed_over=handed_over)
        assert time.monotonic() - began < 10, "a FIFO that nobody reads must not hold us"
    assert stat.S_ISCHR(opened(Path("/dev/null")).st_mode)
    with pytest.raises(OSError, match="not a regular file"):
        opened(Path("/dev/null"), handed_over=False)
    with pytest.raises(IsADirectoryError):
        opened(tree)


def test_acting_as_a_user_ends_with_the_with() -> None:
    before = (os.getresuid(), os.getresgid(), os.getgroups())
    with AsUser(NOBODY, NOBODY):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (NOBODY, NOBODY, [NOBODY])
    with pytest.raises(FileNotFoundError), AsUser(NOBODY, -1):
        os.open("/nonexistent", os.O_RDONLY)
    with AsUser(-1, -1):
        assert os.geteuid() == 0
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before
    assert os.stat("/proc/self/environ").st_uid == 0
    assert Path("/proc/self/environ").read_bytes()


@pytest.mark.parametrize(
    ("group", "app_group", "safe"),
    [(0, -1, True), (4, -1, True), (4, 33, True), (4, 4, False), (100, -1, False), (1000, -1, False)],
)
def test_a_directory_of_a_system_group_is_as_good_as_roots(tree: Path, group: int, app_group: int, safe: bool) -> None:
    place = tree / "var-log"
    (place / "web").mkdir(parents=True)
    os.chown(place, 0, group)
    place.chmod(0o775)
    (place / "web.log").symlink_to(tree / "real")
    if safe:
        assert mode(opened(place / "web" / "log", NOBODY, app_group))[0] == NOBODY
        opened(place / "web.log", NOBODY, app_group)
        assert (tree / "real").exists()
    else:
        with pytest.raises(OSError, match=r"Permission denied"):
            opened(place / "web" / "log", NOBODY, app_group)
        with pytest.raises(OSError, match="Too many levels"):
            opened(place / "web.log", -1, app_group)


@pytest.mark.parametrize(
    ("bits", "owner", "how"),
    [(0o777, 0, "its mode is 777"), (0o757, 0, "its mode is 757"), (0o755, NOBODY, "it belongs to uid 65534")],
)
def test_root_writes_below_nothing_that_others_could_exchange(tree: Path, bits: int, owner: int, how: str) -> None:
    place = tree / "x"
    (place / "ok").mkdir(parents=True)
    place.chmod(bits)
    os.chown(place, owner, owner)
    path = place / "ok" / "web.log"
    words = f"{place} can be written by others ({how}), who could put another file in its place; set user, or choose"
    with pytest.raises(PermissionError, match=re.escape(words)):
        opened(path)
    assert refusal(str(path)).startswith(words)
    assert answer(("place", str(path))).startswith(f"will not do: {words}"), "gds check says so"
    place.chmod(0o1777)
    os.chown(place, 0, 0)
    assert refusal(str(path)) == answer(("place", str(path))) == ""
    assert mode(opened(path)) == (0, 0, 0o640)


@pytest.mark.parametrize(("bits", "owner"), [(0o777, 0), (0o755, NOBODY)])
def test_root_writes_a_file_of_its_own_into_a_directory_of_others(tree: Path, bits: int, owner: int) -> None:
    place = tree / "volume"
    place.mkdir()
    place.chmod(bits)
    os.chown(place, owner, owner)
    path = place / "web.log"
    assert refusal(str(path)) == ""
    assert mode(opened(path)) == (0, 0, 0o640)
    path.unlink()
    path.symlink_to(tree / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        opened(path)


def test_a_directory_of_somebodys_in_a_sticky_one_is_named(shared: Path) -> None:
    (shared / "theirs").mkdir()
    os.chown(shared / "theirs", NOBODY, NOBODY)
    with pytest.raises(PermissionError, match=re.escape(f"{shared} can be written by others (its mode is 1777)")):
        opened(shared / "theirs" / "web.log")


def test_of_what_is_not_there_no_refusal_is_known(tree: Path) -> None:
    assert refusal(str(tree / "none" / "web.log")) == ""
    assert answer(("place", str(tree / "none" / "web.log"))) == "does not exist"
    (tree / "loop").symlink_to(tree / "loop")
    assert refusal(str(tree / "loop" / "web.log")) == ""
