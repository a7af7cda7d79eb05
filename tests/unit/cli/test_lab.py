"""gds lab without a lab: what is typed, what is refused, names and numbers, the record, the example."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gds.cli import lab as cli
from gds.config.compiler import answer
from gds.lab import deeds, example, members, network, place, records, seen
from gds.lab.place import CLIENT, Lab, LabFault

Said = pytest.CaptureFixture[str]
LAB = Lab("/run/gds-lab", ("n1", "n2", "n3"), "/cg/gdslab", net="192.0.2.0/24", ports=((2379, 2380),) * 3)
PLAIN = Lab("/tmp/x", ("a", "b"), "/cg/x", plain_because="not root", ports=((1001, 1002), (1003, 1004)))


def refused(capsys: Said, *argv: str) -> tuple[int, str]:
    """Exit status and what stands on stderr; nothing on stdout."""
    code = cli.main(list(argv))
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        ((), "usage: gds lab up"),
        (("partiton",), "did you mean partition?"),
        (("up", "--nodes", "0"), "1 to 9 nodes"),
        (("up", "--nodes", "10"), "1 to 9 nodes"),
        (("up", "--nodes", "a,a,b"), "a: it is there twice"),
        (("up", "--nodes", "a,client"), "another use for this name"),
        (("up", "--nodes", "a,b c"), "letters, digits"),
        (("up", "--lifetime", "3"), "make lifetime at least 4.9"),
        (("up", "--net", "192.0.2.0/28"), "/8 to /24"),
        (("up", "--net", "192.0.2.1/24"), "has host bits set"),
        (("kill",), "no node is given"),
        (("start", "n1", "n2"), "n2 is one word too many"),
        (("exec", "n1"), "name a node (or client) and a command"),
        (("status", "--jsn"), "did you mean --json?"),
    ],
)
def test_what_is_typed_wrong(capsys: Said, tmp_path: Path, argv: tuple[str, ...], word: str) -> None:
    where = ["--dir", str(tmp_path / "lab")] if argv[:1] == ("up",) else []
    code, err = refused(capsys, *argv, *where)
    assert code == 2
    assert err.startswith("gds: cannot ")
    assert word in err
    assert not (tmp_path / "lab").exists()


def test_help(capsys: Said) -> None:
    assert cli.main(["--help"]) == 0
    assert cli.main(["kill", "-h"]) == 0
    assert capsys.readouterr().out.count("usage: gds lab up") == 2


@pytest.mark.parametrize(
    "argv", [("status",), ("kill", "n1"), ("exec", "n1", "true"), ("heal",), ("logs", "n1"), ("pause", "n1")]
)
def test_without_a_lab(capsys: Said, tmp_path: Path, argv: tuple[str, ...]) -> None:
    code, err = refused(capsys, argv[0], "--dir", str(tmp_path), *argv[1:])
    assert (code, err) == (
        4,
        f"gds: cannot find a lab in {tmp_path}: gds lab up makes one (--dir: in another place)\n",
    )


def test_down_without_a_lab_is_no_fault(capsys: Said, tmp_path: Path) -> None:
    assert cli.main(["down", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no lab is in {tmp_path}\n"
    assert tmp_path.exists()


def test_a_directory_that_is_not_empty_is_left_alone(capsys: Said, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    code, err = refused(capsys, "up", "--dir", str(tmp_path))
    assert (code, err) == (1, f"gds: cannot use {tmp_path} for a lab: it is not empty\n")
    assert os.listdir(tmp_path) == ["mine"]


def test_a_lab_of_somebody_else_is_not_believed(capsys: Said, tmp_path: Path) -> None:
    other = "/"
    if os.geteuid() == 0:
        other = str(tmp_path)
        os.chown(other, 65534, 65534)
    code, err = refused(capsys, "down", "--dir", other)
    assert code == 77
    assert f"gds: cannot trust {other}: it belongs to uid" in err


def test_etcd_that_is_not_there_or_is_none(capsys: Said, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_text("#!/bin/sh\necho hello\n")
    odd.chmod(0o755)
    lossy = tmp_path / "lossy"
    lossy.write_text("#!/bin/sh\necho etcd Version: 3.5.1\n")
    lossy.chmod(0o755)
    where = ("--dir", str(tmp_path / "lab"), "--etcd")
    assert "cannot run /nowhere/etcd" in refused(capsys, "up", *where, "/nowhere/etcd")[1]
    assert "does not tell its version as etcd does" in refused(capsys, "up", *where, str(odd))[1]
    assert "can lose what it was told" in refused(capsys, "up", *where, str(lossy))[1]
    done = subprocess.run(
        [sys.executable, "-m", "gds", "lab", "up", "--dir", str(tmp_path / "lab")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "install the package etcd-server" in done.stderr


def test_descriptors_that_are_wrong_or_for_other_nodes(capsys: Said, tmp_path: Path) -> None:
    fake = tmp_path / "etcd"
    fake.write_text("#!/bin/sh\necho etcd Version: 3.5.16\n")
    fake.chmod(0o755)
    file = tmp_path / "web.toml"
    argv = ("up", "--dir", str(tmp_path / "lab"), "--etcd", str(fake), str(file))
    file.write_text('[resource.web]\nstart_comand = ["/bin/true"]\n')
    code, err = refused(capsys, *argv)
    assert code == 78
    assert "did you mean start_command?" in err
    file.write_text(
        '[group.web]\nnodelist = ["alpha", "beta"]\n[resource.web]\ngroup = "web"\nstart_command = ["/bin/true"]\n'
    )
    code, err = refused(capsys, *argv)
    assert code == 78
    assert "its nodelist is alpha, beta; use --nodes alpha,beta" in err
    assert not (tmp_path / "lab").exists()


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    made = PLAIN.replace(directory=str(tmp_path), paths=("/etc/a.toml",), cwd="/srv")
    place.write(made)
    assert place.read(str(tmp_path)) == made
    with pytest.raises(LabFault, match="one is there"):
        place.write(made)
    with pytest.raises(LabFault, match="one is there"):
        place.look(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 1}', '{"schema": 2, "nodes": []}', '"x"'])
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.json").write_text(text)
    with pytest.raises(LabFault, match="cannot ") as caught:
        place.read(str(tmp_path))
    assert caught.value.code == 1


def test_names_and_addresses() -> None:
    assert [LAB.address(node) for node in (*LAB.nodes, CLIENT)] == [f"192.0.2.{n}" for n in (101, 102, 103, 250)]
    assert LAB.floating() == "192.0.2.10"
    assert LAB.namespace("n1") == "gdslab-n1"
    assert PLAIN.namespace("a").startswith("gdslab9")
    assert not PLAIN.namespace("a").startswith("gdslab-")  # whatever its nodes are called
    assert PLAIN.namespace("a") != PLAIN.replace(directory="/tmp/y").namespace("a")
    assert PLAIN.url("b") == "http://127.0.0.1:1003"
    assert all(len(LAB.port_of_switch(node)) <= 15 for node in (*LAB.nodes, CLIENT))
    with pytest.raises(LabFault, match="cannot find node n9; there are n1, n2, n3"):
        LAB.known("n9")


def test_plain_directories_refuse_what_needs_a_network() -> None:
    with pytest.raises(LabFault, match=r"cannot partition: the nodes of this lab share .*\(not root\)"):
        deeds.partition(PLAIN, ["a"])
    with pytest.raises(LabFault, match="cannot heal"):
        deeds.heal(PLAIN, "")
    network.enter(PLAIN, "a")  # where we are already


def test_where_it_is() -> None:
    assert place.default_directory({}, 0) == "/run/gds-lab"
    assert place.default_directory({"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == "/run/user/7/gds-lab"
    assert place.default_directory({"XDG_RUNTIME_DIR": "odd"}, 7) == "/tmp/gds-lab-7"


@pytest.mark.parametrize("lab", [LAB, PLAIN])
def test_the_example_is_a_sound_descriptor(lab: Lab, tmp_path: Path) -> None:
    lab = lab.replace(page=example.page(lab, 8123))
    path = tmp_path / "example.toml"
    path.write_text(example.descriptor(lab))
    found = answer({"paths": [str(path)]}, {})
    assert (found["errors"], found["warnings"]) == ([], [])
    assert lab.page in path.read_text()
    assert ("LogicalHostname" in path.read_text()) is bool(lab.net)


def test_a_member_knows_all_members() -> None:
    argv = [word for word in members.command(PLAIN, "b") if word != "--pre-vote"]
    told = dict(zip(argv[1::2], argv[2::2], strict=True))
    assert told["--name"] == "b"
    assert told["--initial-cluster"] == "a=http://127.0.0.1:1002,b=http://127.0.0.1:1004"
    assert told["--listen-client-urls"] == told["--advertise-client-urls"] == "http://127.0.0.1:1003"
    assert told["--data-dir"] == "/tmp/x/b/etcd"


def test_nothing_leads_a_node_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from gds.lab.members import environment; print(*sorted(environment()))"],
        env={"PATH": "/bin", "GDS_ENGINE": "x", "ETCD_NAME": "x", "https_proxy": "x", "HTTP_PROXY": "x", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) - {"LC_CTYPE", "ETCD_UNSUPPORTED_ARCH"} == {"PATH", "TZ"}


def test_a_number_that_another_process_got_is_not_ours(tmp_path: Path) -> None:
    path = str(tmp_path / "x.pid")
    assert records.recorded(path) == 0
    child = subprocess.Popen(["sleep", "100"])
    try:
        records.record(path, child.pid)
        assert records.recorded(path) == child.pid
        pid, start = Path(path).read_text().split()
        Path(path).write_text(f"{pid} {int(start) + 1}\n")
        assert records.recorded(path) == 0
        assert records.signal(path, signal.SIGKILL) == 0
        assert child.poll() is None
        records.record(path, child.pid)
        assert records.signal(path, signal.SIGSTOP) == child.pid
        assert records.wait(lambda: records.stopped(child.pid), 30)
    finally:
        child.kill()
        child.wait()
    assert records.recorded(path) == 0
    records.record(path, child.pid)
    assert not records.stopped(child.pid)


def test_the_table_says_who_is_cut_off_from_whom() -> None:
    def node(name: str, power: str, pid: int, cut: list[str]) -> dict[str, object]:
        part = {"pid": pid, "state": "up" if pid else "down"}
        return {
            "node": name, "power": power, "address": "192.0.2.1", "runner": part, "etcd": part, "cut_off_from": cut,
        }  # fmt: skip

    nodes = [node("n1", "on", 7, []), node("n2", "on", 8, ["client", "n1"]), node("n3", "on", 9, ["n2"])]
    lines = seen.table({"network": "192.0.2.0/24", "nodes": [*nodes, node("n4", "off", 0, ["n2"])]})
    assert [line.split(None, 4)[-1].split(None, 1)[-1] for line in lines[1:4]] == [
        "(7)  192.0.2.1",
        "(8)  192.0.2.1, cut off",
        "(9)  192.0.2.1, cut off from n2",
    ]
    assert lines[4].split() == ["n4", "off", "-", "-", "-"]


def test_a_lab_in_plain_directories_as_it_is_told(tmp_path: Path) -> None:
    lab = PLAIN.replace(directory=str(tmp_path))
    facts = seen.document(lab)
    assert json.loads(json.dumps(facts)) == facts
    assert [each["power"] for each in facts["nodes"]] == ["off", "off"]
    assert facts["status"] is None
    assert seen.missing(lab) == "the runner of a does not answer"
