"""Who goes first: waiting pictures by priority, and within a priority in the order in which they came."""

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from edge.errors import StoppingError
from edge.execution.job import Clock, Job
from edge.ports import Priority


class Line:
    """Jobs that wait for a worker. Thread-safe.

    A worker that comes free gets the first job of the lowest priority number that waits; there is no share for the
    others, so that they wait for as long as those before them keep all workers busy. A job whose deadline passes
    meanwhile is answered by the next worker that comes along, not when its turn comes.

    The turns are tokens in a queue that is written in C: a worker sleeps there, and waking it costs a fifth of what a
    Condition does. There is a token for each job at least, so that a worker may find nobody there, but no job is left.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._waiting: tuple[deque[Job], ...] = tuple(deque() for _ in Priority)
        self._turns: SimpleQueue[bool] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = True

    def put(self, job: Job) -> None:
        """Let a job wait behind those of its priority. Raises StoppingError once closed."""
        with self._lock:
            if not self._open:
                raise StoppingError("the daemon is stopping and takes no new work")
            self._waiting[job.priority].append(job)
            self._turns.put(True)

    def take(self) -> Job | None:
        """Wait for a job; None once the line is closed and nobody waits any more."""
        while self._turns.get():
            job, overdue = self._first()
            for late in overdue:
                late.begin(self._clock())  # which answers it
            if job is not None:
                return job
        self._turns.put(False)  # for the other workers
        return None

    def remove(self, job: Job) -> None:
        """Let go of a job that was cancelled; nothing where it does not wait."""
        with self._lock:
            waiting = self._waiting[job.priority]
            if job not in waiting:
                return
            waiting.remove(job)
        job.future.set_running_or_notify_cancel()  # those who wait for several futures hear of a cancel only by this

    def close(self) -> None:
        """Take no more jobs; those that wait still get their turn."""
        with self._lock:
            if self._open:
                self._open = False
                self._turns.put(False)

    def _first(self) -> tuple[Job | None, list[Job]]:
        """Return the job whose turn it is, and those behind it whose deadline has passed."""
        with self._lock:
            present = [waiting for waiting in self._waiting if waiting]
            if not present:
                return None, []
            job = present[0].popleft()
            return job, self._overdue(present[1:]) if len(present) > 1 else []

    def _overdue(self, present: list[deque[Job]]) -> list[Job]:
        """Return the jobs at the heads of ``present`` whose deadline has passed: they came first, so they end first."""
        now, late = self._clock(), []
        for waiting in present:
            while waiting and waiting[0].overdue(now):
                late.append(waiting.popleft())
        return late


def start_workers(count: int, work: Callable[[], None], *, name: str) -> list[threading.Thread]:
    """Start ``count`` threads that do ``work``. They do not keep the process alive: a run may hang for ever."""
    workers = [threading.Thread(target=work, name=f"{name}_{number}", daemon=True) for number in range(count)]
    for worker in workers:
        worker.start()
    return workers


def join_workers(workers: list[threading.Thread], *, until: float, clock: Clock) -> None:
    """Wait for the threads to end, no longer than ``until`` on the clock."""
    for worker in workers:
        worker.join(max(0.0, until - clock()))
