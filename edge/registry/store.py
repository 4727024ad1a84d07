"""The device's own disk: verified bundles, and which of them serves. Killed at any moment, it holds the old or the new.

::

    <root>/lock                                     held while a process uses the store
    <root>/state.json                               current, earlier, pinned, skipped: see edge.registry.state
    <root>/{loading,trial,probation}.json           what this process does with which bundle: see edge.registry.marks
    <root>/bundles/<name>/<version>-<digest>/       a bundle, verified when it came; the digest's first 12 characters
"""

import errno
import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.bundle import Bundle, open_bundle
from edge.errors import ModelInvalidError, ModelNotFoundError, StoreError
from edge.ports import Candidate, Registry, Took
from edge.registry.files import check_version, disk_errors, partial_folder, place, remove_partials, write_file
from edge.registry.marks import Mark
from edge.registry.state import Kept, State, check_safe, parse_state, state_json

STATE = "state.json"
BUNDLES = "bundles"
DIGEST_CHARACTERS = 12

_log = logging.getLogger(__name__)


class Store:
    """One device's bundles and state below ``root`` (made where missing), held alone until :meth:`close`.

    ``damage`` tells what was found broken at the start and set aside, None where nothing was. Raises StoreError where
    the folder cannot be used or another process uses it. ``trust`` looks at every bundle that is opened, and raises
    ModelUntrustedError for one that may not serve.
    """

    def __init__(self, root: Path, *, trust: Callable[[Bundle], None] = lambda _: None) -> None:
        self._root = root
        self._trust = trust
        self._fresh: Kept | None = None
        self._bundles = root / BUNDLES
        self._mutex = threading.Lock()
        with disk_errors(f"making the store {root}"):
            self._bundles.mkdir(parents=True, exist_ok=True)
        self._lock_file: int | None = _locked(root / "lock")
        try:
            with disk_errors(f"cleaning the store {root}"):
                remove_partials(root)
                remove_partials(self._bundles)
            self._state, self.damage = _load_state(root / STATE)
            self.loading = Mark(root / "loading.json", "loading")
            self.on_trial = Mark(root / "trial.json", "on trial")
            self.on_probation = Mark(root / "probation.json", "on probation")
        except StoreError:
            self.close()
            raise

    @property
    def state(self) -> State:
        """What is remembered."""
        return self._state

    def remember(self, state: State) -> None:
        """Write ``state`` in one step, then remove the bundles that it does not keep.

        Raises StoreError where the disk refuses it; this process goes on with ``state`` all the same, and all bundles
        stay.
        """
        with self._mutex:
            self._state = state
            write_file(self._root / STATE, state_json(state))
        self._prune()

    def pull(
        self,
        registry: Registry,
        candidate: Candidate,
        *,
        fetched: Callable[[], None] = lambda: None,
        took: Took = lambda _took, _of: None,
    ) -> Bundle:
        """Return the candidate's bundle from this disk, fetched first where it is not here whole.

        ``took`` hears how far that is, ``fetched`` is called when everything is here and not yet verified. What was
        pulled last stays, whatever is remembered. Raises RegistryError, ModelNotFoundError, ModelInvalidError (it does
        not hold together, or is another version than the candidate says), ModelUntrustedError and StoreError; what was
        here stays.
        """
        kept = Kept(candidate.name, candidate.version, candidate.digest)
        self._fresh = kept
        try:
            return self.open(kept)
        except ModelNotFoundError:
            pass
        except ModelInvalidError as error:
            _log.warning("a stored bundle cannot serve and is fetched again", extra={"reason": str(error)})
        with partial_folder(self._bundles) as partial:
            registry.fetch(candidate, partial, took=took)
            fetched()
            bundle = open_bundle(partial)
            check_version(bundle, candidate)
            self._trust(bundle)
            folder = self._folder(kept)
            self._remove(folder)  # only now: what is stored may serve again once the configuration is mended
            place(partial, folder)
        return replace(bundle, folder=folder)

    def open(self, kept: Kept) -> Bundle:
        """Return a stored bundle, every file verified, and its signature where keys are trusted.

        Raises ModelNotFoundError, ModelInvalidError, ModelUntrustedError, StoreError.
        """
        folder = self._folder(kept)
        with disk_errors(f"looking for {folder}"):
            stored = folder.is_dir()
        if not stored:
            raise ModelNotFoundError(f"{kept} ({kept.digest[:DIGEST_CHARACTERS]}) is not in the store {self._root}")
        bundle = open_bundle(folder)
        if bundle.digest != kept.digest:
            raise ModelInvalidError(f"{folder} holds another bundle than was stored there: its manifest was changed")
        self._trust(bundle)
        return bundle

    def discard(self, kept: Kept) -> None:
        """Remove a bundle that is not worth keeping: one that was refused. Raises StoreError."""
        if kept == self._fresh:
            self._fresh = None
        self._remove(self._folder(kept))

    def close(self) -> None:
        """Let other processes use the store."""
        descriptor, self._lock_file = self._lock_file, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _folder(self, kept: Kept) -> Path:
        try:
            check_safe(kept)
        except ValueError as error:
            raise StoreError(f"{kept} cannot be stored: {error}") from error
        return _place_of(self._bundles, kept)

    def _remove(self, folder: Path) -> None:
        with disk_errors(f"removing {folder}"):
            if folder.is_dir():
                shutil.rmtree(folder)

    def _prune(self) -> None:
        """Remove bundles that the state does not keep; what cannot be removed only costs space and is logged."""
        keep = {self._folder(kept) for kept in (*self._state.kept, *([self._fresh] if self._fresh else []))}
        try:
            for folder in self._bundles.glob("[!.]*/*"):
                if folder not in keep:
                    shutil.rmtree(folder)
        except OSError as error:
            _log.warning("an old bundle could not be removed", extra={"reason": str(error)})


def last_served(root: Path) -> Path | None:
    """Return the folder of the bundle that served last, None where there is none.

    Only reads, so that it may be asked while a daemon uses the store.
    """
    try:
        kept = parse_state((root / STATE).read_bytes()).current
    except (OSError, ValueError):
        return None
    folder = _place_of(root / BUNDLES, kept) if kept else None
    return folder if folder is not None and folder.is_dir() else None


def _place_of(bundles: Path, kept: Kept) -> Path:
    return bundles / kept.name / f"{kept.version}-{kept.digest[:DIGEST_CHARACTERS]}"


def _locked(path: Path) -> int:
    """Return the descriptor of the locked file; the system frees the lock however the process ends."""
    with disk_errors(f"opening {path}"):
        descriptor = _lock_file(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(OSError):  # on a full or read-only disk a lock without its owner's number is one too
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreError(
            f"the store {path.parent} is in use by process {owner or 'unknown'}: stop it, or name another folder"
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise StoreError(f"cannot lock {path}: {error.strerror}") from error
    return descriptor


def _lock_file(path: Path) -> int:
    """Open the file, made where missing; a disk that is read-only may be served from all the same. Raises OSError."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno != errno.EROFS or not path.exists():
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _load_state(path: Path) -> tuple[State, str | None]:
    """Return the remembered state and None, or an empty one and what was wrong with the file, which is set aside."""
    with disk_errors(f"reading {path}"):
        try:
            return parse_state(path.read_bytes()), None
        except FileNotFoundError:
            return State(), None
        except ValueError as error:
            aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            path.rename(aside)
            damage = f"{path} was damaged ({error}) and set aside as {aside.name}; the newest model is chosen anew"
    _log.error("the remembered state was damaged", extra={"path": str(path), "aside": str(aside)})
    return State(), damage
