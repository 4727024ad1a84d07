"""``automl-edge models``: what a registry holds, making, proving and signing bundles, and what the daemon runs."""

import click

from edge.cli import bundles, catalogue, signatures, switching


@click.group()
def models() -> None:
    """List, import, verify, sign, pull, activate and roll back models."""


for _command in (
    catalogue.list_models,
    catalogue.pull,
    bundles.import_model,
    bundles.verify,
    signatures.keygen,
    signatures.sign,
    switching.activate,
    switching.rollback,
):
    models.add_command(_command)
