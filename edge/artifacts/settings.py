"""What AutoML's ``settings.json`` says, value by value. Pure; each raises ModelInvalidError for what is no value."""

from collections.abc import Mapping
from typing import Any

from edge.errors import ModelInvalidError

MAX_SIDE = 8192


def pixels(settings: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    """Return the first of the named sizes that is there, None where none is."""
    key = next((key for key in keys if key in settings), None)
    if key is None:
        return None
    value = settings[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIDE:
        raise ModelInvalidError(f"settings.json: {key} is {value!r}, a number of pixels expected")
    return value


def share(settings: Mapping[str, Any], key: str, default: float) -> float:
    """Return a number from 0 to 1, ``default`` where it is not said."""
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ModelInvalidError(f"settings.json: {key} is {value!r}, a number from 0 to 1 expected")
    return float(value)


def normalised_inside(settings: Mapping[str, Any]) -> bool:
    """Tell whether mean and deviation are inside the graph (``enable_onnx_normalization``)."""
    inside = settings.get("enable_onnx_normalization", False)
    if str(inside).lower() not in ("true", "false", "1", "0", "none"):
        raise ModelInvalidError(f"settings.json: enable_onnx_normalization is {inside!r}, true or false expected")
    return str(inside).lower() in ("true", "1")
