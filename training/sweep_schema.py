"""The form of what a job in Azure and a sweep here say alike: limits, sampling, policies of early termination.

The docstring after a key is its description in ``docs/reference``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(min_length=1, max_length=255)]


class Section(BaseModel):
    """What all sections share: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Limits(Section):
    """How much work, and how long."""

    max_trials: int = Field(default=1, ge=1, le=1000)
    """Trials in all. In a job, more than 1 without `[model]` and `[sweep]` is AutoMode."""
    max_concurrent_trials: int = Field(default=1, ge=1, le=100)
    """Trials at a time; at most `max_trials`. A cluster needs as many nodes."""
    timeout_minutes: int | None = Field(default=None, ge=1, le=60 * 24 * 60)
    """When all of it is ended, in minutes; without it a job ends after seven days."""

    @model_validator(mode="after")
    def _fitting(self) -> "Limits":
        if self.max_concurrent_trials > self.max_trials:
            raise ValueError(f"max_concurrent_trials must be at most max_trials ({self.max_trials})")
        return self


class Policy(Section):
    """When a trial is ended that will not be the best."""

    evaluation_interval: int = Field(default=1, ge=1)
    """How often it is judged: every so many reports of the primary metric."""
    delay_evaluation: int = Field(default=0, ge=0)
    """After how many reports it is judged first."""


class Bandit(Policy):
    """Ends a trial that is too far behind the best."""

    type: Literal["bandit"]
    slack_factor: float | None = Field(default=None, gt=0)
    """The allowed ratio: with 0.2, a trial below best / 1.2 ends."""
    slack_amount: float | None = Field(default=None, gt=0)
    """The allowed difference."""

    @model_validator(mode="after")
    def _one_slack(self) -> "Bandit":
        if (self.slack_factor is None) == (self.slack_amount is None):
            raise ValueError("give either slack_factor or slack_amount")
        return self


class MedianStopping(Policy):
    """Ends a trial that is worse than the median of the running averages."""

    type: Literal["median_stopping"]


class TruncationSelection(Policy):
    """Ends the worst trials at each judgement."""

    type: Literal["truncation_selection"]
    truncation_percentage: int = Field(ge=1, le=99)
    """How many of a hundred."""


POLICIES = ("bandit", "median_stopping", "truncation_selection")
"""By their ``type``, which pydantic also puts into the place of a problem within one."""


class Sweep(Section):
    """How hyperparameters are tried."""

    sampling_algorithm: Literal["random", "grid", "bayesian"]
    """`grid` takes only `choice`; `bayesian` only `choice`, `uniform` and `quniform`, and one space."""
    early_termination: Annotated[Bandit | MedianStopping | TruncationSelection, Field(discriminator="type")] | None = (
        None
    )
    """`{ type = "bandit" }`, `median_stopping` or `truncation_selection`; without one, all trials run to their end."""
    space: list[dict[str, Any]] = Field(min_length=1)
    """Written as `[[sweep.space]]`, once for each space: hyperparameters and what they are drawn from."""


SWEEP_TABLES: Mapping[str, type[Section]] = {
    "limits": Limits,
    "sweep": Sweep,
    "bandit": Bandit,
    "median_stopping": MedianStopping,
    "truncation_selection": TruncationSelection,
}
"""Their tables, and the policies within one, by name."""
