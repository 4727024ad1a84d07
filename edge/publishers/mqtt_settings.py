"""How to reach a broker, as frozen data, and the TLS context made from it."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.errors import ConfigError
from edge.publishers.topics import Topics

HANDSHAKE_S = 2.0

Protocol = Literal["3.1.1", "5"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM. ``ca_file`` None trusts the system's authorities; the others are the client's own, both or none."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return a context that checks the broker's certificate and name. Raises ConfigError naming the file."""
        if (self.cert_file is None) != (self.key_file is None):
            msg = "mqtt.cert_file and mqtt.key_file belong together: give both or none"
            raise ConfigError(msg)
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        context.sslsocket_class = TlsSocket
        if self.ca_file is not None:
            _load(self.ca_file, "ca_file", lambda: context.load_verify_locations(cafile=self.ca_file))
        if self.cert_file is not None and self.key_file is not None:
            cert, key = self.cert_file, self.key_file
            _load_own(context, cert, key)
        return context


class TlsSocket(ssl.SSLSocket):
    """Closes itself when its handshake fails or takes too long; paho would wait for the keepalive and leave it open.

    ``alert`` is OpenSSL's name of what the broker said when it ended the connection. In TLS 1.3 a broker judges the
    client's certificate after the handshake, so that its refusal comes with the first data (RFC 8446, 4.4.2.4).
    """

    alert: str | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive. Raises what ``ssl`` raises."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.alert = error.reason
            raise

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands. Raises what ``ssl`` raises."""
        self.settimeout(HANDSHAKE_S)
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _load_own(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Load the device's own certificate. Raises ConfigError."""
    for path, what in ((cert, "cert_file"), (key, "key_file")):
        _load(path, what, path.read_bytes)
    asked: list[bool] = []

    def no_password() -> bytes:
        """Say that there is none: else OpenSSL would ask on the terminal and block."""
        asked.append(True)
        return b""

    try:
        context.load_cert_chain(cert, key, password=no_password)
    except ssl.SSLError as exc:
        reason = "is encrypted; give one without a password: openssl pkey -in OLD -out NEW"
        if not asked:
            mismatch = "MISMATCH" in (exc.reason or "")
            reason = (
                f"is not the key of mqtt.cert_file {cert}" if mismatch else f"or {cert} is no PEM file: {exc.reason}"
            )
        msg = f"mqtt.key_file {key} {reason}"
        raise ConfigError(msg) from exc


def _load(path: Path, what: str, load: Callable[[], object]) -> None:
    try:
        load()
    except OSError as exc:  # ssl.SSLError is one
        reason = exc.strerror or str(exc)
        msg = f"mqtt.{what}: {path} cannot be used for TLS ({reason}); a readable, unencrypted PEM file is wanted"
        raise ConfigError(msg) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """One broker and how this device appears there.

    ``keepalive_s`` is how often an idle connection is probed: a broker that hangs is noticed after about twice that.
    ``connect_timeout_s`` is for the network, ``answer_timeout_s`` for the broker to accept or refuse the connection,
    ``acknowledge_timeout_s`` for anything of what was sent to be acknowledged. ``silence_s`` is how long the network
    may lose all that is sent. ``window`` is how many messages may be on their way unacknowledged. ``reconnect_min_s``
    and ``reconnect_max_s`` bound the wait between two tries, give or take a quarter. ``client_id`` must be this
    device's alone: the broker keeps its session by that name.

    A try that begins just before the broker is back takes ``connect_timeout_s`` to fail; with the longest wait after
    it, the next one begins 3.5 s after the first at most, and the first SYN that is repeated 1 s after it may be lost
    too: so connected again within 2.5 s.
    """

    topics: Topics
    host: str = "127.0.0.1"
    port: int = 1883
    protocol: Protocol = "3.1.1"
    client_id: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    keepalive_s: int = 20
    window: int = 20
    connect_timeout_s: float = 2.0
    answer_timeout_s: float = 5.0
    acknowledge_timeout_s: float = 10.0
    silence_s: float = 4.0
    reconnect_min_s: float = 0.3
    reconnect_max_s: float = 1.2

    def __post_init__(self) -> None:
        if self.password is not None and self.username is None:
            msg = "mqtt.password is set but mqtt.username is not"
            raise ConfigError(msg)

    @property
    def own_client_id(self) -> str:
        """The given client id, or one made of the device's name."""
        return self.client_id or f"automl-edge-{self.topics.device}"

    @property
    def address(self) -> str:
        """Host and port for a person."""
        return f"{self.host}:{self.port}"
