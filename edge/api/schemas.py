"""The wire models, for the OpenAPI document and for what is parsed off the hot path."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.explain import DEFAULT_RUNS, MAX_RUNS, MIN_RUNS

Base64 = Annotated[str, Field(min_length=1, json_schema_extra={"contentEncoding": "base64"})]


class Problem(BaseModel):
    """An error (RFC 9457). `detail` tells what is wrong, and the remedy where there is one."""

    type: Annotated[str, Field(examples=["urn:automl-edge:error:RequestError"])]
    title: Annotated[str, Field(examples=["The request does not follow its contract"])]
    status: Annotated[int, Field(examples=[400])]
    detail: Annotated[str, Field(examples=["images[0] is no base64: Incorrect padding"])]


class Model(BaseModel):
    """Which model answered; `proven` tells whether golden pictures with known answers held on this device."""

    name: Annotated[str, Field(examples=["metal-surface-defects"])]
    version: Annotated[str, Field(examples=["1"])]
    proven: bool


class PictureError(BaseModel):
    """Why a picture could not be answered."""

    kind: Annotated[str, Field(examples=["ImageDecodeError"])]
    detail: str


class ClassificationRow(BaseModel):
    """One picture's classes; `labels` and `probs` (0..1) run parallel. `selected` only for a multi-label model."""

    label: Annotated[str, Field(examples=["Scratches"])]
    score: Annotated[float, Field(ge=0, le=1, examples=[0.93])]
    labels: Annotated[list[str], Field(examples=[["Crazing", "Scratches"]])]
    probs: Annotated[list[float], Field(examples=[[0.07, 0.93]])]
    selected: list[str] | None = None
    model: Annotated[Model | None, Field(description="only where it is not the answer's `model`")] = None


class FailedRow(BaseModel):
    """A picture of several that could not be answered, in its own place."""

    error: PictureError


class Timing(BaseModel):
    """Milliseconds by stage."""

    queue: float
    preprocess: float
    inference: float
    postprocess: float
    total: float


class PredictAnswer(BaseModel):
    """One prediction a picture, in order. `timing_ms` is that of the slowest picture."""

    model: Model
    provider: Annotated[str, Field(examples=["CPUExecutionProvider"])]
    predictions: list[ClassificationRow | FailedRow]
    timing_ms: Timing


class PredictRequest(BaseModel):
    """Pictures as base64."""

    images: Annotated[list[Base64], Field(min_length=1)]


class InputData(BaseModel):
    """Pandas' split form with the one column `image`."""

    columns: list[Literal["image"]] = ["image"]
    index: list[int] | None = None
    data: Annotated[list[Base64 | Annotated[list[Base64], Field(min_length=1, max_length=1)]], Field(min_length=1)]


class ScoreRows(BaseModel):
    """Several pictures, answered by a list.

    An item is base64, or a JSON text with `image_base64`, `model_explainability` and `xai_parameters`; those of the
    first item count for all.
    """

    input_data: InputData | Annotated[list[Base64], Field(min_length=1)]


class XaiParameters(BaseModel):
    """What an explanation is to be. For a model of several labels, `visualizations` and `attributions` are lists."""

    model_config = ConfigDict(extra="forbid")

    xai_algorithm: Literal["occlusion", "rise"] = "occlusion"
    visualizations: Annotated[bool, Field(description="base64 of a PNG: crop, map, the map over it, its top 30 %")] = (
        True
    )
    attributions: Annotated[bool, Field(description="[3][side][side] numbers of -1 to 1")] = False
    n_steps: Annotated[int, Field(ge=MIN_RUNS, le=MAX_RUNS, description="how many inputs are run")] = DEFAULT_RUNS
    confidence_score_threshold_multilabel: Annotated[
        float | None, Field(ge=0, le=1, description="explains the classes above it, not the model's own selection")
    ] = None
    xrai_fast: Annotated[bool | None, Field(description="changes nothing")] = None
    approximation_method: Annotated[str | None, Field(description="changes nothing")] = None


class ScoreOne(BaseModel):
    """One picture in the v1 style, answered by one object."""

    image: Base64
    model_explainability: bool | Literal["true", "false"] = False
    xai_parameters: XaiParameters | None = None


Visualizations = Annotated[Base64 | list[Base64] | None, Field(description="only where asked for")]
Attributions = Annotated[
    list[list[list[float]]] | list[list[list[list[float]]]] | None, Field(description="only where asked for")
]


class ScoreRow(BaseModel):
    """One picture's probabilities; `error` instead where it could not be answered."""

    probs: list[float] | None = None
    labels: list[str] | None = None
    visualizations: Visualizations = None
    attributions: Attributions = None
    error: PictureError | None = None


class ScoreSingle(BaseModel):
    """The v1 style's answer; `filename` is the result's id. What was not asked for is null."""

    filename: str
    probs: list[float]
    labels: list[str]
    visualizations: Visualizations = None
    attributions: Attributions = None


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"]


class Ready(BaseModel):
    """Whether pictures can be answered, and why not."""

    status: Literal["ready", "not ready"]
    problems: list[str]


class Status(BaseModel):
    """What runs, and how it fares."""

    model_config = ConfigDict(extra="allow")


class ModelVersion(BaseModel):
    """A known version.

    `state` is current, trial, previous, available, passed, rejected, skipped or refused, with a `reason` where there is
    one. `trial` tells what came of its trial or probation.
    """

    model_config = ConfigDict(extra="allow")


class Models(BaseModel):
    """Every known version."""

    models: list[ModelVersion]


class Activation(BaseModel):
    """Which version; null follows the newest again."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[str | None, Field(examples=["1"])] = None


class Activated(BaseModel):
    """The model that answers from now on."""

    model: Model


class ResultRow(BaseModel):
    """One delivered result, as on MQTT."""

    model_config = ConfigDict(extra="allow")

    schema_: Annotated[str, Field(alias="schema", examples=["automl-edge/result/1"])]
    id: Annotated[str, Field(description="ULID: sortable, unique")]
    seq: Annotated[int, Field(description="counts per device; 0 where the result is not published")]
    device: str
    source: str
    captured_at: Annotated[str, Field(examples=["2026-01-31T08:00:00.000Z"])]
    model: Model
    provider: str
    predictions: list[ClassificationRow | FailedRow]
    timing_ms: Timing
    replayed: bool
    name: str | None = None
    correlation_id: str | None = None


class Results(BaseModel):
    """The last results, newest first."""

    results: list[ResultRow]


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return a model's JSON Schema with references into an OpenAPI document's components."""
    return model.model_json_schema(ref_template="#/components/schemas/{model}")
