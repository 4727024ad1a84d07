"""Which rights the commands need, and which of them somebody lacks. Pure: what Azure answered comes in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.azureml.remedies import role_for

ROOM = "Microsoft.MachineLearningServices/workspaces/"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"


@dataclass(frozen=True, slots=True)
class Right:
    """Something that is done in Azure: ``action`` as ARM calls it, ``breaks`` what fails without it.

    ``following`` is a device that takes its models from the workspace, ``upload`` is ``data upload``.
    """

    action: str
    breaks: str

    @property
    def role(self) -> str:
        """The smallest built-in role that has it."""
        return role_for(self.action)

    @property
    def short(self) -> str:
        """The action without what all of them begin with."""
        return self.action.removeprefix(ROOM).removeprefix("Microsoft.Storage/storageAccounts/blobServices/")


RIGHTS: Sequence[Right] = tuple(
    Right(f"{ROOM}{action}", breaks)
    for action, breaks in (
        ("read", "all commands"),
        ("datastores/read", "upload, fetch, following"),
        ("datastores/listSecrets/action", "upload, fetch, following"),
        ("data/versions/read", "upload, submit"),
        ("data/versions/write", "upload"),
        ("computes/read", "compute list, submit"),
        ("computes/write", "compute ensure"),
        ("jobs/read", "watch, leaderboard, fetch"),
        ("jobs/write", "submit, pipeline"),
        ("jobs/cancel/action", "cancel"),
        ("models/versions/read", "fetch, deploy, following"),
        ("models/versions/write", "register, promote"),
        ("environments/versions/write", "pipeline, deploy"),
        ("components/versions/write", "pipeline"),
        ("schedules/write", "pipeline --schedule"),
        ("onlineEndpoints/read", "deploy, compare"),
        ("onlineEndpoints/write", "deploy"),
        ("onlineEndpoints/deployments/write", "deploy"),
        ("onlineEndpoints/listKeys/action", "invoke, compare by key"),
        ("onlineEndpoints/token/action", "invoke, compare by aml_token"),
        ("onlineEndpoints/score/action", "invoke, compare by aad_token"),
    )
)
"""What the commands do with a workspace."""
READ_BLOBS = Right(f"{BLOBS}read", "fetch, following")
WRITE_BLOBS = Right(f"{BLOBS}write", "upload, register")
LIST_SECRETS = next(right for right in RIGHTS if right.action.endswith("/listSecrets/action"))


def missing_rights(permissions: Iterable[Mapping[str, Any]], needed: Iterable[Right] = RIGHTS) -> list[Right]:
    """Return the rights that none of the permissions gives.

    Each permission is what ARM says of one role assignment: ``actions`` less ``notActions``. What Azure denies by
    policies or deny assignments does not show in them.
    """
    granted = list(permissions)
    return [right for right in needed if not any(_allows(permission, right.action) for permission in granted)]


def _allows(permission: Mapping[str, Any], action: str) -> bool:
    given = _any_matches(permission.get("actions") or (), action)
    return given and not _any_matches(permission.get("notActions") or (), action)


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(_matches(pattern, action) for pattern in patterns)


def _matches(pattern: str, action: str) -> bool:
    """Compare as ARM does: without regard to case, a star stands for anything, ``/*/`` also for ``/``.

    The built-in role AzureML Data Scientist forbids ``computes/*/write`` and means ``computes/write``.
    """
    expression = re.escape(pattern).replace(r"/\*/", "/(?:.*/)?").replace(r"\*", ".*")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None
