"""The sections and keys of the configuration: types, defaults, limits, and the rules between keys.

The docstring after a key is its description in ``docs/reference/configuration.md``. Nothing is opened or created here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from edge.config.values import (
    BundleName,
    ConfigPath,
    Port,
    Seconds,
    Token,
    TopicLevel,
    TopicPrefix,
    host_name,
    is_loopback,
)

RESERVED_SOURCES = ("http", "state", "cmd", "ack")
"""Source names that topics and results already use for something else."""


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # a secret must not stand in a traceback either
    )


class ModelSection(_Section):
    """Which model serves."""

    name: BundleName | None = None
    """Name of the model; without one, the most recently created model of the registry."""
    version: BundleName = "latest"
    """A version of `name` to stay with, or `latest` to follow the newest."""

    @model_validator(mode="after")
    def _named(self) -> "ModelSection":
        if self.version != "latest" and self.name is None:
            raise ValueError(f"version {self.version!r} is pinned, but of which model? set model.name")
        return self


class RegistrySection(_Section):
    """Where models are found."""

    kind: Literal["local"] = "local"
    """`local`: a folder that holds `<name>/<version>/`."""
    path: ConfigPath = Path("models")
    """The registry's folder."""
    poll_s: Seconds = 2.0
    """How often it is looked at for new versions."""


class SessionSection(_Section):
    """The device that runs the model."""

    device: Literal["auto", "cpu", "gpu", "require-gpu"] = "auto"
    """`auto` and `gpu` prefer a GPU and say so when the CPU runs instead; `require-gpu` refuses the CPU."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads of a session that runs alone; 0 takes all cores that the process may use."""
    batch_sizes: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] = (1, 2, 4, 8, 16)
    """Batch sizes warmed on a GPU, ascending; a smaller batch is padded to the next one."""

    @field_validator("batch_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if list(sizes) != sorted(set(sizes)):
            raise ValueError("must ascend, each size once")
        return sizes


class BatchingSection(_Section):
    """How pictures wait and are grouped."""

    shape: Literal["auto", "lanes", "pipeline"] = "auto"
    """`lanes`: one picture a core, for CPUs; `pipeline`: batches, for GPUs; `auto` follows the provider."""
    lanes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Number of lanes; 0 takes one a core."""
    max_batch_size: Annotated[int, Field(ge=0, le=1024)] = 0
    """Most pictures in a batch; 0 takes the largest of `session.batch_sizes`."""
    max_batch_delay_ms: Annotated[float, Field(ge=0, le=60000)] = 2.0
    """Longest wait for a batch to fill."""
    queue_size: Annotated[int, Field(ge=1)] = 256
    """Most pictures that wait; more are refused."""
    queue_mb: Annotated[int, Field(ge=1)] = 256
    """Most MiB that waiting pictures hold; more are refused."""


class HttpSection(_Section):
    """The HTTP server."""

    enabled: bool = True
    """Whether it runs."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address to bind. Beyond loopback it wants `token` (or `insecure = true`)."""
    port: Port = 8080
    """TCP port; 0 takes any free one."""
    max_body_mb: Annotated[int, Field(ge=1)] = 32
    """Largest request body, MiB."""
    max_megapixels: Annotated[int, Field(ge=1, le=1000)] = 100
    """Largest picture, in million pixels, from whatever source; read from its header before anything is decoded."""
    max_images: Annotated[int, Field(ge=1)] = 64
    """Most pictures in one request."""
    deadline_s: Seconds = 10.0
    """Longest wait of a request before its work begins."""
    publish: bool = True
    """Whether answers given over HTTP also go to the publishers."""
    token: Token | None = None
    """Bearer token that every request but `/livez` and `/readyz` must carry. Secret."""
    insecure: bool = False
    """Allow to serve beyond loopback without a token."""

    @model_validator(mode="after")
    def _guarded(self) -> "HttpSection":
        if self.enabled and self.token is None and not self.insecure and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is reachable from other machines and no token is set: set http.token "
                "(EDGE_HTTP__TOKEN), or http.insecure = true to serve anybody"
            )
        return self


class MqttSection(_Section):
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
    queue_size: Annotated[int, Field(ge=1)] = 10000
    """Most results that wait for the broker."""
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


class StorageSection(_Section):
    """The disk that keeps verified bundles and state."""

    path: ConfigPath = Path("var")
    """Folder that the daemon creates and owns."""


class LogSection(_Section):
    """What is written to standard error and standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe records that are written."""
    format: Literal["auto", "text", "json"] = "auto"
    """`auto` writes text on a terminal and JSON lines elsewhere."""
    results: Literal["auto", "true", "false"] = "auto"
    """Whether each result is shown as a line; `auto`: on a terminal."""

    @field_validator("results", mode="before")
    @classmethod
    def _bare_bool(cls, value: object) -> object:
        return str(value).lower() if isinstance(value, bool) else value


class _Source(_Section):
    name: TopicLevel
    """Name in topics and results; unique."""

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in RESERVED_SOURCES:
            raise ValueError(f"is reserved, as {', '.join(RESERVED_SOURCES)} are: topics use these names")
        return name


class FolderSource(_Source):
    """A watched folder: each picture put into it is one frame."""

    kind: Literal["folder"]
    """`folder`."""
    path: ConfigPath
    """The folder."""
    after: Literal["keep", "move", "delete"] = "keep"
    """What becomes of a picture once its answer is delivered."""
    poll_s: Seconds = 0.5
    """How often the folder is looked at."""


class PlaybackSource(_Source):
    """A folder of pictures or a video file, played at a rate."""

    kind: Literal["playback"]
    """`playback`."""
    path: ConfigPath
    """The folder of pictures, or the video file."""
    fps: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Frames a second."""
    loop: bool = False
    """Whether it begins again at its end."""
    shuffle_seed: int | None = None
    """Seed of a fixed random order of a folder's pictures; without it, by name."""


SourceSection = Annotated[FolderSource | PlaybackSource, Field(discriminator="kind")]


class Config(_Section):
    """All there is to configure."""

    model: ModelSection = ModelSection()
    registry: RegistrySection = RegistrySection()
    session: SessionSection = SessionSection()
    batching: BatchingSection = BatchingSection()
    http: HttpSection = HttpSection()
    mqtt: MqttSection = MqttSection()
    storage: StorageSection = StorageSection()
    log: LogSection = LogSection()
    source: tuple[SourceSection, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> "Config":
        problems = list(self._mismatches())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _mismatches(self) -> Iterator[str]:
        names = [source.name for source in self.source]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"source: the name {name!r} is given twice"
        if self.batching.max_batch_size > max(self.session.batch_sizes):
            yield "batching.max_batch_size: must not exceed the largest of session.batch_sizes"
        if self.http.enabled and self.http.max_images > self.batching.queue_size:
            yield "http.max_images: must not exceed batching.queue_size, or the largest request would never fit"
        if self.http.enabled and self.http.max_body_mb > self.batching.queue_mb:
            yield "http.max_body_mb: must not exceed batching.queue_mb, or the largest request would never fit"


SECTIONS: Mapping[str, type[_Section]] = {
    key: field.annotation
    for key, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, _Section)
}
"""The sections that are tables, by key: all but ``source``."""

SOURCE_KINDS: Mapping[str, type[_Section]] = {"folder": FolderSource, "playback": PlaybackSource}
"""What a ``[[source]]`` may be, by its ``kind``."""
