"""Checks of what pictures look like: too small, blank, the same as others, or like another class than their own."""

from collections.abc import Callable, Iterator, Sequence

from training.dataset.annotations import pictures_per_class
from training.dataset.finding import Check, Checked, Where, said, with_looks
from training.dataset.near import BLANK

MOST_IMBALANCE = 10
"""How many times as many pictures the largest class may have as the smallest."""


def is_tiny(checked: Checked, position: int) -> bool:
    """Tell whether a picture has a side shorter than was told."""
    seen = checked.looked[position]
    return seen.fault is None and min(seen.size) < checked.least_side


def is_blank(checked: Checked, position: int) -> bool:
    """Tell whether a picture shows nothing."""
    sight = checked.looked[position].sight
    return sight is not None and sight.contrast < BLANK


def tiny(checked: Checked) -> Where:
    """Yield pictures with a side shorter than was told."""
    for position, (example, seen) in enumerate(with_looks(checked)):
        if is_tiny(checked, position):
            yield f"{example.picture.name}: {seen.size[0]}x{seen.size[1]}"


def blank(checked: Checked) -> Where:
    """Yield pictures that show nothing."""
    return (example.picture.name for n, example in enumerate(checked.dataset.examples) if is_blank(checked, n))


def near(wanted: Callable[[Checked, Sequence[int]], bool]) -> Check:
    """Return the check for groups that look the same and are as wanted."""

    def found(checked: Checked) -> Where:
        for group in near_groups_of(checked):
            if wanted(checked, group):
                yield _told(checked, group)

    return found


def near_groups_of(checked: Checked) -> Iterator[Sequence[int]]:
    """Yield the groups that look the same, without those of copies, which are told of as such."""
    for group in checked.near.groups:
        if len({checked.looked[position].sha256 for position in group}) > 1:
            yield group


def other_labels(checked: Checked, group: Sequence[int]) -> bool:
    """Tell whether pictures of a group have other classes on them than others of it."""
    return len({checked.dataset.examples[position].labels for position in group}) > 1


def parted(checked: Checked, group: Sequence[int]) -> bool:
    """Tell whether a group is on more than one side of the split."""
    return len({checked.parts[position] for position in group}) > 1


def together(checked: Checked, group: Sequence[int]) -> bool:
    """Tell whether nothing but likeness is to be said of a group."""
    return not other_labels(checked, group) and not parted(checked, group)


def _told(checked: Checked, group: Sequence[int]) -> str:
    """Return a group in words: two of it that tell most, and how many there are."""
    examples = checked.dataset.examples
    labels = other_labels(checked, group)
    differs = next((n for n in group if examples[n].labels != examples[group[0]].labels), group[1])
    if not labels:
        differs = next((n for n in group if checked.parts[n] != checked.parts[group[0]]), group[1])
    names = [examples[n].picture.name + (f" ({said(examples[n])})" if labels else "") for n in (group[0], differs)]
    return " ~ ".join(names) + (f" and {len(group) - 2} more" if len(group) > 2 else "")


def unfinished(checked: Checked) -> Where:
    """Yield how many pictures there are, where not all pairs were compared."""
    if not checked.near.complete:
        yield f"{len(checked.dataset.examples)} pictures"


def suspected(checked: Checked) -> Where:
    """Yield pictures that look like another class."""
    for suspect in checked.suspects.found:
        example = checked.dataset.examples[suspect.position]
        yield f"{example.picture.name}: {said(example)}, looks like {suspect.label}"


def imbalance(checked: Checked) -> Where:
    """Yield the largest and the smallest class, where they are far apart."""
    counted = pictures_per_class(checked.dataset.examples).most_common()
    if counted and counted[0][1] > MOST_IMBALANCE * counted[-1][1]:
        yield f"{counted[0][0]}: {counted[0][1]}, {counted[-1][0]}: {counted[-1][1]}"
