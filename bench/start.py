"""From the start of the daemon's process to its first answer, and the memory it holds when idle."""

import statistics
import time
from pathlib import Path

from bench.pictures import VGA, jpegs
from bench.processes import daemon, pss_mib
from bench.report import Figure, Report

STARTS = 5
IDLE_S = 2.0


def run(registry: Path) -> Report:
    """Start the daemon several times; return the median time to the first answer and the median memory."""
    picture = jpegs(VGA, 1)[0]
    starts_s, idle_mib = [], []
    for _ in range(STARTS):
        with daemon(registry, picture) as server:
            starts_s.append(server.started_s)
            time.sleep(IDLE_S)
            idle_mib.append(pss_mib(server.pid))
    figures = [
        Figure("process start to first answer", statistics.median(starts_s), "s", 1.5),
        Figure("memory when idle (PSS)", statistics.median(idle_mib), "MiB", 200),
    ]
    details = {"starts_s": [round(s, 3) for s in starts_s], "idle_mib": [round(m, 1) for m in idle_mib]}
    return Report("start", figures, details)
