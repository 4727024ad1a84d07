"""``automl-edge models``: what a registry holds, making and proving bundles, and what the daemon runs."""

import click

from edge.cli import bundles, catalogue, switching


@click.group()
def models() -> None:
    """List, import, verify, pull, activate and roll back models."""


for _command in (
    catalogue.list_models,
    catalogue.pull,
    bundles.import_model,
    bundles.verify,
    switching.activate,
    switching.rollback,
):
    models.add_command(_command)
