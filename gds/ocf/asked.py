"""What Pacemaker asks of the agent: the parameters in the environment, and the codes it understands (OCF 1.1).

Light: `monitor` is started every few seconds for each resource of a node.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS, GENERIC, ARGS, UNIMPLEMENTED, PERM, INSTALLED, CONFIGURED, NOT_RUNNING = range(8)
DEGRADED = 190
"""Runs, and somebody should look at it (OCF 1.1); Pacemaker leaves it alone and shows it."""

RUNTIME, STATE = "/run/gds/ocf-", "/var/lib/gds/ocf-"
"""Directories without a parameter, before the name of the instance. One level below /run/gds, where `gds status`, and
every other verb, looks for runners."""
TIMEOUT = 300.0
"""Seconds, when Pacemaker does not say how long it waits."""
OWN = ("config", "resource", "runtime_dir", "state_dir", "revision")
"""Parameters of the agent itself; every other one is a property of the descriptor."""
_PREFIX = "OCF_RESKEY_"


class Failure(Exception):
    """The action fails: `code` is its exit status, the text its reason as Pacemaker shows it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Asked:
    """One call of the agent: what the environment says of instance, parameters and operation."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.instance = environ.get("OCF_RESOURCE_INSTANCE", "default")
        if environ.get(f"{_PREFIX}CRM_meta_globally_unique", "false") == "false":
            # a copy of a clone is the same one on this node, whatever number Pacemaker gives it today
            self.instance = self.instance.partition(":")[0]
        self.config = environ.get(f"{_PREFIX}config", "")
        self.resource = environ.get(f"{_PREFIX}resource", "")
        self.runtime_dir = environ.get(f"{_PREFIX}runtime_dir", "") or RUNTIME + self.instance
        self.state_dir = environ.get(f"{_PREFIX}state_dir", "") or STATE + self.instance
        self.node = environ.get(f"{_PREFIX}CRM_meta_on_node", "")
        self.timeout = _seconds(environ.get(f"{_PREFIX}CRM_meta_timeout", ""), TIMEOUT)
        """Seconds after which Pacemaker kills the action."""
        self.is_probe = environ.get(f"{_PREFIX}CRM_meta_interval", "0") in ("", "0")
        """A monitor that only asks whether it happens to run here; nobody may start anything for that."""
        level = environ.get("OCF_CHECK_LEVEL", "0")
        self.level = int(level) if level.isdecimal() and level.isascii() else 0
        self.properties = _properties(environ)
        """Properties of the descriptor that the cluster's configuration overrides, as they were typed."""

    def check(self) -> None:
        """The parameters themselves, which are the same on every node. Raises Failure."""
        if not self.config:
            raise Failure(CONFIGURED, "cannot do anything without the parameter config: the path of a descriptor")
        for name, value in (("config", self.config), ("runtime_dir", self.runtime_dir), ("state_dir", self.state_dir)):
            if not value.startswith("/"):
                raise Failure(CONFIGURED, f"cannot use {name}={value}: it must be an absolute path")

    def check_here(self) -> None:
        """What may differ between nodes. Raises Failure."""
        if not os.path.exists(self.config):
            raise Failure(INSTALLED, f"cannot find {self.config} on this node; every node needs its own copy")


def _seconds(milliseconds: str, otherwise: float) -> float:
    return int(milliseconds) / 1000 if milliseconds.isascii() and milliseconds.isdecimal() else otherwise


def _properties(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in sorted(environ):
        key = name.removeprefix(_PREFIX)
        if key != name and not key.startswith("CRM_meta_") and key not in OWN and key != "crm_feature_set":
            found[key] = environ[name]
    return found


def reason(text: str) -> None:
    """Why the action ends as it does: `pcs status` and `crm_mon` show it."""
    sys.stderr.write("".join([f"ocf-exit-reason:{line}\n" for line in text.split("\n")]))


def warn(text: str) -> None:
    """A line for Pacemaker's log."""
    sys.stderr.write(f"gds: {text}\n")
