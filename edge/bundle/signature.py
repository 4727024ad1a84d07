"""Who vouches for a bundle: Ed25519 (RFC 8032) signatures over the exact bytes of its manifest, in ``signature.json``.

The manifest holds the hashes of all other files, so that a signature over it is one over the whole bundle. The file
stands beside the manifest, which does not list it: a bundle can be signed after it was made, by several, and its digest
stays. Here the file is read; :mod:`edge.bundle.signing` checks and makes signatures.
"""

import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle.manifest import SIGNATURE
from edge.errors import ModelInvalidError

SIGNATURE_SCHEMA: Literal["automl-edge/signature/1"] = "automl-edge/signature/1"
MAX_SIGNATURE_BYTES = 64 << 10
"""The most that is read of a signature file: hundreds of signatures."""


class Signature(BaseModel):
    """One signature: the public key (``ed25519:`` and 32 bytes in base64) and 64 bytes in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    algorithm: Literal["ed25519"] = "ed25519"
    key: Annotated[str, Field(pattern=r"^ed25519:[A-Za-z0-9+/]{43}=$")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]


class Signatures(BaseModel):
    """The whole of ``signature.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    schema_: Annotated[Literal["automl-edge/signature/1"], Field(alias="schema")]
    signatures: Annotated[tuple[Signature, ...], Field(max_length=100)]


def signature_bytes(folder: Path) -> bytes:
    """Return the bytes of a bundle's ``signature.json``, none where it has no such file. Raises ModelInvalidError."""
    path = folder / SIGNATURE
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_SIGNATURE_BYTES:
            raise ModelInvalidError(f"{path} is no signature: no file, or more than {MAX_SIGNATURE_BYTES >> 10} KiB")
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ModelInvalidError(f"cannot read {path}: {error.strerror}") from error


def read_signatures(folder: Path) -> tuple[Signature, ...]:
    """Return the signatures of a bundle's folder, unchecked. Raises ModelInvalidError where the file makes no sense."""
    data = signature_bytes(folder)
    if not data:
        return ()
    try:
        return Signatures.model_validate_json(data).signatures
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelInvalidError(f"{folder / SIGNATURE}: {f'{place}: ' if place else ''}{first['msg']}") from error
