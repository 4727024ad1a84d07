"""k-fold cross-validation: how a recipe does on pictures it has not seen; folds run side by side, one process each.

No fold looks at what it holds out before the last epoch: nothing is stopped early or chosen by it.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty, Queue

import numpy as np
import torch

from training.dataset.records import Record, classes_of
from training.dataset.split import Split, k_fold
from training.evaluation import Confusion, confusion
from training.local import networks
from training.local.train import load_real, train
from training.local.trainer import Step, predict
from training.recipe import Recipe

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Positions of the records held out in one fold, and the label index given to each."""

    fold: int
    positions: list[int]
    answered: list[int]


@dataclass(frozen=True, slots=True)
class FoldStep:
    """Where one fold stands."""

    fold: int
    step: Step


News = Queue[FoldStep]


def cross_validate(
    records: Sequence[Record],
    recipe: Recipe,
    watch: Callable[[FoldStep], None],
    *,
    folds: int = 5,
    workers: int = 2,
    threads: int = 1,
) -> list[FoldResult]:
    """Train and judge the recipe `folds` times, `workers` at once on `threads` each; `watch` hears of every epoch.

    Raises:
        DataError: too few pictures of a class, or an unreadable picture.
    """
    splits = k_fold([record.label for record in records], folds, recipe.settings.random_seed)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
        news: News = manager.Queue()
        futures = [
            pool.submit(_run_fold, list(records), recipe, number, split, threads, news)
            for number, split in enumerate(splits, 1)
        ]
        _listen(futures, news, watch)
        return [future.result() for future in futures]


def tally(records: Sequence[Record], results: Sequence[FoldResult]) -> tuple[Confusion, list[float]]:
    """Return all folds' answers counted together, and the accuracy (0..1) of each fold."""
    classes = classes_of(records)
    index = {name: position for position, name in enumerate(classes)}
    judged = [
        confusion(classes, [index[records[position].label] for position in result.positions], result.answered)
        for result in results
    ]
    total = np.sum([one.counts for one in judged], axis=0)
    return Confusion(tuple(classes), total), [one.accuracy for one in judged]


def _listen(futures: Sequence[Future[FoldResult]], news: News, watch: Callable[[FoldStep], None]) -> None:
    """Pass on what the folds report until all are done."""
    finished = False
    while not finished:
        finished = not wait(futures, timeout=POLL_S).not_done
        _drain(news, watch)


def _drain(news: News, watch: Callable[[FoldStep], None]) -> None:
    while True:
        try:
            watch(news.get_nowait())
        except Empty:
            return


def _run_fold(records: list[Record], recipe: Recipe, number: int, split: Split, threads: int, news: News) -> FoldResult:
    torch.set_num_threads(threads)
    examples = load_real(records, classes_of(records), recipe)

    def tell(step: Step) -> None:
        if step.step == step.steps:
            news.put(FoldStep(number, step))

    network = train(recipe, classes_of(records), examples.subset(split.training), tell)
    judged = networks.MirrorAverage(network).eval() if recipe.mirrored else network
    answered = predict(judged, examples.subset(split.held_out), recipe.settings).argmax(1)
    return FoldResult(number, split.held_out.tolist(), answered.tolist())
