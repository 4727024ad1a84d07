"""The JSON that goes over MQTT beside results themselves. Pure but for the time in ``at``."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from edge.publishers.outbox import Dropped, OutboxStatus
from edge.results import instant

DROPPED_SCHEMA = "automl-edge/dropped/1"
MODEL_SCHEMA = "automl-edge/model/1"
STATE_SCHEMA = "automl-edge/state/1"


def state_payload(device: str, state: str, more: Mapping[str, Any]) -> bytes:
    """Return the ``state`` topic's JSON: ``state`` is online or offline, ``more`` what else there is to say."""
    own = {"schema": STATE_SCHEMA, "state": state, "device": device, "at": instant(datetime.now(UTC))}
    return orjson.dumps({**more, **own})


def outbox_json(status: OutboxStatus) -> Mapping[str, Any]:
    """Return how full the outbox is and what is wrong with it, as part of the state."""
    counts = {"depth": status.depth, "dropped": status.dropped, "damaged": status.damaged}
    return {"outbox": {**counts, "problem": status.problem}}


def model_payload(device: str, change: Mapping[str, Any]) -> bytes:
    """Return the ``model`` topic's JSON: what became of a version."""
    return orjson.dumps({"schema": MODEL_SCHEMA, "device": device, **change, "at": instant(datetime.now(UTC))})


def outbox_detail(status: OutboxStatus) -> Mapping[str, Any]:
    """Return all there is to say of the outbox, for ``/v1/status``."""
    return {
        "store": status.store,
        "full": status.full,
        "depth": status.depth,
        "bytes": status.bytes,
        "oldest_s": round(status.oldest_s, 1),
        "dropped": status.dropped,
        "damaged": status.damaged,
        "writable": status.writable,
        "problem": status.problem,
    }


def dropped_payload(device: str, record: Dropped) -> bytes:
    """Return the ``dropped`` topic's JSON: which numbers will not come, and why."""
    numbers = {"first_seq": record.first_seq, "last_seq": record.last_seq, "count": record.count}
    return orjson.dumps({"schema": DROPPED_SCHEMA, "device": device, **numbers, "reason": record.reason})


def replayed_payload(payload: bytes) -> bytes:
    """Return a result's JSON marked as one that had to wait for a connection.

    The key is looked for as orjson writes it. A text cannot hold it: there its quotes would be escaped.
    """
    return payload.replace(b'"replayed":false', b'"replayed":true', 1)
