"""From a finished AutoML job to a verified bundle: the best trial's few files, judged, proven, placed in one step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.artifacts import Evidence, ImportOptions, import_artifacts
from edge.bundle import CLASSIFICATION_TASKS, Bundle, open_bundle
from edge.registry.files import partial_folder, place, remove_stale_partials
from training.azure import artifacts
from training.azure.artifacts import NEEDED, RunFiles, download_wanted, read_figures
from training.azure.batch_export import BatchOrder, export_batch
from training.azure.origin import Origin, choose_trial, parent_of, provenance_of, read_origin, settings_of
from training.azure.session import Session
from training.azure.trials import MODEL, Trial
from training.errors import AzureError, UsageError
from training.export import check_identity, check_target
from training.image_models import network

Shown = Callable[[str, int, int], object]
"""Hears of a step by name, how far it is, and of how much."""
DEFAULT_REGISTRY = Path("models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to fetch, and into what.

    ``trial`` is a number or a name, None the best one; ``job`` may be None where a trial is named. The bundle goes to
    ``output``, else to ``registry``/name/version. ``golden`` is a folder of pictures with known answers; ``batch`` the
    number of pictures that a detection or segmentation graph shall take, None AutoML's own export.
    """

    name: str
    job: str | None = None
    trial: str | None = None
    version: str | None = None
    output: Path | None = None
    registry: Path = DEFAULT_REGISTRY
    golden: Path | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A verified bundle, where it came from, and what known answers showed (None where none were given)."""

    bundle: Bundle
    origin: Origin
    trial: Trial
    evidence: Evidence | None


def fetch(session: Session, wish: Wish, shown: Shown = lambda *_: None, *, wait_s: float = 15.0) -> Fetched:
    """Make a bundle of a trial; what is interrupted, or does not hold, leaves nothing.

    ``wait_s`` lies between two looks at a batch export.

    Raises:
        UsageError: a name that no bundle can have, or ``batch`` for what needs none.
        AzureError: the job has not ended well, its files are gone or may not be read, it made no ONNX.
        EdgeError: the files do not fit each other, or the known answers.
    """
    _check(wish)
    origin = read_origin(session, wish.job or parent_of(wish.trial or ""))
    _check_batch(wish, origin)
    trial = choose_trial(session, origin, wish.trial)
    with _registry(wish) as (registry, version), partial_folder(registry) as folder:
        took = lambda done, of: shown("downloading", done, of)  # noqa: E731 - as short as its name
        paths = download_wanted(session, trial.name, folder, check=_has_model(trial, origin), took=took)
        exported = None
        if wish.batch is not None:
            order = BatchOrder(origin, trial, wish.batch, settings_of(origin, trial))
            exported = export_batch(session, order, folder, shown=shown, wait_s=wait_s)
        imported = import_artifacts(
            ImportOptions(
                folder=folder,
                name=wish.name,
                version=version,
                registry=registry,
                golden=wish.golden,
                any_task=True,
                images=wish.batch,
                size=exported.size if exported else None,
                settings=settings_of(origin, trial),
                provenance={**provenance_of(session, origin, trial), **(exported.provenance if exported else {})},
                metrics={**trial.metrics, **read_figures(folder, paths)},
            )
        )
        bundle = imported.bundle
        if wish.output is not None:
            place(bundle.folder, wish.output)
            bundle = open_bundle(wish.output)
    return Fetched(bundle, origin, trial, imported.evidence)


def _check(wish: Wish) -> None:
    if not wish.job and not wish.trial:
        raise UsageError("name a job, or a trial")
    check_identity(wish.name, wish.version or "1")
    if wish.output is not None:
        check_target(wish.output)


def _check_batch(wish: Wish, origin: Origin) -> None:
    """Raise UsageError for a batch that makes no sense."""
    if wish.batch is None:
        return
    if origin.task in CLASSIFICATION_TASKS:
        raise UsageError(
            f"--batch is for detection and segmentation; a graph for {origin.task} takes any number of pictures "
            "as it is"
        )
    if wish.batch < 2:
        raise UsageError(f"--batch {wish.batch}: AutoML's own export takes one picture already; ask for 2 or more")


@contextmanager
def _registry(wish: Wish) -> Iterator[tuple[Path, str | None]]:
    """Give the registry to make the bundle in, and its version; for an output folder one that is gone afterwards."""
    if wish.output is None:
        remove_stale_partials(wish.registry)
        yield wish.registry, wish.version
        return
    remove_stale_partials(wish.output.parent)
    with partial_folder(wish.output.parent) as folder:
        yield folder, wish.version or "1"


def _has_model(trial: Trial, origin: Origin) -> Callable[[RunFiles], None]:
    """Return a check that raises AzureError unless model and labels are there, saying why they may not be."""

    def check(found: RunFiles) -> None:
        missing = found.missing(NEEDED)
        if not missing:
            return
        raise AzureError(f"trial {trial.name} {_why_none(found, missing, trial, origin)}")

    return check


def _why_none(found: RunFiles, missing: list[str], trial: Trial, origin: Origin) -> str:
    model = trial.hyperparameters.get(MODEL)
    if not found.files:
        return (
            f"left no files in {artifacts.STORE}: they were deleted, or a rule of the storage account expired them; "
            "train again"
        )
    if artifacts.MODEL in missing and isinstance(model, str) and network(origin.task, model) is None:
        return (
            f"trained {model}, a model of HuggingFace or MMDetection: AutoML exports ONNX of its own networks only; "
            "submit a job with one of those"
        )
    return f"has no {' and no '.join(missing)}: its export failed (its logs are in the studio), or they were deleted"


def summary(fetched: Fetched) -> dict[str, Any]:
    """Return what was fetched, as plain JSON."""
    bundle, evidence = fetched.bundle, fetched.evidence
    known = evidence and {"given": evidence.given, "judged": evidence.judged, "right": evidence.right}
    return {
        "name": bundle.manifest.name,
        "version": bundle.manifest.version,
        "folder": str(bundle.folder),
        "digest": bundle.digest,
        "task": bundle.manifest.task,
        "family": bundle.manifest.family,
        "batch": bundle.manifest.batch,
        "proven": bool(bundle.manifest.golden),
        "job": fetched.origin.job,
        "trial": fetched.trial.name,
        "metric": fetched.origin.metric,
        "score": fetched.trial.score,
        "known_answers": known,
    }
