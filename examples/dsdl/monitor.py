"""A fault monitor, as the Developer's Guide writes them for C, in Python. See web.toml beside it.

A monitor sleeps, asks, and says what it saw; nothing else. Whether three small failures are one big one, whether there
is another restart in the budget, whether the group has to leave: that is judged in one place for everybody, and the
answer is in the log, in `gds status` and in `gds why web`.
"""

import sys
import time
from http.client import HTTPConnection, HTTPException

from gds.dsdl import COMPLETE_FAILURE, Done, Dsdl, GdsError, Priority


def probe(web: Dsdl, port: int, timeout: float) -> tuple[int, str]:
    """0 well, 100 failed, in between partly; and what was wrong, for people."""
    # Cheap first: is anybody there at all? IPv4 and IPv6 are asked side by side where a name has both.
    seen = web.net_probe("127.0.0.1", port, timeout)
    if not seen.ok:
        return seen.score, seen.message
    # Then what only we know: this server has a page that says how ill it is.
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        said = answer.read(64).decode("ascii", "replace").strip()
    except TimeoutError:
        return 50, f"/health gave no answer within {timeout:g} s"
    except (OSError, HTTPException) as error:
        return COMPLETE_FAILURE, f"/health: {error}"
    finally:
        connection.close()
    if answer.status == 200:
        return 0, ""
    return min(
        int(said), COMPLETE_FAILURE
    ) if said.isdecimal() else COMPLETE_FAILURE, f"/health says {said or 'nothing'}"


def watch(web: Dsdl) -> None:
    """For ever: whoever starts a monitor also ends it."""
    properties = web.properties()
    port = properties.port_list[0].number
    interval = properties.thorough_probe_interval or 60.0
    timeout = properties.probe_timeout or 30.0
    web.syslog(Priority.INFO, f"asks port {port} every {interval:g} s")
    while True:
        # Sleeps, and wakes early when a tree that pmf_start made dies; web's own tree is the runner's to watch.
        web.fm_sleep(interval)
        began = time.monotonic()
        score, because = probe(web, port, timeout)
        taken = web.fm_action(score, round((time.monotonic() - began) * 1000), because)
        # Nothing has to be done about the answer: what is refused today may be granted tomorrow, so go on asking.
        if taken.done is Done.REFUSED:
            web.syslog(Priority.WARNING, "goes on asking")


if __name__ == "__main__":
    try:
        # Which runner: GDS_SOCKET, which every command is given. Which resource: not ourselves, the one we watch.
        watch(Dsdl(sys.argv[1]))
    except GdsError as error:
        sys.exit(f"monitor: {error}")
