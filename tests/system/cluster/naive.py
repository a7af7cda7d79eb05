"""A runner that is wrong on purpose: it judges its own tenure, unwatched. The checker must find it out.

    naive.py NODE LIFETIME ENDPOINTS LOG FLAGS GROUP...

It renews its records by compare and swap and takes over what has not moved for LIFETIME, as engines.md 5.2 has it, and
stops its applications when it could not renew. But it has no guard: stopped by SIGSTOP, or killed, it leaves them
running.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BEAT = Path(__file__).with_name("beat.py")


def b64(text: str) -> str:
    """As etcd's gateway wants keys and values."""
    return base64.b64encode(text.encode()).decode()


class Naive:
    """See the module."""

    def __init__(self, node: str, lifetime: float, endpoints: list[str], log: str, flags: str) -> None:
        self.node = node
        self.lifetime = lifetime
        self.endpoints = endpoints
        self.command = [sys.executable, "-I", "-S", str(BEAT), log, "--flags", flags]
        self.seen: dict[str, tuple[str, float]] = {}
        self.apps: dict[str, tuple[subprocess.Popen[bytes], float, str]] = {}
        self.lives = 0

    def ask(self, verb: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """One request; None without an answer, and then the next endpoint is the first."""
        data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(f"{self.endpoints[0]}/v3/kv/{verb}", data, timeout=0.7) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, urllib.error.URLError):
            self.endpoints.append(self.endpoints.pop(0))
            return None

    def put(self, group: str, revision: str) -> str:
        """Write the group's record if it is at that revision; the new one, or "" when nobody knows, or it was not."""
        compare = {"key": b64(group), "target": "MOD", "result": "EQUAL", "mod_revision": revision}
        put = {"requestPut": {"key": b64(group), "value": b64(self.node)}}
        answer = self.ask("txn", {"compare": [compare], "success": [put]})
        return answer["header"]["revision"] if answer and answer.get("succeeded") else ""

    def tick(self, group: str) -> None:
        """Renew what is ours, else look, and take what has not moved."""
        now = time.monotonic()
        if group in self.apps:
            app, until, revision = self.apps[group]
            fresh = self.put(group, revision)
            if fresh:
                self.apps[group] = app, now + self.lifetime - 1, fresh
            elif now > until - 1:
                app.kill()
                app.wait()
                del self.apps[group]
            return
        answer = self.ask("range", {"key": b64(group)})
        if answer is None:
            return
        revision = answer["kvs"][0]["mod_revision"] if "kvs" in answer else "0"
        at, since = self.seen.get(group, ("", now))
        if at != revision:
            self.seen[group] = revision, now
            since = now
        if (revision == "0" or now - since > self.lifetime * 1.01) and (token := self.put(group, revision)):
            self.lives += 1
            named = {"GROUP": group, "NODE": self.node, "INCARNATION": f"{os.getpid()}{self.lives}"}
            env = {f"GDS_{key}": value for key, value in named.items()} | {"GDS_FENCING_TOKEN": token}
            self.apps[group] = subprocess.Popen(self.command, env=env), now + self.lifetime - 1, token

    def run(self, groups: list[str]) -> None:
        """For ever; each group's first node first."""
        while True:
            for group in groups:
                self.tick(group)
            time.sleep(0.2)


if __name__ == "__main__":
    node, lifetime, endpoints, log, flags, *groups = sys.argv[1:]
    Naive(node, float(lifetime), endpoints.split(","), log, flags).run(groups)
