"""The etcd engine: a store that several nodes share, for ports.ClusterEngine. engines.md 2 and 5.

Every write is one transaction, asked once; whether it happened is known, or the caller is told that it is not. News
comes from a watch. It is `away` when the store was asked and did not answer at any endpoint, and from then on it is
asked until it does; a member that hangs, dies or is cut off is no absence while another one answers.

Two things that etcd does are turned into what ports promises. A write that finds the store full may have been carried
out all the same: before it is called rejected, it is looked whether its key was written. And a wiped or restored store
at the same place answers as if nothing were: its revision or term went back, and then everything is told anew.
"""

from __future__ import annotations

from gds.engine.etcd_http import Client, Lost
from gds.engine.etcd_place import prefix_of
from gds.engine.etcd_watch import Watch
from gds.engine.etcd_words import (
    Trouble,
    count_body,
    header_of,
    look_body,
    modified_of,
    page_body,
    page_of,
    refusal,
    transaction_body,
)
from gds.model.store import Committed, Conflict, EngineTraits, Put, Rejected, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.engine.etcd_http import Result
    from gds.engine.etcd_line import Line
    from gds.engine.etcd_place import Place
    from gds.engine.etcd_words import News
    from gds.engine.wants import EngineLoop, Names
    from gds.model.settings import EtcdSettings
    from gds.model.store import Answer, Record, Transaction
    from gds.ports import EngineListener, TimerHandle

SURVEY = 60.0
"""Seconds after which every endpoint is looked at again, for `describe`."""
SURVEY_ILL = 3.0
"""The same while one of them is ill: it may be well again soon, and is not to be called ill for a minute."""
SHORTEST_SILENCE = 5.0
_LONGEST_PAGE = 10.0
_RETRY = 1.0


class EtcdEngine:
    """See the module. Raises ConfigError for settings that name what is not there."""

    traits = EngineTraits("etcd", is_shared=True)

    def __init__(self, settings: EtcdSettings, loop: EngineLoop, node: str, names: Names) -> None:
        self.node = node
        self._loop = loop
        self._prefix = prefix_of(settings)
        self._attempt = settings.attempt
        self._client = Client(settings, loop, names, self)
        silence = max(SHORTEST_SILENCE, 3 * settings.renew)
        self._watch = Watch(self._client, self, self._prefix, settings.attempt, silence)
        self._listener: EngineListener | None = None
        self._loading: dict[str, Record] | None = None
        self._page_seconds = settings.attempt
        self._is_loaded = False
        self._is_closed = False
        self._away = ""
        self._suspects = False
        self._reloaded = ""
        self._unreadable: dict[str, int] = {}
        self._keys: set[str] = set()
        """Of all that was told and not told to be gone."""
        self._timers: dict[str, TimerHandle] = {}
        self._looks_soon = False
        self._allow_old = settings.allow_old_etcd

    # -- ports.ClusterEngine ------------------------------------------------------------------------------------------

    def begin(self, listener: EngineListener) -> None:
        """See ports.ClusterEngine."""
        self._listener = listener
        self._load()
        self._survey()

    def commit(self, transaction: Transaction, timeout: float, done: Callable[[Answer], None]) -> None:
        """See ports.ClusterEngine."""
        if self._is_closed:
            return
        until = self._loop.now() + timeout
        before = self._client.known.revision
        body = transaction_body(self._prefix, transaction)
        self._client.ask("/kv/txn", body, timeout, lambda told: self._answered(transaction, before, until, done, told))

    def refusal(self) -> str:
        """See ports.ClusterEngine. All that have said their version so far are refused."""
        versions = [place.version for place in self._client.places if place.version]
        refused = [refusal(version, self._allow_old) for version in versions]
        return refused[0] if refused and all(refused) else ""

    def describe(self) -> dict[str, Any]:
        """See ports.ClusterEngine. How an endpoint is: as of the last time it was asked, at most a minute ago."""
        client = self._client
        leader = next((place.leader for place in (client.pinned, *client.places) if place.leader), 0)
        return {
            "engine": "etcd",
            "prefix": self._prefix.rstrip("/"),
            "away": self._away,
            "endpoints": [self._described(place, leader) for place in client.places],
            "version": client.pinned.version,
            "leader": next((p.url for p in client.places if p.member and p.member == leader), ""),
            "cluster": f"{client.known.cluster:x}",
            "revision": client.known.revision,
            "watch": {"is_current": self._watch.is_current, "resumed": self._watch.resumed, "fault": self._watch.fault},
            "reloaded": self._reloaded,
            "unreadable": dict(self._unreadable),
            "user": client.user,
            "has_no_passwords": client.has_no_passwords,
        }

    def _described(self, place: Place, leader: int) -> dict[str, Any]:
        return {
            "url": place.url,
            "is_in_use": place is self._client.pinned,
            "fault": place.fault,
            "version": place.version,
            "leads": bool(place.member) and place.member == leader,
            "alarm": place.alarm,
        }

    def close(self) -> None:
        """See ports.ClusterEngine."""
        self._listener = None
        self._is_closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._watch.stop()
        self._client.close()

    # -- a commit's answer --------------------------------------------------------------------------------------------

    def _answered(
        self, transaction: Transaction, before: int, until: float, done: Callable[[Answer], None], told: Result
    ) -> None:
        if isinstance(told, Lost):
            self._suspect()
            done(Unknown(told.because))
        elif isinstance(told, Trouble):
            self._troubled(transaction, before, until, done, told)
        elif told.get("succeeded"):
            revision = header_of(told).revision
            if any(isinstance(each, Put) for each in transaction.operations):
                self._watch.expect(revision)
            self._reached()
            done(Committed(revision))
        else:
            self._reached()
            done(Conflict())

    def _troubled(
        self, transaction: Transaction, before: int, until: float, done: Callable[[Answer], None], trouble: Trouble
    ) -> None:
        if not trouble.is_refusal:
            self._suspect()
            done(Unknown(self._because(trouble)))
            return
        put = next((each.key for each in transaction.operations if isinstance(each, Put)), None)
        if not trouble.is_full or put is None:
            done(Rejected(self._because(trouble)))
            return
        seconds = max(0.0, until - self._loop.now())

        def looked(told: Result) -> None:
            if isinstance(told, dict) and _is_unwritten(told, before):
                done(Rejected(f"etcd is full: {trouble.message}; compact and defragment it, then disarm its alarm"))
            else:
                done(Unknown(f"etcd is full ({trouble.message}), and may have taken it all the same"))

        self._client.ask("/kv/range", look_body(self._prefix + put), seconds, looked)

    def _because(self, told: Trouble | Lost) -> str:
        if isinstance(told, Lost):
            return told.because
        if "permission denied" in told.message:
            who = f"user {self._client.user}" if self._client.user else "us (user is not set)"
            return f"etcd: permission denied to {who}; {self._prefix.rstrip('/')} must be readable and writable"
        if "user name is empty" in told.message:
            return f"etcd wants a user ({told.message}): set user and password_file in [runner.etcd]"
        return f"etcd: {told.message}"

    # -- loading ------------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        """Everything, in pages of one revision."""
        self._is_loaded = False
        self._watch.stop()
        self._unreadable.clear()
        self._loading = {}
        self._ask_page("", 0)

    def _ask_page(self, after: str, revision: int) -> None:
        body = page_body(self._prefix, after, revision)
        loading = self._loading
        self._client.ask("/kv/range", body, self._page_seconds, lambda told: self._paged(loading, revision, told))

    def _paged(self, loading: dict[str, Record] | None, revision: int, told: Result) -> None:
        if loading is None or loading is not self._loading or self._listener is None:
            return
        if not isinstance(told, dict):
            self._not_loaded(told)
            return
        try:
            page = page_of(self._prefix, told)
        except ValueError as error:
            self._not_loaded(Trouble(f"it answers what cannot be read: {error}"))
            return
        revision = revision or page.header.revision
        loading.update((record.key, record) for record in page.records)
        self._unreadable.update((key, revision) for key in page.unreadable)
        if page.after:
            self._ask_page(page.after, revision)
            return
        self._loading = None
        self._page_seconds = self._attempt
        self._is_loaded = True
        self._keys = set(loading)
        self._listener.engine_loaded(loading, revision)
        self._watch.follow(revision)

    def _not_loaded(self, told: Trouble | Lost) -> None:
        if isinstance(told, Trouble) and "compacted" in told.message:
            self._load()  # so much was written meanwhile; what was read so far is of no use
            return
        # A page that takes longer than an attempt is asked for with more patience.
        self._page_seconds = min(2 * self._page_seconds, _LONGEST_PAGE)
        self._went_away(self._because(told))
        self._arm("load", min(_RETRY, self._attempt), self._load)

    def _arm(self, name: str, seconds: float, callback: Callable[[], object]) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        self._timers[name] = self._loop.after(seconds, callback)

    # -- away and back ------------------------------------------------------------------------------------------------

    def _went_away(self, because: str) -> None:
        if self._away != because and self._listener is not None:
            self._away = because
            self._listener.engine_away(because)

    def _suspect(self) -> None:
        """A question was lost. Whether the store is away is seen by asking again, which changes nothing."""
        if self._suspects or not self._is_loaded or self._listener is None:
            return
        self._suspects = True
        self._client.ask("/kv/range", count_body(self._prefix), self._attempt, self._probed)

    def _probed(self, told: Result) -> None:
        self._suspects = False
        if isinstance(told, dict):
            self._reached()
            return
        self._went_away(self._because(told))
        self._arm("probe", min(_RETRY, self._attempt), self._suspect)

    def _reached(self) -> None:
        """A majority of the store has answered. It is back when what was missed has been told."""
        if not self._looks_soon and any(place.fault for place in self._client.places) and self._listener is not None:
            self._looks_soon = True
            self._arm("survey", SURVEY_ILL, self._survey)
        if self._away and self._is_loaded and self._watch.is_current and self._listener is not None:
            self._away = ""
            self._listener.engine_back()

    def client_other(self, because: str) -> None:
        """See etcd_http.Owner."""
        if self._listener is not None:
            self._reloaded = because
            self._went_away(because)
            self._load()

    # -- news ---------------------------------------------------------------------------------------------------------

    def watch_doubtful(self) -> None:
        """No endpoint can be followed; or a stream was begun that may be of another store. One question tells."""
        self._suspect()

    def watch_current(self) -> None:
        """See etcd_watch.Reader."""
        if self._away:
            self._suspect()

    def watch_news(self, news: News) -> None:
        """See etcd_watch.Reader."""
        if self._listener is None:
            return
        told = []
        for change in news.changes:
            self._unreadable.pop(change.key, None)
            if change.record is not None:
                self._keys.add(change.key)
            elif change.key in self._keys:
                self._keys.remove(change.key)
            else:
                continue  # garbage came or went, of which nobody was told
            told.append(change)
        self._unreadable.update((key, news.changes[-1].revision) for key in news.unreadable)
        if told:
            self._listener.engine_changed(tuple(told), told[-1].revision)

    def watch_compacted(self, because: str) -> None:
        """See etcd_watch.Reader."""
        self._reloaded = because
        self._load()

    # -- how the endpoints are ----------------------------------------------------------------------------------------

    def _survey(self) -> None:
        """Look at each of them, for `describe`; and a version that must not be used is known before it is needed."""
        for place in self._client.places:
            if place is not self._client.pinned:
                self._client.open(place, max(1.0, self._attempt), _hang_up)
        self._looks_soon = False
        if self._listener is not None:
            self._arm("survey", SURVEY, self._survey)


def _is_unwritten(told: dict[str, Any], since: int) -> bool:
    """The key that was looked at is as it was at that revision. One that was put and removed meanwhile counts as it."""
    try:
        return modified_of(told) <= since
    except ValueError:
        return False


def _hang_up(line: Line | None, _because: str) -> None:
    if line is not None:
        line.close()
