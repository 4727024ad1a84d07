"""What a person says about the model to import; whatever is None is found out, or asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.bundle import Colour, Family, Range, Rule, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The arguments of ``automl-edge models import``.

    ``folder`` holds AutoML's files: ``train_artifacts`` itself, or the folder of a downloaded run around it.
    ``registry`` is made where it is missing. ``golden`` is a folder of pictures with known answers, see
    :mod:`edge.artifacts.answers`. ``resize`` and ``crop`` are in pixels, ``threshold`` is 0..1. ``any_task`` makes
    bundles of detection and segmentation models too, which this version describes and keeps, but does not run;
    ``images`` and ``size`` (width, height in pixels) are what such a graph was exported for, where it does not tell.
    ``settings`` are what is known beside AutoML's settings file, which goes first, by the same names.
    ``provenance`` and ``metrics``, plain JSON, are added to the manifest's.
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
    any_task: bool = False
    images: int | None = None
    size: tuple[int, int] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
