"""An open-loop load: requests leave at their time whether earlier ones were answered or not, as callers behave.

One thread, epoll, requests prepared beforehand, connections kept and used again, new ones where none is idle.
"""

import select
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 16
HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length: "
MAX_CONNECTIONS = 2000
"""Below ``http.max_connections``: who comes above it is turned away for another reason than the load."""
TICK_S = 0.005
REUSE_S = 15.0
"""A connection that was idle for longer is not used again: the server may be about to close it (after 30 s)."""
FORGET_S = 20.0
"""How long an answer is awaited after the end."""


@dataclass
class Flooded:
    """What came back. ``seconds`` are those from sending to the whole answer, by status; ``faults`` were no answers."""

    sent: int = 0
    held_back: int = 0
    seconds: dict[int, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        """How many were answered, whatever the status."""
        return sum(map(len, self.seconds.values()))

    def longest_s(self, status: int) -> float:
        """The longest that an answer with this status took."""
        return max(self.seconds.get(status, [0.0]))


@dataclass(slots=True)
class _Caller:
    socket: socket.socket
    began: float = 0.0
    left: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)


class Flood:
    """Sends one request ``rate`` times a second."""

    def __init__(self, port: int, request: bytes, rate: float) -> None:
        self.found = Flooded()
        self._port = port
        self._request = request
        self._rate = rate
        self._busy: dict[int, _Caller] = {}
        self._idle: list[_Caller] = []

    def run(self, seconds: float) -> Flooded:
        """Send for that long; return once everything was answered, or was given up."""
        with select.epoll() as poll:
            self._poll = poll
            began = time.monotonic()
            while (now := time.monotonic()) < began + seconds:
                self._send_due(int((now - began) * self._rate) - self.found.sent - self.found.held_back)
                self._look(TICK_S)
            self.ended = time.monotonic()
            while self._busy and time.monotonic() < self.ended + FORGET_S:
                self._look(TICK_S)
        self.found.faults["no answer"] += len(self._busy)
        for caller in [*self._busy.values(), *self._idle]:
            caller.socket.close()
        self.found.faults = +self.found.faults
        return self.found

    def _send_due(self, count: int) -> None:
        for _ in range(count):
            caller = self._kept() or self._call()
            if caller is None:
                self.found.held_back += 1
                continue
            self.found.sent += 1
            caller.began = time.monotonic()
            caller.left, caller.received = memoryview(self._request), bytearray()
            self._busy[caller.socket.fileno()] = caller
            self._push(caller)

    def _kept(self) -> _Caller | None:
        """Return the connection that was used last of all that are idle, None where none was used lately."""
        while self._idle:
            caller = self._idle.pop()
            if time.monotonic() - caller.began < REUSE_S:
                return caller
            self._close(caller)
        return None

    def _call(self) -> _Caller | None:
        """Return a new connection, None where there are too many already."""
        if len(self._busy) >= MAX_CONNECTIONS:
            return None
        link = socket.socket()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        with suppress(BlockingIOError):
            link.connect((HOST, self._port))
        self._poll.register(link, 0)
        return _Caller(link)

    def _look(self, within_s: float) -> None:
        for number, event in self._poll.poll(within_s):
            caller = self._busy.get(number)
            if caller is None:
                self._drop_idle(number)
            elif event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                self._receive(caller)
            elif event & select.EPOLLOUT:
                self._push(caller)

    def _push(self, caller: _Caller) -> None:
        try:
            caller.left = caller.left[caller.socket.send(caller.left) :]
        except BlockingIOError:
            pass
        except OSError:
            caller.left = memoryview(b"")  # refused in the middle: the answer is read all the same
        more = select.EPOLLOUT if caller.left else 0
        self._poll.modify(caller.socket, select.EPOLLIN | more)

    def _receive(self, caller: _Caller) -> None:
        try:
            chunk = caller.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(caller, type(error).__name__)
            return
        caller.received += chunk
        if _is_whole(caller.received):
            self._count(caller)
        elif not chunk:
            self._lose(caller, "closed without an answer")

    def _count(self, caller: _Caller) -> None:
        head = bytes(caller.received[: caller.received.index(HEAD_END) + 2]).lower()
        status = int(head[9:12])
        self.found.seconds.setdefault(status, []).append(time.monotonic() - caller.began)
        self.found.without_retry_after += status == 503 and b"\r\nretry-after: " not in head
        del self._busy[caller.socket.fileno()]
        if b"\r\nconnection: close\r\n" in head or caller.left:
            self._close(caller)
        else:
            self._idle.append(caller)

    def _lose(self, caller: _Caller, fault: str) -> None:
        self.found.faults[fault] += 1
        del self._busy[caller.socket.fileno()]
        self._close(caller)

    def _drop_idle(self, number: int) -> None:
        """Forget a connection that the server closed while it was idle."""
        for caller in [caller for caller in self._idle if caller.socket.fileno() == number]:
            self._idle.remove(caller)
            self._close(caller)

    def _close(self, caller: _Caller) -> None:
        self._poll.unregister(caller.socket)
        caller.socket.close()


def _is_whole(received: bytearray) -> bool:
    end = received.find(HEAD_END)
    if end < 0:
        return False
    _, found, rest = bytes(received[: end + 2]).lower().partition(LENGTH)
    return bool(found) and len(received) >= end + len(HEAD_END) + int(rest.split(b"\r\n", 1)[0])
