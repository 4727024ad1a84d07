"""From a candidate to a model that may serve: pulled, verified, loaded, proven. What serves is not touched."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.bundle import Bundle
from edge.errors import ModelError
from edge.ports import Candidate, Model, Registry
from edge.registry.state import Kept
from edge.registry.store import Store
from edge.rollout.changes import Phase, Update

Load = Callable[[Bundle], Model]
"""Turns a verified bundle into a proven model. Raises ModelError, DeviceError."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A model that may serve, and the stored bundle that it was made of."""

    kept: Kept
    created_at: datetime
    model: Model


class Staging:
    """Stages one version at a time. ``noted`` is called whenever :attr:`update` changes."""

    def __init__(
        self, registry: Registry, store: Store, *, load: Load, noted: Callable[[], None] = lambda: None
    ) -> None:
        self._registry = registry
        self._store = store
        self._load = load
        self._noted = noted
        self._update: Update | None = None

    @property
    def update(self) -> Update | None:
        """What is under way. Safe to read from any thread."""
        return self._update

    def stage(self, candidate: Candidate) -> Staged:
        """Fetch a version, where it is not stored, and make it ready; one that fails is not kept.

        Raises ModelError where it may not serve, UnavailableError where that could not be found out.
        """
        kept = Kept(candidate.name, candidate.version, candidate.digest)
        self.enter(kept, "pulling")
        bundle = self._store.pull(self._registry, candidate)
        try:
            return self._ready(kept, bundle)
        except ModelError:
            if kept not in self._store.state.kept:
                self._store.discard(kept)
            raise

    def restage(self, kept: Kept) -> Staged:
        """Make a stored version ready. Raises as :meth:`stage` does, and ModelNotFoundError where it is not stored."""
        self.enter(kept, "verifying")
        return self._ready(kept, self._store.open(kept))

    def enter(self, kept: Kept, phase: Phase) -> None:
        """Say that a version is in a phase from now on."""
        self._update = Update(kept.name, kept.version, phase, datetime.now(UTC))
        self._noted()

    def over(self) -> None:
        """Say that nothing is under way any more."""
        if self._update is not None:
            self._update = None
            self._noted()

    def _ready(self, kept: Kept, bundle: Bundle) -> Staged:
        self.enter(kept, "loading")
        return Staged(kept, bundle.manifest.created_at, self._load(bundle))
