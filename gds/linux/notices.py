"""What somebody outside has to say to all who look at a runner: `RUNTIME/notices`, a sentence a line.

The agent for Pacemaker writes there that fencing is off. Who may write into the runtime directory may say it.
"""

from __future__ import annotations

from gds.linux import procfs

_LARGEST = 4096


class Notices:
    """One of those whose `problem` is shown with every status. `runtime_dir` "": there is none, and nothing is said."""

    def __init__(self, runtime_dir: str) -> None:
        self._path = f"{runtime_dir}/notices" if runtime_dir else ""

    @property
    def problem(self) -> str:
        """All of it on one line; empty: nothing is said."""
        data = procfs.read(self._path, _LARGEST) if self._path else None
        return "; ".join((data or b"").decode("utf-8", "replace").split("\n")).strip("; ")
