"""Which version serves: follow the registry, stage, try, swap, remember. What fails replaces nothing."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from edge.errors import EdgeError, ModelError, ModelNotFoundError, RegistryError, UnavailableError
from edge.ports import Candidate, Model, Registry, Survey
from edge.registry.process import InterruptedLookError
from edge.registry.state import Judged, Kept, State, activated, judged, rolled_back
from edge.registry.store import Store
from edge.results import ModelRef, instant
from edge.rollout.changes import Change, Kind, Refusal, Update
from edge.rollout.choice import LATEST, InService, Wish, is_older
from edge.rollout.examination import Examination
from edge.rollout.listing import Known, listed
from edge.rollout.lookout import Lookout
from edge.rollout.obstacles import Obstacles, Trouble
from edge.rollout.service import Service
from edge.rollout.staging import Staged, Staging
from edge.rollout.trial import NoProbation, NoTrial, Probation, Trial, Verdict

HURRY_S = 0.1
"""How often a change that somebody asked for interrupts what keeps it waiting."""

_log = logging.getLogger(__name__)


class Rollout:
    """Chooses versions, has them staged, and lets them serve. Thread-safe: one change at a time.

    ``noted`` is called when the problem changes. ``trial`` and ``probation`` may keep a newer version from service: see
    :mod:`edge.rollout.trial`.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        staging: Staging,
        service: Service,
        *,
        wish: Wish = Wish(),
        noted: Callable[[], None] = lambda: None,
        trial: Trial | None = None,
        probation: Probation | None = None,
    ) -> None:
        self._store = store
        self._staging = staging
        self._noted = noted
        self._examination = Examination(store, trial or NoTrial(), probation or NoProbation())
        self._service = service
        self._obstacles = Obstacles(tell=service.tell, noted=noted)
        self._lookout = Lookout(registry, store, self._obstacles, wish)
        self._failing: str | None = None
        self._looking = False
        self._lock = threading.RLock()

    @property
    def running(self) -> Model | None:
        """The model that serves."""
        return self._serving.model if self._serving else None

    @property
    def _serving(self) -> Staged | None:
        return self._service.serving

    @property
    def problem(self) -> str | None:
        """Why nothing serves, or why the wanted version does not; None when all is well."""
        return self._obstacles.problem

    @property
    def unsaved(self) -> str | None:
        """Why a restart would not bring up what serves now; None when all is well."""
        return self._service.unsaved

    @property
    def failing(self) -> str | None:
        """Why the version that serves should be rolled back and cannot be; None when all is well."""
        return self._failing

    @property
    def trial(self) -> Mapping[str, Any]:
        """How far the trial is, and empty without one. Never waits for a change under way."""
        return self._examination.trial_status

    @property
    def probation(self) -> Mapping[str, Any]:
        """What a version on probation has done so far, and empty without one. Never waits for a change under way."""
        return self._examination.probation_status

    @property
    def update(self) -> Update | None:
        """The version on its way to serve, None where there is none. Never waits for a change under way."""
        return self._staging.update

    @property
    def refused(self) -> Sequence[Refusal]:
        """Every version that does not serve, with the reason. Never waits for a change under way."""
        return self._obstacles.refusals.all()

    def start(self) -> None:
        """Bring up what served last, or else what the registry wants. Newer versions wait for the first check."""
        with self._changing():
            state = self._store.state
            if self._left_for_dead(state.current):
                return
            failing = self._failing
            if not self._brought_up(state) and not self._staging.stopped:
                self._look()
            if self._serving is not None and self._serving.kept == state.current:
                self._failing = failing

    def check(self) -> None:
        """Look once: end what is on trial or probation, and take the wanted version if it does not serve."""
        with self._changing():
            self._looking = True
            try:
                self._look()
            finally:
                self._looking = False

    def hurry(self) -> None:
        """Let the next look ask the registry even where that is not due: a person waits for it."""
        self._lookout.hurry()

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        """Take a version and stay with it; None follows the newest again. Raises as :meth:`ports.Control.activate`."""
        with self._changing(asked=True):
            candidate = self._lookout.asked_for(name, version)
            staged = self._tried(candidate.digest) or self._stage(candidate)
            self._lookout.wish = Wish(name)
            pinned = version not in (None, LATEST)
            self._serve(staged, activated(self._store.state, staged.kept, pinned=pinned), "activated")
            return staged.model.ref

    def rollback(self, name: str) -> ModelRef:
        """Go back to the previous version. Raises as :meth:`edge.ports.Control.rollback`."""
        with self._changing(asked=True):
            return self._roll_back(name)

    def stop(self) -> None:
        """Let the change under way end soon: a rehearsal ends at once, and none begins any more."""
        self._staging.stop()
        self._examination.stop()

    def models(self) -> Sequence[Mapping[str, Any]]:
        """Return every known version with its state: see :mod:`edge.rollout.listing`. Never waits for a change."""
        try:
            survey = self._lookout.known()
        except RegistryError:
            survey = Survey((), {})
        serving, on_trial = self._serving, self._examination.on_trial
        known = Known(
            self._store.state,
            self._obstacles.refusals,
            serving=serving.kept.digest if serving else None,
            on_trial=on_trial.kept.digest if on_trial else None,
        )
        return listed(survey, known)

    @contextmanager
    def _changing(self, *, asked: bool = False) -> Iterator[None]:
        """Make one change at a time, and say at its end that it is over.

        What somebody ``asked`` for does not wait for the rehearsal of a version that was found by following.
        """
        while not self._lock.acquire(timeout=HURRY_S if asked else -1):
            if self._looking:
                self._staging.interrupt()
        try:
            yield
        finally:
            if self._examination.on_trial is None:
                self._staging.over()
            self._lock.release()

    def _look(self) -> None:
        self._service.remember_unsaved()
        self._heed_probation()
        self._heed_trial()
        try:
            trouble = self._advance(self._lookout.survey())
        except InterruptedLookError:
            return  # somebody asked for something else, or the daemon stops
        except RegistryError as error:
            trouble = Trouble("the registry cannot be read", str(error))
        if trouble is None and self._serving is None:
            trouble = self._obstacles.why_nothing(self._lookout.wished)
        self._obstacles.note(trouble)

    def _advance(self, survey: Survey) -> Trouble | None:
        """Take the best version that proves itself; return what stands in the way from outside."""
        while True:
            candidate = self._lookout.choose(survey, self._in_service)
            if candidate is not None and self._tried(candidate.digest):
                return None
            self._examination.end_trial()
            if candidate is None:
                return None
            try:
                self._follow(candidate)
            except ModelNotFoundError:
                return None  # gone between the look and the fetch; the next look tells
            except ModelError as error:
                self._obstacles.refuse(candidate, error)
            except UnavailableError as error:
                survey = self._lookout.survey()  # a version whose files turned out wrong is no longer offered
                if candidate in survey.candidates:
                    who = f"{candidate.name}:{candidate.version}"
                    return Trouble("a model cannot be taken now", f"{who} cannot be taken now: {error}")

    @property
    def _in_service(self) -> InService | None:
        staged = self._serving
        return InService(staged.kept.digest, staged.created_at) if staged else None

    def _stage(self, candidate: Candidate) -> Staged:
        return self._staging.stage(candidate, replacing=self._serving is not None)

    def _follow(self, candidate: Candidate) -> None:
        """Stage the wanted version; let it serve, or take it on trial. Raises ModelError, UnavailableError."""
        staged = self._stage(candidate)
        self._obstacles.refusals.forget(staged.kept.digest)  # mended: on trial it is refused no longer
        follows = self._lookout.wish.version == LATEST
        goes_back = is_older(candidate, self._in_service)  # somebody wants it who knows both: no trial holds that up
        if (
            follows
            and not goes_back
            and self._serving
            and self._examination.try_out(candidate, staged, self._serving.model)
        ):
            self._staging.enter(staged.kept, "on trial")
            return
        self._serve(staged, activated(self._store.state, staged.kept, pinned=self._store.state.pinned), "activated")
        if follows:
            self._examination.watch(staged)

    def _heed_trial(self) -> None:
        """Act on the verdict over what is on trial, once there is one."""
        found = self._examination.trial_verdict()
        if found is None:
            return
        staged, verdict = found
        self._examination.end_trial()
        state = _remembering(self._store.state, staged.kept, verdict)
        if verdict.outcome == "promoted":
            self._serve(staged, activated(state, staged.kept, pinned=state.pinned), "promoted", verdict)
            self._examination.watch(staged)
            return
        self._service.remember(state)
        told = Change(verdict.outcome, staged.kept.name, staged.kept.version, None, verdict.reason, verdict.figures)
        _log.warning(f"a model is {told.kind} after its trial", extra={"model": str(told), "reason": told.reason})
        self._service.tell(told)

    def _tried(self, digest: str) -> Staged | None:
        """Return what is on trial if it is the bundle of that digest: it need not be staged again."""
        staged = self._examination.on_trial
        return staged if staged is not None and staged.kept.digest == digest else None

    def _heed_probation(self) -> None:
        """Roll back a version that fails in its first time in service."""
        verdict = self._examination.probation_verdict()
        if self._serving is not None and verdict is not None:
            self._examination.end_probation()
            self._leave(self._serving.kept, verdict)

    def _left_for_dead(self, kept: Kept | None) -> bool:
        """Go back at once from a version with which process after process ended, where it can be helped."""
        verdict = (
            self._examination.death(kept)
            if self._lookout.wish.version == LATEST and self._lookout.wish.allows(kept)
            else None
        )
        return kept is not None and verdict is not None and self._leave(kept, verdict)

    def _leave(self, kept: Kept, verdict: Verdict) -> bool:
        """Roll back from a version that fails; where that cannot be, it is a standing warning."""
        _log.error("a model fails on probation", extra={"model": str(kept), "reason": verdict.reason})
        try:
            self._roll_back(kept.name, verdict)
        except EdgeError as error:
            self._failing = f"{kept} {verdict.reason}; it cannot be rolled back: {error}"
            _log.error("a failing model cannot be rolled back", extra={"reason": self._failing})
            self._noted()
            return False
        return True

    def _roll_back(self, name: str, why: Verdict | None = None) -> ModelRef:
        left, state = self._store.state.current, rolled_back(self._store.state)
        kept = state.current
        if left is None or kept is None or kept.name != name:
            raise ModelNotFoundError(f"there is no previous version of {name}; the one before was {kept}")
        if why is not None:
            state = _remembering(state, left, why)
        staged = self._staging.ready(kept, self._staging.open(kept), replacing=self._serving is not None)
        self._lookout.wish = Wish(name)
        self._serve(staged, state, "rolled-back", why)
        return staged.model.ref

    def _brought_up(self, state: State) -> bool:
        """Serve what served last, or the newest before it that can; tell whether anything does."""
        certain = True
        for kept in (state.current, *state.earlier):
            try:
                if self._took_kept(kept, remember=certain):
                    return True
            except UnavailableError as error:
                certain = False  # what comes in its place does so for this time only
                _log.error("a stored model cannot serve now", extra={"model": str(kept), "reason": str(error)})
        return False

    def _took_kept(self, kept: Kept | None, *, remember: bool) -> bool:
        """Serve a bundle from the store, where nothing serves yet. Raises UnavailableError."""
        if self._staging.stopped or not self._lookout.wish.allows(kept):
            return False
        try:
            bundle = self._staging.open(kept)
        except EdgeError as error:
            _log.error("a stored model cannot be opened", extra={"model": str(kept), "reason": str(error)})
            return False  # what is damaged here may be fetched again
        try:
            staged = self._staging.ready(kept, bundle, replacing=False)
        except ModelError as error:
            self._obstacles.refuse(kept, error)
            return False
        state = self._store.state
        self._serve(staged, activated(state, kept, pinned=state.pinned) if remember else state, "activated")
        self._examination.watch_on(staged)
        return True

    def _serve(self, staged: Staged, state: State, kind: Kind, why: Verdict | None = None) -> None:
        self._examination.end_trial()
        self._examination.end_probation()
        self._failing = None
        self._obstacles.refusals.forget(staged.kept.digest)
        self._staging.enter(staged.kept, "swapping")
        self._service.put(staged, state, kind, why)


def _remembering(state: State, kept: Kept, verdict: Verdict) -> State:
    at = instant(datetime.now(UTC))
    return judged(state, Judged(kept.digest, verdict.outcome, verdict.reason, at, verdict.figures))
