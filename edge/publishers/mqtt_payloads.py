"""The JSON that goes over MQTT beside results themselves. Pure but for the time in ``at``."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from edge.publishers.outbox import Dropped, Outbox
from edge.results import instant

DROPPED_SCHEMA = "automl-edge/dropped/1"
MODEL_SCHEMA = "automl-edge/model/1"
STATE_SCHEMA = "automl-edge/state/1"


def state_payload(device: str, state: str, more: Mapping[str, Any]) -> bytes:
    """Return the ``state`` topic's JSON: ``state`` is online or offline, ``more`` what else there is to say."""
    own = {"schema": STATE_SCHEMA, "state": state, "device": device, "at": instant(datetime.now(UTC))}
    return orjson.dumps({**more, **own})


def outbox_json(outbox: Outbox) -> Mapping[str, Any]:
    """Return how full the outbox is, as part of the state."""
    return {"outbox": {"depth": outbox.depth, "dropped": outbox.dropped}}


def model_payload(device: str, change: Mapping[str, Any]) -> bytes:
    """Return the ``model`` topic's JSON: what became of a version."""
    return orjson.dumps({"schema": MODEL_SCHEMA, "device": device, **change, "at": instant(datetime.now(UTC))})


def dropped_payload(device: str, record: Dropped) -> bytes:
    """Return the ``dropped`` topic's JSON: which numbers will not come."""
    numbers = {"first_seq": record.first_seq, "last_seq": record.last_seq, "count": record.count}
    return orjson.dumps({"schema": DROPPED_SCHEMA, "device": device, **numbers})


def replayed_payload(payload: bytes) -> bytes:
    """Return a result's JSON marked as one that had to wait for a connection."""
    return orjson.dumps({**orjson.loads(payload), "replayed": True})
