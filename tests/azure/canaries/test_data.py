"""What the SDK does wrong with data assets: a test here fails when it is mended, and what works around it can go."""

import logging
from pathlib import Path

import pytest
from azure.ai.ml.entities import Data

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.azure.data_assets import NO_SCHEMA

BASE = (
    f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/workspaces/{WORKSPACE}"
    "/datastores/workspaceblobstore/paths/canary/table/"
)


@pytest.fixture
def connection(azure: Cloud, tmp_path: Path) -> Connection:
    azure.blobs.write({"canary/table/MLTable": b"paths:\n  - file: ./train.jsonl\n"})
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    return connect(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))))


def table(schema: str) -> Data:
    return Data(name="canary", type="mltable", path=BASE, skip_validation=True, mltable_schema_url=schema)


def test_a_tables_schema_is_fetched_though_validation_is_skipped(azure: Cloud, connection: Connection) -> None:
    """training.azure.data_assets gives no URL for it: by default it is a CDN's, five seconds without internet."""
    connection.client.data.create_or_update(table(f"{azure.url}/MLTable.schema.json"))
    assert azure.wire.count("GET", r"/MLTable\.schema\.json") == 1


def test_a_schema_that_is_not_fetched_is_told_of(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    """training.azure.data_assets keeps it quiet: there is nothing that a person could do."""
    with caplog.at_level(logging.INFO, "azure.ai.ml.operations._data_operations"):
        connection.client.data.create_or_update(table(NO_SCHEMA))
    assert "Failed to download MLTable metadata jsonschema" in caplog.text
