"""Keeps a source running: each in a thread of its own, started again after a fault, its state open to see."""

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Literal, Protocol, runtime_checkable

from edge.errors import EdgeError, StoppingError
from edge.ports import Emit, Frame, Source
from edge.results import Failure, Result
from edge.sources.clock import Clock, SystemClock

State = Literal["starting", "running", "waiting", "ended"]

log = logging.getLogger(__name__)


@runtime_checkable
class Drops(Protocol):
    """A source that drops frames and counts them."""

    @property
    def dropped(self) -> int:
        """How many frames were dropped."""


class SupervisedSource:
    """Runs ``source`` until it ends or is stopped. A fault starts it again after 1 s, doubling up to ``backoff_max_s``.

    The wait begins small again once a frame was accepted. A fault nobody foresaw is logged with its traceback and then
    treated as any other: a plant's camera shall not stay dark for it.
    """

    def __init__(
        self,
        source: Source,
        emit: Emit,
        *,
        backoff_min_s: float = 1.0,
        backoff_max_s: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._source = source
        self._emit_frame = emit
        self._backoff_min_s = backoff_min_s
        self._backoff_max_s = backoff_max_s
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._state: State = "starting"
        self._reason: str | None = None
        self._told: str | None = None
        self._frames = self._errors = self._restarts = self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"source-{source.name}", daemon=True)

    @property
    def name(self) -> str:
        """The source's name."""
        return self._source.name

    @property
    def alive(self) -> bool:
        """Whether it is looked after: not started yet, its thread runs, or the source has come to its end."""
        return self._thread.ident is None or self._thread.is_alive() or self._state == "ended"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the source to end, without waiting."""
        self._stop.set()

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def capture(self) -> bool:
        """Take one frame now; False where this kind of source cannot."""
        return self._source.capture()

    def status(self) -> Mapping[str, Any]:
        """Return name, kind, state, reason and counts, JSON-ready. ``reason`` is set while waiting after a fault."""
        with self._lock:
            return {
                "name": self._source.name,
                "kind": self._source.kind,
                "state": self._state,
                "reason": self._reason,
                "frames": self._frames,
                "dropped": self._source.dropped if isinstance(self._source, Drops) else 0,
                "errors": self._errors,
                "restarts": self._restarts,
            }

    def _run(self) -> None:
        while not self._stop.is_set():
            self._become("running", None)
            reason = self._run_once()
            if reason is None or self._stop.is_set():
                break
            self._become("waiting", reason)
            self._clock.wait(self._stop, self._pause_s())
            with self._lock:
                self._restarts += 1
        self._become("ended", None)

    def _run_once(self) -> str | None:
        """Run the source; return why it failed, None where it came to its end."""
        try:
            self._source.run(self._emit, self._stop)
        except StoppingError:
            return None
        except EdgeError as exc:
            return str(exc)
        except Exception as exc:
            # supervised loop: the fault is logged in full and shown, and the source runs again
            log.exception("a source failed unexpectedly", extra={"source": self._source.name})
            return f"unexpected fault ({type(exc).__name__}: {exc}); see the log"
        return None

    def _pause_s(self) -> float:
        pause_s: float = min(self._backoff_min_s * 2**self._failures, self._backoff_max_s)
        self._failures = min(self._failures + 1, 16)
        return pause_s

    def _become(self, state: State, reason: str | None) -> None:
        with self._lock:
            self._state, self._reason = state, reason
            new = reason is not None and reason != self._told
            self._told = reason or self._told
        if new:
            log.warning("source waits before it is started again: %s", reason, extra={"source": self._source.name})

    def _emit(self, frame: Frame) -> Future[Result]:
        future = self._emit_frame(frame)
        with self._lock:
            self._frames += 1
            self._failures = 0
            self._told = None
        future.add_done_callback(self._count)
        return future

    def _count(self, future: Future[Result]) -> None:
        if future.cancelled():
            return
        failed = future.exception() is not None or isinstance(future.result().outcome.prediction, Failure)
        if failed:
            with self._lock:
                self._errors += 1
