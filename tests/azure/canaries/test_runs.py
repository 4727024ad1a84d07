"""What the SDK does wrong, or cannot, with runs: a test here fails when it is mended, and what is ours can go."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.ai.ml.exceptions import JobException

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.routes.history import PAGE
from tests.azure.simulation import Trial, automl_job
from tests.azure.standin import Cloud
from training.azure.session import Session
from training.azure.trials import open_job


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    with closing(Session(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))))) as opened:
        yield opened


def test_the_sdk_lists_only_the_first_page_of_children(azure: Cloud, session: Session) -> None:
    """training.azure.tracking asks over MLflow's protocol; as a last resort training.azure.trials wants a long page."""
    automl_job(azure, "line", trials=[Trial(n, {}, {"accuracy": 0.5}) for n in range(PAGE + 10)], artifacts={})
    assert len(list(session.client.jobs.list(parent_job_name="line_HD"))) == PAGE


def test_the_sdk_tells_no_metrics_and_no_times(azure: Cloud, session: Session) -> None:
    """training.azure.tracking asks over MLflow's protocol."""
    automl_job(azure, "line", trials=[Trial(0, {}, {"accuracy": 0.5})], artifacts={})
    (child,) = session.client.jobs.list(parent_job_name="line_HD")
    assert not any("metric" in name or "end" in name.split("_") for name in dir(child))
    assert azure.wire.count("GET", "/mlflow/|/metric/") + azure.wire.count("POST", "/mlflow/|/metric/") == 0


def test_the_sdk_asks_for_the_reason_of_a_failure_where_we_do(
    azure: Cloud, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address is written down nowhere: where the SDK asks elsewhere, training.azure.tracking must too."""
    automl_job(azure, "line", trials=[], status="Failed", error="no quota", artifacts={})
    with pytest.raises(JobException, match="no quota"):
        session.client.jobs.stream("line")
    capsys.readouterr()
    of_the_sdk = [e.path for e in azure.wire.exchanges if e.path.startswith("/history/")]
    with open_job(session, "line") as job:
        assert job.failure("line") == "no quota"
    assert {e.path for e in azure.wire.exchanges if e.path.startswith("/history/")} == set(of_the_sdk)
