"""Which pictures calibrate a quantised graph: some of each class, always the same, never one that is judged."""

from collections.abc import Iterable, Sequence

import numpy as np

from training.dataset.records import Record, content_of
from training.errors import DataError

SEED = 0


def chosen_records(records: Sequence[Record], judged: Sequence[Record], count: int) -> list[Record]:
    """Return up to ``count`` records, as many of each class as of any other as far as it goes, in a seeded order.

    A picture whose very content is among the judged ones is passed over.

    Raises:
        DataError: there is none, or all of them are judged.
    """
    if not records:
        raise DataError("no pictures to calibrate int8 on; give some that were trained on, with --calibrate DATA")
    seen = {content_of(record) for record in judged}
    chosen: list[Record] = []
    for record in _by_turns(records):
        if len(chosen) == count:
            break
        content = content_of(record)
        if content not in seen:
            seen.add(content)
            chosen.append(record)
    if not chosen:
        raise DataError("every picture to calibrate on is one to judge by; give others with --calibrate or --judge")
    return chosen


def count_copies(records: Sequence[Record], others: Sequence[Record]) -> int:
    """Return how many records' very content is among the others'. Raises DataError where one cannot be read."""
    known = {content_of(other) for other in others}
    return sum(content_of(record) in known for record in records)


def _by_turns(records: Sequence[Record]) -> Iterable[Record]:
    """Yield all records, shuffled, one of each set of labels in turn."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for position in np.random.default_rng(SEED).permutation(len(records)):
        record = records[int(position)]
        groups.setdefault(tuple(sorted(record.labels)), []).append(record)
    turns = [(turn, labels, record) for labels, group in groups.items() for turn, record in enumerate(group)]
    return (record for _, _, record in sorted(turns, key=lambda one: one[:2]))
