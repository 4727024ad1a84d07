"""What azure-identity and azure-core do wrong: a test here fails when it is mended, and what works around it can go."""

import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from azure.ai.ml import MLClient
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import connect
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud

SCOPE = "https://management.example/.default"


@contextmanager
def dripping(every_s: float) -> Iterator[int]:
    """The port of a server that answers byte by byte and is never done."""
    done = Event()

    def serve(server: socket.socket) -> None:
        with server:
            client, _ = server.accept()
            with client:
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
                while not done.wait(every_s):
                    client.sendall(b" ")

    listening = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=serve, args=(listening,))
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        done.set()
        thread.join()


def test_no_time_out_of_a_credential_bounds_an_answer_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """BoundedCredential asks in a thread, since `read_timeout` is for each byte."""
    with ThreadPoolExecutor(1) as asking, dripping(0.1) as port:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        credential = ManagedIdentityCredential(retry_total=0, connection_timeout=0.3, read_timeout=0.3)
        answer = asking.submit(credential.get_token, SCOPE)
        time.sleep(1.0)
        still_waiting = not answer.done()
    assert still_waiting
    assert answer.exception() is not None


def test_the_chain_writes_a_page_at_level_warning(azure: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """make_credential silences the logger `azure.identity`."""
    azure.wire.break_("/msi/token", 400)
    logger = logging.getLogger("azure.identity")
    before, logger.level = logger.level, logging.NOTSET
    try:
        with caplog.at_level(logging.WARNING), pytest.raises(ClientAuthenticationError):
            DefaultAzureCredential(authority=azure.url, process_timeout=1).get_token(SCOPE)
    finally:
        logger.setLevel(before)
    written = [r for r in caplog.records if r.name.startswith("azure.identity") and r.levelno == logging.WARNING]
    assert max(len(record.getMessage().splitlines()) for record in written) > 5


class Sleepless(RequestsTransport):  # type: ignore[misc] # published by __getattr__
    """Notes for how long the SDK would sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, duration: float) -> None:
        self.slept.append(duration)


def test_the_sdk_sleeps_for_as_long_as_it_is_told(azure: Cloud, tmp_path: Path) -> None:
    """edge.azureml.waiting.Transport gives such waits back to whoever asked."""
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    where = (SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    azure.wire.break_("GET .*/models/", 429, headers={"Retry-After": "3600"})
    with closing(connect(place, Identity("managed-identity"), cloud)) as ours, Sleepless() as transport:
        client = MLClient(ours.credential, *where, cloud=cloud.name, transport=transport, enable_telemetry=False)
        with pytest.raises(Exception, match="asked for by the test"):
            client.models.get("surface", "1")
    assert transport.slept == [3600.0, 3600.0, 3600.0]
