"""A deployment that is left or lost while Azure is at it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.routes.endpoints import endpoints_of
from tests.azure.standin import Cloud
from tests.training.cli.azure.deployed import put_endpoint
from training.azure.deploying import Watcher, deploy
from training.azure.deployments import ModelVersion, Wish, remedy
from training.azure.session import Session
from training.errors import AzureUnavailableError

WISH = Wish("line-one", "green", ModelVersion("colours", "1"), "plant.azurecr.io/automl-edge:cpu")


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    """A workspace with a model that nobody of ours registered, and an endpoint."""
    model = {"modelType": "custom_model", "modelUri": "azureml://x", "flavors": {}, "tags": {}, "properties": {}}
    azure.resources.put(f"{WORKSPACE_PATH}/models/colours/versions/1", {**model, "isArchived": False})
    put_endpoint(azure, blue=100)
    endpoints_of(azure).looks = 3
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    made = Session(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))), retries=0)
    with closing(made):
        yield made


def test_an_interrupted_wait_says_that_azure_goes_on(azure: Cloud, session: Session) -> None:
    """The deployment is under way; requests are left as they are."""
    notes: list[str] = []

    def told(_what: str, seconds: float) -> None:
        if seconds:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(session, WISH, "100", None, Watcher(told, notes.append))
    assert any("the deployment goes on in Azure" in note for note in notes)
    assert any("colours:1 was not registered by 'automl-train azure register'" in note for note in notes)
    assert azure.wire.count("PUT", "/onlineEndpoints/line-one$") == 0
    endpoints_of(azure).looks = 0  # so that the SDK's own thread ends with its next look
    with endpoints_of(azure).lock:
        endpoints_of(azure).operations = {n: (0, then) for n, (_, then) in endpoints_of(azure).operations.items()}


def test_somebody_elses_last_word_is_told(azure: Cloud, session: Session) -> None:
    """Of two who share out requests at once one is not heard: that one does not end as if it were."""

    def told(what: str, seconds: float) -> None:
        if what.startswith("setting traffic") and seconds:
            azure.resources.get(f"{WORKSPACE_PATH}/onlineEndpoints/line-one")["properties"]["traffic"] = {"blue": 100}

    with pytest.raises(
        AzureUnavailableError, match=r"in another way \(blue 100 %\): somebody changed that at the same"
    ):
        deploy(session, WISH, "20", None, Watcher(told, lambda _: None))


def test_a_connection_lost_while_waiting_says_so(azure: Cloud, session: Session) -> None:
    """What Azure makes of it meanwhile is not known, and nothing is claimed of it."""
    waited: list[str] = []
    azure.wire.break_(r"GET /operations/", 503)
    with pytest.raises(AzureUnavailableError, match=r"the deployment may go on in Azure: see .*--list line-one"):
        deploy(session, WISH, "100", None, Watcher(lambda what, _: waited.append(what), waited.append))
    assert azure.wire.count("PUT", "/onlineEndpoints/line-one$") == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("(BadRequest) Not enough quota", "more cores"),
        ("(PodOutOfMemory) killed", "more memory"),
        ("(SomethingNew) happened", None),
    ],
)
def test_remedies_go_by_code(said: str, words: str | None) -> None:
    """None where nothing is known, so that Azure's own words stand."""
    found = remedy(said)
    assert (found is None) if words is None else (words in str(found))
