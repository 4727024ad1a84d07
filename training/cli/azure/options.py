"""Options by which every Azure command learns where it is, and who asks."""

import re
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Any

import click

from edge.azureml.cloud import PUBLIC, read_cloud
from edge.azureml.identity import KINDS, Identity
from edge.azureml.place import Place, SharedRegistry
from training.azure.session import Session
from training.azure.workspaces import find_workspace

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class JobName(click.ParamType[str]):
    """The name of a job or trial: it becomes a part of addresses, where ``a/b`` or ``..`` would be another one."""

    name = "job"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; fails on what Azure calls no job."""
        text = str(value)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", text):
            self.fail(
                f"{text[:40]!r} is no job's name, which the studio shows as Name: letters, digits, '_', '-'", param, ctx
            )
        return text


JOB = JobName()

_OPTIONS = (
    click.option("--subscription", envvar="AZUREML_ARM_SUBSCRIPTION", metavar="ID", help="Subscription."),
    click.option("--resource-group", envvar="AZUREML_ARM_RESOURCEGROUP", metavar="NAME", help="Resource group."),
    click.option("--workspace", envvar="AZUREML_ARM_WORKSPACE_NAME", metavar="NAME", help="Workspace."),
    click.option(
        "--config", "file", type=FILE, help="The workspace's config.json or config.ini; else it is looked for."
    ),
    click.option(
        "--credential",
        "kind",
        type=click.Choice(KINDS),
        default="default",
        show_default=True,
        envvar="AUTOML_AZURE_CREDENTIAL",
        metavar="KIND",
        help=f"How to sign in: {', '.join(KINDS)}. Name one in production.",
    ),
    click.option("--tenant", envvar="AZURE_TENANT_ID", metavar="ID", help="Tenant, for certificate and secret."),
    click.option(
        "--client",
        # the second is how a job in Azure Machine Learning learns of its own identity
        envvar=["AZURE_CLIENT_ID", "DEFAULT_IDENTITY_CLIENT_ID"],
        metavar="ID",
        help="Application or managed identity.",
    ),
    click.option(
        "--certificate", type=FILE, envvar="AZURE_CLIENT_CERTIFICATE_PATH", help="PEM file with certificate and key."
    ),
    click.option(
        "--cloud",
        default=PUBLIC,
        show_default=True,
        envvar="AUTOML_AZURE_CLOUD",
        metavar="NAME|FILE",
        help="AzureCloud, AzureChinaCloud, AzureUSGovernment, or a file of endpoints.",
    ),
)
_SECRET = click.option(
    "--client-secret", envvar="AZURE_CLIENT_SECRET", hidden=True, help="From the environment: others see arguments."
)
_REGISTRY = click.option(
    "--azure-registry", "shared", metavar="NAME", help="A registry that workspaces share, in place of a workspace."
)


def session_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a workspace, and ``session``, a :class:`Session`, in their place."""
    return _with_options(command, shared=False)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Like :func:`session_options`, for what also works in a shared registry (``--azure-registry``)."""
    return _with_options(command, shared=True)


def _with_options(command: Callable[..., Any], *, shared: bool) -> Callable[..., Any]:
    @wraps(command)
    def run(**given: Any) -> Any:
        # a variable that is set to nothing counts as none
        identity = Identity(
            given.pop("kind"),
            given.pop("tenant") or None,
            given.pop("client") or None,
            given.pop("certificate"),
            given.pop("client_secret") or None,
        )
        cloud = read_cloud(given.pop("cloud"))
        with closing(Session(_place(given), identity, cloud)) as session:
            return command(session=session, **given)

    for option in reversed([*_OPTIONS, _SECRET, *([_REGISTRY] if shared else [])]):
        run = option(run)
    return run


def _place(given: dict[str, Any]) -> Place:
    told = {
        "subscription_id": given.pop("subscription"),
        "resource_group": given.pop("resource_group"),
        "workspace": given.pop("workspace"),
    }
    file, name = given.pop("file"), given.pop("shared", None)
    return SharedRegistry(name) if name else find_workspace(told, file, Path.cwd())
