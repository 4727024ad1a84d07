"""One honest client that asks again and again while others misbehave, and remembers how it fared."""

import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.load import request
from tests.faults.exchange import Hung, Link
from tests.faults.traffic import PICTURE

REQUEST = request("/v1/predict", PICTURE)
PROBE_S = 0.05


@dataclass
class Probe:
    """A thread that asks for predictions; ``samples`` are (moment, status, seconds), status 0 for no answer."""

    port: int
    samples: list[tuple[float, int, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Probe":
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask no more; the last answer is awaited."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        link = Link(self.port)
        while not self._stop.wait(PROBE_S):
            began = time.monotonic()
            try:
                status = link.ask(REQUEST).status
            except (Hung, OSError):
                status = 0
            self.samples.append((began, status, time.monotonic() - began))
        link.close()

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(status for _, status, _ in list(self.samples))

    @property
    def longest_s(self) -> float:
        """The longest that an answer took."""
        return max((seconds for _, _, seconds in list(self.samples)), default=0.0)

    def median_s(self, since: float, until: float) -> float | None:
        """Return the median of the answers to what was asked in that time; None where not all were good."""
        asked = [(status, seconds) for began, status, seconds in list(self.samples) if since <= began < until]
        if not asked or any(status != 200 for status, _ in asked):
            return None
        return statistics.median(seconds for _, seconds in asked)
