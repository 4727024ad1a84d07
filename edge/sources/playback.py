"""Plays a folder of pictures or a video file at a rate, as a camera would: what finds the queue full is dropped."""

import logging
import random
import threading
from collections.abc import Iterator
from pathlib import Path

from edge.errors import ModelNotReadyError, OverloadedError, SourceError
from edge.ports import Emit, Frame, Priority
from edge.predictor import Image
from edge.sources.clock import Clock, SystemClock
from edge.sources.pictures import is_picture_name, printable
from edge.sources.video import read_video

GLANCE_S = 0.1
"""A wait is cut into pieces of at most this, so that a capture out of turn is soon taken."""

log = logging.getLogger(__name__)


class Playback:
    """Emits ``fps`` frames a second from ``path``, once or in a ``loop``.

    Pictures of a folder, and of the folders in it, come in the order of their paths, or shuffled by ``shuffle_seed``. A
    source that was late does not hurry to catch up. A frame captured out of turn is a trigger, whatever ``priority``.
    """

    kind = "playback"

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        fps: float,
        loop: bool = False,
        shuffle_seed: int | None = None,
        priority: Priority = Priority.STREAM,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._path = path
        self._period_s = 1.0 / fps
        self._loop = loop
        self._shuffle_seed = shuffle_seed
        self._priority = priority
        self._clock = clock or SystemClock()
        self._wanted = threading.Event()
        self._playing = threading.Event()
        self._dropped = 0

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    @property
    def dropped(self) -> int:
        """How many frames found no room."""
        return self._dropped

    def capture(self) -> bool:
        """Take the next frame now; False where nothing is being played."""
        if self._playing.is_set():
            self._wanted.set()
        return self._playing.is_set()

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Emit frames until ``stop`` or the end. Raises SourceError where there is nothing to play, StoppingError."""
        due_s = self._clock.monotonic()
        self._playing.set()
        try:
            for image, name in self._passes():
                priority = self._await_turn(due_s, stop)
                if stop.is_set():
                    return
                self._emit(emit, Frame(image, self._name, self._clock.now(), name=name, priority=priority))
                due_s = max(due_s + self._period_s, self._clock.monotonic())
        finally:
            self._playing.clear()

    def _await_turn(self, due_s: float, stop: threading.Event) -> Priority:
        """Wait until a frame is due or wanted, or ``stop``; tell how urgent it is: one that is wanted is a trigger."""
        while not stop.is_set() and not self._wanted.is_set():
            left_s = due_s - self._clock.monotonic()
            if left_s <= 0:
                return self._priority
            self._clock.wait(stop, min(left_s, GLANCE_S))
        self._wanted.clear()
        return Priority.TRIGGER

    def _emit(self, emit: Emit, frame: Frame) -> None:
        try:
            emit(frame)
        except (OverloadedError, ModelNotReadyError):
            self._dropped += 1

    def _passes(self) -> Iterator[tuple[Image, str]]:
        """Yield pictures and names, from the first to the last, again and again in a loop."""
        while True:
            yield from self._folder() if self._path.is_dir() else self._video()
            if not self._loop:
                return

    def _video(self) -> Iterator[tuple[Image, str]]:
        if not self._path.exists():
            msg = f"there is nothing to play: {self._path} does not exist"
            raise SourceError(msg)
        for number, frame in enumerate(read_video(self._path), start=1):
            yield frame, f"{printable(self._path.name)}#{number}"

    def _folder(self) -> Iterator[tuple[Image, str]]:
        """Yield the folder's pictures; one that cannot be read is left out and told."""
        played = 0
        for file in self._files():
            try:
                image = file.read_bytes()
            except OSError as exc:
                what = {"source": self._name, "file": printable(str(file)), "reason": exc.strerror}
                log.warning("a picture cannot be read and is left out", extra=what)
                continue
            played += 1
            yield image, printable(str(file.relative_to(self._path)))
        if played == 0:
            msg = f"there is nothing to play: no readable picture in {self._path}"
            raise SourceError(msg)

    def _files(self) -> list[Path]:
        files = sorted(file for file in self._path.rglob("*") if is_picture_name(file.name) and file.is_file())
        if self._shuffle_seed is not None:
            random.Random(self._shuffle_seed).shuffle(files)  # noqa: S311 - a fixed order, no secret
        return files
