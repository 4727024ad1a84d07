"""Models that AutoML or a person registered without a bundle, traced back to what one is made of, and made."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.azureml.made import AGAIN_S, UNUSED_S, Made
from edge.azureml.place import SharedRegistry
from edge.azureml.trace import Sources
from edge.azureml.versions import Version
from edge.bundle import open_bundle
from edge.errors import ModelInvalidError
from edge.session import open_session
from tests.azure.artifacts import trial_artifacts
from tests.azure.blobs import ARTIFACTS
from tests.azure.simulation import Trial, automl_job, write_artifacts
from tests.azure.standin import Cloud
from tests.edge.azureml.held import (
    FIRST,
    NAME,
    Asker,
    folder_of,
    put_automl,
    put_bundle,
    put_version,
    write,
)

RUN = "calm_sky_HD_3"


def test_what_automl_registers_is_traced_to_its_onnx(azure: Cloud, asker: Asker) -> None:
    """The bundle runs, is unproven, and tells which model and job it is of; AutoML's settings are in it."""
    files = put_automl(azure, RUN)
    survey = asker.survey()
    assert survey.refused == {}
    (candidate,) = survey.candidates
    bundle = open_bundle(asker.fetch("1", candidate.digest))
    assert bundle.digest == candidate.digest
    assert bundle.manifest.created_at == candidate.created_at == FIRST
    assert bundle.manifest.golden == ()
    told = bundle.manifest.provenance["azure"]
    assert (told["model"], told["type"], told["job"]) == ("colours:1", "mlflow_model", RUN)
    assert (bundle.folder / "model.onnx").read_bytes() == files["train_artifacts/model.onnx"]
    assert json.loads((bundle.folder / "settings.json").read_text())["valid_crop_size"] == 32
    assert open_session(bundle.model_path, device="cpu").graph.inputs[0].name == "input1"


def test_only_what_is_needed_is_downloaded(azure: Cloud, asker: Asker) -> None:
    """A run keeps a checkpoint of each epoch: they stay where they are."""
    files = put_automl(azure, RUN)
    asker.survey()
    needed = ("train_artifacts/model.onnx", "train_artifacts/labels.json", "MLmodel", "settings.json")
    size = sum(len(data) for path, data in files.items() if path.endswith(needed) and "model.pt" not in path)
    assert max(progress.of for progress in asker.progress) == size < 1 << 20


def test_the_bundle_is_made_once(azure: Cloud, asker: Asker) -> None:
    """Its digest stays over restarts, and what was downloaded is not downloaded again."""
    put_automl(azure, RUN)
    first = asker.survey().candidates
    before = azure.wire.count("POST", "/listSecrets")
    assert asker.survey().candidates == first
    assert azure.wire.count("POST", "/listSecrets") == before


def test_the_same_version_makes_the_same_bundle(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Byte by byte: a lost cache is no new version."""
    put_automl(azure, RUN)
    (first,) = asker.survey().candidates
    (second,) = asker.survey(cache=str(tmp_path / "another")).candidates
    assert first == second


def test_a_made_bundle_that_is_damaged_is_made_anew(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The fetch says so, and the next look makes it."""
    put_automl(azure, RUN)
    (candidate,) = asker.survey().candidates
    (model,) = (tmp_path / "cache").glob(f"{NAME}/*/bundle/model.onnx")
    model.write_bytes(b"broken")
    failure = asker.fetch_failure("1", candidate.digest)
    assert (failure.error, failure.kind) == ("RegistryError", "damaged")
    assert "it is made anew" in failure.reason
    assert asker.survey().candidates == (candidate,)
    open_bundle(asker.fetch("1", candidate.digest))


def test_a_made_bundle_that_is_lost_is_made_anew(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Between the look and the fetch somebody emptied the cache."""
    put_automl(azure, RUN)
    (candidate,) = asker.survey().candidates
    failure = asker.fetch_failure("1", candidate.digest, cache=str(tmp_path / "another"))
    assert failure.error == "RegistryError"
    assert "is gone; it is made anew" in failure.reason


def test_only_the_newest_version_is_traced_or_a_pinned_one(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The others are refused with what to do; one that was made before is let go when a newer one is."""
    put_automl(azure, RUN, "1")
    put_automl(azure, "later_HD_0", "2", hour=1)
    survey = asker.survey()
    assert [c.version for c in survey.candidates] == ["2"]
    assert "pin this one" in survey.refused["colours/1"]
    assert [c.version for c in asker.survey(version="1").candidates] == ["1"]
    assert len(list((tmp_path / "cache" / NAME).iterdir())) == 1
    put_bundle(azure, tmp_path, "3", hour=2)
    assert [c.version for c in asker.survey().candidates] == ["3", "1"]


def test_the_job_s_best_trial_has_the_onnx(azure: Cloud, asker: Asker) -> None:
    """A model that was registered of the AutoML job itself."""
    trials = [Trial(n, {"model_name": "resnet18"}, {"accuracy": 0.5 + n / 10}) for n in range(2)]
    job = automl_job(azure, "quiet_hill", trials=trials)
    write(azure, folder_of("1"), {"MLmodel": b"metadata:\n  finetuning_task: image-classification\n"})
    put_version(azure, "1", modelType="mlflow_model", jobName=job)
    (candidate,) = asker.survey().candidates
    bundle = open_bundle(asker.fetch("1", candidate.digest))
    assert bundle.manifest.provenance["azure"]["job"] == f"{job}_HD_1"


def test_the_trial_that_made_the_model_goes_before_the_best_one(azure: Cloud, asker: Asker) -> None:
    """A job's other trial, registered under that job: its best trial's ONNX would be another model."""
    trials = [Trial(n, {"model_name": "resnet18"}, {"accuracy": 0.5 + n / 10}) for n in range(2)]
    job = automl_job(azure, "quiet_hill", trials=trials)
    write_artifacts(azure, f"{job}_HD_0", trial_artifacts("image-classification", {"model_name": "resnet18"}))
    write(azure, folder_of("1"), {"MLmodel": f"metadata:\n  training_run_id: {job}_HD_0\n".encode()})
    put_version(azure, "1", modelType="mlflow_model", jobName=job, tags={"task": "image-classification"})
    (candidate,) = asker.survey().candidates
    bundle = open_bundle(asker.fetch("1", candidate.digest))
    assert bundle.manifest.provenance["azure"]["job"] == f"{job}_HD_0"


def _remove(azure: Cloud, path: str) -> None:
    azure.blobs.delete(f"ExperimentRun/dcid.{RUN}/{path}", ARTIFACTS)


def test_a_job_that_was_deleted_is_told_of(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The version is refused with what to do; older bundles are offered."""
    put_bundle(azure, tmp_path, "1")
    put_automl(azure, RUN, "2", hour=1)
    _remove(azure, "train_artifacts/model.onnx")
    survey = asker.survey()
    assert [c.version for c in survey.candidates] == ["1"]
    reason = survey.refused["colours/2"]
    assert f"its job {RUN} kept it, and that job was deleted" in reason
    assert "automl-train azure fetch" in reason


def test_a_job_without_onnx_is_told_of(azure: Cloud, asker: Asker) -> None:
    """Models of HuggingFace and MMDetection have none."""
    job = automl_job(azure, "mild_wind", trials=[Trial(0, {"model_name": "resnet18"}, {"accuracy": 0.5})])
    run = f"{job}_HD_0"
    put_version(
        azure, "1", modelType="mlflow_model", modelUri=f"azureml://jobs/{run}/outputs/artifacts/outputs/mlflow-model"
    )
    azure.blobs.delete(f"ExperimentRun/dcid.{run}/train_artifacts/model.onnx", ARTIFACTS)
    reason = asker.survey().refused["colours/1"]
    assert f"the artifacts of its job {run} hold no train_artifacts/model.onnx" in reason
    assert "a model name of which AutoML makes no ONNX" in reason


def test_a_task_that_the_edge_does_not_run_is_told_of_before_the_download(azure: Cloud, asker: Asker) -> None:
    """Its settings say so; the graph stays where it is."""
    put_automl(azure, RUN, task="image-object-detection")
    assert "it is for image-object-detection" in asker.survey().refused["colours/1"]
    assert all(progress.of == 0 for progress in asker.progress)


def test_an_mlflow_model_of_nobody_knows_which_job(azure: Cloud, asker: Asker) -> None:
    """Registered from a folder on somebody's disk."""
    write(azure, folder_of("1"), {"MLmodel": b"flavors: {}\n"})
    put_version(azure, "1", modelType="mlflow_model")
    assert "nothing tells which job made it" in asker.survey().refused["colours/1"]


def test_the_run_that_mlmodel_names_is_looked_at(azure: Cloud, asker: Asker) -> None:
    """Where the version itself knows no job."""
    put_automl(azure, RUN, "2", isArchived=True)
    text = f"metadata:\n  finetuning_task: image-classification\n  training_run_id: {RUN}\n"
    write(azure, folder_of("1"), {"MLmodel": text.encode()})
    put_version(azure, "1", hour=1, modelType="mlflow_model")
    assert [c.version for c in asker.survey().candidates] == ["1"]


@pytest.mark.parametrize("folder", ["", "train_artifacts/"])
def test_a_bare_folder_is_made_a_bundle(azure: Cloud, asker: Asker, folder: str) -> None:
    """Graph, labels and settings as a person may register them; a tag says the task, which no file does."""
    files = put_automl(azure, RUN, "9", isArchived=True)
    wanted = {"model.onnx": "train_artifacts/model.onnx", "labels.json": "train_artifacts/labels.json"}
    bare = {folder + name: files[path] for name, path in wanted.items()}
    bare["settings.json"] = files["outputs/mlflow-model/artifacts/settings.json"]
    write(azure, folder_of("1"), bare)
    put_version(azure, "1", tags={"task": "image-classification"})
    (candidate,) = asker.survey().candidates
    open_bundle(asker.fetch("1", candidate.digest))


def test_a_bare_folder_of_a_job_needs_no_tag(azure: Cloud, asker: Asker) -> None:
    """Registered as ``train_artifacts`` of a run: what lies beside it in the run says the rest."""
    put_automl(azure, RUN, "9", isArchived=True)
    put_version(azure, "1", modelUri=f"azureml://jobs/{RUN}/outputs/artifacts/paths/train_artifacts/")
    (candidate,) = asker.survey().candidates
    bundle = open_bundle(asker.fetch("1", candidate.digest))
    assert bundle.manifest.preprocessing.model_dump() == {"rule": "shorter-side", "resize": 36, "crop": 32}


def test_what_cannot_be_made_is_tried_once(azure: Cloud, asker: Asker) -> None:
    """The reason is kept: a poll does not download the graph again to find out the same."""
    files = put_automl(azure, RUN, "9", isArchived=True)
    write(azure, folder_of("1"), {name: files[f"train_artifacts/{name}"] for name in ("model.onnx", "labels.json")})
    put_version(azure, "1")
    (first,) = asker.survey().refused.values()
    assert "no bundle can be made of it by itself" in first
    asker.progress.clear()
    assert asker.survey().refused == {"colours/1": first}
    assert all(progress.of == 0 for progress in asker.progress)


def test_a_graph_that_is_none_is_refused(azure: Cloud, asker: Asker) -> None:
    """What onnxruntime says of it is the reason."""
    put_automl(azure, RUN)
    azure.blobs.write({f"ExperimentRun/dcid.{RUN}/train_artifacts/model.onnx": b"no graph"}, ARTIFACTS)
    assert "colours/1" in asker.survey().refused


@pytest.mark.parametrize(
    ("program", "most_s", "reason", "for_good"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 60.0, "crashed .SIGSEGV", True),
        ("import time; time.sleep(60)", 1.0, "took longer than 1 s", False),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 60.0, "was ended by signal 15", False),
        ("import sys; sys.exit('oh')", 60.0, "ended with exit code 1: oh", False),
        ('print(\'{"error": "MemoryError", "reason": "needs more memory"}\')', 60.0, "more memory", False),
    ],
)
def test_a_graph_that_harms_its_process_is_refused(
    tmp_path: Path, program: str, most_s: float, reason: str, for_good: bool
) -> None:
    """It is made in a process of its own; what need not be the model's fault is tried again, hours later."""
    now = [1000.0]
    command = [sys.executable, "-c", program]
    made = Made(tmp_path, SharedRegistry("any"), command=command, most_s=most_s, clock=lambda: now[0])
    version = Version(NAME, "1", FIRST, uri="azureml://datastores/a/paths/b")
    with pytest.raises(ModelInvalidError, match=reason):
        made.make(version, Sources({}), lambda _progress: None)
    with pytest.raises(ModelInvalidError, match=reason):
        made.check_not_refused(version)
    now[0] += AGAIN_S
    if for_good:
        with pytest.raises(ModelInvalidError, match=reason):
            made.check_not_refused(version)
    else:
        made.check_not_refused(version)


def test_what_killed_processes_left_goes(tmp_path: Path) -> None:
    """A device that is switched off again and again while a bundle is made must not fill its disk."""
    made, version = Made(tmp_path, SharedRegistry("any")), Version(NAME, "1", FIRST)
    left, young = (made.folder(version) / f".partial-{name}" for name in ("left", "young"))
    for folder in (left, young):
        folder.mkdir(parents=True)
    os.utime(left, (1000.0, 1000.0))
    made.tidy([version])
    assert not left.exists()
    assert young.exists()


def test_what_was_made_of_versions_that_are_gone_goes_after_a_day(tmp_path: Path) -> None:
    """Of whatever model: the one that was followed before is never looked at again."""
    now = datetime.now(UTC).timestamp()
    made = Made(tmp_path, SharedRegistry("any"), clock=lambda: now + UNUSED_S + 1)
    here, gone = (made.folder(Version(name, "1", FIRST)) for name in (NAME, "shapes"))
    for folder in (here, gone):
        folder.mkdir(parents=True)
    Made(tmp_path, SharedRegistry("any")).tidy([])
    assert gone.exists()
    made.tidy([Version(NAME, "1", FIRST)])
    assert here.exists()
    assert not gone.exists()
