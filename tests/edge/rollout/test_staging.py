"""Before a version replaces another it is rehearsed; what a process died with is not loaded again blindly."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.errors import EdgeError, ModelInvalidError, UnavailableError
from edge.ports import Model
from edge.proof import load_and_prove
from edge.registry.local import LocalRegistry
from edge.registry.store import Store
from edge.rehearsal import Rehearsal, Task
from edge.rollout import Change, Rollout, Service, Staging, Wish
from tests.fakes import CREATED_AT, edit_manifest, make_bundle
from tests.faulty import CRASHES_HERE, make_crashing, make_slow
from tests.mosquitto import until


class FakeRehearsal:
    """Fulfils :class:`edge.rollout.staging.Rehearsal`: fails with ``error``, and knows what was rehearsed."""

    def __init__(self, error: EdgeError | None = None) -> None:
        self.error = error
        self.rehearsed: list[str] = []
        self.stopped = False

    def __call__(self, bundle: Bundle) -> str:
        self.rehearsed.append(bundle.manifest.version)
        if self.error is not None:
            raise self.error
        return "CPUExecutionProvider"

    def interrupt(self) -> None:
        self.error = UnavailableError("interrupted")

    def stop(self) -> None:
        self.stopped = True


class Killed(BaseException):
    """Ends a load as a crash of the process would: nothing after it is done."""


class Device:
    """A registry folder, a store and a rollout on them, as after a start of the daemon."""

    def __init__(self, root: Path) -> None:
        self.models, self.root = root / "models", root
        self.models.mkdir()
        self.changes: list[Change] = []
        self.phases: list[str] = []
        self.loaded: list[tuple[str, str | None]] = []
        self.while_loading: Callable[[], None] = lambda: None
        self.start()

    def start(self, rehearsal: Any = None, *, careful: bool = True) -> None:
        self.store, self.rehearsal = Store(self.root / "store"), rehearsal or FakeRehearsal()
        registry = LocalRegistry(self.models)
        staging = Staging(
            registry, self.store, load=self._load, rehearsal=self.rehearsal, careful=careful, noted=self._noted
        )
        service = Service(self.store, swap=lambda _: None, changed=self.changes.append)
        self.rollout = Rollout(registry, self.store, staging, service, wish=Wish())

    def restart(self, rehearsal: Any = None, *, careful: bool = True) -> None:
        self.store.close()
        self.changes.clear()
        self.loaded.clear()
        self.start(rehearsal, careful=careful)

    def killed(self, act: Callable[[], object]) -> None:
        """Do something that ends this process while it loads a model."""

        marks: list[bytes] = []

        def die() -> None:
            marks.append((self.root / "store/loading.json").read_bytes())
            raise Killed

        self.while_loading = die
        with pytest.raises(Killed):
            act()
        self.while_loading = lambda: None
        (self.root / "store/loading.json").write_bytes(marks[0])

    def add(self, version: str) -> Path:
        created_at = CREATED_AT + timedelta(days=int(version))
        return make_bundle(self.models / "colours" / version, version=version, created_at=created_at)

    @property
    def serves(self) -> str | None:
        return str(self.rollout.running.ref) if self.rollout.running else None

    def _load(self, bundle: Bundle, rehearsed_on: str | None) -> Model:
        self.loaded.append((bundle.manifest.version, rehearsed_on))
        self.while_loading()
        model, _ = load_and_prove(bundle, device="cpu", threads=1, rehearsed_on=rehearsed_on)
        return model

    def _noted(self) -> None:
        update = self.rollout.update
        self.phases.append(f"{update.version} {update.phase}" if update else "over")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.store.close()


def test_the_first_version_is_not_rehearsed(device: Device) -> None:
    """Where nothing serves there is nothing to protect, and a start is not slowed down."""
    device.add("1")
    device.rollout.start()
    assert device.rehearsal.rehearsed == []
    assert device.loaded == [("1", None)]
    assert not (device.root / "store/loading.json").exists()


def test_a_version_that_replaces_another_is_rehearsed(device: Device) -> None:
    """Following, activating and rolling back: what comes next is rehearsed before it is loaded here."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.rollout.activate("colours", "1")
    device.rollout.rollback("colours")
    assert device.rehearsal.rehearsed == ["2", "1", "2"]
    assert device.loaded[1:] == [(version, "CPUExecutionProvider") for version in ("2", "1", "2")]


def test_rehearsal_can_be_switched_off(device: Device) -> None:
    """With ``rehearse = false`` a new version is loaded here at once."""
    device.restart(careful=False)
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    assert device.rehearsal.rehearsed == []
    assert device.serves == "colours:2"


def test_each_phase_is_told(device: Device) -> None:
    """What is under way shows while it is under way, and nothing shows afterwards."""
    device.add("1")
    device.rollout.start()
    device.phases.clear()
    device.add("2")
    device.rollout.check()
    phases = ["pulling", "verifying", "rehearsing", "loading", "swapping"]
    assert device.phases == [*(f"2 {phase}" for phase in phases), "over"]
    assert device.rollout.update is None


def test_a_failed_rehearsal_refuses_the_version(device: Device) -> None:
    """It is told once with the reason, is not tried again, is not kept, and the old version serves on."""
    device.add("1")
    device.rollout.start()
    device.rehearsal.error = ModelInvalidError("colours:2 is not safe to load: its rehearsal crashed (SIGSEGV)")
    device.add("2")
    for _ in range(3):
        device.rollout.check()
    assert device.serves == "colours:1"
    assert device.rehearsal.rehearsed == ["2"]
    assert [(change.kind, change.version) for change in device.changes] == [("activated", "1"), ("refused", "2")]
    assert [str(refusal) for refusal in device.rollout.refused] == [str(device.rehearsal.error)]
    assert len(list((device.root / "store/bundles/colours").iterdir())) == 1


def test_a_rehearsal_that_cannot_be_held_is_tried_again(device: Device) -> None:
    """No process, no memory: the version is not refused, and the reason is a problem until it is over."""
    device.add("1")
    device.rollout.start()
    device.rehearsal.error = UnavailableError("no process can be started")
    device.add("2")
    device.rollout.check()
    assert "colours:2 cannot be taken now: no process can be started" in str(device.rollout.problem)
    assert device.rollout.refused == []
    device.rehearsal.error = None
    device.rollout.check()
    assert device.serves == "colours:2"
    assert device.rollout.problem is None


def test_a_crash_at_the_start_is_not_repeated(device: Device) -> None:
    """The bundle that the last process died with is rehearsed, though nothing serves and nobody asked to be careful."""
    device.add("1")
    device.killed(device.rollout.start)
    device.restart(careful=False)
    device.rollout.start()
    assert device.rehearsal.rehearsed == ["1"]
    assert device.serves == "colours:1"
    device.restart(careful=False)
    device.rollout.start()
    assert device.rehearsal.rehearsed == []


def test_after_a_crash_the_version_before_serves(device: Device) -> None:
    """Where the rehearsal fails too, the start falls back on what is kept, and says why."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.restart()
    device.killed(device.rollout.start)
    device.restart(FakeRehearsal(ModelInvalidError("colours:2 crashed (SIGSEGV)")))
    device.rollout.start()
    device.rollout.check()
    assert device.serves == "colours:1"
    assert [str(refusal) for refusal in device.rollout.refused] == ["colours:2 crashed (SIGSEGV)"]
    assert not (device.root / "store/loading.json").exists()


def test_what_cannot_be_rehearsed_at_the_start_is_not_given_up(device: Device) -> None:
    """The version before serves for this time; the next start tries the one that served last again."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.restart()
    device.killed(device.rollout.start)
    device.restart(FakeRehearsal(UnavailableError("no process can be started")))
    device.rollout.start()
    assert device.serves == "colours:1"
    device.restart()
    device.rollout.start()
    assert device.serves == "colours:2"


def test_a_stop_during_the_start_changes_nothing(device: Device) -> None:
    """A rehearsal that is ended because the daemon stops lets no older version in."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    device.restart()
    device.killed(device.rollout.start)
    device.restart(FakeRehearsal(UnavailableError("the daemon stops")))
    device.rollout.stop()
    device.rollout.start()
    assert device.serves is None
    device.restart()
    device.rollout.start()
    assert device.serves == "colours:2"


def test_the_only_version_is_tried_however_often_it_died(device: Device) -> None:
    """Where nothing else can serve, a version whose rehearsal goes well is loaded: the kills came from elsewhere."""
    device.add("1")
    for _ in range(5):
        device.killed(device.rollout.start)
        device.restart()
    device.rollout.start()
    assert device.serves == "colours:1"


def test_dying_again_and_again_ends(device: Device) -> None:
    """A version whose rehearsal goes well and which kills the daemon all the same is refused the fourth time."""
    device.add("1")
    device.rollout.start()
    device.add("2")
    for _ in range(3):
        device.killed(device.rollout.check)
        device.restart()
        device.rollout.start()
        assert device.serves == "colours:1"
    device.rollout.check()
    assert device.serves == "colours:1"
    assert "3 processes in a row ended while they loaded it" in str(device.rollout.refused[0])
    assert device.rehearsal.rehearsed == []


@pytest.mark.parametrize("mark", [b"", b"{", b"[]", b'{"loading": 3, "deaths": {}}', b'{"deaths": {"a": "b"}}', b"\0"])
def test_a_broken_mark_is_none(device: Device, mark: bytes) -> None:
    """A mark that a kill cut off keeps nobody from starting."""
    device.add("1")
    device.store.close()
    (device.root / "store/loading.json").write_bytes(mark)
    device.restart()
    device.rollout.start()
    assert device.serves == "colours:1"


def test_a_mark_that_cannot_be_written_keeps_no_model_away(device: Device) -> None:
    """A disk that takes no mark is logged; the model serves."""
    (device.root / "store/.partial-loading.json").mkdir()
    device.add("1")
    device.rollout.start()
    assert device.serves == "colours:1"


def test_a_wrong_answer_here_is_found_in_spite_of_the_rehearsal(device: Device) -> None:
    """What was proven there is still looked at here: one golden picture, the graph, the warm-up."""
    device.add("1")
    device.rollout.start()
    folder = device.add("2")
    edit_manifest(folder, lambda m: m["golden"][0]["expected"].update(labels=["dark"], probs=None))
    device.rollout.check()
    assert device.rehearsal.rehearsed == ["2"]
    assert device.serves == "colours:1"
    assert "expected dark" in str(device.rollout.refused[0])


def real(timeout_s: float = 60) -> Rehearsal:
    return Rehearsal(Task(device="cpu", threads=1, max_pixels=1 << 20), timeout_s=timeout_s)


def test_a_real_rehearsal_lets_a_good_version_through(device: Device) -> None:
    """The whole way, with a process of its own."""
    device.restart(real())
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    assert device.serves == "colours:2"


@pytest.mark.skipif(not CRASHES_HERE, reason="this processor does not trap the division")
def test_a_version_that_crashes_onnxruntime_harms_nothing(device: Device) -> None:
    """The crash happens elsewhere; the old version serves, the next one is taken."""
    device.restart(real())
    device.add("1")
    device.rollout.start()
    make_crashing(device.add("2"))
    device.rollout.check()
    assert device.serves == "colours:1"
    assert "SIGFPE" in str(device.rollout.refused[0])
    device.add("3")
    device.rollout.check()
    assert device.serves == "colours:3"


def test_stopping_ends_a_rehearsal_under_way(device: Device) -> None:
    """A stop does not wait for a slow version; it is not refused, for it was not found wrong."""
    device.restart(real(timeout_s=600))
    device.add("1")
    device.rollout.start()
    make_slow(device.add("2"))
    thread = threading.Thread(target=device.rollout.check)
    thread.start()
    until(lambda: "2 rehearsing" in device.phases, what="the rehearsal")
    device.rollout.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert device.rollout.refused == []
    assert device.serves == "colours:1"


def test_what_somebody_asks_for_does_not_wait_for_a_rehearsal(device: Device) -> None:
    """A rollback while a slow version is being rehearsed is done at once; the slow version is not refused for it."""
    device.restart(real(timeout_s=600))
    device.add("1")
    device.rollout.start()
    device.add("2")
    device.rollout.check()
    make_slow(device.add("3"))
    thread = threading.Thread(target=device.rollout.check)
    thread.start()
    until(lambda: "3 rehearsing" in device.phases, what="the rehearsal")
    assert str(device.rollout.rollback("colours")) == "colours:1"
    thread.join(10)
    assert not thread.is_alive()
    assert device.rollout.refused == []
