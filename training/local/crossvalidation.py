"""k-fold cross-validation: how a recipe does on pictures it has not seen; folds run side by side, one process each.

No fold looks at what it holds out before the last epoch: nothing is stopped early or chosen by it.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray

from edge.bundle import MULTILABEL
from edge.postprocess.classification import sigmoid, softmax
from training.answers import Answers, flags_of
from training.dataset.labelled import Labelled
from training.dataset.records import content_of
from training.dataset.split import Split, k_fold_whole
from training.errors import DataError, OutOfMemoryError
from training.local import networks
from training.local.accelerator import repeatable
from training.local.train import load_real, train
from training.local.trainer import Step, predict
from training.metrics import one_hot
from training.recipe import Recipe

POLL_S = 0.5
THRESHOLD = 0.5
"""From which probability on a class is answered where several may be right."""


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Positions of the records held out in one fold, and the logits float32 [N,classes] given to them."""

    fold: int
    positions: list[int]
    logits: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FoldStep:
    """Where one fold stands."""

    fold: int
    step: Step


@dataclass(frozen=True, slots=True)
class _Lines:
    """What ties a fold's process to the others: what it tells, and whether it is wanted any longer."""

    news: Queue[FoldStep]
    given_up: Event


class _GivenUpError(Exception):
    """Another fold has failed: this one is not needed any more."""


def cross_validate(
    data: Labelled,
    recipe: Recipe,
    watch: Callable[[FoldStep], None],
    *,
    folds: int = 5,
    workers: int = 2,
    threads: int = 1,
) -> list[FoldResult]:
    """Train and judge the recipe `folds` times, `workers` at once on `threads` each; `watch` hears of every epoch.

    Pictures that are copies of each other are held out together. Where one fold fails, the others end with their epoch.

    Raises:
        TrainingError: too few classes, or pictures of one, an unreadable picture, weights that do not fit, no memory.
    """
    if len(data.classes) < 2:
        raise DataError("there are less than two classes; a classifier needs two to tell apart")
    contents = [content_of(record) for record in data.records]
    labels = [record.labels for record in data.records]
    splits = k_fold_whole(labels, contents, folds, recipe.settings.random_seed)
    with _pool(workers) as (pool, lines):
        futures = [
            pool.submit(_run_fold, data, recipe, number, split, threads, lines)
            for number, split in enumerate(splits, 1)
        ]
        _listen(futures, lines, watch)
        return _results(futures)


def answers_of(data: Labelled, results: Sequence[FoldResult]) -> Answers:
    """Return all folds' answers as one, in the order of the results."""
    positions = [position for result in results for position in result.positions]
    records = tuple(data.records[position] for position in positions)
    logits = np.concatenate([result.logits for result in results])
    probs = sigmoid(logits) if data.task == MULTILABEL else softmax(logits)
    return Answers(
        task=data.task,
        labels=data.classes,
        records=records,
        true=flags_of([record.labels for record in records], data.classes),
        logits=logits,
        probs=np.asarray(probs, np.float64),
        selected=probs > THRESHOLD if data.task == MULTILABEL else one_hot(probs.argmax(axis=1), len(data.classes)),
        threshold=THRESHOLD,
    )


def rows_of(results: Sequence[FoldResult]) -> Iterator[NDArray[np.int64]]:
    """Yield, for each fold, its rows in what :func:`answers_of` gives."""
    start = 0
    for result in results:
        yield np.arange(start, start + len(result.positions))
        start += len(result.positions)


@contextmanager
def _pool(workers: int) -> Iterator[tuple[ProcessPoolExecutor, _Lines]]:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield pool, _Lines(manager.Queue(), manager.Event())


def _listen(futures: Sequence[Future[FoldResult]], lines: _Lines, watch: Callable[[FoldStep], None]) -> None:
    """Pass on what the folds report until all are done; once one has failed, the others are told to end."""
    waiting = True
    while waiting:
        waiting = bool(wait(futures, timeout=POLL_S).not_done)
        _drain(lines.news, watch)
        if any(future.done() and future.exception() for future in futures):
            lines.given_up.set()


def _drain(news: Queue[FoldStep], watch: Callable[[FoldStep], None]) -> None:
    while True:
        try:
            watch(news.get_nowait())
        except Empty:
            return


def _results(futures: Sequence[Future[FoldResult]]) -> list[FoldResult]:
    errors = [future.exception() for future in futures]
    reasons = [error for error in errors if error is not None and not isinstance(error, _GivenUpError)]
    if reasons and isinstance(reasons[0], BrokenProcessPool):
        raise OutOfMemoryError(
            "a fold's process was ended from outside, as the system does where memory runs out; take fewer --workers"
        ) from reasons[0]
    if reasons:
        raise reasons[0]
    return [future.result() for future in futures]


def _run_fold(data: Labelled, recipe: Recipe, fold: int, split: Split, threads: int, lines: _Lines) -> FoldResult:
    def tell(step: Step) -> None:
        if step.step < step.steps:
            return
        lines.news.put(FoldStep(fold, step))
        if lines.given_up.is_set():
            raise _GivenUpError

    if lines.given_up.is_set():
        raise _GivenUpError
    with repeatable(threads):
        examples = load_real(data.records, data.classes, recipe, threads=threads)
        network = train(recipe, data.classes, examples.subset(split.training), tell)
        judged = networks.MirrorAverage(network).eval() if recipe.mirrored else network
        logits = predict(judged, examples.subset(split.held_out), recipe.settings)
    return FoldResult(fold, split.held_out.tolist(), logits.to(torch.float32).numpy())
