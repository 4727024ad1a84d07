"""The section about Azure Machine Learning: where the registered models are, and who asks for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, model_validator

from edge.config.sections import Section
from edge.config.values import ConfigPath, Seconds, anchored

CLOUDS = ("AzureCloud", "AzureChinaCloud", "AzureUSGovernment")
"""Clouds that have a name; any other is described by a file."""


def _cloud(text: str, info: ValidationInfo) -> str:
    return text if text in CLOUDS else str(anchored(Path(text), info))


Credential = Literal[
    "default", "managed-identity", "workload-identity", "certificate", "secret", "environment", "az-cli"
]
"""As in :mod:`edge.azureml.identity`, which only those import that talk to Azure."""
Text = Annotated[str, Field(min_length=1)]
CloudText = Annotated[str, Field(min_length=1), AfterValidator(_cloud)]


class AzureSection(Section):
    """Azure Machine Learning, for `registry.kind = "azureml"`: a workspace (its three parts), or a shared registry."""

    subscription_id: Text | None = None
    """The workspace's subscription."""
    resource_group: Text | None = None
    """The workspace's resource group."""
    workspace: Text | None = None
    """The workspace."""
    shared_registry: Text | None = None
    """An Azure Machine Learning registry, which several workspaces share, instead of a workspace."""
    credential: Credential = "default"
    """Who asks; `default` tries one after the other, which is for development: name one in production."""
    tenant_id: Text | None = None
    """Tenant of the application, for `certificate` and `secret`."""
    client_id: Text | None = None
    """The application's id; for `managed-identity`, that of a user-assigned identity."""
    client_secret: SecretStr | None = None
    """The application's secret, for `secret`. Secret."""
    certificate: ConfigPath | None = None
    """The application's certificate with its private key (PEM), for `certificate`."""
    cloud: CloudText = "AzureCloud"
    """`AzureCloud`, `AzureChinaCloud`, `AzureUSGovernment`, or a JSON file that names another cloud's endpoints."""
    timeout_s: Seconds = 30.0
    """Longest wait for one answer of Azure's."""

    @property
    def is_workspace(self) -> bool:
        """Whether all three parts of a workspace are given."""
        return None not in (self.subscription_id, self.resource_group, self.workspace)

    @model_validator(mode="after")
    def _fits(self) -> "AzureSection":
        problems = list(self._mismatches())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _mismatches(self) -> Iterator[str]:
        if self.credential in ("certificate", "secret") and None in (self.tenant_id, self.client_id):
            yield f"credential {self.credential!r} needs tenant_id and client_id"
        if self.credential == "certificate" and self.certificate is None:
            yield "credential 'certificate' needs certificate: a PEM file that holds the private key too"
        if self.credential == "secret" and self.client_secret is None:
            yield "credential 'secret' needs client_secret: better by EDGE_AZURE__CLIENT_SECRET than in the file"
        if self.shared_registry is not None and (self.subscription_id or self.resource_group or self.workspace):
            yield "shared_registry and a workspace are given: keep one of them"
