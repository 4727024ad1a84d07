"""What the pipeline's steps do in the cloud. Each is a plain function of folders, so that it runs anywhere."""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from edge.artifacts import run_of
from edge.azureml.survey import fetch as fetch_version
from edge.azureml.survey import survey
from edge.bundle import Bundle, open_bundle
from edge.errors import InputError
from edge.ports import Candidate
from edge.proof import load_and_prove
from edge.registry.files import copy_bundle
from edge.registry.inquiry import Azure, Inquiry
from training.azure.fetch import Wish, fetch
from training.azure.pipeline.verdict import Evaluation, Judged, Verdict, decide, parse_evaluation
from training.azure.register import Order, digest_as, register
from training.azure.session import Session
from training.dataset.annotations import MULTICLASS, Example, Tag
from training.dataset.collection import collect
from training.dataset.jsonl import read_jsonl
from training.dataset.mltable import lines_of, stored_name, table_of
from training.dataset.parts import Part, Shares
from training.dataset.records import Record, read_bytes
from training.errors import DataError
from training.judge import evaluate_bundle

EVALUATION = "evaluation.json"
BUNDLE = "bundle"
GOLDEN_A_CLASS = 2
"""So many test pictures of a class, which the model gets right, become the bundle's golden pictures."""
TRIED_A_CLASS = 6
QUIET = Azure()


def prepare(pictures: Path, url: str, shares: Shares, outputs: Mapping[Part, Path]) -> Mapping[Part, int]:
    """Check and split class folders, write an MLTable into each of ``outputs``, and return their sizes.

    ``url`` is where the folder lies in Azure: the tables name the pictures by it.

    Raises:
        DataError: what is there cannot be trained on; every problem is named.
    """
    collection = collect(pictures, shares=shares)
    if collection.problems:
        raise DataError("; ".join(f"{problem.text}: {', '.join(problem.where)}" for problem in collection.problems))
    task = collection.checked.dataset.task
    if task != MULTICLASS:
        raise DataError(
            f"{pictures}: is for {task}; the pipeline judges {MULTICLASS} only: submit such a job by itself"
        )
    sizes: dict[Part, int] = {}
    for part, folder in outputs.items():
        rows = collection.rows(part)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in table_of(lines_of(rows, task, lambda example: _place(url, example)), part).items():
            (folder / name).write_bytes(data)
        sizes[part] = len(rows)
    return sizes


def _place(url: str, example: Example) -> str:
    name = example.picture.name
    if stored_name(name) != name:
        raise DataError(f"{name}: means something else in a URL; upload the pictures with automl-train data upload")
    return f"{url.rstrip('/')}/{name}"


def test_records(table: Path, url: str, pictures: Path) -> list[Record]:
    """Return the pictures of a table that :func:`prepare` wrote, found again below ``pictures``.

    Raises:
        DataError: the table is of other pictures.
    """
    records = []
    for file in sorted(table.glob("*.jsonl")):
        for entry in read_jsonl(file):
            below = (entry.url or entry.reference).removeprefix(f"{url.rstrip('/')}/")
            path = pictures / PurePosixPath(below)
            marks = entry.marks
            if len(marks) != 1 or not isinstance(marks[0], Tag) or not path.is_file():
                raise DataError(f"{file}: {entry.reference} is none of the pictures in {pictures}")
            records.append(Record(path, (marks[0].label,)))
    if not records:
        raise DataError(f"{table}: holds no test pictures")
    return records


def evaluate(session: Session, model: str, best: Path, records: Sequence[Record], judged: Path) -> Evaluation:
    """Make a proven bundle of AutoML's best model, judge it and the registered one, and write both into ``judged``.

    ``best`` is the MLflow model that AutoML handed on; it holds no ONNX, but says which run it came from.

    Raises:
        TrainingError, EdgeError: the model cannot be fetched, run or judged.
    """
    run = run_of(best)
    with _own_folder() as scratch:
        bundle = fetch(session, Wish(name=model, trial=run, version="1", output=scratch / "unproven")).bundle
        candidate = _judge(bundle, records)
        golden = _golden(bundle, records, scratch / "golden")
        proven = fetch(session, Wish(name=model, trial=run, version="1", output=scratch / BUNDLE, golden=golden)).bundle
        before = _incumbent(session, model, scratch)
        incumbent = None if before is None else _judge(before, records)
        (judged / BUNDLE).mkdir(parents=True)
        copy_bundle(proven.folder, judged / BUNDLE, digest=proven.digest)
    evaluation = Evaluation(candidate, incumbent)
    (judged / EVALUATION).write_text(evaluation.as_json(), encoding="utf-8")
    return evaluation


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Give a folder of this machine: those that Azure mounts may be read only, or refuse to rename."""
    with TemporaryDirectory(prefix="automl-edge-") as name:
        yield Path(name)


def _judge(bundle: Bundle, records: Sequence[Record]) -> Judged:
    """Return a model's figures; of a class that it does not know, which an older one may not, it gets none right."""
    found = evaluate_bundle(bundle, [record for record in records if record.label in bundle.labels], lambda _: None)
    accuracy = (found.total - found.mistakes) / len(records)
    return Judged(bundle.manifest.name, bundle.manifest.version, accuracy, len(records))


def _golden(bundle: Bundle, records: Sequence[Record], folder: Path) -> Path | None:
    """Copy a few pictures of each class that the model gets right; None where it gets none right."""
    model, _ = load_and_prove(bundle, device="cpu")
    for record in _few_of_each(records):
        try:
            right = model.predictor.predict(read_bytes(record.path), model.session.run).label == record.label
        except InputError as error:
            raise DataError(f"{record.path}: {error}") from error
        place = folder / record.label
        if right and not (place.is_dir() and len(list(place.iterdir())) >= GOLDEN_A_CLASS):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(record.path, place / record.path.name)
    return folder if folder.is_dir() else None


def _few_of_each(records: Sequence[Record]) -> Iterator[Record]:
    seen: dict[str, int] = defaultdict(int)
    for record in records:
        seen[record.label] += 1
        if seen[record.label] <= TRIED_A_CLASS:
            yield record


def _incumbent(session: Session, model: str, scratch: Path) -> Bundle | None:
    """Return the newest registered version that is a bundle; None where there is none."""
    cache, into = scratch / "cache", scratch / "incumbent"
    newest = _newest(session, model, cache)
    if newest is None:
        return None
    into.mkdir()
    wanted = Inquiry("fetch", QUIET, model, str(cache), version=newest.version, digest=newest.digest, into=str(into))
    with session.asking(f"downloading {model}:{newest.version}"):
        fetch_version(session.connection, wanted, lambda _: None)
    return open_bundle(into)


def _newest(session: Session, model: str, cache: Path) -> Candidate | None:
    cache.mkdir()
    with session.asking(f"looking for the registered versions of {model}"):
        found = survey(session.connection, Inquiry("survey", QUIET, model, str(cache)), lambda _: None)
    return next(iter(found.candidates), None)


def _came_between(session: Session, evaluation: Evaluation, bundle: Bundle, scratch: Path) -> str | None:
    """Return the version that was registered since, by another pipeline: nobody knows which of the two is better.

    This very bundle is none: the step may have been started again.
    """
    newest = _newest(session, bundle.manifest.name, scratch / "cache")
    before = evaluation.incumbent.version if evaluation.incumbent else None
    if newest is None or newest.version == before or newest.digest == digest_as(bundle.manifest, newest.version):
        return None
    return f"{bundle.manifest.name}:{newest.version}"


@dataclass(frozen=True, slots=True)
class Marks:
    """What devices follow: tags and a stage that are set on what is registered."""

    tags: Mapping[str, str]
    stage: str = ""


def register_if_better(
    session: Session, judged: Path, marks: Marks, *, min_gain: float, min_accuracy: float
) -> tuple[Verdict, str | None]:
    """Register the judged bundle where the figures are for it; return why, and what it is registered as.

    Raises:
        TrainingError, EdgeError: the evaluation or the bundle does not hold, or Azure refuses.
    """
    try:
        evaluation = parse_evaluation((judged / EVALUATION).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{judged / EVALUATION}: cannot be read ({error.strerror})") from error
    verdict = decide(evaluation, min_gain=min_gain, min_accuracy=min_accuracy)
    if not verdict.register:
        return verdict, None
    figures = {"test_accuracy": f"{evaluation.candidate.accuracy:.4f}"}
    bundle = open_bundle(judged / BUNDLE)
    with _own_folder() as scratch:
        ours = scratch / BUNDLE  # its copy under the next version is made beside it
        other = _came_between(session, evaluation, bundle, scratch)
        if other:
            return Verdict(
                False, f"{other} was registered meanwhile, and was not judged beside this one; start anew"
            ), None
        ours.mkdir()
        copy_bundle(bundle.folder, ours, digest=bundle.digest)
        order = Order(folder=ours, version="auto", tags=marks.tags, stage=marks.stage, properties=figures)
        return verdict, str(register(session, order).bundle)
