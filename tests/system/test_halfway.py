"""A registered type's Start that is under way when nobody waits for it any more: it has ended before Stop is called, so
that it cannot bring up a second one beside what is started next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.running import RUNGS, Running, alive, eventually, write

START = """#!/bin/sh
echo "start $$" >> @/told
setsid sleep 1000 > @/noise 2>&1 &
echo "half $!" >> @/told
[ -e @/quick ] || exec sleep 1001
exit 0
"""
STOP = """#!/bin/sh
for pid in $(sed -n 's/^start //p' @/told); do  # who has ended and is not reaped yet has no command line any more
    [ -n "$(tr '\\0' ' ' < /proc/$pid/cmdline)" ] && echo "beside $pid" >> @/told
done 2> @/noise
for line in $(sed -n 's/^half //p' @/told); do kill $line 2> @/noise; done
echo stop >> @/told
exit 0
"""


class Slow:
    """A type whose Start goes on until somebody says otherwise, and tells who it was."""

    def __init__(self, where: Path, rung: str) -> None:
        self.where = where
        for name, text in (("start", START), ("stop", STOP)):
            write(where / name, text.replace("@", str(where))).chmod(0o755)
        rtr = f'Resource_type = slow; Vendor_id = ACME; RT_version = "1"; RT_basedir = {where};\n'
        env = {"GDS_STATE_DIR": str(where / "state")}
        descriptor = write(where / "slow.toml", '[resource.slow]\ntype = "ACME.slow"\n')
        self.runner = Running(where, descriptor, env=env, rung=rung)
        assert (
            self.runner.gds(
                "rt", "register", str(write(where / "ACME.slow", rtr + "Start = start; Stop = stop;\n"))
            ).returncode
            == 0
        )

    def told(self, word: str) -> list[int]:
        """The numbers behind a word."""
        path = self.where / "told"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [int(line[-1]) if len(line) > 1 else 0 for line in lines if line[0] == word]

    def started(self, times: int) -> int:
        """The last of so many."""
        return eventually(lambda: halves[-1] if len(halves := self.told("half")) == times else 0, f"Start {times}")


@pytest.mark.parametrize("rung", RUNGS)
def test_a_start_under_way_ends_before_stop_is_called(tmp_path: Path, rung: str) -> None:
    slow = Slow(tmp_path, rung)
    with slow.runner as runner:
        slow.started(1)
        assert runner.gds("stop", "slow").returncode == 0
        assert len(slow.told("stop")) == 1, "what a half Start left behind is its to end"
        assert not slow.told("beside")
        assert not [p for p in slow.told("start") + slow.told("half") if alive(p)]


@pytest.mark.parametrize("rung", RUNGS)
def test_a_start_that_was_under_way_when_the_runner_died_ends_before_stop_is_called(tmp_path: Path, rung: str) -> None:
    slow = Slow(tmp_path, rung)
    with slow.runner as runner:
        slow.started(1)
        runner.crash()
        assert [p for p in slow.told("start") if alive(p)]
        (tmp_path / "quick").touch()
        runner.begin()
        runner.until("slow", state="ONLINE", restarts_done=0)
        slow.started(2)
        assert not slow.told("beside")
        assert len([p for p in slow.told("half") if alive(p)]) == 1, "one, and not two"
        assert runner.gds("stop", "slow").returncode == 0
        eventually(lambda: not [p for p in slow.told("start") + slow.told("half") if alive(p)], "nothing is left")
