"""Opening a line to a member of etcd, and looking whether it is one that may be asked.

Before a line is used for anything that matters its member has told its version and how it is: a member that hangs takes
the connection and says nothing; one that lost its leader would let every write wait; one of another cluster would take
it. So a request that was sent was sent to somebody who is well.
"""

from __future__ import annotations

import json

from gds.engine.etcd_line import Line
from gds.engine.etcd_words import Trouble, header_of, number, refusal, understood
from gds.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    from gds.engine.etcd_place import Place
    from gds.engine.etcd_words import Header
    from gds.engine.wants import EngineLoop, Found, Names, Question

    Opened: TypeAlias = Callable[["Line | None", str], None]
    """Told once, from the loop: the line, or why there is none."""

    class Judge(Protocol):
        """Who knows which cluster is ours."""

        context: ssl.SSLContext | None
        token: str
        allow_old: bool

        def foreign(self, place: Place, header: Header) -> str:
            """Why this member is none of ours; "" when it is."""
            ...

        def opening_over(self, opening: Opening) -> None: ...


STATUS = "/v3/maintenance/status"


class Opening:
    """One try at one place; see the module. Cancel it, or it answers within `seconds`."""

    def __init__(
        self, loop: EngineLoop, names: Names, place: Place, judge: Judge, seconds: float, opened: Opened
    ) -> None:
        self.place = place
        self._loop = loop
        self._judge = judge
        self._opened: Opened | None = opened
        self._seconds = seconds
        self._line: Line | None = None
        self._addresses: list[tuple[int, str, tuple[int, ...]]] = []
        self._body = b""
        self._status = 0
        self._version = ""
        self._is_ready = False
        self._timer = loop.after(seconds, self._late)
        self._question: Question | None = names.find(place.host, seconds, self._found)

    def cancel(self) -> None:
        """Nobody wants it any more. What is known of the place stays."""
        self._opened = None
        self._end()

    def _end(self) -> None:
        self._timer.cancel()
        if self._question is not None:
            self._question.cancel()
        line, self._line = self._line, None
        if line is not None:
            line.close()
        self._judge.opening_over(self)

    def _late(self) -> None:
        self._fail(f"no answer within {self._seconds:.2g} s")

    def _fail(self, because: str) -> None:
        opened, self._opened = self._opened, None
        self._end()
        self.place.fault = because
        if opened is not None:
            opened(None, because)

    def _found(self, found: Found) -> None:
        self._addresses = list(found.addresses)
        if not self._addresses:
            fault = found.fault
            self._loop.soon(lambda: self._fail(fault))
            return
        self._call()

    def _call(self) -> None:
        address = self._addresses.pop(0)
        try:
            self._line = Line(self._loop, self.place, address, self._judge.context, self)
        except (OSError, EngineError) as error:
            fault = str(error)
            self._loop.soon(lambda: self._fail(fault))

    # -- what the line tells ------------------------------------------------------------------------------------------

    def line_ready(self) -> None:
        """It is asked who it is."""
        self._addresses.clear()
        self._is_ready = True
        self._ask("GET", "/version", b"")

    def _ask(self, method: str, target: str, body: bytes) -> None:
        self._body = b""
        headers = [("Authorization", self._judge.token)] if self._judge.token and body else []
        if self._line is not None:
            self._line.ask(self, method, target, body, headers)

    def line_head(self, status: int) -> None:
        """See etcd_line."""
        self._status = status

    def line_data(self, data: bytes) -> None:
        """See etcd_line."""
        self._body += data

    def line_broken(self, because: str) -> None:
        """The next address of the same name, if it has one, else that was it."""
        self._line = None
        if self._addresses:
            self._call()
        else:
            self._fail(because + self._hint(because))

    def _hint(self, because: str) -> str:
        """It was connected, and broke before it said a word: what that means, as a rule."""
        if not self._is_ready or self._version or "certificate" in because:
            return ""
        if self.place.is_tls:
            return ", right after the TLS handshake: it may not accept our certificate, or that we have none"
        return " before it said anything: if it speaks TLS, write https://"

    def line_answered(self) -> None:
        """The version first, then how it is."""
        asks_version = not self._version
        fault = self._versioned() if asks_version else self._stated()
        if fault or self._line is None or not self._line.is_open:
            self._fail(fault or "it hung up")
        elif asks_version:
            self._ask("POST", STATUS, b"{}")
        else:
            self._succeed()

    def _succeed(self) -> None:
        opened, self._opened = self._opened, None
        line, self._line = self._line, None
        self._end()
        self.place.fault = ""
        if opened is not None and line is not None:
            opened(line, "")

    def _versioned(self) -> str:
        told: Any = None
        try:
            told = json.loads(self._body)
        except ValueError:
            pass  # said below
        version = told.get("etcdserver") if isinstance(told, dict) else None
        if self._status != 200 or not isinstance(version, str):
            said = " ".join(self._body.decode("utf-8", "replace").split())[:100]
            return f"it does not answer as etcd does: HTTP {self._status} to /version: {said}"
        self.place.version = self._version = version
        return refusal(version, self._judge.allow_old)

    def _stated(self) -> str:
        place = self.place
        told = understood(self._status, self._body)
        if isinstance(told, Trouble):
            if self._status == 400 and not told.code:
                return (
                    f"its gateway answers {told.message!r}: when passwords are on it does so to every client"
                    " certificate with a common name; use one whose subject has no CN"
                )
            # Some versions want a login for this. The request itself will have one, and be refused by itself.
            return "" if told.is_refusal else told.message
        try:
            header, place.leader = header_of(told), number(told.get("leader"))
        except ValueError as error:
            return f"it does not answer as etcd does: {error}"
        place.member, place.cluster = header.member, header.cluster
        errors = told.get("errors")
        place.alarm = ", ".join(str(each) for each in errors) if isinstance(errors, list) else ""
        if not place.leader:
            return "it knows no leader: an election is on, or it is cut off from the other members"
        return self._judge.foreign(place, header)
