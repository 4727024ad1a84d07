"""What the daemon does when asked; fulfils :class:`edge.ports.Control` for HTTP and MQTT."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from edge.daemon.messaging import Messaging
from edge.daemon.status import Status, Supervised
from edge.errors import ModelNotReadyError, RequestError
from edge.results import ModelRef
from edge.rollout import Rollout, Watch


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
        """Look into the registry now."""
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
