"""Pictures named on a command line: finding them in order, and answering them in order with bounded memory."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InferenceError, InputError, OverloadedError
from edge.ports import Executor
from edge.results import Failure, Outcome, Prediction
from edge.sources.pictures import is_picture_name, printable

MAX_FILE_BYTES = 1 << 30
"""Largest file that is read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, and its path as the person typed it, joined with the path below."""

    text: str
    file: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one picture."""

    picture: Picture
    prediction: Prediction


def find(arguments: Iterable[str], *, recursive: bool = True) -> Iterator[Picture]:
    """Yield files as given, and the pictures in folders sorted by name; hidden files and folders are left out.

    Folders behind links are left out too, for they may lead back. A folder that cannot be read is yielded itself, so
    that it fails in a row of its own.
    """
    for argument in arguments:
        if Path(argument).is_dir():
            yield from _in_folder(argument.rstrip("/") or "/", Path(argument), recursive=recursive)
        else:
            yield Picture(printable(argument), Path(argument))


def _in_folder(text: str, folder: Path, *, recursive: bool) -> Iterator[Picture]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield Picture(printable(text), folder)
        return
    for entry in entries:
        below = f"{text.removesuffix('/')}/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from _in_folder(below, Path(entry.path), recursive=True)
        elif is_picture_name(entry.name):
            yield Picture(printable(below), Path(entry.path))


@dataclass(frozen=True, slots=True)
class _Started:
    """A picture whose answer is under way, or known already."""

    picture: Picture
    answer: Future[Outcome] | Failure

    @property
    def done(self) -> bool:
        return isinstance(self.answer, Failure) or self.answer.done()


def answers(pictures: Iterable[Picture], executor: Executor) -> Iterator[Answer]:
    """Yield an answer for each picture, in order; as many are under way as the executor's queue holds.

    Raises what no single picture is to blame for (StoppingError, ModelNotReadyError).
    """
    line: deque[_Started] = deque()
    for picture in pictures:
        image = read_picture(picture.file)
        while (answer := image if isinstance(image, Failure) else _submit(executor, image)) is None:
            yield _finish(line.popleft())
        line.append(_Started(picture, answer))
        while line and line[0].done:
            yield _finish(line.popleft())
    while line:
        yield _finish(line.popleft())


def _submit(executor: Executor, image: bytes) -> Future[Outcome] | None:
    """Return the picture's future; None where the queue has no room yet (an empty one always has)."""
    try:
        return executor.submit(image)
    except OverloadedError:
        return None


def _finish(started: _Started) -> Answer:
    if isinstance(started.answer, Failure):
        return Answer(started.picture, started.answer)
    try:
        return Answer(started.picture, started.answer.result().prediction)
    except (InputError, InferenceError) as error:
        return Answer(started.picture, Failure(kind=type(error).__name__, detail=str(error)))


def read_picture(file: Path) -> bytes | Failure:
    """Return a file's bytes, or why there are none."""
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            return Failure(
                "ImageTooLargeError", f"the file has {size >> 20} MiB, at most {MAX_FILE_BYTES >> 20} are read"
            )
        return file.read_bytes()
    except OSError as error:
        return Failure("SourceError", f"the file cannot be read: {error.strerror}")
