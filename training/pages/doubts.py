"""The contact sheet of a check: the pictures of a collection that a person should look at, and why."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from training.dataset.collection import Collection
from training.dataset.finding import Checked, said
from training.dataset.likeness import is_blank, is_tiny, near_groups_of, other_labels, parted
from training.pages.sheet import Section, Tile, write_sections

MOST_TILES = 120
"""How many pictures a section has; a person who has looked at so many knows what it is about."""


def write_doubts(path: Path, collection: Collection) -> int:
    """Write the sheet, ``.html`` or ``.png`` by the suffix, and return how many pictures are on it.

    Raises:
        UsageError: another suffix.
        DataError: it cannot be written.
    """
    sections = [section for section in _sections(collection.checked) if section.tiles]
    shown = sum(len(section.tiles) for section in sections)
    intro = f"{len(collection.checked.dataset.examples):,} pictures were looked at."
    if not shown:
        intro += " Nothing about them looks wrong."
    write_sections(path, sections, title="Pictures to look at", intro=intro)
    return shown


def _sections(checked: Checked) -> Iterator[Section]:
    pairs: Sequence[tuple[str, str, Callable[[Sequence[int]], bool]]] = (
        (
            "Look the same, with other labels",
            "One of the labels is wrong, or the difference is too small to be seen here.",
            lambda group: other_labels(checked, group),
        ),
        (
            "Look the same, on both sides of the split",
            "What is measured on the one is too good, since the other was learnt by heart.",
            lambda group: not other_labels(checked, group) and parted(checked, group),
        ),
        (
            "Look the same",
            "Copies, or frames of one moment. They stay on one side of the split.",
            lambda group: not other_labels(checked, group) and not parted(checked, group),
        ),
    )
    yield _suspected(checked)
    for title, text, wanted in pairs:
        groups = [group for group in near_groups_of(checked) if wanted(group)]
        tiles = [_tile(checked, position) for group in groups for position in _two(checked, group)]
        yield _section(title, text, tiles, together=2)
    for title, text, chosen in (
        ("Show nothing", "One grey all over.", is_blank),
        ("Tiny", f"A side is shorter than {checked.least_side} pixels.", is_tiny),
        ("Cannot be used", "Damaged, too large, or of a format that AutoML does not take.", _faulty),
    ):
        positions = (n for n in range(len(checked.looked)) if chosen(checked, n))
        yield _section(title, text, [_tile(checked, position) for position in positions])


def _section(title: str, text: str, tiles: Sequence[Tile], together: int = 1) -> Section:
    count = len(tiles) // together
    if len(tiles) > MOST_TILES:
        text += f" These are the first {MOST_TILES // together:,}."
    kind = "pairs" if together == 2 else "pictures"
    return Section(f"{title}: {count:,} {kind if count != 1 else kind[:-1]}", tiles[:MOST_TILES], text, together)


def _suspected(checked: Checked) -> Section:
    tiles = [_tile(checked, suspect.position, f"looks like {suspect.label}") for suspect in checked.suspects.found]
    text = (
        "Only a suspicion, of a simple classifier that was fitted to the other pictures; the surest come first. "
        "Put right what is wrong, and leave what is not."
    )
    return _section("Look like another class", text, tiles)


def _two(checked: Checked, group: Sequence[int]) -> Iterator[int]:
    """Yield the first of a group, and the first of it that differs in label, else in part, else the second."""
    first, *others = group
    examples, parts = checked.dataset.examples, checked.parts
    yield first
    yield min(others, key=lambda n: (examples[n].labels == examples[first].labels, parts[n] == parts[first]))


def _faulty(checked: Checked, position: int) -> bool:
    return checked.looked[position].fault not in (None, "missing")


def _tile(checked: Checked, position: int, *lines: str) -> Tile:
    example, seen = checked.dataset.examples[position], checked.looked[position]
    source = example.picture.source
    size = [f"{seen.size[0]}x{seen.size[1]}, {checked.parts[position]}"] if any(seen.size) else []
    href = source.resolve().as_uri() if source else None
    return Tile(source or b"", example.picture.name, (said(example), *lines, *size), href)
