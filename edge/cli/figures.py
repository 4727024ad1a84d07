"""Where figures of explanations are written: a file a picture and class, or one by its own name."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.cli.pictures import Picture
from edge.durable import replace_file
from edge.errors import ConfigError, PublishError
from edge.execution.explaining import Explained

SUFFIX = ".why.png"
"""How the names of figures end, so that they can be told from pictures."""
LONGEST_BYTES = 100
"""Of a picture's name and of a label's, each, in a figure's name: file systems allow 255 for all of it."""


class Figures:
    """Writes figures into the folder ``output``, made where it is missing, or the only one into the file ``output``.

    The same picture and class give the same name again; within one run no figure takes the place of another, or of one
    of ``pictures``. Raises ConfigError where one file is to hold the figures of several pictures, or is the picture.
    """

    def __init__(self, output: Path, *, pictures: Sequence[Picture]) -> None:
        self._file = output if output.suffix.lower() == ".png" and not output.is_dir() else None
        self._folder = output
        self._taken = {picture.file.resolve() for picture in pictures}
        if self._file and len(pictures) > 1:
            raise ConfigError(
                f"--output {output}: one file holds one figure, and there are {len(pictures)} pictures; give a DIR"
            )
        if self._file and self._file.resolve() in self._taken:
            raise ConfigError(f"--output {output}: is the picture itself; give another name, or a DIR")

    def write(self, picture: Picture, explained: Explained) -> list[Path]:
        """Write a picture's figures and return their files. Raises PublishError, and ConfigError as above."""
        if self._file and len(explained.figures) > 1:
            raise ConfigError(
                f"--output {self._file}: one file holds one figure, and {', '.join(explained.labels)} are selected; "
                "choose a --label, or give a DIR"
            )
        files = [self._file or self._free(picture, label) for label in explained.labels]
        for file, figure in zip(files, explained.figures, strict=True):
            _write(file, figure)
        return files

    def _free(self, picture: Picture, label: str) -> Path:
        file = next(file for file in self._names(picture, label) if file.resolve() not in self._taken)
        self._taken.add(file.resolve())
        return file

    def _names(self, picture: Picture, label: str) -> Iterator[Path]:
        """Yield names for a figure: the plain one, then numbered ones."""
        stem = f"{_safe(Path(picture.text).stem)}.{_safe(label)}"
        yield self._folder / f"{stem}{SUFFIX}"
        number = 2
        while True:
            yield self._folder / f"{stem}-{number}{SUFFIX}"
            number += 1


def _safe(text: str) -> str:
    """Return a text as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", text).encode()[:LONGEST_BYTES].decode(errors="ignore")


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, data, partial=file.with_name(f"{file.name}.partial"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise PublishError(f"cannot write {file}: {reason}; free space or choose another --output") from error
