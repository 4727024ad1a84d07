"""Callers who cost a server more than they give: they wait, dawdle, do not read, or vanish. One thread for all.

A guest that vanishes leaves without a word (TCP_REPAIR, which needs root; else with a reset): the server keeps half of
a connection.
"""

import math
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.faults.exchange import HOST, STATUS_LINE

TICK_S = 0.2
ACCEPT_S = 3.0
"""A server may take so long until it has accepted everybody."""
TCP_REPAIR = 19
SMALL_BUFFER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Kind:
    """How a guest behaves.

    It sends ``opening``, then a byte of ``drip`` (repeated) each tick; ``reads`` tells whether it takes what it is
    sent; ``polite``, whether it hangs up after its answer. The server must let go of it ``within_s`` (None: it may
    stay), having answered with one of ``statuses`` where any is given.
    """

    name: str
    opening: bytes = b""
    drip: bytes = b""
    reads: bool = True
    polite: bool = False
    vanishes: bool = False
    within_s: float | None = 10.0
    statuses: tuple[int, ...] = ()


@dataclass(slots=True)
class Guest:
    """One connection. ``ended`` is the moment at which the server let go of it."""

    kind: Kind
    socket: socket.socket
    began: float
    received: bytes = b""
    dripped: int = 0
    ended: float | None = None

    def status(self) -> int | None:
        """Return the status of the first answer."""
        found = STATUS_LINE.search(self.received)
        return int(found[1]) if found else None


@dataclass
class Guests:
    """All who have come."""

    port: int
    server: psutil.Process
    all: list[Guest] = field(default_factory=list)

    def __enter__(self) -> "Guests":
        self._poll = select.epoll()
        return self

    def __exit__(self, *_: object) -> None:
        for guest in self.all:
            guest.socket.close()
        self._poll.close()

    def come(self, kinds: Iterable[Kind]) -> None:
        """Let one guest of each kind connect and begin; those who vanish do so at once."""
        for kind in kinds:
            guest = Guest(kind, self._connected(kind), time.monotonic())
            with suppress(OSError):
                guest.socket.send(kind.opening)
            if kind.vanishes:
                _vanish(guest.socket)
                continue
            self.all.append(guest)
            if kind.reads:
                self._poll.register(guest.socket, select.EPOLLIN)

    def _connected(self, kind: Kind) -> socket.socket:
        link = socket.socket()
        if not kind.reads:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        link.settimeout(10.0)
        link.connect((HOST, self.port))
        link.setblocking(False)
        return link

    @property
    def here(self) -> list[Guest]:
        """Those that the server has not let go of."""
        return [guest for guest in self.all if guest.ended is None]

    def stay(self, seconds: float) -> None:
        """Behave as their kinds do until all who must go were let go, or the time is over."""
        deadline = time.monotonic() + seconds
        while any(guest.kind.within_s for guest in self.here) and time.monotonic() < deadline:
            self._look()
            self._look_at_the_server()
            for guest in self.here:
                self._drip(guest)
            time.sleep(TICK_S)

    def _look(self) -> None:
        by_number = {guest.socket.fileno(): guest for guest in self.here}
        for number, _ in self._poll.poll(0):
            guest = by_number.get(number)
            if guest is not None and _read(guest):
                self._end(guest)

    def _look_at_the_server(self) -> None:
        """End those that do not read and whom the server no longer has: they cannot see the end of what they left."""
        settled = time.monotonic() - ACCEPT_S
        deaf = [guest for guest in self.here if not guest.kind.reads and guest.began < settled]
        if not deaf:
            return
        held = {link.raddr.port for link in self.server.net_connections("tcp") if link.raddr}
        for guest in deaf:
            if guest.socket.getsockname()[1] not in held:
                self._end(guest)

    def _drip(self, guest: Guest) -> None:
        drip = guest.kind.drip
        if not drip:
            return
        try:
            guest.socket.send(drip[guest.dripped % len(drip) :][:1])
            guest.dripped += 1
        except BlockingIOError:
            return
        except OSError:
            self._end(guest)

    def _end(self, guest: Guest) -> None:
        guest.ended = time.monotonic()
        guest.socket.close()  # which also takes it out of the poll

    def problems(self) -> Iterator[str]:
        """Yield what was not as it must be, by kind."""
        for kind in {guest.kind.name: guest.kind for guest in self.all}.values():
            guests = [guest for guest in self.all if guest.kind == kind]
            limit_s = kind.within_s or math.inf
            stayed = sum((guest.ended or math.inf) - guest.began > limit_s for guest in guests)
            if stayed:
                yield f"{stayed} of {len(guests)} {kind.name} were not let go within {kind.within_s:g} s"
            wrong = Counter(guest.status() for guest in guests) if kind.statuses else Counter[int | None]()
            for status in set(wrong) - set(kind.statuses):
                yield f"{wrong[status]} of {len(guests)} {kind.name} were answered with {status}"

    def longest(self) -> str:
        """Return how long the longest of each kind stayed."""
        kinds: dict[str, float] = {}
        for guest in self.all:
            stayed = (guest.ended or time.monotonic()) - guest.began
            kinds[guest.kind.name] = max(kinds.get(guest.kind.name, 0.0), stayed)
        return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in kinds.items())


def _read(guest: Guest) -> bool:
    """Take what came; tell whether the connection is at its end."""
    try:
        chunk = guest.socket.recv(1 << 16)
    except BlockingIOError:
        return False
    except OSError:
        return True
    guest.received += chunk[:4096]
    return not chunk or (guest.kind.polite and guest.status() is not None)


def _vanish(link: socket.socket) -> None:
    """Be gone without a word to the other side."""
    try:
        link.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.close()
