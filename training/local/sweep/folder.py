"""The folder of a sweep: what was asked for, the journal of what was proposed, and a folder for each trial.

::

    space.toml      what was asked for
    journal.log     Optuna's: what was proposed, and what came of it
    trials/0007     the run of a trial
"""

import fcntl
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.durable import replace_file
from training.errors import StorageError, UsageError

SPACE_FILE = "space.toml"
LOCK_FILE = "lock"
TRIALS = "trials"


def trial_folder(folder: Path, number: int) -> Path:
    """Return the folder of a trial."""
    return folder / TRIALS / f"{number:04}"


@contextmanager
def claimed(folder: Path, space_file: Path) -> Iterator[None]:
    """Make a folder that of the sweep which a file asks for, and keep others from it while the block runs.

    Raises:
        UsageError: it is another sweep's, or one runs in it.
        StorageError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("ab")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror}); give another --output") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{folder}: a sweep runs in it; look at it with --show, or give another --output"
            ) from error
        _keep_copy(folder, space_file)
        yield


def is_running(folder: Path) -> bool:
    """Tell whether a sweep runs in a folder now."""
    try:
        with (folder / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _keep_copy(folder: Path, space_file: Path) -> None:
    copy = folder / SPACE_FILE
    asked = space_file.read_bytes()
    if copy.exists() and _apart_from_limits(copy.read_bytes()) != _apart_from_limits(asked):
        raise UsageError(
            f"{folder}: holds a sweep of another space; {copy} is what it tries, only [limits] may change. "
            f"Give another --output or name, or remove {folder}"
        )
    try:
        replace_file(copy, asked, partial=folder / f".{SPACE_FILE}.partial")
    except OSError as error:
        raise StorageError(
            f"{copy}: cannot be written ({error.strerror}); make room, or give another --output"
        ) from error


def _apart_from_limits(content: bytes) -> Mapping[str, Any]:
    return {key: value for key, value in tomllib.loads(content.decode()).items() if key != "limits"}
