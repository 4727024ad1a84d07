"""Bundles in a registry that workspaces share: found by discovery, listed, and downloaded by its references."""

from pathlib import Path

import pytest

from edge.bundle import open_bundle
from tests.azure.routes.registries import PLANE, REFERENCES, REGISTRY, blob_url, put_model, registry_path
from tests.azure.standin import Cloud
from tests.edge.azureml.held import Asker, files_of, put_in_registry, write


@pytest.mark.parametrize("reference", ["SAS", "NoCredentials"])
def test_a_bundle_is_found_and_fetched(azure: Cloud, asker: Asker, tmp_path: Path, reference: str) -> None:
    """By a signed URL, or, where the registry signs none, by who asks."""
    azure.notes[REFERENCES] = reference
    put_in_registry(azure, tmp_path, "1")
    folder = put_in_registry(azure, tmp_path, "2", hour=1)
    survey = asker.survey(shared=True)
    assert [c.version for c in survey.candidates] == ["2", "1"]
    assert survey.candidates[0].digest == open_bundle(folder).digest
    into = asker.fetch("2", survey.candidates[0].digest, shared=True)
    assert files_of(into) == files_of(folder)
    (asked,) = azure.wire.bodies("POST", "/datarefs/")
    assert asked["assetId"] == f"azureml://registries/{REGISTRY}/models/colours/versions/2"


def test_a_tag_is_followed_and_a_stage_is_not_there(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Registries keep no stages."""
    put_in_registry(azure, tmp_path)
    assert [c.version for c in asker.survey(shared=True, tag="task=image-classification").candidates] == ["1"]
    reason = asker.survey(shared=True, stage="Production").refused["colours"]
    assert "a registry keeps no stages" in reason


def test_an_mlflow_model_in_a_registry_cannot_be_traced(azure: Cloud, asker: Asker) -> None:
    """It was shared without the job that made it."""
    write(azure, "shared/colours/1", {"MLmodel": b"training_run_id: calm_sky_HD_3\n"})
    properties = {"modelType": "mlflow_model", "modelUri": blob_url(azure, "shared/colours/1")}
    put_model(azure, f"{registry_path()}/models/colours/versions/1", properties)
    reason = asker.survey(shared=True).refused["colours/1"]
    assert "it holds no model.onnx with labels.json, and a registry knows no jobs" in reason


@pytest.mark.parametrize(
    ("where", "status", "kind"),
    [
        ("GET /registrymanagement/", 404, "absent"),
        ("GET /registrymanagement/", 503, "server"),
        (f"GET {PLANE}/.*/models/colours/versions", 403, "denied"),
        (f"GET {PLANE}/.*/models/colours/versions", 429, "throttled"),
    ],
)
def test_a_registry_that_refuses_says_why(azure: Cloud, asker: Asker, where: str, status: int, kind: str) -> None:
    """From its discovery on."""
    azure.wire.break_(where, status)
    failure = asker.failure(shared=True)
    assert (failure.error, failure.kind) == ("RegistryError", kind)
    assert "registry factory" in failure.reason


@pytest.mark.parametrize(("status", "kind"), [(403, "denied"), (500, "server")])
def test_a_reference_that_is_refused_says_why(
    azure: Cloud, asker: Asker, tmp_path: Path, status: int, kind: str
) -> None:
    """The right to list is not the right to read."""
    folder = put_in_registry(azure, tmp_path)
    azure.wire.break_("POST .*/datarefs/", status)
    failure = asker.fetch_failure("1", open_bundle(folder).digest, shared=True)
    assert (failure.error, failure.kind) == ("RegistryError", kind)
