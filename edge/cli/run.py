"""``automl-edge run``: the daemon."""

from pathlib import Path

import click

from edge import config
from edge.cli.options import config_option
from edge.daemon import run as run_daemon


@click.command()
@config_option
@click.pass_context
def run(ctx: click.Context, config_path: Path | None) -> None:
    """Run the daemon: pictures in, results out over HTTP and MQTT.

    Ctrl-C or SIGTERM stops it: what is in flight is answered first.
    """
    ctx.exit(run_daemon(config.load(config_path)))
