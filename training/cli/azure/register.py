"""`automl-train azure register`: a bundle as a model that devices can follow."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from edge.azureml.tags import BUNDLE_TAGS
from training.azure.register import Order, Registration, summary
from training.azure.register import register as register_bundle
from training.azure.session import Session
from training.cli.azure.options import place_options
from training.cli.azure.shown import size_text, steps
from training.cli.options import FOLDER, json_option


def tags_of(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Return tags of ``key=value`` words. Raises click.BadParameter."""
    wrong = next((word for word in given if not word.partition("=")[1]), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong}: KEY=VALUE is expected")
    return {key: value for key, _, value in (word.partition("=") for word in given)}


@click.command()
@click.argument("bundle", type=FOLDER)
@click.option("--version", metavar="V", help="auto: the next free one; else this one.  [default: the manifest's]")
@click.option("--tag", "tags", multiple=True, metavar="K=V", callback=tags_of, help="A tag of your own; repeatable.")
@click.option("--stage", default="", metavar="S", help="Stage of the version, in a workspace.")
@json_option
@place_options
def register(
    bundle: Path, *, session: Session, version: str | None, tags: dict[str, str], stage: str, as_json: bool
) -> None:
    """Register the folder BUNDLE as a model of its manifest's name and version.

    Its files are checked before and after they go up. A bundle that is registered already is recognised. Manifest and
    Azure must agree on the version, so another version is a copy of the bundle, made beside it.
    """
    order = Order(folder=bundle, version=version, tags=tags, stage=stage)
    with steps() as shown:
        done = register_bundle(session, order, shown)
    if as_json:
        click.echo(json.dumps(summary(done, session), indent=2))
        return
    if done.lost_signature:
        click.echo("the copy is unsigned: its manifest is another one; sign it and register it again", err=True)
    click.echo("\n".join(f"{what:<7} {found}" for what, found in _lines(done, session)))


def _lines(done: Registration, session: Session) -> Iterator[tuple[str, str]]:
    manifest, version = done.bundle.manifest, done.registered
    size = sum(file.size for file in manifest.files.values())
    yield "model", str(version)
    yield "place", str(session.place)
    yield "bundle", f"{done.bundle.folder}{' (a copy, made now)' if done.copied else ''}"
    yield "task", f"{manifest.task} ({manifest.family}), {'proven' if manifest.golden else 'unproven'}"
    yield "tags", ", ".join(f"{key}={value}" for key, value in _own(done).items()) or "only those of the bundle"
    if version.stage:
        yield "stage", version.stage
    if done.uploaded:
        yield "result", f"registered: {len(manifest.files)} files, {size_text(size)}"
    else:
        signed = "; its signature was brought up to date" if done.signed_anew else ""
        yield "result", f"registered already: nothing was uploaded{signed}"


def _own(done: Registration) -> dict[str, str]:
    """Return the tags that people set."""
    return {key: value for key, value in done.registered.tags.items() if key not in BUNDLE_TAGS}
