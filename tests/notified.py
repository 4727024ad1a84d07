"""A socket such as systemd gives to a service of ``Type=notify``, and what the service said to it."""

import socket
import threading
from types import TracebackType
from typing import Self

from tests.mosquitto import until


class NotifySocket:
    """Listens on ``name``: a path, or ``@`` and a name in the abstract namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.settimeout(0.05)
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._reader.join()
        self._socket.close()

    def count(self, line: str) -> int:
        return self.lines.count(line)

    def until(self, line: str, *, times: int = 1) -> None:
        until(lambda: self.count(line) >= times, within_s=30.0, what=line)

    def _read(self) -> None:
        while not self._over.is_set():
            try:
                self.lines.append(self._socket.recv(4096).decode())
            except TimeoutError:
                continue
