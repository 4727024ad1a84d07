"""Tables of names and labels: ``file,label1 label2``, and the CSV that data-labelling projects export."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

from edge.bundle import Task
from edge.preprocess.decode import SUFFIXES
from training.dataset.annotations import MULTICLASS, Example, Tag
from training.dataset.entries import OLD_DATASTORE, Entry, azure_url, path_of
from training.errors import DataError

SEPARATORS = (";", "|", ",")
"""What may stand between the labels of a cell in place of spaces; then labels may have spaces in them."""
LABELS = ("label", "labels")
PLAIN = re.compile(r"[^\s,;|\[\]]+")
"""A label that stands for itself among others with spaces between them."""


def read_table(path: Path, task: Task | None) -> list[Entry]:
    """Read a table: the first column names the picture, that called ``label`` or ``labels``, or the second, its labels.

    A row of a data-labelling project's export, or of a multi-class task, has one label, or a JSON list of them.

    Raises:
        DataError: it cannot be read, or a row has no labels' cell.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{path}: cannot be read ({exc})") from exc
    if rows and not _names_picture(rows[0][0]):
        column, rows = _label_column(rows[0]), rows[1:]
    else:
        column = 1
    short = next((row for row in rows if len(row) <= column), None)
    if short is not None:
        raise DataError(f"{path}: the row of {short[0]!r} has no labels; a row is: file,label1 label2")
    try:
        return [_entry(row[0].strip(), row[column], task) for row in rows]
    except json.JSONDecodeError as exc:
        raise DataError(f"{path}: the labels {exc.doc!r} are no JSON list") from exc
    except RecursionError as exc:
        raise DataError(f"{path}: labels are no JSON list, but lists in lists") from exc


def table_file(examples: Sequence[Example]) -> dict[str, bytes]:
    """Return the file, by its name: ``image,labels``, where labels stand with spaces between them, or as a JSON list.

    The latter where a label could be taken for several, or for a list.

    Raises:
        DataError: a picture is marked with something else than classes.
    """
    marked = next((example for example in examples if not all(isinstance(mark, Tag) for mark in example.marks)), None)
    if marked:
        name = marked.picture.name.removeprefix("images/")
        raise DataError(f"{name}: has boxes or polygons, and a CSV holds classes only")
    plain = all(PLAIN.fullmatch(mark.label) for example in examples for mark in example.marks)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("image", LABELS[1]))
    for example in examples:
        labels = [mark.label for mark in example.marks]
        table.writerow((example.picture.name, " ".join(labels) if plain else json.dumps(labels, ensure_ascii=False)))
    return {"labels.csv": text.getvalue().encode()}


def _names_picture(cell: str) -> bool:
    return Path(path_of(cell.strip())).suffix.lower() in SUFFIXES


def _label_column(header: Sequence[str]) -> int:
    named = [number for number, cell in enumerate(header) if cell.strip().lower() in LABELS]
    return named[0] if named else 1


def _entry(reference: str, cell: str, task: Task | None) -> Entry:
    one = task == MULTICLASS or (task is None and OLD_DATASTORE.fullmatch(reference) is not None)
    labels = _labels(cell.strip(), one=one)
    return Entry(path_of(reference), tuple(Tag(label) for label in labels), azure_url(reference))


def _labels(cell: str, *, one: bool) -> list[str]:
    if cell.startswith("["):
        return [str(label) for label in json.loads(cell)]
    if one:
        return [cell] if cell else []
    separator = next((found for found in SEPARATORS if found in cell), None)
    return [label.strip() for label in cell.split(separator) if label.strip()]
