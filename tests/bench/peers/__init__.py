"""Who is measured, in the order of the table."""

from __future__ import annotations

from tests.bench.peers.bare import Bare
from tests.bench.peers.circus import Circus
from tests.bench.peers.contract import Peer
from tests.bench.peers.daemontools import Daemontools
from tests.bench.peers.gds import GdsCgroup, GdsKeeper
from tests.bench.peers.monit import Monit
from tests.bench.peers.pm2 import Pm2
from tests.bench.peers.runit import Runit
from tests.bench.peers.s6 import S6
from tests.bench.peers.supervisord import Supervisord

PEERS: tuple[type[Peer], ...] = (
    Bare,
    GdsCgroup,
    GdsKeeper,
    S6,
    Runit,
    Daemontools,
    Monit,
    Supervisord,
    Circus,
    Pm2,
)
FLOOR = Bare.name
