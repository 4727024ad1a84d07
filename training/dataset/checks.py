"""What is wrong with a collection, found before anything is sent: problems stop, warnings are worth putting right.

Hints are worth a look only: a large and honest collection has some.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from edge.preprocess.decode import MAX_PIXELS
from training.dataset.annotations import (
    DETECTION,
    MULTICLASS,
    SEGMENTATION,
    Box,
    Example,
    Mark,
    Outline,
    coordinates,
    pictures_per_class,
)
from training.dataset.finding import LEVELS, Check, Checked, Finding, Level, Where, said, with_looks
from training.dataset.likeness import (
    MOST_IMBALANCE,
    blank,
    imbalance,
    near,
    other_labels,
    parted,
    suspected,
    tiny,
    together,
    unfinished,
)
from training.dataset.parts import counts

LEAST_PICTURES = 10
"""AutoML takes no job with fewer."""
ADVISED_PICTURES = 10
"""What is advised for each class, 10 to 15."""
HAIR = 1e-3
"""By how much a coordinate may leave 0..1 and is put right: what rounding does to a pixel."""
SHOWN = 5


def check(checked: Checked) -> list[Finding]:
    """Return all findings, problems first, each kind once."""
    found = [
        Finding(level, kind, text, len(where), tuple(where[:SHOWN]))
        for level, kind, text, look in CHECKS
        if (where := list(look(checked)))
    ]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def _faulty(*faults: str) -> Check:
    def found(checked: Checked) -> Where:
        for example, seen in with_looks(checked):
            usable = checked.in_place and seen.fault == "missing" and example.picture.url
            if seen.fault in faults and not usable:
                yield f"{example.picture.name}: {seen.why}" if seen.fault != "missing" else example.picture.name

    return found


def _too_few(checked: Checked) -> Where:
    if len(checked.dataset.examples) < LEAST_PICTURES:
        yield f"{len(checked.dataset.examples)} pictures"


def _one_class(checked: Checked) -> Where:
    if checked.dataset.task not in (DETECTION, SEGMENTATION) and len(checked.dataset.classes) < 2:
        yield f"{len(checked.dataset.classes)} class"


def _small_classes(checked: Checked) -> Where:
    for label, count in sorted(pictures_per_class(checked.dataset.examples).items()):
        if count < ADVISED_PICTURES:
            yield f"{label}: {count}"


def _never_trained(checked: Checked) -> Where:
    for label, by_part in counts(checked.dataset.examples, checked.parts).items():
        if not by_part["train"]:
            yield label


def _never_validated(checked: Checked) -> Where:
    if "validation" in checked.parts:
        for label, by_part in counts(checked.dataset.examples, checked.parts).items():
            if not by_part["validation"]:
                yield label


def _listed_twice(checked: Checked) -> Where:
    counted = Counter(example.picture.name for example in checked.dataset.examples)
    return (name for name, count in counted.items() if count > 1)


def _copies(checked: Checked) -> Iterable[list[Example]]:
    """Yield the pictures of one content, where there are several; a picture that is listed twice is another matter."""
    groups: dict[str, dict[str, Example]] = defaultdict(dict)
    for example, seen in with_looks(checked):
        if seen.sha256:
            groups[seen.sha256].setdefault(example.picture.name, example)
    return (list(group.values()) for group in groups.values() if len(group) > 1)


def _contradictions(checked: Checked) -> Where:
    for group in _copies(checked):
        if len({frozenset(example.marks) for example in group}) > 1:
            yield " = ".join(f"{example.picture.name} ({said(example)})" for example in group[:3])


def _duplicates(checked: Checked) -> Where:
    for group in _copies(checked):
        if len({frozenset(example.marks) for example in group}) == 1:
            yield " = ".join(example.picture.name for example in group[:3])


def _unmarked(checked: Checked) -> Where:
    return (example.picture.name for example in checked.dataset.examples if not example.marks)


def _empty_labels(checked: Checked) -> Where:
    for example in checked.dataset.examples:
        if any(not label.strip() for label in example.labels):
            yield example.picture.name


def _several_labels(checked: Checked) -> Where:
    if checked.dataset.task == MULTICLASS:
        for example in checked.dataset.examples:
            if len(example.marks) > 1:
                yield f"{example.picture.name}: {said(example)}"


def _odd_spaces(checked: Checked) -> Where:
    return (repr(label) for label in checked.dataset.classes if label != " ".join(label.split()))


def _twins(checked: Checked) -> Where:
    groups: dict[str, list[str]] = defaultdict(list)
    for label in checked.dataset.classes:
        groups[" ".join(label.split()).casefold()].append(label)
    return (" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1)


def _marked(wrong: Callable[[Mark], bool]) -> Check:
    def found(checked: Checked) -> Where:
        for example in checked.dataset.examples:
            labels = [mark.label for mark in example.marks if wrong(mark)]
            if labels:
                yield f"{example.picture.name}: {', '.join(labels[:3])}"

    return found


def _outside(mark: Mark) -> bool:
    return any(not -HAIR <= value <= 1 + HAIR for value in coordinates(mark))


def _empty_box(mark: Mark) -> bool:
    if not isinstance(mark, Box) or not all(map(math.isfinite, coordinates(mark))):
        return False
    return not (mark.left < mark.right and mark.top < mark.bottom)


def _no_polygon(mark: Mark) -> bool:
    if not isinstance(mark, Outline):
        return False
    return not mark.rings or any(len(ring) < 6 or len(ring) % 2 for ring in mark.rings)


def _other_suffix(checked: Checked) -> Where:
    for example, seen in with_looks(checked):
        if seen.fault is None and not seen.suffix_fits:
            yield f"{example.picture.name}: {seen.format}"


def _other_size(checked: Checked) -> Where:
    for example, seen in with_looks(checked):
        told = example.picture.size
        if seen.fault is None and told and told != seen.size:
            yield f"{example.picture.name}: {told[0]}x{told[1]} told, {seen.size[0]}x{seen.size[1]} is"


def _turned(checked: Checked) -> Where:
    if checked.dataset.task in (DETECTION, SEGMENTATION):
        for example, seen in with_looks(checked):
            if seen.turned:
                yield example.picture.name


def _unlisted(checked: Checked) -> Where:
    yield from checked.dataset.unlisted


def _stray(checked: Checked) -> Where:
    yield from checked.dataset.stray


CHECKS: Sequence[tuple[Level, str, str, Check]] = (
    (
        "problem",
        "missing",
        "pictures that the labels name are not here (see --pictures and --in-place)",
        _faulty("missing"),
    ),
    ("problem", "unreadable", "files that cannot be read", _faulty("unreadable")),
    ("problem", "damaged", "files that are no whole picture", _faulty("damaged")),
    ("problem", "format", "formats that AutoML does not take", _faulty("format")),
    ("problem", "huge", f"pictures of more than {MAX_PIXELS:,} pixels, or with too many parts", _faulty("huge")),
    ("problem", "too-few", f"AutoML takes no fewer than {LEAST_PICTURES} pictures", _too_few),
    ("problem", "one-class", "there is nothing to tell apart: two classes are needed", _one_class),
    ("problem", "listed-twice", "pictures that the labels list more than once", _listed_twice),
    ("problem", "contradiction", "the same picture twice, with other labels", _contradictions),
    ("problem", "empty-label", "labels without a letter", _empty_labels),
    ("problem", "several-labels", "several labels where the task has one", _several_labels),
    ("problem", "outside", "coordinates outside the picture (0..1)", _marked(_outside)),
    ("problem", "empty-box", "boxes without width or height", _marked(_empty_box)),
    ("problem", "no-polygon", "polygons with fewer than three points", _marked(_no_polygon)),
    ("problem", "not-trained", "classes of which no picture would be trained on", _never_trained),
    ("warning", "small-class", "classes with fewer pictures than the 10 to 15 that are advised", _small_classes),
    ("warning", "not-validated", "classes of which no picture would be validated on", _never_validated),
    ("warning", "duplicate", "the same picture twice; copies stay on one side of the split", _duplicates),
    ("warning", "unmarked", "pictures without a label; AutoML may leave them out", _unmarked),
    ("warning", "odd-spaces", "labels with odd spaces", _odd_spaces),
    ("warning", "twins", "labels that differ in case or spaces only", _twins),
    ("warning", "other-suffix", "files whose suffix is that of another format", _other_suffix),
    ("warning", "other-size", "pictures of another size than the labels tell", _other_size),
    ("warning", "turned", "pictures that EXIF turns: AutoML's boxes are for the pixels as stored", _turned),
    (
        "warning",
        "unlisted",
        "pictures without a label, or of a format that nothing reads; they are left out",
        _unlisted,
    ),
    ("warning", "stray", "marks of pictures that the labels' file does not list; they are left out", _stray),
    ("warning", "blank", "pictures that show nothing: one grey all over", blank),
    ("warning", "tiny", "pictures with a very short side (see --least-side)", tiny),
    ("warning", "near-contradiction", "pictures that look the same, with other labels", near(other_labels)),
    (
        "warning",
        "leak",
        "pictures that look the same on both sides of the split: what is measured there is too good",
        near(lambda checked, group: parted(checked, group) and not other_labels(checked, group)),
    ),
    ("hint", "near-duplicate", "pictures that look the same; they stay on one side of the split", near(together)),
    ("hint", "all-alike", "so many look alike that not all pairs were compared", unfinished),
    ("hint", "suspect", "pictures that look like another class; only a suspicion", suspected),
    ("hint", "imbalance", f"the largest class has more than {MOST_IMBALANCE} times the smallest's", imbalance),
)
"""Level, kind, text and search of each finding, in the order in which they are shown."""


def by_level(findings: Iterable[Finding]) -> Mapping[Level, int]:
    """Count findings."""
    return Counter(finding.level for finding in findings)
