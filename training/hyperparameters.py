"""AutoML's hyperparameters for multi-class classification: its names, its defaults, and only those that `fit` honours.

Names and defaults follow Azure's reference of hyperparameters for computer vision tasks. A name of AutoML's that the
local trainer does not honour is refused like an unknown one: nobody should believe in a setting that does nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from training.errors import HyperparameterError

LOCAL_MODELS = ("mobilenetv2", "resnet18")
"""The networks of AutoML's list that the local trainer has."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[str | int, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))

    def allows(self, value: float | str) -> bool:
        """Tell whether the value is among them."""
        return value in self.values


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`, both allowed unless `above_low`."""

    low: float
    high: float = float("inf")
    above_low: bool = False

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above_low else f"at least {self.low:g}"
        return low if self.high == float("inf") else f"{low} and at most {self.high:g}"

    def allows(self, value: float | str) -> bool:
        """Tell whether the value is a number within."""
        if isinstance(value, str):
            return False
        return self.low <= value <= self.high and not (self.above_low and value == self.low)


Allowed = Choice | Range
SWITCH = Choice((0, 1))


def _parameter(default: Any, allowed: Allowed) -> Any:  # Any: dataclasses.field is typed as returning its default
    return field(default=default, metadata={"allowed": allowed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """What a fit is told. Sizes in pixels, lengths of time in epochs, learning rates per step."""

    number_of_epochs: int = _parameter(15, Range(1))
    training_batch_size: int = _parameter(78, Range(2))
    validation_batch_size: int = _parameter(78, Range(1))
    learning_rate: float = _parameter(0.01, Range(0, 10, above_low=True))
    learning_rate_scheduler: str = _parameter("warmup_cosine", Choice(("warmup_cosine", "step")))
    warmup_cosine_lr_cycles: float = _parameter(0.45, Range(0, 0.5))
    warmup_cosine_lr_warmup_epochs: int = _parameter(2, Range(0))
    step_lr_gamma: float = _parameter(0.5, Range(0, 1, above_low=True))
    step_lr_step_size: int = _parameter(5, Range(1))
    optimizer: str = _parameter("sgd", Choice(("sgd", "adam", "adamw")))
    momentum: float = _parameter(0.9, Range(0, 1))
    nesterov: int = _parameter(1, SWITCH)
    beta1: float = _parameter(0.9, Range(0, 0.9999))
    beta2: float = _parameter(0.999, Range(0, 0.9999))
    weight_decay: float = _parameter(1e-4, Range(0, 1))
    weighted_loss: int = _parameter(0, Choice((0, 1, 2)))
    early_stopping: int = _parameter(1, SWITCH)
    early_stopping_patience: int = _parameter(5, Range(1))
    early_stopping_delay: int = _parameter(5, Range(0))
    evaluation_frequency: int = _parameter(1, Range(1))
    validation_resize_size: int = _parameter(256, Range(8, 2048))
    validation_crop_size: int = _parameter(224, Range(8, 2048))
    training_crop_size: int = _parameter(224, Range(8, 2048))
    random_seed: int = _parameter(0, Range(0, 2**31 - 1))

    def __post_init__(self) -> None:
        for name, allowed in _allowed().items():
            value = getattr(self, name)
            if not allowed.allows(value):
                raise HyperparameterError(f"{name}={value}: must be {allowed}")

    def as_dict(self) -> dict[str, int | float | str]:
        """Return names and values, for a manifest."""
        return asdict(self)


def parse_settings(settings: Iterable[str], base: Hyperparameters | None = None) -> Hyperparameters:
    """Read `key=value` strings, as `--set` gives them, over `base` (None: the defaults); the last of a key wins.

    Raises:
        HyperparameterError: no `=`, an unknown key, a value of the wrong type or out of range.
    """
    values: dict[str, Any] = (base or Hyperparameters()).as_dict()
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise HyperparameterError(f"{setting!r}: write it as key=value, for example learning_rate=0.01")
        values[name.strip()] = _parse_value(name.strip(), text.strip())
    return Hyperparameters(**values)


def _parse_value(name: str, text: str) -> int | float | str:
    known = _parsers()
    if name not in known:
        raise HyperparameterError(f"unknown hyperparameter {name!r}; known are {', '.join(sorted(known))}")
    try:
        return known[name](text)
    except ValueError as exc:
        raise HyperparameterError(f"{name}={text}: must be {_kind(known[name])}, {_allowed()[name]}") from exc


def _kind(parser: Callable[[str], int | float | str]) -> str:
    return "a whole number" if parser is int else "a number"


def _parsers() -> dict[str, Callable[[str], int | float | str]]:
    return {f.name: f.type for f in fields(Hyperparameters) if isinstance(f.type, type)}


def _allowed() -> dict[str, Allowed]:
    return {f.name: f.metadata["allowed"] for f in fields(Hyperparameters)}
