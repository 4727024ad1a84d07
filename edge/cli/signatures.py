"""``automl-edge models keygen`` and ``sign``: keys, and signatures over bundles."""

from pathlib import Path

import click

from edge.bundle import SIGNATURE
from edge.cli.options import json_option
from edge.cli.rows import json_text
from edge.errors import StoreError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE, metavar="FILE")
@json_option
def keygen(*, file: Path, as_json: bool) -> None:
    """Make a key to sign bundles with.

    FILE gets the private key (PEM, Ed25519), readable by its owner only; a file that is there is not overwritten. The
    public key is printed: it belongs into `registry.trusted_keys` of every device that is to take what the key signs.
    """
    from edge.bundle.signing import generate_key  # noqa: PLC0415 - cryptography is loaded by who needs it

    public = generate_key(file)
    if as_json:
        click.echo(json_text({"private_key": str(file), "public_key": public}))
        return
    click.echo(public)
    click.echo(f"the private key is in {file}: keep it secret, and keep a copy", err=True)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="BUNDLE")
@click.option("--key", "key_file", type=FILE, required=True, metavar="FILE", help="Private key (PEM, Ed25519).")
@json_option
def sign(*, folder: Path, key_file: Path, as_json: bool) -> None:
    """Sign a bundle, of which every file is checked first.

    Adds a signature over the manifest to signature.json, or replaces the one that this key made before. The key is one
    that `models keygen` or `openssl genpkey -algorithm ed25519` made.
    """
    from edge.bundle.signing import sign as sign_bundle  # noqa: PLC0415 - cryptography is loaded by who needs it

    try:
        public = sign_bundle(folder, key_file)
    except OSError as error:
        raise StoreError(f"cannot write {folder / SIGNATURE}: {error.strerror}") from error
    if as_json:
        click.echo(json_text({"bundle": str(folder), "public_key": public}))
    else:
        click.echo(f"{folder} is signed by {public}")
