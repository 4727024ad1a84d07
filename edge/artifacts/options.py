"""What a person says about the model to import; whatever is None is found out, or asked for."""

from dataclasses import dataclass
from pathlib import Path

from edge.bundle import Colour, Family, Range, Rule, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The arguments of ``automl-edge models import``.

    ``folder`` holds AutoML's files: ``train_artifacts`` itself, or the folder of a downloaded run around it.
    ``registry`` is made where it is missing. ``golden`` is a folder of pictures with known answers, see
    :mod:`edge.artifacts.answers`. ``resize`` and ``crop`` are in pixels, ``threshold`` is 0..1.
    """

    folder: Path
    name: str
    registry: Path
    version: str | None = None
    task: Task | None = None
    family: Family | None = None
    range: Range | None = None
    rule: Rule | None = None
    colour: Colour | None = None
    resize: int | None = None
    crop: int | None = None
    threshold: float | None = None
    golden: Path | None = None
