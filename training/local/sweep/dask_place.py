"""Machines of a Dask cluster as the place of trials. Their folders lie where all machines see them."""

import logging
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import distributed

from training.errors import UsageError, WorkplaceError
from training.local.run import Run
from training.local.sweep.dask_worker import LOOK_S, probe, run_trial, topic_of, versions
from training.local.sweep.places import Broken, News, Reported
from training.local.sweep.process import Program, read_news, trial_program

SCHEME = "dask://"
CONNECT_S = 5.0
SIGN_S = 2.0
NOBODY = ("nobody", 0)
"""The sign of a client that is gone."""
CLOSE_S, CLOSING_S = 15.0, 0.1
MARKER_FILE = ".seen-by-all"


class OnDask:
    """Runs each trial as a task, in a process that the worker starts; a task whose worker is lost moves elsewhere."""

    def __init__(self, client: "distributed.Client", folder: Path, program: Program = trial_program) -> None:
        self._client = client
        self._program = program
        self._topic = topic_of(folder)
        self._owner = f"{self._topic}-{uuid.uuid4().hex}"
        self._heard: Queue[Mapping[str, Any]] = Queue()
        self._tasks: dict[int, tuple[Any, Path]] = {}
        self._asking: dict[int, str] = {}
        self._signs, self._signed = 0, 0.0
        self._sign = distributed.Variable(self._topic, client=client)
        with _told("begin"):
            client.subscribe_topic(self._owner, lambda event: self._heard.put(event[1]))
            self._give_sign()

    def begin(self, number: int, folder: Path) -> None:
        """Begin a trial, or go on with it."""
        with _told("begin a trial"):
            task = self._client.submit(
                run_trial,
                number,
                str(folder),
                self._owner,
                self._topic,
                self._program,
                pure=False,
                key=f"{self._owner}-{number}-{uuid.uuid4().hex[:8]}",
            )
        self._tasks[number] = (task, folder)

    def next_news(self, timeout_s: float) -> News | None:
        """Wait for the next that a trial tells.

        Raises:
            WorkplaceError: the scheduler is gone.
        """
        until = time.monotonic() + timeout_s
        while True:
            with _told("go on"):
                self._give_sign()
            left = until - time.monotonic()
            try:
                said = self._heard.get(timeout=max(0.0, min(left, SIGN_S)))
            except Empty:
                if left <= 0:
                    return self._lost()
                continue
            news = read_news(said["number"], said["news"])
            if isinstance(news, Reported):
                self._asking[news.number] = said["key"]
            elif news is not None:
                self._tasks.pop(news.number, None)
            return news

    def _give_sign(self) -> None:
        """Tell workers that somebody waits."""
        if self._client.status not in ("running", "connecting"):
            raise WorkplaceError(f"the scheduler has gone ({self._client.status}); the same command goes on")
        if time.monotonic() - self._signed >= SIGN_S:
            self._signs += 1
            self._sign.set((self._owner, self._signs))
            self._signed = time.monotonic()

    def _lost(self) -> News | None:
        """Return the end of a trial whose task ended without a word; one that was left alone is begun again."""
        for number, (task, folder) in list(self._tasks.items()):
            if task.status == "error":
                del self._tasks[number]
                return Broken(number, _why(task.exception()))
            if task.status == "finished" and self._heard.empty():
                self.begin(number, folder)
        return None

    def answer(self, number: int, *, going: bool) -> None:
        """Tell a trial whether it goes on."""
        with _told("answer a trial"):
            self._reply(number, going)

    def _reply(self, number: int, answer: bool | None) -> None:
        distributed.Queue(self._asking.pop(number), client=self._client).put(answer)

    def close(self) -> None:
        """End all trials, and wait for it."""
        with suppress(OSError, RuntimeError, distributed.TimeoutError):  # where nobody is, nothing is left to end
            self._client.unsubscribe_topic(self._owner)
            self._sign.set(NOBODY)
            for number in list(self._asking):
                self._reply(number, None)
            tasks = [task for task, _ in self._tasks.values()]
            until = time.monotonic() + CLOSE_S
            while any(not task.done() for task in tasks) and time.monotonic() < until:
                time.sleep(CLOSING_S)
            self._client.cancel(tasks)
            self._sign.delete()


def _why(error: BaseException) -> str:
    if isinstance(error, distributed.KilledWorker):
        return "its workers were lost, one after the other; memory may run out there"
    return f"a worker cannot run it ({type(error).__name__}: {' '.join(str(error).split())})"


@contextmanager
def connected(address: str) -> "Iterator[distributed.Client]":
    """Give a client of the cluster at ``dask://host:port``.

    Raises:
        UsageError: it is no such address.
        WorkplaceError: nobody answers there, within seconds.
    """
    host, _, port = address.removeprefix(SCHEME).rpartition(":")
    if not address.startswith(SCHEME) or not host or not port.isdecimal():
        raise UsageError(f"--on {address}: write it as dask://HOST:PORT, the address of a Dask scheduler")
    for name in ("distributed", "distributed.client", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say what there is to say
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()  # at once, where Dask tries for seconds
        client = distributed.Client(f"tcp://{host}:{port}", timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        said = f"no Dask scheduler answers there ({' '.join(str(error).split())})"
        raise WorkplaceError(f"--on {address}: {said}; start one there with: dask scheduler") from error
    with client:
        yield client


def check_workers(client: "distributed.Client", run: Run, folder: Path) -> Mapping[str, int]:
    """Return the threads of each worker.

    Raises:
        WorkplaceError: there are none, or some lack the data, the folder or our versions; each is named with what.
    """
    mark = uuid.uuid4().hex
    marker = folder / MARKER_FILE
    marker.write_text(mark, encoding="utf-8")
    seen = [(str(path), path.stat().st_size) for path in samples(run)]
    with _told("be looked at"):
        threads: Mapping[str, int] = client.nthreads()
        said = client.run(probe, seen, str(marker), mark, on_error="return") if threads else {}
    marker.unlink()
    if not threads:
        raise WorkplaceError("the Dask scheduler has no workers; start some: dask worker HOST:PORT")
    lacks = [f"{worker} {lack}" for worker, told in said.items() for lack in lacks_of(told)]
    if lacks:
        raise WorkplaceError(f"not all workers can run trials: {'; '.join(lacks)}")
    return threads


def samples(run: Run) -> Sequence[Path]:
    """Return a few pictures that stand for all: where these are seen, the others are."""
    ends = [records[place] for records in (run.training, run.held_out) if records for place in (0, -1)]
    return list(dict.fromkeys(record.path for record in ends))


def lacks_of(told: Any) -> list[str]:
    """Return what keeps a worker from running trials, by what it told of itself."""
    if isinstance(told, Exception):
        return [f"cannot be asked ({type(told).__name__}: {told}); install automl-edge there"]
    mine = versions()
    other = [
        f"has {package} {version}, here is {mine[package]}"
        for package, version in told["versions"].items()
        if version != mine[package]
    ]
    return [*other, *(f"does not see {path}; share it under the same path" for path in told["lacks"])]


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        said = f"the Dask scheduler is gone, trials cannot {what} ({' '.join(str(error).split())})"
        raise WorkplaceError(f"{said}; the same command goes on") from error


def settle(client: "distributed.Client", folder: Path) -> None:
    """Wait for trials to end that a client which was killed has left; they notice when another one is there."""
    sign = distributed.Variable(topic_of(folder), client=client)
    with suppress(distributed.TimeoutError):
        sign.get(timeout=0.2)
        sign.set(NOBODY)
        time.sleep(2 * LOOK_S)
