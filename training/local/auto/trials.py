"""The trials of AutoMode for real: each a run of the trainer in a folder of its own."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic

import torch
from torch.nn.functional import conv2d

from training.dataset.records import Record
from training.image_models import METRICS
from training.local.accelerator import FitDevice, choose, repeatable
from training.local.auto.facts import Parts
from training.local.fit import fit_run, prepare_run
from training.local.run import Epoch, Fitted, Run, read_epochs, read_run
from training.local.stopping import best_of
from training.local.train import load_real, trainer_for
from training.local.trained import Trained
from training.local.trainer import Step
from training.local.weights import load_network, remove_checkpoints
from training.recipe import Recipe

MEASURED_STEPS = 5
MEASURED_JUDGED = 64
JUDGING = 0.35
"""What judging a picture takes, by what training on it takes, where it was not measured."""
CONVOLUTIONS = 15
BETTER = 0.8
"""Fewer threads are taken where a step takes less than this of what it takes on all."""


class EndedError(Exception):
    """Thrown through the trainer to end a fit between two steps; its folder holds what is done."""


class LocalTrials:
    """Fits recipes on the same pictures, in folders below ``folder``.

    ``say`` hears of what did not go as planned. ``measuring_s`` is how many seconds a measurement takes, or a little
    more.
    """

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

        A few steps are done and timed on some of the pictures.
        """
        run, batch = self._run(recipe), recipe.settings.training_batch_size
        training, held_out = _spread(run.training, MEASURED_STEPS * batch), _spread(run.held_out, MEASURED_JUDGED)
        some = replace(run, training=training, held_out=held_out)
        timed = self._timed_epoch(some)
        whole = len(timed.times) == 1 + max(1, len(training) // batch)
        a_step, judging = _paces(timed.times, len(held_out), batch, whole=whole)
        start = self._hashing + timed.building + timed.reading * len(run.records) / len(some.records)
        return start, max(1, len(run.training) // batch) * a_step + len(run.held_out) * judging

    def threads_for(self) -> int:
        """Return on how many threads it is quickest: on all, or on half or one of them where others keep them busy.

        Threads wait for each other at every layer: where each waits for a processor, too, many are slower than one.
        """
        most, seconds = self._threads, {1: _convolving(1)}
        for threads in {most, max(1, most // 2)} - {1}:
            seconds[threads] = _convolving(threads, 2 * CONVOLUTIONS * seconds[1])
        self._threads = quickest_threads(seconds)
        self._prepared = None
        return self._threads

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

        run, device, say = self._run(recipe), self._device, self._say
        try:
            return fit_run(run, place, watch, device=device, epoch_done=epoch_done, say=say, reading=reading)
        except EndedError:
            epochs = read_epochs(place)
        remove_checkpoints(place)
        best = best_of(epochs, METRICS[recipe.task]) if epochs else None
        return Fitted(best=best, epochs=tuple(epochs), how="asked") if best else None

    def right(self, folder: str) -> list[bool]:
        """Return of each validation picture whether a trial's network answers it rightly, in every class."""
        place = self._folder / folder
        run = read_run(place)
        with repeatable(self._threads):
            answers = Trained(run, load_network(place, run)).answers(run.held_out)
        return [bool(right) for right in answers.right]

    def _run(self, recipe: Recipe) -> Run:
        """Return the run of a recipe; all are on the same pictures, which are read once for it."""
        if self._prepared is None:
            parts, began = self._parts, monotonic()
            self._prepared = prepare_run(parts.training, recipe, validation=parts.validation, threads=self._threads)
            self._hashing = monotonic() - began  # every fit looks again whether the pictures are the same
        return replace(self._prepared, recipe=recipe)

    def _timed_epoch(self, run: Run) -> "_Timed":
        """Begin a run, for as long as a measurement may take."""
        began, most = monotonic(), self._measuring_s
        with repeatable(run.threads):
            examples = load_real(run.records, run.classes, run.recipe, threads=run.threads)
            reading = monotonic() - began
            learnt = examples.subset(range(len(run.training)))
            judged = examples.subset(range(len(run.training), len(examples))) if run.held_out else None
            device = choose(self._device)
            trainer = trainer_for(run.recipe, run.classes, learnt, judged, accelerator=device, say=self._say)
            times = [monotonic()]

            def watch(_: Step) -> None:
                times.append(monotonic())
                if times[-1] - times[0] > most:
                    raise EndedError

            with suppress(EndedError):
                trainer.run_epoch(1, watch)
        return _Timed(reading, times[0] - began - reading, times)


def _convolving(threads: int, most_s: float = math.inf) -> float:
    """Return the seconds that one small convolution takes on so many threads; tried for ``most_s`` seconds or so."""
    pictures, weights = torch.rand(8, 32, 48, 48), torch.rand(32, 32, 3, 3)
    with repeatable(threads):
        conv2d(pictures, weights)
        began, done = monotonic(), 0
        while done < CONVOLUTIONS and monotonic() - began < most_s:
            conv2d(pictures, weights)
            done += 1
    return (monotonic() - began) / done


def quickest_threads(steps: Mapping[int, float]) -> int:
    """Return on how many threads a step is quickest, of the seconds that it took on some numbers of them."""
    most, quickest = max(steps), min(steps, key=lambda threads: (steps[threads], -threads))
    return quickest if steps[quickest] < BETTER * steps[most] else most


@dataclass(frozen=True, slots=True)
class _Timed:
    """Seconds that reading the pictures and building the network took; when the epoch began and each step ended."""

    reading: float
    building: float
    times: list[float]


def _spread(records: tuple[Record, ...], wanted: int) -> tuple[Record, ...]:
    """Return so many records, spread over all."""
    count = min(wanted, len(records))
    return tuple(records[number * len(records) // count] for number in range(count))


def _paces(times: list[float], judged: int, batch: int, *, whole: bool) -> tuple[float, float]:
    """Return what a step and judging a picture take; the first step, which also sets up, counts only where alone.

    The last span of a whole epoch is its last step and the judging.
    """
    spans = [after - before for before, after in pairwise(times)]
    a_step = median((spans[1:-1] if whole else spans[1:]) or spans[:1])
    if not whole or len(spans) < 3:
        return a_step, JUDGING * a_step / batch
    return a_step, max(0.0, spans[-1] - a_step) / max(1, judged)
