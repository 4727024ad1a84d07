"""Judges bundles on labelled pictures: answers, figures, and the time that one picture takes on this device."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from edge.bundle import Bundle
from edge.ports import Model
from edge.proof import load_and_prove
from edge.results import instant
from edge.session import Device, runtime_version, usable_cores
from training.answers import Answers, LeftOut
from training.comparison import Contender, Latency, measure, paired
from training.dataset.labelled import Labelled
from training.dataset.records import Record, content_hash, read_bytes
from training.errors import DataError, UsageError
from training.judge import (
    answer_records,
    check_all_readable,
    check_classes,
    check_number_of_labels,
    filled_up,
    unknown_classes,
)
from training.judgement import Circumstances, Judgement, judge_answers
from training.thresholds import Prices, check_both_sides, check_good, choose_threshold

Told = Callable[[str, int, int], object]
"""Hears what is done, how much of it, and of how much."""
BATCH = 16
"""So many pictures are run at once on a GPU; on a CPU each core takes one."""
TIMED_PICTURES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How to judge. ``prices`` None: the task's own; ``good`` names the class that passes."""

    device: Device = "auto"
    prices: Prices = field(default_factory=Prices)
    good: str | None = None
    good_share: float | None = None
    skip_unreadable: bool = False
    skip_unknown: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    bundle: Bundle
    model: Model
    answers: Answers


def assess(bundles: Sequence[Bundle], data: Labelled, wanted: Wanted, told: Told) -> Judgement:
    """Judge the first bundle on the data, and the others beside it on the same pictures.

    Raises:
        UsageError: bundles for several tasks, or data for another one; a good class that is none.
        DataError: a class that a bundle does not know, an unreadable picture (unless they are to be skipped), or
            nothing that is left to judge.
        EdgeError: a bundle does not load, prove itself or run.
    """
    check_tasks(bundles, data)
    check_number_of_labels(bundles[0], data.records)
    if wanted.good is not None:
        check_good(wanted.good, bundles[0].manifest.task, bundles[0].labels)
    records, left_out = _known(bundles, data.records, wanted)
    if wanted.good is not None:
        check_both_sides(wanted.good, [wanted.good in record.labels for record in records])
    judged, unreadable = _answers(bundles, records, wanted, told)
    first = judged[0]
    if not len(first.answers.records):
        raise DataError(
            "no picture is left to judge; every one is unreadable or of a class that the bundle does not know"
        )
    choice = choose_threshold(first.answers, wanted.prices, good=wanted.good, good_share=wanted.good_share)
    latencies = _latencies(judged, told)
    return judge_answers(
        first.answers,
        circumstances=_circumstances(first),
        choice=choice,
        left_out=[*left_out, *unreadable],
        latency=latencies[0],
        contenders=_contenders(judged, latencies),
    )


def check_tasks(bundles: Sequence[Bundle], data: Labelled) -> None:
    """Make sure that bundles and data are for one task. Raises UsageError."""
    for bundle in bundles:
        if bundle.manifest.task != data.task:
            raise UsageError(f"{bundle} is for {bundle.manifest.task}, but it is to be judged for {data.task}")


def _known(bundles: Sequence[Bundle], records: Sequence[Record], wanted: Wanted) -> tuple[list[Record], list[LeftOut]]:
    """Return the pictures whose classes every bundle knows, and the others, which are only left out when asked to."""
    unknown = {label for bundle in bundles for label in unknown_classes(bundle, records)}
    if not wanted.skip_unknown:
        for bundle in bundles:
            check_classes(bundle, records)
    out = [
        LeftOut(one, f"class {', '.join(sorted(unknown & set(one.labels)))} is unknown to the bundle")
        for one in records
        if unknown & set(one.labels)
    ]
    return [one for one in records if not unknown & set(one.labels)], out


def _answers(
    bundles: Sequence[Bundle], records: Sequence[Record], wanted: Wanted, told: Told
) -> tuple[list[_Judged], list[LeftOut]]:
    judged: list[_Judged] = []
    unreadable: list[LeftOut] = []
    for bundle in bundles:
        model, _ = load_and_prove(bundle, device=wanted.device, batch_sizes=(1, BATCH))
        answers, out = answer_records(bundle, model, records, _watch(told, f"judging {bundle}", len(records)))
        if not wanted.skip_unreadable:
            check_all_readable(out)
        unreadable = unreadable or out  # all bundles decode alike
        judged.append(_Judged(bundle, model, answers))
    return judged, unreadable


def _watch(told: Told, task: str, total: int) -> Callable[[int], object]:
    return lambda done: told(task, done, total)


def _latencies(judged: Sequence[_Judged], told: Told) -> list[Latency]:
    pictures = [read_bytes(record.path) for record in judged[0].answers.records[:TIMED_PICTURES]]

    def task_of(model: Model) -> Callable[[int], object]:
        size = min(model.session.batch_sizes, default=1)  # more than one where the graph takes nothing else

        def run(number: int) -> object:
            tensor = model.predictor.prepare(pictures[number % len(pictures)])
            return model.predictor.finish(model.session.run(filled_up([tensor], size), alone=True)[0])

        return run

    return measure([task_of(one.model) for one in judged], lambda done, total: told("measuring", done, total))


def _contenders(judged: Sequence[_Judged], latencies: Sequence[Latency]) -> list[Contender]:
    first = judged[0].answers
    names = [str(one.bundle) for one in judged]
    found = []
    for one, name, latency in zip(judged, names, latencies, strict=True):
        # two folders may hold one name and version
        shown = name if names.count(name) == 1 else f"{name} ({one.bundle.digest[:8]})"
        right, pictures = int(one.answers.right.sum()), len(one.answers.records)
        size = one.bundle.model_path.stat().st_size
        found.append(Contender(shown, one.bundle.digest, one.model.session.provider, size, pictures, right, latency))
    return [found[0], *(_beside(first, one, made) for one, made in zip(judged[1:], found[1:], strict=True))]


def _beside(first: Answers, one: _Judged, contender: Contender) -> Contender:
    return replace(contender, paired=paired(one.answers, first))


def _circumstances(judged: _Judged) -> Circumstances:
    digest = content_hash(judged.answers.records)
    return Circumstances(
        bundle=str(judged.bundle),
        digest=judged.bundle.digest,
        proven=judged.model.ref.proven,
        provider=judged.model.session.provider,
        machine=f"{platform.system()} {platform.machine()}, {usable_cores()} cores",
        versions={
            "automl-edge": _own_version(),
            "onnxruntime": runtime_version(),
            "python": platform.python_version(),
        },
        data_sha256=digest,
        trained_on_these=_trained_on(judged.bundle) == digest,
        judged_at=instant(datetime.now(UTC)),
    )


def _trained_on(bundle: Bundle) -> str | None:
    """Return the hash of the pictures that a bundle of the local trainer was fitted to, None where it tells none."""
    dataset = bundle.manifest.provenance.get("dataset")
    return str(dataset.get("sha256")) if isinstance(dataset, dict) else None


def _own_version() -> str:
    try:
        return version("automl-edge")
    except PackageNotFoundError:  # run from its sources
        return "unknown"
