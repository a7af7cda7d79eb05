"""TLS without a socket: bytes in, bytes out. Loaded only when an endpoint is https://."""

from __future__ import annotations

import ssl

from gds.errors import EngineError

_MOST = 65536


class Tunnel:
    """One connection's TLS. Whatever goes wrong is an EngineError that says what would help."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        except ValueError as error:
            raise EngineError(f"cannot ask for a certificate of {host!r}: {error}") from error
        self.is_up = False

    def feed(self, data: bytes) -> None:
        """What came from the socket; b"" = its end."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def take(self) -> bytes:
        """What must go to the socket."""
        return self._outgoing.read()

    def shake(self) -> bool:
        """Go on with the handshake; it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise EngineError(_sentence(error)) from error
        self.is_up = True
        return True

    def read(self) -> bytes | None:
        """What was said, as far as it is here; b"" = the end, None = nothing now."""
        try:
            return self._tls.read(_MOST)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError) or "EOF" in (error.reason or ""):
                return b""
            raise EngineError(_sentence(error)) from error

    def write(self, data: bytes) -> None:
        """Say it; `take` has the bytes."""
        self._tls.write(data)


def _sentence(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if "mismatch" in error.verify_message:
            return f"its certificate is another's: {error.verify_message.rstrip('.')}; write endpoints as it names them"
        return f"its certificate is not trusted: {error.verify_message}; ca_file must hold the CA that signed it"
    reason = (error.reason or "").replace("_", " ").lower()
    if "alert" in reason or "certificate required" in reason:
        return (
            f"it does not accept our certificate, or that we have none ({reason}): cert_file and key_file must be set,"
            " valid, and signed by a CA that etcd trusts"
        )
    if "wrong version number" in reason or "eof" in reason:
        return f"it does not speak TLS ({reason}): write http:// if that is meant"
    return f"TLS failed: {reason or error}"
