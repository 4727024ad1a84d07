"""What all connections of one server may take and share, and how one ends that is sent away."""

import asyncio
from dataclasses import dataclass, field

from edge.api.shed import Shed

PARTING_BYTES = 256 << 20
"""How much of what still comes on a connection that was sent away is thrown away."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What all connections, and one of them, may take.

    ``spare`` connections beyond ``max_connections`` are listened to for ``spare_s``, in case they are probes.
    ``head_s`` bounds the wait for a head, ``body_s`` that for the rest of a refused body, ``stalled_s`` how long a
    client may take nothing of what is sent to it, ``parting_s`` how long it may take to hang up after the last word.
    """

    max_connections: int = 2048
    spare: int = 64
    spare_s: float = 1.0
    max_pipelined: int = 16
    max_partings: int = 256
    head_s: float = 10.0
    body_s: float = 10.0
    stalled_s: float = 30.0
    parting_s: float = 10.0


@dataclass(slots=True)
class House:
    """What the connections of one server share. Belongs to its event loop."""

    bounds: Bounds
    shed: Shed | None = None
    partings: set["Parting"] = field(default_factory=set)

    def close(self) -> None:
        """Wait no longer for those who were sent away."""
        for parting in list(self.partings):
            parting.transport.abort()


class Parting(asyncio.Protocol):
    """Says a last word on a connection, then throws away what still comes, until the client hangs up.

    Closing a socket that holds unread bytes makes TCP reset it, which may discard the word on its way (RFC 9112, 9.6).
    """

    def __init__(
        self, transport: asyncio.Transport, word: bytes, house: House, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.transport = transport
        self._partings = house.partings
        self._left_bytes = PARTING_BYTES
        self._timer = loop.call_later(house.bounds.parting_s, transport.abort)
        transport.set_protocol(self)
        transport.write(word)
        if len(self._partings) >= house.bounds.max_partings:
            transport.close()  # without waiting for the client: the word may be lost to a reset, but mostly is not
            return
        self._partings.add(self)
        if transport.can_write_eof():
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Throw it away."""
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of a protocol
        """Be gone."""
        self._timer.cancel()
        self._partings.discard(self)
