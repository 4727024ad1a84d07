"""Which versions a look into a workspace offers, which it refuses, and why; the real SDK over the real wire."""

from datetime import timedelta
from pathlib import Path

from edge.bundle import open_bundle
from tests.azure.standin import Cloud
from tests.edge.azureml.held import FIRST, NAME, Asker, put_bundle


def test_versions_come_newest_first_with_one_request(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The order is that of their making; digests are the tags', so that no blob is looked at."""
    folders = {version: put_bundle(azure, tmp_path, version, hour=hour) for version, hour in (("1", 5), ("2", 0))}
    survey = asker.survey()
    assert [(c.name, c.version, c.created_at) for c in survey.candidates] == [
        (NAME, "1", FIRST + timedelta(hours=5)),
        (NAME, "2", FIRST),
    ]
    assert [c.digest for c in survey.candidates] == [open_bundle(folders[v]).digest for v in ("1", "2")]
    assert survey.refused == {}
    assert [e.path.rsplit("/", 2)[1:] for e in azure.wire.exchanges if "/models/" in e.path] == [[NAME, "versions"]]
    assert azure.wire.count("POST", "/listSecrets") == 0
