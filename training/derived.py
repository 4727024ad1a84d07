"""Bundles made of other bundles: the same classes, pictures and preprocessing, another graph."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.bundle import (
    MULTILABEL,
    Bundle,
    Expected,
    Golden,
    Manifest,
    Postprocessing,
    file_entries,
    open_bundle,
    write_manifest,
)
from edge.ports import Model
from edge.proof import load_and_prove
from training.calibration import moved_threshold
from training.errors import ExportError
from training.export import check_identity, staged
from training.graph_edit import divide_logits
from training.judge import batch_size, filled_up


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an evaluation found: a temperature for the logits, and a threshold for the labels of a multi-label bundle.

    ``threshold`` (0..1) is meant for the probabilities as they are, before the division; None keeps the labels.
    """

    temperature: float | None
    threshold: float | None = None


def write_calibrated(source: Bundle, tuning: Tuning, folder: Path, *, version: str, facts: Mapping[str, Any]) -> Bundle:
    """Write a bundle whose logits are divided by a temperature; it gives the same labels with other probabilities.

    ``facts`` say what the tuning was fitted on; they go into the provenance, under ``calibration``. The threshold of a
    multi-label bundle is moved along, so that the same labels lie above it, unless the tuning has a better one. Raises
    as :func:`derive_bundle`.
    """
    divisor = 1.0 if tuning.temperature is None else tuning.temperature
    threshold = source.manifest.postprocessing.threshold if tuning.threshold is None else tuning.threshold
    origin = {"of": str(source), "of_digest": source.digest, "temperature": tuning.temperature}
    changes: dict[str, Any] = {
        "provenance": {**source.manifest.provenance, "calibration": {**origin, "threshold": tuning.threshold, **facts}}
    }
    if source.manifest.task == MULTILABEL:
        changes["postprocessing"] = Postprocessing(threshold=moved_threshold(threshold, divisor))

    def write_graph(path: Path) -> None:
        if tuning.temperature is None:
            shutil.copyfile(source.model_path, path)
        else:
            divide_logits(source.model_path, tuning.temperature, path)

    same = tuning.threshold is None
    return derive_bundle(source, folder, version=version, write_graph=write_graph, changes=changes, same_labels=same)


def derive_bundle(
    source: Bundle,
    folder: Path,
    *,
    version: str,
    write_graph: Callable[[Path], None],
    changes: Mapping[str, Any],
    same_labels: bool = True,
) -> Bundle:
    """Write a bundle with another graph, and the golden answers of that graph, prove it, and give it its place.

    ``changes`` are fields of the manifest. Without ``same_labels`` a golden picture may get other labels. Signatures
    are not copied: what was signed is another bundle.

    Raises:
        UsageError: the version is none that a manifest takes.
        ExportError: the target is taken or cannot be written, or the graph answers a golden picture with another label.
        EdgeError: what is written does not load or prove itself.
    """
    check_identity(source.manifest.name, version)
    with staged(folder) as staging:
        _copy_all_but_graph(source, staging)
        write_graph(staging / source.manifest.model)
        _write_proven(source, staging, {**changes, "version": version}, same_labels=same_labels)
    return open_bundle(folder)


def _copy_all_but_graph(source: Bundle, staging: Path) -> None:
    for name in source.manifest.files:
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name != source.manifest.model:
            shutil.copyfile(source.folder / name, target)


def _write_proven(source: Bundle, staging: Path, changes: Mapping[str, Any], *, same_labels: bool) -> None:
    """Write the manifest twice: without golden pictures, so that the graph can be asked for its answers, and with."""
    bare = source.manifest.model_copy(
        update={
            **changes,
            "created_at": datetime.now(UTC).replace(microsecond=0),
            "files": file_entries(staging, list(source.manifest.files)),
            "golden": (),
        }
    )
    write_manifest(staging, bare)
    asked, _ = load_and_prove(open_bundle(staging), device="cpu")
    golden = tuple(_answered(asked, staging, one, same_labels=same_labels) for one in source.manifest.golden)
    write_manifest(staging, _checked(bare.model_copy(update={"golden": golden})))
    load_and_prove(open_bundle(staging), device="cpu")


def _checked(manifest: Manifest) -> Manifest:
    return Manifest.model_validate(manifest.model_dump())


def _answered(model: Model, folder: Path, golden: Golden, *, same_labels: bool) -> Golden:
    """Return a golden picture with the graph's own answer; with ``same_labels`` its labels must be those known."""
    tensor = model.predictor.prepare((folder / golden.image).read_bytes())
    found = model.predictor.finish(model.session.run(filled_up([tensor], batch_size(model)))[0])
    labels = (found.label,) if found.selected is None else found.selected
    if same_labels and set(labels) != set(golden.expected.labels):
        was, now = ", ".join(golden.expected.labels), ", ".join(labels) or "no label"
        raise ExportError(f"{golden.image}: the new graph answers {now}, where {was} is known; it cannot stand for it")
    probs = tuple(round(one, 6) for one in found.probs)
    return golden.model_copy(update={"expected": Expected(labels=labels, probs=probs)})
