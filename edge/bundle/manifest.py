"""The schema of ``manifest.json``: what a model is and expects. Strict: an unknown key or a wrong type is an error."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from edge.errors import ModelInvalidError

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
BUNDLE_SCHEMA: Literal["automl-edge/bundle/1"] = "automl-edge/bundle/1"

Task = Literal[
    "image-classification", "image-classification-multilabel", "image-object-detection", "image-instance-segmentation"
]
Family = Literal["classification", "fasterrcnn", "retinanet", "maskrcnn", "yolov5"]
Rule = Literal["shorter-side", "square"]
FixedRule = Literal["stretch", "letterbox"]
Range = Literal["imagenet", "0-255", "0-1"]
Colour = Literal["rgb", "bgr"]
Dimension = int | str
MULTILABEL: Task = "image-classification-multilabel"


def _confined(path: str) -> str:
    """Accept only the one spelling of a path that stays below the folder, so that no file has two names."""
    pure = PurePosixPath(path)
    if str(pure) != path or pure.is_absolute() or not pure.parts or ".." in pure.parts:
        raise ValueError("must be a plain relative path inside the bundle")
    if "\\" in path or not path.isprintable():
        raise ValueError("must not hold backslashes or control characters")
    if path == MANIFEST:
        raise ValueError("the manifest cannot list itself")
    if path == SIGNATURE:
        raise ValueError("the manifest cannot list its own signature")
    return path


RelativePath = Annotated[str, AfterValidator(_confined)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
Name = Annotated[str, Field(pattern=NAME)]
Probability = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, le=8192)]


def is_name(text: str) -> bool:
    """Tell whether ``text`` may be the name or version of a model."""
    return re.fullmatch(NAME, text) is not None


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
    resize: Side = 256
    crop: Side = 224


class FixedSize(_Strict):
    """How a picture becomes the input of a detection or segmentation graph of one size, in pixels.

    ``stretch`` gives up the aspect; ``letterbox`` keeps it, centred on grey.
    """

    rule: FixedRule
    width: Side
    height: Side


class BoundedSides(_Strict):
    """As the cloud prepares a picture for the R-CNN family: as large as both bounds (pixels) allow, aspect kept."""

    rule: Literal["bounded"]
    min_size: Side
    max_size: Side


class Postprocessing(_Strict):
    """How outputs become a prediction.

    ``threshold`` (0..1) selects labels of a multi-label model, and boxes of a detection or segmentation model.
    """

    threshold: Probability = 0.5


class File(_Strict):
    """What a file must be: SHA-256 in hex and size in bytes."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class Expected(_Strict):
    """The known answer: the labels that must come out, and the probabilities (0..1, in label order) where known."""

    labels: tuple[str, ...]
    probs: tuple[Probability, ...] | None = None


class Golden(_Strict):
    """One picture with a known answer; ``tolerance`` is the largest allowed difference of any probability."""

    image: RelativePath
    expected: Expected
    tolerance: Annotated[float, Field(gt=0, le=1)] = 0.02


def _kind_of_preprocessing(value: Any) -> str:
    """Return the tag of the form that a ``preprocessing`` is in, by its rule alone."""
    rule = value.get("rule") if isinstance(value, Mapping) else getattr(value, "rule", None)
    return "fixed" if rule in get_args(FixedRule) else "bounded" if rule == "bounded" else "cropped"


AnyPreprocessing = Annotated[
    Annotated[Preprocessing, Tag("cropped")]
    | Annotated[FixedSize, Tag("fixed")]
    | Annotated[BoundedSides, Tag("bounded")],
    Discriminator(_kind_of_preprocessing),
]


class Manifest(_Strict):
    """The whole of ``manifest.json``."""

    schema_: Annotated[Literal["automl-edge/bundle/1"], Field(alias="schema")] = BUNDLE_SCHEMA
    name: Name
    version: Name
    task: Task
    family: Family
    created_at: AwareDatetime
    input: TensorInput
    preprocessing: AnyPreprocessing
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
        problems = [*_unlisted(self), *_contradictions(self), *_golden_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _unlisted(manifest: Manifest) -> list[str]:
    needed = (manifest.model, manifest.labels, *(golden.image for golden in manifest.golden))
    return [f"files does not list {path}" for path in needed if path not in manifest.files]


def _contradictions(manifest: Manifest) -> list[str]:
    """Return where parts of the manifest deny each other; other families than classification are not judged here."""
    problems = []
    chosen = manifest.preprocessing
    if not isinstance(chosen, Preprocessing):
        wrong = manifest.family == "classification"
        return [f"the rule {chosen.rule} is not one of classification"] if wrong else []
    if chosen.rule == "square" and chosen.resize < chosen.crop:
        problems.append(f"the square rule needs resize >= crop, not {chosen.resize} and {chosen.crop}")
    if manifest.family != "classification":
        return problems
    shape, crop = manifest.input.shape, chosen.crop
    if not shapes_agree(shape, ("batch", 3, crop, crop)):
        problems.append(f"input.shape is {list(shape)}, preprocessing makes [batch, 3, {crop}, {crop}]")
    elif isinstance(shape[0], int) and shape[0] != fixed_batch(manifest):
        problems.append(f"input.shape has {shape[0]} as its batch axis, batch says {manifest.batch!r}")
    return problems


def _golden_problems(manifest: Manifest) -> list[str]:
    problems = []
    for golden in manifest.golden:
        labels = golden.expected.labels
        if manifest.task == "image-classification" and len(labels) != 1:
            problems.append(f"golden picture {golden.image} expects {len(labels)} labels, a multi-class model gives 1")
    return problems


def fixed_batch(manifest: Manifest) -> int | None:
    """Return the number of pictures that the graph always takes, or None where any number goes."""
    if manifest.batch == "single":
        return 1
    return None if manifest.batch == "dynamic" else manifest.batch


def shapes_agree(found: Sequence[Dimension | None], expected: Sequence[Dimension]) -> bool:
    """Tell whether two shapes have one rank and the same fixed sizes; a symbolic axis agrees with anything."""
    if len(found) != len(expected):
        return False
    return all(not isinstance(e, int) or not isinstance(f, int) or f == e for f, e in zip(found, expected, strict=True))


def parse_manifest(data: bytes, *, where: str) -> Manifest:
    """Return the manifest in ``data``; raises ModelInvalidError naming ``where`` and every problem in it."""
    try:
        manifest = Manifest.model_validate_json(data)
        json.loads(data, object_pairs_hook=_unique)
    except ValidationError as error:
        problems = "; ".join(_problem(dict(item)) for item in error.errors(include_url=False))
        raise ModelInvalidError(f"{where}: {problems}") from error
    except ValueError as error:
        raise ModelInvalidError(f"{where}: {error}") from error
    return manifest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a JSON object with a key twice: which of the two holds would be a guess."""
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"says {', '.join(twice)} twice")
    return dict(pairs)


def _problem(item: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"] if part not in ("cropped", "fixed", "bounded"))
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {text}" if place else text


def manifest_json(manifest: Manifest) -> bytes:
    """Return the manifest as it is written to disk."""
    return (manifest.model_dump_json(by_alias=True, indent=2) + "\n").encode()
