"""The short-lived process: an inquiry in, signs of life and one answer out."""

import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.faults import without_secrets
from edge.azureml.identity import KINDS, Identity
from edge.azureml.place import Place, SharedRegistry, Workspace
from edge.azureml.survey import fetch, survey
from edge.azureml.trouble import asking, failure_of
from edge.errors import ConfigError, EdgeError
from edge.limits import be_modest, die_with
from edge.registry.inquiry import Azure, Failure, Inquiry, Message, Progress, message_line, parse_inquiry

NICENESS = 10
MISSING = "the packages for Azure are not installed: pip install 'automl-edge[azure]'"
SIGN_OF_LIFE_S = 0.5
"""Progress is told this often while bytes come."""


class Teller:
    """Writes messages; of progress only as much as is needed to tell life from a hang."""

    def __init__(self, output: BinaryIO, *, every_s: float = SIGN_OF_LIFE_S) -> None:
        self._output = output
        self._every_s = every_s
        self._told_at = -every_s

    def progress(self, progress: Progress) -> None:
        """Tell how far it is, if the last word was long enough ago."""
        now = time.monotonic()
        if now - self._told_at >= self._every_s:
            self._told_at = now
            self.tell(progress)

    def tell(self, message: Message) -> None:
        """Write a message."""
        self._output.write(without_secrets(message_line(message).decode()).encode())
        self._output.flush()


def main() -> None:
    """Answer the inquiry on standard input; what libraries print goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as output:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        die_with(os.getppid())
        be_modest(NICENESS)
        _be_quiet()
        teller = Teller(output)
        try:
            inquiry = parse_inquiry(sys.stdin.buffer.readline())
        except ValueError as error:
            sys.exit(f"the daemon starts this program, with an inquiry on standard input: {error}")
        teller.progress(Progress())
        teller.tell(answer(inquiry, teller.progress))
    os._exit(0)  # it is said: what the SDK's threads still do is of no interest


def _be_quiet() -> None:
    """Keep what the SDK says of itself out of the daemon's log: what matters of it is in the answer."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def answer(inquiry: Inquiry, tell: Callable[[Progress], None]) -> Message:
    """Return the answer to an inquiry; whatever goes wrong is an answer too."""
    try:
        with closing(_connect(inquiry.azure)) as connection:
            tell(Progress())
            if inquiry.do == "survey":
                return survey(connection, inquiry, tell)
            fetch(connection, inquiry, tell)
    except EdgeError as error:
        return failure_of(error)
    except ImportError as error:
        if not str(error.name).startswith("azure"):
            raise
        return Failure("RegistryError", "configuration", MISSING)
    except Exception as error:  # noqa: BLE001 - nobody else is there to tell the daemon; the whole story goes to stderr
        sys.stderr.write(without_secrets(traceback.format_exc()))
        return Failure("RegistryError", "unexpected", f"asking Azure failed in an unexpected way: {error!r}")
    return "fetched"


def _connect(azure: Azure) -> Connection:
    """Connect as the configuration says; for a shared registry that asks where it is."""
    place = _place(azure)
    kind = next((kind for kind in KINDS if kind == azure.credential), None)
    if kind is None:
        raise ConfigError(f"the credential {azure.credential!r} must be one of {', '.join(KINDS)}")
    identity = Identity(
        kind,
        tenant_id=azure.tenant_id or None,
        client_id=azure.client_id or None,
        certificate=Path(azure.certificate) if azure.certificate else None,
        secret=azure.client_secret or None,
    )
    with asking(f"connecting to {place}"):
        return connect(place, identity, read_cloud(azure.cloud), retries=0, timeout_s=azure.timeout_s)


def _place(azure: Azure) -> Place:
    if azure.shared_registry:
        return SharedRegistry(azure.shared_registry)
    if not (azure.subscription_id and azure.resource_group and azure.workspace):
        raise ConfigError("the workspace is not fully named: subscription_id, resource_group and workspace are needed")
    return Workspace(azure.subscription_id, azure.resource_group, azure.workspace)
