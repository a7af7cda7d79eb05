"""The exerciser: random acts against a runner with real applications, audited from outside after each.

    python -m tests.system.exercise --acts 2000 --seed 7 --rung cgroup|keeper|both --groups

An act is a kill, a stop signal, a command, a reload, a fault of the disk. After it the runner has `REST` seconds to
come to rest, and then must be found as the books kept here say: every application runs exactly as often as it may (two
copies at any moment betray themselves, see programs/worker.py), no process without an owner, nothing left of what is
stopped, budgets and histories hold, the reason told is true, no error of ours in the log, no descriptor and no memory
lost. With `--groups` there are also three that need each other: whoever cannot be without another does not run without
it once all is at rest. What is looked at comes from /proc: every process of an application carries a marker in its
environment that gds knows nothing of.

The choice of acts follows from the seed, which is printed; times do not. On the keeper rung the runner and a keeper
are never killed together: that pair the product does not cover.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gds.api import client
from gds.errors import GdsError
from gds.linux import procfs

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = Path(__file__).parent / "programs"
REST = 60.0
"""Seconds to come to rest; one is usual."""
UP = ("ONLINE", "ONLINE_NOT_MONITORED")
SETTLED = (*UP, "OFFLINE", "START_FAILED", "STOP_FAILED", "MONITOR_FAILED")
MARK = "EXERCISE"
SPAN = 4
"""retry_interval, seconds."""
LIMIT = 3
"""retry_count."""
DEATH = r"the last process of the tree ended \((killed by SIGKILL|exit status unknown)\)|connection refused"
"""Of a tree that got SIGKILL; a probe may see it first."""
MOST_FDS = 80
MOST_GROWTH = 8 << 20
"""Bytes a runner may grow between its first rest and its last."""


class Fault(AssertionError):
    """What was found is not what must be."""


@dataclass
class App:
    """What the books say of one resource."""

    mode: str
    keys: str = ""
    down: bool = False
    enabled: bool = True
    monitored: bool = True
    may_fail: bool = False
    """START_FAILED is allowed."""
    variant: int = 0
    limit: int = LIMIT
    incarnation: int = 0


@dataclass
class Member:
    """What the books say of one of the three that need each other."""

    needs: str = ""
    kind: str = ""
    """strong: what it needs has to be there when it starts; offline_restart: also as long as it runs."""
    wanted: bool = True
    up: bool = True
    variant: int = 0


@dataclass
class Seen:
    """One process of an application."""

    pid: int
    name: str
    method: str
    parent: int


@dataclass
class Exercise:
    """One runner and its applications."""

    rung: str
    seed: int
    where: Path
    groups: bool = False
    acts_done: int = 0
    last: deque[str] = field(default_factory=lambda: deque(maxlen=12))

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.token = f"{os.getpid()}-{self.seed}-{self.rung}"
        self.shared = self.where / "shared"
        self.shared.mkdir()
        self.shared.chmod(0o777)
        self.disk = self.where / "disk"
        self.disk.mkdir()
        self.root = os.geteuid() == 0
        if self.root:
            mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "gds-exercise", str(self.disk)]
            subprocess.run(mount, check=True, timeout=20)
        self.runtime = self.disk / "run"
        self.state = self.disk / "state"
        self.log = self.where / "log"
        self.socket = str(self.runtime / "control.sock")
        self.descriptor = self.where / "apps.toml"
        self.process: subprocess.Popen[bytes] | None = None
        self.history_read: dict[str, int] = {}
        """How far each spool was looked through."""
        self.log_read = 0
        self.memory = 0
        self.torn = False
        port = _free_port()
        probe = 'thorough_probe_interval = 0.2\nprobe_timeout = 1\nprobe_command = "{}"\n'
        switched = f"sh {PROGRAMS}/switched.sh {self.shared}/"
        self.apps = {
            "plain": App("plain"),
            "daemon": App("daemon"),
            "stubborn": App("stubborn", "stop_timeout = 3\n"),
            "probed": App("plain", probe.format(f"exec {switched}probed.probe")),
            "slow": App("slow", probe.format(f"grep -qsx $GDS_INCARNATION {self.shared}/slow.ready")),
            "tcp": App("tcp", f'port_list = ["{port}/tcp"]\nthorough_probe_interval = 0.2\nprobe_timeout = 1\n'),
            "commanded": App("plain", f'stop_timeout = 4\nstop_command = "{switched}commanded.stop; kill $MAINPID"\n'),
            "logged": App("plain", f'stdout = {{path = "{self.where}/logged.log", rotate = "64KiB", keep = 2}}\n'),
        }
        self.port = port
        # by way of the launcher
        self.apps["limited"] = App("plain", "limits = {core = 0}\n")
        self.spare = App("plain")
        self.trio: dict[str, Member] = {}
        if self.groups:
            self.trio = {"base": Member(), "mid": Member("base", "strong"), "top": Member("mid", "offline_restart")}
        for name in (*self.apps, *self.trio, "spare"):
            lock = self.shared / f"{name}.lock"
            lock.touch()
            lock.chmod(0o666)
        (self.shared / "overlaps").touch()
        (self.shared / "overlaps").chmod(0o666)

    # -- the runner ---------------------------------------------------------------------------------------------------

    def describe(self) -> None:
        """Write the descriptor as the books say."""
        text = ""
        for name, app in self.apps.items():
            port = f" {self.port}" if app.mode == "tcp" else ""
            command = [sys.executable, "-I", "-S", str(PROGRAMS / "worker.py"), app.mode, name, str(self.shared)]
            text += (
                f"[resource.{name}]\nstart_command = {json.dumps([*command, *port.split()])}\n"
                f'environment = {{{MARK} = "{self.token}:{name}", VARIANT = "{app.variant}"}}\n'
                f"retry_count = {app.limit}\nretry_interval = {SPAN}\nstart_timeout = 10\n{app.keys}"
            )
            if "stop_timeout" not in app.keys:
                text += "stop_timeout = 10\n"
        for name, member in self.trio.items():
            worker = [sys.executable, "-I", "-S", str(PROGRAMS / "worker.py"), "plain", name, str(self.shared)]
            text += (
                f'[resource.{name}]\ngroup = "trio"\nstart_command = {json.dumps(worker)}\n'
                f'environment = {{{MARK} = "{self.token}:{name}", VARIANT = "{member.variant}"}}\n'
                f"retry_count = {LIMIT}\nretry_interval = {SPAN}\nstart_timeout = 10\nstop_timeout = 10\n"
            )
            if member.needs:
                kind = "" if member.kind == "strong" else f"_{member.kind}"
                text += f'resource_dependencies{kind} = ["{member.needs}"]\n'
        self.descriptor.write_text(text)
        self.descriptor.chmod(0o644)

    def begin(self) -> None:
        """Start the runner (again) and wait until it answers."""
        env = {**os.environ, "GDS_TRACKING": self.rung}
        env.pop("NOTIFY_SOCKET", None)
        words = ["-m", "gds", "run", "--runtime-dir", str(self.runtime), "--state-dir", str(self.state)]
        words += ["--history-size", "1MiB"]  # it must not fill the disk by itself
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *words, str(self.descriptor)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        self.memory = 0
        self.until(self.answers, "the runner answers")

    def answers(self) -> bool:
        """Its socket answers."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise Fault(f"the runner ended with {self.process.returncode}")
        try:
            return bool(client.ask(self.socket, {"verb": "status"}, timeout=20)["status"]["pid"] == self.process.pid)
        except (client.NoRunner, client.TimedOut):
            return False

    def ask(self, verb: str, *names: str, **more: Any) -> dict[str, Any]:
        """One request, and its answer."""
        return client.ask(self.socket, {"verb": verb, "names": list(names), **more}, timeout=REST)

    def crash(self) -> None:
        """SIGKILL to the runner."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def status(self) -> dict[str, dict[str, Any]]:
        """name -> resource."""
        groups = self.ask("status")["status"]["groups"]
        return {r["name"]: r for g in groups for r in g["resources"]}

    # -- looking from outside -----------------------------------------------------------------------------------------

    def seen(self) -> list[Seen]:
        """Every live process of any application or method of ours."""
        wanted = f"{MARK}={self.token}:".encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes()
                if wanted not in environ:
                    continue
                facts = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if facts[0] in "ZX":
                continue
            pairs = dict(p.split("=", 1) for p in environ.decode("utf-8", "replace").split("\0") if "=" in p)
            name = pairs.get(MARK, "").rpartition(":")[2]
            found.append(Seen(int(entry), name, pairs.get("GDS_METHOD", ""), int(facts[1])))
        return found

    def of(self, name: str, method: str = "Start") -> list[int]:
        """pids of an application (or of one of its methods)."""
        return [s.pid for s in self.seen() if s.name == name and s.method == method]

    def helpers(self, comm: str) -> list[int]:
        """Processes of the runner's own with that name, forked from a runner on our directories."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if str(self.runtime).encode() not in Path(f"/proc/{entry}/cmdline").read_bytes():
                    continue
                if Path(f"/proc/{entry}/comm").read_text().strip() == comm:
                    found.append(int(entry))
            except OSError:
                continue  # it ended meanwhile
        return found

    def until(self, fact: Callable[[], Any], what: str, within: float = REST) -> Any:
        """The first true answer; a Fault after `within` seconds."""
        deadline = time.monotonic() + within
        while not (answer := fact()):
            if time.monotonic() > deadline:
                raise Fault(f"after {within:g} s still not: {what}")
            time.sleep(0.01)
        return answer

    # -- the audit ----------------------------------------------------------------------------------------------------

    def rest(self) -> dict[str, dict[str, Any]]:
        """Wait until all is as the books say, then audit; the status."""
        deadline = time.monotonic() + REST
        while True:
            said = self.status()
            problem = self.differs(said)
            self.always(said)
            if not problem:
                break
            if time.monotonic() > deadline:
                raise Fault(f"after {REST:g} s still not at rest: {problem}")
            time.sleep(0.03)
        self.keep(said)
        return said

    def differs(self, said: dict[str, dict[str, Any]]) -> str:
        """What is not as it should be at rest, "" when all is."""
        expected = {*self.apps, *self.trio}
        if set(said) != expected:
            return f"resources {sorted(said)} instead of {sorted(expected)}"
        seen = self.seen()
        for name, app in self.apps.items():
            told = said[name]
            running = {s.pid for s in seen if s.name == name and s.method == "Start"}
            helpers = [s for s in seen if s.name == name and s.method not in ("Start", "Probe")]
            if helpers:
                return f"{name}: methods still run: {helpers}"
            state = told["state"]
            if app.down or not app.enabled:
                if state != "OFFLINE" and not (app.may_fail and state == "START_FAILED"):
                    return f"{name} is {state}, it should be OFFLINE ({told['because']})"
            elif state not in UP and not (app.may_fail and state == "START_FAILED"):
                return f"{name} is {state}, it should be up ({told['because']})"
            if state in UP:
                if (state == "ONLINE") != app.monitored:
                    return f"{name} is {state}, monitored should be {app.monitored}"
                if not running:
                    return f"{name} is {state} and no process of it runs"
            elif running:
                return f"{name} is {state} and {sorted(running)} run"
            if running != set(told["pids"]):
                return f"{name}: {sorted(running)} run, {sorted(told['pids'])} are told"
        for name, member in self.trio.items():
            state = said[name]["state"]
            running = {s.pid for s in seen if s.name == name}
            if (state in UP, bool(running)) != (member.up, member.up) or state not in (*UP, "OFFLINE"):
                why = said[name]["because"]
                should = "up" if member.up else "down"
                return f"{name} is {state}, {sorted(running)} run, and it should be {should} ({why})"
            if running != set(said[name]["pids"]):
                return f"{name}: {sorted(running)} run, {sorted(said[name]['pids'])} are told"
        strange = [s for s in seen if s.name not in expected]
        return f"nobody owns {strange}" if strange else ""

    def always(self, said: dict[str, dict[str, Any]]) -> None:
        """What must hold at every moment."""
        overlaps = (self.shared / "overlaps").read_text()
        if overlaps:
            raise Fault(f"two copies: {overlaps}")
        for name, told in said.items():
            app = self.apps.get(name)
            done, limit = told["restarts"]["done"], told["restarts"]["limit"]
            if done > limit:
                raise Fault(f"{name}: {done} restarts of {limit} within {SPAN} s")
            if app is not None and told["incarnation"] < app.incarnation:
                raise Fault(f"{name}: incarnation {told['incarnation']} after {app.incarnation}")
            if app is not None:
                app.incarnation = told["incarnation"]
        self.read_log()

    def read_log(self) -> None:
        """No error of ours, ever."""
        with self.log.open("rb") as file:
            file.seek(self.log_read)
            new = file.read()
        self.log_read += new.rfind(b"\n") + 1
        for line in new.decode("utf-8", "replace").split("\n"):
            if "internal error" in line or "Traceback" in line or "please report" in line:
                raise Fault(f"in the log: {line}")

    def keep(self, said: dict[str, dict[str, Any]]) -> None:
        """At rest: history, descriptors, memory."""
        assert self.process is not None
        for spool in self.state.glob("history.*.spool"):
            try:
                data = spool.read_bytes()
            except FileNotFoundError:
                continue  # folded this instant
            read = self.history_read.get(spool.name, 0)
            if len(data) < read:
                raise Fault(f"the history shrank from {read} to {len(data)} bytes")
            for line in data[read:].split(b"\n")[:-1]:
                try:
                    json.loads(line)
                except ValueError:
                    raise Fault(f"a torn line in the history: {line!r}") from None
            self.history_read[spool.name] = data.rfind(b"\n") + 1
        fds = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        if fds > MOST_FDS:
            raise Fault(f"the runner has {fds} descriptors")
        memory = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096
        self.memory = self.memory or memory
        if memory > self.memory + MOST_GROWTH:
            raise Fault(f"the runner grew from {self.memory >> 10} to {memory >> 10} KiB")
        for probing in (n for n in said if len([1 for p in self.of(n, "Probe")]) > 8):
            raise Fault(f"{probing}: more than one probe at a time: {self.of(probing, 'Probe')}")

    def because(self, name: str, pattern: str) -> None:
        """The reason of its latest moves says so, in status or history."""
        records = self.ask("history", name, most=6)["history"]
        reasons = [self.status()[name]["because"], *[r["because"] for r in reasons_first(records)]]
        if not any(re.search(pattern, r) for r in reasons):
            raise Fault(f"{name}: no reason like {pattern!r} in {reasons}")

    # -- acts ---------------------------------------------------------------------------------------------------------

    def some(self, *names: str) -> str:
        """One that should be up."""
        up = [n for n in (names or self.apps) if n in self.apps and self.is_up(n)]
        return self.random.choice(up) if up else ""

    def is_up(self, name: str) -> bool:
        """By the books."""
        app = self.apps[name]
        return app.enabled and not app.down

    def kill(self, pids: list[int], number: int = signal.SIGKILL) -> None:
        """By pid; gone is fine."""
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def act_kill_tree(self) -> None:
        """Every process of an application at once: a restart, or a refused giveover and one restart."""
        name = self.some()
        if not name:
            return
        before = self.status()[name]
        pids = self.of(name)
        self.note(f"kill_tree {name} {pids}")
        self.kill(pids, signal.SIGSTOP)
        self.kill(self.of(name))
        self.until(lambda: self.status()[name]["incarnation"] > before["incarnation"], f"{name} is started again")
        self.rest()
        self.because(name, DEATH)

    def act_kill_one(self) -> None:
        """One process of an application: by itself that means nothing, unless a probe sees it."""
        name = self.some()
        pids = self.of(name) if name else []
        if not pids:
            return
        pid = self.random.choice(sorted(pids))
        self.note(f"kill_one {name} {pid} of {pids}")
        incarnation = self.status()[name]["incarnation"]
        self.kill([pid])
        if len(pids) > 1 and name != "tcp":
            self.rest()
            if self.status()[name]["incarnation"] != incarnation:
                raise Fault(f"{name} was restarted though {len(pids) - 1} of it lived")

    def act_freeze(self) -> None:
        """SIGSTOP and SIGCONT to an application: nothing happens; or a stop while it is frozen: it is stopped."""
        name = self.some()
        if not name:
            return
        pids = self.of(name)
        if self.random.random() < 0.5:
            self.note(f"freeze {name} {pids}, continue")
            self.kill(pids, signal.SIGSTOP)
            time.sleep(self.random.random() * 0.1)
            self.kill(pids, signal.SIGCONT)
        else:
            self.note(f"freeze {name} {pids}, stop")
            self.kill(pids, signal.SIGSTOP)
            self.stop(name)

    def act_bad_probe(self) -> None:
        """A probe that fails, hangs, or forks and hangs, until it was acted upon."""
        if not self.is_up("probed") or not self.apps["probed"].monitored:
            return
        what, reason = self.random.choice(
            [
                ("exit 100", "the probe exited with status 100"),
                ("exit 60", "failures add up to 1[0-9]0: the probe exited with status 60"),
                ("hang", "the probe gave no answer within 1 s"),
                ("fork", "the probe gave no answer within 1 s"),
                ("exit 250", "the probe exited with status 250"),
            ]
        )
        self.note(f"bad_probe {what}")
        before = self.status()["probed"]["incarnation"]
        switch = self.shared / "probed.probe"
        _switch(switch, what)
        app = self.apps["probed"]
        app.may_fail = True
        self.until(lambda: self.status()["probed"]["state"] == "STOPPING"
                   or self.status()["probed"]["incarnation"] > before, "the probe is acted upon")  # fmt: skip
        switch.unlink()
        self.rest()
        self.because("probed", reason)
        self.recover("probed")

    def act_kill_probe(self) -> None:
        """A probe under way gets SIGKILL (a complete failure), or SIGSTOP (it gives no answer)."""
        if not self.is_up("probed") or not self.apps["probed"].monitored:
            return
        before = self.status()["probed"]["incarnation"]
        switch = self.shared / "probed.probe"
        _switch(switch, "nap 0.3")
        number = self.random.choice((signal.SIGKILL, signal.SIGSTOP))
        pids = self.until(lambda: self.of("probed", "Probe"), "a probe is under way")
        self.note(f"kill_probe {number.name} {pids}")
        self.kill(pids, number)
        if number == signal.SIGKILL:
            self.until(lambda: self.status()["probed"]["incarnation"] > before, "a killed probe is a failure")
        switch.unlink()
        self.apps["probed"].may_fail = True
        self.rest()
        if number == signal.SIGKILL:
            self.because("probed", "the probe was killed by SIGKILL|no answer within 1 s")  # or too late for it
        self.recover("probed")

    def act_start_fails(self) -> None:
        """A start command that fails: one more try, then START_FAILED until somebody asks."""
        name = self.some("slow", "tcp")  # the others are up by start_grace, on a busy machine before they can fail
        if not name:
            return
        self.note(f"start_fails {name}")
        switch = self.shared / f"{name}.fail"
        switch.touch()
        self.apps[name].may_fail = True
        said = self.ask("restart", name)
        if said["code"] != 1 or "START_FAILED" not in said["message"]:
            raise Fault(f"a restart of {name}, whose start fails, was answered {said}")
        self.rest()
        if self.status()[name]["state"] != "START_FAILED":
            raise Fault(f"{name} is {self.status()[name]['state']} after a start that failed")
        self.because(name, r"exit status 3")
        if self.random.random() < 0.3:
            self.crash_and_begin("START_FAILED")
            self.rest()
        switch.unlink()
        self.recover(name)

    def act_slow_start(self) -> None:
        """A slow start, and something else while it goes on."""
        name = self.some("plain", "probed", "tcp", "slow")
        if not name:
            return
        then = self.random.choice(("stop", "restart", "crash", "nothing", "kill"))
        self.note(f"slow_start {name}, {then}")
        switch = self.shared / f"{name}.late"
        switch.touch()
        self.ask("restart", name, no_wait=True)
        self.until(lambda: self.status()[name]["state"] == "STARTING" or self.of(name), "it begins")
        time.sleep(self.random.random() * 0.2)
        if then == "stop":
            self.stop(name)
        elif then == "restart":
            self.ask("restart", name)
        elif then == "crash":
            self.crash_and_begin("a slow start")
        elif then == "kill":
            self.apps[name].may_fail = True
            self.kill(self.of(name))
        switch.unlink()
        self.rest()
        self.recover(name)

    def act_bad_stop(self) -> None:
        """A stop_command that fails or hangs: what is left gets SIGKILL all the same."""
        if not self.is_up("commanded"):
            return
        what = self.random.choice(("exit 1", "hang", "fork", "nap 0.2"))
        self.note(f"bad_stop {what}")
        switch = self.shared / "commanded.stop"
        _switch(switch, what)
        if self.random.random() < 0.3:
            self.ask("stop", "commanded", no_wait=True)
            time.sleep(self.random.random() * 0.1)
            self.apps["commanded"].down = True
            self.crash_and_begin("a stop")
        else:
            self.stop("commanded")
        self.rest()
        switch.unlink()

    def act_stop(self) -> None:
        """A stop by a person."""
        name = self.some()
        if name:
            self.note(f"stop {name}")
            self.stop(name)
            self.because(name, "stop asked by")

    def act_start(self) -> None:
        """A start by a person, of what is down if anything is."""
        down = [n for n, a in self.apps.items() if a.down and a.enabled]
        name = self.random.choice(down or list(self.apps))
        self.note(f"start {name}")
        said = self.ask("start", name)
        if not self.apps[name].enabled:
            if said["code"] != 1:
                raise Fault(f"a start of disabled {name} was answered {said}")
            return
        self.apps[name].down = False
        if said["code"] != 0:
            raise Fault(f"a start of {name} was answered {said}")

    def act_restart(self) -> None:
        """A restart by a person never counts."""
        name = self.some()
        if not name:
            return
        self.note(f"restart {name}")
        before = self.status()[name]
        said = self.ask("restart", name)
        after = self.status()[name]
        if said["code"] != 0 or after["incarnation"] != before["incarnation"] + 1:
            raise Fault(f"a restart of {name} was answered {said}; incarnation {after['incarnation']}")
        if after["restarts"]["done"] > before["restarts"]["done"]:
            raise Fault(f"a restart of {name} by a person was counted")

    def act_hasty(self) -> None:
        """Several requests at once, with something killed in between; the last one is what counts."""
        name = self.random.choice([n for n, a in self.apps.items() if a.enabled])
        app = self.apps[name]
        app.may_fail = True
        words = [self.random.choice(("start", "stop", "restart", "kill")) for _ in range(self.random.randint(2, 5))]
        self.note(f"hasty {name} {words}")
        for word in words:
            if word == "kill":
                self.kill(self.of(name))
            else:
                self.ask(word, name, no_wait=True)
                app.down = word == "stop"
            if self.random.random() < 0.5:
                time.sleep(self.random.random() * 0.01)
        self.rest()
        self.recover(name)

    def act_switch(self) -> None:
        """disable, enable, monitor, unmonitor."""
        name = self.random.choice(list(self.apps))
        app = self.apps[name]
        if not app.enabled:
            verb = "enable"
        elif not app.monitored:
            verb = "monitor"
        else:
            verb = self.random.choice(("disable", "unmonitor"))
        self.note(f"{verb} {name}")
        said = self.ask(verb, name)
        if said["code"] != 0:
            raise Fault(f"{verb} {name} was answered {said}")
        app.enabled = verb == "enable" or (app.enabled and verb != "disable")
        app.monitored = verb == "monitor" or (app.monitored and verb != "unmonitor")
        if verb == "enable":
            app.down = False

    def act_ask(self) -> None:
        """giveover (refused: nowhere to go), clear, probe, validate, why."""
        name = self.some()
        if not name:
            return
        verb = self.random.choice(("giveover", "clear", "probe", "why", "validate"))
        self.note(f"{verb} {name}")
        before = self.status()[name]
        said = self.ask(verb, name)
        allowed = {"giveover": (1,), "probe": (0, 1, 75)}.get(verb, (0,))
        if said["code"] not in allowed:
            raise Fault(f"{verb} {name} was answered {said}")
        after = self.status()[name]
        if after["incarnation"] != before["incarnation"]:
            raise Fault(f"{verb} {name} restarted it")
        if verb in ("giveover", "clear") and after["restarts"]["done"]:
            raise Fault(f"{verb} {name} left {after['restarts']['done']} restarts in the budget")

    def act_reload(self) -> None:
        """A changed descriptor: only what changed is touched. Sometimes a broken one: nothing is."""
        before = self.status()
        kind = self.random.choice(("restart", "live", "spare", "bad", "same", "crash"))
        self.note(f"reload {kind}")
        touched: set[str] = set()
        if kind == "bad":
            self.descriptor.write_text("[resource.plain]\nstart_comand = 1\n")
        elif kind == "spare":
            touched.add("spare")
            if "spare" in self.apps:
                self.spare = self.apps.pop("spare")
            else:
                # switches stay over a removal, everything else is new
                self.apps["spare"] = App("plain", enabled=self.spare.enabled, monitored=self.spare.monitored)
        elif kind != "same":
            name = self.random.choice(list(self.apps))
            if kind == "live":
                self.apps[name].limit = self.random.randint(2, 5)
            else:
                self.apps[name].variant += 1
                touched.add(name)
        if kind != "bad":
            self.describe()
        if kind == "crash":
            assert self.process is not None
            self.process.send_signal(signal.SIGHUP)
            time.sleep(self.random.random() * 0.5)
            self.crash_and_begin("a reload")
            self.rest()
            # it is not told whether the reload was over: the next one has nothing but that to do
            if self.ask("reload")["code"] != 0:
                raise Fault("a reload after a crash failed")
            self.rest()
            return
        said = self.ask("reload")
        if said["code"] != (78 if kind == "bad" else 0):
            raise Fault(f"reload {kind} was answered {said}")
        self.describe()
        after = self.rest()
        for name, told in after.items():
            if name in before and name not in touched and told["incarnation"] != before[name]["incarnation"]:
                raise Fault(f"reload {kind} touched {name}")

    def act_crash(self) -> None:
        """SIGKILL to the runner, and another one; sometimes applications die while nobody is there."""
        dead = self.some() if self.random.random() < 0.4 else ""
        self.note(f"crash{', meanwhile ' + dead + ' dies' if dead else ''}")
        before = self.status()
        self.crash()
        if dead:
            self.kill(self.of(dead), signal.SIGSTOP)
            self.kill(self.of(dead))
            self.until(lambda: not self.of(dead), f"{dead} is dead")
            self.apps[dead].may_fail = True
        self.begin()
        after = self.rest()
        for name, told in after.items():
            if name != dead and told["incarnation"] != before[name]["incarnation"]:
                raise Fault(f"{name} was not taken back: {told['because']}")
        if dead:
            self.recover(dead)

    def act_crash_busy(self) -> None:
        """SIGKILL to the runner while something is under way."""
        name = self.random.choice([n for n, a in self.apps.items() if a.enabled])
        verb = self.random.choice(("start", "stop", "restart", "kill"))
        app = self.apps[name]
        delay = self.random.choice((0.0, 0.001, 0.005, 0.02, 0.1)) * self.random.random()
        self.note(f"crash_busy {verb} {name}, after {delay:.6f} s")
        app.may_fail = True
        if verb == "kill":
            self.kill(self.of(name))
        else:
            self.ask(verb, name, no_wait=True)
            app.down = verb == "stop"
        time.sleep(delay)
        self.crash_and_begin(verb)
        self.rest()
        self.recover(name)

    def act_runner_frozen(self) -> None:
        """SIGSTOP to the runner; an application dies; SIGCONT: the death is handled after."""
        name = self.some()
        if not name:
            return
        assert self.process is not None
        before = self.status()[name]["incarnation"]
        self.note(f"runner_frozen, {name} dies")
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.random() * 0.1)
        self.kill(self.of(name), signal.SIGSTOP)
        self.kill(self.of(name))
        self.until(lambda: not self.of(name), f"{name} is dead")
        time.sleep(self.random.random() * 0.1)
        self.process.send_signal(signal.SIGCONT)
        self.until(lambda: self.status()[name]["incarnation"] > before, f"{name} is started again")
        self.rest()
        self.because(name, DEATH)

    def act_helper(self) -> None:
        """SIGKILL or SIGSTOP to a keeper or the zygote: trees of a killed keeper end, and are started again."""
        kind = self.random.choice(("gds-keeper", "gds-zygote"))
        pids = self.helpers(kind)
        if not pids:
            return
        number = self.random.choice((signal.SIGKILL, signal.SIGSTOP))
        pid = self.random.choice(sorted(pids))
        if kind == "gds-keeper" and number == signal.SIGKILL and not self.is_backed(pid):
            self.note(f"{kind} {pid} is left alone: its zygote and its runner were killed before (README: not covered)")
            return
        held = [s.name for s in self.seen() if s.parent == pid]
        whose = [name for name in held if name in self.apps]
        self.note(f"helper {kind} {pid} {number.name} (of {whose})")
        for name in self.apps:
            self.apps[name].may_fail = True
        self.kill([pid], number)
        if number == signal.SIGKILL:
            for name in [n for n in self.trio if n in held]:
                self.bounced(name)
        if number == signal.SIGSTOP:
            name = self.random.choice(whose) if whose else self.some()
            if name and self.is_up(name) and self.random.random() < 0.7:
                said = self.ask("restart", name)
                if said["code"] != 0:
                    raise Fault(f"a restart with a frozen {kind} was answered {said}")
            self.kill([pid], signal.SIGCONT)
        self.rest()
        for name in self.apps:
            self.recover(name)

    def is_backed(self, keeper: int) -> bool:
        """Its zygote or its runner lives, to which what it leaves would climb."""
        assert self.process is not None
        parent = (procfs.stat(keeper) or ("", 0))[1]
        return parent == self.process.pid or parent in self.helpers("gds-zygote")

    def act_full_disk(self) -> None:
        """No room for state and history: applications are started, restarted and stopped all the same."""
        if not self.root:
            return
        name = self.some()
        if not name:
            return
        self.note(f"full_disk, {name} dies")
        filler = self.disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 65536):
                    pass
            except OSError:
                pass  # full, as it should be
        try:
            before = self.status()[name]["incarnation"]
            self.kill(self.of(name), signal.SIGSTOP)
            self.kill(self.of(name))
            self.until(lambda: self.status()[name]["incarnation"] > before, f"{name} is started again")
            self.until(lambda: not self.differs(self.status()), "rest on a full disk")
            self.stop(name)
            if self.ask("start", name)["code"] != 0:
                raise Fault(f"{name} cannot be started on a full disk")
            self.apps[name].down = False
        finally:
            filler.unlink(missing_ok=True)
        # what could not be kept is kept now, also of those to whom nothing happens
        self.until(
            lambda: not [p for p in self.ask("status")["status"].get("problems", []) if "state.log" in p],
            "a crash forgets nothing any more",
        )
        if self.ask("restart", name)["code"] != 0:
            raise Fault(f"{name} cannot be restarted when there is room again")
        self.rest()

    # -- the three that need each other -------------------------------------------------------------------------------

    def act_trio(self) -> None:
        """Something happens to one of the three, or to their group; the others follow as their links say."""
        what = self.random.choice(("kill", "kill", "stop", "start", "start", "restart", "reload", "rg", "rg", "crash"))
        name = self.random.choice(list(self.trio))
        member = self.trio[name]
        if what == "rg":
            what = self.random.choice(("online", "offline", "restart"))
            self.note(f"trio rg {what}")
            said = self.ask(f"rg.{what}", "trio")
            for each in self.trio.values():
                each.wanted = each.up = what != "offline"
            if said["code"] != 0:
                raise Fault(f"rg {what} trio was answered {said}")
            return
        self.note(f"trio {what} {name}")
        code = 0
        if what == "kill":
            if not member.up:
                return
            before = self.status()[name]["incarnation"]
            self.kill(self.of(name), signal.SIGSTOP)
            self.kill(self.of(name))
            self.bounced(name)
            if member.up:
                self.until(lambda: self.status()[name]["incarnation"] > before, f"{name} is started again")
        elif what == "crash":
            if self.random.random() < 0.5:
                self.ask("restart", name, no_wait=True)
                member.wanted = True
                self.bounced(name)
                time.sleep(self.random.random() * 0.02)
            self.crash_and_begin("something of the trio")
        elif what == "reload":
            member.variant += 1
            self.describe()
            code = self.ask("reload")["code"]
            if member.up:
                self.bounced(name)
        else:
            member.wanted = what != "stop"
            if what == "stop":
                member.up = False
            elif what == "restart" or not member.up:
                self.bounced(name)
            self.follow()
            code = self.ask(what, name)["code"]
        if code != (1 if what in ("start", "restart") and not member.up else 0):
            raise Fault(f"{what} of {name}, which should be {'up' if member.up else 'down'}, was answered with {code}")

    def bounced(self, name: str) -> None:
        """It went down, or was down, and is to run: it does when what it needs is there."""
        member = self.trio[name]
        member.up = member.wanted and (not member.needs or self.trio[member.needs].up)
        self.follow()

    def follow(self) -> None:
        """Those that wait for another, and those that cannot go on without it."""
        for member in self.trio.values():
            if not member.needs:
                continue
            there = self.trio[member.needs].up
            member.up = member.wanted and (there or (member.up and member.kind == "strong"))

    # -- parts of acts ------------------------------------------------------------------------------------------------

    def stop(self, name: str) -> None:
        """Stop it, and look at once: nothing may be left."""
        said = self.ask("stop", name)
        left = self.of(name)
        if said["code"] != 0:
            raise Fault(f"a stop of {name} was answered {said}")
        if left:
            raise Fault(f"{name} is stopped, it was said, and {left} run")
        self.apps[name].down = True

    def recover(self, name: str) -> None:
        """What failed to start is asked to start, and what must be up is up."""
        app = self.apps.get(name)
        if app is None:
            return
        app.may_fail = False
        if self.status()[name]["state"] == "START_FAILED":
            if app.down or not app.enabled:
                if self.ask("stop", name)["code"] != 0:
                    raise Fault(f"a stop of {name} after its start failed did not work")
            else:
                said = self.ask("start", name)
                if said["code"] != 0:
                    raise Fault(f"{name} does not recover: {said}")

    def crash_and_begin(self, during: str) -> None:
        """SIGKILL during something, and a new runner."""
        self.last[-1] += f", the runner is killed during {during}"
        self.crash()
        self.begin()

    def note(self, words: str) -> None:
        """For the report."""
        self.last.append(f"{self.acts_done}: {words}")

    def run(self, acts: int) -> None:
        """So many acts. Raises Fault."""
        choices: list[tuple[Callable[[], None], int]] = [
            (self.act_kill_tree, 12),
            (self.act_kill_one, 8),
            (self.act_freeze, 5),
            (self.act_bad_probe, 5),
            (self.act_kill_probe, 5),
            (self.act_start_fails, 4),
            (self.act_slow_start, 5),
            (self.act_bad_stop, 4),
            (self.act_stop, 6),
            (self.act_start, 12),
            (self.act_restart, 6),
            (self.act_hasty, 8),
            (self.act_switch, 8),
            (self.act_ask, 6),
            (self.act_reload, 6),
            (self.act_crash, 5),
            (self.act_crash_busy, 8),
            (self.act_runner_frozen, 4),
            (self.act_helper, 6),
            (self.act_full_disk, 3),
        ]
        if self.groups:
            choices.append((self.act_trio, 40))
        try:
            self.describe()
            self.begin()
            self.rest()
            for number in range(acts):
                self.acts_done = number
                act = self.random.choices([c[0] for c in choices], [c[1] for c in choices])[0]
                act()
                self.rest()
                if number % 100 == 99:
                    print(f"{number + 1} acts", flush=True)
            self.note("the end")
            assert self.process is not None
            self.process.terminate()
            code = self.process.wait(30)
            if code != 0:
                raise Fault(f"the runner ended with {code}")
            self.read_log()
            self.until(lambda: not self.seen(), "nothing is left after the end", 2.0)
            self.until(lambda: not self.helpers("gds-keeper") + self.helpers("gds-zygote"), "no helper is left", 5.0)
        except (AssertionError, GdsError, OSError, subprocess.TimeoutExpired, KeyError) as error:
            raise Fault(self.told(error)) from error

    def told(self, error: BaseException) -> str:
        """Everything needed to look into it."""
        acts = "\n  ".join(self.last)
        tail = "\n  ".join(self.log.read_text(errors="replace").split("\n")[-25:])
        return (
            f"seed {self.seed}, rung {self.rung}, act {self.acts_done}: {type(error).__name__}: {error}\n"
            f"the last acts:\n  {acts}\nthe log:\n  {tail}"
        )

    def close(self) -> None:
        """Nothing outlives the exercise."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        deadline = time.monotonic() + 10
        while left := [s.pid for s in self.seen()] + self.helpers("gds-keeper") + self.helpers("gds-zygote"):
            self.kill(left)
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        if self.root:
            subprocess.run(["umount", "-l", str(self.disk)], check=False, timeout=20)


def reasons_first(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Newest first."""
    return list(reversed(records))


def _switch(path: Path, text: str) -> None:
    """Whole or not at all, for a reader that may look at any moment."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n")
    new.rename(path)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def exercise(rung: str, seed: int, acts: int, keep: bool = False, groups: bool = False) -> None:
    """One exercise in a directory of its own. Raises Fault."""
    where = Path(tempfile.mkdtemp(prefix="gds-exercise-"))
    where.chmod(0o755)
    one = Exercise(rung, seed, where, groups)
    try:
        one.run(acts)
    except Fault:
        if keep:
            shutil.copytree(one.disk, where / "kept", ignore=lambda _d, names: [n for n in names if ".sock" in n])
        raise
    finally:
        one.close()
        if not keep:
            shutil.rmtree(where, ignore_errors=True)


def main(argv: list[str]) -> int:
    """Exit status 0: no fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.exercise")
    parser.add_argument("--acts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rung", choices=("cgroup", "keeper", "both"), default="both")
    parser.add_argument("--groups", action="store_true", help="three more, in a group, that need each other")
    parser.add_argument("--keep", action="store_true", help="leave the directory for a look")
    typed = parser.parse_args(argv)
    seed = typed.seed if typed.seed is not None else int.from_bytes(os.urandom(3), "big")
    for rung in ("cgroup", "keeper") if typed.rung == "both" else (typed.rung,):
        print(f"seed {seed}, rung {rung}, {typed.acts} acts", flush=True)
        began = time.monotonic()
        try:
            exercise(rung, seed, typed.acts, typed.keep, typed.groups)
        except Fault as fault:
            print(f"FAULT: {fault}", flush=True)
            return 1
        print(f"no fault in {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
