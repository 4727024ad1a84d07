"""The pipeline as it is sent: the steps, what they hand on, and the command lines that the cloud runs."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.standin import Cloud
from training.azure.job_file import read_job_file
from training.azure.pipeline.definition import Plan, requirements
from training.azure.pipeline.snapshot import place_of, snapshot
from training.azure.pipeline.submitting import describe
from training.cli import main
from training.errors import UsageError

JOB = """
task = "image-classification"
target_column = "label"
compute = "gpucluster"
[limits]
timeout_minutes = 60
[model]
model_name = "mobilenetv2"
"""
PICTURES = "azureml://datastores/workspaceblobstore/paths/parts"


@pytest.fixture
def where(azure: Cloud, tmp_path: Path) -> list[str]:
    """A workspace with clusters and a folder of pictures."""
    for name in ("cpucluster", "gpucluster"):
        properties = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": {}}
        identity = {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"} if name == "cpucluster" else None
        top = {"location": "westeurope", **({"identity": identity} if identity else {})}
        azure.resources.put(f"{WORKSPACE_PATH}/computes/{name}", properties, **top)
    asset = {"dataUri": PICTURES, "dataType": "uri_folder", "tags": {}, "properties": {}, "isArchived": False}
    azure.resources.put(f"{WORKSPACE_PATH}/data/parts/versions/3", asset)
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    return [*place, "--credential", "managed-identity", "--cloud", str(azure.cloud_file(tmp_path))]


def run(folder: Path, where: list[str], *words: str, job: str = JOB) -> Result:
    (folder / "job.toml").write_text(job)
    asked = ["azure", "pipeline", str(folder / "job.toml"), "--pictures", "azureml:parts:3", "--model", "defects"]
    return CliRunner().invoke(main, [*asked, "--step-compute", "cpucluster", *words, *where], catch_exceptions=False)


def sent(azure: Cloud) -> Any:
    (body,) = azure.wire.bodies("PUT", r"/jobs/")
    return body["properties"]


def test_the_steps_hand_on_what_the_next_one_needs(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """Tables to AutoML, its model and the test pictures to the judge, the judged bundle to the registry."""
    result = run(tmp_path, where, "--name", "nightly", "--tag", "line=prod", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["name"] == "nightly"
    job = sent(azure)
    assert (job["jobType"], sorted(job["jobs"])) == ("Pipeline", ["judged", "prepared", "register", "trained"])
    steps = job["jobs"]
    assert steps["trained"]["training_data"] == "${{parent.jobs.prepared.outputs.train}}"
    assert steps["trained"]["validation_data"] == "${{parent.jobs.prepared.outputs.validation}}"
    assert steps["trained"]["training_parameters"] == {"model_name": "mobilenetv2"}
    assert steps["trained"]["compute"].endswith("/computes/gpucluster")
    assert steps["judged"]["inputs"]["best"]["value"] == "${{parent.jobs.trained.outputs.best_model}}"
    assert steps["judged"]["inputs"]["test"]["value"] == "${{parent.jobs.prepared.outputs.test}}"
    assert steps["register"]["inputs"]["judged"]["value"] == "${{parent.jobs.judged.outputs.judged}}"
    assert (
        steps["judged"]["outputs"]["judged"]["mode"] == "Upload"
    )  # a bundle is renamed into place, a mount may refuse
    for ours in ("prepared", "judged", "register"):
        assert steps[ours]["computeId"].endswith("/computes/cpucluster")
        assert steps[ours]["inputs"]["code"]["uri"].endswith(place_of(snapshot()))
        assert steps[ours]["environment_variables"] == {"AUTOML_AZURE_CREDENTIAL": "managed-identity"}
    assert job["settings"]["force_rerun"] is True


def test_the_cloud_runs_our_own_commands(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """Their lines name what Azure fills in, and the pictures by the place that the data asset has."""
    run(tmp_path, where, "--tag", "line=prod", "--stage", "Production")
    bodies = azure.wire.bodies("PUT", r"/components/")
    lines = {body["properties"]["componentSpec"]["command"] for body in bodies}
    start = "PYTHONPATH=${{inputs.code}} python -m training.cli azure pipeline-step"
    assert lines == {
        f"{start} prepare --pictures ${{{{inputs.pictures}}}} --url {PICTURES} --validation-share 0.2 "
        "--test-share 0.15 --seed 0 --train ${{outputs.train}} --validation ${{outputs.validation}} "
        "--test ${{outputs.test}}",
        f"{start} evaluate --pictures ${{{{inputs.pictures}}}} --test ${{{{inputs.test}}}} --best ${{{{inputs.best}}}} "
        f"--url {PICTURES} --model defects --judged ${{{{outputs.judged}}}}",
        f"{start} register --judged ${{{{inputs.judged}}}} --min-gain 0.0 --min-accuracy 0.0 --tag line=prod "
        "--stage Production",
    }


def test_the_code_is_stored_once(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """As one archive, by its content, that Python imports our commands from."""
    for name in ("one", "two"):
        assert run(tmp_path, where, "--name", name).exit_code == 0
    stored = azure.blobs.names(place_of(snapshot()))
    assert len(stored) == 1
    archive = tmp_path / "code.zip"
    archive.write_bytes(azure.blobs.read(stored[0]))
    words = [sys.executable, "-m", "training.cli", "azure", "pipeline-step", "prepare", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(archive)}
    shown = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Check and split the pictures" in shown.stdout


def test_a_schedule_starts_it_again_and_again(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """By a cron expression in a time zone; nothing runs now."""
    zone = "W. Europe Standard Time"
    result = run(tmp_path, where, "--name", "weekly", "--schedule", "0 3 * * 0", "--time-zone", zone)
    assert result.output.splitlines()[-1] == f"schedule  weekly (Succeeded): 0 3 * * 0 ({zone})"
    (body,) = azure.wire.bodies("PUT", r"/schedules/weekly")
    trigger = body["properties"]["trigger"]
    assert (trigger["expression"], trigger["timeZone"]) == ("0 3 * * 0", zone)
    jobs = body["properties"]["action"]["jobDefinition"]["jobs"]
    assert sorted(jobs) == ["judged", "prepared", "register", "trained"]
    assert azure.wire.count("PUT", r"/jobs/") == 0


def test_a_folder_in_a_datastore_is_looked_into_anew_each_time(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """So that a schedule trains on what came since; no version of a data asset is asked for."""
    result = run(
        tmp_path, where, "--pictures", "azureml://datastores/workspaceblobstore/paths/new parts", "--name", "x"
    )
    assert result.exit_code == 0, result.output
    url = (
        f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/workspaces/{WORKSPACE}"
        "/datastores/workspaceblobstore/paths/new parts"
    )
    bodies = azure.wire.bodies("PUT", r"/components/")
    assert any(f"--url '{url}'" in body["properties"]["componentSpec"]["command"] for body in bodies)
    assert azure.wire.count("GET", r"/data/") == 0


def test_a_rehearsal_prints_the_pipeline_and_asks_nobody(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """As the SDK writes it down, and for programs as JSON."""
    result = run(tmp_path, where, "--dry-run")
    assert "training_data: ${{parent.jobs.prepared.outputs.train}}" in result.output
    told = json.loads(run(tmp_path, where, "--dry-run", "--json").stdout)
    assert told["jobs"]["trained"]["training_data"] == "${{parent.jobs.prepared.outputs.train}}"
    assert len(azure.wire.exchanges) == 0


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (["--pictures", "azureml:parts"], 2, "name a version of a data asset"),
        (["--pictures", "azureml:parts:9"], 1, "parts:9"),
        (["--step-compute", "nowhere"], 1, "nowhere"),
        (["--step-compute", "gpucluster"], 1, "has no identity, and the steps sign in with it"),
        (["--schedule", "daily"], 2, "five fields are expected"),
        (["--schedule", ""], 2, "five fields are expected"),
        (
            ["--schedule", "0 3 * * 0", "--time-zone", "Europe/Berlin"],
            2,
            "'Europe/Berlin': Azure calls them as Windows",
        ),
        (["--test-share", "0"], 2, "test need pictures of their own"),
        (["--validation-share", "0.6", "--test-share", "0.5"], 2, "leave some for training"),
        (["--tag", "prod"], 2, "tag 'prod': write it as key=value"),
        (["--tag", "task=prod"], 2, "tag task: it says what the bundle is"),
        (["--model", "my parts"], 2, "model 'my parts': letters, digits"),
        (["--name", "a/b"], 2, "name 'a/b': a letter or digit"),
        (["--name", "x" * 10_000], 2, "at most 200"),
    ],
)
def test_what_cannot_run_is_told_before_it_costs_anything(
    azure: Cloud, where: list[str], tmp_path: Path, words: list[str], exit_code: int, said: str
) -> None:
    """The message names the thing; nothing is sent."""
    result = run(tmp_path, where, *words)
    assert (result.exit_code, said in result.output) == (exit_code, True), result.output
    assert len(result.output) < 500
    assert azure.wire.count("PUT", "") == 0


def test_a_cluster_without_gpus_trains_nothing(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """Azure would take the pipeline, and fail when the pictures have been prepared."""
    properties = azure.resources.get(f"{WORKSPACE_PATH}/computes/gpucluster")["properties"]
    properties["properties"] = {"vmSize": "STANDARD_D4_V3"}
    result = run(tmp_path, where)
    assert (result.exit_code, "without a GPU" in result.output) == (1, True), result.output
    assert azure.wire.count("PUT", "") == 0


def test_a_pipeline_whose_answer_got_lost_is_one(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """The SDK asks again, and is refused for the name."""
    azure.notes |= {"lost_answers": 1, "names_are_final": True}
    result = run(tmp_path, where, "--name", "nightly")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "pipeline  nightly (NotStarted)")
    again = run(tmp_path, where, "--name", "nightly")
    assert (again.exit_code, "there is a job nightly already" in again.output) == (2, True)


def test_each_pipeline_has_a_name_of_its_own_and_a_schedule_the_same_again(
    azure: Cloud, where: list[str], tmp_path: Path
) -> None:
    """Of letters that Azure takes for jobs; setting a schedule again changes it."""
    for words in ([], [], ["--schedule", "0 3 * * 0"], ["--schedule", "0 4 * * 0"]):
        assert run(tmp_path, where, "--model", "parts.v1", *words).exit_code == 0
    paths = [exchange.path for exchange in azure.wire.exchanges if exchange.method == "PUT"]
    jobs = {path.rpartition("/")[2] for path in paths if "/jobs/" in path}
    assert len(jobs) == 2
    assert all(re.fullmatch(r"parts-v1-pipeline-[\d-]+-[0-9a-f]{6}", name) for name in jobs)
    assert {path.rpartition("/")[2] for path in paths if "/schedules/" in path} == {"parts-v1-pipeline"}


def test_the_sdk_says_nothing_of_its_own(tmp_path: Path) -> None:
    """It would speak of experimental classes, before anybody has connected."""
    (tmp_path / "job.toml").write_text(JOB)
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    asked = [str(tmp_path / "job.toml"), "--pictures", "azureml:parts:3", "--model", "m", "--step-compute", "c"]
    words = [sys.executable, "-m", "training.cli", "azure", "pipeline", *asked, *place, "--dry-run"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    assert shown.stderr == ""


def test_what_the_split_provides_is_not_taken_from_the_file(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """The same file can be submitted by itself; who runs a pipeline of it is told."""
    result = run(tmp_path, where, job=JOB.replace("[limits]", "validation_data_size = 0.3\n[limits]"))
    assert "note: validation_data_size of" in result.stderr
    assert "validation_data_size" not in sent(azure)["jobs"]["trained"]


def test_the_steps_know_their_cloud(tmp_path: Path) -> None:
    """The public one is not what a step finds in China."""
    (tmp_path / "job.toml").write_text(JOB)
    job = read_job_file(tmp_path / "job.toml", without_data=True)
    plan = Plan(
        name="x", pictures="azureml:a:1", url="b", code="azureml://c", model="m", compute="d", train_compute="e"
    )
    described = describe(replace(plan, cloud="AzureChinaCloud"), job)
    assert described.jobs["prepared"].environment_variables == {
        "AUTOML_AZURE_CREDENTIAL": "managed-identity",
        "AUTOML_AZURE_CLOUD": "AzureChinaCloud",
    }


def test_a_task_that_the_pipeline_cannot_judge_is_refused(where: list[str], tmp_path: Path) -> None:
    """It is trained by itself."""
    file = tmp_path / "boxes.toml"
    file.write_text(
        'task = "image-object-detection"\ntarget_column = "label"\ncompute = "gpucluster"\n'
        '[model]\nmodel_name = "yolov5"\n'
    )
    asked = ["azure", "pipeline", str(file), "--pictures", "azureml:parts:3", "--model", "defects", "--dry-run"]
    result = CliRunner().invoke(main, [*asked, "--step-compute", "cpucluster", *where])
    assert (result.exit_code, "the pipeline judges image-classification" in result.output) == (2, True)


def test_the_environment_of_the_steps_is_that_of_this_installation() -> None:
    """In its versions, with the runtime for CPUs and the SDK, without what only tests need."""
    names = {re.split(r"[<>=\[]", text)[0] for text in requirements()}
    assert f"azure-ai-ml=={metadata.version('azure-ai-ml')}" in requirements()
    assert {"onnxruntime", "azure-ai-ml", "azure-identity", "opencv-python-headless", "cykooz-resizer"} <= names
    assert not {"onnxruntime-gpu", "pytest", "torch", "amqtt"} & names


def test_a_plan_that_makes_no_sense_is_refused() -> None:
    """Whoever makes it."""
    with pytest.raises(UsageError, match="min_gain=1"):
        Plan(name="x", pictures="a", url="b", code="c", model="m", compute="d", train_compute="e", min_gain=1)
