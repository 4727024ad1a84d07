"""What ``/score`` is asked of explanations: AutoML's ``model_explainability`` and ``xai_parameters``, each checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from edge.errors import RequestError
from edge.explain import DEFAULT_RUNS, MAX_RUNS, METHODS, MIN_RUNS, Method

ASKED = "model_explainability"
PARAMETERS = "xai_parameters"
GRADIENT_ALGORITHMS = ("xrai", "integrated_gradients", "guided_gradcam", "guided_backprop")
"""What the cloud offers. All of them follow gradients, which a graph for inference does not have."""
APPROXIMATIONS = ("riemann_middle", "riemann_left", "riemann_right", "riemann_trapezoid", "gausslegendre")
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class XaiRequest:
    """Which explanations are wanted of every picture of a request.

    ``runs`` is AutoML's ``n_steps``. ``threshold`` (0..1) selects the classes of a multi-label answer; None leaves that
    to the model.
    """

    method: Method = "occlusion"
    visualizations: bool = True
    attributions: bool = False
    runs: int = DEFAULT_RUNS
    threshold: float | None = None

    @property
    def wants_nothing(self) -> bool:
        """Whether both results are switched off."""
        return not (self.visualizations or self.attributions)


def xai_request(asked: Mapping[str, Any], *, place: str = "") -> XaiRequest | None:
    """Return what a picture's options ask, None for no explanation. Raises RequestError that names the key.

    ``place`` is where the options stand in the request.
    """
    if not _truth(asked.get(ASKED, False), f"{place}{ASKED}"):
        return None
    parameters = asked.get(PARAMETERS)
    if parameters is None:
        return XaiRequest()
    where = f"{place}{PARAMETERS}"
    if not isinstance(parameters, dict):
        raise RequestError(f"{where} must be an object, not {_text(parameters)}")
    unknown = [key for key in parameters if key not in _PARAMETERS]
    if unknown:
        raise RequestError(f"{where} has {_text(unknown[0])}, which is unknown; known are {', '.join(_PARAMETERS)}")
    found = {key: _PARAMETERS[key][1](value, f"{where}.{key}") for key, value in parameters.items()}
    return XaiRequest(**{name: found[key] for key, (name, _) in _PARAMETERS.items() if name and key in found})


def _truth(value: object, place: str) -> bool:
    """Return what ``model_explainability`` says; Azure's scorer takes it as a text too."""
    if isinstance(value, str) and value.lower() in BOOLEANS:
        return BOOLEANS[value.lower()]
    return _boolean(value, place)


def _boolean(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise RequestError(f"{place} must be true or false, not {_text(value)}")
    return value


def _method(value: object, place: str) -> str:
    if value in GRADIENT_ALGORITHMS:
        raise RequestError(
            f"{place} is {value}, which follows gradients, and the graph for inference (ONNX) has none; "
            f"use {' or '.join(METHODS)}, or leave it out"
        )
    return _one_of(METHODS)(value, place)


def _one_of(known: tuple[str, ...]) -> Callable[[object, str], str]:
    def check(value: object, place: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise RequestError(f"{place} must be one of {', '.join(known)}, not {_text(value)}")
        return value

    return check


def _runs(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not MIN_RUNS <= value <= MAX_RUNS:
        raise RequestError(f"{place} must be a whole number of {MIN_RUNS} to {MAX_RUNS}, not {_text(value)}")
    return value


def _share(value: object, place: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise RequestError(f"{place} must be a number of 0 to 1, not {_text(value)}")
    return float(value)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()[:80]


_PARAMETERS: Mapping[str, tuple[str, Callable[[object, str], Any]]] = {
    "xai_algorithm": ("method", _method),
    "visualizations": ("visualizations", _boolean),
    "attributions": ("attributions", _boolean),
    "n_steps": ("runs", _runs),
    "confidence_score_threshold_multilabel": ("threshold", _share),
    "xrai_fast": ("", _boolean),
    "approximation_method": ("", _one_of(APPROXIMATIONS)),
}
"""AutoML's names, ours, and what checks a value. The last two steer gradient methods and change nothing here."""
