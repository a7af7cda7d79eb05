"""The logs SUNW.gds kept for each resource, for those who ask for them with log_level. Sun: semantics.md 2.3.

`STATE/logs/GROUP/RESOURCE/start_stop_log.txt` and `probe_log.txt`; a line is
`MM/DD/YYYY hh:mm:ss node START-INFO> text`.
INFO keeps information messages only, ERR errors only. A file is started anew at 4 MiB, one old one is kept.
"""

from __future__ import annotations

import os
import time

from gds.linux.kept import append
from gds.model.printed import printed

LARGEST = 4 << 20


class DataServiceLog:
    """See the module. What cannot be written is told once by `problem`, and stops nothing."""

    def __init__(self, state_dir: str, node: str) -> None:
        self._top = f"{state_dir}/logs"
        self._node = node
        self.problem = ""

    def write(self, group: str, resource: str, kind: str, failed: bool, text: str) -> None:
        """One line; `kind` is START, STOP or PROBE."""
        directory = f"{self._top}/{group}/{resource}"
        path = f"{directory}/{'probe_log.txt' if kind == 'PROBE' else 'start_stop_log.txt'}"
        tag = f"{kind}-{'ERR' if failed else 'INFO'}>"
        line = f"{time.strftime('%m/%d/%Y %H:%M:%S')} {self._node} {tag} {printed(text)}"
        try:
            os.makedirs(directory, 0o750, exist_ok=True)
            fd = append(path, 0o640)
            try:
                if os.fstat(fd).st_size > LARGEST:
                    os.rename(path, path + ".1")
                    os.close(fd)
                    fd = append(path, 0o640)
                os.write(fd, line.encode("utf-8", "replace") + b"\n")
            finally:
                os.close(fd)
            self.problem = ""
        except OSError as error:
            self.problem = f"cannot write {path}: {error.strerror}"
