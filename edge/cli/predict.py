"""``automl-edge predict``: pictures and folders through the latest registered model, once, one row a picture."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge.bundle import MULTILABEL, Bundle, open_bundle
from edge.cli.executors import BATCH_SIZES, running, suitable
from edge.cli.options import device_option, registry_option
from edge.cli.pictures import Answer, answers, find
from edge.cli.rows import columns, json_line
from edge.cli.selection import ModelSpec, Wanted, choose
from edge.cli.summary import Tally
from edge.errors import SourceError
from edge.ports import Model
from edge.proof import load_and_prove
from edge.publishers.files import open_writer
from edge.session import Device

OUTPUTS = (".csv", ".jsonl")
PARTIAL = ".partial"
"""What edge.publishers.files adds to the name of a file that is not finished."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: the arguments as typed, and where rows go (None: standard output)."""

    paths: tuple[str, ...]
    recursive: bool
    output: Path | None
    as_json: bool

    @property
    def partial(self) -> Path | None:
        """Where rows stay when the work does not come to its end."""
        return self.output and self.output.with_name(f"{self.output.name}{PARTIAL}")

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar disturbs nobody: standard error is a terminal and rows do not go to one."""
        return sys.stderr.isatty() and (self.output is not None or not sys.stdout.isatty())

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return sum(1 for _ in find(self.paths, recursive=self.recursive))


def _output(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is None:
        return None
    if value.suffix.lower() not in OUTPUTS:
        raise click.BadParameter(f"{value} must end with {' or '.join(OUTPUTS)}", ctx, param)
    if not value.parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.parent}", ctx, param)
    return value


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True), metavar="PATH...")
@click.option("--model", "wanted", type=ModelSpec(), default=Wanted(), help="A model; by default the newest one.")
@registry_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_output,
    metavar="FILE",
    help="FILE.csv or .jsonl.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of columns.")
@device_option
@click.option("--recursive/--no-recursive", default=True, show_default=True, help="Look into folders below folders.")
@click.pass_context
def predict(
    ctx: click.Context,
    *,
    paths: tuple[str, ...],
    wanted: Wanted,
    registry: Path,
    output: Path | None,
    as_json: bool,
    device: Device,
    recursive: bool,
) -> None:
    """Predict pictures and folders of pictures, once.

    One row a picture, in order; a bad picture has its error in its own row. Rows go to standard output or --output,
    the summary to standard error. Exit code 1 where some picture failed.
    """
    if output is not None and as_json:
        raise click.UsageError("--json prints what --output would write; give one of them")
    request = Request(paths, recursive, output, as_json)
    total = request.total
    if total == 0:
        raise SourceError(f"no pictures in {', '.join(paths)}")
    choice = choose(registry, wanted)
    for refusal in choice.refused:
        click.echo(f"warning: {refusal}", err=True)
    bundle = open_bundle(choice.folder)
    model, _ = load_and_prove(bundle, device=device, batch_sizes=BATCH_SIZES)
    ctx.exit(_run(request, bundle, model, total))


def _run(request: Request, bundle: Bundle, model: Model, total: int) -> int:
    """Answer all pictures and return the exit code; when interrupted, what was answered stays written."""
    tally = Tally(total, time.perf_counter())
    try:
        with ExitStack() as stack:
            executor = stack.enter_context(running(model, suitable(model)))
            write = stack.enter_context(_rows(request, bundle))
            pictures = find(request.paths, recursive=request.recursive)
            done = answers(pictures, executor)
            for answer in _with_progress(done, total) if request.shows_progress else done:
                write(answer)
                tally.count(answer)
    except BaseException:
        click.echo(tally.text(model, request.partial), err=True)
        raise
    click.echo(tally.text(model, request.output), err=True)
    return 1 if tally.failed else 0


@contextmanager
def _rows(request: Request, bundle: Bundle) -> Iterator[Callable[[Answer], None]]:
    """Give what takes an answer to where rows go."""
    if request.output is not None:
        multilabel = bundle.manifest.task == MULTILABEL
        with open_writer(request.output, bundle.labels, multilabel=multilabel) as writer:
            yield lambda answer: writer.write(answer.picture.text, answer.prediction)
    elif request.as_json:
        yield lambda answer: click.echo(json_line(answer))
    else:
        yield _printer(bundle.labels)


def _printer(labels: Sequence[str]) -> Callable[[Answer], None]:
    heading, line = columns(labels)
    click.echo(heading)
    return lambda answer: click.echo(line(answer))


def _with_progress(done: Iterable[Answer], total: int) -> Iterator[Answer]:
    """Pass answers through under a progress bar on standard error."""
    bar = Progress(
        TextColumn("predicting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        yield from bar.track(done, total=total)
