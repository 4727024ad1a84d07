"""An open door to a workspace or a shared registry: the SDK's client, and the credential for what it cannot do."""

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.azureml.cloud import AUTHORITIES, Cloud
from edge.azureml.identity import Identity, make_credential
from edge.azureml.place import Place, Workspace

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import HttpTransport


CURRENT_CLOUD = "AZUREML_CURRENT_CLOUD"
"""By this variable the SDK remembers its cloud, and hands it on to processes that are started."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Who asks and what carries requests where the SDK shall say what it would send, and send nothing."""

    credential: "TokenCredential"
    transport: "HttpTransport[Any, Any]"


@dataclass(frozen=True, slots=True)
class Connection:
    """A place, who asks, and the SDK's client for both."""

    place: Place
    cloud: Cloud
    credential: "TokenCredential"
    client: "MLClient"
    transport: "HttpTransport[Any, Any] | None" = None

    def close(self) -> None:
        """Close what is open to Azure."""
        for part in (self.transport, self.credential):
            end = getattr(part, "close", None)
            if end is not None:
                end()


def connect(
    place: Place,
    identity: Identity,
    cloud: Cloud,
    *,
    retries: int = 3,
    timeout_s: float = 20.0,
    progress: bool = False,
    rehearsal: Rehearsal | None = None,
) -> Connection:
    """Return a connection; no request is made yet.

    ``retries`` are the SDK's own, ``timeout_s`` bounds each wait for an answer, ``progress`` lets the SDK draw
    its bars; a ``rehearsal`` takes the place of identity and network. What Azure leaves without an answer is asked
    once more at most, so that silence shows after twice ``timeout_s``. Raises ConfigError for an identity that lacks
    something.
    """
    if "azure.ai.ml" not in sys.modules:
        # the SDK looks this cloud up while it is imported, and fails on one that it is told of only below
        os.environ.pop(CURRENT_CLOUD, None)  # noqa: TID251 - the SDK's own variable, which it sets itself
    from azure.ai.ml import MLClient  # noqa: PLC0415 - over a second, 100 MB

    from edge.azureml.waiting import Transport  # noqa: PLC0415 - the same

    hush()
    times = {"connection_timeout": min(timeout_s, 10.0), "read_timeout": timeout_s}
    credential = rehearsal.credential if rehearsal else make_credential(identity, cloud)
    transport = rehearsal.transport if rehearsal else Transport(**times)
    options: dict[str, Any] = {
        "retry_total": retries,
        "retry_read": min(retries, 1),
        "transport": transport,
        "enable_telemetry": False,
        "show_progress": progress,
        **_cloud_options(cloud),
    }
    if isinstance(place, Workspace):
        client = MLClient(credential, place.subscription_id, place.resource_group, place.name, **options)
    else:
        client = MLClient(credential, registry_name=place.name, **options)
    return Connection(place, cloud, credential, client, transport)


def hush() -> None:
    """Keep the loggers of the SDK, which has been imported and gave them handlers, from talking on standard error.

    What they say below an error is of no use to who runs a command: that something is experimental, that a name was
    put in small letters, that an endpoint is there.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("azure.ai.ml")]:
        logger = logging.getLogger(name)
        if logger.level in (logging.NOTSET, logging.INFO, logging.WARNING):
            logger.setLevel(logging.ERROR)


def _cloud_options(cloud: Cloud) -> dict[str, Any]:
    """Return how the SDK is told of the cloud: it takes the endpoints of a name once for each process."""
    from azure.ai.ml._azure_environments import _environments  # noqa: PLC0415 - the SDK has no public way to ask

    if cloud.name in AUTHORITIES or cloud.name in _environments:
        return {"cloud": cloud.name}
    return {"cloud": cloud.name, "cloud_metadata": dict(cloud.endpoints)}
