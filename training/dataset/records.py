"""One labelled picture of a classification task, and what is counted over many."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """One picture, a readable file, and the classes that it shows: one where the task is multi-class."""

    path: Path
    labels: tuple[str, ...]

    @property
    def label(self) -> str:
        """The one class of a multi-class picture.

        Raises:
            DataError: it has none or several.
        """
        if len(self.labels) != 1:
            raise DataError(f"{self.path}: has {len(self.labels)} labels, where one is wanted")
        return self.labels[0]


def classes_of(records: Sequence[Record]) -> list[str]:
    """Return the class names in label-index order: sorted, as AutoML writes ``labels.json`` (contract 0.9)."""
    return sorted({label for record in records for label in record.labels})


def counts_of(records: Sequence[Record]) -> Counter[str]:
    """Count the pictures of each class."""
    return Counter(label for record in records for label in record.labels)


def content_hash(records: Sequence[Record]) -> str:
    """Return the sha256 (hex) over labels, file names and contents; independent of where the pictures lie."""
    digest = hashlib.sha256()
    for line in sorted(f"{' '.join(r.labels)}/{r.path.name} {content_of(r)}\n" for r in records):
        digest.update(line.encode())
    return digest.hexdigest()


def content_of(record: Record) -> str:
    """Return the sha256 (hex) of a picture's file. Raises DataError naming the file."""
    return hashlib.sha256(read_bytes(record.path)).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return a picture file's bytes. Raises DataError naming the file."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror}); check its permissions") from exc
