"""Where etcd is and who we are to it, made of the settings once. Raises ConfigError for what the user can mend."""

from __future__ import annotations

import os
import stat

from gds.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from gds.model.settings import EtcdSettings

PORT = 2379


class Place:
    """One endpoint, and what is known of it. `host` as a name or number without brackets."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme, separator, rest = self.url.partition("://")
        host, port = _split(rest)
        if not separator or scheme not in ("http", "https") or not host or not port:
            raise ConfigError(f"cannot use endpoint {url!r}: write it as https://HOST:PORT")
        self.is_tls = scheme == "https"
        self.host = host
        self.port = port
        self.authority = rest
        self.version = ""
        self.member = 0
        self.leader = 0
        self.cluster = 0
        self.fault = ""
        """Why it cannot be used, as of the last time it was tried; "" = it can."""
        self.failed_at = float("-inf")
        self.alarm = ""


def _split(rest: str) -> tuple[str, int]:
    """Host and port of an authority; port 0 when it is none."""
    if rest.startswith("["):
        host, _, tail = rest[1:].partition("]")
        port = tail.removeprefix(":") if tail.startswith(":") or not tail else "x"
    else:
        host, _, port = rest.partition(":")
    if not port:
        return host, PORT
    known = int(port) if port.isascii() and port.isdigit() else 0
    return host, known if 0 < known < 65536 and "/" not in host and "@" not in host else 0


def places_of(settings: EtcdSettings) -> list[Place]:
    """The endpoints in their order."""
    places = [Place(url) for url in settings.endpoints]
    if not places:
        raise ConfigError("cannot find etcd: endpoints is empty; name at least one, as https://HOST:2379")
    doubled = sorted({p.url for p in places if sum(q.url == p.url for q in places) > 1})
    if doubled:
        raise ConfigError(f"cannot use endpoints: {', '.join(doubled)} is named twice")
    return places


def prefix_of(settings: EtcdSettings) -> str:
    """What every key of ours begins with, the slash included."""
    bare = settings.prefix.rstrip("/")
    if not bare:
        raise ConfigError(f"cannot use prefix {settings.prefix!r}: all of etcd would be ours; use /gds or the like")
    return bare + "/"


def context_of(settings: EtcdSettings, places: list[Place]) -> ssl.SSLContext | None:
    """What TLS needs; None when no endpoint speaks it."""
    if not any(place.is_tls for place in places):
        if settings.ca_file or settings.cert_file or settings.key_file:
            raise ConfigError("cannot use certificates with http:// endpoints: write https:// or leave them out")
        return None
    import ssl

    if bool(settings.cert_file) != bool(settings.key_file):
        raise ConfigError("cannot use one of cert_file and key_file without the other: give both or none")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.ca_file:
            context.load_verify_locations(settings.ca_file)
        else:
            context.load_default_certs()
    except OSError as error:
        raise ConfigError(f"cannot read ca_file {settings.ca_file}: {_reason(error)}") from error
    try:
        if settings.cert_file:
            # A key under a passphrase would be asked for on the terminal.
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
    except OSError as error:
        for name, words in (("cert_file", b"CERTIFICATE-----"), ("key_file", b"PRIVATE KEY-----")):
            _check_pem(name, getattr(settings, name), words)
        raise ConfigError(
            f"cannot use cert_file {settings.cert_file} with key_file {settings.key_file}: {_reason(error)}"
        ) from error
    return context


def _check_pem(name: str, path: str, words: bytes) -> None:
    """TLS names the file that it cannot use in none of its errors."""
    what = words.decode().rstrip("-").lower()
    try:
        with open(path, "rb") as file:
            if words not in file.read():
                raise ConfigError(f"cannot use {name} {path}: no {what} in PEM form is in it")
    except OSError as error:
        raise ConfigError(f"cannot read {name} {path}: {_reason(error)}") from error


def check_password(settings: EtcdSettings) -> None:
    """Before it is used for the first time: it is there, and a secret."""
    password_of(settings)
    mode = os.stat(settings.password_file).st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        can = "read" if mode & stat.S_IROTH else "write"
        raise ConfigError(
            f"cannot use password_file {settings.password_file}: everybody may {can} it; chmod o-rwx makes it a secret"
        )


def password_of(settings: EtcdSettings) -> str:
    """Read now: it may have been changed. A line end behind it is none of it."""
    if not settings.password_file:
        raise ConfigError(f"cannot log in as {settings.user}: password_file is not set")
    try:
        with open(settings.password_file, encoding="utf-8") as file:
            found = file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read password_file {settings.password_file}: {_reason(error)}") from error
    if not found:
        raise ConfigError(f"cannot log in as {settings.user}: password_file {settings.password_file} is empty")
    return found


def _reason(error: OSError | UnicodeDecodeError) -> str:
    """In words; of TLS's own errors only the part that says something."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    reason = getattr(error, "reason", None)
    if reason:
        return str(reason).replace("_", " ").lower()
    if error.strerror and not error.strerror.startswith("["):
        return error.strerror.lower()
    return "nothing in PEM form is in it"
