"""``automl-edge models import`` and ``verify``: bundles made of AutoML's files, checked, and proven on this device."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from edge import config
from edge.artifacts import Imported, ImportOptions, import_artifacts
from edge.bundle import Bundle, Colour, Family, Range, Rule, Task, cropped, open_bundle
from edge.bundle.signature import read_signatures
from edge.cli.options import config_option, device_option, json_option, registry_option
from edge.cli.rows import json_text
from edge.cli.terminal import size_text
from edge.config.values import public_key
from edge.ports import Model
from edge.proof import Proof, load_and_prove
from edge.session import Device

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
TASK_HELP = "image-classification or image-classification-multilabel: the graph does not tell them apart."


def _choice(values: Any) -> click.Choice[str]:
    return click.Choice(get_args(values))


@click.command("import")
@click.argument("folder", type=FOLDER, metavar="FOLDER")
@click.option("--name", required=True, metavar="NAME", help="Name to register the model under.")
@click.option("--version", metavar="VERSION", help="Version; by default the number after the highest one.")
@registry_option
@click.option(
    "--golden",
    type=FOLDER,
    metavar="DIR",
    help="Pictures with known answers: answers.jsonl, answers.csv, or one folder a class.",
)
@click.option("--task", type=_choice(Task), metavar="TASK", help=TASK_HELP)
@click.option("--family", type=_choice(Family), help="Family of the network.")
@click.option("--range", "value_range", type=_choice(Range), help="What pixel values become.")
@click.option("--rule", type=_choice(Rule), help="How a picture is resized.")
@click.option("--colour", type=_choice(Colour), help="Order of the colour channels.")
@click.option("--resize", type=click.IntRange(min=1), metavar="PIXELS", help="Side to resize to.")
@click.option("--crop", type=click.IntRange(min=1), metavar="PIXELS", help="Side of the crop.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Selects the labels of a multi-label model.")
@json_option
def import_model(*, value_range: Range | None, as_json: bool, **options: Any) -> None:
    """Make a bundle of AutoML's files and register it.

    FOLDER is `train_artifacts` (model.onnx, labels.json), or the downloaded run around it. What settings.json does not
    tell is asked for by an error. With --golden a wrong range, rule or colour order is found out and the right one
    named; without, the bundle is unproven.
    """
    imported = import_artifacts(ImportOptions(range=value_range, **options))
    if as_json:
        click.echo(json_text(_imported(imported)))
        return
    for missed in imported.evidence.missed if imported.evidence else ():
        click.echo(f"left out: {missed}", err=True)
    for other in imported.evidence.undecided if imported.evidence else ():
        click.echo(f"not ruled out by these pictures: {other}", err=True)
    click.echo("\n".join(f"{what:<9} {found}" for what, found in _import_lines(imported)))


def _imported(imported: Imported) -> dict[str, Any]:
    bundle, evidence = imported.bundle, imported.evidence
    known = evidence and {
        "given": evidence.given,
        "judged": evidence.judged,
        "right": evidence.right,
        "fit": evidence.fit,
        "missed": list(evidence.missed),
        "undecided": list(evidence.undecided),
    }
    return {
        "name": bundle.manifest.name,
        "version": bundle.manifest.version,
        "folder": str(bundle.folder),
        "digest": bundle.digest,
        "proven": bool(bundle.manifest.golden),
        "known_answers": known,
    }


def _import_lines(imported: Imported) -> Iterator[tuple[str, str]]:
    manifest, evidence = imported.bundle.manifest, imported.evidence
    yield "bundle", f"{imported.bundle}"
    yield "folder", f"{imported.bundle.folder}"
    yield "task", f"{manifest.task}, {len(imported.bundle.labels)} labels"
    yield "input", f"{manifest.input.colour}, range {manifest.input.range}"
    chosen = cropped(manifest)
    yield "resizing", f"{chosen.rule} {chosen.resize}, crop {chosen.crop}"
    if evidence is None:
        yield "result", "unproven: give pictures with known answers (--golden DIR) to prove it"
        return
    yield "answers", f"{evidence.right} of {evidence.judged} known answers came out, {len(evidence.stored)} are kept"
    yield "result", "proven"


@click.command()
@click.argument("folder", type=FOLDER, metavar="BUNDLE")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Public key (ed25519:...) that must have signed it.")
@config_option
@device_option
@json_option
def verify(*, folder: Path, keys: tuple[str, ...], config_path: Path | None, device: Device, as_json: bool) -> None:
    """Check a bundle's folder and prove it on this device.

    Every file against the manifest, the signatures, the graph against the manifest, then the golden pictures through
    the whole path. With --key one of the keys must have signed it; with -c, one of that file's registry.trusted_keys,
    if it has any. Exit code 1 where anything does not hold; a bundle without golden pictures is unproven, and one that
    nobody signed is unsigned, which is no failure.
    """
    trusted = {*map(_public_key, keys), *(config.load(config_path).registry.trusted_keys if config_path else ())}
    bundle = open_bundle(folder)
    signed_by = _signers(bundle, trusted)
    model, proof = load_and_prove(bundle, device=device)
    if as_json:
        click.echo(json_text(_report(bundle, model, proof) | {"signed_by": list(signed_by)}))
        return
    lines = _lines(bundle, model, proof, _signed(signed_by, trusted))
    click.echo("\n".join(f"{what:<9} {found}" for what, found in lines))


def _public_key(text: str) -> str:
    try:
        return public_key(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--key") from error


def _signers(bundle: Bundle, trusted: Collection[str]) -> tuple[str, ...]:
    """Return who signed a bundle. Raises ModelUntrustedError where that does not hold, or none of ``trusted`` did."""
    if not trusted and not read_signatures(bundle.folder):
        return ()
    from edge.bundle.signing import check_signed, signers  # noqa: PLC0415 - cryptography is loaded by who needs it

    if trusted:
        check_signed(bundle, trusted)
    return signers(bundle)


def _signed(signed_by: Sequence[str], trusted: Collection[str]) -> str:
    if not signed_by:
        return "unsigned"
    return "by " + ", ".join(f"{key} (trusted)" if key in trusted else key for key in signed_by)


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


def _lines(bundle: Bundle, model: Model, proof: Proof, signed: str) -> Iterator[tuple[str, str]]:
    files = bundle.manifest.files.values()
    yield "bundle", str(model.ref)
    yield "task", f"{bundle.manifest.task}, {len(bundle.labels)} labels"
    yield "files", f"{len(files)} as the manifest says, {size_text(sum(file.size for file in files))}"
    yield "signed", signed
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
