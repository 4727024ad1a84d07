"""The Azure for use by hand."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.azure.blobs import REPOSITORY, azurite_command


def test_it_leaves_nothing_behind() -> None:
    """Ended as a service is ended, it takes its Azurite along; what it printed is what a shell needs."""
    if azurite_command() is None:
        pytest.skip("Azurite is not installed: make setup")
    command = [sys.executable, "-m", "tests.azure"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout is not None
        printed = [shlex.split(process.stdout.readline()) for _ in range(8)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    told = dict(words[1].split("=", 1) for words in printed)
    assert told["AUTOML_AZURE_CREDENTIAL"] == "managed-identity"
    address = urlsplit(told["IDENTITY_ENDPOINT"])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", address.port or 0)):
        pass
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # whoever is left of its group
