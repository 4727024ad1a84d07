"""The registry that the configuration names, and who asks there."""

from pathlib import Path

import pytest

from edge.config import Config, load
from edge.daemon.registries import azure_of, followed, guesses, jitter_of, make_registry
from edge.registry.azureml import AzureMlRegistry
from edge.registry.inquiry import Azure
from edge.registry.local import LocalRegistry
from edge.registry.single import SingleBundle
from tests.daemon import running
from tests.edge.daemon.test_run import RED
from tests.fakes import make_bundle

FOLLOWS = {
    "EDGE_MODEL__NAME": "colours",
    "EDGE_REGISTRY__KIND": "azureml",
    "EDGE_AZURE__SUBSCRIPTION_ID": "s",
    "EDGE_AZURE__RESOURCE_GROUP": "g",
    "EDGE_AZURE__WORKSPACE": "w",
}


def config(**environ: str) -> Config:
    return load(None, environ)


def test_the_kind_decides() -> None:
    """A folder of versions, a single bundle, Azure: nothing is read or started yet."""
    assert isinstance(make_registry(config()), LocalRegistry)
    assert isinstance(make_registry(config(EDGE_REGISTRY__KIND="bundle")), SingleBundle)
    assert isinstance(make_registry(config(**FOLLOWS)), AzureMlRegistry)


def test_everything_that_azure_asks_for_is_handed_on() -> None:
    """What is not set is empty, as the asking process expects it."""
    everything = config(
        **FOLLOWS,
        EDGE_AZURE__CREDENTIAL="secret",
        EDGE_AZURE__TENANT_ID="t",
        EDGE_AZURE__CLIENT_ID="c",
        EDGE_AZURE__CLIENT_SECRET="hidden",
        EDGE_AZURE__CERTIFICATE="/device.pem",
        EDGE_AZURE__CLOUD="AzureChinaCloud",
        EDGE_AZURE__TIMEOUT_S="7",
        EDGE_REGISTRY__STAGE="Production",
        EDGE_REGISTRY__TAG="line=7",
        EDGE_STORAGE__PATH="/var/lib/edge",
    )
    assert azure_of(everything) == Azure(
        "s", "g", "w", "", "secret", "t", "c", "hidden", "/device.pem", "AzureChinaCloud", 7.0
    )
    what = followed(everything)
    assert (what.name, what.stage, what.tag, what.cache) == (
        "colours",
        "Production",
        "line=7",
        Path("/var/lib/edge/azureml"),
    )
    shared = config(EDGE_MODEL__NAME="a", EDGE_REGISTRY__KIND="azureml", EDGE_AZURE__SHARED_REGISTRY="r")
    assert azure_of(shared) == Azure(shared_registry="r")
    assert (followed(shared).place, what.place) == ("registry r", "workspace w")


@pytest.mark.parametrize(
    ("environ", "warns", "jitter"),
    [
        ({}, False, 0.0),
        (FOLLOWS, True, 0.2),
        ({**FOLLOWS, "EDGE_AZURE__CREDENTIAL": "managed-identity"}, False, 0.2),
    ],
)
def test_a_device_that_guesses_who_it_is_says_so(environ: dict[str, str], warns: bool, jitter: float) -> None:
    """Only where it asks Azure, and then it does not do so in step with others."""
    assert bool(guesses(config(**environ))) == warns
    assert jitter_of(config(**environ)) == jitter


def test_a_mounted_bundle_serves(tmp_path: Path) -> None:
    """As an endpoint mounts it: at some depth, under folders of other names."""
    make_bundle(tmp_path / "mounted/colours/3/INPUT_model", version="3")
    mounted = str(tmp_path / "mounted")
    with running(tmp_path / "device", EDGE_REGISTRY__KIND="bundle", EDGE_REGISTRY__PATH=mounted) as daemon:
        assert daemon.predict(RED)["model"]["version"] == "3"
