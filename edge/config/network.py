"""The sections about who may ask and where results go: the HTTP server and the connection to a broker."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from edge.config.sections import Section
from edge.config.values import ConfigPath, Port, Seconds, Token, TopicLevel, TopicPrefix, host_name, is_loopback


class HttpSection(Section):
    """The HTTP server."""

    enabled: bool = True
    """Whether it runs."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address to bind. Beyond loopback it wants `token` or `tokens_file` (or `insecure = true`)."""
    port: Port = 8080
    """TCP port; 0 takes any free one."""
    max_body_mb: Annotated[int, Field(ge=1)] = 32
    """Largest request body, MiB."""
    max_megapixels: Annotated[int, Field(ge=1, le=1000)] = 100
    """Largest picture, in million pixels, from whatever source; read from its header before anything is decoded."""
    max_images: Annotated[int, Field(ge=1)] = 64
    """Most pictures in one request."""
    deadline_s: Seconds = 10.0
    """Longest wait of a request before its work begins; no answer takes longer than twice that."""
    publish: bool = True
    """Whether answers given over HTTP also go to the publishers."""
    max_connections: Annotated[int, Field(ge=1, le=65535)] = 2048
    """Most connections at once; more are answered with 503 and closed."""
    rate_limit: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Most requests a second of one client (its token, else its address), in the mean; more get 429. 0: no limit."""
    cert_file: ConfigPath | None = None
    """Certificate chain (PEM) to serve HTTPS with; read again when it changes."""
    key_file: ConfigPath | None = None
    """Private key (PEM) of `cert_file`."""
    token: Token | None = None
    """Bearer token that may do everything; every request but `/livez` and `/readyz` must carry a token. Secret."""
    tokens_file: ConfigPath | None = None
    """Hashed tokens with scopes, made by `automl-edge token`; read again when it changes."""
    insecure: bool = False
    """Allow to serve beyond loopback without a token: anybody who reaches the device may then do everything."""

    @property
    def asks_for_token(self) -> bool:
        """Whether requests must carry a token."""
        return self.token is not None or self.tokens_file is not None

    @model_validator(mode="after")
    def _guarded(self) -> "HttpSection":
        problems = list(self._mismatches()) if self.enabled else []
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _mismatches(self) -> Iterator[str]:
        if not self.asks_for_token and not self.insecure and not is_loopback(self.host):
            yield (
                f"host {self.host!r} is reachable from other machines and no token is set: set http.token "
                "(EDGE_HTTP__TOKEN) or http.tokens_file, or http.insecure = true to serve anybody"
            )
        if (self.cert_file is None) != (self.key_file is None):
            yield "cert_file and key_file belong together"


class MqttSection(Section):
    """The connection to a broker."""

    enabled: bool = True
    """Whether results and state are published, and pictures and commands taken, over MQTT."""
    host: str = ""
    """The broker's address; empty starts an embedded broker on loopback."""
    port: Port = 1883
    """The broker's TCP port; 0 lets an embedded broker take any free one."""
    device: TopicLevel = Field(default_factory=host_name)
    """This device's name in topics and results; by default the host name, made safe for a topic."""
    prefix: TopicPrefix = "automl-edge"
    """What all topics begin with; may have several levels."""
    username: Annotated[str, Field(min_length=1)] | None = None
    """User name at the broker."""
    password: SecretStr | None = None
    """Password at the broker. Secret."""
    tls: bool = False
    """Whether the connection is encrypted; the broker's certificate is always verified."""
    ca_file: ConfigPath | None = None
    """Certificates (PEM) that the broker's is verified against; without it, the system's."""
    cert_file: ConfigPath | None = None
    """This device's certificate (PEM)."""
    key_file: ConfigPath | None = None
    """This device's private key (PEM)."""
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    """MQTT version; the embedded broker speaks 3.1.1."""
    keepalive_s: Annotated[int, Field(ge=1, le=65535)] = 30
    """Interval of life signs to the broker."""
    queue_size: Annotated[int, Field(ge=1)] = 100_000
    """Most results that wait for the broker."""
    queue_mb: Annotated[int, Field(ge=1)] = 512
    """Most MiB that waiting results take on the disk."""
    queue_max_age_h: Annotated[float, Field(ge=0, le=87600)] = 168.0
    """Hours after which a waiting result is dropped; 0 keeps it for ever."""
    queue_full: Literal["drop-oldest", "refuse"] = "drop-oldest"
    """What a full queue does: drop the oldest results and name them, or `refuse` new pictures till there is room."""
    queue_store: Literal["disk", "memory"] = "disk"
    """Where results wait: on the disk, so that they outlive the process, or only in memory."""
    queue_sync: Literal["normal", "full"] = "normal"
    """`normal` survives every end of the process; `full` waits for the disk each time, to survive a power cut too."""
    images: bool = True
    """Whether pictures are taken from `{source}/image` topics."""

    @model_validator(mode="after")
    def _fits(self) -> "MqttSection":
        problems = list(self._mismatches()) if self.enabled else []
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _mismatches(self) -> Iterator[str]:
        secured = self.tls or self.username is not None or self.password is not None
        if not self.host and (secured or self.protocol == "5"):
            yield "host is empty, and the embedded broker has no TLS, no users and no MQTT 5: set mqtt.host"
        if self.host and self.port == 0:
            yield "port must be the broker's"
        if self.password is not None and self.username is None:
            yield "password is set but username is not"
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            yield "ca_file, cert_file and key_file need tls = true"
        if (self.cert_file is None) != (self.key_file is None):
            yield "cert_file and key_file belong together"
