"""Delivery: numbering, order per source, and who gets which result."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.errors import ImageDecodeError, OverloadedError, StoppingError
from edge.execution.delivery import Delivery
from edge.ports import Executor, Frame, Mark, Priority
from edge.results import Classification, Failure, Outcome, Result, result_json
from tests.edge.execution.echo import POISON, SHAPES, EchoSession, echo_model, label, lanes, serving

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


class RecordingPublisher:
    """Remembers what it was given, in order."""

    connected = True
    depth = 0

    def __init__(self, *, mark: Mark = Mark()) -> None:
        self.mark = mark
        self.full = False
        self.results: list[Result] = []

    def admit(self) -> None:
        if self.full:
            raise OverloadedError("no room")

    def publish(self, result: Result) -> None:
        self.results.append(result)

    def announce(self, state: Mapping[str, Any]) -> None:
        """Not under test."""

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Nothing to close."""


def frame(image: bytes, source: str = "belt", **rest: Any) -> Frame:
    return Frame(image, source, WHEN, **rest)


def delivery(executor: Executor, publisher: RecordingPublisher, **rest: Any) -> Delivery:
    return Delivery(executor, device="press-7", publishers=[publisher], **rest)


def labels(results: Sequence[Result]) -> list[str]:
    return [r.outcome.prediction.label if isinstance(r.outcome.prediction, Classification) else "-" for r in results]


@pytest.mark.parametrize("kind", SHAPES)
def test_results_of_a_source_keep_their_order(kind: str) -> None:
    """However many lanes answer, a source's results are delivered as its frames came, numbered without gaps."""
    publisher = RecordingPublisher()
    with serving(SHAPES[kind](workers=4)) as executor:
        emit = delivery(executor, publisher).emit
        futures = [emit(frame(str(i).encode(), source=f"belt-{i % 3}")) for i in range(300)]
        assert labels([f.result(10) for f in futures]) == [str(i) for i in range(300)]
    assert [r.seq for r in publisher.results] == list(range(1, 301))
    for source in range(3):
        own = [r for r in publisher.results if r.source == f"belt-{source}"]
        assert labels(own) == [str(i) for i in range(300) if i % 3 == source]
    assert len({r.id for r in publisher.results}) == 300


@pytest.mark.parametrize("kind", SHAPES)
def test_a_trigger_is_worked_on_first_and_delivered_in_turn(kind: str) -> None:
    """Frames of one source keep their order though those of a lower number overtake the others in line."""
    publisher, gate = RecordingPublisher(), threading.Event()
    session = EchoSession(gate=gate)
    with serving(SHAPES[kind](workers=2), echo_model(session=session)) as executor:
        emit = delivery(executor, publisher).emit
        futures = [emit(frame(str(i).encode(), priority=Priority(2 * (i % 3 == 0)))) for i in range(60)]
        gate.set()
        assert labels([f.result(10) for f in futures]) == [str(i) for i in range(60)]
    assert labels(publisher.results) == [str(i) for i in range(60)]
    assert [r.seq for r in publisher.results] == list(range(1, 61))


def test_a_bad_picture_of_a_source_is_a_result() -> None:
    """A source's bad picture is delivered as a result that says so, between its neighbours."""
    publisher = RecordingPublisher()
    with serving(lanes()) as executor:
        emit = delivery(executor, publisher).emit
        futures = [emit(frame(image)) for image in (b"1", b"bad", b"2")]
        assert [f.result(10).seq for f in futures] == [1, 2, 3]
    failure = publisher.results[1].outcome.prediction
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.detail) == ("ImageDecodeError", "b'bad' is no number")


def test_a_bad_picture_of_a_request_is_its_error() -> None:
    """A request's bad picture fails its future and is published nowhere."""
    publisher = RecordingPublisher()
    with serving(lanes()) as executor, pytest.raises(ImageDecodeError):
        delivery(executor, publisher).submit(frame(b"bad")).result(10)
    assert publisher.results == []


@pytest.mark.parametrize(("publish", "seq"), [(True, 1), (False, 0)])
def test_whether_answers_are_published(publish: bool, seq: int) -> None:
    """Answers to requests are published and numbered, or neither, as configured; observers see them anyway."""
    publisher, seen = RecordingPublisher(), list[Result]()
    with serving(lanes()) as executor:
        target = delivery(executor, publisher, publish_answers=publish, observers=[seen.append])
        assert target.submit(frame(b"4", source="http")).result(10).seq == seq
    assert len(publisher.results) == seq
    assert labels(seen) == ["4"]


def test_a_frame_that_was_not_worked_on_can_be_emitted_again() -> None:
    """What closing gave up on fails instead of being delivered as a bad picture."""
    gate = threading.Event()
    publisher, session = RecordingPublisher(), EchoSession(gate=gate)
    with serving(lanes(workers=1), echo_model(session=session)) as executor:
        emit = delivery(executor, publisher).emit
        futures = [emit(frame(b"1")), emit(frame(b"2"))]
        assert session.entered.acquire(timeout=10)
        executor.close(timeout_s=0.05)
        for future in futures:
            with pytest.raises(StoppingError):
                future.result(10)
        gate.set()
    assert publisher.results == []


def test_cancelling_an_answer_cancels_the_work() -> None:
    """A client that goes away takes its waiting picture with it."""
    gate = threading.Event()
    publisher, session = RecordingPublisher(), EchoSession(gate=gate)
    with serving(lanes(workers=1), echo_model(session=session)) as executor:
        target = delivery(executor, publisher)
        running = target.submit(frame(b"1"))
        assert session.entered.acquire(timeout=10)
        gone = target.submit(frame(b"2"))
        assert gone.cancel()
        gate.set()
        assert labels([running.result(10)]) == ["1"]
        with pytest.raises(CancelledError):
            gone.result(0)
    assert session.batches == [1]


def test_the_wire_form() -> None:
    """A delivered result's JSON is the payload that the MQTT reference describes."""
    publisher = RecordingPublisher()
    with serving(lanes()) as executor:
        result = delivery(executor, publisher).emit(frame(b"3", name="3.png", correlation_id="c-1")).result(10)
    wire = dict(result_json(result))
    timing = wire.pop("timing_ms")
    assert set(timing) == {"queue", "preprocess", "inference", "postprocess", "total"}
    assert wire.pop("id") == result.id
    assert wire == {
        "schema": "automl-edge/result/1",
        "seq": 1,
        "device": "press-7",
        "source": "belt",
        "captured_at": "2026-01-02T03:04:05.678Z",
        "model": {"name": "echo", "version": "1", "proven": True},
        "provider": "EchoExecutionProvider",
        "predictions": [{"label": "3", "score": 1.0, "labels": [], "probs": []}],
        "replayed": False,
        "name": "3.png",
        "correlation_id": "c-1",
    }


def test_numbers_go_on_where_they_ended() -> None:
    """A publisher that remembers earlier results has them continued: number and id follow the newest one."""
    publisher = RecordingPublisher(mark=Mark(seq=41, id="7ZZZZZZZZZZZZZZZZZZZZZZZZ0"))
    with serving(lanes()) as executor:
        result = delivery(executor, publisher).emit(frame(b"1")).result(10)
    assert (result.seq, result.id) == (42, "7ZZZZZZZZZZZZZZZZZZZZZZZZ1")


def test_a_full_publisher_that_may_drop_nothing_stops_new_work() -> None:
    """Nothing is predicted whose result could not be kept: request and source are told to come again."""
    publisher = RecordingPublisher()
    publisher.full = True
    with serving(lanes()) as executor:
        for hand_in in (delivery(executor, publisher).emit, delivery(executor, publisher).submit):
            with pytest.raises(OverloadedError):
                hand_in(frame(b"1"))
        answers = delivery(executor, publisher, publish_answers=False)
        assert answers.submit(frame(b"1")).result(10).seq == 0


def test_witnesses_see_each_frame_with_its_outcome() -> None:
    """A witness gets the picture and what became of it, before the sender has the answer."""
    seen: list[tuple[Frame, Outcome]] = []
    with serving(lanes()) as executor:
        given = frame(b"7")
        delivery(executor, RecordingPublisher(), witnesses=[lambda *pair: seen.append(pair)]).emit(given).result(10)
    assert [(f, label(o)) for f, o in seen] == [(given, "7")]


def test_witnesses_see_a_request_that_fails() -> None:
    """A request gets the error itself, and a witness the failure: a bad picture's, and the model's own."""
    seen: list[Outcome] = []
    with serving(lanes()) as executor:
        both = delivery(executor, RecordingPublisher(), witnesses=[lambda _, outcome: seen.append(outcome)])
        for image in (b"bad", str(POISON).encode()):
            assert both.submit(frame(image)).exception(10) is not None
    kinds = [outcome.prediction.kind for outcome in seen if isinstance(outcome.prediction, Failure)]
    assert kinds == ["ImageDecodeError", "InferenceError"]
    assert {str(outcome.model) for outcome in seen} == {"echo:1"}


def test_who_only_looks_on_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A fault in an observer or a witness is logged with its traceback; every result goes where it should."""
    publisher = RecordingPublisher()
    shown: list[Result] = []

    def fail(*_: object) -> None:
        raise OverflowError("date value out of range")

    with serving(lanes()) as executor:
        looked_at = delivery(executor, publisher, observers=[fail, shown.append], witnesses=[fail])
        given = [looked_at.emit(frame(b"1")), looked_at.submit(frame(b"2")), looked_at.emit(frame(b"3"))]
        assert labels([future.result(10) for future in given]) == ["1", "2", "3"]
    assert (sorted(labels(publisher.results)), len(shown), looked_at.tally.under_way) == (["1", "2", "3"], 3, 0)
    assert {record.getMessage() for record in caplog.records} == {
        "a result goes on, though one that is shown it failed"
    }


def test_a_closed_delivery_takes_nothing_and_answers_what_it_took() -> None:
    """No new frame from any protocol; those under way come to their end and are counted."""
    gate = threading.Event()
    with serving(lanes(workers=1), echo_model(session=EchoSession(gate=gate))) as executor:
        closing = delivery(executor, RecordingPublisher())
        taken = [closing.submit(frame(b"1")), closing.emit(frame(b"2"))]
        closing.close()
        for hand_in in (closing.emit, closing.submit):
            with pytest.raises(StoppingError):
                hand_in(frame(b"3"))
        assert (closing.tally.accepted, closing.tally.under_way) == (2, 2)
        gate.set()
        assert labels([future.result(10) for future in taken]) == ["1", "2"]
    assert (closing.tally.settled, closing.tally.under_way, closing.tally.given_up) == (2, 0, 0)


def test_what_a_stop_gave_up_is_counted() -> None:
    """A frame that was taken and could not be answered in time is neither answered nor under way any more."""
    gate = threading.Event()
    executor = lanes(workers=1)
    executor.swap(echo_model(session=EchoSession(gate=gate)))
    stopped = delivery(executor, RecordingPublisher())
    waiting = [stopped.submit(frame(b"1")), stopped.emit(frame(b"2"))]
    stopped.close()
    executor.close(timeout_s=0.05)
    assert all(isinstance(future.exception(10), StoppingError) for future in waiting)
    assert (stopped.tally.under_way, stopped.tally.given_up) == (0, 2)
    gate.set()


def test_a_frame_is_under_way_until_its_result_is_handed_on() -> None:
    """A publisher that hangs, as on a disk that does not answer, is no progress."""
    release = threading.Event()

    class Hanging(RecordingPublisher):
        def publish(self, result: Result) -> None:
            release.wait(10)
            super().publish(result)

    with serving(lanes(workers=1)) as executor:
        hanging = delivery(executor, Hanging())
        answer = hanging.submit(frame(b"1"))
        assert (hanging.tally.under_way, hanging.tally.settled) == (1, 0)
        release.set()
        answer.result(10)
