"""TLS for the HTTP server: one certificate and key, read again when their files change, without a restart.

Rule: a pair is taken only whole. It is loaded into a context of its own, tried in a handshake in memory, and only then
given to new connections; connections that stand keep what they began with.
"""

import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.changes import LOOK_S, Changes
from edge.errors import ConfigError

SOON = timedelta(days=14)
"""How long before its end a certificate is warned of."""
HANDSHAKE_ROUNDS = 10
HANDSHAKE_TIMEOUT_S = 4.0
"""Longest that a client may take for its handshake."""
SHUTDOWN_TIMEOUT_S = 1.0
"""Longest that a client is waited for to say goodbye when its connection is closed."""

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A certificate and its key, ready to serve; ``expires_at`` is None where a ``remark`` tells why clients refuse."""

    context: ssl.SSLContext
    expires_at: datetime | None = None
    remark: str | None = None


class ServerTls:
    """Serves ``cert_file`` (a chain, the server's own first) with ``key_file``, both PEM, by TLS 1.2 or newer.

    Raises ConfigError naming the file and the remedy where the pair cannot be used at the start. Thread-safe.
    """

    def __init__(self, cert_file: Path, key_file: Path, *, every_s: float = LOOK_S) -> None:
        self._cert_file = cert_file
        self._key_file = key_file
        self._changes = Changes(cert_file, key_file, every_s=every_s)
        self._pair = _load(cert_file, key_file)
        self._problem: str | None = None
        self.context = self._pair.context
        """What the server is given; each handshake is then led over to the newest pair."""
        self.context.sni_callback = self._lead_over
        for warning in self._remarks():
            log.warning(warning)

    def warnings(self) -> list[str]:
        """Return what is wrong with the files, or soon will be."""
        self._refresh()
        return [*([self._problem] if self._problem else []), *self._remarks()]

    def _lead_over(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Give a handshake the newest pair: OpenSSL calls this for each, with or without a name (SNI) in it."""
        self._refresh()
        if self._pair.context is not self.context:
            connection.context = self._pair.context

    def _refresh(self) -> None:
        if not self._changes.found():
            return
        try:
            self._pair = _load(self._cert_file, self._key_file)
        except ConfigError as error:
            self._changes.forget()
            self._report(f"{error}; the certificate that was read last is still served")
        else:
            self._report(None)
            log.info("certificate read again", extra={"file": str(self._cert_file)})
            for warning in self._remarks():
                log.warning(warning)

    def _report(self, problem: str | None) -> None:
        if problem and problem != self._problem:
            log.warning(problem)
        self._problem = problem

    def _remarks(self) -> list[str]:
        remarks = [_age(self._pair, self._cert_file)]
        if _others_may_read(self._key_file):
            remarks.append(f"http.key_file {self._key_file}: other users may read it: chmod 600 {self._key_file}")
        return [remark for remark in remarks if remark]


def _age(pair: _Pair, cert_file: Path) -> str | None:
    if pair.remark:
        return f"http.cert_file {cert_file}: {pair.remark}"
    left = pair.expires_at - datetime.now(UTC) if pair.expires_at else SOON
    if left >= SOON:
        return None
    when = f"expires in {left.days} days" if left > timedelta(0) else "has expired, so that clients refuse it"
    return f"http.cert_file {cert_file}: the certificate {when}: put a new one in its place, it is read at once"


def _load(cert_file: Path, key_file: Path) -> _Pair:
    """Return the pair as it lies on the disk. Raises ConfigError."""
    chain = _CERTIFICATE.search(_text(cert_file, "cert_file"))
    if chain is None:
        raise ConfigError(f"http.cert_file {cert_file}: holds no certificate in PEM form (BEGIN CERTIFICATE)")
    if not _KEY.search(_text(key_file, "key_file")):
        raise ConfigError(f"http.key_file {key_file}: holds no private key in PEM form (BEGIN PRIVATE KEY)")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _take(context, cert_file, key_file)
    return _tried(context, chain[0])


def _text(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise ConfigError(
            f"http.{key} {path}: cannot be read: {error.strerror}; it must be a file that the daemon's user may read"
        ) from error


def _take(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    asked: list[bool] = []

    def no_password() -> bytes:
        """Say that there is none: else OpenSSL would ask on the terminal and block."""
        asked.append(True)
        return b""

    try:
        context.load_cert_chain(cert_file, key_file, password=no_password)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(_refusal(cert_file, key_file, error, encrypted=bool(asked))) from error


def _refusal(cert_file: Path, key_file: Path, error: OSError, *, encrypted: bool) -> str:
    if encrypted:
        return f"http.key_file {key_file}: is encrypted; give one without a password: openssl pkey -in OLD -out NEW"
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    if "MISMATCH" in reason:
        return f"http.key_file {key_file}: is not the key of http.cert_file {cert_file}; they must belong together"
    return f"http.cert_file {cert_file}, http.key_file {key_file}: cannot be used: {reason}"


def _tried(context: ssl.SSLContext, certificate: str) -> _Pair:
    """Shake hands in memory with a client that trusts just this certificate, which tells whether clients will."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(cadata=certificate)
        known = _peer_certificate(context, client)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return _Pair(context, expires_at=datetime.fromtimestamp(0, UTC))
        return _Pair(context, remark=f"clients refuse the certificate: {error.verify_message}")
    except ssl.SSLError as error:
        return _Pair(context, remark=f"a handshake with it fails: {error.reason}")
    return _Pair(context, expires_at=datetime.fromtimestamp(ssl.cert_time_to_seconds(str(known["notAfter"])), UTC))


def _peer_certificate(server: ssl.SSLContext, client: ssl.SSLContext) -> Mapping[str, object]:
    """Return the server's certificate as the client sees it. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)]
    for _ in range(HANDSHAKE_ROUNDS):
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            known = end.getpeercert()
            if not end.server_side and known:
                return known
    raise ssl.SSLError("the handshake does not end")


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False
