"""gds clear on a cluster: what is held against nodes is forgotten with the failures it came from.

A mark against ping-pong says that a group failed on a node. Who clears a group has mended what failed, so every node
may have it again at once (as after `pcs resource cleanup`), and a group that fails back goes home. A mastery that
nobody can read is removed when the group runs nowhere: rgm/unread.py.
"""

from __future__ import annotations

from functools import partial

from gds.daemon.names import FAILED, OK
from gds.daemon.nodes import MOST
from gds.daemon.switching import Caller
from gds.model.store import Committed, Delete, Transaction
from gds.rgm import records, unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.daemon.names import Client
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.switching import Verb
    from gds.daemon.tenant import Tenant
    from gds.model.store import Answer


class Clearing:
    """See the module. `here`: the verbs as they work on one node."""

    def __init__(self, tenant: Tenant, rgmd: Rgmd, here: dict[str, Verb]) -> None:
        self._tenant = tenant
        self._rgmd = rgmd
        self.acting: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            verb: partial(self._clear, here[verb]) for verb in ("clear", "rg.clear")
        }

    def _clear(self, here: Verb, client: Client, request: dict[str, Any]) -> None:
        def done(code: int, message: str = "") -> None:
            if code == OK:
                self._forget(client, request.get("names") or [])
            else:
                client.done(code, message)

        here(Caller(client, done), request)

    def _forget(self, client: Client, names: list[str]) -> None:
        member = self._tenant.member
        groups = {a.resource.group for a in self._rgmd.apps.values() if {a.name, a.resource.group} & set(names)}
        held = [mark for mark in member.board.marks if mark[0] in groups]
        marks = sorted(mark for mark in held if records.avoid_key(*mark) not in member.board.strange)[:MOST]
        keys = {records.avoid_key(*mark): f"{mark[0]} may go to {mark[1]} again" for mark in marks}
        compares = {member.exactly(key): None for key in keys}
        for slot in unread.slots(member.board, groups)[: MOST - len(keys)]:
            key = records.slot_key(slot.group, slot.index)
            if why := unread.runs_where(member, slot):
                client.done(FAILED, f"cannot remove {key}, which cannot be read ({slot.because}): {why}")
                return
            keys[key] = f"{key}, which could not be read, is removed: {slot.group} may be taken again"
            compares |= dict.fromkeys((*member.at_home(), *unread.unchanged(member, slot)))
        if not keys:
            client.done(OK)
            return
        what = f"forget what keeps {marks[0][0]} from {marks[0][1]}" if marks else f"remove {', '.join(keys)}"

        def done(answer: Answer) -> None:
            if isinstance(answer, Committed):
                for said in keys.values():
                    client.tell({"line": said})
                client.done(OK)
            else:
                why = getattr(answer, "because", "somebody changed it just now; try again")
                client.done(FAILED, f"cannot {what}: {why}")

        self._tenant.commit(Transaction(tuple(compares), tuple(map(Delete, keys))), done)
