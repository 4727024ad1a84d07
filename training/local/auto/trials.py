"""The trials of AutoMode for real: each a run of the trainer in a folder of its own."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic

import torch

from training.dataset.records import Record
from training.image_models import METRICS
from training.local.accelerator import FitDevice, choose
from training.local.auto.facts import Parts
from training.local.fit import fit_run, prepare_run
from training.local.objective import scores
from training.local.run import Epoch, Fitted, Run, read_epochs, read_run
from training.local.stopping import best_of
from training.local.train import load_real, trainer_for
from training.local.trainer import Step, predict
from training.local.weights import load_network, remove_checkpoints
from training.recipe import Recipe

MEASURED_STEPS = 5
MEASURED_JUDGED = 64
JUDGING = 0.35
"""What judging a picture takes, by what training on it takes, where it was not measured."""


class EndedError(Exception):
    """Thrown through the trainer to end a fit between two steps; its folder holds what is done."""


class LocalTrials:
    """Fits recipes on the same pictures, in folders below ``folder``; ``say`` hears of what did not go as planned."""

    def __init__(
        self,
        parts: Parts,
        folder: Path,
        *,
        threads: int,
        device: FitDevice,
        say: Callable[[str], object],
        measuring_s: float = 10.0,
    ) -> None:
        self._parts = parts
        self._folder = folder
        self._threads = threads
        self._device = device
        self._say = say
        self._measuring_s = measuring_s
        self._prepared: Run | None = None
        self._hashing = 0.0

    def measure(self, recipe: Recipe) -> tuple[float, float]:
        """Return the seconds before a fit's first step and of an epoch; see the port.

        A few steps are done and timed on some of the pictures, for ``measuring_s`` seconds or so.
        """
        run, settings, began = self._run(recipe), recipe.settings, monotonic()
        torch.set_num_threads(self._threads)
        training = _spread(run.training, MEASURED_STEPS * settings.training_batch_size)
        held_out = _spread(run.held_out, MEASURED_JUDGED)
        examples = load_real((*training, *held_out), run.classes, recipe, threads=self._threads)
        reading = (monotonic() - began) / len(examples)
        learnt, judged = examples.subset(range(len(training))), examples.subset(range(len(training), len(examples)))
        began = monotonic()
        trainer = trainer_for(recipe, run.classes, learnt, judged, accelerator=choose(self._device), say=self._say)
        building, times = monotonic() - began, [monotonic()]

        def watch(_: Step) -> None:
            times.append(monotonic())
            if times[-1] - times[0] > self._measuring_s:
                raise EndedError

        whole = True
        try:
            trainer.run_epoch(1, watch)
        except EndedError:
            whole = False
        a_step, judging = _timed(times, len(judged), settings.training_batch_size, whole=whole)
        steps = max(1, len(run.training) // settings.training_batch_size)
        return building + reading * len(run.records) + self._hashing, steps * a_step + len(run.held_out) * judging

    def fit(
        self, folder: str, recipe: Recipe, going: Callable[[float], bool], epoch_done: Callable[[Epoch], bool]
    ) -> Fitted | None:
        """Fit a recipe, or go on with it; see the port."""
        place = self._folder / folder

        def ask(share: float) -> None:
            if not going(share):
                raise EndedError

        def watch(step: Step) -> None:
            ask((step.epoch - 1 + step.step / step.steps) / step.epochs)

        def reading(done: int, total: int) -> None:  # noqa: ARG001 - a port's signature
            ask(0.0)

        try:
            return fit_run(
                self._run(recipe),
                place,
                watch,
                device=self._device,
                epoch_done=epoch_done,
                say=self._say,
                reading=reading,
            )
        except EndedError:
            epochs = read_epochs(place)
        remove_checkpoints(place)
        best = best_of(epochs, METRICS[recipe.task]) if epochs else None
        return Fitted(best=best, epochs=tuple(epochs), how="asked") if best else None

    def right(self, folder: str) -> list[bool]:
        """Return of each validation picture whether a trial's network answers it rightly, in every class."""
        place = self._folder / folder
        run = read_run(place)
        torch.set_num_threads(self._threads)
        examples = load_real(run.held_out, run.classes, run.recipe, threads=self._threads)
        logits = predict(load_network(place, run), examples, run.recipe.settings)
        return [score == 1 for score in scores(run.recipe.task, logits, examples.labels).tolist()]

    def _run(self, recipe: Recipe) -> Run:
        """Return the run of a recipe; all are on the same pictures, which are read once for it."""
        if self._prepared is None:
            parts, began = self._parts, monotonic()
            self._prepared = prepare_run(parts.training, recipe, validation=parts.validation, threads=self._threads)
            self._hashing = monotonic() - began  # every fit looks again whether the pictures are the same
        return replace(self._prepared, recipe=recipe)


def _spread(records: tuple[Record, ...], wanted: int) -> tuple[Record, ...]:
    """Return so many records, spread over all."""
    count = min(wanted, len(records))
    return tuple(records[number * len(records) // count] for number in range(count))


def _timed(times: list[float], judged: int, batch: int, *, whole: bool) -> tuple[float, float]:
    """Return what a step and judging a picture take; the first step, which also sets up, counts only where alone."""
    spans = [after - before for before, after in pairwise(times)]
    a_step = median((spans[1:-1] if whole else spans[1:]) or spans[:1])
    if not whole or len(spans) < 3:
        return a_step, JUDGING * a_step / batch
    return a_step, max(0.0, spans[-1] - a_step) / max(1, judged)
