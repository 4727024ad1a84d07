"""`space.toml`: what a sweep tries on which data, checked as a whole before anything runs.

The form is that of a job file of Azure's as far as both can do the same, so that what was tried here can go there; what
only the trainer here has stands under ``[fit]``. The docstring after a key is its description in the reference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS, MULTILABEL, TASKS
from training.errors import DataError, HyperparameterError, UnknownModelError, UsageError
from training.hyperparameters import Parameter, Value, parameter
from training.image_models import METRICS
from training.local.sweep.drawing import Space, count_combinations
from training.recipe import NO_WEIGHTS, Recipe, Views
from training.search_space import SAMPLED, read_distribution
from training.settings import allowed_for, check_model, default_settings
from training.space_rules import Plan, plan_problems
from training.sweep_schema import SWEEP_TABLES, Limits, Name, Section, Sweep
from training.toml_file import read_toml, refusal, schema_problems

MODEL_NAME = "model_name"
FOR_ALL = (NO_WEIGHTS, "auto")
"""What ``pretrained`` can be whichever the network is."""
SIZES = frozenset(("training_crop_size", "validation_crop_size", "validation_resize_size", "layers_to_freeze"))
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}"


class FitTable(Section):
    """What the trainer here has and AutoML has no name for: the same in all trials."""

    views: Views = "surface"
    """How far the random views that are trained on go from a picture."""
    standardised: bool = False
    """Whether light and contrast are evened out inside the graph, for light that changes."""
    mirrored: bool = False
    """Whether the bundle averages its answer over the picture and its mirror image."""
    pretrained: Name = NO_WEIGHTS
    """Where first weights come from: `none`, `auto`, a file, or a repository of the Hugging Face hub."""
    drawn: int = Field(default=0, ge=0)
    """How many drawn pictures are trained on beside the given ones."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of each trial; without it the cores are shared out among the trials at a time."""


class SweepFile(Section):
    """A whole file."""

    task: Literal["image-classification", "image-classification-multilabel"]
    """What the model shall tell of a picture. Detection and segmentation are trained in Azure."""
    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    """What the sweep is called; also its folder and its bundle, unless these are named."""
    training_data: Name | Annotated[list[Name], Field(min_length=1)]
    """A folder or a labels' file, or several, seen from this file."""
    validation_data: Name | Annotated[list[Name], Field(min_length=1)] | None = None
    """The same, to judge trials by."""
    validation_data_size: float | None = Field(default=None, gt=0, lt=1)
    """The share of the training data that is held out instead; without both 0.2. It is the same in all trials."""
    primary_metric: str | None = None
    """What the best trial is best by: `accuracy`, or `iou` where a picture has several labels."""
    seed: int = Field(default=0, ge=0)
    """The same seed proposes the same values, as long as one trial runs at a time."""
    limits: Limits = Limits()
    """`[limits]`: how much work, and how long."""
    model: dict[str, Any] = Field(default_factory=dict)
    """`[model]`: hyperparameters that are the same in all trials, also `model_name`."""
    fit: FitTable = FitTable()
    """`[fit]`: what AutoML has no name for."""
    sweep: Sweep
    """`[sweep]`: how hyperparameters are tried."""

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.primary_metric or METRICS[self.task]

    @property
    def spaces(self) -> list[Space]:
        """What is drawn from, space by space."""
        return [{name: read_distribution(raw) for name, raw in space.items()} for space in self.sweep.space]

    @property
    def models(self) -> tuple[str, ...]:
        """All networks that trials may have, each once."""
        named = [space[MODEL_NAME].extremes() for space in self.spaces if MODEL_NAME in space]
        return tuple(dict.fromkeys(str(name) for names in named or [(self.model[MODEL_NAME],)] for name in names))

    @property
    def planned(self) -> int:
        """How many trials there will be; a grid has no more than its combinations."""
        most = self.limits.max_trials
        return min(most, count_combinations(self.spaces)) if self.sweep.sampling_algorithm == "grid" else most

    def data(self, beside: Path) -> tuple[list[Path], list[Path]]:
        """Return where the pictures to train on and to judge by are."""
        given = (self.training_data, self.validation_data or [])
        training, validation = ([paths] if isinstance(paths, str) else paths for paths in given)
        return [beside / path for path in training], [beside / path for path in validation]

    def recipe(self, hyperparameters: Mapping[str, Value]) -> Recipe:
        """Return the recipe of a trial.

        Raises:
            UsageError: what was drawn cannot be trained with.
        """
        rest = dict(hyperparameters)
        model = str(rest.pop(MODEL_NAME))
        options = self.fit.model_dump(exclude={"threads"})
        return Recipe(model=model, settings=default_settings(model, self.task, rest), task=self.task, **options)


TABLES: Mapping[str, type[Section]] = {"": SweepFile, "fit": FitTable, **SWEEP_TABLES}


@dataclass(frozen=True, slots=True)
class Local:
    """What the trainer here takes."""

    def model_problem(self, task: Task, name: str) -> str | None:  # noqa: ARG002 - the models are the same for both
        """Return what is wrong with a model's name, None where nothing is."""
        try:
            check_model(name)
        except UnknownModelError as error:
            return str(error)
        return None

    def parameter(self, task: Task, name: str) -> Parameter | str:  # noqa: ARG002 - the parameters are the same for both
        """Return a hyperparameter with its range here, or why there is none of that name."""
        found = parameter(name)
        try:
            allowed = allowed_for(name)
        except HyperparameterError as error:
            return str(error).removeprefix(f"{name}: ")
        return replace(found, allowed=allowed) if found else "no such hyperparameter"


def read_space_file(path: Path) -> SweepFile:
    """Return what a file says.

    Raises:
        UsageError: it cannot be read, or something in it is wrong; the text has one problem a line, with its key.
    """
    raw = read_toml(path, "a sweep's file")
    found: SweepFile | None = None
    problems: list[str] = []
    try:
        found = SweepFile.model_validate(dict(raw))
    except ValidationError as error:
        problems += schema_problems(error, TABLES)
    problems += _between(raw)
    problems += _weights_problems(found) if found else ()
    problems += plan_problems(_plan(raw))
    if found is not None:
        problems += _missing_data(found, path.parent)
    if found is not None and not problems:
        problems += dict.fromkeys(_together_problems(found))
    if problems or found is None:
        raise refusal(path, problems)
    return found


def read_kept_file(path: Path) -> SweepFile:
    """Return a sweep's own copy, to look at. Raises DataError where it is none of this version's."""
    try:
        return SweepFile.model_validate(dict(read_toml(path, "a sweep's file")))
    except (UsageError, ValidationError) as error:
        raise DataError(f"{path}: is no file of a sweep of this version") from error


def _plan(raw: Mapping[str, Any]) -> Plan:
    """Return what the rules look at, as far as it is of the right form: the rest has been told of already."""
    sweep, limits, model, task = (raw.get(key) for key in ("sweep", "limits", "model", "task"))
    spaces = sweep.get("space") if isinstance(sweep, dict) else None
    trials = limits.get("max_trials", 1) if isinstance(limits, dict) else 1
    sampling = sweep.get("sampling_algorithm") if isinstance(sweep, dict) else None
    return Plan(
        task=task if task in (MULTICLASS, MULTILABEL) else None,
        fixed=model if isinstance(model, dict) else {},
        spaces=[space for space in spaces if isinstance(space, dict)] if isinstance(spaces, list) else [],
        swept=True,
        sampling=sampling if isinstance(sampling, str) and sampling in SAMPLED else None,
        max_trials=trials if isinstance(trials, int) else 1,
        trainer=Local(),
    )


def _between(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between keys."""
    if "validation_data" in raw and "validation_data_size" in raw:
        yield "validation_data_size: is for splitting the training data, but validation_data is given; leave out one"
    task, metric = raw.get("task"), raw.get("primary_metric")
    if task in TASKS and isinstance(metric, str) and metric != METRICS[task]:
        yield f"primary_metric: for {task} it is {METRICS[task]}, here as in Azure; got {metric!r}"


def _weights_problems(file: SweepFile) -> Iterator[str]:
    """Yield that first weights are of one network. Only asked of a file of the right form, whatever its spaces say."""
    named = {str(name) for space in file.sweep.space for name in _several(space.get(MODEL_NAME))}
    if file.fit.pretrained not in FOR_ALL and len(named) > 1:
        remedy = f"write {' or '.join(FOR_ALL)}"
        yield f"fit.pretrained: {file.fit.pretrained} is of one network, but several are tried; {remedy}"


def _together_problems(file: SweepFile) -> Iterator[str]:
    """Yield what a network refuses of the fixed values together, unless it looks at others that are drawn."""
    for space in file.spaces:
        models = space[MODEL_NAME].extremes() if MODEL_NAME in space else (file.model[MODEL_NAME],)
        for model in models if not SIZES & space.keys() else ():
            try:
                file.recipe({**file.model, MODEL_NAME: model})
            except UsageError as error:
                yield f"model: {error}"


def _several(given: object) -> list[object]:
    return given if isinstance(given, list) else [] if given is None else [given]


def _missing_data(file: SweepFile, beside: Path) -> Iterator[str]:
    for key, paths in zip(("training_data", "validation_data"), file.data(beside), strict=True):
        for path in paths:
            if str(path.relative_to(beside) if path.is_relative_to(beside) else path).startswith("azureml:"):
                yield f"{key}: {path.name} lies in Azure; give a folder or a labels' file of this machine"
            elif not path.exists():
                yield f"{key}: there is no {path}; paths are seen from the file's folder"
