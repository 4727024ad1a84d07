"""Which versions do not serve and why: those that failed on this device, and those that the registry does not offer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.errors import EdgeError, ModelUntrustedError
from edge.ports import Candidate
from edge.registry.state import Kept
from edge.rollout.changes import Refusal

LONGEST = 2000
"""So many characters of a reason are kept: a bundle may have thousands of wrong files."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """``signature`` is that of an untrusted version, tried again once it is signed anew; else None."""

    refusal: Refusal
    signature: str | None


class Refusals:
    """Keeps the reasons. Reading is safe from any thread; one thread at a time may change it."""

    def __init__(self) -> None:
        self._failed: Mapping[str, _Failed] = {}
        self._not_offered: Mapping[str, str] = {}
        self._in_order: Mapping[str, Refusal] = {}  # by digest or place, the newest last

    def __contains__(self, candidate: Candidate) -> bool:
        """Tell whether this version failed here and was not mended since."""
        failed = self._failed.get(candidate.digest)
        return failed is not None and failed.signature in (None, candidate.signature)

    def add(self, version: Candidate | Kept, error: EdgeError) -> Refusal:
        """Note a version that failed here; it is not tried again until it changes."""
        signature = version.signature if isinstance(version, Candidate) else ""
        failed = _Failed(
            Refusal(version.name, version.version, _short(str(error))),
            signature if isinstance(error, ModelUntrustedError) else None,
        )
        self._failed = {**self._failed, version.digest: failed}
        self._arrange({version.digest: failed.refusal})
        return failed.refusal

    def forget(self, digest: str) -> None:
        """Let a version be tried again."""
        self._failed = {known: failed for known, failed in self._failed.items() if known != digest}
        self._arrange({})

    def reason(self, digest: str) -> str | None:
        """Return why the bundle of that digest was refused."""
        failed = self._failed.get(digest)
        return failed.refusal.reason if failed else None

    def survey(self, there: Iterable[str], not_offered: Mapping[str, str]) -> list[Refusal]:
        """Note what is there: digests on offer or stored, and what is refused, by place. Return what is new."""
        digests = frozenset(there)
        self._failed = {digest: failed for digest, failed in self._failed.items() if digest in digests}
        before, self._not_offered = self._not_offered, dict(not_offered)
        new = {place: _placed(place, reason) for place, reason in not_offered.items() if before.get(place) != reason}
        self._arrange(new)
        return list(new.values())

    def all(self) -> list[Refusal]:
        """Return every refusal, the newest first."""
        return list(self._in_order.values())[::-1]

    def _arrange(self, new: Mapping[str, Refusal]) -> None:
        """Bring what is ``new`` to the end, and let go of what stands no more."""
        standing = {
            key: known for key, known in self._in_order.items() if key in self._failed or key in self._not_offered
        }
        self._in_order = {key: known for key, known in standing.items() if key not in new} | dict(new)


def _placed(place: str, reason: str) -> Refusal:
    name, _, version = place.partition("/")
    return Refusal(name, version, _short(reason))


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
