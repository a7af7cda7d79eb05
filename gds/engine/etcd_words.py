"""What is said to etcd's JSON gateway and what it answers, as words of ours. No I/O.

Facts of the gateway, all met (etcd 3.4.23 and 3.5.16): keys and values are base64; 64-bit numbers are strings; a field
whose value is zero is left out (`succeeded`, `create_revision`, `value`, `type` PUT); an error is `error`, `message`,
`code` in 3.4, `code`, `message` in 3.5, and inside of a stream, whose status was 200, it is a line {"error": {...}}
with `grpc_code` or `code`. Some errors are plain text.
"""

from __future__ import annotations

import json
from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64

from gds.model.store import Change, Put, Record
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.model.store import Transaction

PAGE = 500
"""Records asked for at a time: a long answer would hold up the loop while it is read."""

_REFUSED = frozenset((3, 5, 6, 7, 8, 9, 11, 12, 16))
"""gRPC's codes that say it was looked at and not done. With all others (time-outs, a leader lost, unavailable) nobody
knows. "not a primary lessor" comes as 2 and means: ask another member."""

_UNAUTHENTICATED = 16
_NO_SPACE = "database space exceeded"
_LOGIN_AGAIN = ("invalid auth token", "revision of auth store is old", "user name is empty")


class Header(Value):
    """Who answered, and how far its store was. `revision` of a write or a linearizable read only rises."""

    cluster: int = 0
    member: int = 0
    revision: int = 0
    term: int = 0


class Trouble(Value):
    """An error that etcd told. `is_refusal`: what was asked for did not happen and never will."""

    message: str
    code: int = 0
    is_refusal: bool = False

    @property
    def wants_login(self) -> bool:
        """The token is not good any more; nothing was done."""
        return self.code == _UNAUTHENTICATED or any(each in self.message for each in _LOGIN_AGAIN)

    @property
    def is_full(self) -> bool:
        """No space is left. The write that filled it up was done all the same (etcd applies it before it looks)."""
        return _NO_SPACE in self.message


class Page(Value):
    """A part of all records, read at `header.revision`. `after`: from where to go on; "" when this was the last."""

    header: Header
    records: tuple[Record, ...]
    unreadable: tuple[str, ...]
    after: str


class News(Value):
    """One message of a watch. `compacted`: what was asked for is forgotten up to there. `ended`: why it ends."""

    header: Header
    created: bool = False
    changes: tuple[Change, ...] = ()
    unreadable: tuple[str, ...] = ()
    compacted: int = 0
    ended: str = ""


# -- bytes --------------------------------------------------------------------------------------------------------


def packed(text: str) -> str:
    """As the gateway wants bytes."""
    return b2a_base64(text.encode(), newline=False).decode("ascii")


def unpacked(text: object) -> str | None:
    """Back. None: it is no UTF-8, so it is none of ours."""
    try:
        return a2b_base64(str(text)).decode()
    except (UnicodeDecodeError, NoBase64):
        return None


def shown(text: object) -> str:
    """A key that may be anything, for people."""
    try:
        return a2b_base64(str(text)).decode("utf-8", "backslashreplace")
    except NoBase64:
        return str(text)


def number(value: object) -> int:
    """A 64-bit number; 0 when it was left out. Raises ValueError for what is none."""
    if value is None:
        return 0
    if not isinstance(value, str | int):
        raise ValueError(f"{value!r} is no number")
    return int(value)


def range_end(prefix: str) -> str:
    """The key behind all that begin with `prefix`, packed."""
    whole = prefix.encode()
    return b2a_base64(whole[:-1] + bytes((whole[-1] + 1,)), newline=False).decode("ascii")


# -- questions ----------------------------------------------------------------------------------------------------


def transaction_body(prefix: str, transaction: Transaction) -> bytes:
    """For /kv/txn."""
    compares: list[dict[str, Any]] = []
    for each in transaction.compares:
        key = packed(prefix + each.key)
        if each.modified >= 0:
            compares.append({"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(each.modified)})
        if each.created >= 0:
            compares.append({"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": str(each.created)})
        if each.value:
            compares.append({"key": key, "target": "VALUE", "result": "EQUAL", "value": packed(each.value)})
    operations: list[dict[str, Any]] = []
    for operation in transaction.operations:
        key = packed(prefix + operation.key)
        if isinstance(operation, Put):
            operations.append({"request_put": {"key": key, "value": packed(operation.value)}})
        else:
            operations.append({"request_delete_range": {"key": key}})
    if not operations:
        # A transaction that asks for nothing is compared with whatever this one member has; a read makes it wait for
        # what the majority has.
        read = [{"request_range": {"key": packed(prefix), "count_only": True}}]
        return json.dumps({"compare": compares, "success": read, "failure": read}).encode()
    return json.dumps({"compare": compares, "success": operations}).encode()


def page_body(prefix: str, after: str = "", revision: int = 0, limit: int = PAGE) -> bytes:
    """For /kv/range: what comes behind the key `after`, as it was at `revision` (0: now, and linearizable)."""
    first = after + "\0" if after else prefix
    asked = {"key": packed(first), "range_end": range_end(prefix), "limit": str(limit), "revision": str(revision)}
    return json.dumps(asked).encode()


def look_body(key: str) -> bytes:
    """For /kv/range: one key without its value, linearizable."""
    return json.dumps({"key": packed(key), "keys_only": True}).encode()


def count_body(prefix: str) -> bytes:
    """For /kv/range: nothing but the header, linearizable: who answers this has the store's majority behind it."""
    return json.dumps({"key": packed(prefix), "range_end": range_end(prefix), "count_only": True}).encode()


def watch_body(prefix: str, start: int) -> bytes:
    """For /watch: everything from revision `start` on."""
    asked = {"key": packed(prefix), "range_end": range_end(prefix), "start_revision": str(start)}
    return json.dumps({"create_request": {**asked, "progress_notify": True}}).encode()


def login_body(user: str, password: str) -> bytes:
    """For /auth/authenticate."""
    return json.dumps({"name": user, "password": password}).encode()


# -- answers ------------------------------------------------------------------------------------------------------


def understood(status: int, body: bytes) -> dict[str, Any] | Trouble:
    """The object that was answered, or the trouble it tells of, however it tells it: a status of 200 says nothing."""
    try:
        told = json.loads(body)
    except ValueError:
        text = " ".join(body.decode("utf-8", "replace").split())[:200]
        return Trouble(f"HTTP {status}: {text}" if text else f"HTTP {status}", 0, status in (401, 403))
    if not isinstance(told, dict):
        return Trouble(f"HTTP {status}: an answer that is no object", 0)
    if "error" in told or status != 200:
        return _trouble(told, status)
    return told


def _trouble(told: dict[str, Any], status: int) -> Trouble:
    inner = told.get("error")
    source = inner if isinstance(inner, dict) else told
    code = source.get("grpc_code", source.get("code", 0))
    said = source.get("message") or (inner if isinstance(inner, str) else "") or f"HTTP {status}"
    message = str(said).removeprefix("etcdserver: ")
    known = code if isinstance(code, int) else 0
    return Trouble(message, known, known in _REFUSED)


def header_of(told: dict[str, Any]) -> Header:
    """Of any answer. Raises ValueError for numbers that are none."""
    found = told.get("header")
    if not isinstance(found, dict):
        return Header()
    names = ("cluster_id", "member_id", "revision", "raft_term")
    return Header(*[number(found.get(name)) for name in names])


def page_of(prefix: str, told: dict[str, Any]) -> Page:
    """Of an answer of /kv/range to `page_body`. Raises ValueError for what cannot be read."""
    records: list[Record] = []
    unreadable: list[str] = []
    after = ""
    for kv in _objects(told, "kvs"):
        record = _record(prefix, kv)
        if record is None:
            unreadable.append(shown(kv.get("key")).removeprefix(prefix))
        else:
            records.append(record)
        after = unpacked(kv.get("key")) or after
    return Page(header_of(told), tuple(records), tuple(unreadable), after if told.get("more") else "")


def modified_of(told: dict[str, Any]) -> int:
    """Of an answer to `look_body`: when the key was last written; 0: there is none. Raises ValueError."""
    return max((number(kv.get("mod_revision")) for kv in _objects(told, "kvs")), default=0)


def _objects(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = told.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"{name} are no list of objects")
    return found


def _record(prefix: str, kv: dict[str, Any]) -> Record | None:
    key, value = unpacked(kv.get("key")), unpacked(kv.get("value") or "")
    if key is None or value is None:
        return None
    return Record(key.removeprefix(prefix), value, number(kv.get("create_revision")), number(kv.get("mod_revision")))


def news_of(prefix: str, line: bytes) -> News | Trouble:
    """One line of a watch. A key whose new value cannot be read is told as removed: the record is gone either way.

    Raises ValueError for what cannot be read at all.
    """
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("no object")
    result = told.get("result")
    if not isinstance(result, dict):
        return _trouble(told, 200)
    changes: list[Change] = []
    unreadable: list[str] = []
    for event in _objects(result, "events"):
        kv = event.get("kv")
        if not isinstance(kv, dict):
            raise ValueError("an event without a key")
        key, revision = unpacked(kv.get("key")), number(kv.get("mod_revision"))
        record = None if event.get("type") == "DELETE" else _record(prefix, kv)
        if record is None and event.get("type") != "DELETE":
            unreadable.append(shown(kv.get("key")).removeprefix(prefix))
        if key is not None:
            changes.append(Change(key.removeprefix(prefix), record, revision))
    ended = str(result.get("cancel_reason") or "the watch was cancelled") if result.get("canceled") else ""
    compacted = number(result.get("compact_revision"))
    created = bool(result.get("created")) and not ended
    return News(header_of(result), created, tuple(changes), tuple(unreadable), compacted, ended)


# -- versions -----------------------------------------------------------------------------------------------------

SAFE = (3, 5, 13)
"""From here on a leader with a stuck disk does not revoke what others have renewed. engines.md 2.1."""


def parts_of(version: str) -> tuple[int, int, int]:
    """ "3.5.16" as numbers; what is no number counts as 0."""
    found = [int(part) if part.isdigit() else 0 for part in version.partition("-")[0].split(".")]
    return (*found, 0, 0, 0)[:3]  # type: ignore[return-value]  # mypy does not count slices


def refusal(version: str, allow_old: bool) -> str:
    """Why this etcd is not used; "" when it is."""
    parts = parts_of(version)
    if (3, 5, 0) <= parts <= (3, 5, 2):
        return f"etcd {version} can lose what it was told, after a crash (3.5.0 to 3.5.2): install 3.5.13 or newer"
    if parts < (3, 4, 0):
        return f"etcd {version} is not supported: install 3.5.13 or newer"
    if parts < SAFE and not allow_old:
        return (
            f"etcd {version} is older than 3.5.13, which mended faults that matter here: install 3.5.13 or newer,"
            " or set allow_old_etcd if this is for trying out"
        )
    return ""
