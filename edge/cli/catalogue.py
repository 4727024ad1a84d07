"""``automl-edge models list`` and ``pull``: what a registry holds, and copying from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge.bundle import Task, manifest_and_digest, read_manifest
from edge.cli.options import json_option, registry_option
from edge.cli.rows import json_text
from edge.cli.selection import ModelSpec, Wanted, choose
from edge.cli.terminal import show, size_text, table
from edge.ports import Candidate, Survey
from edge.registry.local import LocalRegistry, register
from edge.results import instant

TASKS: Mapping[Task, str] = {
    "image-classification": "multi-class",
    "image-classification-multilabel": "multi-label",
    "image-object-detection": "detection",
    "image-instance-segmentation": "segmentation",
}
"""What a task is called where there is little room."""


@click.command("list")
@click.argument("name", required=False)
@registry_option
@json_option
def list_models(*, name: str | None, registry: Path, as_json: bool) -> None:
    """List the models of a registry, newest first.

    The newest one of a name is what `latest` means. What is refused is listed with its reason. Whether a signature
    holds, `models verify` tells.
    """
    local = LocalRegistry(registry)
    survey = local.survey(name)
    newest = {candidate.name: candidate.version for candidate in reversed(survey.candidates)}
    rows = [
        _row(local, candidate, latest=newest[candidate.name] == candidate.version) for candidate in survey.candidates
    ]
    if as_json:
        click.echo(json_text({"models": rows, "refused": dict(survey.refused)}))
        return
    _show(rows, survey, registry)


def _row(local: LocalRegistry, candidate: Candidate, *, latest: bool) -> dict[str, Any]:
    manifest = read_manifest(local.folder(candidate))
    return {
        "name": candidate.name,
        "version": candidate.version,
        "latest": latest,
        "created_at": instant(candidate.created_at),
        "task": manifest.task,
        "family": manifest.family,
        "golden": len(manifest.golden),
        "size_bytes": sum(file.size for file in manifest.files.values()),
        "digest": candidate.digest,
        "signed": bool(candidate.signature),
    }


def _show(rows: list[dict[str, Any]], survey: Survey, registry: Path) -> None:
    if not rows and not survey.refused:
        click.echo(f"no models in {registry}; register one with: automl-edge models import", err=True)
        return
    head = ["model", "created", "task", "golden", "signed", "size", "state"]
    show(table(head, [_cells(row) for row in rows], right=["golden", "size"]))
    for place, reason in survey.refused.items():
        click.echo(f"refused: {place}: {reason}", err=True)


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['name']}:{row['version']}",
        row["created_at"][:10],
        TASKS[row["task"]],
        str(row["golden"]) if row["golden"] else "none",
        "yes" if row["signed"] else "no",
        size_text(row["size_bytes"]),
        "latest" if row["latest"] else "older",
    ]


@click.command()
@click.argument("wanted", type=ModelSpec(), metavar="[NAME[:VERSION]]", required=False, default=Wanted())
@registry_option
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to copy into.",
)
@json_option
def pull(*, wanted: Wanted, registry: Path, into: Path, as_json: bool) -> None:
    """Copy a model from a registry into DIR/NAME/VERSION.

    Every file is checked against the manifest on its way, and the copy appears whole or not at all. By default the
    newest model is taken. A version that is there already is left as it is. `models verify` proves the copy.
    """
    choice = choose(registry, wanted)
    target = into / choice.candidate.name / choice.candidate.version
    fresh = not (target.is_dir() and manifest_and_digest(target)[1] == choice.candidate.digest)
    if fresh:
        register(choice.folder, into)
    ref = f"{choice.candidate.name}:{choice.candidate.version}"
    if as_json:
        click.echo(json_text({"model": ref, "folder": str(target), "copied": fresh}))
    else:
        click.echo(f"{ref} {'copied to' if fresh else 'is already in'} {target}")
