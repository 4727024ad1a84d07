"""Checks and makes signatures, and the keys to make them with. Imported late, for it imports ``cryptography``."""

import base64
import hashlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from edge.bundle.folder import Bundle, open_bundle
from edge.bundle.manifest import MANIFEST, SIGNATURE
from edge.bundle.signature import SIGNATURE_SCHEMA, Signature, Signatures, read_signatures
from edge.durable import replace_file
from edge.errors import ConfigError, ModelInvalidError, ModelUntrustedError

KEY_PREFIX = "ed25519:"
MAX_KEY_BYTES = 64 << 10
KEY_MODE = 0o600


def signers(bundle: Bundle) -> tuple[str, ...]:
    """Return the public keys whose signatures hold, in the order of the file.

    Raises ModelInvalidError for a file that makes no sense, ModelUntrustedError for a signature that does not hold: the
    manifest was changed after signing, or the signature is another bundle's.
    """
    signatures = read_signatures(bundle.folder)
    if not signatures:
        return ()
    data = _manifest(bundle)
    wrong = [one.key for one in signatures if not _holds(one, data)]
    if wrong:
        raise ModelUntrustedError(
            f"{bundle} was changed after it was signed, or the signature of {', '.join(wrong)} is another bundle's; "
            "sign it again with automl-edge models sign"
        )
    return tuple(one.key for one in signatures)


def check_signed(bundle: Bundle, trusted: Collection[str]) -> None:
    """Raise ModelUntrustedError unless one of the ``trusted`` public keys (``ed25519:…``) signed the bundle.

    What others signed beside them is not looked at.
    """
    signatures = read_signatures(bundle.folder)
    if not signatures:
        raise ModelUntrustedError(
            f"{bundle} is not signed; registry.trusted_keys are set: sign it with automl-edge models sign"
        )
    known = [one for one in signatures if one.key in trusted]
    if not known:
        keys = ", ".join(one.key for one in signatures)
        raise ModelUntrustedError(f"{bundle} is signed by {keys}, which is not among registry.trusted_keys")
    data = _manifest(bundle)
    if not any(_holds(one, data) for one in known):
        raise ModelUntrustedError(
            f"{bundle} was changed after it was signed, or its signature is another bundle's: the signature of "
            f"{', '.join(one.key for one in known)} does not hold"
        )


def _manifest(bundle: Bundle) -> bytes:
    """Return the manifest's bytes: the very ones that the bundle was opened with."""
    path = bundle.folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelInvalidError(f"cannot read {path}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != bundle.digest:
        raise ModelInvalidError(f"{path} was changed while it was looked at")
    return data


def _holds(signature: Signature, data: bytes) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature.key.removeprefix(KEY_PREFIX)))
        key.verify(base64.b64decode(signature.signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign(folder: Path, key_file: Path) -> str:
    """Sign the bundle in ``folder`` with the private key in ``key_file``; return its public key.

    A signature of the same key is replaced, those of others stay; the file is written in one step. Raises
    ModelInvalidError for a bundle that does not hold together, ConfigError for a key that cannot be used, OSError.
    """
    bundle = open_bundle(folder)
    private = load_key(key_file)
    public = _key_text(private.public_key())
    value = base64.b64encode(private.sign(_manifest(bundle))).decode()
    others = [one for one in read_signatures(folder) if one.key != public]
    _write_signatures(folder, [*others, Signature(key=public, signature=value)])
    return public


def _write_signatures(folder: Path, signatures: Sequence[Signature]) -> None:
    text = Signatures(schema_=SIGNATURE_SCHEMA, signatures=tuple(signatures)).model_dump_json(by_alias=True, indent=2)
    replace_file(folder / SIGNATURE, f"{text}\n".encode(), partial=folder / f".{SIGNATURE}.partial")


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in a PEM file, as :func:`generate_key` or OpenSSL writes it. Raises ConfigError."""
    remedy = "make one with automl-edge models keygen or openssl genpkey -algorithm ed25519"
    try:
        key = load_pem_private_key(_key_bytes(path), password=None)
    except TypeError as error:  # so cryptography reports a key that needs a password
        raise ConfigError(f"{path} is encrypted; decrypt it with openssl pkey, or {remedy}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} holds no private key in PEM; {remedy}") from error
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.removesuffix("PrivateKey").removeprefix("_")
        raise ConfigError(f"{path} holds a key for {kind}, not Ed25519; {remedy}")
    return key


def _key_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read the key {path}: {error.strerror}") from error


def generate_key(path: Path) -> str:
    """Write a new private key to ``path`` (PEM, readable by its owner only) and return its public key.

    Raises ConfigError where the file is there already or cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    data = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already and is not overwritten: name another file") from error
    except OSError as error:
        raise ConfigError(f"cannot write the key {path}: {error.strerror}") from error
    return _key_text(private.public_key())


def _key_text(key: Ed25519PublicKey) -> str:
    return f"{KEY_PREFIX}{base64.b64encode(key.public_bytes_raw()).decode()}"
