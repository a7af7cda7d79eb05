"""Settings of the runner itself. Design.md 3; where they come from: config/settings.py."""

from __future__ import annotations

from gds.model.value import Value


class Settings(Value):
    """All decided; "" where there is none. `on_giveover` is auto, exit or refuse; `log_format` text or json;
    `history_size` a number of bytes."""

    node: str = ""
    runtime_dir: str = ""
    state_dir: str = ""
    socket: str = ""
    socket_group: str = ""
    log_format: str = "text"
    on_giveover: str = "auto"
    node_abort_command: str = ""
    engine: str = "standalone"
    history_size: str = "33554432"
