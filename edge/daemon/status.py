"""What the daemon says of itself: over HTTP, in the MQTT state, in the metrics. JSON-ready, nothing secret in it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.daemon.messaging import Messaging
from edge.daemon.progress import Progress
from edge.metrics import OutboxFigures, Snapshot
from edge.ports import Executor, Priority
from edge.publishers.mqtt_payloads import outbox_detail, outbox_json
from edge.publishers.outbox import OutboxStatus
from edge.results import model_json
from edge.rollout import Rollout, pulled_json, refusal_json, update_json
from edge.session import OnnxSession

MOST_REFUSED = 20
"""So many refused versions are shown, the newest; ``/v1/models`` has them all."""


class Supervised(Protocol):
    """A source under supervision, as the daemon sees it."""

    @property
    def name(self) -> str:
        """The source's name."""

    def status(self) -> Mapping[str, Any]:
        """Name, kind, state, reason and counts, JSON-ready."""

    def capture(self) -> bool:
        """Take one frame now; False where this kind cannot."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this daemon is: product version, device name."""

    version: str
    device: str


class Status:
    """Looks at the parts of the running daemon and tells what it sees. Thread-safe."""

    def __init__(self, identity: Identity, *, executor: Executor, messaging: Messaging | None) -> None:
        self.identity = identity
        self._executor = executor
        self._messaging = messaging
        self._rollout: Rollout | None = None
        self._sources: Sequence[Supervised] = ()
        self._started = time.monotonic()
        self._stopping = False
        self._progress = Progress()
        self._standing: Sequence[Callable[[], Sequence[str]]] = ()

    def also(self, standing: Callable[[], Sequence[str]]) -> None:
        """Tell these warnings too from now on."""
        self._standing = (*self._standing, standing)

    def watch(self, progress: Progress) -> None:
        """Tell from now on whether all parts get on."""
        self._progress = progress

    def follow(self, rollout: Rollout, sources: Sequence[Supervised]) -> None:
        """Tell of a rollout and sources too from now on."""
        self._rollout = rollout
        self._sources = tuple(sources)

    def stopping(self) -> None:
        """Be no longer ready."""
        self._stopping = True

    def problems(self) -> Sequence[str]:
        """Return why the daemon is not ready; empty when it is."""
        if self._stopping:
            return ["the daemon is stopping"]
        if self._executor.model is not None:
            return []
        reason = self._rollout.problem if self._rollout else None
        return [reason or "the model is being loaded"]

    def warnings(self) -> list[str]:
        """Return what is not as configured although the daemon answers."""
        model = self._executor.model
        found = []
        if model is not None and not model.ref.proven:
            found.append(f"{model.ref} is unproven: it has no golden pictures with known answers")
        session = model.session if model else None
        if isinstance(session, OnnxSession) and session.truth.fallback:
            found.append(f"the GPU does not run the model, the CPU does: {session.truth.fallback}")
        if model is not None and self._rollout is not None and self._rollout.problem:
            found.append(self._rollout.problem)
        if self._rollout is not None and self._rollout.unsaved:
            found.append(self._rollout.unsaved)
        if model is not None and self._rollout is not None:
            found += [f"a version is refused: {refusal}" for refusal in self._rollout.refused[:MOST_REFUSED]]
        if self._rollout is not None and self._rollout.failing:
            found.append(self._rollout.failing)
        if self._messaging is not None:
            publisher = self._messaging.publisher
            found += [problem for problem in (publisher.problem, publisher.outbox_status().problem) if problem]
        found += [f"{part} is stuck: {reason}" for part, reason in self._progress.stuck.items()]
        found += [text for told in self._standing for text in told()]
        found += [f"source {s['name']}: {s['reason']}" for s in self._source_states() if s.get("reason")]
        return found

    def full(self) -> Mapping[str, Any]:
        """Return the truth about device, provider, model, queue, sources and broker."""
        problems = list(self.problems())
        return {
            "device": self.identity.device,
            "version": self.identity.version,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "ready": not problems,
            "problems": problems,
            "warnings": self.warnings(),
            "progress": self._progress.status(),
            "model": self._model(),
            "provider": self._provider(),
            "session": self._session(),
            "execution": {
                "shape": self._executor.shape,
                "queued": self._executor.queued,
                "capacity": self._executor.capacity,
                "overloaded": self._executor.full(Priority.REQUEST) is not None,
            },
            **self._updates(pulled=True),
            **self._trials(),
            "sources": self._source_states(),
            "mqtt": self._broker(),
        }

    def snapshot(self) -> Snapshot:
        """Return what the metrics look up at each scrape."""
        publisher = self._messaging.publisher if self._messaging else None
        model = self._executor.model
        return Snapshot(
            ready=not self.problems(),
            model=model.ref if model else None,
            provider=self._provider(),
            queue_depth=self._executor.queued,
            queue_capacity=self._executor.capacity,
            outbox=_figures(publisher.outbox_status()) if publisher else None,
            broker_connected=publisher.connected if publisher else None,
            sources={str(s["name"]): str(s["state"]) for s in self._source_states()},
        )

    def announced(self, messaging: Messaging) -> Mapping[str, Any]:
        """Return what the retained state says."""
        return {
            "version": self.identity.version,
            "ready": not self.problems(),
            "problems": list(self.problems()),
            "warnings": self.warnings(),
            "model": self._model(),
            "provider": self._provider(),
            **self._updates(),
            "shadow": self._trials()["shadow"],
            "sources": [{"name": s["name"], "state": s["state"]} for s in self._source_states()],
            **outbox_json(messaging.publisher.outbox_status()),
        }

    def _model(self) -> Mapping[str, Any] | None:
        model = self._executor.model
        return {**model_json(model.ref), "digest": model.digest} if model else None

    def _provider(self) -> str | None:
        model = self._executor.model
        return model.session.provider if model else None

    def _updates(self, *, pulled: bool = False) -> Mapping[str, Any]:
        """Return the version on its way to serve, None where there is none, and the versions that do not serve.

        ``pulled`` adds how much of it is here, which changes too often to be published.
        """
        if self._rollout is None:
            return {"update": None, "refused": []}
        refused = [refusal_json(refusal) for refusal in self._rollout.refused[:MOST_REFUSED]]
        update = self._rollout.update
        told = update_json(update)
        return {"update": {**told, **pulled_json(update)} if told and pulled else told, "refused": refused}

    def _trials(self) -> Mapping[str, Any]:
        """Return the trial and the probation under way, each None where there is none."""
        if self._rollout is None:
            return {"shadow": None, "probation": None}
        return {"shadow": self._rollout.trial or None, "probation": self._rollout.probation or None}

    def _session(self) -> Mapping[str, Any] | None:
        session = self._executor.model.session if self._executor.model else None
        if not isinstance(session, OnnxSession):
            return None
        truth = session.truth
        warmup = {str(size): ms for size, ms in truth.warmup_ms.items()}
        return {
            "threads": truth.threads,
            "nodes": dict(truth.nodes),
            "fallback": truth.fallback,
            "warmup_ms": warmup,
            "batch_sizes": list(session.batch_sizes),
        }

    def _source_states(self) -> list[Mapping[str, Any]]:
        return [source.status() for source in self._sources]

    def _broker(self) -> Mapping[str, Any] | None:
        if self._messaging is None:
            return None
        publisher = self._messaging.publisher
        return {
            "broker": self._messaging.address,
            "embedded": self._messaging.embedded,
            "connected": publisher.connected,
            "problem": publisher.problem,
            "outbox": publisher.depth,
            "dropped": publisher.dropped,
            "outbox_detail": outbox_detail(publisher.outbox_status()),
        }


def _figures(outbox: OutboxStatus) -> OutboxFigures:
    return OutboxFigures(
        depth=outbox.depth,
        bytes=outbox.bytes,
        oldest_s=outbox.oldest_s,
        dropped=outbox.dropped,
        damaged=outbox.damaged,
        writable=outbox.writable,
    )
