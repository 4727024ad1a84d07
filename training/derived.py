"""Bundles made of other bundles: the same classes, pictures and preprocessing, another graph."""

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.bundle import Bundle, Expected, Golden, Manifest, Postprocessing, file_entries, open_bundle, write_manifest
from edge.ports import Model
from edge.proof import load_and_prove
from edge.results import Classification
from training.calibration import moved_threshold
from training.errors import ExportError
from training.export import check_identity, check_target
from training.graph_edit import divide_logits


def write_calibrated(
    source: Bundle, temperature: float, folder: Path, *, version: str, facts: Mapping[str, Any]
) -> Bundle:
    """Write a bundle whose logits are divided by a temperature; it gives the same labels with other probabilities.

    ``facts`` say what the temperature was fitted on; they go into the provenance, under ``calibration``. The threshold
    of a multi-label bundle is moved along, so that the same labels lie above it. Raises as :func:`derive_bundle`.
    """
    threshold = moved_threshold(source.manifest.postprocessing.threshold, temperature)
    changes: dict[str, Any] = {
        "provenance": {
            **source.manifest.provenance,
            "calibration": {"temperature": temperature, "of": str(source), "of_digest": source.digest, **facts},
        }
    }
    if source.manifest.task != "image-classification":
        changes["postprocessing"] = Postprocessing(threshold=threshold)
    return derive_bundle(
        source,
        folder,
        version=version,
        write_graph=lambda path: divide_logits(source.model_path, temperature, path),
        changes=changes,
    )


def derive_bundle(
    source: Bundle, folder: Path, *, version: str, write_graph: Callable[[Path], None], changes: Mapping[str, Any]
) -> Bundle:
    """Write a bundle with another graph, and the golden answers of that graph, prove it, and give it its place.

    ``changes`` are fields of the manifest. Signatures are not copied: what was signed is another bundle.

    Raises:
        UsageError: the version is none that a manifest takes.
        ExportError: the target is taken or cannot be written, or the graph answers a golden picture with another label.
        EdgeError: what is written does not load or prove itself.
    """
    check_identity(source.manifest.name, version)
    check_target(folder)
    staging = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        _copy_all_but_graph(source, staging)
        write_graph(staging / source.manifest.model)
        _write_proven(source, staging, {**changes, "version": version})
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    except OSError as exc:
        raise ExportError(f"{folder}: the bundle cannot be written ({exc.strerror})") from exc
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return open_bundle(folder)


def _copy_all_but_graph(source: Bundle, staging: Path) -> None:
    for name in source.manifest.files:
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name != source.manifest.model:
            shutil.copyfile(source.folder / name, target)


def _write_proven(source: Bundle, staging: Path, changes: Mapping[str, Any]) -> None:
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
    golden = tuple(_answered(asked, staging, one) for one in source.manifest.golden)
    write_manifest(staging, _checked(bare.model_copy(update={"golden": golden})))
    load_and_prove(open_bundle(staging), device="cpu")


def _checked(manifest: Manifest) -> Manifest:
    return Manifest.model_validate(manifest.model_dump())


def _answered(model: Model, folder: Path, golden: Golden) -> Golden:
    """Return a golden picture with the graph's own probabilities; its labels must be those that were known."""
    found: Classification = model.predictor.predict((folder / golden.image).read_bytes(), model.session.run)
    labels = (found.label,) if found.selected is None else found.selected
    if set(labels) != set(golden.expected.labels):
        was, now = ", ".join(golden.expected.labels), ", ".join(labels) or "no label"
        raise ExportError(f"{golden.image}: the new graph answers {now}, where {was} is known; it cannot stand for it")
    probs = tuple(round(one, 6) for one in found.probs)
    return golden.model_copy(update={"expected": Expected(labels=golden.expected.labels, probs=probs)})
