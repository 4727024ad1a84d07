"""Reads collections of one folder a class into records, in the same order whatever the file system says."""

from collections.abc import Iterable
from pathlib import Path

from edge.preprocess.decode import SUFFIXES
from training.dataset.records import Record
from training.errors import DataError


def read_folders(roots: Iterable[Path]) -> list[Record]:
    """Read every `ROOT/<class>/<picture>` below the roots, ordered by root, class and file name.

    Hidden files and folders and files that are no pictures by their suffix are left out.

    Raises:
        DataError: a root is missing or no folder, holds no class folder, or a class folder holds no picture.
    """
    return [record for root in roots for record in _read_root(Path(root))]


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
