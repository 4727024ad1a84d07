"""What went over the wire, and what is to go wrong on it."""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it arrived; ``body`` is its JSON, None where it had none; ``status`` is what was answered."""

    method: str
    path: str
    query: str
    body: Any
    status: int


@dataclass(slots=True)
class Fault:
    """What happens to requests whose ``METHOD path`` matches ``pattern``, ``times`` times (None: for good).

    ``status`` is answered with ``headers`` and ``code`` as ARM words an error; ``hang_s`` keeps the request waiting
    first; ``status`` None goes on as usual after that.
    """

    pattern: str
    status: int | None = None
    code: str = "Fault"
    message: str = "asked for by the test"
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    times: int | None = None


class Wire:
    """Keeps what came and what is to go wrong. Thread-safe."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.released = threading.Event()

    @property
    def exchanges(self) -> Sequence[Exchange]:
        with self._lock:
            return tuple(self._exchanges)

    def bodies(self, method: str, pattern: str) -> list[Any]:
        """Return the JSON bodies of requests of a method whose path matches."""
        return [e.body for e in self.exchanges if e.method == method and re.search(pattern, e.path)]

    def count(self, method: str, pattern: str) -> int:
        return len(self.bodies(method, pattern))

    def note(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange)

    def break_(self, pattern: str, status: int | None = None, **how: Any) -> Fault:
        """Let requests go wrong; the newest fault that matches holds."""
        fault = Fault(pattern, status, **how)
        with self._lock:
            self._faults.insert(0, fault)
        return fault

    def mend(self, *faults: Fault) -> None:
        """Take faults back (none named: all of them); requests that hang go on."""
        with self._lock:
            self._faults = [fault for fault in self._faults if faults and fault not in faults]
        self.released.set()
        self.released = threading.Event()

    def fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if re.search(fault.pattern, f"{method} {path}") and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None
