"""What does not come to serve: told once, with what failed, wherever it failed."""

import logging
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.bundle import SIGNATURE, Bundle
from edge.bundle.signing import check_signed, generate_key, sign
from edge.ports import Model
from edge.registry.local import LocalRegistry
from edge.registry.store import Store
from edge.rollout import Change, Rollout, Service, Staging
from tests.edge.rollout.test_rollout import Device, load


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.store.close()


def flip(path: Path) -> None:
    """Change a file and not its length."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_wrong_hash_is_refused_at_once(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """It is a refusal with the file's name, not a registry that cannot be read, and it is told once."""
    device.add("1")
    device.rollout.start()
    flip(device.add("2") / "model.onnx")
    for _ in range(3):
        device.rollout.check()
    assert device.served == ["colours:1"]
    assert device.changes == ["activated", "refused"]
    assert device.rollout.problem is None
    (refusal,) = device.rollout.refused
    assert (refusal.name, refusal.version) == ("colours", "2")
    assert "model.onnx is not what the manifest says" in refusal.reason
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["a model is refused"]


def test_a_wrong_hash_does_not_hide_what_is_good(device: Device) -> None:
    """The best of the others is taken in the same look."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    flip(device.add("3") / "labels.json")
    device.rollout.check()
    assert device.served == ["colours:1", "colours:2"]


def test_each_new_reason_is_told_once(device: Device) -> None:
    """A version that is still being copied, then broken, then whole: two refusals and an activation."""
    device.add("1")
    device.rollout.start()
    folder = device.add("2")
    model = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").unlink()
    device.rollout.check()
    device.rollout.check()
    (folder / "model.onnx").write_bytes(model[:10])
    device.rollout.check()
    (folder / "model.onnx").write_bytes(model)
    device.rollout.check()
    assert device.changes == ["activated", "refused", "refused", "activated"]
    assert device.rollout.refused == []


def test_a_registry_of_broken_folders_is_not_told_at_length(device: Device) -> None:
    """Of many at once some are told one by one; all of them are known. A reason without end is cut."""
    device.add("1")
    device.rollout.start()
    for version in range(100, 140):
        (device.models / "colours" / str(version)).mkdir()
        (device.models / "colours" / str(version) / "manifest.json").write_text(f'{{"{"x" * 10_000}": 1}}')
    device.rollout.check()
    assert device.changes.count("refused") == 20
    assert len(device.rollout.refused) == 40
    assert max(len(refusal.reason) for refusal in device.rollout.refused) < 2100


def test_a_full_disk_is_called_by_its_name(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """What the store's disk refuses is no fault of the registry, and is tried again."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    bundles = device.root / "store/bundles"
    bundles.rename(device.root / "away")
    bundles.write_text("a file stands where a folder is wanted")
    device.rollout.check()
    assert caplog.records[-1].message == "a model cannot be taken now"
    assert "colours:2 cannot be taken now" in str(device.rollout.problem)
    bundles.unlink()
    (device.root / "away").rename(bundles)
    device.rollout.check()
    assert device.served[-1] == "colours:2"
    assert device.rollout.problem is None


def test_a_registry_that_is_away_is_called_so(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """So is a share that is not mounted."""
    device.add("1")
    device.rollout.start()
    shutil.rmtree(device.models)
    device.rollout.check()
    assert caplog.records[-1].message == "the registry cannot be read"
    assert device.rollout.running is not None


def test_listing_does_not_wait_for_a_change(device: Device) -> None:
    """What is known of versions can be asked for while one is being loaded: from within the load, to prove it."""
    device.add("1")
    asked = []

    def load_and_ask(bundle: Bundle, rehearsed_on: str | None) -> Model:
        asked.append((device.rollout.models()[0]["state"], device.rollout.update, device.rollout.refused))
        return load(bundle, rehearsed_on)

    registry = LocalRegistry(device.models)
    staging = Staging(registry, device.store, load=load_and_ask)
    device.rollout = Rollout(registry, device.store, staging, Service(device.store, swap=lambda _: None))
    device.rollout.start()
    ((state, update, refused),) = asked
    assert (state, update and update.phase, refused) == ("available", "loading", [])


class Trusting(Device):
    """A device that takes only what one key signed."""

    def __init__(self, root: Path) -> None:
        self.key = root / "key.pem"
        self.trusted = [generate_key(self.key)]
        super().__init__(root)

    def start(self, **_: str) -> None:
        self.store = Store(self.root / "store", trust=partial(check_signed, trusted=self.trusted))
        registry = LocalRegistry(self.models)
        service = Service(self.store, swap=self._swap, changed=self._told)
        self.told: list[Change] = []
        self.rollout = Rollout(registry, self.store, Staging(registry, self.store, load=load), service)

    def _told(self, change: Change) -> None:
        self.told.append(change)


@pytest.fixture
def trusting(tmp_path: Path) -> Iterator[Trusting]:
    made = Trusting(tmp_path)
    sign(made.add("1"), made.key)
    made.rollout.start()
    yield made
    made.store.close()


def test_an_unsigned_version_is_refused_until_it_is_signed(trusting: Trusting) -> None:
    """Signing changes nothing in the bundle, and is noticed all the same."""
    folder = trusting.add("2")
    trusting.rollout.check()
    trusting.rollout.check()
    assert [change.kind for change in trusting.told] == ["activated", "refused"]
    assert "colours:2 is not signed" in str(trusting.told[-1].reason)
    sign(folder, trusting.key)
    trusting.rollout.check()
    assert trusting.served == ["colours:1", "colours:2"]
    assert trusting.rollout.refused == []


def test_another_key_or_a_change_after_signing_is_refused(trusting: Trusting, tmp_path: Path) -> None:
    """Neither replaces what runs, and each says what is wrong; nothing of them stays on this disk."""
    generate_key(tmp_path / "stranger.pem")
    sign(trusting.add("2"), tmp_path / "stranger.pem")
    folder = trusting.add("3")
    sign(folder, trusting.key)
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(
        manifest.replace('"threshold":0.5', '"threshold":0.4').replace(" 0.5", " 0.4")
    )
    trusting.rollout.check()
    reasons = {refusal.version: refusal.reason for refusal in trusting.rollout.refused}
    assert "not among registry.trusted_keys" in reasons["2"]
    assert "was changed after it was signed" in reasons["3"]
    assert trusting.served == ["colours:1"]
    assert len(list((trusting.root / "store/bundles/colours").iterdir())) == 1


def test_a_signature_that_makes_no_sense_is_refused(trusting: Trusting) -> None:
    """Nonsense in signature.json is a reason as any other."""
    (trusting.add("2") / SIGNATURE).write_text("{}")
    trusting.rollout.check()
    assert SIGNATURE in trusting.rollout.refused[0].reason
    assert trusting.served == ["colours:1"]


def test_a_key_that_is_trusted_no_more(trusting: Trusting, tmp_path: Path) -> None:
    """After a change of keys the stored version does not serve either; signed anew in the registry, it does."""
    trusting.trusted = [generate_key(tmp_path / "new.pem")]
    trusting.restart()
    assert trusting.served == []
    assert "colours:1 is signed by" in str(trusting.rollout.problem)
    sign(trusting.models / "colours/1", tmp_path / "new.pem")
    trusting.rollout.check()
    assert trusting.served == ["colours:1"]


def test_a_wrong_key_loses_nothing(trusting: Trusting, tmp_path: Path) -> None:
    """A mistake in the configuration keeps the model from service, not from the disk: mended, it serves offline."""
    right, trusting.trusted = trusting.trusted, [generate_key(tmp_path / "new.pem")]
    trusting.restart()
    trusting.rollout.check()
    assert trusting.served == []
    shutil.rmtree(trusting.models)
    trusting.trusted = right
    trusting.restart()
    assert trusting.served == ["colours:1"]
