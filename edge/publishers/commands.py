"""Commands over MQTT: ``cmd/{verb}`` in, ``ack/{id}`` out. One worker, in order, so that no two commands cross."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import orjson

from edge.errors import EdgeError, RequestError
from edge.ports import Control, Incoming, Subscriptions
from edge.publishers.outbox import Message
from edge.publishers.topics import UNKNOWN_ID, Topics
from edge.results import model_json

PATTERN = "cmd/+"
MAX_WAITING = 100
"""Commands that may wait; more are ignored, and their sender gets no answer."""
MAX_ID_CHARACTERS = 128

Body = Mapping[str, Any]
Verb = Callable[[Control, Body], Body]

log = logging.getLogger(__name__)


class Link(Subscriptions, Protocol):
    """Brings commands and takes answers."""

    def send(self, message: Message) -> None:
        """Send an answer at least once."""


class Commands:
    """Answers every command that is not retained, malformed ones too.

    Commands are subscribed with QoS 0: a broker then hands them out past pictures that wait for their turn, and none
    that was sent while the device was away is carried out hours later. The answer is the acknowledgement.
    """

    def __init__(self, link: Link, control: Control, topics: Topics) -> None:
        self._link = link
        self._control = control
        self._topics = topics
        self._waiting: queue.Queue[Incoming | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="mqtt-commands", daemon=True)
        link.subscribe(PATTERN, self._take, qos=0)

    def start(self) -> None:
        """Begin to carry out commands."""
        self._thread.start()

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Carry out what is waiting, then stop; what takes longer than ``timeout_s`` is left behind."""
        ends_at = time.monotonic() + timeout_s
        if self._thread.is_alive():
            with suppress(queue.Full):  # one takes long and as many as may wait behind it
                self._waiting.put(None, timeout=timeout_s)
            self._thread.join(max(0.0, ends_at - time.monotonic()))

    def _take(self, incoming: Incoming) -> None:
        incoming.acknowledge()
        if incoming.retained:
            log.warning(
                "ignoring a retained command: it would be repeated at each reconnect", extra={"topic": incoming.topic}
            )
            return
        try:
            self._waiting.put_nowait(incoming)
        except queue.Full:
            log.warning("ignoring a command: too many are waiting", extra={"topic": incoming.topic})

    def _run(self) -> None:
        while (incoming := self._waiting.get()) is not None:
            verb = incoming.topic.rpartition("/")[2]
            id_, answer = self._carry_out(verb, incoming.payload)
            payload = orjson.dumps({"id": id_, "verb": verb, **answer})
            self._link.send(Message(self._topics.ack(id_), payload))

    def _carry_out(self, verb: str, payload: bytes) -> tuple[str, Body]:
        """Return the command's id and the rest of its answer."""
        id_ = UNKNOWN_ID
        try:
            body = _parse(payload)
            id_ = _id(body)
            return id_, {"ok": True, "detail": _verb(verb)(self._control, body)}
        except EdgeError as exc:
            return id_, {"ok": False, "error": {"kind": type(exc).__name__, "detail": str(exc)}}
        except Exception:
            # supervised loop: one command's fault, logged in full, must not end the answering of all others
            log.exception("a command failed unexpectedly", extra={"verb": verb})
            return id_, {"ok": False, "error": {"kind": "InternalError", "detail": "see the daemon's log"}}


def _parse(payload: bytes) -> Body:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError as exc:
        msg = f"the command's payload is no JSON: {exc}"
        raise RequestError(msg) from exc
    if not isinstance(body, dict):
        msg = 'the command\'s payload must be a JSON object such as {"id": "1"}'
        raise RequestError(msg)
    return body


def _id(body: Body) -> str:
    id_ = body.get("id")
    if isinstance(id_, int) and not isinstance(id_, bool):
        id_ = str(id_)
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_CHARACTERS:
        msg = f'a command needs an "id" of 1 to {MAX_ID_CHARACTERS} characters: it is answered on ack/{{id}}'
        raise RequestError(msg)
    return id_


def _text(body: Body, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        msg = f'the command needs "{key}", a text'
        raise RequestError(msg)
    return value


def _capture(control: Control, body: Body) -> Body:
    source = _text(body, "source")
    control.capture(source)
    return {"source": source}


def _activate(control: Control, body: Body) -> Body:
    version = None if body.get("version") is None else _text(body, "version")
    return {"model": model_json(control.activate(_text(body, "name"), version))}


def _rollback(control: Control, body: Body) -> Body:
    return {"model": model_json(control.rollback(_text(body, "name")))}


def _reload(control: Control, _: Body) -> Body:
    control.reload()
    return {}


_VERBS: Mapping[str, Verb] = {"capture": _capture, "activate": _activate, "rollback": _rollback, "reload": _reload}


def _verb(name: str) -> Verb:
    if name not in _VERBS:
        msg = f"unknown command {name!r}: there are {', '.join(_VERBS)}"
        raise RequestError(msg)
    return _VERBS[name]
