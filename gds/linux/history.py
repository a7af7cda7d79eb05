"""The history as the runner keeps it: what the judges were told and what was decided, for `gds why` and `gds history`.

The store is `STATE/history.db` (archive.py, SQLite). The runner never opens it. It appends lines to a *spool* beside it
when nothing else waits, and a process of its own folds spools into the store: when a spool is full, when somebody asks,
and when the runner ends. So SQLite costs the runner neither memory nor time, and what was written outlives a SIGKILL
at any instant, because a spool is only appended to, and a fold is one transaction that says how far it came.

Measured: one application, PSS in kB of the runner and what it needs (keepers), twice; CPython 3.11, SQLite 3.40.

    rung     this one         with _sqlite3 in the runner, and a store open
    cgroup    8 390   8 570    9 960  10 340
    keeper   10 430  10 900   12 080  12 420

To put a fact aside takes 0.5 µs. To write 50 records, when nothing waits: 0.08 ms to a spool (the worst of 1 500 times
0.3 ms), 0.1 ms to SQLite (the worst 8 ms, at a checkpoint, which waits for the disk).

A disk that is full or read-only stops nothing: it is said once, `problem` shows it, the last records are kept in memory
and every further one tries again.
"""

from __future__ import annotations

import errno
import os
import sys

from gds.linux import clock, jsonline
from gds.linux.kept import append

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from gds.ports import Scheduler

    Record: TypeAlias = dict[str, object]
    Late: TypeAlias = Callable[[], Record]
    Aside: TypeAlias = Callable[[list[str], Callable[[dict[str, Any]], None]], object]

LARGEST_SPOOL = 1 << 20
MOST_SPOOLS = 16
"""Spools that wait to be folded; the oldest goes when there are more, because nobody could write them for long."""
LARGEST_STORE = 32 << 20
AT_ONCE = 100
"""Records put into words in one go: about a millisecond."""
WAITING = 1000
"""Records that wait for a quiet moment; while there are more, some are written in each turn of a busy loop."""
TRIES = 3
"""Processes of the archive for one question, when the first are killed."""
MOST_READERS = 4
"""Processes that read at the same time."""
RECENT = 1000
"""Lines kept in memory while they cannot be written."""

SPOOL = "history."
ENDING = ".spool"
_START = """\
import sys
sys.path.append(sys.argv[1])
from gds.linux.archive import main
raise SystemExit(main(sys.argv[2:]))"""


def spools(directory: str) -> list[str]:
    """The names of its spools, oldest first. Raises OSError."""
    return sorted([n for n in os.listdir(directory) if n.startswith(SPOOL) and n.endswith(ENDING)])


def next_spool(names: list[str]) -> str:
    """A name for a new one: sorted after the others, and never used before."""
    last = names[-1].split(".")[1] if names else "0"
    number = int(last) + 1 if last.isdigit() else 1
    return f"{SPOOL}{number:010d}.{os.urandom(4).hex()}{ENDING}"


def command(request: Record) -> list[str]:
    """The command line of the archive for a request (see `archive.main`). -P: nothing from the current directory."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [sys.executable, "-P", "-c", _START, package, jsonline.dump(request)]


class History:
    """See the module. `aside` runs a command line in a process of its own and gives its answer to a callback."""

    def __init__(
        self, loop: Scheduler, state_dir: str, log: Any, aside: Aside | None = None, largest: int = LARGEST_STORE
    ) -> None:
        self._loop = loop
        self._log = log
        self._dir = state_dir
        self._aside = aside
        self._largest = largest
        self._fd = -1
        self._size = 0
        self._waiting: list[Record | Late] = []
        self._lines: list[str] = []
        """In words, not written yet."""
        self._written = 0
        """How often some of them were."""
        self._armed = self._hurrying = False
        """A turn of ours is asked for: in a quiet moment, or soon."""
        self._folding = False
        self._reading = 0
        self._questions: list[tuple[Record, Callable[[list[dict[str, Any]]], None]]] = []
        self._write_problem = ""
        self._fold_problem = ""

    @property
    def problem(self) -> str:
        """Why it cannot keep what it should; "" when it can."""
        return self._write_problem or self._fold_problem

    def add(self, record: Record | Late) -> None:
        """Keep one record, or what makes one; it is put into words and written when nothing else waits."""
        if not self._armed:
            self._armed = True
            self._loop.when_idle(self._quiet)
        elif len(self._waiting) >= WAITING and not self._hurrying:
            self._hurrying = True
            self._loop.soon(self._hurry)
        self._waiting.append(record)

    def _hurry(self) -> None:
        """No quiet moment comes: some of it now."""
        self._hurrying = False
        self._word(AT_ONCE)
        self._write()

    def _quiet(self) -> None:
        """Some of it now, and the rest in the next quiet moment."""
        self._word(AT_ONCE)
        self._write()
        self._armed = bool(self._waiting)
        if self._armed:
            self._loop.when_idle(self._quiet)

    def flush(self) -> None:
        """Write all that waits."""
        self._word(len(self._waiting))
        self._write()

    def _word(self, most: int) -> None:
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        if not batch:
            return
        wall = clock.wall() - self._loop.now()
        for each in batch:
            record = each() if callable(each) else each
            if "at" not in record:
                record = {"at": clock.rfc3339(wall + float(str(record["monotonic"]))), **record}
            self._lines.append(jsonline.dump(record))

    def _write(self) -> None:
        if not self._lines:
            return
        if not self._dir:
            del self._lines[:-RECENT]
            return
        try:
            while self._lines:
                self._write_some()
            self._write_problem = ""
        except OSError as error:
            del self._lines[:-RECENT]
            said = f"cannot write the history in {self._dir}: {error.strerror}"
            if not self._write_problem:
                self._log.error(f"{said}; the last decisions are kept in memory")
            self._write_problem = said

    def _write_some(self) -> None:
        """As much as a spool takes."""
        number = size = 0
        for line in self._lines:
            size += len(line) + 1
            if number and size > LARGEST_SPOOL:
                break
            number += 1
        data = ("\n".join(self._lines[:number]) + "\n").encode()
        if self._fd < 0 or (self._size and self._size + len(data) > LARGEST_SPOOL):
            self._begin_spool()
        if os.write(self._fd, data) != len(data):
            os.ftruncate(self._fd, self._size)  # half a line would spoil the next one too
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(data)
        self._written += 1
        del self._lines[:number]

    def _begin_spool(self) -> None:
        """A new spool; the one before is complete from now on, and can be folded."""
        names = spools(self._dir)
        for name in names[: -MOST_SPOOLS + 1]:
            os.unlink(f"{self._dir}/{name}")
        fd = append(f"{self._dir}/{next_spool(names)}")
        head = (jsonline.dump({"spool": 1, "boot": clock.boot_id(), "pid": os.getpid()}) + "\n").encode()
        try:
            if os.write(fd, head) != len(head):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._size = len(head)
        if names:
            self._fold()

    # -- the store ----------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        if self._folding or self._aside is None:
            return
        self._folding = True
        self._run("fold", {"directory": self._dir, "largest": self._largest}, self._folded)

    def _run(self, what: str, request: Record, done: Callable[[dict[str, Any]], None], tries: int = TRIES) -> None:
        """A process of the archive. One that is killed before it answers, as what is just born may be by the guard of a
        node that has lost its cluster, is followed by another."""
        aside = self._aside
        assert aside is not None

        def answered(answer: dict[str, Any]) -> None:
            if "errors" in answer and tries > 1:
                self._run(what, request, done, tries - 1)
            else:
                done(answer)

        try:
            aside(command(request), answered)
        except OSError as error:
            done({"problem": f"cannot {what} the history in {self._dir}: {error.strerror}"})

    def _folded(self, answer: dict[str, Any]) -> None:
        self._folding = False
        self._told(answer)

    def _told(self, answer: dict[str, Any]) -> None:
        if "errors" in answer:
            answer = {"problem": f"cannot fold the history in {self._dir}: the process for it ended without an answer"}
        for note in answer.get("notes", ()):
            self._log.warning(note)
        problem = answer.get("problem", "")
        if problem and problem != self._fold_problem:
            self._log.error(f"{problem}; spools are kept beside it")
        self._fold_problem = problem

    def read(
        self,
        names: list[str],
        most: int,
        done: Callable[[list[dict[str, Any]]], None],
        since: str = "",
        facts: bool = False,
    ) -> None:
        """The last `most` decisions (about each of the resources or groups `names`; none: all; not before `since`, RFC
        3339 in UTC; with `facts`, what led to them too), oldest first, to `done`: read by a process of its own, a few
        at a time."""
        self.flush()
        request = {"directory": self._dir, "largest": self._largest, "names": names, "most": most, "since": since}
        self._questions.append(({**request, "facts": facts}, done))
        self._ask_next()

    def _ask_next(self) -> None:
        while self._questions and self._reading < MOST_READERS:
            self._ask(*self._questions.pop(0))

    def _ask(self, request: Record, done: Callable[[list[dict[str, Any]]], None]) -> None:
        if not self._dir or self._aside is None:
            done(_among(self._lines, request))
            return

        written = self._written

        def answered(answer: dict[str, Any]) -> None:
            self._reading -= 1
            self._told(answer)
            # what was written since it was asked may be in its answer or not: what follows that is left out
            lines = self._lines if self._written == written else []
            done([*answer.get("records", ()), *_among(lines, request)])
            self._ask_next()

        self._reading += 1
        self._run("read", request, answered)

    def close(self) -> None:
        """The runner ends: what waits is written, and all of it goes to the store."""
        self.flush()
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        from gds.linux import archive

        answer = archive.fold(self._dir, largest=self._largest, over=True)
        self._told({"problem": answer.problem, "notes": answer.notes})


def _among(lines: list[str], request: Record) -> list[dict[str, Any]]:
    """Of lines in memory, those that are asked for."""
    if not lines:
        return []
    import json

    names: Any = request["names"]
    most: Any = request["most"]
    found = [json.loads(line) for line in lines]
    wanted = [r for r in found if (request["facts"] or "fact" not in r) and r["at"] >= request["since"]]
    boot = clock.boot_id()
    mine = [{**r, "boot": boot} for r in wanted if not names or r.get("resource") in names or r.get("group") in names]
    return mine[-most:]
