"""Start, Stop, Validate and Probe as a command sees them: surroundings, time limits, what they leave."""

from __future__ import annotations

import os
import pwd
import signal
import time
from pathlib import Path

import pytest

from tests.system.running import RUNGS, Running, alive, eventually, write

pytestmark = pytest.mark.parametrize("rung", RUNGS)

TELL = """#!/bin/sh
# everything a command can know of its surroundings, under the name of the method
cd {where} || exit 1
mkdir -p said
exec > said/$GDS_METHOD.new
env
echo "---"
for fd in 0 1 2 3 4 5 6 7 8 9; do if [ -e /proc/$$/fd/$fd ]; then echo $fd; fi; done; readlink /proc/$$/fd/0
echo "---"
grep -E '^(Sig|Shd)' /proc/self/status
echo "---"
id -u; id -g; id -G; umask; readlink /proc/$$/cwd; cat /proc/$$/oom_score_adj; ulimit -n; ulimit -c
nice; echo "session $(cut -d' ' -f6 /proc/$$/stat) $$"
mv said/$GDS_METHOD.new said/$GDS_METHOD
"""
ALWAYS = {
    "GDS_RESOURCE",
    "GDS_GROUP",
    "GDS_TYPE",
    "GDS_NODE",
    "GDS_METHOD",
    "GDS_INCARNATION",
    "GDS_SOCKET",
    "GDS_TIMEOUT",
    "GDS_REASON",
    "GDS_RESTARTS",
    "GDS_RETRY_COUNT",
    "GDS_PROBE_SUM",
    "GDS_HOSTNAMES",
    "GDS_PORT_LIST",
}
THE_C_LIBRARYS = 0b11 << 31
"""Signals 32 and 33, whose dispositions no program can set."""
METHODS = ("Start", "Validate", "Probe", "Stop")


def told(where: Path, method: str) -> tuple[dict[str, str], list[str], dict[str, int], list[str]]:
    """Environment, descriptors, signal masks, the rest."""
    env, fds, signals, rest = (where / "said" / method).read_text().split("---\n")
    pairs = dict(line.split("=", 1) for line in env.splitlines())
    masks = {line.split(":")[0]: int(line.split(":")[1], 16) for line in signals.splitlines() if "SigQ" not in line}
    return pairs, fds.splitlines(), masks, rest.splitlines()


def script(where: Path, name: str, text: str) -> Path:
    """An executable file."""
    path = where / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_every_command_has_the_surroundings_of_the_contract(tmp_path: Path, rung: str) -> None:
    tell = script(tmp_path, "tell", TELL.format(where=tmp_path))
    descriptor = write(
        tmp_path / "web.toml",
        f"""
[resource.web]
group = "shop"
start_command = "{tell}; exec sleep 1000"
validate_command = ["{tell}"]
probe_command = ["{tell}"]
stop_command = "{tell}"
port_list = ["8080/tcp", "53/udp"]
pass_environment = ["FOO", "NOT_THERE"]
environment = {{A = "1"}}
thorough_probe_interval = 0.2
probe_timeout = 5
retry_count = 7
""",
    )
    given = {"LEAK": "x", "FOO": "bar", "LANG": "C.UTF-8", "TZ": "UTC", "LC_ALL": "C.UTF-8", "XDG_RUNTIME_DIR": "/x"}
    # what a careless parent leaves: an open descriptor, ignored signals, a mask
    wrapper = (
        "/usr/bin/python3",
        "-c",
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])\n"
        "os.dup2(1, 9, True); os.execvp(sys.argv[1], sys.argv[1:])",
    )
    with Running(tmp_path, descriptor, rung=rung, env=given, wrapper=wrapper) as runner:
        main = runner.until("web", state="ONLINE")["main_pid"]
        eventually(lambda: all((tmp_path / "said" / m).exists() for m in ("Start", "Probe")), "both have told it")
        assert runner.gds("stop", "web").returncode == 0
        for method in METHODS:
            env, fds, masks, rest = told(tmp_path, method)
            own = ALWAYS | ({"MAINPID"} if method in ("Stop", "Probe") else set())
            handed = {"PATH", "HOME", "LANG", "TZ", "FOO", "A"}
            assert set(env) - {"PWD", "OLDPWD", "SHLVL", "_"} == own | handed, method
            assert (env["GDS_RESOURCE"], env["GDS_GROUP"], env["GDS_TYPE"]) == ("web", "shop", "gds")
            assert env["GDS_METHOD"] == method
            assert env["GDS_SOCKET"] == str(runner.socket)
            assert env["GDS_PORT_LIST"] == "8080/tcp,53/udp"
            assert (env["GDS_RETRY_COUNT"], env["GDS_RESTARTS"], env["GDS_PROBE_SUM"]) == ("7", "0", "0")
            assert env.get("MAINPID", str(main)) == str(main)
            assert fds == ["0", "1", "2", "/dev/null"], method  # 10 and above are the shell's own
            assert (masks["SigBlk"], masks["SigIgn"] & ~THE_C_LIBRARYS) == (0, 0), method
            session, pid = rest[-1].split()[1:]
            assert session == pid or method == "Start" or method == "Stop", "a session of its own"
        assert told(tmp_path, "Start")[0]["GDS_REASON"] == "the runner starts"
        assert told(tmp_path, "Stop")[0]["GDS_REASON"].startswith("stop asked by")
        assert told(tmp_path, "Probe")[0]["GDS_TIMEOUT"] == "5"
        assert told(tmp_path, "Start")[0]["GDS_TIMEOUT"] == "300"


def test_every_command_runs_as_the_user_it_is_given(open_path: Path, rung: str) -> None:
    where = open_path / "open"
    where.mkdir()
    where.chmod(0o777)
    tell = script(where, "tell", TELL.format(where=where))
    descriptor = write(
        open_path / "web.toml",
        f"""
start_command = "{tell}; exec sleep 1000"
validate_command = ["{tell}"]
probe_command = ["{tell}"]
stop_command = "{tell}"
user = "nobody"
group_name = "daemon"
supplementary_groups = ["adm", "tty"]
working_directory = "/var"
umask = "027"
limits = {{nofile = 512, core = "infinity"}}
nice = 5
oom_score_adjust = 100
thorough_probe_interval = 0.2
probe_timeout = 5
""",
    )
    nobody = pwd.getpwnam("nobody")
    with Running(open_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: all((where / "said" / m).exists() for m in ("Start", "Probe")), "both have told it")
        assert runner.gds("stop", "web").returncode == 0
        for method in METHODS:
            env, _, _, rest = told(where, method)
            assert (env["USER"], env["LOGNAME"]) == ("nobody", "nobody")
            assert (env["HOME"], env["SHELL"]) == (nobody.pw_dir, nobody.pw_shell)
            assert rest[:2] == [str(nobody.pw_uid), "1"], method
            assert set(rest[2].split()) & {"0", "4", "5"} == {"4", "5"}, method
            assert rest[3] == "0027"
            assert rest[5:9] == ["100", "512", "unlimited", "5"], method
            assert (where / "said" / method).stat().st_mode & 0o777 == 0o640
        # the shell went where it writes; where it began is told by PWD
        assert told(where, "Stop")[0]["OLDPWD"] == "/var"


def test_hostnames_stand_for_the_addresses_of_the_resource_and_it_has_none_yet(tmp_path: Path, rung: str) -> None:
    out = tmp_path / "out"
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = ["/bin/sh", "-c", 'printf "%s|" "$@" > {out}; exec sleep 1000', "sh", "<$hostnames>", "$hostnamesX", "a$hostnames,b"]
""",  # noqa: E501
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: out.exists() and out.read_text() == "<>|$hostnamesX|a,b|", "what it was called with")


def test_a_validate_command_over_its_time_gets_sigabrt_and_a_second_later_sigkill(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = ["sleep", "1000"]
validate_command = '''
trap 'date +%s.%N >> {tmp_path}/abrt' ABRT
sh -c 'trap "echo child >> {tmp_path}/abrt" ABRT; echo $$ > {tmp_path}/child; while :; do sleep 0.05; done' &
echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done'''
validate_timeout = 1.5
failover_mode = "NONE"
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        failed = runner.until("web", state="START_FAILED")
        assert "validate_command did not end within 1.5 s" in failed["because"]
        pids = [int((tmp_path / name).read_text()) for name in ("pid", "child")]
        eventually(lambda: not any(map(alive, pids)), "the whole tree is gone")
        said = (tmp_path / "abrt").read_text()
        assert "child" in said
        assert len(said.splitlines()) >= 2, "SIGABRT went to the whole tree"
        assert failed["pids"] == []


def test_a_start_over_its_time_is_stopped_in_order_and_nothing_is_left(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = '''trap 'echo term >> {tmp_path}/got; exit' TERM; trap 'echo abrt >> {tmp_path}/got' ABRT
echo $$ >> {tmp_path}/pids; while :; do sleep 0.05; done'''
probe_command = "exit 100"
start_timeout = 1
failover_mode = "NONE"
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        failed = runner.until("web", state="START_FAILED")
        assert "not available within 1 s (start_timeout)" in failed["because"]
        assert "the probe exited with status 100" in failed["because"]
        assert (tmp_path / "got").read_text() == "term\n", "an application under PMF is ended by Stop, not by SIGABRT"
        assert not any(alive(int(p)) for p in (tmp_path / "pids").read_text().split())


def test_a_start_command_outside_pmf_over_its_time_gets_sigabrt(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = '''trap 'echo abrt >> {tmp_path}/got' ABRT; echo $$ > {tmp_path}/pid
while :; do sleep 0.05; done'''
stop_command = "echo stop >> {tmp_path}/got"
probe_command = "true"
pmf_managed = false
start_timeout = 1
failover_mode = "NONE"
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="START_FAILED")
        assert not alive(int((tmp_path / "pid").read_text()))
        assert (tmp_path / "got").read_text().splitlines() == ["abrt", "stop"]


def test_pmf_managed_false_leaves_health_to_the_probe_and_the_end_to_stop_command(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "echo start >> {tmp_path}/got; touch {tmp_path}/up"
stop_command = "echo stop >> {tmp_path}/got; rm -f {tmp_path}/up"
probe_command = "test -e {tmp_path}/up || exit 100"
pmf_managed = false
thorough_probe_interval = 0.1
probe_timeout = 5
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        resource = runner.until("web", state="ONLINE", status="OK")
        assert (resource["main_pid"], resource["pids"]) == (None, [])
        (tmp_path / "up").unlink()
        runner.until("web", state="ONLINE", incarnation=2, restarts_done=1)
        assert runner.gds("stop", "web").returncode == 0
        assert (tmp_path / "got").read_text().split() == ["start", "stop", "start", "stop"]
        assert not (tmp_path / "up").exists()


@pytest.mark.parametrize("command", ["exit 1", "sleep 1000", "kill -9 $$", "/nonexistent/stop; exit 3"])
def test_whatever_stop_command_does_only_what_is_left_decides(tmp_path: Path, rung: str, command: str) -> None:
    # surprise 4
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "trap '' TERM; sleep 1000 & wait; sleep 1000"
stop_command = "{command}"
stop_timeout = 1
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        pids = runner.pids("web")
        began = time.monotonic()
        stopped = runner.gds("stop", "web")
        assert stopped.returncode == 0, stopped.stderr
        assert time.monotonic() - began < 10
        assert not any(map(alive, pids))
        assert runner.resource("web")["state"] == "OFFLINE"


def test_a_stop_without_command_kills_only_what_does_not_end_by_itself(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = '''trap 'echo int >> {tmp_path}/got; sleep 0.3; echo done >> {tmp_path}/got; exit' INT
echo up > {tmp_path}/got; while :; do sleep 0.05; done'''
stop_signal = "INT"
stop_timeout = 10
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: (tmp_path / "got").exists(), "the trap is set")
        assert runner.gds("stop", "web").returncode == 0
        assert (tmp_path / "got").read_text().split() == ["up", "int", "done"]


def test_a_stopped_process_hears_the_stop_signal(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"start_command = '''trap 'echo term > {tmp_path}/got; exit' TERM\n"
        f"touch {tmp_path}/up; while :; do sleep 0.05; done'''\nstop_timeout = 10\n",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        main = runner.until("web", state="ONLINE")["main_pid"]
        eventually(lambda: (tmp_path / "up").exists(), "the trap is set")
        os.kill(main, signal.SIGSTOP)
        began = time.monotonic()
        assert runner.gds("stop", "web").returncode == 0
        assert time.monotonic() - began < 7, "not only at 80 % of the time"
        assert (tmp_path / "got").read_text() == "term\n"


def test_the_first_probe_is_inside_start_and_the_next_one_interval_later(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "web.toml",
        f"""
start_command = "sleep 0.5; touch {tmp_path}/up; exec sleep 1000"
probe_command = "date +%s.%N >> {tmp_path}/asked; test -e {tmp_path}/up || exit 100"
thorough_probe_interval = 1
probe_timeout = 0.9
""",
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        online = runner.until("web", state="ONLINE")
        assert (tmp_path / "up").exists(), "Start is not done before the probe says healthy"
        assert (online["restarts"]["done"], online["incarnation"]) == (0, 1)
        assert (online["probe"]["score"], online["probe"]["sum"]) == (0, 0), "what Start saw is no failure"
        inside = len((tmp_path / "asked").read_text().splitlines())
        assert inside >= 2
        eventually(lambda: len((tmp_path / "asked").read_text().splitlines()) >= inside + 2, "it is probed again")
        times = [float(t) for t in (tmp_path / "asked").read_text().split()]
        # each writes down when it runs, which on a busy machine is later than it was started
        assert times[inside + 1] - times[inside - 1] > 1.4


def test_without_any_probe_start_is_done_when_the_tree_has_lived_through_start_grace(tmp_path: Path, rung: str) -> None:
    descriptor = write(
        tmp_path / "two.toml",
        '[resource.quick]\nstart_command = "sleep 0.5"\nstart_grace = 5\nretry_count = 1\nfailover_mode = "NONE"\n'
        '[resource.slow]\nstart_command = ["sleep", "1000"]\nstart_grace = "1s"\n',
    )
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("slow", state="STARTING")
        runner.until("slow", state="ONLINE")
        quick = runner.until("quick", state="START_FAILED")
        assert quick["incarnation"] == 2, "one restart inside Start, then it has failed"


def test_a_command_that_cannot_be_executed_says_why(tmp_path: Path, rung: str) -> None:
    gone = script(tmp_path, "gone", "#!/bin/sh\nexec sleep 1000\n")
    descriptor = write(tmp_path / "web.toml", f'start_command = ["{gone}"]\nfailover_mode = "NONE"\n')
    with Running(tmp_path, descriptor, rung=rung) as runner:
        runner.until("web", state="ONLINE")
        gone.unlink()
        assert runner.gds("restart", "web").returncode == 1
        failed = runner.until("web", state="START_FAILED")
        assert f"cannot execute {gone}: No such file or directory" in failed["because"]
