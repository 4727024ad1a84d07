"""Putting a bundle's files on a disk so that whoever looks sees all of it or nothing.

Everything is written to a hidden folder beside the place where it belongs, the manifest last, forced to the disk, and
renamed in one step.
"""

import errno
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from edge.bundle import MANIFEST, SIGNATURE, Bundle, File, Manifest, parse_manifest
from edge.bundle.signature import signature_bytes
from edge.durable import replace_file, sync_folder
from edge.errors import ModelInvalidError, ModelNotFoundError, RegistryError, StoreError
from edge.ports import Candidate, Took

PARTIAL = ".partial-"
CHUNK_BYTES = 1 << 20
STALE_S = 3600.0

_log = logging.getLogger(__name__)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn OSError into StoreError saying that ``what`` failed, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{what} failed: {error.strerror}{_place(error, what)}; {_remedy(error)}") from error


def _place(error: OSError, what: str) -> str:
    """Return the file at fault where ``what`` does not name it; a partial folder's random name tells nothing."""
    name = str(error.filename or "")
    return "" if not name or name in what or PARTIAL in name else f" ({name})"


def _remedy(error: OSError) -> str:
    remedies = {
        errno.ENOSPC: "the disk is full: free space, or name a folder on another one",
        errno.EDQUOT: "the disk quota is used up: free space, or name a folder on another disk",
        errno.EROFS: "mount it so that it can be written, or name another folder",
        errno.ENOTDIR: "a file stands where a folder is wanted: name another folder",
    }
    return remedies.get(error.errno or 0, "give the right to read and write it, or name another folder")


@contextmanager
def partial_folder(parent: Path) -> Iterator[Path]:
    """Give a hidden empty folder in ``parent`` (made where missing); what is left of it at the end is removed.

    Raises StoreError where it cannot be made.
    """
    folder = parent / f"{PARTIAL}{secrets.token_hex(8)}"
    with disk_errors(f"making a folder in {parent}"):
        folder.mkdir(parents=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(held)
        yield folder
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: int) -> bool:
    """Mark an open folder as work in progress until it is closed or the process ends; False if it is so already."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        _log.debug("this file system keeps no locks")
    return True


def remove_stale_partials(parent: Path, *, stale_s: float = STALE_S) -> None:
    """Remove what killed processes left in a folder that several may write to; what cannot be removed stays.

    A folder is stale when no process holds it and it was left alone for ``stale_s``, an hour: over a network share a
    lock may be invisible, and a folder is unlocked for a moment after it was made.
    """
    oldest = datetime.now(UTC).timestamp() - stale_s
    for folder in parent.glob(f"{PARTIAL}*"):
        try:
            if folder.lstat().st_mtime < oldest and _is_free(folder):
                shutil.rmtree(folder)
                _log.info("removed what an interrupted import left", extra={"folder": str(folder)})
        except OSError as error:
            _log.warning("a left-over folder stays", extra={"folder": str(folder), "reason": error.strerror})


def _is_free(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(parent: Path) -> None:
    """Remove what a killed process left in ``parent``. Raises OSError."""
    for path in parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def sync_tree(folder: Path) -> None:
    """Force every file and folder below ``folder`` to the disk. Raises OSError."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


def place(folder: Path, at: Path) -> None:
    """Move a finished folder to ``at`` in one step, whose parent is made where it is missing. Raises StoreError."""
    with disk_errors(f"writing {at}"):
        sync_tree(folder)
        at.parent.mkdir(exist_ok=True)
        folder.rename(at)
        sync_folder(at.parent)


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step, so that a reader or a power cut finds the old or the new one. Raises StoreError."""
    partial = path.with_name(f"{PARTIAL}{path.name}")
    with disk_errors(f"writing {path}"):
        replace_file(path, data, partial=partial)
        sync_folder(path.parent)


def copy_bundle(source: Path, into: Path, *, digest: str, took: Took = lambda _took, _of: None) -> None:
    """Copy the manifest of ``source``, exactly the files that it lists, and its signature, into the empty ``into``.

    Every byte is hashed on its way; ``took`` hears how many are here. Raises ModelNotFoundError where the folder is
    gone, RegistryError where it is not (or no longer) the bundle of that digest, StoreError where ``into`` cannot be
    written.
    """
    data = _read_manifest(source)
    if hashlib.sha256(data).hexdigest() != digest:
        raise RegistryError(f"{source} was replaced while it was looked at; it is looked at again")
    files = _listed(source, data).files
    here, whole = 0, sum(file.size for file in files.values())
    for path, expected in files.items():
        with disk_errors(f"copying {path} into {into.parent}"):
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            _copy_file(source / path, into / path, expected, took=_counting(took, here, whole))
        here += expected.size
    signature = _read_signature(source)
    with disk_errors(f"copying {MANIFEST} into {into.parent}"):
        if signature:
            (into / SIGNATURE).write_bytes(signature)
        (into / MANIFEST).write_bytes(data)


def _counting(took: Took, before: int, whole: int) -> Callable[[int], object]:
    return lambda size: took(before + size, whole)


def _read_manifest(source: Path) -> bytes:
    try:
        return (source / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"{source} is no longer there") from error
    except OSError as error:
        raise RegistryError(f"cannot read {source / MANIFEST}: {error.strerror}") from error


def _read_signature(source: Path) -> bytes:
    try:
        return signature_bytes(source)
    except ModelInvalidError as error:
        raise RegistryError(str(error)) from error


def _listed(source: Path, data: bytes) -> Manifest:
    return parse_manifest(data, where=str(source / MANIFEST))


def _copy_file(source: Path, target: Path, expected: File, *, took: Callable[[int], object]) -> None:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in _chunks(source):
            size += len(chunk)
            if size > expected.size:
                break
            digest.update(chunk)
            file.write(chunk)
            took(size)
    if size != expected.size or digest.hexdigest() != expected.sha256:
        raise RegistryError(f"{source} is not what the manifest says: still being copied, or changed; copy it again")


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise RegistryError(f"cannot read {source}: {error.strerror}") from error


def check_version(bundle: Bundle, candidate: Candidate) -> None:
    """Raise ModelInvalidError where a registry gave another version than was asked for."""
    if (bundle.manifest.name, bundle.manifest.version) != (candidate.name, candidate.version):
        raise ModelInvalidError(
            f"the registry gave {bundle} for {candidate.name}:{candidate.version}: name and version must agree"
        )
