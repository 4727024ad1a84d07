"""AutoML's files are found wherever a download put them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.artifacts.source import read_source
from edge.errors import ConfigError, ModelInvalidError, ModelNotFoundError

MLMODEL = """\
flavors:
  python_function:
    python_version: 3.9.7
metadata:
  azureml.base_image: x
  base_model_name: seresnext
  finetuning_task: 'image-classification'
  is_automl_model: true
"""
SETTINGS = '{"valid_resize_size": 300, "valid_crop_size": 256}'

RUN: Mapping[str, str] = {
    "train_artifacts/model.onnx": "onnx",
    "train_artifacts/labels.json": '["a", "b"]',
    "outputs/mlflow-model/artifacts/settings.json": SETTINGS,
    "outputs/mlflow-model/MLmodel": MLMODEL,
}
BARE: Mapping[str, str] = {"model.onnx": "onnx", "labels.json": '["a", "b"]'}


def lay(root: Path, files: Mapping[str, str], below: str = "") -> Path:
    for name, text in files.items():
        path = root / below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


PLACES: list[tuple[str, str, str]] = [
    ("the run", "", "."),
    ("its train_artifacts", "", "train_artifacts"),
    ("the SDK's download", "artifacts", "."),
    ("the artifacts of a download", "artifacts", "artifacts"),
    ("the train_artifacts of a download", "artifacts", "artifacts/train_artifacts"),
]


@pytest.mark.parametrize(("below", "given"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_settings_and_task_are_found_beside_train_artifacts(tmp_path: Path, below: str, given: str) -> None:
    """Model, labels, settings and task come together from any of the folders a person may name."""
    source = read_source(lay(tmp_path, RUN, below) / given)
    assert (source.labels, source.name) == (("a", "b"), "train_artifacts")
    assert source.settings == json.loads(SETTINGS)
    assert source.mlmodel == {"finetuning_task": "image-classification", "base_model_name": "seresnext"}


def test_bare_train_artifacts_have_no_settings(tmp_path: Path) -> None:
    """Model and labels alone are enough to be read; nothing is made up for the rest."""
    source = read_source(lay(tmp_path, BARE))
    assert (source.settings_file, source.settings, source.mlmodel) == (None, {}, {})


def test_settings_beside_the_model_come_first(tmp_path: Path) -> None:
    """A settings.json that a person put beside the model is the one that counts."""
    lay(tmp_path, RUN)
    (tmp_path / "train_artifacts" / "settings.json").write_text('{"valid_crop_size": 192}')
    assert read_source(tmp_path).settings == {"valid_crop_size": 192}


MISSING: list[tuple[Mapping[str, str], type[Exception], str]] = [
    ({}, ModelNotFoundError, "there is no model.onnx in .*: download train_artifacts of the best trial"),
    ({"labels.json": "[]"}, ModelNotFoundError, r"there is no model\.onnx"),
    ({"model.onnx": ""}, ModelNotFoundError, r"there is no .*labels\.json: AutoML writes it beside model\.onnx"),
    ({**BARE, "labels.json": "{"}, ModelInvalidError, r"labels\.json is no JSON"),
    ({**BARE, "labels.json": '["a", "a"]'}, ModelInvalidError, r"labels\.json names a class twice: a"),
    ({**BARE, "settings.json": "{"}, ModelInvalidError, r"settings\.json is no JSON"),
    ({**BARE, "settings.json": "[]"}, ModelInvalidError, r"settings\.json must be a JSON object"),
]


@pytest.mark.parametrize(("files", "kind", "text"), MISSING, ids=[case[2] for case in MISSING])
def test_what_is_missing_or_broken_is_named(
    tmp_path: Path, files: Mapping[str, str], kind: type[Exception], text: str
) -> None:
    """Each missing or broken file is named with where it comes from."""
    with pytest.raises(kind, match=text):
        read_source(lay(tmp_path, files))


def test_folder_must_be_one(tmp_path: Path) -> None:
    """A file, or nothing, in place of the folder is a wrong argument."""
    lay(tmp_path, BARE)
    with pytest.raises(ConfigError, match=r"model\.onnx is no folder: give the one that holds model\.onnx"):
        read_source(tmp_path / "model.onnx")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_folder_is_named(tmp_path: Path) -> None:
    """A folder without permission is an error that names it."""
    lay(tmp_path / "run", RUN)
    (tmp_path / "run").chmod(0)
    try:
        with pytest.raises(ConfigError, match=r"cannot look into .*run.*: Permission denied"):
            read_source(tmp_path / "run")
    finally:
        (tmp_path / "run").chmod(0o755)
