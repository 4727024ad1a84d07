"""Puts a trained model, whatever trained it, into a bundle: graph, labels, settings, golden pictures, manifest.

The folder appears whole or not at all: everything is written beside it and renamed at the end.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.bundle import (
    Bundle,
    Expected,
    Golden,
    Manifest,
    Postprocessing,
    Preprocessing,
    Task,
    TensorInput,
    file_entries,
    is_name,
    open_bundle,
    write_manifest,
)
from training.dataset.annotations import MULTICLASS
from training.errors import ExportError, UsageError
from training.settings import Settings

MODEL_FILE = "model.onnx"
LABELS_FILE = "labels.json"
SETTINGS_FILE = "settings.json"
GOLDEN_FOLDER = "golden"
GOLDEN_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class GoldenPicture:
    """A picture with a known answer: encoded bytes, the right labels and the network's probabilities in label order."""

    name: str
    data: bytes
    labels: tuple[str, ...]
    probs: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All of a bundle but the graph. `provenance` and `metrics` must be plain JSON.

    ``threshold`` (0..1) is what a label of a multi-label model must lie above.
    """

    name: str
    version: str
    labels: Sequence[str]
    settings: Settings
    golden: Sequence[GoldenPicture]
    task: Task = MULTICLASS
    threshold: float = 0.5
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)


def check_identity(name: str, version: str) -> None:
    """Make sure that a bundle can be so called, before hours are spent on it.

    Raises:
        UsageError: the name or the version is not one that a manifest takes.
    """
    for what, text in (("name", name), ("version", version)):
        if not is_name(text):
            raise UsageError(
                f"{what} {text!r}: use up to 128 letters, digits, '.', '_' and '-', a letter or digit first"
            )


def preprocessing_of(settings: Settings) -> Preprocessing:
    """Return the rule by which the edge prepares pictures for a network trained with these settings."""
    return Preprocessing(resize=settings.validation_resize_size, crop=settings.validation_crop_size)


def check_target(folder: Path) -> None:
    """Make sure that a bundle can be put there, before hours are spent on it.

    Raises:
        ExportError: the folder exists and is not empty, something else has its name, nothing can be written there, or
            it has no name of its own.
    """
    if folder.name in ("", ".."):
        raise ExportError(f"{folder}: a bundle's folder is made under its own name; give one that ends in a name")
    try:
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise ExportError(f"{folder}: exists and is not empty; choose another folder or remove it")
        _check_writable(folder)
    except OSError as exc:
        raise ExportError(f"{folder}: a bundle cannot be put there ({exc.strerror})") from exc


def _check_writable(folder: Path) -> None:
    """Make and remove a folder where the bundle will be, or where the first folder on the way to it will be."""
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    with tempfile.TemporaryDirectory(prefix=".writable-", dir=above):
        pass


def write_bundle(
    folder: Path, draft: Draft, write_graph: Callable[[Path], None], prove: Callable[[Bundle], None]
) -> Bundle:
    """Write the bundle, let `prove` judge it where it lies, and only then give it its name.

    Raises:
        ExportError: the target is taken or cannot be written.
        EdgeError: what is written does not hold together, or does not prove itself.
    """
    with staged(folder) as staging:
        (staging / GOLDEN_FOLDER).mkdir()
        write_graph(staging / MODEL_FILE)
        _write_parts(staging, draft)
        prove(open_bundle(staging))
    return open_bundle(folder)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside the target, which gets the target's name if all goes well, and else is removed.

    What a killed process left there is removed first.

    Raises:
        ExportError: the target is taken or cannot be written.
    """
    check_target(folder)
    staging = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        yield staging
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    except OSError as exc:
        raise ExportError(f"{folder}: the bundle cannot be written ({exc.strerror})") from exc
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_parts(staging: Path, draft: Draft) -> None:
    settings = draft.settings
    automl = {
        "valid_resize_size": settings.validation_resize_size,
        "valid_crop_size": settings.validation_crop_size,
        "train_crop_size": settings.training_crop_size,
    }
    _write_json(staging / LABELS_FILE, list(draft.labels))
    _write_json(staging / SETTINGS_FILE, automl)
    for picture in draft.golden:
        (staging / GOLDEN_FOLDER / picture.name).write_bytes(picture.data)
    write_manifest(staging, _manifest(staging, draft))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _manifest(staging: Path, draft: Draft) -> Manifest:
    golden = [f"{GOLDEN_FOLDER}/{picture.name}" for picture in draft.golden]
    rule = preprocessing_of(draft.settings)
    return Manifest(
        name=draft.name,
        version=draft.version,
        task=draft.task,
        family="classification",
        created_at=datetime.now(UTC).replace(microsecond=0),
        input=TensorInput(name="input1", shape=("batch", 3, rule.crop, rule.crop)),
        preprocessing=rule,
        postprocessing=Postprocessing(threshold=draft.threshold),
        model=MODEL_FILE,
        labels=LABELS_FILE,
        files=file_entries(staging, [MODEL_FILE, LABELS_FILE, SETTINGS_FILE, *golden]),
        provenance=draft.provenance,
        metrics=draft.metrics,
        golden=tuple(
            Golden(
                image=path, expected=Expected(labels=picture.labels, probs=picture.probs), tolerance=GOLDEN_TOLERANCE
            )
            for path, picture in zip(golden, draft.golden, strict=True)
        ),
    )
