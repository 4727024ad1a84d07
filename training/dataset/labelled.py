"""Collections, however they are written down, as a classifier learns from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS, MULTILABEL, Dataset, Example
from training.dataset.reading import Wishes, read_dataset
from training.dataset.records import Record, classes_of
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures to learn from or to be judged by. ``classes`` is sorted: the order of ``labels.json``."""

    task: Task
    classes: tuple[str, ...]
    records: tuple[Record, ...]

    def subset(self, positions: Sequence[int]) -> "Labelled":
        """Return the records at these positions; the classes stay."""
        return replace(self, records=tuple(self.records[int(position)] for position in positions))

    def targets(self) -> list[tuple[int, ...]]:
        """Return the class indices of every record."""
        index = {name: position for position, name in enumerate(self.classes)}
        return [tuple(index[label] for label in record.labels) for record in self.records]


def read_labelled(roots: Sequence[Path], wishes: Wishes = Wishes()) -> Labelled:
    """Read one or more collections as one; folders, AutoML's JSONL, CSV and what else ``read_dataset`` takes.

    Raises:
        DataError: nothing is there, a picture is missing, or the collections are for different tasks.
        UsageError: one could be read in several ways, or its task is none of classification.
    """
    datasets = [read_dataset(root, wishes) for root in roots]
    tasks = sorted({dataset.task for dataset in datasets})
    if len(tasks) != 1:
        raise DataError(f"the data is for several tasks ({', '.join(tasks)}); give collections of one, or --task")
    return labelled(tasks[0], datasets)


def labelled(task: Task, datasets: Sequence[Dataset]) -> Labelled:
    """Return collections of one task as one.

    Raises:
        DataError: a picture is missing, or the task is none of classification.
    """
    if task not in (MULTICLASS, MULTILABEL):
        raise DataError(f"the data is for {task}, which is not trained here; see automl-train azure submit")
    records = tuple(_record(example) for dataset in datasets for example in dataset.examples)
    return Labelled(task, tuple(classes_of(records)), records)


def _record(example: Example) -> Record:
    source = example.picture.source
    if source is None:
        raise DataError(f"{example.picture.name}: the labels name this picture, but there is no such file")
    return Record(source, example.labels)
