"""A load generator that leaves the machine to the server: one thread, epoll, keep-alive, requests prepared beforehand.

Closed loop: each of N connections sends its next request when its answer is complete.
"""

import itertools
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 18
HEAD_END = b"\r\n\r\n"
ARRIVAL_GAP_S = 0.01
"""Clients come one after the other: of several worker processes, one that is idle takes up the next connection. All
at once, a single worker may take them all."""


@dataclass(frozen=True, slots=True)
class Load:
    """What came back within ``seconds``: ``latencies_ms`` of good answers, ascending; ``total`` with the warm-up."""

    seconds: float
    latencies_ms: Sequence[float]
    failed: int
    total: int

    @property
    def per_s(self) -> float:
        """Good answers a second."""
        return len(self.latencies_ms) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """The latency, in milliseconds, that ``share`` (0..1) of the good answers did not exceed."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))]


@dataclass(slots=True)
class _Connection:
    """A connection with one request under way."""

    socket: socket.socket
    left: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)
    began: float = 0.0

    def send_more(self) -> bool:
        """Send what the socket takes; tell whether something is left."""
        with suppress(BlockingIOError):
            self.left = self.left[self.socket.send(self.left) :]
        return bool(self.left)

    def status(self) -> int | None:
        """Read what has arrived; return the answer's status once it is complete."""
        chunk = self.socket.recv(CHUNK_BYTES)
        if not chunk:
            raise ConnectionError("the server closed a connection with a request under way")
        self.received += chunk
        return complete_status(self.received)


def complete_status(received: bytearray) -> int | None:
    """Return the status of a whole HTTP/1.1 answer with a Content-Length, None while some of it is missing."""
    head_end = received.find(HEAD_END)
    if head_end < 0:
        return None
    head = bytes(received[:head_end]).lower()
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if not found:
        raise ValueError(f"an answer without Content-Length: {head!r}")
    length = int(rest.split(b"\r\n", 1)[0])
    return int(head.split(b" ", 2)[1]) if len(received) >= head_end + len(HEAD_END) + length else None


def request(path: str, body: bytes) -> bytes:
    """Return a whole POST of a JPEG."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def drive(port: int, requests: Sequence[bytes], *, clients: int, seconds: float, warmup_s: float = 0.4) -> Load:
    """Keep ``clients`` connections busy for ``warmup_s + seconds`` and return what the latter brought.

    Raises OSError where the server is away or closes a connection.
    """
    turns = itertools.cycle(requests)
    connections: dict[int, _Connection] = {}
    with select.epoll() as poll:
        try:
            for _ in range(clients):
                connection = _connect(port)
                connections[connection.socket.fileno()] = connection
                poll.register(connection.socket, select.EPOLLIN)
                _send(poll, connection, next(turns))
                time.sleep(ARRIVAL_GAP_S)
            began = time.perf_counter() + warmup_s
            samples = list(_answers(poll, connections, turns, until=began + seconds))
        finally:
            for connection in connections.values():
                connection.socket.close()
    measured = [(status, ms) for at, status, ms in samples if at >= began]
    good = sorted(ms for status, ms in measured if status == 200)
    return Load(seconds, good, len(measured) - len(good), len(samples))


def _connect(port: int) -> _Connection:
    link = socket.create_connection((HOST, port), timeout=10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setblocking(False)
    return _Connection(link)


def _send(poll: select.epoll, connection: _Connection, data: bytes) -> None:
    connection.left, connection.received = memoryview(data), bytearray()
    connection.began = time.perf_counter()
    _push(poll, connection)


def _push(poll: select.epoll, connection: _Connection) -> None:
    more = connection.send_more()
    poll.modify(connection.socket, select.EPOLLIN | (select.EPOLLOUT if more else 0))


def _answers(
    poll: select.epoll, connections: dict[int, _Connection], turns: Iterator[bytes], *, until: float
) -> Iterator[tuple[float, int, float]]:
    """Yield the moment, the status and the milliseconds of each answer, until ``until``."""
    while (now := time.perf_counter()) < until:
        for number, event in poll.poll(until - now):
            connection = connections[number]
            if event & select.EPOLLOUT:
                _push(poll, connection)
            if not event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                continue
            status = connection.status()
            if status is not None:
                at = time.perf_counter()
                yield at, status, (at - connection.began) * 1e3
                _send(poll, connection, next(turns))
