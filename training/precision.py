"""Bundles in fp16 and int8, made of fp32 ones: measured before and after on the same pictures, and refused if worse."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from edge.bundle import Bundle, Golden, check_runnable, fixed_batch
from edge.errors import InputError
from edge.predictor import Predictor
from edge.session import runtime_version
from training.accuracy_gate import Comparison, compare, fewest_for, guessed, scores_of
from training.answers import Answers
from training.calibration_pictures import chosen_records
from training.dataset.records import Record, content_hash, read_bytes
from training.derived import derive_bundle
from training.errors import DataError, ExportError, UsageError
from training.export import check_identity, check_target
from training.graph_edit import read_graph
from training.int8_candidates import Candidate, int8_candidates
from training.judge import answer_records, check_all_readable, check_classes
from training.known_answers import golden_of, model_of
from training.quantization import Method, make_ready, precision_of, write_fp16
from training.report import held_out_figures
from training.speed import Speed, compare_speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted. ``allowed_loss`` is of accuracy, or of iou where the task is multi-label, 0..1.

    Speed is measured for ``timed_s`` seconds on one thread and as long on all.
    """

    precision: Literal["fp16", "int8"]
    name: str
    version: str
    allowed_loss: float = 0.005
    calibration_pictures: int = 128
    method: Method = "minmax"
    timed_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of the work: ``say`` lines for a person, ``watch`` how many of how many are done of what."""

    say: Callable[[str], object] = lambda _: None
    watch: Callable[[str, int, int], object] = lambda *_: None


@dataclass(frozen=True, slots=True)
class Converted:
    """The bundle and what was measured. ``sizes`` are of the graph's file in bytes, before and after."""

    bundle: Bundle
    comparison: Comparison
    speeds: tuple[Speed, ...]
    sizes: tuple[int, int]


def convert_bundle(
    source: Bundle,
    order: Order,
    folder: Path,
    *,
    calibration: Sequence[Record],
    judging: Sequence[Record],
    told: Told = Told(),
) -> Converted:
    """Write a bundle in another precision, if it answers the pictures to judge by as well as is allowed.

    int8 is calibrated on some of ``calibration``, never on pictures that are judged.

    Raises:
        UsageError: a name or version that no manifest takes, or a bundle that is not fp32.
        DataError: no pictures to judge by or to calibrate on, some that cannot be used, or some that the source itself
            answers no better than by guessing, so that it has nothing to lose.
        ExportError: more is lost than allowed, or the target is taken or cannot be written.
        EdgeError: the bundle does not load or run.
    """
    check_identity(order.name, order.version)
    check_target(folder)
    _check_source(source)
    _check_judging(source, order, judging, told)
    chosen = chosen_records(calibration, judging, order.calibration_pictures) if order.precision == "int8" else []
    with _workplace() as work:
        judge = _Judge(source, judging, told)
        before = judge.answers(source.model_path)
        _check_before(source, before)
        inputs = _inputs(source, chosen, told)
        for candidate in _candidates(source, order, inputs, work, told):
            comparison = compare(before, after := judge.answers(candidate.path))
            told.say(f"{order.precision}{_but(candidate)}: {comparison.line()}")
            if comparison.passes(order.allowed_loss):
                made = _Made(source, order, candidate, comparison, after, tuple(chosen))
                return _written(made, folder, judge.inputs(1), told)
    figures = f"{comparison.before:.4f} before, {comparison.after:.4f} after, on {comparison.pictures} pictures"
    raise ExportError(
        f"{order.precision} loses {comparison.loss:.4f} of {comparison.metric} ({figures}), allowed are "
        f"{order.allowed_loss:g}; nothing is written: {_remedy(order)}"
    )


@contextmanager
def _workplace() -> Iterator[Path]:
    """Yield a folder for graphs that are tried; what the disk does not take ends as one line."""
    try:
        with tempfile.TemporaryDirectory(prefix="automl-train-") as folder:
            yield Path(folder)
    except OSError as exc:
        where = tempfile.gettempdir()
        raise ExportError(f"{where}: graphs cannot be tried there ({exc.strerror}); free space, or set TMPDIR") from exc


def _remedy(order: Order) -> str:
    if order.precision == "fp16":
        return "keep fp32, or allow more with --allowed-loss"
    calibrate = "calibrate on more pictures (--calibration-pictures) or by percentile (--calibration-method)"
    return f"{calibrate}, take --precision fp16, or allow more with --allowed-loss"


def _but(candidate: Candidate) -> str:
    return f" but for {len(candidate.in_float)} layers" if candidate.in_float else ""


def _check_source(source: Bundle) -> None:
    check_runnable(source.manifest)
    found = precision_of(read_graph(source.model_path))
    if found != "fp32":
        raise UsageError(f"{source} is {found} already; give the fp32 bundle that it was made of")


def _check_judging(source: Bundle, order: Order, judging: Sequence[Record], told: Told) -> None:
    if not judging:
        raise DataError(
            f"no pictures to judge {order.precision} by: none were held out; give some that were not trained on, with "
            "--judge DATA"
        )
    check_classes(source, judging)
    fewest = fewest_for(order.allowed_loss)
    if len(judging) < fewest:
        told.say(f"{len(judging)} pictures judge; it takes {fewest} to tell a loss of {order.allowed_loss:g}")
    absent = sorted(set(source.labels) - {label for record in judging for label in record.labels})
    if absent:
        told.say(f"no picture to judge by shows {', '.join(absent)}: what is lost there is not seen")


def _check_before(source: Bundle, before: Answers) -> None:
    score = float(scores_of(before).mean())
    if score == 0 or score < guessed(before):
        raise DataError(
            f"{source} itself answers {score:.1%} of the pictures to judge by rightly, as if it guessed: a loss would "
            "not show; check their labels, or give others with --judge DATA"
        )


class _Judge:
    """Answers of graphs to the same pictures, through the edge's own preprocessing, session and postprocessing."""

    def __init__(self, source: Bundle, records: Sequence[Record], told: Told) -> None:
        self._source, self._records, self._told = source, records, told

    def answers(self, graph: Path) -> Answers:
        model = model_of(self._source, graph)
        found, unreadable = answer_records(self._source, model, self._records, self._watch)
        check_all_readable(unreadable)
        return found

    def inputs(self, count: int) -> NDArray[np.float32]:
        """Return the first of the pictures as the graph takes them."""
        return _inputs(self._source, self._records[:count], self._told)

    def _watch(self, done: int) -> None:
        self._told.watch("judging", done, len(self._records))


def _candidates(
    source: Bundle, order: Order, inputs: NDArray[np.float32], work: Path, told: Told
) -> Iterator[Candidate]:
    """Yield graphs to judge, until one is good enough."""
    if order.precision == "fp16":
        write_fp16(source.model_path, work / "fp16.onnx")
        yield Candidate(work / "fp16.onnx")
        return
    told.say(f"calibrating on {len(inputs)} pictures")
    batch = fixed_batch(source.manifest) or 1
    ready = make_ready(source.model_path, inputs, work, method=order.method, batch=batch)
    yield from int8_candidates(ready, inputs, work, told.watch)


def _inputs(source: Bundle, records: Sequence[Record], told: Told) -> NDArray[np.float32]:
    predictor, prepared = Predictor(source), []
    for done, record in enumerate(records, 1):
        try:
            prepared.append(predictor.prepare(read_bytes(record.path)))
        except InputError as exc:
            raise DataError(f"{record.path}: {exc}; replace or remove it") from exc
        told.watch("reading", done, len(records))
    return np.stack(prepared) if prepared else np.zeros((0, *predictor.input_shape), np.float32)


@dataclass(frozen=True, slots=True)
class _Made:
    """A candidate that passes, and what it was made with."""

    source: Bundle
    order: Order
    candidate: Candidate
    comparison: Comparison
    answers: Answers
    calibration: tuple[Record, ...]


def _written(made: _Made, folder: Path, inputs: NDArray[np.float32], told: Told) -> Converted:
    source, order, graph = made.source, made.order, made.candidate.path
    batch = np.repeat(inputs, fixed_batch(source.manifest) or 1, axis=0)
    speeds = tuple(compare_speed(source.model_path, graph, batch, seconds=order.timed_s))
    sizes = (source.model_path.stat().st_size, graph.stat().st_size)
    golden = golden_of(source, graph, literal=graph if order.precision == "int8" else source.model_path)
    if len(golden) < len(source.manifest.golden):
        told.say(f"{len(golden)} of {len(source.manifest.golden)} golden pictures are kept: the others' labels changed")
    changes = {
        "metrics": {"held_out": held_out_figures(made.answers), "precision": _figures(made, speeds, sizes)},
        "provenance": {**source.manifest.provenance, "precision": order.precision, "conversion": _conversion(made)},
    }
    bundle = derive_bundle(
        _renamed(source, order.name, golden),
        folder,
        version=order.version,
        write_graph=lambda path: _copy(graph, path),
        changes=changes,
    )
    return Converted(bundle, made.comparison, speeds, sizes)


def _copy(graph: Path, to: Path) -> None:
    to.write_bytes(graph.read_bytes())


def _renamed(source: Bundle, name: str, golden: Sequence[Golden]) -> Bundle:
    """Return the source under its new name, with the golden pictures that are kept, and without the others' files."""
    dropped = {one.image for one in source.manifest.golden} - {one.image for one in golden}
    files = {path: file for path, file in source.manifest.files.items() if path not in dropped}
    changes = {"name": name, "golden": tuple(golden), "files": files}
    return replace(source, manifest=source.manifest.model_copy(update=changes))


def _figures(made: _Made, speeds: Sequence[Speed], sizes: tuple[int, int]) -> dict[str, Any]:
    return {
        "precision": made.order.precision,
        **made.comparison.as_json(),
        "allowed_loss": made.order.allowed_loss,
        "bytes_before": sizes[0],
        "bytes_after": sizes[1],
        "speed": [speed.as_json() for speed in speeds],
    }


def _conversion(made: _Made) -> dict[str, Any]:
    """Return how the graph was made, for the provenance."""
    source, order = made.source, made.order
    how = {
        "weights": "int8 per channel, 7 bits",
        "activations": "uint8",
        "calibration": {
            "pictures": len(made.calibration),
            "sha256": content_hash(made.calibration),
            "method": order.method,
        },
        "in_float": list(made.candidate.in_float),
    }
    return {
        "of": str(source),
        "of_graph_sha256": source.manifest.files[source.manifest.model].sha256,
        "of_metrics": dict(source.manifest.metrics),
        **(how if order.precision == "int8" else {}),
        "versions": {
            "automl-edge": metadata.version("automl-edge"),
            "onnx": onnx.__version__,
            "onnxruntime": runtime_version(),
        },
    }
