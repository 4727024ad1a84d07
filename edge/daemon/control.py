"""What the daemon does when asked; fulfils :class:`edge.ports.Control` for HTTP and MQTT."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from edge.daemon.messaging import Messaging
from edge.daemon.progress import Progress
from edge.daemon.status import Status, Supervised
from edge.errors import EdgeError, ModelNotReadyError, RequestError
from edge.publishers.mqtt_payloads import model_payload
from edge.publishers.outbox import Message
from edge.results import ModelRef
from edge.rollout import Change, Rollout, Watch, change_json

_log = logging.getLogger(__name__)


class DaemonControl:
    """Answers for the running daemon. Thread-safe."""

    def __init__(self, status: Status, *, messaging: Messaging | None) -> None:
        self._status = status
        self._messaging = messaging
        self._rollout: Rollout | None = None
        self._watch: Watch | None = None
        self._sources: tuple[Supervised, ...] = ()
        self._announced: Mapping[str, Any] = {}
        self._announcing = threading.Lock()

    def follow(self, rollout: Rollout, sources: Sequence[Supervised]) -> None:
        """Answer for a rollout and sources from now on."""
        self._rollout = rollout
        self._sources = tuple(sources)
        self._status.follow(rollout, sources)

    def watches(self, progress: Progress) -> None:
        """Tell from now on whether all parts get on."""
        self._status.watch(progress)

    def wakes(self, watch: Watch) -> None:
        """Let ``reload`` wake ``watch`` from now on."""
        self._watch = watch

    def look(self) -> None:
        """Look into the registry and publish what changed; called again and again."""
        self._rolling().check()
        self.announce()

    def stopping(self) -> None:
        """Be no longer ready."""
        self._status.stopping()

    def status(self) -> Mapping[str, Any]:
        """Return the truth about device, provider, model, queue, sources and broker."""
        return self._status.full()

    def problems(self) -> Sequence[str]:
        """Return why the daemon is not ready; empty when it is."""
        return self._status.problems()

    def models(self) -> Sequence[Mapping[str, Any]]:
        """Return every known version with its state."""
        return self._rolling().models()

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        """Prove, warm and swap in a version; see :meth:`edge.ports.Control.activate`."""
        return self._rolling().activate(name, version)

    def rollback(self, name: str) -> ModelRef:
        """Go back to the previous version; see :meth:`edge.ports.Control.rollback`."""
        return self._rolling().rollback(name)

    def reload(self) -> None:
        """Look into the registry now: a person asks."""
        if self._rollout is not None:
            self._rollout.hurry()
        self.wake()

    def wake(self) -> None:
        """Let the next look begin now."""
        if self._watch is not None:
            self._watch.now()

    def capture(self, source: str) -> None:
        """Take one frame of a source now. Raises RequestError."""
        found = next((s for s in self._sources if s.name == source), None)
        if found is None:
            names = ", ".join(s.name for s in self._sources) or "none"
            raise RequestError(f"there is no source {source!r}; configured: {names}")
        if not found.capture():
            raise RequestError(f"source {source!r} cannot take a frame out of turn")

    def tell(self, change: Change) -> None:
        """Publish what became of a version, and the state if that changed it."""
        if self._messaging is not None:
            topics, publisher = self._messaging.topics, self._messaging.publisher
            try:
                publisher.send(Message(topics.model, model_payload(topics.device, change_json(change))))
            except EdgeError as error:  # a full disk or outbox must not keep a model from service
                _log.error("a change of the model cannot be published", extra={"reason": str(error)})
        self.announce()

    def announce(self) -> None:
        """Publish the state, retained, if it differs from what was published last."""
        if self._messaging is None:
            return
        with self._announcing:
            state = self._status.announced(self._messaging)
            if state != self._announced:
                self._announced = state
                self._messaging.publisher.announce(state)

    def _rolling(self) -> Rollout:
        if self._rollout is None:
            raise ModelNotReadyError("the daemon is still starting")
        return self._rollout
