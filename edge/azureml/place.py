"""Where in Azure: a workspace, or a registry that several workspaces share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workspace:
    """An Azure Machine Learning workspace."""

    subscription_id: str
    resource_group: str
    name: str

    def __str__(self) -> str:
        return f"workspace {self.name} ({self.resource_group}, {self.subscription_id})"


@dataclass(frozen=True, slots=True)
class SharedRegistry:
    """An Azure Machine Learning registry, which workspaces share."""

    name: str

    def __str__(self) -> str:
        return f"registry {self.name}"


Place = Workspace | SharedRegistry
