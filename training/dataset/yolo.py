"""YOLO: a list of classes (``data.yaml`` or ``classes.txt``), and a text file of boxes or polygons for each picture.

``labels/<path>.txt`` is for ``images/<path>.*``; where there is no such folder, a text file is for the picture beside
it. A line is ``class x y width height`` (middle and size) or ``class x1 y1 x2 y2 x3 y3 ...``, in shares of the picture.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from training.dataset.annotations import Box, Mark, Outline, Tag
from training.dataset.entries import Entry
from training.errors import DataError

LISTS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt")
"""How the list of classes may be called, the one that is taken first."""
LIST, LABELS, IMAGES = LISTS[0], "labels", "images"
NAMED = re.compile(r"names\s*:(?P<inline>.*)")
ITEM = re.compile(r"\s*(?:-\s+|(?P<number>\d+)\s*:\s*)(?P<name>\S.*)")
FIELD = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\[\]]+?)\s*(?:,|$)""")


def class_lists(folder: Path) -> list[Path]:
    """Return the list of classes of a folder of YOLO's, as one path; none where there is none or it is something else.

    Raises:
        OSError: it cannot be read.
    """
    there = [folder / name for name in LISTS if (folder / name).is_file()]
    if there and (there[0].suffix == ".txt" or NAMED.search(there[0].read_text(encoding="utf-8", errors="replace"))):
        return there[:1]
    return []


def read_yolo(path: Path) -> list[Entry]:
    """Read all labels below the folder of a list of classes.

    Raises:
        DataError: a file cannot be read, or a line is none of YOLO's; the line is named.
    """
    names, folder = _names(path), path.parent
    files = sorted(found for found in folder.rglob("*.txt") if found != path and _is_labels(found, folder))
    return [Entry(_picture_of(file.relative_to(folder)), _marks(file, names)) for file in files]


def label_files(entries: Iterable[tuple[str, Sequence[Mark]]], classes: Sequence[str]) -> dict[str, bytes]:
    """Return the files, by their names, for pictures by their paths below ``images``.

    What YOLO cannot hold is lost: crowds, and that several rings are one thing. Raises DataError for classes of whole
    pictures, and for two pictures whose names differ in their suffix only.
    """
    listed = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(classes))
    files = {LIST: f"path: .\ntrain: {IMAGES}\nval: {IMAGES}\nnames:\n{listed}".encode()}
    number_of = {name: number for number, name in enumerate(classes)}
    for name, marks in entries:
        file = f"{LABELS}/{PurePosixPath(name).with_suffix('.txt')}"
        if file in files:
            raise DataError(f"{name}: another picture is called so but for its suffix, and YOLO tells them apart by it")
        lines = [line for mark in marks for line in _lines(mark, number_of[mark.label])]
        files[file] = "".join(f"{line}\n" for line in lines).encode()
    return files


def _lines(mark: Mark, number: int) -> Iterator[str]:
    if isinstance(mark, Tag):
        raise DataError(f"{mark.label!r} is the class of a whole picture, and YOLO holds boxes and polygons only")
    if isinstance(mark, Box):
        middle = ((mark.left + mark.right) / 2, (mark.top + mark.bottom) / 2)
        yield _line(number, [*middle, mark.right - mark.left, mark.bottom - mark.top])
    else:
        yield from (_line(number, ring) for ring in mark.rings)


def _line(number: int, values: Sequence[float]) -> str:
    return " ".join([str(number), *(f"{value:.8f}".rstrip("0").rstrip(".") for value in values)])


def _is_labels(file: Path, folder: Path) -> bool:
    """Tell whether a text file is one of labels: where there is a folder for them, it lies in it."""
    parts = file.relative_to(folder).parts
    if any(part.startswith(".") for part in parts):
        return False
    return LABELS in parts[:-1] or not (folder / LABELS).is_dir()


def _picture_of(file: Path) -> str:
    """Return the path of the picture that a file of labels is for, without its suffix."""
    parts = list(file.with_suffix("").parts)
    if LABELS in parts[:-1]:
        parts[parts.index(LABELS)] = IMAGES
    return "/".join(parts)


def _names(path: Path) -> Mapping[int, str]:
    text = _text(path)
    if path.suffix == ".txt":
        return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    lines = text.splitlines()
    begin = next((n for n, line in enumerate(lines) if NAMED.match(line)), None)
    found = NAMED.match(lines[begin]) if begin is not None else None
    if begin is None or found is None:
        raise DataError(f"{path}: has no names of classes; a line of it is: names: [first, second]")
    inline = _uncommented(found["inline"])
    names = _listed(inline) if inline else _below(lines[begin + 1 :])
    if not names:
        raise DataError(f"{path}: the names of classes cannot be read; write them as: names: [first, second]")
    return names


def _listed(text: str) -> Mapping[int, str]:
    """Return the names of ``[a, 'b', "c"]``, none of anything else."""
    if not (text.startswith("[") and text.endswith("]")):
        return {}
    return dict(enumerate(_plain(found[1]) for found in FIELD.finditer(text[1:-1])))


def _below(lines: Sequence[str]) -> Mapping[int, str]:
    """Return the names of ``- a`` or ``0: a`` on lines of their own."""
    names: dict[int, str] = {}
    for line in lines:
        if not _uncommented(line):
            continue
        found = ITEM.fullmatch(line)
        if not found:
            break
        names[int(found["number"] or len(names))] = _plain(_uncommented(found["name"]))
    return names


def _uncommented(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        return text
    return re.sub(r"(^|\s)#.*", "", text).strip()


def _plain(text: str) -> str:
    """Return what a YAML scalar says: quoted as in JSON, in single quotes, or as it is."""
    if text.startswith('"'):
        return str(json.loads(text))
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{path}: cannot be read ({exc})") from exc


def _marks(file: Path, names: Mapping[int, str]) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    for number, line in enumerate(_text(file).splitlines(), 1):
        if line.strip():
            try:
                marks.append(_mark(line.split(), names))
            except (ValueError, KeyError) as exc:
                raise DataError(f"{file}, line {number}: cannot be used ({exc})") from exc
    return tuple(marks)


def _mark(fields: Sequence[str], names: Mapping[int, str]) -> Mark:
    number, values = int(fields[0]), [float(field) for field in fields[1:]]
    if number not in names:
        raise ValueError(f"class {number} has no name")
    if len(values) == 4:
        across, down, width, height = values
        sides = (across - width / 2, down - height / 2, across + width / 2, down + height / 2)
        return Box(names[number], *sides)
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"{len(values)} numbers after the class, where 4 make a box and 6, 8, 10 ... a polygon")
    return Outline(names[number], (tuple(values),))
