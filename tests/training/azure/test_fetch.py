"""A finished job becomes a verified bundle, over the real SDK; or a clear refusal, and nothing is left."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import open_bundle
from edge.errors import ConfigError, EdgeError, ModelInvalidError
from edge.proof import load_model
from edge.registry.files import PARTIAL
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.artifacts import trial_artifacts
from tests.azure.blobs import ARTIFACTS
from tests.azure.routes.storage import lead_through
from tests.azure.routes.workspace import refuse_blobs
from tests.azure.sessions import session_of
from tests.azure.simulation import (
    DETECTION,
    MULTILABEL,
    SEGMENTATION,
    Trial,
    automl_job,
    running_job,
    trial_name,
)
from tests.azure.standin import Cloud
from tests.box_graphs import write_box_graph
from tests.edge.artifacts.test_importing import write_golden
from tests.fakes import LABELS
from training.azure.fetch import Fetched, Wish, fetch, summary
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError, TrainingError, UsageError

RESNET = {"model_name": "resnet18", "learning_rate": 0.01}
TRIALS = [Trial(0, RESNET, {"accuracy": 0.8}), Trial(1, {**RESNET, "learning_rate": 0.02}, {"accuracy": 0.9})]


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    with closing(session_of(azure, tmp_path)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Whatever happens, no half bundle and no download stays."""
    yield
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))


def run(session: Session, tmp_path: Path, job: str = "line", **wish: Any) -> Fetched:
    return fetch(session, Wish(job=job, name="parts", **{"registry": tmp_path / "models", **wish}))


def put_files(azure: Cloud, changes: Mapping[str, bytes | None], *, task: str = "image-classification") -> str:
    """Make a job whose best trial left the usual files but for the changes; None is a file that is not there."""
    files = {**trial_artifacts(task, RESNET), **changes}
    kept = {path: data for path, data in files.items() if data is not None}
    clear(azure, "line", 1)
    return automl_job(azure, "line", trials=TRIALS, artifacts=kept)


def clear(azure: Cloud, job: str, trial: int) -> None:
    """Remove what an earlier test wrote: Azurite is one for all."""
    for name in azure.blobs.names(f"ExperimentRun/dcid.{trial_name(job, trial)}/", ARTIFACTS):
        azure.blobs.delete(name, ARTIFACTS)


def test_the_best_trial_becomes_a_bundle(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """It is the best one's model, with AutoML's settings, unproven, and loads."""
    put_files(azure, {})
    fetched = run(session, tmp_path)
    manifest = fetched.bundle.manifest
    assert fetched.trial.name == "line_HD_1"
    assert fetched.bundle.folder == tmp_path / "models" / "parts" / "1"
    assert set(manifest.files) == {"model.onnx", "labels.json", "settings.json"}
    assert manifest.task == "image-classification"
    assert not load_model(fetched.bundle.folder, device="cpu", threads=1).ref.proven
    assert summary(fetched)["proven"] is False


def test_only_what_is_wanted_is_downloaded(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The checkpoints, each as large as the model, stay where they are; progress counts the bytes of the rest."""
    put_files(azure, {})
    seen: list[tuple[str, int, int]] = []
    fetch(session, Wish(job="line", name="parts", registry=tmp_path / "models"), lambda *step: seen.append(step))
    assert {step for step, _, _ in seen} == {"downloading"}
    assert seen[-1][1] == seen[-1][2] < 1 << 20


def test_where_it_comes_from_is_kept_and_no_secret(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Job, trial, experiment, workspace, data, hyperparameters, metric and who asked."""
    put_files(azure, {})
    bundle = run(session, tmp_path).bundle
    provenance = bundle.manifest.provenance
    assert {key: provenance[key] for key in ("job", "trial", "experiment", "model_name", "created_by", "data")} == {
        "job": "line",
        "trial": "line_HD_1",
        "experiment": "plant",
        "model_name": "resnet18",
        "created_by": "tester",
        "data": {"training": "pictures:1"},
    }
    assert provenance["workspace"] == {
        "name": WORKSPACE,
        "resource_group": RESOURCE_GROUP,
        "subscription_id": SUBSCRIPTION,
    }
    assert provenance["hyperparameters"]["learning_rate"] == 0.02
    assert provenance["primary_metric"] == {"name": "accuracy", "value": 0.9}
    text = (bundle.folder / "manifest.json").read_text()
    assert "sig=" not in text
    assert str(tmp_path) not in text


def test_figures_are_metrics_of_the_bundle(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Confusion matrix and accuracy table come as plain JSON beside the trial's metrics."""
    put_files(azure, {})
    metrics = run(session, tmp_path).bundle.manifest.metrics
    assert metrics["accuracy"] == 0.9
    assert metrics["confusion_matrix"]["class_labels"] == list(LABELS)
    assert metrics["confusion_matrix"]["matrix"][0][:2] == [9, 1]
    assert metrics["accuracy_table"]["probability_thresholds"] == [0.0, 0.5]


def test_known_answers_prove_it(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The pictures are stored, and the bundle is proven."""
    put_files(azure, {})
    fetched = run(session, tmp_path, golden=write_golden(tmp_path / "golden"))
    assert fetched.evidence is not None
    assert load_model(fetched.bundle.folder, device="cpu", threads=1).ref.proven


def test_normalisation_that_only_the_trial_knows_of_is_heeded(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """A hyperparameter says it where settings.json does not."""
    trials = [Trial(1, {**RESNET, "enable_onnx_normalization": True}, {"accuracy": 0.9})]
    clear(azure, "line", 1)
    automl_job(azure, "line", trials=trials, artifacts=trial_artifacts("image-classification", RESNET))
    assert run(session, tmp_path).bundle.manifest.input.range == "0-255"


def test_multilabel_job(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The task is the job's."""
    automl_job(azure, "labels", task=MULTILABEL, trials=[Trial(0, RESNET, {"iou": 0.7})])
    assert run(session, tmp_path, "labels").bundle.manifest.task == "image-classification-multilabel"


def test_task_is_the_jobs_where_mlmodel_is_gone(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Nobody is asked what the job knows."""
    put_files(azure, {"outputs/mlflow-model/MLmodel": None, "outputs/mlflow-model/artifacts/settings.json": None})
    with pytest.raises(ConfigError, match="to what side pictures are resized"):
        run(session, tmp_path)  # the sizes, though, nobody knows: the graph takes 32
    put_files(azure, {"outputs/mlflow-model/MLmodel": None})
    assert run(session, tmp_path).bundle.manifest.task == "image-classification"


@pytest.mark.parametrize(
    ("task", "model", "family"),
    [
        (DETECTION, "fasterrcnn_resnet18_fpn", "fasterrcnn"),
        (SEGMENTATION, "maskrcnn_resnet50_fpn", "maskrcnn"),
    ],
)
def test_detection_and_segmentation_become_bundles_that_are_not_run(
    azure: Cloud, session: Session, tmp_path: Path, task: str, model: str, family: str
) -> None:
    """They are unproven, one picture a batch, and keep AutoML's settings whole."""
    automl_job(azure, family, task=task, trials=[Trial(0, {"model_name": model}, {"mean_average_precision": 0.5})])
    manifest = run(session, tmp_path, family).bundle.manifest
    assert (manifest.family, manifest.batch, manifest.golden) == (family, "single", ())
    assert manifest.postprocessing.threshold == 0.3


def test_a_folder_in_place_of_a_registry(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """It is the bundle itself; one that holds something already is refused before anything is asked."""
    put_files(azure, {})
    fetched = run(session, tmp_path, output=tmp_path / "out" / "bundle", version="7")
    assert str(open_bundle(tmp_path / "out" / "bundle")) == "parts:7"
    assert fetched.bundle.folder == tmp_path / "out" / "bundle"
    asked = len(azure.wire.exchanges)
    with pytest.raises(TrainingError, match="is not empty"):
        run(session, tmp_path, output=tmp_path / "out" / "bundle")
    assert len(azure.wire.exchanges) == asked


@pytest.mark.parametrize("trial", ["0", "line_HD_0"])
def test_a_trial_by_number_or_name(azure: Cloud, session: Session, tmp_path: Path, trial: str) -> None:
    """Also of a job that did not end well, and without naming the job where the trial's name tells it."""
    clear(azure, "line", 1)
    automl_job(azure, "line", trials=TRIALS, status="Canceled")
    azure.blobs.write(
        {f"ExperimentRun/dcid.line_HD_0/{p}": d for p, d in trial_artifacts("image-classification", RESNET).items()},
        ARTIFACTS,
    )
    assert run(session, tmp_path, trial=trial).trial.name == "line_HD_0"
    if trial == "line_HD_0":
        assert fetch(session, Wish(name="other", trial=trial, registry=tmp_path / "models")).origin.job == "line"


def test_a_job_that_runs_is_waited_for(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The message says how."""
    job = running_job(azure, "line", trials=TRIALS, artifacts={})
    with pytest.raises(AzureError, match="job line is Queued: wait for its end with automl-train azure watch line"):
        run(session, tmp_path)
    job.advance()
    with pytest.raises(AzureError, match="job line is Running"):
        run(session, tmp_path)


@pytest.mark.parametrize("status", ["Failed", "Canceled"])
def test_a_job_that_failed_is_named(azure: Cloud, session: Session, tmp_path: Path, status: str) -> None:
    """And where to read why."""
    automl_job(azure, "line", trials=TRIALS, status=status, artifacts={})
    with pytest.raises(AzureError, match=f"job line is {status}: automl-train azure watch line says why"):
        run(session, tmp_path)


def test_a_trial_that_failed_has_no_model(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """It is named with its state."""
    failed = [Trial(0, RESNET, {"accuracy": 0.9}), Trial(1, RESNET, {}, status="Failed")]
    automl_job(azure, "line", trials=failed, artifacts={})
    with pytest.raises(AzureError, match="trial line_HD_1 is failed: only a completed one leaves a model"):
        run(session, tmp_path, trial="1")


def test_run_history_may_have_lost_the_best_trial(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Its files are there all the same; what it was trained with is then not told."""
    put_files(azure, {})
    azure.wire.break_(r"GET .*/mlflow/runs/get", 404, code="RESOURCE_DOES_NOT_EXIST")
    fetched = run(session, tmp_path)
    assert fetched.bundle.manifest.provenance["hyperparameters"] == {}
    with pytest.raises(AzureError):
        run(session, tmp_path, trial="1")


def test_unknown_job(session: Session, tmp_path: Path) -> None:
    """Azure's word for it, and which job."""
    with pytest.raises(AzureError, match="asking for the job nothing"):
        run(session, tmp_path, "nothing")


def test_model_that_gives_no_onnx_says_why(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Networks of HuggingFace and MMDetection are not exported."""
    name = "microsoft/beit-base-patch16-224"
    files = trial_artifacts("image-classification", RESNET)
    del files["train_artifacts/model.onnx"]
    automl_job(azure, "hugging", trials=[Trial(0, {"model_name": name}, {"accuracy": 0.9})], artifacts=files)
    with pytest.raises(AzureError, match=f"trained {name}, a model of HuggingFace or MMDetection"):
        run(session, tmp_path, "hugging")


GONE: list[tuple[dict[str, bytes | None], type[Exception], str]] = [
    (dict.fromkeys(trial_artifacts("image-classification", RESNET)), AzureError, "left no files in workspaceartifact"),
    ({"train_artifacts/model.onnx": None}, AzureError, "has no train_artifacts/model.onnx: its export failed"),
    ({"train_artifacts/labels.json": None}, AzureError, "has no train_artifacts/labels.json"),
    ({"train_artifacts/labels.json": b'["a", "b"]'}, ModelInvalidError, "but there are 2 labels"),
    ({"train_artifacts/labels.json": b"["}, ModelInvalidError, "labels.json is no JSON"),
    ({"confusion_matrix": b"{"}, AzureError, "confusion_matrix of the trial is no JSON"),
]


@pytest.mark.parametrize(("changes", "kind", "text"), GONE, ids=[case[2] for case in GONE])
def test_files_that_are_gone_or_do_not_fit(
    azure: Cloud, session: Session, tmp_path: Path, changes: dict[str, bytes | None], kind: type[Exception], text: str
) -> None:
    """Each is named, and nothing is registered."""
    put_files(azure, changes)
    with pytest.raises(kind, match=text):
        run(session, tmp_path)
    assert not list((tmp_path / "models").glob("*/*"))


def test_half_a_model_is_refused(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """onnxruntime finds a blob out that is only the beginning of one."""
    whole = trial_artifacts("image-classification", RESNET)["train_artifacts/model.onnx"]
    put_files(azure, {"train_artifacts/model.onnx": whole[: len(whole) // 2]})
    with pytest.raises(ModelInvalidError, match="cut off, or no ONNX model"):
        run(session, tmp_path)


def test_bytes_that_are_not_those_that_azure_stored(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Where a blob has an MD5, it must be right."""
    put_files(azure, {})
    with azure.blobs.container(ARTIFACTS) as client:
        from azure.storage.blob import ContentSettings  # noqa: PLC0415 - only here

        blob = client.get_blob_client("ExperimentRun/dcid.line_HD_1/train_artifacts/labels.json")
        blob.set_http_headers(ContentSettings(content_md5=bytearray(16)))
    with pytest.raises(AzureUnavailableError, match="do not have the MD5"):
        run(session, tmp_path)


def test_no_right_to_read_the_files(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The datastore's secret is refused: what was tried is named."""
    put_files(azure, {})
    azure.wire.break_(r"POST .*/datastores/workspaceartifactstore/listSecrets", 403, code="AuthorizationFailed")
    with pytest.raises(
        AzureError, match="reading the files of line_HD_1 in workspaceartifactstore: a right is missing"
    ):
        run(session, tmp_path)


def test_who_may_not_read_storage_is_told_the_role(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The usual right that lacks."""
    put_files(azure, {})
    refuse_blobs(azure, "AuthorizationPermissionMismatch", "GET")
    with pytest.raises(AzureError, match=r"reading the files of line_HD_1 .* Storage Blob Data Reader"):
        run(session, tmp_path)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "AuthorizationPermissionMismatch", AzureError), (404, "BlobNotFound", AzureError)],
)
def test_no_right_to_read_a_blob(
    azure: Cloud, session: Session, tmp_path: Path, status: int, code: str, kind: type[Exception]
) -> None:
    """The list may be read, the files not; or they went meanwhile."""
    put_files(azure, {})
    lead_through(azure, "workspaceartifactstore")
    azure.wire.break_(r"GET /storage/.*model\.onnx", status, code=code)
    with pytest.raises(kind, match="reading the files of line_HD_1 in workspaceartifactstore"):
        run(session, tmp_path)


def test_a_hiccup_of_storage_is_got_over(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The SDK asks again."""
    put_files(azure, {})
    lead_through(azure, "workspaceartifactstore")
    azure.wire.break_(r"GET /storage/.*model\.onnx", 503, code="ServerBusy", times=1)
    assert run(session, tmp_path).bundle.manifest.version == "1"


def test_a_blob_that_shrinks_on_the_way(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Between the list and the download somebody writes another one."""
    put_files(azure, {})

    def shrink(*_: object) -> None:
        azure.blobs.write({"ExperimentRun/dcid.line_HD_1/train_artifacts/model.onnx": b"short"}, ARTIFACTS)

    with pytest.raises(AzureUnavailableError, match=r"model\.onnx: 5 of \d+ bytes came; fetch it again"):
        fetch(session, Wish(job="line", name="parts", registry=tmp_path / "models"), shrink)


def test_batch_is_refused_for_classification(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Its graphs take any number of pictures; one picture is what AutoML exports anyway."""
    put_files(azure, {})
    with pytest.raises(UsageError, match="takes any number of pictures as it is"):
        run(session, tmp_path, batch=4)
    automl_job(azure, "boxes", task=DETECTION, trials=[Trial(0, RESNET, {"mean_average_precision": 0.5})], artifacts={})
    with pytest.raises(UsageError, match="--batch 1: AutoML's own export takes one picture already"):
        run(session, tmp_path, "boxes", batch=1)


def test_versions_count_up_and_are_never_overwritten(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """As with an import."""
    put_files(azure, {})
    assert [run(session, tmp_path).bundle.manifest.version for _ in range(2)] == ["1", "2"]
    with pytest.raises(ConfigError, match="parts:2 is already registered"):
        run(session, tmp_path, version="2")


def test_an_interrupt_leaves_nothing(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """In the middle of a download."""
    put_files(azure, {})

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(session, Wish(job="line", name="parts", registry=tmp_path / "models"), interrupt)
    assert not list((tmp_path / "models").iterdir())


def test_a_job_of_another_kind(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """A sweep or a command is no AutoML job."""
    put_files(azure, {})
    with pytest.raises(AzureError, match="job line_HD is no AutoML image job but sweep"):
        run(session, tmp_path, "line_HD")


def test_other_peoples_graph(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """A detection graph in a classification trial is refused."""
    graph = write_box_graph(tmp_path / "x.onnx", "retinanet").read_bytes()
    put_files(azure, {"train_artifacts/model.onnx": graph})
    with pytest.raises(EdgeError, match="two models"):
        run(session, tmp_path)
