"""The code that the steps run in the cloud: this very installation's packages, without what only tests need."""

import shutil
from pathlib import Path

import edge
import training

PACKAGES = (edge, training)
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def write_snapshot(folder: Path) -> Path:
    """Copy the packages into the empty ``folder`` and return it. Raises OSError."""
    for package in PACKAGES:
        (origin,) = package.__path__
        shutil.copytree(origin, folder / package.__name__, ignore=LEFT_OUT)
    return folder
