"""Following Azure: where promotion goes, the device goes; what Azure does not answer changes nothing but a reason."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle, open_bundle
from edge.errors import ModelNotFoundError, RegistryError
from edge.ports import Candidate, Model, Survey
from edge.proof import load_and_prove
from edge.registry.azureml import AzureMlRegistry, Followed
from edge.registry.inquiry import Azure, Failure, Progress, message_line
from edge.registry.process import AzureProcess
from edge.registry.store import Store
from edge.rollout import Change, NoTrial, Rollout, Service, Staging, Trial, Wish
from tests.edge.registry.scripted import Script
from tests.fakes import make_bundle, truncate
from tests.mosquitto import until

REGISTERED = datetime(2026, 6, 1, tzinfo=UTC)
"""Long after the bundles were made: Azure's times are not the manifests'."""


def load(bundle: Bundle, rehearsed_on: str | None) -> Model:
    model, _ = load_and_prove(bundle, device="cpu", threads=1, rehearsed_on=rehearsed_on)
    return model


class HoldsEverything(NoTrial):
    """Takes every version on trial and comes to no verdict."""

    def begin(self, candidate: Candidate, model: Model, running: Model) -> bool:  # noqa: ARG002 - the port's
        return True


class Device:
    """A rollout that follows a scripted Azure with versions 1 and 2; ``served`` lists what was swapped in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.script = Script(root / "script")
        self.served: list[str] = []
        self.told: list[Change] = []
        self.made = {version: open_bundle(make_bundle(root / "made" / version, version=version)) for version in "12"}
        self.now = 0.0
        self.stage = "Production"
        self.open()

    def open(self, *, trial: Trial | None = None) -> None:
        azure = Azure("s", "g", "vision", timeout_s=1.0)
        registry = AzureMlRegistry(
            Followed(azure, "colours", self.root / "cache", stage=self.stage),
            process=AzureProcess(command=self.script.command, start_s=10.0),
            clock=lambda: self.now,
        )
        self.store = Store(self.root / "store")
        self.rollout = Rollout(
            registry,
            self.store,
            Staging(registry, self.store, load=load),
            Service(self.store, swap=self._swap, changed=self.told.append),
            wish=Wish("colours"),
            trial=trial,
        )

    def _swap(self, model: Model) -> None:
        self.served.append(model.ref.version)

    def restart(self) -> None:
        self.store.close()
        self.served.clear()
        self.open()
        self.rollout.start()

    def candidate(self, version: str) -> Candidate:
        made_at = REGISTERED + timedelta(days=int(version))
        return Candidate("colours", version, made_at, self.made[version].digest)

    def promote(self, *versions: str, fetch: Any = None, **refused: str) -> None:
        """Let these versions have the stage, newest first."""
        survey = Survey(tuple(map(self.candidate, versions)), refused)
        fetched = [
            ("out", message_line(Progress(1, 9)).decode()),
            ("copy", f"{self.root}/made/{{version}}"),
            ("out", message_line("fetched").decode()),
        ]
        self.script.does(("on", {"survey": [("out", message_line(survey).decode())], "fetch": fetch or fetched}))

    def fails(self, kind: str, reason: str) -> None:
        self.script.says(message_line(Failure("RegistryError", kind, reason)))


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.store.close()


def test_the_device_goes_where_promotion_goes(device: Device) -> None:
    """Forth, and back to an older version, which is in the store already and not fetched again."""
    device.promote("1")
    device.rollout.start()
    device.promote("2")
    device.rollout.check()
    device.promote("1")
    device.rollout.check()
    device.rollout.check()
    assert device.served == ["1", "2", "1"]
    assert [asked["version"] for asked in device.script.asked if asked["do"] == "fetch"] == ["1", "2"]
    device.promote("2", "1")
    device.rollout.check()
    assert device.served == ["1", "2", "1", "2"]


def test_going_back_waits_for_no_trial(device: Device) -> None:
    """Who moved the stage back knows both versions: a shadow must not keep the device with the one that is to go."""
    device.promote("2")
    device.rollout.start()
    device.store.close()
    device.open(trial=HoldsEverything())
    device.rollout.start()
    device.promote("1")
    device.rollout.check()
    assert device.served == ["2", "2", "1"]
    device.promote("2")
    device.rollout.check()
    assert device.served == ["2", "2", "1"]
    assert {entry["version"]: entry["state"] for entry in device.rollout.models()} == {"1": "current", "2": "trial"}


def test_without_anything_promoted_the_running_one_stays(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """The reason shows, and is logged once."""
    device.promote("1")
    device.rollout.start()
    caplog.set_level(logging.INFO)
    device.promote(colours="no version of colours has stage Production")
    for _ in range(4):
        device.rollout.check()
    assert device.served == ["1"]
    assert device.rollout.problem == "workspace vision: no version of colours has stage Production"
    assert [record.message for record in caplog.records].count("the registry cannot be read") == 1
    device.promote("1")
    device.rollout.check()
    assert device.rollout.problem is None


def test_an_offline_start_serves_from_the_store(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """Azure is asked afterwards, and its silence told once, however often it is looked."""
    device.promote("1")
    device.rollout.start()
    device.fails("unreachable", "listing the versions of colours: Azure cannot be reached")
    device.restart()
    assert device.served == ["1"]
    before = len(device.script.asked)
    for _ in range(5):
        device.rollout.check()
        device.now += 2
    assert len(device.script.asked) == before + 1
    assert device.rollout.problem == "listing the versions of colours: Azure cannot be reached"
    assert [record.message for record in caplog.records].count("the registry cannot be read") == 1
    assert [entry["state"] for entry in device.rollout.models()] == ["current"]
    assert len(device.script.asked) == before + 1


def test_ages_are_compared_after_a_restart_too(device: Device) -> None:
    """What serves is as old as Azure said, not as its manifest is: the newest one's removal is no reason to go back."""
    device.stage = ""
    device.promote("2", "1")
    device.restart()
    device.restart()
    device.promote("1")
    device.rollout.check()
    assert device.served == ["2"]


def test_a_person_may_activate_what_has_no_stage(device: Device) -> None:
    """It stays till what is promoted is followed again."""
    device.promote("2")
    device.rollout.start()
    device.promote("1")
    assert str(device.rollout.activate("colours", "1")) == "colours:1"
    asked = device.script.asked[-2]
    assert (asked["do"], asked["version"], asked["stage"]) == ("survey", "1", "")
    device.promote("2")
    device.rollout.check()
    assert device.served == ["2", "1"]
    assert str(device.rollout.activate("colours")) == "colours:2"


def test_a_version_that_is_not_there_cannot_be_activated(device: Device) -> None:
    """What is known to be there is named."""
    device.promote("2")
    device.rollout.start()
    device.promote()
    with pytest.raises(ModelNotFoundError, match=r"colours:7 cannot be taken: the registry's versions of it: 2"):
        device.rollout.activate("colours", "7")


def test_a_person_who_asks_is_not_made_to_wait(device: Device) -> None:
    """After a failure the next look would wait; a reload asks at once."""
    device.fails("server", "503")
    device.rollout.start()
    device.rollout.check()
    assert len(device.script.asked) == 1
    device.promote("1")
    device.rollout.hurry()
    device.rollout.check()
    assert device.served == ["1"]


@pytest.mark.parametrize("kind", ["damaged", "unreachable"])
def test_half_a_download_changes_nothing(device: Device, kind: str) -> None:
    """The running version stays, the reason shows, nothing of it is left, and it is tried again later."""
    device.promote("1")
    device.rollout.start()
    half = [
        ("copy", f"{device.root}/made/2"),
        ("out", message_line(Failure("RegistryError", kind, "cut off")).decode()),
    ]
    device.promote("2", "1", fetch=half)
    for _ in range(4):
        device.rollout.check()
    fetches = [asked for asked in device.script.asked if asked["do"] == "fetch"]
    assert len(fetches) == 2
    assert device.served == ["1"]
    reasons = [device.rollout.problem, *(refusal.reason for refusal in device.rollout.refused)]
    assert "cut off" in reasons
    assert [change.kind for change in device.told].count("refused") <= 1
    assert not list((device.root / "store/bundles").glob(".partial-*"))
    device.promote("2", "1")
    device.now += 31
    device.rollout.check()
    assert device.served == ["1", "2"]
    assert device.rollout.problem is None
    assert device.rollout.refused == []


def test_what_the_process_says_is_not_believed(device: Device) -> None:
    """A file that was cut behind its back does not serve: the store checks everything again."""
    device.promote("1")
    device.rollout.start()
    truncate(device.root / "made/2/model.onnx")
    device.promote("2")
    device.rollout.check()
    assert device.served == ["1"]
    assert "model.onnx" in device.rollout.refused[0].reason


def test_a_download_shows_how_far_it_is_and_gives_way(device: Device) -> None:
    """While it goes on, the status tells the bytes; whoever asks for another version does not wait for it."""
    device.promote("1")
    device.rollout.start()
    slow = [("out", message_line(Progress(4, 9)).decode()), ("sleep", 60)]
    device.promote("2", fetch=slow)
    looking = threading.Thread(target=device.rollout.check)
    looking.start()
    until(lambda: device.rollout.update is not None and device.rollout.update.took == 4, what="the download")
    assert device.rollout.update is not None
    assert (device.rollout.update.phase, device.rollout.update.of) == ("pulling", 9)
    device.promote("1")
    assert str(device.rollout.activate("colours", "1")) == "colours:1"
    looking.join(10)
    assert not looking.is_alive()
    assert device.rollout.problem is None


def test_a_stop_ends_a_download(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """At once, and nothing is told of it."""
    device.promote("1")
    device.rollout.start()
    device.promote("2", fetch=[("out", message_line(Progress(4, 9)).decode()), ("sleep", 60)])
    looking = threading.Thread(target=device.rollout.check)
    looking.start()
    until(lambda: device.rollout.update is not None and device.rollout.update.took == 4, what="the download")
    caplog.clear()
    device.rollout.stop()
    looking.join(10)
    assert not looking.is_alive()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    with pytest.raises(RegistryError):
        device.rollout.activate("colours", "1")
