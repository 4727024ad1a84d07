"""Distributions that a sweep draws hyperparameters from, and what they can draw."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from training.hyperparameters import Parameter, Value
from training.image_models import nearest

Number = int | float
Step = Annotated[Number, Field(gt=0)]
TAILS = 3
"""How many standard deviations of a normal distribution must lie within a range: 99.7 % of what it draws."""


class Distribution(BaseModel):
    """What all share: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    type: str

    def extremes(self) -> tuple[Value, ...]:
        """Return values that all have to be allowed, so that whatever is drawn is."""
        raise NotImplementedError

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return False

    @property
    def drawn(self) -> str:
        """What is drawn at its extremes, in words."""
        return f"{self.type} draws"

    def arguments(self) -> dict[str, Any]:
        """Return what the SDK's class of the same name is made with."""
        return self.model_dump(exclude={"type"})


class Rounded(Distribution):
    """Draws what the distribution beside it draws, rounded to multiples of ``q``."""

    q: Step

    def extremes(self) -> tuple[Value, ...]:
        """Return those of the other, rounded."""
        return _rounded(super().extremes(), self.q)

    @property
    def whole(self) -> bool:
        """Whether ``q`` is whole."""
        return float(self.q).is_integer()


class OneOf(Distribution):
    """One of a few values."""

    type: Literal["choice"]
    values: tuple[bool | int | float | str, ...] = Field(min_length=1, strict=False)

    def extremes(self) -> tuple[Value, ...]:
        """Return every value."""
        return self.values

    @property
    def whole(self) -> bool:
        """Not asked: each value is looked at by itself."""
        return True

    def arguments(self) -> dict[str, Any]:
        """Return the values as a list."""
        return {"values": list(self.values)}


class Uniform(Distribution):
    """Evenly between two ends; ``loguniform`` is the exponential of that."""

    type: Literal["uniform", "loguniform"]
    min_value: Number
    max_value: Number

    @model_validator(mode="after")
    def _ordered(self) -> "Uniform":
        if self.min_value >= self.max_value:
            raise ValueError(f"min_value must be below max_value, got {self.min_value:g} and {self.max_value:g}")
        return self

    def extremes(self) -> tuple[Value, ...]:
        """Return both ends."""
        ends = (self.min_value, self.max_value)
        return tuple(map(_exponential, ends)) if "log" in self.type else ends


class Stepped(Rounded, Uniform):
    """A uniform distribution rounded to multiples of ``q``."""

    type: Literal["quniform", "qloguniform"]  # type: ignore[assignment]  # narrows what the kind is, not what it means


class Normal(Distribution):
    """Around a mean; ``lognormal`` is the exponential of that."""

    type: Literal["normal", "lognormal"]
    mu: Number
    sigma: Step

    def extremes(self) -> tuple[Value, ...]:
        """Return what lies :data:`TAILS` standard deviations around the mean: beyond that it draws seldom."""
        ends = (self.mu - TAILS * self.sigma, self.mu + TAILS * self.sigma)
        return tuple(map(_exponential, ends)) if "log" in self.type else ends

    @property
    def drawn(self) -> str:
        """What is drawn at its extremes, in words."""
        return f"{self.type} draws at {TAILS} sigma"


class SteppedNormal(Rounded, Normal):
    """A normal distribution rounded to multiples of ``q``."""

    type: Literal["qnormal", "qlognormal"]  # type: ignore[assignment]  # narrows what the kind is, not what it means


class RandInt(Distribution):
    """A whole number from 0 to below ``upper``."""

    type: Literal["randint"]
    upper: int = Field(ge=1)

    def extremes(self) -> tuple[Value, ...]:
        """Return 0 and the greatest."""
        return (0, self.upper - 1)

    @property
    def whole(self) -> bool:
        """Always."""
        return True


AnyDistribution = OneOf | Uniform | Stepped | Normal | SteppedNormal | RandInt
_CLASSES: Mapping[str, type[AnyDistribution]] = {
    "choice": OneOf,
    "uniform": Uniform,
    "loguniform": Uniform,
    "quniform": Stepped,
    "qloguniform": Stepped,
    "normal": Normal,
    "lognormal": Normal,
    "qnormal": SteppedNormal,
    "qlognormal": SteppedNormal,
    "randint": RandInt,
}
KINDS = tuple(_CLASSES)
SAMPLED: Mapping[str, frozenset[str]] = {
    "random": frozenset(KINDS),
    "grid": frozenset(("choice",)),
    "bayesian": frozenset(("choice", "uniform", "quniform")),
}
"""What each way of sampling can draw from."""


def read_distribution(raw: object) -> AnyDistribution:
    """Return the distribution of an entry: a list is a choice, a single value a choice of one.

    Raises:
        ValueError: it is none; the text has one problem a line.
    """
    if isinstance(raw, list):
        return read_distribution({"type": "choice", "values": raw})
    if not isinstance(raw, dict):
        return read_distribution([raw])
    kind = str(raw.get("type"))
    if kind not in _CLASSES:
        close = nearest(kind, KINDS)
        raise ValueError(f"type must be one of {', '.join(KINDS)}" + (f"; did you mean {close}?" if close else ""))
    try:
        return TypeAdapter[AnyDistribution](_CLASSES[kind]).validate_python(raw)
    except ValidationError as error:
        raise ValueError("\n".join(dict.fromkeys(_texts(error)))) from error


def _texts(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False):
        key = str(item["loc"][0]) if item["loc"] else ""
        said = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
        if item["type"] == "extra_forbidden":
            said = "no such key here"
        if item["type"] == "missing":
            said = "is required"
        if item["type"] == "too_short":
            said = "must not be empty"
        if len(item["loc"]) > 1:  # none of several types
            said = "must be text, numbers, true or false" if key == "values" else "must be a finite number"
        yield f"{key} {said}".strip()


def drawn_problems(parameter: Parameter, drawn: AnyDistribution) -> Iterator[str]:
    """Yield what is wrong with drawing a hyperparameter from a distribution."""
    if not parameter.swept:
        yield "cannot be swept; put it into [model]"
        return
    if not isinstance(drawn, OneOf) and parameter.kind in ("switch", "text"):
        yield f"{drawn.type} draws numbers; use choice"
        return
    if not drawn.whole and parameter.kind == "whole":
        yield f"{drawn.type} draws fractions; use choice, randint, or quniform with a whole q"
        return
    for value in drawn.extremes():
        said = parameter.problem(_typed(parameter, drawn, value))
        if said:
            yield said if isinstance(drawn, OneOf) else f"{drawn.drawn} {_number(value)}: {said.partition(', got')[0]}"


def _typed(parameter: Parameter, drawn: AnyDistribution, value: Value) -> Value:
    """Return what is drawn for a whole number as such: ``quniform`` rounds to 640.0."""
    return int(value) if parameter.kind == "whole" and not isinstance(drawn, OneOf) and _finite(value) else value


def _finite(value: Value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _exponential(exponent: float) -> float:
    try:
        return math.exp(exponent)
    except OverflowError:
        return math.inf


def _rounded(ends: tuple[Value, ...], q: float) -> tuple[Value, ...]:
    return tuple(round(float(end) / q) * q if _finite(end) else end for end in ends)


def _number(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
