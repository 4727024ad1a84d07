"""Judges a bundle exactly as the edge runs it: its proof, preprocessing, session and postprocessing, on the CPU."""

from collections.abc import Callable, Sequence

from edge.bundle import Bundle
from edge.errors import InputError
from edge.proof import load_and_prove
from training.dataset.records import Record, read_bytes
from training.errors import DataError
from training.evaluation import Confusion, confusion


def evaluate_bundle(bundle: Bundle, records: Sequence[Record], watch: Callable[[int], None]) -> Confusion:
    """Prove the bundle, predict every record, one by one, and count; `watch` hears how many are done.

    Raises:
        DataError: a class that the bundle does not know, or an unreadable picture.
        EdgeError: the bundle does not load, prove itself or run.
    """
    _check_classes(bundle, records)
    model, _ = load_and_prove(bundle, device="cpu")
    answers = []
    for done, record in enumerate(records, 1):
        try:
            answers.append(model.predictor.predict(read_bytes(record.path), model.session.run).label)
        except InputError as exc:
            raise DataError(f"{record.path}: {exc}; replace or remove it") from exc
        watch(done)
    index = {label: position for position, label in enumerate(bundle.labels)}
    return confusion(bundle.labels, [index[record.label] for record in records], [index[answer] for answer in answers])


def _check_classes(bundle: Bundle, records: Sequence[Record]) -> None:
    unknown = sorted({record.label for record in records} - set(bundle.labels))
    if unknown:
        known = ", ".join(bundle.labels)
        raise DataError(f"the data has class {unknown[0]!r}, which {bundle} does not know; it knows {known}")
