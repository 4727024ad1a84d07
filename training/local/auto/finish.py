"""The bundle of the best network, and its judgement on the pictures that nothing was chosen by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.bundle import Bundle, open_bundle, write_manifest
from edge.errors import EdgeError
from edge.proof import load_and_prove
from training.answers import Answers
from training.dataset.records import Record
from training.errors import DataError, ExportError
from training.export import check_target
from training.intervals import share_interval
from training.judge import answer_records, check_all_readable
from training.local.auto.running import Shown
from training.local.auto.search import TRIALS_FOLDER, Outcome, Search, Trial
from training.local.auto.trials import LocalTrials
from training.local.auto.verdict import difference, ranked
from training.local.bundling import Export, export_run
from training.local.run import read_run
from training.metrics import multilabel_metrics
from training.report import recipe_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the search is, and what its bundle is called and where it goes."""

    folder: Path
    export: Export
    output: Path


def check_output(search: Search | None, target: Target) -> None:
    """Make sure that the bundle can be put there, unless it is there since a kill.

    Raises:
        ExportError: something else is there.
    """
    if search is None or not search.stopped or _made_before(search, target) is None:
        check_target(target.output)


def finish(search: Search, trials: LocalTrials, test: Sequence[Record], target: Target, shown: Shown) -> Search:
    """Export the best, judge it, compare it with the second, and return the search with its outcome.

    A network that does not become a bundle is passed over for the next one, and named.

    Raises:
        ExportError: none becomes a bundle, or it cannot be put there.
        DataError: a picture kept aside cannot be read.
        EdgeError: the bundle does not run.
    """
    order = ranked(search.trials, search.facts.metric)
    chosen, bundle, passed_over = _exported(search, order, target, shown)
    rivals = [trial for trial in order if trial.candidate != chosen.candidate and trial.how != "slow"]
    outcome = _compared(trials, chosen, rivals[0] if rivals else None)
    if test:
        shown.say(f"judging it on the {len(test)} pictures kept aside")
    figures = judge(bundle, test) if test else {}
    outcome = replace(outcome, test=figures, passed_over=passed_over, bundle=str(target.output))
    _tell(bundle, figures)
    return replace(search, outcome=outcome)


def _exported(
    search: Search, order: Sequence[Trial], target: Target, shown: Shown
) -> tuple[Trial, Bundle, tuple[str, ...]]:
    """Return whose network became the bundle, the bundle, and why those before did not."""
    if made := _made_before(search, target):
        recipe = recipe_of(made)
        return next(trial for trial in order if trial.recipe == recipe), made, ()
    passed_over: list[str] = []
    for trial in order:
        shown.say(f"exporting trial {trial.number}, {trial.candidate}")
        try:
            export = replace(target.export, provenance={"auto": _provenance(search, trial)})
            bundle = export_run(target.folder / TRIALS_FOLDER / trial.folder, export, target.output, say=shown.say)
        except ExportError as exc:
            passed_over.append(f"trial {trial.number}, {trial.candidate}: {exc}")
        else:
            return trial, bundle, tuple(passed_over)
    raise ExportError(f"no network became a bundle, give a larger --budget; {passed_over[0]}")


def _made_before(search: Search, target: Target) -> Bundle | None:
    """Return the bundle that was made of this search before it was killed."""
    try:
        bundle = open_bundle(target.output)
        recipe, dataset = recipe_of(bundle), bundle.manifest.provenance["dataset"]
        made_of = next((trial for trial in search.trials if trial.recipe == recipe), None)
        run = made_of and read_run(target.folder / TRIALS_FOLDER / made_of.folder)
    except (EdgeError, DataError, KeyError):
        return None  # nothing of ours is there: whatever is, is not overwritten
    return bundle if run and dataset["sha256"] == run.sha256 else None


def _compared(trials: LocalTrials, chosen: Trial, rival: Trial | None) -> Outcome:
    if rival is None:
        return Outcome(chosen=chosen.number)
    found = difference(trials.right(chosen.folder), trials.right(rival.folder))
    return Outcome(
        chosen=chosen.number,
        rival=rival.number,
        only_chosen=found.only_first,
        only_rival=found.only_second,
        chance=found.chance,
    )


def judge(bundle: Bundle, records: Sequence[Record]) -> dict[str, Any]:
    """Return how the bundle answers pictures through the edge's own path: counts, shares and their interval (0..1).

    Raises:
        DataError: a picture cannot be read.
        EdgeError: the bundle does not prove itself or run.
    """
    model, _ = load_and_prove(bundle, device="cpu")
    answers, unreadable = answer_records(bundle, model, records, lambda _: None)
    check_all_readable(unreadable)
    return _figures(answers)


def _figures(answers: Answers) -> dict[str, Any]:
    total, right = len(answers.right), int(answers.right.sum())
    low, high = share_interval(right, total)
    figures = {"pictures": total, "right": right, "accuracy": right / total, "low": low, "high": high}
    if answers.multilabel:
        figures["iou"] = multilabel_metrics(answers.true, answers.probs, answers.selected)["iou"] or 0.0
    figures = {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}
    return {**figures, "mistakes_by_class": answers.mistakes_by_class}


def _provenance(search: Search, chosen: Trial) -> dict[str, Any]:
    """Return how the network was chosen, for a manifest."""
    request = search.request
    return {
        "budget_s": request.budget,
        "trials": len(search.trials),
        "trial": chosen.number,
        "seed": request.seed,
        "validation_share": request.validation_share,
        "test_share": request.test_share,
        "pictures_sha256": request.sha256,
    }


def _tell(bundle: Bundle, figures: Mapping[str, Any]) -> None:
    """Write the figures of the pictures kept aside into the manifest, as ``metrics.kept_aside``.

    Raises:
        ExportError: it cannot be written.
    """
    if not figures:
        return
    metrics = {**bundle.manifest.metrics, "kept_aside": dict(figures)}
    try:
        write_manifest(bundle.folder, bundle.manifest.model_copy(update={"metrics": metrics}))
    except OSError as exc:
        raise ExportError(f"{bundle.folder}: the manifest cannot be written ({exc.strerror})") from exc
