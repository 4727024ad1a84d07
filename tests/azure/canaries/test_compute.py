"""What the SDK does wrong with clusters: a test here fails when it is mended, and what works around it can go."""

from contextlib import closing
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import connect
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.routes.computes import cluster, make_compute
from tests.azure.standin import Cloud


def test_a_cluster_without_a_subnet_cannot_be_put_back(azure: Cloud, tmp_path: Path) -> None:
    """training.azure.compute takes the empty network settings away, which reading a cluster makes."""
    make_compute(azure, "gpu", **cluster(), enableNodePublicIp=True)
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    with closing(connect(place, Identity("managed-identity"), cloud)) as connection:
        found = connection.client.compute.get("gpu")
        with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'lower'"):
            connection.client.compute.begin_create_or_update(found)
