"""Fits a run: trains its network, and keeps in the run's folder how it goes and what was learnt."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.dataset.labelled import Labelled
from training.dataset.parts import Shares, assign_records
from training.dataset.records import Record, content_hash, content_of, counts_of
from training.errors import DataError, StorageError
from training.local.accelerator import Accelerator, FitDevice, choose, repeatable
from training.local.course import Course
from training.local.examples import Told
from training.local.run import (
    BEST_FILE,
    CHECKPOINT_FILE,
    FITTED_FILE,
    METRICS_FILE,
    PREVIOUS_FILE,
    RUN_FILE,
    Epoch,
    Fitted,
    Run,
    check_pictures,
    read_fitted,
    read_run,
    write_run,
)
from training.local.shortage import told_shortage
from training.local.train import load_real, trainer_for
from training.local.trainer import Say, Watch
from training.local.weights import read_checkpoint
from training.recipe import NO_WEIGHTS, Recipe

HELD_OUT = 0.2
"""What share of each class is held out where nothing else is asked for."""
LEARNT = (METRICS_FILE, CHECKPOINT_FILE, PREVIOUS_FILE, BEST_FILE, FITTED_FILE)
"""What is in a run's folder once there is something to lose."""
_LOG = logging.getLogger(__name__)


def prepare_run(
    data: Labelled,
    recipe: Recipe,
    *,
    validation: Labelled | None = None,
    validation_data_size: float = HELD_OUT,
    threads: int,
) -> Run:
    """Return what is to be trained on what.

    ``validation_data_size`` is the share of each class (0..1) held out to choose the best epoch where no ``validation``
    pictures are given; 0 trains on everything.

    Raises:
        DataError: fewer than two classes, a class too small to be split, or validation pictures of other classes.
    """
    _check_classes(data)
    training, held_out = _sides(data, validation, validation_data_size, recipe.settings.random_seed)
    return Run(
        recipe=recipe,
        classes=data.classes,
        training=tuple(map(_absolute, training)),
        held_out=tuple(map(_absolute, held_out)),
        sha256=content_hash((*training, *held_out)),
        validation_data_size=0.0 if validation else validation_data_size,
        threads=threads,
    )


def fit_run(
    run: Run,
    folder: Path,
    watch: Watch,
    *,
    device: FitDevice = "auto",
    epoch_done: Callable[[Epoch], bool] = lambda _: True,
    say: Say = _LOG.warning,
    reading: Told = lambda done, total: None,  # noqa: ARG005 - a port's names
) -> Fitted:
    """Train a run in its folder; the weights of the best epoch are there afterwards.

    A folder that holds the same run, unfinished, is gone on with; of a finished one is told how it ended, at once.
    ``epoch_done`` hears of every epoch, those before a kill included, and ends the fit by False. ``say`` hears of what
    did not go as planned, ``reading`` how many of how many pictures are decoded.

    Raises:
        TrainingError: unusable pictures, a folder of another run, a loss that is no number, no memory, a full disk.
    """
    with _claimed(folder, run), told_shortage(f"take a smaller model than {run.recipe.model}"):
        return read_fitted(folder) or _fit(run, folder, choose(device), _Heard(watch, epoch_done, say, reading))


@dataclass(frozen=True, slots=True)
class _Heard:
    """Whom a fit tells what."""

    watch: Watch
    epoch_done: Callable[[Epoch], bool]
    say: Say
    reading: Told


def _fit(run: Run, folder: Path, accelerator: Accelerator, heard: _Heard) -> Fitted:
    check_pictures(run)
    _warn_of_copies(run, heard.say)
    with repeatable(run.threads):
        examples = load_real(
            run.records, run.classes, run.recipe, threads=run.threads, told=heard.reading, say=heard.say
        )
        training = examples.subset(range(len(run.training)))
        held_out = examples.subset(range(len(run.training), len(examples))) if run.held_out else None
        kept = read_checkpoint(folder, heard.say)
        # what goes on has its weights, and needs no hub that may be away by now
        recipe = replace(run.recipe, pretrained=NO_WEIGHTS) if kept else run.recipe
        trainer = trainer_for(recipe, run.classes, training, held_out, accelerator=accelerator, say=heard.say)
        course = Course(folder, recipe, trainer, heard.say)
        if kept:
            course.go_on(kept)
        return course.run(heard.watch, heard.epoch_done)


def _check_classes(data: Labelled) -> None:
    if not data.records:
        raise DataError("there are no labelled pictures")
    if len(data.classes) < 2:
        only = f"only class {data.classes[0]!r}" if data.classes else "no class"
        raise DataError(f"the data has {only}; a classifier needs at least two classes to tell apart")


def _sides(
    data: Labelled, validation: Labelled | None, share: float, seed: int
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Return what is trained on and what is held out."""
    if validation is not None:
        unknown = sorted(set(validation.classes) - set(data.classes))
        if unknown:
            raise DataError(f"the validation pictures show {unknown[0]!r}, which no picture to train on shows")
        return data.records, validation.records
    if share == 0:
        return data.records, ()
    for name, count in sorted(counts_of(data.records).items()):
        if count < 2:
            raise DataError(
                f"class {name!r} has one picture, which cannot be trained on and held out; add pictures to it, remove "
                "the class, or give --validation DATA or --validation-data-size 0"
            )
    parts = assign_records(data.records, Shares(validation=share, seed=seed))
    training, held_out = (
        tuple(record for record, part in zip(data.records, parts, strict=True) if part == wanted)
        for wanted in ("train", "validation")
    )
    if not held_out:
        raise DataError(
            "nothing can be held out: the pictures of each class are copies of each other; add others, or give "
            "--validation DATA or --validation-data-size 0"
        )
    return training, held_out


def _warn_of_copies(run: Run, say: Say) -> None:
    """Say where what is held out is trained on, too; a split of our own never does so."""
    if run.validation_data_size or not run.held_out:
        return
    seen = set(map(content_of, run.training))
    copies = sum(content_of(record) in seen for record in run.held_out)
    if copies:
        say(
            f"{copies} of {len(run.held_out)} pictures held out are trained on, too: the figures will be too good; "
            "leave them out of --validation"
        )


def _absolute(record: Record) -> Record:
    return replace(record, path=record.path.absolute())


@contextmanager
def _claimed(folder: Path, run: Run) -> Iterator[None]:
    """Make a folder this run's, and let no other process work in it meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be made ({exc.strerror}); give another --run") from exc
    try:
        _lock(descriptor, folder)
        _note(folder, run)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise StorageError(f"{folder}: another fit is at work there; wait for it, or give another --run") from exc
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be locked ({exc.strerror}); give a --run on a local disk") from exc


def _note(folder: Path, run: Run) -> None:
    """Write down what is trained on what, unless the folder says so already; what has learnt nothing gives way."""
    if (folder / RUN_FILE).exists() and any((folder / name).exists() for name in LEARNT):
        there = read_run(folder)
        if there == run:
            return
        difference = _difference(there, run)
        if difference:
            raise DataError(
                f"{folder}: holds a run with {difference}; give the same command to go on, another --run, or remove it"
            )
    try:
        write_run(folder, run)
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be written ({exc.strerror}); free space, or give another --run") from exc


def _difference(there: Run, asked: Run) -> str | None:
    """Return in which way another run is wanted; None where only the pictures have moved, and are the same."""
    old, new = _flat(there.recipe), _flat(asked.recipe)
    changed = [f"{name}={old[name]}, not {new[name]}" for name in old if old[name] != new[name]]
    if changed:
        return ", ".join(changed)
    if there.sha256 != asked.sha256 or there.classes != asked.classes:
        return "other pictures, or other labels for them"
    if (_contents(there.training), _contents(there.held_out)) != (_contents(asked.training), _contents(asked.held_out)):
        return "other pictures held out"
    if there.threads != asked.threads:
        return f"--threads {there.threads}, not {asked.threads}, which would give other weights"
    return None


def _flat(recipe: Recipe) -> dict[str, Any]:
    told = recipe.as_dict()
    hyperparameters: dict[str, Any] = told.pop("hyperparameters")
    return told | hyperparameters


def _contents(records: Sequence[Record]) -> list[tuple[str, tuple[str, ...]]]:
    return [(record.path.name, record.labels) for record in records]
