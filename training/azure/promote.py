"""The stage or tag that devices follow: given to one version, and taken from those that had it before.

The version gets it first, the others lose it then: there is no moment at which none has it. Azure has no way to change
a version only if nobody else did, so each change is looked at afterwards, and so is the whole at the end.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.azureml.place import SharedRegistry
from edge.azureml.tags import BUNDLE_TAGS, MANIFEST_SHA256
from training.azure.registered import ModelVersions, Registered
from training.azure.session import Session
from training.errors import AzureError, UsageError

SETTLING_S = (0.0, 1.0, 3.0)
"""When it is looked where the mark is: what was just written may be missing from Azure's lists for a moment."""
LOWEST = "Development"
"""The stage that Azure gives a version that has none, and so that of one that lost its own."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stage, or a tag ``key=value``, that devices follow."""

    stage: str = ""
    key: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"stage {self.stage}" if self.stage else f"tag {self.key}={self.value}"

    def on(self, version: Registered) -> bool:
        """Tell whether a version has it."""
        return version.stage == self.stage if self.stage else version.tags.get(self.key) == self.value

    def put(self, properties: dict[str, Any]) -> None:
        """Give it to a version's properties; nothing else of them changes."""
        if self.stage:
            properties["stage"] = self.stage
        else:
            properties["tags"] = {**(properties.get("tags") or {}), self.key: self.value}

    def take(self, properties: dict[str, Any]) -> None:
        """Take it from a version's properties where they have it."""
        if self.stage and properties.get("stage") == self.stage:
            properties["stage"] = LOWEST
        tags = dict(properties.get("tags") or {})
        if self.key and tags.get(self.key) == self.value:
            del tags[self.key]
            properties["tags"] = tags


@dataclass(frozen=True, slots=True)
class Promotion:
    """Which versions had the mark before, and which have it now, newest first."""

    mark: Mark
    version: Registered
    before: tuple[str, ...]
    after: tuple[str, ...]
    changed: tuple[str, ...]


def read_mark(stage: str, tag: str) -> Mark:
    """Return the mark that was asked for.

    Raises:
        UsageError: none or both are given, the tag has no value, or it is one that says what the bundle is.
    """
    if bool(stage) == bool(tag):
        raise UsageError("give --stage S or --tag KEY=VALUE, as the devices' [registry] section says")
    if stage == LOWEST:
        raise UsageError(f"--stage {LOWEST} is what every version has that was given none: devices cannot follow it")
    if stage:
        return Mark(stage=stage)
    key, equals, value = tag.partition("=")
    if not key or not equals or not value:
        raise UsageError(f"--tag {tag}: KEY=VALUE is expected")
    if key in BUNDLE_TAGS:
        raise UsageError(f"--tag {key}: this tag says what the bundle is; take another name")
    return Mark(key=key, value=value)


def promote(session: Session, name: str, version: str, mark: Mark, *, keep_others: bool = False) -> Promotion:
    """Give a version the mark, and take it from the others unless they keep it.

    Raises:
        UsageError: a stage in a shared registry.
        AzureError: no such version, it is archived or no bundle, Azure refuses, or somebody else changed the same
            meanwhile.
    """
    if mark.stage and isinstance(session.place, SharedRegistry):
        raise UsageError("a shared registry knows no stages: promote by a tag (--tag line=prod)")
    versions = ModelVersions(session)
    known = versions.all(name)
    _check(session, name, version, known, versions)
    holders = [one.version for one in known if mark.on(one)]
    changed = []
    if version not in holders:
        _change(versions, name, version, mark, given=True)
        changed.append(version)
    for other in () if keep_others else [one for one in holders if one != version]:
        _change(versions, name, other, mark, given=False)
        changed.append(other)
    expected = {version, *(holders if keep_others else ())}
    now = _settled(versions, name, version, mark, expected)
    after = tuple(one.version for one in now if mark.on(one))
    _check_outcome(name, version, mark, now, expected)
    one = next(one for one in now if one.version == version)
    return Promotion(mark, one, tuple(holders), after, tuple(changed))


def _check(session: Session, name: str, version: str, known: Sequence[Registered], versions: ModelVersions) -> None:
    """Raise AzureError for a version that no device could follow."""
    one = next((one for one in known if one.version == version), None) or versions.find(name, version)
    if one is None:
        there = f": there are {', '.join(one.version for one in known[:5])}" if known else ", and no other of that name"
        raise AzureError(f"there is no {name}:{version} in {session.place}{there}")
    if one.archived:
        raise AzureError(f"{one} is archived: devices do not see it; restore it in the studio first")
    if MANIFEST_SHA256 not in one.tags and one.kind == "custom_model":
        raise AzureError(f"{one} is no bundle: its tags do not say so; register one with automl-train azure register")


def _change(versions: ModelVersions, name: str, version: str, mark: Mark, *, given: bool) -> None:
    """Give or take the mark, and look whether it holds: who wrote after us must not go unnoticed."""
    found = versions.change(name, version, mark.put if given else mark.take)
    if mark.on(found) != given:
        raise AzureError(
            f"{found}: {mark} was {'given' if given else 'taken'} and is not any more, since "
            f"{found.changed_by or 'somebody'} changed it at the same moment; look with --list and promote again"
        )


def _settled(versions: ModelVersions, name: str, version: str, mark: Mark, expected: set[str]) -> Sequence[Registered]:
    """Return all versions, as soon as the mark shows where it was put, else as they are after a while."""
    now: Sequence[Registered] = ()
    for wait_s in SETTLING_S:
        time.sleep(wait_s)
        now = versions.all(name)
        if _is_put(version, mark, now, expected):
            break
    return now


def _is_put(version: str, mark: Mark, now: Sequence[Registered], expected: set[str]) -> bool:
    found = {one.version for one in now if mark.on(one)}
    return version in found and found <= expected


def _check_outcome(name: str, version: str, mark: Mark, now: Sequence[Registered], expected: set[str]) -> None:
    """Raise AzureError where the mark is not where it was put: somebody else promoted meanwhile."""
    if _is_put(version, mark, now, expected):
        return
    found = {one.version: one for one in now if mark.on(one)}
    strangers = [one for key, one in found.items() if key not in expected]
    who = strangers[0].changed_by if strangers else next((o.changed_by for o in now if o.version == version), "")
    raise AzureError(
        f"{name}: {mark} is now on {', '.join(found) or 'no version'}, not on {version} alone: {who or 'somebody'} "
        "promoted at the same moment; agree on one, and promote again"
    )


def standing(session: Session, name: str) -> list[Registered]:
    """Return all versions of a model, newest first.

    Raises:
        AzureError: there is none.
    """
    known = ModelVersions(session).all(name)
    if not known:
        raise AzureError(f"there is no model {name} in {session.place}")
    return sorted(known, key=lambda one: one.created_at.timestamp() if one.created_at else 0.0, reverse=True)
