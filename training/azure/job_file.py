"""`job.toml`: what AutoML shall train, checked as a whole before anything is asked of Azure."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training.azure.job_rules import Plan, job_problems
from training.azure.job_schema import ASSET, TABLES, JobFile
from training.dataset.annotations import TASKS
from training.dataset.mltable import MLTABLE
from training.errors import UsageError
from training.hyperparameters import cut
from training.image_models import METRICS, nearest
from training.search_space import SAMPLED

__all__ = ["ASSET", "JobFile", "check_job", "read_job_file"]


def read_job_file(
    path: Path, *, name: str | None = None, allow_no_onnx: bool = False, without_data: bool = False
) -> JobFile:
    """Return what a file says; ``name`` takes the place of the one in it.

    ``without_data`` it may leave the training data to whoever asks (a pipeline).

    Raises:
        UsageError: it cannot be read, or something in it is wrong; the text has one problem a line, with its key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a job file ({error})") from error
    given = {**raw, "name": name} if name else raw
    return check_job(given, path, allow_no_onnx=allow_no_onnx, without_data=without_data)


def check_job(
    raw: Mapping[str, Any], path: Path, *, allow_no_onnx: bool = False, without_data: bool = False
) -> JobFile:
    """Return the job of a file's content. Raises UsageError as :func:`read_job_file` does."""
    found: JobFile | None = None
    problems: list[str] = []
    try:
        found = JobFile.model_validate(dict(raw))
    except ValidationError as error:
        problems += [_text(dict(item)) for item in error.errors(include_url=False)]
    if not without_data and "training_data" not in raw:
        problems.append("training_data: is required")
    problems += _choices(raw)
    for key in ("training_data", "validation_data"):
        problems += _data_problems(key, raw.get(key), path.parent)
    problems += job_problems(_plan(raw, allow_no_onnx=allow_no_onnx))
    if problems or found is None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError(
            "\n".join([f"{path} has {count}:", *(f"  {' '.join(problem.split())}" for problem in problems)])
        )
    return found


def _plan(raw: Mapping[str, Any], *, allow_no_onnx: bool) -> Plan:
    """Return what the rules look at, as far as it is of the right form: the rest has been told of already."""
    sweep, limits, model = raw.get("sweep"), raw.get("limits"), raw.get("model", {})
    spaces = sweep.get("space", []) if isinstance(sweep, dict) else []
    trials = limits.get("max_trials", 1) if isinstance(limits, dict) else 1
    sampling = sweep.get("sampling_algorithm") if isinstance(sweep, dict) else None
    return Plan(
        task=raw["task"] if raw.get("task") in TASKS else None,
        fixed=model if isinstance(model, dict) else {},
        spaces=[space for space in spaces if isinstance(space, dict)] if isinstance(spaces, list) else [],
        swept="sweep" in raw,
        sampling=sampling if sampling in SAMPLED else None,
        max_trials=trials if isinstance(trials, int) else 1,
        allow_no_onnx=allow_no_onnx,
    )


def _choices(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between keys."""
    if ("compute" in raw) == ("serverless" in raw):
        yield "compute: give either compute, the name of a cluster, or [serverless] with an instance_type"
    if "validation_data" in raw and "validation_data_size" in raw:
        yield "validation_data_size: is for splitting the training data, but validation_data is given; leave out one"
    identity = raw.get("identity")
    if isinstance(identity, dict) and identity.get("type") == "user" and "client_id" in identity:
        yield "identity.client_id: is for managed identities"
    task, metric = raw.get("task"), raw.get("primary_metric")
    if task in TASKS and isinstance(metric, str) and metric != METRICS[task]:
        yield f"primary_metric: for {task} the service takes only {METRICS[task]}, got {metric!r}"


def _data_problems(key: str, data: object, beside: Path) -> Iterator[str]:
    if not isinstance(data, str) or not data or ASSET.fullmatch(data):
        return
    if data.startswith("azureml:"):
        yield f"{key}: write it as azureml:NAME:VERSION or azureml:NAME@latest, got {cut(repr(data))}"
    elif not _is_file(beside / data / MLTABLE):
        yield f"{key}: there is no {beside / data / MLTABLE}; give a folder with one, azureml:NAME:VERSION or @latest"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a name that is too long, a folder that may not be looked into


def _text(item: Mapping[str, Any]) -> str:
    """Return one of pydantic's problems in words for a person."""
    location, kind = item["loc"], str(item["type"])
    place = ".".join(
        str(part) for part in location if part not in ("bandit", "median_stopping", "truncation_selection")
    )
    if kind == "extra_forbidden":
        return f"{place}: {_unknown(location)}"
    if kind == "missing":
        return f"{place}: is required"
    said = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be").replace("valid ", "")
    said = re.sub(r"a dictionary( or instance of \w+)?", "a table", said)
    if kind == "string_pattern_mismatch":
        said = "must have letters, digits, '_' and '-' only, at most 200, a letter or digit first"
    given = item["input"]
    shown = "" if isinstance(given, dict | list) else f", got {cut(repr(given))}"
    return f"{place}: {said.replace('a integer', 'a whole number')}{shown}"


def _unknown(location: tuple[int | str, ...]) -> str:
    key, table = str(location[-1]), str(location[-2]) if len(location) > 1 else ""
    there = list(TABLES[table].model_fields)
    close = nearest(key, there)
    homes = [home for home, section in TABLES.items() if home != table and key in section.model_fields]
    if close:
        return f"no such key; did you mean {close}?"
    return (
        f"no such key here; it belongs into [{homes[0]}]"
        if homes and homes[0]
        else f"no such key; there are {', '.join(there)}"
    )
