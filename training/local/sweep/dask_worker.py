"""What a Dask worker does of a sweep: it says what it has, and runs trials in processes of their own.

A worker is told by the sweep's client, through a variable of the scheduler's, that somebody still waits. Where nobody
does, it ends its trials: a sweep that was killed leaves nothing behind that goes on.
"""

import hashlib
import platform
import threading
import uuid
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import distributed

from training.local.sweep.places import Reported
from training.local.sweep.process import Program, TrialProcess, write_news

PACKAGES = ("automl-edge", "torch", "numpy", "pillow")
"""Whose versions have to be alike: with others, the same trial gives other figures."""
LOOK_S = 1.0
SILENT_LOOKS = 60
"""After so many looks at which the client has given no sign it is taken for gone."""
ANSWER_S = 30.0


def probe(paths: Sequence[tuple[str, int]], marker: str, mark: str) -> dict[str, object]:
    """Return what this machine has, its versions, and what it lacks of files (with sizes) and of the sweep's folder."""
    return {"versions": versions(), "lacks": [*_unseen(paths), *_unmarked(Path(marker), mark)]}


def versions() -> Mapping[str, str]:
    """Return the versions that matter."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def _unseen(paths: Sequence[tuple[str, int]]) -> list[str]:
    return [path for path, size in paths if not Path(path).is_file() or Path(path).stat().st_size != size]


def _unmarked(marker: Path, mark: str) -> list[str]:
    return [] if marker.is_file() and marker.read_text(encoding="utf-8") == mark else [str(marker.parent)]


def topic_of(folder: Path) -> str:
    """Return the name that all of a sweep is called by on the scheduler."""
    return f"automl-sweep-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def run_trial(number: int, folder: str, owner: str, topic: str, program: Program) -> bool:
    """Run a trial for the client ``owner``, and tell it; False where that is gone, and so nobody was told the end."""
    client = distributed.get_client()
    worker = distributed.get_worker()
    key = f"{topic}-{uuid.uuid4().hex}"
    answers = distributed.Queue(key, client=client)
    with TrialProcess(number, Path(folder), program(Path(folder))) as process, _Watched(process, topic, owner) as owned:
        for news in process.news():
            if owned.gone:
                break
            worker.log_event(owner, {"number": number, "key": key, "news": write_news(news)})
            if isinstance(news, Reported):
                _pass_on(process, answers, owned)
    return not owned.gone


class _Watched:
    """Looks, in a thread of its own, whether the client still waits, and ends the process where it does not."""

    def __init__(self, process: TrialProcess, topic: str, owner: str) -> None:
        self.gone = False
        self._process = process
        self._sign = distributed.Variable(topic, client=distributed.get_client())
        self._owner = owner
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="is the sweep there", daemon=True)

    def __enter__(self) -> "_Watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def end(self) -> None:
        """End the process: nobody waits for it."""
        self.gone = True
        self._process.kill()

    def _look(self) -> None:
        last, silent = None, 0
        while not self._over.wait(LOOK_S):
            sign = self._read()
            silent = silent + 1 if sign == last else 0
            last = sign
            if sign is None or sign[0] != self._owner or silent > SILENT_LOOKS:
                self.end()
                return

    def _read(self) -> tuple[str, int] | None:
        try:
            owner, count = self._sign.get(timeout=LOOK_S)
        except OSError:  # it was taken away, or the scheduler is
            return None
        return owner, count


def _pass_on(process: TrialProcess, answers: "distributed.Queue", owned: _Watched) -> None:
    """Wait for the client's answer, and hand it on; none at all is that of a client that closes."""
    while not owned.gone:
        try:
            answer = answers.get(timeout=ANSWER_S)
        except distributed.TimeoutError:
            continue
        if answer is None:
            owned.end()
        else:
            process.answer(going=bool(answer))
        return
