"""A bundle becomes a registered model: a folder with the bundle at its root, under the manifest's name and version."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.azureml.containers import open_datastore
from edge.azureml.place import SharedRegistry
from edge.azureml.stores import DATASTORE_URI
from edge.azureml.tags import BUNDLE_TAGS, MANIFEST_SHA256, signature_tag, tags_of
from edge.bundle import SIGNATURE, Bundle, Manifest, is_name, manifest_json, open_bundle, version_key, write_manifest
from edge.registry.files import copy_bundle, partial_folder, place
from training.azure.bundle_upload import upload, upload_signature
from training.azure.registered import CUSTOM, ModelVersions, Registered
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError, UsageError

AUTO = "auto"
RESERVED = "latest"
MAX_TAG = 256
"""The most characters of a tag's name or value that Azure takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to register: ``version`` None is the manifest's, ``auto`` the next number in Azure, else that one."""

    folder: Path
    version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registration:
    """A bundle, and the version that it is in Azure.

    ``uploaded`` is False where that version was there already; ``signed_anew`` tells that only its signature went up;
    ``copied`` that the bundle is a copy with another version, which has lost its signature where it had one.
    """

    bundle: Bundle
    registered: Registered
    uploaded: bool
    signed_anew: bool = False
    copied: bool = False
    lost_signature: bool = False


def register(
    session: Session, order: Order, shown: Callable[[str, int, int], object] = lambda *_: None
) -> Registration:
    """Register a bundle; one that is registered already is recognised and not uploaded again.

    Raises:
        UsageError: a tag or stage that cannot be set.
        AzureError: the version is taken by another bundle, or Azure refuses.
        ModelInvalidError: the bundle does not hold together.
    """
    _check_order(session, order)
    original = open_bundle(order.folder)
    versions = ModelVersions(session)
    bundle = _as_version(original, order, versions)
    copied = bundle.manifest.version != original.manifest.version
    lost = copied and (original.folder / SIGNATURE).is_file()
    known = versions.find(bundle.manifest.name, bundle.manifest.version)
    if known is not None:
        _check_same(bundle, known, session)
        signed = _sign_anew(session, bundle, known)
        told = signature_tag(bundle) if DATASTORE_URI.fullmatch(known.uri) else {}
        marked = _marked(versions, known, order.stage, {**order.tags, **told})
        return Registration(bundle, marked, False, signed, copied, lost)
    uri = upload(session, bundle, lambda done, of: shown("uploading", done, of))
    return Registration(bundle, _added(session, versions, bundle, order, uri), True, False, copied, lost)


def _added(session: Session, versions: ModelVersions, bundle: Bundle, order: Order, uri: str) -> Registered:
    """Register what was uploaded. Raises AzureError, also where somebody else took the version meanwhile."""
    name, version, tags = bundle.manifest.name, bundle.manifest.version, {**order.tags, **tags_of(bundle)}
    try:
        added = versions.add(name, version, uri, tags=tags, stage=order.stage, properties=order.properties)
    except AzureUnavailableError:
        raise
    except AzureError:
        taken = versions.find(name, version)
        if taken is not None:
            _check_same(bundle, taken, session)
        raise
    _check_same(bundle, added, session)
    return added


def _check_order(session: Session, order: Order) -> None:
    if order.stage and isinstance(session.place, SharedRegistry):
        raise UsageError("a shared registry knows no stages: set a tag (--tag line=prod) and let devices follow that")
    if order.version not in (None, AUTO) and (not is_name(order.version or "") or order.version == RESERVED):
        raise UsageError(f"--version {order.version}: {AUTO}, or letters, digits, '.', '_' and '-'; not {RESERVED}")
    if taken := sorted(BUNDLE_TAGS & order.tags.keys()):
        raise UsageError(f"--tag {taken[0]}: this tag says what the bundle is, and is set from it")
    long = next((key for key, value in order.tags.items() if not key or max(len(key), len(value)) > MAX_TAG), None)
    if long is not None:
        raise UsageError(
            f"--tag {long[:40]}: a tag has 1 to {MAX_TAG} characters before the '=', and at most that after"
        )


def _as_version(bundle: Bundle, order: Order, versions: ModelVersions) -> Bundle:
    """Return the bundle under the version that was asked for: itself, or a copy beside it."""
    manifest = bundle.manifest
    if order.version is None or order.version == manifest.version:
        return bundle
    version = order.version
    if version == AUTO:
        version = free_version(manifest, versions.all(manifest.name))
    return bundle if version == manifest.version else copy_as(bundle, version)


def free_version(manifest: Manifest, known: Sequence[Registered]) -> str:
    """Return the version that is this bundle already, else the manifest's if it is the highest, else the next number.

    Pure.
    """
    taken = {one.version: one for one in known}
    for version, one in taken.items():
        if one.tags.get(MANIFEST_SHA256) == digest_as(manifest, version):
            return version
    if all(version_key(version) < version_key(manifest.version) for version in taken):
        return manifest.version
    return str(max((int(version) for version in taken if version.isdecimal()), default=0) + 1)


def digest_as(manifest: Manifest, version: str) -> str:
    """Return the digest that a bundle has under another version. Pure."""
    return hashlib.sha256(manifest_json(manifest.model_copy(update={"version": version}))).hexdigest()


def copy_as(bundle: Bundle, version: str) -> Bundle:
    """Return a copy under another version, beside the bundle; its manifest is another, so no signature holds for it.

    Raises:
        AzureError: something else stands there.
    """
    target = bundle.folder.resolve().parent / version
    manifest = bundle.manifest.model_copy(update={"version": version})
    if target.exists():
        there = open_bundle(target)
        if there.digest != digest_as(bundle.manifest, version):
            raise AzureError(f"{target} is another bundle: move it, or register it itself")
        return there
    with partial_folder(target.parent) as partial:
        copy_bundle(bundle.folder, partial, digest=bundle.digest)
        (partial / SIGNATURE).unlink(missing_ok=True)
        write_manifest(partial, manifest)
        place(partial, target)
    return open_bundle(target)


def _check_same(bundle: Bundle, known: Registered, session: Session) -> None:
    """Raise AzureError unless the registered version is this very bundle, and may be followed."""
    if known.tags.get(MANIFEST_SHA256) != bundle.digest or known.kind != CUSTOM:
        raise AzureError(
            f"{known} is registered in {session.place} with other content: versions never change; register this bundle "
            "under the next one with --version auto"
        )
    if known.archived:
        raise AzureError(f"{known} is registered in {session.place}, but archived: restore it in the studio")


def _sign_anew(session: Session, bundle: Bundle, known: Registered) -> bool:
    """Bring the signature up to date beside a bundle that is there; a registry lets nobody write there any more."""
    signature, found = bundle.folder / SIGNATURE, DATASTORE_URI.fullmatch(known.uri)
    if not signature.is_file() or found is None:
        return False
    with (
        session.asking(f"signing {known}"),
        open_datastore(session.connection, found["store"], timeout_s=session.timeout_s) as container,
    ):
        return upload_signature(container, found["path"].strip("/"), signature)


def _marked(versions: ModelVersions, known: Registered, stage: str, tags: Mapping[str, str]) -> Registered:
    """Return the version with these tags and this stage, which are set where they are not yet."""
    if all(known.tags.get(key) == value for key, value in tags.items()) and stage in ("", known.stage):
        return known

    def alter(properties: dict[str, Any]) -> None:
        properties["tags"] = {**(properties.get("tags") or {}), **tags}
        if stage:
            properties["stage"] = stage

    return versions.change(known.name, known.version, alter)


def summary(done: Registration, session: Session) -> dict[str, Any]:
    """Return what was registered, as plain JSON."""
    return {
        "name": done.registered.name,
        "version": done.registered.version,
        "place": str(session.place),
        "folder": str(done.bundle.folder),
        "digest": done.bundle.digest,
        "uploaded": done.uploaded,
        "signed_anew": done.signed_anew,
        "copied": done.copied,
        "lost_signature": done.lost_signature,
        "stage": done.registered.stage or None,
        "tags": dict(done.registered.tags),
        "uri": done.registered.uri,
    }
