"""A folder as registry: ``<root>/<name>/<version>/`` is a bundle. What is not whole is not offered, and is told why.

A folder without a manifest is not there yet. One whose files are missing or short is still being copied, or broken: it
is offered once it is complete. Nothing is remembered but versions whose files turned out wrong while being fetched.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from edge.bundle import Bundle, Manifest, open_bundle, version_key
from edge.errors import ConfigError, ModelInvalidError, RegistryError
from edge.ports import Candidate, Registry, Survey, Took
from edge.registry.files import check_version, copy_bundle, partial_folder, place, remove_stale_partials
from edge.registry.offer import Offer, has_manifest


class LocalRegistry:
    """Finds bundles below ``root``; fulfils :class:`edge.ports.Registry`. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._offer = Offer()

    def candidates(self, name: str | None = None) -> Sequence[Candidate]:
        """Return whole versions (of ``name``), newest first. Raises RegistryError."""
        return self.survey(name).candidates

    def known(self, name: str | None = None) -> Survey:
        """Look again, which costs little. Raises RegistryError."""
        return self.survey(name)

    def survey(
        self,
        name: str | None = None,
        *,
        version: str | None = None,  # noqa: ARG002 - the port's: all versions cost as much as one
        asked: bool = False,  # noqa: ARG002 - the port's: it is looked at whenever somebody wants to know
    ) -> Survey:
        """Look into the folder once: the whole versions, and why others are refused. Raises RegistryError."""
        found: list[Candidate] = []
        refused: dict[str, str] = {}
        for parent in _name_folders(self._root, name):
            try:
                folders = sorted(_folders(parent))
            except OSError as error:
                refused[parent.name] = _unreadable(error)
                continue
            for folder in folders:
                try:
                    if has_manifest(folder):
                        found.append(self._offer.candidate(folder, check=partial(_check_place, folder)))
                except OSError as error:
                    refused[f"{parent.name}/{folder.name}"] = _unreadable(error)
                except ModelInvalidError as error:
                    refused[f"{parent.name}/{folder.name}"] = str(error)
        return Survey(tuple(sorted(found, key=_age, reverse=True)), refused)

    def folder(self, candidate: Candidate) -> Path:
        """Return the folder of a version."""
        return self._root / candidate.name / candidate.version

    def fetch(self, candidate: Candidate, into: Path, *, took: Took = lambda _took, _of: None) -> None:
        """Copy a version's files into the empty folder ``into``: see :meth:`Offer.copy`."""
        self._offer.copy(self.folder(candidate), candidate, into, took=took)

    def interrupt(self) -> None:
        """Do nothing: reading a folder waits for nobody."""

    def close(self) -> None:
        """Do nothing."""


def _name_folders(root: Path, name: str | None) -> list[Path]:
    """Return the folders below ``root`` (that of ``name``) in order; hidden ones are somebody's work in progress."""
    try:
        return [folder for folder in sorted(_folders(root)) if name in (None, folder.name)]
    except OSError as error:
        raise RegistryError(
            f"cannot read the registry {root}: {error.strerror}; make the folder or name another registry"
        ) from error


def _unreadable(error: OSError) -> str:
    return f"cannot read {error.filename}: {error.strerror}; give the right to read it"


def _folders(parent: Path) -> Iterator[Path]:
    return (path for path in parent.iterdir() if not path.name.startswith(".") and path.is_dir())


def _check_place(folder: Path, manifest: Manifest) -> None:
    if (folder.parent.name, folder.name) != (manifest.name, manifest.version):
        raise ModelInvalidError(
            f"{folder} holds {manifest.name}:{manifest.version}; the folders must be {manifest.name}/{manifest.version}"
        )


def _age(candidate: Candidate) -> tuple[object, ...]:
    """Sort key: most recently created (Azure ML's ``latest``), then the higher version, then anything that decides."""
    return (candidate.created_at, version_key(candidate.version), candidate.version, candidate.name)


def next_version(root: Path, name: str) -> str:
    """Return the number after the highest whole number that is a version of ``name`` here, ``1`` where none is.

    Raises RegistryError.
    """
    folders = root / name
    try:
        numbers = [int(folder.name) for folder in _folders(folders) if folder.name.isdecimal()]
    except FileNotFoundError:
        return "1"
    except OSError as error:
        raise RegistryError(f"cannot read the registry {folders}: {error.strerror}") from error
    return str(max(numbers, default=0) + 1)


def check_free(root: Path, name: str, version: str) -> Path:
    """Return the folder for a new version. Raises ConfigError where it is taken, for versions never change."""
    folder = root / name / version
    try:
        taken = folder.exists()
    except OSError as error:
        raise RegistryError(f"cannot look into the registry {root}: {error.strerror}") from error
    if taken:
        raise ConfigError(f"{name}:{version} is already registered in {root}: give another version")
    return folder


def receive(registry: Registry, candidate: Candidate, root: Path, *, took: Took = lambda _took, _of: None) -> Bundle:
    """Fetch a version of another registry into the registry ``root`` and return it there; seen only when it is whole.

    Raises as ``registry`` does; ModelInvalidError for a bundle that does not hold together, ConfigError where the
    version is taken, StoreError where ``root`` cannot be written.
    """
    target = check_free(root, candidate.name, candidate.version)
    remove_stale_partials(root)
    with partial_folder(root) as unfinished:
        registry.fetch(candidate, unfinished, took=took)
        check_version(open_bundle(unfinished), candidate)
        place(unfinished, target)
    return open_bundle(target)


def register(bundle_folder: Path, root: Path) -> Bundle:
    """Copy a bundle into the registry ``root`` and return it there; watchers see it only when it is whole.

    Raises ModelInvalidError for a bundle that does not hold together, ConfigError where the version is taken,
    StoreError where the registry cannot be written.
    """
    bundle = open_bundle(bundle_folder)
    target = check_free(root, bundle.manifest.name, bundle.manifest.version)
    remove_stale_partials(root)
    with partial_folder(root) as unfinished:
        copy_bundle(bundle_folder, unfinished, digest=bundle.digest)
        place(unfinished, target)
    return open_bundle(target)
