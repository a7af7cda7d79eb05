"""Where pmfadm asks: the verbs "pmf.…" of the control socket. Sun: semantics.md 4.2.

Who asks is the kernel's word about the peer. What it makes runs as it: with its uid, gid and groups, in the directory
and with the PATH that pmfadm had. The owner of a tag and root may change and signal it, everybody who can open the
socket may make tags and read; the values of a tag's environment are for its owner and root alone.

Every answer has `pmf`, and `code` is pmfadm's exit status.
"""

from __future__ import annotations

import os

from gds.daemon.environment import DEFAULT_PATH
from gds.daemon.nametag import Spec, Tag, tree_name
from gds.daemon.tags import Tags
from gds.errors import UsageError
from gds.model.ending import signal_name
from gds.pmf import tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from gds.daemon.nametag import Log
    from gds.ports import Scheduler, TimerHandle

    class Client(Protocol):
        """One connection; `uid` and `gid` are the peer's."""

        uid: int
        gid: int
        fd: int
        on_gone: Callable[[], None] | None

        def groups(self) -> tuple[int, ...]: ...
        def done(self, code: int, message: str = "", **more: Any) -> None: ...


DONE, NO_SUCH, TIMED_OUT, ERROR = 0, 1, 2, 3
"""Sun's exit statuses; ERROR stands for her "other"."""
LONGEST_NAME = 240
"""Bytes of a tree's name: it becomes the name of a directory."""
MOST_TAGS = 4096
MOST_WAITING = 64
"""Clients that wait (-w) keep a connection each; others must get through."""
KEPT = ("LANG", "TZ", "GDS_SOCKET")
"""What a command gets of the runner's environment (GDS_SOCKET is the runner's own socket, so that a monitor finds it);
HOME too when it is the same user's."""
SIGKILL = 9
HIGHEST_SIGNAL = 64


class Waiting:
    """A client that waits for the end of what runs now (-w)."""

    __slots__ = ("_all", "_client", "_tag", "patience", "timer", "until")

    def __init__(self, client: Client, one: Tag, everybody: set[Waiting]) -> None:
        self._client: Client | None = client
        self._tag = one
        self._all = everybody
        self.timer: TimerHandle | None = None
        self.patience = -1.0
        self.until = 0.0
        client.on_gone = self.forget
        one.on_over.append(self.over)
        everybody.add(self)

    def facts(self) -> tuple[int, str, float, float]:
        """See PmfDesk.hand_over."""
        assert self._client is not None
        return self._client.fd, self._tag.view.nametag, self.until, self.patience

    def over(self) -> None:
        """What ran has ended."""
        self.answer(DONE)

    def forget(self) -> None:
        """Nobody waits any more."""
        self._client = None
        self._all.discard(self)
        if self.over in self._tag.on_over:
            self._tag.on_over.remove(self.over)
        if self.timer is not None:
            self.timer.cancel()

    def answer(self, code: int, message: str = "") -> None:
        """Once."""
        client = self._client
        self.forget()
        if client is not None:
            client.done(code, message, pmf=True)


class PmfDesk:
    """See the module."""

    def __init__(self, tags: Tags, loop: Scheduler, log: Log, environ: Mapping[str, str]) -> None:
        self._tags = tags
        self._loop = loop
        self._log = log
        self._environ = environ
        self._waiting: set[Waiting] = set()
        self._verbs: dict[str, Callable[[Client, Asked], None]] = {
            "pmf.create": self._create,
            "pmf.kill": self._kill,
            "pmf.stop": self._stop,
            "pmf.modify": self._modify,
            "pmf.query": self._query,
            "pmf.details": self._details,
            "pmf.list": self._list,
        }

    def answer(self, client: Client, request: Mapping[str, Any]) -> None:
        """One request."""
        act = self._verbs.get(request["verb"])
        if act is None:
            client.done(ERROR, f"cannot {request['verb']}: this runner does not know that verb", pmf=True)
            return
        try:
            act(client, Asked(request))
        except UsageError as error:
            client.done(ERROR, str(error), pmf=True)

    def hand_over(self) -> list[tuple[int, str, float, float]]:
        """Who waits (-w), for the runner after us in this same process: (its descriptor, nametag, until when or 0,
        seconds it wanted to wait)."""
        return [each.facts() for each in self._waiting]

    def resume(self, waiting: Iterable[tuple[int, str, float, float]], clients: Mapping[int, Client]) -> None:
        """They go on waiting."""
        for fd, nametag, until, patience in waiting:
            one, client = self._tags.all.get(nametag), clients.get(fd)
            if one is not None and client is not None:
                self._await(client, one, patience, until)

    def _create(self, client: Client, asked: Asked) -> None:
        nametag = asked.nametag()
        spec = _spec(client, asked, self._environ)
        retries, period = asked.retries(0), asked.period(tag.FOR_EVER)
        if self._tags.ending:
            raise UsageError(f"cannot start anything: {self._tags.ending}")
        if nametag in self._tags.all:
            client.done(NO_SUCH, f"cannot use nametag {nametag}: it exists", pmf=True)
        elif self._tags.being_ended(nametag):
            self._tags.when_clean(nametag, lambda: self.answer(client, asked.request))
        elif len(self._tags.all) >= MOST_TAGS:
            raise UsageError(f"cannot use nametag {nametag}: there are {MOST_TAGS} already")
        else:

            def begun(fault: str) -> None:
                client.done(ERROR if fault else DONE, fault, pmf=True)

            self._tags.create(nametag, spec, retries, period, f"asked for by uid {client.uid}", begun)

    def _mine(self, client: Client, asked: Asked, verb: str) -> Tag | None:
        """The tag, when this client may change it; else the client has been told."""
        nametag = asked.nametag()
        one = self._tags.all.get(nametag)
        if one is None:
            client.done(NO_SUCH, f"cannot {verb} {nametag}: there is no such nametag", pmf=True)
            return None
        if client.uid not in (0, one.spec.owner):
            owner = one.spec.owner
            client.done(ERROR, f"cannot {verb} {nametag}: only its owner, uid {owner}, and root may", pmf=True)
            return None
        return one

    def _kill(self, client: Client, asked: Asked) -> None:
        number, patience = asked.signal(SIGKILL), asked.patience()
        one = self._mine(client, asked, "signal")
        if one is not None:
            self._log.info(f"{signal_name(number)} asked for by uid {client.uid}", nametag=one.view.nametag)
            self._tags.signal(one, number)
            self._wait(client, one, patience)

    def _stop(self, client: Client, asked: Asked) -> None:
        number, patience = asked.signal(0), asked.patience()
        one = self._mine(client, asked, "stop")
        if one is not None:
            said = f", {signal_name(number)}" if number else ""
            self._tags.submit(one, tag.StopAsked(f"stop asked for by uid {client.uid}{said}"))
            if number:
                self._tags.signal(one, number)
            self._wait(client, one, patience)

    def _wait(self, client: Client, one: Tag, patience: float) -> None:
        """Answer when what runs now is over, or when the time is. 0 = now, -1 = no limit."""
        if patience == 0 or one.tree is None:
            client.done(DONE, pmf=True)
            return
        if len(self._waiting) >= MOST_WAITING:
            raise UsageError(f"cannot wait for {one.view.nametag}: {MOST_WAITING} others wait; it is done all the same")
        self._await(client, one, patience, self._loop.now() + patience)

    def _await(self, client: Client, one: Tag, patience: float, until: float) -> None:
        waiting = Waiting(client, one, self._waiting)
        waiting.patience = patience
        if patience > 0:
            waiting.until = until
            waiting.timer = self._loop.at(until, lambda: self._ran_out(one, waiting, patience))

    def _ran_out(self, one: Tag, waiting: Waiting, patience: float) -> None:
        left = self._tags.pids(one)
        named = ", ".join(map(str, left[:20])) + (f" and {len(left) - 20} more" if len(left) > 20 else "")
        still = f"{named} still {'runs' if len(left) == 1 else 'run'}" if left else "its last process is about to end"
        waiting.answer(TIMED_OUT, f"cannot wait longer for {one.view.nametag}: after {patience:g} s {still}")

    def _modify(self, client: Client, asked: Asked) -> None:
        retries, period = asked.retries(None), asked.period(None)
        one = self._mine(client, asked, "change")
        if one is not None:
            because = f"changed by uid {client.uid}: failures are forgotten"
            self._tags.submit(one, tag.Modified(because, retries, period))
            client.done(DONE, pmf=True)

    def _query(self, client: Client, asked: Asked) -> None:
        client.done(DONE if asked.nametag() in self._tags.all else NO_SUCH, pmf=True)

    def _list(self, client: Client, _asked: Asked) -> None:
        mine = [name for name, one in self._tags.all.items() if client.uid in (0, one.spec.owner)]
        client.done(DONE, pmf=True, tags=sorted(mine))

    def _details(self, client: Client, asked: Asked) -> None:
        nametag = asked.nametag()
        one = self._tags.all.get(nametag)
        if one is None:
            client.done(NO_SUCH, f"cannot list {nametag}: there is no such nametag", pmf=True)
            return
        spec, view = one.spec, one.view
        is_mine = client.uid in (0, spec.owner)
        facts = {
            "nametag": nametag,
            "command": list(spec.argv),
            "action": spec.action,
            "cwd": spec.cwd,
            "environment": dict(sorted(spec.env.items())) if is_mine else dict.fromkeys(sorted(spec.env)),
            "retries": view.retries,
            "period": view.period,
            "used": view.used(self._loop.now()),
            "failed": view.failed,
            "owner": spec.owner,
            "level": spec.level,
            "pids": self._tags.pids(one),
            "life": view.life.value,
            "because": view.because,
        }
        client.done(DONE, pmf=True, details=facts)


class Asked:
    """The fields of a request, each checked: whoever can open the socket can send anything. Raises UsageError."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.request = request

    def nametag(self) -> str:
        """Any printable text that can be the name of a directory."""
        given = self.request.get("nametag")
        if not isinstance(given, str) or not given or not given.isprintable():
            raise UsageError("cannot use that nametag: it must be printable text")
        name = tree_name(given)
        # a forest may escape again what is escaped here, and adds the number of the incarnation
        if len(name.encode()) + 2 * (name.count("%") + name.count("/")) > LONGEST_NAME:
            raise UsageError(f"cannot use that nametag: it is longer than {LONGEST_NAME} bytes")
        return given

    def text(self, key: str, default: str | None = None) -> str:
        """A string that a system call can take."""
        given = self.request.get(key, default)
        if not isinstance(given, str) or "\0" in given:
            raise UsageError(f"cannot read the request: {key} is not text")
        return given

    def command(self) -> tuple[str, ...]:
        """At least the program."""
        given = self.request.get("command")
        if (
            not isinstance(given, list)
            or not given
            or not all(isinstance(word, str) and "\0" not in word for word in given)
        ):
            raise UsageError("cannot read the request: command is not a list of words")
        return tuple(given)

    def environ(self, key: str) -> dict[str, str] | None:
        """Names and values; None when the request has none."""
        given = self.request.get(key)
        if given is None:
            return None
        if not isinstance(given, dict) or not all(
            name and isinstance(value, str) and not {"=", "\0"} & {*name} and "\0" not in value
            for name, value in given.items()
        ):
            raise UsageError(f"cannot read the request: {key} is not an environment")
        return dict(given)

    def retries(self, default: int | None) -> Any:
        """-1 (no limit) to 100; the default as it is."""
        given = self.request.get("retries")
        if given is None:
            return default
        if not isinstance(given, int) or isinstance(given, bool) or not tag.UNLIMITED <= given <= tag.MOST_RETRIES:
            raise UsageError(f"cannot use those retries: expected -1 to {tag.MOST_RETRIES}")
        return given

    def period(self, default: float | None) -> Any:
        """Seconds above 0, or -1 (for ever); the default as it is."""
        given = self.request.get("period")
        if given is None:
            return default
        if not _is_number(given) or not (given == tag.FOR_EVER or 0 < given < 1e12):
            raise UsageError("cannot use that period: expected a time above 0, or -1")
        return float(given)

    def patience(self) -> float:
        """Seconds to wait; 0 = not at all, -1 = for ever."""
        given = self.request.get("wait", 0)
        if not _is_number(given) or not (given == -1 or 0 <= given < 1e9):
            raise UsageError("cannot wait that long: expected seconds from 0, or -1")
        return float(given)

    def level(self) -> int:
        """-1 = all."""
        given = self.request.get("level", -1)
        if not isinstance(given, int) or isinstance(given, bool) or not -1 <= given < 1 << 30:
            raise UsageError("cannot use that level: expected a number from 0")
        return given

    def signal(self, default: int) -> int:
        """Its number."""
        given = self.request.get("signal", default)
        if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= HIGHEST_SIGNAL:
            raise UsageError(f"cannot send that signal: expected a number from 1 to {HIGHEST_SIGNAL}")
        return given or default


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _spec(client: Client, asked: Asked, own: Mapping[str, str]) -> Spec:
    """Raises UsageError, also when this runner cannot run anything as that user."""
    cwd = asked.text("cwd")
    if not cwd.startswith("/"):
        raise UsageError("cannot read the request: cwd is not an absolute path")
    env = asked.environ("environ")
    if env is None:
        env = {name: own[name] for name in KEPT if name in own}
        if client.uid == os.geteuid() and "HOME" in own:
            env["HOME"] = own["HOME"]
        env["PATH"] = asked.text("path", DEFAULT_PATH)
        env.update(asked.environ("extra") or {})
    spec = Spec(client.uid, asked.command(), cwd, env)
    spec.action = asked.text("action", "")
    if client.uid in (0, os.geteuid()):  # whose it is is believed of those who may act on resources
        spec.serves, spec.monitors = asked.text("serves", ""), asked.text("monitors", "")
    spec.level = asked.level()
    try:
        groups = client.groups()
    except OSError as error:
        raise UsageError(f"cannot tell your supplementary groups: {error.strerror}") from None
    own_ids = os.geteuid(), os.getegid()
    if (client.uid, client.gid) == own_ids and {*groups, client.gid} == {*os.getgroups(), os.getegid()}:
        return spec
    if os.geteuid() != 0:
        raise UsageError(
            f"cannot run a command as uid {client.uid}, gid {client.gid} with groups {sorted(groups)}: this runner has"
            f" uid {own_ids[0]}, gid {own_ids[1]} and groups {sorted(os.getgroups())}, and is not root"
        )
    spec.uid, spec.gid, spec.groups = client.uid, client.gid, groups
    return spec
