"""Following what changes under our prefix: one endless answer of /v3/watch, taken up again wherever it broke.

It resumes behind the last revision heard, at whichever endpoint answers. With the header `hasleader` a member that lost
its leader ends the stream by itself; a member that hangs does not, so silence has an end too: `patience` after somebody
knows of a change that was not heard, and `silence` without any message. A broken stream is no loss of the store: that
is for those who ask it to say.
"""

from __future__ import annotations

from gds.engine.etcd_words import Trouble, news_of, understood, watch_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from gds.engine.etcd_http import Client
    from gds.engine.etcd_line import Line
    from gds.engine.etcd_opening import Opening
    from gds.engine.etcd_place import Place
    from gds.engine.etcd_words import News
    from gds.ports import TimerHandle

    class Reader(Protocol):
        """Who wants to know."""

        def watch_doubtful(self) -> None: ...
        def watch_current(self) -> None: ...
        def watch_news(self, news: News) -> None: ...
        def watch_compacted(self, because: str) -> None: ...


PAUSE = 0.5
"""Seconds before the endpoints are tried anew when none of them could be followed."""
SETTLE = 0.5
"""Seconds after which a stream that has told nothing new had nothing to tell: etcd looks ten times a second for streams
that are behind."""
LARGEST = 256 * 1024 * 1024
"""Bytes of one message; more is no etcd."""
_HEADERS = [("Grpc-Metadata-hasleader", "true")]


class Watch:
    """See the module. `attempt`: seconds that one endpoint has to begin with."""

    def __init__(self, client: Client, reader: Reader, prefix: str, attempt: float, silence: float) -> None:
        self.is_current = False
        """Whatever had changed when it was taken up has been told."""
        self.place: Place | None = None
        self.resumed = 0
        """How often it was taken up again."""
        self.fault = ""
        self._client = client
        self._reader = reader
        self._prefix = prefix
        self._attempt = attempt
        self._patience = max(1.0, attempt)
        self._silence = silence
        self._seen = 0
        self._is_on = False
        self._line: Line | None = None
        self._opening: Opening | None = None
        self._timers: dict[str, TimerHandle] = {}
        self._heard: list[bytes] = []
        self._size = 0
        self._status = 0
        self._token = ""
        self._caught_up_at = 0
        self._tried: set[Place] = set()

    def follow(self, seen: int) -> None:
        """From the change behind revision `seen` on."""
        self.stop()
        self._is_on = True
        self._seen = seen
        self._begin()

    def stop(self) -> None:
        """Nothing is told any more."""
        self._is_on = False
        self._hang_up()

    def expect(self, revision: int) -> None:
        """There is a change of that revision; if it is not heard soon, the stream is broken without knowing it."""
        if self._is_on and revision > self._seen and "late" not in self._timers:
            self._arm("late", self._patience, lambda: self._check(revision))

    # -- beginning and ending -----------------------------------------------------------------------------------------

    def _arm(self, name: str, seconds: float, callback: object) -> None:
        self._disarm(name)
        self._timers[name] = self._client.loop.after(seconds, callback)  # type: ignore[arg-type]  # a method

    def _disarm(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _hang_up(self) -> None:
        for name in tuple(self._timers):
            self._disarm(name)
        self.is_current = False
        line, self._line = self._line, None
        opening, self._opening = self._opening, None
        if line is not None:
            line.close()
        if opening is not None:
            opening.cancel()

    def _begin(self) -> None:
        if not self._is_on:
            return
        client = self._client
        self.place = client.pinned
        self._tried.add(client.pinned)
        self._opening = client.open(client.pinned, self._attempt, self._opened)

    def _opened(self, line: Line | None, because: str) -> None:
        self._opening = None
        if line is None:
            self._again(because)
            return
        self._line = line
        self._heard.clear()
        self._size = 0
        self._token = self._client.token
        headers = [*_HEADERS, ("Authorization", self._token)] if self._token else _HEADERS
        self._arm("begin", self._attempt, lambda: self._again("the watch was not begun in time"))
        line.ask(self, "POST", "/v3/watch", watch_body(self._prefix, self._seen + 1), headers)

    def _again(self, because: str) -> None:
        """Here it is over; go on elsewhere."""
        self._hang_up()
        client = self._client
        self.fault = because
        if self.place is not None:
            client.blame(self.place, because)
        if not self._is_on:
            return
        self.resumed += 1
        if client.pinned in self._tried:
            self._tried.clear()
            self._arm("pause", PAUSE, self._begin)
            self._reader.watch_doubtful()
        else:
            self._begin()

    def _check(self, revision: int) -> None:
        self._disarm("late")
        if revision > self._seen:
            self._again(f"a change was not heard of within {self._patience:g} s")

    def _silent(self) -> None:
        """Nobody has to have written anything; so nobody is blamed."""
        self._hang_up()
        self.resumed += 1
        self._begin()

    # -- what the line tells ------------------------------------------------------------------------------------------

    def line_ready(self) -> None:
        """See etcd_line. It was, before it was handed to us."""

    def line_head(self, status: int) -> None:
        """See etcd_line."""
        self._status = status

    def line_broken(self, because: str) -> None:
        """See etcd_line."""
        self._line = None
        self._again(because)

    def line_answered(self) -> None:
        """An endless answer has ended."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
        told = understood(self._status, b"".join(self._heard)) if self._status != 200 else None
        self._refused(told) if isinstance(told, Trouble) else self._again("the watch ended")

    def line_data(self, data: bytes) -> None:
        """One message a line, in pieces of any size."""
        self._heard.append(data)
        self._size += len(data)
        if self._size > LARGEST:
            self._again("a message without an end")
        elif self._status == 200 and b"\n" in data:
            *lines, rest = b"".join(self._heard).split(b"\n")
            self._heard = [rest] if rest else []
            self._size = len(rest)
            line = self._line
            for each in lines:
                if self._line is line and line is not None and each.strip():
                    self._hear(each)

    def _hear(self, text: bytes) -> None:
        try:
            news = news_of(self._prefix, text)
        except ValueError as error:
            self._again(f"a message that cannot be read: {error}")
            return
        if isinstance(news, Trouble):
            self._refused(news)
        elif news.compacted:
            self.stop()
            self._reader.watch_compacted(f"etcd has forgotten what was before revision {news.compacted}")
        elif news.ended:
            self._refused(Trouble(news.ended))
        else:
            self._understood(news)

    def _refused(self, trouble: Trouble) -> None:
        if trouble.wants_login and self._client.user:
            self._client.forget(self._token)
            self._reader.watch_doubtful()  # whoever asks next logs in
            self._hang_up()
            self._arm("pause", PAUSE, self._begin)
            return
        self._again(trouble.message)

    def _understood(self, news: News) -> None:
        self._arm("silence", self._silence, self._silent)
        if news.created:
            self._disarm("begin")
            self._tried.clear()
            self.fault = ""
            self._caught_up_at = news.header.revision
            self._reader.watch_doubtful()
            if news.header.revision > self._seen:
                self._arm("settle", SETTLE, self._current)
            else:
                self._current()
        fresh = [change for change in news.changes if change.revision > self._seen]
        if fresh:
            self._seen = fresh[-1].revision
            self._reader.watch_news(news.replace(changes=tuple(fresh)))
        if news.changes and not self.is_current and news.header.revision >= self._caught_up_at:
            self._current()

    def _current(self) -> None:
        self._disarm("settle")
        if not self.is_current and self._line is not None:
            self.is_current = True
            self._reader.watch_current()
