"""The tags of a registered bundle: enough to choose a version without downloading one."""

import hashlib

from edge.bundle import Bundle
from edge.bundle.signature import signature_bytes

SCHEMA = "bundle_schema"
TASK = "task"
FAMILY = "family"
PROVEN = "proven"
CREATED_AT = "bundle_created_at"
MANIFEST_SHA256 = "manifest_sha256"
MODEL_SHA256 = "model_sha256"
SIGNATURE_SHA256 = "signature_sha256"
BUNDLE_TAGS: frozenset[str] = frozenset(
    (SCHEMA, TASK, FAMILY, PROVEN, CREATED_AT, MANIFEST_SHA256, MODEL_SHA256, SIGNATURE_SHA256)
)
"""What :func:`tags_of` sets, and nobody else does."""


def tags_of(bundle: Bundle) -> dict[str, str]:
    """Return the tags that a bundle is registered with, texts of at most 256 characters as Azure wants them."""
    manifest = bundle.manifest
    return {
        SCHEMA: manifest.schema_,
        TASK: manifest.task,
        FAMILY: manifest.family,
        PROVEN: "true" if manifest.golden else "false",
        CREATED_AT: manifest.created_at.isoformat(),
        MANIFEST_SHA256: bundle.digest,
        MODEL_SHA256: manifest.files[manifest.model].sha256,
        **signature_tag(bundle),
    }


def signature_tag(bundle: Bundle) -> dict[str, str]:
    """Return the tag by which a device sees that a bundle was signed anew, which no other tag tells; none unsigned."""
    data = signature_bytes(bundle.folder)
    return {SIGNATURE_SHA256: hashlib.sha256(data).hexdigest()} if data else {}
