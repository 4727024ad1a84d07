"""Which Azure is meant: by name, or by a file."""

import json
from pathlib import Path

import pytest

from edge.azureml.cloud import ENDPOINTS, PUBLIC, Cloud, read_cloud
from edge.errors import ConfigError

WHOLE = {key: f"https://{key}.example" for key in ENDPOINTS}


def test_known_clouds_have_their_own_addresses() -> None:
    """Nothing else must be said of them."""
    assert read_cloud(PUBLIC) == Cloud()
    china = read_cloud("AzureChinaCloud")
    assert china.authority == "https://login.chinacloudapi.cn"
    assert china.management_scope == "https://management.chinacloudapi.cn/.default"
    assert china.storage_endpoint == ""


def test_a_file_describes_a_cloud(tmp_path: Path) -> None:
    """Its name changes with its content, since the SDK keeps the first cloud of a name."""
    file = tmp_path / "cloud.json"
    file.write_text(json.dumps({**WHOLE, "more": 1}))
    cloud = read_cloud(str(file))
    assert cloud.endpoints == WHOLE
    assert cloud.authority == "https://active_directory.example"
    assert cloud.management_scope == "https://resource_manager.example/.default"
    file.write_text(json.dumps({**WHOLE, "azure_portal": "https://another.example"}))
    assert read_cloud(str(file)).name != cloud.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({**WHOLE, "resource_manager": 1}), "resource_manager missing"),
    ],
)
def test_files_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """The file and what is wrong are named."""
    file = tmp_path / "cloud.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_cloud(str(file))


def test_an_unknown_name_lists_those_that_are_known() -> None:
    """A name with a slip in it is not taken for a file."""
    with pytest.raises(ConfigError, match="must be AzureCloud, AzureChinaCloud, AzureUSGovernment, or a JSON file"):
        read_cloud("AzureCluod")


def test_a_text_that_no_file_can_be_called_is_refused() -> None:
    """In words, and not all of it."""
    with pytest.raises(ConfigError, match="cannot be read") as refused:
        read_cloud("x" * 10_000)
    assert len(str(refused.value)) < 300
