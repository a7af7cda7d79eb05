"""A thin client of etcd's JSON gateway: several endpoints, one of them pinned, a time-out on every request.

The pinned endpoint is asked until it fails; then the one that has not failed for the longest time is pinned, and the
next request does not wait for the broken one. A request is tried at the next endpoint as long as not a byte of it was
sent; once it was sent it is never repeated, but where etcd itself said that it did nothing (a token that expired).

Every linearizable answer carries the store's revision and term, which only rise. If they fall, or the cluster's id is
another, somebody wiped, restored or replaced the store: `client_other` tells, and nothing of before holds.
"""

from __future__ import annotations

from gds.engine.etcd_opening import Opening
from gds.engine.etcd_place import check_password, context_of, password_of, places_of
from gds.engine.etcd_words import Header, Trouble, header_of, login_body, understood
from gds.errors import ConfigError
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    from gds.engine.etcd_line import Line
    from gds.engine.etcd_place import Place
    from gds.engine.wants import EngineLoop, Names
    from gds.model.settings import EtcdSettings

    Result: TypeAlias = "dict[str, Any] | Trouble | Lost"
    Done: TypeAlias = Callable[[Result], None]

    class Owner(Protocol):
        """Who uses the client."""

        def client_other(self, because: str) -> None: ...


MOST_AT_ONCE = 32
"""Requests under way; of more, the one whose time ends first is the next: a renewal does not wait for claims."""
_MOST_IDLE = 4
_PAUSE = 0.1
"""Seconds before the endpoints are tried anew when none of them can be reached."""
_LOGIN_SECONDS = 5.0
_LOGIN_PAUSE = 2.0
"""Seconds for which a refused login is not tried again: it costs etcd a tenth of a second of work."""


class Lost(Value):
    """No answer. `sent`: some of the question was, so it may have been carried out, or still may be."""

    because: str
    sent: bool


class Asked:
    """One request under way."""

    def __init__(self, client: Client, path: str, body: bytes, seconds: float, done: Done, bare: bool = False) -> None:
        self._client = client
        self._path = path
        self._body = body
        self._done: Done | None = done
        self._bare = bare
        self._seconds = seconds
        self.until = client.loop.now() + seconds
        self._timer = client.loop.after(seconds, self._late)
        self._opening: Opening | None = None
        self._line: Line | None = None
        self._tried: set[Place] = set()
        self._fault = ""
        self._used = ""
        self._logins = 0
        self._known = Header()
        self._life = 0
        self._status = 0
        self._heard: list[bytes] = []

    def start(self) -> None:
        """Go to the pinned endpoint, or to the login before that."""
        client = self._client
        if self._done is None:
            return
        if client.wants_token and not self._bare:
            client.login(self)
            return
        line = client.idle_line()
        if line is not None:
            self._ask(line)
            return
        self._tried.add(client.pinned)
        left = self.until - client.loop.now()
        share = min(left, max(self._seconds / len(client.places), 0.05))
        self._opening = client.open(client.pinned, share, self._opened)

    def cancel(self) -> None:
        """No answer is wanted."""
        self._done = None
        self._finish(None)

    def refused(self, result: Trouble | Lost) -> None:
        """There is no login."""
        self._finish(result)

    def _opened(self, line: Line | None, because: str) -> None:
        place = self._opening.place if self._opening else self._client.pinned
        self._opening = None
        if line is not None:
            self._ask(line)
            return
        self._fault = f"{place.url}: {because}"
        self._client.blame(place, because)
        self._elsewhere()

    def _elsewhere(self) -> None:
        """Nothing was sent: the next endpoint may be asked."""
        client = self._client
        if client.pinned in self._tried:
            self._tried.clear()
            client.loop.after(_PAUSE, self.start)
        else:
            self.start()

    def _ask(self, line: Line) -> None:
        client = self._client
        self._line = line
        self._known, self._life = client.known, client.life
        self._heard.clear()
        self._used = client.token
        headers = [("Authorization", client.token)] if client.token and not self._bare else []
        line.ask(self, "POST", f"/v3{self._path}", self._body, headers)

    def line_ready(self) -> None:
        """See etcd_line. It was, before it was handed to us."""

    def line_head(self, status: int) -> None:
        """See etcd_line."""
        self._status = status

    def line_data(self, data: bytes) -> None:
        """See etcd_line."""
        self._heard.append(data)

    def line_broken(self, because: str) -> None:
        """See etcd_line."""
        line, self._line = self._line, None
        if line is None:
            return
        self._fault = f"{line.place.url}: {because}"
        self._client.blame(line.place, because)
        if line.sent:
            self._finish(Lost(self._fault, True))
        else:
            self._elsewhere()

    def line_answered(self) -> None:
        """See etcd_line."""
        line, self._line = self._line, None
        if line is None:
            return
        client = self._client
        client.give_back(line)
        line.place.fault = ""
        told = understood(self._status, b"".join(self._heard))
        if isinstance(told, Trouble):
            if told.wants_login and client.user and not self._bare and self._logins < 2:
                self._logins += 1
                client.forget(self._used)
                self.start()
                return
            if not told.is_refusal:
                client.blame(line.place, told.message)
            self._finish(told)
            return
        try:
            other = client.note(header_of(told), self._known, self._life) if not self._bare else ""
        except ValueError as error:
            other = f"an answer that cannot be read: {error}"
        self._finish(Lost(other, True) if other else told)

    def _late(self) -> None:
        sent = self._line is not None and self._line.sent
        place = self._line.place if self._line else self._opening.place if self._opening else None
        # What an endpoint said earlier says more than that the time ran out while it was tried once more.
        if place is not None and (sent or not self._fault):
            because = f"no answer within {self._seconds:.3g} s"
            self._client.blame(place, because)
            self._fault = f"{place.url}: {because}"
        self._finish(Lost(self._fault or self._client.fault or "nothing was sent", sent))

    def _finish(self, result: Result | None) -> None:
        done, self._done = self._done, None
        self._timer.cancel()
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._line is not None:
            self._line.close()
            self._line = None
        self._client.ended(self)
        if done is not None and result is not None:
            done(result)


class Client:
    """See the module. Raises ConfigError for settings that name what is not there."""

    def __init__(self, settings: EtcdSettings, loop: EngineLoop, names: Names, owner: Owner) -> None:
        self.loop = loop
        self.places = places_of(settings)
        self.context = context_of(settings, self.places)
        self.allow_old = settings.allow_old_etcd
        self.pinned = self.places[0]
        self.fault = ""
        """The last one of any place."""
        self.user = settings.user
        self.token = ""
        self.has_no_passwords = False
        """etcd itself says that it has none switched on, though we were given one."""
        self.known = Header()
        self.life = 0
        """Rises whenever another store answers."""
        self._settings = settings
        self._names = names
        self._owner = owner
        self._idle: list[Line] = []
        self._openings: list[Opening] = []
        self._asked: list[Asked] = []
        self._queue: list[Asked] = []
        self._login: Asked | None = None
        self._await_login: list[Asked] = []
        self._refusal: Trouble | None = None
        self._refused_until = float("-inf")
        if self.user:
            check_password(settings)

    def ask(self, path: str, body: bytes, seconds: float, done: Done) -> None:
        """Ask; `done` is called once, from the loop, within so many seconds."""
        self._start(Asked(self, path, body, seconds, done))

    def open(self, place: Place, seconds: float, opened: Callable[[Line | None, str], None]) -> Opening:
        """A line of one's own."""
        opening = Opening(self.loop, self._names, place, self, seconds, opened)
        self._openings.append(opening)
        return opening

    def opening_over(self, opening: Opening) -> None:
        """See etcd_opening.Judge."""
        if opening in self._openings:
            self._openings.remove(opening)

    def close(self) -> None:
        """Nothing is left."""
        for asked in (*self._queue, *self._asked, *((self._login,) if self._login else ())):
            asked.cancel()
        for opening in tuple(self._openings):
            opening.cancel()
        for line in self._idle:
            line.close()
        self._idle.clear()

    def _start(self, asked: Asked) -> None:
        if len(self._asked) >= MOST_AT_ONCE:
            self._queue.append(asked)
            return
        self._asked.append(asked)
        asked.start()

    def ended(self, asked: Asked) -> None:
        """It is over; one that waits may begin."""
        for kept in (self._asked, self._queue, self._await_login):
            if asked in kept:
                kept.remove(asked)
        if self._queue and len(self._asked) < MOST_AT_ONCE:
            first = min(self._queue, key=lambda each: each.until)
            self._queue.remove(first)
            self._start(first)

    # -- endpoints ----------------------------------------------------------------------------------------------------

    def idle_line(self) -> Line | None:
        """One to the pinned endpoint that is open and nobody's."""
        while self._idle:
            line = self._idle.pop()
            if line.place is self.pinned and line.is_alive():
                return line
            line.close()
        return None

    def give_back(self, line: Line) -> None:
        """Its user is done with it."""
        if line.is_open and line.place is self.pinned and len(self._idle) < _MOST_IDLE:
            self._idle.append(line)
        else:
            line.close()

    def blame(self, place: Place, because: str) -> None:
        """It failed; whoever has not for the longest time is asked from now on."""
        place.fault = because
        self.fault = f"{place.url}: {because}"
        place.failed_at = self.loop.now()
        if place is self.pinned:
            for line in self._idle:
                line.close()
            self._idle.clear()
            first = self.places.index(place)
            around = self.places[first + 1 :] + self.places[: first + 1]
            self.pinned = min(around, key=lambda each: each.failed_at)

    # -- which store it is --------------------------------------------------------------------------------------------

    def foreign(self, place: Place, header: Header) -> str:
        """See etcd_opening.Judge. Another cluster is believed to be ours now when most endpoints belong to it."""
        if not self.known.cluster or not header.cluster or header.cluster == self.known.cluster:
            return ""
        those = [each for each in self.places if each.cluster == header.cluster]
        if 2 * len(those) <= len(self.places):
            return f"it belongs to another cluster ({header.cluster:x}, not {self.known.cluster:x})"
        self._other(header, f"it is cluster {header.cluster:x}, it was {self.known.cluster:x}")
        return ""

    def note(self, header: Header, before: Header, life: int) -> str:
        """A linearizable answer to what was asked when we knew `before`, in that `life`. "" = it is the same store."""
        if life != self.life:
            return "another store answers since it was asked"
        if before.cluster and header.cluster == before.cluster == self.known.cluster:
            if header.revision < before.revision:
                return self._other(header, f"its revision went back from {before.revision} to {header.revision}")
            if header.term < before.term:
                return self._other(header, f"its raft term went back from {before.term} to {header.term}")
        elif self.known.cluster and header.cluster != self.known.cluster:
            return f"the answer came from another cluster ({header.cluster:x}, not {self.known.cluster:x})"
        known = self.known
        revision, term = max(known.revision, header.revision), max(known.term, header.term)
        self.known = Header(header.cluster, header.member, revision, term)
        return ""

    def _other(self, header: Header, how: str) -> str:
        self.known = header
        self.life += 1
        because = f"another store answers: {how}"
        self.loop.soon(lambda: self._owner.client_other(because))
        return because

    # -- passwords ----------------------------------------------------------------------------------------------------

    @property
    def wants_token(self) -> bool:
        """Nothing can be asked before a login."""
        return bool(self.user) and not self.token and not self.has_no_passwords

    def forget(self, token: str) -> None:
        """It is not good any more."""
        self.has_no_passwords = False
        if self.token == token:
            self.token = ""

    def login(self, asked: Asked) -> None:
        """It goes on when there is a token. One login serves all."""
        if self._refusal is not None and self.loop.now() < self._refused_until:
            refusal = self._refusal
            self.loop.soon(lambda: asked.refused(refusal))
            return
        self._await_login.append(asked)
        if self._login is not None:
            return
        try:
            body = login_body(self.user, password_of(self._settings))
        except ConfigError as error:
            refusal = Trouble(str(error), 0, True)
            self.loop.soon(lambda: self._logged_in(refusal))
            return
        self._login = Asked(self, "/auth/authenticate", body, _LOGIN_SECONDS, self._logged_in, bare=True)
        self._login.start()

    def _logged_in(self, result: Result) -> None:
        self._login = None
        waiting, self._await_login = self._await_login, []
        if isinstance(result, Trouble) and "authentication is not enabled" in result.message:
            self.has_no_passwords = True
        elif isinstance(result, Lost):
            for asked in waiting:
                asked.refused(Lost(result.because, False))
            return
        elif isinstance(result, Trouble):
            said = result.message if result.message.startswith("cannot") else f"as {self.user}: {result.message}"
            text = said if said.startswith("cannot") else f"cannot log in {said}"
            self._refusal = Trouble(text, result.code, result.is_refusal)
            self._refused_until = self.loop.now() + _LOGIN_PAUSE
            for asked in waiting:
                asked.refused(self._refusal)
            return
        else:
            self.token = str(result.get("token", ""))
        for asked in waiting:
            asked.start()
