"""Following the registry: what is taken, refused, remembered. Real registry, store and sessions."""

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.errors import ModelInvalidError, ModelNotFoundError
from edge.ports import Model
from edge.proof import load_and_prove
from edge.registry.local import LocalRegistry
from edge.registry.store import Store
from edge.rollout import Change, Rollout, Service, Staging, Watch, Wish
from edge.rollout.changes import Kind
from tests.fakes import CREATED_AT, GraphOptions, edit_manifest, make_bundle, rehash, truncate, write_graph


def load(bundle: Bundle, rehearsed_on: str | None) -> Model:
    model, _ = load_and_prove(bundle, device="cpu", threads=1, rehearsed_on=rehearsed_on)
    return model


class Device:
    """A registry folder, a store and a rollout on them; ``served`` lists what was swapped in, in order."""

    def __init__(self, root: Path) -> None:
        self.models = root / "models"
        self.models.mkdir()
        self.root = root
        self.served: list[str] = []
        self.changes: list[Kind] = []
        self.start()

    def start(self, **config: Any) -> None:
        """Begin as after a restart."""
        self.store = Store(self.root / "store")
        registry = LocalRegistry(self.models)
        self.rollout = Rollout(
            registry,
            self.store,
            Staging(registry, self.store, load=load),
            Service(self.store, swap=self._swap, changed=self._changed),
            wish=Wish(**config),
        )

    def restart(self, **config: Any) -> None:
        self.store.close()
        self.served.clear()
        self.start(**config)
        self.rollout.start()

    def add(self, version: str, *, name: str = "colours", age_days: int | None = None, **bundle: Any) -> Path:
        """Register a version; without ``age_days`` a higher number is newer."""
        created_at = CREATED_AT + timedelta(days=int(version) if age_days is None else -age_days)
        return make_bundle(self.models / name / version, name=name, version=version, created_at=created_at, **bundle)

    def states(self) -> dict[str, str]:
        return {entry["version"]: entry["state"] for entry in self.rollout.models()}

    def _swap(self, model: Model) -> None:
        self.served.append(str(model.ref))

    def _changed(self, change: Change) -> None:
        self.changes.append(change.kind)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.store.close()


def test_the_newest_version_serves(device: Device) -> None:
    """At the start the most recently created version is taken, proven and told about."""
    device.add("1")
    device.add("2")
    device.rollout.start()
    assert device.served == ["colours:2"]
    assert device.rollout.running is not None
    assert device.rollout.running.ref.proven
    assert device.changes == ["activated"]


def test_a_new_version_is_taken(device: Device) -> None:
    """A version that appears is taken at the next look, and only once."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.rollout.check()
    assert device.served == ["colours:1", "colours:2"]
    assert device.states() == {"1": "previous", "2": "current"}


def test_an_empty_registry_says_what_to_do(device: Device) -> None:
    """Without any model the reason names the remedy; one that comes later is taken."""
    device.rollout.start()
    assert device.rollout.problem is not None
    assert "models import" in device.rollout.problem
    device.add("1")
    device.rollout.check()
    assert device.rollout.problem is None


def test_a_missing_registry_is_named(device: Device) -> None:
    """A registry folder that is not there is a problem with its path in it."""
    device.models.rmdir()
    device.rollout.start()
    assert str(device.models) in str(device.rollout.problem)


def break_golden(folder: Path) -> None:
    def lie(manifest: dict[str, Any]) -> None:
        manifest["golden"][0]["expected"]["labels"] = ["dark"]
        manifest["golden"][0]["expected"]["probs"] = None

    edit_manifest(folder, lie)


def break_graph(folder: Path) -> None:
    truncate(folder / "model.onnx")
    rehash(folder)


def break_labels(folder: Path) -> None:
    (folder / "labels.json").write_text('["blue", "bright", "dark"]')
    edit_manifest(folder, lambda manifest: manifest.update(golden=[]))
    rehash(folder)


def break_open_labels(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(classes="classes"))
    break_labels(folder)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (break_golden, "golden"),
        (break_open_labels, "there are 3 labels"),
        (break_graph, "refuses"),
        (break_labels, "3 labels"),
        (lambda folder: truncate(folder / "model.onnx"), "not offered until it is whole"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json"),
    ],
)
def test_a_broken_version_never_replaces_what_runs(device: Device, spoil: Any, reason: str) -> None:
    """Whatever is wrong with a new version: it is refused with the reason and the running one stays."""
    device.add("1")
    device.rollout.start()
    spoil(device.add("2"))
    for _ in range(3):
        device.rollout.check()
    assert device.served == ["colours:1"]
    entry = next(e for e in device.rollout.models() if e["version"] == "2")
    assert entry["state"] == "refused"
    assert reason in entry["reason"]
    assert device.changes.count("refused") <= 1
    assert device.rollout.problem is None


def test_a_broken_version_that_is_mended_is_taken(device: Device) -> None:
    """A refusal holds until the version changes."""
    device.add("1")
    device.rollout.start()
    break_golden(device.add("2"))
    device.rollout.check()
    shutil.rmtree(device.models / "colours" / "2")
    device.add("2")
    device.rollout.check()
    assert device.served == ["colours:1", "colours:2"]


def test_the_first_start_passes_over_broken_versions(device: Device) -> None:
    """Where the newest version is broken, the next one serves."""
    device.add("1")
    break_golden(device.add("2"))
    device.rollout.start()
    assert device.served == ["colours:1"]


def test_rollback_goes_back_and_stays(device: Device) -> None:
    """After a rollback the version that was left is not taken again by itself, but a newer one is."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    assert str(device.rollout.rollback("colours")) == "colours:1"
    device.rollout.check()
    assert device.served == ["colours:1", "colours:2", "colours:1"]
    assert device.states() == {"1": "current", "2": "skipped"}
    device.add("3")
    device.rollout.check()
    assert device.served[-1] == "colours:3"


def test_rollback_is_remembered(device: Device) -> None:
    """A restart after a rollback brings up the version that it went back to."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.rollout.rollback("colours")
    device.restart()
    assert device.served == ["colours:1"]


def test_a_rollback_holds_where_the_disk_refuses_it(device: Device) -> None:
    """What serves is not undone by a full disk: it is told, held, and written down once the disk takes it."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    in_the_way = device.root / "store" / ".partial-state.json"
    in_the_way.mkdir()
    device.rollout.rollback("colours")
    device.rollout.check()
    assert device.served == ["colours:1", "colours:2", "colours:1"]
    assert "a restart will not remember that colours:1 serves" in str(device.rollout.unsaved)
    in_the_way.rmdir()
    device.rollout.check()
    assert device.rollout.unsaved is None
    device.restart()
    assert device.served == ["colours:1"]


def test_the_reasons_name_their_versions(device: Device) -> None:
    """Where nothing serves, each refused version is named with its reason."""
    break_graph(device.add("1"))
    truncate(device.add("2") / "model.onnx")
    device.rollout.start()
    assert "colours:1: onnxruntime" in str(device.rollout.problem)
    assert "colours:2: not offered" in str(device.rollout.problem)


def test_rollback_without_a_past(device: Device) -> None:
    """With nothing before it, a rollback is refused and the running version stays."""
    device.add("1")
    device.rollout.start()
    with pytest.raises(ModelNotFoundError, match="no previous version"):
        device.rollout.rollback("colours")
    with pytest.raises(ModelNotFoundError):
        device.rollout.rollback("other")
    assert device.rollout.running is not None


def test_activate_stays_with_a_version(device: Device) -> None:
    """A version activated by number stays, also over a restart, until the newest is asked for."""
    device.add("1")
    device.add("2")
    device.rollout.start()
    assert str(device.rollout.activate("colours", "1")) == "colours:1"
    device.add("3")
    device.rollout.check()
    device.restart()
    assert device.served == ["colours:1"]
    assert str(device.rollout.activate("colours")) == "colours:3"
    device.add("4")
    device.rollout.check()
    assert device.served[-1] == "colours:4"


def test_activate_takes_a_version_that_was_left(device: Device) -> None:
    """What a rollback left comes back when it is named."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.rollout.rollback("colours")
    assert str(device.rollout.activate("colours", "2")) == "colours:2"


def test_activate_refuses(device: Device) -> None:
    """An unknown version lists the known ones; a broken one says what is wrong; the running one stays."""
    device.add("1")
    device.rollout.start()
    with pytest.raises(ModelNotFoundError, match=r"colours:9 .*versions of it: 1"):
        device.rollout.activate("colours", "9")
    with pytest.raises(ModelNotFoundError, match="nobody:latest"):
        device.rollout.activate("nobody")
    break_golden(device.add("2"))
    with pytest.raises(ModelInvalidError, match="golden"):
        device.rollout.activate("colours", "2")
    device.rollout.check()
    assert device.served == ["colours:1"]


def test_the_configured_version_wins(device: Device) -> None:
    """A version named in the configuration serves, whatever is newer or was remembered."""
    device.add("1")
    device.add("2")
    device.rollout.start()
    device.restart(version="1")
    assert device.served == ["colours:1"]
    device.rollout.check()
    assert device.served == ["colours:1"]


def test_another_name_is_not_followed(device: Device) -> None:
    """A device that serves one model does not change to another because that one is newer."""
    device.add("1")
    device.rollout.start()
    device.add("9", name="others")
    device.rollout.check()
    device.restart()
    device.rollout.check()
    assert device.served == ["colours:1"]


def test_a_start_without_the_registry(device: Device) -> None:
    """Offline, the stored version serves, and the reason why nothing newer comes is told."""
    device.add("1")
    device.rollout.start()
    shutil.rmtree(device.models)
    device.restart()
    device.rollout.check()
    assert device.served == ["colours:1"]
    assert device.rollout.problem is not None


def test_removing_the_newest_is_no_reason_to_go_back(device: Device) -> None:
    """When the running version vanishes from the registry, an older one is not taken."""
    device.add("1")
    device.add("2")
    device.rollout.start()
    shutil.rmtree(device.models / "colours" / "2")
    device.rollout.check()
    device.restart()
    assert device.served == ["colours:2"]
    assert device.states() == {"1": "available", "2": "current"}


def test_an_unproven_version_says_so(device: Device) -> None:
    """A bundle without golden pictures may serve, marked as unproven."""
    device.add("1", golden=False)
    device.rollout.start()
    assert device.rollout.running is not None
    assert not device.rollout.running.ref.proven


def test_watch_looks_again_and_again() -> None:
    """The watch calls at its interval, at once when asked, and survives a look that fails."""
    looked = threading.Semaphore(0)

    def look() -> None:
        looked.release()
        raise ZeroDivisionError

    watch = Watch(look, poll_s=3600)
    for _ in range(3):
        watch.now()
        assert looked.acquire(timeout=10)
    watch.close()


def test_a_fleet_does_not_look_in_step() -> None:
    """With a jitter, the times between the looks differ, by no more than it says."""
    times: list[float] = []
    enough = threading.Event()

    def look() -> None:
        times.append(time.monotonic())
        if len(times) > 20:
            enough.set()

    watch = Watch(look, poll_s=0.02, jitter=0.5)
    assert enough.wait(10)
    watch.close()
    spans = [after - before for before, after in pairwise(times[1:])]
    assert min(spans) >= 0.01
    assert max(spans) - min(spans) > 0.002
