"""The registry that the configuration names."""

from collections.abc import Callable

from edge.config import Config
from edge.ports import Registry
from edge.registry.azureml import AzureMlRegistry, Followed
from edge.registry.inquiry import Azure
from edge.registry.local import LocalRegistry
from edge.registry.single import SingleBundle

CACHE = "azureml"
"""Where bundles are kept that had to be made of what AutoML registered, below the storage's path."""
JITTER = 0.2
"""How much earlier or later than ``poll_s`` Azure is asked: devices switched on together must not ask together."""


def make_registry(config: Config, *, moved: Callable[[], object] = lambda: None) -> Registry:
    """Return the configured registry; nothing is read yet. ``moved`` is called whenever a long look gets on."""
    registry = config.registry
    if registry.kind == "local":
        return LocalRegistry(registry.path)
    if registry.kind == "bundle":
        return SingleBundle(registry.path)
    return AzureMlRegistry(followed(config), moved=moved)


def followed(config: Config) -> Followed:
    """Return what is followed in Azure."""
    registry = config.registry
    cache = config.storage.path / CACHE
    return Followed(
        azure_of(config), config.model.name or "", cache, stage=registry.stage or "", tag=registry.tag or ""
    )


def azure_of(config: Config) -> Azure:
    """Return the values of ``[azure]``, its secret in clear."""
    azure = config.azure
    return Azure(
        subscription_id=azure.subscription_id or "",
        resource_group=azure.resource_group or "",
        workspace=azure.workspace or "",
        shared_registry=azure.shared_registry or "",
        credential=azure.credential,
        tenant_id=azure.tenant_id or "",
        client_id=azure.client_id or "",
        client_secret=azure.client_secret.get_secret_value() if azure.client_secret else "",
        certificate=str(azure.certificate or ""),
        cloud=azure.cloud,
        timeout_s=azure.timeout_s,
    )


def jitter_of(config: Config) -> float:
    """Return by which share the time between two looks varies."""
    return JITTER if config.registry.kind == "azureml" else 0.0


def guesses(config: Config) -> list[str]:
    """Return the warning that a device guesses who it is; empty where it does not ask Azure, or is told."""
    if config.registry.kind != "azureml" or config.azure.credential != "default":
        return []
    return [
        "azure.credential is 'default', which tries one identity after the other and is meant for development: set "
        "managed-identity, certificate or secret"
    ]
