"""Who asks in these tests."""

from pathlib import Path

import pytest

from tests.azure.standin import Cloud
from tests.edge.azureml.held import Asker


@pytest.fixture
def asker(azure: Cloud, tmp_path: Path) -> Asker:
    return Asker(azure, tmp_path)
