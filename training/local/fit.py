"""Fits a run: trains its network, and keeps in the run's folder how it goes and what was learnt."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from training.dataset.labelled import Labelled
from training.dataset.parts import Shares, assign_records
from training.dataset.records import Record, content_hash, counts_of
from training.errors import DataError
from training.local.run import Epoch, Fitted, Run, add_epoch, read_run, write_run
from training.local.train import load_real, train
from training.local.trainer import Step, Watch
from training.local.weights import write_best
from training.recipe import Recipe

FitDevice = Literal["auto", "cpu", "gpu"]


def prepare_run(
    data: Labelled,
    recipe: Recipe,
    *,
    validation: Labelled | None = None,
    validation_data_size: float = 0.2,
    threads: int,
) -> Run:
    """Return what is to be trained on what.

    ``validation_data_size`` is the share of each class (0..1) held out to choose the best epoch where no ``validation``
    pictures are given; 0 trains on everything.

    Raises:
        DataError: fewer than two classes, a class too small to be split, or validation pictures of other classes.
    """
    if len(data.classes) < 2:
        raise DataError(f"the data has only class {data.classes[0]!r}; a classifier needs at least two class folders")
    training, held_out = _sides(data, validation, validation_data_size, recipe.settings.random_seed)
    return Run(
        recipe=recipe,
        classes=data.classes,
        training=training,
        held_out=held_out,
        sha256=content_hash((*training, *held_out)),
        validation_data_size=0.0 if validation else validation_data_size,
        threads=threads,
    )


def _sides(
    data: Labelled, validation: Labelled | None, share: float, seed: int
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    if validation is not None:
        unknown = sorted(set(validation.classes) - set(data.classes))
        if unknown:
            raise DataError(f"the validation pictures show {unknown[0]!r}, which no picture to train on shows")
        return data.records, validation.records
    if share == 0:
        return data.records, ()
    for name, count in counts_of(data.records).items():
        if count < 2:
            raise DataError(f"class {name!r} has {count} picture(s), too few to hold some out; add pictures to it")
    parts = assign_records(data.records, Shares(validation=share, seed=seed))
    training, held_out = (
        tuple(record for record, part in zip(data.records, parts, strict=True) if part == wanted)
        for wanted in ("train", "validation")
    )
    return training, held_out


def fit_run(
    run: Run,
    folder: Path,
    watch: Watch,
    *,
    device: FitDevice = "auto",  # noqa: ARG001 - not yet
    epoch_done: Callable[[Epoch], bool] = lambda _: True,
) -> Fitted:
    """Train a run in its folder; the weights of the best epoch are there afterwards.

    A folder that holds the same run, unfinished, is gone on with. ``epoch_done`` hears of every epoch, those before a
    kill included, and ends the fit by False.

    Raises:
        TrainingError: unusable pictures, a folder of another run, a loss that is no number.
    """
    _claim(folder, run)
    torch.set_num_threads(run.threads)
    examples = load_real(run.records, run.classes, run.recipe)
    training = examples.subset(range(len(run.training)))
    held_out = examples.subset(range(len(run.training), len(examples))) if run.held_out else None
    epochs: list[Epoch] = []
    asked = False

    def told(step: Step) -> bool:
        nonlocal asked
        watch(step)
        if step.step < step.steps:
            return True
        metrics = {} if step.held_out_accuracy is None else {"accuracy": step.held_out_accuracy}
        epochs.append(Epoch(step.epoch, 0.0, 0.0, step.loss, step.training_accuracy, metrics))
        add_epoch(folder, epochs[-1])
        asked = not epoch_done(epochs[-1])
        return not asked

    write_best(folder, train(run.recipe, run.classes, training, held_out, told))
    best = max(reversed(epochs), key=lambda epoch: epoch.validation.get("accuracy", 0.0))
    ended = epochs[-1].epoch == run.recipe.settings.number_of_epochs
    return Fitted(best=best, epochs=tuple(epochs), how="asked" if asked else "ended" if ended else "early")


def _claim(folder: Path, run: Run) -> None:
    if (folder / "run.json").exists():
        if read_run(folder) != run:
            raise DataError(f"{folder}: holds another run; give another --run, or remove it")
        return
    write_run(folder, run)
