"""Paths of the control plane."""

from edge.azureml.place import Workspace
from training.azure.session import Session
from training.errors import UsageError


def resource(session: Session, *parts: str) -> str:
    """Return the path of something in a session's workspace. Raises UsageError for a shared registry."""
    place = session.place
    if not isinstance(place, Workspace):
        raise UsageError(f"{place}: jobs run in a workspace")
    group = f"/subscriptions/{place.subscription_id}/resourceGroups/{place.resource_group}"
    return "/".join([group, "providers/Microsoft.MachineLearningServices/workspaces", place.name, *parts])
