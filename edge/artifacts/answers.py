"""Pictures with known answers, as a person can gather them.

One of these in the folder:

- ``answers.jsonl``: a line a picture, ``{"image": "a.jpg", "probs": [...]}``, ``{"image": "a.jpg", "label": "red"}`` or
  ``{"image": "a.jpg", "labels": [...]}``. With ``probs``, ``labels`` gives their order where it is not that of
  ``labels.json``: so the cloud endpoint answers, and so an answer of it can be saved. The strongest evidence.
- ``answers.csv``: ``file,label`` a line; for a multi-label model ``file,"one two"`` or ``file,one;two``.
- a sub-folder for each class, holding its pictures.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ConfigError
from edge.preprocess.decode import SUFFIXES

HEADERS = frozenset(("file", "filename", "file_name", "image", "path", "picture"))
SHOWN = 10
"""How many problems of one kind are spelled out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A picture and what a right model says to it; ``probs`` (0..1, in label order) where they are known."""

    name: str
    path: Path
    labels: frozenset[str]
    probs: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Classes:
    """What the model can say: its labels in order, and the threshold (0..1) of a multi-label model, else None."""

    labels: tuple[str, ...]
    threshold: float | None

    def said(self, probs: Sequence[float]) -> frozenset[str]:
        """Return the labels that a model with these probabilities says."""
        if self.threshold is None:
            return frozenset((self.labels[max(range(len(probs)), key=probs.__getitem__)],))
        return frozenset(label for label, prob in zip(self.labels, probs, strict=True) if prob > self.threshold)


def read_answers(folder: Path, classes: Classes) -> tuple[Answer, ...]:
    """Return the pictures with known answers in ``folder``, by name. Raises ConfigError listing what is wrong."""
    problems: list[str] = []
    answers: dict[str, Answer] = {}
    try:
        for where, found in _reader(folder)(folder, classes):
            problem = found if isinstance(found, str) else _problem(found, answers, classes)
            if problem is not None:
                problems.append(f"{where}: {problem}")
            elif isinstance(found, Answer):
                answers[found.name] = found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read the known answers in {folder}: {error}") from error
    if problems:
        raise ConfigError(shortened(problems))
    if not answers:
        raise ConfigError(
            f"{folder} holds no pictures with known answers: give a sub-folder a class, answers.csv or answers.jsonl"
        )
    return tuple(answers[name] for name in sorted(answers))


def shortened(problems: Sequence[str]) -> str:
    """Return problems one a line, the many as a number."""
    more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return "\n".join([*problems[:SHOWN], *more])


Found = Iterator[tuple[str, Answer | str]]
"""Where something stands, and the answer there or what is wrong with it."""


def _reader(folder: Path) -> Callable[[Path, Classes], Found]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: --golden takes a folder of pictures with known answers")
    readers = {"answers.jsonl": _from_jsonl, "answers.csv": _from_csv}
    present = [name for name in readers if (folder / name).is_file()]
    if len(present) > 1:
        raise ConfigError(f"{folder} holds {' and '.join(present)}: leave one of them")
    return readers[present[0]] if present else _from_folders


def _problem(answer: Answer, known: Mapping[str, Answer], classes: Classes) -> str | None:
    unknown = sorted(answer.labels - set(classes.labels))
    if unknown:
        return f"the model has no class {', '.join(unknown)}; its classes are {', '.join(classes.labels)}"
    if classes.threshold is None and len(answer.labels) != 1:
        return f"{answer.name} has {len(answer.labels)} labels; a multi-class model says exactly one"
    if answer.name in known:
        return f"{answer.name} is answered twice"
    if not answer.path.is_file():
        return f"there is no picture {answer.name}"
    return None


def _from_folders(folder: Path, classes: Classes) -> Found:
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if classes.threshold is not None:
            yield str(place), "a sub-folder says one class a picture; for a multi-label model give answers.csv"
            continue
        if place.name not in classes.labels:
            yield str(place), f"the model has no class {place.name}; its classes are {', '.join(classes.labels)}"
            continue
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                yield str(path), Answer(f"{place.name}/{path.name}", path, frozenset((place.name,)))


def _from_csv(folder: Path, classes: Classes) -> Found:
    file = folder / "answers.csv"
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        for row in rows:
            where = f"{file} line {rows.line_num}"
            if not row or (rows.line_num == 1 and row[0].strip().lower() in HEADERS):
                continue
            if len(row) < 2:
                yield where, "a file and its label are expected: file,label"
                continue
            labels = [label for cell in row[1:] for label in _split(cell.strip(), classes)]
            yield where, Answer(row[0].strip(), folder / row[0].strip(), frozenset(labels))


def _split(cell: str, classes: Classes) -> list[str]:
    """Return the labels in a cell; a class name with spaces in it stays whole."""
    if classes.threshold is None or cell in classes.labels:
        return [cell]
    parts = cell.split(";") if ";" in cell else cell.split()
    return [part.strip() for part in parts if part.strip()]


def _from_jsonl(folder: Path, classes: Classes) -> Found:
    file = folder / "answers.jsonl"
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            yield f"{file} line {number}", _from_line(line, folder, classes)


def _from_line(line: str, folder: Path, classes: Classes) -> Answer | str:
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    name = body.get("image", body.get("path")) if isinstance(body, dict) else None
    if not isinstance(name, str) or not name:
        return 'an object with "image" is expected'
    if "probs" in body:
        probs = _probs(body, classes)
        return probs if isinstance(probs, str) else Answer(name, folder / name, classes.said(probs), probs)
    labels = body.get("label", body.get("labels"))
    labels = [labels] if isinstance(labels, str) else labels
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        return '"probs", "label" or "labels" is expected'
    return Answer(name, folder / name, frozenset(labels))


def _probs(body: Mapping[str, Any], classes: Classes) -> tuple[float, ...] | str:
    """Return the probabilities in the order of the model's labels, or what is wrong with them."""
    probs, order = body["probs"], body.get("labels", list(classes.labels))
    if not isinstance(probs, list) or not all(type(prob) in (int, float) and 0 <= prob <= 1 for prob in probs):
        return '"probs" must be a list of numbers from 0 to 1'
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(classes.labels):
        return f'"labels" beside "probs" must name the model\'s classes: {", ".join(classes.labels)}'
    if len(probs) != len(order):
        return f"{len(probs)} probabilities for {len(order)} classes"
    by_label = dict(zip(order, probs, strict=True))
    return tuple(float(by_label[label]) for label in classes.labels)
