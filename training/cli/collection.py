"""The options of commands about labelled collections: how one is read, how it is split, what is looked for."""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from training.cli.options import wishes_of, with_options
from training.cli.progress import Bars
from training.dataset.annotations import TASKS
from training.dataset.collection import Care, Collection, collect
from training.dataset.finding import LEAST_SIDE
from training.dataset.parts import Shares
from training.dataset.reading import Wishes
from training.errors import UsageError

Command = Callable[..., Any]
Collected = Callable[..., Collection]
"""Reads, looks and checks: given bars to show it in, and ``suspects`` where wrong labels are looked for."""

_SHARE = click.FloatRange(0, 1, max_open=True)
_FOLDER = click.argument("folder", type=click.Path(exists=True, path_type=Path))
_SPLITTING = (
    click.option("--validation-share", type=_SHARE, default=0.2, show_default=True, help="Of each class."),
    click.option("--test-share", type=_SHARE, default=0.0, show_default=True, help="Of each class."),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same split."),
    click.option(
        "--group-near/--no-group-near",
        "near",
        default=True,
        show_default=True,
        help="Keep pictures that look the same on one side of the split.",
    ),
    click.option(
        "--by-name",
        metavar="REGEX",
        help="Keep pictures together in whose names this finds the same, such as 'strip(\\d+)'.",
    ),
)
_CHECKING = (
    click.option("--least-side", type=click.IntRange(1), default=LEAST_SIDE, show_default=True, help="Less is tiny."),
    click.option("--in-place", is_flag=True, help="Use pictures where they lie in Azure, as the labels tell."),
    click.option("--strict", is_flag=True, help="Take warnings for problems."),
)


def reading_options(command: Command) -> Command:
    """Give a command the options of a collection that it reads; it gets ``folder`` and ``wishes`` for them."""

    return _FOLDER(wishes_of("FOLDER", ", ".join(TASKS))(command))


def splitting_options(command: Command) -> Command:
    """Give a command the options of a split; it gets ``shares`` and ``care`` for them."""

    @wraps(command)
    def run(**given: Any) -> Any:
        shares = shares_of(given.pop("validation_share"), given.pop("test_share"), given.pop("seed"))
        care = Care(near=given.pop("near"), by_name=_pattern(given.pop("by_name")))
        return command(shares=shares, care=care, **given)

    return with_options(_SPLITTING, run)


def shares_of(validation: float, test: float, seed: int) -> Shares:
    """Return the shares that options ask for. Raises UsageError where they leave nothing to train on."""
    shares = Shares(validation, test, seed)
    if not shares.validation + shares.test < 1:  # "nan" is below nothing
        raise UsageError("--validation-share and --test-share leave nothing to train on; together they are below 1")
    return shares


def collection_options(command: Command) -> Command:
    """Give a command the options of a labelled collection, and ``collected`` in their place.

    ``collected`` reads, looks and checks when it is called with bars to show it in; keywords change how carefully.
    ``strict`` makes warnings count.
    """

    @reading_options
    @splitting_options
    @wraps(command)
    def run(folder: Path, wishes: Wishes, shares: Shares, care: Care, **given: Any) -> Any:
        in_place, side = given.pop("in_place"), given.pop("least_side")

        def collected(shown: Bars, *, suspects: bool = False) -> Collection:
            careful = Care(care.near, care.by_name, suspects, side)
            return collect(folder, wishes, shares, careful, in_place=in_place, told=told(shown, "checking"))

        return command(collected=collected, **given)

    return with_options(_CHECKING, run)


def told(shown: Bars, task: str) -> Callable[[int, int], None]:
    """Return what shows how far a task is."""
    return lambda done, total: shown.update(task, done, total, f"{done}/{total}")


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as exc:
        raise UsageError(f"--by-name {text!r} is no regular expression: {exc}") from exc
