"""``python -m tests.azure``: an Azure of one's own on this machine, to walk the line by hand.

It ends with Ctrl-C or SIGTERM.

What it prints is for ``eval`` in another shell. Jobs that are submitted run for some seconds, trial by trial, and leave
the same model behind, whatever they were asked to train: classifiers the shipped one, which knows the pictures of
``automl-train data draw``.
"""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.artifacts import trial_artifacts
from tests.azure.blobs import azurite, azurite_command
from tests.azure.certificates import issue
from tests.azure.routes.identity import MSI_HEADER
from tests.azure.simulation import CLASSIFICATION, RunningJob, Trial
from tests.azure.standin import Cloud, serving

STEP_S = 1.5
SHIPPED = Path(__file__).parents[2] / "models/metal-surface-defects/1"
TRIALS = (
    Trial(0, {"model_name": "mobilenetv2", "learning_rate": 0.01}, {"accuracy": [0.61, 0.74, 0.81]}),
    Trial(1, {"model_name": "resnet18", "learning_rate": 0.02}, {"accuracy": [0.66, 0.89, 0.97]}),
    Trial(2, {"model_name": "resnet18", "learning_rate": 0.005}, {"accuracy": [0.58, 0.79, 0.92]}),
)


def environment(azure: Cloud, folder: Path) -> dict[str, str]:
    """Return what a shell needs to take this for Azure."""
    return {
        "REQUESTS_CA_BUNDLE": str(azure.ca),
        "IDENTITY_ENDPOINT": f"{azure.url}/msi/token",
        "IDENTITY_HEADER": MSI_HEADER,
        "AZUREML_ARM_SUBSCRIPTION": SUBSCRIPTION,
        "AZUREML_ARM_RESOURCEGROUP": RESOURCE_GROUP,
        "AZUREML_ARM_WORKSPACE_NAME": WORKSPACE,
        "AUTOML_AZURE_CREDENTIAL": "managed-identity",
        "AUTOML_AZURE_CLOUD": str(azure.cloud_file(folder)),
    }


def left_behind(task: str) -> Mapping[str, bytes] | None:
    """Return the files of a job's best trial; None for those of the tests."""
    if task != CLASSIFICATION:
        return None
    labels, graph = json.loads((SHIPPED / "labels.json").read_bytes()), (SHIPPED / "model.onnx").read_bytes()
    files = trial_artifacts("image-classification", {}, labels=labels, graph=graph)
    return {**files, "outputs/mlflow-model/artifacts/settings.json": (SHIPPED / "settings.json").read_bytes()}


def run_jobs(azure: Cloud) -> None:
    """Let submitted AutoML jobs go on, a step at a time, for ever."""
    running: dict[str, RunningJob] = {}
    while True:
        for body in azure.resources.below(f"{WORKSPACE_PATH}/jobs"):
            properties, name = body["properties"], body["name"]
            if properties.get("jobType") == "AutoML" and properties.get("status") == "NotStarted":
                task = properties["taskDetails"]["taskType"]
                running[name] = RunningJob(azure, name, task, TRIALS, artifacts=left_behind(task))
        running = {name: job for name, job in running.items() if job.advance()}
        time.sleep(STEP_S)


def main() -> None:
    """Serve until interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # Azurite is to end too
    command = azurite_command()
    if command is None:
        sys.exit("Azurite is not installed: make setup")
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = issue(folder)
        tls = {"certificate": files.certificate, "key": files.key, "ca": files.ca}
        with azurite(command, **tls) as blobs, serving(blobs, **tls) as azure:
            for key, value in environment(azure, folder).items():
                print(f"export {key}='{value}'", flush=True)  # noqa: T201 - what the command is for
            run_jobs(azure)


if __name__ == "__main__":
    main()
