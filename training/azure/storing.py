"""Brings many small files into a datastore: several at once, only those that are not there yet."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from edge.azureml.containers import Container
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError

WORKERS = 8
"""How many files are on their way at once; the SDK's pool keeps ten connections."""
FORBIDDEN = 403

Told = Callable[[int, int], object]
"""Hears how many of how many files are there."""


@dataclass(frozen=True, slots=True)
class ToSend:
    """A file: its path below the container, its SHA-256, and how its bytes are read when its turn has come."""

    path: str
    sha256: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """How many files and bytes were sent, and how many files were there already."""

    files: int = 0
    bytes: int = 0
    kept: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(self.files + other.files, self.bytes + other.bytes, self.kept + other.kept)


def send(container: Container, folder: str, files: Sequence[ToSend], told: Told = lambda _done, _all: None) -> Sent:
    """Make sure that files are in a folder; those that are there with the same hash stay as they are.

    Of the files, no more are in memory than are on their way. At the first error the rest is left.
    """
    there = {stored.path: stored.sha256 for stored in container.files(folder)}
    todo = [file for file in files if there.get(file.path) != file.sha256]
    kept = len(files) - len(todo)
    told(kept, len(files))
    sent = Sent(kept=kept)
    for size in _sizes(container, todo):
        sent += Sent(files=1, bytes=size)
        told(kept + sent.files, len(files))
    return sent


def _sizes(container: Container, todo: Sequence[ToSend]) -> Iterator[int]:
    """Send, and yield each file's size once it is there."""
    with ThreadPoolExecutor(WORKERS, "send") as workers:
        waiting = iter(todo)
        running: set[Future[int]] = {workers.submit(_send, container, file) for file in islice(waiting, 2 * WORKERS)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (ended.result() for ended in done)
                running |= {workers.submit(_send, container, file) for file in islice(waiting, len(done))}
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def _send(container: Container, file: ToSend) -> int:
    data = file.read()
    container.put(file.path, data, sha256=file.sha256)
    return len(data)


@contextmanager
def storing(session: Session, what: str) -> Iterator[None]:
    """Turn Azure's errors into AzureError as ``session.asking`` does, with the remedies of storage beside."""
    try:
        with session.asking(what):
            yield
    except AzureUnavailableError as error:
        raise AzureUnavailableError(f"{error}; run the same command again, what is there is not sent again") from error
    except AzureError as error:
        if getattr(error.__cause__, "status_code", None) != FORBIDDEN:
            raise
        role = "Storage Blob Data Contributor"
        raise AzureError(f"{error}; the identity needs the role {role} on the workspace's storage account") from error
