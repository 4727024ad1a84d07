"""Which files are pictures, and what a file is called."""

import os
from pathlib import Path

from edge.preprocess.decode import SUFFIXES


def is_picture_name(name: str) -> bool:
    """Tell whether a file's name is a picture's; hidden files are none."""
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def printable(name: str) -> str:
    """Return a file's name as text that every output can hold: bytes that are no UTF-8 become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
