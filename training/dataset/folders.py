"""Reads collections of one folder a class into records, in the same order whatever the file system says."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from edge.preprocess.decode import SUFFIXES
from training.dataset.annotations import Example, Tag
from training.dataset.records import Record
from training.errors import DataError

MOST_BYTES = 255
"""What Linux's file systems take as a name."""


def read_folders(roots: Iterable[Path]) -> list[Record]:
    """Read every `ROOT/<class>/<picture>` below the roots, ordered by root, class and file name.

    Hidden files and folders and files that are no pictures by their suffix are left out.

    Raises:
        DataError: a root is missing or no folder, holds no class folder, or a class folder holds no picture.
    """
    return [record for root in roots for record in _read_root(Path(root))]


def folder_names(examples: Sequence[Example]) -> list[str]:
    """Return for each picture its path ``<class>/<picture>``; of two with one name, the second gets its folders' too.

    Raises:
        DataError: a picture has not one class but several, none, a box or a polygon, or its class can be no folder.
    """
    taken: set[str] = set()
    return [_name(example, taken) for example in examples]


def _name(example: Example, taken: set[str]) -> str:
    path, marks = PurePosixPath(example.picture.name), example.marks
    if len(marks) != 1 or not isinstance(marks[0], Tag):
        kind = f"{len(marks)} labels" if all(isinstance(mark, Tag) for mark in marks) else "boxes or polygons"
        raise DataError(f"{path}: has {kind}, and class folders hold pictures of one class each")
    label = marks[0].label
    if not label.strip() or label.startswith(".") or "/" in label or "\0" in label or len(label.encode()) > MOST_BYTES:
        raise DataError(f"{path}: its class {label!r} can be no folder's name; rename it, or choose another format")
    parts = path.parts[1:] if path.parts[0] == label and len(path.parts) > 1 else path.parts
    tries = (parts[-1], "_".join(parts), *(f"{number}_{'_'.join(parts)}" for number in range(2, 10_000)))
    name = next(f"{label}/{name}" for name in tries if f"{label}/{name}" not in taken)
    taken.add(name)
    return name


def _read_root(root: Path) -> list[Record]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give a folder that holds one folder of pictures per class")
    folders = [folder for folder in _visible(root) if folder.is_dir()]
    if not folders:
        raise DataError(f"{root}: holds no class folders; expected {root}/<class>/<picture>")
    return [record for folder in folders for record in _read_class(folder)]


def _read_class(folder: Path) -> list[Record]:
    files = [path for path in _visible(folder) if path.suffix.lower() in SUFFIXES and _is_there(path)]
    if not files:
        suffixes = " ".join(sorted(SUFFIXES))
        raise DataError(f"{folder}: no pictures in this class folder; add some ({suffixes}) or remove the folder")
    return [Record(path, (folder.name,)) for path in files]


def _is_there(path: Path) -> bool:
    """Tell whether there is a file, or a link that leads nowhere: reading that fails, and it is not left out."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as exc:
        raise DataError(f"{folder}: cannot be read ({exc.strerror}); check its permissions") from exc
