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
EOL = "\r\n"
HEAD_END = b"\r\n\r\n"
ARRIVAL_GAP_S = 0.01
"""Clients come one after the other: of several worker processes, one that is idle takes up the next connection. All
at once, a single worker may take them all."""


@dataclass(frozen=True, slots=True)
class Load:
    """What came back within ``seconds``: ``latencies_ms`` of good answers, ascending; ``total`` with the warm-up.

    ``good`` counts the good ones with the warm-up, too, ``failed`` the other answers, ``broken`` the connections that
    were closed without one.
    """

    seconds: float
    latencies_ms: Sequence[float]
    failed: int
    total: int
    good: int
    broken: int

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

    @property
    def closing(self) -> bool:
        """Whether the answer says that the server closes the connection."""
        return b"\r\nconnection: close\r\n" in bytes(self.received[: self.received.find(HEAD_END) + 2]).lower()


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


def request(path: str, body: bytes, *, close: bool = False) -> bytes:
    """Return a whole POST of a JPEG; with ``close`` the last one of its connection."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{'Connection: close' + EOL if close else ''}{EOL}".encode() + body


def drive(
    port: int,
    requests: Sequence[bytes],
    *,
    clients: int,
    seconds: float,
    warmup_s: float = 0.4,
    gap_s: float = ARRIVAL_GAP_S,
    stubborn: bool = False,
) -> Load:
    """Keep ``clients`` connections busy for ``warmup_s + seconds`` and return what the latter brought.

    A client that is ``stubborn`` connects anew when its connection is closed, and asks again at once whatever it was
    told. Raises OSError where the server is away or, for others, closes a connection.
    """
    crowd = _Crowd(port, itertools.cycle(requests), stubborn=stubborn)
    try:
        for _ in range(clients):
            crowd.join()
            time.sleep(gap_s)
        began = time.perf_counter() + warmup_s
        samples = list(crowd.answers(until=began + seconds))
    finally:
        crowd.close()
    measured = [(status, ms) for at, status, ms in samples if at >= began]
    good = sorted(ms for status, ms in measured if status == 200)
    broken = sum(status == BROKEN for status, _ in measured)
    return Load(
        seconds,
        good,
        failed=len(measured) - len(good) - broken,
        total=len(samples),
        good=sum(status == 200 for _, status, _ in samples),
        broken=broken,
    )


BROKEN = 0
"""Stands for the status where a connection was closed without an answer."""


class _Crowd:
    """Connections that ask on and on."""

    def __init__(self, port: int, turns: Iterator[bytes], *, stubborn: bool) -> None:
        self._port = port
        self._turns = turns
        self._stubborn = stubborn
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}

    def join(self) -> None:
        """Connect one more client and let it ask."""
        link = socket.create_connection((HOST, self._port), timeout=10)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        connection = self._connections[link.fileno()] = _Connection(link)
        self._poll.register(link, select.EPOLLIN)
        self._ask(connection)

    def answers(self, *, until: float) -> Iterator[tuple[float, int, float]]:
        """Yield the moment, the status and the milliseconds of each answer, until ``until``."""
        while (now := time.perf_counter()) < until:
            for number, event in self._poll.poll(until - now):
                connection = self._connections[number]
                try:
                    status = self._go_on(connection, event)
                except ConnectionError:
                    if not self._stubborn:
                        raise
                    status = BROKEN
                if status is not None:
                    at = time.perf_counter()
                    yield at, status, (at - connection.began) * 1e3
                    self._ask_again(connection, broken=status == BROKEN)

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for connection in self._connections.values():
            connection.socket.close()

    def _go_on(self, connection: _Connection, event: int) -> int | None:
        if event & select.EPOLLOUT:
            self._push(connection)
        return connection.status() if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) else None

    def _ask_again(self, connection: _Connection, *, broken: bool) -> None:
        if not broken and not (self._stubborn and connection.closing):
            self._ask(connection)
            return
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
        self.join()

    def _ask(self, connection: _Connection) -> None:
        unsent = bytes(connection.left)  # of a request that was answered early; the server still reads it
        connection.left, connection.received = memoryview(unsent + next(self._turns)), bytearray()
        connection.began = time.perf_counter()
        self._push(connection)

    def _push(self, connection: _Connection) -> None:
        more = connection.send_more()
        self._poll.modify(connection.socket, select.EPOLLIN | (select.EPOLLOUT if more else 0))
