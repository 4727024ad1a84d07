"""Chooses golden pictures: ones that the trained network answers rightly, with the probabilities it gives them.

A golden picture proves the path on a device, not the network; one that the network gets wrong would freeze a mistake
into the bundle, so it is passed over.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn

from edge.bundle import Preprocessing
from edge.postprocess.classification import softmax
from training.dataset.drawn import defects, draw, encode
from training.dataset.records import Record, read_bytes
from training.errors import ExportError
from training.export import GoldenPicture
from training.local.examples import prepare_input

PER_CLASS = 3
CANDIDATES_PER_CLASS = 12
SEED_STEP = 7919  # a prime: golden pictures are drawn from another seed than those trained on


def drawn_candidates(seed: int) -> Iterator[GoldenPicture]:
    """Draw candidates of every drawn class, without answers yet."""
    for label in defects():
        for number in range(1, CANDIDATES_PER_CLASS + 1):
            data = encode(draw(label, number, seed + SEED_STEP))
            yield GoldenPicture(f"{label.lower()}_{number}.png", data, label, ())


def record_candidates(records: Sequence[Record], classes: Sequence[str]) -> Iterator[GoldenPicture]:
    """Take candidates from the given pictures, class by class."""
    for index, label in enumerate(classes):
        members = [record for record in records if record.label == label][:CANDIDATES_PER_CLASS]
        for number, record in enumerate(members, 1):
            name = f"{index}_{number}{record.path.suffix.lower()}"
            yield GoldenPicture(name, read_bytes(record.path), label, ())


def choose(
    network: nn.Module, candidates: Iterable[GoldenPicture], classes: Sequence[str], rule: Preprocessing
) -> list[GoldenPicture]:
    """Return up to three candidates of each class that the network answers rightly, with its probabilities.

    Raises:
        ExportError: it answers none rightly.
    """
    chosen: list[GoldenPicture] = []
    for candidate in candidates:
        if sum(picture.label == candidate.label for picture in chosen) == PER_CLASS:
            continue
        probs = _probabilities(network, candidate.data, rule)
        if classes[probs.index(max(probs))] == candidate.label:
            chosen.append(GoldenPicture(candidate.name, candidate.data, candidate.label, probs))
    if not chosen:
        raise ExportError("the network answers no golden picture rightly: it has learnt too little; train it longer")
    return chosen


@torch.no_grad()
def _probabilities(network: nn.Module, data: bytes, rule: Preprocessing) -> tuple[float, ...]:
    logits = network(torch.from_numpy(prepare_input(data, rule)[None])).numpy()
    return tuple(round(float(p), 6) for p in softmax(logits)[0])
