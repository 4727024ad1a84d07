"""What the process that asks Azure costs: time and memory of a look, and of a 200 MB model's download.

The control plane is the tests' stand-in, blobs come from the real Azurite, on this machine: a line to Azure is slower.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.report import Figure, Report
from edge.azureml.tags import MANIFEST_SHA256
from edge.bundle import MANIFEST, Manifest, Preprocessing, TensorInput, file_entries, sha256_of, write_manifest
from edge.registry.inquiry import Azure, Inquiry, parse_message

if TYPE_CHECKING:
    from tests.azure.standin import Cloud

MODEL_BYTES = 200_000_000
ROUNDS = 3
NAME = "large"
SDK = """
import sys
from edge.azureml.cloud import read_cloud
from edge.azureml.connection import connect
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from edge.registry.inquiry import parse_inquiry
asked = parse_inquiry(sys.stdin.buffer.readline())
place = Workspace(asked.azure.subscription_id, asked.azure.resource_group, asked.azure.workspace)
connection = connect(place, Identity("managed-identity"), read_cloud(asked.azure.cloud))
connection.client.models.download(asked.name, asked.version, asked.into)
print('{"fetched": true}')
"""
"""The same by the SDK's own download, which checks nothing."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds from its start to its end, and the most memory it held (RSS, MB)."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Site:
    """An Azure that holds the model: who is asked, in what environment, and the bundle's digest."""

    azure: Azure
    environment: dict[str, str]
    digest: str


def run(_registry: Path) -> Report:
    """Survey and download in turns with the SDK's own download."""
    surveys, ours, sdks = [], [], []
    with tempfile.TemporaryDirectory() as name, _azure(Path(name)) as site:
        folder = Path(name)
        for number in range(ROUNDS):
            surveys.append(_cost(site, Inquiry("survey", site.azure, NAME, str(folder / "cache"))))
            ours.append(_cost(site, _fetch(site, folder / f"ours-{number}")))
            sdks.append(_cost(site, _fetch(site, folder / f"sdk-{number}"), command=("-c", SDK)))
    return _report(surveys, ours, sdks)


def _fetch(site: Site, into: Path) -> Inquiry:
    into.mkdir()
    return Inquiry("fetch", site.azure, NAME, str(into / "cache"), version="1", digest=site.digest, into=str(into))


def _report(surveys: Sequence[Cost], ours: Sequence[Cost], sdks: Sequence[Cost]) -> Report:
    figures = [
        Figure("peak memory, 200 MB downloaded", max(cost.peak_mb for cost in ours), "MB", 150),
        Figure("peak memory, the SDK's own download", max(cost.peak_mb for cost in sdks), "MB"),
        Figure("time of a download / the SDK's own", _seconds(ours) / _seconds(sdks)),
        Figure("peak memory, a look at the versions", max(cost.peak_mb for cost in surveys), "MB", 150),
        Figure("a look, from process start to end", _seconds(surveys), "s"),
    ]
    rounds = {"survey": surveys, "download": ours, "sdk": sdks}
    details = {
        name: [{"s": round(cost.seconds, 2), "peak_mb": round(cost.peak_mb, 1)} for cost in costs]
        for name, costs in rounds.items()
    }
    return Report("azure", figures, details)


def _seconds(costs: Sequence[Cost]) -> float:
    return median(cost.seconds for cost in costs)


def _cost(site: Site, inquiry: Inquiry, *, command: Sequence[str] = ("-m", "edge.azureml")) -> Cost:
    """Run a process that answers the inquiry, and watch its memory. Exits where it does not answer."""
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL  # the SDK advises to download by other means
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *command], stdin=pipe, stdout=pipe, stderr=quiet, env={**os.environ, **site.environment}
    ) as process:
        peaks: list[int] = []
        watch = threading.Thread(target=_watch, args=(process, peaks))
        watch.start()
        answer, _ = process.communicate(inquiry.line())
        watch.join()
    seconds = time.perf_counter() - began
    said = answer.splitlines()[-1] if answer else b"nothing"
    if process.returncode or b"failure" in said or not parse_message(said):
        sys.exit(f"no answer to {inquiry.do}: {said.decode()}")
    return Cost(seconds, max(peaks) * 1024 / 1e6)


def _watch(process: "subprocess.Popen[bytes]", peaks: list[int]) -> None:
    """Note the most memory (KiB) that the kernel says a process has held, until it ends."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            peaks += [int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        except OSError:
            return
        time.sleep(0.01)


@contextmanager
def _azure(folder: Path) -> Iterator[Site]:
    # imported late: only this benchmark needs the tests' Azure
    from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE  # noqa: PLC0415 - see above
    from tests.azure.blobs import azurite, azurite_command  # noqa: PLC0415 - see above
    from tests.azure.certificates import issue  # noqa: PLC0415 - see above
    from tests.azure.routes.identity import MSI_HEADER  # noqa: PLC0415 - see above
    from tests.azure.standin import serving  # noqa: PLC0415 - see above

    command = azurite_command()
    if command is None:
        sys.exit("Azurite is not installed (make setup)")
    files = issue(folder)
    tls = {"certificate": files.certificate, "key": files.key, "ca": files.ca}
    with azurite(command, **tls) as blobs, serving(blobs, **tls) as cloud:
        bundle = _bundle(folder / "bundle")
        _register(cloud, bundle)
        yield Site(
            Azure(
                SUBSCRIPTION,
                RESOURCE_GROUP,
                WORKSPACE,
                credential="managed-identity",
                cloud=str(cloud.cloud_file(folder)),
            ),
            {
                "REQUESTS_CA_BUNDLE": str(files.ca),
                "IDENTITY_ENDPOINT": f"{cloud.url}/msi/token",
                "IDENTITY_HEADER": MSI_HEADER,
            },
            sha256_of(bundle / MANIFEST),
        )


def _bundle(folder: Path) -> Path:
    """Write a bundle whose graph is noise: nobody loads it."""
    folder.mkdir()
    (folder / "labels.json").write_text('["a", "b"]', encoding="utf-8")
    (folder / "model.onnx").write_bytes(os.urandom(MODEL_BYTES))
    manifest = Manifest(
        name=NAME,
        version="1",
        task="image-classification",
        family="classification",
        created_at=datetime.now(UTC),
        input=TensorInput(name="input1", shape=("batch", 3, 224, 224)),
        preprocessing=Preprocessing(),
        files=file_entries(folder, ["model.onnx", "labels.json"]),
    )
    write_manifest(folder, manifest)
    return folder


def _register(cloud: "Cloud", bundle: Path) -> None:
    from tests.azure.arm import WORKSPACE_PATH  # noqa: PLC0415 - see _azure
    from tests.azure.routes.models import registered  # noqa: PLC0415 - see _azure

    with cloud.blobs.container() as container:
        for path in bundle.iterdir():
            with path.open("rb") as file:
                container.upload_blob(f"{NAME}/1/{path.name}", file)
    at = f"{WORKSPACE_PATH}/models/{NAME}/versions/1"
    uri = "azureml://datastores/workspaceblobstore/paths/large/1"
    properties = {"modelType": "custom_model", "modelUri": uri, "tags": {MANIFEST_SHA256: sha256_of(bundle / MANIFEST)}}
    cloud.resources.put(at, registered(at, properties))
