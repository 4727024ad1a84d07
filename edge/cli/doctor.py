"""``automl-edge doctor``: what this device can do, and whether that is enough for the configuration."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from edge import config
from edge.cli.examination import Finding, examine
from edge.cli.options import config_option, json_option
from edge.cli.terminal import show, table


@click.command()
@config_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, config_path: Path | None, as_json: bool) -> None:
    """Find out what this device can do.

    Runs the registered model on each provider, and looks at cores, memory, disk, clock, ports, broker and sources. Exit
    code 1 where something fails that the configuration needs.
    """
    findings = list(examine(config.load(config_path)))
    failed = any(finding.state == "fail" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _show(findings)
    ctx.exit(1 if failed else 0)


def _show(findings: Iterable[Finding]) -> None:
    show(table(["what", "state", "found"], [(f.what, f.state, f.found) for f in findings]))
