"""Azure as registry: what is asked of the process, what is kept, what is told, and when it is asked again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import open_bundle
from edge.errors import ModelInvalidError, ModelNotFoundError, RegistryError, StoreError
from edge.ports import Candidate, Survey
from edge.registry.azureml import AzureMlRegistry, Followed
from edge.registry.inquiry import Azure, Failure, Message, Progress, message_line
from edge.registry.process import AzureProcess
from tests.edge.registry.scripted import Script
from tests.fakes import make_bundle

MADE = datetime(2026, 3, 1, tzinfo=UTC)
ONE = Candidate("colours", "1", MADE, "digest-1")
TWO = Candidate("colours", "2", MADE + timedelta(days=1), "digest-2")
BOTH = Survey((TWO, ONE), {"colours/3": "half a file"})


class Device:
    """A registry on a script, and a clock that the test moves."""

    def __init__(self, folder: Path, **followed: Any) -> None:
        self.now = 1000.0
        self.beats = 0
        self.script = Script(folder / "script")
        azure = Azure("s", "g", "vision", timeout_s=1.0)
        self.registry = AzureMlRegistry(
            replace(Followed(azure, "colours", folder / "cache"), **followed),
            process=AzureProcess(command=self.script.command, start_s=10.0),
            moved=self._moved,
            clock=lambda: self.now,
        )
        self.into = folder / "into"
        self.into.mkdir()

    def _moved(self) -> None:
        self.beats += 1

    def says(self, *messages: Message) -> None:
        self.script.says(*map(message_line, messages))

    def fails(self, kind: str, reason: str = "it went wrong", *, error: str = "RegistryError", **more: Any) -> None:
        self.says(Failure(error, kind, reason, **more))

    def refuses(self, what: str, **how: Any) -> str:
        """Look, which fails; return the reason."""
        with pytest.raises(RegistryError, match=what) as caught:
            self.registry.survey("colours", **how)
        return str(caught.value)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_a_look_asks_for_what_is_followed(tmp_path: Path) -> None:
    """The configured stage and tag go along; what was found is wanted exactly, and is kept."""
    device = Device(tmp_path, stage="Production", tag="site=7")
    assert device.registry.known("colours") == Survey((), {})
    device.says(Progress(), BOTH)
    assert device.registry.survey() == replace(BOTH, exact=True)
    (asked,) = device.script.asked
    assert (asked["do"], asked["name"], asked["stage"], asked["tag"]) == ("survey", "colours", "Production", "site=7")
    assert asked["cache"] == str(tmp_path / "cache")
    assert device.registry.known("colours").candidates == (TWO, ONE)
    assert device.registry.known("other").candidates == ()
    assert len(device.script.asked) == 1
    assert device.beats == 1


def test_without_stage_and_tag_the_newest_is_followed(device: Device) -> None:
    """Nobody chose: an older version is no wish to go back."""
    device.says(BOTH)
    assert not device.registry.survey("colours").exact


def test_a_version_is_asked_for_whatever_is_followed(tmp_path: Path) -> None:
    """A person may activate one that lacks the stage; what is followed is not forgotten over it."""
    device = Device(tmp_path, stage="Production")
    device.says(Survey((TWO,), {}))
    device.registry.survey("colours")
    device.says(Survey((ONE,), {}))
    assert device.registry.survey("colours", version="1", asked=True) == Survey((ONE,), {})
    assert [(a["version"], a["stage"]) for a in device.script.asked] == [("", "Production"), ("1", "")]
    assert device.registry.known("colours").candidates == (TWO,)


def test_a_device_is_not_told_of_what_it_would_not_take(device: Device) -> None:
    """Older versions that are no bundles are no warnings; whoever asks for the list sees them."""
    everything = Survey((TWO, ONE), {"colours/0": "no bundle", "colours/10": "half a file"})
    device.says(everything)
    assert device.registry.survey("colours").refused == {"colours/10": "half a file"}
    assert device.registry.known("colours") == everything
    assert device.registry.survey("colours", asked=True) == everything


def test_a_look_that_fails_is_not_repeated_at_once(device: Device) -> None:
    """The reason is told again, the same each time, until it is time; what was known stays."""
    device.says(BOTH)
    device.registry.survey("colours")
    device.fails("unreachable", "<a.B object at 0x7f>: listing models: no route")
    first = device.refuses("^listing models: no route$")
    for _ in range(5):
        device.now += 2
        assert device.refuses("no route") == first
    assert len(device.script.asked) == 2
    assert device.registry.known("colours").candidates == (TWO, ONE)
    device.now += 30
    device.says(BOTH)
    assert device.registry.survey("colours").candidates == (TWO, ONE)


def test_each_failure_makes_the_wait_longer_and_a_success_ends_it(device: Device) -> None:
    """From half a minute to a quarter of an hour; then it begins anew."""
    device.fails("server")
    for times in range(1, 9):
        device.refuses("it went wrong")
        assert len(device.script.asked) == times
        device.now += 900
    device.refuses("it went wrong")
    device.now += 400
    device.refuses("it went wrong")
    assert len(device.script.asked) == 9
    device.now += 900
    device.says(BOTH)
    device.registry.survey("colours")
    device.fails("server")
    device.refuses("it went wrong")
    device.now += 31
    device.refuses("it went wrong")
    assert len(device.script.asked) == 12


def test_a_person_is_not_made_to_wait(device: Device) -> None:
    """A reload asks at once, but for where Azure itself wants to be left alone."""
    device.fails("denied")
    device.refuses("it went wrong")
    device.refuses("it went wrong", asked=True)
    assert len(device.script.asked) == 2
    device.fails("throttled", retry_after_s=600.0)
    device.refuses("it went wrong", asked=True)
    device.now += 500
    device.refuses("it went wrong", asked=True)
    assert len(device.script.asked) == 3
    device.now += 300
    device.refuses("it went wrong", asked=True)
    assert len(device.script.asked) == 4


def test_nothing_to_follow_is_a_reason(tmp_path: Path) -> None:
    """Where no version has the stage, or the model is not there, that is said; it is no fault to wait after."""
    device = Device(tmp_path, stage="Production")
    device.says(Survey((), {"colours": "no version of colours has stage Production"}))
    device.refuses("^workspace vision: no version of colours has stage Production$")
    assert device.registry.known("colours") == Survey((), {}, exact=True)
    device.says(Survey((), {}))
    device.refuses("^workspace vision: there is no version of colours$")
    assert len(device.script.asked) == 2
    device.says(Survey((), {"colours/3": "half a file"}))
    assert device.registry.survey("colours").refused == {"colours/3": "half a file"}


def test_a_crash_is_a_failure_like_others(device: Device) -> None:
    """It is told and waited after."""
    device.script.does(("exit", 3))
    device.refuses("exit code 3")
    device.refuses("exit code 3")
    assert len(device.script.asked) == 1


def test_an_answer_to_another_question_is_none(device: Device) -> None:
    """What makes no sense changes nothing."""
    device.says("fetched")
    device.refuses("another answer")
    device.says(BOTH)
    with pytest.raises(RegistryError, match="another answer"):
        device.registry.fetch(TWO, device.into)


def test_a_bundle_is_fetched(device: Device, tmp_path: Path) -> None:
    """Into the folder that it is asked into; the bytes are told on the way."""
    bundle = open_bundle(make_bundle(tmp_path / "made", version="2", golden=False))
    two = replace(TWO, digest=bundle.digest)
    device.script.does(
        ("out", message_line(Progress(1, 9)).decode()),
        ("copy", str(bundle.folder)),
        ("out", message_line(Progress(9, 9)).decode()),
        ("out", message_line("fetched").decode()),
    )
    took: list[tuple[int, int]] = []
    device.registry.fetch(two, device.into, took=lambda here, of: took.append((here, of)))
    assert took == [(1, 9), (9, 9)]
    assert device.beats == 2
    assert open_bundle(device.into).digest == bundle.digest
    (asked,) = device.script.asked
    assert (asked["do"], asked["version"], asked["digest"]) == ("fetch", "2", bundle.digest)
    assert asked["into"] == str(device.into)


def test_a_version_that_cannot_be_fetched_hides_no_other(device: Device) -> None:
    """Half a file: it is refused with the reason, and tried again later; the others are offered."""
    device.fails("damaged", "model.onnx has 3 bytes, the manifest says 9")
    with pytest.raises(RegistryError, match="3 bytes"):
        device.registry.fetch(TWO, device.into)
    device.says(BOTH)
    survey = device.registry.survey("colours")
    assert survey.candidates == (ONE,)
    assert survey.refused["colours/2"] == "model.onnx has 3 bytes, the manifest says 9"
    assert device.registry.known("colours").candidates == (ONE,)
    assert device.registry.survey("colours", asked=True).candidates == (TWO, ONE)
    device.now += 31
    assert device.registry.survey("colours").candidates == (TWO, ONE)


def test_a_download_that_azure_cuts_off_is_waited_after(device: Device) -> None:
    """The network's fault is no version's: Azure is asked again later, and later each time though looks succeed."""
    for times in range(1, 7):
        device.says(BOTH)
        assert device.registry.survey("colours").candidates[0] == TWO
        device.fails("unreachable", "the network is gone")
        with pytest.raises(RegistryError, match="the network is gone"):
            device.registry.fetch(TWO, device.into)
        device.refuses("the network is gone")
        device.now += 15 * 2 ** (times - 1) - 1
        device.refuses("the network is gone")
        device.now += 15 * 2**times
    assert len(device.script.asked) == 12


def test_errors_of_the_bundle_and_of_the_disk_keep_their_kind(device: Device) -> None:
    """A bundle that is none is refused for good by who asked; a full disk is tried again."""
    for error, kind in (("ModelInvalidError", ModelInvalidError), ("ModelNotFoundError", ModelNotFoundError)):
        device.fails("refused", "no bundle", error=error)
        with pytest.raises(kind, match="no bundle"):
            device.registry.fetch(TWO, device.into)
    device.says(BOTH)
    assert device.registry.survey("colours").candidates == (TWO, ONE)
    device.fails("disk", "the disk is full", error="StoreError")
    with pytest.raises(StoreError, match="the disk is full"):
        device.registry.fetch(TWO, device.into)
    device.fails("unexpected", "odd", error="ConfigError")
    with pytest.raises(RegistryError, match="odd"):
        device.registry.fetch(ONE, device.into)
    device.says(BOTH)
    assert device.registry.survey("colours").candidates == ()


def test_a_stop_ends_what_is_under_way(device: Device) -> None:
    """And counts for nothing: it is no failure of Azure's."""
    device.script.does(("out", message_line(Progress()).decode()), ("sleep", 60))

    def stop(_here: int, _of: int) -> None:
        device.registry.close()

    with pytest.raises(RegistryError, match="the daemon stops"):
        device.registry.fetch(TWO, device.into, took=stop)
    with pytest.raises(RegistryError, match="the daemon stops"):
        device.registry.survey("colours")


def test_an_interrupted_look_is_no_failure(device: Device) -> None:
    """Whoever comes next asks anew."""
    device.script.does(("out", message_line(Progress()).decode()), ("sleep", 60))

    def drop(_here: int, _of: int) -> None:
        device.registry.interrupt()

    with pytest.raises(RegistryError, match="dropped"):
        device.registry.fetch(TWO, device.into, took=drop)
    device.says(BOTH)
    assert device.registry.survey("colours") == BOTH
