"""From the registry through shadow, gate and probation into service, or not. Real registry, store and sessions."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.bundle.signing import check_signed, generate_key, sign
from edge.errors import InferenceError
from edge.ports import Frame
from edge.registry.local import LocalRegistry
from edge.registry.store import Store
from edge.results import Failure, Outcome, Prediction, Timing
from edge.rollout import Change, Rollout, Service, Staging
from edge.rollout.gate import Limits
from edge.rollout.probation import ProbationWatch
from edge.rollout.shadow import AfterShadow, Shadow
from tests.edge.rollout.test_rollout import load
from tests.fakes import COLOURS, CREATED_AT, LABELS, GraphOptions, encoded, make_bundle, picture, rehash
from tests.mosquitto import until

PICTURES = [encoded(picture(colour)) for colour in COLOURS.values()]
BRIGHT, RED = encoded(picture(COLOURS["bright"])), encoded(picture(COLOURS["red"]))
LIMITS = Limits(frames=8, max_s=3600, min_agreement=0.9, max_latency_ratio=1000, max_score_shift=0.1)


def permute_labels(folder: Path) -> Path:
    """Write a bundle's labels down in another order, as a mistake in an export does."""
    (folder / "labels.json").write_text(json.dumps([*LABELS[1:], LABELS[0]]))
    rehash(folder)
    return folder


class Plant:
    """A device that puts newer versions on trial, and a line that hands it pictures."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        self.models.mkdir()
        self.changes: list[Change] = []
        self.trusted: list[str] = []
        self.frames = threading.Semaphore(0)
        self.start()

    def start(self, *, after: AfterShadow = "promote", shadow: bool = True, probation_s: float = 60) -> None:
        """Begin as after a start of the daemon."""
        self.store = Store(self.root / "store", trust=self._trust)
        registry = LocalRegistry(self.models)
        self.shadow = Shadow(
            LIMITS,
            under_way=lambda: 0,
            after=after,
            counted=lambda _: self.frames.release(),
            clock=lambda: 1000.0,  # where no time passes, nothing costs any
        )
        self.probation = ProbationWatch(span_s=probation_s, max_failure_share=0.05)
        self.rollout = Rollout(
            registry,
            self.store,
            Staging(registry, self.store, load=load),
            Service(self.store, swap=lambda _: None, changed=self.changes.append),
            trial=self.shadow if shadow else None,
            probation=self.probation,
        )
        self.rollout.start()
        self.rollout.check()

    def _trust(self, bundle: Bundle) -> None:
        if self.trusted:
            check_signed(bundle, trusted=self.trusted)

    def stop(self) -> None:
        self.rollout.stop()
        self.crash()

    def crash(self) -> None:
        """End as a process does that has no time to say anything."""
        self.shadow.close()
        self.store.close()

    def add(self, version: str, spoil: Callable[[Path], object] = lambda _: None, **bundle: Any) -> None:
        """Register a version and let the device look."""
        folder = self.models / "colours" / version
        created_at = CREATED_AT + timedelta(days=int(version))
        spoil(make_bundle(folder, version=version, golden=False, created_at=created_at, **bundle))
        self.rollout.check()

    def answer(self, image: bytes) -> str:
        """Answer a live picture and show it to the witnesses; return the label, or the kind of the failure."""
        model = self.rollout.running
        assert model is not None
        prediction: Prediction
        try:
            prediction = model.predictor.predict(image, model.session.run)
        except InferenceError as error:
            prediction = Failure(type(error).__name__, str(error))
        outcome = Outcome(prediction, model.ref, model.session.provider, Timing())
        frame = Frame(image, "belt", datetime(2026, 1, 2, tzinfo=UTC))
        for witness in (self.shadow.witness, self.probation.witness):
            witness(frame, outcome)
        return prediction.kind if isinstance(prediction, Failure) else prediction.label

    def try_out(self, frames: int) -> None:
        """Answer live pictures while a version is on trial, one after the other, and let the device look."""
        for number in range(frames):
            self.answer(PICTURES[number % len(PICTURES)])
            assert self.frames.acquire(timeout=10)
        self.rollout.check()

    def version(self) -> str:
        assert self.rollout.running is not None
        return self.rollout.running.ref.version

    def entry(self, version: str) -> Mapping[str, Any]:
        return next(entry for entry in self.rollout.models() if entry["version"] == version)

    def kinds(self) -> list[str]:
        return [f"{change.kind} {change}" for change in self.changes]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    made.add("1")
    made.changes.clear()
    yield made
    made.stop()


def test_a_good_version_is_promoted(plant: Plant) -> None:
    """It sees live frames, then serves; figures and moment are kept with it, over a restart."""
    plant.add("2")
    assert plant.version() == "1"
    assert plant.entry("2")["state"] == "trial"
    plant.try_out(8)
    assert plant.version() == "2"
    assert plant.kinds() == ["promoted colours:2"]
    assert plant.changes[0].figures["agreement"] == 1
    plant.stop()
    plant.start()
    entry = plant.entry("2")
    assert entry["state"] == "current"
    assert {"outcome": "promoted", "frames": 8, "agreement": 1, "failures": 0}.items() <= entry["trial"].items()
    assert datetime.fromisoformat(entry["trial"]["at"]) > CREATED_AT


def test_a_bad_version_is_rejected_for_good(plant: Plant) -> None:
    """The old one goes on; the bad one is not tried again, also after a restart, unless a person activates it."""
    plant.add("2", permute_labels)
    plant.try_out(1)
    assert plant.version() == "1"
    assert plant.kinds() == ["rejected colours:2"]
    for _ in range(2):
        assert plant.entry("2")["state"] == "rejected"
        assert "disagrees on 1 of 1 frames" in plant.entry("2")["reason"]
        assert plant.rollout.trial == {}
        plant.stop()
        plant.start()
    assert plant.version() == "1"
    plant.rollout.activate("colours", "2")
    assert plant.version() == "2"
    assert plant.probation.status() == {}


def test_a_newer_one_is_tried_after_a_bad_one(plant: Plant) -> None:
    """A rejection holds for that version only."""
    plant.add("2", permute_labels)
    plant.try_out(1)
    plant.add("3")
    plant.try_out(8)
    assert plant.kinds() == ["rejected colours:2", "promoted colours:3"]


def test_a_good_version_may_wait_for_a_person(plant: Plant) -> None:
    """With ``after_shadow = "report"`` it stays available and told as passed until it is activated."""
    plant.stop()
    plant.start(after="report")
    plant.changes.clear()
    plant.add("2")
    plant.try_out(8)
    plant.rollout.check()
    assert (plant.version(), plant.entry("2")["state"]) == ("1", "passed")
    assert plant.kinds() == ["passed colours:2"]
    assert str(plant.rollout.activate("colours", "2")) == "colours:2"
    assert plant.entry("2")["trial"]["outcome"] == "passed"


def test_a_newer_version_takes_over_the_trial(plant: Plant) -> None:
    """The one on trial is forgotten, not judged; it may be tried again where the newer one is rejected."""
    plant.add("2")
    plant.try_out(3)
    plant.add("3", permute_labels)
    assert (plant.rollout.trial["version"], plant.rollout.trial["frames"]) == ("3", 0)
    plant.try_out(1)
    assert plant.kinds() == ["rejected colours:3"]
    assert plant.rollout.trial["version"] == "2"
    plant.try_out(8)
    assert plant.version() == "2"


def test_a_version_on_trial_is_refused_no_longer(plant: Plant) -> None:
    """It was unsigned, and is signed now: the reason of then is told no more."""
    plant.trusted.append(generate_key(plant.root / "key.pem"))
    plant.add("2")
    assert [refusal.version for refusal in plant.rollout.refused] == ["2"]
    sign(plant.models / "colours/2", plant.root / "key.pem")
    plant.rollout.check()
    assert plant.rollout.models()[0]["state"] == "trial"
    assert plant.rollout.refused == []


def test_a_word_from_a_person_ends_the_trial(plant: Plant) -> None:
    """What is activated serves at once, is not on probation, and nothing is judged."""
    plant.add("2")
    plant.try_out(3)
    plant.rollout.activate("colours", "2")
    assert plant.version() == "2"
    assert plant.rollout.trial == {}
    assert plant.probation.status() == {}
    plant.add("3")
    assert plant.rollout.trial == {}, "pinned"
    plant.rollout.rollback("colours")
    plant.rollout.check()
    assert plant.rollout.trial["version"] == "3"


def test_a_version_that_is_withdrawn_is_not_tried(plant: Plant) -> None:
    """Taken out of the registry, it is let go of."""
    plant.add("2")
    folder = plant.models / "colours" / "2"
    folder.rename(plant.root / "withdrawn")
    plant.rollout.check()
    assert plant.rollout.trial == {}
    assert [entry["version"] for entry in plant.rollout.models()] == ["1"]


def test_a_restart_begins_the_trial_again(plant: Plant) -> None:
    """Half a comparison says nothing about what the device is like now."""
    plant.add("2")
    plant.try_out(5)
    plant.stop()
    plant.start()
    assert (plant.version(), plant.rollout.trial["version"], plant.rollout.trial["frames"]) == ("1", "2", 0)
    plant.try_out(8)
    assert plant.version() == "2"


def test_a_version_that_fails_on_probation_is_rolled_back(plant: Plant) -> None:
    """Where live pictures break it, the one before comes back by itself; the failing one is not taken again."""
    plant.stop()
    plant.start(shadow=False)
    plant.changes.clear()
    plant.add("2", graph=GraphOptions(brittle=True))
    assert plant.version() == "2"
    assert [plant.answer(BRIGHT) for _ in range(20)] == ["InferenceError"] * 20
    plant.rollout.check()
    assert (plant.version(), plant.answer(BRIGHT)) == ("1", "bright")
    assert plant.kinds() == ["activated colours:2", "rolled-back colours:1"]
    assert "failed on 20 of its first 20 pictures" in str(plant.changes[-1].reason)
    for _ in range(2):
        entry = plant.entry("2")
        assert entry["state"] == "skipped"
        assert {"outcome": "rolled-back", "pictures": 20, "failures": 20}.items() <= entry["trial"].items()
        assert "out of data bounds" in entry["reason"]
        plant.stop()
        plant.start(shadow=False)
    assert plant.version() == "1"


def test_a_promoted_version_is_on_probation_too(plant: Plant) -> None:
    """A trial on dull pictures says nothing about bright ones."""
    plant.add("2", graph=GraphOptions(brittle=True))
    for _ in range(8):
        plant.answer(RED)
        assert plant.frames.acquire(timeout=10)
    plant.rollout.check()
    assert plant.version() == "2"
    for _ in range(20):
        plant.answer(BRIGHT)
    plant.rollout.check()
    assert plant.version() == "1"
    assert plant.kinds() == ["promoted colours:2", "rolled-back colours:1"]
    assert plant.rollout.failing is None


def test_without_a_previous_version_there_is_a_warning(tmp_path: Path) -> None:
    """The very first version cannot be rolled back: it goes on, and the status says so until another one serves."""
    plant = Plant(tmp_path)
    plant.add("1", graph=GraphOptions(brittle=True))
    for _ in range(20):
        plant.answer(BRIGHT)
    for _ in range(2):
        plant.rollout.check()
        assert plant.version() == "1"
        assert str(plant.rollout.failing).startswith("colours:1 failed on 20 of its first 20 pictures")
        assert "no previous version" in str(plant.rollout.failing)
    plant.rollout.activate("colours", "1")
    assert plant.rollout.failing is None
    plant.stop()


def test_what_looks_slow_at_a_bad_moment_is_judged_by_the_whole(plant: Plant) -> None:
    """The trial waits for its frames however often the device looks."""
    plant.add("2")
    plant.try_out(7)
    for _ in range(5):
        plant.rollout.check()
    assert plant.version() == "1"
    until(lambda: plant.rollout.trial["frames"] == 7, what="the seventh frame")
    plant.try_out(1)
    assert plant.version() == "2"


def test_a_version_that_kills_the_process_on_trial_is_rejected(plant: Plant) -> None:
    """A crash in native code or too little memory for two models: after the third time the trial is over."""
    plant.add("2")
    for _ in range(3):
        assert plant.rollout.trial["version"] == "2"
        plant.try_out(2)
        plant.crash()
        plant.start()
    plant.rollout.check()
    assert plant.rollout.trial == {}
    assert plant.entry("2")["state"] == "rejected"
    assert plant.entry("2")["reason"] == "3 processes in a row ended while it was on trial"
    assert plant.version() == "1"


def test_clean_stops_are_no_crashes(plant: Plant) -> None:
    """However often the daemon is restarted, the trial begins again."""
    plant.add("2")
    for _ in range(5):
        plant.stop()
        plant.start()
    assert plant.rollout.trial["version"] == "2"


def test_probation_goes_on_after_a_restart(plant: Plant) -> None:
    """A stop, clean or not, does not take a version out of it; the end of its time does."""
    plant.stop()
    plant.start(shadow=False)
    plant.add("2")
    for end in (plant.stop, plant.crash):
        end()
        plant.start(shadow=False)
        assert plant.probation.status()["version"] == "2"
    plant.probation.end()
    plant.rollout.check()
    plant.crash()
    plant.start(shadow=False)
    assert plant.probation.status() == {}


def test_a_version_that_kills_the_process_on_probation_is_left(plant: Plant) -> None:
    """The line would stand still for ever: the fourth start begins with the version before."""
    plant.stop()
    plant.start(shadow=False)
    plant.add("2")
    for _ in range(3):
        assert plant.version() == "2"
        plant.crash()
        plant.changes.clear()
        plant.start(shadow=False)
    assert plant.version() == "1"
    assert plant.kinds() == ["rolled-back colours:1"]
    assert plant.entry("2")["state"] == "skipped"
    assert plant.entry("2")["reason"] == "3 processes in a row ended while it was on probation"
    assert not (plant.root / "store" / "probation.json").exists()


def test_without_a_probation_no_death_counts(plant: Plant) -> None:
    """``probation_s = 0`` watches none: also a version with which processes end right away goes on serving."""
    plant.stop()
    plant.start(shadow=False, probation_s=0)
    plant.add("2")
    for _ in range(4):
        assert not (plant.root / "store" / "probation.json").exists()
        plant.crash()
        plant.start(shadow=False, probation_s=0)
    assert plant.version() == "2"


def test_a_previous_version_that_is_damaged_is_a_warning(plant: Plant) -> None:
    """Where the version to go back to is gone from the disk, the failing one goes on, and everybody is told."""
    plant.stop()
    plant.start(shadow=False)
    plant.add("2", graph=GraphOptions(brittle=True))
    for folder in (plant.root / "store" / "bundles" / "colours").glob("1-*"):
        (folder / "model.onnx").unlink()
    for _ in range(20):
        plant.answer(BRIGHT)
    plant.rollout.check()
    assert plant.version() == "2"
    assert "it cannot be rolled back" in str(plant.rollout.failing)
    assert "model.onnx" in str(plant.rollout.failing)


def test_an_only_version_that_kills_the_process_is_a_warning(plant: Plant) -> None:
    """There is nothing to go back to, so it serves again, and the status says what happens with it."""
    for _ in range(3):
        assert plant.rollout.failing is None
        plant.crash()
        plant.start(shadow=False)
    assert plant.version() == "1"
    assert "3 processes in a row ended while it was on probation" in str(plant.rollout.failing)
    assert "no previous version" in str(plant.rollout.failing)
