"""The bare loop: the smallest Python program that keeps N apps running, as the floor for everything measured here.

    python -I -S bareloop.py SIZE MODE ARGUMENT... -- APP FIFO [key=value ...]

It spawns with posix_spawn, waits on pidfds with epoll, and starts again what ended. TERM: signal all, wait for all.
No descriptor, no budget, no state, no tracking of what an app forks. MODE is one of

    plain                       nothing else
    exec EVERY LIMIT PROBE COUNTER [BASE]
                                run `PROBE COUNTER INDEX [BASE]` for each app, spread over EVERY seconds; when it takes
                                longer than LIMIT, KILL it and the app
    tcp EVERY BASE              connect to 127.0.0.1:BASE+INDEX likewise, and disconnect
    copy FILE                   carry stdout of the apps through a pipe into FILE
    give FILE                   give the apps FILE as their stdout
"""

from __future__ import annotations

import os
import signal
import sys
import time
from heapq import heappop, heappush
from select import EPOLLIN, EPOLLOUT, epoll

size = int(sys.argv[1])
dash = sys.argv.index("--")
mode, options, app = sys.argv[2], sys.argv[3:dash], sys.argv[dash + 1 :]
poll = epoll()
apps: dict[int, tuple[int, int]] = {}  # pidfd -> index, pid
pids = [0] * size
stopping = False
actions: list[tuple[int, ...]] = []
pipe = log = -1

if mode in ("copy", "give"):
    log = os.open(options[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    target = log
    if mode == "copy":
        pipe, target = os.pipe2(os.O_CLOEXEC)
        poll.register(pipe, EPOLLIN)
    actions = [(os.POSIX_SPAWN_DUP2, target, 1)]


def start(index: int) -> None:
    pid = os.posix_spawn(app[0], [app[0], app[1], str(index), *app[2:]], os.environ, file_actions=actions)
    fd = os.pidfd_open(pid)
    apps[fd] = index, pid
    pids[index] = pid
    poll.register(fd, EPOLLIN)


def collect(fd: int) -> None:
    poll.unregister(fd)  # closing is not enough: a child between vfork and exec holds a copy, and epoll goes by that
    os.waitid(os.P_PIDFD, fd, os.WEXITED)
    os.close(fd)


def stop(_number: int, _frame: object) -> None:
    global stopping
    stopping = True
    for _, pid in list(apps.values()):
        os.kill(pid, signal.SIGTERM)


# -- probes ------------------------------------------------------------------------------------------------------------

due: list[tuple[float, int, int]] = []  # when, index, pid of a probe to be killed then (0: start one)
probes: dict[int, int] = {}  # pidfd -> pid
in_flight: set[int] = set()
sockets: dict[int, socket.socket] = {}


def probe_exec(index: int) -> None:
    pid = os.posix_spawn(options[2], [options[2], options[3], str(index), *options[4:]], os.environ)
    fd = os.pidfd_open(pid)
    probes[fd] = pid
    in_flight.add(pid)
    poll.register(fd, EPOLLIN)
    heappush(due, (time.monotonic() + float(options[1]), index, pid))


def probe_tcp(index: int) -> None:
    link = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    link.connect_ex(("127.0.0.1", int(options[1]) + index))
    sockets[link.fileno()] = link
    poll.register(link.fileno(), EPOLLOUT)


def on_due() -> float | None:
    now = time.monotonic()
    while due and due[0][0] <= now:
        when, index, pid = heappop(due)
        if pid:
            if pid in in_flight:  # overran: the app hangs
                os.kill(pid, signal.SIGKILL)
                os.kill(pids[index], signal.SIGKILL)
        else:
            probe(index)
            heappush(due, (when + every, index, 0))
    return due[0][0] - now if due else None


if mode in ("exec", "tcp"):
    every = float(options[0])
    probe = probe_exec if mode == "exec" else probe_tcp
    if mode == "tcp":
        import socket

# -- the loop ----------------------------------------------------------------------------------------------------------

signal.signal(signal.SIGTERM, stop)
for each in range(size):
    start(each)
if mode in ("exec", "tcp"):
    began = time.monotonic()
    due = [(began + every * (each + 1) / size, each, 0) for each in range(size)]
while apps:
    for fd, _ in poll.poll(on_due() if due and not stopping else None):
        if fd in apps:
            index, _pid = apps.pop(fd)
            collect(fd)
            if not stopping:
                start(index)
        elif fd in probes:
            collect(fd)
            in_flight.discard(probes.pop(fd))
        elif fd in sockets:
            poll.unregister(fd)
            with sockets.pop(fd) as link:
                link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        else:
            os.write(log, os.read(pipe, 131072))
