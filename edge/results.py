"""What comes out of a model, as frozen data, and its one spelling in JSON (HTTP, MQTT and files share it)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

RESULT_SCHEMA = "automl-edge/result/1"


@dataclass(frozen=True, slots=True)
class Classification:
    """One picture's classes.

    ``labels`` and ``probs`` run parallel, in the order of the bundle's labels file; ``probs`` lie in 0..1 and, for a
    multi-class model, sum to 1. ``label`` is the most probable class and ``score`` its probability. ``selected`` holds
    the labels above the bundle's threshold for a multi-label model and is None for a multi-class one.
    """

    label: str
    score: float
    labels: tuple[str, ...]
    probs: tuple[float, ...]
    selected: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be answered: ``kind`` is the error's class name, ``detail`` its text for a person."""

    kind: str
    detail: str


Prediction = Classification | Failure


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds spent on one picture: waiting, bytes to tensor, in the session, outputs to prediction."""

    queue_ms: float = 0.0
    preprocess_ms: float = 0.0
    inference_ms: float = 0.0
    postprocess_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        """All stages together, in milliseconds."""
        return self.queue_ms + self.preprocess_ms + self.inference_ms + self.postprocess_ms


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model answered. ``proven`` tells whether golden pictures with known answers held on this device."""

    name: str
    version: str
    proven: bool = True

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the execution returns for one picture. ``provider`` is the execution provider that really ran."""

    prediction: Prediction
    model: ModelRef
    provider: str
    timing: Timing


@dataclass(frozen=True, slots=True)
class Result:
    """One delivered answer.

    ``id`` is a ULID (sortable, unique). ``seq`` counts per device from 1 without gaps; 0 marks an answer that is not
    published. ``captured_at`` is an aware datetime in UTC. ``name`` is the source's own name of the picture (a file
    name), ``correlation_id`` the sender's.
    """

    id: str
    seq: int
    device: str
    source: str
    captured_at: datetime
    outcome: Outcome
    name: str | None = None
    correlation_id: str | None = None
    replayed: bool = False


def instant(moment: datetime) -> str:
    """Return an aware datetime as RFC 3339 in UTC with milliseconds, ending in ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """Return the wire form of one prediction, as the HTTP and MQTT reference give it."""
    if isinstance(prediction, Failure):
        return {"error": {"kind": prediction.kind, "detail": prediction.detail}}
    body: dict[str, Any] = {
        "label": prediction.label,
        "score": prediction.score,
        "labels": list(prediction.labels),
        "probs": list(prediction.probs),
    }
    if prediction.selected is not None:
        body["selected"] = list(prediction.selected)
    return body


def timing_json(timing: Timing) -> dict[str, float]:
    """Return milliseconds by stage, rounded to a microsecond."""
    return {
        "queue": round(timing.queue_ms, 3),
        "preprocess": round(timing.preprocess_ms, 3),
        "inference": round(timing.inference_ms, 3),
        "postprocess": round(timing.postprocess_ms, 3),
        "total": round(timing.total_ms, 3),
    }


def model_json(model: ModelRef) -> dict[str, Any]:
    """Return the wire form of a model's name."""
    return {"name": model.name, "version": model.version, "proven": model.proven}


def result_json(result: Result) -> Mapping[str, Any]:
    """Return the wire form of a delivered result (the payload of ``{source}/result``)."""
    body: dict[str, Any] = {
        "schema": RESULT_SCHEMA,
        "id": result.id,
        "seq": result.seq,
        "device": result.device,
        "source": result.source,
        "captured_at": instant(result.captured_at),
        "model": model_json(result.outcome.model),
        "provider": result.outcome.provider,
        "predictions": [prediction_json(result.outcome.prediction)],
        "timing_ms": timing_json(result.outcome.timing),
        "replayed": result.replayed,
    }
    if result.name is not None:
        body["name"] = result.name
    if result.correlation_id is not None:
        body["correlation_id"] = result.correlation_id
    return body
