"""A trained network that answers pictures as the edge does, without a graph; and the graph held against it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.bundle import MULTILABEL, Bundle
from edge.errors import InputError
from edge.postprocess.classification import classify
from edge.predictor import Image
from edge.proof import load_and_prove
from edge.results import Classification
from training.answers import Answers, flags_of
from training.dataset.records import Record, read_bytes
from training.errors import DataError, ExportError
from training.export import preprocessing_of
from training.local.examples import prepare_input
from training.local.golden import selected_of
from training.local.graph import check_parity
from training.local.run import Run

PARITY_PICTURES = 32
LARGEST_DIFFERENCE = 1e-3
"""How far any probability at the edge may be from the network's own, 0..1."""
THRESHOLD = 0.5
"""What a label of a multi-label network must lie above."""


class Trained:
    """A run's network, answering pictures as the edge prepares and finishes them, but without a graph."""

    def __init__(self, run: Run, network: nn.Module) -> None:
        self.run = run
        self.network = network
        self._rule = preprocessing_of(run.recipe.settings)

    def inputs(self, records: Sequence[Record]) -> NDArray[np.float32]:
        """Return what the edge makes of the pictures, [N, 3, side, side]. Raises DataError."""
        return np.stack([self._prepared(record) for record in records])

    def answer(self, image: Image) -> Classification:
        """Return the answer to one picture. Raises InputError where it cannot be read."""
        return self.finish(self.logits(prepare_input(image, self._rule)[None])[0])

    @torch.no_grad()
    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits [N, classes] of prepared pictures."""
        return np.asarray(self.network(torch.from_numpy(inputs)).numpy(), np.float32)

    def finish(self, logits: NDArray[np.float32]) -> Classification:
        """Return the answer that logits [classes] stand for."""
        threshold = THRESHOLD if self.run.recipe.task == MULTILABEL else None
        return classify(logits, labels=self.run.classes, threshold=threshold)

    def answers(self, records: Sequence[Record]) -> Answers:
        """Return the answers to one or more pictures. Raises DataError where one cannot be read."""
        size = self.run.recipe.settings.validation_batch_size
        starts = range(0, len(records), size)
        logits = np.concatenate([self.logits(self.inputs(records[start : start + size])) for start in starts])
        found, classes = [self.finish(row) for row in logits], self.run.classes
        return Answers(
            task=self.run.recipe.task,
            labels=classes,
            records=tuple(records),
            true=flags_of([record.labels for record in records], classes),
            logits=logits,
            probs=np.array([one.probs for one in found]),
            selected=flags_of([selected_of(one) for one in found], classes),
            threshold=THRESHOLD,
        )

    def _prepared(self, record: Record) -> NDArray[np.float32]:
        try:
            return prepare_input(read_bytes(record.path), self._rule)
        except InputError as exc:
            raise DataError(f"{record.path}: {exc}; replace or remove it") from exc


def check_at_the_edge(bundle: Bundle, trained: Trained) -> None:
    """Prove the bundle and compare it with the network, on pictures spread over the whole data and so all classes.

    Raises:
        ExportError: a logit, a probability or a label differs by more than it may.
    """
    model, _ = load_and_prove(bundle, device="cpu")
    records = trained.run.records
    spread = np.linspace(0, len(records) - 1, min(PARITY_PICTURES, len(records))).round().astype(int)
    chosen = [records[n] for n in spread]
    check_parity(trained.network, model.session.run, trained.inputs(chosen))
    for record in chosen:
        data = read_bytes(record.path)
        check_same_answer(record.path, trained.answer(data), model.predictor.predict(data, model.session.run))


def check_same_answer(path: Path, expected: Classification, found: Classification) -> None:
    """Compare the edge's answer to a picture with the network's.

    Raises:
        ExportError: other labels, or a probability that differs by more than 1e-3.
    """
    difference = max(abs(a - b) for a, b in zip(expected.probs, found.probs, strict=True))
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportError(f"{path}: a probability at the edge differs from the network's by {difference:.2g}")
    labels = selected_of(expected), selected_of(found)
    if labels[0] != labels[1]:
        raise ExportError(f"{path}: the network answers {labels[0]}, the edge {labels[1]}")
