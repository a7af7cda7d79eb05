"""What one node knows of the whole cluster: which nodes there are, what each says of itself, who masters what.

A picture made from the store's records (rgm/records.py) and from this node's own clock; nothing in it came from another
node's clock. Placement (rgm/placement.py) reads it and nothing else, so the same picture gives the same answer on each
node, in `gds simulate --cluster` and in `gds plan what-if`.
"""

from __future__ import annotations

from gds.model.resource import Group
from gds.model.value import Value


class Peer(Value):
    """A node. `alive`: its record has moved within the lifetime, as far as this node's clock can tell. `drained`: why
    it takes no group ("" = it does); `evacuated`: it also gives up those it has. `because`: of how it is, for people.
    `born`: the revision at which it joined (0: not known)."""

    name: str
    alive: bool = True
    drained: str = ""
    evacuated: bool = False
    because: str = ""
    born: int = 0


class Mastery(Value):
    """A node is master of a group. `token` rises with each mastery of the group. `live`: its node holds it still.
    `state` is what its node reported of the group there (model.state.GroupState in words; "" = nothing yet)."""

    group: str
    node: str
    token: int
    live: bool = True
    state: str = ""
    slot: int = 0


class Goal(Value):
    """What people want of a group. `targets`: where a switch sends it, the best first, until it is over. `request`: the
    name of the last switch; `since`: the revision at which it came (0: there was none): no node that was there then is
    failed back to before it has joined anew. `count`: on how many nodes it is to run since then (0: desired_primaries).
    `suspended`: nothing is moved by itself. `because`: why it is not online, if no person said so. `unread`: what they
    want cannot be read, and what is wrong and helps: nothing is moved by itself before somebody says it anew."""

    online: bool = True
    suspended: bool = False
    managed: bool = True
    targets: tuple[str, ...] = ()
    request: str = ""
    since: int = 0
    count: int = 0
    because: str = ""
    unread: str = ""


class Bar(Value):
    """A node may not take a group, and why: it gave it over within pingpong_interval, a Start failed there, its files
    differ, its Monitor_check said no. `is_mark`: it is over by itself after pingpong_interval, and is no hindrance to a
    switch. `is_mild`: nothing failed to start there: it speaks against a giveover and a failback, and when no other
    node can take the group it is no hindrance (Sun: semantics.md 13.1)."""

    group: str
    node: str
    because: str
    is_mark: bool = False
    is_mild: bool = False


class Unread(Value):
    """A mastery of a group of which nobody can tell whose it is. `because`: what is wrong, and what helps."""

    group: str
    slot: int
    because: str


class Cluster(Value):
    """The picture. `groups` are as this node's files declare them."""

    nodes: tuple[Peer, ...] = ()
    groups: tuple[Group, ...] = ()
    masteries: tuple[Mastery, ...] = ()
    goals: dict[str, Goal] = {}  # noqa: RUF012 (never changed in place)
    bars: tuple[Bar, ...] = ()
    unread: tuple[Unread, ...] = ()
