"""Writing files so that a reader or a power cut finds the old content or the new one, never a part."""

import errno
import os
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, data: bytes, *, partial: Path | None = None) -> None:
    """Write ``data`` to ``partial`` beside ``path``, force it to the disk, and put it in place.

    Without ``partial``, that is a hidden file of the same name. Raises OSError, and leaves no part then: on a full disk
    it would hold the room that is missing.
    """
    partial = partial or path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Force a folder's own entries to the disk, where its file system can do so. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # what network shares say to folders
            raise
    finally:
        os.close(descriptor)
