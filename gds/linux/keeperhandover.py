"""What the runner after us, in this same process, needs to follow the tree of a keeper (`gds upgrade`)."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_SEQPACKET, socket

from gds.linux import lineage, procfs
from gds.linux.keeperrecord import Record
from gds.linux.keepertree import Keeper, KeeperTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.linux.keeperforest import KeeperForest
    from gds.ports import TreeListener


def facts_of(tree: KeeperTree) -> dict[str, Any]:
    """The tree and its keeper in plain values; `fd` is our end of its socket, which goes with them."""
    keeper = tree.keeper
    assert keeper is not None
    if keeper.record is not None:
        guard, guard_start = keeper.record.guard, keeper.record.guard_start
    else:
        seen = procfs.stat(keeper.pid)
        guard = seen[1] if seen is not None else 0
        guard_start = lineage.start_of(guard)
    fd = keeper.sock.fileno()
    return {
        "name": tree.name,
        "incarnation": tree.incarnation,
        "main_pid": tree.main_pid,
        "main_alive": tree.main_alive,
        "main_exit_told": tree.main_exit_told,
        "lasting": tree.lasting,
        "known": tree.known,
        "fd": fd,
        "keeper": keeper.pid,
        "keeper_start": keeper.start,
        "guard": guard,
        "guard_start": guard_start,
    }


def followed(forest: KeeperForest, facts: dict[str, Any], listener: TreeListener) -> tuple[KeeperTree, Keeper, Record]:
    """The tree and its keeper as the runner before us had them. The guard in the record is 0 when its zygote was
    killed before, and the keeper is our own child."""
    tree = KeeperTree(forest, facts["name"], facts["incarnation"], listener)
    tree.started = True
    tree.main_pid = facts["main_pid"]
    tree.main_alive = facts["main_alive"]
    tree.main_exit_told = facts["main_exit_told"]
    tree.lasting = facts["lasting"]
    tree.known = facts["known"]
    sock = socket(AF_UNIX, SOCK_SEQPACKET, 0, facts["fd"])
    sock.setblocking(False)
    keeper = tree.keeper = Keeper(sock)
    keeper.tree = tree
    keeper.pid, keeper.start = facts["keeper"], facts["keeper_start"]
    guard, guard_start = facts["guard"], facts["guard_start"]
    # our own child: its zygote was killed before, and what it leaves climbs to us
    keeper.climbed = guard == os.getpid()
    if keeper.climbed:
        guard = 0
    record = keeper.record = Record(tree.name, tree.incarnation, keeper.start, guard, guard_start, None)
    return tree, keeper, record
