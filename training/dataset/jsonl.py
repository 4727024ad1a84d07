"""AutoML's own way to write labels down: one JSON object a line.

Also what data-labelling projects export as an Azure ML dataset: the same with ``label_confidence`` beside, with boxes
that may be texts, and pictures called ``AmlDatastore://...``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.dataset.annotations import MULTICLASS, Box, Dataset, Mark, Outline, Size, Tag
from training.dataset.entries import Entry, azure_url, path_of, size_from
from training.errors import DataError

CORNERS = ("topX", "topY", "bottomX", "bottomY")
TRUE = (True, 1, 1.0, "1", "true", "True")


def read_jsonl(path: Path) -> list[Entry]:
    """Read a JSON lines file.

    Raises:
        DataError: it cannot be read, or a line is not what AutoML takes; the line is named.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{path}: cannot be read ({exc})") from exc
    return [_entry(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


EARLY_STORE = "AmlDatastore://workspaceblobstore"
"""Where pictures are in the form of AutoML's first preview: below the default datastore of a workspace."""


def jsonl_file(dataset: Dataset, kinds: Sequence[str], *, early: bool = False) -> dict[str, bytes]:
    """Return the file, by its name, for pictures whose names and sizes are known and whose formats are ``kinds``.

    The early form has sizes as ``"400px"`` and pictures on a datastore; today's has numbers, and paths from the file.
    """
    lines = []
    for example, kind in zip(dataset.examples, kinds, strict=True):
        details = (kind, example.picture.size) if example.picture.size else None
        url = f"{EARLY_STORE}/{example.picture.name}" if early else example.picture.name
        if dataset.task == MULTICLASS and len(example.marks) != 1:
            raise DataError(f"{example.picture.name}: has {len(example.marks)} labels where {MULTICLASS} has one")
        line = line_of(url, example.marks, many=dataset.task != MULTICLASS, details=details, unit="px" if early else "")
        lines.append(f"{line}\n")
    return {"annotations.jsonl": "".join(lines).encode()}


def line_of(url: str, marks: Sequence[Mark], *, many: bool, details: tuple[str, Size] | None, unit: str = "px") -> str:
    """Return a picture's line, without its end.

    ``many`` tells that the task has a list of labels; ``details`` are the format (``png``) and the size, if known. With
    a ``unit`` sizes are texts that end in it, else numbers.
    """
    line: dict[str, Any] = {"image_url": url}
    if details:
        kind, (width, height) = details
        sides = {"width": f"{width}{unit}", "height": f"{height}{unit}"} if unit else {"width": width, "height": height}
        line["image_details"] = {"format": kind, **sides}
    labels = [_written(mark) for mark in marks]
    line["label"] = labels if many else labels[0]
    return json.dumps(line, ensure_ascii=False)


def _written(mark: Mark) -> str | dict[str, Any]:
    if isinstance(mark, Tag):
        return mark.label
    if isinstance(mark, Box):
        corners = zip(CORNERS, (mark.left, mark.top, mark.right, mark.bottom), strict=True)
        return {"label": mark.label, **{name: _inside(value) for name, value in corners}, "isCrowd": int(mark.crowd)}
    rings = [[_inside(value) for value in ring] for ring in mark.rings]
    return {"label": mark.label, "isCrowd": int(mark.crowd), "polygon": rings}


def _inside(share: float) -> float:
    """Return a share within 0..1: rounding may have carried one out by a hair."""
    return min(max(share, 0.0), 1.0)


def _entry(line: str, where: str) -> Entry:
    try:
        values = json.loads(line)
        reference = values["image_url"]
        label = values["label"] if "label" in values else values["labels"]
        marks = tuple(_mark(value) for value in (label if isinstance(label, list) else [label]))
        details = values.get("image_details") or {}
        if not isinstance(reference, str):
            raise TypeError("image_url is no text")
        return Entry(path_of(reference), marks, azure_url(reference), size_from(details))
    except KeyError as exc:
        raise DataError(f"{where}: {exc.args[0]} is missing; a line has image_url and label") from exc
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise DataError(f"{where}: cannot be used ({exc})") from exc


def _mark(value: Any) -> Mark:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return Tag(str(value))
    if not isinstance(value, Mapping):
        raise TypeError(f"label {value!r} is neither a text nor a box nor a polygon")
    label, crowd = str(value["label"]), value.get("isCrowd", 0) in TRUE
    if "polygon" in value:
        return Outline(label, tuple(tuple(float(v) for v in ring) for ring in value["polygon"]), crowd)
    left, top, right, bottom = (float(value[corner]) for corner in CORNERS)
    return Box(label, left, top, right, bottom, crowd)
