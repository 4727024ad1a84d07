"""The code that the steps run in the cloud: this very installation's packages in an archive that Python imports from.

One file, and not the SDK's folder of code: its upload is checked, and the same code is sent once.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import edge
import training

PACKAGES = (edge, training)
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that an archive can say: the same files make the same archive, whenever they were installed."""


def snapshot() -> bytes:
    """Return the packages' modules as a ZIP archive, byte for byte the same for the same code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in _modules():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def place_of(archive: bytes) -> str:
    """Return where an archive lies in a datastore: by its content."""
    return f"automl-edge/code/{hashlib.sha256(archive).hexdigest()}.zip"


def _modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        (origin,) = map(Path, package.__path__)
        for path in sorted(origin.rglob("*.py")):
            yield f"{package.__name__}/{path.relative_to(origin).as_posix()}", path
