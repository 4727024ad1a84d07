"""What AutoML leaves behind a trial: its model, labels, settings, figures, and checkpoints that nobody wants."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.fakes import CROP, LABELS, RESIZE, GraphOptions, write_graph

CHECKPOINT_BYTES = 1 << 20
BACKGROUND = "--bg--"
UNNAMED = b"training_run_id: run\n"


def trial_artifacts(
    task: str, hyperparameters: Mapping[str, Any], *, labels: Sequence[str] = LABELS, graph: bytes | None = None
) -> dict[str, bytes]:
    """Return a trial's files by path below its run; ``task`` as AutoML's settings name it (``image-classification``).

    The classifier is that of :mod:`tests.fakes`; a detector finds the same one thing in every picture.
    """
    model = str(hyperparameters.get("model_name", "resnet18"))
    classifies = task.startswith("image-classification")
    with_background = not classifies and ("fasterrcnn" in model or "maskrcnn" in model)
    names = [BACKGROUND, *labels] if with_background else list(labels)
    onnx = graph or (classifier_graph() if classifies else detector_graph(masks="segmentation" in task))
    checkpoint = b"checkpoint" * (CHECKPOINT_BYTES // 10)
    files: dict[str, bytes] = {
        "train_artifacts/model.onnx": onnx,
        "train_artifacts/labels.json": json.dumps(names).encode(),
        "train_artifacts/model.pt": checkpoint,
        **{f"train_artifacts/{epoch}_model.pt": checkpoint for epoch in range(3)},
        "outputs/model.pt": checkpoint,
        "outputs/conda_env_v_1_0_0.yml": b"name: project_environment\ndependencies:\n- python=3.9.7\n",
        "outputs/scoring_file_v_1_0_0.py": b"model_settings = {}\n",
        "outputs/mlflow-model/MLmodel": _mlmodel(task, model).encode(),
        "outputs/mlflow-model/conda.yaml": b"name: mlflow-env\ndependencies:\n- python=3.9.7\n",
        "outputs/mlflow-model/requirements.txt": b"mlflow\nazureml-automl-dnn-vision\n",
        "outputs/mlflow-model/artifacts/settings.json": json.dumps(_settings(task, model)).encode(),
    }
    return {**files, **(_figures(names) if classifies else {})}


def classifier_graph(options: GraphOptions = GraphOptions()) -> bytes:
    """Return the fake classifier as an ONNX file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_graph(path, options)
        return path.read_bytes()


def detector_graph(*, masks: bool = False) -> bytes:
    """Return a detector that finds label 1 at (80, 60)-(400, 300) of every 800 x 600 picture, score 0.9."""
    found: dict[str, Any] = {
        "boxes": np.array([[80, 60, 400, 300]], np.float32),
        "labels": np.array([1], np.int64),
        "scores": np.array([0.9], np.float32),
    }
    if masks:
        found["masks"] = np.ones((1, 1, 600, 800), np.float32)
    kinds = {name: TensorProto.INT64 if name == "labels" else TensorProto.FLOAT for name in found}
    outputs = [
        helper.make_tensor_value_info(name, kinds[name], ["prediction", *value.shape[1:]])
        for name, value in found.items()
    ]
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)) for name, value in found.items()
    ]
    asked = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 600, 800])
    graph = helper.make_graph(nodes, "detector", [asked], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    return bytes(model.SerializeToString())


def _settings(task: str, model: str) -> Mapping[str, Any]:
    if task.startswith("image-classification"):
        return {"valid_resize_size": RESIZE, "valid_crop_size": CROP, "train_crop_size": CROP}
    if model == "yolov5":
        return {"img_size": 640, "model_size": "medium", "box_score_thresh": 0.1, "nms_iou_thresh": 0.5}
    boxes = {"min_size": 600, "max_size": 1333, "box_score_thresh": 0.3, "nms_iou_thresh": 0.5}
    masks = {"mask_pixel_score_threshold": 0.5, "max_number_of_polygon_points": 100, "export_as_image": False}
    rest = {**masks, "image_type": "JPG"} if "segmentation" in task else {}
    return {**boxes, "box_detections_per_img": 100, **rest}


def named_after(run: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return a trial's files with the run that made them in MLmodel, as AutoML writes it there."""
    path = "outputs/mlflow-model/MLmodel"
    told = {path: files[path].replace(UNNAMED, f"training_run_id: {run}\n".encode())} if path in files else {}
    return {**files, **told}


def _mlmodel(task: str, model: str) -> str:
    return (
        "artifact_path: outputs/mlflow-model\n"
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    python_version: 3.9.7\n"
        f"metadata:\n  base_model_name: {model}\n  finetuning_task: {task}\n  is_automl_model: true\n"
        f"  {UNNAMED.decode()}"
    )


def _figures(labels: Sequence[str]) -> dict[str, bytes]:
    """Return the run-level figures in the shapes that Azure's run history gives them."""
    count = len(labels)
    matrix = [[10 if row == column else 0 for column in range(count)] for row in range(count)]
    if count > 1:
        matrix[0][1], matrix[0][0] = 1, 9
    confusion = {"class_labels": list(labels), "matrix": matrix}
    total = sum(map(sum, matrix))
    table = [[[10, 2, total - 12, 0], [9, 0, total - 10, 1]] for _ in labels]
    accuracy = {
        "probability_tables": table,
        "percentile_tables": table,
        "probability_thresholds": [0.0, 0.5],
        "percentile_thresholds": [0.0, 0.5],
        "class_labels": list(labels),
    }
    told = (("confusion_matrix", "1.0.0", confusion), ("accuracy_table", "1.0.1", accuracy))
    return {
        kind: json.dumps({"schema_type": kind, "schema_version": version, "data": data}).encode()
        for kind, version, data in told
    }
