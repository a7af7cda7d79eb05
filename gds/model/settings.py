"""Settings of the runner itself. Design.md 3; where they come from: config/settings.py.

They travel (to the compiler and back, into the cache, to the runner after this one) as plain strings by flat names:
`etcd_endpoints` is `endpoints` of `[runner.etcd]`, GDS_ETCD_ENDPOINTS and --etcd-endpoints. Of `etcd` only what was
given travels, so that a runner of an older version understands what it is handed by one that uses no etcd.
"""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ETCD = "etcd_"
"""How the flat names of `EtcdSettings` begin."""


class EtcdSettings(Value):
    """`[runner.etcd]`. Times in seconds, "" where there is none. What the five times mean for each other, and which of
    them are refused: rgm/tenure.py."""

    endpoints: tuple[str, ...] = ()
    prefix: str = "/gds"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    user: str = ""
    password_file: str = ""
    lifetime: float = 10.0
    """L: so long after its last renewal a node may be taken for dead."""
    renew: float = 2.0
    """R: from one renewal to the next."""
    attempt: float = 1.0
    """t: what one request may take before the next endpoint is tried."""
    margin: float = 2.0
    """M: so long before the end of L everything here is killed."""
    grace: float = 0.0
    """S: so long before that it is asked to stop."""
    watchdog: str = ""
    fence_command: str = ""
    allow_old_etcd: bool = False


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
    etcd: EtcdSettings = EtcdSettings()


OWN = tuple([name for name in Settings.__fields__ if name != "etcd"])
"""The settings that stand in `[runner]` itself."""
NAMES = (*OWN, *[ETCD + name for name in EtcdSettings.__fields__])
"""The flat names of all."""


def variable_of(name: str) -> str:
    """The environment variable that gives the setting with this flat name."""
    return f"GDS_{name.upper()}"


def flag_of(name: str) -> str:
    """The option of the command line that does."""
    return "--" + name.replace("_", "-")


def settings_from(plain: Mapping[str, str]) -> Settings:
    """From plain strings. Raises TypeError for an unknown name, ValueError for a text that is no value."""
    own = {name: text for name, text in plain.items() if not name.startswith(ETCD)}
    given = {name.removeprefix(ETCD): text for name, text in plain.items() if name.startswith(ETCD)}
    if not given:
        return Settings(**own)  # type: ignore[arg-type]  # none of these is the table
    defaults = EtcdSettings.__defaults__
    unknown = sorted(given.keys() - defaults.keys())
    if unknown:
        raise TypeError(f"EtcdSettings has no field {', '.join(unknown)}")
    values = {name: _value(text, defaults[name]) for name, text in given.items()}
    return Settings(**own, etcd=EtcdSettings(**values))  # type: ignore[arg-type]  # each has the type of its default


def plain_from(settings: Settings) -> dict[str, str]:
    """As plain strings; `settings_from` makes the same settings of them."""
    plain: dict[str, str] = {name: getattr(settings, name) for name in OWN}
    for name, default in EtcdSettings.__defaults__.items():
        value = getattr(settings.etcd, name)
        if value != default:
            plain[ETCD + name] = plain_text(value)
    return plain


def plain_text(value: object) -> str:
    """One value of `EtcdSettings` as plain text."""
    if isinstance(value, tuple):
        return ",".join(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _value(text: str, like: object) -> object:
    if isinstance(like, bool):
        return text == "true"
    if isinstance(like, float):
        return float(text)
    return tuple(text.split(",")) if isinstance(like, tuple) else text
