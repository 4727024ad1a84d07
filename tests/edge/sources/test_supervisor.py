"""Sources under supervision: started again, counted, never silently dead."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from edge.errors import ConfigError, OverloadedError, SourceError, StoppingError
from edge.ports import Emit, Frame
from edge.sources.supervisor import SupervisedSource
from tests.edge.sources.emissions import Emissions, SteppedClock
from tests.mosquitto import until

Run = Callable[[Emit, threading.Event], None]


class Scripted:
    """A source whose runs follow a script; when that is over it waits to be stopped."""

    kind = "scripted"
    name = "camera"
    dropped = 3

    def __init__(self, *runs: Run) -> None:
        self._runs = list(runs)

    def run(self, emit: Emit, stop: threading.Event) -> None:
        if self._runs:
            self._runs.pop(0)(emit, stop)
        else:
            stop.wait(30)

    def capture(self) -> bool:
        return True


def failing(error: Exception) -> Run:
    def run(_emit: Emit, _stop: threading.Event) -> None:
        raise error

    return run


def giving(*images: bytes) -> Run:
    def run(emit: Emit, _stop: threading.Event) -> None:
        for image in images:
            emit(Frame(image, "camera", SteppedClock().now()))

    return run


Supervise = Callable[..., SupervisedSource]


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    """Return how to start a supervised source; it is closed at the end."""
    started: list[SupervisedSource] = []

    def start(source: Scripted, emit: Emit | None = None, clock: SteppedClock | None = None) -> SupervisedSource:
        supervised = SupervisedSource(source, emit or Emissions(), clock=clock or SteppedClock())
        started.append(supervised)
        supervised.start()
        return supervised

    yield start
    for supervised in started:
        supervised.close()


def test_a_source_that_ends_has_ended(supervise: Supervise) -> None:
    """Frames, errors and drops are counted on the way."""
    supervised = supervise(Scripted(giving(b"good", b"bad", b"good")))
    until(lambda: supervised.status()["state"] == "ended")
    assert supervised.status() == {
        "name": "camera",
        "kind": "scripted",
        "state": "ended",
        "reason": None,
        "frames": 3,
        "dropped": 3,
        "errors": 1,
        "restarts": 0,
    }


def test_a_fault_starts_the_source_again_with_growing_waits(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    """Doubling from 1 s to at most 30 s; the same reason is told once."""
    clock = SteppedClock()
    supervised = supervise(Scripted(*[failing(SourceError("no signal"))] * 7), clock=clock)
    until(lambda: supervised.status()["restarts"] == 7 and supervised.status()["state"] == "running")
    assert clock.waits == [1, 2, 4, 8, 16, 30, 30]
    assert [record.getMessage() for record in caplog.records] == ["source waits before it is started again: no signal"]


def test_waits_begin_small_again_after_a_frame(supervise: Supervise) -> None:
    """A source that had recovered is not punished for its past."""

    def one_frame_then_fault(emit: Emit, stop: threading.Event) -> None:
        giving(b"good")(emit, stop)
        raise SourceError("no signal")

    clock = SteppedClock()
    fault = failing(SourceError("no signal"))
    supervised = supervise(Scripted(fault, fault, one_frame_then_fault), clock=clock)
    until(lambda: supervised.status()["restarts"] == 3)
    assert clock.waits == [1, 2, 1]


def test_while_it_waits_the_reason_shows() -> None:
    """A person sees what is wrong without reading the log."""
    seen: list[object] = []
    clock = SteppedClock(lambda _: seen.append((supervised_status()["state"], supervised_status()["reason"])))
    supervised = SupervisedSource(Scripted(failing(SourceError("no signal"))), Emissions(), clock=clock)
    supervised_status = supervised.status
    assert supervised.status()["state"] == "starting"
    supervised.start()
    until(lambda: supervised.status()["restarts"] == 1)
    supervised.close()
    assert seen == [("waiting", "no signal")]


@pytest.mark.parametrize("error", [ZeroDivisionError("surprise"), ConfigError("surprise")])
def test_an_unforeseen_fault_is_told_and_the_source_runs_again(
    supervise: Supervise, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """No thread dies silently; a programming error leaves its traceback in the log."""
    with caplog.at_level(logging.WARNING):
        supervised = supervise(Scripted(failing(error)))
        until(lambda: supervised.status()["restarts"] == 1)
    assert "surprise" in caplog.text
    assert any(record.exc_info for record in caplog.records) == isinstance(error, ZeroDivisionError)


def test_a_stopping_daemon_is_no_fault(supervise: Supervise) -> None:
    """The source has ended."""
    supervised = supervise(Scripted(failing(StoppingError("stopping"))))
    until(lambda: supervised.status()["state"] == "ended")
    assert supervised.status()["restarts"] == 0


def test_results_that_never_come_count_as_errors_and_refused_frames_do_not_count(supervise: Supervise) -> None:
    """A frame counts once it is accepted; one that was cancelled is nobody's error."""
    futures: list[Future[object]] = []

    def accept_two(_: Frame) -> Future[object]:
        if len(futures) == 2:
            raise OverloadedError("full")
        futures.append(Future())
        return futures[-1]

    supervised = supervise(Scripted(giving(b"1", b"2", b"3")), emit=accept_two)
    until(lambda: supervised.status()["restarts"] == 1)
    futures[0].set_exception(StoppingError("stopping"))
    futures[1].cancel()
    assert (supervised.status()["frames"], supervised.status()["errors"]) == (2, 1)


def test_a_capture_reaches_the_source(supervise: Supervise) -> None:
    """Whatever its state."""
    assert supervise(Scripted()).capture()


def test_closing_ends_a_source_that_runs_and_one_that_waits() -> None:
    """No thread stays."""
    for source in (Scripted(), Scripted(*[failing(SourceError("no signal"))] * 100)):
        supervised = SupervisedSource(source, Emissions(), backoff_min_s=30)
        supervised.start()
        supervised.stop()
        supervised.close()
        assert supervised.status()["state"] == "ended"
