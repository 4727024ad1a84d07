"""Explanations: many runs a picture, worked on by one thread, and only while live pictures leave the device alone."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from edge.errors import DeadlineError, EdgeError, InferenceError, ModelNotReadyError, OverloadedError, StoppingError
from edge.execution.job import Clock
from edge.explain import DEFAULT_RUNS, Method, Scores, always, chunk_size, explain, figure
from edge.ports import Model
from edge.predictor import Image
from edge.preprocess.encode import png
from edge.results import Classification, ModelRef

PLACES = 4
"""How many requests for explanations are let in at once: one that is worked on, and those that wait."""
SPAN_S = 60.0
"""How long the explanations of one request may take altogether."""
LOOK_AGAIN_S = 0.002
"""How long a run waits before it looks again whether live pictures leave room for it."""
RETRY_S = 5.0
"""After how many seconds to come again, where it is not known how long an explanation takes."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A picture, the answer to it by ``model``, and for which of its classes (indices) reasons are wanted.

    ``runs`` bounds the inputs that are run for it. ``drawn`` tells whether figures are wanted beside the maps.
    """

    image: Image
    answer: Classification
    model: ModelRef
    classes: tuple[int, ...]
    method: Method = "occlusion"
    runs: int = DEFAULT_RUNS
    seed: int = 0
    drawn: bool = True


@dataclass(frozen=True, slots=True)
class Explained:
    """For each class asked for its label, its map [side, side] of -1..1 and, where wanted, its figure as a PNG file.

    ``runs`` is how many inputs were run for all of them.
    """

    labels: tuple[str, ...]
    maps: NDArray[np.float32]
    figures: tuple[bytes, ...]
    runs: int


def explained(
    model: Model, inquiry: Inquiry, *, otherwise: int = 1, alone: bool = False, turn: Callable[[], bool] = always
) -> Explained:
    """Return the reasons for a picture's answer; no class, no reasons and no run.

    ``otherwise`` is how many inputs go into a run where the session takes any number. ``turn`` is called before each
    run, see :class:`edge.explain.Scores`. Raises ImageDecodeError, ImageTooLargeError, InferenceError, and
    DeadlineError where the time sufficed for no map.
    """
    tensor = model.predictor.prepare(inquiry.image)
    if not inquiry.classes:
        return Explained((), np.zeros((0, *tensor.shape[1:]), np.float32), (), 0)
    scores = Scores(
        partial(model.session.run, alone=alone),
        inquiry.classes,
        multilabel=inquiry.answer.selected is not None,
        size=chunk_size(model.session.batch_sizes, otherwise=otherwise),
        turn=turn,
    )
    found = explain(tensor, scores, method=inquiry.method, runs=inquiry.runs, seed=inquiry.seed)
    if not found.maps.size:
        raise DeadlineError(
            "live pictures and other explanations left no time for this one; ask again when there are fewer of them"
        )
    labels = tuple(inquiry.answer.labels[index] for index in inquiry.classes)
    seen = model.predictor.seen(tensor)
    figures = tuple(png(figure(seen, heat)) for heat in found.maps) if inquiry.drawn else ()
    return Explained(labels, found.maps, figures, found.runs)


@dataclass(slots=True, eq=False)
class _Request:
    """The pictures of one request, and until when they may be worked on. Cancelling the future takes it back."""

    inquiries: Sequence[Inquiry]
    ends_at: float
    future: Future[list[Explained]] = field(default_factory=Future)

    def forget(self, _: object) -> None:
        """Hold the pictures no longer."""
        self.inquiries = ()


class Explaining:
    """Explains the answers of the model that serves. Thread-safe; its thread begins with the first request.

    ``model`` returns what serves, ``calm`` whether live pictures leave room for a run. ``counted`` hears what became of
    each request: ``ok``, ``refused``, ``late``, ``failed``, or ``gone`` where nobody waits for it any more. A request
    has ``span_s`` seconds from when it is asked; what was found when they are over is the answer. While others wait, it
    is worked on for a share of them only, so that each of ``places`` requests gets its turn in time.
    """

    def __init__(
        self,
        *,
        model: Callable[[], Model | None],
        calm: Callable[[], bool],
        counted: Callable[[str], object] = lambda _: None,
        places: int = PLACES,
        span_s: float = SPAN_S,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._model = model
        self._calm = calm
        self._counted = counted
        self._free = threading.BoundedSemaphore(places)
        self._places = places
        self.span_s = span_s
        self._clock = clock
        self._waiting: SimpleQueue[_Request | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._usual_s = RETRY_S

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one request, from before its pictures are predicted.

        Raises OverloadedError, StoppingError.
        """
        self._check_open()
        if not self._free.acquire(blocking=False):
            self._counted("refused")
            raise OverloadedError(
                f"{self._places} requests for explanations are under way; come again when Retry-After has passed, or "
                "ask without model_explainability",
                retry_after_s=self._usual_s,
            )
        try:
            yield
        finally:
            self._free.release()

    def ask(self, inquiries: Sequence[Inquiry]) -> Future[list[Explained]]:
        """Return the future reasons, in the order of the inquiries; for one who holds a place.

        It fails with DeadlineError, InputError, InferenceError, ModelNotReadyError or StoppingError; cancelled, the
        work ends with the run under way. Raises StoppingError.
        """
        request = _Request(inquiries, self._clock() + self.span_s)
        request.future.add_done_callback(request.forget)
        with self._changing:
            self._check_open()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="explain", daemon=True)
                self._thread.start()
            self._waiting.put(request)
        return request.future

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Take no more, fail what waits and what is worked on, end with the run under way."""
        with self._changing:
            self._stopping.set()
            self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _check_open(self) -> None:
        if self._stopping.is_set():
            raise StoppingError("the daemon is stopping and explains nothing any more")

    def _serve(self) -> None:
        while (request := self._waiting.get()) is not None:
            self._answer(request)

    def _answer(self, request: _Request) -> None:
        began, inquiries = self._clock(), request.inquiries
        try:
            found = [
                self._explained(request, inquiry, began, len(inquiries) - n) for n, inquiry in enumerate(inquiries)
            ]
        except Exception as error:  # noqa: BLE001 - not swallowed: the request that waits for it gets it
            self._counted(_outcome(request.future, error))
            _fail(request.future, error)
            return
        self._usual_s += (self._clock() - began - self._usual_s) / 4
        self._counted(_outcome(request.future))
        with suppress(InvalidStateError):  # cancelled by its requester meanwhile
            request.future.set_result(found)

    def _explained(self, request: _Request, inquiry: Inquiry, began: float, left: int) -> Explained:
        """Explain one picture, of ``left`` that share the time which is left of a request begun at ``began``."""
        now = self._clock()

        def until() -> float:
            """Where others wait, sooner."""
            fair = began + self.span_s / self._places
            ends_at = request.ends_at if self._waiting.empty() else min(request.ends_at, fair)
            return now + (ends_at - now) / left

        model = self._model()
        if model is None or model.ref != inquiry.model:
            raise ModelNotReadyError(f"{inquiry.model} answered and serves no longer; ask again")
        return explained(model, inquiry, turn=lambda: self._turn(request, until))

    def _turn(self, request: _Request, until: Callable[[], float]) -> bool:
        """Wait until live pictures leave room for a run; tell whether there is time left, and somebody who waits."""
        while self._clock() < until() and not request.future.cancelled():
            self._check_open()
            if self._calm():
                return True
            self._stopping.wait(LOOK_AGAIN_S)
        return False


def _outcome(future: Future[list[Explained]], error: Exception | None = None) -> str:
    """Return what is counted of a request."""
    if future.cancelled():
        return "gone"
    return "ok" if error is None else "late" if isinstance(error, DeadlineError) else "failed"


def _fail(future: Future[list[Explained]], error: BaseException) -> None:
    if not isinstance(error, EdgeError):
        wrapped = InferenceError(f"unexpected {type(error).__name__} while explaining: {error}")
        wrapped.__cause__ = error
        error = wrapped
    with suppress(InvalidStateError):  # cancelled by its requester meanwhile
        future.set_exception(error)
