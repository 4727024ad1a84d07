"""A client that writes and reads bytes, so that it can behave as badly as clients do."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from edge.api.server import HttpServer

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection to ``server``, closed at the end."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.socket = socket.create_connection(server.address, timeout=PATIENCE_S)
        self._received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def try_to_send(self, data: bytes) -> None:
        """Send what the server takes; it may hang up meanwhile."""
        with suppress(OSError):
            self.socket.sendall(data)

    def answer(self) -> Answer:
        """Return the next answer; it must have a Content-Length."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = int(headers["content-length"])
        while len(self._received) < size:
            self._more()
        body, self._received = self._received[:size], self._received[size:]
        return Answer(int(status.split()[1]), headers, body)

    def at_end(self) -> bool:
        """Wait for the next byte, and tell whether the server closed the connection instead."""
        try:
            return not self._received and not self.socket.recv(1)
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"the server closed the connection after {self._received!r}")
        self._received += data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
