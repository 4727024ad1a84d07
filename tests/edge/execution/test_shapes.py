"""All executors keep the same promises: one suite for lanes, pipeline, and the one that a model shapes."""

import gc
import threading
import traceback
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import (
    DeadlineError,
    ImageDecodeError,
    InferenceError,
    ModelNotReadyError,
    OverloadedError,
    StoppingError,
)
from edge.results import Outcome
from tests.edge.execution.echo import POISON, SHAPES, EchoSession, echo_model, label, serving
from tests.mosquitto import until


@pytest.fixture(params=SHAPES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_answers_belong_to_their_requests(kind: str) -> None:
    """Five hundred pictures at once: answer i belongs to request i."""
    with serving(SHAPES[kind]()) as executor:
        futures = [executor.submit(str(i).encode()) for i in range(500)]
        assert [label(f.result(10)) for f in futures] == [str(i) for i in range(500)]


def test_a_bad_picture_fails_alone(kind: str) -> None:
    """A picture that cannot be decoded fails with the reason, its neighbours are answered."""
    with serving(SHAPES[kind]()) as executor:
        futures = [executor.submit(image) for image in (b"1", b"bad", b"2")]
        assert [label(futures[0].result(10)), label(futures[2].result(10))] == ["1", "2"]
        with pytest.raises(ImageDecodeError, match="is no number"):
            futures[1].result(10)


def test_a_failing_run_fails_alone(kind: str) -> None:
    """A picture that breaks the batch it is in fails, the others of that batch are answered."""
    with serving(SHAPES[kind]()) as executor:
        images = [1, 2, POISON, 3, 4, 5, POISON, 6]
        futures = [executor.submit(str(i).encode()) for i in images]
        for i, future in zip(images, futures, strict=True):
            if i == POISON:
                with pytest.raises(InferenceError, match="poisoned"):
                    future.result(10)
            else:
                assert label(future.result(10)) == str(i)


def test_an_unexpected_error_reaches_its_request(kind: str) -> None:
    """A fault that nobody foresaw becomes an InferenceError that carries it; the thread lives on."""
    with serving(SHAPES[kind]()) as executor:
        broken = executor.submit(b"0/0")
        with pytest.raises(InferenceError, match="ZeroDivisionError") as caught:
            broken.result(10)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert label(executor.submit(b"5").result(10)) == "5"


@pytest.mark.parametrize("picture", [b"bad", b"0/0", str(POISON).encode()], ids=["no picture", "fault", "failing run"])
def test_a_failed_picture_is_not_kept(kind: str, picture: bytes) -> None:
    """Nothing holds a picture that failed, not even until the garbage collector comes by."""
    held = np.frombuffer(picture, np.uint8).copy()
    gone = weakref.ref(held)
    gc.disable()
    try:
        with serving(SHAPES[kind]()) as executor:
            future = executor.submit(held)
            del held
            error = future.exception(10)
            assert error is not None
            assert "prepare" in "".join(traceback.format_exception(error)) or picture not in (b"bad", b"0/0")
            until(lambda: gone() is None, what="the picture's end")
    finally:
        gc.enable()


def test_a_full_queue_refuses(kind: str, gate: threading.Event) -> None:
    """Beyond the bound in pictures, a request is refused with a time to come back; what was accepted is answered."""
    with serving(SHAPES[kind](queue_size=3), echo_model(session=EchoSession(gate=gate))) as executor:
        accepted = [executor.submit(str(i).encode()) for i in range(3)]
        with pytest.raises(OverloadedError, match="queue is full") as refused:
            executor.submit(b"4")
        assert refused.value.retry_after_s > 0
        gate.set()
        assert [label(f.result(10)) for f in accepted] == ["0", "1", "2"]
        assert executor.queued == 0


def test_the_queue_is_bounded_in_bytes(kind: str, gate: threading.Event) -> None:
    """Few large pictures fill the queue as many small ones do; one larger than the bound is let in when alone."""
    with serving(SHAPES[kind](queue_bytes=8), echo_model(session=EchoSession(gate=gate))) as executor:
        large = executor.submit(b"0000000001")
        with pytest.raises(OverloadedError):
            executor.submit(b"2")
        gate.set()
        assert label(large.result(10)) == "1"


def test_an_overdue_picture_is_not_run(kind: str, gate: threading.Event) -> None:
    """A picture whose deadline passes while it waits fails without being run."""
    session = EchoSession(gate=gate)
    with serving(SHAPES[kind](workers=1), echo_model(session=session)) as executor:
        first = executor.submit(b"1")
        assert session.entered.acquire(timeout=10)
        late = executor.submit(b"2", deadline_s=0.0)
        gate.set()
        with pytest.raises(DeadlineError, match="waited"):
            late.result(10)
        assert label(first.result(10)) == "1"


def test_a_waiting_picture_can_be_cancelled(kind: str, gate: threading.Event) -> None:
    """Cancelling a waiting picture frees its place at once, and nobody else's answer suffers."""
    session = EchoSession(gate=gate)
    with serving(SHAPES[kind](workers=1), echo_model(session=session)) as executor:
        running = executor.submit(b"1")
        assert session.entered.acquire(timeout=10)
        waiting = [executor.submit(str(i).encode()) for i in range(2, 8)]
        cancelled = [f for f in waiting if f.cancel()]
        gate.set()
        assert label(running.result(10)) == "1"
        for i, future in enumerate(waiting, 2):
            if future in cancelled:
                with pytest.raises(CancelledError):
                    future.result(10)
            else:
                assert label(future.result(10)) == str(i)
        assert executor.queued == 0


def test_without_a_model_nothing_is_accepted(kind: str) -> None:
    """Before the first swap a request is refused, not queued."""
    executor = SHAPES[kind]()
    with pytest.raises(ModelNotReadyError):
        executor.submit(b"1")
    executor.close()


def test_a_swap_loses_nothing(kind: str) -> None:
    """Work under way ends on the old model, new work begins on the new one, and every answer says which."""
    gate = threading.Event()
    old = EchoSession(gate=gate)
    with serving(SHAPES[kind](), echo_model("1", old)) as executor:
        before = executor.submit(b"1")
        assert old.entered.acquire(timeout=10)
        assert not executor.swap(echo_model("2"), timeout_s=0.01)
        gate.set()
        assert executor.swap(echo_model("3"), timeout_s=10)
        after = executor.submit(b"2")
        assert (before.result(10).model.version, label(before.result(10))) == ("1", "1")
        assert (after.result(10).model.version, label(after.result(10))) == ("3", "2")


def test_swaps_under_load(kind: str) -> None:
    """Twenty swaps while pictures stream through: every answer is right and comes from a model that was swapped in."""
    with serving(SHAPES[kind](), echo_model("0")) as executor:
        futures: list[Future[Outcome]] = []
        for version in range(1, 21):
            futures += [executor.submit(str(i).encode()) for i in range(20)]
            assert executor.swap(echo_model(str(version)), timeout_s=10)
        outcomes = [f.result(10) for f in futures]
        assert [label(o) for o in outcomes] == [str(i) for _ in range(20) for i in range(20)]
        assert {o.model.version for o in outcomes} <= {str(v) for v in range(21)}


def test_close_answers_what_was_accepted(kind: str) -> None:
    """Closing finishes accepted work and refuses more."""
    executor = SHAPES[kind]()
    executor.swap(echo_model())
    futures = [executor.submit(str(i).encode()) for i in range(50)]
    executor.close(timeout_s=10)
    assert [label(f.result(0)) for f in futures] == [str(i) for i in range(50)]
    with pytest.raises(StoppingError):
        executor.submit(b"1")


def test_close_in_time_fails_what_is_left(kind: str) -> None:
    """A run that never ends does not hold up closing: its request and those behind it fail."""
    gate = threading.Event()
    session = EchoSession(gate=gate)
    executor = SHAPES[kind](workers=1)
    executor.swap(echo_model(session=session))
    futures = [executor.submit(str(i).encode()) for i in range(3)]
    assert session.entered.acquire(timeout=10)
    executor.close(timeout_s=0.05)
    for future in futures:
        with pytest.raises(StoppingError):
            future.result(0)
    gate.set()


Step = st.one_of(st.integers(0, 99), st.sampled_from(["bad", "poison", "cancel", "swap"]))


@given(steps=st.lists(Step, max_size=60), kind=st.sampled_from(sorted(SHAPES)), sizes=st.sampled_from([(), (1, 2, 4)]))
@settings(max_examples=60, deadline=None)
def test_nobody_waits_for_ever_and_no_answer_strays(steps: list[int | str], kind: str, sizes: tuple[int, ...]) -> None:
    """Whatever mixture of good and bad pictures, cancels and swaps: each future ends, and with its own answer."""
    version = 1
    with serving(SHAPES[kind](), echo_model("1", EchoSession(batch_sizes=sizes))) as executor:
        asked: list[tuple[int | str, Future[Outcome]]] = []
        for step in steps:
            if step == "swap":
                version += 1
                executor.swap(echo_model(str(version), EchoSession(batch_sizes=sizes)), timeout_s=10)
            elif step == "cancel":
                asked[-1][1].cancel() if asked else None
            else:
                asked.append((step, executor.submit(_image(step))))
        for step, future in asked:
            _check(step, future)
        assert executor.queued == 0


def _image(step: int | str) -> bytes:
    return {"bad": b"bad", "poison": str(POISON).encode()}.get(str(step), str(step).encode())


def _check(step: int | str, future: Future[Outcome]) -> None:
    try:
        outcome = future.result(10)
    except CancelledError:
        return
    except ImageDecodeError:
        assert step == "bad"
    except InferenceError:
        assert step == "poison"
    else:
        assert label(outcome) == str(step)


def test_the_executor_fixture_is_closed(kind: str) -> None:
    """Closing twice is harmless."""
    executor = SHAPES[kind]()
    executor.close()
    executor.close()
    assert executor.queued == 0
