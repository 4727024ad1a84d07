"""A bundle on disk: the manifest, the files that it lists and their hashes. Nothing is believed unchecked."""

import hashlib
import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import MANIFEST, File, Manifest, manifest_json, parse_manifest
from edge.durable import replace_file
from edge.errors import ModelInvalidError

MAX_JSON_BYTES = 4 << 20
"""The most that is read of a manifest or a labels file: far above any real one, far below the memory of a device."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every file was found to be what its manifest says.

    ``digest`` is the SHA-256 of the manifest and so, through its hashes, of the whole bundle.
    """

    folder: Path
    manifest: Manifest
    labels: tuple[str, ...]
    digest: str

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / self.manifest.model

    def __str__(self) -> str:
        return f"{self.manifest.name}:{self.manifest.version}"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder without looking at the other files. Raises ModelInvalidError."""
    return manifest_and_digest(folder)[0]


def manifest_and_digest(folder: Path) -> tuple[Manifest, str]:
    """Return the manifest of a folder and the bundle's digest, as :func:`read_manifest` does."""
    data = _read(folder / MANIFEST)
    return parse_manifest(data, where=str(folder / MANIFEST)), hashlib.sha256(data).hexdigest()


def open_bundle(folder: Path) -> Bundle:
    """Read a bundle and check every file against the manifest. Raises ModelInvalidError listing every wrong file."""
    manifest, digest = manifest_and_digest(folder)
    problems = [problem for path, file in manifest.files.items() if (problem := file_problem(folder, path, file))]
    if problems:
        raise ModelInvalidError("; ".join(problems))
    labels = parse_labels(_read(folder / manifest.labels), where=str(folder / manifest.labels))
    _check_golden_labels(manifest, labels)
    return Bundle(folder, manifest, labels, digest)


def _read(path: Path) -> bytes:
    try:
        if _regular_size(path) > MAX_JSON_BYTES:
            raise ModelInvalidError(f"{path} has more than {MAX_JSON_BYTES >> 20} MiB: it belongs to no bundle")
        return path.read_bytes()
    except FileNotFoundError as error:
        remedy = "; the manifest is written last: is it still being copied?" if path.name == MANIFEST else ""
        raise ModelInvalidError(f"{path} does not exist{remedy}") from error
    except OSError as error:
        raise ModelInvalidError(f"cannot read {path}: {error.strerror}") from error


def _regular_size(path: Path) -> int:
    """Return a file's size; a pipe or device, which might block for ever when opened, is refused as OSError."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(0, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is no regular file")
    return status.st_size


def file_problem(folder: Path, path: str, expected: File, *, hashed: bool = True) -> str | None:
    """Return what is wrong with one listed file, or None; without ``hashed`` only its size is looked at."""
    full = folder / path
    try:
        if not full.resolve().is_relative_to(folder.resolve()):
            return f"{full} leads outside the bundle"
        return _difference(full, expected, hashed=hashed)
    except FileNotFoundError:
        return f"{full} is missing; copy it again"
    except OSError as error:
        return f"cannot read {full}: {error.strerror}"
    except RuntimeError:  # so Python < 3.13 reports a loop of symbolic links
        return f"{full} is a symbolic link that leads to itself"


def _difference(full: Path, expected: File, *, hashed: bool) -> str | None:
    size = _regular_size(full)
    if size != expected.size:
        return f"{full} has {size} bytes, the manifest says {expected.size}: cut off or changed; copy it again"
    if hashed and sha256_of(full) != expected.sha256:
        return f"{full} does not have the SHA-256 in the manifest: changed; copy it again"
    return None


def parse_labels(data: bytes, *, where: str) -> tuple[str, ...]:
    """Return the class names of a ``labels.json`` in index order. Raises ModelInvalidError."""
    try:
        labels = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelInvalidError(f"{where} is no JSON: {error}") from error
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) and label for label in labels):
        raise ModelInvalidError(f"{where} must be a JSON list of class names")
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ModelInvalidError(f"{where} names a class twice: {', '.join(twice)}")
    return tuple(labels)


def _check_golden_labels(manifest: Manifest, labels: tuple[str, ...]) -> None:
    """Compare the golden pictures' answers with the labels; a fault that many share is told once."""
    places: dict[str, list[str]] = {}
    for golden in manifest.golden:
        unknown, probs = sorted(set(golden.expected.labels) - set(labels)), golden.expected.probs
        if unknown:
            places.setdefault(f"expects unknown labels: {', '.join(unknown)}", []).append(golden.image)
        if probs is not None and len(probs) != len(labels):
            fault = f"expects {len(probs)} probabilities for {len(labels)} labels"
            places.setdefault(fault, []).append(golden.image)
    if places:
        faults = "; ".join(f"golden picture {_and_others(images)} {fault}" for fault, images in places.items())
        raise ModelInvalidError(f"{manifest.name}:{manifest.version}: {faults}; {manifest.labels} is not the model's")


def _and_others(images: list[str]) -> str:
    return images[0] if len(images) == 1 else f"{images[0]} (and {len(images) - 1} more)"


def file_entries(folder: Path, paths: Sequence[str]) -> dict[str, File]:
    """Return the manifest's ``files`` for paths relative to ``folder``. Raises OSError."""
    return {p: File(sha256=sha256_of(folder / p), size=(folder / p).stat().st_size) for p in paths}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` durably and in one step, after all other files are in place. Raises OSError."""
    replace_file(folder / MANIFEST, manifest_json(manifest), partial=folder / f".{MANIFEST}.partial")
