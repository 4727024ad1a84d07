"""What a folder must be to be offered as a version; a version whose files turned out wrong is not offered again."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from edge.bundle import MANIFEST, Manifest, file_problem, manifest_and_digest
from edge.bundle.signature import signature_bytes
from edge.errors import ModelInvalidError, RegistryError
from edge.ports import Candidate, Took
from edge.registry.files import copy_bundle

Stamp = tuple[tuple[int, int, int], ...]
"""Device-independent trace of a version's files: inode, size and time of the last change of each."""


class Offer:
    """Bundles in folders. Remembers nothing but those whose files turned out wrong while being copied. Thread-safe."""

    def __init__(self) -> None:
        self._spoiled: dict[Path, tuple[Stamp, str]] = {}
        self._lock = threading.Lock()

    def candidate(self, folder: Path, *, check: Callable[[Manifest], object] = lambda _: None) -> Candidate:
        """Return the version in ``folder``, whose manifest ``check`` may refuse first.

        Raises ModelInvalidError where it is not whole, OSError.
        """
        manifest, digest = manifest_and_digest(folder)
        check(manifest)
        for path, expected in manifest.files.items():
            if problem := file_problem(folder, path, expected, hashed=False):
                raise ModelInvalidError(f"not offered until it is whole: {problem}")
        self._check_unspoiled(folder, manifest)
        return Candidate(manifest.name, manifest.version, manifest.created_at, digest, _signature(folder))

    def copy(self, folder: Path, candidate: Candidate, into: Path, *, took: Took) -> None:
        """Copy a version's files into the empty folder ``into``, hashing every byte.

        Raises ModelNotFoundError where it is gone, RegistryError where it changed or a file's hash is wrong (such a
        version is not offered again until its files change), StoreError where ``into`` cannot be written.
        """
        try:
            copy_bundle(folder, into, digest=candidate.digest, took=took)
        except RegistryError as error:
            self._remember_spoiled(folder, str(error))
            raise

    def _check_unspoiled(self, folder: Path, manifest: Manifest) -> None:
        with self._lock:
            stamp, reason = self._spoiled.get(folder, ((), ""))
        if stamp and stamp == _stamp(folder, manifest):
            raise ModelInvalidError(reason)

    def _remember_spoiled(self, folder: Path, reason: str) -> None:
        try:
            stamp = _stamp(folder, manifest_and_digest(folder)[0])
        except ModelInvalidError:
            return  # the next survey says what is wrong with it
        with self._lock:
            self._spoiled[folder] = (stamp, reason)


def has_manifest(folder: Path) -> bool:
    """Tell whether a manifest is there, readable or not. Raises OSError where the folder cannot be looked into."""
    return any(path.name == MANIFEST for path in folder.iterdir())


def _signature(folder: Path) -> str:
    data = signature_bytes(folder)
    return hashlib.sha256(data).hexdigest() if data else ""


def _stamp(folder: Path, manifest: Manifest) -> Stamp:
    """Return what changes when a file is written again; a missing file is a value of its own."""
    stamps = []
    for path in (MANIFEST, *manifest.files):
        try:
            status = (folder / path).stat()
        except OSError:
            stamps.append((0, 0, 0))
            continue
        stamps.append((status.st_ino, status.st_size, status.st_ctime_ns))
    return tuple(stamps)
