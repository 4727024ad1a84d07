"""Judges a bundle exactly as the edge runs it: its proof, preprocessing, session and postprocessing."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edge.bundle import MULTILABEL, Bundle
from edge.errors import InferenceError, InputError
from edge.ports import Model
from edge.predictor import BatchF32, OutputsF32, TensorF32
from edge.proof import load_and_prove
from edge.session import usable_cores
from training.answers import Answers, LeftOut, flags_of
from training.dataset.records import Record, read_bytes
from training.errors import DataError
from training.evaluation import Confusion

Watch = Callable[[int], object]
"""Hears how many pictures are done."""
Answer = tuple[OutputsF32, NDArray[np.float64], tuple[str, ...]]
"""A picture's raw outputs [classes], its probabilities [classes], and the labels that it is given."""
MOST_NAMED = 5


def evaluate_bundle(bundle: Bundle, records: Sequence[Record], watch: Watch) -> Confusion:
    """Prove a multi-class bundle on the CPU, predict every record, and count.

    Raises:
        DataError: a class that the bundle does not know, or an unreadable picture.
        EdgeError: the bundle does not load, prove itself or run.
    """
    check_number_of_labels(bundle, records)
    check_classes(bundle, records)
    model, _ = load_and_prove(bundle, device="cpu")
    answers, unreadable = answer_records(bundle, model, records, watch)
    check_all_readable(unreadable)
    return answers.confusion()


def answer_records(
    bundle: Bundle, model: Model, records: Sequence[Record], watch: Watch
) -> tuple[Answers, list[LeftOut]]:
    """Predict every record on all cores, and return the answers and the pictures that cannot be read.

    Every label of the records must be one of the bundle's. Raises EdgeError where the model fails.
    """
    kept: list[Record] = []
    found: list[Answer] = []
    unreadable: list[LeftOut] = []
    for done, (record, answer) in enumerate(_in_order(model, records), 1):
        if isinstance(answer, LeftOut):
            unreadable.append(answer)
        else:
            kept.append(record)
            found.append(answer)
        watch(done)
    return _answers(bundle, kept, found), unreadable


def check_classes(bundle: Bundle, records: Sequence[Record]) -> None:
    """Make sure that the bundle knows every class. Raises DataError naming those that it does not."""
    unknown = unknown_classes(bundle, records)
    if unknown:
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        names = ", ".join(repr(name) for name in unknown[:MOST_NAMED])
        known = ", ".join(bundle.labels[:20]) + (", …" if len(bundle.labels) > 20 else "")
        raise DataError(f"the data has class {names}{more}, which {bundle} does not know; it knows {known}")


def check_number_of_labels(bundle: Bundle, records: Sequence[Record]) -> None:
    """Make sure that pictures for a multi-class bundle have one label. Raises DataError naming one that has not."""
    other = next((record for record in records if len(record.labels) != 1), None)
    if other is not None and bundle.manifest.task != MULTILABEL:
        raise DataError(f"{other.path}: has {len(other.labels)} labels, but {bundle} gives a picture one")


def unknown_classes(bundle: Bundle, records: Sequence[Record]) -> list[str]:
    """Return the classes in the data that the bundle does not know, sorted."""
    return sorted({label for record in records for label in record.labels} - set(bundle.labels))


def check_all_readable(unreadable: Sequence[LeftOut]) -> None:
    """Raise DataError naming the pictures that cannot be read, where there are any."""
    if unreadable:
        named = "; ".join(f"{one.record.path}: {one.reason}" for one in unreadable[:MOST_NAMED])
        more = f"; and {len(unreadable) - MOST_NAMED} more" if len(unreadable) > MOST_NAMED else ""
        raise DataError(f"{named}{more}; replace or remove them")


def _in_order(model: Model, records: Sequence[Record]) -> Iterator[tuple[Record, Answer | LeftOut]]:
    """Yield each record with its answer; a few batches on each core are under way, never all."""
    size = batch_size(model)
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="judge") as pool:
        batches = (records[start : start + size] for start in range(0, len(records), size))
        waiting = [(batch, pool.submit(_run, model, batch, size)) for batch in islice(batches, 4 * usable_cores())]
        try:
            while waiting:
                batch, future = waiting.pop(0)
                yield from zip(batch, future.result(), strict=True)
                waiting += [(batch, pool.submit(_run, model, batch, size)) for batch in islice(batches, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def batch_size(model: Model) -> int:
    """Return how many pictures are run at once: one, unless the graph or the provider wants more."""
    return max(model.session.batch_sizes, default=1)


def _run(model: Model, records: Sequence[Record], size: int) -> list[Answer | LeftOut]:
    tensors = [_prepared(model, record) for record in records]
    readable = [tensor for tensor in tensors if not isinstance(tensor, LeftOut)]
    try:
        outputs = iter(model.session.run(filled_up(readable, size))) if readable else iter(())
        return [tensor if isinstance(tensor, LeftOut) else _answered(model, next(outputs)) for tensor in tensors]
    except InferenceError as exc:
        more = f" or one of the {len(records) - 1} after it" if len(records) > 1 else ""
        raise InferenceError(f"{records[0].path}{more}: {exc}") from exc


def _prepared(model: Model, record: Record) -> TensorF32 | LeftOut:
    try:
        return model.predictor.prepare(read_bytes(record.path))
    except InputError as exc:
        return LeftOut(record, str(exc))
    except DataError as exc:
        return LeftOut(record, str(exc).removeprefix(f"{record.path}: "))


def filled_up(tensors: Sequence[TensorF32], size: int) -> BatchF32:
    """Return tensors [3, height, width] as a batch of ``size``, which the last one fills up."""
    return np.stack([*tensors, *([tensors[-1]] * (size - len(tensors)))])


def _answered(model: Model, outputs: OutputsF32) -> Answer:
    found = model.predictor.finish(outputs)
    labels = (found.label,) if found.selected is None else found.selected
    return outputs, np.array(found.probs), labels


def _answers(bundle: Bundle, records: Sequence[Record], found: Sequence[Answer]) -> Answers:
    shape, labels = (len(found), len(bundle.labels)), bundle.labels
    return Answers(
        task=bundle.manifest.task,
        labels=labels,
        records=tuple(records),
        true=flags_of([record.labels for record in records], labels),
        logits=np.array([outputs for outputs, _, _ in found], np.float32).reshape(shape),
        probs=np.array([probs for _, probs, _ in found], np.float64).reshape(shape),
        selected=flags_of([given for _, _, given in found], labels),
        threshold=bundle.manifest.postprocessing.threshold,
    )
