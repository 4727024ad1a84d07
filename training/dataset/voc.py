"""Pascal VOC: an XML file for each picture."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from training.dataset.annotations import Box
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
    return Entry(reference, boxes, size=(width, height) if width > 0 and height > 0 else None, pixels=True)


def _parsed(path: Path) -> ElementTree.Element:
    with path.open("rb") as file:
        return ElementTree.parse(file).getroot()  # noqa: S314 - expat itself bounds what entities may grow to


def _box(found: ElementTree.Element) -> Box:
    name, frame = (found.findtext("name") or "").strip(), found.find("bndbox")
    if not name or frame is None:
        raise ValueError("an object without name or bndbox")
    left, top, right, bottom = (float(frame.findtext(side) or "nan") for side in ("xmin", "ymin", "xmax", "ymax"))
    return Box(name, left, top, right, bottom, crowd=(found.findtext("difficult") or "0").strip() == "1")
