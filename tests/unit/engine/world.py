"""Members of etcd that misbehave, engines on them, and the loop of all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gds.engine.etcd import EtcdEngine
from gds.linux.loop import Loop
from gds.linux.resolving import Names
from gds.model.settings import EtcdSettings
from gds.model.store import Put, Transaction
from tests.contract.engines import Heard, Told
from tests.unit.engine.gateway import (
    Gateway,
    Reply,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Answer

DEADLINE = 30.0
PUT = Transaction((), (Put("k", "v"),))


class World:
    """Misbehaving members, engines on them, and the loop of all."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.gateways: list[Gateway] = []
        self.engines: list[EtcdEngine] = []

    def gateway(self, **how: Any) -> Gateway:
        made = Gateway(self.loop, **how)
        self.gateways.append(made)
        return made

    def engine(self, *gateways: Gateway, **settings: Any) -> EtcdEngine:
        chosen: dict[str, Any] = {"attempt": 0.3, "endpoints": tuple(g.url for g in gateways), **settings}
        asked = EtcdSettings(**chosen)
        made = EtcdEngine(asked, self.loop, "a", Names(self.loop))
        self.engines.append(made)
        return made

    def begun(self, *gateways: Gateway, **settings: Any) -> tuple[EtcdEngine, Heard]:
        engine, heard = self.engine(*gateways, **settings), Heard()
        engine.begin(heard)
        self.until(lambda: "loaded" in heard.words and engine.describe()["watch"]["is_current"])
        self.until(lambda: not engine._suspects)  # the questions of the beginning are answered
        return engine, heard

    def until(self, fact: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not fact():
            assert time.monotonic() < end, [each.describe() for each in self.engines]
            self.loop.turn(0.02)

    def rest(self, seconds: float = 0.1) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.loop.turn(0.02)

    def commit(self, engine: EtcdEngine, transaction: Transaction = PUT, timeout: float = 2.0) -> Answer:
        told = Told()
        engine.commit(transaction, timeout, told)
        self.until(lambda: told.answers)
        return told.answers[0]


def failing(message: str, code: int, status: int = 400) -> Reply:
    return Reply({"error": message, "message": message, "code": code}, status)
