"""The pipeline's steps as the cloud runs them, one after the other, on folders where Azure would mount them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.bundle import open_bundle
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.artifacts import trial_artifacts
from tests.azure.simulation import Trial, automl_job, write_artifacts
from tests.azure.standin import Cloud
from tests.fakes import COLOURS, encoded, picture
from training.cli import main

URL = "azureml://datastores/workspaceblobstore/paths/parts"
SHADES = 20
Step = Callable[..., str]


@pytest.fixture
def step(azure: Cloud, tmp_path: Path) -> Step:
    """Return what runs one step and gives its output; a workspace is named as inside a job of Azure's."""
    environment = {
        "AZUREML_ARM_SUBSCRIPTION": SUBSCRIPTION,
        "AZUREML_ARM_RESOURCEGROUP": RESOURCE_GROUP,
        "AZUREML_ARM_WORKSPACE_NAME": WORKSPACE,
        "AUTOML_AZURE_CREDENTIAL": "managed-identity",
        "AUTOML_AZURE_CLOUD": str(azure.cloud_file(tmp_path)),
    }

    def run(name: str, *words: object, exit_code: int = 0) -> str:
        asked = ["azure", "pipeline-step", name, *map(str, words)]
        result = CliRunner().invoke(main, asked, env=environment, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures of each colour, no two alike."""
    for label, (red, green, blue) in COLOURS.items():
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for shade in range(SHADES):
            shaded = picture((red + shade % 3, green + shade // 3 % 3, blue + shade // 9))
            (folder / f"{shade}.png").write_bytes(encoded(shaded))
    return tmp_path / "pictures"


@pytest.fixture
def tables(step: Step, pictures: Path, tmp_path: Path) -> Path:
    """The tables that the first step writes."""
    outputs = [word for part in ("train", "validation", "test") for word in (f"--{part}", tmp_path / "tables" / part)]
    shares = ["--validation-share", 0.2, "--test-share", 0.15, "--seed", 1]
    said = step("prepare", "--pictures", pictures, "--url", URL, *shares, *outputs)
    assert said == "52 pictures for train, 16 pictures for validation, 12 pictures for test\n"
    return tmp_path / "tables"


@pytest.fixture
def best(azure: Cloud, tmp_path: Path) -> Path:
    """The MLflow model that AutoML hands on: it says which run it came from."""
    automl_job(azure, "trained", trials=[Trial(0, {"model_name": "resnet18"}, {"accuracy": 0.97})])
    azure.notes["steps"] = ("trained", "trained_HD")
    folder = tmp_path / "best"
    folder.mkdir()
    text = trial_artifacts("image-classification", {"model_name": "resnet18"})["outputs/mlflow-model/MLmodel"].decode()
    (folder / "MLmodel").write_text(re.sub(r"training_run_id: \S+", "training_run_id: trained_HD_0", text))
    return folder


def evaluated(step: Step, pictures: Path, tables: Path, best: Path, judged: Path) -> str:
    places = ["--pictures", pictures, "--url", URL, "--test", tables / "test", "--best", best]
    return step("evaluate", *places, "--model", "colours", "--judged", judged)


def test_the_tables_name_the_pictures_in_azure(tables: Path, pictures: Path) -> None:
    """Each picture in one table, under the place that the data asset has."""
    lines = [json.loads(line) for file in sorted(tables.glob("*/*.jsonl")) for line in file.read_text().splitlines()]
    urls = {line["image_url"] for line in lines}
    assert urls == {f"{URL}/{path.relative_to(pictures)}" for path in pictures.glob("*/*.png")}
    assert len(lines) == len(urls) == 4 * SHADES
    assert all((tables / part / "MLTable").is_file() for part in ("train", "validation", "test"))


def test_the_first_model_is_registered_and_one_no_better_is_not(
    azure: Cloud, step: Step, pictures: Path, tables: Path, best: Path, tmp_path: Path
) -> None:
    """Proven by test pictures that it gets right; the second is judged beside the registered one."""
    assert evaluated(step, pictures, tables, best, tmp_path / "one") == "the new model: 1.0000 on 12 pictures\n"
    bundle = open_bundle(tmp_path / "one/bundle")
    assert len(bundle.manifest.golden) == 8
    asked = ["--min-gain", 0, "--min-accuracy", 0.5, "--tag", "line=prod"]
    said = step("register", "--judged", tmp_path / "one", *asked)
    assert said.startswith("registered as colours:1: the new model is right on 100.00% of 12 test pictures; no version")
    version = azure.resources.get(f"{WORKSPACE_PATH}/models/colours/versions/1")["properties"]
    assert (version["tags"]["line"], version["tags"]["proven"]) == ("prod", "true")
    assert version["properties"]["test_accuracy"] == "1.0000"

    said = evaluated(step, pictures, tables, best, tmp_path / "two")
    assert said.splitlines() == ["the new model: 1.0000 on 12 pictures", "colours:1: 1.0000 on 12 pictures"]
    said = step("register", "--judged", tmp_path / "two", *asked)
    assert said.startswith("not registered: ")
    assert "a gain of +0.00%, more than 0.00% is asked for" in said
    assert not azure.resources.has(f"{WORKSPACE_PATH}/models/colours/versions/2")


def test_of_two_pipelines_at_once_one_registers(
    azure: Cloud, step: Step, pictures: Path, tables: Path, best: Path, tmp_path: Path
) -> None:
    """The other's model was not judged beside it; the same step may run again."""
    asked = ["--min-gain", 0, "--min-accuracy", 0.5]
    for judged in ("one", "two"):
        evaluated(step, pictures, tables, best, tmp_path / judged)
    for _ in range(2):
        assert step("register", "--judged", tmp_path / "one", *asked).startswith("registered as colours:1: ")
    said = step("register", "--judged", tmp_path / "two", *asked)
    assert said.startswith("not registered: colours:1 was registered meanwhile")
    assert not azure.resources.has(f"{WORKSPACE_PATH}/models/colours/versions/2")


def test_a_registered_model_gets_none_right_of_a_class_that_came_later(
    azure: Cloud, step: Step, pictures: Path, tables: Path, best: Path, tmp_path: Path
) -> None:
    """Else no model that knows it could ever take its place."""
    evaluated(step, pictures, tables, best, tmp_path / "one")
    step("register", "--judged", tmp_path / "one", "--min-gain", 0, "--min-accuracy", 0)
    (pictures / "red").rename(pictures / "violet")
    outputs = [word for part in ("train", "validation", "test") for word in (f"--{part}", tmp_path / "more" / part)]
    shares = ["--validation-share", 0.2, "--test-share", 0.15, "--seed", 1]
    step("prepare", "--pictures", pictures, "--url", URL, *shares, *outputs)
    labels = ["violet" if label == "red" else label for label in COLOURS]
    artifacts = trial_artifacts("image-classification", {"model_name": "resnet18"}, labels=labels)
    write_artifacts(azure, "trained_HD_0", artifacts)
    said = evaluated(step, pictures, tmp_path / "more", best, tmp_path / "two")
    assert said.splitlines()[1] == "colours:1: 0.7500 on 12 pictures"


def test_a_model_that_is_none_of_automls_stops_the_pipeline(
    step: Step, pictures: Path, tables: Path, best: Path, tmp_path: Path
) -> None:
    """It cannot be traced to its ONNX."""
    (best / "MLmodel").write_text("flavors: {}\n")
    places = ["--pictures", pictures, "--url", URL, "--test", tables / "test", "--best", best]
    said = step("evaluate", *places, "--model", "colours", "--judged", tmp_path / "x", exit_code=1)
    assert "does not say which run it came from" in said


def test_pictures_of_another_folder_stop_the_pipeline(step: Step, tables: Path, best: Path, tmp_path: Path) -> None:
    """Figures over other pictures would be worth nothing."""
    (tmp_path / "other").mkdir()
    places = ["--pictures", tmp_path / "other", "--url", URL, "--test", tables / "test", "--best", best]
    said = step("evaluate", *places, "--model", "colours", "--judged", tmp_path / "x", exit_code=1)
    assert "is none of the pictures in" in said


def test_pictures_that_cannot_be_trained_on_stop_the_pipeline(step: Step, pictures: Path, tmp_path: Path) -> None:
    """What is wrong is named."""
    (pictures / "red/0.png").write_bytes(b"no picture")
    outputs = [word for part in ("train", "validation", "test") for word in (f"--{part}", tmp_path / part)]
    shares = ["--validation-share", 0.2, "--test-share", 0.15, "--seed", 1]
    said = step("prepare", "--pictures", pictures, "--url", URL, *shares, *outputs, exit_code=1)
    assert "error: " in said
    assert "red/0.png" in said


def test_a_step_writes_nothing_into_what_it_is_given(
    azure: Cloud, step: Step, pictures: Path, tables: Path, best: Path, tmp_path: Path
) -> None:
    """Azure mounts the judged bundle to be read; under the next version it is copied elsewhere."""
    judged = tmp_path / "judged"
    evaluated(step, pictures, tables, best, judged)
    assert sorted(path.name for path in judged.iterdir()) == ["bundle", "evaluation.json"]
    properties = {"modelUri": "azureml://x", "modelType": "mlflow_model", "tags": {}, "properties": {}, "flavors": {}}
    azure.resources.put(f"{WORKSPACE_PATH}/models/colours/versions/1", properties)
    before = sorted(judged.rglob("*"))
    said = step("register", "--judged", judged, "--min-gain", 0, "--min-accuracy", 0.5)
    assert said.startswith("registered as colours:2: ")
    assert sorted(judged.rglob("*")) == before
