"""The sections about models, the device and the process itself.

The docstring after a key is its description in ``docs/reference/configuration.md``. Nothing is opened or created here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge.config.values import BundleName, ConfigPath, PublicKey, Seconds, Share, TagText

FOLDER_POLL_S = 2.0
AZURE_POLL_S = 60.0


class Section(BaseModel):
    """What all sections share: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # a secret must not stand in a traceback either
    )


class ModelSection(Section):
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


def _poll_s(known: Mapping[str, Any]) -> float:
    """Return how often a registry is looked at where nobody says it: Azure less often than a folder."""
    return AZURE_POLL_S if known.get("kind") == "azureml" else FOLDER_POLL_S


class RegistrySection(Section):
    """Where models are found."""

    kind: Literal["local", "bundle", "azureml"] = "local"
    """`local`: a folder that holds `<name>/<version>/`; `bundle`: one that holds a single bundle, at most three folders
    deep; `azureml`: the models registered in Azure, see `[azure]`."""
    path: ConfigPath = Path("models")
    """The folder of a `local` registry or a `bundle`."""
    stage: Annotated[str, Field(min_length=1)] | None = None
    """`azureml`: follow the newest version that has this stage; where it moves back, so does the device."""
    tag: TagText | None = None
    """`azureml`: follow the newest version that has this tag, `key` or `key=value`; where it moves back, so does the
    device."""
    poll_s: Seconds = Field(default_factory=_poll_s)
    """How often it is looked at for new versions; `azureml`: each time up to a fifth earlier or later."""
    trusted_keys: tuple[PublicKey, ...] = ()
    """Public keys of those whose bundles are taken; with any key set, an unsigned or wrongly signed one is refused."""


class RolloutSection(Section):
    """How a new version comes to serve."""

    rehearse: bool = True
    """Whether a version is first loaded and proven in a process of its own, whose crash or hang harms nothing."""
    load_timeout_s: Seconds = 120.0
    """Longest that a version may take to load and prove itself there."""
    shadow: bool = False
    """Whether a newer version first answers live frames beside the running one, unseen, and is compared with it."""
    shadow_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the live frames that may be compared; the shadow skips what would cost over half a percent of a core."""
    shadow_frames: Annotated[int, Field(ge=1)] = 500
    """How many frames are compared before the gate decides."""
    shadow_max_h: Annotated[float, Field(gt=0, le=8760)] = 24.0
    """Longest comparison, in hours; a version that has not seen enough frames by then is not taken."""
    min_agreement: Share = 0.98
    """Gate: the least share of frames on which both give the same label (or the same labels)."""
    max_latency_ratio: Annotated[float, Field(gt=0)] = 1.5
    """Gate: the largest allowed ratio of the newer version's median time to the running one's."""
    max_score_shift: Share = 0.1
    """Gate: the largest allowed mean absolute difference of the winning label's score."""
    after_shadow: Literal["promote", "report"] = "promote"
    """What becomes of a version that passes: it is swapped in, or only reported and left to `activate`."""
    probation_s: Annotated[float, Field(ge=0, le=86400)] = 60.0
    """How long a new version is watched once it serves; 0 watches none."""
    max_failure_share: Share = 0.05
    """Gate: a version on probation that fails on a larger share of at least 20 pictures is rolled back."""


class SessionSection(Section):
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


class BatchingSection(Section):
    """How pictures wait and are grouped."""

    shape: Literal["auto", "lanes", "pipeline"] = "auto"
    """`lanes`: one picture a core, for CPUs; `pipeline`: batches, for GPUs; `auto` follows the provider that
    really runs the first model."""
    lanes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Number of lanes; 0 takes one a core."""
    max_batch_size: Annotated[int, Field(ge=0, le=1024)] = 0
    """Most pictures in a batch; 0 takes the largest of `session.batch_sizes`."""
    max_batch_delay_ms: Annotated[float, Field(ge=0, le=60000)] = 2.0
    """Longest wait for a batch to fill."""
    queue_size: Annotated[int, Field(ge=1)] = 256
    """Most pictures that wait; streams may fill half of it, requests nine tenths, triggers all."""
    queue_mb: Annotated[int, Field(ge=1)] = 256
    """Most MiB that waiting pictures hold, shared out in the same way."""


class DaemonSection(Section):
    """The process itself."""

    stop_timeout_s: Seconds = 20.0
    """Longest that a clean stop takes: accepted work is answered and stored, then the process ends."""


class StorageSection(Section):
    """The disk that keeps verified bundles and state."""

    path: ConfigPath = Path("var")
    """Folder that the daemon creates and owns."""


class LogSection(Section):
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
