"""What a model is and expects: the bundle's schema, its files and their hashes, the graph against the manifest.

A bundle is a folder: ``manifest.json``, ``model.onnx``, ``labels.json``, ``settings.json`` where AutoML made one, and
``golden/``. The manifest is written last, so a folder without one is not a bundle yet.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import ModelInvalidError, ModelUnsupportedError

MANIFEST = "manifest.json"
BUNDLE_SCHEMA = "automl-edge/bundle/1"
CLASSIFICATION_TASKS = ("image-classification", "image-classification-multilabel")
HASH_CHUNK_BYTES = 1 << 20

Task = Literal[
    "image-classification", "image-classification-multilabel", "image-object-detection", "image-instance-segmentation"
]
Family = Literal["classification", "fasterrcnn", "retinanet", "maskrcnn", "yolov5"]
Rule = Literal["shorter-side", "square"]
Range = Literal["imagenet", "0-255", "0-1"]
Colour = Literal["rgb", "bgr"]
Dimension = int | str


def _confined(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise ValueError("must be a relative path inside the bundle")
    return path


RelativePath = Annotated[str, AfterValidator(_confined)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class TensorInput(_Strict):
    """The graph's one input. ``range`` is what pixel values become: see :mod:`edge.preprocess.classification`."""

    name: str
    dtype: Literal["float32"] = "float32"
    shape: tuple[Dimension, ...]
    colour: Colour = "rgb"
    range: Range = "imagenet"


class Preprocessing(_Strict):
    """How a picture becomes the input: the rule's name, the side to resize to and the side of the crop, in pixels."""

    rule: Rule = "shorter-side"
    resize: Annotated[int, Field(ge=1, le=8192)] = 256
    crop: Annotated[int, Field(ge=1, le=8192)] = 224


class Postprocessing(_Strict):
    """How outputs become a prediction. ``threshold`` (0..1) selects labels of a multi-label model."""

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5


class File(_Strict):
    """What a file must be: SHA-256 in hex and size in bytes."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class Expected(_Strict):
    """The known answer: the labels that must come out, and the probabilities (0..1, in label order) where known."""

    labels: tuple[str, ...]
    probs: tuple[float, ...] | None = None


class Golden(_Strict):
    """One picture with a known answer; ``tolerance`` is the largest allowed difference of any probability."""

    image: RelativePath
    expected: Expected
    tolerance: Annotated[float, Field(gt=0, le=1)] = 0.02


class Manifest(_Strict):
    """The whole of ``manifest.json``."""

    schema_: Annotated[Literal["automl-edge/bundle/1"], Field(alias="schema")] = BUNDLE_SCHEMA
    name: Name
    version: Name
    task: Task
    family: Family
    created_at: Annotated[datetime, Field(strict=False)]
    input: TensorInput
    preprocessing: Preprocessing
    postprocessing: Postprocessing = Postprocessing()
    batch: Literal["dynamic", "single"] | Annotated[int, Field(ge=1)] = "dynamic"
    model: RelativePath = "model.onnx"
    labels: RelativePath = "labels.json"
    files: Mapping[RelativePath, File]
    provenance: Mapping[str, Any] = {}
    metrics: Mapping[str, Any] = {}
    golden: tuple[Golden, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> "Manifest":
        if self.created_at.tzinfo is None:
            raise ValueError("created_at must carry a time zone")
        for path in (self.model, self.labels, *(g.image for g in self.golden)):
            if path not in self.files:
                raise ValueError(f"files does not list {path}")
        if self.preprocessing.rule == "square" and self.preprocessing.resize < self.preprocessing.crop:
            raise ValueError("the square rule needs resize >= crop")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every file was found to be what its manifest says.

    ``digest`` is the SHA-256 of the manifest and so, through its hashes, of the whole bundle.
    """

    folder: Path
    manifest: Manifest
    labels: tuple[str, ...]
    digest: str

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / self.manifest.model

    def __str__(self) -> str:
        return f"{self.manifest.name}:{self.manifest.version}"


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """Name, element type (``float32``, ``int64``, …) and dimensions of a graph's input or output, as loaded."""

    name: str
    dtype: str
    shape: tuple[Dimension | None, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The interface of a loaded ONNX graph."""

    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_manifest(data: bytes, *, where: str) -> Manifest:
    """Return the manifest in ``data``; raises ModelInvalidError naming ``where`` and every problem in it."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        problems = "; ".join(_problem(dict(item)) for item in error.errors(include_url=False))
        raise ModelInvalidError(f"{where}: {problems}") from error


def _problem(item: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"])
    return f"{place}: {item['msg']}" if place else str(item["msg"])


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder without looking at its other files. Raises ModelInvalidError."""
    return parse_manifest(_read(folder / MANIFEST), where=str(folder / MANIFEST))


def open_bundle(folder: Path) -> Bundle:
    """Read a bundle and check every file against the manifest. Raises ModelInvalidError naming the first wrong file."""
    data = _read(folder / MANIFEST)
    manifest = parse_manifest(data, where=str(folder / MANIFEST))
    for path, expected in manifest.files.items():
        _check_file(folder, path, expected)
    labels = parse_labels(_read(folder / manifest.labels), where=str(folder / manifest.labels))
    _check_golden_labels(manifest, labels)
    return Bundle(folder, manifest, labels, hashlib.sha256(data).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelInvalidError(f"cannot read {path}: {error.strerror}") from error


def _check_file(folder: Path, path: str, expected: File) -> None:
    full = folder / path
    try:
        if not full.resolve().is_relative_to(folder.resolve()):
            raise ModelInvalidError(f"{full} leads outside the bundle")
        size = full.stat().st_size
        if size != expected.size:
            raise ModelInvalidError(
                f"{full} has {size} bytes, the manifest says {expected.size}: the file is cut off or another one; copy it again"
            )
        if sha256_of(full) != expected.sha256:
            raise ModelInvalidError(f"{full} does not have the SHA-256 in the manifest: it was changed; copy it again")
    except OSError as error:
        raise ModelInvalidError(f"cannot read {full}: {error.strerror}") from error


def parse_labels(data: bytes, *, where: str) -> tuple[str, ...]:
    """Return the class names of a ``labels.json`` in index order. Raises ModelInvalidError."""
    try:
        labels = json.loads(data)
    except ValueError as error:
        raise ModelInvalidError(f"{where} is no JSON: {error}") from error
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ModelInvalidError(f"{where} must be a JSON list of class names")
    if len(set(labels)) != len(labels):
        raise ModelInvalidError(f"{where} names a class twice")
    return tuple(labels)


def _check_golden_labels(manifest: Manifest, labels: tuple[str, ...]) -> None:
    for golden in manifest.golden:
        unknown = set(golden.expected.labels) - set(labels)
        if unknown:
            raise ModelInvalidError(f"golden picture {golden.image} expects unknown labels: {', '.join(sorted(unknown))}")
        if golden.expected.probs is not None and len(golden.expected.probs) != len(labels):
            raise ModelInvalidError(
                f"golden picture {golden.image} expects {len(golden.expected.probs)} probabilities for {len(labels)} labels"
            )


def check_runnable(manifest: Manifest) -> None:
    """Raise ModelUnsupportedError, naming it, for a task or family that this version does not run."""
    if manifest.task not in CLASSIFICATION_TASKS or manifest.family != "classification":
        raise ModelUnsupportedError(
            f"{manifest.name}:{manifest.version} is a model for {manifest.task} (family {manifest.family}); this version runs "
            f"{' and '.join(CLASSIFICATION_TASKS)}"
        )


def check_graph(manifest: Manifest, labels: Sequence[str], graph: Graph) -> None:
    """Raise ModelInvalidError, listing every difference, unless the loaded graph is what the manifest says."""
    problems = [*_input_problems(manifest, graph), *_output_problems(labels, graph)]
    if problems:
        raise ModelInvalidError(f"{manifest.name}:{manifest.version}: graph and manifest differ: {'; '.join(problems)}")


def _input_problems(manifest: Manifest, graph: Graph) -> list[str]:
    if len(graph.inputs) != 1:
        return [f"the graph has {len(graph.inputs)} inputs, 1 expected"]
    found, expected, crop = graph.inputs[0], manifest.input, manifest.preprocessing.crop
    problems = []
    if found.name != expected.name:
        problems.append(f"input is named {found.name!r}, the manifest says {expected.name!r}")
    if found.dtype != expected.dtype:
        problems.append(f"input is {found.dtype}, the manifest says {expected.dtype}")
    if not _shapes_agree(found.shape, (manifest_batch(manifest), 3, crop, crop)):
        problems.append(f"input has shape {list(found.shape)}, preprocessing makes [batch, 3, {crop}, {crop}]")
    if not _shapes_agree(found.shape, expected.shape):
        problems.append(f"input has shape {list(found.shape)}, the manifest says {list(expected.shape)}")
    return problems


def _output_problems(labels: Sequence[str], graph: Graph) -> list[str]:
    if len(graph.outputs) != 1:
        return [f"the graph has {len(graph.outputs)} outputs, 1 expected"]
    found = graph.outputs[0]
    if found.dtype != "float32":
        return [f"output {found.name!r} is {found.dtype}, float32 expected"]
    if not _shapes_agree(found.shape, ("batch", len(labels))):
        return [f"output {found.name!r} has shape {list(found.shape)}, but there are {len(labels)} labels"]
    return []


def manifest_batch(manifest: Manifest) -> Dimension:
    """Return the batch axis that the manifest promises: a number where it is fixed, else its symbol."""
    if manifest.batch == "single":
        return 1
    return "batch" if manifest.batch == "dynamic" else manifest.batch


def _shapes_agree(found: Sequence[Dimension | None], expected: Sequence[Dimension]) -> bool:
    """Tell whether fixed sizes agree; a symbolic axis agrees with a symbolic one only where a number is promised."""
    if len(found) != len(expected):
        return False
    return all(not isinstance(e, int) or not isinstance(f, int) or f == e for f, e in zip(found, expected, strict=True))


def file_entries(folder: Path, paths: Sequence[str]) -> dict[str, File]:
    """Return the manifest's ``files`` for paths relative to ``folder``. Raises OSError."""
    return {p: File(sha256=sha256_of(folder / p), size=(folder / p).stat().st_size) for p in paths}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` in one step, after all other files are in place. Raises OSError."""
    partial = folder / f".{MANIFEST}.partial"
    partial.write_text(manifest.model_dump_json(by_alias=True, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key under which ``10`` follows ``9`` and ``1.10`` follows ``1.9``."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"[._-]", version))
