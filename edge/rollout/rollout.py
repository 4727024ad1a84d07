"""Which version serves: follow the registry, stage, verify, prove, swap, remember. What fails replaces nothing."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeGuard

from edge.bundle import Bundle
from edge.errors import EdgeError, ModelError, ModelNotFoundError, RegistryError, StoreError, UnavailableError
from edge.ports import Candidate, Model, Registry, Survey
from edge.registry.state import Kept, State, activated, rolled_back, wanted
from edge.registry.store import Store
from edge.results import ModelRef, instant

LATEST = "latest"
Change = Literal["swapped", "refused", "problem"]

_log = logging.getLogger(__name__)


class Rollout:
    """Chooses, proves and swaps in versions. Thread-safe: one change at a time.

    ``load`` turns a verified bundle into a proven model (raises ModelError, DeviceError); ``swap`` lets it serve.
    ``changed`` is called after each change of what serves or of why something does not.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        *,
        load: Callable[[Bundle], Model],
        swap: Callable[[Model], object],
        name: str | None = None,
        version: str = LATEST,
        changed: Callable[[Change], None] = lambda _: None,
    ) -> None:
        self._registry = registry
        self._store = store
        self._load = load
        self._swap = swap
        self._name = name
        self._version = version
        self._changed = changed
        self._running: Model | None = None
        self._created_at: datetime | None = None
        self._refused: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._problem: str | None = None
        self._unsaved: str | None = None
        self._lock = threading.RLock()

    @property
    def running(self) -> Model | None:
        """The model that serves."""
        return self._running

    @property
    def problem(self) -> str | None:
        """Why nothing serves, or why the registry cannot be followed; None when all is well."""
        return self._problem

    @property
    def unsaved(self) -> str | None:
        """Why a restart would not bring up what serves now; None when all is well."""
        return self._unsaved

    def start(self) -> None:
        """Bring up what served last, then what the registry wants; without a registry what is stored goes on."""
        with self._lock:
            stored = [kept for kept in (self._store.state.current, *self._store.state.earlier) if self._is_wished(kept)]
            any(self._took_kept(kept) for kept in stored)
            self.check()

    def _is_wished(self, kept: Kept | None) -> TypeGuard[Kept]:
        """Tell whether the configuration allows a stored bundle to serve."""
        return kept is not None and self._name in (None, kept.name) and self._version in (LATEST, kept.version)

    def check(self) -> None:
        """Look into the registry once and take the wanted version if it is not the one that serves."""
        with self._lock:
            if self._unsaved is not None:
                self._remember(self._store.state)
            try:
                survey = self._registry.survey(self._followed_name())
            except RegistryError as error:
                self._note_problem(str(error))
                return
            self._note_refused(survey.refused)
            self._note_problem(self._advance(survey) or self._why_nothing(survey))

    def _advance(self, survey: Survey) -> str | None:
        """Take the best version that proves itself; return what stands in the way from outside."""
        while (candidate := self._choose(survey)) is not None:
            try:
                self._take(candidate, pinned=self._store.state.pinned)
            except ModelNotFoundError:
                return None  # gone between the look and the fetch; the next look tells
            except ModelError as error:
                self._refuse(candidate, error)
            except UnavailableError as error:
                return f"{candidate.name}:{candidate.version} cannot be taken now: {error}"
        return None

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        """Take a version and stay with it; None follows the newest again. Raises as :meth:`ports.Control.activate`."""
        with self._lock:
            survey = self._registry.survey(name)
            matching = tuple(c for c in survey.candidates if c.name == name and version in (None, LATEST, c.version))
            if not matching:
                known = ", ".join(c.version for c in survey.candidates if c.name == name) or "none"
                reason = survey.refused.get(f"{name}/{version}", f"the registry's versions of it: {known}")
                raise ModelNotFoundError(f"{name}:{version or LATEST} cannot be taken: {reason}")
            model = self._take(matching[0], pinned=version not in (None, LATEST))
            self._refused.pop(matching[0].digest, None)
            self._name, self._version = name, LATEST
            return model.ref

    def rollback(self, name: str) -> ModelRef:
        """Go back to the previous version. Raises as :meth:`edge.ports.Control.rollback`."""
        with self._lock:
            state = rolled_back(self._store.state)
            kept = state.current
            if kept is None or kept.name != name:
                raise ModelNotFoundError(f"there is no previous version of {name}; the one before was {kept}")
            model = self._serve(self._store.open(kept), state)
            self._name, self._version = name, LATEST
            return model.ref

    def models(self) -> Sequence[Mapping[str, Any]]:
        """Return every known version and its state: current, previous, available, skipped, refused with the reason."""
        with self._lock:
            try:
                survey = self._registry.survey(self._followed_name())
            except RegistryError:
                survey = Survey((), {})
            offered = [self._entry(c) for c in survey.candidates]
            broken = [_broken(place, reason) for place, reason in survey.refused.items()]
            return [*offered, *self._only_stored(survey), *broken]

    def _entry(self, candidate: Candidate) -> dict[str, Any]:
        entry = {"name": candidate.name, "version": candidate.version, "created_at": instant(candidate.created_at)}
        entry["state"] = self._state_of(candidate.digest)
        if candidate.digest in self._refused:
            entry["reason"] = self._refused[candidate.digest]
        return entry

    def _state_of(self, digest: str) -> str:
        state = self._store.state
        if digest == self._digest():
            return "current"
        if digest in self._refused:
            return "refused"
        if state.previous is not None and digest == state.previous.digest:
            return "previous"
        return "skipped" if digest in state.skipped else "available"

    def _only_stored(self, survey: Survey) -> list[dict[str, Any]]:
        """Return what this device keeps and the registry no longer offers."""
        offered = {candidate.digest for candidate in survey.candidates}
        gone = [kept for kept in self._store.state.kept if kept.digest not in offered]
        return [{"name": k.name, "version": k.version, "state": self._state_of(k.digest)} for k in gone]

    def _followed_name(self) -> str | None:
        """Return the configured name, else the one that served last: a device does not change its model's name."""
        if self._name is not None:
            return self._name
        current = self._store.state.current
        return current.name if current else None

    def _digest(self) -> str | None:
        return self._running.digest if self._running else None

    def _choose(self, survey: Survey) -> Candidate | None:
        """Return the version that should replace the one that serves, None where none should."""
        usable = tuple(c for c in survey.candidates if not self._is_refused(c))
        if self._version != LATEST:
            choice = next((c for c in usable if c.version == self._version), None)
        elif self._store.state.pinned and self._running is not None:
            return None
        else:
            choice = wanted(self._store.state, tuple(c for c in usable if self._not_older(c)))
        return None if choice is None or choice.digest == self._digest() else choice

    def _not_older(self, candidate: Candidate) -> bool:
        """Tell whether following may take a version: the newest one's removal is no reason to go back."""
        return self._created_at is None or candidate.created_at >= self._created_at

    def _take(self, candidate: Candidate, *, pinned: bool) -> Model:
        bundle = self._store.pull(self._registry, candidate)
        kept = Kept(candidate.name, candidate.version, candidate.digest)
        try:
            return self._serve(bundle, activated(self._store.state, kept, pinned=pinned))
        except ModelError:
            if kept not in self._store.state.kept:
                self._store.discard(kept)
            raise

    def _took_kept(self, kept: Kept) -> bool:
        """Serve a bundle from the store, where the registry gave none."""
        try:
            self._serve(self._store.open(kept), activated(self._store.state, kept, pinned=self._store.state.pinned))
        except EdgeError as error:
            _log.error("a stored model cannot serve", extra={"model": str(kept), "reason": str(error)})
            return False
        return True

    def _serve(self, bundle: Bundle, state: State) -> Model:
        model = self._load(bundle)
        self._swap(model)
        self._running, self._created_at = model, bundle.manifest.created_at
        _log.info("a model serves", extra={"model": str(model.ref), "provider": model.session.provider})
        if not model.ref.proven:
            _log.warning("this model is unproven: it has no golden pictures", extra={"model": str(model.ref)})
        self._remember(state)
        self._changed("swapped")
        return model

    def _remember(self, state: State) -> None:
        """Write the state down; where the disk refuses, it holds until the end of the process and is tried again."""
        before, self._unsaved = self._unsaved, None
        try:
            self._store.remember(state)
        except StoreError as error:
            self._unsaved = f"a restart will not remember that {state.current} serves: {error}"
        if self._unsaved is not None and self._unsaved != before:
            _log.error("the model serves, but a restart will not remember it", extra={"reason": self._unsaved})

    def _refuse(self, candidate: Candidate, error: EdgeError) -> None:
        self._refused[candidate.digest] = str(error)
        model = f"{candidate.name}:{candidate.version}"
        _log.error("a model is refused", extra={"model": model, "reason": str(error)})
        self._changed("refused")

    def _is_refused(self, candidate: Candidate) -> bool:
        return candidate.digest in self._refused

    def _note_refused(self, reasons: Mapping[str, str]) -> None:
        """Log what the registry itself refuses, once for each reason."""
        for place, reason in reasons.items():
            if self._reasons.get(place) != reason:
                _log.warning("a version in the registry is not offered", extra={"model": place, "reason": reason})
        self._reasons = dict(reasons)

    def _note_problem(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem is not None:
                _log.error("the registry cannot be followed", extra={"reason": problem})
            self._changed("problem")

    def _why_nothing(self, survey: Survey) -> str | None:
        if self._running is not None:
            return None
        refused = {f"{c.name}:{c.version}": self._refused[c.digest] for c in survey.candidates if self._is_refused(c)}
        reasons = [_named(who, reason) for who, reason in (refused | dict(survey.refused)).items()]
        if reasons:
            return f"no model serves: {'; '.join(reasons)}"
        wish = f"{self._followed_name() or 'any model'}:{self._version}"
        return f"no model serves: the registry has no {wish}; put a bundle there or run automl-edge models import"


def _named(who: str, reason: str) -> str:
    return reason if reason.startswith(who) else f"{who}: {reason}"


def _broken(place: str, reason: str) -> dict[str, Any]:
    name, _, version = place.partition("/")
    return {"name": name, "version": version, "state": "refused", "reason": reason}
