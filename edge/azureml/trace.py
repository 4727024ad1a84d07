"""From a registered model that is no bundle back to the files that one can be made of.

AutoML itself registers an ``mlflow_model``, which holds no ONNX; the run that made it keeps one, with the labels, in
its artifacts. People register the bare ``train_artifacts`` of a run, which is nearly all that is needed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.azureml import tags
from edge.azureml.connection import Connection
from edge.azureml.containers import StoredFile
from edge.azureml.download import Download, Tell
from edge.azureml.place import SharedRegistry
from edge.azureml.stores import ARTIFACTS, Folder, Store, Stores
from edge.azureml.trouble import AzureFaultError, asking
from edge.azureml.versions import Version
from edge.bundle import CLASSIFICATION_TASKS
from edge.errors import ModelNotFoundError, ModelUnsupportedError

MODEL, LABELS, SETTINGS = "model.onnx", "labels.json", "settings.json"
TRAIN_ARTIFACTS, MLMODEL = "train_artifacts", "MLmodel"
RUN = "ExperimentRun/dcid.{run}"
"""Where the store of artifacts keeps a run's."""
BEST_CHILD = "automl_best_child_run_id"
"""The tag by which an AutoML job names its best trial."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The files to make a bundle of, by the path at which ``edge.artifacts`` looks for them; and whose they are."""

    files: Mapping[str, tuple[Store, StoredFile]]
    run: str = ""
    task: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for _, file in self.files.values())


class Tracer:
    """Finds the sources of versions of one place."""

    def __init__(self, connection: Connection, stores: Stores, tell: Tell) -> None:
        self._connection = connection
        self._stores = stores
        self._tell = tell

    def trace(self, version: Version, asset: Folder, files: Mapping[str, StoredFile]) -> Sources:
        """Return what a version with these files can be made of.

        Raises ModelNotFoundError where something is not there, saying what to do, ModelUnsupportedError for a task
        that the edge does not run, AzureFaultError.
        """
        shared = isinstance(self._connection.place, SharedRegistry)
        known = {path: (asset.store, file) for path, file in files.items()}
        described = _description(known)
        # the trial that AutoML wrote into the model itself goes first: the version's job may be the one around it
        said = "" if shared else self._said_in(described.get(MLMODEL), "training_run_id")
        runs = [] if shared else [run for run in dict.fromkeys((said, version.job)) if run]
        run = runs[-1] if runs else ""
        if not _graph(known):
            if not runs:
                unknown = "a registry knows no jobs" if shared else "nothing tells which job made it"
                raise ModelNotFoundError(f"it holds no {MODEL} with {LABELS}, and {unknown}; {_REMEDY}")
            run, artifacts = self._of_runs(runs)
            known = {**artifacts, **known}
        elif run and MLMODEL not in described:
            known = {**self._artifacts(run), **known}
        described = _description(known)
        task = self._said_in(described.get(MLMODEL), "finetuning_task") or version.tags.get(tags.TASK, "")
        if task and task not in CLASSIFICATION_TASKS:
            raise ModelUnsupportedError(f"it is for {task}; this version runs {' and '.join(CLASSIFICATION_TASKS)}")
        return Sources({**_graph(known), **_laid_out(described)}, run, task)

    def _of_runs(self, runs: Sequence[str]) -> tuple[str, Mapping[str, tuple[Store, StoredFile]]]:
        """Return the run that keeps the ONNX, which is the best trial of an AutoML job, and its files."""
        for trial in self._trials(runs):
            artifacts = self._artifacts(trial)
            if _graph(artifacts):
                return trial, artifacts
        raise ModelNotFoundError(
            f"the artifacts of its job {runs[0]} hold no {TRAIN_ARTIFACTS}/{MODEL} with {LABELS}: they were removed, "
            f"or it was trained with a model name of which AutoML makes no ONNX; {_REMEDY}"
        )

    def _trials(self, runs: Sequence[str]) -> Iterator[str]:
        """Yield the runs and, asked for only where that is not enough, the best trial of the only one.

        Where model and version name different runs, the job's best trial may be another one than made this model.
        """
        yield from runs
        best = None if len(runs) > 1 else (self._job(runs[0]).tags or {}).get(BEST_CHILD)
        if best:
            yield str(best)

    def _job(self, run: str) -> Any:
        try:
            with asking(f"looking up job {run}"):
                return self._connection.client.jobs.get(run)
        except AzureFaultError as error:
            if error.fault.passes:
                raise
            gone = "was deleted" if error.fault.kind == "absent" else f"cannot be looked at ({error})"
            raise ModelNotFoundError(
                f"its ONNX is not where its job {run} kept it, and that job {gone}; {_REMEDY}"
            ) from error

    def _artifacts(self, run: str) -> Mapping[str, tuple[Store, StoredFile]]:
        """Return those of a run's files that are of use; a run has many more, checkpoints of each epoch among them."""
        store = self._stores.datastore(ARTIFACTS)
        found: dict[str, tuple[Store, StoredFile]] = {}
        for part in (TRAIN_ARTIFACTS, "outputs/mlflow-model"):
            files = Folder(store, f"{RUN.format(run=run)}/{part}").files()
            found |= {f"{part}/{path}": (store, file) for path, file in files.items()}
        return found

    def _said_in(self, source: tuple[Store, StoredFile] | None, key: str) -> str:
        """Return what AutoML's YAML says under a key; empty where it says nothing."""
        if source is None:
            return ""
        text = Download(self._tell).read(*source).decode(errors="replace")
        found = re.search(rf"^\s*{key}:\s*['\"]?([^'\"\s]+)", text, re.MULTILINE)
        return found[1] if found else ""


_REMEDY = (
    "make a bundle of the job (automl-train azure fetch) and register that (automl-train azure register), or follow a "
    "version that is one"
)
_Files = Mapping[str, tuple[Store, StoredFile]]


def _graph(files: _Files) -> _Files:
    """Return graph and labels, where the importer looks for them; nothing where one is missing."""
    for folder in ("", f"{TRAIN_ARTIFACTS}/"):
        if folder + MODEL in files and folder + LABELS in files:
            return {f"{TRAIN_ARTIFACTS}/{name}": files[folder + name] for name in (MODEL, LABELS)}
    return {}


def _description(files: _Files) -> _Files:
    """Return MLmodel and settings.json: those of the registered folder before those of the run."""
    mlflow = "outputs/mlflow-model/"
    places = {
        MLMODEL: (MLMODEL, mlflow + MLMODEL),
        SETTINGS: (SETTINGS, f"artifacts/{SETTINGS}", f"{mlflow}artifacts/{SETTINGS}"),
    }
    first = {name: next((path for path in paths if path in files), "") for name, paths in places.items()}
    return {name: files[path] for name, path in first.items() if path}


def _laid_out(described: _Files) -> _Files:
    at = {MLMODEL: f"outputs/mlflow-model/{MLMODEL}", SETTINGS: f"outputs/mlflow-model/artifacts/{SETTINGS}"}
    return {at[name]: source for name, source in described.items()}
