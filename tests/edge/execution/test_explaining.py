"""Explanations beside live pictures: few at once, one after the other, and only while there is room."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.errors import (
    DeadlineError,
    ImageDecodeError,
    InferenceError,
    ModelNotReadyError,
    OverloadedError,
    StoppingError,
)
from edge.execution.explaining import Explained, Explaining, Inquiry
from edge.ports import Model
from edge.preprocess.decode import decode
from edge.results import Classification, ModelRef
from tests.edge.execution.echo import SHAPES, EchoSession, echo_model, label, serving
from tests.fakes import COLOURS, LABELS, FakeSession, encoded, fake_model, mean_colour_answer, picture

RED = encoded(picture(COLOURS["red"]))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return fake_model(tmp_path_factory.mktemp("bundle") / "1")


def inquiry(image: bytes = RED, *, ref: ModelRef = ModelRef("colours", "1"), **asked: Any) -> Inquiry:
    answer = Classification("red", 0.9, LABELS, (0.05, 0.02, 0.03, 0.9))
    return Inquiry(image, answer, ref, **{"classes": (3,), "runs": 20, **asked})


@contextmanager
def explaining(model: Model | None, **parts: Any) -> Iterator[Explaining]:
    made = Explaining(**{"model": lambda: model, "calm": lambda: True, **parts})
    try:
        yield made
    finally:
        made.close()


def asked(explainer: Explaining, *inquiries: Inquiry) -> list[Explained]:
    with explainer.place():
        return explainer.ask(inquiries).result(20)


def test_each_picture_gets_its_reasons(model: Model) -> None:
    """In order: a map of the crop's size a class, its figure, and how many inputs were run."""
    with explaining(model) as explainer:
        first, second = asked(explainer, inquiry(), inquiry(classes=(3, 0), method="rise", runs=12, drawn=False))
    assert (first.labels, first.maps.shape, first.runs) == (("red",), (1, 32, 32), 17)
    assert decode(first.figures[0]).shape == (452, 452, 3)
    assert (second.labels, second.maps.shape, second.runs, second.figures) == (("red", "blue"), (2, 32, 32), 12, ())


def test_no_class_asks_for_no_run(model: Model) -> None:
    """As where a multi-label model selects nothing."""
    with explaining(model) as explainer:
        (found,) = asked(explainer, inquiry(classes=()))
    assert (found.labels, found.runs, found.figures) == ((), 0, ())


@pytest.mark.parametrize(("sizes", "run"), [((), {1}), ((1,), {1}), ((8,), {8}), ((1, 4), {4})])
def test_runs_have_a_size_that_the_session_takes(tmp_path: Path, sizes: tuple[int, ...], run: set[int]) -> None:
    """One input a run where any number goes, so that a live picture waits for one at most."""
    session = FakeSession(mean_colour_answer, batch_sizes=sizes)
    with explaining(fake_model(tmp_path / "1", session)) as explainer:
        asked(explainer, inquiry())
    assert set(session.batches) == run


@pytest.mark.parametrize("kind", SHAPES)
def test_live_pictures_go_first(kind: str, model: Model) -> None:
    """In every shape of execution: while one is under way, no run for an explanation begins."""
    gate, session = threading.Event(), FakeSession(mean_colour_answer)
    slow = echo_model(session=EchoSession(gate=gate))
    explained = Model(model.ref, model.digest, model.predictor, session)
    with (
        serving(SHAPES[kind](), slow) as executor,
        explaining(explained, calm=lambda: executor.queued == 0) as explainer,
        explainer.place(),
    ):
        live = executor.submit(b"1")
        reasons = explainer.ask([inquiry()])
        with pytest.raises(TimeoutError):
            reasons.result(0.1)
        assert not session.batches
        gate.set()
        assert label(live.result(10)) == "1"
        assert reasons.result(10)[0].runs == 17


def test_a_device_that_is_never_calm_explains_nothing(model: Model) -> None:
    """The request is told so when its time is over."""
    with explaining(model, calm=lambda: False, span_s=0.05) as explainer, pytest.raises(DeadlineError, match="live"):
        asked(explainer, inquiry())


def test_when_the_time_is_up_the_coarse_map_is_the_answer(model: Model) -> None:
    """Each picture of a request has its share of the time."""
    clock = Ticking()
    with explaining(model, clock=clock, span_s=100.0) as explainer:
        first, second = asked(explainer, inquiry(runs=10_000), inquiry(runs=10_000))
    assert 17 <= first.runs <= 51
    assert 17 <= second.runs <= 51


def test_a_long_request_leaves_time_to_those_behind_it(model: Model) -> None:
    """Asked together, each is answered: one that takes all the time it is given takes its share while others wait."""
    gate, clock = threading.Event(), Ticking()

    def serving_model() -> Model:
        gate.wait(10)
        return model

    asking = Explaining(model=serving_model, calm=lambda: True, clock=clock, span_s=400.0)
    with closing(asking) as explainer:
        requests = [explainer.ask([inquiry(runs=10_000, drawn=False)]) for _ in range(4)]
        gate.set()
        runs = [request.result(20)[0].runs for request in requests]
    assert all(17 <= found <= 120 for found in runs[:3])
    assert runs[3] >= 17


class Ticking:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_only_a_few_are_let_in_at_once(model: Model) -> None:
    """The next one is told when to come again, before anything is done for it."""
    told: list[str] = []
    with (
        explaining(model, places=2, counted=told.append) as explainer,
        explainer.place(),
        explainer.place(),
        pytest.raises(OverloadedError, match="2 requests") as refused,
        explainer.place(),
    ):
        pass
    assert refused.value.retry_after_s > 0
    assert told == ["refused"]


@pytest.mark.parametrize(
    ("image", "raised", "error"),
    [
        (b"no picture", None, ImageDecodeError),
        (RED, InferenceError("the device is gone"), InferenceError),
        (RED, ValueError("a fault of ours"), InferenceError),
    ],
    ids=["no picture", "failing run", "fault"],
)
def test_what_fails_fails_alone(model: Model, image: bytes, raised: Exception | None, error: type[Exception]) -> None:
    """The next request is answered."""
    session = FakeSession(failing_once(raised))
    with explaining(Model(model.ref, "", model.predictor, session)) as explainer:
        with pytest.raises(error):
            asked(explainer, inquiry(image))
        assert asked(explainer, inquiry())[0].runs == 17


def failing_once(error: Exception | None) -> Callable[[Any], Any]:
    errors = [error] if error else []

    def answer(batch: Any) -> Any:
        if errors:
            raise errors.pop()
        return mean_colour_answer(batch)

    return answer


def test_a_model_that_was_swapped_meanwhile_is_not_mixed_in(model: Model) -> None:
    """Reasons of one model for the answer of another would be wrong."""
    with explaining(model) as explainer, pytest.raises(ModelNotReadyError, match="colours:7"):
        asked(explainer, inquiry(ref=ModelRef("colours", "7")))


def test_one_who_leaves_is_worked_for_no_longer(model: Model) -> None:
    """The work ends with the run under way."""
    told: list[str] = []
    entered, go_on = threading.Event(), threading.Event()
    session = FakeSession(held(entered, go_on))
    with explaining(Model(model.ref, "", model.predictor, session), counted=told.append) as explainer:
        left = explainer.ask([inquiry(runs=10_000)])
        assert entered.wait(10)
        assert left.cancel()
        go_on.set()
        assert asked(explainer, inquiry())[0].runs == 17
        with pytest.raises(CancelledError):
            left.result()
    assert len(session.batches) == 18
    assert told == ["gone", "ok"]


def held(entered: threading.Event, go_on: threading.Event) -> Callable[[Any], Any]:
    def answer(batch: Any) -> Any:
        entered.set()
        go_on.wait(10)
        return mean_colour_answer(batch)

    return answer


def test_closing_ends_what_is_under_way_and_what_waits(model: Model) -> None:
    """At once, with the error that tells why; later requests are refused."""
    with explaining(model, calm=lambda: False) as explainer:
        futures = [explainer.ask([inquiry()]) for _ in range(3)]
        explainer.close()
        assert all(isinstance(future.exception(5), StoppingError) for future in futures)
        with pytest.raises(StoppingError), explainer.place():
            pass
        with pytest.raises(StoppingError):
            explainer.ask([inquiry()])
