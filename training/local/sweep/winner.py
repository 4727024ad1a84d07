"""The bundle of a sweep's best trial."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.bundle import MANIFEST, open_bundle
from training.errors import ExportError, TrainingError
from training.export import check_target
from training.leaderboard import Trial
from training.local.bundling import Export, Say, export_run
from training.local.sweep.folder import trial_folder
from training.local.sweep.sweeping import Sweeping

SWEEP = "sweep"


def place_for(sweeping: Sweeping, target: Path) -> None:
    """Make sure that the bundle can be put there, before hours are spent on it.

    Raises:
        ExportError: something else is there, or the bundle of a sweep that is not at its end.
    """
    if not _is_there(sweeping, target):
        check_target(target)


def export_winner(sweeping: Sweeping, target: Path, version: str, say: Say) -> None:
    """Make the bundle of the best trial that has ended, unless it is there already.

    Raises:
        TrainingError: no trial has ended well.
        ExportError: no bundle can be made of it.
    """
    view = sweeping.view(running=False)
    if view.winner is None:
        why = view.reasons[0] if view.reasons else "none has ended yet; the same command goes on"
        raise TrainingError(f"{view.called}: there is no best trial of {len(view.trials)}: {why}")
    if _is_there(sweeping, target):
        return
    export = Export(
        name=sweeping.file.name, version=version, provenance={SWEEP: _provenance(sweeping, view.winner, view.trials)}
    )
    export_run(trial_folder(sweeping.folder, view.winner.number or 0), export, target, say=say)


def _provenance(sweeping: Sweeping, winner: Trial, trials: tuple[Trial, ...]) -> Mapping[str, Any]:
    file = sweeping.file
    return {
        "name": file.name,
        "id": sweeping.ident,
        "sampling_algorithm": file.sweep.sampling_algorithm,
        "trials": len(trials),
        "trial": winner.number,
        "primary_metric": file.metric,
        "value": winner.score,
    }


def _is_there(sweeping: Sweeping, target: Path) -> bool:
    """Tell whether the bundle of the best trial of this very sweep, which has ended, lies there."""
    if not (target / MANIFEST).is_file():
        return False
    told = open_bundle(target).manifest.provenance.get(SWEEP) or {}
    view = sweeping.view(running=False)
    if told.get("id") != sweeping.ident:
        return False
    if not view.ended or view.winner is None or told.get("trial") != view.winner.number:
        raise ExportError(f"{target}: holds what this sweep found earlier; give another --version or --bundle")
    return True
