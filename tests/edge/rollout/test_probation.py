"""Probation: how a new version's first pictures are counted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.ports import Frame, Model
from edge.results import Classification, Failure, Outcome, Prediction, Timing
from edge.rollout.probation import MIN_PICTURES, ProbationWatch
from tests.fakes import fake_model

FRAME = Frame(b"", "belt", datetime(2026, 1, 2, tzinfo=UTC))
GOOD = Classification("a", 0.9, ("a", "b"), (0.9, 0.1))
FAULT = Failure("InferenceError", "index out of range")
RUBBISH = Failure("ImageDecodeError", "no picture")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaches() -> list[str]:
    return []


@pytest.fixture
def watch(clock: Clock, breaches: list[str]) -> ProbationWatch:
    return ProbationWatch(span_s=60, max_failure_share=0.05, breached=lambda: breaches.append("breached"), clock=clock)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return fake_model(tmp_path, version="2")


def answer(watch: ProbationWatch, model: Model, prediction: Prediction, times: int = 1) -> None:
    for _ in range(times):
        watch.witness(FRAME, Outcome(prediction, model.ref, "fake", Timing()))


def test_a_failing_version_must_go(watch: ProbationWatch, model: Model, breaches: list[str]) -> None:
    """Two of twenty pictures are more than a twentieth; it is told once, with the model's own words."""
    watch.begin(model)
    answer(watch, model, GOOD, MIN_PICTURES - 2)
    answer(watch, model, FAULT, 2)
    verdict = watch.verdict()
    assert verdict is not None
    assert verdict.outcome == "rolled-back"
    assert "failed on 2 of its first 20 pictures" in verdict.reason
    assert verdict.reason.endswith("index out of range")
    assert verdict.figures == {"pictures": 20, "failures": 2}
    answer(watch, model, FAULT, 5)
    assert breaches == ["breached"]


def test_the_share_itself_is_allowed(watch: ProbationWatch, model: Model) -> None:
    """One of twenty is a twentieth."""
    watch.begin(model)
    answer(watch, model, FAULT)
    answer(watch, model, GOOD, MIN_PICTURES - 1)
    assert watch.verdict() is None
    answer(watch, model, FAULT)
    assert watch.verdict() is not None


def test_few_pictures_say_little(watch: ProbationWatch, model: Model) -> None:
    """Nineteen failures in a row are not twenty pictures."""
    watch.begin(model)
    answer(watch, model, FAULT, MIN_PICTURES - 1)
    assert watch.verdict() is None


def test_bad_pictures_say_nothing(watch: ProbationWatch, model: Model) -> None:
    """They neither count against a model nor hide its faults in a larger number."""
    watch.begin(model)
    answer(watch, model, RUBBISH, 1000)
    assert watch.verdict() is None
    answer(watch, model, FAULT, MIN_PICTURES)
    assert watch.verdict() is not None


def test_the_time_ends(watch: ProbationWatch, model: Model, clock: Clock) -> None:
    """What fails later is not undone by itself: somebody may have come to rely on the version."""
    watch.begin(model)
    answer(watch, model, FAULT, MIN_PICTURES - 1)
    clock.now += 60
    answer(watch, model, FAULT, 100)
    assert watch.verdict() is None
    assert watch.status() == {}


def test_a_verdict_outlives_the_time(watch: ProbationWatch, model: Model, clock: Clock) -> None:
    """Who acts on it may be a little late."""
    watch.begin(model)
    answer(watch, model, FAULT, MIN_PICTURES)
    clock.now += 600
    assert watch.verdict() is not None


def test_only_the_watched_version_counts(watch: ProbationWatch, model: Model, tmp_path: Path) -> None:
    """Answers of the version before, still under way at the swap, are its own."""
    watch.begin(model)
    answer(watch, fake_model(tmp_path / "1", version="1"), FAULT, 100)
    assert watch.verdict() is None
    watch.end()
    answer(watch, model, FAULT, 100)
    assert watch.verdict() is None


def test_the_next_version_begins_anew(watch: ProbationWatch, model: Model) -> None:
    """Nothing is carried over."""
    watch.begin(model)
    answer(watch, model, FAULT, MIN_PICTURES - 1)
    watch.begin(model)
    answer(watch, model, FAULT)
    assert watch.verdict() is None
    status = dict(watch.status())
    until = datetime.fromisoformat(status.pop("until"))
    assert until > datetime.now(UTC)
    assert status == {"name": "colours", "version": "2", "pictures": 1, "failures": 1}


def test_no_time_is_no_probation(model: Model) -> None:
    """``probation_s = 0`` watches nothing."""
    watch = ProbationWatch(span_s=0, max_failure_share=0)
    watch.begin(model)
    answer(watch, model, FAULT, 100)
    assert watch.verdict() is None
    assert watch.status() == {}
