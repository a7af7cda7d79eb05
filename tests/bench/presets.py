"""How much is measured, and what figures there are."""

from __future__ import annotations

from typing import NamedTuple

LEADS: dict[str, tuple[str, ...]] = {
    "entry": ("start", "start_cpu"),
    "respawn": ("respawn",),
    "at_once": ("at_once",),
    "start": ("start", "start_cpu"),
    "start_cold": ("start_cold",),
    "stop": ("stop_apps",),
    "idle": ("idle_cpu",),
    "memory": ("memory_pss",),
    "status": ("status",),
    "exec_probe": ("exec_probe_cpu",),
    "tcp_probe": ("tcp_probe_cpu",),
    "hung_exec": ("hung_exec_acted",),
    "hung_http": ("hung_http_acted",),
    "logs": ("logs_rate",),
    "logs_give": ("logs_give_rate",),
    "pmfadm_q": ("pmfadm_q",),
    "hatimerun": ("hatimerun",),
    "halockrun": ("halockrun",),
    "daemon": ("daemon_tracked",),
    "stubborn": ("stubborn_left",),
    "graph": ("graph_ratio",),
}
"""Every figure that `--only` knows, and the first quantity of the lines of the table it fills."""


class Preset(NamedTuple):
    """How much of everything."""

    name: str
    sizes: tuple[int, ...]
    rounds: int
    """Visits of each peer at each size."""
    kills: int
    """Kills in a visit; at most `kill_seconds` are spent on them."""
    kill_seconds: float
    window: float
    """Seconds over which idleness and probes are measured."""
    entries: int
    """Starts of a single app."""
    statuses: int
    """Status commands in a visit, runs of each small program in a round."""
    hangs: int
    log_bytes: int
    calm: float
    """The longest a supervisor is given to become calm before idleness is measured."""
    stubborn: float
    """Seconds after which a process that survived a stop counts as left."""
    graph: int
    """Apps in the random graph."""


QUICK = Preset(
    name="quick",
    sizes=(1, 100),
    rounds=2,
    kills=20,
    kill_seconds=6.0,
    window=4.0,
    entries=4,
    statuses=3,
    hangs=2,
    log_bytes=200_000_000,
    calm=5.0,
    stubborn=8.0,
    graph=200,
)
FULL = QUICK._replace(
    name="full",
    sizes=(1, 100, 1000),
    rounds=3,
    kills=50,
    kill_seconds=12.0,
    window=10.0,
    entries=10,
    statuses=6,
    hangs=5,
    calm=20.0,
)
SMOKE = QUICK._replace(
    name="smoke",
    sizes=(3,),
    rounds=1,
    kills=2,
    kill_seconds=1.0,
    window=0.5,
    entries=1,
    statuses=1,
    hangs=1,
    log_bytes=2_000_000,
    calm=0.5,
    stubborn=3.0,
    graph=12,
)
