"""Small fits for tests: a few drawn pictures of 32 pixels, a network that trains in milliseconds."""

from pathlib import Path
from typing import Any

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS, MULTILABEL
from training.dataset.drawn import write_drawn
from training.dataset.folders import read_folders
from training.dataset.labelled import Labelled
from training.dataset.records import Record, classes_of
from training.hyperparameters import Value
from training.local.fit import prepare_run
from training.local.run import Run
from training.recipe import Recipe
from training.settings import default_settings

TINY: dict[str, Value] = {
    "number_of_epochs": 3,
    "training_batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.002,
    "early_stopping": 0,
    "training_crop_size": 32,
    "validation_resize_size": 32,
    "validation_crop_size": 32,
}


def draw(folder: Path, count: int = 24) -> list[Record]:
    """Draw pictures of six classes in turn."""
    list(write_drawn(folder, count=count, seed=0, size=32))
    return read_folders([folder])


def multi_class(records: list[Record]) -> Labelled:
    return Labelled(MULTICLASS, tuple(classes_of(records)), tuple(records))


def multi_label(records: list[Record]) -> Labelled:
    """Every other picture is also Even, and the first one is nothing at all."""
    told = [Record(r.path, (*r.labels, "Even") if n % 2 == 0 else r.labels) for n, r in enumerate(records)]
    told[0] = Record(told[0].path, ())
    return Labelled(MULTILABEL, tuple(classes_of(told)), tuple(told))


def recipe(*, task: Task = MULTICLASS, rest: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    settings = default_settings("mobilenetv2", task, {**TINY, **changes})
    return Recipe(model="mobilenetv2", settings=settings, task=task, **(rest or {}))


def tiny_run(records: list[Record], *, threads: int = 1, **changes: Any) -> Run:
    return prepare_run(multi_class(records), recipe(**changes), validation_data_size=0.25, threads=threads)
