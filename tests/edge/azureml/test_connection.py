"""The SDK's client as it is opened: for which place, how patient, how quiet."""

import logging
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edge.azureml.cloud import AUTHORITIES, Cloud, read_cloud
from edge.azureml.connection import connect
from edge.azureml.identity import Identity
from edge.azureml.place import SharedRegistry, Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud as StandIn

PLACE = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
MACHINE = Identity("managed-identity")


@pytest.mark.parametrize("name", AUTHORITIES)
def test_nothing_is_asked_before_something_is_wanted(azure: StandIn, name: str) -> None:
    """In every cloud that has a name."""
    with closing(connect(PLACE, MACHINE, Cloud(name))) as connection:
        assert connection.client.workspace_name == WORKSPACE
    assert azure.wire.exchanges == ()


def test_a_fault_that_passes_is_not_noticed(azure: StandIn, tmp_path: Path) -> None:
    """The SDK asks again; without retries it does not."""
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    azure.wire.break_("GET .*/datastores/", 503, times=1)
    with closing(connect(PLACE, MACHINE, cloud)) as connection:
        assert connection.client.datastores.get("workspaceblobstore").name == "workspaceblobstore"
    assert azure.wire.count("GET", "/datastores/") == 2
    azure.wire.break_("GET .*/datastores/", 503)
    with closing(connect(PLACE, MACHINE, cloud, retries=0)) as connection, pytest.raises(Exception, match="the test"):
        connection.client.datastores.get("workspaceblobstore")
    assert azure.wire.count("GET", "/datastores/") == 3


@pytest.mark.usefixtures("azure")
def test_the_sdks_loggers_are_hushed_but_for_whoever_set_a_level() -> None:
    """They have handlers of their own, so that a level above does not reach them."""
    wanted = logging.getLogger("azure.ai.ml.of_this_test")
    wanted.setLevel(logging.DEBUG)
    with closing(connect(PLACE, MACHINE, Cloud())):
        pass
    assert wanted.level == logging.DEBUG
    assert logging.getLogger("azure.ai.ml.operations._online_deployment_operations").level == logging.ERROR


def test_places_show_what_a_person_calls_them() -> None:
    """In errors and logs."""
    assert str(PLACE) == f"workspace {WORKSPACE} ({RESOURCE_GROUP}, {SUBSCRIPTION})"
    assert str(SharedRegistry("plants")) == "registry plants"


def test_a_cloud_of_the_process_before_is_no_obstacle(azure: StandIn, tmp_path: Path) -> None:
    """The SDK hands its cloud on in the environment, and a new process would not know it while it imports the SDK."""
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    code = (
        "import sys; from edge.azureml.cloud import read_cloud; from edge.azureml.connection import connect\n"
        "from edge.azureml.identity import Identity; from edge.azureml.place import Workspace\n"
        "connect(Workspace('a', 'b', 'c'), Identity('managed-identity'), read_cloud(sys.argv[1])).close()"
    )
    environment = {**os.environ, "AZUREML_CURRENT_CLOUD": cloud.name}
    words = [sys.executable, "-c", code, str(azure.cloud_file(tmp_path))]
    subprocess.run(words, env=environment, check=True)
