"""The store of the history: `STATE/history.db`, SQLite in WAL mode, filled from the spools that a runner writes.

Never loaded by a runner that goes on (history.py says why): this is the work of a process of its own, or of a reader.

- `fold` takes what is new in each spool into the store. One transaction a spool, which also says how far it came: a
  process killed at any instant neither doubles a line nor loses one. The newest spool may still be written to; older
  ones are complete, and go once they are folded. One process at a time folds (a lock); readers never wait for it.
- Bounded, oldest first: `ROWS` rows, and so many bytes as the runner's settings say.
- A store that is damaged is moved aside to `history.db.broken`, which is told, and a new one begun.
- A reader who may not write reads the store as it is, and what is new in the spools from them. It asks which spools
  there are before it looks into the store, so what a fold takes and removes meanwhile is missed in neither: when one
  of them is gone, it begins again.

A row is a line of a spool: `kind` is decision or fact, `body` the line itself, a JSON document.
"""

from __future__ import annotations

import _sqlite3
import fcntl
import json
import os
import shutil
import tempfile

from gds.linux.history import LARGEST_STORE, spools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    Row: TypeAlias = tuple[str, str, str, str, str, str]

STORE = "history.db"
BROKEN = "history.db.broken"
DECISIONS = ("decision",)
BOTH = ("decision", "fact")
ROWS = 250_000
PATIENCE = 10.0
"""Seconds to wait for somebody else's transaction."""
LOOKS = 100
"""How often a reader begins again; a spool goes once in a mebibyte of history."""
PAGES = "PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"
TABLES = """\
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS record(
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, boot TEXT NOT NULL, resource TEXT NOT NULL, grp TEXT NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_resource ON record(resource, kind, id);
CREATE INDEX IF NOT EXISTS by_group ON record(grp, kind, id);
CREATE INDEX IF NOT EXISTS by_kind ON record(kind, id);
CREATE TABLE IF NOT EXISTS taken(spool TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
PRAGMA user_version = 1;
COMMIT;
"""


class Answer:
    """What came of it: `problem` is why it could not be done, "" when it was; `notes` what somebody should know."""

    def __init__(self) -> None:
        self.problem = ""
        self.notes: list[str] = []
        self.records: list[dict[str, Any]] = []


def fold(directory: str, rows: int = ROWS, largest: int = LARGEST_STORE, over: bool = False) -> Answer:
    """Take what is new in the spools of `directory` into its store. `over`: nobody writes to any of them any more.

    Never raises for what it finds there.
    """
    answer = Answer()
    try:
        if not (spools(directory) or os.path.exists(f"{directory}/{STORE}")):
            return answer
        with _Lock(directory):
            _fold(directory, rows, largest, over, answer)
    except OSError as error:
        answer.problem = f"cannot write the history in {directory}: {error.strerror}"
    except _sqlite3.Error as error:
        answer.problem = f"cannot write {directory}/{STORE}: {error}"
    return answer


class _Lock:
    """One process folds at a time; and who moves a damaged store aside is alone with it."""

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/history.lock"

    def __enter__(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_of: object) -> None:
        os.close(self._fd)


def _fold(directory: str, rows: int, largest: int, over: bool, answer: Answer) -> None:
    try:
        _folded(directory, rows, largest, over)
    except _sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        _move_aside(directory, error, answer)
        _folded(directory, rows, largest, over)


def _is_damage(error: _sqlite3.Error) -> bool:
    """SQLite's CORRUPT, NOTADB, and a schema that is not ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (11, 26) or (code == 1 and ("no such" in str(error) or "has no column" in str(error)))


def _move_aside(directory: str, error: Exception, answer: Answer) -> None:
    for tail in ("", "-wal", "-shm"):
        try:
            os.rename(f"{directory}/{STORE}{tail}", f"{directory}/{BROKEN}{tail}")
        except FileNotFoundError:
            continue
    answer.notes.append(
        f"{directory}/{STORE} is damaged ({error}): it was moved aside to {BROKEN}, and a new history begun"
    )


def _connect(directory: str) -> _sqlite3.Connection:
    path = f"{directory}/{STORE}"
    # private from its first byte: reasons may quote what an application said
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    made: _sqlite3.Connection = _sqlite3.connect(path, PATIENCE, isolation_level=None)
    return made


def _folded(directory: str, rows: int, largest: int, over: bool) -> None:
    store = _connect(directory)
    try:
        store.executescript(TABLES)
        store.execute("PRAGMA synchronous = NORMAL")
        names = spools(directory)
        for name in names:
            store.execute("BEGIN IMMEDIATE")
            try:
                _take(store, directory, name)
                store.execute("COMMIT")
            except BaseException:  # whatever it was goes on up; half a transaction may not stay open
                if store.in_transaction:
                    store.execute("ROLLBACK")
                raise
            if over or name != names[-1]:
                os.unlink(f"{directory}/{name}")
        if largest:
            _trim(store, rows, largest)
        left = spools(directory)
        gone = [(name,) for (name,) in store.execute("SELECT spool FROM taken").fetchall() if name not in left]
        if gone:
            store.executemany("DELETE FROM taken WHERE spool = ?", gone)
    finally:
        store.close()


def _take(store: _sqlite3.Connection, directory: str, name: str) -> None:
    found = store.execute("SELECT bytes FROM taken WHERE spool = ?", (name,)).fetchone()
    lines, end = new_lines(f"{directory}/{name}", found[0] if found else 0)
    store.executemany("INSERT INTO record(at, boot, resource, grp, kind, body) VALUES (?, ?, ?, ?, ?, ?)", lines)
    store.execute("INSERT OR REPLACE INTO taken(spool, bytes) VALUES (?, ?)", (name, end))


def new_lines(path: str, begin: int) -> tuple[list[Row], int]:
    """The rows of a spool after the first `begin` bytes, and how far they reach: to its last whole line."""
    with open(path, "rb") as file:
        head = file.readline(1 << 16)
        file.seek(begin)
        data = file.read()
    end = data.rfind(b"\n") + 1
    boot = str((_document(head) or {}).get("boot", ""))
    found = []
    for line in data[:end].split(b"\n"):
        record = _document(line)
        if record is not None and "at" in record:
            kind = "fact" if "fact" in record else "decision"
            text = line.decode("ascii")
            resource, group = _plain(record.get("resource")), _plain(record.get("group"))
            found.append((_plain(record["at"]), boot, resource, group, kind, text))
    return found, begin + end


def _document(line: bytes) -> dict[str, Any] | None:
    try:
        made = json.loads(line)
    except ValueError:
        return None  # cut short when the machine went down, or by a full disk
    return made if isinstance(made, dict) and line.isascii() else None


def _plain(value: object) -> str:
    return str(value or "").encode("utf-8", "backslashreplace").decode()


def _trim(store: _sqlite3.Connection, rows: int, largest: int) -> None:
    (last,) = store.execute("SELECT max(id) FROM record").fetchone()
    if last is None:
        return
    store.execute("DELETE FROM record WHERE id <= ?", (last - rows,))
    while True:
        pages, free, page = [store.execute(question).fetchone()[0] for question in PAGES]
        least, last = store.execute("SELECT min(id), max(id) FROM record").fetchone()
        if (pages - free) * page <= largest or least is None or last - least < 10:
            break
        # a tenth at a time: as much again is not trimmed at the next fold
        store.execute("DELETE FROM record WHERE id <= ?", (least + (last - least) // 10,))
    # as a script: `execute` takes one step, and each step gives back one page
    store.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")


# -- reading ---------------------------------------------------------------------------------------------------------


def read(
    directory: str,
    names: Sequence[str] = (),
    most: int = 200,
    since: str = "",
    kinds: Sequence[str] = DECISIONS,
    largest: int = 0,
) -> Answer:
    """The last `most` records of these `kinds` (about each of the resources or groups `names`; none: all; not before
    `since`, RFC 3339 in UTC), oldest first, in `records`. Each has the `boot` it is from. `largest` 0: how large the
    store may be is the runner's to say; nothing of it goes."""
    answer = fold(directory, largest=largest) if _is_ours(directory) else Answer()
    asked = names or ("",)
    for _ in range(LOOKS):
        waiting = _spools(directory)  # first: see the module
        rows: dict[str, list[tuple[str, str]]] = {}
        taken: dict[str, int] = {}
        try:
            for store in _opened(directory):
                rows = {name: _rows(store, name, most, since, kinds) for name in asked}
                taken = dict(store.execute("SELECT spool, bytes FROM taken").fetchall())
        except _sqlite3.Error as error:
            answer.problem = answer.problem or f"cannot read {directory}/{STORE}: {error}"
        new, whole = _unfolded(directory, waiting, taken)
        if whole:
            break
    for name in asked:
        found = [*reversed(rows.get(name, [])), *_wanted(new, name, since, kinds)]
        answer.records += [{**json.loads(body), "boot": boot} for boot, body in found[-most:]]
    return answer


def _is_ours(directory: str) -> bool:
    """We may write there, and what we make there is its owner's: what root made, a runner of a user could not write."""
    try:
        return os.stat(directory).st_uid == os.geteuid() and os.access(directory, os.W_OK)
    except OSError:
        return False


def _rows(store: _sqlite3.Connection, name: str, most: int, since: str, kinds: Sequence[str]) -> list[tuple[str, str]]:
    marks = ", ".join("?" * len(kinds))
    whose = "AND (resource = ? OR grp = ?)" if name else ""
    names = (name, name) if name else ()
    found: list[tuple[str, str]] = store.execute(
        f"SELECT boot, body FROM record WHERE kind IN ({marks}) {whose} AND at >= ? ORDER BY id DESC LIMIT ?",
        (*kinds, *names, since, most),
    ).fetchall()
    return found


def _opened(directory: str) -> Iterator[_sqlite3.Connection]:
    """The store to read, if there is one, in a transaction: what a fold takes meanwhile is not seen."""
    path = f"{directory}/{STORE}"
    if not os.path.exists(path):
        return
    with tempfile.TemporaryDirectory(prefix="gds-history-") as copy:
        for copied in (False, True):
            way = _copied(directory, copy) if copied else _uri(path, "mode=ro")
            store = _sqlite3.connect(way, PATIENCE, isolation_level=None, uri=True)
            try:
                store.execute("BEGIN")
                store.execute("SELECT count(*) FROM taken").fetchone()
            except _sqlite3.OperationalError:
                # what a WAL needs beside the store cannot be made on a read-only disk: a copy is read
                store.close()
                if not copied:
                    continue
                raise
            try:
                yield store
            finally:
                store.close()
            return


def _copied(directory: str, into: str) -> str:
    for tail in ("", "-wal"):
        if os.path.exists(f"{directory}/{STORE}{tail}"):
            shutil.copyfile(f"{directory}/{STORE}{tail}", f"{into}/{STORE}{tail}")
    return _uri(f"{into}/{STORE}", "mode=rwc")


def _uri(path: str, how: str) -> str:
    quoted = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?{how}"


def _spools(directory: str) -> list[str]:
    try:
        return spools(directory)
    except OSError:
        return []


def _unfolded(directory: str, waiting: Sequence[str], taken: dict[str, int]) -> tuple[list[Row], bool]:
    """What stands in these spools alone, and whether all of them were there: one that a fold removed meanwhile was no
    part of the store when it was looked at, so what follows it is left out."""
    found: list[Row] = []
    try:
        for spool in waiting:
            found += new_lines(f"{directory}/{spool}", taken.get(spool, 0))[0]
    except FileNotFoundError:
        return found, False
    except OSError:
        return found, True  # not ours to read; it will not be another time
    return found, True


def _wanted(lines: Iterable[Row], name: str, since: str, kinds: Sequence[str]) -> list[tuple[str, str]]:
    return [
        (boot, text)
        for at, boot, resource, group, kind, text in lines
        if kind in kinds and at >= since and (not name or name in (resource, group))
    ]


def main(argv: Sequence[str]) -> int:
    """One request, a JSON object: `directory`, `largest`; with `most` it is read (`names`, `since`, `facts`), else
    folded. The answer, marshalled: `problem`, `notes`, `records`."""
    import marshal

    asked = json.loads(argv[0])
    if "most" in asked:
        kinds = BOTH if asked["facts"] else DECISIONS
        made = read(asked["directory"], asked["names"], asked["most"], asked["since"], kinds, asked["largest"])
    else:
        made = fold(asked["directory"], largest=asked["largest"])
    data = memoryview(marshal.dumps({"problem": made.problem, "notes": made.notes, "records": made.records}))
    while data:
        try:
            data = data[os.write(1, data) :]
        except BrokenPipeError:
            return 1  # who asked was killed meanwhile
    return 0
