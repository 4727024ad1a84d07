"""Runs a bundle over pictures, looks closely at those in question, and tells which a person should look at and why."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.bundle import Bundle
from edge.errors import InputError
from edge.preprocess.decode import SUFFIXES, decode
from edge.proof import load_and_prove
from edge.session import Device, usable_cores
from training.answers import Answers, LeftOut
from training.dataset.locate import Pictures
from training.dataset.near import Seen, near_groups
from training.dataset.records import Record, read_bytes
from training.dataset.sight import sight_of
from training.errors import DataError
from training.judge import answer_records
from training.mining import CONSIDERED, MOST_CONSIDERED, By, Doubts, Kind, Looks, Mined, considered, doubts_of, mine

Told = Callable[[str, int, int], object]
"""Hears what is done, how many of how many."""
BATCH_SIZES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Hard:
    """A picture to look at: what the model says, how sure it is, and why it is here.

    ``score`` is the answer's probability, ``label`` what the picture is labelled (empty: not). ``alike`` is how many
    others look the same and were passed over, of those looked at closely. ``margin`` and ``entropy`` are those of
    :class:`training.mining.Doubts`.
    """

    path: str
    answer: str
    score: float
    margin: float
    entropy: float
    kind: Kind
    reason: str
    label: str
    alike: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """A picture, and what is told of it."""

    record: Record
    hard: Hard


@dataclass(frozen=True, slots=True)
class Found:
    """What was found among ``pictures`` readable ones; ``mistakes`` counts all wrong answers, None without labels."""

    chosen: tuple[Chosen, ...]
    pictures: int
    unreadable: tuple[LeftOut, ...]
    mistakes: int | None


def printable(path: Path) -> str:
    """Return a path as text that any output takes: bytes that are no UTF-8 are shown with a backslash."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def unlabelled(paths: Sequence[Path]) -> list[Record]:
    """Return the pictures that are files or lie in folders below, each once, in order.

    Raises:
        DataError: there is none, or a folder cannot be read.
    """
    files = [file for path in paths for file in _below(path)]
    once = {os.path.realpath(file): file for file in reversed(files)}
    records = [Record(file, ()) for file in sorted(once.values())]
    if not records:
        raise DataError(f"no pictures in {', '.join(map(str, paths))}; known are {' '.join(sorted(SUFFIXES))}")
    return records


def _below(path: Path) -> Iterator[Path]:
    return (path / name for name in Pictures(path).names) if path.is_dir() else iter([path])


def find_hard(bundle: Bundle, records: Sequence[Record], *, by: By, count: int, device: Device, told: Told) -> Found:
    """Return the pictures of ``records`` that a person should look at.

    Raises:
        DataError: no picture can be read.
        EdgeError: the bundle does not load, prove itself or run.
    """
    model, _ = load_and_prove(bundle, device=device, batch_sizes=BATCH_SIZES)
    answers, unreadable = answer_records(bundle, model, records, lambda done: told("predicting", done, len(records)))
    if not answers.records:
        first = unreadable[0]
        raise DataError(f"none of {len(records)} pictures can be read; {first.record.path}: {first.reason}")
    doubts = doubts_of(answers)
    chosen = tuple(
        Chosen(answers.records[one.row], _hard(answers, doubts, one)) for one in _mined(answers, by, count, told)
    )
    labelled = any(record.labels for record in answers.records)
    return Found(chosen, len(answers.records), tuple(unreadable), int((~answers.right).sum()) if labelled else None)


def _mined(answers: Answers, by: By, count: int, told: Told) -> list[Mined]:
    """Choose among ever more pictures until enough are found, or all are looked at that it is worth for."""
    seen: dict[int, Seen] = {}
    chosen: list[Mined] = []
    most = CONSIDERED * count
    while most <= MOST_CONSIDERED * count and len(chosen) < count:
        rows = [row for row in considered(answers, by, most).tolist() if row not in seen]
        if not rows:
            break
        _look_at(answers, rows, seen, told)
        chosen = mine(answers, _looks(seen), by=by, count=count)
        most *= 2
    return chosen


def _look_at(answers: Answers, rows: Sequence[int], seen: dict[int, Seen], told: Told) -> None:
    """Look at these rows' pictures, as they are and not as the model crops them."""
    total = len(seen) + len(rows)
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="look") as pool:
        for row, one in zip(rows, pool.map(partial(_look, answers), rows), strict=True):
            seen[row] = one
            told("comparing", len(seen), total)


def _looks(seen: Mapping[int, Seen]) -> Looks:
    rows = list(seen)
    groups = [tuple(rows[number] for number in group) for group in near_groups(list(seen.values())).groups]
    return Looks({row: one.sight.features for row, one in seen.items() if one.sight.features is not None}, groups)


def _look(answers: Answers, row: int) -> Seen:
    path = answers.records[row].path
    try:
        pixels = decode(read_bytes(path))
    except InputError as exc:
        raise DataError(f"{path}: was changed meanwhile: {exc}") from exc
    return Seen(sight_of(pixels, features=True), pixels.shape[1] / pixels.shape[0])


def _hard(answers: Answers, doubts: Doubts, mined: Mined) -> Hard:
    row = mined.row
    names = [name for name, there in zip(answers.labels, answers.selected[row], strict=True) if there]
    record = answers.records[row]
    return Hard(
        path=printable(record.path),
        answer=";".join(names),
        score=round(float(answers.probs[row].max()), 6),
        margin=round(float(doubts.margin[row]), 6),
        entropy=round(float(doubts.entropy[row]), 6),
        kind=mined.kind,
        reason=_mistake(answers, row) if mined.kind == "mistake" else _doubt(answers, row),
        label=";".join(record.labels),
        alike=mined.alike,
    )


def _doubt(answers: Answers, row: int) -> str:
    """Return between what the model wavers: the two likeliest classes, or the one nearest to the threshold."""
    probs = answers.probs[row]
    if answers.multilabel:
        nearest = int(abs(probs - answers.threshold).argmin())
        return f"{answers.labels[nearest]} {probs[nearest]:.2f}, the threshold is {answers.threshold:g}"
    best = probs.argsort()[::-1][:2]
    return " or ".join(f"{answers.labels[index]} {probs[index]:.2f}" for index in best)


def _mistake(answers: Answers, row: int) -> str:
    """Return what the model says and the label does not; of several labels the wrong yes or no it is surest of."""
    probs, said, true = answers.probs[row], answers.selected[row], answers.true[row]
    if not answers.multilabel:
        answer, label = int(probs.argmax()), int(true.argmax())
        named = [f"{answers.labels[index]} {probs[index]:.2f}" for index in (answer, label)]
        return f"says {named[0]}, labelled {named[1]}"
    sure = [
        float(p if yes else 1 - p) if yes != there else -1.0 for p, yes, there in zip(probs, said, true, strict=True)
    ]
    worst = max(range(len(sure)), key=sure.__getitem__)
    named_worst = f"{answers.labels[worst]} {probs[worst]:.2f}"
    return f"says {named_worst}, not labelled so" if said[worst] else f"labelled {named_worst}, does not say so"
