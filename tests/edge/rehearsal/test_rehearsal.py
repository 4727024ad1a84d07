"""A bundle is loaded in a process of its own: what it does there is told, and nothing else happens."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edge.bundle import Bundle, open_bundle
from edge.errors import DeviceError, ModelInvalidError, ModelUnsupportedError, UnavailableError
from edge.rehearsal import Rehearsal, Task
from edge.rehearsal.task import BEGUN, Verdict, parse_task, parse_verdict
from tests.fakes import edit_manifest, make_bundle, truncate
from tests.faulty import CRASHES_HERE, make_crashing, make_hungry, make_slow
from tests.mosquitto import until

TASK = Task(device="cpu", threads=1, max_pixels=1 << 20)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(make_bundle(tmp_path / "bundle"))


def rehearse(folder: Path, *, timeout_s: float = 60) -> str:
    return Rehearsal(TASK, timeout_s=timeout_s)(open_bundle(folder))


def acting(code: str, *, timeout_s: float = 60) -> Rehearsal:
    """Return a rehearsal whose process runs ``code``."""
    begun = f"import os, signal, sys, time; os.write(1, {BEGUN!r} + b'\\n'); "
    return Rehearsal(TASK, timeout_s=timeout_s, command=(sys.executable, "-c", begun + code))


def children() -> int:
    return len(psutil.Process().children(recursive=True))


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


def test_a_good_bundle_is_proven_there(bundle: Bundle) -> None:
    """The verdict names the provider that ran it."""
    assert Rehearsal(TASK, timeout_s=60)(bundle) == "CPUExecutionProvider"


def test_nothing_reaches_our_own_output(bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    """What the process prints, a crash's last words too, stays out of the daemon's streams."""
    Rehearsal(TASK, timeout_s=60)(bundle)
    with pytest.raises(ModelInvalidError, match="last words"):
        acting("print('hello', flush=True); print('last words', file=sys.stderr, flush=True); os.abort()")(bundle)
    assert capfd.readouterr() == ("", "")


def test_a_failed_proof_is_told_as_it_was_found(tmp_path: Path) -> None:
    """The error has the type and the text that loading it here would have had."""
    folder = make_bundle(tmp_path / "wrong")
    edit_manifest(folder, lambda m: m["golden"][0]["expected"].update(labels=["dark"], probs=None))
    with pytest.raises(ModelInvalidError, match="expected dark, found blue"):
        rehearse(folder)


def test_a_model_that_is_not_run_is_told_as_such(tmp_path: Path) -> None:
    """So is every other error of a model."""
    folder = make_bundle(tmp_path / "detector")
    edit_manifest(folder, lambda m: m.update(task="image-object-detection", family="yolov5", golden=[]))
    with pytest.raises(ModelUnsupportedError, match="image-object-detection"):
        rehearse(folder)


def test_a_missing_device_is_told_as_such(bundle: Bundle) -> None:
    """A device that does not run is not the bundle's fault, and is tried again later."""
    task = Task(device="require-gpu", threads=1, max_pixels=1 << 20)
    with pytest.raises(DeviceError, match="require-gpu"):
        Rehearsal(task, timeout_s=60)(bundle)


def test_files_are_checked_again(tmp_path: Path, bundle: Bundle) -> None:
    """A file that changed since the bundle was opened is found out."""
    truncate(tmp_path / "bundle/model.onnx")
    with pytest.raises(ModelInvalidError, match="cut off or changed"):
        Rehearsal(TASK, timeout_s=60)(bundle)


@pytest.mark.skipif(not CRASHES_HERE, reason="this processor does not trap the division")
def test_a_bundle_that_crashes_the_loader(tmp_path: Path) -> None:
    """A crash in onnxruntime itself is told with the signal's name."""
    with pytest.raises(ModelInvalidError, match=r"colours:1 is not safe to load: its rehearsal crashed \(SIGFPE\)"):
        rehearse(make_crashing(make_bundle(tmp_path / "bundle")))


def test_a_bundle_that_takes_all_memory(tmp_path: Path) -> None:
    """More memory than is free is refused there, before anybody else goes short."""
    free_gib = psutil.virtual_memory().available >> 30
    with pytest.raises(ModelInvalidError, match="allocate memory"):
        rehearse(make_hungry(make_bundle(tmp_path / "bundle"), gib=free_gib + 2))


def test_a_bundle_that_takes_too_long(tmp_path: Path) -> None:
    """The time limit is named with its key."""
    with pytest.raises(ModelInvalidError, match=r"took longer than 1.5 s \(rollout.load_timeout_s\)"):
        rehearse(make_slow(make_bundle(tmp_path / "bundle")), timeout_s=1.5)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(SIGSEGV\)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", r"was killed \(SIGKILL, as the system does where memory runs out\)"),
        ("sys.exit('torn apart')", "ended with exit code 1 and no verdict: torn apart"),
        ("os.close(1); os.close(2); time.sleep(600)", "took longer than 0.5 s"),
        ("[os.write(2, b'x' * 65536) for _ in range(100)]; os._exit(3)", "exit code 3 and no verdict: xxx"),
        ("os.write(1, b'{}\\nnonsense\\n'); os._exit(0)", "exit code 0 and no verdict"),
    ],
)
def test_how_it_ended_is_told(bundle: Bundle, code: str, reason: str) -> None:
    """However a process ends without a verdict: the bundle is refused, and the end is the reason."""
    with pytest.raises(ModelInvalidError, match=reason) as caught:
        acting(code, timeout_s=0.5 if "sleep" in code else 60)(bundle)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", "import sys; sys.exit('cannot import numpy')"),
        ("/nowhere/python",),
        (sys.executable, "-c", f"import os, signal; os.write(1, {BEGUN!r}); os.kill(os.getpid(), signal.SIGTERM)"),
    ],
    ids=["ends before it began", "not there", "asked to end"],
)
def test_what_says_nothing_about_the_bundle(bundle: Bundle, command: tuple[str, ...]) -> None:
    """A process that cannot be started, or that somebody ends: the bundle may be tried again."""
    with pytest.raises(UnavailableError, match="cannot be rehearsed"):
        Rehearsal(TASK, timeout_s=60, command=command)(bundle)


def test_stop_ends_it_at_once(bundle: Bundle) -> None:
    """A rehearsal under way is over when the daemon stops, says nothing about the bundle, and none begins any more."""
    rehearsal, errors = acting("time.sleep(600)"), []

    def run() -> None:
        try:
            rehearsal(bundle)
        except UnavailableError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    until(children, what="the process")
    rehearsal.stop()
    thread.join(5)
    assert errors == ["the rehearsal of colours:1 was ended, for the daemon stops"]
    with pytest.raises(UnavailableError):
        rehearsal(bundle)


PARENT = """
import sys
from pathlib import Path
from edge.bundle import open_bundle
from edge.rehearsal import Rehearsal, Task
Rehearsal(Task(device="cpu", max_pixels=1 << 20), timeout_s=600)(open_bundle(Path(sys.argv[1])))
"""


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Where the daemon is killed, its rehearsal does not stay behind; it is modest while it lasts."""
    folder = make_slow(make_bundle(tmp_path / "bundle"))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdin=subprocess.DEVNULL)
    try:
        watched = psutil.Process(parent.pid)
        until(lambda: any(child.nice() >= 10 for child in watched.children()), what="a modest process")
        (child,) = watched.children()
        os.kill(child.pid, signal.SIGTERM)  # as systemd does to a whole unit; the parent decides
        assert child.is_running()
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, what="its end")


def test_task_and_verdict_survive_their_way() -> None:
    """What is written is what is read; nonsense is no verdict."""
    assert parse_task(TASK.text(Path("/there"))) == (Path("/there"), TASK)
    verdict = Verdict(error="ModelInvalidError", reason="weiß, 'quoted'\nand broken")
    assert parse_verdict(BEGUN + b"\n" + verdict.line()) == verdict
    assert parse_verdict(BEGUN + b"\n[1]\n3\n") is None
