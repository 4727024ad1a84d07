"""Remembers which pictures a broker has delivered, to know one that it delivers again."""

import hashlib
from collections import OrderedDict
from concurrent.futures import Future

from edge.ports import Incoming
from edge.results import Result

REMEMBERED = 1024
"""Far more deliveries than a broker leaves unacknowledged at a time."""


class Deliveries:
    """The last deliveries and their answers. Used by one thread.

    A broker sends a message again with the packet id of the first time and the DUP flag set (MQTT 3.1.1, 3.3.1.1 and
    4.4). The flag alone proves nothing, as the first delivery may never have come: id, topic and content must agree.
    """

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._answers: OrderedDict[bytes, Future[Result]] = OrderedDict()

    def note(self, message: Incoming, answer: Future[Result]) -> None:
        """Remember a delivery; a message without a packet id (QoS 0) is never sent again."""
        if message.packet_id == 0:
            return
        self._answers[_key(message)] = answer
        while len(self._answers) > self._remembered:
            self._answers.popitem(last=False)

    def earlier(self, message: Incoming) -> Future[Result] | None:
        """Return the answer of a message's earlier delivery; None for a first one, or where the earlier one failed."""
        answer = self._answers.get(_key(message)) if message.redelivered else None
        if answer is None or (answer.done() and (answer.cancelled() or answer.exception() is not None)):
            return None
        return answer


def _key(message: Incoming) -> bytes:
    digest = hashlib.blake2b(message.packet_id.to_bytes(2, "big"), digest_size=16)
    digest.update(message.topic.encode() + b"\0")
    digest.update(message.payload)
    return digest.digest()
