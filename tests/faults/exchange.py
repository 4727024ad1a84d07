"""HTTP by hand, one socket at a time: sends exactly the bytes that it is told, and sees whatever comes back."""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 18
PATIENCE_S = 20.0
"""Longer than anything that the daemon promises to end by itself in these exchanges."""
GLANCE_S = 0.15
HEAD_END = b"\r\n\r\n"
STATUS_LINE = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n")
BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer. ``closing``: the server ends the connection after it."""

    status: int
    head: bytes
    body: bytes
    closing: bool


class Hung(Exception):  # noqa: N818 - a finding, not an error of this program
    """Nothing came for :data:`PATIENCE_S` where something had to."""


class Link:
    """A connection that is kept alive and made anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> Answer:
        """Send one whole request and return its answer. Raises Hung, ConnectionError where there is none.

        A connection that was kept may have been closed meanwhile: then it is sent once more on a new one.
        """
        kept = self._socket is not None
        answer = self._try(request) or (self._try(request) if kept else None)
        if answer is None:
            raise ConnectionError("the server closed the connection without an answer")
        return answer

    def _try(self, request: bytes) -> Answer | None:
        self._socket = self._socket or connect(self._port)
        try:
            send(self._socket, request)
            answer = read_answer(self._socket, bodiless=request.startswith(b"HEAD "))
        except Hung:
            self.close()
            raise
        if answer is None or answer.closing:
            self.close()
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connect(port: int) -> socket.socket:
    """Return a new connection to the daemon."""
    link = socket.create_connection((HOST, port), timeout=PATIENCE_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def send(link: socket.socket, data: bytes) -> None:
    """Send it; a server that stops reading in the middle is no error here, since its answer tells more."""
    with suppress(BrokenPipeError, ConnectionResetError):
        link.sendall(data)


def read_answer(link: socket.socket, *, bodiless: bool = False) -> Answer | None:
    """Return the next complete answer, None where the connection ends before it. Raises Hung."""
    received = b""
    while HEAD_END not in received:
        if not (chunk := _receive(link)):
            return None
        received += chunk
    head, _, body = received.partition(HEAD_END)
    status, lower = int(head.split(b" ", 2)[1]), head.lower() + b"\r\n"
    closing = b"\r\nconnection: close\r\n" in lower
    if bodiless or status in BODILESS:
        return Answer(status, head, b"", closing)
    length = LENGTH.search(lower)
    if length is None:
        return _until(link, lambda got: got.endswith(b"0\r\n\r\n"), Answer(status, head, body, closing))
    return _until(link, lambda got: len(got) >= int(length[1]), Answer(status, head, body, closing))


def _until(link: socket.socket, whole: Callable[[bytes], bool], answer: Answer) -> Answer | None:
    body = answer.body
    while not whole(body):
        if not (chunk := _receive(link)):
            return None
        body += chunk
    return replace(answer, body=body)


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(CHUNK_BYTES)
    except ConnectionResetError:
        return b""
    except TimeoutError:
        raise Hung(f"no answer for {PATIENCE_S:g} s") from None


def throw(port: int, data: bytes) -> list[int]:
    """Put any bytes on a connection of their own, then end the sending half; return the statuses of all answers.

    None at all is fine for bytes that are no request, as long as the server lets go of the connection. Raises Hung
    where it does not.
    """
    with connect(port) as link:
        send(link, data)
        received = _glance(link)
        with suppress(OSError):
            link.shutdown(socket.SHUT_WR)
        while chunk := _receive(link):
            received += chunk
    return [int(status) for status in STATUS_LINE.findall(received)]


def _glance(link: socket.socket) -> bytes:
    """Return what comes at once; a client that ends its half too early would not see its answer."""
    link.settimeout(GLANCE_S)
    try:
        return link.recv(CHUNK_BYTES)
    except (TimeoutError, ConnectionResetError):
        return b""
    finally:
        link.settimeout(PATIENCE_S)
