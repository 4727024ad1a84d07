"""What AutoML is given: lines that tell of pictures by their places in Azure, and the MLTable that reads them."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS, Example, Size
from training.dataset.inspection import Looked
from training.dataset.jsonl import line_of
from training.dataset.locate import AUTOML_SUFFIXES

MLTABLE = "MLTable"
"""The file's name, which the service wants."""
PLAIN = re.compile(r"[A-Za-z0-9._/-]+")
"""Names that are the same in a path and in a URL."""


def table_of(lines: Iterable[str], name: str) -> Mapping[str, bytes]:
    """Return the files of an MLTable folder: ``MLTable`` and ``<name>.jsonl``."""
    text = (
        "paths:\n"
        f"  - file: ./{name}.jsonl\n"
        "transformations:\n"
        "  - read_json_lines:\n"
        "      encoding: utf8\n"
        "      invalid_lines: error\n"
        "      include_path_column: false\n"
        "  - convert_column_types:\n"
        "      - columns: image_url\n"
        "        column_type: stream_info\n"
    )
    return {MLTABLE: text.encode(), f"{name}.jsonl": "".join(f"{line}\n" for line in lines).encode()}


def lines_of(rows: Iterable[tuple[Example, Looked]], task: Task, place: Callable[[Example], str]) -> list[str]:
    """Return the line of each picture; ``place`` tells its ``image_url``."""
    return [
        line_of(place(example), example.marks, many=task != MULTICLASS, details=_details(example, seen))
        for example, seen in rows
    ]


def _details(example: Example, seen: Looked) -> tuple[str, Size] | None:
    """Return format and size: what the file shows, or, of a picture that is not here, what its labels tell."""
    if seen.format:
        return seen.format, seen.size
    suffix, told = PurePosixPath(example.picture.name).suffix.lower(), example.picture.size
    return (suffix[1:], told) if told and suffix in AUTOML_SUFFIXES else None


def stored_name(name: str) -> str:
    """Return the name that a picture gets in Azure: its own, where no character of it means something in a URL.

    Others become ``_``, and a mark made of the whole name keeps two such names apart.
    """
    if PLAIN.fullmatch(name):
        return name
    path = PurePosixPath(name)
    plain = re.sub(r"[^A-Za-z0-9._/-]", "_", str(path.with_suffix("")))
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}{path.suffix}"


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """Return the sha256 (hex) over names and hashes of files, in whatever order they come."""
    text = "".join(sorted(f"{name} {sha256}\n" for name, sha256 in files))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_table(files: Mapping[str, bytes]) -> str:
    """Return the sha256 (hex) over a table's files."""
    return digest_of((name, hashlib.sha256(data).hexdigest()) for name, data in files.items())


def rows_in(
    examples: Sequence[Example], looked: Sequence[Looked], chosen: Sequence[bool]
) -> list[tuple[Example, Looked]]:
    """Return the examples that are chosen, with what their files show, by name."""
    rows = [row for row, wanted in zip(zip(examples, looked, strict=True), chosen, strict=True) if wanted]
    return sorted(rows, key=lambda row: row[0].picture.name)
