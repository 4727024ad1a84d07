"""The process that talks to Azure: its answer, its progress, and what its silence, crash or nonsense comes to."""

import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from edge.errors import RegistryError
from edge.ports import Survey
from edge.registry.inquiry import Azure, Failure, Inquiry, Progress, message_line
from edge.registry.process import COMMAND, AzureProcess, FailedError, InterruptedLookError
from tests.edge.registry.scripted import Script
from tests.mosquitto import until

SECRET = "correct-horse-battery"
INQUIRY = Inquiry("survey", Azure("s", "g", "w", client_secret=SECRET, timeout_s=0.1), "colours", "/cache")
FOUND = Survey((), {"colours/1": "half a file"})


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path / "script")


def process_of(script: Script, *, start_s: float = 10.0) -> AzureProcess:
    return AzureProcess(command=script.command, start_s=start_s)


def test_the_answer_comes_after_the_progress(script: Script) -> None:
    """Each sign of life is passed on; what is written after the answer is not waited for."""
    script.does(
        ("out", message_line(Progress()).decode()),
        ("out", message_line(Progress(3, 9)).decode() + message_line(Progress(9, 9)).decode()),
        ("out", message_line(FOUND).decode()),
        ("sleep", 60),
    )
    heard: list[Progress] = []
    assert process_of(script)(INQUIRY, heard=heard.append) == FOUND
    assert heard == [Progress(), Progress(3, 9), Progress(9, 9)]
    (asked,) = script.asked
    assert asked["name"] == "colours"
    assert asked["azure"]["client_secret"] == SECRET


def test_a_secret_is_seen_by_nobody_else(script: Script) -> None:
    """Neither in the command line nor in the environment, and not in an error that quotes it."""
    script.does(("err", f"login failed with {SECRET}\n"), ("exit", 3))
    with pytest.raises(RegistryError, match=r"exit code 3 and no answer: login failed with \*\*\*$"):
        process_of(script)(INQUIRY)
    assert SECRET not in script.surroundings


def test_a_reason_is_passed_on(script: Script) -> None:
    """What the process says of itself is the error."""
    failure = Failure("RegistryError", "throttled", "listing models: too many requests", 7.0)
    script.says(message_line(failure))
    with pytest.raises(FailedError, match="listing models: too many requests") as caught:
        process_of(script)(INQUIRY)
    assert caught.value.failure == failure


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (
            [("err", "Traceback ...\nMemoryError: big\n"), ("exit", 1)],
            r"ended with exit code 1 and no answer: MemoryError",
        ),
        ([("kill", signal.SIGSEGV)], r"was ended \(SIGSEGV\)"),
        ([("kill", signal.SIGKILL)], r"was ended \(SIGKILL, as the system does where memory runs out\)"),
        ([], r"ended with exit code 0 and no answer$"),
        ([("out", "hello\n"), ("sleep", 60)], r"wrote what is no answer: hello"),
        ([("out", '{"progress": {"took": 1}}\n{"surprise": 1}\n')], r"wrote what is no answer"),
        ([("out", '{"survey": {"candidates": [')], r"ended with exit code 0 and no answer"),
    ],
)
def test_an_end_without_an_answer_is_explained(script: Script, steps: list[tuple[str, object]], reason: str) -> None:
    """Crash, kill, nonsense, half an answer, missing packages."""
    script.does(*steps)
    with pytest.raises(RegistryError, match=reason):
        process_of(script)(INQUIRY)


def test_an_end_is_seen_whoever_holds_its_pipes(script: Script) -> None:
    """A process that it started may live a little longer, with the same standard error."""
    script.does(("leave child", 15), ("err", "and this is why\n"), ("exit", 3))
    began = time.monotonic()
    with pytest.raises(RegistryError, match="exit code 3 and no answer: and this is why"):
        process_of(script)(INQUIRY)
    assert time.monotonic() - began < 14
    until(lambda: not [c for c in psutil.Process().children(recursive=True) if c.name() == "sleep"])


def test_a_process_that_hushes_and_stays_is_ended(script: Script) -> None:
    """Nothing more can come from it."""
    script.does(("hush", 1), ("hush", 2), ("sleep", 60))
    with pytest.raises(RegistryError, match="says nothing more"):
        process_of(script)(INQUIRY)


def test_silence_is_a_hang(script: Script) -> None:
    """Longer than Azure may take and the start costs: the process is ended."""
    script.does(("out", message_line(Progress()).decode()), ("sleep", 60))
    began = time.monotonic()
    with pytest.raises(RegistryError, match=r"nothing came for 0.6 s \(azure.timeout_s\)"):
        process_of(script, start_s=0.5)(INQUIRY)
    assert time.monotonic() - began < 10


def test_slow_progress_is_none(script: Script) -> None:
    """However long it takes altogether."""
    step = [("out", message_line(Progress()).decode()), ("sleep", 1.0)]
    script.does(*(step * 4), ("out", message_line(FOUND).decode()))
    assert process_of(script, start_s=3.4)(INQUIRY) == FOUND


def test_an_interrupted_question_ends_at_once(script: Script) -> None:
    """The next one may be asked."""
    script.does(("out", message_line(Progress()).decode()), ("sleep", 60))
    process = process_of(script)
    process.interrupt()  # nothing is under way
    with pytest.raises(InterruptedLookError, match="dropped"):
        process(INQUIRY, heard=lambda _: process.interrupt())
    script.says(message_line(FOUND))
    assert process(INQUIRY) == FOUND


def test_a_stop_ends_it_for_good(script: Script) -> None:
    """From another thread, at once, and no other process begins."""
    script.does(("sleep", 60))
    process, before = process_of(script, start_s=60), psutil.Process().children()
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            process(INQUIRY)
        except InterruptedLookError as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: psutil.Process().children() != before, what="the process")
    process.close()
    thread.join(10)
    assert len(raised) == 1
    assert psutil.Process().children() == before
    with pytest.raises(InterruptedLookError, match="the daemon stops"):
        process(INQUIRY)


def test_a_process_that_cannot_be_started(tmp_path: Path) -> None:
    """Where the program is gone, or the system has no room for another process."""
    with pytest.raises(RegistryError, match="no process can be started: No such file"):
        AzureProcess(command=[str(tmp_path / "nowhere")])(INQUIRY)


def test_the_command_runs_this_very_package() -> None:
    """Whatever folder it is started in, and not a module of the same name there."""
    assert COMMAND[1] == "-P"
    assert (Path(COMMAND[-1]) / "edge/azureml/__main__.py").is_file()


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real process, on a device without the extra."""
    (tmp_path / "azure").mkdir()
    (tmp_path / "azure/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'azure'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RegistryError, match=r"pip install 'automl-edge\[azure\]'"):
        AzureProcess()(INQUIRY)
