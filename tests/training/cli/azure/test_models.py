"""`automl-train azure fetch`, `register` and `promote` as they are typed, one after the other."""

import json
from pathlib import Path

import pytest

from tests.azure.artifacts import trial_artifacts
from tests.azure.commands import run
from tests.azure.routes.registries import REGISTRY
from tests.azure.simulation import DETECTION, Trial, automl_job
from tests.azure.standin import Cloud
from tests.edge.artifacts.test_importing import write_golden
from tests.fakes import make_bundle

RESNET = {"model_name": "resnet18", "learning_rate": 0.01}
WIDTH = 80


@pytest.fixture
def job(azure: Cloud) -> str:
    trials = [Trial(0, RESNET, {"accuracy": 0.9123})]
    return automl_job(azure, "clijob", trials=trials, artifacts=trial_artifacts("image-classification", RESNET))


def test_from_a_job_to_what_devices_follow(azure: Cloud, job: str, tmp_path: Path) -> None:
    """Fetched and proven, registered, promoted; each says what it did in a few short lines."""
    models = tmp_path / "models"
    golden = write_golden(tmp_path / "golden")
    fetched = run(azure, tmp_path, "fetch", job, "--model", "cli-parts", "--registry", models, "--golden", golden)
    assert fetched.exit_code == 0, fetched.output
    assert fetched.stdout.splitlines() == [
        "bundle    cli-parts:1",
        f"folder    {models}/cli-parts/1",
        "trial     clijob_HD_0, accuracy 0.9123",
        "task      image-classification (classification), 4 labels",
        "input     rgb, range imagenet, batch dynamic",
        "resizing  shorter-side 36, crop 32",
        "answers   8 of 8 known answers came out, 8 are kept",
        "result    proven",
    ]
    bundle = models / "cli-parts" / "1"
    registered = run(azure, tmp_path, "register", bundle, "--tag", "line=3")
    assert registered.exit_code == 0, registered.output
    assert registered.stdout.splitlines()[-1].startswith("result  registered: 11 files, ")
    assert "tags    line=3" in registered.stdout
    again = run(azure, tmp_path, "register", bundle)
    assert again.stdout.splitlines()[-1] == "result  registered already: nothing was uploaded"
    promoted = run(azure, tmp_path, "promote", "cli-parts:1", "--stage", "Production")
    assert promoted.stdout.splitlines() == [
        "model   cli-parts:1",
        "mark    stage Production",
        "before  no version",
        "after   1",
        "result  changed",
    ]
    listed = run(azure, tmp_path, "promote", "cli-parts", "--list")
    assert "Production  line=3  classification  yes" in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) <= WIDTH


def test_for_programs(azure: Cloud, job: str, tmp_path: Path) -> None:
    """Each prints JSON."""
    out = tmp_path / "out"
    fetched = json.loads(run(azure, tmp_path, "fetch", job, "--model", "cli-json", "--output", out, "--json").stdout)
    assert (fetched["name"], fetched["version"], fetched["proven"]) == ("cli-json", "1", False)
    assert (fetched["trial"], fetched["score"], fetched["folder"]) == ("clijob_HD_0", 0.9123, str(out))
    registered = json.loads(run(azure, tmp_path, "register", out, "--json").stdout)
    assert (registered["uploaded"], registered["digest"]) == (True, fetched["digest"])
    promoted = json.loads(run(azure, tmp_path, "promote", "cli-json:1", "--tag", "line=prod", "--json").stdout)
    assert (promoted["before"], promoted["after"]) == ([], ["1"])
    (listed,) = json.loads(run(azure, tmp_path, "promote", "cli-json", "--list", "--json").stdout)
    assert (listed["tags"], listed["proven"]) == ({"line": "prod"}, False)


def test_unproven_and_not_run(azure: Cloud, job: str, tmp_path: Path) -> None:
    """What is missing, or what this version does not do, stands in the last line."""
    fetched = run(azure, tmp_path, "fetch", job, "--model", "cli-a", "--registry", tmp_path / "models")
    assert fetched.stdout.splitlines()[-1] == (
        "result    unproven: give pictures with known answers (--golden DIR) to prove it"
    )
    trials = [Trial(0, {"model_name": "fasterrcnn_resnet18_fpn"}, {"mean_average_precision": 0.5})]
    automl_job(azure, "cliboxes", task=DETECTION, trials=trials)
    boxes = run(azure, tmp_path, "fetch", "cliboxes", "--model", "cli-b", "--registry", tmp_path / "models")
    assert boxes.stdout.splitlines()[-1] == (
        "result    unproven: this version does not run its task; it can be registered"
    )


def test_into_a_shared_registry(azure: Cloud, tmp_path: Path) -> None:
    """--azure-registry in place of a workspace; a stage is refused."""
    folder = make_bundle(tmp_path / "1", name="cli-shared")
    done = run(azure, tmp_path, "register", folder, "--azure-registry", REGISTRY)
    assert done.exit_code == 0, done.output
    assert f"place   registry {REGISTRY}" in done.stdout
    refused = run(azure, tmp_path, "promote", "cli-shared:1", "--stage", "Production", "--azure-registry", REGISTRY)
    assert (refused.exit_code, "knows no stages" in refused.stderr) == (2, True)


WRONG = [
    (("register", "{bundle}", "--tag", "line"), 2, "KEY=VALUE is expected"),
    (("promote", "cli-x", "--stage", "Production"), 2, "which version of cli-x?"),
    (("promote", "cli-x:1"), 2, "give --stage S or --tag"),
    (("promote", "cli-x:1", "--stage", "Production"), 1, "there is no cli-x:1"),
    (("fetch", "nothing", "--model", "cli-x"), 1, "asking for the job nothing"),
    (("fetch", "nothing", "--model", "../x"), 2, "use up to 128 letters"),
    (("fetch", "nothing", "--model", "x", "--output", "a", "--registry", "b"), 2, "exclude each other"),
]


@pytest.mark.parametrize(("words", "code", "text"), WRONG, ids=[case[2] for case in WRONG])
def test_mistakes_end_in_one_line(azure: Cloud, tmp_path: Path, words: tuple[str, ...], code: int, text: str) -> None:
    """Usage ends with 2, work that failed with 1."""
    bundle = make_bundle(tmp_path / "1", name="cli-wrong") if "{bundle}" in words else tmp_path
    result = run(azure, tmp_path, *(word.replace("{bundle}", str(bundle)) for word in words))
    assert result.exit_code == code, result.output
    assert text in " ".join(result.stderr.split())
