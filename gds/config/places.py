"""Settings without pydantic: what was given where, and the directories by rule (design.md 3).

Light, for the two paths that cannot wait: a runner with a cached plan, and a client verb. What was given in a file or
in a variable is checked by `settings.py` before it is believed.
"""

from __future__ import annotations

import os

from gds.model.names import name_fault
from gds.model.settings import ETCD, NAMES, Settings, variable_of
from gds.model.value import defaults_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS_FILE = "/etc/gds/gds.toml"

WORDS = {
    "log_format": ("text", "json"),
    "on_giveover": ("auto", "refuse", "exit"),
    "engine": ("standalone", "etcd"),
}
"""The words of some settings, as in `model/properties.py`, which is too heavy for here (a test compares them)."""

_PLACES = ("runtime_dir", "state_dir", "socket")
_ETCD_FILES = tuple([ETCD + name for name in ("ca_file", "cert_file", "key_file", "password_file", "watchdog")])
PATHS = (*_PLACES, *_ETCD_FILES)
"""Settings that are paths, as in `model/properties.py`; absolute, once they are settled."""
FREE = (*_PLACES, "node_abort_command")
"""Settings that may be anything but empty."""


def settings_file(environ: Mapping[str, str]) -> str:
    """The file with `[runner]`: GDS_CONFIG, or /etc/gds/gds.toml when that exists, else empty."""
    named = environ.get("GDS_CONFIG", "")
    return named or (SETTINGS_FILE if os.path.exists(SETTINGS_FILE) else "")


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings given by GDS_… variables; an empty variable counts as not given.

    In the environment of a command of a runner (GDS_METHOD tells), GDS_SOCKET is where that runner is asked, not where
    one started by the command shall answer: that would cut off the first.
    """
    found = {}
    for name in NAMES:
        value = environ.get(variable_of(name), "")
        if value:
            found[name] = value
    if environ.get("GDS_METHOD"):
        found.pop("socket", None)
    return found


def is_plain(given: Mapping[str, str]) -> bool:
    """These settings need no further look: they are fine. (What is not, `settings.py` puts into words.)"""
    for key, value in given.items():
        if not value.strip() or "\0" in value:
            return False
        if key in WORDS:
            if value not in WORDS[key] or (key == "engine" and value != "standalone"):
                return False  # another engine needs more, which is looked at together
        elif (key == "node" and name_fault(value)) or key not in ("node", *FREE):
            return False
    return True


def settled(checked: Mapping[str, str], environ: Mapping[str, str], euid: int) -> dict[str, str]:
    """All settings, from those that were given and checked: defaults and directories filled in."""
    values: dict[str, str] = {**defaults_of(Settings), **checked}
    del values["etcd"]  # of the table only what was given, under flat names
    values["node"] = values["node"] or os.uname().nodename.partition(".")[0] or "localhost"
    values["runtime_dir"] = runtime_dir(values["runtime_dir"], environ, euid)
    values["state_dir"] = state_dir(values["state_dir"], environ, euid)
    for key in PATHS:
        if values.get(key):
            values[key] = os.path.abspath(values[key])
    return values


def runtime_dir(given: str, environ: Mapping[str, str], euid: int) -> str:
    """`given`, else $RUNTIME_DIRECTORY, /run/gds for root, $XDG_RUNTIME_DIR/gds, /tmp/gds-UID."""
    return given or _directory("RUNTIME_DIRECTORY", "/run/gds", "XDG_RUNTIME_DIR", f"/tmp/gds-{euid}", environ, euid)


def state_dir(given: str, environ: Mapping[str, str], euid: int) -> str:
    """`given`, else $STATE_DIRECTORY, /var/lib/gds for root, $XDG_STATE_HOME/gds, ~/.local/state/gds."""
    home = (environ.get("HOME") or "").rstrip("/") + "/.local/state/gds"
    return given or _directory("STATE_DIRECTORY", "/var/lib/gds", "XDG_STATE_HOME", home, environ, euid)


def _directory(systemd: str, root: str, xdg: str, other: str, environ: Mapping[str, str], euid: int) -> str:
    # systemd gives a list when a unit asks for several; ours is the first.
    named = environ.get(systemd, "").partition(":")[0]
    if named:
        return named
    if euid == 0:
        return root
    given = environ.get(xdg, "")
    return f"{given.rstrip('/')}/gds" if given.startswith("/") else other
