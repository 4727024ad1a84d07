"""Our runtime as an Azure endpoint's server: the real daemon, started with exactly what `deploy` sets."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.daemon import RunningDaemon, running
from tests.fakes import COLOURS, encoded, known_probs, make_bundle, picture
from tests.mosquitto import until
from training.azure.deployments import MODELS, ROUTES, ModelVersion, Wish, runtime_variables

PROJECT = Path(__file__).parents[2]
WISH = Wish("line-one", "blue", ModelVersion("metal-surface-defects", "1"), "plant.azurecr.io/automl-edge:cpu")


def test_the_file_has_what_deploy_sets() -> None:
    """`docker run --env-file` starts the image as Azure does."""
    lines = (PROJECT / "docker/endpoint/endpoint.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert told == runtime_variables(WISH)


def test_azure_sets_what_the_image_has_otherwise() -> None:
    """Port, routes and folders are the image's own where `deploy` does not set them: it sets every one of them."""
    recipe = (PROJECT / "docker/Dockerfile").read_text()
    own = {word.split("=")[0] for word in recipe.split() if word.startswith("EDGE_") and "=" in word}
    assert own <= set(runtime_variables(WISH))
    assert 'CMD ["run"]' in recipe


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A daemon on a model as Azure mounts it: the registered folder, below its name and version."""
    mounted = tmp_path / "root" / MODELS.strip("/") / "metal-surface-defects/1/bundle"
    make_bundle(mounted, name="metal-surface-defects")
    variables = runtime_variables(WISH)
    # the same paths, but below the test's own folder, and a port of its own
    moved = {
        "EDGE_REGISTRY__PATH": f"{tmp_path / 'root'}{variables['EDGE_REGISTRY__PATH']}",
        "EDGE_STORAGE__PATH": f"{tmp_path / 'root'}{variables['EDGE_STORAGE__PATH']}",
    }
    del variables["EDGE_HTTP__PORT"]
    with running(tmp_path, **{**variables, **moved}) as daemon:
        yield daemon


def test_the_daemon_answers_what_azure_asks(served: RunningDaemon) -> None:
    """Probes without a token, pictures in AutoML's form with the front end's own header, logs as JSON lines."""
    for route in ("liveness_route", "readiness_route"):
        assert httpx.get(f"{served.url}{ROUTES[route]}").status_code == 200
    data = [base64.encodebytes(encoded(picture(COLOURS[name]))).decode() for name in ("red", "dark")]
    answer = httpx.post(
        f"{served.url}{ROUTES['scoring_route']}",
        json={"input_data": {"columns": ["image"], "data": [*data, base64.b64encode(b"no picture").decode()]}},
        headers={"Authorization": "Bearer the-endpoint-s-key", "azureml-model-deployment": "blue"},
    )
    assert answer.status_code == 200
    red, dark, broken = answer.json()
    assert red["labels"] == list(COLOURS)
    assert red["probs"] == pytest.approx(known_probs(COLOURS["red"]), abs=0.02)
    assert dark["probs"] == pytest.approx(known_probs(COLOURS["dark"]), abs=0.02)
    assert broken["error"]["kind"] == "ImageDecodeError"
    assert served.status()["device"] == "line-one-blue"
    assert all(isinstance(record, dict) for record in served.logged())


def test_a_mounted_folder_without_a_bundle_is_told(tmp_path: Path) -> None:
    """The container lives, is never ready, and says why: that is what Azure shows as the deployment's log."""
    mounted = tmp_path / "models/1/bundle"
    make_bundle(mounted)
    shutil.rmtree(mounted)
    mounted.mkdir()
    variables: dict[str, Any] = {**runtime_variables(WISH), "EDGE_REGISTRY__PATH": str(tmp_path / "models/1")}
    del variables["EDGE_HTTP__PORT"]
    variables["EDGE_STORAGE__PATH"] = str(tmp_path / "storage")
    daemon = RunningDaemon(tmp_path, **variables)
    try:
        answer = _until_answered(daemon)
        assert answer.status_code == 503
        assert "bundle" in json.dumps(answer.json())
        assert httpx.get(f"{daemon.url}/livez").status_code == 200
    finally:
        assert daemon.stop() == 0


def _until_answered(daemon: RunningDaemon) -> httpx.Response:
    answers: list[httpx.Response] = []

    def asked() -> bool:
        try:
            answers.append(httpx.get(f"{daemon.url}/readyz"))
        except httpx.TransportError:
            return False
        return "bundle" in answers[-1].text

    until(asked, within_s=20, what="a reason in /readyz")
    return answers[-1]
