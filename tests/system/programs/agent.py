"""A resource type in Python: `agent.py METHOD -R resource -T type -G group`. The service is a sleep; how it is
stands in the file of its extension property Health."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from gds.dsdl import Done, Dsdl, Kind


def svc_start(web: Dsdl, _argv: list[str]) -> bool:
    """Start: under PMF, and done when it has lived for a while."""
    web.pmf_start(Kind.SVC, ["sleep", "1000"])
    return web.svc_wait(0.2)


def svc_stop(web: Dsdl, _argv: list[str]) -> bool:
    """Stop: also when it was never started."""
    return web.pmf_stop(Kind.SVC, timeout=web.properties().stop_timeout or 60.0)


def monitor_start(web: Dsdl, argv: list[str]) -> bool:
    """Monitor_start: the probe below, under PMF."""
    web.pmf_start(Kind.MON, [sys.executable, __file__, "probe", *argv], child_mon_level=0)
    return True


def monitor_stop(web: Dsdl, _argv: list[str]) -> bool:
    """Monitor_stop: by SIGKILL, because a request that waits must not keep it alive."""
    return web.pmf_stop(Kind.MON, signal=signal.SIGKILL, timeout=web.properties().monitor_stop_timeout or 60.0)


def update(web: Dsdl, _argv: list[str]) -> bool:
    """Update: a monitor reads its properties when it starts."""
    web.pmf_restart(Kind.MON)
    return True


def probe(web: Dsdl, _argv: list[str]) -> bool:
    """The monitor."""
    properties = web.properties()
    health = Path(str(web.extension("Health")))
    while True:
        if web.fm_sleep(properties.thorough_probe_interval or 1.0, instances=(0,)) is None:
            taken = web.fm_action(int(health.read_text()))
            if taken.done is not Done.NOTHING:
                print(f"probe: {taken.done}: {taken.because}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    METHODS = {each.__name__: each for each in (svc_start, svc_stop, monitor_start, monitor_stop, update, probe)}
    me, _rest = Dsdl.from_arguments(sys.argv[2:])
    sys.exit(0 if METHODS[sys.argv[1]](me, sys.argv[2:]) else 1)
