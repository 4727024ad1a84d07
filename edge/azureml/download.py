"""A bundle out of Azure into a folder, a piece at a time, every file against the manifest.

The SDK's own download holds whole files in memory, checks nothing and reports success where no file is there.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.azureml.containers import CHUNK_BYTES, StoredFile
from edge.azureml.stores import Folder, Store
from edge.azureml.trouble import AzureFaultError
from edge.bundle import MANIFEST, SIGNATURE, File, Manifest, parse_manifest
from edge.bundle.signature import MAX_SIGNATURE_BYTES
from edge.errors import ModelInvalidError, RegistryError, StoreError
from edge.registry.files import PARTIAL, disk_errors
from edge.registry.inquiry import Inquiry, Progress

SMALLEST_BYTES = 64 << 10
SLOW_S, QUICK_S = 0.8, 0.2
"""A piece that takes longer makes the next one half as long, one that is quicker makes it double."""
WAITS_S = (0.5, 2.0)
"""How long to wait before a piece is asked for again. The daemon, who tries again too, waits longer."""
MOST_PATIENCE_S = 10.0
"""Where Azure asks for a longer wait, the daemon does the waiting."""
SPARE_BYTES = 32 << 20
"""What a download leaves free: results that wait for the broker lie on the same disk."""
MAX_JSON_BYTES = 4 << 20
"""The most that is read of a manifest: see :mod:`edge.bundle.folder`."""

Tell = Callable[[Progress], None]


class Download:
    """Reads files; ``tell`` hears how many bytes of all have come, after each piece and before each further try."""

    def __init__(self, tell: Tell, *, of: int = 0, waits_s: tuple[float, ...] = WAITS_S) -> None:
        self._tell = tell
        self._of = of
        self._took = 0
        self._waits_s = waits_s
        self._piece_bytes = SMALLEST_BYTES

    def read(self, store: Store, file: StoredFile) -> bytes:
        """Return a small file's bytes. Raises RegistryError; ModelInvalidError for one that is not small."""
        if file.size > MAX_JSON_BYTES:
            raise ModelInvalidError(f"{file.path} has {file.size} bytes, more than {MAX_JSON_BYTES >> 20} MiB")
        data = bytearray()
        self._stream(store, file, data.extend)
        return bytes(data)

    def save(self, store: Store, file: StoredFile, into: Path) -> str:
        """Write a file and return its SHA-256. Raises RegistryError, StoreError."""
        digest = hashlib.sha256()
        with disk_errors(f"writing {shown(into)}"):
            into.parent.mkdir(parents=True, exist_ok=True)
            with into.open("wb") as target:

                def take(piece: bytes) -> None:
                    digest.update(piece)
                    target.write(piece)

                self._stream(store, file, take)
        return digest.hexdigest()

    def _stream(self, store: Store, file: StoredFile, take: Callable[[bytes], object]) -> None:
        offset = 0
        while offset < file.size:
            wanted = min(self._piece_bytes, file.size - offset)
            began = time.monotonic()
            piece = self._piece(store, file.path, offset, wanted)
            if len(piece) != wanted:
                raise RegistryError(f"{file.path} ended at byte {offset + len(piece)} of {file.size}: it was changed")
            take(piece)
            offset += wanted
            self._took += wanted
            self._piece_bytes = next_piece_bytes(self._piece_bytes, time.monotonic() - began)
            self._tell(Progress(self._took, self._of))

    def _piece(self, store: Store, path: str, offset: int, length: int) -> bytes:
        """Return a piece, asked for more than once where that is worth it."""
        for wait_s in self._waits_s:
            try:
                return store.piece(path, offset, length)
            except AzureFaultError as error:
                self._prepare_another(store, error, wait_s)
        return store.piece(path, offset, length)

    def _prepare_another(self, store: Store, error: AzureFaultError, wait_s: float) -> None:
        """Wait, or open the store anew where its key ran out on the way. Raises the error where it is of no use."""
        fault = error.fault
        ran_out = fault.kind in ("denied", "signed-out") and store.renew()
        if not ran_out:
            if not fault.passes or (fault.retry_after_s or 0) > MOST_PATIENCE_S:
                raise error
            self._tell(Progress(self._took, self._of))
            time.sleep(max(wait_s, fault.retry_after_s or 0))
        self._tell(Progress(self._took, self._of))


def next_piece_bytes(piece_bytes: int, took_s: float) -> int:
    """Return how large the next piece is: so that each takes less than a second, as far as the line allows. Pure."""
    if took_s > SLOW_S:
        return max(piece_bytes // 2, SMALLEST_BYTES)
    return min(piece_bytes * 2, CHUNK_BYTES) if took_s < QUICK_S else piece_bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle in Azure: its manifest, that one's bytes, and the files beside it."""

    manifest: Manifest
    data: bytes
    files: Mapping[str, StoredFile]

    @property
    def digest(self) -> str:
        """The bundle's."""
        return hashlib.sha256(self.data).hexdigest()


def find_bundle(folder: Folder, files: Mapping[str, StoredFile], *, name: str, version: str, tell: Tell) -> Found:
    """Return the bundle that ``files`` of a folder are.

    Raises ModelInvalidError where its manifest cannot be read or is another model's, AzureFaultError.
    """
    data = Download(tell).read(folder.store, files[MANIFEST])
    manifest = parse_manifest(data, where=f"{folder}/{MANIFEST}")
    if (manifest.name, manifest.version) != (name, version):
        raise ModelInvalidError(
            f"its manifest is of {manifest.name}:{manifest.version}: register it under its own name"
        )
    return Found(manifest, data, files)


def fetch_bundle(folder: Folder, files: Mapping[str, StoredFile], inquiry: Inquiry, tell: Tell) -> None:
    """Download the bundle that ``files`` of a folder of Azure's are to the inquiry's folder.

    Raises RegistryError where it is not (or no longer) the bundle that the inquiry means, or not whole, or Azure fails;
    ModelInvalidError as :func:`find_bundle`; StoreError where the inquiry's folder cannot be written.
    """
    if MANIFEST not in files:
        raise RegistryError(_no_manifest(folder, files))
    found = find_bundle(folder, files, name=inquiry.name, version=inquiry.version, tell=tell)
    if found.digest != inquiry.digest:
        raise RegistryError(
            f"{folder} holds another bundle than the version's tag or the last look says: it is looked at again"
        )
    _check_whole(folder, found)
    if SIGNATURE in files and files[SIGNATURE].size > MAX_SIGNATURE_BYTES:
        raise RegistryError(f"{folder}/{SIGNATURE} has more than {MAX_SIGNATURE_BYTES >> 10} KiB: it is no signature")
    into = Path(inquiry.into)
    wanted = {**found.manifest.files, **({SIGNATURE: None} if SIGNATURE in files else {})}
    of = sum(files[path].size for path in wanted)
    check_room(into, of)
    download = Download(tell, of=of)
    for path, expected in wanted.items():
        digest = download.save(folder.store, files[path], into / path)
        if expected is not None and digest != expected.sha256:
            raise RegistryError(
                f"{folder}/{path} does not have the SHA-256 in the manifest: changed; register it again"
            )
    with disk_errors(f"writing {shown(into / MANIFEST)}"):
        (into / MANIFEST).write_bytes(found.data)


def _no_manifest(folder: Folder, files: Mapping[str, StoredFile]) -> str:
    if not files:
        return f"{folder} holds no files, though the version is registered: they were removed; register it again"
    return f"{folder} holds no {MANIFEST}: it is no bundle, or only a part of one"


def _check_whole(folder: Folder, found: Found) -> None:
    """Raise RegistryError, naming them, for files that are not there in full."""
    problems = [
        problem
        for path, expected in found.manifest.files.items()
        if (problem := _shortfall(path, found.files.get(path), expected))
    ]
    if problems:
        raise RegistryError(f"{folder} is not whole: {'; '.join(problems)}; register it again")


def _shortfall(path: str, file: StoredFile | None, expected: File) -> str:
    if file is None:
        return f"{path} is missing"
    return f"{path} has {file.size} bytes, the manifest says {expected.size}" if file.size != expected.size else ""


def check_room(into: Path, needed: int) -> None:
    """Raise StoreError where a folder's disk has no room for so many bytes, with :data:`SPARE_BYTES` to spare."""
    with disk_errors(f"looking at {shown(into)}"):
        free = shutil.disk_usage(into).free
    if needed + SPARE_BYTES > free:
        raise StoreError(
            f"{needed >> 20} MiB are needed and {SPARE_BYTES >> 20} MiB kept for results, the disk of {shown(into)} "
            f"has room for {free >> 20} MiB: free space"
        )


def shown(path: Path) -> str:
    """Return a path without partial folders: their names are others each time, and the same fault is told once."""
    return re.sub(rf"/{re.escape(PARTIAL)}[^/]*", "", str(path))
