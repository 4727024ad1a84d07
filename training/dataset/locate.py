"""Finds the files of pictures that a labels' file names by paths from elsewhere."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from edge.preprocess.decode import SUFFIXES
from training.errors import DataError

AUTOML_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".jpe", ".jfif", ".bmp", ".tif", ".tiff"))
"""The suffixes, in lower case, of the pictures that AutoML takes."""
FOREIGN = frozenset((".heic", ".heif", ".avif", ".jp2", ".jxl", ".dng", ".cr2", ".nef", ".arw", ".tga", ".ppm", ".pgm"))
"""Suffixes of pictures as cameras and telephones write them too: nothing here reads them, and so they are told."""


class Pictures:
    """All pictures below a folder: those that the suffix says are ones, and neither hidden nor in a hidden folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = _below(root)
        self._named = frozenset(self.names)
        self._by_file = _grouped(self.names, lambda path: path.name)
        self._by_stem = _grouped([name for name in self.names if is_read(name)], lambda path: path.stem)

    def find(self, reference: str) -> str | None:
        """Return the picture of that very name, else the one whose path ends most like it; it may lack its suffix.

        Raises:
            DataError: several are as much like it.
        """
        if reference in self._named:
            return reference
        file = PurePosixPath(reference).name
        found = self._by_file.get(file) or self._by_stem.get(file, [])
        alike = {name: _common_end(name, reference) for name in found}
        most = max(alike.values(), default=0)
        best = [name for name, parts in alike.items() if parts == most]
        if len(best) > 1:
            raise DataError(
                f"{reference}: could be {' or '.join(best[:2])} below {self.root}; "
                "give the folder that its path begins in with --pictures"
            )
        return best[0] if best else None


def is_read(name: str) -> bool:
    """Tell by its suffix whether a picture can be decoded here."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _below(root: Path) -> list[str]:
    """Return the paths of pictures below a folder, sorted, with slashes."""
    try:
        paths = (path.relative_to(root) for path in root.rglob("*") if path.suffix.lower() in SUFFIXES | FOREIGN)
        names = [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]
    except OSError as exc:
        raise DataError(f"{root}: cannot be read ({exc.strerror}); check its permissions") from exc
    return sorted(name for name in names if (root / name).is_file())


def _grouped(names: list[str], key: Callable[[PurePosixPath], str]) -> Mapping[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[key(PurePosixPath(name))].append(name)
    return groups


def _common_end(one: str, other: str) -> int:
    """Return how many folders above the file are alike."""
    pairs = zip(reversed(PurePosixPath(one).parts[:-1]), reversed(PurePosixPath(other).parts[:-1]), strict=False)
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count
