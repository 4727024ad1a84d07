"""Who asks: one explicit credential, with short time-outs; a chain of guesses is for a developer's machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edge.azureml.cloud import AUTHORITIES, Cloud
from edge.errors import ConfigError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

Kind = Literal["default", "managed-identity", "certificate", "secret", "environment", "az-cli"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TIMEOUT_S = 10
"""How long a token may take that a program or this machine's own endpoint gives."""


@dataclass(frozen=True, slots=True)
class Identity:
    """How to sign in. ``certificate`` is a PEM file with its key; ``secret`` never shows in a text of this object."""

    kind: Kind = "default"
    tenant_id: str | None = None
    client_id: str | None = None
    certificate: Path | None = None
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Identity({self.kind}, tenant_id={self.tenant_id}, client_id={self.client_id})"


def make_credential(identity: Identity, cloud: Cloud) -> "TokenCredential":
    """Return a credential of azure-identity. Nothing is asked yet. Raises ConfigError where something is missing."""
    import azure.identity  # noqa: PLC0415 - half a second, and only who signs in needs it

    options: dict[str, Any] = {"authority": cloud.authority}
    if cloud.name not in AUTHORITIES:
        options["disable_instance_discovery"] = True  # a cut-off cloud cannot ask the public one who it is
    makers: Mapping[Kind, Callable[[], TokenCredential]] = {
        "default": lambda: azure.identity.DefaultAzureCredential(process_timeout=TIMEOUT_S, **options),
        "managed-identity": lambda: azure.identity.ManagedIdentityCredential(
            client_id=identity.client_id, retry_total=1, connection_timeout=2, read_timeout=TIMEOUT_S
        ),
        "environment": lambda: azure.identity.EnvironmentCredential(**options),
        "az-cli": lambda: azure.identity.AzureCliCredential(process_timeout=TIMEOUT_S),
        "certificate": lambda: _with_certificate(identity, options),
        "secret": lambda: _with_secret(identity, options),
    }
    return makers[identity.kind]()


def _with_certificate(identity: Identity, options: Mapping[str, Any]) -> "TokenCredential":
    from azure.identity import CertificateCredential  # noqa: PLC0415 - see make_credential

    if not (identity.tenant_id and identity.client_id and identity.certificate):
        raise ConfigError("the credential 'certificate' needs tenant_id, client_id and certificate (a PEM file)")
    try:
        return CertificateCredential(identity.tenant_id, identity.client_id, str(identity.certificate), **options)
    except (OSError, ValueError) as error:
        raise ConfigError(f"certificate {identity.certificate}: cannot be used ({error})") from error


def _with_secret(identity: Identity, options: Mapping[str, Any]) -> "TokenCredential":
    from azure.identity import ClientSecretCredential  # noqa: PLC0415 - see make_credential

    if not (identity.tenant_id and identity.client_id and identity.secret):
        raise ConfigError("the credential 'secret' needs tenant_id, client_id and client_secret")
    return ClientSecretCredential(identity.tenant_id, identity.client_id, identity.secret, **options)
