"""Who asks: one explicit credential, with short time-outs; a chain of guesses is for a developer's machine."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from edge.azureml.cloud import AUTHORITIES, Cloud
from edge.azureml.unwaited import begin
from edge.errors import ConfigError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

Kind = Literal["default", "managed-identity", "workload-identity", "certificate", "secret", "environment", "az-cli"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CHAIN: tuple[Kind, ...] = ("environment", "workload-identity", "managed-identity", "az-cli")
"""What ``default`` tries, in this order; the first one that is set up decides."""
TIMEOUT_S = 10.0
"""How long the program az may take to give a token."""
LIMIT_S = 15.0
"""How long signing in may take in all, whatever happens on the way."""
PATIENCE: Mapping[str, Any] = {"retry_total": 1, "connection_timeout": 2, "read_timeout": 4}
"""What the credentials are told. It bounds each wait, not their sum, and not an answer that comes byte by byte."""
_Answer = TypeVar("_Answer")


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


def within(limit_s: float, ask: Callable[[], _Answer]) -> _Answer:
    """Return what ``ask`` returns, or raise what it raises; TimeoutError where that takes longer.

    It runs in a thread that nobody waits for at the end of the process: what hangs in there goes on until it ends.
    """
    return begin(ask, "azure sign-in").result(limit_s)


class BoundedCredential:
    """A credential of azure-identity whose answer comes, or fails, within ``limit_s`` seconds."""

    def __init__(self, credential: "TokenCredential", kind: Kind, limit_s: float = LIMIT_S) -> None:
        self._credential = credential
        self._kind = kind
        self._limit_s = limit_s

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """Return a token for the scopes. Raises azure.core's ClientAuthenticationError, also where it takes too long.

        That one whatever happens: after every other error the SDK signs in again, and takes twice as long.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415 - see make_credential

        try:
            return within(self._limit_s, lambda: self._credential.get_token(*scopes, **options))
        except ClientAuthenticationError:
            raise
        except TimeoutError as error:
            text = f"the credential '{self._kind}' gave no token within {self._limit_s:g} s"
            raise ClientAuthenticationError(text) from error
        except AzureError as error:
            raise ClientAuthenticationError(str(error)) from error

    def close(self) -> None:
        """Close what is open to whoever gives the tokens."""
        end = getattr(self._credential, "close", None)
        if end is not None:
            end()


def make_credential(identity: Identity, cloud: Cloud, *, limit_s: float = LIMIT_S) -> BoundedCredential:
    """Return a credential of azure-identity. Nothing is asked yet. Raises ConfigError where something is missing."""
    _quiet()
    try:
        program_s = max(1, round(min(TIMEOUT_S, limit_s)))
        credential = _MAKERS[identity.kind](identity, _options(cloud), program_s)
        return BoundedCredential(credential, identity.kind, limit_s)
    except ValueError as error:
        raise ConfigError(f"the credential '{identity.kind}' cannot be used: {' '.join(str(error).split())}") from error


def _quiet() -> None:
    """Keep azure-identity from writing the whole story of each failure to standard error, where the error says it.

    Somebody who has set a level for it is asked no less than before.
    """
    for name in ("azure.identity", "msal"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)


def _options(cloud: Cloud) -> dict[str, Any]:
    options: dict[str, Any] = {"authority": cloud.authority, **PATIENCE}
    if cloud.name not in AUTHORITIES:
        options["disable_instance_discovery"] = True  # a cut-off cloud cannot ask the public one who it is
    return options


def _default(identity: Identity, options: Mapping[str, Any], program_s: int) -> "TokenCredential":
    """Return the SDK's chain without its links that need a person's desktop."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - see make_credential

    desktop = ("shared_token_cache", "visual_studio_code", "powershell", "developer_cli", "broker")
    left_out = {f"exclude_{name}_credential": True for name in desktop}
    client = {"managed_identity_client_id": identity.client_id} if identity.client_id else {}
    return DefaultAzureCredential(process_timeout=program_s, **left_out, **client, **options)


def _managed(identity: Identity, _options: Mapping[str, Any], _program_s: int) -> "TokenCredential":
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - see make_credential

    return ManagedIdentityCredential(client_id=identity.client_id, **PATIENCE)


def _workload(identity: Identity, options: Mapping[str, Any], _program_s: int) -> "TokenCredential":
    from azure.identity import WorkloadIdentityCredential  # noqa: PLC0415 - see make_credential

    told = {"tenant_id": identity.tenant_id, "client_id": identity.client_id}
    return WorkloadIdentityCredential(**{key: value for key, value in told.items() if value}, **options)


def _environment(_identity: Identity, options: Mapping[str, Any], _program_s: int) -> "TokenCredential":
    from azure.identity import EnvironmentCredential  # noqa: PLC0415 - see make_credential

    return EnvironmentCredential(**options)


def _az_cli(identity: Identity, _options: Mapping[str, Any], program_s: int) -> "TokenCredential":
    from azure.identity import AzureCliCredential  # noqa: PLC0415 - see make_credential

    return AzureCliCredential(tenant_id=identity.tenant_id or "", process_timeout=program_s)


def _with_certificate(identity: Identity, options: Mapping[str, Any], _program_s: int) -> "TokenCredential":
    from azure.identity import CertificateCredential  # noqa: PLC0415 - see make_credential

    if not (identity.tenant_id and identity.client_id and identity.certificate):
        raise ConfigError("the credential 'certificate' needs tenant_id, client_id and certificate (a PEM file)")
    try:
        return CertificateCredential(identity.tenant_id, identity.client_id, str(identity.certificate), **options)
    except (OSError, ValueError) as error:
        raise ConfigError(f"certificate {identity.certificate}: cannot be used ({error})") from error


def _with_secret(identity: Identity, options: Mapping[str, Any], _program_s: int) -> "TokenCredential":
    from azure.identity import ClientSecretCredential  # noqa: PLC0415 - see make_credential

    if not (identity.tenant_id and identity.client_id and identity.secret):
        raise ConfigError("the credential 'secret' needs tenant_id, client_id and client_secret")
    return ClientSecretCredential(identity.tenant_id, identity.client_id, identity.secret, **options)


_MAKERS: Mapping[Kind, Callable[[Identity, Mapping[str, Any], int], "TokenCredential"]] = {
    "default": _default,
    "managed-identity": _managed,
    "workload-identity": _workload,
    "environment": _environment,
    "az-cli": _az_cli,
    "certificate": _with_certificate,
    "secret": _with_secret,
}
