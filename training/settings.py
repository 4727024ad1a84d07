"""What a fit on this machine is told: AutoML's hyperparameters, of them those that the local trainer honours.

Names, ranges and defaults are those of :mod:`training.hyperparameters`. A name of AutoML's that does nothing here is
refused with the reason: nobody should believe in a setting that does nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS
from training.errors import HyperparameterError, UnknownModelError
from training.hyperparameters import FROM_ZERO, SWITCH, Allowed, Range, Value, parameter
from training.image_models import nearest, network

LOCAL_MODELS = (
    *("mobilenetv2", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("vits16r224", "vitb16r224", "vitl16r224"),
)
"""The networks of AutoML's list that the local trainer has."""
NOT_HERE: Mapping[str, str] = {
    "checkpoint_run_id": "there are no runs of Azure here; --resume continues a run, --pretrained begins with weights",
    "distributed": "one fit uses one machine; sweep --on spreads trials over several",
    "number_of_workers": "pictures are held in memory and changed on all cores; see --threads",
    "enable_onnx_normalization": "the graph wants normalised pictures, which the edge makes",
    "advanced_settings": "none of them does anything here",
}
"""Why some of AutoML's names are refused."""
_SIDE = Range(8, 2048)
_LOCALLY: Mapping[str, tuple[Value | None, Allowed | None]] = {
    "training_batch_size": (None, Range(2)),  # one picture alone has no batch statistics
    "beta1": (None, Range(0, 0.9999)),
    "beta2": (None, Range(0, 0.9999)),
    "checkpoint_frequency": (1, None),
    "early_stopping_delay": (None, FROM_ZERO),
    "layers_to_freeze": (0, None),
    "random_seed": (0, Range(0, 2**31 - 1)),
    "step_lr_gamma": (None, Range(0, 1, above_low=True)),
    "validation_resize_size": (None, _SIDE),
    "validation_crop_size": (None, _SIDE),
    "training_crop_size": (None, _SIDE),
    "warmup_cosine_lr_cycles": (None, Range(0, 0.5)),  # past half a period the rate would rise again
}
"""Default and range of some here: where AutoML has no default, or where more than AutoML's range would break a fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hyperparameters of one fit. Sizes in pixels, lengths of time in epochs, learning rates per step."""

    number_of_epochs: int
    training_batch_size: int
    validation_batch_size: int
    gradient_accumulation_step: int
    learning_rate: float
    learning_rate_scheduler: str
    warmup_cosine_lr_cycles: float
    warmup_cosine_lr_warmup_epochs: int
    step_lr_gamma: float
    step_lr_step_size: int
    optimizer: str
    momentum: float
    nesterov: int
    beta1: float
    beta2: float
    ams_gradient: int
    weight_decay: float
    weighted_loss: int
    layers_to_freeze: int
    early_stopping: int
    early_stopping_patience: int
    early_stopping_delay: int
    evaluation_frequency: int
    checkpoint_frequency: int
    validation_resize_size: int
    validation_crop_size: int
    training_crop_size: int
    random_seed: int

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            _check(name, value)
        if self.validation_crop_size > self.validation_resize_size:
            raise HyperparameterError(
                f"validation_crop_size={self.validation_crop_size}: must be at most validation_resize_size "
                f"({self.validation_resize_size})"
            )

    def as_dict(self) -> dict[str, Value]:
        """Return names and values, for a manifest."""
        return asdict(self)


def default_settings(model: str, task: Task = MULTICLASS, changes: Mapping[str, Value] | None = None) -> Settings:
    """Return AutoML's defaults for a model and a task, with ``changes`` over them.

    Raises:
        UnknownModelError: the local trainer does not have the model.
        HyperparameterError: an unknown name, a value of the wrong type or out of range.
    """
    check_model(model)
    values: dict[str, Any] = {name: default_of(name, model, task) for name in setting_names()}
    for name, value in (changes or {}).items():
        if name not in values:
            raise HyperparameterError(_unknown(name))
        values[name] = _of_its_type(name, value)
    return Settings(**values)


def parse_settings(texts: Iterable[str]) -> dict[str, Value]:
    """Read ``key=value`` texts, as ``--set`` gives them; of a key given twice the last counts.

    Raises:
        HyperparameterError: no ``=``, an unknown key, a value of the wrong type.
    """
    values: dict[str, Value] = {}
    for text in texts:
        name, separator, value = (part.strip() for part in text.partition("="))
        if not separator:
            raise HyperparameterError(f"{text!r}: write it as key=value, for example learning_rate=0.01")
        values[name] = _parsed(name, value)
    return values


def check_model(name: str) -> None:
    """Make sure that the local trainer has a network of this name.

    Raises:
        UnknownModelError: it has not; with where the network is trained, if AutoML has it.
    """
    if name in LOCAL_MODELS:
        return
    if network(MULTICLASS, name):
        raise UnknownModelError(
            f"{name} cannot be trained on this machine; train it in Azure with automl-train azure submit, or take one "
            f"of {', '.join(LOCAL_MODELS)}"
        )
    close = nearest(name, LOCAL_MODELS)
    meant = f"did you mean {close}?" if close else f"the local trainer has {', '.join(LOCAL_MODELS)}"
    raise UnknownModelError(f"unknown model {name!r}; {meant}")


def setting_names() -> tuple[str, ...]:
    """Return the hyperparameters that count here."""
    return tuple(field.name for field in fields(Settings))


def default_of(name: str, model: str, task: Task = MULTICLASS) -> Value:
    """Return a hyperparameter's default for a model; AutoML's switches are 0 or 1 here."""
    known, found = parameter(name), network(task, model)
    default = _LOCALLY.get(name, (None, None))[0]
    if default is None and known is not None and found is not None:
        default = known.default(task, found)
    if default is None:
        raise HyperparameterError(f"{name}: has no default for {model} ({task})")
    return int(default) if isinstance(default, bool) else default


def allowed_for(name: str) -> Allowed:
    """Return what values a hyperparameter may have here."""
    known = parameter(name)
    if name not in setting_names() or known is None:
        raise HyperparameterError(_unknown(name))
    return _LOCALLY.get(name, (None, None))[1] or (SWITCH if known.kind == "switch" else known.allowed)


def _check(name: str, value: Value) -> None:
    allowed = allowed_for(name)
    if not allowed.allows(value):
        raise HyperparameterError(f"{name}={value}: must be {allowed}")


def _parsed(name: str, text: str) -> Value:
    kind = _types().get(name)
    if kind is None:
        raise HyperparameterError(_unknown(name))
    if text.lower() in ("true", "false") and allowed_for(name) == SWITCH:
        return int(text.lower() == "true")
    try:
        return kind(text)
    except ValueError as exc:
        raise HyperparameterError(f"{name}={text}: must be {_words(kind)}, {allowed_for(name)}") from exc


def _of_its_type(name: str, value: Value) -> Value:
    """Return a value as its field has it: numbers may come whole where they are not, switches as true and false."""
    kind = _types()[name]
    if kind is float and isinstance(value, int):
        return float(value)
    if isinstance(value, bool) and allowed_for(name) == SWITCH:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, kind):
        raise HyperparameterError(f"{name}={value}: must be {_words(kind)}, {allowed_for(name)}")
    return value


def _unknown(name: str) -> str:
    if name in NOT_HERE:
        return f"{name}: is not for the local trainer: {NOT_HERE[name]}"
    close = nearest(name, setting_names())
    meant = f"did you mean {close}?" if close else f"known are {', '.join(sorted(setting_names()))}"
    return f"unknown hyperparameter {name!r}; {meant}"


def _words(kind: type) -> str:
    return {int: "a whole number", float: "a number"}.get(kind, "a text")


def _types() -> dict[str, type[int] | type[float] | type[str]]:
    return {field.name: field.type for field in fields(Settings) if isinstance(field.type, type)}
