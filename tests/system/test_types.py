"""Resources of registered types against a real runner: when their methods are called, and what their failures do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.running import Running, write

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


NOTING = """#!/bin/sh
echo "$GDS_METHOD $*" >> @/told
[ -e @/fail.$GDS_METHOD ] && { echo "told to fail"; exit 7; }
exit 0
"""
METHODS = ("Start", "Stop", "Prenet_start", "Init", "Validate", "Update", "Monitor_start", "Monitor_stop")


class Noting:
    """A type whose methods write down that they were called, and fail when they are told to."""

    def __init__(self, tmp_path: Path) -> None:
        self.where = tmp_path
        self.told = tmp_path / "told"
        write(tmp_path / "method", NOTING.replace("@", str(tmp_path))).chmod(0o755)
        lines = "".join([f"{name} = method;\n" for name in METHODS])
        rtr = f'Resource_type = lamp;\nVendor_id = ACME;\nRT_version = "1.0";\nRT_basedir = {tmp_path};\n{lines}'
        own = "{ PROPERTY = Wattage; EXTENSION; INT; DEFAULT = 40; TUNABLE = ANYTIME; }\n"
        self.rtr = write(tmp_path / "lamp.rtr", f"{rtr}#$upgrade\n{own}")
        text = '[group.g]\n[resource.l1]\ngroup = "g"\ntype = "ACME.lamp"\n'
        self.descriptor = write(tmp_path / "lamp.toml", text)

    def runner(self) -> Running:
        """Not begun; the type is registered."""
        runner = Running(self.where, self.descriptor, env={"GDS_STATE_DIR": str(self.where / "state")})
        assert runner.gds("rt", "register", str(self.rtr)).returncode == 0
        return runner

    def fails(self, method: str, fails: bool = True) -> None:
        """From now on."""
        mark = self.where / f"fail.{method}"
        mark.touch() if fails else mark.unlink()

    def calls(self) -> list[str]:
        """What was called since somebody last asked."""
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        self.told.write_text("")
        return lines

    def methods(self) -> list[str]:
        """The same, the names alone."""
        return [line.split()[0] for line in self.calls()]


@pytest.mark.slow
def test_validate_is_asked_before_a_resource_is_there_and_before_it_changes_and_not_else(tmp_path: Path) -> None:
    """Sun: semantics.md 9.1, 9.2."""
    lamp = Noting(tmp_path)
    up = ["Prenet_start", "Start", "Monitor_start"]
    with lamp.runner() as runner:
        runner.until("l1", state="ONLINE")
        first, *others = lamp.calls()
        assert [each.split()[0] for each in others] == ["Init", *up]
        assert first.startswith("Validate -c -R l1 -T ACME.lamp:1.0 -G g -r ")
        assert " -x Wattage=40 -g RG_description= -g RG_mode=FAILOVER " in first
        assert " -g Pingpong_interval=3600 " in first
        assert runner.gds("restart", "l1").returncode == 0
        runner.until("l1", state="ONLINE", incarnation=2)
        assert "Validate" not in lamp.methods()
        lamp.fails("Validate")
        refused = runner.gds("set", "g", "pingpong_interval=60")
        assert refused.returncode == 1
        assert "l1: Validate exited with status 7: told to fail" in refused.stderr
        assert lamp.calls() == ["Validate -u -R l1 -T ACME.lamp:1.0 -G g -g Pingpong_interval=60"]
        write(lamp.descriptor, lamp.descriptor.read_text().replace("[group.g]", "[group.g]\nfailback = true"))
        refused = runner.gds("reload")
        assert (refused.returncode, "nothing was touched" in refused.stderr) == (1, True)
        assert lamp.calls() == ["Validate -u -R l1 -T ACME.lamp:1.0 -G g -g Failback=TRUE"]
        lamp.fails("Validate", fails=False)
        assert runner.gds("reload").returncode == 0
        assert runner.gds("set", "l1", "wattage=60").returncode == 0
        runner.end()
        lamp.calls()
        runner.begin()
        runner.until("l1", state="ONLINE")
        assert lamp.methods() == up  # it knows all of that
        runner.end()
        lamp.calls()
        lamp.fails("Validate")
        write(lamp.descriptor, lamp.descriptor.read_text() + 'R_description = "other"\n')
        runner.begin()
        because = "its type refuses it as it is declared: Validate exited with status 7: told to fail"
        runner.until("l1", state="START_FAILED", status="FAULTED", because=because)
        assert lamp.methods() == ["Validate"]
        lamp.fails("Validate", fails=False)
        assert runner.gds("start", "l1").returncode == 0
        runner.until("l1", state="ONLINE")


@pytest.mark.slow
def test_a_monitor_that_fails_is_told_to_who_asked_and_forgotten_when_it_works(tmp_path: Path) -> None:
    lamp = Noting(tmp_path)
    failed = "Monitor_start failed: it exited with status 7: told to fail"
    with lamp.runner() as runner:
        runner.until("l1", state="ONLINE")
        lamp.fails("Monitor_start")
        made = runner.gds("restart", "l1")
        assert (made.returncode, made.stderr) == (0, f"l1 is up, and not monitored: {failed}\n")
        assert runner.resource("l1")["state"] == "MONITOR_FAILED"
        made = runner.gds("monitor", "l1")
        assert (made.returncode, made.stderr) == (1, f"gds: cannot monitor l1: {failed}\n")
        lamp.fails("Monitor_start", fails=False)
        assert runner.gds("monitor", "l1").returncode == 0
        assert runner.resource("l1")["because"].startswith("restart asked by ")
        lamp.fails("Monitor_stop")
        made = runner.gds("unmonitor", "l1")
        stuck = "Monitor_stop exited with status 7: told to fail"
        assert (made.returncode, made.stderr) == (1, f"gds: cannot unmonitor l1: {stuck}\n")
        assert runner.resource("l1")["because"] == stuck
        lamp.fails("Monitor_stop", fails=False)
        assert runner.gds("unmonitor", "l1").returncode == 0
        assert runner.resource("l1")["because"].startswith("restart asked by ")
        lamp.fails("Update")
        made = runner.gds("set", "l1", "wattage=50")
        assert made.returncode == 0
        assert "l1 was changed, and Update failed: its method exited with status 7: told to fail\n" in made.stderr


@pytest.mark.slow
def test_one_fault_is_told_once_and_what_was_set_is_no_fault_of_a_broken_table(tmp_path: Path) -> None:
    lamp = Noting(tmp_path)
    with lamp.runner() as runner:
        runner.until("l1", state="ONLINE")
        refused = runner.gds("set", "l1", "resource_dependencies=nix")
        said = "gds: cannot set l1: resource_dependencies[0]: no resource nix is declared\ngds: nothing was changed\n"
        assert (refused.returncode, refused.stderr) == (78, said)
        assert runner.gds("set", "l1", "wattage=50").returncode == 0
        write(lamp.descriptor, lamp.descriptor.read_text() + "Colour = 3\n")
        refused = runner.gds("reload")
        line = f"gds: {lamp.descriptor}:5:1: resource.l1.colour: type ACME.lamp:1.0 has no such property"
        assert refused.returncode == 78
        assert [each.partition(";")[0] for each in refused.stderr.splitlines()] == [
            line,
            "gds: cannot reload: nothing was touched",
        ]


def reload_to(runner: Running, lamp: Noting, old: str, new: str) -> subprocess.CompletedProcess[str]:
    """With that written instead into the descriptor."""
    write(lamp.descriptor, lamp.descriptor.read_text().replace(old, new))
    return runner.gds("reload")


@pytest.mark.slow
def test_a_reload_asks_validate_of_what_changes_and_of_all_only_where_it_has_not_agreed(tmp_path: Path) -> None:
    """Sun: semantics.md 9.1: -u is a change, whether or not it needs a stop; -c is what comes into being."""
    lamp = Noting(tmp_path)
    own = "{ PROPERTY = Socket; EXTENSION; STRING; DEFAULT = E27; TUNABLE = WHEN_DISABLED; }\n"
    write(lamp.rtr, lamp.rtr.read_text() + own)
    write(lamp.descriptor, lamp.descriptor.read_text() + 'socket = "E40"\n')
    changed = ["Validate -u -R l1 -T ACME.lamp:1.0 -G g -x Socket=E14"]
    with lamp.runner() as runner:
        runner.until("l1", state="ONLINE")
        lamp.calls()
        lamp.fails("Validate")
        assert reload_to(runner, lamp, "E40", "E14").returncode == 1
        assert lamp.calls() == changed
        lamp.fails("Validate", fails=False)
        made = runner.gds("reload")
        assert (made.returncode, made.stderr) == (0, "l1: stop, change socket, start\n")
        validated, *others = lamp.calls()
        assert [validated] == changed
        assert [each.split()[0] for each in others] == [
            "Monitor_stop",
            "Stop",
            "Prenet_start",
            "Start",
            "Monitor_start",
        ]
        write(
            lamp.descriptor, lamp.descriptor.read_text() + '[group.h]\n[resource.l2]\ngroup = "h"\ntype = "ACME.lamp"\n'
        )
        assert runner.gds("reload").returncode == 0
        assert lamp.calls()[0].startswith("Validate -c -R l2 ")
        # to another group it comes anew
        assert reload_to(runner, lamp, 'group = "h"', 'group = "g"').returncode == 0
        assert lamp.calls()[0].startswith("Validate -c -R l2 ")
    with lamp.runner() as runner:
        runner.end()
        lamp.fails("Validate")
        write(lamp.descriptor, lamp.descriptor.read_text().replace("E14", "E5"))
        runner.begin()
        runner.until("l1", state="START_FAILED")
        runner.until("l2", state="ONLINE")  # Validate had agreed to that
        lamp.fails("Validate", fails=False)
        lamp.calls()
        assert reload_to(runner, lamp, "E5", "B22").returncode == 0
        (asked,) = [each for each in lamp.calls() if each.startswith("Validate ")]
        assert asked.startswith("Validate -c -R l1 "), "its type had not agreed to what it was"
        runner.until("l1", state="ONLINE")


@pytest.mark.slow
def test_for_an_upgrade_that_wants_no_monitor_only_the_monitor_rests(tmp_path: Path) -> None:
    """Sun: semantics.md 14.4, WHEN_UNMONITORED."""
    lamp = Noting(tmp_path)
    text = lamp.rtr.read_text().replace('"1.0"', '"2.0"')
    line = '#$upgrade\n#$upgrade_from "1.0" WHEN_UNMONITORED\n'
    later = write(tmp_path / "later.rtr", text.replace("#$upgrade\n", line))
    write(lamp.descriptor, lamp.descriptor.read_text().replace("lamp", "lamp:1.0"))
    with lamp.runner() as runner:
        assert runner.gds("rt", "register", str(later)).returncode == 0
        runner.until("l1", state="ONLINE")
        lamp.calls()
        lamp.fails("Monitor_stop")
        made = reload_to(runner, lamp, ":1.0", ":2.0")
        plan = "l1: stop its monitor, change type, start its monitor\n"
        stuck = "Monitor_stop exited with status 7: told to fail"
        assert (made.returncode, made.stderr) == (1, f"{plan}gds: l1: {stuck}; it was not changed\n")
        assert runner.resource("l1")["type"] == "ACME.lamp:1.0"
        lamp.fails("Monitor_stop", fails=False)
        lamp.fails("Monitor_start")
        lamp.calls()
        made = runner.gds("reload")
        failed = "Monitor_start failed: it exited with status 7: told to fail"
        assert (made.returncode, made.stderr) == (1, f"{plan}gds: l1 was changed, and {failed}\n")
        assert lamp.calls() == [
            "Validate -u -R l1 -T ACME.lamp:2.0 -G g -r Type_version=2.0",
            "Monitor_stop -R l1 -T ACME.lamp:1.0 -G g",
            "Update -R l1 -T ACME.lamp:2.0 -G g",
            "Monitor_start -R l1 -T ACME.lamp:2.0 -G g",
        ]
        found = runner.resource("l1")
        assert (found["type"], found["state"], found["incarnation"]) == ("ACME.lamp:2.0", "MONITOR_FAILED", 1)
        lamp.fails("Monitor_start", fails=False)
        assert runner.gds("monitor", "l1").returncode == 0
        assert runner.resource("l1")["state"] == "ONLINE"
