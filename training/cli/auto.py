"""`automl-train auto`: picks networks and settings by itself, within a time."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from training.cli.collection import shares_of
from training.cli.options import data_argument, json_option, named_options, wishes_options
from training.cli.progress import Bars, bars
from training.dataset.labelled import read_labelled
from training.dataset.reading import Wishes
from training.export import check_identity
from training.local.auto.budget import parse_budget

if TYPE_CHECKING:
    from training.local.auto.search import Search, Trial

_SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(short_help="Pick networks and settings by itself, within a time.")
@data_argument
@click.option("--budget", required=True, metavar="TIME", help="How long it may take, as 90s, 30m or 1h30m.")
@wishes_options
@named_options
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the search and its story.  [default: runs/NAME/VERSION.auto; with --output, DIR.auto]",
)
@click.option(
    "--validation-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Of each class, to choose by.",
)
@click.option(
    "--test-share",
    type=_SHARE,
    default=0.1,
    show_default=True,
    help="Of each class, kept aside to judge the chosen one by, once; 0 keeps none.",
)
@click.option(
    "--pretrained",
    multiple=True,
    default=("auto",),
    show_default=True,
    metavar="WEIGHTS",
    help="First weights: auto (the hub's, where it answers), none, or NETWORK=WEIGHTS as fit takes them; repeatable.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Deals the pictures.")
@click.option("--threads", type=click.IntRange(1), help="Threads to train on.  [default: what is quickest here]")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True, help="Where to train."
)
@json_option
def auto(
    data: tuple[Path, ...],
    *,
    wishes: Wishes,
    name: str,
    version: str,
    output: Path | None,
    folder: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Try networks and settings on DATA within a time, and end with the best as a proven bundle.

    Measures how fast this machine is, fits what is known to do well first, and others while time lasts. Ends in time,
    tells in FOLDER/story.md how it chose, and goes on where it was killed. Ctrl-C ends it with the best so far.
    """
    began, budget = monotonic(), parse_budget(given["budget"])
    shares = shares_of(given["validation_share"], given["test_share"], given["seed"])
    check_identity(name, version)
    folder = folder or (output.with_name(f"{output.name}.auto") if output else Path("runs") / name / f"{version}.auto")
    output = output or Path("models") / name / version
    labelled = read_labelled(data, wishes)
    from training.local.auto.finish import Target  # noqa: PLC0415 - torch takes seconds; what is mistyped is told first
    from training.local.auto.first_weights import wanted_weights  # noqa: PLC0415 - as above
    from training.local.auto.mode import Wish, automode  # noqa: PLC0415 - as above
    from training.local.bundling import Export  # noqa: PLC0415 - as above

    wish = Wish(
        budget=budget,
        shares=shares,
        threads=given["threads"],
        device=given["device"],
        began=began,
        pretrained=wanted_weights(given["pretrained"]),
    )
    target = Target(folder=folder, export=Export(name=name, version=version), output=output)
    with bars() as shown, _asked(shown) as asked:
        search = automode(labelled, wish, target, _Shown(shown, budget), asked)
    _print(search, target.folder, f"{name}:{version}", as_json=as_json)


class Asked:
    """Hears Ctrl-C: the first one asks to end with the best so far, the second one ends at once."""

    def __init__(self, shown: Bars) -> None:
        self._shown = shown
        self._heard = False

    def __call__(self) -> bool:
        """Tell whether it was heard."""
        return self._heard

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Take the signal. Raises KeyboardInterrupt the second time."""
        if self._heard:
            signal.default_int_handler(number, frame)
        self._heard = True
        self._shown.say("ending with the best so far; Ctrl-C once more ends at once, and the same command goes on")


@contextmanager
def _asked(shown: Bars) -> Iterator[Asked]:
    asked = Asked(shown)
    before = signal.signal(signal.SIGINT, asked.hear)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


class _Shown:
    """Shows a search as one bar over its budget, and what is decided as lines above it."""

    def __init__(self, shown: Bars, budget: int) -> None:
        self._shown = shown
        self._budget = budget
        self._last = (0, 0)

    def say(self, line: str) -> None:
        self._shown.say(line)

    def progress(self, trial: "Trial", share: float, spent: float) -> None:  # noqa: ARG002 - a port's signature
        best = "".join(f" {name} {value:.3f}" for name, value in trial.validation.items() if name != "log_loss")
        figures = f"{trial.candidate} {trial.epochs}/{trial.planned}{best}"
        fresh = trial.epochs > 0 and (trial.number, trial.epochs) != self._last
        self._last = (trial.number, trial.epochs)
        self._shown.update("budget", min(round(spent), self._budget), self._budget, figures, milestone=fresh)


def _print(search: "Search", folder: Path, name: str, *, as_json: bool) -> None:
    from training.local.auto.search import STORY_FILE  # noqa: PLC0415 - as above
    from training.local.auto.story import summary, trial_columns, trial_rows  # noqa: PLC0415 - as above

    if as_json:
        click.echo(json.dumps({**search.as_dict(), "story": str(folder / STORY_FILE)}, indent=2, ensure_ascii=False))
        return
    table = Table(*trial_columns(search), box=None, pad_edge=False)
    for row in trial_rows(search):
        table.add_row(*row)
    console = Console()
    console.print(table, "")
    bundle = search.outcome.bundle if search.outcome else ""
    for line in (*summary(search, name), f"The bundle lies in {bundle}, the story in {folder / STORY_FILE}"):
        console.print(line, highlight=False, markup=False, soft_wrap=not console.is_terminal)
