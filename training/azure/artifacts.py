"""What a trial left in the workspace's store of artifacts, of which only a few small things and the model are wanted.

Beside them lie checkpoints, one an epoch and each as large as the model: the SDK's ``jobs.download`` takes them all.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.azureml.containers import Container, StoredFile, open_datastore
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError

STORE = "workspaceartifactstore"
MODEL = "train_artifacts/model.onnx"
LABELS = "train_artifacts/labels.json"
SETTINGS = "outputs/mlflow-model/artifacts/settings.json"
MLMODEL = "outputs/mlflow-model/MLmodel"
ENVIRONMENT = "outputs/conda_env_v_1_0_0.yml"
CHECKPOINT = "outputs/model.pt"
FIGURES = ("confusion_matrix", "accuracy_table", "train_artifacts/per_label_metrics.json")
WANTED: frozenset[str] = frozenset((MODEL, LABELS, SETTINGS, MLMODEL, *FIGURES))
NEEDED = (MODEL, LABELS)
MAX_FIGURE_BYTES = 16 << 20
"""The most that is downloaded of one figure."""
KEPT_FIGURE_CHARACTERS = 300_000
"""The most of one figure that a manifest keeps, as JSON: a device reads all of it."""
THRESHOLDS = 21
"""How many thresholds of an accuracy table are kept."""

Took = Callable[[int, int], object]
"""Hears how many bytes have come, of how many."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What lies below a run, by path below it; ``folder`` is where in the store."""

    folder: str
    files: Mapping[str, StoredFile]

    def missing(self, needed: Iterable[str]) -> list[str]:
        """Return which of these files are not there."""
        return [path for path in needed if path not in self.files]


def artifacts_of(run: str) -> str:
    """Return the folder of a run's artifacts in the store."""
    return f"ExperimentRun/dcid.{run}"


def list_files(container: Container, run: str) -> RunFiles:
    """Return what lies below a run."""
    folder = artifacts_of(run)
    return RunFiles(folder, {file.path.removeprefix(f"{folder}/"): file for file in container.files(folder)})


def download_wanted(
    session: Session,
    run: str,
    into: Path,
    *,
    wanted: frozenset[str] = WANTED,
    check: Callable[[RunFiles], None],
    took: Took,
) -> tuple[str, ...]:
    """Write those of a run's ``wanted`` files that are there below ``into``, and return their paths.

    ``check`` is shown what is there before anything is downloaded, and may raise.

    Raises:
        AzureError: the store may not be read; AzureUnavailableError also where a file was cut off on its way.
    """
    with (
        session.asking(f"reading the files of {run} in {STORE}"),
        open_datastore(session.connection, STORE, timeout_s=session.timeout_s) as container,
    ):
        found = list_files(container, run)
        check(found)
        chosen = [path for path in sorted(wanted & found.files.keys()) if not _too_large(path, found.files[path])]
        of, done = sum(found.files[path].size for path in chosen), 0
        for path in chosen:
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(container, found.files[path], target, took=lambda count, before=done: took(before + count, of))  # type: ignore[misc] # mypy infers no lambda with a default
            done += found.files[path].size
    return tuple(chosen)


def _too_large(path: str, file: StoredFile) -> bool:
    return path in FIGURES and file.size > MAX_FIGURE_BYTES


def _download(container: Container, file: StoredFile, into: Path, *, took: Callable[[int], object]) -> None:
    """Write one file; ``took`` hears of all bytes so far. Its size, and its MD5 where Azure has one, must be right."""
    done, md5 = 0, hashlib.md5(usedforsecurity=False)
    with into.open("wb") as target:
        for chunk in container.chunks(file.path):
            target.write(chunk)
            md5.update(chunk)
            done += len(chunk)
            took(done)
    if done != file.size:
        raise AzureUnavailableError(f"{file.path}: {done} of {file.size} bytes came; fetch it again")
    if file.md5 not in (None, md5.hexdigest()):
        raise AzureUnavailableError(
            f"{file.path}: its bytes do not have the MD5 that Azure keeps of it; fetch it again"
        )


def read_figures(folder: Path, paths: Iterable[str]) -> dict[str, Any]:
    """Return the run's figures that were downloaded, as plain JSON that a manifest can hold.

    Raises:
        AzureError: a figure is no JSON.
    """
    figures = {}
    for path in (path for path in paths if path in FIGURES):
        name = Path(path).stem
        try:
            told = json.loads((folder / path).read_bytes(), parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            raise AzureError(
                f"{path} of the trial is no JSON ({error}): it was damaged on its way, or in Azure"
            ) from error
        figures[name] = bounded(name, told)
    return figures


def bounded(name: str, told: Any) -> Any:
    """Return a figure without its envelope, an accuracy table at few thresholds, or how large it is if it is too large.

    Pure.
    """
    data = told.get("data", told) if isinstance(told, Mapping) else told
    if name == "accuracy_table" and isinstance(data, Mapping):
        data = _thinned(data)
    characters = len(json.dumps(data))
    if characters > KEPT_FIGURE_CHARACTERS:
        return {"left_out": f"{characters} characters as JSON; a bundle keeps at most {KEPT_FIGURE_CHARACTERS}"}
    return data


def _thinned(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an accuracy table at :data:`THRESHOLDS` thresholds, evenly chosen, first and last among them."""
    thin: dict[str, Any] = dict(table)
    for kind in ("probability", "percentile"):
        thresholds, tables = table.get(f"{kind}_thresholds"), table.get(f"{kind}_tables")
        if not isinstance(thresholds, Sequence) or not isinstance(tables, Sequence) or len(thresholds) <= THRESHOLDS:
            continue
        chosen = [math.floor(i * (len(thresholds) - 1) / (THRESHOLDS - 1)) for i in range(THRESHOLDS)]
        thin[f"{kind}_thresholds"] = [thresholds[index] for index in chosen]
        thin[f"{kind}_tables"] = [[rows[i] for i in chosen if i < len(rows)] for rows in tables]
    return thin
