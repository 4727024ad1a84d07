"""AutoMode as a whole: begins a search in a folder, or goes on with the one that is there, to its bundle and story."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from time import monotonic

from edge.session import usable_cores
from training.dataset.labelled import Labelled
from training.dataset.parts import Shares
from training.dataset.records import content_hash
from training.errors import BudgetError, DataError, DivergenceError, OutOfMemoryError, StorageError
from training.local.accelerator import FitDevice
from training.local.auto.budget import duration
from training.local.auto.facts import Parts, facts_of, part
from training.local.auto.finish import Target, check_output, finish
from training.local.auto.first_weights import at_hand
from training.local.auto.portfolio import portfolio
from training.local.auto.running import Means, Runner, Shown, Stopwatch
from training.local.auto.search import SEARCH_FILE, TRIALS_FOLDER, Request, Search, read_search, write_search
from training.local.auto.story import write_story
from training.local.auto.trials import LocalTrials

ASKING_SHARE = 0.1
"""Of the budget, after which no more weights are asked for."""
MEASURING_SHARE = 0.03
"""Of the budget, how long a candidate may be measured at most, or so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks of AutoMode. ``began`` is when, by the monotonic clock; the budget is in seconds.

    ``threads``: None takes what is quickest here. ``pretrained``: where weights are looked for, by network.
    """

    budget: int
    shares: Shares
    threads: int | None
    pretrained: Mapping[str, str] = field(default_factory=dict)
    device: FitDevice
    began: float


def automode(
    data: Labelled, wish: Wish, target: Target, shown: Shown, asked: Callable[[], bool] = lambda: False
) -> Search:
    """Return the search with its outcome, its bundle proven and its story written; one that is there is gone on with.

    ``asked`` tells whether somebody wants it to end with the best so far.

    Raises:
        BudgetError: not one epoch of anything ends in time.
        TrainingError: unusable pictures, another search in the folder, a network that does not become a bundle.
        KeyboardInterrupt: it is asked to end before an epoch is done.
    """
    with _claimed(target.folder):
        return _automode(data, wish, target, shown, asked)


def _automode(data: Labelled, wish: Wish, target: Target, shown: Shown, asked: Callable[[], bool]) -> Search:
    before = read_search(target.folder)
    request = _request(data, wish)
    if before is not None:
        before = _gone_on(before, request, target.folder)
        if before.outcome:
            return before
    check_output(before, target)
    parts = part(data, wish.shares)
    watch = Stopwatch(monotonic, (before.spent if before else 0.0) + monotonic() - wish.began)
    if before:
        search = before
        shown.say(f"going on after {duration(before.spent)}")
    else:
        weights = at_hand(wish.pretrained, shown.say, lambda: watch.spent() < ASKING_SHARE * wish.budget)
        search = Search(request=request, facts=facts_of(parts), pretrained=weights)
    trials = _trials(parts, search.request, target.folder, shown)
    if not search.request.threads:
        search = replace(search, request=_with_threads(search, trials, shown))
    searched = _searched(search, trials, watch, target.folder, shown, asked)
    finished = finish(searched, trials, parts.test.records, target, shown)
    finished = replace(finished, spent=round(watch.spent(), 2))
    _keep(target.folder, finished)
    with _told_of_disk(target.folder):
        write_story(target.folder, finished, f"{target.export.name}:{target.export.version}")
    return finished


def _searched(
    search: Search, trials: LocalTrials, watch: Stopwatch, folder: Path, shown: Shown, asked: Callable[[], bool]
) -> Search:
    means = Means(
        trials=trials,
        watch=watch,
        keep=lambda kept: _keep(folder, kept),
        shown=shown,
        asked=asked,
        faults=(DivergenceError, OutOfMemoryError),
    )
    candidates = portfolio(search.facts, seed=search.request.seed, pretrained=search.pretrained)
    try:
        return Runner(search, candidates, means).run()
    except BudgetError:
        (folder / SEARCH_FILE).unlink(missing_ok=True)  # nothing is worth going on with, and the next one begins anew
        raise


def _trials(parts: Parts, request: Request, folder: Path, shown: Shown) -> LocalTrials:
    return LocalTrials(
        parts,
        folder / TRIALS_FOLDER,
        threads=request.threads or usable_cores(),
        device=request.device,
        say=shown.say,
        measuring_s=MEASURING_SHARE * request.budget,
    )


def _with_threads(search: Search, trials: LocalTrials, shown: Shown) -> Request:
    """Return the request with as many threads as are quickest here."""
    cores, request = usable_cores(), search.request
    threads = trials.threads_for() if cores > 1 else 1
    if threads < cores:
        shown.say(f"the machine is busy: {threads} of {cores} threads are quicker than all")
    return replace(request, threads=threads)


def _request(data: Labelled, wish: Wish) -> Request:
    return Request(
        budget=wish.budget,
        sha256=content_hash(data.records),
        classes=data.classes,
        validation_share=wish.shares.validation,
        test_share=wish.shares.test,
        seed=wish.shares.seed,
        threads=wish.threads or 0,
        device=wish.device,
    )


def _gone_on(search: Search, request: Request, folder: Path) -> Search:
    """Return the search with the budget that is asked for now; with a larger one, a finished one is gone on with.

    Raises:
        DataError: the folder holds a search for something else.
    """
    if not request.threads:
        request = replace(request, threads=search.request.threads)
    names = [field.name for field in fields(Request) if field.name != "budget"]
    other = [name for name in names if getattr(search.request, name) != getattr(request, name)]
    if other:
        words = {"sha256": "pictures", "classes": "classes"}
        what = ", ".join(words.get(name, f"--{name.replace('_', '-')}") for name in other)
        raise DataError(f"{folder}: holds a search with other {what}; give another --folder, or remove it")
    more = request.budget > search.request.budget
    search = replace(search, request=request)
    return replace(search, stopped="", outcome=None) if more else search


def _keep(folder: Path, search: Search) -> None:
    with _told_of_disk(folder):
        write_search(folder, search)


@contextmanager
def _told_of_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be written ({exc.strerror}); free space, then run it again") from exc


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Let no other process search in a folder meanwhile; it is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be made ({exc.strerror}); give another --folder") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise StorageError(f"{folder}: another search is at work there; wait for it, or give another --folder") from exc
    try:
        yield
    finally:
        os.close(descriptor)
