"""What serves: swapped in, remembered on disk, told to whoever wants to know."""

import logging
from collections.abc import Callable

from edge.errors import StoreError
from edge.ports import Model
from edge.registry.state import State
from edge.registry.store import Store
from edge.rollout.changes import Change, Kind
from edge.rollout.staging import Staged
from edge.rollout.trial import Verdict

_log = logging.getLogger(__name__)


class Service:
    """Puts one staged model after another into service. Changed by one thread at a time, read from any.

    ``swap`` lets a model serve; ``changed`` is called once another one does, and with whatever else is told here.
    """

    def __init__(
        self, store: Store, *, swap: Callable[[Model], object], changed: Callable[[Change], None] = lambda _: None
    ) -> None:
        self._store = store
        self._swap = swap
        self._changed = changed
        self._serving: Staged | None = None
        self._unsaved: str | None = None

    @property
    def serving(self) -> Staged | None:
        """What serves now."""
        return self._serving

    @property
    def unsaved(self) -> str | None:
        """Why a restart would not bring up what serves now; None when all is well."""
        return self._unsaved

    def put(self, staged: Staged, state: State, kind: Kind, why: Verdict | None = None) -> None:
        """Swap in ``staged``, remember ``state``, tell the change."""
        before, self._serving = self._serving, staged
        self._swap(staged.model)
        ref = staged.model.ref
        _log.info("a model serves", extra={"model": str(ref), "provider": staged.model.session.provider})
        if not ref.proven:
            _log.warning("this model is unproven: it has no golden pictures", extra={"model": str(ref)})
        self.remember(state)
        previous = None if before is None else (before.kept.name, before.kept.version)
        told = (why.reason, why.figures) if why else (None, {})
        self.tell(Change(kind, ref.name, ref.version, previous, *told))

    def tell(self, change: Change) -> None:
        """Tell what became of a version, also of one that does not serve."""
        self._changed(change)

    def remember(self, state: State) -> None:
        """Write the state down; where the disk refuses, it holds until the end of the process and is tried again."""
        before, self._unsaved = self._unsaved, None
        try:
            self._store.remember(state)
        except StoreError as error:
            self._unsaved = f"a restart will not remember that {state.current} serves: {error}"
        if self._unsaved is not None and self._unsaved != before:
            _log.error("the model serves, but a restart will not remember it", extra={"reason": self._unsaved})

    def remember_unsaved(self) -> None:
        """Write down what the disk refused before."""
        if self._unsaved is not None:
            self.remember(self._store.state)
