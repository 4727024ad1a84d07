"""Brings many small files into a datastore: several at once, only those that are not there yet."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from edge.azureml.containers import Container
from edge.azureml.unwaited import begin
from training.azure.session import Session
from training.errors import AzureUnavailableError

WORKERS = 8
"""How many files are on their way at once; the SDK's pool keeps ten connections."""
EXPIRED = "AuthenticationFailed"
"""What storage says of a signature whose time is over."""

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


class SignatureOverError(Exception):
    """A datastore's signature lasts an hour, an upload may last longer: open the datastore anew and go on."""

    def __init__(self, sent: Sent) -> None:
        super().__init__("the signature is over")
        self.sent = sent


def send(container: Container, folder: str, files: Sequence[ToSend], told: Told = lambda _done, _all: None) -> Sent:
    """Make sure that files are in a folder; those that are there with the same hash stay as they are.

    Of the files, no more are in memory than are on their way. At the first error the rest is left.

    Raises:
        SignatureOverError: files were sent, then the container's signature was not accepted any more.
    """
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - only who talks to Azure has it

    there = {stored.path: stored.sha256 for stored in container.files(folder)}
    todo = [file for file in files if there.get(file.path) != file.sha256]
    kept = len(files) - len(todo)
    told(kept, len(files))
    sizes: list[int] = []
    try:
        for ended, _ in enumerate(_ended(container, todo, sizes.append), 1):
            told(kept + ended, len(files))
    except HttpResponseError as error:
        if sizes and getattr(error, "error_code", None) == EXPIRED:
            raise SignatureOverError(Sent(len(sizes), sum(sizes))) from error
        raise
    return Sent(len(sizes), sum(sizes), kept)


def _ended(container: Container, todo: Sequence[ToSend], sent: Callable[[int], object]) -> Iterator[None]:
    """Send; yield after each file. ``sent`` hears of its size, from several threads."""
    waiting = iter(todo)

    def begun(count: int) -> set[Future[None]]:
        return {begin(partial(_send, container, file, sent), "send") for file in islice(waiting, count)}

    running = begun(WORKERS)
    try:
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (ended.result() for ended in done)
            running |= begun(len(done))
    except Exception:
        wait(running)  # whoever interrupts does not wait: each file is there whole or not at all
        raise


def _send(container: Container, file: ToSend, sent: Callable[[int], object]) -> None:
    data = file.read()
    container.put(file.path, data, sha256=file.sha256)
    sent(len(data))


@contextmanager
def storing(session: Session, what: str) -> Iterator[None]:
    """Turn Azure's errors into AzureError as ``session.asking`` does, and say that nothing is lost."""
    try:
        with session.asking(what):
            yield
    except AzureUnavailableError as error:
        raise AzureUnavailableError(f"{error}; run the same command again, what is there is not sent again") from error
