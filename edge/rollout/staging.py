"""From a candidate to a model that may serve: pulled, verified, rehearsed, loaded. What serves is not touched."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from edge.bundle import Bundle
from edge.errors import ModelError, ModelInvalidError
from edge.ports import Candidate, Model, Registry
from edge.registry.state import Kept
from edge.registry.store import Store
from edge.rollout.changes import Phase, Update

Load = Callable[[Bundle, str | None], Model]
"""Turns a verified bundle into a proven model; it may be quick where the rehearsal, on that provider, went well. Raises
ModelError, DeviceError."""
DEATHS = 3
"""So many processes in a row may end while they load a bundle whose rehearsal went well; then it is refused, as long as
something else can serve."""


class Rehearsal(Protocol):
    """Loads and proves bundles where that can harm nothing."""

    def __call__(self, bundle: Bundle) -> str:
        """Return the execution provider that ran the bundle. Raises ModelError, UnavailableError."""

    def interrupt(self) -> None:
        """End the rehearsal under way at once, from any thread: it raises UnavailableError."""

    def stop(self) -> None:
        """End the rehearsal under way at once, from any thread, and let no other begin."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A model that may serve, and the stored bundle that it was made of."""

    kept: Kept
    created_at: datetime
    model: Model


class Staging:
    """Stages one version at a time.

    ``careful`` has every version rehearsed that is to replace another; one that a process died with always is, as far
    as there is a ``rehearsal``. ``noted`` is called whenever :attr:`update` changes.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        *,
        load: Load,
        rehearsal: Rehearsal | None = None,
        careful: bool = True,
        noted: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._store = store
        self._load = load
        self._rehearsal = rehearsal
        self._careful = careful
        self._noted = noted
        self._update: Update | None = None
        self.stopped = False

    @property
    def update(self) -> Update | None:
        """What is under way. Safe to read from any thread."""
        return self._update

    def stage(self, candidate: Candidate, *, replacing: bool) -> Staged:
        """Fetch a version, where it is not stored, and make it ready; one that fails is not kept.

        ``replacing`` tells whether another version serves. Raises ModelError where it may not serve, UnavailableError
        where that could not be found out.
        """
        kept = Kept(candidate.name, candidate.version, candidate.digest, candidate.created_at)
        self.enter(kept, "pulling")
        bundle = self._store.pull(
            self._registry, candidate, fetched=lambda: self.enter(kept, "verifying"), took=self._took
        )
        try:
            return self.ready(kept, bundle, replacing=replacing)
        except ModelError:
            if kept not in self._store.state.kept:
                self._store.discard(kept)
            raise

    def open(self, kept: Kept) -> Bundle:
        """Return a stored bundle, verified. Raises ModelNotFoundError, ModelInvalidError, StoreError."""
        self.enter(kept, "verifying")
        return self._store.open(kept)

    def ready(self, kept: Kept, bundle: Bundle, *, replacing: bool) -> Staged:
        """Make a stored bundle ready to serve. Raises as :meth:`stage` does."""
        provider = self._rehearsed(kept, bundle, replacing=replacing)
        self.enter(kept, "loading")
        self._store.loading.begin(kept)
        try:
            model = self._load(bundle, provider)
        finally:
            self._store.loading.end(kept)
        return Staged(kept, kept.created_at or bundle.manifest.created_at, model)

    def interrupt(self) -> None:
        """Let a look or a staging under way end soon: what waits for another process ends at once."""
        self._registry.interrupt()
        if self._rehearsal is not None:
            self._rehearsal.interrupt()

    def stop(self) -> None:
        """End a look, a copy or a rehearsal under way at once; what needs one is not staged any more."""
        self.stopped = True
        self._registry.close()
        if self._rehearsal is not None:
            self._rehearsal.stop()

    def _rehearsed(self, kept: Kept, bundle: Bundle, *, replacing: bool) -> str | None:
        """Rehearse a bundle where that is called for; return the provider that ran it."""
        deaths = self._store.loading.deaths_with(kept)
        if self._rehearsal is None or not (deaths or (replacing and self._careful)):
            return None
        self.enter(kept, "rehearsing")
        try:
            if deaths >= DEATHS and (replacing or self._store.state.earlier):
                raise ModelInvalidError(f"{kept} is not loaded: {deaths} processes in a row ended while they loaded it")
            return self._rehearsal(bundle)
        except ModelError:
            self._store.loading.end(kept)
            raise

    def enter(self, kept: Kept, phase: Phase) -> None:
        """Say that a version is in a phase from now on."""
        self._update = Update(kept.name, kept.version, phase, datetime.now(UTC))
        self._noted()

    def _took(self, took: int, of: int) -> None:
        """Note how much is here; nobody is told, since it changes all the time."""
        if self._update is not None:
            self._update = replace(self._update, took=took, of=of)

    def over(self) -> None:
        """Say that nothing is under way any more."""
        if self._update is not None:
            self._update = None
            self._noted()
