"""The whole line against real Azure: `make test-azure-live`. It trains for real, which takes an hour and costs money.

The environment names a workspace (AZUREML_ARM_SUBSCRIPTION, AZUREML_ARM_RESOURCEGROUP, AZUREML_ARM_WORKSPACE_NAME), a
GPU cluster (AUTOML_LIVE_COMPUTE), made where it is missing, and how to sign in (AUTOML_AZURE_CREDENTIAL).
"""

import os
import secrets
from pathlib import Path

import pytest

from tests.azure.line import Line, asked_without_pause, device_config
from tests.daemon import running
from tests.fakes import COLOURS, encoded, picture
from tests.mosquitto import until

NAMES = {
    "subscription_id": "AZUREML_ARM_SUBSCRIPTION",
    "resource_group": "AZUREML_ARM_RESOURCEGROUP",
    "workspace": "AZUREML_ARM_WORKSPACE_NAME",
}
COMPUTE = "AUTOML_LIVE_COMPUTE"
missing = [name for name in (*NAMES.values(), COMPUTE) if not os.environ.get(name)]
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=f"no workspace of real Azure is named: {', '.join(missing)}"),
    pytest.mark.timeout(3 * 3600),
]


def test_from_a_folder_of_pictures_to_a_device_that_follows(tmp_path: Path) -> None:
    """As against the stand-in; the name of data and model is new each time, and what is made is left there."""
    name = f"automl-edge-live-{secrets.token_hex(4)}"
    line = Line(tmp_path, [], name, os.environ[COMPUTE])
    line.train(f"{name}-job", finish=lambda _: None)
    known = line.known()
    line.release(f"{name}-job", "1", known=known)
    azure = {key: os.environ[variable] for key, variable in NAMES.items()}
    azure["credential"] = os.environ.get("AUTOML_AZURE_CREDENTIAL", "default")
    config = device_config(tmp_path, name, azure)
    with running(tmp_path / "device", config=config, EDGE_REGISTRY__POLL_S="20") as daemon:
        assert daemon.predict(encoded(picture(COLOURS["red"])))["model"]["version"] == "1"
        with asked_without_pause(daemon) as answers:
            line.release(f"{name}-job", "2", known=known)
            until(lambda: answers and answers[-1][1] == "2", within_s=300, what="the second version")
        assert {status for status, _ in answers} == {200}
