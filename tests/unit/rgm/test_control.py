"""A giveover in a cluster of one."""

from __future__ import annotations

from gds.rgm.control import Granted, Refused, giveover


def test_it_is_granted_only_where_the_outside_is_the_other_node() -> None:
    assert giveover("exit") == Granted()
    assert giveover("refuse") == Refused("there is no other node to run it on")
