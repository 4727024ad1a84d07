"""The pipeline as the SDK takes it: three steps of ours around AutoML's own."""

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from edge.azureml.cloud import AUTHORITIES, PUBLIC
from edge.azureml.connection import hush
from edge.azureml.tags import BUNDLE_TAGS
from edge.bundle import is_name
from training.azure.job_schema import JOB_NAME
from training.azure.register import MAX_TAG
from training.dataset.parts import PARTS
from training.errors import UsageError

if TYPE_CHECKING:
    from azure.ai.ml.entities import Environment, PipelineJob

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
"""Where our steps run: Microsoft's base image for CPU jobs."""
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
EXTRAS = ("cpu", "azure")
DISTRIBUTION = "automl-edge"
STEP = "PYTHONPATH=${{inputs.code}} python -m training.cli azure pipeline-step"

Train = Callable[[Any, Any], Any]
"""Makes AutoML's node of the outputs that hold its training and validation data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the pipeline is made of.

    ``pictures`` is the data asset of class folders (``azureml:NAME:VERSION``) and ``url`` where its files lie; ``code``
    is where the archive of this code lies; ``compute`` runs our steps; shares are of each class, 0..1; ``min_gain`` and
    ``min_accuracy`` (0..1) decide over registering; ``tag`` (``key=value``) and ``stage`` are set on what is
    registered, for devices that follow it; ``cloud`` is the name of the Azure that it runs in.
    """

    name: str
    pictures: str
    url: str
    code: str
    model: str
    compute: str
    train_compute: str
    validation_share: float = 0.2
    test_share: float = 0.15
    seed: int = 0
    min_gain: float = 0.0
    min_accuracy: float = 0.0
    tag: str | None = None
    stage: str | None = None
    experiment: str = "automl-edge"
    image: str = IMAGE
    tags: Mapping[str, str] = field(default_factory=dict)
    cloud: str = PUBLIC

    def __post_init__(self) -> None:
        for what in ("validation_share", "test_share", "min_gain", "min_accuracy"):
            if not 0 <= getattr(self, what) < 1:
                raise UsageError(f"{what}={getattr(self, what)}: must be at least 0 and below 1")
        if self.validation_share == 0 or self.test_share == 0 or self.validation_share + self.test_share >= 1:
            raise UsageError("validation and test need pictures of their own, and leave some for training")
        if not re.fullmatch(JOB_NAME, self.name):
            raise UsageError(f"name {self.name[:40]!r}: a letter or digit, then also '_' and '-', at most 200")
        if not is_name(self.model):
            raise UsageError(f"model {self.model[:40]!r}: letters, digits, '.', '_' and '-', at most 128")
        tag_of(self.tag)


def tag_of(text: str | None) -> dict[str, str]:
    """Return the tag that ``key=value`` says; none without a text.

    Raises:
        UsageError: it is none, or one that says what a bundle is.
    """
    key, _, value = (text or "").partition("=")
    if text is None:
        return {}
    if not (key and value) or max(len(key), len(value)) > MAX_TAG:
        raise UsageError(f"tag {text[:40]!r}: write it as key=value, each of at most {MAX_TAG} characters")
    if key in BUNDLE_TAGS:
        raise UsageError(f"tag {key}: it says what the bundle is, and is set from it")
    return {key: value}


def requirements() -> list[str]:
    """Return what our steps need of other people's packages, as this installation's metadata says it.

    What is installed here too is wanted in that version: a release of tomorrow is no surprise in the cloud.
    """
    found: list[str] = []
    for text in metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        environment = {"platform_machine": "x86_64", "platform_system": "Linux", "sys_platform": "linux"}
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *EXTRAS)):
            requirement.marker = None
            found.append(str(_as_here(requirement)))
    return sorted(set(found))


def _as_here(requirement: Requirement) -> Requirement:
    """Return a requirement narrowed to the version that is installed; as it is where that is none that it takes."""
    try:
        version = Version(metadata.version(requirement.name))
    except metadata.PackageNotFoundError:
        return requirement
    if requirement.specifier.contains(version, prereleases=True):
        requirement.specifier = SpecifierSet(f"=={version.public}")
    return requirement


def build(plan: Plan, train: Train) -> "PipelineJob":
    """Return the pipeline; each time of this very code in this very order."""
    from azure.ai.ml import Input, dsl  # noqa: PLC0415 - over a second

    hush()  # nobody may have connected yet
    pictures, code = Input(type="uri_folder", path=plan.pictures), Input(type="uri_file", path=plan.code)
    prepare, evaluate, register = _steps(plan)

    def line() -> None:
        prepared = prepare(code=code, pictures=pictures)
        trained = train(prepared.outputs.train, prepared.outputs.validation)
        trained.compute = plan.train_compute
        tested = prepared.outputs.test
        judged = evaluate(code=code, pictures=pictures, test=tested, best=trained.outputs.best_model)
        register(code=code, judged=judged.outputs.judged)

    described = dsl.pipeline(line, name=plan.name, description=f"Trains {plan.model} and registers it if better")
    job: PipelineJob = described()
    job.name, job.experiment_name, job.tags = plan.name, plan.experiment, {**plan.tags, "model": plan.model}
    if job.settings is not None:
        job.settings.force_rerun = True  # a schedule's next run trains anew, though nothing but the time has changed
    return job


def _steps(plan: Plan) -> tuple[Any, Any, Any]:
    """Return the makers of our steps' nodes."""
    from azure.ai.ml import Input, Output, command  # noqa: PLC0415 - see build

    folder, table, made = Input(type="uri_folder"), Input(type="mltable", mode="ro_mount"), Input(type="mlflow_model")
    signed_in = {"AUTOML_AZURE_CREDENTIAL": "managed-identity"}  # that of the cluster
    if plan.cloud in AUTHORITIES:  # what a file describes is not known there
        signed_in["AUTOML_AZURE_CLOUD"] = plan.cloud
    shared: dict[str, Any] = {"environment": _environment(plan), "compute": plan.compute}
    shared["environment_variables"] = signed_in
    code = {"code": Input(type="uri_file", mode="download")}
    return (
        command(
            name="prepare",
            display_name="Prepare",
            command=_line("prepare", _prepare_arguments(plan)),
            inputs={**code, "pictures": folder},
            outputs={part: Output(type="mltable") for part in PARTS},
            **shared,
        ),
        command(
            name="evaluate",
            display_name="Evaluate",
            command=_line("evaluate", _evaluate_arguments(plan)),
            inputs={**code, "pictures": folder, "test": table, "best": made},
            outputs={"judged": Output(type="uri_folder", mode="upload")},
            **shared,
        ),
        command(
            name="register",
            display_name="Register if better",
            command=_line("register", _register_arguments(plan)),
            inputs={**code, "judged": folder},
            **shared,
        ),
    )


def _environment(plan: Plan) -> "Environment":
    from azure.ai.ml.entities import Environment  # noqa: PLC0415 - see build

    packages: list[Any] = [f"python={PYTHON}", "pip", {"pip": requirements()}]
    return Environment(image=plan.image, conda_file={"name": DISTRIBUTION, "dependencies": packages})


def _line(step: str, arguments: Mapping[str, str | float | None]) -> str:
    """Return a step's command line; ``${{…}}`` stays as it is, for Azure to fill in."""
    words = [STEP, step]
    for name, value in arguments.items():
        if value is not None:
            text = str(value)
            words += [f"--{name}", text if text.startswith("${{") else shlex.quote(text)]
    return " ".join(words)


def _prepare_arguments(plan: Plan) -> Mapping[str, str | float | None]:
    shares = {"validation-share": plan.validation_share, "test-share": plan.test_share, "seed": plan.seed}
    outputs: dict[str, str | float | None] = {part: f"${{{{outputs.{part}}}}}" for part in PARTS}
    return {"pictures": "${{inputs.pictures}}", "url": plan.url, **shares, **outputs}


def _evaluate_arguments(plan: Plan) -> Mapping[str, str | float | None]:
    inputs = {part: f"${{{{inputs.{part}}}}}" for part in ("pictures", "test", "best")}
    return {**inputs, "url": plan.url, "model": plan.model, "judged": "${{outputs.judged}}"}


def _register_arguments(plan: Plan) -> Mapping[str, str | float | None]:
    asked = {"min-gain": plan.min_gain, "min-accuracy": plan.min_accuracy, "tag": plan.tag, "stage": plan.stage}
    return {"judged": "${{inputs.judged}}", **asked}
