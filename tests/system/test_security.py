"""Who may ask, who may act, what is secret, and what an application under another user can reach."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.running import RUNGS, Running, alive, eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
STRANGER = 54321
"""A user and group nobody has."""
SECRET = "s3cr3t-of-the-test"

ASK = """
import json, socket, sys
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(sys.argv[1])
except PermissionError:
    print(json.dumps({"refused": True}))
    raise SystemExit
sock.sendall(sys.argv[2].encode() + b"\\n")
data = b""
while chunk := sock.recv(65536):
    data += chunk
print(data.decode().strip().split("\\n")[-1])
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may walk into, unlike pytest's own."""
    where = Path(tempfile.mkdtemp(prefix="gds-security-"))
    where.chmod(0o755)
    yield where
    shutil.rmtree(where)


def ask_as(runner: Running, request: dict[str, Any], uid: int = STRANGER, gid: int = STRANGER) -> dict[str, Any]:
    """One request over the socket by a process of another user: the interpreter is started first, then it changes."""
    become = f"import os; os.setgroups([]); os.setresgid({gid}, {gid}, {gid}); os.setresuid({uid}, {uid}, {uid})\n"
    asked = subprocess.run(
        [sys.executable, "-c", "import socket, json\n" + become + ASK, str(runner.socket), json.dumps(request)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(asked.stdout)
    return answer


def gds_as(runner: Running, *words: str, uid: int = STRANGER, gid: int = STRANGER) -> int:
    """`gds WORDS` as another user; its exit status. Modules are loaded before the user changes."""
    code = (
        "import os, sys, json\n"
        "import gds.cli.control, gds.cli.status, json.decoder, importlib\n"
        "from gds.cli.main import main\n"
        f"os.setgroups([]); os.setresgid({gid}, {gid}, {gid}); os.setresuid({uid}, {uid}, {uid})\n"
        "raise SystemExit(main(sys.argv[1:]))\n"
    )
    env = {**runner.env, "GDS_SOCKET": str(runner.socket)}
    ended = subprocess.run([sys.executable, "-c", code, *words], env=env, capture_output=True, timeout=60, check=False)
    return ended.returncode


def every_file(*tops: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All below, links not followed."""
    for top in tops:
        for folder, names, files in os.walk(top):
            for name in (*names, *files):
                path = Path(folder, name)
                yield path, path.lstat()


@pytest.mark.parametrize("rung", RUNGS)
def test_another_user_can_neither_read_nor_act(public: Path, rung: str) -> None:
    descriptor = write(public / "web.toml", 'start_command = ["sleep", "1000"]\n')
    with Running(public, descriptor, rung=rung) as runner:
        before = runner.until("web", state="ONLINE")
        for verb in ("status", "stop", "history"):
            assert ask_as(runner, {"verb": verb, "names": ["web"]}) == {"refused": True}
        assert gds_as(runner, "status") == 77
        assert gds_as(runner, "stop", "web") == 77
        assert runner.resource("web")["main_pid"] == before["main_pid"]


def test_the_sockets_group_reads_and_does_not_act(public: Path) -> None:
    descriptor = write(public / "web.toml", 'start_command = ["sleep", "1000"]\n')
    with Running(public, descriptor, options=("--socket-group", "nogroup")) as runner:
        before = runner.until("web", state="ONLINE")
        facts = runner.socket.stat()
        assert stat.S_IMODE(facts.st_mode) == 0o660
        group = facts.st_gid
        assert ask_as(runner, {"verb": "status"}, gid=group)["code"] == 0
        assert ask_as(runner, {"verb": "history"}, gid=group)["code"] == 0
        acting = ("start", "stop", "restart", "enable", "disable", "monitor", "unmonitor")
        for verb in (*acting, "probe", "validate", "giveover", "clear", "reload"):
            answer = ask_as(runner, {"verb": verb, "names": ["web"]}, gid=group)
            assert answer["code"] == 77, (verb, answer)
            assert "only root and the runner's own user may" in answer["message"]
        for verb in ("pmf.start", "pmf.stop", "pmf.kill", "pmf.signal", "pmf.modify"):
            request = {"verb": verb, "tag": "t", "nametag": "t", "argv": ["sleep", "1"], "command": ["sleep", "1"]}
            assert ask_as(runner, request, gid=group)["code"] != 0, verb
        assert gds_as(runner, "status", gid=group) == 0
        assert gds_as(runner, "stop", "web", gid=group) == 77
        after = runner.resource("web")
        assert (after["main_pid"], after["enabled"], after["monitored"]) == (before["main_pid"], True, True)


@pytest.mark.parametrize("rung", RUNGS)
def test_values_of_environment_files_are_told_nowhere(public: Path, rung: str) -> None:
    secrets = public / "secrets"
    secrets.write_text(f"PASSWORD={SECRET}\nbroken line {SECRET}\n={SECRET}\n")
    secrets.chmod(0o600)
    text = f"""
[resource.good]
start_command = "echo $PASSWORD > {public}/seen; exec sleep 1000"
probe_command = "test -n \\"$PASSWORD\\""
stop_command = "exit 1"
environment_files = ["{secrets}"]
user = "nobody"
[resource.bad]
start_command = ["/nosuch/command"]
environment_files = ["{secrets}"]
[resource.failing]
start_command = "exit 3"
start_grace = 30
environment_files = ["{secrets}"]
"""
    (public / "seen").touch()
    (public / "seen").chmod(0o666)
    descriptor = write(public / "web.toml", text)
    runner = Running(public, descriptor, rung=rung)
    runner.begin(wait=False)
    eventually(lambda: runner.over() or runner.answers(), "it answers or has ended")
    if runner.over():
        # a command that does not exist is refused before the first fork: told without it
        assert SECRET not in runner.log()
        write(descriptor, text.replace('["/nosuch/command"]', '"exec /nosuch/command"'))
        runner.begin()
    with_secret: list[str] = []
    try:
        good = runner.until("good", state="ONLINE")
        runner.until("bad", state="START_FAILED")
        runner.until("failing", state="START_FAILED")
        seen = eventually((public / "seen").read_text, "it has told what it has")
        assert seen == f"{SECRET}\n", "root's file, read before the user was changed"
        assert subprocess.run(["setpriv", f"--reuid={NOBODY}", "--clear-groups", "cat", secrets], check=False,
                              capture_output=True, timeout=20).returncode != 0  # fmt: skip
        assert runner.process is not None
        said = [json.dumps(runner.status()), runner.log()]
        for words in (("history",), ("why", "good"), ("why", "bad"), ("probe", "good"), ("stop", "good"), ("reload",)):
            asked = runner.gds(*words)
            said += [asked.stdout, asked.stderr]
        for entry in os.listdir("/proc"):
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue  # no process, or gone
            if SECRET.encode() in line:
                with_secret.append(entry)
        said += [runner.log(), *[p.read_text(errors="replace") for p, f in every_file(runner.runtime, runner.state)
                                 if stat.S_ISREG(f.st_mode)]]  # fmt: skip
        assert not [text for text in said if SECRET in text]
        assert not with_secret
        assert not alive(good["main_pid"])
    finally:
        runner.end()


@pytest.mark.parametrize("rung", RUNGS)
def test_an_environment_file_that_is_gone_stops_no_stop(public: Path, rung: str) -> None:
    secrets = public / "secrets"
    secrets.write_text("A=1\n")
    text = f'start_command = ["sleep", "1000"]\nstop_command = "exit 0"\nenvironment_files = ["{secrets}"]\n'
    with Running(public, write(public / "web.toml", text), rung=rung) as runner:
        pid = runner.until("web", state="ONLINE")["main_pid"]
        secrets.unlink()
        assert runner.gds("stop", "web").returncode == 0
        assert not alive(pid)
        assert "cannot read environment file" in runner.log()
        assert "internal error" not in runner.log()


@pytest.mark.parametrize("rung", RUNGS)
def test_what_the_runner_writes_is_not_for_the_world(public: Path, rung: str) -> None:
    text = f"""
start_command = "echo hello; exec sleep 1000"
stdout = {{path = "{public}/out/web.log", rotate = "64KiB"}}
stderr = {{path = "{public}/out/err.log"}}
probe = {{notify = "1h"}}
"""
    (public / "out").mkdir()
    descriptor = write(public / "web.toml", text.replace('probe = {notify = "1h"}', ""))
    with Running(public, descriptor, rung=rung, wrapper=("sh", "-c", 'umask 0; exec "$@"', "sh")) as runner:
        runner.until("web", state="ONLINE")
        runner.gds("disable", "web")
        runner.gds("enable", "web")
        runner.gds("reload")
        eventually(lambda: (runner.state / "switches.json").exists(), "switches are kept")
        loose = [
            (str(path), oct(facts.st_mode))
            for path, facts in every_file(runner.runtime, runner.state, public / "out")
            if facts.st_mode & 0o007 and not stat.S_ISDIR(facts.st_mode)
        ]
        loose += [
            (str(path), oct(facts.st_mode))
            for path, facts in every_file(runner.runtime, runner.state)
            if facts.st_mode & 0o022 and stat.S_ISDIR(facts.st_mode)
        ]
        loose += [(str(d), oct(d.stat().st_mode)) for d in (runner.runtime, runner.state) if d.stat().st_mode & 0o022]
        assert not loose


@pytest.mark.parametrize("rung", RUNGS)
def test_an_application_of_another_user_reaches_nothing_of_the_runner(public: Path, rung: str) -> None:
    report = public / "report"
    report.touch()
    report.chmod(0o666)
    spy = f"""
exec > {report} 2>&1
echo fds $(ls /proc/self/fd | wc -l) $(readlink /proc/$$/fd/0)
ls /proc/$PPID/fd > /dev/null 2>&1 && echo BAD parent fds
for pid in $(cat {public}/run/lock); do
    ls /proc/$pid/fd > /dev/null 2>&1 && echo BAD runner fds
    cat /proc/$pid/environ > /dev/null 2>&1 && echo BAD runner environ
    kill -0 $pid 2> /dev/null && echo BAD runner signal
done
place=$(sed -n s/^0:://p /proc/self/cgroup)
for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    for up in "" /..; do
        for file in cgroup.procs cgroup.kill; do
            [ -e $mount$place$up/$file ] || continue
            echo looked at $file
            (echo $$ > $mount$place$up/$file) 2> /dev/null && echo BAD $mount$place$up/$file
        done
        mkdir $mount$place$up/mine 2> /dev/null && echo BAD mkdir $mount$place$up
    done
done
for file in {public}/run/state.log {public}/state/history.*.spool {public}/run/lock; do
    (cat $file > /dev/null) 2> /dev/null && echo BAD read $file
    (echo x >> $file) 2> /dev/null && echo BAD write $file
done
ls {public}/run/keepers > /dev/null 2>&1 && echo BAD keepers
echo notify ${{NOTIFY_SOCKET:-none}} ${{WATCHDOG_USEC:-none}}
echo groups $(id -u) $(id -G)
echo done
exec sleep 1000
"""
    (public / "spy.sh").write_text(spy)
    text = f'start_command = ["sh", "{public}/spy.sh"]\nuser = "nobody"\n'
    env = {"NOTIFY_SOCKET": "@nobody-listens-here", "WATCHDOG_USEC": "30000000"}
    runner = Running(public, write(public / "web.toml", text), rung=rung)
    runner.env.update(env)
    with runner:
        runner.until("web", state="ONLINE")
        said = eventually(lambda: t if "done" in (t := report.read_text()) else "", "the spy has reported")
        assert "BAD" not in said, said
        # ls itself has opened the directory
        assert "fds 4 /dev/null" in said
        assert "notify none none" in said
        assert f"groups {NOBODY} {NOBODY}" in said
        if rung == "cgroup":
            assert "looked at cgroup.procs" in said
        request = json.dumps({"verb": "stop", "names": ["web"]})
        assert ask_as(runner, json.loads(request), uid=NOBODY, gid=NOBODY) == {"refused": True}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("rotate", ["", ', rotate = "64KiB"'])
def test_a_link_in_a_log_directory_that_all_can_write_is_not_followed(public: Path, rung: str, rotate: str) -> None:
    logs = public / "logs"
    logs.mkdir()
    logs.chmod(0o1777)
    victim = public / "victim"
    victim.write_text("precious\n")
    (logs / "web.log").symlink_to(victim)
    os.lchown(logs / "web.log", NOBODY, NOBODY)
    text = (
        f'start_command = "echo overwritten; exec sleep 1000"\nstdout = {{path = "{logs}/web.log"{rotate}}}\n'
        'user = "nobody"\n'
    )
    with Running(public, write(public / "web.toml", text), rung=rung) as runner:
        runner.until("web", state="START_FAILED")
        assert "symbolic link" in runner.resource("web")["because"]
    assert victim.read_text() == "precious\n"
    assert (victim.stat().st_uid, victim.stat().st_mode & 0o777) == (0, 0o644)


@pytest.mark.parametrize("mode", [0o666, 0o622])
def test_a_descriptor_others_can_write_is_refused(public: Path, mode: int) -> None:
    descriptor = write(public / "web.toml", f'start_command = "touch {public}/ran; exec sleep 1000"\n')
    descriptor.chmod(mode)
    runner = Running(public, descriptor)
    runner.begin(wait=False)
    assert runner.wait() == 78
    assert "web.toml" in runner.log()
    assert "Traceback" not in runner.log()
    assert not (public / "ran").exists()


def test_a_descriptor_of_another_user_is_refused(public: Path) -> None:
    descriptor = write(public / "web.toml", f'start_command = "touch {public}/ran; exec sleep 1000"\n')
    os.chown(descriptor, NOBODY, NOBODY)
    runner = Running(public, descriptor)
    runner.begin(wait=False)
    assert runner.wait() == 78
    assert not (public / "ran").exists()


def test_a_method_of_another_user_cannot_outlive_its_probe(public: Path) -> None:
    """The probe's tree ends with it, also when it runs as another user and left a daemon behind."""
    text = f"""
start_command = ["sleep", "1000"]
probe_command = "setsid sleep 4242.{os.getpid()} & exit 0"
user = "nobody"
thorough_probe_interval = 0.2
"""
    with Running(public, write(public / "web.toml", text), rung="cgroup") as runner:
        runner.until("web", state="ONLINE")
        eventually(lambda: runner.resource("web")["probe"], "it was probed")
        runner.gds("unmonitor", "web")

        def daemons() -> list[int]:
            found = []
            for entry in os.listdir("/proc"):
                try:
                    if f"4242.{os.getpid()}".encode() in Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0"):
                        found.append(int(entry))
                except OSError:
                    continue  # no process, or gone
            return [pid for pid in found if alive(pid)]

        eventually(lambda: not daemons(), "nothing of the probes is left")
        assert runner.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ENDPOINTS": "https://127.0.0.1:1", "CA_FILE": "none"}, "cannot read ca_file {}/none: no such file"),
        ({"USER": "gds", "PASSWORD_FILE": "none"}, "cannot read password_file {}/none: no such file"),
        ({"USER": "gds", "PASSWORD_FILE": "open"}, "cannot use password_file {}/open: everybody may read it"),
        ({"WATCHDOG": "none"}, "cannot use watchdog {}/none: there is no such device"),
        ({"TRACKING": "keeper"}, "needs a cgroup v2 hierarchy that we may write"),
    ],
    ids=lambda each: each.split(":")[0] if isinstance(each, str) else "",
)
def test_settings_of_a_cluster_that_name_what_is_not_there_are_bad_settings(
    tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    (tmp_path / "open").write_text("secret\n")
    (tmp_path / "open").chmod(0o644)
    environ = {"GDS_ETCD_ENDPOINTS": "http://127.0.0.1:1"}
    for name, value in settings.items():
        whole = "GDS_TRACKING" if name == "TRACKING" else f"GDS_ETCD_{name}"
        environ[whole] = str(tmp_path / value) if value in ("none", "open") else value
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    options = ("--engine", "etcd", "--node", "n1")
    runner = Running(tmp_path, descriptor, env=environ, options=options)
    runner.begin(wait=False)
    assert runner.wait() == 78, runner.log()
    assert says.format(tmp_path) in runner.log()
