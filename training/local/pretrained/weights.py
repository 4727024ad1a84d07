"""Weights as somebody has published them, read from a file; nothing in it is run."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from edge.preprocess.classification import MEAN, STD
from training.errors import DataError

SAFE = ".safetensors"
PICKLED = (".pt", ".pth", ".bin")
SUFFIXES = (SAFE, *PICKLED)
WRAPPED = ("state_dict", "model_state", "model")
"""Under which name checkpoints hold the weights: Lightning's and others', AutoML's ``model.pt``, DeiT's."""
PREFIXES = ("module.", "model.", "network.")
"""What containers put before every name: DataParallel's first."""
IMAGENET = (tuple(MEAN.tolist()), tuple(STD.tolist()))
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of red, green and blue in 0..1 by which pictures were normalised."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Tensors by layer's name, where they come from, and how the pictures were normalised that they saw."""

    values: Mapping[str, Tensor]
    source: str
    normalisation: Normalisation = IMAGENET
    is_file: bool = False


def read_file(path: Path) -> Weights:
    """Return the weights of a file; ``source`` is its name and hash.

    Raises:
        DataError: it cannot be read, or holds something other than weights.
    """
    values = read_values(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Weights(values, f"{path.name}, sha256 {sha256}", is_file=True)


def read_values(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by layer's name.

    Raises:
        DataError: it cannot be read, or holds something other than weights.
    """
    try:
        told = safetensors.torch.load_file(path) if path.suffix == SAFE else _unpickled(path)
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    except pickle.UnpicklingError as exc:
        raise DataError(f"{path}: holds more than weights, which is not run; save the network's state_dict") from exc
    except (safetensors.SafetensorError, RuntimeError, EOFError, ValueError, LookupError) as exc:
        raise DataError(f"{path}: is no file of weights, or a damaged one ({_first_line(exc)})") from exc
    return _checked(path, _bare(told))


def _unpickled(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _bare(told: Any) -> Any:
    """Return what is inside containers and below prefixes that all names share."""
    while isinstance(told, Mapping):
        inner = next((told[name] for name in WRAPPED if isinstance(told.get(name), Mapping)), None)
        prefix = next((p for p in PREFIXES if told and all(str(name).startswith(p) for name in told)), None)
        if inner is not None:
            told = inner
        elif prefix is not None:
            told = {str(name).removeprefix(prefix): value for name, value in told.items()}
        else:
            break
    return told


def _checked(path: Path, told: Any) -> dict[str, Tensor]:
    if not isinstance(told, Mapping) or not told or not all(isinstance(value, Tensor) for value in told.values()):
        raise DataError(f"{path}: holds no weights by layer's name; save the network's state_dict")
    bad = next((name for name, value in told.items() if value.is_floating_point() and not _finite(value)), None)
    if bad is not None:
        raise DataError(f"{path}: the weights of {bad} are not all numbers; they are of a fit that went wrong")
    return dict(told)


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
