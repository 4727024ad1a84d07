"""AutoML's files become a registered bundle: described, copied, judged on known answers, proven, placed in one step."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from edge.artifacts.answers import Classes
from edge.artifacts.contract import Contract, describe
from edge.artifacts.evidence import Evidence, Stored, gather
from edge.artifacts.fitting import Recipe
from edge.artifacts.options import ImportOptions
from edge.artifacts.source import LABELS, MODEL, SETTINGS, Source, read_source
from edge.bundle import (
    MULTILABEL,
    Bundle,
    Expected,
    Golden,
    Manifest,
    Preprocessing,
    check_graph,
    file_entries,
    is_name,
    open_bundle,
    write_manifest,
)
from edge.errors import ConfigError
from edge.predictor import BatchF32, OutputsF32
from edge.proof import load_and_prove
from edge.registry.files import disk_errors, partial_folder, place, remove_stale_partials
from edge.registry.local import check_free, next_version
from edge.results import instant
from edge.session import OnnxSession, open_session, read_graph

DISTRIBUTION = "automl-edge"
RESERVED_VERSION = "latest"


@dataclass(frozen=True, slots=True)
class Imported:
    """The registered bundle, and what known answers showed: None where none were given, and the bundle is unproven."""

    bundle: Bundle
    evidence: Evidence | None


def import_artifacts(options: ImportOptions) -> Imported:
    """Make a bundle of AutoML's files and register it; nothing is registered unless all of it holds.

    Raises ConfigError where a person must say more or something else, ModelNotFoundError where files are missing,
    ModelInvalidError where they do not fit each other or the known answers, ModelUnsupportedError for other tasks,
    RegistryError and StoreError for the registry's folder.
    """
    number = _version(options)
    target = check_free(options.registry, options.name, number)
    source = read_source(options.folder)
    graph = read_graph(source.model)
    contract = describe(graph, {**options.settings, **source.settings}, source.mlmodel, options)
    runs = isinstance(contract.preprocessing, Preprocessing)
    session = open_session(source.model, device="cpu") if runs else None
    remove_stale_partials(options.registry)
    with partial_folder(options.registry) as partial:
        _copy(source, partial)
        manifest = _manifest(options, number, source, contract, partial)
        check_graph(manifest, source.labels, session.graph if session else graph)
        evidence = _evidence(options, contract, source, session) if session else None
        write_manifest(partial, _with_evidence(manifest, evidence, partial))
        bundle = open_bundle(partial)
        if session:
            load_and_prove(bundle, device="cpu")
        place(partial, target)
    return Imported(open_bundle(target), evidence)


def _version(options: ImportOptions) -> str:
    """Return the version to register as, having checked both names before anything is read."""
    number = options.version if options.version is not None else None
    for argument, text in (("--name", options.name), ("--version", number)):
        if text is not None and not is_name(text):
            raise ConfigError(
                f"{argument} {text!r}: letters, digits, '.', '_' and '-' only, a letter or digit first, at most 128"
            )
    if number == RESERVED_VERSION:
        raise ConfigError(f"--version {RESERVED_VERSION} means the newest version and cannot be the name of one")
    return number if number is not None else next_version(options.registry, options.name)


def _copy(source: Source, folder: Path) -> None:
    with disk_errors(f"copying {source.model.parent}"):
        shutil.copyfile(source.model, folder / MODEL)
        shutil.copyfile(source.labels_file, folder / LABELS)
        if source.settings_file is not None:
            shutil.copyfile(source.settings_file, folder / SETTINGS)


def _manifest(options: ImportOptions, number: str, source: Source, contract: Contract, folder: Path) -> Manifest:
    paths = [MODEL, LABELS, *([SETTINGS] if source.settings_file else [])]
    with disk_errors(f"reading {folder}"):
        files = file_entries(folder, paths)
    now = datetime.now(UTC)
    return Manifest(
        name=options.name,
        version=number,
        task=contract.task,
        family=contract.family,
        created_at=now,
        input=contract.input,
        preprocessing=contract.preprocessing,
        postprocessing=contract.postprocessing,
        batch=contract.batch,
        files=files,
        provenance={
            "tool": f"{DISTRIBUTION} {_tool_version()} models import",
            "imported_at": instant(now),
            "source": source.name,
            "sha256": {path: file.sha256 for path, file in files.items()},
            "settings": dict(source.settings),
            "mlmodel": dict(source.mlmodel),
            **options.provenance,
        },
        metrics=dict(options.metrics),
    )


def _tool_version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "(not installed)"


def sized(run: Callable[[BatchF32], OutputsF32], sizes: Sequence[int]) -> Callable[[BatchF32], OutputsF32]:
    """Return ``run`` for any number of pictures, though the session takes only batches of its largest size."""
    if not sizes:
        return run

    def run_sized(batch: BatchF32) -> OutputsF32:
        size = sizes[-1]
        missing = -len(batch) % size
        filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        return np.concatenate([run(filled[start : start + size]) for start in range(0, len(filled), size)])[
            : len(batch)
        ]

    return run_sized


def _evidence(options: ImportOptions, contract: Contract, source: Source, session: OnnxSession) -> Evidence | None:
    if options.golden is None or not isinstance(contract.preprocessing, Preprocessing):
        return None
    threshold = contract.postprocessing.threshold if contract.task == MULTILABEL else None
    return gather(
        options.golden,
        Classes(source.labels, threshold),
        preprocessing=contract.preprocessing,
        chosen=Recipe(contract.input.range, contract.preprocessing.rule, contract.input.colour),
        run=sized(session.run, session.batch_sizes),
    )


def _with_evidence(manifest: Manifest, evidence: Evidence | None, folder: Path) -> Manifest:
    """Return the manifest with the golden pictures, which are written to ``folder``."""
    if evidence is None:
        return manifest
    paths = [f"golden/{number:02d}-{_plain(one)}" for number, one in enumerate(evidence.stored, start=1)]
    with disk_errors(f"writing {folder / 'golden'}"):
        (folder / "golden").mkdir()
        for path, one in zip(paths, evidence.stored, strict=True):
            (folder / path).write_bytes(one.data)
        files = {**manifest.files, **file_entries(folder, paths)}
    golden = tuple(_golden(path, one) for path, one in zip(paths, evidence.stored, strict=True))
    provenance = {**manifest.provenance, "known_answers": _summary(evidence)}
    return manifest.model_copy(update={"files": files, "golden": golden, "provenance": provenance})


def _plain(stored: Stored) -> str:
    """Return a file's name for a picture, from which nothing of the original's place can be read."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(stored.answer.name).stem).strip("-.")[:60]
    return f"{name or 'picture'}{stored.answer.path.suffix.lower()}"


def _golden(path: str, stored: Stored) -> Golden:
    order = sorted(stored.answer.labels)
    return Golden(image=path, expected=Expected(labels=tuple(order), probs=stored.probs))


def _summary(evidence: Evidence) -> dict[str, Any]:
    return {
        "given": evidence.given,
        "judged": evidence.judged,
        "right": evidence.right,
        "fit": evidence.fit,
        "undecided": list(evidence.undecided),
        "missed": list(evidence.missed),
        "stored": len(evidence.stored),
    }
