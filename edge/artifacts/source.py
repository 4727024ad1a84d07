"""AutoML's files, wherever a download put them.

The run of the best trial holds ``train_artifacts/model.onnx`` and ``train_artifacts/labels.json``; the settings lie
apart, in ``outputs/mlflow-model/artifacts/settings.json``, and the task in ``outputs/mlflow-model/MLmodel``. The SDK's
download puts all of it below ``artifacts/``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle import parse_labels
from edge.errors import ConfigError, ModelInvalidError, ModelNotFoundError

MODEL, LABELS, SETTINGS = "model.onnx", "labels.json", "settings.json"
TRAIN_ARTIFACTS = "train_artifacts"
MLFLOW_MODELS = ("outputs/mlflow-model", "mlflow-model")
MLMODEL_KEYS = ("finetuning_task", "base_model_name", "training_run_id")


@dataclass(frozen=True, slots=True)
class Source:
    """What was found. ``settings`` and ``mlmodel`` are empty where AutoML's files for them are not there."""

    model: Path
    labels_file: Path
    labels: tuple[str, ...]
    settings_file: Path | None
    settings: Mapping[str, Any]
    mlmodel: Mapping[str, str]

    @property
    def name(self) -> str:
        """The model file's folder, by its own name only: a bundle tells nothing of the disk that it was made on."""
        return self.model.parent.resolve().name


def read_source(folder: Path) -> Source:
    """Return what ``folder`` holds. Raises ConfigError, ModelNotFoundError and ModelInvalidError."""
    try:
        return _read_source(folder)
    except OSError as error:
        raise ConfigError(f"cannot look into {error.filename}: {error.strerror}") from error


def run_of(mlflow_model: Path) -> str:
    """Return the run that an MLflow model of AutoML's came from. Raises ModelNotFoundError, ModelInvalidError."""
    file = mlflow_model / "MLmodel"
    run = _parse_mlmodel(_read(file)).get("training_run_id")
    if run is None:
        raise ModelInvalidError(f"{file} does not say which run it came from: it is none of AutoML's models")
    return run


def _read_source(folder: Path) -> Source:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: give the one that holds {MODEL}, or the downloaded run around it")
    model = _first(base / MODEL for base in _bases(folder))
    if model is None:
        raise ModelNotFoundError(
            f"there is no {MODEL} in {folder} or its {TRAIN_ARTIFACTS}: download train_artifacts of the best trial"
        )
    labels_file = model.with_name(LABELS)
    settings_file = _first(place / SETTINGS for place in _settings_places(folder, model))
    mlmodel_file = _first(root / "MLmodel" for root in _mlflow_models(folder, model))
    return Source(
        model=model,
        labels_file=labels_file,
        labels=parse_labels(_read(labels_file), where=str(labels_file)),
        settings_file=settings_file,
        settings=_parse_settings(settings_file) if settings_file else {},
        mlmodel=_parse_mlmodel(_read(mlmodel_file)) if mlmodel_file else {},
    )


def _bases(folder: Path) -> Iterator[Path]:
    for base in (folder, folder / "artifacts"):
        yield from (base, base / TRAIN_ARTIFACTS)


def _mlflow_models(folder: Path, model: Path) -> Iterator[Path]:
    """Yield where the MLflow model of the same run may be; beside ``train_artifacts`` even if only that was given."""
    roots = [folder, folder / "artifacts"]
    if model.parent.resolve().name == TRAIN_ARTIFACTS:
        roots.append(model.parent.resolve().parent)
    for root in roots:
        yield from (root / name for name in MLFLOW_MODELS)


def _settings_places(folder: Path, model: Path) -> Iterator[Path]:
    yield from (model.parent, folder)
    yield from (root / "artifacts" for root in _mlflow_models(folder, model))


def _first(paths: Iterator[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no {path}: AutoML writes it beside {MODEL}; download it too") from error
    except OSError as error:
        raise ModelInvalidError(f"cannot read {path}: {error.strerror}") from error


def _parse_settings(path: Path) -> Mapping[str, Any]:
    try:
        settings = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ModelInvalidError(f"{path} is no JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ModelInvalidError(f"{path} must be a JSON object, as AutoML writes it")
    return settings


def _parse_mlmodel(data: bytes) -> Mapping[str, str]:
    """Return the keys that AutoML adds to the YAML of ``MLmodel``; plain ``key: value`` lines, at any depth."""
    text = data.decode("utf-8", errors="replace")
    found = {key: re.search(rf"^\s*{key}:\s*['\"]?([^'\"\s]+)", text, re.MULTILINE) for key in MLMODEL_KEYS}
    return {key: match[1] for key, match in found.items() if match}
