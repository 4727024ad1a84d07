"""Which versions do not serve and why: those that failed on this device, and those that the registry does not offer."""

from collections.abc import Mapping

from edge.ports import Candidate
from edge.rollout.changes import Refusal


class Refusals:
    """Keeps the reasons. Reading is safe from any thread; one thread at a time may change it."""

    def __init__(self) -> None:
        self._failed: dict[str, Refusal] = {}
        self._not_offered: Mapping[str, str] = {}

    def __contains__(self, digest: object) -> bool:
        """Tell whether the bundle of that digest failed here."""
        return digest in self._failed

    def add(self, candidate: Candidate, reason: str) -> Refusal:
        """Note a version that failed here; it is not tried again until its digest changes."""
        refusal = Refusal(candidate.name, candidate.version, reason)
        self._failed = {**self._failed, candidate.digest: refusal}
        return refusal

    def forget(self, digest: str) -> None:
        """Let a version be tried again."""
        self._failed = {known: refusal for known, refusal in self._failed.items() if known != digest}

    def reason(self, digest: str) -> str | None:
        """Return why the bundle of that digest was refused."""
        refusal = self._failed.get(digest)
        return refusal.reason if refusal else None

    def survey(self, offered: set[str], not_offered: Mapping[str, str]) -> list[Refusal]:
        """Note what a look into the registry found: digests on offer, and reasons by place. Return what is new."""
        self._failed = {digest: refusal for digest, refusal in self._failed.items() if digest in offered}
        before, self._not_offered = self._not_offered, dict(not_offered)
        return [_placed(place, reason) for place, reason in not_offered.items() if before.get(place) != reason]

    def all(self) -> list[Refusal]:
        """Return every refusal, those of the registry last."""
        return [*self._failed.values(), *(_placed(place, reason) for place, reason in self._not_offered.items())]


def _placed(place: str, reason: str) -> Refusal:
    name, _, version = place.partition("/")
    return Refusal(name, version, reason)
