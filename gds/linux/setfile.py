"""STATE/set.json: what people set with `gds set`, good for ever. New file, fsync, rename: it is whole at any instant.

    {"schema": 1, "set": [{"kind": "resource", "name": "web", "key": "retry_count", "value": 5, "file": "2",
     "old": "2", "by": "root", "uid": 0, "at": "2026-01-31T12:00:00Z"}, ...]}

A disk that is full or read-only stops nothing: what was set holds until the runner ends, and `problem` says so until a
later write works.
"""

from __future__ import annotations

import os

from gds.linux.kept import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Place = tuple[str, str, str]


class SetFile:
    """See the module. Without a `path` nothing can be kept, and `why` says why (there is no state directory)."""

    def __init__(self, path: str, why: str = "") -> None:
        self._path = path
        self._why = why or "there is no state directory to keep it in"
        self.problem = ""
        self.unreadable = ""
        """Why what stands there cannot be read: then nothing is written over it either."""
        self.entries: dict[Place, dict[str, Any]] = {}
        """What was set, by kind, name and key."""
        if path and os.path.lexists(path):
            self._read()

    def _read(self) -> None:
        import json

        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(fd, encoding="utf-8") as file:
                found = os.fstat(fd)
                if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
                    raise ValueError("it is not ours")
                read = json.load(file)
            self.entries = {(e["kind"], e["name"], e["key"]): e for e in read["set"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            self.unreadable = f"cannot read {self._path}: {said}; mend it, or remove it with all that was set"

    def content(self, entries: dict[Place, dict[str, Any]] | None = None) -> bytes:
        """What the file holds, or would hold with these entries; empty when nothing is set."""
        wanted = self.entries if entries is None else entries
        if not wanted:
            return b""
        import json

        return (json.dumps({"schema": 1, "set": list(wanted.values())}, indent=1, ensure_ascii=False) + "\n").encode()

    def keep(self, entries: dict[Place, dict[str, Any]]) -> str:
        """From now on these were set. Why they could not be kept for good, or ""; they hold until the runner ends."""
        self.entries = entries
        if not self._path:
            return self._why
        try:
            data = self.content()
            if data:
                replace_file(self._path, data)
            elif os.path.lexists(self._path):
                os.unlink(self._path)
            self._sync_directory()
            self.problem = ""
        except OSError as error:
            self.problem = f"cannot write {self._path}: {error.strerror}"
        return self.problem

    def _sync_directory(self) -> None:
        """So that a power cut does not bring the old file back."""
        fd = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
