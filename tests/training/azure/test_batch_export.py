"""A graph for a batch, made by a job of our own: what is asked of Azure, what is taken back, and the script itself."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from edge.bundle import FixedSize, images_of
from edge.errors import ModelInvalidError
from edge.session import read_graph
from tests.azure.blobs import ARTIFACTS
from tests.azure.sessions import session_of
from tests.azure.simulation import DETECTION, SEGMENTATION, Trial, automl_job, job_path, runs, write_artifacts
from tests.azure.standin import Cloud
from tests.box_graphs import write_box_graph
from training.azure.batch_export import BatchOrder, plan
from training.azure.batch_export_job.export import (
    Order,
    check_written,
    family_of,
    free_axes,
    output_names,
    parse,
    write_graph,
)
from training.azure.fetch import Fetched, Wish, fetch
from training.azure.origin import Origin
from training.azure.session import Session
from training.azure.trials import Trial as Done
from training.errors import AzureError

FASTER = {"model_name": "fasterrcnn_resnet18_fpn", "box_detections_per_img": 50}


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    with closing(session_of(azure, tmp_path)) as opened:
        yield opened


def make_job(azure: Cloud, name: str, hyperparameters: dict[str, Any] = FASTER, task: str = DETECTION) -> str:
    return automl_job(azure, name, task=task, trials=[Trial(0, hyperparameters, {"mean_average_precision": 0.5})])


def running(azure: Cloud, graph: bytes | None, status: str = "Completed", error: str = "") -> Callable[..., None]:
    """Return what shows steps, and ends the export job when it is first looked at."""

    def shown(step: str, _done: int, _of: int) -> None:
        found = re.match(r"exporting in (\S+) \(NotStarted\)", step)
        if found:
            if graph is not None:
                write_artifacts(azure, found[1], {"outputs/model_4.onnx": graph})
            azure.resources.get(job_path(found[1]))["properties"]["status"] = status
            runs(azure).setdefault(found[1], type(next(iter(runs(azure).values())))()).error = error or None

    return shown


def batch_graph(folder: Path, images: int = 4) -> bytes:
    return write_box_graph(folder / "batch.onnx", "fasterrcnn", images=images, axis=images).read_bytes()


def run(session: Session, tmp_path: Path, job: str, shown: Callable[..., None]) -> Fetched:
    wish = Wish(job=job, name="parts", registry=tmp_path / "models", batch=4)
    return fetch(session, wish, shown, wait_s=0.01)


def test_the_job_is_ours_and_runs_in_the_models_environment(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The whole request: script, checkpoint, arguments, environment, the cluster that the model was trained on."""
    make_job(azure, "faster")
    run(session, tmp_path, "faster", running(azure, batch_graph(tmp_path)))
    (body,) = azure.wire.bodies("PUT", r"/jobs/export_")
    asked = body["properties"]
    assert asked["jobType"] == "Command"
    assert asked["command"] == (
        "python ${{inputs.script}} --checkpoint ${{inputs.checkpoint}} --model_name fasterrcnn_resnet18_fpn "
        "--task_type image-object-detection --batch_size 4 --height_onnx 600 --width_onnx 800 --min_size 600 "
        "--max_size 1333 --box_score_thresh 0.3 --nms_iou_thresh 0.5 --box_detections_per_img 100"
    )
    checkpoint, script = asked["inputs"]["checkpoint"], asked["inputs"]["script"]
    assert checkpoint["jobInputType"] == script["jobInputType"] == "uri_file"
    assert checkpoint["uri"].endswith("workspaceartifactstore/paths/ExperimentRun/dcid.faster_HD_0/outputs/model.pt")
    found = re.search(r"workspaceblobstore/paths/(automl-edge/scripts/[0-9a-f]{64}/export\.py)$", script["uri"])
    assert found is not None
    assert b"def write_graph" in azure.blobs.read(found[1])
    assert asked["computeId"].endswith("gpucluster")
    assert asked["experimentName"] == "plant"
    assert asked["limits"] == {"jobLimitsType": "Command", "timeout": "PT2H"}
    assert asked["tags"] == {"automl_edge": "batch export", "trial": "faster_HD_0", "images": "4"}
    (environment,) = azure.wire.bodies("PUT", r"/environments/")
    assert environment["properties"]["image"].startswith("mcr.microsoft.com/azureml/")
    assert "project_environment" in environment["properties"]["condaFile"]


def test_it_runs_as_whom_the_model_was_trained(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """A managed identity that may read the data may be the only one that may read the checkpoint."""
    make_job(azure, "faster")
    azure.resources.get(job_path("faster"))["properties"]["identity"] = {"identityType": "Managed", "clientId": "me"}
    run(session, tmp_path, "faster", running(azure, batch_graph(tmp_path)))
    (body,) = azure.wire.bodies("PUT", r"/jobs/export_")
    assert body["properties"]["identity"] == {"identityType": "Managed", "clientId": "me"}


def test_the_bundle_says_its_batch(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """Model, labels and settings are the trial's but for the graph."""
    make_job(azure, "faster")
    bundle = run(session, tmp_path, "faster", running(azure, batch_graph(tmp_path))).bundle
    assert bundle.manifest.batch == 4
    assert bundle.manifest.preprocessing == FixedSize(rule="stretch", width=800, height=600)
    assert images_of(read_graph(bundle.model_path)) == 4
    assert bundle.manifest.provenance["batch_export"]["images"] == 4
    assert bundle.labels[0] == "--bg--"


def test_the_same_export_is_made_once(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """A second fetch takes what the first one's job left; one that failed is followed by another."""
    make_job(azure, "faster")
    with pytest.raises(AzureError, match=r"the export job export_\w+_1 is Failed: no memory; its logs: https"):
        run(session, tmp_path, "faster", running(azure, None, "Failed", "no memory"))
    for _ in range(2):
        run(session, tmp_path, "faster", running(azure, batch_graph(tmp_path)))
    names = [exchange.path.rsplit("/", 1)[-1] for exchange in azure.wire.exchanges if exchange.method == "PUT"]
    assert [name.rsplit("_", 1)[1] for name in names if name.startswith("export_")] == ["1", "2"]


def test_a_graph_for_another_number_is_refused(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """The names of its outputs count, whatever the job was asked for."""
    make_job(azure, "faster")
    with pytest.raises(ModelInvalidError, match=r"exported for 2 picture\(s\) a batch, .* not for 4"):
        run(session, tmp_path, "faster", running(azure, batch_graph(tmp_path, 2)))
    assert not list((tmp_path / "models").glob("*/*"))


def test_a_job_that_leaves_nothing(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """It completed, and the file is not there."""
    make_job(azure, "mask", {"model_name": "maskrcnn_resnet50_fpn"}, SEGMENTATION)
    with pytest.raises(AzureError, match=r"completed but left no outputs/model_4\.onnx"):
        run(session, tmp_path, "mask", running(azure, None))


def test_a_trial_without_checkpoint(azure: Cloud, session: Session, tmp_path: Path) -> None:
    """There is nothing to export from, and no job is submitted."""
    make_job(azure, "faster")
    azure.blobs.delete("ExperimentRun/dcid.faster_HD_0/outputs/model.pt", ARTIFACTS)
    with pytest.raises(AzureError, match=r"trial faster_HD_0 has no outputs/model\.pt: it cannot be exported"):
        run(session, tmp_path, "faster", running(azure, None))
    assert azure.wire.count("PUT", r"/jobs/") == 0


def planned(model: str, **settings: Any) -> BatchOrder:
    origin = Origin("job", "completed", "Completed", "image-object-detection")
    return BatchOrder(origin, Done("job_HD_0", "completed"), 2, {"model_name": model, **settings})


def test_sizes_and_settings_of_the_families() -> None:
    """yolov5 takes its own square and settings; the others 800 x 600."""
    yolo = plan(planned("yolov5", img_size=320, model_size="small", min_size=7), conda="c", script="s")
    assert yolo.size == (320, 320)
    assert yolo.settings == {"img_size": 320, "model_size": "small", "box_score_thresh": 0.1, "nms_iou_thresh": 0.5}
    faster = plan(planned("fasterrcnn_resnet18_fpn", nms_iou_thresh=0.4), conda="c", script="s")
    assert (faster.size, faster.settings["nms_iou_thresh"]) == ((800, 600), 0.4)
    assert faster.key != plan(planned("fasterrcnn_resnet18_fpn"), conda="c", script="s").key
    assert faster.key == plan(planned("fasterrcnn_resnet18_fpn", nms_iou_thresh=0.4), conda="c", script="s").key


@pytest.mark.parametrize(("model", "settings"), [("yolov5", {"model_size": "small; rm -rf /"}), ("yolov5 --x", {})])
def test_settings_are_plain_words(model: str, settings: dict[str, str]) -> None:
    """They become words of a command line, so nothing else is let through."""
    with pytest.raises(AzureError, match="no plain word or number"):
        plan(planned(model, **settings), conda="", script="")


ARGUMENTS = "--checkpoint m.pt --task_type image-object-detection --batch_size 2 --height_onnx 60 --width_onnx 80"


def order(model: str, into: Path, more: str = "") -> Order:
    return parse([*ARGUMENTS.split(), "--model_name", model, "--output", str(into), *more.split()])


def test_arguments_of_the_script(tmp_path: Path) -> None:
    """Each family gets the settings that it knows."""
    settings = "--min_size 600 --img_size 640 --nms_iou_thresh 0.5 --model_size small"
    assert order("retinanet_resnet50_fpn", tmp_path, settings).settings == {"min_size": 600, "nms_iou_thresh": 0.5}
    assert order("yolov5", tmp_path, settings).settings == {
        "img_size": 640,
        "nms_iou_thresh": 0.5,
        "model_size": "small",
    }
    assert order("yolov5", tmp_path).target == tmp_path / "model_2.onnx"
    for wrong in (["--batch_size", "1", "--model_name", "yolov5"], ["--model_name", "beit"]):
        with pytest.raises(SystemExit):
            parse([*ARGUMENTS.split(), *wrong])


def test_names_and_axes_of_the_script() -> None:
    """They are the contract's; only the number of things found is free."""
    names = output_names("maskrcnn", 2)
    assert names == [f"{name}_{i}" for i in range(2) for name in ("boxes", "labels", "scores", "masks")]
    assert output_names("retinanet", 2)[:3] == ["boxes_0", "scores_0", "labels_0"]
    assert output_names("yolov5", 2) == ["output"]
    assert free_axes("maskrcnn", names[:1]) == {"boxes_0": {0: "prediction"}}
    assert free_axes("yolov5", ["output"]) == {}
    assert family_of("maskrcnn_resnet101_fpn") == "maskrcnn"


class Detector(torch.nn.Module):
    """Finds, in each picture, a thing for each bright pixel of its first row, as torchvision's networks answer."""

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family

    def forward(self, images: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        return [self.found(image) for image in images]

    def found(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        places = torch.nonzero(image[0, 0] > 0.5)[:, 0]
        scores = image[0, 0][places]
        boxes = torch.stack([places, places, places + 1, places + 1], dim=1).to(torch.float32)
        labels = torch.ones_like(places)
        if self.family == "retinanet":
            return {"boxes": boxes, "scores": scores, "labels": labels}
        return {"boxes": boxes, "labels": labels, "scores": scores}


@pytest.mark.parametrize("model", ["fasterrcnn_resnet18_fpn", "retinanet_resnet50_fpn"])
def test_the_script_writes_a_graph_for_exactly_its_batch(tmp_path: Path, model: str) -> None:
    """A real export by PyTorch: names, fixed sizes, free numbers of things; onnxruntime reads it."""
    asked = order(model, tmp_path / "outputs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of tracing
        write_graph(Detector(asked.family), asked)
    check_written(asked)
    graph = read_graph(asked.target)
    assert [output.name for output in graph.outputs] == output_names(asked.family, 2)
    assert graph.inputs[0].shape == (2, 3, 60, 80)
    assert images_of(graph) == 2
    assert all(output.shape[0] == "prediction" for output in graph.outputs)


def test_a_graph_with_other_outputs_is_found_out(tmp_path: Path) -> None:
    """The script's own check, before the job ends well."""
    asked = order("retinanet_resnet50_fpn", tmp_path)
    write_box_graph(asked.target, "fasterrcnn", images=2)
    assert onnx.load(str(asked.target)).graph.output
    with pytest.raises(ValueError, match="the graph's outputs are"):
        check_written(asked)
