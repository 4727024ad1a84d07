"""Which first weights are meant by what somebody wrote, and whether they can be had."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.errors import DataError, UsageError
from training.local.pretrained.hub import Say, UnavailableError, fetch_weights
from training.local.pretrained.weights import SUFFIXES, Weights, read_file
from training.recipe import NO_WEIGHTS

AUTO = "auto"
SCRATCH = "from scratch"
DEFAULTS: Mapping[str, str] = {
    "mobilenetv2": "timm/mobilenetv2_100.ra_in1k",
    "resnet18": "timm/resnet18.a1_in1k",
    "resnet34": "timm/resnet34.a1_in1k",
    "resnet50": "timm/resnet50.a1_in1k",
    "resnet101": "timm/resnet101.a1h_in1k",
    "resnet152": "timm/resnet152.a1h_in1k",
    "vits16r224": "timm/vit_small_patch16_224.augreg_in21k_ft_in1k",
    "vitb16r224": "timm/vit_base_patch16_224.augreg_in21k_ft_in1k",
    "vitl16r224": "timm/vit_large_patch16_224.augreg_in21k_ft_in1k",
}
"""Where ``auto`` looks; all under the Apache licence 2.0."""
_REPOSITORY = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+))?")


@dataclass(frozen=True, slots=True)
class Found:
    """First weights, none where a network begins from scratch; ``source`` says which, and why there are none."""

    weights: Weights | None
    source: str


def find(spec: str, model: str, say: Say = lambda _: None) -> Found:
    """Return the first weights that ``spec`` names for a model.

    ``none``; ``auto``: the model's default repository, from scratch where that cannot be had within a short time; a
    file of weights; or a repository of the hub, ``owner/name`` or ``owner/name@revision``. What is in the hub's cache
    on this machine is not asked for again. ``say`` hears of a download.

    Raises:
        UsageError: it is none of these.
        DataError: the weights cannot be had or read.
    """
    if spec == NO_WEIGHTS:
        return Found(None, SCRATCH)
    if spec == AUTO:
        return _default(model, say)
    path, asked = Path(spec), _repository(spec)
    if asked is None and (path.suffix in SUFFIXES or path.exists()):
        return _file(path)
    if asked is None:
        raise UsageError(f"--pretrained {spec}: neither none, auto, a file ({', '.join(SUFFIXES)}) nor owner/name")
    weights = fetch_weights(asked["name"], asked["revision"] or "", signed_in=True, say=say)
    return Found(weights, weights.source)


def without_place(spec: str) -> str:
    """Return what ``spec`` names without where it lies on this machine: of a file its name."""
    return spec if spec in (NO_WEIGHTS, AUTO) or _repository(spec) else Path(spec).name


def _repository(spec: str) -> re.Match[str] | None:
    """Return a repository's name and revision; None where a file is meant, or nothing."""
    path = Path(spec)
    return None if path.suffix in SUFFIXES or path.exists() else _REPOSITORY.fullmatch(spec)


def _default(model: str, say: Say) -> Found:
    try:
        weights = fetch_weights(DEFAULTS[model], "", signed_in=False, say=say)
    except UnavailableError as exc:
        return Found(None, f"{SCRATCH}, since pretrained weights cannot be had ({exc})")
    return Found(weights, weights.source)


def _file(path: Path) -> Found:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of weights")
    weights = read_file(path)
    return Found(weights, weights.source)
