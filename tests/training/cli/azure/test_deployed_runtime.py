"""From the registered model to an answer: what deploy asks for starts the real daemon, and that answers invoke."""

import base64
import json
from pathlib import Path

import httpx
from click.testing import CliRunner, Result

from edge.azureml.tags import tags_of
from edge.bundle import open_bundle
from tests.azure.arm import WORKSPACE_PATH
from tests.azure.routes.endpoints import Probabilities, endpoints_of
from tests.azure.standin import Cloud
from tests.daemon import running
from tests.fakes import COLOURS, encoded, make_bundle, picture
from tests.training.cli.azure.deployed import where
from training.cli import main


def run(azure: Cloud, tmp_path: Path, *words: object) -> Result:
    result = CliRunner().invoke(main, ["azure", *map(str, words), *where(azure, tmp_path)])
    assert result.exit_code == 0, result.output
    return result


def test_what_deploy_asks_for_serves_the_registered_bundle(azure: Cloud, tmp_path: Path) -> None:
    """The container's environment is taken from the request itself; endpoint and bundle then say the same."""
    bundle = make_bundle(tmp_path / "made")
    model = {"modelType": "custom_model", "modelUri": "azureml://x", "flavors": {}, "properties": {}}
    asset = {**model, "tags": tags_of(open_bundle(bundle)), "isArchived": False}
    azure.resources.put(f"{WORKSPACE_PATH}/models/colours/versions/1", asset)
    run(azure, tmp_path, "deploy", "colours:1", "--endpoint", "line-one", "--image", "plant.azurecr.io/automl-edge:cpu")
    [body] = azure.wire.bodies("PUT", "/deployments/blue$")
    given = dict(body["properties"]["environmentVariables"])
    mounted = given["EDGE_REGISTRY__PATH"]
    assert mounted == "/var/azureml-app/azureml-models/colours/1"
    root = tmp_path / "container"
    make_bundle(root / mounted.strip("/") / "made")
    given |= {"EDGE_REGISTRY__PATH": f"{root}{mounted}", "EDGE_STORAGE__PATH": str(root / "storage")}
    del given["EDGE_HTTP__PORT"]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, colour in COLOURS.items():
        (pictures / f"{name}.png").write_bytes(encoded(picture(colour)))
    with running(root, **given) as daemon:

        def score(sent: bytes) -> Probabilities | None:
            asked = {"input_data": {"columns": ["image"], "data": [base64.b64encode(sent).decode()]}}
            [row] = httpx.post(f"{daemon.url}/score", json=asked).json()
            return None if "error" in row else dict(zip(row["labels"], row["probs"], strict=True))

        endpoints_of(azure).answer = score
        answers = json.loads(run(azure, tmp_path, "invoke", "line-one", pictures, "--json").stdout)
        assert [one["label"] for one in answers] == sorted(COLOURS)
        beside = ("compare", "line-one", pictures, "--json", "--tolerance", 1e-6)
        for edge in (("--bundle", bundle), ("--edge", daemon.url)):
            assert json.loads(run(azure, tmp_path, *beside, *edge).stdout)["beyond"] == 0
