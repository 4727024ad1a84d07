"""A command's way into Azure: what its errors become."""

from contextlib import closing
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError

PLACE = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)


@pytest.mark.parametrize(("status", "passes"), [(403, False), (404, False), (409, False), (429, True), (503, True)])
def test_errors_that_pass_are_told_from_those_that_stay(
    azure: Cloud, tmp_path: Path, status: int, passes: bool
) -> None:
    """Both name what was attempted and where."""
    azure.wire.break_("GET .*/jobs/", status)
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    session = Session(PLACE, Identity("managed-identity"), cloud, retries=0)
    what = "looking at the job x"
    with closing(session), pytest.raises(AzureError, match=f"{what}: ") as raised, session.asking(what):
        session.client.jobs.get("x")
    assert isinstance(raised.value, AzureUnavailableError) == passes
    assert str(raised.value).endswith(f"[{PLACE}]")


def test_nothing_is_opened_before_it_is_used() -> None:
    """A command that only shows its help costs nothing."""
    session = Session(PLACE, Identity(), read_cloud("AzureCloud"))
    session.close()
    assert "connection" not in vars(session)
