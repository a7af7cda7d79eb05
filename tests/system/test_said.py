"""What people ask for is said with who asked, in the same words in the log and in the history (design.md 1.2)."""

from __future__ import annotations

import os
from pathlib import Path

from gds.api import client
from tests.system.running import Running, write

WHO = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"


def test_what_moves_nothing_is_said_in_the_log_as_in_the_history(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\nprobe_command = ["true"]\n')
    with Running(tmp_path, descriptor) as runner:
        runner.until("web", state="ONLINE")
        asked = {
            "giveover": f"giveover asked by {WHO}; refused, there is no other node to run it on",
            "clear": f"clear asked by {WHO}",
            "unmonitor": f"unmonitor asked by {WHO}",
            "monitor": f"monitor asked by {WHO}",
        }
        for verb in asked:
            assert runner.gds(verb, "web").returncode == (1 if verb == "giveover" else 0)
        history = runner.gds("history", "web").stdout
        for words in asked.values():
            assert words in runner.log()
            assert words in history
        for verb in ("suspend", "resume"):
            assert runner.gds("rg", verb, "web").returncode == 0
            assert f"rg {verb} asked by {WHO}" in runner.log()
            assert f"rg {verb} asked by {WHO}" in runner.gds("history", "web").stdout


def test_who_stopped_it_is_known_after_a_crash_too(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "web.toml", 'start_command = ["sleep", "1000"]\n')
    with Running(tmp_path, descriptor) as runner:
        runner.until("web", state="ONLINE")
        assert runner.gds("stop", "web").returncode == 0
        for _again in range(2):
            runner.crash()
            runner.begin()
            assert runner.until("web", state="OFFLINE")["because"] == f"stop asked by {WHO}"


def test_why_an_environment_file_cannot_be_read_and_which_directory_is_empty_is_said(tmp_path: Path) -> None:
    settings = write(tmp_path / "web.env", "A=1\n")
    text = f'start_command = ["sleep", "1000"]\nenvironment_files = ["{settings}"]\n'
    descriptor = write(tmp_path / "web.toml", text)
    empty = tmp_path / "empty"
    empty.mkdir()
    with Running(tmp_path, descriptor, empty) as runner:
        runner.until("web", state="ONLINE")
        assert f"warning {empty}: no *.toml file" in runner.log(), "without a line or a column, for it has none"
        settings.unlink()
        runner.gds("restart", "web")
        failed = runner.until("web", state="START_FAILED")
        assert f"cannot read environment file {settings}: No such file or directory" in failed["because"]


def test_no_application_writes_to_the_terminal_of_who_asks(tmp_path: Path) -> None:
    sound = "probed\n\x1b]0;title\x07 \x9b2J"
    (tmp_path / "said").write_text(sound)
    descriptor = write(
        tmp_path / "web.toml",
        'start_command = ["sleep", "1000"]\nfailover_mode = "NONE"\n'
        f'probe_command = "cat {tmp_path}/said"\n'
        f'postnet_stop_command = "cat {tmp_path}/said; exit 3"\n',
    )
    one_line = "probed \\u001b]0;title\\u0007 \\u009b2J"
    with Running(tmp_path, descriptor) as runner:
        up = runner.until("web", state="ONLINE")
        assert up["status_msg"] == sound, "a program gets what was said"
        probed = runner.gds("probe", "web")
        assert f"output: {one_line}\n" in probed.stdout
        stopped = runner.gds("stop", "web")
        because = f"Postnet_stop failed: postnet_stop_command exited with status 3: {one_line}"
        assert stopped.stderr == f"gds: cannot stop web: STOP_FAILED: {because}\n"
        assert runner.resource("web")["because"] == because, "a reason is one sentence on one line"
        client.ask(
            str(runner.socket), {"verb": "scha.setstatus", "resource": "web", "status": "FAULTED", "message": sound}
        )
        for words in (("status",), ("why", "web"), ("history", "web"), ("status", "--json"), ("history", "--json")):
            told = runner.gds(*words)
            assert one_line in told.stdout.replace("\\n", " "), words
            assert all(line.isprintable() for line in told.stdout.splitlines()), words
        assert len(runner.gds("status").stdout.splitlines()) == 4, "the head, the resource, its reason, the runner"
        assert runner.resource("web")["status_msg"] == sound
