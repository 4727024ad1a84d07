"""Which Azure: the public one, a sovereign one, or one that a file describes (Azure Stack, a cut-off region)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from edge.errors import ConfigError

PUBLIC = "AzureCloud"
AUTHORITIES: Mapping[str, str] = MappingProxyType(
    {
        PUBLIC: "https://login.microsoftonline.com",
        "AzureChinaCloud": "https://login.chinacloudapi.cn",
        "AzureUSGovernment": "https://login.microsoftonline.us",
    }
)
"""The clouds that the SDK knows by name, and who signs people in there."""
RESOURCE_MANAGERS: Mapping[str, str] = MappingProxyType(
    {
        PUBLIC: "https://management.azure.com",
        "AzureChinaCloud": "https://management.chinacloudapi.cn",
        "AzureUSGovernment": "https://management.usgovcloudapi.net",
    }
)
"""Where resources are asked about in those clouds."""
ENDPOINTS = (
    "azure_portal",
    "resource_manager",
    "active_directory",
    "aml_resource_id",
    "storage_endpoint",
    "registry_discovery_endpoint",
)
"""What a cloud file says: URLs, but for the last labels of storage hosts (``core.windows.net``)."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud by name; ``endpoints`` are given where the SDK does not know it."""

    name: str = PUBLIC
    endpoints: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def authority(self) -> str:
        """The URL of who signs people in."""
        return AUTHORITIES[self.name] if self.name in AUTHORITIES else self.endpoints["active_directory"]

    @property
    def management_scope(self) -> str:
        """What a token must be asked for that the control plane and the workspace's own endpoints take."""
        known = RESOURCE_MANAGERS.get(self.name) or self.endpoints["resource_manager"]
        return f"{known.rstrip('/')}/.default"

    @property
    def storage_endpoint(self) -> str:
        """The last labels of storage hosts, for clouds that a file describes; empty for those that the SDK knows."""
        return self.endpoints.get("storage_endpoint", "")


def read_cloud(text: str) -> Cloud:
    """Return the cloud of a name, or of a JSON file that names the :data:`ENDPOINTS`. Raises ConfigError."""
    if text in AUTHORITIES:
        return Cloud(text)
    path = Path(text)
    try:
        if not path.is_file():
            raise ConfigError(f"cloud {text!r}: must be {', '.join(AUTHORITIES)}, or a JSON file naming its endpoints")
        endpoints = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in ENDPOINTS if not isinstance(endpoints.get(key), str)]
    except (OSError, ValueError, AttributeError) as error:
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"cloud file {text[:200]}: cannot be read ({said})") from error
    if missing:
        raise ConfigError(f"cloud file {text}: {', '.join(missing)} missing; it names {', '.join(ENDPOINTS)}")
    chosen = {key: endpoints[key] for key in ENDPOINTS}
    # the SDK keeps the first cloud of a name for as long as the process lives: another content, another name
    mark = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
    return Cloud(f"File{mark}", chosen)
