"""What stands in the way: versions that are refused, and what cannot be done at the moment. Each is told once."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.errors import EdgeError
from edge.ports import Candidate, Survey
from edge.registry.state import Kept
from edge.rollout.changes import Change, Refusal
from edge.rollout.refusals import Refusals

MOST_TOLD = 20
"""So many new refusals are told one by one at a look: a registry of broken folders must not fill the outbox."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What cannot be done at the moment, and why."""

    what: str
    reason: str


class Obstacles:
    """Changed by one thread at a time, read from any.

    ``tell`` is called for each refusal, ``noted`` when the trouble changes.
    """

    def __init__(self, *, tell: Callable[[Change], None], noted: Callable[[], None]) -> None:
        self._tell = tell
        self._noted = noted
        self._trouble: Trouble | None = None
        self.refusals = Refusals()

    @property
    def problem(self) -> str | None:
        """The reason for what cannot be done at the moment; None when all is well."""
        return self._trouble.reason if self._trouble else None

    def refuse(self, version: Candidate | Kept, error: EdgeError) -> None:
        """Keep a version from service that failed here."""
        self._refused(self.refusals.add(version, error))

    def surveyed(self, survey: Survey, stored: Iterable[Kept]) -> None:
        """Take note of what the registry refuses, and forget refusals of what is neither there nor ``stored``."""
        there = [*(candidate.digest for candidate in survey.candidates), *(kept.digest for kept in stored)]
        new = self.refusals.survey(there, survey.refused)
        for refusal in new[:MOST_TOLD]:
            self._refused(refusal)
        if len(new) > MOST_TOLD:
            _log.error("more models are refused", extra={"more": len(new) - MOST_TOLD})

    def note(self, trouble: Trouble | None) -> None:
        """Take note of what cannot be done now; None: all is well."""
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                _log.error(trouble.what, extra={"reason": trouble.reason})
            self._noted()

    def why_nothing(self, wish: str) -> Trouble:
        """Return why nothing serves, where a version like ``wish`` was looked for."""
        refused = self.refusals.all()
        if refused:
            return Trouble("no model serves", f"no model serves: {'; '.join(map(str, refused))}")
        remedy = "put a bundle there or run automl-edge models import"
        return Trouble("no model serves", f"no model serves: the registry has no {wish}; {remedy}")

    def _refused(self, refusal: Refusal) -> None:
        who = f"{refusal.name}:{refusal.version}" if refusal.version else refusal.name
        _log.error("a model is refused", extra={"model": who, "reason": refusal.reason})
        self._tell(Change("refused", refusal.name, refusal.version, reason=refusal.reason))
