"""``automl-edge models list`` and ``pull``: what a registry holds, and copying from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge.bundle import Task, manifest_and_digest, read_manifest
from edge.cli.options import json_option
from edge.cli.registries import Configured, find, where_options
from edge.cli.rows import json_text
from edge.cli.selection import ModelSpec, Wanted, choose
from edge.cli.terminal import byte_bar, show, size_text, table
from edge.ports import Candidate, Registry, Survey
from edge.registry.local import LocalRegistry, receive
from edge.registry.store import DIGEST_CHARACTERS
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
@where_options
@json_option
def list_models(*, name: str | None, where: Path | Configured, as_json: bool) -> None:
    """List the models of a registry, newest first.

    The newest one of a name is what `latest` means. What is refused is listed with its reason. Whether a signature
    holds, `models verify` tells. With -c, what the daemon of that configuration would see, also in Azure.
    """
    if isinstance(where, Configured):
        survey = where.registry.survey(name or where.wanted.name, asked=True)
        rows = [_known(candidate, survey) for candidate in survey.candidates]
    else:
        local = LocalRegistry(where)
        survey = local.survey(name)
        rows = [{**_known(candidate, survey), **_manifest(local, candidate)} for candidate in survey.candidates]
    if as_json:
        click.echo(json_text({"models": rows, "refused": dict(survey.refused)}))
        return
    _show(rows, survey, str(where.place if isinstance(where, Configured) else where))


def _known(candidate: Candidate, survey: Survey) -> dict[str, Any]:
    """Return what a look tells of a version."""
    newest = next(one for one in survey.candidates if one.name == candidate.name)
    return {
        "name": candidate.name,
        "version": candidate.version,
        "latest": newest == candidate,
        "created_at": instant(candidate.created_at),
        "digest": candidate.digest,
        "signed": bool(candidate.signature),
    }


def _manifest(local: LocalRegistry, candidate: Candidate) -> dict[str, Any]:
    """Return what its manifest tells, which lies in a folder here."""
    manifest = read_manifest(local.folder(candidate))
    return {
        "task": manifest.task,
        "family": manifest.family,
        "golden": len(manifest.golden),
        "size_bytes": sum(file.size for file in manifest.files.values()),
    }


def _show(rows: list[dict[str, Any]], survey: Survey, where: str) -> None:
    if not rows and not survey.refused:
        click.echo(f"no models in {where}; register one with: automl-edge models import", err=True)
        return
    if all("task" in row for row in rows):
        head = ["model", "created", "task", "golden", "signed", "size", "state"]
        show(table(head, [_cells(row) for row in rows], right=["golden", "size"]))
    else:
        show(table(["model", "created", "digest", "state"], [_cells_afar(row) for row in rows]))
    for place, reason in survey.refused.items():
        click.echo(f"refused: {place}: {reason}", err=True)


def _cells_afar(row: Mapping[str, Any]) -> list[str]:
    state = "latest" if row["latest"] else "older"
    return [f"{row['name']}:{row['version']}", row["created_at"][:10], row["digest"][:DIGEST_CHARACTERS], state]


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
@where_options
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to copy into.",
)
@json_option
def pull(*, wanted: Wanted, where: Path | Configured, into: Path, as_json: bool) -> None:
    """Copy a model from a registry into DIR/NAME/VERSION.

    Every file is checked against the manifest on its way, and the copy appears whole or not at all. By default the
    newest model is taken; with -c, the one that the daemon of that configuration would take, also from Azure. A version
    that is there already is left as it is. `models verify` proves the copy.
    """
    registry, candidate = _chosen(where, wanted)
    target = into / candidate.name / candidate.version
    fresh = not (target.is_dir() and manifest_and_digest(target)[1] == candidate.digest)
    ref = f"{candidate.name}:{candidate.version}"
    if fresh:
        with byte_bar(ref) as took:
            receive(registry, candidate, into, took=took)
    if as_json:
        click.echo(json_text({"model": ref, "folder": str(target), "copied": fresh}))
    else:
        click.echo(f"{ref} {'copied to' if fresh else 'is already in'} {target}")


def _chosen(where: Path | Configured, wanted: Wanted) -> tuple[Registry, Candidate]:
    if isinstance(where, Configured):
        return where.registry, find(where, wanted)
    return LocalRegistry(where), choose(where, wanted).candidate
