"""``automl-edge models verify``: a bundle checked and proven on this device."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge.bundle import Bundle, open_bundle
from edge.cli.options import device_option, json_option
from edge.cli.rows import json_text
from edge.cli.terminal import size_text
from edge.ports import Model
from edge.proof import Proof, load_and_prove
from edge.session import Device


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="BUNDLE")
@device_option
@json_option
def verify(*, folder: Path, device: Device, as_json: bool) -> None:
    """Check a bundle's folder and prove it on this device.

    Every file against the manifest, the graph against the manifest, then the golden pictures through the whole path.
    Exit code 1 where anything does not hold; a bundle without golden pictures is unproven, which is no failure.
    """
    bundle = open_bundle(folder)
    model, proof = load_and_prove(bundle, device=device)
    if as_json:
        click.echo(json_text(_report(bundle, model, proof)))
    else:
        click.echo("\n".join(f"{what:<9} {found}" for what, found in _lines(bundle, model, proof)))


def _report(bundle: Bundle, model: Model, proof: Proof) -> dict[str, Any]:
    return {
        "name": model.ref.name,
        "version": model.ref.version,
        "digest": bundle.digest,
        "task": bundle.manifest.task,
        "labels": list(bundle.labels),
        "files": len(bundle.manifest.files),
        "provider": model.session.provider,
        "proven": proof.proven,
        "difference": proof.difference,
        "checks": [
            {**asdict(check), "expected": sorted(check.expected), "found": sorted(check.found)}
            for check in proof.checks
        ],
    }


def _lines(bundle: Bundle, model: Model, proof: Proof) -> Iterator[tuple[str, str]]:
    files = bundle.manifest.files.values()
    yield "bundle", str(model.ref)
    yield "task", f"{bundle.manifest.task}, {len(bundle.labels)} labels"
    yield "files", f"{len(files)} as the manifest says, {size_text(sum(file.size for file in files))}"
    yield "graph", "as the manifest says"
    yield "provider", model.session.provider
    yield "golden", _golden(proof)
    yield "result", "proven" if proof.proven else "unproven"


def _golden(proof: Proof) -> str:
    if not proof.proven:
        return "none: nothing shows that its answers are right"
    pictures = len({check.image for check in proof.checks})
    sizes = " and ".join(str(size) for size in sorted({check.batch for check in proof.checks}))
    known = "" if proof.difference is None else f"; probabilities are off by at most {proof.difference:.4f}"
    return f"{pictures} hold, in batches of {sizes}{known}"
