"""Predictions into a CSV or JSON Lines file, one row a picture.

Rule: rows go to ``NAME.partial`` beside, which becomes ``NAME`` only when all is written. A run that is interrupted
leaves the partial file with what was answered, and an earlier ``NAME`` as it was.
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import orjson

from edge.errors import ConfigError, PublishError
from edge.results import Failure, Prediction, prediction_json

SELECTED_SEPARATOR = ";"


class Rows(Protocol):
    """One file format."""

    def begin(self) -> None:
        """Write what comes before all rows."""

    def row(self, path: str, prediction: Prediction) -> None:
        """Write one picture."""


class CsvRows:
    """RFC 4180: ``path``, ``label``, ``score``, one column a class, ``error``; ``selected`` for multi-label models.

    A picture that failed has only ``path`` and ``error``. ``selected`` joins the labels above the threshold by ``;``.
    """

    def __init__(self, file: TextIO, labels: Sequence[str], *, multilabel: bool) -> None:
        self._writer = csv.writer(file)
        self._labels = tuple(labels)
        self._multilabel = multilabel

    def begin(self) -> None:
        """Write the column names."""
        self._write(["path", "label", "score", *self._labels, "error"], "selected")

    def row(self, path: str, prediction: Prediction) -> None:
        """Write one picture's row."""
        if isinstance(prediction, Failure):
            blank = [""] * len(self._labels)
            self._write([path, "", "", *blank, f"{prediction.kind}: {prediction.detail}"], "")
            return
        probs: Mapping[str, float] = dict(zip(prediction.labels, prediction.probs, strict=True))
        by_class = [probs.get(label, "") for label in self._labels]
        selected = SELECTED_SEPARATOR.join(prediction.selected or ())
        self._write([path, prediction.label, prediction.score, *by_class, ""], selected)

    def _write(self, columns: list[Any], selected: str) -> None:
        self._writer.writerow([*columns, selected] if self._multilabel else columns)


class JsonRows:
    """JSON Lines: one object a picture, ``path`` beside the prediction (or ``error``) as over HTTP."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def begin(self) -> None:
        """Write nothing."""

    def row(self, path: str, prediction: Prediction) -> None:
        """Write one picture's line."""
        self._file.write(orjson.dumps({"path": path, **prediction_json(prediction)}).decode() + "\n")


class FileWriter:
    """A context: what ``write`` takes is in ``target`` once the context ends without an exception."""

    def __init__(self, target: Path, rows: Callable[[TextIO], Rows]) -> None:
        self._target = target
        self._partial = target.with_name(f"{target.name}.partial")
        self._make_rows = rows

    @property
    def partial(self) -> Path:
        """Where rows are until the end, and stay when the run is interrupted."""
        return self._partial

    def __enter__(self) -> Self:
        with self._explained():
            self._file = self._partial.open("w", encoding="utf-8", newline="")
            self._rows = self._make_rows(self._file)
            self._rows.begin()
        return self

    def write(self, path: str, prediction: Prediction) -> None:
        """Append a picture's row. Raises PublishError where the disk is full or refuses."""
        with self._explained():
            self._rows.row(path.encode("utf-8", "backslashreplace").decode("utf-8"), prediction)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is not None:
            with suppress(OSError):  # the exception under way says more
                self._file.close()
            return
        with self._explained():
            self._file.close()
            self._partial.replace(self._target)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            reason = exc.strerror or str(exc)
            msg = f"cannot write {self._target}: {reason}; free space or choose another --output"
            raise PublishError(msg) from exc


def open_writer(target: Path, labels: Sequence[str], *, multilabel: bool = False) -> FileWriter:
    """Return the writer for the file's suffix, ``.csv`` or ``.jsonl``. ``labels`` are the model's, in its order.

    Raises ConfigError for another suffix.
    """
    match target.suffix.lower():
        case ".csv":
            return FileWriter(target, lambda file: CsvRows(file, labels, multilabel=multilabel))
        case ".jsonl":
            return FileWriter(target, JsonRows)
    msg = f"--output {os.fspath(target)!r} must end in .csv or .jsonl"
    raise ConfigError(msg)
