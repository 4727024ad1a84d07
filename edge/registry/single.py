"""One bundle as registry: a folder that holds it, at whatever depth Azure's endpoints mounted it.

An online endpoint puts a registered model at ``<NAME>/<VERSION>/<folder>`` below the folder that it names; whoever
mounts a bundle by hand may name its own folder.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import ModelInvalidError, ModelNotFoundError, RegistryError
from edge.ports import Candidate, Survey, Took
from edge.registry.offer import Offer, has_manifest

DEEPEST = 3
"""So many folders may stand between the one that is named and the bundle's own."""


class SingleBundle:
    """Finds the one bundle at or below ``root``; fulfils :class:`edge.ports.Registry`. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._offer = Offer()

    def known(self, name: str | None = None) -> Survey:
        """Look again, which costs little. Raises RegistryError."""
        return self.survey(name)

    def survey(
        self,
        name: str | None = None,
        *,
        version: str | None = None,  # noqa: ARG002 - the port's: there is one version
        asked: bool = False,  # noqa: ARG002 - the port's: it is looked at whenever somebody wants to know
    ) -> Survey:
        """Look once: the bundle where it is whole and of that ``name``, or why it is refused.

        Raises RegistryError where the folder cannot be read, or holds several.
        """
        folder = self.folder()
        if folder is None:
            return Survey((), {})
        try:
            candidate = self._offer.candidate(folder)
        except OSError as error:
            return Survey((), {self._name(folder): f"cannot read {error.filename}: {error.strerror}"})
        except ModelInvalidError as error:
            return Survey((), {self._name(folder): str(error)})
        return Survey((candidate,) if name in (None, candidate.name) else (), {})

    def fetch(self, candidate: Candidate, into: Path, *, took: Took = lambda _took, _of: None) -> None:
        """Copy the bundle's files into the empty folder ``into``: see :meth:`Offer.copy`."""
        folder = self.folder()
        if folder is None:
            raise ModelNotFoundError(f"{self._root} holds no bundle any more")
        self._offer.copy(folder, candidate, into, took=took)

    def folder(self) -> Path | None:
        """Return the folder that holds the bundle, None where there is none yet. Raises RegistryError."""
        try:
            found = list(_with_manifest([self._root], DEEPEST))
        except OSError as error:
            raise RegistryError(
                f"cannot read {error.filename}: {error.strerror}; registry.path must be a folder that holds a bundle"
            ) from error
        if len(found) > 1:
            names = ", ".join(map(self._name, found))
            raise RegistryError(f"{self._root} holds several bundles ({names}): let registry.path name one")
        return found[0] if found else None

    def interrupt(self) -> None:
        """Do nothing: reading a folder waits for nobody."""

    def close(self) -> None:
        """Do nothing."""

    def _name(self, folder: Path) -> str:
        return str(folder.relative_to(self._root)) if folder != self._root else folder.name


def _with_manifest(folders: Sequence[Path], deeper: int) -> Iterator[Path]:
    """Yield what holds a manifest among ``folders`` and, ``deeper`` levels, below those that do not."""
    for folder in folders:
        if has_manifest(folder):
            yield folder
        elif deeper:
            below = (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.is_dir())
            yield from _with_manifest(list(below), deeper - 1)
