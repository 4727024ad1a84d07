"""What a process holds: memory, threads, open files, sockets, children; and whether it holds more than before."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MIB = 1 << 20
LOOK_S = 0.1
GIVING_BACK = {"MALLOC_MMAP_THRESHOLD_": str(MIB), "MALLOC_TRIM_THRESHOLD_": str(4 * MIB)}
"""Environment in which glibc gives large pieces back at once. What it keeps for itself by default, after many pictures
of very different sizes, is no leak, and it would hide one: some 100 MiB."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process held at one moment. ``memory_mib`` is its resident memory; ``files`` counts sockets too."""

    memory_mib: float
    threads: int
    files: int
    sockets: int
    children: int

    def __str__(self) -> str:
        return (
            f"{self.memory_mib:.0f} MiB, {self.threads} threads, {self.files} open files ({self.sockets} sockets), "
            f"{self.children} children"
        )


def footprint(pid: int) -> Footprint:
    """Return what a process holds now."""
    process = psutil.Process(pid)
    links = list(_open_files(pid))
    return Footprint(
        memory_mib(pid),
        process.num_threads(),
        len(links),
        sum(link.startswith("socket:") for link in links),
        len(process.children(recursive=True)),
    )


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    return float(psutil.Process(pid).memory_info().rss) / MIB


@dataclass
class Memory:
    """Resident memory of a process over time, in MiB; ``samples`` are (moment, MiB)."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Memory":
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.samples.append((time.monotonic(), memory_mib(self.pid)))

    @property
    def peak_mib(self) -> float:
        """Return the most that was seen."""
        return max((mib for _, mib in self.samples), default=0.0)

    def median_mib(self, since: float, until: float) -> float:
        """Return the median of that time."""
        return statistics.median(mib for moment, mib in self.samples if since <= moment < until)


def _open_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(link.readlink())
        except OSError:
            continue  # closed meanwhile


def settled(pid: int, good: Callable[[Footprint], bool], *, within_s: float) -> Footprint:
    """Return what a process holds once ``good`` finds it so, or at the end of the time."""
    deadline = time.monotonic() + within_s
    while not good(found := footprint(pid)) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return found


def growth(
    pid: int, before: Footprint, *, memory_mib: float, within_s: float = 15.0, threads: int = 0, files: int = 0
) -> tuple[list[str], Footprint]:
    """Return what has grown beyond the given allowances, and what is held in the end.

    What is still ending gets ``within_s`` to end.
    """

    def grown(now: Footprint) -> list[str]:
        bounds = (
            ("memory (MiB)", before.memory_mib, now.memory_mib, memory_mib),
            ("threads", before.threads, now.threads, threads),
            ("open files", before.files, now.files, files),
            ("sockets", before.sockets, now.sockets, files),
            ("child processes", before.children, now.children, 0),
        )
        return [f"{what} grew from {old:.0f} to {new:.0f}" for what, old, new, more in bounds if new > old + more]

    after = settled(pid, lambda now: not grown(now), within_s=within_s)
    return grown(after), after
