"""A watched folder: every picture put into it is one frame; once while nothing breaks, at least once always.

The folder is polled on purpose: file system notifications do not cross SMB and NFS, where such folders mostly are.
"""

import logging
import os
import threading
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge.errors import SourceError
from edge.ports import Emit, Frame, Priority
from edge.results import Failure, Result
from edge.sources.clock import Clock, SystemClock
from edge.sources.journal import Journal, Seen
from edge.sources.patience import emit_patiently
from edge.sources.pictures import is_picture_name, printable

After = Literal["keep", "move", "delete"]

MAX_PENDING = 32
"""Pictures read and handed in, not yet delivered."""
MAX_FILE_BYTES = 256 * 1024 * 1024
WHOLE_POLLS = 2
"""A file is whole once it looks the same in this many polls in a row."""
EMPTY_AFTER_S = 5.0
"""An empty file is given this long to be written, then it counts as a bad picture."""
LAST_ANSWERS_S = 5.0
"""How long a stopping source waits for answers to what it handed in."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Watched:
    """A file as it looked first, and how often it has looked so since."""

    seen: Seen
    since_s: float
    polls: int = 1

    def is_whole(self, now_s: float) -> bool:
        """Tell whether the file is likely written to its end."""
        if self.seen.size_bytes == 0:
            return now_s - self.since_s >= EMPTY_AFTER_S
        return self.polls >= WHOLE_POLLS


class WatchedFolder:
    """Emits the pictures of ``path``, oldest first, those too that are there already; folders and links are left alone.

    A picture is done once its result was delivered. ``after`` says what becomes of it then: ``keep`` leaves it and
    remembers it in ``journal``; ``move`` puts it into ``done/`` below the folder, or ``failed/`` where it got an error;
    ``delete`` deletes it, but moves one that failed.
    """

    kind = "folder"

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        journal: Path,
        after: After = "keep",
        poll_s: float = 0.25,
        priority: Priority = Priority.STREAM,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._path = path
        self._after = after
        self._poll_s = poll_s
        self._priority = priority
        self._clock = clock or SystemClock()
        self._journal = Journal(journal)
        self._watched: dict[str, Watched] = {}
        self._pending: dict[Seen, Future[Result]] = {}
        self._delivered: dict[Seen, bool] = {}
        self._unreadable: set[Seen] = set()

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def capture(self) -> bool:
        """Return False: a folder gives what is put into it."""
        return False

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Emit pictures until ``stop``. Raises SourceError where folder or journal cannot be used, StoppingError."""
        if self._after == "keep":
            self._journal.load(self._look())
        try:
            while not stop.is_set():
                self._settle()
                for seen in self._whole(self._look()):
                    self._offer(seen, emit, stop)
                self._clock.wait(stop, self._poll_s)
        finally:
            self._await_answers(ALL_COMPLETED, LAST_ANSWERS_S if stop.is_set() else 0.0)

    def _look(self) -> list[Seen]:
        """Return the pictures in the folder, oldest first. Raises SourceError."""
        try:
            with os.scandir(self._path) as entries:
                found = [_seen(entry) for entry in entries if is_picture_name(entry.name)]
        except OSError as exc:
            msg = f"the watched folder {self._path} cannot be read: {exc.strerror}; it is looked for again"
            raise SourceError(msg) from exc
        return sorted((seen for seen in found if seen), key=lambda seen: (seen.mtime_ns, seen.name))

    def _whole(self, present: list[Seen]) -> list[Seen]:
        """Return what is new and whole, and forget what is gone or has changed."""
        now_s = self._clock.monotonic()
        watched: dict[str, Watched] = {}
        for seen in present:
            before = self._watched.get(seen.name)
            if before is not None and before.seen == seen:
                before.polls += 1
                watched[seen.name] = before
            else:
                watched[seen.name] = Watched(seen, now_s)
        self._watched = watched
        self._unreadable &= set(present)
        return [seen for seen in present if self._is_new(seen) and watched[seen.name].is_whole(now_s)]

    def _is_new(self, seen: Seen) -> bool:
        known = (self._pending, self._delivered, self._unreadable, self._journal)
        return not any(seen in place for place in known)

    def _offer(self, seen: Seen, emit: Emit, stop: threading.Event) -> None:
        """Read a picture and hand it in, waiting for room."""
        image = self._read(seen)
        if image is None:
            return
        while len(self._pending) >= MAX_PENDING and not stop.is_set():
            self._await_answers(FIRST_COMPLETED, self._poll_s)
        name = printable(seen.name)
        frame = Frame(
            image,
            self._name,
            self._captured_at(seen),
            name=name,
            priority=self._priority,
            identity=seen.line.encode(),
        )
        future = emit_patiently(emit, frame, stop, self._clock)
        if future is not None:
            self._pending[seen] = future

    def _read(self, seen: Seen) -> bytes | None:
        """Return the file's bytes; None where it is gone or changing, or, told once, cannot be read."""
        reason = f"it has more than {MAX_FILE_BYTES} bytes"
        if seen.size_bytes <= MAX_FILE_BYTES:
            try:
                image = _bytes_of(self._path / seen.name)
            except FileNotFoundError:
                return None
            except OSError as exc:
                reason = exc.strerror or str(exc)
            else:
                return image if len(image) == seen.size_bytes else None
        self._unreadable.add(seen)
        what = {"source": self._name, "file": printable(seen.name), "reason": reason}
        log.warning("a picture in the watched folder cannot be read and is left alone until it changes", extra=what)
        return None

    def _captured_at(self, seen: Seen) -> datetime:
        """Return when the file was written; a time no calendar has becomes the present."""
        try:
            return datetime.fromtimestamp(seen.mtime_ns / 1e9, UTC)
        except (OverflowError, ValueError, OSError):
            return self._clock.now()

    def _await_answers(self, enough: str, timeout_s: float) -> None:
        """Wait for answers, the first or all, and finish what they belong to."""
        wait(self._pending.values(), timeout=timeout_s, return_when=enough)
        self._settle()

    def _settle(self) -> None:
        """Finish the files whose results were delivered; what failed to be delivered stays and is offered again."""
        for seen, future in [(seen, future) for seen, future in self._pending.items() if future.done()]:
            del self._pending[seen]
            if not future.cancelled() and future.exception() is None:
                self._delivered[seen] = isinstance(future.result().outcome.prediction, Failure)
        for seen, failed in list(self._delivered.items()):
            self._finish(seen, failed=failed)
            del self._delivered[seen]

    def _finish(self, seen: Seen, *, failed: bool) -> None:
        if self._after == "keep":
            self._journal.add(seen)
            return
        file = self._path / seen.name
        try:
            status = file.stat()
            if (status.st_size, status.st_mtime_ns) != (seen.size_bytes, seen.mtime_ns):
                return  # another picture has come under this name
            if self._after == "delete" and not failed:
                file.unlink()
            else:
                self._move(seen, self._path / ("failed" if failed else "done"))
        except FileNotFoundError:
            return  # somebody else took it away
        except OSError as exc:
            msg = f"{printable(str(file))} is answered but cannot be {self._after}d: {exc.strerror}"
            raise SourceError(f"{msg}; check the folder's rights") from exc

    def _move(self, seen: Seen, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        target, number = folder / seen.name, 1
        while target.exists():
            target = folder / f"{Path(seen.name).stem}-{number}{Path(seen.name).suffix}"
            number += 1
        (self._path / seen.name).rename(target)


def _bytes_of(path: Path) -> bytes:
    """Return a plain file's bytes; a link that has taken its place meanwhile is not followed. Raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return file.read()


def _seen(entry: "os.DirEntry[str]") -> Seen | None:
    """Return a file's present state; None for what is no file or is gone already."""
    try:
        if not entry.is_file(follow_symlinks=False):  # who may write here must not have us read what we may read
            return None
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return Seen(entry.name, status.st_size, status.st_mtime_ns)
