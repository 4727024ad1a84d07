"""The Protocols that adapters fulfil, and the data that crosses them. Nothing here does anything."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge.results import ModelRef, Outcome, Result

if TYPE_CHECKING:
    from edge.predictor import BatchF32, Image, OutputsF32, Predictor  # only names: who asks Azure loads no numpy


class Priority(IntEnum):
    """Who goes first when there is too much to do; the lowest number does."""

    TRIGGER = 0
    REQUEST = 1
    STREAM = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture on its way in.

    ``image`` is an encoded file's bytes or a decoded uint8 array [height, width, 3] in RGB. ``captured_at`` is an aware
    datetime in UTC. ``name`` is the source's own name of the picture, ``correlation_id`` the sender's. ``priority``
    tells who goes first under load. ``identity`` names the very picture where its source may hand it in again after a
    crash: the same identity gets the same result id, so that a receiver can drop the repetition.
    """

    image: "Image"
    source: str
    captured_at: datetime
    name: str | None = None
    correlation_id: str | None = None
    priority: Priority = Priority.STREAM
    identity: bytes | None = None


class Session(Protocol):
    """A loaded graph on a device."""

    @property
    def provider(self) -> str:
        """The execution provider that really runs it."""

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The only sizes that a batch may have, ascending; empty means that any size runs equally well."""

    def run(self, batch: "BatchF32", *, alone: bool = False) -> "OutputsF32":
        """Return the graph's output [n, classes] for ``batch`` [n, 3, height, width].

        Safe to call from several threads. ``alone`` says that nothing else is being run, so that all cores may be used.
        Raises InferenceError.
        """


@dataclass(frozen=True, slots=True)
class Model:
    """A model that may serve: checked, warmed and, where it has golden pictures, proven on this device."""

    ref: ModelRef
    digest: str
    predictor: "Predictor"
    session: Session


class Executor(Protocol):
    """Runs pictures through the present model: as lanes or as a pipeline, behind one interface."""

    @property
    def shape(self) -> str:
        """``lanes`` or ``pipeline``; ``auto`` where the first model is still to decide."""

    def submit(
        self, image: "Image", *, deadline_s: float | None = None, priority: Priority = Priority.REQUEST
    ) -> Future[Outcome]:
        """Queue one picture; the future can be cancelled while it waits.

        ``deadline_s`` is the longest wait in seconds before the work begins. A picture of a lower ``priority`` goes
        before all waiting ones of a higher number, and finds room when they no longer do. The future fails with
        InputError, InferenceError, DeadlineError or StoppingError. Raises OverloadedError when the queue is full,
        ModelNotReadyError without a model, StoppingError once closed.
        """

    def swap(self, model: Model, *, timeout_s: float = 30.0) -> bool:
        """Let new work run on ``model``; wait for the work on the previous one; tell whether it ended in time."""

    @property
    def model(self) -> Model | None:
        """The model that new work runs on."""

    @property
    def queued(self) -> int:
        """Pictures accepted and not answered yet."""

    @property
    def capacity(self) -> int:
        """How many pictures may be queued."""

    def full(self, priority: Priority) -> float | None:
        """Return in how many seconds to come again where there is no room for ``priority``; None where there is."""

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Take no new work, finish what was accepted, stop the threads. Work left after ``timeout_s`` fails."""


Emit = Callable[[Frame], Future[Result]]
"""Hands a frame in; the future's result is the delivered answer, a bad picture's too. Raises OverloadedError,
StoppingError, ModelNotReadyError."""


class Source(Protocol):
    """Where frames come from. ``run`` is called in a thread of its own and supervised: a SourceError restarts it."""

    @property
    def name(self) -> str:
        """The source's own name, part of the topic of its results."""

    @property
    def kind(self) -> str:
        """What the configuration calls it."""

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Emit frames until ``stop`` is set or the source ends. Raises SourceError."""

    def capture(self) -> bool:
        """Take one frame now, out of turn; False where this kind of source cannot."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version in a registry.

    ``digest`` tells a replaced version from the one that was seen before; ``signature`` is a digest of what signatures
    lie beside it, empty where there are none.
    """

    name: str
    version: str
    created_at: datetime
    digest: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look into a registry found.

    ``candidates`` are the whole versions, newest first; ``refused`` tells, by ``name/version``, why a version that is
    there is not among them. ``exact`` says that somebody chose them, by a stage or a tag: the newest of them is wanted,
    though older than what serves.
    """

    candidates: tuple[Candidate, ...]
    refused: Mapping[str, str]
    exact: bool = False


Took = Callable[[int, int], object]
"""Hears how many bytes of how many are here; of 0 where that is not known."""


class Registry(Protocol):
    """The place where models are found. Safe to use from several threads."""

    def survey(self, name: str | None = None, *, version: str | None = None, asked: bool = False) -> Survey:
        """Look once: the whole versions (of ``name``), and why others are refused. Raises RegistryError.

        Only ``version`` need be among them where one is given, and it is whatever else is followed. ``asked`` says that
        a person waits for it.
        """

    def known(self, name: str | None = None) -> Survey:
        """Return what the last look found, or look where that costs nothing. Raises RegistryError."""

    def fetch(self, candidate: Candidate, into: Path, *, took: Took = lambda _took, _of: None) -> None:
        """Copy a version's files into the empty folder ``into``. Raises RegistryError, ModelNotFoundError."""

    def interrupt(self) -> None:
        """Let a look or a copy under way, in another thread, end at once with a RegistryError."""

    def close(self) -> None:
        """Do the same, and begin no other any more."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest result that a publisher was ever given, in this process or one before: its ``seq`` and ``id``."""

    seq: int = 0
    id: str = ""


class Publisher(Protocol):
    """Takes results to a receiver, at least once, in order per source."""

    @property
    def mark(self) -> Mark:
        """Where numbering goes on."""

    def admit(self) -> None:
        """Raise OverloadedError where no room is left for a result and none may be dropped for it."""

    def publish(self, result: Result) -> None:
        """Take a result without waiting for the receiver; it is kept once this returns."""

    def announce(self, state: Mapping[str, Any]) -> None:
        """Make the daemon's state known: retained where the receiver can."""

    @property
    def connected(self) -> bool:
        """Whether the receiver takes results at this moment."""

    @property
    def depth(self) -> int:
        """How many results wait to be acknowledged."""

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Deliver what is left within ``timeout_s``, say goodbye, stop."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that came in over a broker.

    ``topic`` is what follows ``{prefix}/{device}/``. ``correlation_id`` is the sender's own (MQTT 5). ``retained``
    marks a message that the broker kept from before. ``redelivered`` marks one that it sent before, under the same
    ``packet_id``, and saw no acknowledgement of. ``acknowledge`` tells the broker that it need not send the message
    again; it may be called from any thread, and late, and does nothing once the connection is gone.
    """

    topic: str
    payload: bytes
    acknowledge: Callable[[], object]
    correlation_id: str | None = None
    retained: bool = False
    packet_id: int = 0
    redelivered: bool = False


class Subscriptions(Protocol):
    """Where a source or a program asks for messages without knowing the broker."""

    def subscribe(self, pattern: str, deliver: Callable[[Incoming], None], *, qos: int = 1) -> None:
        """Have messages below ``{prefix}/{device}/`` that match ``pattern`` given to ``deliver``; ``+`` is any level.

        Holds for every connection to come. ``deliver`` may only queue. Of several patterns that match, the one that
        names more levels gets the message.
        """


Observer = Callable[[Result], None]
"""Sees each delivered result: the live feed, the terminal, the metrics. Must not block."""


Witness = Callable[[Frame, Outcome], None]
"""Sees each answered frame with its outcome, before its sender has the answer. Must not block."""


class Control(Protocol):
    """What people and programs may ask of the running daemon, over whatever protocol they come."""

    def status(self) -> Mapping[str, Any]:
        """Return the truth about device, provider, model, queue, sources, broker: JSON-ready, nothing secret in it."""

    def problems(self) -> Sequence[str]:
        """Return why the daemon is not ready; empty when it is."""

    def models(self) -> Sequence[Mapping[str, Any]]:
        """Return every known version with its state (current, previous, available, refused with the reason)."""

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        """Prove, warm and swap in a version and stay with it; None follows the newest again.

        Raises ModelNotFoundError, ModelInvalidError, ModelUnsupportedError, DeviceError; the running model stays.
        """

    def rollback(self, name: str) -> ModelRef:
        """Go back to the previous version; the one left is not taken again by itself. Raises as ``activate`` does."""

    def reload(self) -> None:
        """Look into the registry now instead of at the next poll."""

    def capture(self, source: str) -> None:
        """Take one frame of a source now. Raises RequestError for an unknown source or one that cannot."""
