"""The shadow beside a running model: what it takes, what it decides, and that it is never in the way."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.ports import Candidate, Frame, Model
from edge.predictor import BatchF32, OutputsF32
from edge.results import Classification, Failure, Outcome, Prediction, Timing
from edge.rollout.beside import HANG_S
from edge.rollout.gate import Limits
from edge.rollout.pace import BUSY_SHARE, CALM_SHARE
from edge.rollout.shadow import AfterShadow, Shadow
from tests.fakes import (
    COLOURS,
    CREATED_AT,
    FakeSession,
    always_fails,
    encoded,
    fake_model,
    mean_colour_answer,
    picture,
)
from tests.mosquitto import until

RED = encoded(picture(COLOURS["red"]))
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
LIMITS = Limits(frames=10, max_s=3600, min_agreement=0.9, max_latency_ratio=1000, max_score_shift=0.1)


def turned(batch: BatchF32) -> OutputsF32:
    """Answer as the right model would whose labels were written down in another order."""
    return np.roll(mean_colour_answer(batch), 1, axis=1)


class Line:
    """A running model that answers pictures, and a shadow that is shown them."""

    def __init__(self, folder: Path, *, limits: Limits = LIMITS, after: AfterShadow = "promote", share: float = 1.0):
        self.now = 1000.0
        self.under_way = 0
        self.counted: Counter[str] = Counter()
        self.decided = threading.Semaphore(0)
        self.folder = folder
        self.running = fake_model(folder / "1")
        self.shadow = Shadow(
            limits,
            under_way=lambda: self.under_way,
            share=share,
            after=after,
            decided=self.decided.release,
            counted=self._count,
            clock=lambda: self.now,
        )

    def begin(self, answer: Callable[[BatchF32], OutputsF32], version: str = "2") -> Model:
        model = fake_model(self.folder / version, FakeSession(answer), version=version)
        candidate = Candidate("colours", version, CREATED_AT + timedelta(days=1), model.digest)
        assert self.shadow.begin(candidate, model, self.running)
        return model

    def answer(self, image: bytes = RED, *, prediction: Prediction | None = None, version: Model | None = None) -> None:
        """Show the shadow one answered frame, as :class:`Delivery` does."""
        running = version or self.running
        if prediction is None:
            prediction = running.predictor.predict(image, running.session.run)
        outcome = Outcome(prediction, running.ref, "fake", Timing())
        self.shadow.witness(Frame(image, "belt", WHEN), outcome)

    def pass_by(self, frames: int, **options: Any) -> None:
        """Show frames one after the other, each once the shadow is done with the one before."""
        for _ in range(frames):
            wanted = self.counted.total() + 1
            self.answer(**options)
            until(partial(self.has_counted, wanted), what="the frame")

    def has_counted(self, frames: int) -> bool:
        return self.counted.total() >= frames

    def _count(self, outcome: str) -> None:
        self.counted[outcome] += 1


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path)
    yield made
    made.shadow.close()


def test_an_equal_version_is_promoted(line: Line) -> None:
    """After enough frames the verdict is there, somebody is woken, and the figures tell why."""
    line.begin(mean_colour_answer)
    line.pass_by(9)
    assert line.shadow.verdict() is None
    line.pass_by(1)
    assert line.decided.acquire(timeout=10)
    verdict = line.shadow.verdict()
    assert verdict is not None
    assert verdict.outcome == "promoted"
    assert "agreed on 10 of 10 frames" in verdict.reason
    assert verdict.figures["agreement"] == 1
    assert verdict.figures["failures"] == 0
    assert line.counted == {"agreed": 10}


def test_a_good_version_may_be_left_to_a_person(tmp_path: Path) -> None:
    """With ``after_shadow = "report"`` the same version is only told to have passed."""
    line = Line(tmp_path, after="report")
    line.begin(mean_colour_answer)
    line.pass_by(10)
    assert line.decided.acquire(timeout=10)
    verdict = line.shadow.verdict()
    assert verdict is not None
    assert verdict.outcome == "passed"
    line.shadow.close()


def test_permuted_labels_are_rejected(line: Line) -> None:
    """A version that answers otherwise is out as soon as the agreement cannot be reached, with the figures."""
    line.begin(turned)
    line.pass_by(2)
    assert line.decided.acquire(timeout=10)
    verdict = line.shadow.verdict()
    assert verdict is not None
    assert verdict.outcome == "rejected"
    assert "disagrees on 2 of 2 frames, too many for 10 frames: agreement 0.000" in verdict.reason
    assert line.counted == {"disagreed": 2}


def test_a_version_that_raises_is_counted(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """A model that fails on live pictures is rejected and harms nobody; the log has its words once."""
    line.begin(always_fails)
    line.pass_by(2)
    verdict = line.shadow.verdict()
    assert verdict is not None
    assert (verdict.outcome, verdict.figures["failures"]) == ("rejected", 2)
    assert [r.message for r in caplog.records] == ["the version on trial failed on a live picture"]


def test_any_fault_of_the_version_is_its_own(line: Line) -> None:
    """Also one that nobody foresaw, such as an output of the wrong size."""
    line.begin(lambda batch: np.zeros((len(batch), 0), np.float32))
    line.pass_by(2)
    assert line.counted == {"failed": 2}


def test_what_nobody_answers_is_skipped(line: Line) -> None:
    """Rubbish from a camera does not promote a version."""
    line.begin(mean_colour_answer)
    line.pass_by(20, image=b"rubbish", prediction=Failure("ImageDecodeError", "no picture"))
    assert line.shadow.verdict() is None
    assert line.shadow.status()["frames"] == 0
    assert line.shadow.status()["skipped"] == 20


def test_a_busy_device_is_left_alone(line: Line) -> None:
    """While pictures wait, frames are passed over and counted; time alone brings a few through."""

    def takes_a_second(batch: BatchF32) -> OutputsF32:
        line.now += 1
        return mean_colour_answer(batch)

    line.begin(takes_a_second)
    line.pass_by(1)
    line.under_way = 5
    for _ in range(50):
        line.answer()
    assert line.counted == {"agreed": 1, "skipped": 50}
    line.now += 1 / CALM_SHARE + 1
    line.answer()
    assert line.counted == {"agreed": 1, "skipped": 51}
    line.under_way = 0
    line.pass_by(1)
    line.under_way = 5
    line.now += 1 / BUSY_SHARE + 1
    line.pass_by(1)
    assert line.counted == {"agreed": 3, "skipped": 51}


def test_a_slow_version_holds_nobody_up(line: Line) -> None:
    """While the shadow works, one frame waits and the rest are dropped: a witness never waits, and little is kept."""
    entered, gate = threading.Semaphore(0), threading.Event()

    def slow(batch: BatchF32) -> OutputsF32:
        entered.release()
        assert gate.wait(10)
        return mean_colour_answer(batch)

    line.begin(slow)
    line.answer()
    assert entered.acquire(timeout=10)
    for _ in range(100):
        line.answer()
    assert line.counted == {"skipped": 99}
    gate.set()
    until(lambda: line.counted["agreed"] == 2, what="the two frames")


def test_a_version_that_hangs_is_rejected(line: Line) -> None:
    """One picture that takes a minute is enough."""
    entered, gate = threading.Semaphore(0), threading.Event()

    def hangs(batch: BatchF32) -> OutputsF32:
        entered.release()
        assert gate.wait(10)
        return mean_colour_answer(batch)

    line.begin(hangs)
    line.answer()
    assert entered.acquire(timeout=10)
    assert line.shadow.verdict() is None
    line.now += HANG_S + 1
    verdict = line.shadow.verdict()
    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == ("rejected", "has not answered a picture within 60 s")
    gate.set()


def test_the_time_is_bounded(line: Line) -> None:
    """A line that stands still does not keep two models in memory for ever."""
    line.begin(mean_colour_answer)
    line.pass_by(3)
    line.now += 3601
    verdict = line.shadow.verdict()
    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == ("rejected", "saw 3 of 10 frames within 1 h")


def test_only_the_share_is_seen(tmp_path: Path) -> None:
    """Frames outside the share are neither compared nor counted as skipped."""
    line = Line(tmp_path, share=0.25)
    line.begin(mean_colour_answer)
    for number in range(1, 9):
        line.answer()
        until(partial(line.has_counted, number // 4), what="each fourth frame")
    assert line.counted == {"agreed": 2}
    line.shadow.close()


def test_another_versions_answers_do_not_count(line: Line) -> None:
    """An answer of a model that is not the one compared with is passed over."""
    model = line.begin(mean_colour_answer)
    line.answer(version=model)
    line.pass_by(1)
    assert line.shadow.status()["frames"] == 1


def test_a_newer_version_begins_anew(line: Line) -> None:
    """Figures of the one before are not its own."""
    line.begin(turned)
    line.pass_by(1)
    line.begin(mean_colour_answer, version="3")
    status = line.shadow.status()
    assert (status["version"], status["frames"], status["agreement"]) == ("3", 0, None)
    line.pass_by(1)
    assert line.shadow.status()["agreement"] == 1


def test_the_end_lets_go(line: Line) -> None:
    """After the end there is no trial, frames pass by, and the thread is gone."""
    line.begin(mean_colour_answer)
    line.pass_by(1)
    line.shadow.end()
    line.shadow.end()
    assert line.shadow.verdict() is None
    assert line.shadow.status() == {}
    line.answer()
    until(lambda: not any(t.name == "shadow" for t in threading.enumerate()), what="the end of the thread")
    assert line.counted.total() == 1


def test_progress_is_told(line: Line) -> None:
    """Which version, how many frames, the figures so far and the latest moment of a decision."""
    assert line.shadow.status() == {}
    line.begin(mean_colour_answer)
    line.pass_by(4)
    status = dict(line.shadow.status())
    since, decides_at = (datetime.fromisoformat(status.pop(key)) for key in ("since", "decides_at"))
    assert decides_at - since == timedelta(hours=1)
    ratio = status.pop("latency_ratio")
    assert isinstance(ratio, float)
    assert status == {
        "name": "colours",
        "version": "2",
        "frames": 4,
        "agreement": 1.0,
        "score_shift": 0.0,
        "failures": 0,
        "skipped": 0,
        "wanted": 10,
    }


def test_the_times_are_both_sides_own(line: Line) -> None:
    """Either model answers the picture on one core in the shadow's thread; the live answer's time is not used."""

    def slower(batch: BatchF32) -> OutputsF32:
        line.now += 0.003
        return mean_colour_answer(batch)

    def running(batch: BatchF32) -> OutputsF32:
        line.now += 0.001
        return mean_colour_answer(batch)

    line.running = fake_model(line.folder / "slow", FakeSession(running))
    line.begin(slower)
    live = Classification("red", 0.9, ("red",), (0.9,))
    line.pass_by(6, prediction=live)
    assert line.shadow.status()["latency_ratio"] == pytest.approx(3, abs=0.01)
