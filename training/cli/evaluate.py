"""`automl-train evaluate`: how a bundle does, judged exactly as the edge runs it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edge.bundle import MULTILABEL, Bundle, Task, open_bundle
from edge.durable import replace_file
from training.assessment import Wanted, assess
from training.cli.judged import print_judgement
from training.cli.options import FOLDER, data_argument, json_option, wishes_options
from training.cli.progress import bars
from training.dataset.labelled import Labelled, read_labelled
from training.dataset.reading import Wishes
from training.derived import Tuning, write_calibrated
from training.errors import DataError, UsageError
from training.export import check_identity, check_target
from training.judgement import Judgement
from training.thresholds import ESCAPE, REJECT, Prices

COST = click.FloatRange(min=0)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("bundle", type=FOLDER)
@data_argument
@wishes_options
@click.option("--against", multiple=True, type=FOLDER, metavar="BUNDLE", help="Another bundle beside it; repeatable.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu", "require-gpu"]),
    default="auto",
    show_default=True,
    help="What runs the model.",
)
@click.option("--skip-unreadable", is_flag=True, help="Leave unreadable pictures out, and say so.")
@click.option("--skip-unknown", is_flag=True, help="Leave pictures of classes out that a bundle does not know.")
@click.option("--good", metavar="CLASS", help="The class that passes: choose the threshold on its probability.")
@click.option(
    "--good-share", type=click.FloatRange(0, 1), metavar="SHARE", help="Share of good parts in use.  [default: DATA's]"
)
@click.option("--escape-cost", type=COST, help=f"Of a bad part that passes, or a label missed.  [default: {ESCAPE:g}]")
@click.option("--reject-cost", type=COST, help=f"Of a good part rejected, or a label too many.  [default: {REJECT:g}]")
@click.option("--wrong-cost", type=COST, help=f"Without --good: of a wrong answer.  [default: {ESCAPE:g}]")
@click.option("--look-cost", type=COST, help=f"Without --good: of a person's look.  [default: {REJECT:g}]")
@click.option("--calibrated", type=click.Path(path_type=Path), metavar="DIR", help="Write a calibrated bundle.")
@click.option("--best-threshold", is_flag=True, help="Give it the best threshold, too, where it is multi-label.")
@click.option("--version", help="Version of the calibrated bundle.")
@click.option("--report", type=FILE, metavar="FILE.html", help="Write a page that needs no network.")
@click.option("--output", type=FILE, metavar="FILE.json", help="Write what --json prints.")
@json_option
def evaluate(  # noqa: PLR0913 - one parameter an option, as click passes them
    bundle: Path,
    data: tuple[Path, ...],
    *,
    wishes: Wishes,
    against: tuple[Path, ...],
    calibrated: Path | None,
    best_threshold: bool,
    version: str | None,
    report: Path | None,
    output: Path | None,
    as_json: bool,
    **rest: Any,
) -> None:
    """Judge BUNDLE on labelled pictures exactly as the edge runs it, on this device.

    DATA is one folder a class, AutoML's JSONL, COCO or a CSV. Nothing is left out unless it is asked for.
    """
    opened = [open_bundle(folder) for folder in (bundle, *against)]
    task = opened[0].manifest.task
    _check_targets(opened[0], calibrated, version, report, output)
    _check_kept(data, output)
    if best_threshold and (calibrated is None or task != MULTILABEL):
        raise UsageError("--best-threshold: needs --calibrated DIR, and a multi-label bundle")
    wanted = _wanted(task, rest)
    labelled = read_labelled(data, _for_task(wishes, task))
    judgement = _assess(opened, labelled, wanted)
    figures = judgement.as_json()
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        print_judgement(judgement)
    if output is not None:
        _write_json(output, figures)
    if report is not None:
        from training.pages.report import write_report  # noqa: PLC0415 - jinja2 and matplotlib, for who wants a page

        write_report(report, judgement)
    for path in (output, report):
        if path is not None:
            click.echo(f"written: {path}", err=True)
    if calibrated is not None and version is not None:
        tuning = _tuning(opened[0], judgement, with_threshold=best_threshold)
        made = write_calibrated(opened[0], tuning, calibrated, version=version, facts=_facts(judgement))
        state = "is proven" if made.manifest.golden else "is written, but has no golden pictures to be proven by"
        click.echo(f"{made} {state}: {calibrated}", err=True)


def _check_targets(
    bundle: Bundle, calibrated: Path | None, version: str | None, report: Path | None, output: Path | None
) -> None:
    """Make sure, before any work, that what is asked for can be written."""
    for path, suffix in ((report, ".html"), (output, ".json")):
        if path is not None and path.suffix.lower() != suffix:
            raise UsageError(f"{path}: must end with {suffix}")
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}")
    if (calibrated is None) != (version is None):
        raise UsageError("--calibrated DIR and --version V belong together")
    if calibrated is not None and version is not None:
        check_identity(bundle.manifest.name, version)
        check_target(calibrated)


def _check_kept(data: tuple[Path, ...], output: Path | None) -> None:
    if output is not None and output.resolve() in [path.resolve() for path in data]:
        raise UsageError(f"{output}: is what is to be read, and would be overwritten; choose another --output")


def _for_task(wishes: Wishes, task: Task) -> Wishes:
    """Return how to read the data for the bundle's task."""
    if wishes.task not in (None, task):
        raise UsageError(f"--task {wishes.task}: the bundle is for {task}; leave --task out")
    return replace(wishes, task=task)


def _wanted(task: Task, given: dict[str, Any]) -> Wanted:
    costs = {name: given.pop(f"{name}_cost") for name in ("escape", "reject", "wrong", "look")}
    by_part = task == MULTILABEL or given["good"] is not None
    mistaken = [name for name in (("wrong", "look") if by_part else ("escape", "reject")) if costs[name] is not None]
    if mistaken:
        needed = "only without --good, for a multi-class bundle" if by_part else "needs --good CLASS"
        raise UsageError(f"--{mistaken[0]}-cost: {needed}")
    if given["good_share"] is not None and given["good"] is None:
        raise UsageError("--good-share: needs --good CLASS")
    return Wanted(
        **given, prices=_prices(task, *(costs[one] for one in (("escape", "reject") if by_part else ("wrong", "look"))))
    )


def _prices(task: Task, dear: float | None, cheap: float | None) -> Prices:
    if dear is None and cheap is None:
        return Prices()
    both = (ESCAPE if dear is None else dear, REJECT if cheap is None else cheap)
    # a multi-label model misses a label by not accepting it
    return Prices(*reversed(both)) if task == MULTILABEL else Prices(*both)


def _assess(bundles: list[Bundle], data: Labelled, wanted: Wanted) -> Judgement:
    with bars() as shown:
        return assess(
            bundles, data, wanted, lambda task, done, total: shown.update(task, done, total, f"{done}/{total}")
        )


def _write_json(path: Path, figures: Mapping[str, Any]) -> None:
    try:
        replace_file(path, (json.dumps(figures, indent=2) + "\n").encode())
    except OSError as exc:
        raise DataError(f"{path}: cannot be written ({exc.strerror})") from exc


def _tuning(bundle: Bundle, judgement: Judgement, *, with_threshold: bool) -> Tuning:
    """Return what is written into a new bundle: a temperature that helps, and the best threshold where it is wanted."""
    found, choice = judgement.calibration, judgement.choice
    if with_threshold and not choice.is_better_held_out:
        value, today = f"{choice.held_out:.4g}", f"{choice.today.value:.4g}"
        click.echo(
            f"warning: on pictures that did not choose it, the threshold is no better: {value}, today {today}", err=True
        )
    why = found.why
    if found.after is not None and found.after.log_loss >= found.before.log_loss:
        losses = f"log-loss {found.before.log_loss:.4f} to {found.after.log_loss:.4f}"
        why = f"on pictures that did not choose the temperature it is no better ({losses})"
    if not why:
        return Tuning(found.temperature, choice.threshold if with_threshold else None)
    if not with_threshold:
        raise DataError(f"{bundle} is not calibrated: {why}")
    click.echo(f"without a temperature: {why}", err=True)
    return Tuning(None, choice.threshold)


def _facts(judgement: Judgement) -> dict[str, Any]:
    before, after = judgement.calibration.before, judgement.calibration.after
    return {
        "pictures": len(judgement.answers.records),
        "data_sha256": judgement.circumstances.data_sha256,
        "log_loss": {"before": before.log_loss, "after": after.log_loss if after else None},
        "ece": {"before": before.expected_error, "after": after.expected_error if after else None},
    }
