"""What a runner kept of this boot is believed as far as it is as it was written, and no further."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gds.linux import clock
from gds.linux.journal import Log
from gds.linux.kept import Memory

WEB = {"resource": "web", "incarnation": 3, "life": "ONLINE", "wanted": True, "because": "said \u201eso\u201c"}
DOWN = {"resource": "db", "incarnation": 1, "life": "OFFLINE", "wanted": False}


def memory(where: Path) -> Memory:
    return Memory(str(where), Log(), lambda _again: None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """As a runner left it that was killed."""
    before = memory(tmp_path)
    before.begin()
    before.note({**WEB, "life": "STARTING"})
    before.note(WEB)
    before.note(DOWN)
    return tmp_path / "state.log"


def kept(found: dict[str, object]) -> dict[str, object]:
    """Without the checksums."""
    return {name: {k: v for k, v in dict(each).items() if k != "sum"} for name, each in found.items()}  # type: ignore[call-overload]


def test_what_is_whole_is_believed(state: Path) -> None:
    after = memory(state.parent)

    assert kept(after.recall()) == {"web": WEB, "db": DOWN}  # type: ignore[arg-type]
    assert (after.damage, after.is_torn, after.is_of_this_boot) == ("", False, True)
    assert all(json.loads(line)["sum"] for line in state.read_text().splitlines()), "as any reader of JSON sees it"


def test_a_torn_last_line_is_ordinary(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-20])
    after = memory(state.parent)

    assert kept(after.recall()) == {"web": WEB}  # type: ignore[arg-type]
    assert (after.damage, after.is_torn) == ("", True)


def test_a_last_line_that_lacks_its_end_alone_is_whole(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-1])
    after = memory(state.parent)

    assert kept(after.recall()) == {"web": WEB, "db": DOWN}  # type: ignore[arg-type]
    assert (after.damage, after.is_torn) == ("", False)


def test_one_letter_changed_is_damage_though_it_still_reads_well(state: Path) -> None:
    state.write_text(state.read_text().replace('"wanted": false', '"wanted": 12345'))
    after = memory(state.parent)

    assert kept(after.recall()) == {"web": WEB}  # type: ignore[arg-type]
    assert after.damage == f"{state} is damaged: 1 of its 4 lines; what can be read of it is used"


def test_a_damaged_beginning_takes_nothing_with_it(state: Path) -> None:
    data = bytearray(state.read_bytes())
    data[0:20] = b"\xff" * 20
    state.write_bytes(data)
    after = memory(state.parent)

    assert after.is_of_this_boot, "the sums of the other lines say so"
    assert kept(after.recall()) == {"web": WEB, "db": DOWN}  # type: ignore[arg-type]
    assert "is damaged: 1 of its 4 lines" in after.damage


@pytest.mark.parametrize(("left", "what"), [(b"", "it is empty"), (b'{"boot', "it has no whole line")])
def test_nothing_left_is_damage(state: Path, left: bytes, what: str) -> None:
    state.write_bytes(left)
    after = memory(state.parent)

    assert after.recall() == {}
    assert after.damage == f"{state} is damaged: {what}"
    assert not after.is_of_this_boot


def test_what_cannot_be_read_is_damage(tmp_path: Path) -> None:
    (tmp_path / "state.log").mkdir()
    after = memory(tmp_path)

    assert after.recall() == {}
    assert after.damage == f"cannot read {tmp_path}/state.log: Is a directory; nothing of it is known"


def test_none_is_none(tmp_path: Path) -> None:
    after = memory(tmp_path)

    assert after.recall() == {}
    assert (after.damage, after.is_torn, after.is_of_this_boot) == ("", False, False)


def test_another_boots_is_not_ours_and_no_damage(state: Path) -> None:
    text = state.read_text().replace(clock.boot_id(), "0" * 36)
    state.write_text(re.sub('"sum": "........"', '"sum": "01234567"', text))  # of which a boot is a part
    after = memory(state.parent)

    assert after.recall() == {}
    assert (after.damage, after.is_of_this_boot) == ("", False)


def test_that_of_a_runner_before_checksums_is_believed(tmp_path: Path) -> None:
    lines = [{"boot": clock.boot_id()}, WEB]
    (tmp_path / "state.log").write_text("".join([json.dumps(line) + "\n" for line in lines]) + "{")
    after = memory(tmp_path)

    assert after.recall() == {"web": WEB}
    assert (after.damage, after.is_torn, after.is_of_this_boot) == ("", True, True)
