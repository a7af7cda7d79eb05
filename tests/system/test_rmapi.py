"""The RMAPI commands against a real runner, and a sample service of shell scripts as it was written for Sun Cluster."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.system.running import RUNGS, Running, eventually, write

TOP = Path(__file__).resolve().parents[2]
CALL = "import sys; from gds.cli.scha import run; sys.exit(run(sys.argv[1], sys.argv[2:]))"


def commands(where: Path) -> Path:
    """A directory with every command that is installed with gds."""
    scripts: dict[str, str] = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["scripts"]
    where.mkdir()
    for name, target in scripts.items():
        module, _, function = target.partition(":")
        script = where / name
        script.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        script.chmod(0o755)
    return where


def with_commands(tmp_path: Path) -> dict[str, str]:
    """The environment of a runner whose methods find the commands."""
    return {"PATH": f"{commands(tmp_path / 'bin')}:{os.environ['PATH']}"}


def scha(runner: Running, program: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """One RMAPI command, asking that runner."""
    env = {**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime)}
    env.pop("GDS_SOCKET", None)
    return subprocess.run(
        [sys.executable, "-c", CALL, program, *words],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
        **more,
    )


def get(runner: Running, resource: str, optag: str, *args: str) -> list[str]:
    """scha_resource_get, which must succeed; its lines."""
    asked = scha(runner, "scha_resource_get", "-O", optag, "-R", resource, *args)
    assert asked.returncode == 0, asked.stderr
    assert asked.stderr == ""
    return asked.stdout.splitlines()


def control(runner: Running, optag: str, resource: str, group: str) -> int:
    """scha_control's exit status."""
    return scha(runner, "scha_control", "-O", optag, "-R", resource, "-G", group).returncode


SHOP = """
[group.shop]
description = "everything of the shop"
[resource.db]
group = "shop"
start_command = "exec sleep 1000"
port_list = ["5432/udp", "5433/udp"]
retry_count = 7
retry_interval = "10m"
description = "the data"
stop_signal = "SIGINT"
[resource.web]
group = "shop"
start_command = ["sleep", "1001"]
resource_dependencies = ["db{LOCAL_NODE}"]
failover_mode = "RESTART_ONLY"
retry_count = 2
"""

ANSWERS = [
    ("scha_resource_get -O RETRY_COUNT -R db -G shop", ["7"]),
    ("scha_resource_get -O Retry_Interval -R db", ["600"]),
    ("scha_resource_get -O r_description -R db", ["the data"]),
    ("scha_resource_get -O PORT_LIST -R db", ["5432/udp", "5433/udp"]),
    ("scha_resource_get -O port_list -R web", []),
    ("scha_resource_get -O FAILOVER_MODE -R web", ["RESTART_ONLY"]),
    ("scha_resource_get -O START_TIMEOUT -R web", ["300"]),
    ("scha_resource_get -O EXTENSION -R db Start_command", ["STRING", "exec sleep 1000"]),
    ("scha_resource_get -O extension -R db PROBE_TIMEOUT", ["INT", "30"]),
    ("scha_resource_get -O EXTENSION -R db Stop_signal", ["INT", "2"]),
    ("scha_resource_get -O EXTENSION -R db Network_aware", ["BOOLEAN", "TRUE"]),
    ("scha_resource_get -O EXTENSION -R db Log_level", ["ENUM", "NONE"]),
    ("scha_resource_get -O EXTENSION_NODE -R db Log_level n1", ["ENUM", "NONE"]),
    ("scha_resource_get -O RESOURCE_DEPENDENCIES -R web", ["db"]),
    ("scha_resource_get -Q -O RESOURCE_DEPENDENCIES -R web", ["db{LOCAL_NODE}"]),
    ("scha_resource_get -O RESOURCE_DEPENDENCIES_WEAK -R web", []),
    ("scha_resource_get -O GROUP -R web", ["shop"]),
    ("scha_resource_get -O TYPE -R web", ["gds"]),
    ("scha_resource_get -O RESOURCE_STATE -R web", ["ONLINE"]),
    ("scha_resource_get -O RESOURCE_STATE_NODE -R web n1", ["ONLINE"]),
    ("scha_resource_get -O STATUS -R web", ["OK", ""]),
    ("scha_resource_get -O STATUS_NODE -R web 1", ["OK", ""]),
    ("scha_resource_get -O ON_OFF_SWITCH -R web", ["ENABLED"]),
    ("scha_resource_get -O MONITORED_SWITCH -R web", ["ENABLED"]),
    ("scha_resource_get -O NUM_RESOURCE_RESTARTS -R web", ["0"]),
    ("scha_resource_get -O NUM_RG_RESTARTS -R web", ["0"]),
    ("scha_resource_get -O FAILOVER -R web", ["FALSE"]),
    ("scha_resourcegroup_get -O RG_STATE -G shop", ["ONLINE"]),
    ("scha_resourcegroup_get -O RG_STATE_NODE -G shop n1", ["ONLINE"]),
    ("scha_resourcegroup_get -O RESOURCE_LIST -G shop", ["db", "web"]),
    ("scha_resourcegroup_get -O NODELIST -G shop", ["n1"]),
    ("scha_resourcegroup_get -O PINGPONG_INTERVAL -G shop", ["3600"]),
    ("scha_resourcegroup_get -O RG_DESCRIPTION -G shop", ["everything of the shop"]),
    ("scha_resourcegroup_get -O IMPL_NET_DEPEND -G shop", ["TRUE"]),
    ("scha_resourcegroup_get -O RG_MODE -G shop", ["FAILOVER"]),
    ("scha_resourcegroup_get -O SUSPEND_AUTOMATIC_RECOVERY -G shop", ["FALSE"]),
    ("scha_resourcegroup_get -O RG_DEPENDENCIES -G shop", []),
    ("scha_resourcegroup_get -O GLOBAL_RESOURCES_USED -G shop", ["*"]),
    ("scha_resourcegroup_get -O PRIORITY -G shop", ["500"]),
    ("scha_resourcegroup_get -O load_factors -G shop", []),
    ("scha_resourcegroup_get -O RG_SLM_TYPE -G shop", ["manual"]),
    ("scha_resourcegroup_get -O RG_NAME -G shop", ["shop"]),
    ("scha_resourcetype_get -O IS_LOGICAL_HOSTNAME -T LogicalHostname", ["TRUE"]),
    ("scha_resourcetype_get -O SINGLE_INSTANCE -T SUNW.gds", ["FALSE"]),
    ("scha_resourcetype_get -O RESOURCE_LIST -T gds", ["db", "web", "other"]),
    ("scha_cluster_get -O ALL_RESOURCEGROUPS", ["shop", "other"]),
    ("scha_cluster_get -O all_resourcetypes", ["gds", "LogicalHostname"]),
    ("scha_cluster_get -O NODENAME_LOCAL", ["n1"]),
    ("scha_cluster_get -O NODEID_NODENAME n1", ["1"]),
    ("scha_cluster_get -O NODENAME_NODEID 1", ["n1"]),
    ("scha_cluster_get -O NODESTATE_NODE n1", ["UP"]),
    ("scha_cluster_get -O SYSLOG_FACILITY", ["24"]),
    ("scha_cluster_get -O ALL_NONGLOBAL_ZONES", []),
    ("scha_cluster_get -O ZONE_LOCAL -Z global", ["global"]),
]

REFUSED = [
    ("scha_resource_get -O NONSENSE -R web", 4, "there is no optag NONSENSE"),
    ("scha_resource_get -O AFFINITY_TIMEOUT -R web", 15, "has no property AFFINITY_TIMEOUT"),
    ("scha_resource_get -O START_COMMAND -R web", 15, "-O EXTENSION"),
    ("scha_resource_get -O EXTENSION -R web Retry_count", 15, "by its own optag"),
    ("scha_resource_get -O EXTENSION -R web", 3, "the name of a property"),
    ("scha_resource_get -O EXTENSION_NODE -R web Log_level", 3, "a node"),
    ("scha_resource_get -O STATUS_NODE -R web n9", 11, "there is no node n9"),
    ("scha_resource_get -O STATUS -R wbe", 14, "no resource is called wbe"),
    ("scha_resource_get -O STATUS -R web -G shoppe", 12, "no group is called shoppe"),
    ("scha_resource_get -O STATUS -R web -G other", 14, "not in group other but in shop"),
    ("scha_resource_get -O STATUS", 3, "without -R"),
    ("scha_resourcegroup_get -O RG_STATE -G nix", 12, "no group is called nix"),
    ("scha_resource_get -O STATUS -R web extra", 3, "the optag wants no argument, and extra is given"),
    ("scha_resourcegroup_get -O RG_STATE -G shop n1", 3, "the optag wants no argument, and n1 is given"),
    ("scha_resourcegroup_get -O STATUS -G shop", 4, "there is no optag STATUS for a group"),
    ("scha_resourcetype_get -O START -T nfs", 13, "no type is called nfs"),
    ("scha_resourcetype_get -O STATUS -T gds", 4, "for a type"),
    ("scha_cluster_get -O NODENAME_NODEID 2", 11, "no node id 2"),
    ("scha_cluster_get -O NIX", 4, "for the cluster"),
    ("scha_cluster_get -O ZONE_LOCAL -Z blue", 3, "zone blue"),
    ("scha_resource_setstatus -R web -G shop -s GOOD", 17, "no status 'GOOD'"),
    ("scha_resource_setstatus -R wbe -G shop -s OK", 14, "no resource is called wbe"),
    ("scha_control -O NONSENSE -R web -G shop", 4, "there is no optag NONSENSE"),
    ("scha_control -O GIVEOVER -R web -G shop", 16, "failover_mode is RESTART_ONLY"),
    ("scha_control -O GIVEOVER -R db -G shop", 16, "no other node"),
    ("scha_control -O check_giveover -R db -G shop", 16, "no other node"),
    ("scha_control -O RESTART -R web -G shop", 16, "failover_mode is RESTART_ONLY"),
    ("scha_control -O RESOURCE_DISABLE -R db -G shop", 8, "web cannot be without it"),
    ("scha_control -O IGNORE_FAILED_START -R db -G shop", 3, "neither Start nor Prenet_start"),
    ("scha_control -O CHANGE_STATE_ONLINE -R db -G shop", 13, "no proxy"),
    ("scha_control -O RESTART -R other -G other", 9, "it is disabled"),
]


def test_every_question_and_every_refusal(tmp_path: Path) -> None:
    other = '[resource.other]\nenabled = false\nstart_command = "sleep 1000"\n'
    files = (write(tmp_path / "a.toml", SHOP), write(tmp_path / "b.toml", other))
    with Running(tmp_path, *files, options=("--node", "n1")) as runner:
        runner.until("web", state="ONLINE")
        incarnation = runner.resource("web")["incarnation"]
        for line, expected in ANSWERS:
            asked = scha(runner, *line.split())
            assert (line, asked.returncode, asked.stderr) == (line, 0, "")
            assert (line, asked.stdout.splitlines()) == (line, expected)
        for line, code, said in REFUSED:
            asked = scha(runner, *line.split())
            assert (line, asked.returncode, asked.stdout) == (line, code, ""), asked.stderr
            assert asked.stderr.startswith(f"{line.split()[0]}: cannot "), asked.stderr
            assert said in asked.stderr, (line, asked.stderr)
        after = runner.resource("web")
        assert (after["incarnation"], after["state"]) == (incarnation, "ONLINE")
        assert (runner.resource("other")["state"], after["status"]) == ("OFFLINE", "OK")


def test_restarts_are_done_counted_and_limited(tmp_path: Path) -> None:
    """RESTART_ONLY: two restarts in the window, then refused; a giveover forgets them even when it is refused."""
    with Running(tmp_path, write(tmp_path / "a.toml", SHOP)) as runner:
        runner.until("web", state="ONLINE")
        before = runner.resource("web")
        db = runner.resource("db")
        assert control(runner, "resource_restart", "web", "shop") == 0
        after = runner.resource("web")
        assert (after["state"], after["incarnation"]) == ("ONLINE", before["incarnation"] + 1)
        assert after["restarts"]["done"] == 1
        assert "RESOURCE_RESTART asked by root" in after["because"]
        assert control(runner, "RESOURCE_IS_RESTARTED", "web", "shop") == 0
        assert runner.resource("web")["incarnation"] == after["incarnation"]
        assert get(runner, "web", "NUM_RESOURCE_RESTARTS") == ["2"]
        refused = scha(runner, "scha_control", "-O", "RESOURCE_RESTART", "-R", "web", "-G", "shop")
        assert refused.returncode == 16
        assert "its 2 restarts within 370 s are used up" in refused.stderr
        assert runner.resource("web")["incarnation"] == after["incarnation"]
        assert runner.resource("db")["pids"] == db["pids"]
        assert control(runner, "GIVEOVER", "web", "shop") == 16
        assert get(runner, "web", "NUM_RESOURCE_RESTARTS") == ["0"]
        assert control(runner, "RESOURCE_RESTART", "web", "shop") == 0
        assert control(runner, "RESTART", "db", "shop") == 0
        assert get(runner, "db", "NUM_RG_RESTARTS") == ["1"]
        assert get(runner, "web", "NUM_RG_RESTARTS") == ["0"]
        assert runner.resource("db")["incarnation"] == db["incarnation"] + 1
        assert {runner.resource(n)["state"] for n in ("db", "web")} == {"ONLINE"}


def test_a_granted_giveover_ends_the_runner_with_75(tmp_path: Path) -> None:
    text = 'start_command = "sleep 1000"\n'
    with Running(tmp_path, write(tmp_path / "one.toml", text), options=("--on-giveover", "exit")) as runner:
        runner.until("one", state="ONLINE")
        pids = runner.pids()
        assert control(runner, "CHECK_GIVEOVER", "one", "one") == 0
        assert runner.pids() == pids
        assert control(runner, "GIVEOVER", "one", "one") == 0
        assert runner.wait() == 75


def test_a_resource_that_disables_itself_stays_so(tmp_path: Path) -> None:
    with Running(tmp_path, write(tmp_path / "a.toml", SHOP)) as runner:
        runner.until("web", state="ONLINE")
        assert control(runner, "RESOURCE_DISABLE", "web", "shop") == 0
        assert runner.resource("web")["state"] == "OFFLINE"
        assert get(runner, "web", "ON_OFF_SWITCH") == ["DISABLED"]
        runner.end()
        runner.begin()
        assert runner.resource("web")["enabled"] is False


def test_a_status_is_kept_until_it_is_changed_and_each_change_is_logged(tmp_path: Path) -> None:
    text = """
    start_command = "exec sleep 1000"
    probe_command = "exit $(cat SCORE)"
    thorough_probe_interval = 0.1
    """.replace("SCORE", f"{tmp_path}/score")
    (tmp_path / "score").write_text("0\n")
    with Running(tmp_path, write(tmp_path / "one.toml", text)) as runner:
        runner.until("one", state="ONLINE", status="OK")
        set_status = ("scha_resource_setstatus", "-R", "one", "-G", "one", "-s")
        assert scha(runner, *set_status, "degraded", "-m", "only half of the disks").returncode == 0
        assert get(runner, "one", "STATUS") == ["DEGRADED", "only half of the disks"]
        # a probe that finds all well takes nothing back
        at = runner.resource("one")["probe"]["at"]
        eventually(lambda: runner.resource("one")["probe"]["at"] > at, "another probe")
        assert get(runner, "one", "STATUS") == ["DEGRADED", "only half of the disks"]
        # without -m an old text is not kept (Sun: semantics.md 10.3)
        assert scha(runner, *set_status, "FAULTED").returncode == 0
        assert get(runner, "one", "STATUS") == ["FAULTED", ""]
        assert scha(runner, "scha_resourcegroup_get", "-O", "RG_STATE", "-G", "one").stdout == "ONLINE_FAULTED\n"
        assert "warning status DEGRADED: only half of the disks resource=one" in runner.log()
        assert "warning status FAULTED resource=one" in runner.log()
        # a probe that finds something says so itself
        (tmp_path / "score").write_text("1\n")  # ten times a second: a hundred of them are more than we need to look
        runner.until("one", status="DEGRADED")
        (tmp_path / "score").write_text("0\n")
        runner.until("one", status="OK")
        # what the RGM does to the resource is a change
        assert scha(runner, *set_status, "FAULTED", "-m", "old").returncode == 0
        assert runner.gds("restart", "one").returncode == 0
        assert get(runner, "one", "STATUS") == ["OK", ""]


def test_what_start_says_of_itself_holds_when_it_is_up(tmp_path: Path) -> None:
    text = """
    start_command = "exec sleep 1000"
    validate_command = "scha_resource_setstatus -R $GDS_RESOURCE -G $GDS_GROUP -s DEGRADED -m 'reads its cache'"
    """
    with Running(tmp_path, write(tmp_path / "one.toml", text), env=with_commands(tmp_path)) as runner:
        runner.until("one", state="ONLINE")
        assert get(runner, "one", "STATUS") == ["DEGRADED", "reads its cache"]


@pytest.mark.parametrize(("asks", "tries"), [(False, 2), (True, 1)])
def test_ignore_failed_start_from_within_a_start(tmp_path: Path, asks: bool, tries: int) -> None:
    """Without it, failover_mode SOFT with nowhere to go is one more try (design.md 2)."""
    ask = "scha_control -O IGNORE_FAILED_START -R $GDS_RESOURCE -G $GDS_GROUP || echo refused >> TRIES;" if asks else ""
    text = f"""
    start_command = "exec sleep 1000"
    prenet_start_command = "{ask} echo x >> TRIES; exit 1"
    """.replace("TRIES", f"{tmp_path}/tries")
    with Running(tmp_path, write(tmp_path / "one.toml", text), env=with_commands(tmp_path)) as runner:
        found = runner.until("one", state="START_FAILED")
        assert (tmp_path / "tries").read_text() == "x\n" * tries
        assert ("IGNORE_FAILED_START was asked for" in found["because"]) is asks
        assert scha(runner, "scha_resourcegroup_get", "-O", "RG_STATE", "-G", "one").stdout == "ONLINE_FAULTED\n"


def test_while_everything_stops_a_status_may_be_set_and_nothing_asked_for(tmp_path: Path) -> None:
    text = f"""
    start_command = "exec sleep 1000"
    stop_command = '''
    scha_resource_setstatus -R one -G one -s UNKNOWN -m bye; echo $? >> {tmp_path}/codes
    scha_control -O RESTART -R one -G one; echo $? >> {tmp_path}/codes
    '''
    """
    with Running(tmp_path, write(tmp_path / "one.toml", text), env=with_commands(tmp_path)) as runner:
        runner.until("one", state="ONLINE")
        assert runner.end() == 0
    assert (tmp_path / "codes").read_text() == "0\n5\n"
    assert "status UNKNOWN: bye" in runner.log()


def test_nobody_to_ask_and_two_to_ask(tmp_path: Path) -> None:
    env = {**os.environ, "GDS_RUNTIME_DIR": str(tmp_path / "runs")}
    env.pop("GDS_SOCKET", None)

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CALL, *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)

    (tmp_path / "runs").mkdir()
    nobody = ask("scha_cluster_get", "-O", "NODENAME_LOCAL")
    assert nobody.returncode == 18
    assert nobody.stderr.startswith("scha_cluster_get: cannot find a runner")
    runners = []
    for number in ("1", "2"):
        where = tmp_path / number
        where.mkdir()
        both = write(where / "both.toml", '[resource.both]\nstart_command = "sleep 1000"\n')
        one = write(where / "one.toml", f'[resource.only{number}]\nstart_command = "sleep 1000"\n')
        runner = Running(where, both, one)
        runner.runtime = tmp_path / "runs" / number
        runners.append(runner)
    with runners[0], runners[1]:
        runners[0].until("only1", state="ONLINE")
        runners[1].until("only2", state="ONLINE")
        assert ask("scha_resource_get", "-O", "GROUP", "-R", "only2").stdout == "only2\n"
        assert ask("scha_cluster_get", "-O", "ALL_RESOURCEGROUPS").stdout.splitlines() == ["both", "only1", "only2"]
        restarted = ask("scha_control", "-O", "RESOURCE_RESTART", "-R", "only2", "-G", "only2")
        assert (restarted.returncode, restarted.stderr) == (0, "")
        assert runners[1].resource("only2")["incarnation"] == 2
        for words in (("scha_resource_get", "-O", "GROUP"), ("scha_control", "-O", "RESOURCE_RESTART", "-G", "both")):
            twice = ask(*words, "-R", "both")
            assert twice.returncode == 3
            assert "both have it; --socket names one" in twice.stderr
        assert {r.resource("both")["incarnation"] for r in runners} == {1}
        named = ask("scha_resource_get", "-O", "GROUP", "-R", "both", "--socket", str(runners[0].socket))
        assert named.stdout == "both\n"


def test_whoever_may_not_open_the_socket_is_told_so(open_path: Path) -> None:
    become = "import os; os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534); "
    with Running(open_path, write(open_path / "one.toml", 'start_command = "sleep 1000"\n')) as runner:

        def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
            code = CALL.replace("sys.exit", f"{become}sys.exit")
            command = [sys.executable, "-c", code, *words, "--socket", str(runner.socket)]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        denied = as_nobody("scha_resource_get", "-O", "STATUS", "-R", "one")
        assert denied.returncode == 6, denied.stderr
        assert "nor in the socket's group" in denied.stderr
        runner.socket.chmod(0o666)
        runner.until("one", state="ONLINE")
        asked = as_nobody("scha_resource_get", "-O", "STATUS", "-R", "one")
        assert (asked.returncode, asked.stdout) == (0, "OK\n\n"), asked.stderr
        for words in (
            ("scha_control", "-O", "RESOURCE_RESTART", "-R", "one", "-G", "one"),
            ("scha_resource_setstatus", "-s", "FAULTED", "-R", "one", "-G", "one"),
        ):
            acted = as_nobody(*words)
            assert acted.returncode == 6
            assert "only root and the runner's own user may; you are uid 65534" in acted.stderr
        assert (runner.resource("one")["incarnation"], runner.resource("one")["status"]) == (1, "OK")


# -- the sample service ------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A port nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Sample:
    """examples/rmapi, put where its RTR file says, as an installation would; the scripts as they are."""

    def __init__(self, tmp_path: Path, **more: str) -> None:
        self.where = tmp_path
        self.bin = tmp_path / "opt"
        shutil.copytree(TOP / "examples/rmapi/bin", self.bin)
        (tmp_path / "srv").mkdir()
        rtr = (TOP / "examples/rmapi/SUNW.smpl").read_text().replace("/opt/SUNWsmpl/bin", str(self.bin))
        self.rtr = write(tmp_path / "SUNW.smpl", rtr)
        self.port = free_port()
        values = {
            "Confdir_list": f'["{tmp_path}/srv"]',
            "Port_list": f'["{self.port}/tcp"]',
            "Thorough_probe_interval": "1",
            "PROBE_timeout": "5",
            **more,
        }
        lines = "\n".join(f"{key} = {value}" for key, value in values.items())
        self.descriptor = write(tmp_path / "smpl.toml", f'[resource.smpl]\ntype = "SUNW.smpl:1.0"\n{lines}\n')

    def runner(self, *options: str, rung: str = "") -> Running:
        """Not begun; the type is registered."""
        env = {**with_commands(self.where), "GDS_STATE_DIR": str(self.where / "state")}
        runner = Running(self.where, self.descriptor, env=env, options=options, rung=rung)
        made = runner.gds("rt", "register", str(self.rtr))
        assert made.returncode == 0, made.stderr
        return runner

    def answers(self) -> bool:
        """The service is there."""
        with socket.socket() as sock:
            sock.settimeout(5)
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


def tags(runner: Running) -> list[str]:
    """The nametags there are."""
    return runner.gds("pmf", "-L").stdout.split()


def pids_of(runner: Running, nametag: str) -> set[str]:
    """Its processes; there must be some."""
    (line,) = [each for each in runner.gds("pmf", "-l", nametag).stdout.splitlines() if "pids:" in each]
    found = set(line.partition("pids:")[2].split())
    assert found - {"(none)"}, line
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rung", RUNGS)
def test_a_service_written_for_sun_cluster_runs_unchanged(tmp_path: Path, rung: str) -> None:
    sample = Sample(tmp_path)
    with sample.runner(rung=rung) as runner:
        runner.until("smpl", within=60, state="ONLINE")
        assert sample.answers()
        eventually(lambda: tags(runner) == ["smpl.monitor", "smpl.svc"], "service and monitor run")
        assert get(runner, "smpl", "TYPE") == ["SUNW.smpl:1.0"]
        assert get(runner, "smpl", "EXTENSION", "confdir_list") == ["STRINGARRAY", f"{tmp_path}/srv"]
        assert get(runner, "smpl", "EXTENSION", "Probe_timeout") == ["INT", "5"]
        assert get(runner, "smpl", "RT_BASEDIR") == [str(sample.bin)]
        assert get(runner, "smpl", "VALIDATE") == ["smpl_validate"]
        assert scha(runner, "scha_resourcetype_get", "-O", "FAILOVER", "-T", "smpl").stdout == "TRUE\n"
        runner.until("smpl", status="OK", status_msg=f"answers on {sample.port}")
        # an upgrade of the runner touches neither the service nor its monitor
        before = runner.gds("pmf", "-l", "smpl.svc").stdout
        upgraded = runner.gds("upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        assert runner.gds("pmf", "-l", "smpl.svc").stdout == before
        assert "failures in all: 0" in runner.gds("pmf", "-l", "smpl.monitor").stdout
        assert get(runner, "smpl", "STATUS") == ["OK", f"answers on {sample.port}"]
        # the monitor finds it dead, says so, and has it restarted, while there are restarts left
        for restarts in (1, 2):
            assert runner.gds("pmf", "-s", "smpl.svc", "KILL").returncode == 0
            runner.until("smpl", within=60, restarts_done=restarts, state="ONLINE", status="OK")
            assert sample.answers()
        assert "status FAULTED: no answer on" in runner.log()
        # then it wants to go elsewhere; there is nowhere, and the counters are forgotten: it is restarted here again
        assert runner.gds("pmf", "-s", "smpl.svc", "KILL").returncode == 0
        eventually(lambda: "GIVEOVER asked by root is refused" in runner.log(), "it asks to give over", 60)
        runner.until("smpl", within=60, restarts_done=1, state="ONLINE", status="OK")
        # the monitor goes and comes with its switch, the service does not
        assert runner.gds("unmonitor", "smpl").returncode == 0
        runner.until("smpl", state="ONLINE_NOT_MONITORED")
        eventually(lambda: tags(runner) == ["smpl.svc"], "no monitor is left")
        assert runner.gds("monitor", "smpl").returncode == 0
        runner.until("smpl", state="ONLINE")
        eventually(lambda: tags(runner) == ["smpl.monitor", "smpl.svc"], "service and monitor run")
        assert runner.gds("stop", "smpl").returncode == 0
        assert runner.resource("smpl")["state"] == "OFFLINE"
        assert tags(runner) == []
        assert not sample.answers()


@pytest.mark.slow
def test_a_service_written_for_sun_cluster_may_leave(tmp_path: Path) -> None:
    sample = Sample(tmp_path, Retry_count="0")
    with sample.runner("--on-giveover", "exit") as runner:
        runner.until("smpl", within=60, state="ONLINE")
        assert runner.gds("pmf", "-s", "smpl.svc", "KILL").returncode == 0
        assert runner.wait(60) == 75


@pytest.mark.slow
def test_a_monitor_outlives_every_change_and_is_missed_when_it_is_gone(tmp_path: Path) -> None:
    """Update gives it a budget of its own each time; one that PMF gives up is MONITOR_FAILED, also after an upgrade."""
    sample = Sample(tmp_path, Monitor_retry_count="1", Monitor_retry_interval="60")
    with sample.runner() as runner:
        runner.until("smpl", within=60, state="ONLINE")
        before = runner.gds("pmf", "-l", "smpl.svc").stdout
        for seconds in ("6", "7", "8"):
            made = runner.gds("set", "smpl", f"Probe_timeout={seconds}")
            assert (made.returncode, made.stderr) == (0, ""), made.stderr
            assert tags(runner) == ["smpl.monitor", "smpl.svc"]
        assert runner.resource("smpl")["state"] == "ONLINE"
        assert runner.gds("upgrade").returncode == 0
        gone = "its monitor is gone, nametag smpl.monitor: "
        for _ in range(2):
            assert runner.gds("pmf", "-k", "smpl.monitor", "KILL").returncode == 0
            eventually(lambda: "failures in all: 0" not in runner.gds("pmf", "-l", "smpl.monitor").stdout, "it ended")
        found = runner.until("smpl", state="MONITOR_FAILED")
        assert found["because"].startswith(f"{gone}killed by SIGKILL; the budget of 1 ")
        assert runner.gds("monitor", "smpl").returncode == 0
        found = runner.resource("smpl")
        assert (found["state"], found["because"].startswith(gone)) == ("ONLINE", False)
        assert tags(runner) == ["smpl.monitor", "smpl.svc"]
        assert runner.gds("pmf", "-s", "smpl.monitor", "KILL").returncode == 0
        found = runner.until("smpl", state="MONITOR_FAILED")
        assert found["because"].startswith(gone)
        assert runner.gds("clear", "smpl").returncode == 0
        runner.until("smpl", state="ONLINE")
        assert runner.gds("pmf", "-l", "smpl.svc").stdout == before


@pytest.mark.slow
def test_a_monitor_that_cannot_start_or_stop(tmp_path: Path) -> None:
    sample = Sample(tmp_path)
    (sample.bin / "smpl_monitor_start").write_text("#!/bin/sh\necho no way\nexit 3\n")
    with sample.runner() as runner:
        found = runner.until("smpl", within=60, state="MONITOR_FAILED")
        assert found["because"] == "Monitor_start failed: it exited with status 3: no way"
        assert sample.answers()
        (sample.bin / "smpl_monitor_stop").write_text("#!/bin/sh\necho stuck\nexit 1\n")
        stopped = runner.gds("stop", "smpl")
        assert stopped.returncode == 1
        found = runner.resource("smpl")
        assert (found["state"], found["because"]) == (
            "STOP_FAILED",
            "Stop failed: Monitor_stop exited with status 1: stuck",
        )
        assert sample.answers()
        shutil.copy(TOP / "examples/rmapi/bin/smpl_monitor_stop", sample.bin)
        assert runner.gds("stop", "smpl").returncode == 0
        assert not sample.answers()


@pytest.mark.slow
def test_a_service_comes_back_after_a_crash_of_the_runner(tmp_path: Path) -> None:
    """Nametags end with the runner that has them: what ran there is not called up afterwards, monitor or not, but
    stopped and started anew, in nobody's budget."""
    sample = Sample(tmp_path)
    ended = "what ran under its nametag smpl.svc ended with the runner before this one"
    with sample.runner() as runner:
        runner.until("smpl", within=60, state="ONLINE", status_msg=f"answers on {sample.port}")
        runner.crash()
        runner.begin()
        runner.until("smpl", within=60, state="ONLINE", incarnation=2, status_msg=f"answers on {sample.port}")
        eventually(lambda: tags(runner) == ["smpl.monitor", "smpl.svc"], "service and monitor run")
        assert sample.answers()
        assert runner.gds("unmonitor", "smpl").returncode == 0
        eventually(lambda: tags(runner) == ["smpl.svc"], "nobody watches it")
        runner.crash()
        runner.begin()
        runner.until("smpl", within=60, state="ONLINE_NOT_MONITORED", incarnation=3, because=ended)
        assert sample.answers()
        assert runner.resource("smpl")["restarts"]["done"] == 0
        # a tag that went before the runner did is no reason
        assert runner.gds("pmf", "-s", "smpl.svc", "-w", "20", "TERM").returncode == 0
        eventually(lambda: tags(runner) == [], "the tag is gone")
        runner.crash()
        runner.begin()
        runner.until("smpl", within=60, because="taken over from the runner before this one", incarnation=3)


@pytest.mark.slow
def test_a_reload_changes_what_the_type_lets_change(tmp_path: Path) -> None:
    """ANYTIME: Validate -u with what changes, then Update; AT_CREATION: stop, change, start."""
    sample = Sample(tmp_path)
    validate, told = sample.bin / "smpl_validate", tmp_path / "told"
    lines = validate.read_text().split("\n", 1)
    validate.write_text(f'{lines[0]}\necho "$*" >> {told}\n{lines[1]}')
    with sample.runner() as runner:
        runner.until("smpl", within=60, state="ONLINE")
        first = told.read_text()
        assert first.startswith("-c -R smpl -T SUNW.smpl:1.0 -G smpl -r ")
        assert f"-x Confdir_list={tmp_path}/srv" in first
        text = sample.descriptor.read_text()
        monitor = pids_of(runner, "smpl.monitor")
        write(sample.descriptor, f"{text}Retry_count = 5\n")
        reloaded = runner.gds("reload")
        assert (reloaded.returncode, reloaded.stderr) == (0, "smpl: change retry_count while it runs\n")
        assert told.read_text() == f"{first}-u -R smpl -T SUNW.smpl:1.0 -G smpl -r Retry_count=5\n"
        assert get(runner, "smpl", "RETRY_COUNT") == ["5"]
        assert (runner.resource("smpl")["incarnation"], runner.resource("smpl")["state"]) == (1, "ONLINE")
        # Update has the monitor started anew, and nothing else
        assert not pids_of(runner, "smpl.monitor") & monitor
        assert "retries: 0 of 4 used" in runner.gds("pmf", "-l", "smpl.monitor").stdout
        (tmp_path / "other").mkdir()
        write(sample.descriptor, text.replace(f"{tmp_path}/srv", f"{tmp_path}/other"))
        reloaded = runner.gds("reload")
        assert reloaded.returncode == 0, reloaded.stderr
        assert reloaded.stderr == "smpl: stop, change retry_count, confdir_list, start\n"
        runner.until("smpl", within=60, state="ONLINE", incarnation=2)
        assert get(runner, "smpl", "EXTENSION", "Confdir_list") == ["STRINGARRAY", f"{tmp_path}/other"]
        write(sample.descriptor, text.replace(f"{tmp_path}/srv", f"{tmp_path}/nowhere"))
        refused = runner.gds("reload")
        assert refused.returncode == 1
        assert f"Confdir_list {tmp_path}/nowhere is not a directory" in refused.stderr
        assert (runner.resource("smpl")["incarnation"], sample.answers()) == (2, True)


PROXY = """
Resource_type = proxy; Vendor_id = ACME; RT_version = "1"; Proxy = TRUE; RT_basedir = BIN;
Start = start; Stop = stop; Monitor_start = monitor_start; Monitor_stop = monitor_stop;
"""


def test_a_proxy_follows_what_it_stands_for_without_methods(tmp_path: Path) -> None:
    called = tmp_path / "called"
    (tmp_path / "opt").mkdir()
    for name in ("start", "stop", "monitor_start", "monitor_stop"):
        script = tmp_path / "opt" / name
        script.write_text(f"#!/bin/sh\necho {name} >> {called}\n")
        script.chmod(0o755)
    text = """
    [resource.db]
    type = "acme.PROXY"
    [resource.web]
    start_command = "exec sleep 1000"
    resource_dependencies_offline_restart = ["db"]
    """
    runner = Running(tmp_path, write(tmp_path / "a.toml", text), env={"GDS_STATE_DIR": str(tmp_path / "state")})
    rtr = write(tmp_path / "ACME.proxy", PROXY.replace("BIN", str(tmp_path / "opt")))
    assert runner.gds("rt", "register", str(rtr)).returncode == 0
    with runner:
        runner.until("web", state="ONLINE")
        runner.until("db", state="ONLINE")
        assert called.read_text() == "start\nmonitor_start\n"
        assert get(runner, "db", "PROXY") == ["TRUE"]
        none = scha(runner, "scha_resource_get", "-O", "NUM_RESOURCE_RESTARTS", "-R", "db")
        assert (none.returncode, none.stdout) == (15, "")
        assert control(runner, "RESOURCE_IS_RESTARTED", "db", "db") == 13
        assert control(runner, "CHANGE_STATE_OFFLINE", "db", "db") == 0
        assert runner.resource("db")["state"] == "OFFLINE"
        runner.until("web", state="OFFLINE")
        assert control(runner, "CHANGE_STATE_OFFLINE", "db", "db") == 0
        assert control(runner, "CHANGE_STATE_ONLINE", "db", "db") == 0
        assert runner.resource("db")["state"] == "ONLINE"
        runner.until("web", state="ONLINE", incarnation=2)
        assert called.read_text() == "start\nmonitor_start\n"
        assert runner.gds("stop", "db").returncode == 0
        assert called.read_text() == "start\nmonitor_start\nmonitor_stop\nstop\n"
        assert control(runner, "CHANGE_STATE_ONLINE", "db", "db") == 9
        assert runner.resource("db")["state"] == "OFFLINE"


@pytest.mark.slow
def test_values_that_validate_refuses_and_that_the_type_refuses(tmp_path: Path) -> None:
    sample = Sample(tmp_path, Confdir_list=f'["{tmp_path}/nowhere"]', Failover_mode='"NONE"')
    with sample.runner() as runner:
        found = runner.until("smpl", within=60, state="START_FAILED")
        assert f"Validate exited with status 1: Confdir_list {tmp_path}/nowhere is not a directory" in found["because"]
    text = sample.descriptor.read_text()
    for wrong, said in (
        ("Retry_count = 11", "retry_count: expected at most 10, not 11"),
        ("Retry_cont = 1", "retry_cont: "),
        ("user = 'x'", "user: "),
        ("resource_dependencies = ['nix']", "nix"),
    ):
        checked = runner.gds("check", str(write(tmp_path / "smpl.toml", f"{text}{wrong}\n")))
        assert checked.returncode == 78, wrong
        assert said in checked.stdout + checked.stderr, checked.stdout + checked.stderr


@pytest.mark.slow
def test_an_upgrade_goes_by_what_the_new_version_allows(tmp_path: Path) -> None:
    """Sun: semantics.md 14.4. ANYTIME without a stop, WHEN_DISABLED with one; AT_CREATION, and a version that is not
    listed, refuse the whole reload."""
    sample = Sample(tmp_path)
    text = sample.descriptor.read_text()
    with sample.runner() as runner:
        for version, line in (
            ("1.1", '#$upgrade_from "1.0" ANYTIME'),
            ("1.2", '#$upgrade_from "1.1" AT_CREATION'),
            ("1.3", '#$upgrade_from "1.0" ANYTIME'),
            ("1.4", '#$upgrade_from "1.1" WHEN_DISABLED'),
        ):
            rtr = sample.rtr.read_text().replace('"1.0"', f'"{version}"').replace("#$upgrade\n", f"#$upgrade\n{line}\n")
            assert runner.gds("rt", "register", str(write(tmp_path / version, rtr))).returncode == 0
        runner.until("smpl", within=60, state="ONLINE", incarnation=1)

        def reload(version: str) -> subprocess.CompletedProcess[str]:
            write(sample.descriptor, text.replace("smpl:1.0", f"smpl:{version}"))
            return runner.gds("reload")

        asked = runner.gds("set", "smpl", "Type_version=1.1")
        assert asked.returncode == 78
        assert 'write type = "SUNW.smpl:VERSION" in the descriptor, then `gds reload`' in asked.stderr
        made = reload("1.1")
        assert (made.returncode, made.stderr) == (0, "smpl: change type while it runs\n")
        for version, when in (("1.2", "AT_CREATION"), ("1.3", "WHEN_UNMANAGED")):
            made = reload(version)
            assert made.returncode == 1
            assert f"that is allowed {when}, and " in made.stderr
            seen = runner.gds("diff")
            assert seen.returncode == 1
            assert f'smpl: type is "SUNW.smpl:1.1", {sample.descriptor}:2 says "SUNW.smpl:{version}"' in seen.stdout
        assert (runner.resource("smpl")["incarnation"], sample.answers()) == (1, True)
        made = reload("1.4")
        assert (made.returncode, made.stderr) == (0, "smpl: stop, change type, start\n")
        runner.until("smpl", within=60, state="ONLINE", incarnation=2, type="SUNW.smpl:1.4")


@pytest.mark.slow
def test_what_the_file_gives_is_told_from_what_the_type_gives(tmp_path: Path) -> None:
    """`gds get` names the line, or says default; what is no property of the type is refused by `gds set`."""
    sample = Sample(tmp_path)
    with sample.runner() as runner:
        runner.until("smpl", within=60, state="ONLINE")
        lines = dict(line.split(" = ", 1) for line in runner.gds("get", "smpl").stdout.splitlines())
        assert lines["type"].endswith(f"# {sample.descriptor}:2")
        assert lines["probe_timeout"].split("# ")[1] == f"{sample.descriptor}:6"
        assert lines["retry_count"].split("# ")[1] == "default"
        for words, status, said in (
            (("type=foo",), 1, "type: can only be given when the resource is created"),
            (("group=foo",), 1, "group: can only be given when the resource is created"),
            (("--unset", "Type_version"), 78, "type_version: is a part of the type"),
            (("--unset", "Retry_cont"), 78, "retry_cont: type SUNW.smpl:1.0 has no such property; did you mean Retry"),
        ):
            made = runner.gds("set", "smpl", *words)
            assert (made.returncode, said in made.stderr) == (status, True), made.stderr
