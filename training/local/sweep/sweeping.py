"""A sweep from its file to its best trial: what the command does."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from training.dataset.labelled import Labelled, read_labelled
from training.dataset.reading import Wishes
from training.errors import DataError, StorageError
from training.hyperparameters import Value
from training.local.fit import HELD_OUT, prepare_run
from training.local.run import RUN_FILE, Run, read_run, write_run
from training.local.starting import settled
from training.local.sweep.folder import claimed, trial_folder
from training.local.sweep.ledger import Ledger, Proposal, Sampling, open_ledger
from training.local.sweep.overview import SweepView, overview
from training.local.sweep.places import Workplace
from training.local.sweep.search import Order, Search, Watch
from training.local.sweep.space_file import MODEL_NAME, SweepFile
from training.recipe import NO_WEIGHTS, Recipe

DATA, IDENT, PRETRAINED = "data_sha256", "id", "pretrained"
SEED = "random_seed"
"""Who is held out is drawn with it: where it is swept, with its default, so that trials can be compared."""
Opened = Callable[[Run, int], AbstractContextManager[tuple[Workplace, int]]]
"""Opens the place for trials of a run, so many at a time; gives it, and the threads that each trial has there."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """A claimed sweep, ready to run. ``run`` is what all trials have in common; ``say`` hears of first weights."""

    file: SweepFile
    folder: Path
    ledger: Ledger
    run: Run
    beside: Path
    say: Say

    @property
    def ident(self) -> str:
        """What tells this sweep from others of its name."""
        return self.ledger.note(IDENT, uuid.uuid4().hex)

    def view(self, *, running: bool) -> SweepView:
        """Return how it stands."""
        return overview(self.ledger, self.file, planned=self.file.planned, running=running)

    def search(self, opened: Opened, watch: Watch) -> bool:
        """Run until every trial has ended (True), or the time is over (False).

        Raises:
            TrainingError: the place, or the disk, is gone.
        """
        limits = self.file.limits
        until = time.monotonic() + 60 * limits.timeout_minutes if limits.timeout_minutes else float("inf")
        with opened(self.run, limits.max_concurrent_trials) as (place, threads):
            return Search(
                ledger=self.ledger,
                sampling=self._sampling(),
                policy=self.file.sweep.early_termination,
                metric=self.file.metric,
                place=place,
                concurrent=limits.max_concurrent_trials,
                prepare=lambda proposal: self._prepare(proposal, threads),
                watch=watch,
                left_s=lambda: until - time.monotonic(),
            ).run()

    def _sampling(self) -> Sampling:
        file = self.file
        return Sampling(
            algorithm=file.sweep.sampling_algorithm,
            spaces=file.spaces,
            fixed=file.model,
            planned=file.planned,
            seed=file.seed,
        )

    def _recipe(self, hyperparameters: Mapping[str, Value]) -> Recipe:
        recipe = self.file.recipe(hyperparameters)
        return replace(recipe, pretrained=self.first_weights(recipe.model))

    def first_weights(self, model: str) -> str:
        """Return what a network begins with: found once, so that all its trials begin alike, also after a kill.

        Raises:
            TrainingError: they are named, and cannot be had.
        """
        if self.file.fit.pretrained == NO_WEIGHTS:
            return NO_WEIGHTS
        known = self.ledger.noted(f"{PRETRAINED} {model}")
        return known or self.ledger.note(f"{PRETRAINED} {model}", self._found_weights(model))

    def _found_weights(self, model: str) -> str:
        file = (self.beside / self.file.fit.pretrained).resolve()
        named = str(file) if file.is_file() else self.file.fit.pretrained
        recipe, source = settled(replace(self.file.recipe({MODEL_NAME: model}), pretrained=named), self.say)
        self.say(f"{model}: {source if recipe.pretrained == NO_WEIGHTS else f'begins with {source}'}")
        return recipe.pretrained

    def _prepare(self, proposal: Proposal, threads: int) -> Order:
        """Write what a trial fits into its folder; what was begun before stays what it was.

        Raises:
            UsageError: what was drawn cannot be trained with.
            StorageError: the folder cannot be written.
        """
        folder = trial_folder(self.folder, proposal.number)
        if (folder / RUN_FILE).exists():
            run = read_run(folder)
        else:
            run = replace(self.run, recipe=self._recipe(proposal.hyperparameters), threads=threads)
            try:
                write_run(folder, run)
            except OSError as error:
                said = f"{folder}: cannot be written ({error.strerror})"
                raise StorageError(f"{said}; make room, and the same command goes on") from error
        return Order(folder, run.recipe.settings.number_of_epochs)


@contextmanager
def opened_sweep(file: SweepFile, path: Path, folder: Path, say: Say = lambda _: None) -> Iterator[Sweeping]:
    """Claim a sweep's folder, read its data, and give what can be run; ``say`` hears which first weights there are.

    Raises:
        UsageError: the folder is another sweep's, or one runs in it.
        DataError: the data cannot be used, or has changed since the sweep began; first weights cannot be had.
        StorageError: the folder cannot be written.
    """
    with claimed(folder, path):
        ledger = open_ledger(folder)
        run = common_run(file, path.parent)
        if ledger.note(DATA, run.sha256) != run.sha256:
            raise DataError(f"{folder}: the data has changed since this sweep began; give another --output")
        sweeping = Sweeping(file=file, folder=folder, ledger=ledger, run=run, beside=path.parent, say=say)
        for model in file.models:
            sweeping.first_weights(model)
        yield sweeping


def common_run(file: SweepFile, beside: Path) -> Run:
    """Return what all trials have in common: the same pictures to train on, and the same held out."""
    training, validation = file.data(beside)
    same = {name: value for name, value in file.model.items() if name == SEED}
    return prepare_run(
        _read(training, file),
        file.recipe({MODEL_NAME: file.models[0], **same}),
        validation=_read(validation, file) if validation else None,
        validation_data_size=0.0 if validation else file.validation_data_size or HELD_OUT,
        threads=1,
    )


def _read(paths: list[Path], file: SweepFile) -> Labelled:
    return read_labelled([path.resolve() for path in paths], Wishes(task=file.task))
