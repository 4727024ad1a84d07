"""Pascal VOC: an XML file for each picture."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from training.dataset.annotations import Box, Example, Outline, Tag
from training.dataset.entries import Entry, path_of
from training.errors import DataError

ROOT = "annotation"


def voc_files(paths: Iterable[Path]) -> list[Path]:
    """Return the XML files of Pascal VOC, sorted; with any, also those that are no whole XML, which reading names.

    Raises:
        OSError: one cannot be read.
    """
    kinds = {path: _kind(path) for path in paths}
    if ROOT not in kinds.values():
        return []
    return sorted(path for path, kind in kinds.items() if kind in (ROOT, None))


def _kind(path: Path) -> str | None:
    """Return the name of an XML file's root, None for what is no whole XML."""
    try:
        return _parsed(path).tag
    except ElementTree.ParseError:
        return None


def read_voc(path: Path) -> Entry:
    """Read the boxes of one picture. A file that does not name its picture is for the one of its own stem.

    Raises:
        DataError: it cannot be read, or an object has no name or box.
    """
    try:
        root = _parsed(path)
        boxes = tuple(_box(found) for found in root.iter("object"))
        width, height = (int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (OSError, ElementTree.ParseError, ValueError, OverflowError) as exc:
        raise DataError(f"{path}: cannot be used as a Pascal VOC file ({exc})") from exc
    reference = path_of((root.findtext("filename") or "").strip() or path.stem)
    whole = path_of((root.findtext("path") or "").strip())
    if PurePosixPath(whole).name == PurePosixPath(reference).name:  # it tells more, unless the file was renamed
        reference = whole
    return Entry(reference, boxes, size=(width, height) if width > 0 and height > 0 else None, pixels=True)


def voc_files_of(examples: Sequence[Example]) -> dict[str, bytes]:
    """Return a file for each picture, by its name; the pictures' sizes are known.

    Coordinates are whole pixels, and a box is one pixel wide at least; polygons become the boxes around them.

    Raises:
        DataError: a picture is marked with a class as a whole.
    """
    files: dict[str, bytes] = {}
    for example in examples:
        path = PurePosixPath(example.picture.name)
        name = f"annotations/{PurePosixPath(*path.parts[1:]).with_suffix('.xml')}"
        if name in files:  # two pictures that differ in their suffix
            name = f"annotations/{PurePosixPath(*path.parts[1:])}.xml"
        files[name] = ElementTree.tostring(_written(example), encoding="utf-8", xml_declaration=True)
    return files


def _written(example: Example) -> ElementTree.Element:
    path, size = PurePosixPath(example.picture.name), example.picture.size or (0, 0)
    root = ElementTree.Element(ROOT)
    sides = dict(zip(("width", "height", "depth"), map(str, (*size, 3)), strict=True))
    _add(root, {"folder": str(path.parent), "filename": path.name, "path": str(path), "size": sides})
    for mark in example.marks:
        if isinstance(mark, Tag):
            raise DataError(
                f"{path.relative_to(path.parts[0])}: has a class as a whole, and Pascal VOC holds boxes only"
            )
        box = mark.box() if isinstance(mark, Outline) else mark
        xmin, xmax = _whole(box.left, box.right, size[0])
        ymin, ymax = _whole(box.top, box.bottom, size[1])
        frame = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
        told = {"name": box.label, "difficult": str(int(box.crowd)), "bndbox": {k: str(v) for k, v in frame.items()}}
        _add(ElementTree.SubElement(root, "object"), told)
    return root


def _whole(first: float, last: float, side: int) -> tuple[int, int]:
    """Return two ends, shares of a side, in whole pixels: within the picture, and at least one pixel apart."""
    begin = max(0, min(round(first * side), side - 1))
    return begin, max(round(last * side), begin + 1)


def _add(parent: ElementTree.Element, values: Mapping[str, Any]) -> None:
    """Add elements with these texts; a mapping is an element with others in it."""
    for name, value in values.items():
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, Mapping):
            _add(child, value)
        else:
            child.text = value


def _parsed(path: Path) -> ElementTree.Element:
    with path.open("rb") as file:
        return ElementTree.parse(file).getroot()  # noqa: S314 - expat itself bounds what entities may grow to


def _box(found: ElementTree.Element) -> Box:
    name, frame = (found.findtext("name") or "").strip(), found.find("bndbox")
    if not name or frame is None:
        raise ValueError("an object without name or bndbox")
    left, top, right, bottom = (float(frame.findtext(side) or "nan") for side in ("xmin", "ymin", "xmax", "ymax"))
    return Box(name, left, top, right, bottom, crowd=(found.findtext("difficult") or "0").strip() == "1")
