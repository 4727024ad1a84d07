"""`automl-train azure …` as it is typed, in a terminal of 80 columns."""

import sys
from pathlib import Path

from click.testing import CliRunner, Result

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.cli import main

COMMAND = ["env", "--default-signal=INT", sys.executable, "-m", "training.cli"]
"""A process of its own that Ctrl-C reaches, also where the tests run in the background of a shell, which ignores it."""


def run(azure: Cloud, folder: Path, *words: object, credential: str = "managed-identity") -> Result:
    """Run a command in the tests' workspace; the cloud file is written to ``folder``."""
    where = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    who = ["--credential", credential, "--cloud", str(azure.cloud_file(folder))]
    return CliRunner().invoke(main, ["azure", *map(str, words), *where, *who], env={"COLUMNS": "80"})
