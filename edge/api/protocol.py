"""uvicorn's HTTP protocol with what it lacks: bounds on what one connection may cost in bytes and in time.

A head must be complete in time and may not be long. A client that takes nothing of its answer is cut off. Requests sent
without waiting for answers queue up only so far. What must be refused is refused by its head, before its body is read.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edge.api.connections import House, Parting
from edge.api.shed import Refusal, crowded, leaving

MAX_HEADER_BYTES = 64 * 1024
KEPT_BODY_BYTES = 1 << 20
"""A refused body of this size is thrown away so that its connection can be used again; a larger one ends it."""
READ_AHEAD_BYTES = 256 * 1024
"""How much of a body may lie here before the application takes it."""
PROBES = frozenset({b"/livez", b"/readyz"})
LOOKS = 6
"""How often a connection is looked at within the time that a client may take nothing of its answer."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, house: House, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._house = house
        self._bounds = house.bounds
        self._timer: asyncio.TimerHandle | None = None  # until a head, or the rest of a refused body, must be there
        self._hold: asyncio.TimerHandle | None = None  # until a refusal goes out
        self._head_bytes = 0
        self._in_message = False
        self._in_head = True
        self._spare = False  # a connection too many, which only a probe may use
        self._refused = False
        self._last = False  # the request that comes in is the last one that is listened to
        self._deaf = False
        self._taken_bytes = 0
        self._stalled_looks = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Start waiting for the first head, or send a connection too many away."""
        self._open = OpenTransport(transport)
        super().connection_made(cast("asyncio.Transport", self._open))
        too_many = len(self.connections) - self._bounds.max_connections
        if too_many > self._bounds.spare:
            self._send_away()
        elif too_many > 0:
            self._spare = True
            self._timer = self.loop.call_later(self._bounds.spare_s, self._send_away)
        else:
            self._expect(self._bounds.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._forget_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while a head is not complete; the parser itself would gather it without end."""
        if self._deaf:
            return
        if not self._in_message:
            self._expect(self._bounds.head_s)
        super().data_received(data)
        if not self._in_head:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEADER_BYTES and not self._deaf and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """Start waiting for a head."""
        if self._deaf:
            return
        if self._hold is not None:  # sent without waiting for the answer, which will be the last one then
            self._deaf = True
            return
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._expect(self._bounds.head_s)

    def on_headers_complete(self) -> None:
        """Stop waiting; refuse what there is no room for, before its body is read."""
        if self._deaf:
            return
        self._in_head = False
        self._arrived()
        if self._spare:
            self._answer_probe()
            return
        if self._busy:
            self._queue_up()
            return
        refusal = self._refusal()
        if refusal is None:
            super().on_headers_complete()
        else:
            self._refuse(refusal)

    def on_body(self, body: bytes) -> None:
        """Pass a body on, unless its request was refused; one that came in one piece is never copied."""
        cycle = self.cycle
        if self._refused or self._deaf or cycle.response_complete:
            return
        cycle.body = cycle.body + body if cycle.body else body  # type: ignore[assignment]  # it is only ever read
        if len(cycle.body) > READ_AHEAD_BYTES:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Be ready for the next head."""
        if self._deaf:
            return
        self._in_message = False
        self._deaf = self._last
        if not self._refused:
            super().on_message_complete()
            return
        self._refused = False
        self._arrived()
        if self._hold is None:
            self._keep_alive()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; an answer to an earlier request that is still being made has nobody to go to now."""
        if self._busy:
            self._forsake()  # writing would fail with a traceback
        if self._busy and self.cycle.response_started:
            self.transport.close()  # a second head in the middle of the first answer would only confuse
            return
        self._part(_bad_request(msg))

    def look(self) -> None:
        """Cut off a client that has taken nothing since the last looks; called ``LOOKS`` times in ``stalled_s``."""
        unsent_bytes = self._open.get_write_buffer_size()
        taken_bytes = self._open.written_bytes - unsent_bytes
        stalled = unsent_bytes > 0 and taken_bytes <= self._taken_bytes
        self._stalled_looks = self._stalled_looks + 1 if stalled else 0
        self._taken_bytes = taken_bytes
        if self._stalled_looks >= LOOKS:
            self.transport.abort()

    def give_up(self) -> None:
        """Part from a client whose request is not complete: nothing of it was begun, and the server stops."""
        if self._in_message and self._busy and not self._deaf:
            word = b"" if self.cycle.response_started else leaving()
            self._forsake()
            self._part(word)

    def _forsake(self) -> None:
        """Tell the request that is worked on, as uvicorn tells it of a client that left, that nobody waits for it."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _queue_up(self) -> None:
        """Let a request wait for the answers before it; the last one that may is told that none will follow."""
        super().on_headers_complete()
        if len(self.pipeline) >= self._bounds.max_pipelined:
            self.cycle.keep_alive = False
            self._last = True

    def _answer_probe(self) -> None:
        """Use a connection too many for what must be answered always, once."""
        if self.url not in PROBES:
            self._send_away()
            return
        super().on_headers_complete()
        self.cycle.keep_alive = False
        self._last = True

    def _send_away(self) -> None:
        self._part(crowded(self._bounds.max_connections))

    def _refusal(self) -> Refusal | None:
        shed = self._house.shed
        return shed.refusal(self.parser.get_method(), self.url.partition(b"?")[0]) if shed else None

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in good time; what follows the head is not read before that."""
        self._refused = True
        keep = self.parser.should_keep_alive() and _small(self.headers)
        if refusal.hold_s > 0:
            self.flow.pause_reading()
            self._hold = self.loop.call_later(refusal.hold_s, self._say_no, refusal, keep)
        else:
            self._say_no(refusal, keep)

    def _say_no(self, refusal: Refusal, keep: bool) -> None:
        self._hold = None
        self.flow.resume_reading()
        if self._deaf or not keep:
            self._part(refusal.closing)
            return
        self.transport.write(refusal.keeping)
        if self._in_message:
            self._expect(self._bounds.body_s)
        else:
            self._keep_alive()

    def _keep_alive(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _part(self, answer: bytes) -> None:
        """Leave the connection to its last word."""
        self._deaf = True
        self._forget_timers()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        Parting(self._open.leave(), answer, self._house, self.loop)

    def _expect(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget_timers(self) -> None:
        self._arrived()
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None


class OpenTransport:
    """A transport that counts what is written; once it is closing or left, it takes that and forgets it.

    uvicorn learns of a connection's end some time after it, and until then writes to it, which uvloop calls an error.
    """

    __slots__ = ("_left", "_transport", "written_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._left = False
        self.written_bytes = 0

    def leave(self) -> asyncio.Transport:
        """Return the transport itself; what is written here from now on is forgotten."""
        self._left = True
        return self._transport

    def __getattr__(self, name: str) -> Any:
        """Be the transport in all else."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, unless nothing can be sent any more."""
        if not self._left and not self._transport.is_closing():
            self.written_bytes += len(data)
            self._transport.write(data)


def _bad_request(text: str) -> bytes:
    head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n"
    return f"{head}connection: close\r\n\r\n{text}".encode("ascii")


def _small(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the body that follows is known to come, and to be short."""
    size_bytes = 0
    for name, value in headers:
        if name == b"content-length":
            size_bytes = int(value) if value.isdigit() else KEPT_BODY_BYTES + 1
        elif name in (b"transfer-encoding", b"expect"):
            return False
    return size_bytes <= KEPT_BODY_BYTES
