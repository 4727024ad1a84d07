"""``automl-edge models activate`` and ``rollback``: what the running daemon serves, changed over HTTP."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge import config
from edge.cli.options import config_option, json_option
from edge.cli.remote import daemon_of
from edge.cli.rows import json_text
from edge.cli.selection import ModelSpec, Wanted

url_option = click.option("--url", metavar="URL", help="Where the daemon listens; by default what [http] says.")


@click.command()
@click.argument("wanted", type=ModelSpec(), metavar="NAME[:VERSION]")
@config_option
@url_option
@json_option
def activate(*, wanted: Wanted, config_path: Path | None, url: str | None, as_json: bool) -> None:
    """Let the running daemon serve a version and stay with it.

    Without a version it follows the newest again. The token comes from EDGE_HTTP__TOKEN or the config file.
    """
    daemon = daemon_of(config.load(config_path), url)
    body = {"version": wanted.version} if wanted.version else None
    _tell(daemon.change("activate", str(wanted.name), body), as_json=as_json)


@click.command()
@click.argument("name", metavar="NAME")
@config_option
@url_option
@json_option
def rollback(*, name: str, config_path: Path | None, url: str | None, as_json: bool) -> None:
    """Let the running daemon go back to the previous version.

    The version that is left is not taken again by itself.
    """
    _tell(daemon_of(config.load(config_path), url).change("rollback", name), as_json=as_json)


def _tell(model: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(model))
    else:
        unproven = "" if model.get("proven") else " (unproven: it has no golden pictures)"
        click.echo(f"{model.get('name')}:{model.get('version')} serves now{unproven}")
