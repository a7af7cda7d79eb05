"""Registered types, and the verb: gds rt. Files are real, and so are two that register at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gds.cli import rt
from gds.cli.main import main
from gds.config.generictype import COMMENT, generic_type
from gds.config.registry import Registered, load_registry, look_up, matching, register
from gds.config.rtr import read_rtr
from gds.config.rtrwrite import write_rtr
from tests.unit.config.telling import write

SAMPLES = Path(__file__).parent / "samples"
WEB = 'Resource_type = web; Vendor_id = ACME; RT_version = "1.9"; Start = /bin/true; Stop = /bin/true;\n'
UPGRADE = "#$upgrade\n"


class Desk:
    """gds rt with a state directory of its own."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.state = directory / "state"
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> tuple[str, str]:
        """Output and talk of a call that has to end with `status`; the directory is left out."""
        assert rt.main([*words, "--state-dir", str(self.state)]) == status
        said = self._capsys.readouterr()
        return said.out.replace(f"{self.directory}/", ""), said.err.replace(f"{self.directory}/", "")

    def file(self, text: str, name: str = "web.rtr") -> str:
        """An RTR file that even root may trust."""
        return write(self.directory, text, name)

    def names(self) -> list[str]:
        """The registered types, the built-in one left out."""
        listed: list[dict[str, Any]] = json.loads(self("list", "--json")[0])["types"]
        return [each["name"] for each in listed if not each["built_in"]]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    os.chmod(tmp_path, 0o755)
    return Desk(tmp_path, capsys)


def test_a_type_is_registered_listed_shown_and_forgotten(desk: Desk) -> None:
    file = desk.file(WEB + UPGRADE)
    assert desk("register", file) == ("ACME.web:1.9: registered (web.rtr)\n", "")
    assert (desk.state / "rt" / "ACME.web:1.9").read_text() == WEB + UPGRADE
    assert (desk.state / "rt" / "ACME.web:1.9").stat().st_mode & 0o777 == 0o644
    assert os.listdir(desk.state / "rt") == ["ACME.web:1.9"]
    assert desk.names() == ["ACME.web:1.9"]
    out, _ = desk("list")
    assert out.splitlines()[0].split() == ["NAME", "VERSION", "METHODS", "PROPERTIES", "DESCRIPTION"]
    assert "ACME.web:1.9" in out
    for name in ("web", "acme.WEB", "web:1.9", "ACME.web:1.9"):
        assert desk("show", name)[0].startswith("ACME.web:1.9\n")
    assert desk("show", "web", "--rtr")[0] == WEB + UPGRADE
    out, _ = desk("unregister", "web")
    assert out == "ACME.web:1.9: unregistered; state/rt keeps it no longer\n"
    assert desk.names() == []


def test_the_same_content_again_is_fine_and_another_is_refused(desk: Desk) -> None:
    desk("register", desk.file(WEB))
    assert "is registered already, with this content" in desk("register", desk.file(WEB))[0]
    assert "already" in desk("register", desk.file("# another comment\n" + WEB))[0]
    other = desk.file(WEB.replace("Stop = /bin/true", "Stop = /bin/false"))
    assert desk("register", other, status=1)[1].startswith(
        "gds: cannot register ACME.web: another content is registered under this name; give it another RT_version"
    )
    assert (desk.state / "rt" / "ACME.web").read_text() == WEB
    desk("register", desk.file(WEB.replace("ACME", "acme").replace("/bin/true", "/bin/false")), status=1)
    assert os.listdir(desk.state / "rt") == ["ACME.web"]


def test_two_versions_stand_side_by_side_and_the_latest_is_meant(desk: Desk) -> None:
    desk("register", desk.file(WEB.replace("1.9", "1.10") + UPGRADE))
    desk("register", desk.file(WEB + UPGRADE))
    assert desk.names() == ["ACME.web:1.10", "ACME.web:1.9"]
    assert desk("show", "web")[0].startswith("ACME.web:1.10\n")
    out, err = desk("unregister", "web", status=2)
    assert (out, err) == ("", "gds: cannot unregister web: it may mean ACME.web:1.10, ACME.web:1.9; name one\n")
    desk("unregister", "web:1.10")
    assert desk("show", "web")[0].startswith("ACME.web:1.9\n")


def test_two_vendors_have_to_be_told_apart(desk: Desk) -> None:
    desk("register", desk.file(WEB), desk.file(WEB.replace("ACME", "SUNW"), "other.rtr"))
    err = desk("show", "web", status=4)[1]
    assert err == "gds: cannot show web: web may mean ACME.web or SUNW.web: name the vendor too\n"
    assert desk("show", "sunw.web")[0].startswith("SUNW.web")


def test_a_bad_file_is_told_line_by_line_and_nothing_is_registered(desk: Desk) -> None:
    bad = desk.file(WEB + "Failover = perhaps;\n{ PROPERTY = Wick; }\n", "bad.rtr")
    out, err = desk("register", desk.file(WEB), bad, status=78)
    assert out == (
        'bad.rtr:2:12: Failover: expected TRUE or FALSE, not "perhaps"\n'
        "bad.rtr:3:3: Wick: Sun's RGM defines no property of this name;"
        " one of the type's own is declared with EXTENSION and a type, such as INT\n"
    )
    assert err == "gds: cannot use bad.rtr: 2 errors\n"
    assert not (desk.state / "rt").exists()


def test_check_reads_only(desk: Desk) -> None:
    assert desk("check", desk.file(WEB))[0] == "web.rtr: type ACME.web, 0 declared properties, nothing wrong\n"
    assert not desk.state.exists()
    assert "1 error" in desk("check", desk.file(WEB), desk.file("", "empty.rtr"), status=78)[1]


def test_remarks_and_missing_programs_are_warnings(desk: Desk) -> None:
    text = WEB.replace("/bin/true;\n", "/no/such;\n") + "Monitor_start = /bin/true;"
    out, err = desk("register", desk.file(text))
    assert out.startswith("web.rtr:2:1: Monitor_start: warning: declared without Monitor_stop\n")
    assert err == "web.rtr: warning: no programs on this machine: Stop (/no/such)\n"
    assert desk.names() == ["ACME.web"]


ODD: list[tuple[str, bytes, str]] = [
    ("bytes that are not UTF-8", b"# a\n# \xff", "2:3: cannot read it: not UTF-8 (byte 0xff)"),
    (
        "a byte order mark",
        b"\xef\xbb\xbf" + WEB.encode(),
        "1:1: cannot read it: it begins with a byte order mark; save it as UTF-8 without a byte order mark",
    ),
    (
        "UTF-16",
        WEB.encode("utf-16"),
        "1:1: cannot read it: it begins with a byte order mark; save it as UTF-8",
    ),
    ("more than 1 MiB", b"#" * ((1 << 20) + 1), " cannot read it: longer than 1 MiB"),
    ("nothing", b"", '1:1: nothing is declared; expected Resource_type = "NAME"; first'),
]


@pytest.mark.parametrize(("content", "said"), [o[1:] for o in ODD], ids=[o[0] for o in ODD])
def test_odd_files(desk: Desk, content: bytes, said: str) -> None:
    file = write(desk.directory, content, "odd.rtr")
    assert desk("register", file, status=78)[0] == f"odd.rtr:{said}\n"


def test_files_that_are_none(desk: Desk) -> None:
    os.symlink("loop.rtr", desk.directory / "loop.rtr")
    os.mkdir(desk.directory / "dir")
    os.mkfifo(desk.directory / "fifo")
    for name, said in (
        ("loop.rtr", "Too many levels of symbolic links"),
        ("none.rtr", "No such file or directory"),
        ("dir", "a directory where a file is expected"),
        ("fifo", "not a regular file"),
        ("a\0b", "not the name of a file"),
    ):
        out, _ = desk("register", str(desk.directory / name), status=78)
        assert out.endswith(f"cannot read it: {said}\n")


def test_windows_line_ends_are_line_ends(desk: Desk) -> None:
    desk("register", desk.file(WEB.replace(";", ";\r\n")))
    assert desk.names() == ["ACME.web"]


@pytest.mark.parametrize("name", ["gds", "SUNW.gds", "LogicalHostname", "SUNW.LogicalHostname"])
def test_what_is_built_in_cannot_be_taken(desk: Desk, name: str) -> None:
    vendor, _, base = name.rpartition(".")
    text = WEB.replace("= web", f"= {base}").replace("Vendor_id = ACME;", f"Vendor_id = {vendor};" if vendor else "")
    err = desk("register", desk.file(text), status=1)[1]
    assert err == f"gds: cannot register {name}: a type that is built into gds has this name\n"


def test_the_generic_type_is_always_there(desk: Desk) -> None:
    for name in ("gds", "GDS", "SUNW.gds", f"gds:{generic_type().rt_version}"):
        assert desk("show", name)[0].startswith("gds   Generic data service")
    text = desk("show", "gds", "--rtr")[0]
    assert text == write_rtr(generic_type(), COMMENT)
    assert desk("check", desk.file(text))[0].startswith("web.rtr: type gds, ")
    assert desk("unregister", "gds", status=1)[1] == "gds: cannot unregister gds: it is built into gds\n"


def test_show_tells_methods_properties_and_upgrades(desk: Desk) -> None:
    desk("register", str(SAMPLES / "lamp.rtr"))
    out, _ = desk("show", "lamp")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "ACME.lamp:2.1 A light that somebody keeps burning, day and night"
    assert 'upgrade from "1.1" WHEN_OFFLINE' in lines
    assert "Start /opt/acme/lamp/bin/lamp_light" in lines
    assert "Wick STRING - AT_CREATION 1..16 characters type" in lines
    assert "Brightness INT per node 50 ANYTIME 0..100 type" in lines
    assert "Start_timeout INT 60 ANYTIME 5.. Sun, declared" in lines
    assert "Update_timeout INT 3600 ANYTIME 1.. Sun" in lines
    assert "Rooms STRINGARRAY hall,stairs WHEN_DISABLED ..8 characters; 1..3 elements type" in lines


def test_show_as_json(desk: Desk) -> None:
    desk("register", str(SAMPLES / "lamp.rtr"))
    made = json.loads(desk("show", "lamp", "--json")[0])
    assert (made["schema"], made["name"], made["rt_version"], made["built_in"]) == (1, "ACME.lamp:2.1", "2.1", False)
    assert made["methods"]["Stop"] == "/usr/libexec/acme/lamp snuff"
    assert made["upgrades"][0] == {"from_version": "1.0", "when": "WHEN_UNMANAGED"}
    wick = next(each for each in made["properties"] if each["name"] == "Wick")
    assert (wick["type"], wick["default"], wick["max_length"], wick["declared"]) == ("STRING", None, 16, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "cannot guess what to do with types: say register, list, show, check or unregister"),
        (["regster", "x"], "cannot use gds rt regster: there is no such action; did you mean register?"),
        (["xyzzy"], "cannot use gds rt xyzzy: there is no such action"),
        (["register"], "cannot register: name RTR files"),
        (["check"], "cannot check: name RTR files"),
        (["unregister"], "cannot unregister: name types"),
        (["show"], "cannot show: name one type"),
        (["show", "a", "b"], "cannot show: name one type"),
        (["list", "a"], "cannot list one type: `gds rt show NAME` does"),
        (["list", "--rtr"], "cannot use --rtr here: only `gds rt show` has it"),
        (["show", "a", "--rtr", "--json"], "cannot use --json here: only `gds rt list` and `gds rt show` have it"),
        (["list", "--jsn"], "cannot use --jsn: there is no such option; did you mean --json?"),
    ],
)
def test_usage(desk: Desk, words: list[str], said: str) -> None:
    out, err = desk(*words, status=2)
    assert out == ""
    assert err.splitlines()[0] == f"gds: {said}"
    assert "usage: gds rt register FILE..." in err


def test_an_empty_state_directory_is_no_directory(capsys: pytest.CaptureFixture[str]) -> None:
    for given in ("", "a\0b"):
        assert rt.main(["list", "--state-dir", given]) == 2
        assert capsys.readouterr().err.startswith("gds: cannot use --state-dir: expected the path of a directory")


def test_a_type_that_nobody_knows(desk: Desk) -> None:
    for action in ("show", "unregister"):
        err = desk(action, "web", status=4)[1]
        assert err == f"gds: cannot {action} web: no type web is registered (registered: LogicalHostname, gds)\n"


def test_a_damaged_registry_is_told_and_the_rest_is_used(desk: Desk) -> None:
    desk("register", desk.file(WEB))
    write(desk.state / "rt", WEB + "Failover = perhaps;\n", "ACME.bad")
    write(desk.state / "rt", WEB, "ACME.wrong")
    out, err = desk("list", status=78)
    assert "ACME.web" in out
    assert err.splitlines() == [
        'state/rt/ACME.bad:2:12: Failover: expected TRUE or FALSE, not "perhaps"',
        "state/rt/ACME.wrong: cannot use it: it describes ACME.web, and a registered file is named as its type",
    ]
    assert desk("show", "web")[1].splitlines() == err.splitlines()
    assert desk("unregister", "ACME.bad")[0] == "ACME.bad: the damaged file state/rt/ACME.bad is removed\n"
    desk("unregister", "ACME.wrong")
    assert desk("list")[1] == ""


def test_a_damaged_file_is_not_overwritten(desk: Desk) -> None:
    os.makedirs(desk.state / "rt")
    write(desk.state / "rt", "rubbish", "ACME.web")
    err = desk("register", desk.file(WEB), status=1)[1]
    assert err == (
        "gds: cannot register ACME.web: state/rt/ACME.web is there and is no RTR file of this type; `gds rt"
        " unregister ACME.web` removes it\n"
    )
    assert (desk.state / "rt" / "ACME.web").read_text() == "rubbish"
    assert os.listdir(desk.state / "rt") == ["ACME.web"]


def test_a_state_directory_that_is_a_file(desk: Desk) -> None:
    desk.state.write_text("")
    assert "cannot list the directory: Not a directory" in desk("list", status=78)[1]
    assert desk("register", desk.file(WEB), status=1)[1].startswith("gds: cannot use state: File exists")


def test_the_state_directory_comes_from_the_settings(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    settings = write(tmp_path, f'[runner]\nstate_dir = "{tmp_path}/from-file"\n', "gds.toml")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GDS_CONFIG": settings}
    file = write(tmp_path, WEB, "web.rtr")

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gds", "rt", "register", file]
        return subprocess.run(command, env=env | more, capture_output=True, text=True, check=False, timeout=60)

    assert run().returncode == 0
    assert (tmp_path / "from-file" / "rt" / "ACME.web").exists()
    assert run(GDS_STATE_DIR=f"{tmp_path}/from-env").returncode == 0
    assert (tmp_path / "from-env" / "rt" / "ACME.web").exists()
    write(tmp_path, "[runner]\nstate_dri = 1\n", "gds.toml")
    bad = run()
    assert bad.returncode == 78
    assert "state_dri" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_only_one_of_many_that_register_at_once_wins(tmp_path: Path) -> None:
    """Twelve processes, four contents, one name: one content is kept whole; its three bearers end with 0."""
    os.chmod(tmp_path, 0o755)
    files = [write(tmp_path, WEB + f"API_version = {n};\n", f"{n}.rtr") for n in (1, 2, 3, 4)]
    state = str(tmp_path / "state")
    started = [
        (n % 4, subprocess.Popen([sys.executable, "-m", "gds", "rt", "register", files[n % 4], "--state-dir", state]))
        for n in range(12)
    ]
    ends = [(content, process.wait(60)) for content, process in started]
    kept = (tmp_path / "state" / "rt" / "ACME.web").read_text()
    assert os.listdir(tmp_path / "state" / "rt") == ["ACME.web"]
    winner = [Path(file).read_text() for file in files].index(kept)
    assert ends == [(content, 0 if content == winner else 1) for content, _ in ends]


def test_the_registry_without_the_verb(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    text = (SAMPLES / "lamp.rtr").read_text()
    kind = read_rtr(text, "lamp.rtr").type
    assert kind is not None
    assert register(kind, text, str(tmp_path), os.geteuid())
    assert not register(kind, text, str(tmp_path), os.geteuid())
    registry = load_registry(str(tmp_path), os.geteuid())
    found = look_up(registry, "lamp")
    assert isinstance(found, Registered)
    assert found.type == kind
    assert found.text == text
    assert matching(registry, "acme.lamp") == (found,)
    assert matching(registry, "acme.lamp:2.2") == ()


def test_gds_rt_is_a_verb(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rt", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: gds rt register FILE...")
    assert main(["rt", "list", "--state-dir", str(desk.state)]) == 0
    assert "gds" in capsys.readouterr().out


def test_what_cannot_be_written_is_told(desk: Desk) -> None:
    command = [sys.executable, "-m", "gds", "rt", "list", "--state-dir", str(desk.state)]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert "Traceback" not in ran.stderr
    assert ran.returncode != 0
