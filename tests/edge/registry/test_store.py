"""The device's own disk: the old or the new, whole, whatever happens in between."""

import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import MANIFEST
from edge.bundle.signature import read_signatures
from edge.bundle.signing import generate_key, sign
from edge.errors import ModelInvalidError, ModelNotFoundError, RegistryError, StoreError
from edge.ports import Candidate
from edge.registry.local import LocalRegistry
from edge.registry.state import Kept, State, activated, rolled_back
from edge.registry.store import Store
from tests.fakes import CREATED_AT, edit_manifest, make_bundle, truncate

REPOSITORY = Path(__file__).parents[3]


def publish(root: Path, version: str) -> Candidate:
    make_bundle(
        root / "colours" / version,
        version=version,
        created_at=CREATED_AT + timedelta(days=int(version)),
        golden=False,
    )
    return next(one for one in LocalRegistry(root).candidates() if one.version == version)


def kept(candidate: Candidate) -> Kept:
    return Kept(candidate.name, candidate.version, candidate.digest)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_pulled_bundle_stays_without_the_registry(tmp_path: Path, models: Path) -> None:
    """Once pulled, a bundle opens from this disk, the registry being away."""
    candidate = publish(models, "1")
    with Store(tmp_path / "store") as store:
        pulled = store.pull(LocalRegistry(models), candidate)
        assert pulled.digest == candidate.digest
        models.rename(tmp_path / "away")
        assert store.open(kept(candidate)) == pulled
        assert store.pull(LocalRegistry(models), candidate) == pulled


def test_state_is_remembered_across_restarts(tmp_path: Path, models: Path) -> None:
    """Current, previous, pinned and what a rollback left are the same after reopening."""
    first, second = publish(models, "1"), publish(models, "2")
    with Store(tmp_path / "store") as store:
        assert store.state == State()
        for candidate in (first, second):
            store.pull(LocalRegistry(models), candidate)
            store.remember(activated(store.state, kept(candidate), pinned=False))
        store.remember(rolled_back(store.state))
        remembered = store.state
    assert remembered == State(current=kept(first), skipped=(second.digest,))
    with Store(tmp_path / "store") as store:
        assert store.state == remembered
        assert store.damage is None
        store.remember(activated(store.state, kept(second), pinned=True))
    with Store(tmp_path / "store") as store:
        assert store.state == State(current=kept(second), earlier=(kept(first),), pinned=True)


def test_old_bundles_are_removed_and_kept_ones_stay(tmp_path: Path, models: Path) -> None:
    """Current and the two before it stay on the disk; what is older, or never served, goes."""
    with Store(tmp_path / "store") as store:
        for version in "12345":
            candidate = publish(models, version)
            store.pull(LocalRegistry(models), candidate)
            if version != "2":
                store.remember(activated(store.state, kept(candidate), pinned=False))
        held = sorted(path.name.split("-")[0] for path in (tmp_path / "store" / "bundles" / "colours").iterdir())
        assert held == ["3", "4", "5"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"schema": "automl-edge/state/1", "curr',
        b"\0" * 300,
        b'{"schema": "automl-edge/state/9", "pinned": false}',
    ],
    ids=["empty", "cut off", "zeros", "another schema"],
)
def test_damaged_state_is_set_aside_and_reported(tmp_path: Path, data: bytes) -> None:
    """A state file that makes no sense starts anew, is kept for a person to look at, and is told of."""
    root = tmp_path / "store"
    root.mkdir()
    (root / "state.json").write_bytes(data)
    with Store(root) as store:
        assert store.state == State()
        assert store.damage is not None
        assert "was damaged" in store.damage
        (aside,) = root.glob("state.json.damaged-*")
        assert aside.read_bytes() == data
        assert aside.name in store.damage
    with Store(root) as store:
        assert store.damage is None


def test_leftovers_of_a_killed_process_are_cleaned(tmp_path: Path, models: Path) -> None:
    """What a pull or a write left half-done when it was killed is gone after the next start; the whole ones stay."""
    root, candidate = tmp_path / "store", publish(models, "1")
    with Store(root) as store:
        store.pull(LocalRegistry(models), candidate)
        store.remember(activated(State(), kept(candidate), pinned=False))
    whole = files(root)
    half = root / "bundles" / ".partial-abc"
    half.mkdir()
    (half / "model.onnx").write_bytes(b"half")
    (root / ".partial-state.json").write_bytes(b'{"sch')
    with Store(root) as store:
        assert files(root) == whole
        assert store.state.current == kept(candidate)
        assert store.open(kept(candidate)).manifest.version == "1"


def test_kill_between_pull_and_remember_loses_nothing(tmp_path: Path, models: Path) -> None:
    """A bundle that was pulled but not yet remembered leaves the old state; pulling again finds it on the disk."""
    root = tmp_path / "store"
    first, second = publish(models, "1"), publish(models, "2")
    with Store(root) as store:
        store.pull(LocalRegistry(models), first)
        store.remember(activated(State(), kept(first), pinned=False))
        store.pull(LocalRegistry(models), second)
    with Store(root) as store:
        assert store.state.current == kept(first)
        models.rename(tmp_path / "away")
        assert store.pull(LocalRegistry(models), second).manifest.version == "2"


KILLED = """
import os, sys
from pathlib import Path
from edge.registry.local import LocalRegistry
from edge.registry.store import Store

class Killed(LocalRegistry):
    def fetch(self, candidate, into, **_):
        super().fetch(candidate, into)
        if sys.argv[3] == "half":
            os.truncate(into / "model.onnx", 10)
        os._exit(9)

registry = Killed(Path(sys.argv[2]))
Store(Path(sys.argv[1])).pull(registry, registry.candidates()[0])
"""


@pytest.mark.parametrize("moment", ["half", "before the rename"])
def test_process_killed_while_pulling(tmp_path: Path, models: Path, moment: str) -> None:
    """A process that dies while fetching leaves no bundle, no lock and nothing that the next one trips over."""
    root, candidate = tmp_path / "store", publish(models, "1")
    ended = subprocess.run([sys.executable, "-c", KILLED, root, models, moment], check=False, timeout=60)
    assert ended.returncode == 9
    with Store(root) as store:
        assert files(root) == {"lock"}
        with pytest.raises(ModelNotFoundError):
            store.open(kept(candidate))
        assert store.pull(LocalRegistry(models), candidate).manifest.version == "1"


def test_killed_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path, models: Path) -> None:
    """Wherever among its file operations an upgrade dies, the next start finds one version whole, and no remains."""
    first = publish(models, "1")
    generate_key(tmp_path / "key.pem")
    sign(models / "colours/1", tmp_path / "key.pem")
    with Store(tmp_path / "store") as store:
        store.pull(LocalRegistry(models), first)
        store.remember(activated(State(), kept(first), pinned=False))
    publish(models, "2")
    sign(models / "colours/2", tmp_path / "key.pem")
    command = [sys.executable, "-m", "tests.edge.registry.killed", str(tmp_path / "store"), str(models)]
    ended = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 20


UPGRADE = """
import sys
from pathlib import Path
from tests.edge.registry.killed import upgrade
print("begun", flush=True)
upgrade(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_killed_from_outside_leaves_the_old_or_the_new(tmp_path: Path, models: Path) -> None:
    """SIGKILL at random moments, again and again on the same store: it always opens, and what it remembers is whole."""
    generate_key(tmp_path / "key.pem")
    first = publish(models, "1")
    sign(models / "colours/1", tmp_path / "key.pem")
    with Store(tmp_path / "store") as store:
        store.pull(LocalRegistry(models), first)
        store.remember(activated(State(), kept(first), pinned=False))
    wait = random.Random(20261121)
    for version in range(2, 14):
        publish(models, str(version))
        sign(models / f"colours/{version}", tmp_path / "key.pem")
        command = [sys.executable, "-c", UPGRADE, str(tmp_path / "store"), str(models)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            with suppress(subprocess.TimeoutExpired):
                process.wait(wait.uniform(0, 0.02))
            process.kill()
        with Store(tmp_path / "store") as store:
            assert store.damage is None
            assert store.state.current is not None
            for one in store.state.kept:
                assert read_signatures(store.open(one).folder)


def test_what_was_pulled_last_stays_until_it_serves(tmp_path: Path, models: Path) -> None:
    """A version on trial is not remembered yet; what is remembered meanwhile does not remove it."""
    first, second = publish(models, "1"), publish(models, "2")
    with Store(tmp_path / "store") as store:
        store.pull(LocalRegistry(models), first)
        store.remember(activated(store.state, kept(first), pinned=False))
        store.pull(LocalRegistry(models), second)
        store.remember(activated(store.state, kept(first), pinned=True))
        assert store.open(kept(second)).manifest.version == "2"


def test_a_stored_manifest_that_was_changed_is_found(tmp_path: Path, models: Path) -> None:
    """A bundle that holds together and is not the one that was stored does not serve in its name."""
    candidate = publish(models, "1")
    with Store(tmp_path / "store") as store:
        folder = store.pull(LocalRegistry(models), candidate).folder
        edit_manifest(folder, lambda manifest: manifest["postprocessing"].update(threshold=0.4))
        with pytest.raises(ModelInvalidError, match="another bundle than was stored"):
            store.open(kept(candidate))
        assert store.pull(LocalRegistry(models), candidate).digest == candidate.digest


HOLD = """
import sys
from pathlib import Path
from edge.registry.store import Store
with Store(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_process_on_the_same_store_is_refused(tmp_path: Path) -> None:
    """Two processes never share a store; the error names the one that holds it, and its end frees the store."""
    root = tmp_path / "store"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=rf"in use by process {holder.pid}: stop it, or name another folder"):
            Store(root)
    with Store(root) as store:
        assert store.state == State()


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    """A closed store frees its lock once."""
    store = Store(tmp_path / "store")
    store.close()
    store.close()
    Store(tmp_path / "store").close()


def test_damaged_stored_bundle_is_refused_and_pulled_again(tmp_path: Path, models: Path) -> None:
    """A bundle that rotted on this disk does not open; pulling replaces it."""
    candidate = publish(models, "1")
    with Store(tmp_path / "store") as store:
        pulled = store.pull(LocalRegistry(models), candidate)
        truncate(pulled.model_path)
        with pytest.raises(ModelInvalidError, match="cut off or changed"):
            store.open(kept(candidate))
        assert store.pull(LocalRegistry(models), candidate) == pulled


class WrongRegistry(LocalRegistry):
    """Gives another version than was asked for."""

    def fetch(self, candidate: Candidate, into: Path, **_: Any) -> None:
        super().fetch(next(one for one in self.candidates() if one != candidate), into)


def test_registry_that_gives_another_version_is_not_believed(tmp_path: Path, models: Path) -> None:
    """Name and version of what came must be what was asked for; nothing of it stays on the disk."""
    publish(models, "1")
    candidate = publish(models, "2")
    with Store(tmp_path / "store") as store:
        with pytest.raises(ModelInvalidError, match="the registry gave colours:1 for colours:2"):
            store.pull(WrongRegistry(models), candidate)
        assert files(tmp_path / "store") == {"lock"}


def test_failed_fetch_leaves_nothing(tmp_path: Path, models: Path) -> None:
    """A version whose file is wrong is not kept, and the error says which."""
    candidate = publish(models, "1")
    model = models / "colours" / "1" / "model.onnx"
    model.write_bytes(bytes(model.stat().st_size))
    with Store(tmp_path / "store") as store:
        with pytest.raises(RegistryError, match=r"model.onnx is not what the manifest says"):
            store.pull(LocalRegistry(models), candidate)
        assert files(tmp_path / "store") == {"lock"}


def test_discarded_bundle_is_gone(tmp_path: Path, models: Path) -> None:
    """A bundle that was refused can be removed, twice too."""
    candidate = publish(models, "1")
    with Store(tmp_path / "store") as store:
        store.pull(LocalRegistry(models), candidate)
        store.discard(kept(candidate))
        store.discard(kept(candidate))
        with pytest.raises(ModelNotFoundError, match=r"colours:1 \(.{12}\) is not in the store"):
            store.open(kept(candidate))


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    """A name that would leave the store is an error, not a path."""
    with Store(tmp_path / "store") as store, pytest.raises(StoreError, match="cannot be stored"):
        store.open(Kept("../../etc", "1", "0" * 64))


@pytest.mark.parametrize("place", ["", "bundles", "lock", "state.json"])
def test_place_that_cannot_be_used_is_an_error_with_its_name(tmp_path: Path, place: str) -> None:
    """A file where a folder belongs, or the other way round, stops the start with the path in the message."""
    root = tmp_path / "store"
    if place in ("", "bundles"):
        (root / place).parent.mkdir(exist_ok=True)
        (root / place).write_text("")
    else:
        (root / place).mkdir(parents=True)
    with pytest.raises(StoreError, match=f"store/?{place}"):
        Store(root)


def test_state_that_cannot_be_written_is_an_error_and_holds_until_the_end(tmp_path: Path) -> None:
    """When writing fails, the file stays as it was, and the process goes on with the new state."""
    root = tmp_path / "store"
    with Store(root) as store:
        store.remember(State(skipped=("a" * 64,)))
        (root / ".partial-state.json").mkdir()
        with pytest.raises(StoreError, match=r"writing .*state.json failed"):
            store.remember(State(skipped=("b" * 64,)))
        assert store.state == State(skipped=("b" * 64,))
        assert json.loads((root / "state.json").read_text())["skipped"] == ["a" * 64]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_is_an_error_that_says_so(tmp_path: Path, models: Path) -> None:
    """A disk without space names the file and the reason, and the registry is not blamed."""
    candidate = publish(models, "1")

    class FullDisk(LocalRegistry):
        def fetch(self, candidate: Candidate, into: Path, **_: Any) -> None:
            (into / "model.onnx").symlink_to("/dev/full")
            super().fetch(candidate, into)

    with Store(tmp_path / "store") as store:
        with pytest.raises(StoreError, match=r"model.onnx into .* failed: No space left on device; the disk is full"):
            store.pull(FullDisk(models), candidate)
        assert files(tmp_path / "store") == {"lock"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_store_is_an_error(tmp_path: Path) -> None:
    """A folder without permission to write stops the start."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            Store(tmp_path / "store")
    finally:
        tmp_path.chmod(0o700)


def test_manifest_is_among_the_stored_files(tmp_path: Path, models: Path) -> None:
    """What is stored is a bundle like any other and can be copied to another device."""
    with Store(tmp_path / "store") as store:
        pulled = store.pull(LocalRegistry(models), publish(models, "1"))
        assert {path.name for path in pulled.folder.iterdir()} == {MANIFEST, "model.onnx", "labels.json"}
