"""One command's way into Azure: the place that was named, who asks, and errors in words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edge.azureml.cloud import Cloud
from edge.azureml.connection import Connection, Rehearsal, connect
from edge.azureml.faults import Fault, azure_errors
from edge.azureml.identity import Identity
from edge.azureml.place import Place
from training.errors import AzureError, AzureUnavailableError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_ABOVE = re.compile(r"ResourceGroupNotFound|SubscriptionNotFound|ParentResourceNotFound|workspaces/[^/']+'")


def lacks_workspace(error: Exception) -> bool:
    """Tell whether Azure's 404 means what the thing would be in; it may name the whole path of a thing, too."""
    return _ABOVE.search(str(error)) is not None


@dataclass(frozen=True)
class Session:
    """Where, and who asks. Nothing is asked, and the SDK not loaded, before :attr:`client` is used.

    ``timeout_s`` bounds each wait for an answer; ``retries`` are the SDK's own; in a ``rehearsal`` nothing is sent.
    """

    place: Place
    identity: Identity
    cloud: Cloud
    timeout_s: float = 20.0
    retries: int = 3
    rehearsal: Rehearsal | None = None

    @cached_property
    def connection(self) -> Connection:
        """The open door. Raises ConfigError."""
        return connect(
            self.place,
            self.identity,
            self.cloud,
            retries=self.retries,
            timeout_s=self.timeout_s,
            rehearsal=self.rehearsal,
        )

    @property
    def client(self) -> "MLClient":
        """The SDK's client. Calls of it belong into :meth:`asking`."""
        return self.connection.client

    def close(self) -> None:
        """Close what was opened, if anything was."""
        if "connection" in self.__dict__:  # the cached property was used
            self.connection.close()

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turn Azure's errors into AzureError that says ``what`` was attempted (``creating the cluster x``)."""
        with azure_errors(what, self._error):
            yield

    def _error(self, fault: Fault) -> Exception:
        where = f"{fault.text} [{self.place}]"
        return AzureUnavailableError(where) if fault.passes else AzureError(where)
